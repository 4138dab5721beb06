//! `release.json`: what a bake made.

use std::path::{Component, Path, PathBuf};

use bake_formats::digest::Digest;
use serde::Deserialize;

use super::refuse;
use crate::error::Error;

/// The file that lists what was made.
pub(super) const DOCUMENT: &str = "release.json";
const MAX_DOCUMENT: u64 = 16 << 20;

/// `release.json`, as far as it matters here.
#[derive(Debug, Deserialize)]
pub(super) struct Listing {
    pub(super) schema: u32,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) tree: Option<String>,
    pub(super) artifacts: Vec<Listed>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Listed {
    pub(super) format: String,
    pub(super) platform: String,
    pub(super) path: String,
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) tree: Option<String>,
}

/// Reads what was made, and the document as it is pushed.
pub(super) fn read_listing(path: &Path) -> Result<(Listing, Vec<u8>), Error> {
    let what = || format!("`{}`", path.display());
    let len = match fs_err::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let hint = "bake first, or name what is to be pushed: a folder with release.json, an \
                        image layout or archive, a deb, an rpm, a disk";
            let reason = "there is no such file".to_owned();
            return Err(refuse(what(), reason, Some(hint.to_owned())));
        }
        Err(error) => return Err(error.into()),
    };
    if len > MAX_DOCUMENT {
        let reason = format!("expected at most {MAX_DOCUMENT} bytes, found {len}");
        return Err(refuse(what(), reason, None));
    }
    let document = fs_err::read(path)?;
    let listing: Listing = serde_json::from_slice(&document)
        .map_err(|error| refuse(what(), format!("expected a release: {error}"), None))?;
    if listing.schema != 1 {
        let reason = format!("expected schema 1, found {}", listing.schema);
        return Err(refuse(what(), reason, Some("use a newer bake".to_owned())));
    }
    Ok((listing, lasting(document)))
}

/// Returns the document without what is true of one run only, so that equal bakes are equal
/// releases: in JSON a key's quotes stand nowhere else without a backslash.
fn lasting(document: Vec<u8>) -> Vec<u8> {
    match String::from_utf8(document) {
        Ok(text) => text.replace("\"cached\": true", "\"cached\": false").into_bytes(),
        Err(error) => error.into_bytes(),
    }
}

/// Returns the path of an output, which must not lead out of the folder.
pub(super) fn plain_path(folder: &Path, path: &str) -> Result<PathBuf, Error> {
    let mut parts = Path::new(path).components();
    if let (Some(Component::Normal(_)), None) = (parts.next(), parts.next()) {
        return Ok(folder.join(path));
    }
    let reason = "expected the name of a file or folder beside it".to_owned();
    Err(refuse(format!("{DOCUMENT}: `{}`", path.escape_debug()), reason, None))
}
