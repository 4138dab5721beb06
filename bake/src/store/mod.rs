//! The content-addressed store, a directory that is itself a valid OCI image layout:
//!
//! ```text
//! STORE/
//!   oci-layout                  {"imageLayoutVersion":"1.0.0"}
//!   index.json                  one artifact manifest per release baked
//!   blobs/sha256/<hex>          segments, rope records, releases: bytes by identity
//!   actions/<2 hex>/<62 hex>    action key -> result: what was made, one compressed segment, or how
//!                               far the digests of a payload were computed
//!   index/<hex>                 stat index of one source folder or output folder
//!   tmp/                        staging; everything appears elsewhere by rename
//!   meta.json                   version and feature flags
//!   lock                        shared: use; exclusive: collection
//! ```
//!
//! Nothing is trusted because it exists. A blob is hashed as it is read; one that does not have its
//! digest is removed, reported as damage, and made again. A result counts only if every blob it
//! names is there. Two processes may use one store at once: blobs and results are written to `tmp/`
//! and renamed, and equal names hold equal bytes.

mod actions;
mod blobs;
mod catalog;
mod check;
mod collect;
mod ropes;
mod stat_index;

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use actions::{ActionResult, ImageDigest, OutputFile};
pub(crate) use blobs::Verified;
pub use blobs::is_damage;
pub use check::Damage;
pub use collect::{Collected, Limits};
pub use stat_index::{Stamp, StatIndex, TICK_NANOSECONDS};

/// The version of the layout above; a store of a newer version is refused.
const VERSION: u32 = 1;

/// A store in a directory.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    /// Holds the shared lock for as long as the store is open.
    lock: File,
}

/// What `meta.json` says.
#[derive(Debug, Serialize, Deserialize)]
struct Meta {
    version: u32,
    /// Features that an older program must know to use the store at all.
    #[serde(default)]
    incompatible: Vec<String>,
}

impl Store {
    /// Opens a store for use, and makes it if it is not there.
    pub fn open(root: &Path) -> io::Result<Self> {
        fs_err::create_dir_all(root)?;
        let root = fs_err::canonicalize(root)?;
        for folder in ["blobs/sha256", "actions", "index", "tmp"] {
            fs_err::create_dir_all(root.join(folder))?;
        }
        let mut options = fs_err::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let (lock, _) = options.open(root.join("lock"))?.into_parts();
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockShared)?;
        let store = Self { root, lock };
        store.check_version()?;
        store.write_once("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        store.write_once("index.json", catalog::EMPTY)?;
        Ok(store)
    }

    /// Returns the store's directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Waits until no other process uses the store, then keeps others out until dropped.
    fn lock_exclusively(&self) -> io::Result<()> {
        Ok(rustix::fs::flock(&self.lock, rustix::fs::FlockOperation::LockExclusive)?)
    }

    fn lock_shared(&self) -> io::Result<()> {
        Ok(rustix::fs::flock(&self.lock, rustix::fs::FlockOperation::LockShared)?)
    }

    fn check_version(&self) -> io::Result<()> {
        let path = self.root.join("meta.json");
        let text = match fs_err::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let meta = Meta { version: VERSION, incompatible: Vec::new() };
                return self.write_file(&path, &serde_json::to_vec(&meta)?);
            }
            Err(error) => return Err(error),
        };
        let invalid = |reason: String| {
            io::Error::new(io::ErrorKind::InvalidData, format!("`{}`: {reason}", path.display()))
        };
        let meta: Meta = serde_json::from_slice(&text)
            .map_err(|error| invalid(format!("not a store description: {error}")))?;
        if meta.version > VERSION || !meta.incompatible.is_empty() {
            return Err(invalid(format!(
                "the store has version {} {:?}, this program knows version {VERSION}",
                meta.version, meta.incompatible
            )));
        }
        Ok(())
    }

    fn write_once(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.root.join(name);
        if path.exists() { Ok(()) } else { self.write_file(&path, bytes) }
    }

    /// Opens a staging file; it is removed when dropped without being renamed.
    fn stage(&self) -> io::Result<tempfile::NamedTempFile> {
        tempfile::Builder::new().prefix("new-").tempfile_in(self.root.join("tmp"))
    }

    /// Writes a file so that it appears whole or not at all.
    fn write_file(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut staged = self.stage()?;
        staged.write_all(bytes)?;
        if let Some(folder) = path.parent() {
            fs_err::create_dir_all(folder)?;
        }
        staged.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_store_is_an_oci_layout() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("s")).unwrap();
        let read = |name: &str| fs_err::read_to_string(store.root().join(name)).unwrap();
        assert_eq!(read("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#);
        let index: serde_json::Value = serde_json::from_str(&read("index.json")).unwrap();
        assert_eq!(index["schemaVersion"], 2);
        assert_eq!(index["manifests"], serde_json::json!([]));
    }

    #[test]
    fn a_store_of_a_newer_version_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        drop(Store::open(folder.path()).unwrap());
        let meta = folder.path().join("meta.json");
        fs_err::write(&meta, r#"{"version":2}"#).unwrap();
        let error = Store::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("has version 2") && error.contains("knows version 1"), "{error}");
        assert_eq!(fs_err::read_to_string(&meta).unwrap(), r#"{"version":2}"#);
    }
}
