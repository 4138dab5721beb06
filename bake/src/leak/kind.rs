//! What a stream is, by its first bytes.

use bake_formats::encode::{Codec, sniff};

/// What is done with a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Ar,
    Cpio,
    Executable,
    Packed(Codec),
    Rpm,
    Tar,
    Zip,
    /// Something of which only the plain bytes can be searched, and what it is.
    Closed(&'static str),
    Plain,
}

/// What is said of disks that are not where a disk is expected.
pub(super) const DISK: &str = "a disk inside of something else";

/// What compressed and encrypted things begin with that are not opened.
const CLOSED: [(&[u8], &str); 15] = [
    (b"BZh", "bzip2"),
    (&[0x04, 0x22, 0x4d, 0x18], "lz4"),
    (&[0x02, 0x21, 0x4c, 0x18], "lz4"),
    (b"\x89LZO\0\r\n\x1a\n", "lzop"),
    (b"LZIP", "lzip"),
    (b"\x1f\x9d", "compress"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"MSCF\0\0\0\0", "a cabinet"),
    (b"hsqs", "SquashFS"),
    (b"QFI\xfb", DISK),
    (b"KDMV", DISK),
    (b"<<< Oracle VM VirtualBox Disk Image", "a VDI disk"),
    (b"Salted__", "encrypted by openssl"),
    (b"070707", "cpio in the old form"),
];

impl Kind {
    /// Tells what begins with some bytes; 512 are enough.
    pub(super) fn of(start: &[u8]) -> Self {
        if start.starts_with(b"!<arch>\n") {
            return Self::Ar;
        }
        if start.starts_with(b"070701") || start.starts_with(b"070702") {
            return Self::Cpio;
        }
        if start.starts_with(&[0xed, 0xab, 0xee, 0xdb]) {
            return Self::Rpm;
        }
        if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
            return Self::Zip;
        }
        // Programs that are archives behind a few lines: Python's, and jars that start themselves;
        // Java's modules.
        if start.starts_with(b"#!") || start.starts_with(b"JM\x01\0PK\x03\x04") {
            return Self::Executable;
        }
        let codec = sniff(start);
        let is_gzip = codec != Codec::Gzip || start.get(2) == Some(&8);
        if codec != Codec::None && is_gzip {
            return Self::Packed(codec);
        }
        if start.len() >= 512 && start[257..262] == *b"ustar" || super::archives::tar::is_old(start)
        {
            return Self::Tar;
        }
        let closed = CLOSED.iter().find(|(magic, _)| start.starts_with(magic));
        let is_bzip2 = |start: &[u8]| start.get(4..10) == Some(b"1AY&SY");
        match closed {
            Some((b"BZh", _)) if !is_bzip2(start) => Self::Plain,
            Some((_, name)) => Self::Closed(name),
            None => Self::Plain,
        }
    }
}
