//! The file table: parallel arrays in the header, one value per file.
//!
//! A path is split into `DIRNAMES[DIRINDEXES[i]]`, which ends with a slash, and `BASENAMES[i]`.
//! Files are in byte order of their paths, as rpm's binary search expects. Regular files of one
//! inode are hard links; only the last of them has its content in the payload.
//! [`super::columns`] reads the arrays back.
//!
//! Specified in rpm's `docs/manual/tags.md`, "Packages with files"; the flags in
//! `include/rpm/rpmfiles.h`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::automatic::Usage;
use super::checksum::Checksum;
use super::directories::is_unowned;
use super::header::Header;
use super::model::{Package, RpmFormat};
use super::relations::Row;
use super::value::{Strings, Value};
use super::{columns, tags};
use crate::archive::cpio;
use crate::digest::Digest;
use crate::format::{ReadError, WriteError};
use crate::tree::{DeviceKind, Entry, FileTree, Mark, Node, Owner, TreePath, capabilities, escape};

const FLAG_CONFIG: u32 = 1 << 0;
const FLAG_DOC: u32 = 1 << 1;
const FLAG_MISSINGOK: u32 = 1 << 3;
const FLAG_NOREPLACE: u32 = 1 << 4;
const FLAG_GHOST: u32 = 1 << 6;
const FLAG_LICENSE: u32 = 1 << 7;
const FLAG_README: u32 = 1 << 8;
const FLAG_ARTIFACT: u32 = 1 << 12;

/// Verify everything; of ghosts neither digest, size, link target nor modification time.
const VERIFY_ALL: u32 = u32::MAX;
const VERIFY_GHOST: u32 = VERIFY_ALL & !(1 << 0 | 1 << 1 | 1 << 2 | 1 << 5);

/// The file types of `st_mode`.
pub(super) const S_IFMT: u16 = 0o170_000;
pub(super) const S_IFREG: u16 = 0o100_000;
pub(super) const S_IFLNK: u16 = 0o120_000;
pub(super) const S_IFDIR: u16 = 0o040_000;
pub(super) const S_IFCHR: u16 = 0o020_000;
pub(super) const S_IFBLK: u16 = 0o060_000;
pub(super) const S_IFIFO: u16 = 0o010_000;

/// One row of the file table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    pub(super) path: TreePath,
    /// `FILEMODES`
    pub(super) mode: u16,
    /// `FILESIZES` or `LONGFILESIZES`
    pub(super) size: u64,
    /// `FILERDEVS`: major number in the high byte, minor number in the low one.
    pub(super) rdev: u16,
    /// `FILEDIGESTS`, of regular files that are no ghosts, if it is SHA-256.
    pub(super) digest: Option<Digest>,
    /// The same as hex digits if it is not.
    pub(super) checksum: String,
    /// `FILELINKTOS`
    pub(super) link_to: Vec<u8>,
    /// `FILEFLAGS`
    pub(super) flags: u32,
    /// `FILEUSERNAME`; the number is in the payload only.
    pub(super) owner: Owner,
    /// `FILEGROUPNAME`; the number is in the payload only.
    pub(super) group: Owner,
    /// `FILEINODES`
    pub(super) inode: u32,
    /// `FILECAPS`, empty for none.
    pub(super) capabilities: String,
    /// `FILELANGS`
    pub(super) language: Option<Arc<str>>,
}

/// What the inode of a row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Links {
    /// How many rows have the inode.
    pub(super) count: u32,
    /// The first of them.
    pub(super) first: usize,
    /// The last of them, which has the content.
    pub(super) last: usize,
}

/// The file table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FileTable {
    pub(super) rows: Vec<File>,
    /// Whether sizes have 64 bits, and so the payload is stripped cpio.
    pub(super) large: bool,
    /// How the digests of files were computed.
    pub(super) checksum: Checksum,
    /// What sysusers.d files among the rows make the package provide.
    pub(super) accounts: Vec<Row>,
    /// `FILECOLORS`, of all rows; empty if nobody has looked.
    pub(super) colors: Vec<u32>,
}

impl File {
    pub(super) fn is_ghost(&self) -> bool {
        self.flags & FLAG_GHOST != 0
    }

    pub(super) fn is_regular(&self) -> bool {
        self.mode & S_IFMT == S_IFREG
    }

