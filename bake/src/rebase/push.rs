//! The new image in a registry.

use std::collections::BTreeMap;
use std::io::{self, Read};

use bake_formats::blob::{Blob, BlobSource};
use bake_formats::digest::Digest;
use bake_formats::oci::{Descriptor, Reference, Written};
use bake_formats::rope::Extent;

use super::compare::Comparison;
use super::deliver::Blobs;
use super::loaded::Loaded;
use super::place::Place;
use crate::error::Error;
use crate::publish::{Graph, Node, Origin, Parcel, Plan, Pushed, Target, push as send, survey};
use crate::registry::{Access, Progress, Repository, Wire};

/// How many layers of an image are its base's, by the image's digest.
#[derive(Debug)]
pub struct Seams(BTreeMap<Digest, usize>);

impl Seams {
    /// Takes note of the images that a comparison would give.
    pub fn of(comparison: &Comparison) -> Self {
        let platforms = comparison.platforms.iter();
        Self(platforms.map(|platform| (platform.new_image(), platform.new_layers)).collect())
    }
}

/// An image that was written, its own layers where the old image is, its base's where the base is.
#[derive(Debug)]
pub struct WrittenOrigin<'a> {
    /// The image.
    pub written: &'a Written,
    /// Where bytes are.
    pub blobs: &'a Blobs<'a>,
    /// Whose layers are whose.
    pub seams: &'a Seams,
    /// Where the new base is.
    pub base: &'a Place<'a>,
    /// The layers that the old image and the new base are known to have there.
    pub homes: Homes,
}

/// Repositories by the layers that they are known to have.
#[derive(Debug, Default)]
pub struct Homes(BTreeMap<Digest, Reference>);

impl Homes {
    /// Adds what a place has, if it is a repository. The first that has a layer stays its home.
    pub fn add(&mut self, place: &Place<'_>, loaded: &Loaded<'_>) {
        let Some(repository) = place.repository() else { return };
        for image in &loaded.images {
            for layer in &image.documents.manifest.layers {
                self.0.entry(layer.digest).or_insert_with(|| repository.clone());
            }
        }
    }
}

impl Origin for WrittenOrigin<'_> {
    fn name(&self) -> String {
        "the image on its new base".to_owned()
    }

    fn document(&self, descriptor: &Descriptor) -> Result<Vec<u8>, Error> {
        let missing = || Error::Publish {
            what: format!("manifest {}", descriptor.digest),
            reason: "it was not written".to_owned(),
            hint: None,
        };
        let rope = self.written.blobs.get(&descriptor.digest).ok_or_else(missing)?;
        Ok(rope.to_vec(self.blobs)?)
    }

    fn has(&self, blob: &Descriptor) -> Result<bool, Error> {
        Ok(self.written.blobs.contains_key(&blob.digest) || self.base.holds(blob))
    }

    fn open(&self, blob: Blob, offset: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        let Some(rope) = self.written.blobs.get(&blob.digest) else {
            return self.blobs.open(&blob.digest, offset);
        };
        let mut extents = rope.extents();
        if let (Some(Extent::Blob { digest, offset: 0, len }), None) =
            (extents.next(), extents.next())
            && (digest, len) == (blob.digest, blob.size)
        {
            return self.blobs.open(&blob.digest, offset);
        }
        // Documents, and account databases: small, and made here.
        let bytes = rope.slice(offset.min(rope.len())..rope.len()).to_vec(self.blobs)?;
        Ok(Box::new(io::Cursor::new(bytes)))
    }

    fn home(&self, blob: &Descriptor) -> Option<Reference> {
        self.homes.0.get(&blob.digest).cloned()
    }

    fn base_layers(&self, node: &Node) -> Result<usize, Error> {
        Ok(self.seams.0.get(&node.descriptor.digest).copied().unwrap_or(0))
    }
}

/// Pushes an image: blobs that the registry lacks, manifests by digest, tags last.
///
/// Layers of a base in a registry are mounted or passed on. Without `execute` nothing is sent but
/// the reads that tell what there is.
pub fn push(
    wire: &dyn Wire,
    origin: &WrittenOrigin<'_>,
    to: &Reference,
    tags: &[String],
    execute: bool,
    progress: &dyn Progress,
) -> Result<(Plan, Option<Pushed>), Error> {
    let root = &origin.written.root;
    let graph = Graph::read(origin, root)?;
    let parcels = [Parcel { root: root.digest, tags: tags.to_vec() }];
    let repository = Repository::new(wire, to, Access::Push);
    let target = Target { repository: to.clone() };
    let known = survey(&repository, &target, &graph, &parcels)?;
    let plan = Plan::new(&graph, &parcels, &known, &target);
    if !execute {
        return Ok((plan, None));
    }
    let pushed = send(wire, &repository, origin, &graph, &plan, progress)?;
    Ok((plan, Some(pushed)))
}
