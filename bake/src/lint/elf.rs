//! As much of an ELF file (System V ABI, gABI 4.1) as rules ask about: for which machine it is,
//! whether its symbols were stripped, and where it has libraries looked for.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// The largest table that is read, in bytes.
const MAX_TABLE: u64 = 4 << 20;
/// `SHT_SYMTAB`
const SYMTAB: u32 = 2;
/// `SHT_DYNAMIC`
const DYNAMIC: u32 = 6;
/// `DT_RPATH` and `DT_RUNPATH`
const PATHS: [u64; 2] = [15, 29];

/// What an ELF header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    is_64: bool,
    is_little: bool,
    pub(super) machine: u16,
    /// `ET_EXEC` 2, `ET_DYN` 3, `ET_REL` 1.
    pub(super) kind: u16,
}

/// What is in an ELF file besides.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Details {
    pub(super) has_symbols: bool,
    pub(super) paths: Vec<String>,
}

impl Header {
    /// Reads the header; `None` if it is none.
    pub(super) fn parse(head: &[u8]) -> Option<Self> {
        if !head.starts_with(b"\x7fELF") || head.len() < 20 {
            return None;
        }
        let is_64 = head[4] == 2;
        let is_little = head[5] == 1;
        let header = Self { is_64, is_little, machine: 0, kind: 0 };
        let machine = u16::try_from(header.number(head, 18, 2)?).ok()?;
        let kind = u16::try_from(header.number(head, 16, 2)?).ok()?;
        Some(Self { machine, kind, ..header })
    }

    /// Returns a number of so many bytes at an offset.
    fn number(self, bytes: &[u8], offset: usize, len: usize) -> Option<u64> {
        let bytes = bytes.get(offset..offset.checked_add(len)?)?;
        let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Some(if self.is_little {
            bytes.iter().rev().fold(0, add)
        } else {
            bytes.iter().fold(0, add)
        })
    }
}

/// One section header: its type, and where it is.
#[derive(Debug, Clone, Copy)]
struct Section {
    kind: u32,
    offset: u64,
    size: u64,
    link: u32,
}

/// Reads the sections of a file; `None` if it has none or they are not readable.
pub(super) fn details(path: &Path) -> Option<Details> {
    let mut file = fs_err::File::open(path).ok()?;
    let mut head = [0; 64];
    file.read_exact(&mut head).ok()?;
    let header = Header::parse(&head)?;
    let number = |at, len| header.number(&head, at, len);
    let (start, entry, count) = if header.is_64 {
        (number(40, 8)?, number(58, 2)?, number(60, 2)?)
    } else {
        (number(32, 4)?, number(46, 2)?, number(48, 2)?)
    };
    if entry < if header.is_64 { 64 } else { 40 } || count == 0 {
        return None;
    }
    let table = read(&mut file, start, entry.checked_mul(count)?)?;
    let sections: Vec<Section> = table
        .chunks_exact(usize::try_from(entry).ok()?)
        .filter_map(|raw| section(header, raw))
        .collect();
    let mut details = Details {
        has_symbols: sections.iter().any(|section| section.kind == SYMTAB),
        ..Details::default()
    };
    if let Some(dynamic) = sections.iter().find(|section| section.kind == DYNAMIC) {
        let strings = sections.get(usize::try_from(dynamic.link).ok()?)?;
        let entries = read(&mut file, dynamic.offset, dynamic.size)?;
        let strings = read(&mut file, strings.offset, strings.size)?;
        details.paths = paths(header, &entries, &strings);
    }
    Some(details)
}

fn section(header: Header, raw: &[u8]) -> Option<Section> {
    let number = |at, len| header.number(raw, at, len);
    let (offset, size, link) = if header.is_64 {
        (number(24, 8)?, number(32, 8)?, number(40, 4)?)
    } else {
        (number(16, 4)?, number(20, 4)?, number(24, 4)?)
    };
    let kind = u32::try_from(number(4, 4)?).ok()?;
    Some(Section { kind, offset, size, link: u32::try_from(link).ok()? })
}

fn paths(header: Header, entries: &[u8], strings: &[u8]) -> Vec<String> {
    let word = if header.is_64 { 8 } else { 4 };
    let mut paths = Vec::new();
    for entry in entries.chunks_exact(2 * word) {
        let (Some(tag), Some(value)) =
            (header.number(entry, 0, word), header.number(entry, word, word))
        else {
            continue;
        };
        let text = usize::try_from(value).ok().and_then(|at| strings.get(at..));
        if PATHS.contains(&tag)
            && let Some(text) = text.and_then(|text| text.split(|byte| *byte == 0).next())
        {
            paths.push(String::from_utf8_lossy(text).into_owned());
        }
    }
    paths
}

fn read(file: &mut fs_err::File, offset: u64, size: u64) -> Option<Vec<u8>> {
    if size > MAX_TABLE {
        return None;
    }
    file.seek(SeekFrom::Start(offset)).ok()?;
    let mut bytes = Vec::new();
    file.take(size).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 == size).then_some(bytes)
}

/// Returns the machine numbers of an OCI architecture; `None` if it is not known here.
pub(super) fn machine(architecture: &str) -> Option<(u16, &'static str)> {
    Some(match architecture {
        "amd64" => (62, "x86-64"),
        "386" => (3, "i386"),
        "arm64" => (183, "AArch64"),
        "arm" => (40, "ARM"),
        "ppc64le" => (21, "PowerPC64"),
        "s390x" => (22, "S/390"),
        "riscv64" => (243, "RISC-V"),
        "loong64" => (258, "LoongArch"),
        "mips64le" => (8, "MIPS"),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_running_test_and_nothing_of_other_files() {
        let test = std::env::current_exe().unwrap();
        let details = details(&test).unwrap();
        assert!(details.has_symbols);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        for text in [&b""[..], b"text", b"\x7fELF", &[0x7f, b'E', b'L', b'F', 2, 1, 255, 255]] {
            let mut bytes = text.to_vec();
            bytes.resize(70, 255);
            fs_err::write(&path, &bytes).unwrap();
            assert_eq!(super::details(&path), None);
        }
    }
}
