//! PAX extended header records: `LENGTH KEY=VALUE` and a line feed, LENGTH in decimal, counting
//! itself (POSIX.1-2024, pax, "pax Extended Header").

use std::collections::BTreeMap;

use crate::format::ReadError;
use crate::tree::escape;

/// The key prefix under which extended attributes travel.
pub(super) const XATTR: &str = "SCHILY.xattr.";

/// Appends one record.
pub(super) fn push_record(records: &mut Vec<u8>, key: &str, value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut len = rest + 1;
    while rest + len.to_string().len() != len {
        len = rest + len.to_string().len();
    }
    records.extend_from_slice(format!("{len} {key}=").as_bytes());
    records.extend_from_slice(value);
    records.push(b'\n');
}

/// The records that mean something here.
#[derive(Debug, Clone, Default)]
pub(super) struct Records {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link_path: Option<Vec<u8>>,
    pub(super) uname: Option<Vec<u8>>,
    pub(super) gname: Option<Vec<u8>>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) size: Option<u64>,
    pub(super) xattrs: BTreeMap<String, Vec<u8>>,
}

impl Records {
    /// Reads all records of one extended header over those that are there already.
    pub(super) fn parse(&mut self, bytes: &[u8], what: &str, offset: u64) -> Result<(), ReadError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let place = offset + (bytes.len() - rest.len()) as u64;
            let Some((key, value, after)) = split_record(rest) else {
                let found = format!("`{}`", escape(&rest[..rest.len().min(40)]));
                let what = format!("{what}: PAX record");
                return Err(ReadError::malformed(what, place, "LENGTH KEY=VALUE", found));
            };
            self.set(key, value).map_err(|reason| {
                ReadError::malformed(format!("{what}: PAX record {key}"), place, reason, {
                    format!("`{}`", escape(&value[..value.len().min(80)]))
                })
            })?;
            rest = after;
        }
        Ok(())
    }

    /// Takes in one record; an empty value removes what an earlier one set.
    fn set(&mut self, key: &str, value: &[u8]) -> Result<(), &'static str> {
        let text = || (!value.is_empty()).then(|| value.to_vec());
        let number = || {
            let Some(text) = text() else { return Ok(None) };
            let digits = text.iter().all(u8::is_ascii_digit);
            let number = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
            number.filter(|_| digits).map(Some).ok_or("a decimal number")
        };
        match key {
            "path" | "linkpath" | "uname" | "gname" if value.contains(&0) => {
                return Err("no NUL byte");
            }
            "path" => self.path = text(),
            "linkpath" => self.link_path = text(),
            "uname" => self.uname = text(),
            "gname" => self.gname = text(),
            "uid" => self.uid = number()?,
            "gid" => self.gid = number()?,
            "size" => self.size = number()?,
            _ if key.starts_with("GNU.sparse.") => return Err("no sparse file"),
            _ => {
                if let Some(name) = key.strip_prefix(XATTR).filter(|name| !name.is_empty()) {
                    self.xattrs.insert(name.into(), value.to_vec());
                }
            }
        }
        Ok(())
    }
}

/// Returns the key and value of the first record, and what follows it.
fn split_record(bytes: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let space = bytes.iter().take(20).position(|byte| *byte == b' ')?;
    let (digits, _) = bytes.split_at(space);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let len: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let (record, after) = bytes.split_at_checked(len)?;
    let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    let key = std::str::from_utf8(&record[..equals]).ok().filter(|key| !key.is_empty())?;
    Some((key, &record[equals + 1..], after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_counts_itself() {
        for size in [0, 1, 2, 3, 80, 81, 82, 83, 84, 85, 980, 981, 982, 983, 984, 985, 986] {
            let value = vec![b'v'; size];
            let mut record = Vec::new();
            push_record(&mut record, "path", &value);
            let Some((key, back, rest)) = split_record(&record) else {
                panic!("{size}: {}", escape(&record))
            };
            assert_eq!((key, back, rest), ("path", value.as_slice(), &b""[..]), "{size}");
        }
    }

    #[test]
    fn rejects_malformed_records() {
        let bad: [&[u8]; 12] = [
            b"x",
            b"10 path=ab",
            b"8 path=a\n",
            b"11 path=abc",
            b"0 path=a\n",
            b"-1 path=a\n",
            b"99999999999999999999999 a=b\n",
            b"5 =a\n",
            b"6 abc\n",
            b"12 size=12x\n",
            b"10 uid=-1\n",
            b"24 GNU.sparse.major=1.0\n",
        ];
        for bytes in bad {
            let result = Records::default().parse(bytes, "tar", 0);
            assert!(result.is_err(), "{}", escape(bytes));
        }
    }
}
