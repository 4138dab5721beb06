//! What a repository says of a package: what its headers hold, read without its payload.
//!
//! Packages of every rpm are read, also those that bake would not write, so this knows fewer rules
//! than `read`: it takes names as they come. The header's own digest and size are checked; the
//! payload's are returned, for whoever reads the file whole anyway.

use super::checksum::Checksum;
use super::dependency::Operator;
use super::header::Header;
use super::lead;
use super::sections::{ALIGNMENT, Sections};
use super::tags::{self, signature};
use super::value::Value;
use crate::digest::Digest;
use crate::format::ReadError;
use crate::input::Source;

/// `RPMFILE_GHOST`
const GHOST: u32 = 1 << 6;
/// `RPMSENSE_PREREQ`, `RPMSENSE_SCRIPT_PRE` and `RPMSENSE_SCRIPT_POST`.
const PRE: u32 = 1 << 6 | 1 << 9 | 1 << 10;
/// `RPMTAG_ARCHIVESIZE`, which is in the main header of old packages.
const ARCHIVESIZE: u32 = 1046;
/// The type bits of a mode, and those of a directory.
const TYPE: u16 = 0o170_000;
const DIRECTORY: u16 = 0o040_000;

/// What an index has of a package. Text that is not UTF-8 is taken as Latin-1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// `NAME`
    pub name: String,
    /// `EPOCH`, 0 if there is none.
    pub epoch: u32,
    /// `VERSION`
    pub version: String,
    /// `RELEASE`
    pub release: String,
    /// `ARCH`
    pub arch: String,
    /// `SUMMARY`
    pub summary: String,
    /// `DESCRIPTION`
    pub description: String,
    /// `PACKAGER`
    pub packager: String,
    /// `URL`
    pub url: String,
    /// `LICENSE`
    pub license: String,
    /// `VENDOR`
    pub vendor: String,
    /// `GROUP`
    pub group: String,
    /// `BUILDHOST`
    pub buildhost: String,
    /// `SOURCERPM`
    pub sourcerpm: String,
    /// `BUILDTIME`, in seconds since 1970.
    pub time: u32,
    /// How many bytes the files take when installed.
    pub installed_size: u64,
    /// How many bytes the payload has before compression.
    pub archive_size: u64,
    /// Where the main header starts and ends in the file.
    pub header: (u64, u64),
    /// SHA-256 of the payload as it stands in the file, after the header, if the header says it.
    pub payload: Option<Digest>,
    /// What the package provides, requires, conflicts with, obsoletes, suggests, enhances,
    /// recommends and supplements.
    pub relations: [Vec<Sense>; 8],
    /// The files in their order.
    pub files: Vec<(String, FileKind)>,
    /// The changes, newest first: time, author, text.
    pub changelog: Vec<(u32, String, String)>,
}

/// One dependency as the header has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sense {
    /// The name, a path or a boolean expression.
    pub name: String,
    /// How versions must compare, as indices spell it: `EQ`, `LT`, `GT`, `LE`, `GE`.
    pub flags: Option<&'static str>,
    /// `[EPOCH:]VERSION[-RELEASE]`, empty for none.
    pub version: String,
    /// Whether it is needed before the package's scripts run.
    pub pre: bool,
}

/// What a file is, as far as indices tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// Anything that is not of the other kinds.
    File,
    /// A directory.
    Directory,
    /// Something that the package owns but does not bring.
    Ghost,
}

