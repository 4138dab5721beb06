//! Collection: forgetting what was not used lately, then every blob that nothing names.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bake_formats::digest::Digest;
use bake_formats::rope::Extent;
use serde::Serialize;

use super::Store;
use super::actions::Record;

/// What a collection keeps.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Results not used for longer are forgotten.
    pub unused_for: Duration,
    /// Beyond this many bytes of blobs the least recently used results are forgotten too.
    pub max_size: Option<u64>,
    /// The moment to count back from.
    pub now: SystemTime,
    /// Whether anything is removed, or only counted.
    pub dry_run: bool,
}

/// What a collection removed, or would remove.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Collected {
    /// Results forgotten.
    pub actions: u64,
    /// Blobs removed.
    pub blobs: u64,
    /// Bytes of those blobs.
    pub bytes: u64,
    /// Bytes of the blobs that stay.
    pub kept_bytes: u64,
}

/// One file found in the store.
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) name: String,
    size: u64,
    modified: SystemTime,
}

/// Returns the files at most two folders deep, in no order.
pub(super) fn walk(folder: &Path) -> io::Result<Vec<Found>> {
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(folder).min_depth(1).max_depth(2) {
        let entry = entry.map_err(io::Error::from)?;
        let metadata = entry.metadata().map_err(io::Error::from)?;
        if metadata.is_file() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let modified = metadata.modified()?;
            files.push(Found { path: entry.into_path(), name, size: metadata.len(), modified });
        }
    }
    Ok(files)
}

impl Store {
    /// Waits until nobody else uses the store, then forgets and removes.
    pub fn collect(&self, limits: &Limits) -> io::Result<Collected> {
        self.lock_exclusively()?;
        let collected = self.collect_locked(limits);
        self.lock_shared()?;
        collected
    }

    fn collect_locked(&self, limits: &Limits) -> io::Result<Collected> {
        let mut actions = walk(&self.root.join("actions"))?;
        // Most recently used first; equal times in order of name, so that the choice is stable.
        actions.sort_by(|a, b| b.modified.cmp(&a.modified).then_with(|| a.name.cmp(&b.name)));
        let mut live = BTreeSet::new();
        let mut live_bytes = 0;
        let mut collected = Collected::default();
        for action in actions {
            let age = limits.now.duration_since(action.modified).unwrap_or_default();
            let named = if age > limits.unused_for { None } else { self.named_by(&action.path)? };
            let new: Option<BTreeSet<Digest>> = named.map(|digests| {
                digests.into_iter().filter(|digest| !live.contains(digest)).collect()
            });
            let size = |new: &BTreeSet<Digest>| new.iter().map(|digest| self.size_of(digest)).sum();
            let bytes: u64 = live_bytes + new.as_ref().map_or(0, size);
            match new {
                Some(new) if limits.max_size.is_none_or(|max| bytes <= max) => {
                    live.extend(new);
                    live_bytes = bytes;
                }
                _ => {
                    collected.actions += 1;
                    remove(&action.path, limits)?;
                }
            }
        }
        self.keep_releases(&mut live)?;
        self.sweep(&live, limits, &mut collected)?;
        Ok(collected)
    }

    /// Returns the blobs that a record needs, or nothing if the record or one of them is gone.
    fn named_by(&self, action: &Path) -> io::Result<Option<Vec<Digest>>> {
        let Ok(record) = serde_json::from_slice(&fs_err::read(action)?) else { return Ok(None) };
        let mut digests = Vec::new();
        match record {
            Record::Segment(segment) => digests.push(segment.blob.digest),
            Record::Kept(blobs) => digests.extend(blobs.iter().map(|blob| blob.digest)),
            // What stands before it is made again if it is gone.
            Record::Checkpoint(_) => {}
            Record::Output(result) => {
                for file in result.files {
                    let Ok(rope) = self.rope(&file.rope) else { return Ok(None) };
                    digests.push(file.rope.digest);
                    digests.extend(rope.extents().filter_map(|extent| match extent {
                        Extent::Blob { digest, .. } => Some(digest),
                        Extent::Inline(_) | Extent::Padding(_) | Extent::Zero(_) => None,
                    }));
                }
            }
        }
        Ok(Some(digests))
    }

