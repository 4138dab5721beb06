//! What is baked for each platform: recipe, trees, findings.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use bake_formats::tree::{Content, FileTree, TreeId, TreePath};
use bake_recipes::Place;
use bake_recipes::resolved::{Output, Recipe};

use super::key;
use super::request::Request;
use crate::assemble::{self, FoundFile, Scan, SourceFiles, Trees};
use crate::error::Error;
use crate::failures::Failures;
use crate::lint::Finding;
use crate::needs;
use crate::report::Reporter;
use crate::store::{Stamp, Store};

/// What is baked for one platform.
#[derive(Debug)]
pub struct PlatformPlan {
    /// The recipe; packages declare what their files need.
    pub recipe: Recipe,
    /// What packages need and the recipe does not declare.
    pub findings: Vec<Finding>,
    /// The tree of each output.
    pub trees: BTreeMap<Output, Arc<FileTree>>,
    /// The line of the recipe that each entry comes from.
    pub places: BTreeMap<TreePath, Place>,
}

/// Reads the build output once and lays it out for every platform.
pub(super) fn assemble(
    request: &Request<'_>,
    recipes: Vec<Recipe>,
    folder: &Path,
    store: &Store,
    reporter: &dyn Reporter,
) -> Result<(Vec<PlatformPlan>, SourceFiles, Identities), Failures> {
    let mut scans = Vec::new();
    for recipe in &recipes {
        scans.push(assemble::scan(folder, &recipe.files).map_err(Error::from)?);
    }
    let contents = hash(&scans, folder, store, request.threads, reporter)?;
    let (mut platforms, mut sources) = (Vec::new(), SourceFiles::default());
    let mut identities = Identities::default();
    for ((recipe, scan), contents) in recipes.into_iter().zip(&scans).zip(&contents) {
        let trees = assemble::compose(&recipe, scan, contents).map_err(Error::from)?;
        let asked = needs::Request {
            recipe: &recipe,
            folder,
            trees: &trees,
            threads: request.threads,
            cache: Some(needs::Cache { store, folder }),
        };
        let settled = needs::settle(&asked, &mut |tree| identities.of(tree).0)?;
        let needs::Settled { recipe, findings } = settled;
        let findings = findings.into_iter().map(Finding::from).collect();
        let Trees { trees, sources: more, places } = trees;
        sources.extend(more);
        platforms.push(PlatformPlan { recipe, findings, trees, places });
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
        let compute = || (tree.id(), key::attributes(tree));
        *self.known.entry(std::ptr::from_ref(tree)).or_insert_with(compute)
    }
}
