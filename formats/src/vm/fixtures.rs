//! What the tests of containers share.

use std::io::Read;
use std::sync::Arc;

use crate::blob::{BlobStore, MemoryStore};
use crate::format::ReadError;
use crate::input::{ReadAt, Section};
use crate::rope::Rope;

/// Returns a disk with data in the first, third and last of its five blocks of 2 MiB.
pub(super) fn five_blocks(store: &MemoryStore) -> Rope {
    const BLOCK: u64 = 2 << 20;
    let blob = store.put(&b"0123456789".repeat(20_000)).unwrap();
    let mut disk = Rope::from(b"start".to_vec());
    disk.push_zeros(2 * BLOCK);
    disk.push_blob(blob);
    disk.push_zeros(4 * BLOCK + 512 - 4 - disk.len());
    disk.push_bytes(b"end!");
    disk
}

/// Reads all of the disk that a reader tells, if the reader could be opened.
pub(super) fn read_all<R: ReadAt + 'static>(
    reader: Result<R, ReadError>,
) -> std::io::Result<Vec<u8>> {
    let reader = reader.map_err(std::io::Error::other)?;
    let mut bytes = Vec::new();
    Section::whole(Arc::new(reader)).read_to_end(&mut bytes)?;
    Ok(bytes)
}
