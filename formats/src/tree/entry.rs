//! One entry of a tree: what it is and whose it is.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::path::TreePath;
use crate::digest::Digest;

/// One entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What the entry is.
    pub node: Node,
    /// The permission bits; ignored for symbolic links, which always have 0777.
    pub mode: Mode,
    /// The owning user.
    pub owner: Owner,
    /// The owning group.
    pub group: Owner,
    /// Extended attributes, `security.capability` among them.
    pub xattrs: BTreeMap<XattrName, Vec<u8>>,
    /// What package managers should treat the entry as.
    pub mark: Mark,
    /// The language of the file, e.g. `de`: rpm `%lang`, which other formats leave out.
    pub language: Option<Arc<str>>,
    /// Whether the entry is a parent directory that nobody asked for by name.
    pub implied: bool,
}

/// The full name of an extended attribute, e.g. `security.capability`.
pub type XattrName = String;

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A directory.
    Directory,
    /// A regular file.
    File(Content),
    /// A symbolic link with its target as it stands in the link.
    Symlink(Vec<u8>),
    /// Another name of the regular file at this path.
    HardLink(TreePath),
    /// A device node.
    Device {
        /// Character or block.
        kind: DeviceKind,
        /// The major number.
        major: u32,
        /// The minor number.
        minor: u32,
    },
    /// A named pipe.
    Fifo,
}

/// The two kinds of device node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKind {
    /// A character device.
    Character,
    /// A block device.
    Block,
}

/// The content of a regular file, by identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// The SHA-256 digest.
    pub digest: Digest,
    /// The size in bytes.
    pub size: u64,
    /// The MD5 digest of the same bytes, which `.deb` files list, or zeros; never an identity.
    pub md5: [u8; 16],
}

impl Content {
    /// Returns the identity of a content that is in memory.
    pub fn of(bytes: &[u8]) -> Self {
        use md5::Digest as _;
        let md5 = md5::Md5::digest(bytes).into();
        Self { digest: Digest::of(bytes), size: bytes.len() as u64, md5 }
    }

    /// Returns the identity of everything a reader yields.
    pub fn of_reader(mut reader: impl std::io::Read) -> std::io::Result<Self> {
        use md5::Digest as _;
        let mut md5 = md5::Md5::new();
        let mut hasher = crate::digest::Hasher::new();
        // Most files are small, and a large buffer costs more to clear than they take to hash.
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let count = reader.read(&mut buffer)?;
            if count == 0 {
                let md5 = md5.finalize().into();
                return Ok(Self { digest: hasher.digest(), size: hasher.len(), md5 });
            }
            hasher.update(&buffer[..count]);
            md5.update(&buffer[..count]);
            if count == buffer.len() {
                buffer.resize(128 * 1024, 0);
            }
        }
    }

    /// Returns the identity of everything a reader yields without MD5, which takes longer than the
    /// rest: for what no `.deb` lists.
    pub fn without_md5(reader: impl std::io::Read) -> std::io::Result<Self> {
        let (digest, size) = Digest::of_reader(reader)?;
        Ok(Self { digest, size, md5: [0; 16] })
    }
}

/// Permission bits: the low twelve bits of `st_mode`, setuid, setgid and sticky included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mode(u16);

/// A number that has bits beyond the twelve permission bits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0:o}` is not a file mode: expected at most 7777 in octal")]
pub struct ModeError(u32);

impl Mode {
    /// `0755`: directories and programs.
    pub const EXECUTABLE: Self = Self(0o755);
    /// `0644`: plain files.
    pub const PLAIN: Self = Self(0o644);

    /// Accepts the twelve permission bits and nothing else.
    pub fn new(bits: u32) -> Result<Self, ModeError> {
        match u16::try_from(bits) {
            Ok(bits) if bits <= 0o7777 => Ok(Self(bits)),
            _ => Err(ModeError(bits)),
        }
    }

    /// Takes the permission bits of an `st_mode` and drops the file type.
    pub fn from_st_mode(st_mode: u32) -> Self {
        Self((st_mode & 0o7777) as u16)
    }

