//! What a bake has to do: one step for each output, with a key, and a hit or a miss with its reason.

mod key;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bake_formats::digest::Digest;
use bake_formats::format::Epoch;
use bake_formats::rope::Extent;
use bake_formats::tree::{Content, FileTree, TreeId, TreePath};
use bake_recipes::resolved::{Output, Recipe};
use bake_recipes::{Place, Platform, ResolveCx, written};

use crate::assemble::{self, SourceFiles};
use crate::error::Error;
use crate::failures::Failures;
use crate::lint::Finding;
use crate::lower::{self, Product};
use crate::needs;
use crate::report::Reporter;
use crate::store::{ActionResult, Store};

pub use key::{ActionKey, KeyParts};

/// The modification time of everything if nobody says otherwise: 2020-01-01T00:00:00Z.
pub const FIXED_EPOCH: Epoch = Epoch(1_577_836_800);

/// What to bake.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The recipe's file; what it names is relative to its folder.
    pub recipe: &'a Path,
    /// The recipe's text if it is not in the file.
    pub text: Option<&'a str>,
    /// What the outputs run on.
    pub platform: Platform,
    /// The outputs wanted; empty for all of the recipe's.
    pub only: &'a [Output],
    /// The time of everything, if the caller says so (`SOURCE_DATE_EPOCH`).
    pub epoch: Option<Epoch>,
    /// Looks up a variable that the recipe names as its version or revision.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// How many threads may work.
    pub threads: usize,
}

impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request").field("recipe", &self.recipe).finish_non_exhaustive()
    }
}

/// A bake, ready to be run or shown.
#[derive(Debug)]
pub struct Plan {
    /// The recipe as it was typed.
    pub written: written::Recipe,
    /// The recipe for one platform.
    pub recipe: Recipe,
    /// The recipe's folder.
    pub folder: PathBuf,
    /// The time of everything.
    pub epoch: Epoch,
    /// What packages need and the recipe does not declare.
    pub findings: Vec<Finding>,
    /// One step for each output, in the order of formats.
    pub steps: Vec<Step>,
    /// Where the contents of the build output are.
    pub sources: SourceFiles,
    /// The line of the recipe that each entry comes from.
    pub places: BTreeMap<TreePath, Place>,
}

impl Plan {
    /// Returns the tree of each output.
    pub fn trees(&self) -> BTreeMap<Output, Arc<FileTree>> {
        let tree = |step: &Step| (step.product.kind().output(), Arc::clone(&step.tree));
        self.steps.iter().map(tree).collect()
    }
}

/// One output to be made.
#[derive(Debug)]
pub struct Step {
    /// What to make.
    pub product: Product,
    /// The tree it holds.
    pub tree: Arc<FileTree>,
    /// The identity of that tree.
    pub tree_id: TreeId,
    /// The identity of the work.
    pub key: ActionKey,
    /// What the key covers, for the next explanation.
    pub parts: KeyParts,
    /// The name under which what the key covers is kept.
    pub subject: Digest,
    /// Whether the work is already done.
    pub state: State,
}

/// Whether a step's work is already done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The result is in the store.
    Hit(ActionResult),
    /// It is not, for this reason.
    Miss(String),
}

/// Loads a recipe and resolves it for a platform; returns it as written, too, for places.
pub fn load(request: &Request<'_>) -> Result<(written::Recipe, Recipe), Failures> {
    let written = match request.text {
        Some(text) => bake_recipes::load::parse(&request.recipe.display().to_string(), text)?,
        None => bake_recipes::load(request.recipe)?,
    };
    let folder = folder_of(request.recipe)?;
    let cx = ResolveCx { platform: request.platform, env: request.variable, base: &folder };
    let mut recipe = bake_recipes::resolve(&written, cx)?;
    keep_only(&mut recipe, request.only)?;
    Ok((written, recipe))
}

/// Returns the time of everything in a bake, without planning it.
pub fn epoch(request: &Request<'_>) -> Result<Epoch, Failures> {
    let (_, recipe) = load(request)?;
    Ok(epoch_of(request, &recipe))
}

fn epoch_of(request: &Request<'_>, recipe: &Recipe) -> Epoch {
    request.epoch.or(recipe.source_date).unwrap_or(FIXED_EPOCH)
}

