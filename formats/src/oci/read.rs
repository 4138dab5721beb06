//! Reading images: this crate's own back into what they were written from, others as a tree.

use std::collections::BTreeSet;
use std::io::{self, Read};

use super::config::{Config, Execution};
use super::descriptor::{Descriptor, Kind, Platform};
use super::index::Index;
use super::json::{self, Document};
use super::layer::{LAYER_KEY, Role};
use super::layout::{OpenLayout, REF_NAME_KEY};
use super::manifest::Manifest;
use super::model::{DEFAULT_PATH, Image, OWN_PREFIX, Record};
use super::write::{RECORD_KEY, TREE_KEY};
use super::{archive, reference, whiteout};
use crate::archive::tar::TarReader;
use crate::digest::{Digest, Hasher};

use crate::encode::{Codec, Compression, decoder};
use crate::format::{ReadError, Unpacked};
use crate::input::Source;
use crate::tree::{Entry, FileTree, Node, TreeId, TreePath};

/// How deep indexes may list indexes.
pub(super) const MAX_DEPTH: usize = 4;
/// How many manifests a layout may lead to.
pub(super) const MAX_MANIFESTS: usize = 1000;
/// The annotation of what only describes another manifest of the same index.
const ATTESTATION_KEY: &str = "vnd.docker.reference.type";

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

/// One image of an index.
#[derive(Debug, Clone, PartialEq)]
pub struct PlatformImage {
    /// How the index lists the manifest.
    pub descriptor: Descriptor,
    /// The manifest and the configuration.
    pub documents: Documents,
    /// What was read.
    pub unpacked: Unpacked<Image>,
}

impl PlatformImage {
    /// Returns what the image runs on, by its configuration.
    pub fn platform(&self) -> Platform {
        self.documents.config.platform()
    }
}

/// Reads the one image of a layout; several are an error that lists their platforms.
pub fn read(source: &Source) -> Result<Unpacked<Image>, ReadError> {
    let (layout, found) = open(source)?;
    match found.as_slice() {
        [one] => Ok(load(&layout, one, Limits::default())?.unpacked),
        several => {
            let platform = |found: &Found| match &found.descriptor.platform {
                Some(platform) => platform.to_string(),
                None => found.descriptor.digest.to_string(),
            };
            let platforms: Vec<_> = several.iter().map(platform).collect();
            let reason = format!("expected one image, found {}", platforms.join(", "));
            Err(ReadError::invalid("image layout", reason))
        }
    }
}

/// Reads every image of a layout, in the order of its indexes.
pub fn read_all(source: &Source, limits: Limits) -> Result<Vec<PlatformImage>, ReadError> {
    let (layout, found) = open(source)?;
    found.iter().map(|found| load(&layout, found, limits)).collect()
}

fn open(source: &Source) -> Result<(OpenLayout, Vec<Found>), ReadError> {
    let layout = OpenLayout::open(source)?;
    layout.check_version()?;
    let found = find(&layout, &layout.index()?)?;
    Ok((layout, found))
}

/// A manifest that a layout leads to.
pub(super) struct Found {
    pub(super) descriptor: Descriptor,
    name: String,
    version: String,
}

/// Finds the image manifests that an index leads to, through indexes below it.
///
/// What is no image is passed over, as the specification asks (image-index.md, "manifests").
fn find(layout: &OpenLayout, index: &Index) -> Result<Vec<Found>, ReadError> {
    let mut search =
        Search { layout, found: Vec::new(), passed: BTreeSet::new(), seen: BTreeSet::new() };
    for descriptor in &index.manifests {
        let names = &descriptor.annotations;
        let full = names.get(archive::CONTAINERD_NAME_KEY);
        let (name, version) = match (full, names.get(REF_NAME_KEY)) {
            (Some(name), _) => reference::split_qualified(name),
            (None, Some(name)) if name.contains(['/', ':']) => reference::split_qualified(name),
            (None, Some(tag)) => ("", tag.as_str()),
            (None, None) => ("", ""),
        };
        search.descend(descriptor, (name, version), 0)?;
    }
    let Search { found, passed, .. } = search;
    if found.is_empty() {
        let passed: Vec<_> = passed.into_iter().collect();
        let passed = if passed.is_empty() { "nothing".into() } else { passed.join(", ") };
        let reason = format!("expected an image manifest, found {passed}");
        return Err(ReadError::invalid("image layout", reason));
    }
    Ok(found)
}

