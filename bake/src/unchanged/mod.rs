//! Whether anything moved since the last bake: if nothing did, its outputs are what this one would make.
//!
//! ```text
//! recipe, lock, base's documents, program ──► resolved as always ──┐
//! build output ──► walk: one stat for each entry, no file opened ──┴──► [`Inputs`], a digest
//!                                                                          │
//! last bake ──kept──► [`Remains`]: inputs, files the recipe names, outputs, ──compare──► release, findings
//!                     all by their stamps                                                or bake
//! ```
//!
//! The recipe is resolved each time, so versions from git, from other files or from the environment are seen. What
//! is known by its stamp only is what takes time: the build output, the texts that the recipe names, the outputs.
//! As in the stat index, what is not older than the look by a tick of the clock is not trusted: then nothing is kept.
//!
//! Not known this way, and planned as always: machines (their base is many files), packages whose library data
//! comes from folders, and images whose base a registry must be asked for.

mod walk;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use bake_formats::digest::{Digest, Hasher};
use bake_recipes::lock::Lock;
use bake_recipes::resolved::Recipe;
use serde::{Deserialize, Serialize};

use crate::assemble::{Listings, environments};
use crate::base::{Bases, LockFile, Network, Places, Rules};
use crate::output::Written;
use crate::plan::{Loaded, Plan, PlatformBase, Request, epoch_of, folder_of, load};
use crate::release::Release;
use crate::store::{Stamp, Store, TICK_NANOSECONDS};

/// Raised whenever what is kept, or what it means, changes.
const REVISION: u32 = 1;

/// Everything that a bake is made from, before it is made.
#[derive(Debug)]
pub struct Inputs {
    /// What is kept for a recipe has this name.
    recipe: PathBuf,
    /// Of everything but the lock file.
    digest: Digest,
    /// What the lock file says.
    lock: Lock,
    /// When the look began.
    began: i64,
    /// Whether everything was older than that.
    is_settled: bool,
    walked: Listings,
}

/// What a bake left behind.
#[derive(Debug, Serialize, Deserialize)]
pub struct Remains {
    inputs: Digest,
    /// The texts that the recipe names.
    texts: Vec<(PathBuf, Stamp)>,
    /// The files of the outputs, relative to their folder.
    outputs: Vec<(String, Stamp)>,
    /// The keys of the results that the outputs are.
    results: Vec<Digest>,
    /// What was released.
    pub release: Release,
    /// What was said of the recipe.
    pub findings: Vec<Told>,
}

/// A finding as it was told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Told {
    /// For programs.
    pub event: serde_json::Value,
    /// For people, without colours and with them.
    pub texts: [String; 2],
}

impl Inputs {
    /// Looks at everything that a request leads to; `None` if that cannot be known by its stamps, or if something is
    /// wrong with it, which planning tells.
    pub fn look(
        request: &Request<'_>,
        store: &Store,
        rules: Rules,
        signer: Option<&str>,
    ) -> Option<Self> {
        if request.text.is_some() {
            return None;
        }
        let began = store.moment().ok()?;
        let recipe = fs_err::canonicalize(request.recipe).ok()?;
        let folder = folder_of(request.recipe).ok()?;
        let Loaded { recipes, all, .. } = load(request).ok()?;
        if !recipes.iter().all(is_known_by_stamps) {
            return None;
        }
        let lock = LockFile::load(request.recipe).ok()?.lock().clone();
        let named = recipes.iter().flat_map(|recipe| &recipe.files);
        let walked = walk::walk(&folder, named, request.threads).ok()?;
        let mut parts = Parts::default();
        parts.add(&REVISION);
        parts.add(&program()?);
        parts.add(&(rules, signer, all));
        parts.add(&recipes.first().map(|recipe| epoch_of(request, recipe)));
        let images = Places::nearby(&folder);
        let rules = Rules { network: Network::Unneeded, ..rules };
        let mut bases = Bases::new(&images, store, rules, lock.clone());
        for recipe in &recipes {
            match PlatformBase::find(&mut bases, recipe).ok()? {
                PlatformBase::Scratch => {}
                PlatformBase::Image(found) => parts.add(&found.base.manifest),
                PlatformBase::Unknown(_) => return None,
            }
        }
        parts.add(&recipes);
        parts.add(&environments(&folder));
        parts.add(&walked.digest);
        let is_settled = walked.newest < began - TICK_NANOSECONDS;
        let walked = walked.listings;
        Some(Self { recipe, digest: parts.digest(), lock, began, is_settled, walked })
    }

