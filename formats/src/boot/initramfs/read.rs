//! Reading an initrd, segment by segment, and what one of ours holds.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use super::model::Initramfs;
use super::record::Record;
use super::unpack::{Body, Unpacker};
use crate::archive::cpio::{Found, Member, Reader};
use crate::encode::{Codec, member_decoder, sniff};
use crate::format::{ReadError, Unpacked, Visitor};
use crate::input::{ReadAt, Section, Source};
use crate::owners::Owners;
use crate::record::{FILE, FOLDER, Record as _};
use crate::tree::{Content, Entry, FileTree, Node, TreeBuilder, TreePath, escape};
use crate::wanted::Wanted;

/// The most segments; a distribution has three.
const SEGMENTS_MAX: usize = 1024;
/// The most members of all archives.
const MEMBERS_MAX: usize = 1 << 22;
/// The most bytes of names and link targets.
const NAMES_MAX: u64 = 1 << 28;
/// The most bytes before compression: no machine unpacks more into its memory.
const RAW_MAX: u64 = 16 << 30;
/// The longest target of a symbolic link.
const TARGET_MAX: u64 = 4095;
/// The largest record that is read.
const RECORD_MAX: u64 = 1 << 24;
/// How many bytes tell how a segment is compressed.
const MAGIC: usize = 6;

const S_IFMT: u32 = 0o170_000;
const S_IFREG: u32 = 0o100_000;
const S_IFLNK: u32 = 0o120_000;

/// What an initrd holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Initrd {
    /// Its segments, in order.
    pub segments: Vec<Segment>,
    /// What the kernel unpacks: later segments replace what earlier ones have.
    pub tree: FileTree,
}

/// One archive, or several that are compressed together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Where it is in the file, without padding.
    pub range: Range<u64>,
    /// How it is compressed.
    pub codec: Codec,
    /// What it holds; accounts are named by their numbers.
    pub tree: FileTree,
}

/// Reads an initrd, whoever made it.
pub fn read(file: &Arc<dyn ReadAt>) -> Result<Initrd, ReadError> {
    let walk = Walk::through(file)?;
    let none = Owners::default();
    let segments = walk.segments.iter().map(|walked| {
        let (range, codec) = (walked.range.clone(), walked.codec);
        Ok(Segment { range, codec, tree: walked.unpacker.tree(|u, g| none.names(u, g))? })
    });
    let segments: Result<_, ReadError> = segments.collect();
    Ok(Initrd { segments: segments?, tree: walk.merged.tree(|u, g| none.names(u, g))? })
}

/// Parses the segment with an application, the last one if there are several.
pub(super) fn unpack(source: &Source) -> Result<Unpacked<Initramfs>, ReadError> {
    let walk = Walk::through(source.file()?)?;
    walk.application().map(|(_, unpacked)| unpacked)
}

