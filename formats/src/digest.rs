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
use sha2::digest::common::hazmat::{SerializableState, SerializedState};

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
    let mut text = String::with_capacity(bytes.len() * 2);
    push_hex(&mut text, bytes);
    text
}

/// Appends bytes as lower-case hex digits.
pub(crate) fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
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

    /// Returns everything that taking in more bytes later depends on.
    pub fn checkpoint(&self) -> HasherState {
        let state = self.sha256.serialize();
        let mut bytes = [0; HasherState::LEN];
        let (words, tail) = bytes.split_at_mut(HasherState::WORDS);
        words.copy_from_slice(&state[..HasherState::WORDS]);
        let (len, buffered) = tail.split_at_mut(8);
        len.copy_from_slice(&self.len.to_le_bytes());
        // Behind the words there is the number of blocks, and how many bytes are buffered.
        buffered.copy_from_slice(&state[HasherState::WORDS + 9..]);
        HasherState(bytes)
    }

    /// Goes on where [`Hasher::checkpoint`] was called; `None` if there is no such place.
    pub fn resume(state: &HasherState) -> Option<Self> {
        let len = state.len();
        let mut serialized = SerializedState::<sha2::Sha256>::default();
        let (words, tail) = serialized.split_at_mut(HasherState::WORDS);
        words.copy_from_slice(&state.0[..HasherState::WORDS]);
        let (place, buffered) = tail.split_at_mut(9);
        place[..8].copy_from_slice(&(len / BLOCK).to_le_bytes());
        place[8] = (len % BLOCK).to_le_bytes()[0];
        buffered.copy_from_slice(&state.0[HasherState::WORDS + 8..]);
        let sha256 = sha2::Sha256::deserialize(&serialized).ok()?;
        Some(Self { sha256, len })
    }
}

/// How many bytes SHA-256 takes in at a time (FIPS 180-4, 6.2).
const BLOCK: u64 = 64;

/// A [`Hasher`] between two bytes, as bytes that can be kept.
///
/// ```text
/// | 8 words of SHA-256, little-endian | length u64, little-endian | buffered bytes, then zeros |
/// |                32                 |             8             |             63             |
/// ```
///
/// Of the bytes taken in, `length % 64` are buffered: those that fill no block yet. Nothing tells
/// whether the words are right, so whoever keeps a state keeps a digest of it too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HasherState([u8; Self::LEN]);

impl HasherState {
    /// How many bytes a state is.
    pub const LEN: usize = Self::WORDS + 8 + 63;
    const WORDS: usize = 32;

    /// Parses what [`HasherState::as_bytes`] gave; `None` if it is not the state of a hasher: there
    /// are more bits than SHA-256 can count, or more bytes are buffered than the length says.
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Option<Self> {
        let state = Self(*bytes);
        let buffered = usize::try_from(state.len() % BLOCK).ok()?;
        let is_padded = bytes[Self::WORDS + 8 + buffered..].iter().all(|byte| *byte == 0);
        (is_padded && state.len() <= u64::MAX / 8).then_some(state)
    }

    /// Returns the state as bytes.
    pub fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Returns how many bytes the hasher took in.
    pub fn len(&self) -> u64 {
        let mut len = [0; 8];
        len.copy_from_slice(&self.0[Self::WORDS..Self::WORDS + 8]);
        u64::from_le_bytes(len)
    }

    /// Returns whether the hasher took in no byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for HasherState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HasherState").field("len", &self.len()).finish_non_exhaustive()
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
    #[test]
    fn a_hasher_goes_on_from_every_place() {
        let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(400).collect();
        for at in 0..=200 {
            let mut hasher = Hasher::new();
            hasher.update(&bytes[..at]);
            let state = hasher.checkpoint();
            assert_eq!(state.len(), at as u64);
            let state = HasherState::from_bytes(state.as_bytes()).unwrap();
            let mut resumed = Hasher::resume(&state).unwrap();
            assert_eq!((resumed.len(), resumed.digest()), (hasher.len(), hasher.digest()));
            resumed.update(&bytes[at..]);
            assert_eq!(resumed.digest(), Digest::of(&bytes), "cut at {at}");
            assert_eq!(resumed.len(), 400);
        }
    }

    /// What is kept must not change its meaning with a new version of the library.
    #[test]
    fn a_state_is_words_length_and_rest() {
        let mut hasher = Hasher::new();
        hasher.update(b"abc");
        // FIPS 180-4, 5.3.3.
        let words = [
            0x6a09_e667_u32,
            0xbb67_ae85,
            0x3c6e_f372,
            0xa54f_f53a,
            0x510e_527f,
            0x9b05_688c,
            0x1f83_d9ab,
            0x5be0_cd19,
        ];
        let mut expected: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        expected.extend([3, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend(b"abc");
        expected.resize(HasherState::LEN, 0);
        assert_eq!(hasher.checkpoint().as_bytes(), expected.as_slice());
    }

    #[test]
    fn rejects_what_is_not_the_state_of_a_hasher() {
        let mut hasher = Hasher::new();
        hasher.update(&[7; 100]);
        let state = *hasher.checkpoint().as_bytes();
        assert!(HasherState::from_bytes(&state).is_some());
        for (at, byte) in [(32, 99), (39, 0x20), (HasherState::LEN - 1, 1)] {
            let mut other = state;
            other[at] = byte;
            assert_eq!(HasherState::from_bytes(&other), None, "{at}");
        }
    }
}
