//! What an index says of one package: kept from the index before, or new.

use std::io::{self, Write};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

/// The text of one package in an index.
#[derive(Debug, Clone)]
pub(super) enum Text {
    /// A range of a file: of the index before.
    Kept {
        /// The file, uncompressed.
        file: Arc<std::fs::File>,
        /// Where the text starts.
        offset: u64,
        /// How many bytes it has.
        len: usize,
    },
    /// Text that was made now.
    New(String),
}

impl Text {
    /// Returns whether the text was made now.
    pub(super) fn is_new(&self) -> bool {
        matches!(self, Self::New(_))
    }

    /// Appends the text to an index.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::New(text) => out.write_all(text.as_bytes()),
            Self::Kept { file, offset, len } => {
                let mut bytes = vec![0; *len];
                file.read_exact_at(&mut bytes, *offset)?;
                out.write_all(&bytes)
            }
        }
    }
}
