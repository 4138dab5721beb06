//! Reading images: this crate's own back into what they were written from, others as a tree.

use std::collections::BTreeSet;
use std::io::Read;
use std::ops::ControlFlow;

use super::accounts::{group_path, passwd_path};
use super::archive::CONTAINERD_NAME_KEY;
use super::base::{Base, Databases};
use super::config::Execution;
use super::descriptor::{Descriptor, Kind};
use super::documents::{BASE_DIGEST_KEY, BASE_NAME_KEY, BuiltOn, Documents};
use super::find::ListedImage;
use super::layer::Role;
use super::layout::REF_NAME_KEY;
use super::model::{DEFAULT_PATH, Image, OWN_PREFIX};
use super::platform::{Platform, select};
use super::reader::LayoutReader;
use super::record::{RECORD_KEY, Record};
use super::support::SupportFile;
use super::unpack::{Limits, diff_id_of, entries, files, in_layer};
use super::whiteout;
use crate::encode::Compression;
use crate::format::{ReadError, Unpacked, Visitor};
use crate::input::Source;
use crate::tree::{Content, Entry, FileTree, Node, TreePath};
use crate::wanted::Wanted;

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
    let layout = LayoutReader::open(source)?;
    Ok(load(&layout, &only(&layout)?, Limits::default())?.unpacked)
}

/// Returns the one image of a layout; several are an error that lists their platforms.
fn only(layout: &LayoutReader) -> Result<ListedImage, ReadError> {
    let found = layout.images()?;
    match found.as_slice() {
        [one] => Ok(one.clone()),
        several => {
            let platform = |found: &ListedImage| match &found.descriptor.platform {
                Some(platform) => platform.to_string(),
                None => found.descriptor.digest.to_string(),
            };
            let platforms: Vec<_> = several.iter().map(platform).collect();
            let reason = format!("expected one image, found {}", platforms.join(", "));
            Err(ReadError::invalid("image layout", reason))
        }
    }
}

/// Reads the image of a layout that runs on a platform, as [`select`] chooses it; one image that
/// says no platform where it is listed is taken by its configuration's.
pub fn read_one(
    source: &Source,
    platform: &Platform,
    limits: Limits,
) -> Result<PlatformImage, ReadError> {
    let layout = LayoutReader::open(source)?;
    load(&layout, &chosen(&layout, platform)?, limits)
}

/// Returns the image of a layout that runs on a platform.
fn chosen(layout: &LayoutReader, platform: &Platform) -> Result<ListedImage, ReadError> {
    let mut found = layout.images()?;
    for image in found.iter_mut().filter(|image| image.descriptor.platform.is_none()) {
        let documents = layout.documents(&image.descriptor)?;
        image.descriptor.platform = Some(documents.config.platform());
    }
    let listed: Vec<_> = found.iter().map(|image| image.descriptor.clone()).collect();
    let chosen = select(&listed, platform)?;
    let chosen = found.iter().find(|image| image.descriptor == *chosen);
    let missing = || ReadError::invalid("image index", format!("expected the platform {platform}"));
    chosen.cloned().ok_or_else(missing)
}

/// Reads every image of a layout, in the order of its indexes.
pub fn read_all(source: &Source, limits: Limits) -> Result<Vec<PlatformImage>, ReadError> {
    let layout = LayoutReader::open(source)?;
    layout.images()?.iter().map(|found| load(&layout, found, limits)).collect()
}

/// Hands over the files of the one image of a layout; several are an error.
pub(super) fn visit(
    source: &Source,
    visitor: &mut Visitor<'_>,
) -> Result<ControlFlow<()>, ReadError> {
    let layout = LayoutReader::open(source)?;
    let image = only(&layout)?;
    hand_over(&layout, &image, Limits::default(), visitor)
}

/// Hands over the files of the image that runs on a platform.
pub fn visit_one(
    source: &Source,
    platform: &Platform,
    limits: Limits,
    visitor: &mut Visitor<'_>,
) -> Result<ControlFlow<()>, ReadError> {
    let layout = LayoutReader::open(source)?;
    let image = chosen(&layout, platform)?;
    hand_over(&layout, &image, limits, visitor)
}

/// Who is handed the files of several images: platform, path and what the file holds.
pub type ImagesVisitor<'a> =
    dyn FnMut(&Platform, &TreePath, &mut dyn Read) -> std::io::Result<ControlFlow<()>> + 'a;

