//! Extended attributes (documentation of EROFS, "Extended attributes").
//!
//! Behind an inode stand a header, the numbers of attributes that are kept elsewhere because several
//! inodes share them, and the inode's own attributes:
//!
//! ```text
//! │ filter, 4 │ number of shared ones, 1 │ 0, 7 │ shared, 4 each │ attribute │ attribute │
//! attribute: │ length of name │ prefix │ length of value, 2 │ name │ value │ zeros to 4 │
//! ```
//!
//! What is written here shares none.

use super::fields::{u16_at, u32_at};
use crate::format::ReadError;
use crate::tree::XattrName;

/// The length of the header.
const HEADER: usize = 12;
/// The length of an attribute without name and value.
pub(super) const ATTRIBUTE: usize = 4;
/// The most that an inode can say of its attributes, in bytes.
pub(super) const LEN_MAX: usize = 8 + 4 * u16::MAX as usize;
/// The longest value.
pub(super) const VALUE_MAX: usize = u16::MAX as usize;

/// The beginnings of names, which are stored as a number. The first two are whole names.
const PREFIXES: [(u8, &str); 5] = [
    (2, "system.posix_acl_access"),
    (3, "system.posix_acl_default"),
    (1, "user."),
    (4, "trusted."),
    (6, "security."),
];

/// Returns the number of a name's beginning and the rest; `None` if the format has none for it.
pub(super) fn split(name: &str) -> Option<(u8, &str)> {
    PREFIXES.into_iter().find_map(|(number, prefix)| {
        let rest = name.strip_prefix(prefix)?;
        (rest.is_empty() != prefix.ends_with('.')).then_some((number, rest))
    })
}

/// Appends one attribute, whose lengths were checked, to those of an inode.
pub(super) fn push(bytes: &mut Vec<u8>, prefix: u8, name: &str, value: &[u8]) {
    if bytes.is_empty() {
        bytes.resize(HEADER, 0);
    }
    bytes.extend([u8::try_from(name.len()).unwrap_or(u8::MAX), prefix]);
    bytes.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend(name.as_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// The attributes behind an inode.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    /// The numbers of those that are kept elsewhere.
    pub(super) shared: Vec<u32>,
    pub(super) own: Vec<(XattrName, Vec<u8>)>,
}

/// Parses what is behind an inode.
pub(super) fn parse(what: &str, bytes: &[u8]) -> Result<Attributes, ReadError> {
    let fail = |reason: &str| Err(ReadError::invalid(what, reason));
    if bytes.is_empty() {
        return Ok(Attributes::default());
    }
    let Some((header, rest)) = bytes.split_at_checked(HEADER) else {
        return fail("attributes without a header");
    };
    let Some((shared, mut rest)) = rest.split_at_checked(usize::from(header[4]) * 4) else {
        return fail("more shared attributes than there is room for");
    };
    let shared = shared.chunks_exact(4).map(|number| u32_at(number, 0)).collect();
    let mut own = Vec::new();
    while !rest.is_empty() {
        let len = len(rest);
        let Some((attribute, after)) = rest.split_at_checked(len.next_multiple_of(4)) else {
            return fail("an attribute that does not end where the others do");
        };
        own.push(parse_one(what, attribute)?);
        rest = after;
    }
    Ok(Attributes { shared, own })
}

/// Returns the length of the attribute that begins with these bytes, without what follows its value.
pub(super) fn len(attribute: &[u8]) -> usize {
    let name = attribute.first().copied().unwrap_or_default();
    ATTRIBUTE + usize::from(name) + usize::from(u16_at(attribute, 2))
}

/// Parses one attribute, all of which is there.
pub(super) fn parse_one(what: &str, bytes: &[u8]) -> Result<(XattrName, Vec<u8>), ReadError> {
    let fail = || ReadError::invalid(what, "an attribute with an impossible name");
    let (number, end) = (bytes.get(1).copied().unwrap_or_default(), len(bytes));
    let name_end = ATTRIBUTE + usize::from(bytes.first().copied().unwrap_or_default());
    let name = bytes.get(ATTRIBUTE..name_end).ok_or_else(fail)?;
    let name = std::str::from_utf8(name).map_err(|_| fail())?;
    let prefix = PREFIXES.into_iter().find(|(known, _)| *known == number);
    let (_, prefix) = prefix.ok_or_else(fail)?;
    let name = format!("{prefix}{name}");
    if split(&name).is_none() || name.contains('\0') {
        return Err(fail());
    }
    let value = bytes.get(name_end..end).unwrap_or_default().to_vec();
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_at_what_is_known() {
        assert_eq!(split("user.a.b"), Some((1, "a.b")));
        assert_eq!(split("security.capability"), Some((6, "capability")));
        assert_eq!(split("system.posix_acl_access"), Some((2, "")));
        for name in ["user.", "user", "system.other", "system.posix_acl_access.x", ""] {
            assert_eq!(split(name), None, "{name}");
        }
    }

    #[test]
    fn survive_and_every_cut_is_noticed() {
        let mut bytes = Vec::new();
        let own = [("user.a", &b""[..]), ("trusted.long", &[7; 3000]), ("user.b", b"12345")];
        for (name, value) in own {
            let (prefix, rest) = split(name).unwrap();
            push(&mut bytes, prefix, rest, value);
        }
        let parsed = parse("test", &bytes).unwrap();
        let expected = own.map(|(name, value)| (name.to_owned(), value.to_vec()));
        assert_eq!(parsed, Attributes { shared: vec![], own: expected.to_vec() });
        let whole = [12, 20, 3028];
        for end in 1..bytes.len() {
            let read = parse("test", &bytes[..end]);
            assert_eq!(read.is_ok(), whole.contains(&end), "{end}");
        }
    }
}
