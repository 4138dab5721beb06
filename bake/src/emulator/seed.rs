//! A folder of configuration as a volume that the guest finds by its label.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bake_formats::blob::MemoryStore;
use bake_formats::digest::Hasher;
use bake_formats::format::Epoch;
use bake_formats::vm::seed;
use walkdir::WalkDir;

use super::unusable;
use crate::error::Error;

/// The most that all files may have together.
const LIMIT: u64 = 16 << 20;
/// The time of the files: the same for the same configuration, 1 January 2020.
const EPOCH: Epoch = Epoch(1_577_836_800);

/// Writes a folder's files as a seed volume to a file.
///
/// cloud-init takes no seed without `meta-data`; where only that is missing, it is added, and names
/// an instance that is another one whenever a file changes.
pub fn seed(folder: &Path, file: &Path) -> Result<(), Error> {
    let mut files = collect(folder)?;
    if files.contains_key("user-data") && !files.contains_key("meta-data") {
        let identity = identity(&files);
        files.insert("meta-data".into(), format!("instance-id: bake-{identity}\n").into());
    }
    let rope = seed::seed(&files, None, EPOCH)
        .map_err(|source| Error::Write { format: "seed", source })?;
    fs_err::write(file, rope.to_vec(&MemoryStore::new())?)?;
    Ok(())
}

fn collect(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, Error> {
    let mut files = BTreeMap::new();
    let mut total = 0;
    // Links are followed: secrets are often mounted as links.
    for entry in WalkDir::new(folder).follow_links(true).sort_by_file_name() {
        let entry = entry.map_err(std::io::Error::from)?;
        let place = |what: &str| unusable(format!("`{}` {what}", entry.path().display()), None);
        if entry.file_type().is_dir() {
            continue;
        }
        if !entry.file_type().is_file() {
            return Err(place("is neither a file nor a folder"));
        }
        total += entry.metadata().map_err(std::io::Error::from)?.len();
        if total > LIMIT {
            return Err(place(&format!("is more than a seed of {LIMIT} bytes takes")));
        }
        let relative: PathBuf = entry.path().strip_prefix(folder).unwrap_or(entry.path()).into();
        let name = relative.to_str().ok_or_else(|| place("has a name that is not text"))?;
        files.insert(name.to_owned(), fs_err::read(entry.path())?);
    }
    Ok(files)
}

fn identity(files: &BTreeMap<String, Vec<u8>>) -> String {
    let mut hasher = Hasher::new();
    for part in files.iter().flat_map(|(name, bytes)| [name.as_bytes(), bytes]) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.digest().hex()[..16].to_owned()
}
