//! Reading: members as they stream past, contents hashed.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::BLOCK;
use super::header::Header;
use super::pax::Records;
use crate::format::ReadError;
use crate::input::Section;
use crate::tree::{
    Content, DeviceKind, Entry, FileTree, Mark, Mode, Node, Owner, TreeBuilder, TreePath, escape,
};

/// The largest extended header or long name that is read, in bytes.
const MAX_EXTENSION: u64 = 1024 * 1024;
/// The most members that are read from one archive.
const MAX_MEMBERS: u64 = 4_000_000;

/// What a member is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A regular file, whose contents follow.
    File,
    /// Another name of the member at this path.
    HardLink(TreePath),
    /// A symbolic link to this target.
    Symlink(Vec<u8>),
    /// A character or block device with its major and minor numbers.
    Device(DeviceKind, u32, u32),
    /// A directory.
    Directory,
    /// A named pipe.
    Fifo,
}

/// One member of an archive, without its contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The name as it is stored, e.g. `./usr/bin/`.
    pub name: Vec<u8>,
    /// The name as a path inside the tree.
    pub path: TreePath,
    /// What the member is.
    pub kind: Kind,
    /// How many bytes of contents follow.
    pub size: u64,
    /// The permission bits.
    pub mode: Mode,
    /// The modification time, in seconds since 1970.
    pub mtime: u64,
    /// The owning user.
    pub owner: Owner,
    /// The owning group.
    pub group: Owner,
    /// Extended attributes, of PAX archives.
    pub xattrs: BTreeMap<String, Vec<u8>>,
    /// Whether PAX records apply to the member.
    pub is_pax: bool,
    /// Where the member's header starts in the archive.
    pub offset: u64,
}

impl Member {
    /// Returns the tree entry; `content` is what a regular file holds.
    pub fn into_entry(self, content: Content) -> Entry {
        let node = match self.kind {
            Kind::File => Node::File(content),
            Kind::HardLink(target) => Node::HardLink(target),
            Kind::Symlink(target) => Node::Symlink(target),
            Kind::Device(kind, major, minor) => Node::Device { kind, major, minor },
            Kind::Directory => Node::Directory,
            Kind::Fifo => Node::Fifo,
        };
        Entry {
            node,
            mode: self.mode,
            owner: self.owner,
            group: self.group,
            xattrs: self.xattrs,
            mark: Mark::Plain,
            language: None,
            implied: false,
        }
    }
}

/// Reads an archive member by member.
///
/// Names are resolved inside the tree, so `..` is an error. An account without a name is named by
/// its number, and number 0 is `root`. Sparse files and types that have no meaning in a tree are
/// errors, and so is an archive that ends without its two blocks of zeros or has anything else
/// than zeros after them.
#[derive(Debug)]
pub struct TarReader<R> {
    input: R,
    what: &'static str,
    /// How many bytes were read.
    at: u64,
    /// How many bytes of the current contents were not read yet.
    left: u64,
    /// How many bytes of padding follow the current contents.
    padding: u64,
    members: u64,
    globals: Records,
    has_globals: bool,
    is_done: bool,
}

/// What precedes a header.
#[derive(Default)]
struct Extensions {
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
    records: Option<Records>,
}

impl<R: Read> TarReader<R> {
    /// Starts at the beginning of an archive; `what` names the stream in errors.
    pub fn new(input: R, what: &'static str) -> Self {
        Self {
            input,
            what,
            at: 0,
            left: 0,
            padding: 0,
            members: 0,
            globals: Records::default(),
            has_globals: false,
            is_done: false,
        }
    }

    /// Moves to the next member, over what is left of the current contents; `None` at the end.
    pub fn next_member(&mut self) -> Result<Option<Member>, ReadError> {
        if self.is_done {
            return Ok(None);
        }
        self.skip_contents()?;
        let mut extensions = Extensions::default();
        loop {
            let offset = self.at;
            let Some(block) = self.next_block()? else {
                let has_extensions = extensions.long_name.is_some()
                    || extensions.long_link.is_some()
                    || extensions.records.is_some();
                if has_extensions {
                    let what = format!("{}: after an extended header", self.what);
                    return Err(ReadError::malformed(what, offset, "a member", "the end"));
                }
                self.is_done = true;
                return Ok(None);
            };
            let header = Header::decode(&block, self.what, offset)?;
            self.count_member(offset)?;
            match header.kind {
                b'L' => extensions.long_name = Some(self.long_name(&header)?),
                b'K' => extensions.long_link = Some(self.long_name(&header)?),
                b'x' => {
                    let mut records = self.globals.clone();
                    self.records(&header, &mut records)?;
                    extensions.records = Some(records);
                }
                b'g' => {
                    let mut records = std::mem::take(&mut self.globals);
                    self.records(&header, &mut records)?;
                    self.globals = records;
                    self.has_globals = true;
                }
                _ => return self.member(header, extensions, offset).map(Some),
            }
        }
    }

