//! The file `bake.json` of a repository: what the indices have no place for.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{refuse, refuse_with};
use crate::error::Error;

/// Parses a state that has its version in the field `version`; one of a version newer than this is
/// refused.
pub(super) fn parse<T: DeserializeOwned>(
    place: &str,
    bytes: &[u8],
    newest: u32,
) -> Result<T, Error> {
    let fail = |error: serde_json::Error| refuse(place, error.to_string());
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(fail)?;
    let version = value.get("version").and_then(serde_json::Value::as_u64);
    if version.is_some_and(|version| version > u64::from(newest)) {
        return Err(refuse_with(place, "it is of a newer bake", "use a newer bake"));
    }
    serde_json::from_value(value).map_err(fail)
}

/// Prints a state as it stands in the file.
pub(super) fn print<T: Serialize>(state: &T) -> Result<Vec<u8>, Error> {
    let mut bytes = serde_json::to_vec_pretty(state).map_err(std::io::Error::from)?;
    bytes.push(b'\n');
    Ok(bytes)
}
