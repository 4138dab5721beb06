//! The headers: which state of the file is the current one.

use super::{Identity, KIB, MIB, crc32c, guid_at, u16_at, u32_at, u64_at};
use crate::format::ReadError;
use crate::input::ReadAt;
use crate::vm::Guid;

/// The first bytes of a file.
pub(super) const FILE_TYPE: [u8; 8] = *b"vhdxfile";
const SIGNATURE: [u8; 4] = *b"head";
/// The length of a header in bytes.
pub(super) const LEN: usize = 4096;
/// Where the two headers are.
pub(super) const PLACES: [u64; 2] = [64 * KIB, 128 * KIB];
/// Where the checksum stands.
pub(super) const CHECKSUM: usize = 4;
/// The GUID of a log without entries.
const NO_LOG: Guid = Guid([0; 16]);

/// What a header says that matters to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) sequence: u64,
    /// The log's identity; one without entries has none.
    log: Guid,
    log_version: u16,
    version: u16,
    pub(super) log_len: u32,
    pub(super) log_offset: u64,
}

impl Header {
    /// Returns a header's bytes.
    pub(super) fn encode(sequence: u64, identity: &Identity) -> [u8; LEN] {
        let mut bytes = Vec::with_capacity(LEN);
        bytes.extend(SIGNATURE);
        bytes.extend([0; 4]);
        bytes.extend(sequence.to_le_bytes());
        bytes.extend(identity.file_write.to_stored());
        bytes.extend(identity.data_write.to_stored());
        bytes.extend(NO_LOG.to_stored());
        bytes.extend(0_u16.to_le_bytes()); // version of the log
        bytes.extend(1_u16.to_le_bytes()); // version of the format
        bytes.extend((1_u32 << 20).to_le_bytes());
        bytes.extend(MIB.to_le_bytes());
        let mut header = [0; LEN];
        header[..bytes.len()].copy_from_slice(&bytes);
        let sum = crc32c::without(&header, CHECKSUM);
        header[CHECKSUM..CHECKSUM + 4].copy_from_slice(&sum.to_le_bytes());
        header
    }

    /// Parses one header; `None` if it is not whole, which a reader must expect of one of the two.
    pub(super) fn parse(file: &dyn ReadAt, at: u64) -> Result<Option<Self>, ReadError> {
        let mut bytes = [0; LEN];
        file.read_exact_at(at, &mut bytes)?;
        let sum = crc32c::without(&bytes, CHECKSUM);
        if bytes[..4] != SIGNATURE || u32_at(&bytes, CHECKSUM) != sum {
            return Ok(None);
        }
        Ok(Some(Self {
            sequence: u64_at(&bytes, 8),
            log: guid_at(&bytes, 48),
            log_version: u16_at(&bytes, 64),
            version: u16_at(&bytes, 66),
            log_len: u32_at(&bytes, 68),
            log_offset: u64_at(&bytes, 72),
        }))
    }

    /// Finds the current header and refuses a file that cannot be read as it is.
    pub(super) fn current(file: &dyn ReadAt) -> Result<Self, ReadError> {
        let mut magic = [0; 8];
        file.read_exact_at(0, &mut magic)?;
        if magic != FILE_TYPE {
            let found = magic.escape_ascii().to_string();
            return Err(ReadError::malformed("VHDX file type identifier", 0, "vhdxfile", found));
        }
        let mut current: Option<(u64, Self)> = None;
        for at in PLACES {
            if let Some(header) = Self::parse(file, at)?
                && current.is_none_or(|(_, other)| header.sequence > other.sequence)
            {
                current = Some((at, header));
            }
        }
        let Some((at, header)) = current else {
            let expected = "a header with its checksum, there or at 131072";
            return Err(ReadError::malformed("VHDX header", PLACES[0], expected, "none"));
        };
        let malformed = |field: u64, expected: &str, found: String| {
            Err(ReadError::malformed("VHDX header", at + field, expected, found))
        };
        if header.version != 1 {
            return malformed(66, "version 1", header.version.to_string());
        }
        if header.log_version != 0 {
            return malformed(64, "version 0 of the log", header.log_version.to_string());
        }
        if header.log != NO_LOG {
            let expected = "an empty log, as an image has that was closed";
            return malformed(48, expected, format!("the log {}", header.log));
        }
        Ok(header)
    }
}
