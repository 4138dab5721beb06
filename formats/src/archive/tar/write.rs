//! Writing: members as a rope, contents by reference.

use super::header::{ACCOUNT_LEN, Header, NAME_LEN, fits_octal};
use super::{BLOCK, pax, sparse};
use crate::format::{Epoch, WriteError};
use crate::rope::Rope;
use crate::tree::{DeviceKind, Entry, FileTree, Mode, Node, Owner, TreePath, escape};

/// How what does not fit a header is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// GNU long names and base-256 numbers; no extended attributes. The only one dpkg reads.
    Gnu,
    /// PAX records for long and unusual names, large numbers and extended attributes.
    Pax,
}

/// Where symbolic links stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SymlinkOrder {
    /// In the order of the tree.
    InTree,
    /// After everything else, as `dpkg-deb` puts them.
    Last,
}

/// Whether the archive lists the root directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// As the first member, `./`.
    Listed,
    /// Not at all.
    Omitted,
}

/// What an archive looks like.
#[derive(Debug, Clone, Copy)]
pub struct TarOptions<'a> {
    /// The name of the format that the archive is part of, for errors.
    pub format: &'static str,
    /// How what does not fit a header is stored.
    pub dialect: Dialect,
    /// What every name starts with: `./` or nothing.
    pub prefix: &'a str,
    /// The modification time of every member.
    pub epoch: Epoch,
    /// Where symbolic links stand.
    pub symlinks: SymlinkOrder,
    /// Whether the root directory is listed.
    pub root: Root,
}

/// Returns a whole archive of a tree, end blocks included.
///
/// All entries are written, also those marked [`crate::tree::Mark::Ghost`]: a caller whose format
/// leaves those out filters the tree first.
pub fn write(tree: &FileTree, options: TarOptions<'_>) -> Result<Rope, WriteError> {
    let is_late = |entry: &Entry| {
        options.symlinks == SymlinkOrder::Last && matches!(entry.node, Node::Symlink(_))
    };
    let mut writer = TarWriter::new(options);
    for late in [false, true] {
        for (path, entry) in tree.iter().filter(|(_, entry)| is_late(entry) == late) {
            if path.is_root() && options.root == Root::Omitted {
                continue;
            }
            writer.append(path, entry)?;
        }
    }
    Ok(writer.finish())
}

/// Appends members to a rope, one at a time.
#[derive(Debug)]
pub struct TarWriter<'a> {
    options: TarOptions<'a>,
    rope: Rope,
}

impl<'a> TarWriter<'a> {
    /// Starts an archive.
    pub fn new(options: TarOptions<'a>) -> Self {
        Self { options, rope: Rope::new() }
    }

    /// Appends an entry of a tree; the file that a hard link names must have been appended before.
    pub fn append(&mut self, path: &TreePath, entry: &Entry) -> Result<(), WriteError> {
        let mut header = self.header(path, entry);
        match &entry.node {
            Node::Directory => header.kind = b'5',
            Node::File(content) => {
                header.kind = b'0';
                header.size = content.size;
            }
            Node::Symlink(target) => {
                header.kind = b'2';
                header.mode = 0o777;
                header.link_name.clone_from(target);
            }
            Node::HardLink(target) => {
                header.kind = b'1';
                header.link_name = self.name(target, entry);
            }
            Node::Device { kind, major, minor } => {
                header.kind = match kind {
                    DeviceKind::Character => b'3',
                    DeviceKind::Block => b'4',
                };
                (header.major, header.minor) = (u64::from(*major), u64::from(*minor));
            }
            Node::Fifo => header.kind = b'6',
        }
        self.push_header(path, entry, header)?;
        if let Node::File(content) = &entry.node {
            self.rope.push_range(content.digest, 0, content.size);
            self.rope.align(BLOCK as u64);
        }
        Ok(())
    }

    /// Appends a regular file of root's with these bytes.
    pub fn append_bytes(
        &mut self,
        path: &TreePath,
        mode: Mode,
        bytes: &[u8],
    ) -> Result<(), WriteError> {
        self.append_rope(path, mode, &Rope::from(bytes.to_vec()))
    }