    pub(super) fn mark(&self) -> Mark {
        let has = |flag| self.flags & flag != 0;
        if has(FLAG_GHOST) {
            Mark::Ghost
        } else if has(FLAG_CONFIG) {
            match (has(FLAG_NOREPLACE), has(FLAG_MISSINGOK)) {
                (false, false) => Mark::Config,
                (true, false) => Mark::ConfigNoReplace,
                (false, true) => Mark::ConfigMissingOk,
                (true, true) => Mark::ConfigNoReplaceMissingOk,
            }
        } else if has(FLAG_LICENSE) {
            Mark::License
        } else if has(FLAG_README) {
            Mark::Readme
        } else if has(FLAG_ARTIFACT) {
            Mark::Artifact
        } else if has(FLAG_DOC) {
            Mark::Doc
        } else {
            Mark::Plain
        }
    }

    fn from_entry(tree: &FileTree, path: &TreePath, entry: &Entry) -> Result<Self, WriteError> {
        let ghost = entry.mark == Mark::Ghost;
        let content = tree.content_of(entry).filter(|_| !ghost);
        let link_to = match &entry.node {
            Node::Symlink(target) => target.clone(),
            _ => Vec::new(),
        };
        let size = content.map_or(link_to.len() as u64, |content| content.size);
        Ok(Self {
            path: path.clone(),
            mode: (entry.st_mode() & 0xffff) as u16,
            size,
            rdev: rdev(path, entry)?,
            digest: content.map(|content| content.digest),
            checksum: String::new(),
            link_to,
            flags: flags(path, entry),
            owner: account(path, &entry.owner, "owner")?,
            group: account(path, &entry.group, "group")?,
            inode: 0,
            capabilities: capabilities(path, entry)?,
            language: entry.language.clone(),
        })
    }
}

/// Where everything is a document: rpm's `%__docdir_path`, as far as it is in use.
const DOCUMENTS: &[&str] = &[
    "usr/share/doc/",
    "usr/share/gnome/help/",
    "usr/share/gtk-doc/html/",
    "usr/share/info/",
    "usr/share/javadoc/",
    "usr/share/man/",
];

fn flags(path: &TreePath, entry: &Entry) -> u32 {
    let below = |root: &&str| path.relative().starts_with(root.as_bytes());
    let document = !entry.is_directory() && DOCUMENTS.iter().any(below);
    mark_flags(entry) | if document { FLAG_DOC } else { 0 }
}

fn mark_flags(entry: &Entry) -> u32 {
    match entry.mark {
        Mark::Ghost => FLAG_GHOST,
        // As rpmbuild has it: a directory is no document.
        _ if entry.is_directory() => 0,
        Mark::Plain => 0,
        Mark::Config => FLAG_CONFIG,
        Mark::ConfigNoReplace => FLAG_CONFIG | FLAG_NOREPLACE,
        Mark::ConfigMissingOk => FLAG_CONFIG | FLAG_MISSINGOK,
        Mark::ConfigNoReplaceMissingOk => FLAG_CONFIG | FLAG_NOREPLACE | FLAG_MISSINGOK,
        Mark::Doc => FLAG_DOC,
        Mark::License => FLAG_LICENSE,
        Mark::Readme => FLAG_README,
        Mark::Artifact => FLAG_ARTIFACT,
    }
}

fn rdev(path: &TreePath, entry: &Entry) -> Result<u16, WriteError> {
    let Node::Device { major, minor, .. } = entry.node else { return Ok(0) };
    match (u8::try_from(major), u8::try_from(minor)) {
        (Ok(major), Ok(minor)) => Ok(u16::from(major) << 8 | u16::from(minor)),
        _ => Err(WriteError::Limit {
            format: "rpm",
            what: format!("the device numbers of `{path}`"),
            limit: 255,
            found: u64::from(major.max(minor)),
        }),
    }
}

fn account(path: &TreePath, account: &Owner, what: &str) -> Result<Owner, WriteError> {
    let name = &account.name;
    if !name.is_empty() && !name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Ok(account.clone());
    }
    let reason = Some("rpm knows accounts by name".into());
    let what = format!("the {what} `{}`", escape(name.as_bytes()));
    Err(WriteError::Unsupported { format: "rpm", path: path.clone(), what, reason })
}

