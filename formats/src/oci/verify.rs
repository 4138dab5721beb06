//! Verifying: every rule that a layout or one of its images breaks.

use std::collections::{BTreeMap, BTreeSet};

use super::archive::{DOCKER_MANIFEST, DockerImage, MAX_DOCKER_MANIFEST};
use super::config::Config;
use super::descriptor::{Descriptor, Kind, StringMap, fault_in_key};
use super::index::Index;
use super::json;
use super::layout::{BlobFault, OpenLayout, REF_NAME_KEY};
use super::manifest::Manifest;
use super::read::{Documents, Limits, diff_id_of, entries, in_layer};
use super::{reference, whiteout};
use crate::digest::Digest;
use crate::format::{Problem, ReadError};
use crate::input::Source;
use crate::tree::FileTree;

/// How deep indexes may list indexes.
const MAX_DEPTH: usize = 4;

/// Lists every rule that a layout breaks.
pub(super) fn verify(source: &Source) -> Result<Vec<Problem>, ReadError> {
    let layout = OpenLayout::open(source)?;
    let mut check = Check {
        layout: &layout,
        problems: Vec::new(),
        images: BTreeMap::new(),
        reached: BTreeSet::new(),
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

struct Check<'a> {
    layout: &'a OpenLayout,
    problems: Vec<Problem>,
    /// The manifests that were reached, by the path of their configuration.
    images: BTreeMap<String, Manifest>,
    reached: BTreeSet<Digest>,
}

impl Check<'_> {
    fn report(
        &mut self,
        rule: &'static str,
        place: &str,
        expected: impl Into<String>,
        found: impl ToString,
    ) {
        self.problems.push(Problem::new(rule, place, expected, found.to_string()));
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
        let what = descriptor.digest.to_string();
        let place = format!("{place}: {what}");
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
        Ok(())
    }

    fn manifest(&mut self, place: &str, descriptor: &Descriptor) -> Result<(), ReadError> {
        let manifest = Manifest::parse(&self.layout.document::<Manifest>(descriptor)?)?;
        self.annotations(place, &manifest.annotations);
        let mut is_whole = self.blob("image configuration", &manifest.config)?;
        for (number, layer) in manifest.layers.iter().enumerate() {
            is_whole &= self.blob(&format!("layer {number}"), layer)?;
        }
        self.images.insert(manifest.config.path(), manifest);
        if !is_whole {
            return Ok(());
        }
        let documents = Documents::read(self.layout, descriptor)?;
        self.config(descriptor, &documents.config, documents.manifest.layers.len());
        self.layers(&documents)
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

    fn layers(&mut self, documents: &Documents) -> Result<(), ReadError> {
        let limits = Limits::default();
        let mut tree = Some(FileTree::default());
        for (number, (layer, diff_id)) in documents.layers().enumerate() {
            let place = format!("layer {number}");
            let found = if documents.is_payload(layer) {
                entries(self.layout, layer, limits).map(|(entries, found)| (Some(entries), found))
            } else {
                diff_id_of(self.layout, layer, limits).map(|found| (None, found))
            };
            let (entries, found) = match found {
                Ok(found) => found,
                Err(error) => {
                    let error = in_layer(number, error);
                    self.report("oci-layer", &place, "a layer that can be read", error);
                    tree = None;
                    continue;
                }
            };
            if found != *diff_id {
                self.report("oci-diff-id", &place, diff_id.to_string(), found);
            }
            if let (Some(lower), Some(entries)) = (&tree, entries) {
                match whiteout::apply(lower, entries) {
                    Ok(upper) => tree = Some(upper),
                    Err(error) => {
                        self.report("oci-layer", &place, "entries that make a tree", error);
                        tree = None;
                    }
                }
            }
        }
        if let (Some(tree), Some(declared)) = (tree, documents.declared()?) {
            let found = tree.id();
            if found != declared {
                self.report("oci-tree", "payload", declared.to_string(), found);
            }
        }
        Ok(())
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