    /// Appends a regular file of root's whose bytes a rope stands for.
    pub fn append_rope(
        &mut self,
        path: &TreePath,
        mode: Mode,
        bytes: &Rope,
    ) -> Result<(), WriteError> {
        // Only its attributes are used.
        let entry = Entry::new(Node::Fifo, mode);
        let mut header = self.header(path, &entry);
        (header.kind, header.size) = (b'0', bytes.len());
        self.push_header(path, &entry, header)?;
        self.rope.push_rope(bytes);
        self.rope.align(BLOCK as u64);
        Ok(())
    }

    /// Appends a regular file of root's without the holes of the rope, in the old GNU form.
    pub fn append_sparse(
        &mut self,
        path: &TreePath,
        mode: Mode,
        bytes: &Rope,
    ) -> Result<(), WriteError> {
        // Only its attributes are used.
        let entry = Entry::new(Node::Fifo, mode);
        let header = self.header(path, &entry);
        if header.name.len() > NAME_LEN {
            let reason = "a sparse file's name has up to 100 bytes";
            return Err(self.unsupported(path, "the name".into(), reason));
        }
        sparse::push(&mut self.rope, header, bytes);
        Ok(())
    }

    /// Ends the archive and returns it.
    pub fn finish(mut self) -> Rope {
        self.rope.push_zeros(2 * BLOCK as u64);
        self.rope
    }

    fn name(&self, path: &TreePath, entry: &Entry) -> Vec<u8> {
        if path.is_root() {
            return b"./".to_vec();
        }
        let slash: &[u8] = if entry.is_directory() { b"/" } else { b"" };
        [self.options.prefix.as_bytes(), path.relative(), slash].concat()
    }

    fn header(&self, path: &TreePath, entry: &Entry) -> Header {
        Header {
            name: self.name(path, entry),
            mode: u32::from(entry.mode.bits()),
            uid: u64::from(entry.owner.id),
            gid: u64::from(entry.group.id),
            mtime: u64::from(self.options.epoch.0),
            uname: entry.owner.name.as_bytes().to_vec(),
            gname: entry.group.name.as_bytes().to_vec(),
            ..Header::default()
        }
    }

    fn push_header(
        &mut self,
        path: &TreePath,
        entry: &Entry,
        header: Header,
    ) -> Result<(), WriteError> {
        match self.options.dialect {
            Dialect::Gnu => self.push_gnu(path, entry, &header),
            Dialect::Pax => self.push_pax(path, entry, header),
        }
    }

    fn unsupported(&self, path: &TreePath, what: String, reason: &str) -> WriteError {
        let (format, path, reason) = (self.options.format, path.clone(), Some(reason.into()));
        WriteError::Unsupported { format, path, what, reason }
    }

    fn push_gnu(
        &mut self,
        path: &TreePath,
        entry: &Entry,
        header: &Header,
    ) -> Result<(), WriteError> {
        if let Some(name) = entry.xattrs.keys().next() {
            let what = format!("the extended attribute {}", escape(name.as_bytes()));
            let reason = "its tar dialect has no place for it, a maintainer script can set it";
            return Err(self.unsupported(path, what, reason));
        }
        for (kind, Owner { name, .. }) in [("user", &entry.owner), ("group", &entry.group)] {
            if name.len() > ACCOUNT_LEN {
                let what = format!("the {kind} name {name}");
                return Err(self.unsupported(path, what, "its tar dialect allows 31 bytes"));
            }
        }
        for (kind, name) in [(b'K', &header.link_name), (b'L', &header.name)] {
            if name.len() > NAME_LEN {
                self.push_long_name(kind, name);
            }
        }
        self.rope.push_padded(&header.encode(Dialect::Gnu));
        Ok(())
    }

