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
use super::scope::Scope;
use crate::format::ReadError;
use crate::owners::Owners;
use crate::record::{FILE, FOLDER};
use crate::tree::{FileTree, PathError, TreeId, TreePath};

/// The only version of the record there is.
const SCHEMA: u32 = 1;

/// The paths that a tree must leave to the extension.
pub(super) struct Reserved {
    pub(super) folder: TreePath,
    pub(super) record: TreePath,
    pub(super) release: TreePath,
}

impl Reserved {
    pub(super) fn new(name: &str, scope: Scope) -> Result<Self, PathError> {
        Ok(Self {
            folder: TreePath::parse(FOLDER)?,
            record: TreePath::parse(FILE)?,
            release: Release::path(name, scope)?,
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
    #[serde(default, skip_serializing_if = "super::is_default")]
    scope: Scope,
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
            scope: model.scope,
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

    /// Parses a record, whose paths must be in order.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, ReadError> {
        let record: Self = crate::record::Record::parse(bytes)?;
        let in_order = |paths: &[TreePath]| paths.windows(2).all(|pair| pair[0] < pair[1]);
        if in_order(&record.additions) && in_order(&record.parents) {
            Ok(record)
        } else {
            Err(ReadError::invalid(FILE, "paths that are not in order"))
        }
    }

    /// Returns the model, given the additions' entries.
    pub(super) fn model(self, additions: FileTree) -> Extension {
        let Self { name, version, scope, release, protection, tree, .. } = self;
        Extension { name, version, scope, release, protection, additions, tree_id: tree }
    }

    /// Returns what stands at the reserved paths besides the record.
    pub(super) fn reserved(&self) -> Result<(Reserved, String), PathError> {
        Ok((Reserved::new(&self.name, self.scope)?, self.release.text(self.scope)))
    }
}

impl crate::record::Record for Record {
    fn schema(&self) -> u32 {
        self.schema
    }

    fn expected_schema(&self) -> u32 {
        SCHEMA
    }
}
