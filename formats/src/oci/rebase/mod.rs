//! Putting a finished image onto another base, without the build output.
//!
//! The image's own layers do not depend on the base, so they stay as they are. The configuration is
//! merged anew, and accounts are merged anew if that was asked for. The bytes are those that
//! [`super::write()`] gives on the new base with the same tree, time and model.

mod foreign;

use super::assemble::{Overlay, OwnLayer, assemble};
use super::base::{Base, oci_layer};
use super::config::{History, epoch_of};
use super::descriptor::Descriptor;
use super::documents::Documents;
use super::find::ListedImage;
use super::layer::Role;
use super::record::RECORD_KEY;
use super::written::Written;
use crate::digest::Digest;
use crate::format::{ReadError, WriteCx, WriteError};
use crate::rope::Rope;

/// The annotation of an image that was put onto a base in spite of findings, with their names.
pub const FORCED_KEY: &str = "dev.bake.rebase.forced";

/// What is to be put onto what.
#[derive(Debug, Clone, Copy)]
pub struct Rebase<'a> {
    /// How the image is listed: descriptor, name, tag. bake's own images know name and tag.
    pub image: &'a ListedImage,
    /// The image's manifest and configuration.
    pub documents: &'a Documents,
    /// What the image is built on; needed for images that bake did not make.
    pub old_base: Option<&'a Documents>,
    /// What it is to be built on. Its databases are needed if the image's accounts are merged with
    /// its base's, see [`super::BuiltOn::accounts`].
    pub base: &'a Base,
    /// Whether the result's blobs include the image's own layers.
    pub own_layers: OwnLayers,
    /// The names of findings in spite of which this is done. They become an annotation, so that the
    /// result is not what a fresh bake gives.
    pub forced: Option<&'a str>,
}

/// Whether blobs include the layers that an image does not have from its base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnLayers {
    /// They do: the blob source has their compressed bytes.
    Included,
    /// They stay where they are.
    Referred,
}

/// An image on its new base.
#[derive(Debug)]
pub struct Rebased {
    /// The image.
    pub written: Written,
    /// What was assumed of an image that bake did not make, one sentence each.
    pub guesses: Vec<String>,
}

/// Why an image cannot be put onto another base.
#[derive(Debug, thiserror::Error)]
#[must_use]
pub enum RebaseError {
    /// bake made the image from scratch.
    #[error(
        "the image is built on nothing: its layers list directories that would replace the base's; \
         bake it again with a base"
    )]
    NoBase,
    /// Others made the image, and nobody said on what.
    #[error(
        "bake did not make this image, so nothing says which of its layers are its base's; name \
         the old base"
    )]
    OldBaseNeeded,
    /// The image is not built on the old base.
    #[error(
        "the image is not built on the old base: expected layer {number} with the DiffID \
         {expected}, found {found}"
    )]
    OtherBase {
        /// The number of the first layer that differs, from 0.
        number: usize,
        /// The old base's.
        expected: Digest,
        /// The image's.
        found: String,
    },
    /// The image's accounts cannot be merged.
    #[error(
        "the image's accounts are merged with its base's: expected the new base's /etc/passwd and \
         /etc/group"
    )]
    AccountsNeeded,
    /// The image is damaged.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// There is no such image on the new base.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Returns the image on its new base. The time is the image's own, not that of `cx`.
pub fn rebase(request: &Rebase<'_>, cx: &WriteCx<'_>) -> Result<Rebased, RebaseError> {
    if request.documents.record()?.is_none() {
        return foreign::rebase(request, cx);
    }
    let documents = request.documents;
    let built_on = documents.built_on()?.ok_or(RebaseError::NoBase)?;
    if let Some(old) = request.old_base {
        check_prefix(documents, old)?;
    }
    let mut base = request.base.clone();
    match (built_on.accounts, &base.databases) {
        (true, None) => return Err(RebaseError::AccountsNeeded),
        (true, Some(_)) => {}
        (false, _) => base.databases = None,
    }
    let mut image = documents.model(request.image)?;
    image.base = Some(base);
    let overlay = overlay(request, built_on.layers)?;
    let created = documents.config.created.as_deref().unwrap_or_default();
    let epoch = epoch_of(created).ok_or_else(|| {
        let reason = format!("expected a time as bake writes it, found `{created}`");
        ReadError::invalid("image configuration, created", reason)
    })?;
    let written = assemble(&image, overlay, &WriteCx { epoch, ..*cx })?;
    Ok(Rebased { written, guesses: Vec::new() })
}

/// Returns what an image of bake's own has besides its base's layers.
fn overlay(request: &Rebase<'_>, below: usize) -> Result<Overlay, RebaseError> {
    let documents = request.documents;
    let invalid = |reason: &str| ReadError::invalid(format!("annotation {RECORD_KEY}"), reason);
    let record = documents.record()?.and_then(|record| record.base);
    let accounts = record.and_then(|base| base.accounts);
    let history = &documents.config.history;
    let count = documents.manifest.layers.len().saturating_sub(below);
    let history = history.len().checked_sub(count).and_then(|start| history.get(start..));
    let history = history
        .filter(|entries| entries.iter().all(|entry| !entry.empty_layer))
        .ok_or_else(|| invalid("expected one entry of the history for each of the own layers"))?;
    let mut overlay = Overlay {
        created: documents.config.created.clone(),
        accounts,
        tree: documents.declared()?,
        annotations: forced(request),
        ..Overlay::default()
    };
    let roles = documents.roles()?;
    let layers = documents.layers().zip(roles).skip(below);
    for (((layer, diff_id), role), entry) in layers.zip(history) {
        match role {
            Some(Role::Payload | Role::Support) => {
                push(&mut overlay, request.own_layers, layer, diff_id, entry);
            }
            Some(Role::Accounts) => {}
            None => return Err(invalid("expected to know what each own layer is for").into()),
        }
    }
    Ok(overlay)
}

fn push(
    overlay: &mut Overlay,
    own_layers: OwnLayers,
    layer: &Descriptor,
    diff_id: &Digest,
    entry: &History,
) {
    overlay.layers.push(own_layer(own_layers, layer, diff_id));
    overlay.history.push(entry.clone());
}

fn own_layer(own_layers: OwnLayers, layer: &Descriptor, diff_id: &Digest) -> OwnLayer {
    let rope = match own_layers {
        OwnLayers::Included => Some(Rope::from(layer.blob())),
        OwnLayers::Referred => None,
    };
    OwnLayer { descriptor: oci_layer(layer), diff_id: *diff_id, rope }
}

fn forced(request: &Rebase<'_>) -> super::descriptor::StringMap {
    request
        .forced
        .map(|findings| (FORCED_KEY.to_owned(), findings.to_owned()))
        .into_iter()
        .collect()
}

/// Fails unless an image begins with a base's layers, by what they decompress to.
fn check_prefix(image: &Documents, base: &Documents) -> Result<(), RebaseError> {
    let found = &image.config.rootfs.diff_ids;
    for (number, expected) in base.config.rootfs.diff_ids.iter().enumerate() {
        if found.get(number) != Some(expected) {
            let found = found.get(number).map_or_else(|| "none".into(), ToString::to_string);
            return Err(RebaseError::OtherBase { number, expected: *expected, found });
        }
    }
    Ok(())
}
