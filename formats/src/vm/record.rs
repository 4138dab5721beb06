//! `/.bake/tree.json`: what the disk knows that its file system has no field for.
//!
//! Compact JSON with sorted keys:
//!
//! ```json
//! {"schema":1,"name":"hello","version":"1.0","arch":"x86_64","size":"minimal",
//!  "tree":"sha256:…","owners":{"users":{"0":"root"},"groups":{"0":"root"}}}
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::model::Disk;
use crate::format::{ReadError, WriteError};
use crate::tree::{FileTree, Owner, PathError, TreePath};

/// The folder that belongs to the format.
const FOLDER: &str = "/.bake";
/// The record itself.
const FILE: &str = "/.bake/tree.json";
/// The folder that belongs to the file system.
const LOST_AND_FOUND: &str = "/lost+found";
/// The only version of the record there is.
const SCHEMA: u32 = 1;

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
}

/// The names of the accounts whose numbers the inodes have.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Owners {
    users: BTreeMap<u32, Arc<str>>,
    groups: BTreeMap<u32, Arc<str>>,
}

impl Record {
    pub(super) fn new(model: Disk, owners: Owners) -> Self {
        Self { schema: SCHEMA, model, owners }
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
        match record.to_bytes() {
            Ok(canonical) if canonical == bytes => Ok(record),
            _ => Err(ReadError::invalid(FILE, "not in canonical form")),
        }
    }
}

impl Owners {
    /// Collects the accounts of a tree and root's, and refuses what numbers cannot say.
    pub(super) fn of(format: &'static str, tree: &FileTree) -> Result<Self, WriteError> {
        let root = Owner::root();
        let mut owners = Self::default();
        let mut ids: [BTreeMap<Arc<str>, u32>; 2] = Default::default();
        let first = (&TreePath::root(), &root, &root);
        let entries = tree.iter().map(|(path, entry)| (path, &entry.owner, &entry.group));
        for (path, owner, group) in std::iter::once(first).chain(entries) {
            let [users, groups] = &mut ids;
            for (kind, account, names, ids) in [
                ("owner", owner, &mut owners.users, users),
                ("group", group, &mut owners.groups, groups),
            ] {
                let name = names.entry(account.id).or_insert_with(|| account.name.clone());
                let id = ids.entry(account.name.clone()).or_insert(account.id);
                if *name == account.name && *id == account.id {
                    continue;
                }
                let reason = format!(
                    "the file system knows numbers only, and number {} is `{}`, `{}` is number {}",
                    account.id, name, account.name, id
                );
                return Err(WriteError::Unsupported {
                    format,
                    path: path.clone(),
                    what: format!("the {kind} `{}`, number {},", account.name, account.id),
                    reason: Some(reason),
                });
            }
        }
        Ok(owners)
    }

    /// Returns the user with a number; one without a name is named by the number.
    pub(super) fn user(&self, id: u32) -> Owner {
        named(&self.users, id)
    }

    /// Returns the group with a number; one without a name is named by the number.
    pub(super) fn group(&self, id: u32) -> Owner {
        named(&self.groups, id)
    }
}

fn named(names: &BTreeMap<u32, Arc<str>>, id: u32) -> Owner {
    let name = names.get(&id).cloned().unwrap_or_else(|| id.to_string().into());
    Owner { name, id }
}
