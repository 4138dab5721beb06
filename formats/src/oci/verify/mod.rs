//! Verifying: every rule that a layout or one of its images breaks.

mod layers;

use std::collections::{BTreeMap, BTreeSet};

use super::archive::{DOCKER_MANIFEST, DockerImage, MAX_DOCKER_MANIFEST};
use super::config::Config;
use super::descriptor::{Descriptor, Kind, StringMap, fault_in_key};
use super::documents::{BASE_DIGEST_KEY, Documents};
use super::find::{ListedImage, MAX_DEPTH, MAX_MANIFESTS};
use super::index::Index;
use super::layout::REF_NAME_KEY;
use super::manifest::Manifest;
use super::reader::{BlobFault, LayoutReader};
use super::write::TREE_KEY;
use super::{json, reference};
use crate::digest::Digest;
use crate::format::{Problem, ReadError};
use crate::input::Source;

/// Lists every rule that a layout breaks.
pub(super) fn verify(source: &Source) -> Result<Vec<Problem>, ReadError> {
    let layout = LayoutReader::open_unchecked(source)?;
    let mut check = Check {
        layout: &layout,
        problems: Vec::new(),
        images: BTreeMap::new(),
        reached: BTreeSet::new(),
        seen: BTreeSet::new(),
        trees: BTreeMap::new(),
    };
    if let Err(error) = layout.check_version() {
        check.report("oci-layout-version", "oci-layout", "a layout of version 1.0.0", error);
    }
    let index = layout.index()?;
    check.annotations("index.json", &index.annotations);
    for descriptor in &index.manifests {
        if let Some(name) = descriptor.annotations.get(REF_NAME_KEY)
            && let Some(fault) = reference::fault_in_ref_name(name)
        {
            check.report("oci-ref-name", "index.json", fault, format!("`{name}`"));
        }
        check.descriptor("index.json", descriptor, 0);
    }
    check.unreferenced();
    check.docker_manifest()?;
    Ok(check.problems)
}

/// What was found so far.
struct Check<'a> {
    layout: &'a LayoutReader,
    problems: Vec<Problem>,
    /// The manifests that were reached, by the path of their configuration.
    images: BTreeMap<String, Manifest>,
    reached: BTreeSet<Digest>,
    /// The manifests and indexes that were visited, with the sizes they are listed by.
    seen: BTreeSet<(Digest, u64)>,
    /// The tree that each manifest says it has.
    trees: BTreeMap<Digest, Option<String>>,
}