/// Hands over the files of the application: its segment passes once more.
pub(super) fn visit(
    source: &Source,
    visitor: &mut Visitor<'_>,
) -> Result<ControlFlow<()>, ReadError> {
    let file = source.file()?;
    let walk = Walk::through(file)?;
    let (walked, unpacked) = walk.application()?;
    let mut wanted = Wanted::of(&unpacked.tree);
    if wanted.visit_empty(visitor)?.is_break() {
        return Ok(ControlFlow::Break(()));
    }
    let Range { start, end } = walked.range;
    let section = BufReader::new(Section::new(file.clone(), start, end - start));
    let mut input = BufReader::new(member_decoder(walked.codec, section)?);
    let mut contents = walked.contents.iter();
    loop {
        skip_zeros(&mut input, RAW_MAX)?;
        if input.fill_buf()?.is_empty() {
            return wanted.finish();
        }
        let mut reader = Reader::new(&mut input);
        while let Some(found) = reader.advance()? {
            let Found::Member(member, _) = found else { continue };
            if member.mode & S_IFMT != S_IFREG {
                continue;
            }
            let Some(content) = contents.next() else { continue };
            if wanted.visit(content, &mut reader, visitor)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
}

/// A segment that was read.
pub(super) struct Walked {
    pub(super) range: Range<u64>,
    pub(super) codec: Codec,
    pub(super) unpacker: Unpacker,
    /// The records in it, by the folder they are for.
    records: Vec<(TreePath, Vec<u8>)>,
    /// What the members that are files hold, in their order.
    contents: Vec<Content>,
}

/// An initrd that was read.
#[derive(Default)]
pub(super) struct Walk {
    pub(super) segments: Vec<Walked>,
    merged: Unpacker,
    members: usize,
    names: u64,
    raw: u64,
}

impl Walk {
    /// Reads all segments.
    pub(super) fn through(file: &Arc<dyn ReadAt>) -> Result<Self, ReadError> {
        let mut walk = Self::default();
        let mut input = Counted::new(BufReader::new(Section::whole(file.clone())));
        loop {
            skip_zeros(&mut input, u64::MAX)?;
            let start = input.position;
            let mut magic =
                vec![0; usize::try_from(file.len() - start).unwrap_or(MAGIC).min(MAGIC)];
            if magic.is_empty() {
                return Ok(walk);
            }
            file.read_exact_at(start, &mut magic)?;
            if walk.segments.len() == SEGMENTS_MAX {
                let expected = format!("at most {SEGMENTS_MAX} segments");
                return Err(ReadError::malformed("initrd", start, expected, "more"));
            }
            walk.segment(sniff(&magic), &magic, &mut input)?;
        }
    }

    /// Reads the segment that starts here.
    fn segment(
        &mut self,
        codec: Codec,
        magic: &[u8],
        input: &mut Counted<impl BufRead>,
    ) -> Result<(), ReadError> {
        let start = input.position;
        let mut walked = Walked {
            range: start..start,
            codec,
            unpacker: Unpacker::default(),
            records: Vec::new(),
            contents: Vec::new(),
        };
        if codec == Codec::None {
            if !magic.starts_with(b"0") || !start.is_multiple_of(4) {
                let expected =
                    "an archive at a multiple of 4, or one compressed with gzip, zstd or xz";
                let found = format!("`{}`", escape(magic));
                return Err(ReadError::malformed("initrd", start, expected, found));
            }
            self.archive(input, &mut walked)?;
        } else {
            let decoder = BufReader::new(member_decoder(codec, &mut *input)?);
            let read = self.archives(Counted::new(decoder), &mut walked);
            read.map_err(|error| match error {
                ReadError::Io(error) if !input.failed => {
                    let expected = format!("a valid {} stream", codec.word());
                    ReadError::malformed("initrd segment", start, expected, error.to_string())
                }
                error => error,
            })?;
        }
        walked.range.end = input.position;
        self.segments.push(walked);
        Ok(())
    }

    /// Reads archives up to the end of a stream.
    fn archives(
        &mut self,
        mut input: Counted<impl BufRead>,
        walked: &mut Walked,
    ) -> Result<(), ReadError> {
        loop {
            let zeros = skip_zeros(&mut input, RAW_MAX - self.raw)?;
            self.spend_raw(zeros)?;
            if input.fill_buf()?.is_empty() {
                return Ok(());
            }
            if !input.position.is_multiple_of(4) {
                let expected = "an archive at a multiple of 4";
                return Err(ReadError::malformed(
                    "initrd segment",
                    input.position,
                    expected,
                    "none",
                ));
            }
            self.archive(&mut input, walked)?;
        }
    }

    /// Reads one archive.
    fn archive(&mut self, input: &mut impl BufRead, walked: &mut Walked) -> Result<(), ReadError> {
        let mut reader = Reader::new(input);
        while let Some(found) = reader.advance()? {
            let Found::Member(member, size) = found else {
                let expected = "a newc member";
                return Err(ReadError::malformed(
                    "cpio member",
                    reader.offset(),
                    expected,
                    "a stripped one",
                ));
            };
            self.spend_member(&member, size)?;
            let body = body(&member, size, &mut reader, walked)?;
            walked.unpacker.apply(&member, body.clone())?;
            self.merged.apply(&member, body)?;
        }
        walked.unpacker.end_archive();
        self.merged.end_archive();
        Ok(())
    }

    fn spend_member(&mut self, member: &Member, size: u64) -> Result<(), ReadError> {
        let invalid = |reason: String| ReadError::invalid("initrd", reason);
        self.members += 1;
        if self.members > MEMBERS_MAX {
            return Err(invalid(format!("more than {MEMBERS_MAX} members")));
        }
        let target = if member.mode & S_IFMT == S_IFLNK { size } else { 0 };
        self.names = self.names.saturating_add(member.name.len() as u64 + target);
        if self.names > NAMES_MAX {
            return Err(invalid(format!("names of more than {NAMES_MAX} bytes")));
        }
        self.spend_raw(size)
    }

    fn spend_raw(&mut self, bytes: u64) -> Result<(), ReadError> {
        self.raw = self.raw.saturating_add(bytes);
        if self.raw >= RAW_MAX {
            return Err(ReadError::invalid(
                "initrd",
                format!("contents of {RAW_MAX} bytes or more"),
            ));
        }
        Ok(())
    }

    /// Returns the last segment with an application, and what it holds.
    pub(super) fn application(&self) -> Result<(&Walked, Unpacked<Initramfs>), ReadError> {
        let mut with_records = self.segments.iter().rev();
        let found = with_records.find_map(|walked| Some((walked, walked.records.last()?)));
        let Some((walked, (folder, bytes))) = found else {
            let reason = "not there, so the model and the names of the owners are not known";
            return Err(ReadError::invalid(FILE, reason));
        };
        let record = Record::parse(bytes)?;
        if record.prefix != *folder {
            let reason = format!("it is for the folder {}, found below {folder}", record.prefix);
            return Err(ReadError::invalid(FILE, reason));
        }
        let whole = walked.unpacker.tree(|user, group| record.owners.names(user, group))?;
        split(&inside(&whole, folder)?, record).map(|unpacked| (walked, unpacked))
    }
}

/// Reads the body of a member, and keeps it if it is a record.
fn body<R: Read>(
    member: &Member,
    size: u64,
    reader: &mut Reader<R>,
    walked: &mut Walked,
) -> Result<Body, ReadError> {
    let limited = |limit: u64| {
        if size <= limit {
            return Ok(());
        }
        let name = escape(&member.name);
        Err(ReadError::invalid(name, format!("expected at most {limit} bytes, found {size}")))
    };
    match member.mode & S_IFMT {
        S_IFREG => {}
        S_IFLNK => {
            limited(TARGET_MAX)?;
            let mut target = Vec::new();
            reader.read_to_end(&mut target)?;
            return Ok(Body::Target(target));
        }
        _ => {
            limited(0)?;
            return Ok(Body::Empty);
        }
    }
    let folder = record_folder(&member.name);
    let Some(folder) = folder else {
        let content = Content::of_reader(reader)?;
        walked.contents.push(content);
        return Ok(Body::Content(content));
    };
    limited(RECORD_MAX)?;
    let mut record = Vec::new();
    reader.read_to_end(&mut record)?;
    let content = Content::of(&record);
    walked.records.push((folder, record));
    walked.contents.push(content);
    Ok(Body::Content(content))
}

/// Returns the folder that a member is the record of.
fn record_folder(name: &[u8]) -> Option<TreePath> {
    let path = TreePath::parse(name).ok()?;
    let folder = path.absolute();
    TreePath::parse(folder.strip_suffix(FILE.as_bytes())?).ok()
}

/// Returns what is in a folder, as a tree; a segment holds nothing outside of its folder.
fn inside(whole: &FileTree, folder: &TreePath) -> Result<FileTree, ReadError> {
    let moved = |path: &TreePath| {
        TreePath::parse(&path.relative()[folder.relative().len()..])
            .map_err(|error| ReadError::invalid(path.to_string(), error.to_string()))
    };
    let mut builder = TreeBuilder::new();
    for (path, entry) in whole.iter() {
        if !path.is_below(folder) && path != folder {
            if entry.is_directory() && (folder.is_below(path) || path.is_root()) {
                continue;
            }
            let reason = format!("it is not in the folder {folder} of the application");
            return Err(ReadError::invalid(path.to_string(), reason));
        }
        let mut entry = entry.clone();
        if let Node::HardLink(first) = &entry.node {
            entry.node = Node::HardLink(moved(first)?);
        }
        if path == folder && entry == Entry::directory() {
            continue;
        }
        builder.insert(moved(path)?, entry)?;
    }
    Ok(builder.finish()?)
}

/// Tells the tree from the additions.
fn split(whole: &FileTree, record: Record) -> Result<Unpacked<Initramfs>, ReadError> {
    let reserved =
        TreePath::parse(FOLDER).map_err(|error| ReadError::invalid(FOLDER, error.to_string()))?;
    let own: BTreeSet<&TreePath> = record.additions.iter().collect();
    let shared: BTreeSet<&TreePath> = record.shared.iter().collect();
    let mut leading = BTreeSet::new();
    for path in &own {
        if whole.get(path).is_none() {
            return Err(ReadError::invalid(path.to_string(), "an addition that is not there"));
        }
        let mut next = path.parent();
        while let Some(parent) = next {
            next = parent.parent();
            if !leading.insert(parent) {
                break;
            }
        }
    }
    let is_added = |path: &TreePath| own.contains(path) || leading.contains(path);
    let is_reserved = |path: &TreePath| *path == reserved || path.is_below(&reserved);
    let tree =
        whole.filter(|path, _| !is_reserved(path) && (shared.contains(path) || !is_added(path)))?;
    let additions = whole.filter(|path, _| own.contains(path))?;
    let model = record.into_model(additions);
    let declared = model.tree_id;
    Ok(Unpacked { model, tree, declared })
}

/// Counts what is read, and remembers whether the input itself failed.
struct Counted<R> {
    input: R,
    position: u64,
    failed: bool,
}

impl<R> Counted<R> {
    fn new(input: R) -> Self {
        Self { input, position: 0, failed: false }
    }
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let filled = self.input.fill_buf();
        self.failed |= filled.is_err();
        filled
    }

    fn consume(&mut self, count: usize) {
        self.position += count as u64;
        self.input.consume(count);
    }
}

/// Skips zeros, at most about `limit`, and returns how many there were.
fn skip_zeros(input: &mut impl BufRead, limit: u64) -> io::Result<u64> {
    let mut skipped = 0;
    loop {
        let buffer = input.fill_buf()?;
        let zeros = buffer.iter().take_while(|byte| **byte == 0).count();
        let is_end = zeros < buffer.len() || buffer.is_empty();
        input.consume(zeros);
        skipped += zeros as u64;
        if is_end || skipped > limit {
            return Ok(skipped);
        }
    }
}