fn capabilities(path: &TreePath, entry: &Entry) -> Result<String, WriteError> {
    let unsupported = |name: &str, reason| {
        let what = format!("the extended attribute {name}");
        WriteError::Unsupported { format: "rpm", path: path.clone(), what, reason }
    };
    let mut text = String::new();
    for (name, value) in &entry.xattrs {
        if name != capabilities::XATTR {
            return Err(unsupported(name, None));
        }
        if !matches!(entry.node, Node::File(_) | Node::HardLink(_)) {
            let reason = Some("only regular files have capabilities".into());
            return Err(unsupported(name, reason));
        }
        text = capabilities::to_text(value).map_err(|reason| unsupported(name, Some(reason)))?;
    }
    Ok(text)
}

impl FileTable {
    /// Returns the table of everything in a tree that the package lists.
    pub(super) fn from_tree(tree: &FileTree, package: &Package) -> Result<Self, WriteError> {
        let mut rows = Vec::with_capacity(tree.len());
        for (path, entry) in tree.iter() {
            refuse_link_to_ghost(tree, path, entry)?;
            if !is_unowned(tree, path, entry, &package.name) {
                rows.push((entry, File::from_entry(tree, path, entry)?));
            }
        }
        rows.sort_by(|(_, one), (_, other)| one.path.relative().cmp(other.path.relative()));
        let linked = tree.link_counts();
        let mut inodes: BTreeMap<TreePath, u32> = BTreeMap::new();
        for (number, (entry, file)) in (1..).zip(&mut rows) {
            let identity = match &entry.node {
                Node::HardLink(target) if !file.is_ghost() => target,
                _ => &file.path,
            };
            file.inode = if linked.contains_key(identity) {
                *inodes.entry(identity.clone()).or_insert(number)
            } else {
                number
            };
        }
        let rows: Vec<File> = rows.into_iter().map(|(_, file)| file).collect();
        let large =
            package.format == RpmFormat::V6 || rows.iter().any(|file| file.size > cpio::MAX_BODY);
        Ok(Self { rows, large, ..Self::default() })
    }

    /// Returns what the table uses of rpm's features.
    pub(super) fn usage(&self) -> Usage {
        let names = |of: fn(&File) -> &Owner| -> BTreeSet<String> {
            let names = self.rows.iter().map(|file| &*of(file).name);
            let names: BTreeSet<&str> = names.filter(|name| *name != "root").collect();
            names.into_iter().map(str::to_owned).collect()
        };
        Usage {
            config: self.rows.iter().any(|file| file.mark().is_config()),
            capabilities: self.rows.iter().any(|file| !file.capabilities.is_empty()),
            hard_links: self.links().iter().any(|links| links.count > 1),
            large_files: self.large && !self.rows.is_empty(),
            users: names(|file| &file.owner),
            groups: names(|file| &file.group),
            accounts: self.accounts.clone(),
        }
    }

    /// Returns for every row which rows share its inode.
    pub(super) fn links(&self) -> Vec<Links> {
        let alone = |row| Links { count: 1, first: row, last: row };
        let mut all: Vec<Links> = (0..self.rows.len()).map(alone).collect();
        let rows = self.rows.iter().enumerate();
        let linkable = rows.filter(|(_, file)| file.is_regular() && !file.is_ghost());
        let mut inodes: Vec<(u32, usize)> = linkable.map(|(row, file)| (file.inode, row)).collect();
        inodes.sort_unstable();
        for names in inodes.chunk_by(|(one, _), (other, _)| one == other) {
            let [(_, first), .., (_, last)] = *names else { continue };
            let count = u32::try_from(names.len()).unwrap_or(u32::MAX);
            for (_, row) in names {
                all[*row] = Links { count, first, last };
            }
        }
        all
    }

    /// Returns the sum of all sizes, hard-linked files once.
    fn total_size(&self) -> u64 {
        let rows = self.rows.iter().zip(self.links()).enumerate();
        let counted = rows.filter(|(row, (_, links))| links.last == *row);
        counted.map(|(_, (file, _))| file.size).sum()
    }

