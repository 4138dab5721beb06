//! Credentials in the firmware's tables: OEM strings (SMBIOS 3.6, section 7.12: type 11).
//!
//! ```text
//! 0  11
//! 1  length of what stands before the strings, 5
//! 2  handle
//! 4  number of strings
//! 5  strings, each ended by NUL, and another NUL at the end
//! ```
//!
//! Those that are `io.systemd.credential:NAME=VALUE` or `io.systemd.credential.binary:NAME=BASE64` are
//! credentials, as systemd reads them.

use crate::base64;

/// The type of a structure of OEM strings.
const OEM_STRINGS: u8 = 11;

/// A credential, as the firmware hands it over.
#[derive(Debug, PartialEq, Eq)]
pub struct Credential {
    /// What the sender calls it; nothing was checked yet.
    pub name: String,
    /// Its bytes.
    pub value: Vec<u8>,
}

/// Returns the credentials in a raw structure, in order; others and damaged ones are left out.
pub fn credentials(raw: &[u8]) -> Vec<Credential> {
    strings(raw).filter_map(credential).collect()
}

fn strings(raw: &[u8]) -> impl Iterator<Item = &[u8]> {
    let strings = match raw {
        [OEM_STRINGS, length, ..] => raw.get(usize::from(*length)..).unwrap_or_default(),
        _ => &[],
    };
    strings.split(|byte| *byte == 0).take(usize::from(u8::MAX))
}

fn credential(string: &[u8]) -> Option<Credential> {
    let string = string.strip_prefix(b"io.systemd.credential")?;
    let (string, binary) = match string.strip_prefix(b".binary:") {
        Some(string) => (string, true),
        None => (string.strip_prefix(b":")?, false),
    };
    let equals = string.iter().position(|byte| *byte == b'=')?;
    let (name, value) = (&string[..equals], &string[equals + 1..]);
    let value = if binary { base64::decode(value)? } else { value.to_owned() };
    Some(Credential { name: String::from_utf8(name.to_owned()).ok()?, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn structure(strings: &[&str]) -> Vec<u8> {
        let mut raw = vec![11, 5, 0, 1, u8::try_from(strings.len()).unwrap()];
        for string in strings {
            raw.extend_from_slice(string.as_bytes());
            raw.push(0);
        }
        raw.push(0);
        raw
    }

    fn found(raw: &[u8]) -> Vec<(String, Vec<u8>)> {
        credentials(raw).into_iter().map(|found| (found.name, found.value)).collect()
    }

    #[test]
    fn finds_text_and_binary_credentials() {
        let raw = structure(&[
            "a vendor's own",
            "io.systemd.credential:db.url=postgres://h/?a=b",
            "io.systemd.credential.binary:key=AAH/",
            "io.systemd.credential:empty=",
        ]);
        let expected = [
            ("db.url".into(), b"postgres://h/?a=b".to_vec()),
            ("key".into(), vec![0, 1, 255]),
            ("empty".into(), vec![]),
        ];
        assert_eq!(found(&raw), expected);
    }

    #[test]
    fn damaged_structures_give_what_is_whole() {
        let raw = structure(&["io.systemd.credential:a=1"]);
        for length in 0..raw.len() {
            assert!(found(&raw[..length]).len() <= 1, "{length}");
        }
        for (index, bit) in (0..raw.len()).flat_map(|index| (0..8).map(move |bit| (index, bit))) {
            let mut flipped = raw.clone();
            flipped[index] ^= 1 << bit;
            assert!(found(&flipped).len() <= 1, "{index} {bit}");
        }
        assert_eq!(found(&[11, 255, 0, 0, 1, b'a', 0, 0]), []);
        assert_eq!(found(&[1, 5, 0, 0, 1, b'a', 0, 0]), []);
        let broken = structure(&[
            "io.systemd.credential:no value",
            "io.systemd.credential.binary:key=A",
            "io.systemd.credentials:a=1",
        ]);
        assert_eq!(found(&broken), []);
    }
}
