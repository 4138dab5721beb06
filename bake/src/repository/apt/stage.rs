//! The indices of a suite, written to a staging folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bake_formats::blob::Blob;
use bake_formats::encode::Compression;
use bake_formats::format::Epoch;

use super::contents::{self, Merge};
use super::packages::{self, ALL, Record};
use super::release::{Release, print_small};
use super::settings::{Settings, State};
use super::suite::{Suite, index_folder};
use crate::error::Error;
use crate::repository::folder::link;
use crate::repository::index::{IndexWriter, compress, write_whole};

/// The component of a suite that has no package at all.
const DEFAULT_COMPONENT: &str = "main";
/// The compressed forms of an index.
const FORMS: [(&str, Compression); 3] = [
    (".gz", Compression { codec: bake_formats::encode::Codec::Gzip, level: 9 }),
    (".xz", Compression::XZ),
    (".zst", Compression { codec: bake_formats::encode::Codec::Zstd, level: 9 }),
];

/// Returns whether a file that `Release` lists is there: apt looks for the name without extension
/// before it fetches the compressed file, and nobody fetches plain contents.
pub(super) fn is_published(name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or(name);
    !name.starts_with("Contents-") || name.strip_suffix(".gz").is_some()
}

/// What is to be written.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    pub(super) suite: &'a str,
    pub(super) settings: &'a Settings,
    /// The records in order.
    pub(super) records: &'a [Record],
    /// The contents' lines of new packages, by component, sorted.
    pub(super) new_lines: BTreeMap<String, Vec<String>>,
    /// What is published, and where.
    pub(super) old: Option<(&'a Suite, PathBuf)>,
    pub(super) date: Epoch,
    pub(super) threads: usize,
}

impl Stage<'_> {
    /// Writes everything but what is signed to a folder.
    pub(super) fn write(mut self, folder: &Path) -> Result<(Release, State), Error> {
        let architectures = self.architectures();
        let mut components: BTreeSet<String> =
            self.records.iter().map(|record| record.component.clone()).collect();
        if components.is_empty() {
            components.insert(DEFAULT_COMPONENT.into());
        }
        let mut state = State::new(self.settings.clone());
        let mut files = BTreeMap::new();
        for component in &components {
            for architecture in &architectures {
                self.write_index(folder, component, architecture, &mut files)?;
            }
            let blob = self.write_contents(folder, component, &architectures, &mut files)?;
            state.contents.insert(component.clone(), blob);
        }
        state.generations = self.generations(folder, &files)?;
        Ok((Release { date: self.date, architectures, components, files }, state))
    }

    /// Returns the architectures that have an index: those of packages, and those wanted.
    fn architectures(&self) -> BTreeSet<String> {
        let found = self.records.iter().map(|record| record.architecture.clone());
        let mut all: BTreeSet<String> = found.chain(self.settings.architectures.clone()).collect();
        if all.is_empty() {
            all.insert(ALL.into());
        }
        all
    }

    fn write_index(
        &self,
        folder: &Path,
        component: &str,
        architecture: &str,
        files: &mut BTreeMap<String, Blob>,
    ) -> Result<(), Error> {
        let name = index_folder(component, architecture);
        let plain_name = format!("{name}/Packages");
        let plain = folder.join(&plain_name);
        let mut out = IndexWriter::create(&plain)?;
        let own = |record: &&Record| record.component == component && record.is_for(architecture);
        packages::write(self.records.iter().filter(own), &mut out)?;
        let blob = out.finish()?;
        for (extension, compression) in FORMS {
            let to = folder.join(format!("{plain_name}{extension}"));
            let packed = compress((&plain, blob), &to, compression, self.threads)?;
            files.insert(format!("{plain_name}{extension}"), packed);
        }
        files.insert(plain_name, blob);
        let text = print_small(self.suite, self.settings, component, architecture);
        let small = write_whole(&folder.join(&name).join("Release"), text.as_bytes())?;
        files.insert(format!("{name}/Release"), small);
        Ok(())
    }

    fn write_contents(
        &mut self,
        folder: &Path,
        component: &str,
        architectures: &BTreeSet<String>,
        files: &mut BTreeMap<String, Blob>,
    ) -> Result<Blob, Error> {
        let mut old = None;
        if let Some((suite, published)) = &self.old
            && let Some(blob) = suite.state.contents.get(component)
        {
            old = Some((published.join(component).join(contents::FILE), *blob));
        }
        let here = self.records.iter().filter(|record| record.component == component);
        let merge = Merge {
            old: old.as_ref().map(|(path, blob)| (path.as_path(), *blob)),
            kept: here.filter(|record| !record.text.is_new()).map(contents::key).collect(),
            new: self.new_lines.remove(component).unwrap_or_default(),
            architectures,
            threads: self.threads,
        };
        let (versions, indices) = merge.write(&folder.join(component))?;
        for (architecture, [plain, packed]) in indices {
            files.insert(format!("{component}/Contents-{architecture}"), plain);
            files.insert(format!("{component}/Contents-{architecture}.gz"), packed);
        }
        Ok(versions)
    }

    /// Gives every index a name by its digest, keeps those of the generations before, and returns
    /// the names of each generation.
    fn generations(
        &self,
        folder: &Path,
        files: &BTreeMap<String, Blob>,
    ) -> Result<Vec<BTreeSet<String>>, Error> {
        let mut current = BTreeSet::new();
        for (name, blob) in files.iter().filter(|(name, _)| is_published(name)) {
            let parent = name.rsplit_once('/').map_or("", |(parent, _)| parent);
            let by_hash = format!("{parent}/by-hash/SHA256/{}", blob.digest.hex());
            link(&folder.join(name), &folder.join(&by_hash))?;
            current.insert(by_hash);
        }
        let mut generations = vec![current];
        if let Some((suite, published)) = &self.old {
            let before = suite.state.generations.iter().take(self.settings.generations);
            for generation in before {
                for name in generation {
                    link(&published.join(name), &folder.join(name))?;
                }
                generations.push(generation.clone());
            }
        }
        Ok(generations)
    }
}
