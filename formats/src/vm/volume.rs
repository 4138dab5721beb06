//! The file systems that a disk can have, behind one face.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::erofs::{self, Erofs};
use super::ext4::{self, Ext4, FileSystemWriter, Volume};
use super::machine::FileSystem;
use super::walk;
use crate::format::{Problem, ReadError, Visitor, WriteError};
use crate::input::ReadAt;
use crate::rope::Rope;
use crate::tree::{FileTree, Owner, TreePath};

impl FileSystem {
    /// Describes the bytes of a file system whose root is a tree.
    pub(super) fn write(self, tree: &FileTree, volume: &Volume<'_>) -> Result<Rope, WriteError> {
        match self {
            Self::Ext4 => Ext4.write(tree, volume),
            Self::Erofs => Erofs.write(tree, volume),
        }
    }
}

/// An open file system.
pub(super) enum Image {
    Ext4(Box<ext4::Image>),
    Erofs(erofs::Image),
}

impl Image {
    /// Returns whether a file system of a known kind is there.
    pub(super) fn is_at_start_of(disk: &dyn ReadAt) -> bool {
        ext4::Image::is_at_start_of(disk) || erofs::Image::is_at_start_of(disk)
    }

    /// Opens a file system of a known kind.
    pub(super) fn open(disk: Arc<dyn ReadAt>) -> Result<Self, ReadError> {
        if erofs::Image::is_at_start_of(&*disk) {
            return Ok(Self::Erofs(erofs::Image::open(disk)?));
        }
        Ok(Self::Ext4(Box::new(ext4::Image::open(disk)?)))
    }

    /// Returns the length of the file system in bytes.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Ext4(image) => image.size(),
            Self::Erofs(image) => image.size(),
        }
    }

    /// Returns the UUID.
    pub(super) fn uuid(&self) -> [u8; 16] {
        match self {
            Self::Ext4(image) => image.uuid(),
            Self::Erofs(image) => image.uuid(),
        }
    }

    /// Returns the seed of the hash that orders large directories, if there is one.
    pub(super) fn hash_seed(&self) -> Option<[u8; 16]> {
        match self {
            Self::Ext4(image) => Some(image.hash_seed()),
            Self::Erofs(_) => None,
        }
    }

    /// Returns whether it has a directory for what is found without a name.
    pub(super) fn has_lost_and_found(&self) -> bool {
        match self {
            Self::Ext4(_) => true,
            Self::Erofs(_) => false,
        }
    }

    /// Returns the label's bytes.
    pub(super) fn label(&self) -> &[u8] {
        match self {
            Self::Ext4(image) => image.label(),
            Self::Erofs(image) => image.label(),
        }
    }

    /// Reads a small file, if there is one at this path; links are not followed.
    pub(super) fn small_file(
        &self,
        path: &TreePath,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, ReadError> {
        match self {
            Self::Ext4(image) => walk::small_file(&**image, path, limit),
            Self::Erofs(image) => walk::small_file(image, path, limit),
        }
    }

    /// Returns what is wanted of the file system as a tree; `owners` gives names to numbers of users
    /// and of groups.
    pub(super) fn walk(
        &self,
        owners: &dyn Fn(u32, u32) -> (Owner, Owner),
        wanted: &dyn Fn(&TreePath) -> bool,
    ) -> Result<FileTree, ReadError> {
        match self {
            Self::Ext4(image) => walk::walk(&**image, owners, wanted),
            Self::Erofs(image) => walk::walk(image, owners, wanted),
        }
    }

    /// Hands over files, each under the path that `wanted` says.
    pub(super) fn visit(
        &self,
        wanted: &dyn Fn(&TreePath) -> Option<TreePath>,
        visitor: &mut Visitor<'_>,
    ) -> Result<ControlFlow<()>, ReadError> {
        match self {
            Self::Ext4(image) => walk::visit(&**image, wanted, visitor),
            Self::Erofs(image) => walk::visit(image, wanted, visitor),
        }
    }

    /// Lists every structure whose checksum or form is wrong.
    pub(super) fn check(&self) -> Result<Vec<Problem>, ReadError> {
        match self {
            Self::Ext4(image) => image.check(),
            Self::Erofs(image) => image.check(),
        }
    }
}
