//! What a bake has to do: one step for each output, with a key, and a hit or a miss with its reason.
//!
//! ```text
//! Request ──load──► a recipe for each platform ──assemble──► PlatformPlan: trees, findings
//!                                                                 │ lower
//!                        Step: one artifact ◄── Part: one product and its tree
//! ```
//!
//! Packages and disks are for one platform, so their steps have one part; an image has a part for
//! each platform, and they become one layout with an index.

mod key;
mod platform;
mod request;
mod state;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use bake_formats::digest::Digest;
use bake_formats::format::Epoch;
use bake_formats::tree::{FileTree, TreeId};
use bake_recipes::lock::{Lock, LockedLayer};
use bake_recipes::resolved::{Output, Recipe};
use bake_recipes::{Platform, written};

use crate::assemble::Listings;
use crate::assemble::SourceFiles;
use crate::base::{Bases, Found, Images, LockFile, Locking, Rules};
use crate::error::Error;
use crate::failures::Failures;
use crate::layers;
use crate::lower::{self, Given, Joining, Kind, Product, Texts};
use crate::report::Reporter;
use crate::store::Store;
use crate::timings::time;

pub use key::{ActionKey, KeyParts};
pub use platform::{PlatformBase, PlatformPlan, base_images};
pub use request::{FIXED_EPOCH, Loaded, Platforms, Request, epoch, load};
pub(crate) use request::{epoch_of, folder_of};
pub use state::State;

use platform::Identities;

/// A bake, ready to be run or shown.
#[derive(Debug)]
pub struct Plan {
    /// The recipe as it was typed.
    pub written: written::Recipe,
    /// The recipe's folder.
    pub folder: PathBuf,
    /// The time of everything.
    pub epoch: Epoch,
    /// What is baked for each platform, in the order asked for; never empty.
    pub platforms: Vec<PlatformPlan>,
    /// One step for each artifact, in the order of formats and then of platforms.
    pub steps: Vec<Step>,
    /// Where the contents of the build output are.
    pub sources: SourceFiles,
    /// The recipe's lock file as it is; absent if the recipe is in no file.
    pub lock_file: Option<LockFile>,
    /// What the lock file is to say, now that everything was found.
    pub lock: Lock,
    /// What may be done to read base images.
    pub rules: Rules,
    /// The texts that the recipe names.
    pub texts: Texts,
}

/// What planning may use besides the request.
pub struct PlanCx<'a> {
    /// Where results and the documents of base images are.
    pub store: &'a Store,
    /// Where base images come from.
    pub images: &'a dyn Images,
    /// What may be done to find out what base images are.
    pub rules: Rules,
    /// Who is told.
    pub reporter: &'a dyn Reporter,
    /// What of the build output was looked at a moment ago.
    pub walked: Listings,
}

impl std::fmt::Debug for PlanCx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlanCx").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Plan {
    /// Returns the recipe for the first platform; name and version are the same for all.
    #[expect(clippy::indexing_slicing, reason = "a plan is for at least one platform")]
    pub fn first(&self) -> &Recipe {
        &self.platforms[0].recipe
    }

    /// Returns whether a build would write the lock file.
    pub fn extends_lock(&self) -> bool {
        self.lock_file.as_ref().is_some_and(|file| *file.lock() != self.lock)
    }

    /// Returns the base image of what is baked for a platform, if it is known.
    pub fn base(&self, platform: Platform) -> Option<&Found> {
        self.platforms.iter().find(|plan| plan.recipe.platform == platform)?.base.image()
    }

    /// Returns steps, each with its number, as they are begun: what takes longest first, which is what has digests of its
    /// payload.
    pub fn working_order(&self) -> Vec<(usize, &Step)> {
        let turn = |step: &Step| match step.kind().output() {
            Output::Rpm | Output::Oci => 0,
            Output::Deb | Output::Vm => 1,
        };
        let mut order: Vec<_> = self.steps.iter().enumerate().collect();
        order.sort_by_key(|(_, step)| turn(step));
        order
    }

    /// Returns what all steps are made from.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.steps.iter().flat_map(|step| &step.parts)
    }
}

/// One artifact to be made.
#[derive(Debug)]
pub struct Step {
    /// What it is made from; several are images for different platforms. Never empty.
    pub parts: Vec<Part>,
    /// How images become an index, if they do.
    pub joining: Option<Joining>,
    /// The identity of the work.
    pub key: ActionKey,
    /// What the key covers, for the next explanation.
    pub covers: KeyParts,
    /// The name under which what the key covers is kept.
    pub subject: Digest,
    /// Whether the work is already done.
    pub state: State,
}

