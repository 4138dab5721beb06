//! CRC-32C, the polynomial of Castagnoli (RFC 9260, appendix A), bits reversed.

/// The remainder of each byte.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte: u32 = 0;
    while byte < 256 {
        let mut rest = byte;
        let mut bit = 0;
        while bit < 8 {
            rest = if rest & 1 == 0 { rest >> 1 } else { rest >> 1 ^ 0x82f6_3b78 };
            bit += 1;
        }
        table[byte as usize] = rest;
        byte += 1;
    }
    table
};

/// Returns the checksum of some bytes with zeros in place of the four at `skipped`.
pub(super) fn without(bytes: &[u8], skipped: usize) -> u32 {
    let places = bytes.iter().enumerate();
    let counted =
        places.map(|(at, byte)| if (skipped..skipped + 4).contains(&at) { 0 } else { *byte });
    !counted.fold(u32::MAX, |rest, byte| {
        let [low, ..] = rest.to_le_bytes();
        rest >> 8 ^ TABLE[usize::from(low ^ byte)]
    })
}

#[cfg(test)]
mod tests {
    use super::without;

    #[test]
    fn agrees_with_known_sums() {
        // The check value of the catalogue of CRCs, and 32 zeros of RFC 3720, appendix B.4.
        assert_eq!(without(b"123456789", 9), 0xe306_9283);
        assert_eq!(without(&[0; 32], 32), 0x8a91_36aa);
        let mut bytes = [0; 32];
        bytes[8..12].fill(0xff);
        assert_eq!(without(&bytes, 8), 0x8a91_36aa);
    }
}
