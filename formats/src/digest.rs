//! Content digests: the identity of bytes.
//!
//! A [`Digest`] is always SHA-256 and prints as `sha256:<64 lower-case hex digits>`, the form of
//! the OCI image specification (descriptor.md, "Digests"). It comes from a [`Hasher`] or from a
//! strict parse, never from unchecked text.

use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

/// The SHA-256 digest of some bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// Why text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a digest: {reason}")]
pub struct DigestError {
    text: String,
    reason: &'static str,
}

impl Digest {
    /// Returns the digest of bytes that are all in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Returns the digest of everything a reader yields, and how many bytes that was.
    pub fn of_reader(mut reader: impl Read) -> io::Result<(Self, u64)> {
        let mut hasher = Hasher::new();
        // Most files are small, and a large buffer costs more to clear than they take to hash.
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let count = reader.read(&mut buffer)?;
            if count == 0 {
                return Ok((hasher.digest(), hasher.len()));
            }
            hasher.update(&buffer[..count]);
            if count == buffer.len() {
                buffer.resize(128 * 1024, 0);
            }
        }
    }

    /// Wraps 32 bytes that were computed as SHA-256 elsewhere, e.g. read from a binary header.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 raw bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the 64 hex digits without the algorithm.
    pub fn hex(&self) -> String {
        hex(&self.0)
    }

    /// Parses 64 hex digits without the algorithm.
    pub fn from_hex(text: &str) -> Result<Self, DigestError> {
        format!("sha256:{text}").parse()
    }
}

/// Returns bytes as lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let fail = |reason| DigestError { text: text.chars().take(100).collect(), reason };
        let Some((algorithm, digits)) = text.split_once(':') else {
            return Err(fail("expected `sha256:` before the hex digits"));
        };
        if algorithm != "sha256" {
            return Err(fail("only sha256 is supported"));
        }
        if digits.len() != 64 {
            return Err(fail("expected 64 hex digits"));
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            let (Some(high), Some(low)) = (digit(pair[0]), digit(pair[1])) else {
                return Err(fail("expected lower-case hex digits"));
            };
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Computes a [`Digest`] from bytes as they pass; also a [`Write`] that accepts everything.
#[derive(Clone)]
pub struct Hasher {
    sha256: sha2::Sha256,
    len: u64,
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").field("len", &self.len).finish_non_exhaustive()
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

impl Hasher {
    /// Starts with no bytes.
    pub fn new() -> Self {
        Self { sha256: sha2::Sha256::new(), len: 0 }
    }

    /// Takes in more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.len += bytes.len() as u64;
    }

    /// Returns how many bytes were taken in.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Returns whether no byte was taken in.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the digest of the bytes so far.
    pub fn digest(&self) -> Digest {
        Digest(self.sha256.clone().finalize().into())
    }
}

impl Write for Hasher {
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
    fn prints_and_parses_the_oci_form() {
        let digest = Digest::of(b"");
        let text = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest.to_string(), text);
        assert_eq!(text.parse(), Ok(digest));
    }

    #[test]
    fn rejects_what_is_not_a_digest() {
        let sixty_three = format!("sha256:{}", "0".repeat(63));
        let upper = format!("sha256:{}", "A".repeat(64));
        let other = format!("sha512:{}", "0".repeat(128));
        for text in ["", "sha256", "sha256:", &sixty_three, &upper, &other] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }
}
