//! Digests by file identity: an index over a folder, never a truth.
//!
//! A file whose device, inode, size, modification and change time are what they were still has the
//! content it had, with one exception that git found: a file changed again within the same clock
//! tick as the index was written looks unchanged. So a file whose times are not strictly older than
//! the moment the scan began, less one tick, is hashed again next time.
//!
//! ```text
//! "bakestat" | revision u32 | { device, inode, size, mtime, ctime: i64/u64; sha256; md5 } *
//! ```
//!
//! Records are in the order of device and inode, and are searched where they are.

use std::io;
use std::path::Path;

use bake_formats::digest::Digest;
use bake_formats::tree::Content;
use serde::{Deserialize, Serialize};

use super::Store;

const MAGIC: &[u8; 12] = b"bakestat\x01\0\0\0";
const RECORD: usize = 5 * 8 + 32 + 16;
/// The coarsest clock tick of a kernel that stamps files: 10 ms at 100 Hz.
pub const TICK_NANOSECONDS: i64 = 10_000_000;

/// What tells that a file is the one it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stamp {
    /// The device number.
    pub device: u64,
    /// The inode number.
    pub inode: u64,
    /// The size in bytes.
    pub size: u64,
    /// The modification time in nanoseconds.
    pub mtime: i64,
    /// The change time in nanoseconds.
    pub ctime: i64,
}

impl Stamp {
    /// Returns the stamp of a file.
    pub fn of(metadata: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            mtime: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            ctime: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Returns the stamp of a file that the system described.
    #[expect(clippy::cast_sign_loss, reason = "no file has a negative size")]
    pub fn of_stat(stat: &rustix::fs::Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: stat.st_size as u64,
            mtime: nanoseconds(stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or(0)),
            ctime: nanoseconds(stat.st_ctime, i64::try_from(stat.st_ctime_nsec).unwrap_or(0)),
        }
    }

    /// Returns all numbers, little-endian.
    pub fn to_bytes(&self) -> [u8; 40] {
        let numbers = [
            self.device.to_le_bytes(),
            self.inode.to_le_bytes(),
            self.size.to_le_bytes(),
            self.mtime.to_le_bytes(),
            self.ctime.to_le_bytes(),
        ];
        let mut bytes = [0; 40];
        for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number);
        }
        bytes
    }
}

fn nanoseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

/// Contents of files, by their stamps.
#[derive(Debug, Default)]
pub struct StatIndex {
    /// What follows the revision in the file.
    records: Vec<u8>,
    /// Stamps at or after this moment cannot be trusted next time.
    began: i64,
}

impl StatIndex {
    /// Returns whether a file was as it is before the index was read, and cannot have changed in that tick.
    pub fn settles(&self, stamp: &Stamp) -> bool {
        stamp.mtime.max(stamp.ctime) < self.began - TICK_NANOSECONDS
    }

    /// Returns the content that a file with this stamp had.
    pub fn get(&self, stamp: &Stamp) -> Option<Content> {
        self.get_all(std::iter::once(stamp)).next()?
    }

    /// Returns the content of each of many files. One whose record follows that of the file before it, as those of files
    /// do that were made one after another, is not searched for.
    pub fn get_all<'s>(
        &self,
        stamps: impl Iterator<Item = &'s Stamp>,
    ) -> impl Iterator<Item = Option<Content>> {
        let (records, _) = self.records.as_chunks::<RECORD>();
        let mut next = 0;
        stamps.map(move |stamp| {
            let wanted = (stamp.device, stamp.inode);
            let place = match records.get(next) {
                Some(record) if identity(record) == wanted => next,
                _ => records.binary_search_by_key(&wanted, identity).ok()?,
            };
            next = place + 1;
            let (known, content) = parse_record(records.get(place)?)?;
            (known == *stamp).then_some(content)
        })
    }

    /// Returns how many files are known.
    pub fn len(&self) -> usize {
        self.records.len() / RECORD
    }

    /// Returns whether no file is known.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

impl Store {
    /// Returns the moment, in nanoseconds, by the clock that stamps files.
    pub fn moment(&self) -> io::Result<i64> {
        Ok(Stamp::of(&self.stage()?.as_file().metadata()?).mtime)
    }

    /// Reads the index of a folder and notes the moment; a damaged index is an empty one.
    pub fn stat_index(&self, folder: &Path) -> io::Result<StatIndex> {
        let began = self.moment()?;
        let records = match fs_err::read(self.stat_index_path(folder)) {
            Ok(bytes) => records(bytes).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok(StatIndex { records, began })
    }

    /// Returns an index that knows no file, and notes the moment.
    pub fn no_stat_index(&self) -> io::Result<StatIndex> {
        Ok(StatIndex { began: self.moment()?, ..StatIndex::default() })
    }

    /// Replaces the index of a folder by what a scan found, if that differs from what was known.
    pub fn save_stat_index<'f>(
        &self,
        folder: &Path,
        index: &StatIndex,
        found: impl Iterator<Item = (&'f Stamp, &'f Content)>,
    ) -> io::Result<()> {
        self.replace_stat_index(folder, index, found.filter(|(stamp, _)| index.settles(stamp)))
    }

