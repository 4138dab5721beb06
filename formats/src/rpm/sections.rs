//! The four parts of a package file.

use std::io::Read as _;
use std::sync::Arc;

use super::header::{Header, Region};
use super::lead;
use crate::format::ReadError;
use crate::input::{ReadAt, Section, Source};

/// The signature header is padded to a multiple of this.
pub(super) const ALIGNMENT: usize = 8;

/// The parts of a package, its payload not yet read.
pub(super) struct Sections {
    pub(super) lead: [u8; lead::SIZE],
    pub(super) signature: Header,
    pub(super) signature_bytes: Vec<u8>,
    pub(super) header: Header,
    pub(super) header_bytes: Vec<u8>,
    file: Arc<dyn ReadAt>,
    payload: u64,
}

impl Sections {
    /// Reads everything before the payload.
    pub(super) fn read(source: &Source) -> Result<Self, ReadError> {
        let file = source.file()?.clone();
        let lead = lead::read(&*file)?;
        let start = lead::SIZE as u64;
        let (signature, signature_bytes) = Header::read(&*file, start, Region::Signature)?;
        let end = start + signature_bytes.len() as u64;
        let header_start = skip_padding(&*file, end)?;
        let (header, header_bytes) = Header::read(&*file, header_start, Region::Immutable)?;
        let payload = header_start + header_bytes.len() as u64;
        Ok(Self { lead, signature, signature_bytes, header, header_bytes, file, payload })
    }

    /// Opens the payload, which is all that follows.
    pub(super) fn payload(&self) -> Section {
        let len = self.file.len().saturating_sub(self.payload);
        Section::new(Arc::clone(&self.file), self.payload, len)
    }

    /// Returns the first bytes of the payload, by which its compression is known.
    pub(super) fn payload_start(&self) -> Result<Vec<u8>, ReadError> {
        let mut start = Vec::new();
        self.payload().take(8).read_to_end(&mut start)?;
        Ok(start)
    }
}

/// Checks the zeros after the signature header and returns where the next header starts.
pub(super) fn skip_padding(file: &dyn ReadAt, end: u64) -> Result<u64, ReadError> {
    let next = end.next_multiple_of(ALIGNMENT as u64);
    let mut padding = vec![0; usize::try_from(next - end).unwrap_or_default()];
    if next <= file.len() {
        file.read_exact_at(end, &mut padding)?;
    }
    if padding.iter().all(|byte| *byte == 0) {
        return Ok(next);
    }
    let what = "padding of the signature header";
    Err(ReadError::malformed(what, end, "zeros", crate::digest::hex(&padding)))
}
