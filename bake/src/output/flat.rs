//! Ropes become files.

use std::io::{self, Read, Seek, SeekFrom, Write};

use bake_formats::blob::{Blob, BlobSource};
use bake_formats::digest::{Digest, Hasher};
use bake_formats::rope::{Extent, Rope};

/// Zeros shorter than this are written rather than left as a hole.
const HOLE: usize = 64 * 1024;
/// How many bytes of a rope's own are collected before they are written: they come in small pieces.
const PENDING: usize = 128 * 1024;

/// An empty file that a rope is written to, zeros as holes, and hashed on the way unless its digest is known.
pub(super) struct Flat {
    file: fs_err::File,
    identity: Identity,
    /// Bytes that were neither hashed nor written yet.
    pending: Vec<u8>,
}

/// The digest of what is written.
enum Identity {
    Known(Digest),
    Computed(Hasher),
}

impl Identity {
    fn update(&mut self, bytes: &[u8]) {
        if let Self::Computed(hasher) = self {
            hasher.update(bytes);
        }
    }

    fn digest(&self) -> Digest {
        match self {
            Self::Known(digest) => *digest,
            Self::Computed(hasher) => hasher.digest(),
        }
    }
}

/// The blob that was read last.
struct OpenedBlob<'a> {
    digest: Digest,
    /// Up to where it was read.
    end: u64,
    reader: Box<dyn Read + Send + 'a>,
}

impl Flat {
    /// Starts with an empty file that will hold what has this digest, if somebody knows it.
    pub(super) fn new(file: fs_err::File, known: Option<Digest>) -> Self {
        let identity = known.map_or_else(|| Identity::Computed(Hasher::new()), Identity::Known);
        Self { file, identity, pending: Vec::new() }
    }

    /// Writes all that a rope describes and returns its identity.
    pub(super) fn write(mut self, rope: &Rope, source: &dyn BlobSource) -> io::Result<Blob> {
        let mut buffer = vec![0; 4 * HOLE];
        let mut opened: Option<OpenedBlob<'_>> = None;
        for extent in rope.extents() {
            match extent {
                Extent::Inline(bytes) => self.collect(bytes)?,
                Extent::Padding(len) => self.collect_zeros(len)?,
                Extent::Zero(len) => {
                    self.flush()?;
                    self.skip(len)?;
                }
                Extent::Blob { digest, offset, len } => {
                    self.flush()?;
                    // Of a blob of which one range follows another, whatever stands between them, every byte goes
                    // through one reader, which checks the whole.
                    let mut blob = match opened.take() {
                        Some(last) if (last.digest, last.end) == (digest, offset) => last,
                        last => {
                            put_away(last)?;
                            OpenedBlob {
                                digest,
                                end: offset,
                                reader: source.open(&digest, offset)?,
                            }
                        }
                    };
                    blob.end = offset.saturating_add(len);
                    let copied = self.copy(&mut (&mut blob.reader).take(len), &mut buffer)?;
                    if copied != len {
                        let message = format!("content {digest} ends {} bytes early", len - copied);
                        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
                    }
                    opened = Some(blob);
                }
            }
        }
        self.flush()?;
        put_away(opened)?;
        self.file.set_len(rope.len())?;
        Ok(Blob { digest: self.identity.digest(), size: rope.len() })
    }

    fn collect(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.pending.len() + bytes.len() > PENDING {
            self.flush()?;
        }
        if bytes.len() > PENDING {
            self.identity.update(bytes);
            return self.file.write_all(bytes);
        }
        self.pending.extend_from_slice(bytes);
        Ok(())
    }

    fn collect_zeros(&mut self, mut len: u64) -> io::Result<()> {
        while len > 0 {
            if self.pending.len() == PENDING {
                self.flush()?;
            }
            let room = PENDING - self.pending.len();
            let count = usize::try_from(len).unwrap_or(room).min(room);
            self.pending.resize(self.pending.len() + count, 0);
            len -= count as u64;
        }
        Ok(())
    }

    /// Hashes and writes what was collected.
    fn flush(&mut self) -> io::Result<()> {
        self.identity.update(&self.pending);
        self.file.write_all(&self.pending)?;
        self.pending.clear();
        Ok(())
    }

    /// Leaves a hole.
    fn skip(&mut self, mut len: u64) -> io::Result<()> {
        static ZEROS: [u8; HOLE] = [0; HOLE];
        seek_over(&mut self.file, len)?;
        while len > 0 {
            let count = usize::try_from(len).unwrap_or(HOLE).min(HOLE);
            self.identity.update(&ZEROS[..count]);
            len -= count as u64;
        }
        Ok(())
    }