/// Loads a recipe, reads the build output and finds out what is to be done.
pub fn plan(
    request: &Request<'_>,
    store: &Store,
    reporter: &dyn Reporter,
) -> Result<Plan, Failures> {
    let (written, recipe) = load(request)?;
    let folder = folder_of(request.recipe)?;
    let epoch = epoch_of(request, &recipe);
    let scan = assemble::scan(&folder, &recipe.files).map_err(Error::from)?;
    let contents: Vec<Content> =
        assemble::hash_files(store, &folder, &scan.files, request.threads, reporter)?;
    let trees = assemble::compose(&recipe, &scan, &contents).map_err(Error::from)?;
    let mut known: BTreeMap<*const FileTree, (TreeId, Digest)> = BTreeMap::new();
    let mut identify = |tree: &FileTree| {
        *known.entry(std::ptr::from_ref(tree)).or_insert_with(|| (tree.id(), key::attributes(tree)))
    };
    let cache = Some(needs::Cache { store, folder: &folder });
    let asked = needs::Request {
        recipe: &recipe,
        folder: &folder,
        trees: &trees,
        threads: request.threads,
        cache,
    };
    let settled = needs::settle(&asked, &mut |tree| identify(tree).0)?;
    let needs::Settled { recipe, findings } = settled;
    let findings = findings.into_iter().map(Finding::from).collect();
    let given = lower::Given { folder: &folder, epoch, locked: &[] };
    let mut steps = Vec::new();
    for (output, tree) in &trees.trees {
        let (tree_id, attributes) = identify(tree);
        for product in lower::lower(&recipe, *output, tree, tree_id, &given)? {
            let parts = KeyParts::new(&product, tree_id, attributes, epoch)?;
            let key = parts.key();
            let subject = subject(request, &product);
            let state = state(store, &key, &parts, &subject, &trees.sources);
            let tree = Arc::clone(tree);
            steps.push(Step { product, tree, tree_id, key, parts, subject, state });
        }
    }
    let (sources, places) = (trees.sources, trees.places);
    Ok(Plan { written, recipe, folder, epoch, findings, steps, sources, places })
}

/// Returns the folder that paths in a recipe are relative to.
pub(crate) fn folder_of(recipe: &Path) -> Result<PathBuf, Error> {
    let parent = recipe.parent().filter(|parent| !parent.as_os_str().is_empty());
    Ok(fs_err::canonicalize(parent.unwrap_or(Path::new(".")))?)
}

fn keep_only(recipe: &mut Recipe, only: &[Output]) -> Result<(), Error> {
    let baked = recipe.outputs();
    if let Some(missing) = only.iter().find(|output| !baked.contains(output)) {
        let words: Vec<_> = baked.iter().map(|output| output.word()).collect();
        return Err(Error::Input {
            what: format!("--only {}", missing.word()),
            reason: format!("the recipe bakes {}", words.join(", ")),
        });
    }
    if !only.is_empty() {
        let wanted = |output| only.contains(&output);
        recipe.deb = recipe.deb.take().filter(|_| wanted(Output::Deb));
        recipe.rpm = recipe.rpm.take().filter(|_| wanted(Output::Rpm));
        recipe.oci = recipe.oci.take().filter(|_| wanted(Output::Oci));
        recipe.vm = recipe.vm.take().filter(|_| wanted(Output::Vm));
    }
    Ok(())
}

/// Returns the name under which the parts of an output's last key are kept.
fn subject(request: &Request<'_>, product: &Product) -> Digest {
    let recipe = fs_err::canonicalize(request.recipe).unwrap_or_else(|_| request.recipe.into());
    let name =
        format!("last key of {} {} {}", recipe.display(), product.kind().name(), request.platform);
    Digest::of(name.as_bytes())
}

fn state(
    store: &Store,
    key: &ActionKey,
    parts: &KeyParts,
    subject: &Digest,
    sources: &SourceFiles,
) -> State {
    match store.result(key.digest()) {
        Some(result) => match missing(store, &result, sources) {
            None => State::Hit(result),
            Some(what) => State::Miss(format!("{what} is no longer in the store")),
        },
        None => State::Miss(parts.explain(store.note(subject).as_ref())),
    }
}

/// Returns what is missing of a result: a hit counts only if every blob it names is there.
fn missing(store: &Store, result: &ActionResult, sources: &SourceFiles) -> Option<String> {
    let mut seen = std::collections::BTreeSet::new();
    for file in &result.files {
        let Ok(rope) = store.rope(&file.rope) else {
            return Some(format!("the description of `{}`", file.path));
        };
        for extent in rope.extents() {
            let Extent::Blob { digest, .. } = extent else { continue };
            if !seen.insert(digest) || sources.contains(&digest) {
                continue;
            }
            if !store.holds(&digest) {
                return Some(format!("blob {digest}"));
            }
        }
    }
    None
}
