//! What is baked for each platform: recipe, trees, findings.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use bake_formats::tree::{Content, FileTree, TreeId};
use bake_recipes::resolved::{Base, BaseImage, BaseLayers, Oci, Output, Recipe};
use bake_recipes::{Place, Platform};

use super::key;
use super::request::Request;
use crate::assemble::{self, EntryPlaces, FoundFile, Listings, Scan, SourceFiles, Trees};
use crate::base::{self, BaseError, Bases, Found, Network};
use crate::error::Error;
use crate::failures::Failures;
use crate::lint::Finding;
use crate::machine::{self, Ground};
use crate::needs;
use crate::parallel::both;
use crate::report::Reporter;
use crate::store::{Stamp, Store};
use crate::timings::time;

/// What is baked for one platform.
#[derive(Debug)]
pub struct PlatformPlan {
    /// The recipe; packages declare what their files need.
    pub recipe: Recipe,
    /// What the image is built on.
    pub base: PlatformBase,
    /// What packages need and the recipe does not declare.
    pub findings: Vec<Finding>,
    /// The tree of each output.
    pub trees: BTreeMap<Output, Arc<FileTree>>,
    /// The line of the recipe that each entry comes from.
    pub places: EntryPlaces,
    /// The machine that the disk is, if it is one.
    pub ground: Option<Box<Ground>>,
}

impl PlatformPlan {
    /// Prepares the machine of the recipe, if it has one.
    pub(super) fn prepare(
        &mut self,
        folder: &Path,
        sources: &mut SourceFiles,
        bases: &mut Bases<'_>,
        reporter: &dyn Reporter,
    ) -> Result<(), Failures> {
        let Self { recipe, trees, places, .. } = &*self;
        let Some(vm) = &recipe.vm else { return Ok(()) };
        let (Some(machine), Some(payload)) = (&vm.machine, trees.get(&Output::Vm)) else {
            return Ok(());
        };
        let store = bases.store;
        let asked = machine::Asked {
            recipe,
            vm,
            machine,
            folder,
            payload,
            places,
            sources,
            store,
            reporter,
        };
        let ground = machine::prepare(&asked, bases).map_err(|error| at(&machine.place, error))?;
        sources.extend(ground.sources.clone());
        self.trees.insert(Output::Vm, Arc::clone(&ground.payload));
        self.ground = Some(Box::new(ground));
        Ok(())
    }
}

/// Says where in the recipe the base is named that something is wrong with.
fn at(place: &Place, error: Error) -> Failures {
    match error {
        Error::Base { message, hint } => {
            let fault = place.error(message);
            match hint {
                Some(hint) => fault.hint(hint).into(),
                None => fault.into(),
            }
        }
        other => other.into(),
    }
}

/// What an image is built on.
#[derive(Debug, Clone)]
pub enum PlatformBase {
    /// Nothing, or there is no image.
    Scratch,
    /// Another image.
    Image(Box<Found>),
    /// Another image of which this machine does not know enough, and nobody was to be asked: why.
    Unknown(String),
}

impl PlatformBase {
    /// Returns the image if it is known.
    pub fn image(&self) -> Option<&Found> {
        match self {
            Self::Image(found) => Some(found),
            Self::Scratch | Self::Unknown(_) => None,
        }
    }

    /// Finds out what a recipe's image is built on, and reads what that needs of it.
    pub fn find(bases: &mut Bases<'_>, recipe: &Recipe) -> Result<Self, Failures> {
        let Some(table) = &recipe.oci else { return Ok(Self::Scratch) };
        let Base::Image(image) = &table.base else { return Ok(Self::Scratch) };
        match found(bases, table, image, recipe.platform) {
            Ok(found) => Ok(Self::Image(Box::new(found))),
            Err(error) if error.is_unknown && bases.rules.network == Network::Unneeded => {
                Ok(Self::Unknown(error.reason))
            }
            Err(error) => {
                let fault = image.place.error(error.to_string());
                Err(match error.hint {
                    Some(hint) => fault.hint(hint).into(),
                    None => fault.into(),
                })
            }
        }
    }
}

