//! Layers: file trees as compressed tar archives (image-spec, layer.md).
//!
//! A layer stands in the manifest by the digest of its compressed bytes and in the configuration
//! by its DiffID, the digest of the tar archive.

use super::accounts::Databases;
use super::descriptor::{Descriptor, media_type};
use super::model::{Image, StateDirectory, field_error};
use super::whiteout;
use crate::archive::tar::{Dialect, Root, SymlinkOrder, TarOptions, TarWriter};
use crate::digest::Digest;
use crate::encode::Codec;
use crate::format::{WriteCx, WriteError};
use crate::rope::Rope;
use crate::tree::{Content, Entry, FileTree, Mark, Mode, Node, TreeBuilder, TreeError, TreePath};

/// The annotation on a layer's descriptor that says what the layer is for.
pub const LAYER_KEY: &str = "dev.bake.layer";

/// What a layer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The tree itself.
    Payload,
    /// What the tree needs in an image and packages get from their system: account databases,
    /// state directories.
    Support,
}

impl Role {
    /// Returns the word that the annotation holds.
    pub fn word(self) -> &'static str {
        match self {
            Self::Payload => "payload",
            Self::Support => "support",
        }
    }
}

/// A layer that was written.
#[derive(Debug, Clone)]
pub struct Layer {
    /// How a manifest lists it.
    pub descriptor: Descriptor,
    /// The digest of the tar archive.
    pub diff_id: Digest,
    /// The compressed bytes.
    pub rope: Rope,
    /// What it is for.
    pub role: Role,
}

impl Layer {
    /// Writes a tree, without its ghosts, as a layer.
    pub fn payload(image: &Image, tree: &FileTree, cx: &WriteCx<'_>) -> Result<Self, WriteError> {
        let tree = tree.filter(|_, entry| entry.mark != Mark::Ghost)?;
        Self::write(image, &tree, Role::Payload, cx)
    }

    /// Writes what a tree needs in an image as a layer to go on top; `None` if that is nothing.
    pub fn support(
        image: &Image,
        tree: &FileTree,
        cx: &WriteCx<'_>,
    ) -> Result<Option<Self>, WriteError> {
        let mut builder = TreeBuilder::new();
        let mut is_empty = true;
        for (path, text) in Databases::of(image, tree)?.files(tree) {
            cx.blobs.put(text.as_bytes())?;
            let entry = Entry::file(Content::of(text.as_bytes()), Mode::PLAIN);
            add(&mut builder, tree, path, entry)?;
            is_empty = false;
        }
        for StateDirectory { path, mode, owner, group } in &image.state {
            let entry = Entry {
                owner: owner.clone(),
                group: group.clone(),
                ..Entry::new(Node::Directory, *mode)
            };
            match tree.get(path) {
                Some(there) if !there.is_directory() => {
                    let fault = "expected nothing or a directory in the tree";
                    return Err(field_error("state", fault, &path.to_string()));
                }
                Some(there) if !there.implied => {}
                _ => {
                    add(&mut builder, tree, path.clone(), entry)?;
                    is_empty = false;
                }
            }
        }
        if is_empty {
            return Ok(None);
        }
        Self::write(image, &builder.finish()?, Role::Support, cx).map(Some)
    }

    fn write(
        image: &Image,
        tree: &FileTree,
        role: Role,
        cx: &WriteCx<'_>,
    ) -> Result<Self, WriteError> {
        let compression = image.compression;
        let suffix = match compression.codec {
            Codec::None => "",
            Codec::Gzip => "+gzip",
            Codec::Zstd => "+zstd",
            Codec::Xz => {
                return Err(field_error("compression", "layers have no media type for it", "xz"));
            }
        };
        let encoded = cx.encoder.encode(&tar(tree, cx)?, compression)?;
        let media_type = format!("{}{suffix}", media_type::LAYER);
        let mut descriptor = Descriptor::new(media_type, encoded.blob);
        descriptor.annotations.insert(LAYER_KEY.into(), role.word().into());
        Ok(Self { descriptor, diff_id: encoded.raw.digest, rope: encoded.rope, role })
    }
}

/// Adds an entry to the support layer, below directories as they are in the tree.
///
/// The layer lies on top, so a directory that it lists must have the attributes that the tree gave
/// it.
fn add(
    builder: &mut TreeBuilder,
    tree: &FileTree,
    path: TreePath,
    entry: Entry,
) -> Result<(), WriteError> {
    let mut child = path.clone();
    while let Some(parent) = child.parent() {
        match tree.get(&parent) {
            Some(there) if !there.is_directory() => {
                return Err(TreeError::NotADirectory { path, parent }.into());
            }
            Some(there) if builder.get(&parent).is_none() => {
                builder.insert(parent.clone(), there.clone())?;
            }
            Some(_) | None => {}
        }
        child = parent;
    }
    Ok(builder.insert(path, entry)?)
}

/// Returns a tree as a tar archive.
fn tar(tree: &FileTree, cx: &WriteCx<'_>) -> Result<Rope, WriteError> {
    let mut writer = TarWriter::new(TarOptions {
        format: super::NAME,
        dialect: Dialect::Pax,
        prefix: "",
        epoch: cx.epoch,
        symlinks: SymlinkOrder::InTree,
        root: Root::Omitted,
    });
    for (path, entry) in tree.iter() {
        if whiteout::is_reserved(path.name()) {
            return Err(WriteError::Unsupported {
                format: super::NAME,
                path: path.clone(),
                what: "the name".into(),
                reason: Some("layers reserve names that begin with `.wh.`".into()),
            });
        }
        if !(path.is_root() && entry.implied) {
            writer.append(path, entry)?;
        }
    }
    Ok(writer.finish())
}
