//! Artifacts that are compressed as a whole, decompressed so that they can be read where asked.

use std::io::{self, Read, Seek, SeekFrom, Write};

use bake_formats::encode::{Codec, decoder};
use bake_formats::input::{Section, Source};

use crate::source;

/// The most bytes that an artifact may have after decompression.
pub const LIMIT: u64 = 256 << 30;
/// The granularity of holes, in bytes.
const HOLE: usize = 4096;

/// Decompresses a file into one without a name, which is gone when nobody reads it any more.
///
/// The file is read to its end, so a checksum there has been compared.
pub fn unpack(source: &Source, limit: u64) -> io::Result<Source> {
    let mut packed = decoder(Codec::Gzip, Section::whole(source.file()?.clone()))?;
    let mut file = tempfile::tempfile()?;
    let mut buffer = vec![0; 16 * HOLE];
    let mut len = 0;
    loop {
        let count = packed.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        len += count as u64;
        if len > limit {
            let message = format!("there are more than {limit} bytes after decompression");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        write_sparse(&mut file, &buffer[..count])?;
    }
    file.set_len(len)?;
    Ok(Source::File(source::of_file(file)?))
}

/// Writes bytes, zeros as holes.
fn write_sparse(file: &mut std::fs::File, bytes: &[u8]) -> io::Result<()> {
    let hole = i64::try_from(HOLE).map_err(io::Error::other)?;
    for chunk in bytes.chunks(HOLE) {
        if chunk.len() == HOLE && chunk.iter().all(|byte| *byte == 0) {
            file.seek(SeekFrom::Current(hole))?;
        } else {
            file.write_all(chunk)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bake_formats::blob::MemoryStore;
    use bake_formats::encode::{Compression, Encoder, NoCache};
    use bake_formats::rope::Rope;

    use super::*;

    fn packed(len: u64) -> (Vec<u8>, Vec<u8>) {
        let store = MemoryStore::new();
        let encoder = Encoder::new(&store, &NoCache, 1);
        let mut rope = Rope::from(b"start".to_vec());
        rope.push_zeros(len - 8);
        rope.push_bytes(b"end");
        let packed = encoder.compress(&rope, Compression::GZIP).unwrap();
        (rope.to_vec(&store).unwrap(), packed.to_vec(&store).unwrap())
    }

    #[test]
    fn bytes_are_those_that_were_compressed() {
        let (bytes, packed) = packed(300_000);
        let source = unpack(&Source::from_bytes(packed), 300_000).unwrap();
        let mut found = Vec::new();
        Section::whole(source.file().unwrap().clone()).read_to_end(&mut found).unwrap();
        assert!(found == bytes);
    }

    #[test]
    fn more_than_the_limit_and_what_is_broken_is_refused() {
        let (_, packed) = packed(300_000);
        let error = unpack(&Source::from_bytes(packed.clone()), 299_999).unwrap_err();
        assert!(error.to_string().contains("more than 299999 bytes"), "{error}");
        let cut = packed[..packed.len() - 1].to_vec();
        assert!(unpack(&Source::from_bytes(cut), 300_000).is_err());
        let mut flipped = packed.clone();
        let crc = flipped.len() - 8;
        flipped[crc] ^= 1;
        assert!(unpack(&Source::from_bytes(flipped), 300_000).is_err());
        let more = [packed, b"more".to_vec()].concat();
        assert!(unpack(&Source::from_bytes(more), 300_000).is_err());
    }
}
