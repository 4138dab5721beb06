//! Images as files: layouts, whole or without their base's layers, and archives.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use bake_formats::blob::Blob;
use bake_formats::digest::Digest;
use bake_formats::encode::{Encoder, NoCache};
use bake_formats::format::{Artifact, Epoch, WriteCx};
use bake_formats::oci::{Documents, Kind, Manifest, Written, WrittenImage, archive, layout};
use bake_formats::rope::Rope;

use super::graph::Graph;
use super::node::Node;
use super::origin::Origin;
use super::refuse;
use crate::error::Error;
use crate::plan::FIXED_EPOCH;

/// The longest configuration of an image that is read.
const MAX_CONFIG: u64 = 4 << 20;

/// How an image is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// As a layout with all layers.
    #[default]
    Layout,
    /// As a layout without the layers of its base image.
    Sparse,
    /// As one file that every engine loads.
    Archive,
}

impl Form {
    /// Returns what an image is called in this form, of a name with or without `.oci`.
    pub(super) fn file_name(self, name: &str) -> String {
        let stem = name.strip_suffix(".oci").unwrap_or(name);
        match self {
            Self::Layout | Self::Sparse => format!("{stem}.oci"),
            Self::Archive => format!("{stem}.oci.tar"),
        }
    }

    /// Returns the files of an image: of an archive one without a name.
    pub(super) fn files(self, written: &Written) -> Result<Vec<(String, Rope)>, Error> {
        let artifact = match self {
            Self::Layout | Self::Sparse => layout::artifact(written)
                .map_err(|source| Error::Write { format: "oci", source })?,
            Self::Archive => archived(written, FIXED_EPOCH)?,
        };
        Ok(artifact.files.into_iter().map(|file| (file.path, file.rope)).collect())
    }
}

/// Returns the archive of an image, whose members are as old as `epoch`.
pub(super) fn archived(written: &Written, epoch: Epoch) -> Result<Artifact, Error> {
    // Nothing is compressed or kept: the archive is made of blobs as they are.
    let blobs = bake_formats::blob::MemoryStore::new();
    let encoder = Encoder::new(&blobs, &NoCache, 1);
    let cx = WriteCx { blobs: &blobs, encoder: &encoder, epoch };
    archive::artifact(written, &cx).map_err(|source| Error::Write { format: "oci-archive", source })
}

/// Returns an image or index as something that can be laid out.
pub(super) fn written(
    graph: &Graph,
    origin: &dyn Origin,
    root: &Digest,
    tag: String,
    form: Form,
) -> Result<Written, Error> {
    let missing = || refuse(format!("manifest {root}"), "it was not read".to_owned(), None);
    let node = graph.node(root).ok_or_else(missing)?;
    let mut blobs = BTreeMap::new();
    let mut images = Vec::new();
    let mut descriptor = node.descriptor.clone();
    for node in graph.nodes() {
        blobs.insert(node.descriptor.digest, Rope::from(node.bytes.clone()));
        let Some((image, config)) = image(node, origin, graph)? else {
            let named = node.blobs.iter().filter_map(|named| graph.blob(&named.digest));
            blobs.extend(named.map(|needed| (needed.blob.digest, Rope::from(needed.blob))));
            continue;
        };
        let left_out = if form == Form::Sparse { image.base_layers } else { 0 };
        blobs.insert(image.manifest.config.digest, Rope::from(config));
        for named in image.manifest.layers.iter().skip(left_out) {
            if let Some(needed) = graph.blob(&named.digest) {
                blobs.insert(named.digest, Rope::from(needed.blob));
            }
        }
        if node.descriptor.digest == *root {
            descriptor.platform.clone_from(&image.descriptor.platform);
        }
        images.push(image);
    }
    let name = origin.name();
    Ok(Written { name, version: tag, root: descriptor, images, blobs })
}

/// Returns what a manifest says, with its platform, and the configuration, which is read once;
/// `None` if it is of no image.
fn image(
    node: &Node,
    origin: &dyn Origin,
    graph: &Graph,
) -> Result<Option<(WrittenImage, Vec<u8>)>, Error> {
    if node.descriptor.kind() != Some(Kind::Manifest) || !node.is_image() {
        return Ok(None);
    }
    let what = || PathBuf::from(format!("manifest {}", node.descriptor.digest));
    let fault = |source| Error::Read { path: what(), source };
    let Ok(manifest) = Manifest::parse(&node.bytes) else {
        // An attestation among images: its blobs go along.
        return Ok(None);
    };
    if manifest.config.size > MAX_CONFIG {
        let reason = format!("expected a configuration of at most {MAX_CONFIG} bytes");
        return Err(refuse(what().display().to_string(), reason, None));
    }
    let config = Blob { digest: manifest.config.digest, size: manifest.config.size };
    let mut bytes = Vec::new();
    if graph.blob(&config.digest).is_none() {
        return Ok(None);
    }
    origin.open(config, 0)?.take(MAX_CONFIG).read_to_end(&mut bytes)?;
    let documents = Documents::parse(node.bytes.clone(), bytes.clone()).map_err(fault)?;
    let base_layers = documents.built_on().map_err(fault)?.map_or(0, |base| base.layers);
    let image = WrittenImage { descriptor: documents.descriptor(), manifest, base_layers };
    Ok(Some((image, bytes)))
}
