//! Putting an image together: what it is built on, and what it has of its own.
//!
//! Writing an image and putting a finished one onto another base both end here, which is why they
//! give the same bytes.

use std::collections::BTreeMap;

use super::accounts::{self, Accounts};
use super::base::{self, Base};
use super::config::{Config, History, rfc3339};
use super::databases;
use super::descriptor::{Descriptor, OtherFields, StringMap, media_type};
use super::documents::{BASE_DIGEST_KEY, BASE_NAME_KEY};
use super::json::{self, Document};
use super::layer::Layer;
use super::layering::check_count;
use super::manifest::Manifest;
use super::merge::merge;
use super::model::{Image, field_error};
use super::record::{BaseRecord, Own, RECORD_KEY, Record};
use super::write::{CREATED_BY, TREE_KEY};
use super::written::{Written, WrittenImage};
use crate::digest::Digest;
use crate::format::{WriteCx, WriteError};
use crate::rope::Rope;
use crate::tree::TreeId;

/// What an image has of its own, whatever it is built on.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    /// The layers, the lowest first.
    pub(super) layers: Vec<OwnLayer>,
    /// Their history: one entry for each layer, and those that made none.
    pub(super) history: Vec<History>,
    /// When the image was made.
    pub(super) created: Option<String>,
    /// The accounts to merge with a base's.
    pub(super) accounts: Option<Accounts>,
    /// The tree in the payload layers.
    pub(super) tree: Option<TreeId>,
    /// Further annotations of the manifest.
    pub(super) annotations: StringMap,
    /// What an image that others made has and a model has no place for.
    pub(super) foreign: Option<Foreign>,
}

/// What an image that others made has and a model has no place for.
#[derive(Debug, Default)]
pub(super) struct Foreign {
    /// Further fields of `config`.
    pub(super) execution: OtherFields,
    /// Further fields of the configuration.
    pub(super) config: OtherFields,
    /// Further fields of the manifest.
    pub(super) manifest: OtherFields,
}

/// One layer.
#[derive(Debug)]
pub(super) struct OwnLayer {
    pub(super) descriptor: Descriptor,
    pub(super) diff_id: Digest,
    /// The compressed bytes, unless they stay elsewhere.
    pub(super) rope: Option<Rope>,
}

impl Overlay {
    /// Puts a layer on top that was just written.
    pub(super) fn push(&mut self, layer: Layer, created: &str) {
        let Layer { descriptor, diff_id, rope, comment } = layer;
        self.layers.push(OwnLayer { descriptor, diff_id, rope: Some(rope) });
        self.history.push(History {
            created: Some(created.into()),
            created_by: Some(CREATED_BY.into()),
            comment: Some(comment),
            ..History::default()
        });
    }
}

/// Returns the image of a model and its overlay, on the model's base.
pub(super) fn assemble(
    image: &Image,
    mut overlay: Overlay,
    cx: &WriteCx<'_>,
) -> Result<Written, WriteError> {
    if let (Some(base), Some(accounts)) = (&image.base, &overlay.accounts) {
        let databases = base.databases.as_ref().ok_or_else(|| {
            let fault = "expected the account databases of the base, which the image's accounts \
                         are to be merged with";
            field_error("base", fault, "")
        })?;
        let files = databases::merged(databases, accounts)?;
        if let Some(layer) = Layer::accounts(image, files, cx)? {
            overlay.push(layer, &rfc3339(cx.epoch));
        }
    }
    let mut blobs = BTreeMap::new();
    let below = Below::of(image, &mut blobs)?;
    check_count(overlay.layers.len(), below.layers.len())?;
    let base_record = below.manifest.map(|manifest| BaseRecord {
        manifest,
        layers: below.layers.len(),
        accounts: overlay.accounts.clone(),
    });
    let mut config = merge(&below.config, &own(image, &overlay), overlay.created.clone());
    let base_layers = below.layers.len();
    let mut layers = below.layers;
    for OwnLayer { descriptor, diff_id, rope } in overlay.layers {
        config.rootfs.diff_ids.push(diff_id);
        if let Some(rope) = rope {
            blobs.insert(descriptor.digest, rope);
        }
        layers.push(descriptor);
    }
    config.history.extend(overlay.history);

    let mut annotations = image.annotations.clone();
    annotations.extend(overlay.annotations);
    if let Some(base) = &image.base {
        annotations.insert(BASE_DIGEST_KEY.into(), base.manifest.digest.to_string());
        if let Some(name) = &base.name {
            annotations.insert(BASE_NAME_KEY.into(), name.clone());
        }
    }
    if let Some(tree) = overlay.tree {
        annotations.insert(TREE_KEY.into(), tree.to_string());
    }
    let other = if let Some(foreign) = overlay.foreign {
        foreign.manifest
    } else {
        let record = json::canonical(&Record::of(image, base_record))?;
        annotations.insert(RECORD_KEY.into(), String::from_utf8_lossy(&record).into_owned());
        OtherFields::new()
    };
    let stack = Stack { base_layers, layers, annotations, other };
    finish(image, &config, stack, blobs)
}