    /// Puts the table into a header.
    pub(super) fn put(&self, header: &mut Header, mtime: u32) {
        let total = self.total_size();
        match u32::try_from(total) {
            Ok(total) if total < u32::MAX && !self.large => header.put_int32(tags::SIZE, total),
            _ => header.put(tags::LONGSIZE, Value::Int64(vec![total])),
        }
        header.put_int32(tags::FILEDIGESTALGO, Checksum::Sha256.number());
        if self.rows.is_empty() {
            return;
        }
        let rows = || self.rows.iter();
        if self.large {
            header.put(tags::LONGFILESIZES, Value::Int64(rows().map(|file| file.size).collect()));
        } else {
            let sizes = rows().map(|file| (file.size & 0xffff_ffff) as u32).collect();
            header.put(tags::FILESIZES, Value::Int32(sizes));
        }
        header.put(tags::FILEMODES, Value::Int16(rows().map(|file| file.mode).collect()));
        header.put(tags::FILERDEVS, Value::Int16(rows().map(|file| file.rdev).collect()));
        header.put(tags::FILEMTIMES, Value::Int32(vec![mtime; self.rows.len()]));
        let mut digests = Strings::default();
        for file in rows() {
            digests.push(file.digest.map(|digest| digest.hex()).unwrap_or_default().as_bytes());
        }
        header.put(tags::FILEDIGESTS, Value::StringArray(digests));
        let strings = |of: fn(&File) -> &[u8]| Value::StringArray(rows().map(of).collect());
        header.put(tags::FILELINKTOS, strings(|file| &file.link_to));
        header.put(tags::FILEUSERNAME, strings(|file| file.owner.name.as_bytes()));
        header.put(tags::FILEGROUPNAME, strings(|file| file.group.name.as_bytes()));
        header.put(
            tags::FILELANGS,
            strings(|file| file.language.as_deref().unwrap_or_default().as_bytes()),
        );
        if rows().any(|file| !file.capabilities.is_empty()) {
            header.put(tags::FILECAPS, strings(|file| file.capabilities.as_bytes()));
        }
        header.put(tags::FILEFLAGS, Value::Int32(rows().map(|file| file.flags).collect()));
        let verify = rows().map(|file| if file.is_ghost() { VERIFY_GHOST } else { VERIFY_ALL });
        header.put(tags::FILEVERIFYFLAGS, Value::Int32(verify.collect()));
        header.put(tags::FILEDEVICES, Value::Int32(vec![1; self.rows.len()]));
        header.put(tags::FILEINODES, Value::Int32(rows().map(|file| file.inode).collect()));
        header.put(tags::FILECOLORS, Value::Int32(self.colors.clone()));
        self.put_paths(header);
    }

    fn put_paths(&self, header: &mut Header) {
        let mut indexes: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
        let (mut basenames, mut dirnames) = (Strings::default(), Strings::default());
        let mut dirindexes = Vec::new();
        let mut next = 0;
        for file in &self.rows {
            let mut path = file.path.absolute();
            let directory = path.len() - file.path.name().len();
            basenames.push(&path[directory..]);
            path.truncate(directory);
            let index = *indexes.entry(path).or_insert_with_key(|directory| {
                dirnames.push(directory);
                next
            });
            next = next.max(index + 1);
            dirindexes.push(index);
        }
        header.put(tags::BASENAMES, Value::StringArray(basenames));
        header.put(tags::DIRNAMES, Value::StringArray(dirnames));
        header.put(tags::DIRINDEXES, Value::Int32(dirindexes));
    }

    /// Reads the table of a header.
    pub(super) fn read(header: &Header) -> Result<Self, ReadError> {
        let (rows, checksum) = columns::read(header)?;
        let large =
            [tags::LONGFILESIZES, tags::RPMFORMAT].iter().any(|tag| header.get(*tag).is_some());
        Ok(Self { rows, large, checksum, ..Self::default() })
    }
}

/// A hard link whose file is not shipped would come back as a file of its own.
fn refuse_link_to_ghost(tree: &FileTree, path: &TreePath, entry: &Entry) -> Result<(), WriteError> {
    let Node::HardLink(target) = &entry.node else { return Ok(()) };
    let ghost = |entry: &Entry| entry.mark == Mark::Ghost;
    if ghost(entry) || !tree.get(target).is_some_and(ghost) {
        return Ok(());
    }
    let what = format!("the hard link to the ghost `{target}`");
    Err(WriteError::Unsupported { format: "rpm", path: path.clone(), what, reason: None })
}

/// Returns the node of a file that has no content.
pub(super) fn special_node(file: &File) -> Option<Node> {
    let (major, minor) = (u32::from(file.rdev >> 8), u32::from(file.rdev & 0xff));
    match file.mode & S_IFMT {
        S_IFDIR => Some(Node::Directory),
        S_IFLNK => Some(Node::Symlink(file.link_to.clone())),
        S_IFCHR => Some(Node::Device { kind: DeviceKind::Character, major, minor }),
        S_IFBLK => Some(Node::Device { kind: DeviceKind::Block, major, minor }),
        S_IFIFO => Some(Node::Fifo),
        _ => None,
    }
}
