//! The payload: a cpio archive of the file table's rows, compressed as one stream.
//!
//! Names have the prefix `./`. Files of several names come last, the names of each one together, as
//! rpmbuild has it. Ghosts are not in it. If any file has 4 GiB or more, all members are
//! of the stripped form, which refers to the file table by index.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::ops::ControlFlow;

use super::checksum::Checksum;
use super::files::{File, FileTable, Links, S_IFLNK, S_IFMT};
use super::sections::Sections;
use super::strong::{Strong, StrongHasher};
use crate::archive::cpio::{Body, Found, Member, Reader, Writer};
use crate::blob::Blob;
use crate::digest::Hasher;
use crate::encode::{Codec, decoder};
use crate::format::{Problem, ReadError, WriteError};
use crate::rope::Rope;
use crate::tree::{Content, TreePath, escape};
use crate::wanted::Members;

/// Describes the archive of everything that the table lists.
pub(super) fn write(table: &FileTable, mtime: u32) -> Result<Rope, WriteError> {
    let mut writer = Writer::new();
    let rows = (0_u32..).zip(&table.rows).zip(table.links());
    let mut rows: Vec<_> = rows.filter(|((_, file), _)| !file.is_ghost()).collect();
    rows.sort_by_key(|(_, links)| (links.count > 1).then_some(links.first));
    for ((index, file), links) in rows {
        let carries = links.last == index as usize;
        let body = match file.digest {
            Some(digest) if carries => Body::Blob(Blob { digest, size: file.size }),
            None if file.mode & S_IFMT == S_IFLNK => Body::Bytes(&file.link_to),
            _ => Body::Empty,
        };
        if table.large {
            writer.push_stripped(index, body);
            continue;
        }
        let member = Member {
            name: member_name(&file.path),
            inode: file.inode,
            mode: u32::from(file.mode),
            uid: file.owner.id,
            gid: file.group.id,
            links: links.count,
            mtime,
            device: (0, 0),
            rdev: (u32::from(file.rdev >> 8), u32::from(file.rdev & 0xff)),
        };
        writer.push(&member, body)?;
    }
    Ok(writer.finish())
}

fn member_name(path: &TreePath) -> Vec<u8> {
    [b".", path.absolute().as_slice()].concat()
}

/// What the payload's bytes are.
#[derive(Debug, Clone)]
pub(super) struct Digests {
    /// As they stand in the file.
    pub(super) compressed: Blob,
    /// Before compression.
    pub(super) raw: Blob,
    /// Of the header and the payload, if the signature header has it.
    pub(super) md5: Option<[u8; 16]>,
    /// As they stand in the file and before compression, if the header has them.
    pub(super) strong: Option<[Strong; 2]>,
}

/// What one pass over the payload found.
#[derive(Debug)]
pub(super) struct Scan {
    pub(super) digests: Digests,
    /// For every row of the file table.
    pub(super) members: Vec<Shipped>,
    /// Where the payload and the file table differ.
    pub(super) problems: Vec<Problem>,
}

/// What the payload has of one row of the file table.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shipped {
    found: bool,
    /// The numbers of the owning user and group, which only newc knows.
    pub(super) ids: Option<(u32, u32)>,
    /// The content, at the last row of an inode.
    pub(super) content: Option<Content>,
}

/// Reads the whole payload once.
pub(super) fn scan(
    sections: &Sections,
    table: &FileTable,
    codec: Codec,
) -> Result<Scan, ReadError> {
    use md5::Digest as _;
    let wants_md5 = sections.signature.get(super::tags::signature::MD5).is_some();
    let md5 = wants_md5.then(|| md5::Md5::new_with_prefix(&sections.header_bytes));
    let strong = sections.header.get(super::tags::PAYLOADSHA512).map(|_| StrongHasher::default());
    let mut compressed = Tee { md5, strong, ..Tee::new(sections.payload()) };
    let scanned = scan_stream(&mut compressed, table, codec);
    let (mut scanner, raw, raw_strong) = scanned.map_err(|error| {
        let at = compressed.hasher.len();
        match error {
            ReadError::Io(error) if !compressed.failed => {
                let expected = format!("a valid {} stream", codec.word());
                ReadError::malformed("payload", at, expected, error.to_string())
            }
            error => error,
        }
    })?;
    io::copy(&mut compressed, &mut io::sink())?;
    scanner.report_rows();
    let Tee { hasher, md5, strong, .. } = compressed;
    let compressed = Blob { digest: hasher.digest(), size: hasher.len() };
    let md5 = md5.map(|md5| md5.finalize().into());
    let strong = strong.zip(raw_strong).map(|(one, raw)| [one.finish(), raw.finish()]);
    let digests = Digests { compressed, raw, md5, strong };
    Ok(Scan { digests, members: scanner.members, problems: scanner.problems })
}

