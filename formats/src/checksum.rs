//! Checksums: whether bytes that were written moments or months ago are still the same.
//!
//! A [`Checksum`] is XXH3 with 64 bits. It finds what disks, memory and interrupted writes do to bytes, in a tenth of the
//! time of a [`Digest`](crate::digest::Digest), and is no identity: who wants to can make other bytes that have it.

use std::fmt;
use std::hash::Hasher as _;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

/// The XXH3 of some bytes. Prints as 16 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Checksum(u64);

impl Checksum {
    /// Returns the checksum of bytes that are all in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self(XxHash3_64::oneshot(bytes))
    }

    /// Returns the 8 bytes, the least significant first.
    pub(crate) fn to_bytes(self) -> [u8; 8] {
        self.0.to_le_bytes()
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "xxh3:{self}")
    }
}

impl Serialize for Checksum {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Checksum {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let text = String::deserialize(deserializer)?;
        let is_hex = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let parsed = u64::from_str_radix(&text, 16).ok().filter(|_| is_hex);
        parsed.map(Self).ok_or_else(|| D::Error::custom("expected 16 hex digits"))
    }
}

/// Computes a [`Checksum`] from bytes as they pass.
#[derive(Clone)]
pub struct Checksummer(XxHash3_64);

impl fmt::Debug for Checksummer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checksummer").finish_non_exhaustive()
    }
}

impl Default for Checksummer {
    fn default() -> Self {
        Self(XxHash3_64::new())
    }
}

impl Checksummer {
    /// Takes in more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    /// Returns the checksum of the bytes so far.
    pub fn checksum(&self) -> Checksum {
        Checksum(self.0.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_that_of_the_reference_implementation_however_the_bytes_come() {
        // What `xxhsum -H3` prints for a file that holds nothing, and one that holds an `a`.
        assert_eq!(Checksum::of(b"").to_string(), "2d06800538d394c2");
        assert_eq!(Checksum::of(b"a").to_string(), "e6c632b61e964e1f");
        let bytes: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut checksummer = Checksummer::default();
        for part in bytes.chunks(999) {
            checksummer.update(part);
        }
        assert_eq!(checksummer.checksum(), Checksum::of(&bytes));
        let mut other = bytes.clone();
        other[123_456] ^= 1;
        assert_ne!(Checksum::of(&other), Checksum::of(&bytes));
    }

    #[test]
    fn is_written_as_it_is_printed_and_read_strictly() {
        let checksum = Checksum::of(b"a");
        let text = serde_json::to_string(&checksum).unwrap();
        assert_eq!(text, "\"e6c632b61e964e1f\"");
        assert_eq!(serde_json::from_str::<Checksum>(&text).unwrap(), checksum);
        for text in ["\"\"", "\"+6c632b61e964e1f\"", "\"e6c632b61e964e1\"", "7"] {
            serde_json::from_str::<Checksum>(text).unwrap_err();
        }
    }
}