/// Name, version and flag tags, in the order of [`Listing::relations`].
const RELATIONS: [[u32; 3]; 8] = [
    [tags::PROVIDENAME, tags::PROVIDEVERSION, tags::PROVIDEFLAGS],
    [tags::REQUIRENAME, tags::REQUIREVERSION, tags::REQUIREFLAGS],
    [tags::CONFLICTNAME, tags::CONFLICTVERSION, tags::CONFLICTFLAGS],
    [tags::OBSOLETENAME, tags::OBSOLETEVERSION, tags::OBSOLETEFLAGS],
    [tags::SUGGESTNAME, tags::SUGGESTVERSION, tags::SUGGESTFLAGS],
    [tags::ENHANCENAME, tags::ENHANCEVERSION, tags::ENHANCEFLAGS],
    [tags::RECOMMENDNAME, tags::RECOMMENDVERSION, tags::RECOMMENDFLAGS],
    [tags::SUPPLEMENTNAME, tags::SUPPLEMENTVERSION, tags::SUPPLEMENTFLAGS],
];

/// Reads what an index has of a package.
pub fn list(source: &Source) -> Result<Listing, ReadError> {
    let sections = Sections::read(source)?;
    let header = &sections.header;
    let signature_end = lead::SIZE + sections.signature_bytes.len();
    let start = signature_end.next_multiple_of(ALIGNMENT) as u64;
    let end = start + sections.header_bytes.len() as u64;
    check_signature(&sections, source.file()?.len().saturating_sub(start))?;
    let required = |tag| {
        let text = text(header, tag);
        if text.is_empty() { Err(header.invalid(tag, "it is missing")) } else { Ok(text) }
    };
    Ok(Listing {
        name: plain(header, tags::NAME, required(tags::NAME)?)?,
        epoch: number(header, tags::EPOCH)?,
        version: plain(header, tags::VERSION, required(tags::VERSION)?)?,
        release: plain(header, tags::RELEASE, required(tags::RELEASE)?)?,
        arch: architecture(header)?,
        summary: text(header, tags::SUMMARY),
        description: text(header, tags::DESCRIPTION),
        packager: text(header, tags::PACKAGER),
        url: text(header, tags::URL),
        license: text(header, tags::LICENSE),
        vendor: text(header, tags::VENDOR),
        group: text(header, tags::GROUP),
        buildhost: text(header, tags::BUILDHOST),
        sourcerpm: text(header, tags::SOURCERPM),
        time: number(header, tags::BUILDTIME)?,
        installed_size: one(&header.sizes(tags::SIZE, tags::LONGSIZE)?),
        archive_size: archive_size(&sections)?,
        header: (start, end),
        payload: payload(header)?,
        relations: relations(header)?,
        files: files(header)?,
        changelog: changelog(header)?,
    })
}

/// Compares the header with its digest and the file with the size that the package says it has.
fn check_signature(sections: &Sections, size: u64) -> Result<(), ReadError> {
    let found = &sections.signature;
    let what = |tag| signature::describe(tag);
    let sizes = found.sizes(signature::SIZE, signature::LONGSIZE)?;
    if let Some(promised) = sizes.first().filter(|promised| **promised != size) {
        let reason = format!("it promises {promised} bytes from the header on, found {size}");
        return Err(ReadError::invalid(what(signature::SIZE), reason));
    }
    let digest = Digest::of(&sections.header_bytes).hex();
    match found.string(signature::SHA256)? {
        Some(promised) if promised != digest => {
            let reason = format!("it promises {promised} for the header, found {digest}");
            Err(ReadError::invalid(what(signature::SHA256), reason))
        }
        _ => Ok(()),
    }
}

/// Returns what becomes part of file names, if it can.
fn plain(header: &Header, tag: u32, text: String) -> Result<String, ReadError> {
    let is_plain = |c: char| c.is_ascii_graphic() && c != '/';
    if text.chars().all(is_plain) && !text.starts_with('.') {
        return Ok(text);
    }
    let reason = format!("`{}` cannot be part of a file name", text.escape_default());
    Err(header.invalid(tag, reason))
}

/// A package without the name of a source package is one itself.
fn architecture(header: &Header) -> Result<String, ReadError> {
    if header.get(tags::SOURCERPM).is_none() {
        return Ok("src".into());
    }
    let arch = text(header, tags::ARCH);
    if arch.is_empty() {
        return Err(header.invalid(tags::ARCH, "it is missing"));
    }
    plain(header, tags::ARCH, arch)
}

