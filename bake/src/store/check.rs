//! Reading everything: which blobs and records are not what their names say.

use std::io;

use bake_formats::blob::BlobSource;
use bake_formats::digest::Digest;
use serde::Serialize;

use super::Store;
use super::actions::Record;
use super::collect::walk;

/// One damaged file of a store. It was removed if it can be made again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// The file, relative to the store.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Store {
    /// Reads every blob and every record, removes what is damaged and returns what that was.
    pub fn verify(&self) -> io::Result<Vec<Damage>> {
        let mut damage = Vec::new();
        for file in walk(&self.root.join("blobs/sha256"))? {
            let name = file.name.as_str();
            let reason = match Digest::from_hex(name) {
                Err(error) => Some(error.to_string()),
                Ok(digest) => {
                    let read = io::copy(&mut self.open(&digest, 0)?, &mut io::sink());
                    read.err().map(|error| error.to_string())
                }
            };
            if let Some(reason) = reason {
                fs_err::remove_file(&file.path)?;
                damage.push(Damage { path: format!("blobs/sha256/{name}"), reason });
            }
        }
        for file in walk(&self.root.join("actions"))? {
            if let Err(error) = serde_json::from_slice::<Record>(&fs_err::read(&file.path)?) {
                fs_err::remove_file(&file.path)?;
                let path = format!("actions/{}", file.name);
                damage.push(Damage { path, reason: format!("not a record: {error}") });
            }
        }
        Ok(damage)
    }
}

#[cfg(test)]
mod tests {
    use bake_formats::blob::BlobStore;

    use super::*;

    #[test]
    fn finds_and_removes_what_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let good = store.put(b"good").unwrap();
        let bad = store.put(b"bad").unwrap();
        fs_err::write(store.blob_path(&bad.digest), b"worse").unwrap();
        fs_err::write(folder.path().join("blobs/sha256/stranger"), b"").unwrap();
        let damage = store.verify().unwrap();
        assert_eq!(damage.len(), 2, "{damage:?}");
        assert!(store.has(&good) && !store.blob_path(&bad.digest).exists());
        assert_eq!(store.verify().unwrap(), []);
    }
}