/// Hands over the files of every image of a layout, image by image.
pub fn visit_all(
    source: &Source,
    limits: Limits,
    visitor: &mut ImagesVisitor<'_>,
) -> Result<ControlFlow<()>, ReadError> {
    let layout = LayoutReader::open(source)?;
    for found in layout.images()? {
        let platform = layout.documents(&found.descriptor)?.config.platform();
        let mut visitor = |path: &TreePath, bytes: &mut dyn Read| visitor(&platform, path, bytes);
        if hand_over(&layout, &found, limits, &mut visitor)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Hands over the files of an image: layers that hold some of them pass once more.
fn hand_over(
    layout: &LayoutReader,
    found: &ListedImage,
    limits: Limits,
    visitor: &mut Visitor<'_>,
) -> Result<ControlFlow<()>, ReadError> {
    let mut members = Vec::new();
    let image = load_with(layout, found, limits, &mut |number, entries| {
        let contents = entries.iter().filter_map(|(_, entry)| match &entry.node {
            Node::File(content) => Some(*content),
            _ => None,
        });
        members.push((number, contents.collect::<Vec<Content>>()));
    })?;
    let mut wanted = Wanted::of(&image.unpacked.tree);
    let mut done = wanted.visit_empty(visitor)?;
    for (number, contents) in &members {
        if done.is_break() {
            break;
        }
        let Some((layer, _)) = image.documents.layers().nth(*number) else { continue };
        if contents.iter().any(|content| wanted.has(content)) {
            let mut hand = |member: usize, bytes: &mut dyn Read| match contents.get(member) {
                Some(content) => wanted.visit(content, bytes, visitor),
                None => Ok(ControlFlow::Continue(())),
            };
            let passed = files(layout, layer, limits, &mut hand);
            done = passed.map_err(|error| in_layer(*number, error))?;
        }
    }
    if done.is_break() { Ok(done) } else { wanted.finish() }
}

/// Annotations with which `index.json` names a manifest.
const NAME_KEYS: [&str; 2] = [REF_NAME_KEY, CONTAINERD_NAME_KEY];

impl Documents {
    /// Returns the model; `found` names an image that has no record of it.
    ///
    /// Of a base it has name and digest, of support files nothing.
    pub(super) fn model(&self, found: &ListedImage) -> Result<Image, ReadError> {
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
        image.descriptor_annotations.clone_from(&found.descriptor.annotations);
        let is_name = |key: &String| key.starts_with(OWN_PREFIX) || NAME_KEYS.contains(&&**key);
        image.descriptor_annotations.retain(|key, _| !is_name(key));
        match self.record()? {
            Some(record) => restore(&mut image, record, self.built_on()?)?,
            None => image.compression = self.compression(),
        }
        Ok(image)
    }

    /// Returns the numbers of the layers that a layout may lack and does: the base's.
    pub(super) fn referred(&self, layout: &LayoutReader) -> Result<BTreeSet<usize>, ReadError> {
        let below = self.built_on()?.map_or(0, |base| base.layers);
        let mut referred = BTreeSet::new();
        for (number, layer) in self.manifest.layers.iter().take(below).enumerate() {
            if layout.is_absent(layer)? {
                referred.insert(number);
            }
        }
        Ok(referred)
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
fn restore(image: &mut Image, record: Record, base: Option<BuiltOn>) -> Result<(), ReadError> {
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
    if let Some(own) = record.own {
        own.restore(image);
    }
    if let Some(BuiltOn { name, manifest, accounts, .. }) = base {
        image.annotations.retain(|key, _| key != BASE_NAME_KEY && key != BASE_DIGEST_KEY);
        let databases = accounts.then(Databases::default);
        let (documents, includes_layers) = (None, false);
        image.base = Some(Base { name, manifest, documents, includes_layers, databases });
    }
    (image.name, image.version) = (record.name, record.version);
    (image.accounts, image.state) = (record.accounts, record.state);
    (image.layering, image.layer_annotations) = (record.layering, record.layer_annotations);
    Ok(())
}

fn load(
    layout: &LayoutReader,
    found: &ListedImage,
    limits: Limits,
) -> Result<PlatformImage, ReadError> {
    load_with(layout, found, limits, &mut |_, _| {})
}

/// Who is told what layers list, by the layer's number.
type Listing<'a> = dyn FnMut(usize, &[(TreePath, Entry)]) + 'a;

/// Reads an image; `listed` is told what each layer of the payload lists, in order.
fn load_with(
    layout: &LayoutReader,
    found: &ListedImage,
    limits: Limits,
    listed: &mut Listing<'_>,
) -> Result<PlatformImage, ReadError> {
    let documents = Documents::read(layout, &found.descriptor)?;
    let mut model = documents.model(found)?;
    let declared = documents.declared()?;
    let referred = documents.referred(layout)?;
    if let Some(base) = &mut model.base {
        base.includes_layers = referred.is_empty();
    }
    let mut tree = FileTree::default();
    let roles = documents.roles()?;
    for (number, ((layer, diff_id), role)) in documents.layers().zip(roles).enumerate() {
        if referred.contains(&number) {
            continue;
        }
        let in_layer = |error| in_layer(number, error);
        let found = match role {
            Some(Role::Payload) => {
                let (entries, found) = entries(layout, layer, limits).map_err(in_layer)?;
                listed(number, &entries);
                tree = whiteout::apply(&tree, entries).map_err(in_layer)?;
                found
            }
            Some(Role::Support) => {
                let (entries, found) = entries(layout, layer, limits).map_err(in_layer)?;
                model.support.extend(support(entries));
                found
            }
            Some(Role::Accounts) | None => diff_id_of(layout, layer, limits).map_err(in_layer)?,
        };
        if found != *diff_id {
            let reason = format!("expected the DiffID {diff_id}, found {found}");
            return Err(ReadError::invalid(format!("layer {number}"), reason));
        }
    }
    let unpacked = Unpacked { model, tree, declared };
    Ok(PlatformImage { descriptor: found.descriptor.clone(), documents, unpacked })
}

/// Returns the files of a support layer that are no account databases.
fn support(entries: Vec<(TreePath, Entry)>) -> impl Iterator<Item = (TreePath, SupportFile)> {
    let databases = [passwd_path(), group_path()];
    entries.into_iter().filter(move |(path, _)| !databases.contains(path)).filter_map(
        |(path, entry)| match entry.node {
            Node::File(content) => {
                Some((path, SupportFile { content, mode: entry.mode, bytes: None }))
            }
            _ => None,
        },
    )
}