    /// Returns what the look met, which planning then need not look at again, and keeps nothing of it.
    pub fn take_walked(&mut self) -> Listings {
        std::mem::take(&mut self.walked)
    }

    /// Returns what the last bake into a folder left there, if that is what another would make.
    pub fn remains(&self, store: &Store, output: &Path) -> Option<Remains> {
        let output = fs_err::canonicalize(output).ok()?;
        let mut remains: Remains = store.note(&self.name(&output))?;
        let is_current = remains.inputs == self.with_lock(&self.lock)
            && remains.texts.iter().all(|(path, stamp)| stamp_of(path) == Some(*stamp))
            && outputs_are(&remains.outputs, &output)
            // Marks them as used, too.
            && remains.results.iter().all(|key| store.result(key).is_some());
        remains.release.artifacts.iter_mut().for_each(|artifact| artifact.cached = true);
        is_current.then_some(remains)
    }

    /// Keeps what a bake left behind, unless something is too new to be known by its stamps.
    pub fn keep(
        &self,
        store: &Store,
        plan: &Plan,
        (release, written): (&Release, &Written),
        findings: Vec<Told>,
    ) -> io::Result<()> {
        let trusted = |stamp: &Stamp| stamp.mtime.max(stamp.ctime) < self.began - TICK_NANOSECONDS;
        let Some(texts) = plan
            .texts
            .read()
            .into_iter()
            .map(|path| stamp_of(&path).filter(trusted).map(|stamp| (path, stamp)))
            .collect::<Option<Vec<_>>>()
        else {
            return Ok(());
        };
        if !self.is_settled || !written.is_settled {
            return Ok(());
        }
        let remains = Remains {
            inputs: self.with_lock(&plan.lock),
            texts,
            outputs: written.stamps.clone(),
            results: plan.steps.iter().map(|step| *step.key.digest()).collect(),
            release: release.clone(),
            findings,
        };
        store.put_note(&self.name(&written.folder), &remains)
    }

    /// Returns the digest of everything, the lock file among it.
    fn with_lock(&self, lock: &Lock) -> Digest {
        let mut parts = Parts::default();
        parts.add(&self.digest);
        parts.add(lock);
        parts.digest()
    }

    /// Returns the name under which is kept what a recipe left in a folder.
    fn name(&self, output: &Path) -> Digest {
        let mut parts = Parts::default();
        parts.add(&"what a bake left behind");
        parts.add(&(&self.recipe, output));
        parts.digest()
    }
}

/// Returns whether stamps tell all that a recipe for one platform leads to.
fn is_known_by_stamps(recipe: &Recipe) -> bool {
    recipe.vm.as_ref().is_none_or(|vm| vm.machine.is_none())
        && recipe.deb.as_ref().is_none_or(|deb| deb.library_data.is_empty())
}

/// Returns what tells that this program is the one it was.
fn program() -> Option<Stamp> {
    stamp_of(&std::env::current_exe().ok()?)
}

fn stamp_of(path: &Path) -> Option<Stamp> {
    fs_err::metadata(path).ok().map(|metadata| Stamp::of(&metadata))
}

/// Returns whether files are in a folder as they were, and nothing else in the folders below it that hold them.
fn outputs_are(files: &[(String, Stamp)], folder: &Path) -> bool {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, stamp) in files {
        let found = fs_err::symlink_metadata(folder.join(name)).ok();
        if found.is_none_or(|found| !found.is_file() || Stamp::of(&found) != *stamp) {
            return false;
        }
        if let Some((artifact, _)) = name.split_once('/') {
            *counts.entry(artifact).or_default() += 1;
        }
    }
    let count = |artifact| crate::output::count_files(&folder.join(artifact)).ok();
    counts.into_iter().all(|(artifact, expected)| count(artifact) == Some(expected))
}

/// Gathers values into a digest by what `Debug` says of them, which is all that they hold, each with its length.
#[derive(Default)]
struct Parts(Option<Hasher>);

impl Parts {
    fn add(&mut self, value: &impl std::fmt::Debug) {
        let text = format!("{value:?}");
        let hasher = self.0.get_or_insert_with(Hasher::new);
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }

    fn digest(self) -> Digest {
        self.0.unwrap_or_default().digest()
    }
}