/// A product for one platform, with the tree it holds.
#[derive(Debug, Clone)]
pub struct Part {
    /// What to make.
    pub product: Product,
    /// What it runs on.
    pub platform: Platform,
    /// The tree it holds.
    pub tree: Arc<FileTree>,
    /// The identity of that tree.
    pub tree_id: TreeId,
    /// What the identity leaves out and writers see.
    attributes: Digest,
}

impl Step {
    /// Returns the format.
    pub fn kind(&self) -> Kind {
        self.first().kind()
    }

    /// Returns the conventional file name.
    pub fn file_name(&self) -> String {
        self.first().file_name()
    }

    /// Returns the identity of the tree that all parts hold; `None` if they differ.
    pub fn tree_id(&self) -> Option<TreeId> {
        let ids: BTreeSet<TreeId> = self.parts.iter().map(|part| part.tree_id).collect();
        ids.first().copied().filter(|_| ids.len() == 1)
    }

    /// Returns the platforms, joined by commas.
    pub fn platforms(&self) -> String {
        let words: Vec<_> = self.parts.iter().map(|part| part.platform.to_string()).collect();
        words.join(",")
    }

    #[expect(clippy::indexing_slicing, reason = "a step is made from at least one part")]
    fn first(&self) -> &Product {
        &self.parts[0].product
    }
}

/// Loads a recipe, reads the build output and finds out what is to be done.
pub fn plan(request: &Request<'_>, cx: PlanCx<'_>) -> Result<Plan, Failures> {
    let PlanCx { store, images, rules, reporter, walked } = cx;
    let timed = |phase| time(reporter.timings(), phase, None);
    let watch = timed("recipe");
    let Loaded { written, recipes, all } = load(request)?;
    let folder = folder_of(request.recipe)?;
    let epoch = recipes.first().map_or(FIXED_EPOCH, |recipe| epoch_of(request, recipe));
    // Text that is in no file has no lock file beside it.
    let lock_file = match request.text {
        None => Some(LockFile::load(request.recipe)?),
        Some(_) => None,
    };
    let lock = lock_file.as_ref().map(|file| file.lock().clone()).unwrap_or_default();
    drop(watch);
    let watch = timed("base");
    let mut bases = Bases::new(images, store, rules, lock);
    let mut built_on = Vec::new();
    for recipe in recipes {
        let base = PlatformBase::find(&mut bases, &recipe)?;
        built_on.push((recipe, base));
    }
    drop(watch);
    let (mut platforms, mut sources, mut identities) =
        platform::assemble(request, built_on, &folder, walked, (store, reporter))?;
    let watch = timed("machine");
    for platform in &mut platforms {
        platform.prepare(&folder, &mut sources, &mut bases, reporter)?;
    }
    drop(watch);
    let _watch = timed("plan");
    let mut lock = bases.lock;
    let layers = assign_layers(&platforms, &lock.layers);
    if let (Some(file), Locking::Frozen) = (&lock_file, rules.locking) {
        check_layers(file, &layers)?;
    }
    // Paths of platforms that are left out this time must stay in the file.
    let baked = |wanted| platforms.iter().any(|platform| platform.recipe.platform == wanted);
    if all.into_iter().all(baked) {
        lock.layers.clone_from(&layers);
    }
    let texts = Texts::of(&folder);
    let mut planner = Planner { request, store, epoch, sources: &sources, steps: Vec::new() };
    for output in Output::ALL {
        let given = Given { texts: &texts, epoch, locked: &layers, base: None, ground: None };
        let parts = parts(&platforms, output, given, &mut identities)?;
        planner.add(parts, &platforms)?;
    }
    let steps = planner.steps;
    Ok(Plan { written, folder, epoch, platforms, steps, sources, lock_file, lock, rules, texts })
}

/// Returns which part of the trees of all platforms is in which layer, given what is locked.
fn assign_layers(platforms: &[PlatformPlan], locked: &[LockedLayer]) -> Vec<LockedLayer> {
    let trees: Vec<&FileTree> = platforms
        .iter()
        .filter_map(|platform| platform.trees.get(&Output::Oci).map(|tree| &**tree))
        .collect();
    let first = platforms.iter().find_map(|platform| {
        let recipe = &platform.recipe;
        recipe.oci.as_ref().map(|table| (recipe, table))
    });
    match first {
        Some((recipe, table)) => layers::assignment(recipe, table, &trees, locked),
        None => locked.to_vec(),
    }
}