    /// Returns the twelve bits.
    pub fn bits(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

impl fmt::Debug for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A user or a group, by name and by number.
///
/// The name is the identity: packages own files by name, and a [`super::TreeId`] covers names. The
/// number is what formats that know only numbers store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    /// The account's name.
    pub name: Arc<str>,
    /// The account's number.
    pub id: u32,
}

impl Owner {
    /// Returns `root`, number 0.
    pub fn root() -> Self {
        Self { name: Arc::from("root"), id: 0 }
    }

    /// Returns an account by name and number.
    pub fn new(name: &str, id: u32) -> Self {
        Self { name: Arc::from(name), id }
    }

    /// Returns whether this is number 0.
    pub fn is_root(&self) -> bool {
        self.id == 0
    }
}

/// What a package manager should treat an entry as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mark {
    /// Nothing special.
    #[default]
    Plain,
    /// A configuration file: deb conffile, rpm `%config`.
    Config,
    /// A configuration file whose local edits always win: deb conffile, rpm `%config(noreplace)`.
    ConfigNoReplace,
    /// A configuration file that may be absent: deb conffile, rpm `%config(missingok)`.
    ConfigMissingOk,
    /// Both of the above: rpm `%config(noreplace,missingok)`.
    ConfigNoReplaceMissingOk,
    /// Documentation: rpm `%doc`.
    Doc,
    /// A licence text: rpm `%license`.
    License,
    /// A text to be read first: rpm `%readme`.
    Readme,
    /// A file that was made on the way, e.g. a build id link: rpm `%artifact`.
    Artifact,
    /// Owned by the package but not shipped: rpm `%ghost`; other formats leave it out.
    Ghost,
}

impl Mark {
    /// Returns whether local edits to the file must survive an upgrade.
    pub fn is_config(self) -> bool {
        match self {
            Self::Config
            | Self::ConfigNoReplace
            | Self::ConfigMissingOk
            | Self::ConfigNoReplaceMissingOk => true,
            Self::Plain
            | Self::Doc
            | Self::License
            | Self::Readme
            | Self::Artifact
            | Self::Ghost => false,
        }
    }

    /// Returns the word that recipes and listings use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Config => "config",
            Self::ConfigNoReplace => "config-noreplace",
            Self::ConfigMissingOk => "config-missingok",
            Self::ConfigNoReplaceMissingOk => "config-noreplace-missingok",
            Self::Doc => "doc",
            Self::License => "license",
            Self::Readme => "readme",
            Self::Artifact => "artifact",
            Self::Ghost => "ghost",
        }
    }
}

impl Entry {
    /// Returns an entry owned by root, unmarked, without extended attributes.
    pub fn new(node: Node, mode: Mode) -> Self {
        Self {
            node,
            mode,
            owner: Owner::root(),
            group: Owner::root(),
            xattrs: BTreeMap::new(),
            mark: Mark::Plain,
            language: None,
            implied: false,
        }
    }

    /// Returns a directory with mode 0755.
    pub fn directory() -> Self {
        Self::new(Node::Directory, Mode::EXECUTABLE)
    }

    /// Returns a regular file.
    pub fn file(content: Content, mode: Mode) -> Self {
        Self::new(Node::File(content), mode)
    }

    /// Returns a symbolic link.
    pub fn symlink(target: impl Into<Vec<u8>>) -> Self {
        Self::new(Node::Symlink(target.into()), Mode(0o777))
    }

    /// Returns whether the entry is a directory.
    pub fn is_directory(&self) -> bool {
        matches!(self.node, Node::Directory)
    }

    /// Returns `st_mode`: the file type and the permission bits.
    pub fn st_mode(&self) -> u32 {
        let kind = match &self.node {
            Node::Directory => 0o040_000,
            Node::File(_) | Node::HardLink(_) => 0o100_000,
            Node::Symlink(_) => return 0o120_777,
            Node::Device { kind: DeviceKind::Character, .. } => 0o020_000,
            Node::Device { kind: DeviceKind::Block, .. } => 0o060_000,
            Node::Fifo => 0o010_000,
        };
        kind | u32::from(self.mode.bits())
    }
}