    /// Replaces the index of a folder by files that can be known by their stamps, if that differs from what was known.
    pub fn replace_stat_index<'f>(
        &self,
        folder: &Path,
        index: &StatIndex,
        settled: impl Iterator<Item = (&'f Stamp, &'f Content)>,
    ) -> io::Result<()> {
        let mut settled: Vec<_> = settled.collect();
        settled.sort_by_key(|(stamp, _)| (stamp.device, stamp.inode));
        settled.dedup_by_key(|(stamp, _)| **stamp);
        let bytes = print(&settled);
        if bytes.get(MAGIC.len()..) == Some(index.records.as_slice()) {
            return Ok(());
        }
        self.write_file(&self.stat_index_path(folder), &bytes)
    }

    fn stat_index_path(&self, folder: &Path) -> std::path::PathBuf {
        use std::os::unix::ffi::OsStrExt;
        let mut name = b"stat index of ".to_vec();
        name.extend_from_slice(folder.as_os_str().as_bytes());
        self.root.join("index").join(Digest::of(&name).hex())
    }
}

fn print(found: &[(&Stamp, &Content)]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(MAGIC.len() + found.len() * RECORD);
    bytes.extend_from_slice(MAGIC);
    for (stamp, content) in found {
        bytes.extend_from_slice(&stamp.to_bytes());
        bytes.extend_from_slice(content.digest.as_bytes());
        bytes.extend_from_slice(&content.md5);
    }
    bytes
}

/// Returns what follows the revision; `None` if that is another, or the file is torn.
fn records(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let is_whole = bytes.starts_with(MAGIC) && (bytes.len() - MAGIC.len()).is_multiple_of(RECORD);
    is_whole.then(|| {
        bytes.drain(..MAGIC.len());
        bytes
    })
}

/// Returns the device and the inode of a record.
fn identity(record: &[u8; RECORD]) -> (u64, u64) {
    let number = |at: usize| {
        let bytes = record.get(at..).and_then(<[u8]>::first_chunk);
        bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
    };
    (number(0), number(8))
}

fn parse_record(record: &[u8; RECORD]) -> Option<(Stamp, Content)> {
    let mut record = record.as_slice();
    let mut number = || {
        let (head, rest) = record.split_first_chunk::<8>()?;
        record = rest;
        Some(*head)
    };
    let [device, inode, size] = [
        u64::from_le_bytes(number()?),
        u64::from_le_bytes(number()?),
        u64::from_le_bytes(number()?),
    ];
    let [mtime, ctime] = [i64::from_le_bytes(number()?), i64::from_le_bytes(number()?)];
    let (digest, md5) = record.split_first_chunk::<32>()?;
    let content = Content { digest: Digest::from_bytes(*digest), size, md5: md5.try_into().ok()? };
    Some((Stamp { device, inode, size, mtime, ctime }, content))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(inode: u64, mtime: i64) -> Stamp {
        Stamp { device: 1, inode, size: 5, mtime, ctime: mtime }
    }

    #[test]
    fn remembers_settled_files_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let place = Path::new("/some/where");
        let index = store.stat_index(place).unwrap();
        assert!(index.is_empty());
        let content = Content::of(b"hello");
        let settled = stamp(1, index.began - 2 * TICK_NANOSECONDS);
        let racy = stamp(2, index.began - TICK_NANOSECONDS / 2);
        let found = [(settled, content), (racy, content)];
        let found = found.iter().map(|(stamp, content)| (stamp, content));
        store.save_stat_index(place, &index, found).unwrap();
        let index = store.stat_index(place).unwrap();
        assert_eq!((index.get(&settled), index.get(&racy)), (Some(content), None));
        let moved = Stamp { ctime: settled.ctime - 1, ..settled };
        assert_eq!(index.get(&moved), None);
        assert!(store.stat_index(Path::new("/else/where")).unwrap().is_empty());
    }

    #[test]
    fn files_are_found_in_whatever_order_they_are_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let place = Path::new("/some/where");
        let index = store.stat_index(place).unwrap();
        let content = |inode: u64| Content { size: 5, ..Content::of(&inode.to_le_bytes()) };
        let found: Vec<_> = [3, 4, 5, 9, 10].map(|n| (stamp(n, 1), content(n))).into();
        let found = found.iter().map(|(stamp, content)| (stamp, content));
        store.save_stat_index(place, &index, found).unwrap();
        let index = store.stat_index(place).unwrap();
        for inodes in [[3, 4, 5, 9, 10], [10, 9, 5, 4, 3], [4, 6, 5, 5, 9], [11, 3, 2, 3, 4]] {
            let stamps = inodes.map(|inode| stamp(inode, 1));
            let expected = inodes.map(|n| [3, 4, 5, 9, 10].contains(&n).then(|| content(n)));
            assert!(index.get_all(stamps.iter()).eq(expected), "{inodes:?}");
        }
        let other = [stamp(3, 1), stamp(4, 2), stamp(5, 1)];
        let found: Vec<_> = index.get_all(other.iter()).collect();
        assert_eq!(found, [Some(content(3)), None, Some(content(5))]);
    }

    #[test]
    fn a_damaged_index_is_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let place = Path::new("/some/where");
        fs_err::write(store.stat_index_path(place), b"bakestat\x01\0\0\0torn").unwrap();
        assert!(store.stat_index(place).unwrap().is_empty());
    }
}
