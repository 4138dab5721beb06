//! The bytes of a graph's blobs, wherever they are.

use std::collections::BTreeMap;
use std::io::{self, Read};

use bake_formats::blob::{Blob, BlobSource};
use bake_formats::digest::{Digest, Hasher};

use super::graph::Graph;
use super::origin::Origin;
use crate::registry::{Access, Repository, Wire};

/// Opens every blob of a graph: at its origin, or in the registry of the base image.
pub(super) struct Supplies<'a> {
    origin: &'a dyn Origin,
    graph: &'a Graph,
    /// The repositories of bases, by their full names.
    bases: BTreeMap<String, Repository<'a>>,
}

impl std::fmt::Debug for Supplies<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Supplies").field("bases", &self.bases).finish_non_exhaustive()
    }
}

impl<'a> Supplies<'a> {
    /// Returns the supplies of a graph that was read from `origin`. Nothing is requested yet.
    pub(super) fn new(wire: &'a dyn Wire, origin: &'a dyn Origin, graph: &'a Graph) -> Self {
        let far = graph.blobs().filter(|needed| !needed.is_here);
        let bases = far.filter_map(|needed| needed.base.as_ref());
        let bases =
            bases.map(|base| (base.name(), Repository::new(wire, base, Access::Pull))).collect();
        Self { origin, graph, bases }
    }
}

impl BlobSource for Supplies<'_> {
    fn open(&self, digest: &Digest, offset: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        let missing = || {
            io::Error::new(io::ErrorKind::NotFound, format!("nothing says where blob {digest} is"))
        };
        let needed = self.graph.blob(digest).ok_or_else(missing)?;
        let blob = needed.blob;
        if !needed.is_here {
            let base = needed.base.as_ref().and_then(|base| self.bases.get(&base.name()));
            return Ok(Box::new(base.ok_or_else(missing)?.blob_from(blob, offset)));
        }
        let bytes = self.origin.open(blob, offset)?;
        if offset > 0 || blob.size == 0 {
            return Ok(bytes);
        }
        Ok(Box::new(Checked { blob, left: blob.size, hasher: Hasher::new(), bytes }))
    }
}

/// Reads a blob and fails with its last byte if it is another one.
struct Checked<'o> {
    blob: Blob,
    left: u64,
    hasher: Hasher,
    bytes: Box<dyn Read + Send + 'o>,
}

impl Read for Checked<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let count = self.bytes.read(&mut buffer[..room])?;
        self.hasher.update(&buffer[..count]);
        self.left -= count as u64;
        if self.left == 0 && count > 0 && self.hasher.digest() != self.blob.digest {
            let (expected, found) = (self.blob.digest, self.hasher.digest());
            let text = format!("expected blob {expected}, found bytes with {found}: it changed");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(count)
    }
}
