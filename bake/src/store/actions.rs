//! Results by action key: what an action made, found again without doing it.

use std::io;
use std::path::PathBuf;

use bake_formats::blob::Blob;
use bake_formats::digest::Digest;
use bake_formats::encode::{Checkpoint, Segment, SegmentCache};
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
    /// How far the digests of a payload were computed, as the encoder printed it.
    #[serde(with = "hex_bytes")]
    Checkpoint(Vec<u8>),
}

impl Record {
    /// Returns what is wrong with a record kept under a key, beyond its form.
    pub(super) fn fault(&self, key: &Digest) -> Option<&'static str> {
        match self {
            Self::Checkpoint(bytes) if Checkpoint::parse(bytes, key).is_none() => {
                Some("not a checkpoint")
            }
            Self::Checkpoint(_) | Self::Output(_) | Self::Segment(_) | Self::Kept(_) => None,
        }
    }
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
            Record::Segment(_) | Record::Kept(_) | Record::Checkpoint(_) => None,
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
            Record::Kept(_) | Record::Output(_) | Record::Segment(_) | Record::Checkpoint(_) => {
                None
            }
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

    fn checkpoint(&self, chain: &Digest) -> Option<Vec<u8>> {
        match self.record(chain)? {
            Record::Checkpoint(bytes) => Some(bytes),
            Record::Output(_) | Record::Segment(_) | Record::Kept(_) => None,
        }
    }

    fn put_checkpoint(&self, chain: &Digest, record: &[u8]) -> io::Result<()> {
        self.put_record(chain, &Record::Checkpoint(record.to_vec()))
    }
}

/// Bytes as text in a record's JSON form.
mod hex_bytes {
    use bake_formats::digest::hex;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digit = |digit: u8| char::from(digit).to_digit(16);
        let (pairs, rest) = text.as_bytes().as_chunks();
        let bytes =
            pairs.iter().map(|[high, low]| u8::try_from(digit(*high)? << 4 | digit(*low)?).ok());
        let bytes = if rest.is_empty() { bytes.collect() } else { None };
        bytes.ok_or_else(|| D::Error::custom("expected pairs of hex digits"))
    }
}

#[cfg(test)]
mod tests {
    use bake_formats::blob::BlobStore;
    use bake_formats::encode::{Compression, Encoded, Encoder, Work};
    use bake_formats::rope::Rope;

    use super::super::Limits;
    use super::*;

    #[test]
    fn a_segment_counts_only_while_its_bytes_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let key = Digest::of(b"key");
        let blob = BlobStore::put(&store, b"bytes").unwrap();
        let segment = Segment::new(&key, (blob, b"bytes"), 9, 7);
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
    fn a_segment_of_an_older_version_is_read_and_an_older_version_reads_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let key = Digest::of(b"key");
        let blob = BlobStore::put(&store, b"bytes").unwrap();
        let old = serde_json::json!({ "segment": { "blob": blob, "raw_len": 9, "crc32": 7 } });
        store.write_file(&store.action_path(&key), &serde_json::to_vec(&old).unwrap()).unwrap();
        let segment = SegmentCache::get(&store, &key).unwrap();
        let (raw_len, crc32) = (9, 7);
        assert_eq!(segment, Segment { blob, raw_len, crc32, checksum: None, seal: None });
        let new = Segment::new(&key, (blob, b"bytes"), raw_len, crc32);
        let new = serde_json::to_value(Record::Segment(new)).unwrap();
        for field in ["blob", "raw_len", "crc32"] {
            assert_eq!(new["segment"][field], old["segment"][field]);
        }
    }

    /// Returns the encoding of a payload with one checkpoint, at its end.
    fn encode(store: &Store, payload: &[u8]) -> (Encoded, Work) {
        let encoder = Encoder::new(store, store, 1);
        let rope = Rope::from(payload.to_vec());
        (encoder.encode(&rope, Compression::GZIP).unwrap(), encoder.work())
    }

    #[test]
    fn a_checkpoint_is_used_ages_and_is_checked() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let payload: Vec<u8> = (0..40_000_u32).flat_map(|n| (n * n).to_le_bytes()).collect();
        let (encoded, cold) = encode(&store, &payload);
        assert!(cold.hashed > 0);
        let (again, warm) = encode(&store, &payload);
        assert_eq!((&again, warm.hashed, warm.segments_compressed), (&encoded, 0, 0));
        assert_eq!(store.verify().unwrap(), []);

        let paths: Vec<PathBuf> = walkdir::WalkDir::new(folder.path().join("actions"))
            .into_iter()
            .map(|entry| entry.unwrap().into_path())
            .filter(|path| path.is_file() && read(path).starts_with("{\"checkpoint\":\""))
            .collect();
        let [path] = &paths[..] else { panic!("{paths:?}") };
        let now = fs_err::metadata(path).unwrap().modified().unwrap();
        let limits = |days: u32| Limits {
            unused_for: std::time::Duration::from_secs(30 * 24 * 3600),
            max_size: None,
            now: now + std::time::Duration::from_secs(24 * 3600) * days,
            dry_run: false,
        };
        store.collect(&limits(1)).unwrap();
        assert_eq!(encode(&store, &payload).1.hashed, 0, "what is in use stays");

        let text = read(path);
        let digit = if text.as_bytes()[100] == b'0' { "1" } else { "0" };
        fs_err::write(path, format!("{}{digit}{}", &text[..100], &text[101..])).unwrap();
        let (again, damaged) = encode(&store, &payload);
        assert_eq!((&again, damaged.hashed), (&encoded, cold.hashed));
        fs_err::write(path, format!("{}{digit}{}", &text[..100], &text[101..])).unwrap();
        let damage = store.verify().unwrap();
        assert_eq!((damage.len(), damage[0].reason.as_str()), (1, "not a checkpoint"));
        assert_eq!(encode(&store, &payload).1.hashed, cold.hashed);

        store.collect(&limits(40)).unwrap();
        assert!(!path.exists(), "what is not in use goes");
        assert_eq!(encode(&store, &payload).0, encoded);
    }

    fn read(path: &std::path::Path) -> String {
        fs_err::read_to_string(path).unwrap()
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
