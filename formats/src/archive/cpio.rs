//! The cpio archive format: SVR4 "new ASCII" (newc), and rpm's stripped form of it.
//!
//! A newc archive is a sequence of members and a trailer, an empty member of the name `TRAILER!!!`.
//! Numbers are eight hex digits; the body and the header with its name are each zero-padded to a
//! multiple of four bytes:
//!
//! ```text
//! offset length
//!      0      6  magic "070701"
//!      6     13x8  inode, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor,
//!                  rdevmajor, rdevminor, namesize, check
//!    110      n  name and a NUL byte, together namesize bytes
//!             p  zeros up to a multiple of 4
//!             m  body, filesize bytes
//!             p  zeros up to a multiple of 4
//! ```
//!
//! All numbers are 32 bits, so a body has less than 4 GiB. For larger ones rpm (since 4.12) uses
//! members that say nothing but their index in the package's file table; the trailer stays newc:
//!
//! ```text
//!      0      6  magic "07070X"
//!      6      8  index
//!     14      2  zeros
//!     16      m  body, as long as the file table says
//!             p  zeros up to a multiple of 4
//! ```
//!
//! All names of a hard-linked file are members with one inode and the same `nlink`; only the last
//! one has the body. Specified in Linux's `Documentation/driver-api/early-userspace/
//! buffer-format.rst` and rpm's `docs/manual/format_v4.md`, "Payload".

use std::io::{self, Read};

use crate::blob::Blob;
use crate::format::{ReadError, WriteError};
use crate::rope::Rope;
use crate::tree::escape;

const NEWC: &[u8; 6] = b"070701";
const STRIPPED: &[u8; 6] = b"07070X";
const TRAILER: &[u8; 10] = b"TRAILER!!!";
/// The size of the trailer's name, its NUL byte included.
const TRAILER_NAME: u32 = 11;

/// The longest name of a member, in bytes, its NUL byte included: the limit of rpm and of Linux.
pub const MAX_NAME: u64 = 4096;

/// The largest body of a newc member: rpm refuses the largest 32-bit number too.
pub const MAX_BODY: u64 = u32::MAX as u64 - 1;

/// What a newc header says about a member besides the size of its body.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Member {
    /// The name as it stands in the archive, without the NUL byte.
    pub name: Vec<u8>,
    /// The number that names of one file share.
    pub inode: u32,
    /// `st_mode`: the file type and the permission bits.
    pub mode: u32,
    /// The owning user's number.
    pub uid: u32,
    /// The owning group's number.
    pub gid: u32,
    /// How many names the file has.
    pub links: u32,
    /// Seconds since 1970.
    pub mtime: u32,
    /// The major and minor number of the device that holds the file.
    pub device: (u32, u32),
    /// The major and minor number of a device node.
    pub rdev: (u32, u32),
}

/// The body of a member.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// No bytes: directories, nodes, and all but the last name of a file.
    Empty,
    /// Bytes in memory: the target of a symbolic link.
    Bytes(&'a [u8]),
    /// The content of a file.
    Blob(Blob),
}

impl Body<'_> {
    fn len(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Blob(blob) => blob.size,
        }
    }
}

/// Describes an archive, member by member.
#[derive(Debug, Default)]
pub struct Writer {
    rope: Rope,
}

impl Writer {
    /// Starts an archive.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a newc member.
    pub fn push(&mut self, member: &Member, body: Body<'_>) -> Result<(), WriteError> {
        let shown = || format!("`{}`", escape(&member.name));
        if member.name.contains(&0) {
            let (format, field) = ("cpio", format!("the name {}", shown()));
            return Err(WriteError::Field { format, field, reason: "it has a NUL byte".into() });
        }
        let name_size = member.name.len() as u64 + 1;
        let what = || format!("the size of the name {}", shown());
        let name_size = limited(name_size, MAX_NAME, what)?;
        let what = || format!("the size of {}", shown());
        let file_size = limited(body.len(), MAX_BODY, what)?;
        self.push_header(member, file_size, name_size);
        self.push_body(body);
        Ok(())
    }

