//! One xz stream of several blocks (the .xz file format 1.1.0).
//!
//! ```text
//! ┌────────────────────┬─────────┬─────┬─────────┬────────────────────┬────────────────────┐
//! │ stream header (12) │ segment │  …  │ segment │ index              │ stream footer (12) │
//! │ fd 37 7a 58 5a 00  │ block   │     │ block   │ sizes of all blocks│               59 5a│
//! └────────────────────┴─────────┴─────┴─────────┴────────────────────┴────────────────────┘
//! block: header size, flags c0, compressed size, uncompressed size, LZMA2 and its dictionary size,
//!        padding, CRC-32 │ LZMA2 chunks │ padding to 4 │ CRC-32 of the uncompressed bytes
//! ```
//!
//! Each block says its own sizes, so that a decoder may work on several at once, and so that the
//! index can be made from the blocks alone. The check is CRC-32 because it is the one that every
//! decoder has, the small ones in boot loaders and kernels too.

use std::io;

use liblzma::stream::{Action, Filters, LzmaOptions, Status, Stream};

/// Section 2.1.1.1.
const HEADER_MAGIC: [u8; 6] = [0xfd, b'7', b'z', b'X', b'Z', 0];
/// Section 2.1.2.4.
const FOOTER_MAGIC: [u8; 2] = *b"YZ";
/// Section 2.1.1.2: the check is CRC-32.
const STREAM_FLAGS: [u8; 2] = [0, 1];
/// Section 3.1.2: one filter, both sizes are present.
const BLOCK_FLAGS: u8 = 0xc0;
/// Section 5.3.1: the filter is LZMA2, and its properties are one byte.
const LZMA2: [u8; 2] = [0x21, 1];
/// The CRC-32 at the end of a block.
const CHECK_LEN: usize = 4;
/// Section 3.1.1: the longest block header.
pub(super) const BLOCK_HEADER_MAX: u64 = 1024;
/// Section 1.2: the longest variable-length integer.
const VLI_MAX: usize = 9;

/// The largest dictionary: that of the default level, which every decoder can afford.
const DICTIONARY_MAX: u32 = 8 << 20;
/// The smallest dictionary, section 5.3.1.
const DICTIONARY_MIN: u32 = 4 << 10;

/// Returns the stream header.
pub(super) fn head() -> Vec<u8> {
    let mut head = HEADER_MAGIC.to_vec();
    head.extend(STREAM_FLAGS);
    head.extend(crc32fast::hash(&STREAM_FLAGS).to_le_bytes());
    head
}

/// Compresses one segment into a block.
///
/// The dictionary is no larger than the segment, so the encoder holds about 12 times the segment:
/// 94 MiB for a block of 8 MiB.
pub(super) fn compress(raw: &[u8], crc32: u32, level: u8) -> io::Result<Vec<u8>> {
    let dictionary = dictionary_size(raw.len(), level);
    let mut options = LzmaOptions::new_preset(level.into())?;
    options.dict_size(dictionary);
    let mut filters = Filters::new();
    filters.lzma2(&options);
    let mut encoder = Stream::new_raw_encoder(&filters)?;
    let mut chunks = Vec::with_capacity(raw.len() / 2 + 1024);
    loop {
        let taken = usize::try_from(encoder.total_in()).unwrap_or(raw.len());
        let rest = raw.get(taken..).unwrap_or_default();
        match encoder.process_vec(rest, &mut chunks, Action::Finish)? {
            Status::StreamEnd => break,
            Status::Ok | Status::GetCheck | Status::MemNeeded => {
                chunks.reserve(raw.len() / 2 + 1024);
            }
        }
    }
    let mut block = block_header(chunks.len(), raw.len(), dictionary);
    block.append(&mut chunks);
    pad(&mut block);
    block.extend(crc32.to_le_bytes());
    Ok(block)
}

/// Returns the preset's dictionary size, clamped to what the segment can use: a power of two.
fn dictionary_size(raw_len: usize, level: u8) -> u32 {
    let preset: u32 = match level {
        0 => 256 << 10,
        1 => 1 << 20,
        2 => 2 << 20,
        3 | 4 => 4 << 20,
        _ => DICTIONARY_MAX,
    };
    let useful = u32::try_from(raw_len).unwrap_or(preset).min(preset).next_power_of_two();
    useful.max(DICTIONARY_MIN)
}

