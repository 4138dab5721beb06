//! Reading everything: which blobs and records are not what their names say.

use std::io;
use std::path::Path;

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
            let Some(reason) = record_fault(&file.path)? else { continue };
            fs_err::remove_file(&file.path)?;
            damage.push(Damage { path: format!("actions/{}", file.name), reason });
        }
        Ok(damage)
    }
}

/// Returns why a file below `actions` is not the record of its key, if it is not.
fn record_fault(path: &Path) -> io::Result<Option<String>> {
    let record: Record = match serde_json::from_slice(&fs_err::read(path)?) {
        Ok(record) => record,
        Err(error) => return Ok(Some(format!("not a record: {error}"))),
    };
    let name = |path: &Path| Some(path.file_name()?.to_str()?.to_owned());
    let hex = path.parent().and_then(name).zip(name(path)).map(|(start, rest)| start + &rest);
    let key = hex.and_then(|hex| Digest::from_hex(&hex).ok());
    let fault = match key {
        Some(key) => record.fault(&key),
        None => Some("its name is not a key"),
    };
    Ok(fault.map(str::to_owned))
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
