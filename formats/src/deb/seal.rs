//! Signatures of a written package: where they are, what they cover, and how to exchange them.
//!
//! ```text
//! ar archive
//! ├── debian-binary     ┐
//! ├── control.tar.*     ├ the contents of these three, one after the other, are signed
//! ├── data.tar.*        ┘
//! ├── _gpgorigin        a detached binary OpenPGP signature of whoever distributes the package
//! ├── _gpgmaint         one of its maintainer
//! └── _gpgarchive       one of the archive that it is in
//! ```
//!
//! dpkg ignores members whose names begin with `_`, so that a signature is added by appending a
//! member. Headers of members are not covered: their times may change without a word.
//!
//! Specified by debsigs (`debsigs(1p)`) and checked by `debsig-verify(1)`.

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use super::NAME;
use crate::archive::ar::{ArMember, ArReader, ArWriter};
use crate::blob::MemoryStore;
use crate::format::{Epoch, ReadError, WriteError};
use crate::input::ReadAt;
use crate::rope::Rope;

/// What is signed, in order, by the beginning of the members' names.
const SIGNED: [&str; 3] = ["debian-binary", "control.tar", "data.tar"];
/// More than any signature has, in bytes.
const MAX_SIGNATURE: u64 = 64 * 1024;
/// What an archive starts with, before its first member.
const MAGIC_LEN: u64 = 8;

/// As whom somebody signs a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Whoever distributes the package: `_gpgorigin`.
    Origin,
    /// The maintainer: `_gpgmaint`.
    Maintainer,
    /// The archive that it is in: `_gpgarchive`.
    Archive,
}

impl Role {
    /// All roles, in the order in which signatures are listed.
    pub const ALL: [Self; 3] = [Self::Origin, Self::Maintainer, Self::Archive];

    /// Returns the member's name.
    pub fn member(self) -> &'static str {
        match self {
            Self::Origin => "_gpgorigin",
            Self::Maintainer => "_gpgmaint",
            Self::Archive => "_gpgarchive",
        }
    }

    /// Returns debsigs' name of the role, e.g. `maint`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Origin => "origin",
            Self::Maintainer => "maint",
            Self::Archive => "archive",
        }
    }
}

/// A signature that a package has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// As whom it was made.
    pub role: Role,
    /// The member's contents: a binary OpenPGP packet, or an armored one.
    pub packet: Vec<u8>,
    /// Where the member is, with its header and padding.
    pub place: Range<u64>,
}

/// The signatures of one package.
#[derive(Debug, Clone)]
pub struct Seal {
    signed: Vec<Range<u64>>,
    signatures: Vec<Signature>,
    time: u64,
    end: u64,
}

impl Seal {
    /// Reads a package's signatures; what is signed is not looked at.
    pub fn read(file: &Arc<dyn ReadAt>) -> Result<Self, ReadError> {
        let mut archive = ArReader::new(Arc::clone(file))?;
        let mut seal = Self { signed: Vec::new(), signatures: Vec::new(), time: 0, end: MAGIC_LEN };
        while let Some(member) = archive.next_member()? {
            let next = member.offset + member.size + member.size % 2;
            match Role::ALL.into_iter().find(|role| role.member() == member.name) {
                Some(role) => {
                    let packet = read_signature(&archive, &member)?;
                    seal.signatures.push(Signature { role, packet, place: member.header..next });
                }
                None => seal.note(&member)?,
            }
            seal.end = next;
        }
        if let Some(missing) = SIGNED.get(seal.signed.len()) {
            return Err(ReadError::malformed("ar archive", seal.end, *missing, "the end"));
        }
        seal.signatures.sort_by_key(|signature| signature.role);
        Ok(seal)
    }

    /// Notes a member that is no signature. What dpkg would unpack must be what is signed.
    fn note(&mut self, member: &ArMember) -> Result<(), ReadError> {
        let expected = SIGNED.get(self.signed.len()).copied();
        if expected.is_some_and(|expected| member.name.starts_with(expected)) {
            if self.signed.is_empty() {
                self.time = member.mtime;
            }
            self.signed.push(member.offset..member.offset + member.size);
            return Ok(());
        }
        if member.name.starts_with('_') {
            return Ok(());
        }
        let expected = expected.unwrap_or("members whose names begin with `_`");
        Err(ReadError::malformed("ar member", member.header, expected, &member.name))
    }

