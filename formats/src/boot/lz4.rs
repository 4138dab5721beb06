//! The legacy frame format of LZ4, which is what kernels are compressed with.
//!
//! ```text
//! 02 21 4c 18 │ size (4) block │ size (4) block │ … │ bytes before compression (4)
//! ```
//!
//! A block stands for at most 8 MiB and is a sequence of: a token, whose high half is the number of
//! literals and whose low half is the length of a match less 4, 15 meaning that bytes follow that
//! add to it; the literals; how far back the match is (2). The last one ends after its literals.
//! (LZ4, "Frame Format", "Legacy frame", and "Block Format". The number at the end is the kernel's.)

use std::io::{self, Read};

/// The magic number of a legacy frame.
pub(super) const MAGIC: [u8; 4] = [0x02, 0x21, 0x4c, 0x18];
/// What a block stands for at most.
const BLOCK_MAX: usize = 8 << 20;
/// What a block takes at most: what cannot be compressed grows by 1 in 255.
const COMPRESSED_MAX: usize = BLOCK_MAX + BLOCK_MAX / 255 + 16;
/// The shortest match.
const MATCH_MIN: usize = 4;

/// Reads what a legacy frame stands for.
pub(super) struct Decoder<R> {
    input: R,
    block: Vec<u8>,
    at: usize,
    started: bool,
}

impl<R: Read> Decoder<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, block: Vec::new(), at: 0, started: false }
    }

    /// Decodes the next block; `false` at the end.
    fn advance(&mut self) -> io::Result<bool> {
        if !std::mem::replace(&mut self.started, true) {
            let mut magic = [0; 4];
            self.input.read_exact(&mut magic)?;
            if magic != MAGIC {
                return Err(invalid("no legacy frame"));
            }
        }
        let mut size = Vec::new();
        self.input.by_ref().take(4).read_to_end(&mut size)?;
        let Ok(size) = <[u8; 4]>::try_from(size.as_slice()) else {
            return if size.is_empty() {
                Ok(false)
            } else {
                Err(invalid("a block without a size"))
            };
        };
        let size = u32::from_le_bytes(size) as usize;
        let mut compressed = Vec::new();
        self.input.by_ref().take(size.min(COMPRESSED_MAX) as u64).read_to_end(&mut compressed)?;
        if compressed.is_empty() {
            // What was read was the number at the end.
            return Ok(false);
        }
        if compressed.len() < size {
            return Err(invalid("a block that is too long or ends early"));
        }
        self.block.clear();
        self.at = 0;
        decode(&compressed, &mut self.block).ok_or_else(|| invalid("an invalid block"))?;
        Ok(true)
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.block.len() {
            if !self.advance()? {
                return Ok(0);
            }
        }
        let count = buffer.len().min(self.block.len() - self.at);
        buffer[..count].copy_from_slice(&self.block[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

/// Decodes one block.
fn decode(mut input: &[u8], out: &mut Vec<u8>) -> Option<()> {
    loop {
        let token = usize::from(*input.split_off_first()?);
        let literals = length(token >> 4, &mut input)?;
        let taken = input.split_off(..literals)?;
        if out.len() + literals > BLOCK_MAX {
            return None;
        }
        out.extend_from_slice(taken);
        if input.is_empty() {
            return Some(());
        }
        let low = *input.split_off_first()?;
        let back = usize::from(u16::from_le_bytes([low, *input.split_off_first()?]));
        let matched = length(token & 15, &mut input)? + MATCH_MIN;
        let start = out.len().checked_sub(back).filter(|_| back > 0)?;
        if out.len() + matched > BLOCK_MAX {
            return None;
        }
        // A match may overlap what it makes: it is then a pattern that is repeated.
        let mut left = matched;
        while left > 0 {
            let count = left.min(out.len() - start);
            out.extend_from_within(start..start + count);
            left -= count;
        }
    }
}

/// Adds to a length of 15 the bytes that follow, up to one that is not 255.
fn length(short: usize, input: &mut &[u8]) -> Option<usize> {
    let mut length = short;
    if short < 15 {
        return Some(length);
    }
    loop {
        let more = *input.split_off_first()?;
        length += usize::from(more);
        if more < 255 {
            return Some(length);
        }
    }
}

fn invalid(found: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("lz4: {found}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(blocks: &[&[u8]], tail: &[u8]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for block in blocks {
            bytes.extend(u32::try_from(block.len()).unwrap().to_le_bytes());
            bytes.extend(*block);
        }
        bytes.extend(tail);
        bytes
    }

    fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Decoder::new(bytes).read_to_end(&mut out)?;
        Ok(out)
    }

    /// Literals `ab`, a match of 19 bytes 2 back, literal `c`.
    const BLOCK: [u8; 8] = [0x2f, b'a', b'b', 2, 0, 0, 0x10, b'c'];

    #[test]
    fn reads_literals_and_matches_that_overlap() {
        let expected = b"ababababababababababac";
        assert_eq!(read(&frame(&[&BLOCK], b"")).unwrap(), expected);
        let two = read(&frame(&[&BLOCK, &[0x10, b'x']], &[23, 0, 0, 0])).unwrap();
        assert_eq!(two, [expected.as_slice(), b"x"].concat());
        // 15 + 255 + 1 literals.
        let long = [[0xf0, 255, 1].as_slice(), &[7; 271]].concat();
        assert_eq!(read(&frame(&[&long], b"")).unwrap(), [7; 271]);
    }

    #[test]
    fn refuses_what_is_cut_or_points_outside() {
        let whole = frame(&[&BLOCK], b"");
        for len in 0..whole.len() {
            // After the magic number nothing or a number may follow: that is an empty frame.
            if ![4, 8].contains(&len) {
                assert!(read(&whole[..len]).is_err(), "{len}");
            }
        }
        let blocks: [&[u8]; 4] =
            [&[0x10, b'a', 2, 0, 0x00], &[0x10, b'a', 0, 0, 0], &[0x20, b'a'], &[0xf0, 255]];
        for block in blocks {
            assert!(read(&frame(&[block], b"")).is_err(), "{block:?}");
        }
        // One literal, then a match that would be 100 MB long.
        let bomb = [[0x1f, b'a', 1, 0].as_slice(), &vec![255; 400_000], &[0, 0]].concat();
        assert!(read(&frame(&[&bomb], b"")).is_err());
        let huge = [MAGIC.as_slice(), &[0xff; 4], &[0; 100]].concat();
        assert!(read(&huge).is_err());
    }
}
