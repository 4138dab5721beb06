//! Why an ELF file cannot be read.

use std::io;

/// Why an ELF file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ElfError {
    /// The bytes break a rule of the format.
    #[error("{what} at offset {offset}: expected {expected}, found {found}")]
    Invalid {
        /// The field or table.
        what: &'static str,
        /// Where it is, in bytes from the start of the file.
        offset: u64,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The bytes could not be read.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl ElfError {
    #[expect(clippy::needless_pass_by_value, reason = "callers pass what they have at hand")]
    pub(super) fn invalid(
        what: &'static str,
        offset: u64,
        expected: impl ToString,
        found: impl ToString,
    ) -> Self {
        Self::Invalid { what, offset, expected: expected.to_string(), found: found.to_string() }
    }

    /// Returns whether the file is at fault rather than the reading of it.
    pub fn is_invalid(&self) -> bool {
        matches!(self, Self::Invalid { .. })
    }
}