    /// Returns which bytes of the file signatures cover, in order.
    pub fn signed(&self) -> &[Range<u64>] {
        &self.signed
    }

    /// Returns the signatures, in order of their roles.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Returns when the package was made, in seconds since 1970: the time of its first member.
    pub fn time(&self) -> u64 {
        self.time
    }

    /// Returns the file's length, where a new member is appended.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Returns the bytes of a member that holds a signature.
    pub fn member(role: Role, packet: &[u8], epoch: Epoch) -> Result<Vec<u8>, WriteError> {
        let mut archive = ArWriter::new(NAME, epoch);
        archive.append(role.member(), &Rope::from(packet.to_vec()))?;
        let rope = archive.finish();
        // Inline bytes only, so that no blob is asked for.
        Ok(rope.slice(MAGIC_LEN..rope.len()).to_vec(&MemoryStore::new())?)
    }
}

fn read_signature(archive: &ArReader, member: &ArMember) -> Result<Vec<u8>, ReadError> {
    if member.size > MAX_SIGNATURE {
        let (expected, found) = (format!("at most {MAX_SIGNATURE}"), member.size.to_string());
        let what = format!("size of ar member {}", member.name);
        return Err(ReadError::malformed(what, member.header, expected, found));
    }
    let mut packet = Vec::new();
    archive.open(member).read_to_end(&mut packet)?;
    Ok(packet)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(members: &[(&str, &[u8])]) -> Arc<dyn ReadAt> {
        let mut writer = ArWriter::new(NAME, Epoch(7));
        for (name, contents) in members {
            writer.append(name, &Rope::from(contents.to_vec())).unwrap();
        }
        Arc::new(writer.finish().to_vec(&MemoryStore::new()).unwrap())
    }

    const PACKAGE: [(&str, &[u8]); 3] =
        [("debian-binary", b"2.0\n"), ("control.tar.gz", b"control"), ("data.tar.xz", b"data!")];

    #[test]
    fn an_appended_member_is_found_again() {
        let plain = archive(&PACKAGE);
        let seal = Seal::read(&plain).unwrap();
        assert_eq!(seal.signatures(), []);
        assert_eq!((seal.end(), seal.time()), (plain.len(), 7));
        assert_eq!(seal.signed(), [68..72, 132..139, 200..205]);
        let mut bytes = vec![0; usize::try_from(plain.len()).unwrap()];
        plain.read_exact_at(0, &mut bytes).unwrap();
        for role in [Role::Archive, Role::Origin] {
            bytes.extend(Seal::member(role, b"odd", Epoch(7)).unwrap());
        }
        let signed: Arc<dyn ReadAt> = Arc::new(bytes);
        let again = Seal::read(&signed).unwrap();
        assert_eq!(again.signed(), seal.signed());
        let found: Vec<_> = again.signatures().iter().map(|s| (s.role, s.place.clone())).collect();
        let end = seal.end();
        assert_eq!(found, [(Role::Origin, end + 64..end + 128), (Role::Archive, end..end + 64)]);
        assert_eq!(again.signatures()[0].packet, b"odd");
    }

    #[test]
    fn what_is_not_covered_is_refused() {
        let with = |name: &'static str| {
            let mut members = PACKAGE.to_vec();
            members.push((name, b"more"));
            Seal::read(&archive(&members)).map(|seal| seal.signatures.len())
        };
        assert_eq!(with("_other").unwrap(), 0);
        assert!(with("data.tar.gz").unwrap_err().to_string().contains("begin with `_`"));
        let text = Seal::read(&archive(&PACKAGE[..2])).unwrap_err().to_string();
        assert!(text.contains("expected data.tar"), "{text}");
    }

    #[test]
    fn a_signature_without_end_is_refused() {
        let large = vec![0; 65 * 1024];
        let mut members = PACKAGE.to_vec();
        members.push(("_gpgorigin", &large));
        let text = Seal::read(&archive(&members)).unwrap_err().to_string();
        assert!(text.contains("expected at most 65536, found 66560"), "{text}");
    }
}