    /// Returns a reader of the current member's contents.
    pub fn contents(&mut self) -> Contents<'_, R> {
        Contents { archive: self }
    }

    /// Returns the current member's contents; more than `limit` bytes are an error.
    pub fn contents_to_vec(&mut self, limit: u64) -> Result<Vec<u8>, ReadError> {
        if self.left > limit {
            let what = format!("{}: the size of contents", self.what);
            let (limit, found) = (format!("at most {limit}"), self.left.to_string());
            return Err(ReadError::malformed(what, self.at, limit, found));
        }
        let wanted = self.left;
        let mut bytes = Vec::new();
        self.contents().take(wanted).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads the next member with its contents hashed; `None` at the end.
    pub fn next_entry(&mut self) -> Result<Option<(TreePath, Entry)>, ReadError> {
        let Some(member) = self.next_member()? else { return Ok(None) };
        let content = match member.kind {
            Kind::File => Content::of_reader(self.contents())?,
            _ => Content::of(b""),
        };
        Ok(Some((member.path.clone(), member.into_entry(content))))
    }

    /// Returns how many bytes of the archive were read.
    pub fn position(&self) -> u64 {
        self.at
    }

    fn count_member(&mut self, offset: u64) -> Result<(), ReadError> {
        self.members += 1;
        if self.members <= MAX_MEMBERS {
            return Ok(());
        }
        let what = format!("{}: headers", self.what);
        Err(ReadError::malformed(what, offset, format!("at most {MAX_MEMBERS}"), "more"))
    }

    fn skip_contents(&mut self) -> Result<(), ReadError> {
        io::copy(&mut self.contents(), &mut io::sink())?;
        let wanted = self.padding;
        self.padding = 0;
        let mut block = [0; BLOCK];
        let padding = block.get_mut(..usize::try_from(wanted).unwrap_or(0)).unwrap_or_default();
        let count = read_full(&mut self.input, padding)?;
        self.at += count as u64;
        if count as u64 == wanted { Ok(()) } else { Err(self.truncated("padding", wanted)) }
    }

    /// Returns the next header block; `None` for the two blocks of zeros at the end.
    fn next_block(&mut self) -> Result<Option<[u8; BLOCK]>, ReadError> {
        let block = self.block()?;
        if block.iter().any(|byte| *byte != 0) {
            return Ok(Some(block));
        }
        let offset = self.at;
        if self.block()?.iter().any(|byte| *byte != 0) {
            let what = format!("{}: after a block of zeros", self.what);
            return Err(ReadError::malformed(what, offset, "a second one", "other bytes"));
        }
        self.drain()?;
        Ok(None)
    }

    fn block(&mut self) -> Result<[u8; BLOCK], ReadError> {
        let mut block = [0; BLOCK];
        let count = read_full(&mut self.input, &mut block)?;
        self.at += count as u64;
        if count == BLOCK { Ok(block) } else { Err(self.truncated("a header", BLOCK as u64)) }
    }

    /// Reads what follows the end, so that whatever checks the stream's own end does so.
    fn drain(&mut self) -> Result<(), ReadError> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let count = read_full(&mut self.input, &mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            if let Some(index) = buffer[..count].iter().position(|byte| *byte != 0) {
                let what = format!("{}: after the end", self.what);
                let place = self.at + index as u64;
                return Err(ReadError::malformed(what, place, "zeros", "other bytes"));
            }
            self.at += count as u64;
        }
    }

    fn truncated(&self, part: &str, wanted: u64) -> ReadError {
        let what = format!("{}: {part}", self.what);
        ReadError::malformed(what, self.at, format!("{wanted} bytes"), "the end of the archive")
    }

    /// Reads the contents of a member that extends the next one.
    fn extension(&mut self, header: &Header) -> Result<Vec<u8>, ReadError> {
        if header.size > MAX_EXTENSION {
            let what = format!("{}: the size of an extended header", self.what);
            let (limit, found) = (format!("at most {MAX_EXTENSION}"), header.size.to_string());
            return Err(ReadError::malformed(what, self.at, limit, found));
        }
        self.start_contents(header.size);
        let bytes = self.contents_to_vec(MAX_EXTENSION)?;
        self.skip_contents()?;
        Ok(bytes)
    }

    fn long_name(&mut self, header: &Header) -> Result<Vec<u8>, ReadError> {
        let mut name = self.extension(header)?;
        if let Some(end) = name.iter().position(|byte| *byte == 0) {
            name.truncate(end);
        }
        Ok(name)
    }

    fn records(&mut self, header: &Header, records: &mut Records) -> Result<(), ReadError> {
        let offset = self.at;
        let bytes = self.extension(header)?;
        records.parse(&bytes, self.what, offset)
    }

    fn start_contents(&mut self, size: u64) {
        self.left = size;
        self.padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
    }

    fn member(
        &mut self,
        header: Header,
        extensions: Extensions,
        offset: u64,
    ) -> Result<Member, ReadError> {
        let is_pax = extensions.records.is_some() || self.has_globals;
        let records = extensions.records.unwrap_or_else(|| self.globals.clone());
        let name = records.path.or(extensions.long_name).unwrap_or(header.name);
        let link = records.link_path.or(extensions.long_link).unwrap_or(header.link_name);
        let place = format!("{}: member `{}`", self.what, escape(&name));
        let invalid = |reason: String| ReadError::invalid(place.clone(), reason);
        if name.is_empty() {
            return Err(invalid("it has no name".into()));
        }
        let path = TreePath::parse(&name).map_err(|error| invalid(error.to_string()))?;
        let numbers = (header.major, header.minor);
        let kind = kind(header.kind, &name, link, numbers).map_err(invalid)?;
        let size = records.size.unwrap_or(header.size);
        if size > 0 && kind != Kind::File {
            return Err(invalid(format!("it has {size} bytes of contents, but is no file")));
        }
        let uname = records.uname.unwrap_or(header.uname);
        let owner = account(uname, records.uid.unwrap_or(header.uid)).map_err(invalid)?;
        let gname = records.gname.unwrap_or(header.gname);
        let group = account(gname, records.gid.unwrap_or(header.gid)).map_err(invalid)?;
        let mode = match kind {
            Kind::Symlink(_) => Mode::from_st_mode(0o777),
            _ => Mode::from_st_mode(header.mode),
        };
        self.start_contents(size);
        let (mtime, xattrs) = (header.mtime, records.xattrs);
        Ok(Member { name, path, kind, size, mode, mtime, owner, group, xattrs, is_pax, offset })
    }
}