/// Returns the base images of recipes for several platforms, by name.
pub fn base_images(recipes: &[Recipe]) -> BTreeMap<String, &BaseImage> {
    let mut all = BTreeMap::new();
    for recipe in recipes {
        if let Some(Oci { base: Base::Image(image), .. }) = &recipe.oci {
            all.insert(base::name(&image.source), image);
        }
    }
    all
}

fn found(
    bases: &mut Bases<'_>,
    table: &Oci,
    image: &BaseImage,
    platform: Platform,
) -> Result<Found, BaseError> {
    let mut found = bases.find(&image.source, platform)?;
    found.base.includes_layers = image.layers == BaseLayers::Copy;
    if table.accounts {
        found.base.databases = Some(bases.databases(&found)?);
    }
    Ok(found)
}

/// Reads the build output once and lays it out for every platform.
pub(super) fn assemble(
    request: &Request<'_>,
    recipes: Vec<(Recipe, PlatformBase)>,
    folder: &Path,
    walked: Listings,
    (store, reporter): (&Store, &dyn Reporter),
) -> Result<(Vec<PlatformPlan>, SourceFiles, Identities), Failures> {
    let timed = |phase| time(reporter.timings(), phase, None);
    let watch = timed("scan");
    let mut scans = Vec::new();
    for (recipe, _) in &recipes {
        let scan = assemble::scan(folder, &recipe.files, &walked, request.threads);
        scans.push(scan.map_err(Error::from)?);
    }
    drop(walked);
    drop(watch);
    let watch = timed("hash");
    let contents = hash(&scans, folder, store, request.threads, reporter)?;
    drop(watch);
    let (mut platforms, mut sources) = (Vec::new(), SourceFiles::default());
    let mut identities = Identities::default();
    for (((recipe, base), scan), contents) in recipes.into_iter().zip(&scans).zip(&contents) {
        let watch = timed("compose");
        let trees = assemble::compose(&recipe, scan, contents).map_err(Error::from)?;
        drop(watch);
        let watch = timed("needs");
        let asked = needs::Request {
            recipe: &recipe,
            folder,
            trees: &trees,
            threads: request.threads,
            cache: Some(needs::Cache { store, folder }),
        };
        let settled = needs::settle(&asked, &mut |tree| identities.of(tree).0)?;
        let needs::Settled { recipe, findings } = settled;
        drop(watch);
        let findings = findings.into_iter().map(Finding::from).collect();
        let Trees { trees, sources: more, places } = trees;
        sources.extend(more);
        platforms.push(PlatformPlan { recipe, base, findings, trees, places, ground: None });
    }
    Ok((platforms, sources, identities))
}

/// Returns the content of each file of each scan; a file that several scans find is read once.
fn hash(
    scans: &[Scan],
    folder: &Path,
    store: &Store,
    threads: usize,
    reporter: &dyn Reporter,
) -> Result<Vec<Vec<Content>>, Error> {
    if let [scan] = scans {
        return Ok(vec![assemble::hash_files(store, folder, &scan.files, threads, reporter)?]);
    }
    let mut numbers: HashMap<Stamp, usize> = HashMap::new();
    let mut unique: Vec<FoundFile> = Vec::new();
    let mut wanted = Vec::new();
    for scan in scans {
        let number = |file: &FoundFile| {
            *numbers.entry(file.stamp).or_insert_with(|| {
                unique.push(file.clone());
                unique.len() - 1
            })
        };
        wanted.push(scan.files.iter().map(number).collect::<Vec<_>>());
    }
    let contents = assemble::hash_files(store, folder, &unique, threads, reporter)?;
    let pick = |numbers: Vec<usize>| numbers.into_iter().map(|number| contents[number]).collect();
    Ok(wanted.into_iter().map(pick).collect())
}

/// The identities of trees, each computed once; outputs often share a tree.
#[derive(Debug, Default)]
pub(super) struct Identities {
    known: HashMap<*const FileTree, (TreeId, bake_formats::digest::Digest)>,
}

impl Identities {
    /// Returns a tree's identity and a digest of what that leaves out.
    ///
    /// The tree must live as long as the identities, because it is known by its address.
    pub(super) fn of(&mut self, tree: &FileTree) -> (TreeId, bake_formats::digest::Digest) {
        let compute = || both(|| tree.id(), || key::attributes(tree));
        *self.known.entry(std::ptr::from_ref(tree)).or_insert_with(compute)
    }
}