    /// Copies all that a reader yields and returns how much it was.
    fn copy(&mut self, reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<u64> {
        let Self { file, identity, .. } = self;
        let mut copied = 0;
        loop {
            let count = fill(reader, buffer)?;
            if count == 0 {
                return Ok(copied);
            }
            identity.update(&buffer[..count]);
            let mut written = &buffer[..count];
            while !written.is_empty() {
                let holes = written.chunks(HOLE).take_while(|chunk| is_hole(chunk)).count() * HOLE;
                seek_over(file, holes as u64)?;
                let data = written[holes..].chunks(HOLE).take_while(|chunk| !is_hole(chunk));
                let end = holes + data.map(<[u8]>::len).sum::<usize>();
                file.write_all(&written[holes..end])?;
                written = &written[end..];
            }
            copied += count as u64;
        }
    }
}

/// Reads to the end if that is where the reader is, so that it can check the digest it promised.
fn put_away(opened: Option<OpenedBlob<'_>>) -> io::Result<()> {
    let Some(mut opened) = opened else { return Ok(()) };
    opened.reader.read(&mut [0]).map(drop)
}

fn is_hole(chunk: &[u8]) -> bool {
    chunk.len() == HOLE && chunk.iter().all(|byte| *byte == 0)
}

fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}

fn seek_over(file: &mut fs_err::File, len: u64) -> io::Result<()> {
    let len = i64::try_from(len).map_err(io::Error::other)?;
    file.seek(SeekFrom::Current(len)).map(drop)
}

#[cfg(test)]
mod tests {
    use bake_formats::blob::{BlobStore, MemoryStore};

    use super::*;
    use crate::store::Store;

    #[test]
    fn a_damaged_blob_is_found_however_its_ranges_stand_apart() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let blob = store.put(b"0123456789").unwrap();
        let path = folder.path().join("store/blobs/sha256").join(blob.digest.hex());
        let mut rope = Rope::new();
        for (offset, len) in [(0, 3), (3, 4), (7, 3)] {
            rope.push_bytes(b"marker");
            rope.push_range(blob.digest, offset, len);
        }
        let write = || {
            let file = fs_err::File::create(folder.path().join("disk")).unwrap();
            Flat::new(file, None).write(&rope, &store)
        };
        assert_eq!(write().unwrap(), rope.blob(&store).unwrap());
        for at in 0..10 {
            let mut bytes = b"0123456789".to_vec();
            bytes[at] = b'x';
            fs_err::write(&path, bytes).unwrap();
            let error = write().unwrap_err();
            assert_eq!(crate::store::is_damage(&error), Some(blob.digest), "byte {at}");
        }
    }

    #[test]
    fn zeros_become_holes_and_the_digest_is_of_the_flat_file() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        let memory = MemoryStore::new();
        let mut content = vec![0; 1 << 20];
        content[1 << 19] = 7;
        let mut rope = Rope::new();
        rope.push_bytes(b"head");
        rope.push_zeros((1 << 20) - 4);
        rope.push_blob(memory.put(&content).unwrap());
        rope.push_zeros(1 << 20);
        let path = folder.path().join("disk");
        let blob =
            Flat::new(fs_err::File::create(&path).unwrap(), None).write(&rope, &memory).unwrap();
        let bytes = fs_err::read(&path).unwrap();
        assert_eq!(bytes, rope.to_vec(&memory).unwrap());
        assert_eq!(blob.digest, Digest::of(&bytes));
        let allocated = fs_err::metadata(&path).unwrap().blocks() * 512;
        assert!(allocated <= 512 * 1024, "{allocated} bytes are allocated");
    }

    #[test]
    fn small_pieces_and_large_ones_are_written_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let memory = MemoryStore::new();
        let blob = memory.put(b"blob").unwrap();
        let mut rope = Rope::new();
        for len in [1, 5, 3 * PENDING, 7, PENDING, PENDING - 1, 2, 9] {
            rope.push_bytes(&vec![b'x'; len]);
            rope.push_blob(blob);
            rope.push_bytes(&vec![b'y'; len]);
            rope.push_zeros(len as u64);
        }
        let path = folder.path().join("file");
        let written = Flat::new(fs_err::File::create(&path).unwrap(), None).write(&rope, &memory);
        assert_eq!(written.unwrap(), rope.blob(&memory).unwrap());
        assert_eq!(fs_err::read(&path).unwrap(), rope.to_vec(&memory).unwrap());
    }
}
