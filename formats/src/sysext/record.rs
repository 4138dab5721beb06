//! `/.bake/tree.json`: what the extension knows that its file system has no field for.
//!
//! Compact JSON:
//!
//! ```json
//! {"schema":1,"name":"hello","version":"1.0","release":{"id":"_any"},"protection":"none",
//!  "tree":"sha256:…","additions":["/usr/lib/sysusers.d/hello.conf"],
//!  "parents":["/usr/lib","/usr/lib/extension-release.d","/usr/lib/sysusers.d"],
//!  "owners":{"users":{"0":"root"},"groups":{"0":"root"}}}
//! ```

use serde::{Deserialize, Serialize};

use super::model::{Extension, Protection};
use super::release::Release;
use crate::format::{ReadError, WriteError};
use crate::owners::Owners;
use crate::tree::{FileTree, PathError, TreeId, TreePath};

/// The folder that belongs to the format.
const FOLDER: &str = "/.bake";
/// The record itself.
const FILE: &str = "/.bake/tree.json";
/// The only version of the record there is.
const SCHEMA: u32 = 1;

/// The paths that a tree must leave to the extension.
pub(super) struct Reserved {
    pub(super) folder: TreePath,
    pub(super) record: TreePath,
    pub(super) release: TreePath,
}

impl Reserved {
    pub(super) fn new(name: &str) -> Result<Self, PathError> {
        Ok(Self {
            folder: TreePath::parse(FOLDER)?,
            record: TreePath::parse(FILE)?,
            release: Release::path(name)?,
        })
    }

    /// Returns whether a path is one of them or below one.
    pub(super) fn holds(&self, path: &TreePath) -> bool {
        let reserved = [&self.folder, &self.release];
        reserved.into_iter().any(|reserved| path == reserved || path.is_below(reserved))
    }
}

/// The record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    schema: u32,
    name: String,
    version: String,
    release: Release,
    protection: Protection,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tree: Option<TreeId>,
    /// What of the image is of the additions and not of the tree.
    pub(super) additions: Vec<TreePath>,
    /// The directories that only lead to what is not of the tree.
    pub(super) parents: Vec<TreePath>,
    pub(super) owners: Owners,
}

impl Record {
    pub(super) fn new(
        model: &Extension,
        owners: Owners,
        additions: Vec<TreePath>,
        parents: Vec<TreePath>,
    ) -> Self {
        Self {
            schema: SCHEMA,
            name: model.name.clone(),
            version: model.version.clone(),
            release: model.release.clone(),
            protection: model.protection,
            tree: model.tree_id,
            additions,
            parents,
            owners,
        }
    }

    pub(super) fn path() -> Result<TreePath, PathError> {
        TreePath::parse(FILE)
    }

    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, WriteError> {
        serde_json::to_vec(self).map_err(|error| WriteError::Io(error.into()))
    }

    /// Parses a record, which must be written as [`Record::to_bytes`] writes it.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ReadError> {
        let record: Self = serde_json::from_slice(bytes)
            .map_err(|error| ReadError::invalid(FILE, error.to_string()))?;
        if record.schema != SCHEMA {
            let reason = format!("expected schema {SCHEMA}, found {}", record.schema);
            return Err(ReadError::invalid(FILE, reason));
        }
        let in_order = |paths: &[TreePath]| paths.windows(2).all(|pair| pair[0] < pair[1]);
        if !in_order(&record.additions) || !in_order(&record.parents) {
            return Err(ReadError::invalid(FILE, "paths that are not in order"));
        }
        match record.to_bytes() {
            Ok(canonical) if canonical == bytes => Ok(record),
            _ => Err(ReadError::invalid(FILE, "not in canonical form")),
        }
    }

    /// Returns the model, given the additions' entries.
    pub(super) fn model(self, additions: FileTree) -> Extension {
        let Self { name, version, release, protection, tree, .. } = self;
        Extension { name, version, release, protection, additions, tree_id: tree }
    }

    /// Returns what stands at the reserved paths besides the record.
    pub(super) fn reserved(&self) -> Result<(Reserved, String), PathError> {
        Ok((Reserved::new(&self.name)?, self.release.text()))
    }
}
