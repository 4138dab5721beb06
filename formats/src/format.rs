//! What every output format has in common.
//!
//! A format is a pure function from a model (what the format stores besides the tree) and a
//! [`FileTree`] to an [`Artifact`], and back. The laws, tested for every format in
//! `tests/conformance.rs`:
//!
//! 1. *Write is pure*: equal arguments give equal bytes, whatever the store, the thread count or
//!    the machine.
//! 2. *Read undoes write*: reading what was written gives the same model and the same tree
//!    identity.
//! 3. *Our own output verifies clean.*
//! 4. *A flipped byte is noticed*: verify reports it, or read fails, wherever the format has a
//!    checksum for that byte.
//! 5. *A conventional name is one file name*: no slash, not empty.
//! 6. *What is visited is what the tree lists*: the paths, digests and sizes of everything that is
//!    visited are those of the regular files of the tree that `read` gives, each file once.
//! 7. *An identity is of the bytes*: a file whose digest the writer says has it.

use std::fmt::Debug;
use std::io::{self, Read};
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::blob::BlobStore;
use crate::digest::Digest;
use crate::encode::Encoder;
use crate::input::Source;
use crate::rope::Rope;
use crate::tree::{FileTree, TreeError, TreePath};

/// The one modification time of everything in a bake: seconds since 1970, before 2106.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Epoch(pub u32);

impl Epoch {
    /// Returns year, month and day of the Gregorian calendar in UTC.
    pub fn date(self) -> (u32, u32, u32) {
        let leap = |year: u32| {
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
        };
        let (mut year, mut left) = (1970, self.0 / 86_400);
        loop {
            let length = if leap(year) { 366 } else { 365 };
            if left < length {
                break;
            }
            left -= length;
            year += 1;
        }
        let february = if leap(year) { 29 } else { 28 };
        let mut month = 1;
        for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
            if left < length {
                break;
            }
            left -= length;
            month += 1;
        }
        (year, month, left + 1)
    }
}

/// One output format.
pub trait Format {
    /// What the format stores besides the tree, e.g. a deb's control fields.
    type Model: Clone + PartialEq + Debug + Serialize;
    /// Short name, e.g. `deb`.
    const NAME: &'static str;
    /// Raised whenever equal input would give different bytes; part of every action key.
    const REVISION: u32;

    /// Returns the conventional file name, e.g. `hello_1.0-1_amd64.deb`.
    fn file_name(model: &Self::Model) -> String;

    /// Describes the artifact's bytes.
    fn write(
        model: &Self::Model,
        tree: &FileTree,
        cx: &WriteCx<'_>,
    ) -> Result<Artifact, WriteError>;

    /// Parses an artifact back into what it was written from.
    fn read(source: &Source) -> Result<Unpacked<Self::Model>, ReadError>;

    /// Hands over what the regular files of the payload hold, until the visitor breaks off.
    ///
    /// Each file is handed over once: one with several names under the first, the path at which the
    /// tree has it. Files that hold nothing come as well. The order is that of the artifact. Nothing
    /// is handed over of an artifact that `read` refuses.
    fn visit(source: &Source, visitor: &mut Visitor<'_>) -> Result<ControlFlow<()>, ReadError>;

    /// Lists every rule of the format that the artifact breaks.
    fn verify(source: &Source) -> Result<Vec<Problem>, ReadError>;
}

/// Who is handed files: the path of one and what it holds. What is not read is passed over.
pub type Visitor<'a> = dyn FnMut(&TreePath, &mut dyn Read) -> io::Result<ControlFlow<()>> + 'a;

/// What a writer may use besides its arguments; none of it can change the bytes written, except
/// the epoch.
#[derive(Clone, Copy)]
pub struct WriteCx<'a> {
    /// Where contents are read from and intermediate blobs are kept.
    pub blobs: &'a dyn BlobStore,
    /// Compresses ropes.
    pub encoder: &'a Encoder<'a>,
    /// The modification time of everything.
    pub epoch: Epoch,
}

impl Debug for WriteCx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriteCx").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

/// One finished output: its files, described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// The format's name.
    pub format: String,
    /// The files, in order of their paths. A single-file artifact has one with an empty path.
    pub files: Vec<ArtifactFile>,
}

