//! GUIDs, which partition tables and disk containers store with their first fields reversed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::Hasher;

/// A GUID, its bytes in the order in which they are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// Derives a GUID from a purpose and what else makes it differ from others (RFC 9562, section
    /// 5.8: version 8, variant 2).
    pub fn derive(purpose: &str, fields: &[&str]) -> Self {
        let mut bytes = derive(purpose, fields);
        bytes[6] = bytes[6] & 0x0f | 0x80;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Self(bytes)
    }

    /// Returns a GUID by its printed form as a number, e.g. `0xc12a7328_f81f_11d2_ba4b_00a0c93ec93b`.
    pub const fn from_u128(printed: u128) -> Self {
        Self(printed.to_be_bytes())
    }

    /// Returns the bytes as they are stored: the first three fields little-endian (UEFI 2.10,
    /// appendix A).
    pub fn to_stored(self) -> [u8; 16] {
        swap_fields(self.0)
    }

    /// Returns the GUID that is stored as these bytes.
    pub fn from_stored(bytes: [u8; 16]) -> Self {
        Self(swap_fields(bytes))
    }
}

/// Derives 16 bytes from a purpose and what else makes them differ from others.
pub(super) fn derive(purpose: &str, fields: &[&str]) -> [u8; 16] {
    let mut hasher = Hasher::new();
    for field in std::iter::once(&purpose).chain(fields) {
        hasher.update(&(field.len() as u64).to_le_bytes());
        hasher.update(field.as_bytes());
    }
    let mut first = [0; 16];
    first.copy_from_slice(&hasher.digest().as_bytes()[..16]);
    first
}

fn swap_fields(mut bytes: [u8; 16]) -> [u8; 16] {
    bytes[..4].reverse();
    bytes[4..6].reverse();
    bytes[6..8].reverse();
    bytes
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = crate::digest::hex(&self.0);
        let [low, middle, high, sequence, node] =
            [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| &hex[range]);
        write!(f, "{low}-{middle}-{high}-{sequence}-{node}")
    }
}

impl FromStr for Guid {
    type Err = GuidError;

    /// Parses the printed form, e.g. `c12a7328-f81f-11d2-ba4b-00a0c93ec93b`.
    fn from_str(text: &str) -> Result<Self, GuidError> {
        let fail = || GuidError(text.into());
        let hex: String = text.split('-').collect();
        let guid = u128::from_str_radix(&hex, 16).map(Self::from_u128).map_err(|_| fail())?;
        if guid.to_string() == text { Ok(guid) } else { Err(fail()) }
    }
}

/// Text that is no GUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a GUID: expected 8-4-4-4-12 lower-case hex digits")]
pub struct GuidError(String);

impl Serialize for Guid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Guid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_parsed_from_its_printed_form_alone() {
        let guid = Guid::derive("disk", &[]);
        assert_eq!(guid.to_string().parse(), Ok(guid));
        let upper = guid.to_string().to_uppercase();
        for text in ["", "c12a7328", &upper, "+12a7328-f81f-11d2-ba4b-00a0c93ec93b"] {
            assert!(text.parse::<Guid>().is_err(), "{text}");
        }
    }

    #[test]
    fn is_stored_with_its_first_fields_reversed() {
        let guid = Guid::from_u128(0xc12a_7328_f81f_11d2_ba4b_00a0_c93e_c93b);
        assert_eq!(guid.to_string(), "c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
        let stored = guid.to_stored();
        assert_eq!(stored[..8], [0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11]);
        assert_eq!(Guid::from_stored(stored), guid);
    }

    #[test]
    fn every_field_counts_and_where_it_ends() {
        let all = [
            Guid::derive("disk", &["a", "b"]),
            Guid::derive("disk", &["ab", ""]),
            Guid::derive("root", &["a", "b"]),
        ];
        assert!(all[0] != all[1] && all[0] != all[2] && all[1] != all[2]);
        for guid in all {
            let text = guid.to_string();
            assert_eq!(&text[14..15], "8", "{text}");
            assert!("89ab".contains(&text[19..20]), "{text}");
        }
    }
}
