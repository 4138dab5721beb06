//! What is published: manifests and indexes, and the blobs that they name.

use std::collections::{BTreeMap, BTreeSet};

use bake_formats::blob::Blob;
use bake_formats::digest::Digest;
use bake_formats::oci::{Descriptor, Reference};

use super::node::Node;
use super::origin::Origin;
use super::refuse;
use crate::error::Error;

/// How many manifests and indexes one thing may consist of.
const MAX_NODES: usize = 10_000;
/// How deep indexes may list indexes.
const MAX_DEPTH: usize = 4;
/// How many bytes all manifests and indexes may have together: they are held in memory.
const MAX_BYTES: u64 = 32 << 20;

/// Manifests and indexes, each before those that list it, with the blobs that they name.
#[derive(Debug, Default, Clone)]
pub struct Graph {
    nodes: Vec<Node>,
    places: BTreeMap<Digest, usize>,
    blobs: BTreeMap<Digest, Needed>,
    bytes: u64,
}

/// A blob that must be where the manifests are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needed {
    /// Its digest and size.
    pub blob: Blob,
    /// Whether the origin has its bytes.
    pub is_here: bool,
    /// The repository that has it too, e.g. the base image's: where its bytes are if not here.
    pub base: Option<Reference>,
}

impl Graph {
    /// Reads everything that a manifest or an index leads to.
    pub fn read(origin: &dyn Origin, root: &Descriptor) -> Result<Self, Error> {
        let mut graph = Self::default();
        graph.add(origin, root)?;
        Ok(graph)
    }

    /// Adds everything that a manifest or an index leads to.
    pub fn add(&mut self, origin: &dyn Origin, root: &Descriptor) -> Result<(), Error> {
        self.descend(origin, root, 0)
    }

    fn descend(
        &mut self,
        origin: &dyn Origin,
        descriptor: &Descriptor,
        depth: usize,
    ) -> Result<(), Error> {
        if self.places.contains_key(&descriptor.digest) {
            return Ok(());
        }
        let bytes = self.bytes.saturating_add(descriptor.size);
        if depth > MAX_DEPTH || self.nodes.len() >= MAX_NODES || bytes > MAX_BYTES {
            let reason = format!(
                "expected at most {MAX_NODES} manifests of {MAX_BYTES} bytes in all, {MAX_DEPTH} \
                 indexes deep"
            );
            return Err(refuse(format!("index of {}", origin.name()), reason, None));
        }
        self.bytes = bytes;
        let node = Node::parse(descriptor, origin.document(descriptor)?)?;
        for child in &node.children {
            self.descend(origin, child, depth + 1)?;
        }
        let base_layers = origin.base_layers(&node)?;
        for (number, named) in node.blobs.iter().enumerate() {
            // The configuration stands before the layers.
            let of_base = (1..=base_layers).contains(&number);
            self.need(origin, &node, named, of_base)?;
        }
        self.places.insert(descriptor.digest, self.nodes.len());
        self.nodes.push(node);
        Ok(())
    }

    /// Notes that a blob is needed, and where its bytes are.
    fn need(
        &mut self,
        origin: &dyn Origin,
        node: &Node,
        named: &Descriptor,
        of_base: bool,
    ) -> Result<(), Error> {
        let blob = named.blob();
        let known = self.blobs.get(&named.digest);
        if let Some(known) = known.filter(|known| known.blob != blob) {
            let reason =
                format!("manifests say both {} and {} bytes of it", known.blob.size, named.size);
            return Err(refuse(format!("blob {}", named.digest), reason, None));
        }
        let known_here = known.is_some_and(|known| known.is_here);
        let is_here = known_here || origin.has(named)?;
        let known_base = known.and_then(|known| known.base.clone());
        let base = known_base.or_else(|| origin.home(named));
        let base = if of_base || !is_here { base.or_else(|| node.base()) } else { base };
        if !is_here && base.is_none() {
            let hint = "the layout is incomplete and names no base image in a registry that has \
                        the layer; bake with `layers = \"copy\"` in the base's table";
            let what = format!("blob {} in {}", named.digest, origin.name());
            let reason = "there is no such blob, and nothing says where it is".to_owned();
            return Err(refuse(what, reason, Some(hint.to_owned())));
        }
        self.blobs.insert(named.digest, Needed { blob, is_here, base });
        Ok(())
    }

    /// Returns manifests and indexes, each before those that list it.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Returns a manifest or an index.
    pub fn node(&self, digest: &Digest) -> Option<&Node> {
        self.places.get(digest).and_then(|place| self.nodes.get(*place))
    }

    /// Returns a blob.
    pub fn blob(&self, digest: &Digest) -> Option<&Needed> {
        self.blobs.get(digest)
    }

    /// Returns all blobs, in the order of their digests.
    pub fn blobs(&self) -> impl Iterator<Item = &Needed> {
        self.blobs.values()
    }

    /// Returns the digests of what a receiver lacks that has `known` manifests with all they name:
    /// manifests in order, and blobs.
    pub fn lacking(
        &self,
        roots: &[Digest],
        known: &BTreeSet<Digest>,
    ) -> (Vec<&Node>, BTreeSet<Digest>) {
        let mut wanted: BTreeSet<Digest> = roots.iter().copied().collect();
        for node in self.nodes.iter().rev() {
            let digest = node.descriptor.digest;
            if wanted.contains(&digest) && !known.contains(&digest) {
                wanted.extend(node.children.iter().map(|child| child.digest));
            }
        }
        let lacks = |node: &&Node| {
            wanted.contains(&node.descriptor.digest) && !known.contains(&node.descriptor.digest)
        };
        let nodes: Vec<_> = self.nodes.iter().filter(lacks).collect();
        let blobs = nodes.iter().flat_map(|node| &node.blobs).map(|blob| blob.digest);
        (nodes.clone(), blobs.collect())
    }
}