impl TarReader<Section> {
    /// Passes over what is left of the current contents without reading it.
    pub fn pass_contents(&mut self) {
        self.input.skip(self.left);
        self.at = self.input.position();
        self.left = 0;
    }
}

/// Returns what a header's type says, or why it has no meaning in a tree.
fn kind(kind: u8, name: &[u8], link: Vec<u8>, device: (u64, u64)) -> Result<Kind, String> {
    let number = |value| narrow("device number", value);
    let numbers = || Ok::<_, String>((number(device.0)?, number(device.1)?));
    Ok(match kind {
        b'0' | 0 | b'7' if name.ends_with(b"/") => Kind::Directory,
        b'0' | 0 | b'7' => Kind::File,
        b'1' => Kind::HardLink(TreePath::parse(link).map_err(|error| error.to_string())?),
        b'2' => Kind::Symlink(link),
        b'3' => {
            numbers().map(|(major, minor)| Kind::Device(DeviceKind::Character, major, minor))?
        }
        b'4' => numbers().map(|(major, minor)| Kind::Device(DeviceKind::Block, major, minor))?,
        b'5' => Kind::Directory,
        b'6' => Kind::Fifo,
        b'S' => return Err("it is a sparse file".into()),
        other => return Err(format!("its type `{}` is unknown", escape(&[other]))),
    })
}

/// Returns an account; one without a name is named by its number.
fn account(name: Vec<u8>, id: u64) -> Result<Owner, String> {
    let id = narrow("account number", id)?;
    let name = String::from_utf8(name)
        .map_err(|error| format!("the account name `{}` is not UTF-8", escape(error.as_bytes())))?;
    Ok(match (name.as_str(), id) {
        ("", 0) => Owner::root(),
        ("", id) => Owner::new(&id.to_string(), id),
        (name, id) => Owner::new(name, id),
    })
}

fn narrow(what: &str, value: u64) -> Result<u32, String> {
    u32::try_from(value).map_err(|_| format!("its {what} {value} is not below 2^32"))
}

/// Reads the contents of the current member; an archive that ends within them is an error.
#[derive(Debug)]
pub struct Contents<'a, R> {
    archive: &'a mut TarReader<R>,
}

impl<R: Read> Read for Contents<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let TarReader { input, left, at, what, .. } = self.archive;
        let wanted = usize::try_from(*left).unwrap_or(usize::MAX).min(buffer.len());
        let count = input.read(&mut buffer[..wanted])?;
        if count == 0 && wanted > 0 {
            let message = format!("{what} ends at offset {at}, expected {left} more bytes");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
        }
        *left -= count as u64;
        *at += count as u64;
        Ok(count)
    }
}

/// Reads until the buffer is full or the input ends.
fn read_full(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match input.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Reads a whole archive as a tree; `what` names the stream in errors.
pub fn read(input: impl Read, what: &'static str) -> Result<FileTree, ReadError> {
    let mut reader = TarReader::new(input, what);
    let mut builder = TreeBuilder::new();
    while let Some((path, entry)) = reader.next_entry()? {
        builder.insert(path, entry)?;
    }
    Ok(builder.finish()?)
}