fn archive_size(sections: &Sections) -> Result<u64, ReadError> {
    let (short, long) = (signature::PAYLOADSIZE, signature::LONGARCHIVESIZE);
    let sizes = sections.signature.sizes(short, long)?;
    if !sizes.is_empty() {
        return Ok(one(&sizes));
    }
    Ok(u64::from(number(&sections.header, ARCHIVESIZE)?))
}

fn payload(header: &Header) -> Result<Option<Digest>, ReadError> {
    let digests = header.strings(tags::PAYLOADDIGEST)?;
    let Some(hex) = digests.iter().next() else { return Ok(None) };
    // A package of version 6 does not name the algorithm.
    let algorithm = header.int32s(tags::PAYLOADDIGESTALGO)?;
    if !algorithm.is_empty() && algorithm != [Checksum::Sha256.number()] {
        return Ok(None);
    }
    let digest = Digest::from_hex(&latin1(hex));
    digest.map(Some).map_err(|error| header.invalid(tags::PAYLOADDIGEST, error.to_string()))
}

fn relations(header: &Header) -> Result<[Vec<Sense>; 8], ReadError> {
    let mut all: [Vec<Sense>; 8] = Default::default();
    for (list, [name, version, flags]) in all.iter_mut().zip(RELATIONS) {
        let (names, versions) = (header.strings(name)?, header.strings(version)?);
        let flags = header.int32s(flags)?;
        if versions.len() != names.len() || flags.len() != names.len() {
            let found = format!("{} versions and {} flags", versions.len(), flags.len());
            let reason = format!("{} names have {found}", names.len());
            return Err(header.invalid(name, reason));
        }
        let senses = names.iter().zip(versions.iter()).zip(flags);
        list.extend(senses.map(|((name, version), flags)| Sense {
            name: latin1(name),
            flags: word(*flags),
            version: latin1(version),
            pre: flags & PRE != 0,
        }));
    }
    Ok(all)
}

fn word(sense: u32) -> Option<&'static str> {
    Operator::from_sense(sense).map(|operator| match operator {
        Operator::Less => "LT",
        Operator::LessOrEqual => "LE",
        Operator::Equal => "EQ",
        Operator::GreaterOrEqual => "GE",
        Operator::Greater => "GT",
    })
}

fn files(header: &Header) -> Result<Vec<(String, FileKind)>, ReadError> {
    let (names, folders) = (header.strings(tags::BASENAMES)?, header.strings(tags::DIRNAMES)?);
    let folders: Vec<&[u8]> = folders.iter().collect();
    let indexes = header.int32s(tags::DIRINDEXES)?;
    let (modes, flags) = (header.int16s(tags::FILEMODES)?, header.int32s(tags::FILEFLAGS)?);
    let lengths = [indexes.len(), modes.len(), flags.len()];
    if let Some(length) = lengths.into_iter().find(|length| *length != names.len()) {
        let reason = format!("a table of {} files has columns of {length}", names.len());
        return Err(header.invalid(tags::BASENAMES, reason));
    }
    let rows = names.iter().zip(indexes).zip(modes).zip(flags);
    rows.map(|(((name, index), mode), flags)| {
        let folder = folders.get(*index as usize).ok_or_else(|| {
            let reason = format!("expected less than {}, found {index}", folders.len());
            header.invalid(tags::DIRINDEXES, reason)
        })?;
        let kind = match (mode & TYPE == DIRECTORY, flags & GHOST != 0) {
            (true, _) => FileKind::Directory,
            (false, true) => FileKind::Ghost,
            (false, false) => FileKind::File,
        };
        Ok((latin1(&[folder, name].concat()), kind))
    })
    .collect()
}