impl Check<'_> {
    fn report(
        &mut self,
        rule: &'static str,
        place: &str,
        expected: impl Into<String>,
        found: impl std::fmt::Display,
    ) {
        self.problems.push(Problem::new(rule, place, expected, format!("{found}")));
    }

    fn annotations(&mut self, place: &str, annotations: &StringMap) {
        for key in annotations.keys() {
            if let Some(fault) = fault_in_key(key) {
                self.report(
                    "oci-annotation-key",
                    place,
                    fault,
                    format!("`{}`", key.escape_debug()),
                );
            }
        }
    }

    /// Compares a blob with its descriptor; returns whether it is what the descriptor says.
    fn blob(&mut self, place: &str, descriptor: &Descriptor) -> Result<bool, ReadError> {
        self.annotations(place, &descriptor.annotations);
        self.reached.insert(descriptor.digest);
        let path = descriptor.path();
        match self.layout.check(descriptor)? {
            None => return Ok(true),
            Some(BlobFault::Missing) => {
                self.report("oci-blob-missing", place, path, "no such file");
            }
            Some(BlobFault::Size(found)) => {
                let expected = format!("{} bytes in {path}", descriptor.size);
                self.report("oci-blob-size", place, expected, found);
            }
            Some(BlobFault::Digest(found)) => {
                self.report("oci-blob-digest", place, descriptor.digest.to_string(), found);
            }
        }
        Ok(false)
    }

    /// Checks what a descriptor in an index leads to.
    fn descriptor(&mut self, place: &str, descriptor: &Descriptor, depth: usize) {
        let place = format!("{place}: {}", descriptor.digest);
        if !self.seen.insert((descriptor.digest, descriptor.size)) {
            return;
        }
        if self.seen.len() > MAX_MANIFESTS {
            if self.seen.len() == MAX_MANIFESTS + 1 {
                let expected = format!("at most {MAX_MANIFESTS} manifests and indexes");
                self.report("oci-index-size", &place, expected, "more");
            }
            return;
        }
        let result = match (self.blob(&place, descriptor), descriptor.kind()) {
            (Err(error), _) => Err(error),
            (Ok(false), _) => Ok(()),
            (Ok(true), Some(Kind::Manifest)) => self.manifest(&place, descriptor),
            (Ok(true), Some(Kind::Index)) => self.index(&place, descriptor, depth),
            (Ok(true), Some(Kind::Config | Kind::Layer(_)) | None) => {
                let found = format!("`{}`", descriptor.media_type);
                self.report("oci-media-type", &place, "an image manifest or an image index", found);
                Ok(())
            }
        };
        if let Err(error) = result {
            self.report("oci-unreadable", &place, "what the specification describes", error);
        }
    }

    fn index(
        &mut self,
        place: &str,
        descriptor: &Descriptor,
        depth: usize,
    ) -> Result<(), ReadError> {
        if depth >= MAX_DEPTH {
            let expected = format!("indexes at most {MAX_DEPTH} deep");
            self.report("oci-index-depth", place, expected, "one more");
            return Ok(());
        }
        let index = Index::parse(&self.layout.document::<Index>(descriptor)?)?;
        self.annotations(place, &index.annotations);
        for descriptor in &index.manifests {
            self.descriptor("image index", descriptor, depth + 1);
        }
        self.index_tree(place, &index);
        Ok(())
    }

    /// Compares the tree that an index says its images have with what they say.
    fn index_tree(&mut self, place: &str, index: &Index) {
        let Some(expected) = index.annotations.get(TREE_KEY) else { return };
        for descriptor in &index.manifests {
            let Some(found) = self.trees.get(&descriptor.digest) else { continue };
            if found.as_ref() != Some(expected) {
                let found = found.clone().unwrap_or_else(|| "nothing".into());
                let found = format!("{found} in {}", descriptor.digest);
                self.report("oci-index-tree", place, expected.clone(), found);
            }
        }
    }

    fn manifest(&mut self, place: &str, descriptor: &Descriptor) -> Result<(), ReadError> {
        let manifest = Manifest::parse(&self.layout.document::<Manifest>(descriptor)?)?;
        self.annotations(place, &manifest.annotations);
        self.trees.insert(descriptor.digest, manifest.annotations.get(TREE_KEY).cloned());
        let mut is_whole = self.blob("image configuration", &manifest.config)?;
        let documents =
            if is_whole { Some(Documents::read(self.layout, descriptor)?) } else { None };
        let referred = match &documents {
            Some(documents) => documents.referred(self.layout)?,
            None => BTreeSet::new(),
        };
        for (number, layer) in manifest.layers.iter().enumerate() {
            if referred.contains(&number) {
                self.annotations(&format!("layer {number}"), &layer.annotations);
            } else {
                is_whole &= self.blob(&format!("layer {number}"), layer)?;
            }
        }
        self.images.insert(manifest.config.path(), manifest);
        let Some(documents) = documents.filter(|_| is_whole) else { return Ok(()) };
        self.config(descriptor, &documents.config, documents.manifest.layers.len());
        self.base(descriptor, &documents)?;
        self.layers(&documents, &referred)
    }

    /// Fails on a record that says nothing sensible, and compares what the image says of its base
    /// in two places.
    fn base(&mut self, descriptor: &Descriptor, documents: &Documents) -> Result<(), ReadError> {
        let (name, version) = (String::new(), String::new());
        let listed = ListedImage { descriptor: descriptor.clone(), name, version };
        documents.model(&listed).map(drop)?;
        let Some(base) = documents.built_on()? else { return Ok(()) };
        let listed = documents.manifest.annotations.get(BASE_DIGEST_KEY);
        let expected = base.manifest.digest.to_string();
        if listed != Some(&expected) {
            let found = listed.map_or("nothing", String::as_str);
            self.report("oci-base-digest", BASE_DIGEST_KEY, expected, found);
        }
        Ok(())
    }

    fn config(&mut self, descriptor: &Descriptor, config: &Config, layers: usize) {
        let place = "image configuration";
        let platform = config.platform();
        if let Some(listed) = &descriptor.platform
            && *listed != platform
        {
            self.report("oci-platform", place, listed.to_string(), platform);
        }
        let history = config.history.iter().filter(|step| !step.empty_layer).count();
        if !config.history.is_empty() && history != layers {
            let expected = format!("history of {layers} layers");
            self.report("oci-history-count", place, expected, history);
        }
    }

    /// Reports blobs that nothing leads to, where the files can be listed.
    fn unreferenced(&mut self) {
        let reached: BTreeSet<_> = self.reached.iter().map(super::descriptor::blob_path).collect();
        let layout = self.layout;
        let blobs = layout.paths().filter(|path| path.starts_with("blobs/"));
        for path in blobs.filter(|path| !reached.contains(*path)) {
            let expected = "a blob that index.json leads to";
            self.report("oci-unreferenced-blob", path, expected, "one that nothing names");
        }
    }

    /// Compares Docker's list, if there is one, with the manifests.
    fn docker_manifest(&mut self) -> Result<(), ReadError> {
        let Some(bytes) = self.layout.bytes(DOCKER_MANIFEST, MAX_DOCKER_MANIFEST)? else {
            return Ok(());
        };
        let list: Vec<DockerImage> = json::read(DOCKER_MANIFEST, &bytes)?;
        if list.len() != self.images.len() {
            let expected = format!("{} images", self.images.len());
            self.report("oci-docker-manifest", DOCKER_MANIFEST, expected, list.len());
        }
        for DockerImage { config, repo_tags, layers } in &list {
            let listed = self
                .images
                .get(config)
                .map(|manifest| manifest.layers.iter().map(Descriptor::path).collect::<Vec<_>>());
            if listed.as_ref() != Some(layers) {
                let expected = "the configuration and the layers of a manifest";
                self.report("oci-docker-manifest", DOCKER_MANIFEST, expected, config);
            }
            for tag in repo_tags {
                let (name, version) = reference::split_qualified(tag);
                let faults = [reference::fault_in_name(name), reference::fault_in_tag(version)];
                if let Some(fault) = faults.into_iter().flatten().next() {
                    self.report("oci-ref-name", DOCKER_MANIFEST, fault, format!("`{tag}`"));
                }
            }
        }
        Ok(())
    }
}
