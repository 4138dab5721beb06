//! `/.bake/tree.json`: what an output knows of its tree that its format has no field for.
//!
//! Disks, segments and extensions have a record each, of fields of their own; here is what they share: where it is and
//! that it is compact JSON which is written in one way only.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::format::{ReadError, WriteError};
use crate::tree::{FileTree, Mark, TreeId};

/// The folder that belongs to the format.
pub(crate) const FOLDER: &str = "/.bake";
/// The record itself.
pub(crate) const FILE: &str = "/.bake/tree.json";

/// A record of one kind of output.
pub(crate) trait Record: Serialize + DeserializeOwned {
    /// The version that it says it has.
    fn schema(&self) -> u32;

    /// The version that it should have.
    fn expected_schema(&self) -> u32;

    /// Returns its canonical form.
    fn to_bytes(&self) -> Result<Vec<u8>, WriteError> {
        serde_json::to_vec(self).map_err(|error| WriteError::Io(error.into()))
    }

    /// Parses a record, which must be in its canonical form.
    fn parse(bytes: &[u8]) -> Result<Self, ReadError> {
        let record: Self = serde_json::from_slice(bytes)
            .map_err(|error| ReadError::invalid(FILE, error.to_string()))?;
        let (expected, found) = (record.expected_schema(), record.schema());
        if found != expected {
            let reason = format!("expected schema {expected}, found {found}");
            return Err(ReadError::invalid(FILE, reason));
        }
        match record.to_bytes() {
            Ok(canonical) if canonical == bytes => Ok(record),
            _ => Err(ReadError::invalid(FILE, "not in canonical form")),
        }
    }
}

/// Returns what of a tree the output holds, and its identity, which must be the one that the model states.
pub(crate) fn payload(
    format: &'static str,
    tree: &FileTree,
    stated: Option<&TreeId>,
) -> Result<(FileTree, TreeId), WriteError> {
    let payload = tree.filter(|_, entry| entry.mark != Mark::Ghost)?;
    let id = payload.id();
    match stated {
        Some(stated) if *stated != id => {
            let reason = format!("expected the identity of the payload, {id}, found {stated}");
            Err(WriteError::Field { format, field: "tree_id".into(), reason })
        }
        _ => Ok((payload, id)),
    }
}
