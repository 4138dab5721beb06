//! Reading layers: decompressed, hashed, and within limits.

use std::io::{self, Read};
use std::ops::ControlFlow;

use super::descriptor::{Descriptor, Kind};
use super::reader::LayoutReader;
use crate::archive::tar::{self, TarReader};
use crate::digest::{Digest, Hasher};
use crate::encode::{Codec, decoder};
use crate::format::ReadError;
use crate::tree::{Entry, Node, TreePath};
use crate::wanted::Members;

/// What an image may ask a reader for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes that one layer may have after decompression.
    pub layer: u64,
    /// The most bytes that names, link targets and extended attributes of one layer may have.
    pub names: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { layer: 256 << 30, names: 1 << 30 }
    }
}

/// Says in an error which layer it is about.
pub(super) fn in_layer(number: usize, error: ReadError) -> ReadError {
    let name = |what: String| format!("layer {number}: {what}");
    match error {
        ReadError::Malformed { what, offset, expected, found } => {
            ReadError::Malformed { what: name(what), offset, expected, found }
        }
        ReadError::Invalid { what, reason } => ReadError::Invalid { what: name(what), reason },
        ReadError::Io(error) => ReadError::invalid(format!("layer {number}"), error.to_string()),
        ReadError::Tree(error) => ReadError::invalid(format!("layer {number}"), error.to_string()),
    }
}

/// Returns what a layer lists, in the order of the archive, and its DiffID.
pub(super) fn entries(
    layout: &LayoutReader,
    layer: &Descriptor,
    limits: Limits,
) -> Result<(Vec<(TreePath, Entry)>, Digest), ReadError> {
    let mut raw = raw(layout, layer, limits)?;
    let mut reader = TarReader::new(&mut raw, "tar archive");
    let (mut entries, mut names) = (Vec::new(), 0_u64);
    while let Some((path, entry)) = reader.next_entry()? {
        names = names.saturating_add(weight(&path, &entry));
        if names > limits.names {
            let what = "names and attributes";
            let (limit, at) = (format!("at most {} bytes", limits.names), reader.position());
            return Err(ReadError::malformed(what, at, limit, "more"));
        }
        entries.push((path, entry));
    }
    Ok((entries, raw.hasher.digest()))
}

/// Hands over what the regular files of a layer hold, with their numbers in the archive.
pub(super) fn files(
    layout: &LayoutReader,
    layer: &Descriptor,
    limits: Limits,
    hand: &mut Members<'_>,
) -> Result<ControlFlow<()>, ReadError> {
    let mut reader = TarReader::new(raw(layout, layer, limits)?, "tar archive");
    let mut number = 0;
    while let Some(member) = reader.next_member()? {
        if member.kind != tar::Kind::File {
            continue;
        }
        if hand(number, &mut reader.contents())?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        number += 1;
    }
    Ok(ControlFlow::Continue(()))
}

/// Returns about how many bytes an entry takes beyond a fixed size.
fn weight(path: &TreePath, entry: &Entry) -> u64 {
    let node = match &entry.node {
        Node::Symlink(target) => target.len(),
        Node::HardLink(target) => target.relative().len(),
        Node::Directory | Node::File(_) | Node::Device { .. } | Node::Fifo => 0,
    };
    let xattrs: usize = entry.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum();
    (path.relative().len() + node + xattrs) as u64
}

/// Returns the digest of a layer before compression.
pub(super) fn diff_id_of(
    layout: &LayoutReader,
    layer: &Descriptor,
    limits: Limits,
) -> Result<Digest, ReadError> {
    let mut raw = raw(layout, layer, limits)?;
    io::copy(&mut raw, &mut io::sink())?;
    Ok(raw.hasher.digest())
}

/// Opens a layer's tar archive.
fn raw(
    layout: &LayoutReader,
    layer: &Descriptor,
    limits: Limits,
) -> Result<Raw<Box<dyn Read>>, ReadError> {
    let codec = match layer.kind() {
        Some(Kind::Layer(codec)) => codec,
        Some(Kind::Index | Kind::Manifest | Kind::Config) | None => Codec::None,
    };
    let input = decoder(codec, layout.blob(layer)?)?;
    Ok(Raw { input, hasher: Hasher::new(), limit: limits.layer })
}

/// Hashes what passes, up to a limit.
struct Raw<R> {
    input: R,
    hasher: Hasher,
    limit: u64,
}

impl<R: Read> Read for Raw<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        let bytes = buffer.get(..count).unwrap_or_default();
        self.hasher.update(bytes);
        if self.hasher.len() > self.limit {
            let message = format!("it decompresses to more than {} bytes", self.limit);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        Ok(count)
    }
}
