//! The files of a tree by their paths, with what they hold.

use std::io::{self, Read};

use bake_formats::blob::BlobSource;
use bake_formats::input::ReadAt;
use bake_formats::tree::{Content, FileTree, TreePath};

use crate::survey::{self, Found};

/// The longest text that is read whole, in bytes.
pub(super) const MAX_TEXT: u64 = 4 << 20;

/// A tree and where its contents are.
#[derive(Clone, Copy)]
pub struct Files<'a> {
    /// The tree.
    pub tree: &'a FileTree,
    /// Where contents are read from.
    pub contents: &'a dyn BlobSource,
}

impl std::fmt::Debug for Files<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").field("entries", &self.tree.len()).finish_non_exhaustive()
    }
}

impl<'a> Files<'a> {
    /// Follows every symbolic link of a path, as the kernel does; `None` if it leads to nothing.
    pub fn find(&self, path: impl AsRef<[u8]>) -> Option<Found<'a>> {
        survey::find(self.tree, path.as_ref(), true)
    }

    /// Returns where a regular file is, links followed.
    pub fn file(&self, path: impl AsRef<[u8]>) -> Option<&'a TreePath> {
        let found = self.find(path)?;
        self.tree.content(found.path).map(|_| found.path)
    }

    /// Returns what a regular file holds, links followed; `None` if there is none.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is longer than any text should be.
    pub fn text(&self, path: impl AsRef<[u8]>) -> io::Result<Option<Vec<u8>>> {
        let Some(path) = self.file(path) else { return Ok(None) };
        let Some(content) = self.tree.content(path) else { return Ok(None) };
        if content.size > MAX_TEXT {
            let size = content.size;
            let reason = format!("`{path}`: expected at most {MAX_TEXT} bytes, found {size}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        let mut bytes = Vec::new();
        if content.size > 0 {
            let reader = self.contents.open(&content.digest, 0)?;
            reader.take(content.size).read_to_end(&mut bytes)?;
        }
        Ok(Some(bytes))
    }

    /// Opens the regular file at exactly this path, to be read where wanted; anything else is empty.
    pub(super) fn open_at(&self, path: &TreePath) -> FileBytes<'a> {
        FileBytes { content: self.tree.content(path).copied(), contents: self.contents }
    }
}

/// A file that is read where asked.
pub(super) struct FileBytes<'a> {
    content: Option<Content>,
    contents: &'a dyn BlobSource,
}

impl ReadAt for FileBytes<'_> {
    fn len(&self) -> u64 {
        self.content.map_or(0, |content| content.size)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match self.content.filter(|content| offset < content.size) {
            Some(content) => self.contents.open(&content.digest, offset)?.read(buffer),
            None => Ok(0),
        }
    }
}