/// Fails if files are assigned to layers of which the lock file does not say so.
fn check_layers(file: &LockFile, assigned: &[LockedLayer]) -> Result<(), Error> {
    const SHOWN: usize = 3;
    let mut words: Vec<String> = layers::unlocked(assigned, &file.lock().layers)
        .map(|(path, layer)| format!("`{path}` ({layer})"))
        .collect();
    if words.is_empty() {
        return Ok(());
    }
    let more = words.len().saturating_sub(SHOWN);
    words.truncate(SHOWN);
    let mut paths = words.join(" or ");
    if more > 0 {
        paths.push_str(&format!(" or {more} more"));
    }
    Err(Error::Unlocked { path: file.path().into(), paths })
}

/// Returns what one output of the recipe is made from, the platforms in order.
fn parts(
    platforms: &[PlatformPlan],
    output: Output,
    given: Given<'_>,
    identities: &mut Identities,
) -> Result<Vec<Part>, Error> {
    let mut parts = Vec::new();
    for PlatformPlan { recipe, trees, base, ground, .. } in platforms {
        let Some(tree) = trees.get(&output) else { continue };
        let (tree_id, attributes) = identities.of(tree);
        let given = Given {
            base: base.image().map(|found| &found.base),
            ground: ground.as_deref(),
            ..given
        };
        for product in lower::lower(recipe, output, tree, tree_id, &given)? {
            let (platform, tree) = (recipe.platform, Arc::clone(tree));
            parts.push(Part { product, platform, tree, tree_id, attributes });
        }
    }
    Ok(parts)
}

/// Makes steps out of parts.
struct Planner<'a> {
    request: &'a Request<'a>,
    store: &'a Store,
    epoch: Epoch,
    sources: &'a SourceFiles,
    steps: Vec<Step>,
}

impl Planner<'_> {
    /// Adds the steps of one output: images of one kind together, everything else on its own.
    fn add(&mut self, parts: Vec<Part>, platforms: &[PlatformPlan]) -> Result<(), Error> {
        let mut groups: Vec<Vec<Part>> = Vec::new();
        for part in parts {
            let kind = part.product.kind();
            let group = groups.iter_mut().find(|group| {
                kind.is_image() && group.iter().all(|other| other.product.kind() == kind)
            });
            match group {
                Some(group) => group.push(part),
                None => groups.push(vec![part]),
            }
        }
        for parts in groups {
            self.step(parts, platforms)?;
        }
        Ok(())
    }

    /// Adds one step, unless it is one that another platform has already: of packages for all.
    fn step(&mut self, parts: Vec<Part>, platforms: &[PlatformPlan]) -> Result<(), Error> {
        let is_image = parts.iter().any(|part| part.product.kind().is_image());
        let joining = match platforms.first() {
            Some(first) if is_image => lower::joining(&first.recipe, parts.len()),
            _ => None,
        };
        let covers = KeyParts::new(&parts, joining.as_ref(), self.epoch)?;
        let key = covers.key();
        let images = if is_image { parts.len() } else { 0 };
        let subject = self.subject(&parts);
        let unknown = platforms.iter().find_map(|platform| match &platform.base {
            PlatformBase::Unknown(why) if is_image => Some(why.clone()),
            _ => None,
        });
        let find = || State::find(self.store, &key, &covers, &subject, self.sources, images);
        let state = unknown.map_or_else(find, State::Unknown);
        let step = Step { parts, joining, key, covers, subject, state };
        let name = step.file_name();
        match self.steps.iter().find(|other| other.file_name() == name) {
            None => self.steps.push(step),
            Some(other) if other.key == key => {}
            Some(other) => {
                let (one, two) = (other.platforms(), step.platforms());
                let reason = format!(
                    "`{name}` is for all architectures, but comes out differently for {one} and \
                     {two}; bake it for one of them, or let its files be equal"
                );
                return Err(Error::Input { what: "--platform".into(), reason });
            }
        }
        Ok(())
    }

    /// Returns the name under which the parts of an output's last key are kept.
    fn subject(&self, parts: &[Part]) -> Digest {
        let path = self.request.recipe;
        let path = fs_err::canonicalize(path).unwrap_or_else(|_| path.into());
        let mut name = format!("last key of {}", path.display());
        for part in parts {
            name.push_str(&format!(" {} {}", part.product.kind().name(), part.platform));
        }
        Digest::of(name.as_bytes())
    }
}
