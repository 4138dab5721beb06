//! The archive that Google Compute Engine makes an image of.
//!
//! A gzip member of a tar archive with exactly one file, `disk.raw`, in the old GNU form
//! ([`crate::archive::tar`]); what is a hole in the disk is one in the archive. The disk has whole
//! GiB (Compute Engine, "Manually import boot disks").

use std::sync::Arc;

use crate::archive::tar::{Dialect, Root, SparseFile, SymlinkOrder, TarOptions, TarWriter};
use crate::encode::Compression;
use crate::format::{Epoch, Problem, ReadError, WriteCx, WriteError};
use crate::input::ReadAt;
use crate::rope::Rope;
use crate::tree::{Mode, TreePath};

/// The name of the disk in the archive.
const DISK: &str = "disk.raw";
const GIB: u64 = 1 << 30;

/// Returns the size that a disk of this size must be filled up to: whole GiB.
pub fn round(size: u64) -> u64 {
    size.next_multiple_of(GIB)
}

/// Describes the compressed archive of a disk of whole GiB.
pub fn write(disk: &Rope, cx: &WriteCx<'_>) -> Result<Rope, WriteError> {
    Ok(cx.encoder.compress(&archive(disk, cx.epoch)?, Compression::GZIP)?)
}

/// Describes the archive before compression.
fn archive(disk: &Rope, epoch: Epoch) -> Result<Rope, WriteError> {
    let fail = |field: &str, reason: String| {
        Err(WriteError::Field { format: "gce", field: field.into(), reason })
    };
    let size = disk.len();
    if size == 0 || !size.is_multiple_of(GIB) {
        let fitting = (round(size) / GIB).max(1);
        let reason = format!("expected whole GiB, e.g. {fitting}GiB, found {size} bytes");
        return fail("size", reason);
    }
    let path = match TreePath::parse(DISK) {
        Ok(path) => path,
        Err(error) => return fail("name", error.to_string()),
    };
    let mut writer = TarWriter::new(TarOptions {
        format: "gce",
        dialect: Dialect::Gnu,
        prefix: "",
        epoch,
        symlinks: SymlinkOrder::InTree,
        root: Root::Omitted,
    });
    writer.append_sparse(&path, Mode::PLAIN, disk)?;
    Ok(writer.finish())
}

/// Returns whether a decompressed file begins as such an archive does.
pub fn is_at_start_of(file: &dyn ReadAt) -> bool {
    let mut header = [0; 512];
    let is_read = file.read_exact_at(0, &mut header).is_ok();
    let name = header.split(|byte| *byte == 0).next();
    is_read && name == Some(DISK.as_bytes()) && header[257..].starts_with(b"ustar")
}

/// Opens the disk in an archive that was decompressed.
pub fn open(archive: Arc<dyn ReadAt>) -> Result<SparseFile, ReadError> {
    let file = SparseFile::open(archive, "image archive")?;
    if file.name() != DISK.as_bytes() {
        let reason = format!("expected the file {DISK}, found {}", file.name().escape_ascii());
        return Err(ReadError::invalid("image archive", reason));
    }
    Ok(file)
}

/// Lists every rule of the format that an archive breaks which was decompressed.
pub fn check(archive: Arc<dyn ReadAt>) -> Result<Vec<Problem>, ReadError> {
    let size = open(archive)?.len();
    let problem = || Problem::new("gce-size", DISK, "whole GiB", format!("{size} bytes"));
    Ok((size == 0 || !size.is_multiple_of(GIB)).then(problem).into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::MemoryStore;
    use crate::digest::Digest;
    use crate::encode::{Encoder, NoCache};

    fn disk(size: u64) -> Rope {
        let mut disk = Rope::from(b"start".to_vec());
        disk.push_zeros(size - 5);
        disk
    }

    #[test]
    fn reading_undoes_writing() {
        let store = MemoryStore::new();
        let bytes = archive(&disk(GIB), Epoch(0)).unwrap().to_vec(&store).unwrap();
        assert_eq!(check(Arc::new(bytes.clone())).unwrap(), []);
        let file = open(Arc::new(bytes)).unwrap();
        let mut start = [1; 6];
        file.read_exact_at(0, &mut start).unwrap();
        assert_eq!((file.len(), &start), (GIB, b"start\0"));
    }

    #[test]
    fn bytes_are_pinned() {
        let store = MemoryStore::new();
        let encoder = Encoder::new(&store, &NoCache, 1);
        let cx = WriteCx { blobs: &store, encoder: &encoder, epoch: Epoch(0) };
        let bytes = write(&disk(GIB), &cx).unwrap().to_vec(&store).unwrap();
        let expected = "7f84d8f5503e8e3592749e82305a3fb706b53e6b4bbc0b30843fcb2cd6f6dff8";
        assert_eq!(Digest::of(&bytes).hex(), expected);
    }

    #[test]
    fn asks_for_whole_gib() {
        assert!(archive(&disk(GIB - 512), Epoch(0)).is_err());
        assert!(archive(&Rope::new(), Epoch(0)).is_err());
        assert_eq!([1, GIB, GIB + 1].map(round), [GIB, GIB, 2 * GIB]);
        let options = TarOptions {
            format: "gce",
            dialect: Dialect::Gnu,
            prefix: "",
            epoch: Epoch(0),
            symlinks: SymlinkOrder::InTree,
            root: Root::Omitted,
        };
        for (name, rules) in [(DISK, Some("gce-size")), ("disk.img", None)] {
            let mut writer = TarWriter::new(options);
            let path = TreePath::parse(name).unwrap();
            writer.append_sparse(&path, Mode::PLAIN, &disk(512)).unwrap();
            let bytes = writer.finish().to_vec(&MemoryStore::new()).unwrap();
            let found = check(Arc::new(bytes)).ok().map(|problems| problems[0].rule);
            assert_eq!(found, rules);
        }
    }
}
