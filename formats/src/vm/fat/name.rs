//! Names: what may be one, and the short form that each has (version 1.03, "Long Directory
//! Entries").

use std::collections::{BTreeMap, BTreeSet};

/// A short name, base and extension filled up with spaces.
pub(super) type Short = [u8; 11];

/// The most units of UTF-16 that a name has.
const UNITS_MAX: usize = 255;
/// The characters besides letters and digits that a short name may have.
const SHORT_MARKS: &[u8] = b"$%'-_@~`!(){}^#&";
/// The highest number that makes a short name differ from others.
const TAIL_MAX: u32 = 999_999;

/// A name in both forms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) short: Short,
    /// The units of the long form; none if the short form is the name.
    pub(super) long: Vec<u16>,
}

impl Name {
    /// Returns how many entries of a directory the name takes.
    pub(super) fn entries(&self) -> u64 {
        1 + self.long.len().div_ceil(13) as u64
    }
}

/// Returns why no file may have a name, if none may.
pub(super) fn fault(name: &str) -> Option<String> {
    let forbidden = |c: &char| *c < ' ' || "\"*/:<>?\\|".contains(*c);
    if let Some(c) = name.chars().find(forbidden) {
        return Some(format!("FAT forbids {c:?} in it"));
    }
    if name.ends_with(['.', ' ']) || name.starts_with(' ') {
        return Some("readers drop spaces around a name and dots at its end".into());
    }
    let units = name.encode_utf16().count();
    (units > UNITS_MAX).then(|| format!("expected at most 255 units of UTF-16, found {units}"))
}

/// Returns what is equal for two names that no directory may have both.
pub(super) fn folded(name: &str) -> String {
    let upper = |c: char| {
        let mut upper = c.to_uppercase();
        match (upper.next(), upper.next()) {
            (Some(one), None) => one,
            _ => c,
        }
    };
    name.chars().map(upper).collect()
}

/// Returns whether a byte may stand in a short name.
pub(super) fn is_short(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || SHORT_MARKS.contains(&byte)
}

/// Returns what the pieces of a long name say of the short name that they belong to.
pub(super) fn checksum(short: &Short) -> u8 {
    short.iter().fold(0, |sum: u8, byte| sum.rotate_right(1).wrapping_add(*byte))
}

/// The first part of a name's short form, before it is known to be the only one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Basis {
    base: Vec<u8>,
    extension: Vec<u8>,
    /// Whether all of the name is in it, but for the case of letters.
    whole: bool,
}

impl Basis {
    fn of(name: &str) -> Self {
        let trimmed = name.trim_start_matches('.');
        let (base, extension) = trimmed.rsplit_once('.').unwrap_or((trimmed, ""));
        let mut whole = trimmed.len() == name.len();
        let mut part = |text: &str, most: usize| {
            let mut bytes = Vec::new();
            for c in text.chars().filter(|c| !" .".contains(*c)) {
                let byte = u8::try_from(c).unwrap_or(b'?').to_ascii_uppercase();
                bytes.push(if is_short(byte) { byte } else { b'_' });
                whole &= is_short(byte);
            }
            whole &= bytes.len() == text.len() && bytes.len() <= most;
            bytes.truncate(most);
            bytes
        };
        let (base, extension) = (part(base, 8), part(extension, 3));
        whole &= !base.is_empty() && (extension.is_empty() != trimmed.contains('.'));
        Self { base, extension, whole }
    }

    fn short(&self, tail: &str) -> Short {
        let mut short = [b' '; 11];
        let kept = self.base.len().min(8 - tail.len());
        let base = self.base[..kept].iter().chain(tail.as_bytes());
        for (to, from) in short[..8].iter_mut().zip(base) {
            *to = *from;
        }
        for (to, from) in short[8..].iter_mut().zip(&self.extension) {
            *to = *from;
        }
        short
    }
}