fn scan_stream<'a>(
    compressed: &mut Tee,
    table: &'a FileTable,
    codec: Codec,
) -> Result<(Scanner<'a>, Blob, Option<StrongHasher>), ReadError> {
    let strong = compressed.strong.clone();
    let input = decoder(codec, compressed)?;
    let raw = Tee { strong, ..Tee::new(input) };
    let mut reader = Reader::new(raw);
    let mut scanner = Scanner::new(table);
    while let Some(found) = reader.advance()? {
        scanner.member(found, &mut reader)?;
    }
    let mut raw = reader.into_inner();
    let left = io::copy(&mut raw, &mut io::sink())?;
    if left > 0 {
        scanner.problem("rpm-payload-end", "payload", "the end".into(), format!("{left} bytes"));
    }
    let blob = Blob { digest: raw.hasher.digest(), size: raw.hasher.len() };
    Ok((scanner, blob, raw.strong))
}

/// Hands over the body of every member that has a row, with the row's number.
pub(super) fn members(
    payload: impl Read,
    table: &FileTable,
    hand: &mut Members<'_>,
) -> Result<ControlFlow<()>, ReadError> {
    let mut reader = Reader::new(payload);
    let mut scanner = Scanner::new(table);
    while let Some(found) = reader.advance()? {
        let row = match found {
            Found::Member(member, size) => scanner.newc_row(&member, size),
            Found::Stripped(index) => Some(scanner.stripped_row(index, &mut reader)?),
        };
        let Some(row) = row else { continue };
        if hand(row, &mut reader)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// Compares the members with the file table as they pass.
struct Scanner<'a> {
    table: &'a FileTable,
    links: Vec<Links>,
    rows: BTreeMap<&'a TreePath, usize>,
    members: Vec<Shipped>,
    problems: Vec<Problem>,
}

impl<'a> Scanner<'a> {
    fn new(table: &'a FileTable) -> Self {
        let rows = table.rows.iter().enumerate().map(|(row, file)| (&file.path, row)).collect();
        let members = vec![Shipped::default(); table.rows.len()];
        Self { table, links: table.links(), rows, members, problems: Vec::new() }
    }

    fn problem(&mut self, rule: &'static str, place: &str, expected: String, found: String) {
        self.problems.push(Problem::new(rule, place, expected, found));
    }

    fn member<R: Read>(&mut self, found: Found, reader: &mut Reader<R>) -> Result<(), ReadError> {
        let stripped = matches!(found, Found::Stripped(_));
        if stripped != self.table.large {
            let names = ["a newc member", "a stripped member"];
            let (expected, found) = (names[usize::from(!stripped)], names[usize::from(stripped)]);
            let place = format!("payload at {}", reader.offset());
            self.problem("rpm-payload-form", &place, expected.into(), found.into());
        }
        let row = match found {
            Found::Member(member, size) => self.newc_row(&member, size),
            Found::Stripped(index) => Some(self.stripped_row(index, reader)?),
        };
        let Some(row) = row else { return Ok(()) };
        if std::mem::replace(&mut self.members[row].found, true) {
            self.row_problem("rpm-payload-duplicate", row, "one member".into(), "another".into());
            return Ok(());
        }
        self.body(row, reader)
    }

    /// Finds the row of a newc member and compares what both say.
    fn newc_row(&mut self, member: &Member, size: u64) -> Option<usize> {
        let path = TreePath::parse(&member.name).ok();
        let row = path.and_then(|path| self.rows.get(&path).copied());
        let shown = escape(&member.name);
        let Some(row) = row.filter(|row| !self.table.rows[*row].is_ghost()) else {
            let expected = "a file of the file table that is no ghost".into();
            self.problem("rpm-payload-unlisted", "payload", expected, shown);
            return None;
        };
        let file = &self.table.rows[row];
        self.members[row].ids = Some((member.uid, member.gid));
        let name = member_name(&file.path);
        let shared = file.is_regular() && self.links[row].count > 1;
        let links = if shared { self.links[row].count } else { member.links };
        let checks = [
            ("rpm-payload-name", escape(&name), shown),
            ("rpm-payload-mode", format!("{:o}", file.mode), format!("{:o}", member.mode)),
            ("rpm-payload-links", links.to_string(), member.links.to_string()),
            ("rpm-payload-size", self.body_size(row).to_string(), size.to_string()),
        ];
        for (rule, expected, found) in checks {
            if expected != found {
                self.row_problem(rule, row, expected, found);
            }
        }
        Some(row)
    }

    /// Finds the row of a stripped member, which is what says how long the member is.
    fn stripped_row<R: Read>(
        &mut self,
        index: u32,
        reader: &mut Reader<R>,
    ) -> Result<usize, ReadError> {
        let row = index as usize;
        match self.table.rows.get(row) {
            Some(file) if !file.is_ghost() => {
                reader.expect_body(self.body_size(row));
                Ok(row)
            }
            _ => {
                let expected = format!("one of {} files, no ghost", self.table.rows.len());
                let at = reader.offset();
                Err(ReadError::malformed("cpio member", at, expected, format!("index {index}")))
            }
        }
    }

    /// Returns the size that a row's member should have.
    fn body_size(&self, row: usize) -> u64 {
        let file = &self.table.rows[row];
        if file.is_regular() {
            if self.links[row].last == row { file.size } else { 0 }
        } else if file.mode & S_IFMT == S_IFLNK {
            file.link_to.len() as u64
        } else {
            0
        }
    }

    fn body<R: Read>(&mut self, row: usize, reader: &mut Reader<R>) -> Result<(), ReadError> {
        let file: &File = &self.table.rows[row];
        if file.mode & S_IFMT == S_IFLNK {
            let mut target = Vec::new();
            let limit = file.link_to.len() as u64 + 1;
            reader.by_ref().take(limit).read_to_end(&mut target)?;
            if target != file.link_to {
                let (expected, found) = (escape(&file.link_to), escape(&target));
                self.row_problem("rpm-payload-link", row, expected, found);
            }
        }
        if !file.is_regular() || self.links[row].last != row {
            return Ok(());
        }
        let (expected, found) = if self.table.checksum == Checksum::Sha256 {
            let content = Content::of_reader(reader)?;
            self.members[row].content = Some(content);
            (file.digest.map(|digest| digest.hex()).unwrap_or_default(), content.digest.hex())
        } else {
            let mut summing = self.table.checksum.over(reader);
            self.members[row].content = Some(Content::of_reader(&mut summing)?);
            (file.checksum.clone(), summing.finish())
        };
        if expected != found {
            self.row_problem("rpm-file-digest", row, expected, found);
        }
        Ok(())
    }

    /// Compares rows with each other, and finds those without a member.
    fn report_rows(&mut self) {
        for row in 0..self.members.len() {
            let (file, last) = (&self.table.rows[row], &self.table.rows[self.links[row].last]);
            let content =
                |file: &File| format!("{} bytes {:?} {}", file.size, file.digest, file.checksum);
            if content(file) != content(last) {
                let (expected, found) = (content(last), content(file));
                self.row_problem("rpm-hard-link", row, expected, found);
            }
            if file.mode & S_IFMT == S_IFLNK && file.size != file.link_to.len() as u64 {
                let (expected, found) = (file.link_to.len().to_string(), file.size.to_string());
                self.row_problem("rpm-file-size", row, expected, found);
            }
            if !self.members[row].found && !self.table.rows[row].is_ghost() {
                let expected = "a member".into();
                self.row_problem("rpm-payload-missing", row, expected, "none".into());
            }
        }
    }

    fn row_problem(&mut self, rule: &'static str, row: usize, expected: String, found: String) {
        let place = self.table.rows[row].path.to_string();
        self.problem(rule, &place, expected, found);
    }
}

/// Hashes what passes, and remembers whether the input itself failed.
struct Tee<R = crate::input::Section> {
    input: R,
    hasher: Hasher,
    md5: Option<md5::Md5>,
    strong: Option<StrongHasher>,
    failed: bool,
}

impl<R> Tee<R> {
    fn new(input: R) -> Self {
        Self { input, hasher: Hasher::new(), md5: None, strong: None, failed: false }
    }
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use md5::Digest as _;
        let count = self.input.read(buffer).inspect_err(|_| self.failed = true)?;
        self.hasher.update(&buffer[..count]);
        if let Some(md5) = &mut self.md5 {
            md5.update(&buffer[..count]);
        }
        if let Some(strong) = &mut self.strong {
            strong.update(&buffer[..count]);
        }
        Ok(count)
    }
}
