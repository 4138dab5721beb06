//! Files that an image has besides the tree: certificates, time zones.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::tree::{Content, Mode};

/// A regular file of root's that an image has besides the tree.
///
/// Its bytes come with it, or from the blob source as the tree's contents do: a model that was read
/// from an image knows only their digest.
#[derive(Debug, Clone)]
pub struct SupportFile {
    /// Digest and size.
    pub content: Content,
    /// The permission bits.
    pub mode: Mode,
    /// The bytes.
    pub bytes: Option<Arc<[u8]>>,
}

impl SupportFile {
    /// Returns a file with its bytes.
    pub fn new(bytes: impl Into<Arc<[u8]>>, mode: Mode) -> Self {
        let bytes = bytes.into();
        Self { content: Content::of(&bytes), mode, bytes: Some(bytes) }
    }
}

impl PartialEq for SupportFile {
    fn eq(&self, other: &Self) -> bool {
        (self.content, self.mode) == (other.content, other.mode)
    }
}

/// What identifies the file, for the key of the work.
impl Serialize for SupportFile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.content.digest, self.content.size, self.mode.bits()).serialize(serializer)
    }
}