    /// Appends a member of rpm's stripped form.
    pub fn push_stripped(&mut self, index: u32, body: Body<'_>) {
        self.rope.push_bytes(STRIPPED);
        self.rope.push_bytes(&digits(index));
        self.rope.align(4);
        self.push_body(body);
    }

    /// Appends the trailer and returns the archive.
    pub fn finish(mut self) -> Rope {
        let trailer = Member { name: TRAILER.to_vec(), links: 1, ..Member::default() };
        self.push_header(&trailer, 0, TRAILER_NAME);
        self.rope
    }

    fn push_header(&mut self, member: &Member, file_size: u32, name_size: u32) {
        let Member { name, inode, mode, uid, gid, links, mtime, device, rdev } = member;
        let numbers = [
            *inode, *mode, *uid, *gid, *links, *mtime, file_size, device.0, device.1, rdev.0,
            rdev.1, name_size, 0,
        ];
        self.rope.push_bytes(NEWC);
        for number in numbers {
            self.rope.push_bytes(&digits(number));
        }
        self.rope.push_bytes(name);
        self.rope.push_bytes(&[0]);
        self.align();
    }

    fn push_body(&mut self, body: Body<'_>) {
        match body {
            Body::Empty => {}
            Body::Bytes(bytes) => self.rope.push_bytes(bytes),
            Body::Blob(blob) => self.rope.push_blob(blob),
        }
        self.align();
    }

    /// Padding is inline: a hole of three bytes is no hole.
    fn align(&mut self) {
        let padding = (4 - self.rope.len() % 4) % 4;
        self.rope.push_bytes(&[0; 3][..padding as usize]);
    }
}

/// Returns a number as eight hex digits.
fn digits(number: u32) -> [u8; 8] {
    let mut text = [0; 8];
    let digits = number.to_be_bytes().into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
    for (place, digit) in text.iter_mut().zip(digits) {
        *place = digit + if digit < 10 { b'0' } else { b'a' - 10 };
    }
    text
}

fn limited(found: u64, limit: u64, what: impl FnOnce() -> String) -> Result<u32, WriteError> {
    match u32::try_from(found) {
        Ok(number) if found <= limit => Ok(number),
        _ => Err(WriteError::Limit { format: "cpio", what: what(), limit, found }),
    }
}

/// What a reader found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A newc member and the size of its body.
    Member(Member, u64),
    /// A stripped member: its index. The caller says how long the body is, with
    /// [`Reader::expect_body`].
    Stripped(u32),
}

/// Reads an archive as a stream; after a member was returned, reads its body.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    /// Bytes taken from the input.
    offset: u64,
    /// Bytes of the current body that were not read yet.
    left: u64,
}

impl<R: Read> Reader<R> {
    /// Reads from the start of an archive.
    pub fn new(input: R) -> Self {
        Self { input, offset: 0, left: 0 }
    }

    /// Returns the offset in the archive of the next byte.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns what follows the trailer.
    pub fn into_inner(self) -> R {
        self.input
    }

    /// Says how long the body of a stripped member is.
    pub fn expect_body(&mut self, size: u64) {
        self.left = size;
    }

    /// Skips what is left of the current body and returns the next member, or `None` after the
    /// trailer.
    pub fn advance(&mut self) -> Result<Option<Found>, ReadError> {
        self.skip_body()?;
        self.skip_padding()?;
        let start = self.offset;
        let magic: [u8; 6] = self.take(start)?;
        if &magic == STRIPPED {
            let index = self.number(start)?;
            self.skip_padding()?;
            return Ok(Some(Found::Stripped(index)));
        }
        if &magic != NEWC {
            let expected = "the magic 070701 or 07070X";
            return Err(malformed(start, expected, format!("`{}`", escape(&magic))));
        }
        let (member, size) = self.member(start)?;
        self.skip_padding()?;
        if member.name == TRAILER {
            if size != 0 {
                return Err(malformed(start, "a trailer without a body", format!("{size} bytes")));
            }
            return Ok(None);
        }
        self.left = size;
        Ok(Some(Found::Member(member, size)))
    }