/// Returns a block header, section 3.1; the dictionary size is a power of two.
fn block_header(compressed: usize, raw: usize, dictionary: u32) -> Vec<u8> {
    let mut header = vec![0, BLOCK_FLAGS];
    push_vli(&mut header, compressed as u64);
    push_vli(&mut header, raw as u64);
    header.extend(LZMA2);
    // Section 5.3.1: even numbers are powers of two from 4 KiB on.
    let exponent = dictionary.trailing_zeros() - DICTIONARY_MIN.trailing_zeros();
    header.extend(&(exponent * 2).to_le_bytes()[..1]);
    pad(&mut header);
    // The stored size is the header's in words minus one; the CRC-32 is a word.
    let words = header.len() / 4;
    header[0] = words.to_le_bytes()[0];
    header.extend(crc32fast::hash(&header).to_le_bytes());
    header
}

/// What the index says about a block, section 4.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    unpadded_size: u64,
    raw_len: u64,
}

impl Record {
    /// Reads a block that [`compress`] made; `None` if the bytes are not one such block of
    /// `raw_len` bytes with this CRC-32.
    pub(super) fn of(block: &[u8], raw_len: u64, crc32: u32) -> Option<Self> {
        let record = Self::of_start(block, block.len() as u64, raw_len)?;
        block.ends_with(&crc32.to_le_bytes()).then_some(record)
    }

    /// Reads the header of a block of `len` bytes that [`compress`] made, from its first bytes;
    /// `None` if they do not start a block of that length and of `raw_len` bytes.
    pub(super) fn of_start(block: &[u8], len: u64, raw_len: u64) -> Option<Self> {
        let header_len = (usize::from(*block.first()?) + 1) * 4;
        let (header, _) = block.split_at_checked(header_len)?;
        let (fields, checksum) = header.split_at_checked(header_len - 4)?;
        let (compressed, vli_len) = read_vli(fields.get(2..)?)?;
        let (raw, _) = read_vli(fields.get(2 + vli_len..)?)?;
        let sizes = len.checked_sub((header_len + CHECK_LEN) as u64)?;
        let matches = *fields.get(1)? == BLOCK_FLAGS
            && checksum == crc32fast::hash(fields).to_le_bytes()
            && compressed.checked_next_multiple_of(4)? == sizes
            && raw == raw_len;
        let unpadded_size = (header_len + CHECK_LEN) as u64 + compressed;
        matches.then_some(Self { unpadded_size, raw_len })
    }
}

/// Collects what stands at the end of the stream.
#[derive(Default)]
pub(super) struct Index {
    records: Vec<Record>,
}

impl Index {
    /// Takes in the next blocks.
    pub(super) fn extend(&mut self, records: impl IntoIterator<Item = Record>) {
        self.records.extend(records);
    }

    /// Returns the index and the stream footer, sections 4 and 2.1.2.
    pub(super) fn finish(self) -> io::Result<Vec<u8>> {
        let mut tail = vec![0];
        push_vli(&mut tail, self.records.len() as u64);
        for record in &self.records {
            push_vli(&mut tail, record.unpadded_size);
            push_vli(&mut tail, record.raw_len);
        }
        pad(&mut tail);
        // The stored backward size is the index's size in words minus one; the CRC-32 is a word.
        let words = u32::try_from(tail.len() / 4).map_err(io::Error::other)?;
        tail.extend(crc32fast::hash(&tail).to_le_bytes());
        let mut sizes = words.to_le_bytes().to_vec();
        sizes.extend(STREAM_FLAGS);
        tail.extend(crc32fast::hash(&sizes).to_le_bytes());
        tail.extend(sizes);
        tail.extend(FOOTER_MAGIC);
        Ok(tail)
    }
}

/// Appends zeros up to a multiple of four bytes.
fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// Appends a variable-length integer, section 1.2: seven bits a byte, the lowest first.
fn push_vli(bytes: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        bytes.push((value & 0x7f).to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
}

/// Reads a variable-length integer; returns it and how many bytes it takes.
fn read_vli(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(VLI_MAX).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, index + 1));
        }
    }
    None
}
