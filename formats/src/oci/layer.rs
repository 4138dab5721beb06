//! Layers: file trees as compressed tar archives (image-spec, layer.md).
//!
//! A layer stands in the manifest by the digest of its compressed bytes and in the configuration
//! by its DiffID, the digest of the tar archive.

use super::descriptor::{Descriptor, media_type};
use super::layering::Part;
use super::model::{Image, StateDirectory, field_error};
use super::support::SupportFile;
use super::whiteout;
use crate::archive::tar::{Dialect, Root, SymlinkOrder, TarOptions, TarWriter};
use crate::digest::Digest;
use crate::encode::Codec;
use crate::format::{WriteCx, WriteError};
use crate::rope::Rope;
use crate::tree::{Content, Entry, FileTree, Mark, Mode, Node, TreeBuilder, TreeError, TreePath};

/// The annotation on a layer's descriptor that says what the layer is for.
pub const LAYER_KEY: &str = "dev.bake.layer";

/// The annotation on a layer's descriptor with the layer's name, if the tree is split into several.
pub const LAYER_NAME_KEY: &str = "dev.bake.layer.name";

/// What history says of the tree, with `: NAME` after it if there are several layers of it.
const OF_THE_TREE: &str = "the tree";

/// What history says of account databases.
const OF_ACCOUNTS: &str = "accounts, merged with the base's";

/// What a layer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The tree itself, or a part of it.
    Payload,
    /// What the tree needs in an image and packages get from their system: state directories,
    /// certificates, account databases if there is no base.
    Support,
    /// Account databases merged with the base's: all of the image's own that depends on its base.
    Accounts,
}

impl Role {
    /// Returns the word that the annotation holds.
    pub fn word(self) -> &'static str {
        match self {
            Self::Payload => "payload",
            Self::Support => "support",
            Self::Accounts => "accounts",
        }
    }

    /// Returns what a layer of bake's is for that history says this of.
    pub(super) fn of_comment(comment: &str) -> Self {
        match comment.split_once(": ").map_or(comment, |(of, _)| of) {
            OF_THE_TREE => Self::Payload,
            OF_ACCOUNTS => Self::Accounts,
            _ => Self::Support,
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
    /// What history says of it.
    pub(super) comment: String,
}

impl Layer {
    /// Writes a tree, without its ghosts, as layers, the lowest first.
    pub fn payload(
        image: &Image,
        tree: &FileTree,
        cx: &WriteCx<'_>,
    ) -> Result<Vec<Self>, WriteError> {
        let tree = tree.filter(|_, entry| entry.mark != Mark::Ghost)?;
        let mut parts = image.layering.split(tree)?;
        if image.base.is_some() {
            parts.retain(|part| !part.is_empty());
        } else if parts.is_empty() {
            // An image without a layer is more than some engines can bear.
            parts.push(Part { name: None, tree: FileTree::default() });
        }
        let write = |part: &Part| {
            let comment = match &part.name {
                Some(name) => format!("{OF_THE_TREE}: {name}"),
                None => OF_THE_TREE.to_owned(),
            };
            let mut layer = Self::write(image, &part.tree, Role::Payload, comment, cx)?;
            if let Some(name) = &part.name {
                layer.descriptor.annotations.insert(LAYER_NAME_KEY.into(), name.clone());
            }
            Ok(layer)
        };
        parts.iter().map(write).collect()
    }

    /// Writes what a tree needs in an image as a layer to go on top; `None` if that is nothing.
    ///
    /// `databases` are files to list accounts in: those of an image without a base.
    pub(super) fn support(
        image: &Image,
        tree: &FileTree,
        databases: Vec<(TreePath, String)>,
        cx: &WriteCx<'_>,
    ) -> Result<Option<Self>, WriteError> {
        let mut builder = TreeBuilder::new();
        let mut is_empty = databases.is_empty();
        for (path, text) in databases {
            cx.blobs.put(text.as_bytes())?;
            let entry = Entry::file(Content::of(text.as_bytes()), Mode::PLAIN);
            add(&mut builder, tree, path, entry)?;
        }
        for (path, file) in &image.support {
            add_support(&mut builder, tree, path, file, cx)?;
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
        let comment = match (image.base.is_some(), image.support.is_empty()) {
            (false, true) => "accounts and state directories",
            (false, false) => "accounts, state directories and files of the system",
            (true, true) => "state directories",
            (true, false) => "state directories and files of the system",
        };
        let comment = comment.to_owned();
        Self::write(image, &builder.finish()?, Role::Support, comment, cx).map(Some)
    }

    /// Writes account databases that were merged with a base's; `None` if nothing was added.
    pub(super) fn accounts(
        image: &Image,
        databases: Vec<(TreePath, Vec<u8>)>,
        cx: &WriteCx<'_>,
    ) -> Result<Option<Self>, WriteError> {
        if databases.is_empty() {
            return Ok(None);
        }
        let mut builder = TreeBuilder::new();
        for (path, text) in databases {
            cx.blobs.put(&text)?;
            builder.insert(path, Entry::file(Content::of(&text), Mode::PLAIN))?;
        }
        let comment = OF_ACCOUNTS.to_owned();
        Self::write(image, &builder.finish()?, Role::Accounts, comment, cx).map(Some)
    }

    fn write(
        image: &Image,
        tree: &FileTree,
        role: Role,
        comment: String,
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
        // A directory that leads to a file and is listed would replace the base's: its mode, or the
        // link that it is there.
        let listed = if image.base.is_some() { Listed::ByName } else { Listed::All };
        let encoded = cx.encoder.encode(&tar(tree, listed, cx)?, compression)?;
        let media_type = format!("{}{suffix}", media_type::LAYER);
        let mut descriptor = Descriptor::new(media_type, encoded.blob);
        descriptor.annotations.clone_from(&image.layer_annotations);
        descriptor.annotations.insert(LAYER_KEY.into(), role.word().into());
        Ok(Self { descriptor, diff_id: encoded.raw.digest, rope: encoded.rope, comment })
    }
}

/// Which directories a layer lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Listed {
    /// All but the root, unless that was asked for by name.
    All,
    /// Those that were asked for by name.
    ByName,
}

/// Adds a file of the system to the support layer.
fn add_support(
    builder: &mut TreeBuilder,
    tree: &FileTree,
    path: &TreePath,
    file: &SupportFile,
    cx: &WriteCx<'_>,
) -> Result<(), WriteError> {
    if tree.get(path).is_some() {
        let fault = "the tree brings this file itself, expected one of both";
        return Err(field_error("support", fault, &path.to_string()));
    }
    if let Some(bytes) = &file.bytes {
        cx.blobs.put(bytes)?;
    }
    add(builder, tree, path.clone(), Entry::file(file.content, file.mode))
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
fn tar(tree: &FileTree, listed: Listed, cx: &WriteCx<'_>) -> Result<Rope, WriteError> {
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
        if !(entry.implied && (path.is_root() || listed == Listed::ByName)) {
            writer.append(path, entry)?;
        }
    }
    Ok(writer.finish())
}