struct Search<'a> {
    layout: &'a OpenLayout,
    found: Vec<Found>,
    /// The media types of what is no image.
    passed: BTreeSet<String>,
    /// What was visited, so that no index is read twice.
    seen: BTreeSet<Digest>,
}

impl Search<'_> {
    fn descend(
        &mut self,
        descriptor: &Descriptor,
        (name, version): (&str, &str),
        depth: usize,
    ) -> Result<(), ReadError> {
        let describes_another = descriptor.annotations.contains_key(ATTESTATION_KEY)
            || descriptor.other.contains_key("artifactType");
        let kind = descriptor.kind().filter(|_| !describes_another);
        if !matches!(kind, Some(Kind::Manifest | Kind::Index)) {
            self.passed.insert(descriptor.media_type.chars().take(100).collect());
            return Ok(());
        }
        if !self.seen.insert(descriptor.digest) {
            return Ok(());
        }
        let invalid = |reason: String| Err(ReadError::invalid("image index", reason));
        if kind == Some(Kind::Manifest) {
            if self.found.len() == MAX_MANIFESTS {
                return invalid(format!("expected at most {MAX_MANIFESTS} manifests"));
            }
            let (name, version) = (name.to_owned(), version.to_owned());
            self.found.push(Found { descriptor: descriptor.clone(), name, version });
            return Ok(());
        }
        if depth == MAX_DEPTH {
            return invalid(format!("expected indexes at most {MAX_DEPTH} deep"));
        }
        let index = Index::parse(&self.layout.document::<Index>(descriptor)?)?;
        for descriptor in &index.manifests {
            self.descend(descriptor, (name, version), depth + 1)?;
        }
        Ok(())
    }
}

/// The two documents of one image: their bytes, which are the truth, and what they say.
#[derive(Debug, Clone, PartialEq)]
pub struct Documents {
    /// The manifest's bytes, whose digest is the image's identity.
    pub manifest_bytes: Vec<u8>,
    /// The manifest.
    pub manifest: Manifest,
    /// The configuration's bytes, whose digest engines call the image ID.
    pub config_bytes: Vec<u8>,
    /// The configuration.
    pub config: Config,
}

impl Documents {
    /// Reads both and checks that they go together.
    pub(super) fn read(layout: &OpenLayout, descriptor: &Descriptor) -> Result<Self, ReadError> {
        let manifest_bytes = layout.document::<Manifest>(descriptor)?;
        let manifest = Manifest::parse(&manifest_bytes)?;
        if let Some(media_type) = &manifest.media_type
            && *media_type != descriptor.media_type
        {
            let expected = &descriptor.media_type;
            let reason = format!("expected the media type `{expected}`, found `{media_type}`");
            return Err(ReadError::invalid(Manifest::WHAT, reason));
        }
        let config_bytes = layout.document::<Config>(&manifest.config)?;
        let config = Config::parse(&config_bytes)?;
        let rootfs = &config.rootfs;
        if rootfs.kind != "layers" {
            let reason = format!("expected `layers`, found `{}`", rootfs.kind);
            return Err(ReadError::invalid("image configuration, rootfs.type", reason));
        }
        let (layers, diff_ids) = (manifest.layers.len(), rootfs.diff_ids.len());
        if layers != diff_ids {
            let reason = format!("expected one for each of {layers} layers, found {diff_ids}");
            return Err(ReadError::invalid("image configuration, rootfs.diff_ids", reason));
        }
        Ok(Self { manifest_bytes, manifest, config_bytes, config })
    }

    /// Returns the layers with the digests they decompress to, the lowest first.
    pub(super) fn layers(&self) -> impl Iterator<Item = (&Descriptor, &Digest)> {
        self.manifest.layers.iter().zip(&self.config.rootfs.diff_ids)
    }

    /// Returns whether a layer belongs to the payload: all do unless some say that they do.
    pub(super) fn is_payload(&self, layer: &Descriptor) -> bool {
        let says_so = |layer: &Descriptor| {
            layer.annotations.get(LAYER_KEY).is_some_and(|role| role == Role::Payload.word())
        };
        says_so(layer) || !self.manifest.layers.iter().any(says_so)
    }

