//! The digests that version 6 asks for besides SHA-256.

use std::io::{self, Write};

use sha2::Digest as _;

use crate::blob::BlobSource;
use crate::digest::hex;
use crate::rope::Rope;

/// SHA-512 and SHA3-256 of the same bytes, as hex digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Strong {
    pub(super) sha512: String,
    pub(super) sha3_256: String,
}

impl Strong {
    /// Returns the digests of all that a rope stands for; reads it once.
    pub(super) fn of_rope(rope: &Rope, blobs: &dyn BlobSource) -> io::Result<Self> {
        let mut hasher = StrongHasher::default();
        rope.write_to(blobs, &mut hasher)?;
        Ok(hasher.finish())
    }
}

/// Returns SHA3-256 of bytes in memory, as hex digits.
pub(super) fn sha3_256(bytes: &[u8]) -> String {
    hex(&sha3::Sha3_256::digest(bytes))
}

/// Computes a [`Strong`] from bytes as they pass.
#[derive(Clone, Default)]
pub(super) struct StrongHasher {
    sha512: sha2::Sha512,
    sha3_256: sha3::Sha3_256,
}

impl StrongHasher {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.sha512.update(bytes);
        self.sha3_256.update(bytes);
    }

    pub(super) fn finish(self) -> Strong {
        Strong { sha512: hex(&self.sha512.finalize()), sha3_256: hex(&self.sha3_256.finalize()) }
    }
}

impl Write for StrongHasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_fips_202_and_180() {
        let strong = StrongHasher::default().finish();
        assert!(strong.sha512.starts_with("cf83e1357eefb8bdf1542850d66d8007"));
        assert!(strong.sha3_256.starts_with("a7ffc6f8bf1ed76651c14756a061d662"));
        assert_eq!(strong.sha3_256, sha3_256(b""));
    }
}
