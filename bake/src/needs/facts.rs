//! What one content says about what it needs: an ELF file, a script, a jar, metadata of a runtime.

use std::io::{self, Read, Seek, SeekFrom};

use bake_formats::elf::{self, Elf};
use bake_formats::input::ReadAt;
use serde::{Deserialize, Serialize};

use super::jar;

/// How much of a script's first line the kernel looks at.
pub(crate) const LONGEST_SHEBANG: usize = 256;
/// Metadata is text for people; more is none.
const LONGEST_METADATA: u64 = 1 << 20;

/// What a path says about how a content is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Role {
    /// Nothing: the first bytes decide.
    Plain,
    /// A jar.
    Jar,
    /// `package.json` of a program, not of one of its modules.
    NodePackage,
    /// `METADATA` of an installed Python distribution.
    PythonMetadata,
}

/// What a content says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Facts {
    /// It is an ELF file.
    Elf(Box<Elf>),
    /// It begins like an ELF file, and this is wrong with it.
    DamagedElf(String),
    /// It begins with `#!` and these words.
    Script(Vec<String>),
    /// It is a jar whose program needs this version of Java.
    Java(u16),
    /// It is the description of a Node.js program that needs these versions.
    Node(Option<String>),
    /// It is the description of a Python distribution that needs these versions.
    Python(String),
}

impl Role {
    /// Returns how a file of this path is read.
    pub(super) fn of(path: &[u8]) -> Self {
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or(path);
        let has = |part: &[u8]| path.windows(part.len()).any(|window| window == part);
        match name {
            b"package.json" if !has(b"node_modules/") => Self::NodePackage,
            b"METADATA" if has(b".dist-info/") => Self::PythonMetadata,
            _ if name.ends_with(b".jar") => Self::Jar,
            _ => Self::Plain,
        }
    }
}

/// Reads what a content says; `None` if that is nothing.
pub(super) fn read(input: &dyn ReadAt, role: Role) -> io::Result<Option<Facts>> {
    match role {
        Role::Plain => plain(input),
        Role::Jar => Ok(jar::java_version(Cursor { input, at: 0 })?.map(Facts::Java)),
        Role::NodePackage => Ok(metadata(input)?.and_then(|text| node(&text))),
        Role::PythonMetadata => Ok(metadata(input)?.and_then(|text| python(&text))),
    }
}

fn plain(input: &dyn ReadAt) -> io::Result<Option<Facts>> {
    let mut head = [0; LONGEST_SHEBANG];
    let len = usize::try_from(input.len()).unwrap_or(usize::MAX).min(head.len());
    let head = &mut head[..len];
    input.read_exact_at(0, head)?;
    if head.starts_with(&elf::MAGIC) {
        return match elf::read(input) {
            Ok(elf) => Ok(Some(Facts::Elf(Box::new(elf)))),
            Err(elf::ElfError::Io(error)) => Err(error),
            Err(error) => Ok(Some(Facts::DamagedElf(error.to_string()))),
        };
    }
    Ok(shebang(head).map(Facts::Script))
}

/// Returns the words after `#!`; none if they are no path.
pub(crate) fn shebang(head: &[u8]) -> Option<Vec<String>> {
    let rest = head.strip_prefix(b"#!")?;
    let line = rest.split(|byte| matches!(byte, b'\n' | b'\r' | 0)).next()?;
    let line = std::str::from_utf8(line).ok()?;
    let words: Vec<String> = line.split([' ', '\t']).map(str::to_owned).collect();
    let words: Vec<String> = words.into_iter().filter(|word| !word.is_empty()).collect();
    words.first()?.starts_with('/').then_some(words)
}

fn metadata(input: &dyn ReadAt) -> io::Result<Option<String>> {
    if input.len() > LONGEST_METADATA {
        return Ok(None);
    }
    let mut text = String::new();
    match (Cursor { input, at: 0 }).read_to_string(&mut text) {
        Ok(_) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(None),
        Err(error) => Err(error),
    }
}

fn node(text: &str) -> Option<Facts> {
    let package: serde_json::Value = serde_json::from_str(text).ok()?;
    // A description without a program is there to say `"type": "module"`.
    let is_program = ["main", "bin", "scripts", "dependencies", "engines"];
    if !is_program.iter().any(|key| package.get(key).is_some()) {
        return None;
    }
    Some(Facts::Node(package["engines"]["node"].as_str().map(str::to_owned)))
}

fn python(text: &str) -> Option<Facts> {
    let headers = text.lines().take_while(|line| !line.is_empty());
    let mut found = headers.filter_map(|line| line.strip_prefix("Requires-Python:"));
    found.next().map(|value| Facts::Python(value.trim().to_owned()))
}

/// Reads a [`ReadAt`] as a stream that can seek.
pub(super) struct Cursor<'a> {
    pub(super) input: &'a dyn ReadAt,
    at: u64,
}

impl Read for Cursor<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read_at(self.at, buffer)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Cursor<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(distance) => self.input.len().checked_add_signed(distance),
            SeekFrom::Current(distance) => self.at.checked_add_signed(distance),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(bytes: &[u8], role: Role) -> Option<Facts> {
        read(&bytes.to_vec(), role).unwrap()
    }

    #[test]
    fn the_first_line_of_a_script_is_split_into_words() {
        let words = |text: &str| facts(text.as_bytes(), Role::Plain);
        let script = |words: &[&str]| {
            Some(Facts::Script(words.iter().map(|word| (*word).to_owned()).collect()))
        };
        assert_eq!(words("#!/bin/sh\n"), script(&["/bin/sh"]));
        assert_eq!(
            words("#! \t/usr/bin/env  -S node --x\r\n"),
            script(&["/usr/bin/env", "-S", "node", "--x"])
        );
        assert_eq!(words("#!/bin/sh"), script(&["/bin/sh"]));
        for text in ["", "#", "#!", "#!\n", "#!sh\n", "#![allow(x)]\n", " #!/bin/sh"] {
            assert_eq!(words(text), None, "{text}");
        }
    }

    #[test]
    fn a_broken_elf_file_is_a_fact_and_no_failure() {
        let found = facts(b"\x7fELF", Role::Plain);
        assert!(matches!(found, Some(Facts::DamagedElf(reason)) if reason.contains("offset 0")));
    }

    #[test]
    fn metadata_of_runtimes_is_read_where_it_stands() {
        let text = b"Metadata-Version: 2.1\nRequires-Python: >=3.8\n\nRequires-Python: no\n";
        assert_eq!(facts(text, Role::PythonMetadata), Some(Facts::Python(">=3.8".into())));
        assert_eq!(facts(b"A: b\n\nRequires-Python: >=3\n", Role::PythonMetadata), None);
        let text = br#"{"main": "x.js", "engines": {"node": ">=18"}}"#;
        assert_eq!(facts(text, Role::NodePackage), Some(Facts::Node(Some(">=18".into()))));
        assert_eq!(facts(br#"{"type": "module"}"#, Role::NodePackage), None);
        assert_eq!(facts(b"{", Role::NodePackage), None);
        assert_eq!(Role::of(b"usr/lib/x/package.json"), Role::NodePackage);
        assert_eq!(Role::of(b"usr/lib/x/node_modules/y/package.json"), Role::Plain);
        assert_eq!(Role::of(b"x/y-1.dist-info/METADATA"), Role::PythonMetadata);
        assert_eq!(Role::of(b"x/y.jar"), Role::Jar);
    }
}