    /// Returns the tree identity that the image says it has.
    pub(super) fn declared(&self) -> Result<Option<TreeId>, ReadError> {
        let Some(text) = self.manifest.annotations.get(TREE_KEY) else { return Ok(None) };
        let invalid = |error: crate::digest::DigestError| {
            ReadError::invalid(format!("annotation {TREE_KEY}"), error.to_string())
        };
        text.parse().map(Some).map_err(invalid)
    }

    fn record(&self) -> Result<Option<Record>, ReadError> {
        let Some(text) = self.manifest.annotations.get(RECORD_KEY) else { return Ok(None) };
        json::read(&format!("annotation {RECORD_KEY}"), text.as_bytes()).map(Some)
    }

    /// Returns the model; `found` names an image that has no record of it.
    fn model(&self, found: &Found) -> Result<Image, ReadError> {
        let mut image =
            Image::new(found.name.clone(), found.version.clone(), self.config.platform());
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        if let Some(execution) = &self.config.config {
            let Execution { user, exposed_ports, env, entrypoint, cmd, .. } = execution;
            image.user = some(user);
            image.exposed_ports = exposed_ports.keys().cloned().collect();
            image.env.clone_from(env);
            image.entrypoint.clone_from(entrypoint);
            image.cmd.clone_from(cmd);
            image.volumes = execution.volumes.keys().cloned().collect();
            image.working_dir = some(&execution.working_dir);
            image.labels.clone_from(&execution.labels);
            image.stop_signal = some(&execution.stop_signal);
        }
        image.author = self.config.author.as_ref().and_then(some);
        image.annotations.clone_from(&self.manifest.annotations);
        image.annotations.retain(|key, _| !key.starts_with(OWN_PREFIX));
        match self.record()? {
            Some(record) => restore(&mut image, record)?,
            None => image.compression = self.compression(),
        }
        Ok(image)
    }

    /// Returns how the topmost layer is compressed, at the level that is used when none is given.
    fn compression(&self) -> Compression {
        match self.manifest.layers.last().and_then(Descriptor::kind) {
            Some(Kind::Layer(codec)) => Compression { codec, level: codec.levels().0 },
            _ => Compression::GZIP,
        }
    }
}

/// Puts back what only the model said.
fn restore(image: &mut Image, record: Record) -> Result<(), ReadError> {
    let invalid = |reason: String| ReadError::invalid(format!("annotation {RECORD_KEY}"), reason);
    let compression = record.compression.parse();
    image.compression =
        compression.map_err(|error: crate::encode::CompressionError| invalid(error.to_string()))?;
    if record.adds_path {
        let expected = format!("PATH={DEFAULT_PATH}");
        if image.env.first() != Some(&expected) {
            return Err(invalid(format!("expected the first variable to be {expected}")));
        }
        image.env.remove(0);
    }
    (image.name, image.version) = (record.name, record.version);
    (image.accounts, image.state) = (record.accounts, record.state);
    Ok(())
}

fn load(layout: &OpenLayout, found: &Found, limits: Limits) -> Result<PlatformImage, ReadError> {
    let documents = Documents::read(layout, &found.descriptor)?;
    let model = documents.model(found)?;
    let declared = documents.declared()?;
    let mut tree = FileTree::default();
    for (number, (layer, diff_id)) in documents.layers().enumerate() {
        let in_layer = |error| in_layer(number, error);
        let found = if documents.is_payload(layer) {
            let (entries, found) = entries(layout, layer, limits).map_err(in_layer)?;
            tree = whiteout::apply(&tree, entries).map_err(in_layer)?;
            found
        } else {
            diff_id_of(layout, layer, limits).map_err(in_layer)?
        };
        if found != *diff_id {
            let reason = format!("expected the DiffID {diff_id}, found {found}");
            return Err(ReadError::invalid(format!("layer {number}"), reason));
        }
    }
    let unpacked = Unpacked { model, tree, declared };
    Ok(PlatformImage { descriptor: found.descriptor.clone(), documents, unpacked })
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
    layout: &OpenLayout,
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
    layout: &OpenLayout,
    layer: &Descriptor,
    limits: Limits,
) -> Result<Digest, ReadError> {
    let mut raw = raw(layout, layer, limits)?;
    io::copy(&mut raw, &mut io::sink())?;
    Ok(raw.hasher.digest())
}

/// Opens a layer's tar archive.
fn raw(
    layout: &OpenLayout,
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