/// Gives the names of a directory their short forms; `None` if there are too many for that.
///
/// What depends on other names depends on their order.
pub(super) fn assign(names: &[&str]) -> Option<Vec<Name>> {
    let mut taken = BTreeSet::new();
    let bases: Vec<Basis> = names.iter().map(|name| Basis::of(name)).collect();
    // Names that need no tail come first: nothing may take their short form from them.
    taken.extend(bases.iter().filter(|basis| basis.whole).map(|basis| basis.short("")));
    let mut next: BTreeMap<Short, u32> = BTreeMap::new();
    let mut assigned = Vec::with_capacity(names.len());
    for (name, basis) in names.iter().zip(bases) {
        let long: Vec<u16> = name.encode_utf16().collect();
        if basis.whole {
            let upper = !name.bytes().any(|byte| byte.is_ascii_lowercase());
            let long = if upper { Vec::new() } else { long };
            assigned.push(Name { short: basis.short(""), long });
            continue;
        }
        let number = next.entry(basis.short("~1")).or_insert(1);
        let short = loop {
            if *number > TAIL_MAX {
                return None;
            }
            let short = basis.short(&format!("~{number}"));
            *number += 1;
            if taken.insert(short) {
                break short;
            }
        };
        assigned.push(Name { short, long });
    }
    Some(assigned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shorts(names: &[&str]) -> Vec<String> {
        let text = |name: Name| String::from_utf8(name.short.to_vec()).unwrap();
        assign(names).unwrap().into_iter().map(text).collect()
    }

    #[test]
    fn a_short_name_is_what_fits_of_a_name() {
        let cases = [
            ("BOOTX64.EFI", "BOOTX64 EFI"),
            ("bootx64.efi", "BOOTX64 EFI"),
            ("EFI", "EFI        "),
            ("user-data", "USER-D~1   "),
            ("network-config", "NETWOR~1   "),
            (".hidden", "HIDDEN~1   "),
            ("a.b.c", "AB~1    C  "),
            ("a b.txt", "AB~1    TXT"),
            ("long.extension", "LONG~1  EXT"),
            ("a+b", "A_B~1      "),
            ("ä", "_~1        "),
            ("a.", "A~1        "),
            ("...", "~1         "),
        ];
        for (name, short) in cases {
            assert_eq!(shorts(&[name]), [short], "{name}");
        }
    }

    #[test]
    fn short_names_differ() {
        let given = shorts(&["longname1", "longname2", "LONGNA~1", "longname3.txt", "longna~3"]);
        assert_eq!(
            given,
            ["LONGNA~2   ", "LONGNA~4   ", "LONGNA~1   ", "LONGNA~1TXT", "LONGNA~3   "]
        );
        let many: Vec<String> = (0..20_000).map(|number| format!("same name {number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let given = shorts(&many);
        assert_eq!(given.iter().collect::<BTreeSet<_>>().len(), 20_000);
        assert_eq!(
            (&*given[0], &*given[9], &*given[19_999]),
            ("SAMENA~1   ", "SAMEN~10   ", "SA~20000   ")
        );
    }

    #[test]
    fn only_names_in_lower_case_or_too_long_have_a_long_form() {
        let long = |name: &str| assign(&[name]).unwrap()[0].long.len();
        assert_eq!((long("A-B.TXT"), long("a-b.txt"), long("NOT.SHORT")), (0, 7, 9));
    }

    #[test]
    fn says_why_a_name_cannot_be() {
        for name in ["a:b", "a?", "a\\b", "a\tb", "a.", "a ", " a", &"ä".repeat(256)] {
            assert!(fault(name).is_some(), "{name}");
        }
        for name in ["a", ".a", "a b", "ä~+,;=[]", &"ä".repeat(255)] {
            assert_eq!(fault(name), None, "{name}");
        }
    }

    #[test]
    fn folding_is_of_single_characters() {
        assert_eq!(folded("Straße ä"), "STRAßE Ä");
    }

    #[test]
    fn the_checksum_is_the_specification_s() {
        // The sum rotated right by one bit, then the next byte.
        assert_eq!(checksum(b"README  TXT"), 0x73);
    }
}
