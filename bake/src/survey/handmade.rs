//! Images made by hand, for tests.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;

use bake_formats::archive::tar::{Dialect, Root, SymlinkOrder, TarOptions, TarWriter};
use bake_formats::blob::Blob;
use bake_formats::digest::Digest;
use bake_formats::elf::{Elf, Kind, Machine, RequiredLibrary};
use bake_formats::format::Epoch;
use bake_formats::oci::Documents;
use bake_formats::oci::config::{Config, RootFs};
use bake_formats::oci::descriptor::{Descriptor, media_type};
use bake_formats::oci::json;
use bake_formats::oci::manifest::Manifest;
use bake_formats::tree::{Entry, Mode, Node, TreePath};

use super::{Facts, LayerSource, LayerSurvey, contents};

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

/// Returns what a survey finds in members.
///
/// A file whose text begins with `ELF` is a program or library: `ELF machine=62 soname=a interpreter=b`
/// and, several times each, `needed=c search=d defines=e requires=LIBRARY:VERSION`.
pub(crate) fn layer(members: &[Member<'_>]) -> Arc<LayerSurvey> {
    let mut survey = LayerSurvey::default();
    for member in members {
        let (path, entry) = match member {
            Member::Entry(path, entry) => (*path, entry.clone()),
            Member::File(path, mode, bytes) => {
                let name = TreePath::parse(path).unwrap();
                let scratch = tempfile::tempdir().unwrap();
                let (content, facts) =
                    contents::read(&name, *bytes, bytes.len() as u64, scratch.path()).unwrap();
                let text = std::str::from_utf8(bytes).ok();
                let elf = text.and_then(|text| text.strip_prefix("ELF")).map(elf);
                let facts = elf.map(|elf| Facts::Elf(Box::new(elf))).or(facts);
                survey.facts.extend(facts.map(|facts| (content.digest, facts)));
                (*path, Entry::file(content, Mode::new(*mode).unwrap()))
            }
        };
        survey.entries.push((TreePath::parse(path).unwrap(), entry));
    }
    Arc::new(survey)
}

fn elf(text: &str) -> Elf {
    let machine = Machine { number: 62, wide: true, big_endian: false, flags: 0 };
    let mut elf = Elf {
        machine,
        kind: Kind::Shared,
        interpreter: None,
        soname: None,
        needed: Vec::new(),
        search: Vec::new(),
        requires: Vec::new(),
        defines: Vec::new(),
        version_base: None,
        has_hash: false,
        has_gnu_hash: true,
        has_debug: false,
        is_dynamic: true,
    };
    for (key, value) in text.split_whitespace().filter_map(|word| word.split_once('=')) {
        let value = value.to_owned();
        match key {
            "machine" => elf.machine.number = value.parse().unwrap(),
            "soname" => elf.soname = Some(value),
            "interpreter" => elf.interpreter = Some(value),
            "needed" => elf.needed.push(value),
            "search" => elf.search.push(value),
            "defines" => elf.defines.push(value),
            "requires" => {
                let (library, version) = value.split_once(':').unwrap();
                let versions = vec![version.to_owned()];
                elf.requires.push(RequiredLibrary { library: library.into(), versions });
            }
            other => panic!("expected a field of an ELF file, found {other}"),
        }
    }
    elf
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
