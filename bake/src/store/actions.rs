//! Results by action key: what an action made, found again without doing it.

use std::io;
use std::path::PathBuf;

use bake_formats::blob::Blob;
use bake_formats::digest::Digest;
use bake_formats::encode::{Segment, SegmentCache};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Store;

/// What one output step made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionResult {
    /// The format's name.
    pub format: String,
    /// The artifact's identity: of an OCI image its manifest's digest, else the file's.
    pub identity: Digest,
    /// The files of the artifact.
    pub files: Vec<OutputFile>,
    /// The images in it, in the order of their index.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<ImageDigest>,
}

/// One image of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageDigest {
    /// What it runs on.
    pub platform: String,
    /// The digest of its manifest.
    pub digest: Digest,
}

/// One file of an artifact that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputFile {
    /// The path below the artifact's folder, or empty if the artifact is one file.
    pub path: String,
    /// The identity of the file's bytes.
    pub blob: Blob,
    /// The rope record that describes the bytes.
    pub rope: Blob,
}

/// One kept record. A record names what it is, so that collection can follow it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Record {
    Output(ActionResult),
    Segment(Segment),
    Kept(Vec<Blob>),
}

impl Store {
    pub(super) fn action_path(&self, key: &Digest) -> PathBuf {
        let hex = key.hex();
        self.root.join("actions").join(&hex[..2]).join(&hex[2..])
    }

    /// Returns the result kept under a key. A record that cannot be read counts as none.
    pub fn result(&self, key: &Digest) -> Option<ActionResult> {
        match self.record(key)? {
            Record::Output(result) => Some(result),
            Record::Segment(_) | Record::Kept(_) => None,
        }
    }

    /// Keeps blobs together under a name, as long as somebody asks for them by it.
    pub fn keep(&self, name: &Digest, blobs: &[Blob]) -> io::Result<()> {
        match self.record(name) {
            Some(Record::Kept(kept)) if kept == blobs => Ok(()),
            _ => self.put_record(name, &Record::Kept(blobs.to_vec())),
        }
    }

    /// Returns the blobs that are kept under a name; none unless all are there.
    pub fn kept(&self, name: &Digest) -> Option<Vec<Blob>> {
        match self.record(name)? {
            Record::Kept(blobs) if blobs.iter().all(|blob| self.has(blob)) => Some(blobs),
            Record::Kept(_) | Record::Output(_) | Record::Segment(_) => None,
        }
    }

    /// Keeps a result.
    pub fn put_result(&self, key: &Digest, result: &ActionResult) -> io::Result<()> {
        self.put_record(key, &Record::Output(result.clone()))
    }

    /// Returns a small document kept under a name for the next run, e.g. why a key was what it was.
    pub fn note<T: DeserializeOwned>(&self, name: &Digest) -> Option<T> {
        let bytes = fs_err::read(self.root.join("index").join(name.hex())).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Keeps a small document under a name for the next run.
    pub fn put_note<T: Serialize>(&self, name: &Digest, note: &T) -> io::Result<()> {
        let path = self.root.join("index").join(name.hex());
        self.write_file(&path, &serde_json::to_vec(note)?)
    }

    fn record(&self, key: &Digest) -> Option<Record> {
        let path = self.action_path(key);
        let bytes = fs_err::read(&path).ok()?;
        let record = serde_json::from_slice(&bytes).ok()?;
        touch(&path);
        Some(record)
    }

    fn put_record(&self, key: &Digest, record: &Record) -> io::Result<()> {
        self.write_file(&self.action_path(key), &serde_json::to_vec(record)?)
    }
}

/// Marks a record as used now. Collection goes by last use; a failure costs at most a rebuild.
fn touch(path: &std::path::Path) {
    use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, utimensat};
    let now = |tv_nsec| Timespec { tv_sec: 0, tv_nsec };
    let times = Timestamps { last_access: now(UTIME_OMIT), last_modification: now(UTIME_NOW) };
    utimensat(CWD, path, &times, AtFlags::empty()).ok();
}

impl SegmentCache for Store {
    fn get(&self, key: &Digest) -> Option<Segment> {
        match self.record(key)? {
            Record::Segment(segment) if self.has(&segment.blob) => Some(segment),
            _ => None,
        }
    }

    fn put(&self, key: &Digest, segment: &Segment) -> io::Result<()> {
        self.put_record(key, &Record::Segment(*segment))
    }
}

#[cfg(test)]
mod tests {
    use bake_formats::blob::BlobStore;

    use super::*;

    #[test]
    fn a_segment_counts_only_while_its_bytes_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let key = Digest::of(b"key");
        let blob = BlobStore::put(&store, b"bytes").unwrap();
        let segment = Segment { blob, raw_len: 9, crc32: 7 };
        assert_eq!(SegmentCache::get(&store, &key), None);
        SegmentCache::put(&store, &key, &segment).unwrap();
        assert_eq!(SegmentCache::get(&store, &key), Some(segment));
        store.discard(&blob.digest).unwrap();
        assert_eq!(SegmentCache::get(&store, &key), None);
    }

    #[test]
    fn blobs_are_kept_by_name_as_long_as_all_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let name = Digest::of(b"name");
        let put = |bytes| BlobStore::put(&store, bytes).unwrap();
        let blobs = [put(b"one"), put(b"two")];
        assert_eq!(store.kept(&name), None);
        store.keep(&name, &blobs).unwrap();
        assert_eq!(store.kept(&name), Some(blobs.to_vec()));
        store.discard(&blobs[1].digest).unwrap();
        assert_eq!(store.kept(&name), None);
    }

    #[test]
    fn a_torn_record_counts_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let key = Digest::of(b"key");
        let result = ActionResult {
            format: "deb".into(),
            identity: key,
            files: Vec::new(),
            images: Vec::new(),
        };
        store.put_result(&key, &result).unwrap();
        assert_eq!(store.result(&key), Some(result));
        fs_err::write(store.action_path(&key), b"{\"output\":{\"for").unwrap();
        assert_eq!(store.result(&key), None);
    }
}
