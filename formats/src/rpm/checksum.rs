//! How the digests of files were computed.
//!
//! bake writes SHA-256; packages of other tools may have others, old ones MD5 without saying so.
//! The numbers are OpenPGP's (RFC 9580, 9.5).

use std::io::{self, Read};

use sha2::digest::DynDigest;

use super::header::Header;
use super::tags;
use crate::format::ReadError;

/// One way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Checksum {
    Md5,
    Sha1,
    #[default]
    Sha256,
    Sha384,
    Sha512,
}

impl Checksum {
    const ALL: [Self; 5] = [Self::Md5, Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    /// Returns `PGPHASHALGO`.
    pub(super) const fn number(self) -> u32 {
        match self {
            Self::Md5 => 1,
            Self::Sha1 => 2,
            Self::Sha256 => 8,
            Self::Sha384 => 9,
            Self::Sha512 => 10,
        }
    }

    /// Returns what `FILEDIGESTALGO` says.
    pub(super) fn of(header: &Header) -> Result<Self, ReadError> {
        let Some(number) = header.int32s(tags::FILEDIGESTALGO)?.first() else {
            return Ok(Self::Md5);
        };
        let known = Self::ALL.into_iter().find(|known| known.number() == *number);
        known.ok_or_else(|| {
            let numbers: Vec<String> =
                Self::ALL.iter().map(|known| known.number().to_string()).collect();
            let reason = format!("expected one of {}, found {number}", numbers.join(", "));
            header.invalid(tags::FILEDIGESTALGO, reason)
        })
    }

    fn hasher(self) -> Box<dyn DynDigest> {
        match self {
            Self::Md5 => Box::new(md5::Md5::default()),
            Self::Sha1 => Box::new(sha1::Sha1::default()),
            Self::Sha256 => Box::new(sha2::Sha256::default()),
            Self::Sha384 => Box::new(sha2::Sha384::default()),
            Self::Sha512 => Box::new(sha2::Sha512::default()),
        }
    }

    /// Starts to compute what passes through a reader.
    pub(super) fn over<R: Read>(self, input: R) -> Summing<R> {
        Summing { input, hasher: self.hasher() }
    }
}

/// Computes a checksum of what passes.
pub(super) struct Summing<R> {
    input: R,
    hasher: Box<dyn DynDigest>,
}

impl<R> Summing<R> {
    /// Returns the hex digits.
    pub(super) fn finish(self) -> String {
        crate::digest::hex(&self.hasher.finalize())
    }
}

impl<R: Read> Read for Summing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}
