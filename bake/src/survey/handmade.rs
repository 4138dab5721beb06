//! Images made by hand, for tests.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Read};

use bake_formats::archive::tar::{Dialect, Root, SymlinkOrder, TarOptions, TarWriter};
use bake_formats::blob::Blob;
use bake_formats::digest::Digest;
use bake_formats::format::Epoch;
use bake_formats::oci::config::{Config, RootFs};
use bake_formats::oci::descriptor::{Descriptor, media_type};
use bake_formats::oci::json;
use bake_formats::oci::manifest::Manifest;
use bake_formats::oci::read::Documents;
use bake_formats::tree::{Entry, Mode, Node, TreePath};

use super::LayerSource;

/// One member of a layer.
#[derive(Debug, Clone)]
pub(crate) enum Member<'a> {
    /// A file with its mode.
    File(&'a str, u32, &'a [u8]),
    /// Anything else.
    Entry(&'a str, Entry),
}

/// A directory.
pub(crate) fn dir(path: &str) -> Member<'_> {
    Member::Entry(path, Entry::directory())
}

/// A symbolic link.
pub(crate) fn link<'a>(path: &'a str, target: &str) -> Member<'a> {
    Member::Entry(path, Entry::symlink(target))
}

/// Another name of a file.
pub(crate) fn hard_link<'a>(path: &'a str, target: &str) -> Member<'a> {
    Member::Entry(path, Entry::new(Node::HardLink(TreePath::parse(target).unwrap()), Mode::PLAIN))
}

/// A plain file.
pub(crate) fn file<'a>(path: &'a str, bytes: &'a [u8]) -> Member<'a> {
    Member::File(path, 0o644, bytes)
}

/// A program.
pub(crate) fn program<'a>(path: &'a str, bytes: &'a [u8]) -> Member<'a> {
    Member::File(path, 0o755, bytes)
}

/// Returns members as a tar archive.
pub(crate) fn tar(members: &[Member<'_>]) -> Vec<u8> {
    let mut writer = TarWriter::new(TarOptions {
        format: "oci",
        dialect: Dialect::Pax,
        prefix: "",
        epoch: Epoch(0),
        symlinks: SymlinkOrder::InTree,
        root: Root::Omitted,
    });
    for member in members {
        match member {
            Member::File(path, mode, bytes) => {
                let (path, mode) = (TreePath::parse(path).unwrap(), Mode::new(*mode).unwrap());
                writer.append_bytes(&path, mode, bytes).unwrap();
            }
            Member::Entry(path, entry) => {
                writer.append(&TreePath::parse(path).unwrap(), entry).unwrap();
            }
        }
    }
    writer.finish().to_vec(&bake_formats::blob::MemoryStore::new()).unwrap()
}

/// An image in memory, which counts how often its layers are opened.
pub(crate) struct Handmade {
    pub(crate) documents: Documents,
    pub(crate) blobs: BTreeMap<Digest, Vec<u8>>,
    pub(crate) opened: Cell<usize>,
}

impl Handmade {
    /// Returns an image of uncompressed layers.
    pub(crate) fn of(layers: &[&[Member<'_>]]) -> Self {
        let layers: Vec<Vec<u8>> = layers.iter().map(|members| tar(members)).collect();
        let diff_ids = layers.iter().map(|layer| Digest::of(layer)).collect();
        Self::packed(layers, diff_ids, media_type::LAYER)
    }

    /// Returns an image of layers as they are stored.
    pub(crate) fn packed(layers: Vec<Vec<u8>>, diff_ids: Vec<Digest>, media_type: &str) -> Self {
        let descriptors =
            layers.iter().map(|layer| Descriptor::new(media_type, Blob::of(layer))).collect();
        let config = Config {
            created: None,
            author: None,
            architecture: "amd64".into(),
            os: "linux".into(),
            variant: None,
            config: None,
            rootfs: RootFs { kind: "layers".into(), diff_ids },
            history: Vec::new(),
            other: BTreeMap::new(),
        };
        let documents = documents(config, descriptors);
        let blobs = layers.into_iter().map(|layer| (Digest::of(&layer), layer)).collect();
        Self { documents, blobs, opened: Cell::new(0) }
    }
}

/// Returns the documents of a configuration and layers.
pub(crate) fn documents(config: Config, layers: Vec<Descriptor>) -> Documents {
    let config_bytes = json::canonical(&config).unwrap();
    let descriptor = Descriptor::new(media_type::CONFIG, Blob::of(&config_bytes));
    let manifest = Manifest::new(descriptor, layers, BTreeMap::new());
    let manifest_bytes = json::canonical(&manifest).unwrap();
    Documents { manifest_bytes, manifest, config_bytes, config }
}

impl LayerSource for Handmade {
    fn open_layer(&self, layer: &Descriptor) -> io::Result<Box<dyn Read + '_>> {
        self.opened.set(self.opened.get() + 1);
        let missing = || io::Error::new(io::ErrorKind::NotFound, "there is no such blob");
        Ok(Box::new(self.blobs.get(&layer.digest).ok_or_else(missing)?.as_slice()))
    }
}