/// One file of an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactFile {
    /// The path below the artifact's folder, or empty if the artifact is one file.
    pub path: String,
    /// The bytes.
    pub rope: Rope,
    /// Their digest, if it was computed to describe the artifact.
    pub identity: Option<Digest>,
}

impl ArtifactFile {
    /// Returns a file whose digest nobody asked for yet.
    pub fn new(path: impl Into<String>, rope: Rope) -> Self {
        Self { path: path.into(), rope, identity: None }
    }
}

impl Artifact {
    /// Returns an artifact that is one file.
    pub fn file(format: &str, rope: Rope) -> Self {
        Self { format: format.into(), files: vec![ArtifactFile::new("", rope)] }
    }

    /// Returns whether the artifact is a folder of files.
    pub fn is_folder(&self) -> bool {
        self.files.iter().any(|file| !file.path.is_empty())
    }

    /// Returns how many bytes all files have together.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.rope.len()).sum()
    }
}

/// What was read from an artifact.
#[derive(Debug, Clone, PartialEq)]
pub struct Unpacked<M> {
    /// What the format stores besides the tree.
    pub model: M,
    /// The payload, without what the format itself added.
    pub tree: FileTree,
    /// The tree identity that the artifact says it has, if it says so.
    pub declared: Option<crate::tree::TreeId>,
}

/// One rule that an artifact breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The rule's stable name, e.g. `deb-md5sums-mismatch`.
    pub rule: &'static str,
    /// Where: a member, a field, a path, an offset.
    pub place: String,
    /// What the rule asks for.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl Problem {
    /// The most that are listed of one container or file system.
    pub(crate) const MOST: usize = 100;

    /// Returns a problem.
    pub fn new(
        rule: &'static str,
        place: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        let (place, expected, found) = (place.into(), expected.into(), found.into());
        Self { rule, place, expected, found }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { rule, place, expected, found } = self;
        write!(f, "{rule}: {place}: expected {expected}, found {found}")
    }
}

/// Why an artifact cannot be written.
#[derive(Debug, thiserror::Error)]
#[must_use]
pub enum WriteError {
    /// The format has no place for what an entry holds.
    #[error("{format} cannot carry {what} of `{path}`{}", reason.as_deref().map(|r| format!(": {r}")).unwrap_or_default())]
    Unsupported {
        /// The format's name.
        format: &'static str,
        /// The entry.
        path: TreePath,
        /// What it cannot carry, e.g. `the extended attribute user.x`.
        what: String,
        /// Why not, or what to do instead.
        reason: Option<String>,
    },
    /// Something is larger than the format can say.
    #[error("{format} allows at most {limit} for {what}, found {found}")]
    Limit {
        /// The format's name.
        format: &'static str,
        /// What is limited, e.g. "the size of `/usr/x`".
        what: String,
        /// The limit.
        limit: u64,
        /// What there is.
        found: u64,
    },
    /// A field of the model holds what the format forbids.
    #[error("{format}: field {field}: {reason}")]
    Field {
        /// The format's name.
        format: &'static str,
        /// The field, by the format's own name.
        field: String,
        /// What is wrong.
        reason: String,
    },
    /// The tree could not be adapted to the format.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// Contents could not be read or kept.
    #[error("reading contents")]
    Io(#[from] io::Error),
}

/// Why an artifact cannot be read.
#[derive(Debug, thiserror::Error)]
#[must_use]
pub enum ReadError {
    /// The bytes are not what the format asks for.
    #[error("{what} at offset {offset}: expected {expected}, found {found}")]
    Malformed {
        /// The structure being read, e.g. `ar member header`.
        what: String,
        /// Where, in bytes from the start of the file or of the stream named by `what`.
        offset: u64,
        /// What the format asks for.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A field that was parsed says something impossible.
    #[error("{what}: {reason}")]
    Invalid {
        /// The field or entry.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// The entries do not make a tree.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The bytes could not be read.
    #[error("reading")]
    Io(#[from] io::Error),
}

impl ReadError {
    /// Returns an error about bytes at a place.
    pub fn malformed(
        what: impl Into<String>,
        offset: u64,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        let (what, expected, found) = (what.into(), expected.into(), found.into());
        Self::Malformed { what, offset, expected, found }
    }

    /// Returns an error about a field or an entry.
    pub fn invalid(what: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid { what: what.into(), reason: reason.into() }
    }
}