    fn member(&mut self, start: u64) -> Result<(Member, u64), ReadError> {
        let mut numbers = [0_u32; 13];
        for number in &mut numbers {
            *number = self.number(start)?;
        }
        let [inode, mode, uid, gid, links, mtime, size, major, minor, rmajor, rminor, len, _] =
            numbers;
        if len == 0 || u64::from(len) > MAX_NAME {
            let expected = format!("a name size from 1 to {MAX_NAME}");
            return Err(malformed(start, expected, len.to_string()));
        }
        let mut name = vec![0; len as usize];
        self.fill(&mut name, start)?;
        if name.iter().position(|byte| *byte == 0) != Some(name.len() - 1) {
            let expected = format!("a name of {len} bytes that ends with its only NUL byte");
            return Err(malformed(start, expected, format!("`{}`", escape(&name))));
        }
        name.pop();
        let (device, rdev) = ((major, minor), (rmajor, rminor));
        let member = Member { name, inode, mode, uid, gid, links, mtime, device, rdev };
        Ok((member, u64::from(size)))
    }

    fn number(&mut self, start: u64) -> Result<u32, ReadError> {
        let at = self.offset;
        let digits: [u8; 8] = self.take(start)?;
        let valid = digits.iter().all(u8::is_ascii_hexdigit);
        let number = std::str::from_utf8(&digits).ok().filter(|_| valid);
        number
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or_else(|| malformed(at, "eight hex digits", format!("`{}`", escape(&digits))))
    }