fn changelog(header: &Header) -> Result<Vec<(u32, String, String)>, ReadError> {
    let times = header.int32s(tags::CHANGELOGTIME)?;
    let authors = header.strings(tags::CHANGELOGNAME)?;
    let texts = header.strings(tags::CHANGELOGTEXT)?;
    if authors.len() != times.len() || texts.len() != times.len() {
        let reason =
            format!("{} times, {} names, {} texts", times.len(), authors.len(), texts.len());
        return Err(header.invalid(tags::CHANGELOGTIME, reason));
    }
    let changes = times.iter().zip(authors.iter()).zip(texts.iter());
    Ok(changes.map(|((time, author), text)| (*time, latin1(author), latin1(text))).collect())
}

/// Returns a string of a tag, empty if there is none.
fn text(header: &Header, tag: u32) -> String {
    match header.get(tag) {
        Some(Value::String(bytes)) => latin1(bytes),
        Some(Value::I18nString(strings) | Value::StringArray(strings)) => {
            strings.iter().next().map(latin1).unwrap_or_default()
        }
        _ => String::new(),
    }
}

fn latin1(bytes: &[u8]) -> String {
    let latin1 = || bytes.iter().copied().map(char::from).collect();
    std::str::from_utf8(bytes).map_or_else(|_| latin1(), str::to_owned)
}

fn number(header: &Header, tag: u32) -> Result<u32, ReadError> {
    Ok(header.int32s(tag)?.first().copied().unwrap_or_default())
}

fn one(sizes: &[u64]) -> u64 {
    sizes.first().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::{BlobStore, MemoryStore};
    use crate::encode::{Encoder, NoCache};
    use crate::format::{Epoch, Format, WriteCx};
    use crate::rpm::{Package, Rpm};
    use crate::tree::{Content, Entry, Mode, Node, TreeBuilder, TreePath};

    fn package() -> Vec<u8> {
        let blobs = MemoryStore::new();
        let blob = blobs.put(b"#!/bin/sh\n").unwrap();
        let content = Content { digest: blob.digest, size: blob.size, md5: [0; 16] };
        let mut builder = TreeBuilder::new();
        let file = Entry::new(Node::File(content), Mode::from_st_mode(0o755));
        builder.insert(TreePath::parse("/opt/hello/run").unwrap(), file).unwrap();
        let model = Package {
            summary: "says hello".into(),
            description: "Says hello.".into(),
            license: "MIT".into(),
            ..Package::new("hello", "1.0", "1", "x86_64")
        };
        let encoder = Encoder::new(&blobs, &NoCache, 1);
        let cx = WriteCx { blobs: &blobs, encoder: &encoder, epoch: Epoch(1_700_000_000) };
        let artifact = Rpm::write(&model, &builder.finish().unwrap(), &cx).unwrap();
        artifact.files[0].rope.to_vec(&blobs).unwrap()
    }

    #[test]
    fn lists_what_the_headers_hold() {
        let bytes = package();
        let listing = list(&Source::from_bytes(bytes.clone())).unwrap();
        assert_eq!((listing.name.as_str(), listing.arch.as_str()), ("hello", "x86_64"));
        assert!(listing.files.contains(&("/opt/hello/run".into(), FileKind::File)));
        let provided = &listing.relations[0];
        assert!(provided.iter().any(|sense| sense.name == "hello" && sense.flags == Some("EQ")));
        let (_, end) = listing.header;
        let payload = usize::try_from(end).unwrap();
        assert_eq!(listing.payload, Some(Digest::of(&bytes[payload..])));
    }

    #[test]
    fn a_package_that_ends_early_or_has_another_header_is_an_error() {
        let bytes = package();
        for len in 0..bytes.len() {
            assert!(list(&Source::from_bytes(bytes[..len].to_vec())).is_err(), "{len}");
        }
        let (start, _) = list(&Source::from_bytes(bytes.clone())).unwrap().header;
        let mut flipped = bytes;
        flipped[usize::try_from(start).unwrap() + 300] ^= 1;
        assert!(list(&Source::from_bytes(flipped)).is_err());
    }
}
