//! The lead: 96 bytes by which `file` and old versions of rpm know a package.
//!
//! ```text
//! offset length
//!      0      4  magic ed ab ee db
//!      4      2  version of the lead: 3, 0; 4, 0 for version 6 of the package format
//!      6      2  type: 0 binary, 1 source
//!      8      2  number of the architecture; 0 for version 6
//!     10     66  name-[epoch:]version-release, cut and zero-padded; always ends with a NUL byte
//!     76      2  number of the operating system: 1 Linux; 0 for version 6
//!     78      2  type of the signature: 5, a header
//!     80     16  reserved, zeros
//! ```
//!
//! Specified in rpm's `docs/manual/format_lead.md`. rpm itself looks at the magic only.

use crate::digest::hex;
use crate::format::{Problem, ReadError};
use crate::input::ReadAt;

/// The size of the lead.
pub(super) const SIZE: usize = 96;

const MAGIC: [u8; 4] = [0xed, 0xab, 0xee, 0xdb];
const NAME: usize = 66;

/// Returns the lead of a binary package for Linux.
pub(super) fn write(nevr: &str, version: u8, architecture: u16, os: u16) -> [u8; SIZE] {
    let label = &nevr.as_bytes()[..nevr.len().min(NAME - 1)];
    let mut lead = [0; SIZE];
    let mut put = |at: usize, bytes: &[u8]| lead[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &MAGIC);
    put(4, &[version, 0]);
    put(6, &0_u16.to_be_bytes());
    put(8, &architecture.to_be_bytes());
    put(10, label);
    put(76, &os.to_be_bytes());
    put(78, &5_u16.to_be_bytes());
    lead
}

/// Reads the lead of a package.
pub(super) fn read(input: &dyn ReadAt) -> Result<[u8; SIZE], ReadError> {
    let what = "rpm lead";
    if input.len() < SIZE as u64 {
        let found = format!("{} bytes", input.len());
        return Err(ReadError::malformed(what, 0, format!("{SIZE} bytes"), found));
    }
    let mut lead = [0; SIZE];
    input.read_exact_at(0, &mut lead)?;
    if lead[..4] != MAGIC {
        let expected = format!("the magic {}", hex(&MAGIC));
        return Err(ReadError::malformed(what, 0, expected, hex(&lead[..4])));
    }
    if lead[6..8] != [0, 0] {
        let found = format!("type {}", hex(&lead[6..8]));
        return Err(ReadError::malformed(what, 6, "type 0000, a binary package", found));
    }
    Ok(lead)
}

/// Compares a lead, field by field, with the one that the header asks for.
pub(super) fn verify(expected: &[u8; SIZE], found: &[u8; SIZE]) -> Vec<Problem> {
    let fields = [
        ("magic", 0..4),
        ("version", 4..6),
        ("type", 6..8),
        ("architecture", 8..10),
        ("name", 10..76),
        ("operating system", 76..78),
        ("signature type", 78..80),
        ("reserved bytes", 80..96),
    ];
    let differing = fields.into_iter().filter(|(_, at)| expected[at.clone()] != found[at.clone()]);
    let problem = |(field, at): (&str, std::ops::Range<usize>)| {
        let (expected, found) = (hex(&expected[at.clone()]), hex(&found[at]));
        Problem::new("rpm-lead", format!("{field} of the lead"), expected, found)
    };
    differing.map(problem).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_the_bytes_of_the_specification() {
        let lead = write("hello-1.0-1", 3, 1, 1);
        let mut expected = hex(&MAGIC) + "0300" + "0000" + "0001";
        expected += &hex(b"hello-1.0-1");
        expected += &"00".repeat(66 - 11);
        expected += "00010005";
        expected += &"00".repeat(16);
        assert_eq!(hex(&lead), expected);
    }

    #[test]
    fn a_long_name_is_cut_before_its_nul_byte() {
        let lead = write(&"x".repeat(200), 3, 255, 1);
        assert_eq!(lead[10..75], [b'x'; 65]);
        assert_eq!(lead[75], 0);
    }

    #[test]
    fn every_field_is_compared() {
        let good = write("hello-1.0-1", 3, 1, 1);
        for at in 0..SIZE {
            let mut bad = good;
            bad[at] ^= 1;
            assert_eq!(verify(&good, &bad).len(), 1, "byte {at}");
        }
        assert_eq!(verify(&good, &good), []);
    }

    #[test]
    fn rejects_what_is_not_a_binary_package() {
        let good = write("hello-1.0-1", 3, 1, 1).to_vec();
        assert!(read(&good).is_ok());
        assert!(read(&good[..95].to_vec()).is_err());
        let mut source = good.clone();
        source[7] = 1;
        assert!(read(&source).is_err());
    }
}