    /// Puts a name that is too long for the next header before that.
    fn push_long_name(&mut self, kind: u8, name: &[u8]) {
        let header = Header {
            name: b"././@LongLink".to_vec(),
            mode: 0o644,
            size: name.len() as u64 + 1,
            kind,
            uname: b"root".to_vec(),
            gname: b"root".to_vec(),
            ..Header::default()
        };
        self.rope.push_padded(&header.encode(Dialect::Gnu));
        self.rope.push_bytes(name);
        self.rope.push_zeros(1);
        self.rope.align(BLOCK as u64);
    }

    fn push_pax(
        &mut self,
        path: &TreePath,
        entry: &Entry,
        mut header: Header,
    ) -> Result<(), WriteError> {
        let has_wide_device =
            [header.major, header.minor].iter().any(|n| !fits_octal(*n, Header::ID_LEN));
        if has_wide_device {
            let what = "the device number".into();
            return Err(self.unsupported(path, what, "tar allows numbers up to 2097151"));
        }
        let bad = |name: &&String| name.is_empty() || name.contains(['=', '\0', '\n']);
        if let Some(name) = entry.xattrs.keys().find(bad) {
            let what = format!("the extended attribute {}", escape(name.as_bytes()));
            return Err(self.unsupported(path, what, "PAX keys hold no `=`, NUL or line feed"));
        }
        let records = records(entry, &header);
        if !records.is_empty() {
            self.push_records(&header, &records);
            header.name = plain(&header.name);
            header.link_name = plain(&header.link_name);
            for name in [&mut header.uname, &mut header.gname] {
                *name = plain(name);
                name.truncate(ACCOUNT_LEN);
            }
        }
        self.rope.push_padded(&header.encode(Dialect::Pax));
        Ok(())
    }

    /// Puts the records for the next header before that.
    fn push_records(&mut self, next: &Header, records: &[u8]) {
        let mut name = b"PaxHeaders/".to_vec();
        name.extend(plain(&next.name).iter().copied().filter(|byte| *byte != b'/'));
        name.truncate(NAME_LEN);
        let header = Header {
            name,
            mode: 0o644,
            size: records.len() as u64,
            mtime: next.mtime,
            kind: b'x',
            ..Header::default()
        };
        self.rope.push_padded(&header.encode(Dialect::Pax));
        self.rope.push_bytes(records);
        self.rope.align(BLOCK as u64);
    }
}

/// Returns the PAX records that an entry needs, sorted by key.
fn records(entry: &Entry, header: &Header) -> Vec<u8> {
    let mut records = Vec::new();
    let is_long = |name: &[u8], limit| name.len() > limit || !name.is_ascii();
    let texts = [
        ("gname", &header.gname, ACCOUNT_LEN),
        ("linkpath", &header.link_name, NAME_LEN),
        ("path", &header.name, NAME_LEN),
        ("uname", &header.uname, ACCOUNT_LEN),
    ];
    let numbers = [
        ("gid", header.gid, Header::ID_LEN),
        ("size", header.size, Header::SIZE_LEN),
        ("uid", header.uid, Header::ID_LEN),
    ];
    let is_binary = texts.iter().any(|(_, text, _)| std::str::from_utf8(text).is_err());
    if is_binary {
        pax::push_record(&mut records, "hdrcharset", b"BINARY");
    }
    for (key, text, limit) in texts {
        if is_long(text, limit) {
            pax::push_record(&mut records, key, text);
        }
    }
    for (key, number, len) in numbers {
        if !fits_octal(number, len) {
            pax::push_record(&mut records, key, number.to_string().as_bytes());
        }
    }
    if !matches!(entry.node, Node::HardLink(_)) {
        for (name, value) in &entry.xattrs {
            pax::push_record(&mut records, &format!("{}{name}", pax::XATTR), value);
        }
    }
    records
}

/// Returns a name for the header proper where a record has the whole one: ASCII and cut to fit.
fn plain(name: &[u8]) -> Vec<u8> {
    let ascii = |byte: &u8| if byte.is_ascii() { *byte } else { b'_' };
    name.iter().take(NAME_LEN).map(ascii).collect()
}