    /// A listed release stays whole as long as its ropes live; else it is dropped from the list.
    fn keep_releases(&self, live: &mut BTreeSet<Digest>) -> io::Result<()> {
        for (_, manifest) in self.releases()? {
            let Ok(blobs) = self.manifest_blobs(&manifest) else { continue };
            // The release document itself comes first and the empty config last.
            let Some(ropes) = blobs.get(1..blobs.len().saturating_sub(1)) else { continue };
            if ropes.iter().all(|rope| live.contains(&rope.digest)) {
                live.extend(blobs.iter().map(|blob| blob.digest));
                live.insert(manifest.digest);
            }
        }
        Ok(())
    }

    fn sweep(
        &self,
        live: &BTreeSet<Digest>,
        limits: &Limits,
        collected: &mut Collected,
    ) -> io::Result<()> {
        for blob in walk(&self.root.join("blobs/sha256"))? {
            if Digest::from_hex(&blob.name).is_ok_and(|digest| live.contains(&digest)) {
                collected.kept_bytes += blob.size;
            } else {
                collected.blobs += 1;
                collected.bytes += blob.size;
                remove(&blob.path, limits)?;
            }
        }
        for staged in walk(&self.root.join("tmp"))? {
            remove(&staged.path, limits)?;
        }
        if limits.dry_run { Ok(()) } else { self.prune_releases() }
    }

    fn size_of(&self, digest: &Digest) -> u64 {
        fs_err::metadata(self.blob_path(digest)).map_or(0, |metadata| metadata.len())
    }
}

fn remove(path: &Path, limits: &Limits) -> io::Result<()> {
    if limits.dry_run { Ok(()) } else { fs_err::remove_file(path) }
}

#[cfg(test)]
mod tests {
    use bake_formats::blob::{Blob, BlobStore};
    use bake_formats::rope::Rope;

    use super::super::{ActionResult, OutputFile};
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn output(store: &Store, key: &[u8], bytes: &[u8]) -> (Blob, Blob) {
        let blob = store.put(bytes).unwrap();
        let rope = store.put_rope(&Rope::from(blob)).unwrap();
        let files = vec![OutputFile { path: String::new(), blob, rope }];
        let (format, identity) = ("deb".into(), blob.digest);
        let result = ActionResult { format, identity, files, images: Vec::new() };
        store.put_result(&Digest::of(key), &result).unwrap();
        store.list_release(&String::from_utf8_lossy(key), key, &[rope]).unwrap();
        (blob, rope)
    }

    fn limits(now: SystemTime) -> Limits {
        Limits { unused_for: 30 * DAY, max_size: None, now, dry_run: false }
    }

    #[test]
    fn keeps_what_is_in_use_and_removes_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let (kept, rope) = output(&store, b"used", b"payload");
        let orphan = store.put(b"orphan").unwrap();
        let path = store.action_path(&Digest::of(b"used"));
        let now = fs_err::metadata(path).unwrap().modified().unwrap();

        let dry = store.collect(&Limits { dry_run: true, ..limits(now) }).unwrap();
        assert_eq!((dry.blobs, dry.bytes), (1, 6));
        assert!(store.has(&orphan));
        store.collect(&limits(now)).unwrap();
        assert!(store.has(&kept) && store.has(&rope) && !store.has(&orphan));
        assert_eq!(store.releases().unwrap().len(), 1);

        let (_, _) = output(&store, b"more", &[7; 1000]);
        let document = store.put(b"document").unwrap();
        store.keep(&Digest::of(b"name"), &[document]).unwrap();
        store.collect(&limits(now)).unwrap();
        assert!(store.has(&document), "what is kept by name stays");

        let full = Limits { max_size: Some(100), ..limits(now) };
        store.collect(&full).unwrap();
        assert!(store.has(&kept) && store.result(&Digest::of(b"more")).is_none());

        let late = store.collect(&limits(now + 31 * DAY)).unwrap();
        assert_eq!((late.actions, late.kept_bytes), (2, 0));
        assert!(!store.has(&kept));
        assert_eq!(store.releases().unwrap(), []);
    }
}