/// What an image's own layers lie on.
struct Below {
    /// The base's manifest: media type, digest and size, as it says itself, whoever listed it.
    manifest: Option<Descriptor>,
    layers: Vec<Descriptor>,
    config: Config,
}

impl Below {
    /// Returns the model's base, with its layers' ropes if they are asked for, or nothing.
    fn of(image: &Image, blobs: &mut BTreeMap<Digest, Rope>) -> Result<Self, WriteError> {
        let Some(base) = &image.base else {
            let config = base::scratch(&image.platform);
            return Ok(Self { manifest: None, layers: Vec::new(), config });
        };
        let documents = base.checked(&image.platform)?;
        let layers = base::layers(documents);
        if base.includes_layers {
            let rope = |layer: &Descriptor| (layer.digest, Rope::from(layer.blob()));
            blobs.extend(layers.iter().map(rope));
        }
        let manifest = Descriptor { platform: None, ..documents.descriptor() };
        Ok(Self { manifest: Some(manifest), layers, config: documents.config.clone() })
    }
}

/// Returns what the model's configuration says, its user by number if nobody may list the name.
fn own(image: &Image, overlay: &Overlay) -> Own {
    let mut own = Own::of(image);
    if let Some(foreign) = &overlay.foreign {
        own.execution.clone_from(&foreign.execution);
        own.other.clone_from(&foreign.config);
    } else if image.base.as_ref().is_some_and(|base: &Base| base.databases.is_none()) {
        own.user = own.user.map(|user| accounts::runs_as(&user, &image.accounts));
    }
    own
}

/// What a manifest says besides the configuration.
struct Stack {
    base_layers: usize,
    layers: Vec<Descriptor>,
    annotations: StringMap,
    other: OtherFields,
}

/// Writes the documents.
fn finish(
    image: &Image,
    config: &Config,
    stack: Stack,
    mut blobs: BTreeMap<Digest, Rope>,
) -> Result<Written, WriteError> {
    let Stack { base_layers, layers, annotations, other } = stack;
    let platform = config.platform();
    let config = Written::add(&mut blobs, within::<Config>(json::canonical(config)?)?);
    let config = Descriptor::new(media_type::CONFIG, config);
    let mut manifest = Manifest::new(config, layers, annotations);
    manifest.other = other;
    let blob = Written::add(&mut blobs, within::<Manifest>(json::canonical(&manifest)?)?);
    let mut root = Descriptor::new(media_type::MANIFEST, blob);
    root.platform = Some(platform);
    root.annotations.clone_from(&image.descriptor_annotations);
    let images = vec![WrittenImage { descriptor: root.clone(), manifest, base_layers }];
    let (name, version) = (image.name.clone(), image.version.clone());
    Ok(Written { name, version, root, images, blobs })
}

/// Fails if a document is larger than what is read of one, here and in registries.
fn within<T: Document>(bytes: Vec<u8>) -> Result<Vec<u8>, WriteError> {
    let (limit, found) = (T::LIMIT, bytes.len() as u64);
    if found <= limit {
        return Ok(bytes);
    }
    let what = format!("the bytes of an {}", T::WHAT);
    Err(WriteError::Limit { format: super::NAME, what, limit, found })
}
