//! `/.bake/tree.json`: what the disk knows that its file system has no field for.
//!
//! Compact JSON with sorted keys:
//!
//! ```json
//! {"schema":1,"name":"hello","version":"1.0","arch":"x86_64","size":"minimal",
//!  "tree":"sha256:…","owners":{"users":{"0":"root"},"groups":{"0":"root"}}}
//! ```
//!
//! Of a machine, whose file systems hold more than the payload, `schema` is 2, `machine` says what it
//! is made of, and three lists of paths tell apart what is there: `payload`, `additions` for what the
//! payload's service needs besides, and `made` for directories that nobody asked for by name.

use serde::{Deserialize, Serialize};

use super::install::{Contents, made};
use super::model::Disk;
use crate::owners::Owners;
use crate::record::{FILE, FOLDER};
use crate::tree::{FileTree, PathError, TreePath};

/// The folder that belongs to the file system.
const LOST_AND_FOUND: &str = "/lost+found";
/// The version of the record of a disk that is one file system.
const PLAIN: u32 = 1;
/// The version of the record of a machine.
const MACHINE: u32 = 2;

/// The paths that a tree must leave to the disk.
pub(super) struct Reserved {
    pub(super) folder: TreePath,
    pub(super) file: TreePath,
    pub(super) lost_and_found: TreePath,
}

impl Reserved {
    pub(super) fn new() -> Result<Self, PathError> {
        Ok(Self {
            folder: TreePath::parse(FOLDER)?,
            file: TreePath::parse(FILE)?,
            lost_and_found: TreePath::parse(LOST_AND_FOUND)?,
        })
    }

    /// Returns whether a path is one of them or below one.
    pub(super) fn holds(&self, path: &TreePath) -> bool {
        [&self.folder, &self.lost_and_found]
            .into_iter()
            .any(|reserved| path == reserved || path.is_below(reserved))
    }
}

/// The record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    schema: u32,
    #[serde(flatten)]
    pub(super) model: Disk,
    pub(super) owners: Owners,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) additions: Vec<TreePath>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) payload: Option<Vec<TreePath>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) made: Vec<TreePath>,
}

impl Record {
    /// Returns the record of a file system that holds a tree.
    pub(super) fn new(
        model: &Disk,
        contents: &Contents<'_>,
        whole: &FileTree,
        owners: Owners,
    ) -> Self {
        let schema = schema_of(model);
        // How the file stores the disk is not on the disk.
        let model = Disk { compression: None, hardware: None, ..model.clone() };
        let (additions, payload) = (contents.added_paths(), contents.payload_paths());
        let made = if model.machine.is_some() { made(whole) } else { Vec::new() };
        Self { schema, model, owners, additions, payload, made }
    }
}

impl crate::record::Record for Record {
    fn schema(&self) -> u32 {
        self.schema
    }

    fn expected_schema(&self) -> u32 {
        schema_of(&self.model)
    }
}

fn schema_of(model: &Disk) -> u32 {
    if model.machine.is_some() { MACHINE } else { PLAIN }
}