    fn take<const N: usize>(&mut self, start: u64) -> Result<[u8; N], ReadError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes, start)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8], start: u64) -> Result<(), ReadError> {
        match self.input.read_exact(bytes) {
            Ok(()) => {
                self.offset += bytes.len() as u64;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(malformed(start, "a whole member", "the end of the archive".into()))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn skip_body(&mut self) -> Result<(), ReadError> {
        if self.left > 0 {
            io::copy(self, &mut io::sink())?;
        }
        Ok(())
    }

    fn skip_padding(&mut self) -> Result<(), ReadError> {
        let at = self.offset;
        let mut padding = [0; 3];
        let padding = &mut padding[..((4 - at % 4) % 4) as usize];
        self.fill(padding, at)?;
        if padding.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        Err(malformed(at, "zeros up to a multiple of 4", format!("`{}`", escape(padding))))
    }
}

impl<R: Read> Read for Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if room == 0 {
            return Ok(0);
        }
        let count = self.input.read(&mut buffer[..room])?;
        if count == 0 {
            let message = format!("the cpio archive ends {} bytes within a body", self.left);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        }
        self.offset += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}

fn malformed(offset: u64, expected: impl Into<String>, found: String) -> ReadError {
    ReadError::malformed("cpio member", offset, expected, found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::{BlobStore, MemoryStore};

    fn member(name: &str, mode: u32) -> Member {
        Member {
            name: name.into(),
            inode: 7,
            mode,
            uid: 1,
            gid: 2,
            links: 1,
            mtime: 1_700_000_000,
            device: (3, 4),
            rdev: (5, 6),
        }
    }

    fn archive(store: &MemoryStore) -> Vec<u8> {
        let blob = store.put(b"hello").unwrap();
        let mut writer = Writer::new();
        writer.push(&member("./d", 0o40755), Body::Empty).unwrap();
        writer.push(&member("./d/file", 0o100_644), Body::Blob(blob)).unwrap();
        writer.push(&member("./l", 0o120_777), Body::Bytes(b"d/file")).unwrap();
        writer.push(&member("./null", 0o20666), Body::Empty).unwrap();
        writer.finish().to_vec(store).unwrap()
    }

    fn read_all(bytes: &[u8]) -> Result<Vec<(Found, Vec<u8>)>, ReadError> {
        let mut reader = Reader::new(bytes);
        let mut all = Vec::new();
        while let Some(found) = reader.advance()? {
            if let Found::Stripped(index) = &found {
                reader.expect_body(u64::from(*index));
            }
            let mut body = Vec::new();
            reader.read_to_end(&mut body)?;
            all.push((found, body));
        }
        Ok(all)
    }

    #[test]
    fn writes_the_header_of_the_specification() {
        let store = MemoryStore::new();
        let bytes = archive(&store);
        let first = "07070100000007000041ed00000001000000020000000165\
                     53f1000000000000000003000000040000000500000006\
                     0000000400000000./d\0\0\0";
        assert_eq!(String::from_utf8_lossy(&bytes[..116]), first);
        assert_eq!(bytes.len() % 4, 0);
        assert!(bytes.ends_with(b"\x30\x30TRAILER!!!\0\0\0\0"));
    }

    #[test]
    fn reads_what_it_writes() {
        let store = MemoryStore::new();
        let all = read_all(&archive(&store)).unwrap();
        let expected = [
            (Found::Member(member("./d", 0o40755), 0), b"".to_vec()),
            (Found::Member(member("./d/file", 0o100_644), 5), b"hello".to_vec()),
            (Found::Member(member("./l", 0o120_777), 6), b"d/file".to_vec()),
            (Found::Member(member("./null", 0o20666), 0), b"".to_vec()),
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn stripped_members_are_an_index_and_a_body() {
        let store = MemoryStore::new();
        let mut writer = Writer::new();
        writer.push_stripped(3, Body::Bytes(b"abc"));
        writer.push_stripped(0, Body::Empty);
        let bytes = writer.finish().to_vec(&store).unwrap();
        assert!(bytes.starts_with(b"07070X00000003\x00\x00abc\x0007070X00000000\x00\x00070701"));
        let expected = [(Found::Stripped(3), b"abc".to_vec()), (Found::Stripped(0), Vec::new())];
        assert_eq!(read_all(&bytes).unwrap(), expected);
    }

    #[test]
    fn an_independent_reader_agrees() {
        let store = MemoryStore::new();
        let bytes = archive(&store);
        let mut input = bytes.as_slice();
        let mut names = Vec::new();
        loop {
            let mut reader = cpio::NewcReader::new(input).unwrap();
            if reader.entry().is_trailer() {
                break;
            }
            let mut body = Vec::new();
            reader.read_to_end(&mut body).unwrap();
            let entry = reader.entry();
            assert_eq!((entry.uid(), entry.gid(), entry.nlink(), entry.ino()), (1, 2, 1, 7));
            assert_eq!((entry.rdev_major(), entry.rdev_minor()), (5, 6));
            names.push((entry.name().to_owned(), entry.mode(), body));
            input = reader.finish().unwrap();
        }
        let expected = [
            ("./d".to_owned(), 0o40755, b"".to_vec()),
            ("./d/file".into(), 0o100_644, b"hello".to_vec()),
            ("./l".into(), 0o120_777, b"d/file".to_vec()),
            ("./null".into(), 0o20666, b"".to_vec()),
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn refuses_what_newc_cannot_say() {
        let mut writer = Writer::new();
        let blob = Blob { size: u64::from(u32::MAX), ..Blob::of(b"") };
        let big = writer.push(&member("./big", 0o100_644), Body::Blob(blob));
        assert!(matches!(big, Err(WriteError::Limit { limit: MAX_BODY, .. })));
        let long = writer.push(&member(&"x".repeat(4096), 0o100_644), Body::Empty);
        assert!(matches!(long, Err(WriteError::Limit { limit: 4096, found: 4097, .. })));
        let nul = writer.push(&member("a\0b", 0o100_644), Body::Empty);
        assert!(matches!(nul, Err(WriteError::Field { .. })));
    }

    #[test]
    fn rejects_hostile_archives() {
        let store = MemoryStore::new();
        let good = archive(&store);
        for cut in 0..good.len() {
            assert!(read_all(&good[..cut]).is_err(), "cut at {cut}");
        }
        let patch = |at: usize, with: &[u8]| {
            let mut bad = good.clone();
            bad[at..at + with.len()].copy_from_slice(with);
            bad
        };
        let cases = [
            ("magic", patch(0, b"070702")),
            ("signed number", patch(6, b"+0000007")),
            ("huge name", patch(94, b"ffffffff")),
            ("no name", patch(94, b"00000000")),
            ("unterminated name", patch(113, b"x")),
            ("NUL within the name", patch(111, b"\0")),
            ("padding", patch(115, b"x")),
        ];
        for (what, bad) in cases {
            assert!(matches!(read_all(&bad), Err(ReadError::Malformed { .. })), "{what}");
        }
    }
}
