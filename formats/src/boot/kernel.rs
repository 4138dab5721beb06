//! Linux kernels as loaders find them: what a kernel file says of itself, and the kernel in it.
//!
//! A kernel for x86 is a bzImage. All of it is found from the setup header:
//!
//! ```text
//! 0        0x1f1            0x200                    (setup_sects + 1) × 512
//! ├ "MZ" ──┼ setup header ──┼ "HdrS", version ┄ code ┼ protected-mode code ┄ payload ┄ ┤
//! ```
//!
//! The payload is a compressed ELF file (Linux, `Documentation/arch/x86/boot.rst`, "The Real-Mode
//! Kernel Header"). A kernel for 64-bit Arm is an Image, `ARM\x64` at offset 56, which says how many
//! bytes it takes in memory (`Documentation/arch/arm64/booting.rst`); it may be a gzip file, or the
//! payload of an EFI program, `zimg` at offset 4 (`drivers/firmware/efi/libstub/zboot-header.S`).
//! Whatever can be started by UEFI has a PE header too, which says how many bytes the kernel takes
//! in memory.

use std::io::{BufReader, Read};
use std::ops::Range;

use super::architecture::Architecture;
use super::fields::{half, word};
use super::lz4;
use super::part::Part;
use super::pe;
use crate::blob::{BlobSource, BlobStore};
use crate::encode::{Codec, member_decoder, sniff};
use crate::format::ReadError;
use crate::input::{Described, ReadAt};
use crate::rope::Rope;
use crate::tree::escape;

/// How many bytes from the start tell what a kernel is.
const HEAD: usize = 1024;
/// The oldest boot protocol that is accepted: 2.06 has the size of the command line, and all kernels
/// since 2.6.22 have it.
const PROTOCOL_MIN: u16 = 0x0206;
/// The boot protocol that says where the payload is.
const PROTOCOL_PAYLOAD: u16 = 0x0208;
/// The boot protocol that says how much memory the kernel needs and whether it has 64 bits.
const PROTOCOL_64: u16 = 0x020c;
/// `XLF_KERNEL_64`
const HAS_64_BIT_ENTRY: u16 = 1;
/// Where the offset of the version text counts from.
const VERSION_BASE: u64 = 0x200;
/// The longest version text that is read.
const VERSION_MAX: usize = 512;
/// The largest kernel that is unpacked.
const UNPACKED_MAX: u64 = 1 << 30;
/// How much of an unpacked kernel becomes one blob.
const CHUNK: u64 = 4 << 20;

/// What a kernel file says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// What it runs on.
    pub architecture: Architecture,
    /// How the file is laid out.
    pub form: Form,
    /// The release, e.g. `6.1.0-18-amd64`, which is also the name of its folder of modules.
    pub release: Option<String>,
    /// What its PE header says, if UEFI can start it.
    pub efi: Option<Efi>,
}

/// How a kernel file is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// x86: setup code and a compressed kernel.
    BzImage(Setup),
    /// 64-bit Arm: the kernel as it lies in memory.
    Image,
    /// 64-bit Arm: such an image as a gzip file, which UEFI cannot start.
    GzipImage,
    /// 64-bit Arm: an EFI program that unpacks what lies at this place in the file.
    Zboot(Range<u64>),
}

/// What the setup header of a bzImage says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// The version of the boot protocol, e.g. `0x020f`.
    pub protocol: u16,
    /// How many bytes the boot sector and the setup code take: a multiple of 512.
    pub setup_len: u64,
    /// How many bytes of protected-mode code follow.
    pub code_len: u64,
    /// The longest command line, in bytes, without the NUL byte at its end.
    pub cmdline_max: u32,
    /// The highest address that the initrd may take.
    pub initrd_max: u32,
    /// How much memory the kernel needs to unpack itself; 0 if it does not say.
    pub init_size: u32,
    /// Where in the file the compressed kernel is, if the header says so.
    pub payload: Option<Range<u64>>,
}

/// What the PE header of a kernel says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Efi {
    /// How many bytes the kernel takes in memory.
    pub size_of_image: u32,
    /// Whether the kernel is signed.
    pub is_signed: bool,
}

impl Kernel {
    /// Reads the headers of a kernel that a rope describes.
    pub fn of_rope(rope: &Rope, blobs: &dyn BlobSource) -> Result<Self, ReadError> {
        Self::read(&Described::new(rope, blobs))
    }

    /// Reads the headers of a kernel.
    pub fn read(input: &dyn ReadAt) -> Result<Self, ReadError> {
        let head = head(input)?;
        if let [0x1f, 0x8b, ..] = head[..] {
            return Self::of_gzip(input);
        }
        if head.get(0x202..0x206) == Some(b"HdrS".as_slice()) {
            return Self::of_bzimage(input, &head);
        }
        if head.get(4..8) == Some(b"zimg".as_slice()) {
            return Self::of_zboot(input, &head);
        }
        if head.get(56..60) == Some(b"ARM\x64".as_slice()) {
            let architecture = Architecture::Aarch64;
            let efi = efi(input, architecture)?;
            return Ok(Self { architecture, form: Form::Image, release: None, efi });
        }
        let expected = "a bzImage (`HdrS` at 514) or an arm64 Image (`ARM\\x64` at 56)";
        Err(malformed(0, expected, format!("`{}`", escape(&head[..head.len().min(8)]))))
    }

    /// A gzip file is a kernel if what is in it starts like one.
    fn of_gzip(input: &dyn ReadAt) -> Result<Self, ReadError> {
        let mut image = Vec::new();
        let compressed = BufReader::new(Part::new(input, 0, input.len()));
        let decoded = member_decoder(Codec::Gzip, compressed)?;
        decoded
            .take(HEAD as u64)
            .read_to_end(&mut image)
            .map_err(|error| malformed(0, "a gzip file", error.to_string()))?;
        if image.get(56..60) != Some(b"ARM\x64".as_slice()) {
            return Err(malformed(0, "a gzip file with an arm64 Image in it", "another one"));
        }
        let (architecture, form) = (Architecture::Aarch64, Form::GzipImage);
        Ok(Self { architecture, form, release: None, efi: None })
    }

    fn of_zboot(input: &dyn ReadAt, head: &[u8]) -> Result<Self, ReadError> {
        let (start, len) = (u64::from(word(head, 8)), u64::from(word(head, 12)));
        let place = within(input, 8, start, len)?;
        let image = pe::Image::read(input)?;
        let Some(architecture) = Architecture::of_pe_machine(image.machine) else {
            let expected = "an EFI program for aarch64";
            return Err(malformed(0, expected, format!("machine {:#x}", image.machine)));
        };
        let efi = efi(input, architecture)?;
        Ok(Self { architecture, form: Form::Zboot(place), release: None, efi })
    }

    fn of_bzimage(input: &dyn ReadAt, head: &[u8]) -> Result<Self, ReadError> {
        let protocol = half(head, 0x206);
        if protocol < PROTOCOL_MIN {
            let expected = "boot protocol 2.06 or later";
            let found = format!("{}.{:02}", protocol >> 8, protocol & 0xff);
            return Err(malformed(0x206, expected, found));
        }
        if protocol < PROTOCOL_64 || half(head, 0x236) & HAS_64_BIT_ENTRY == 0 {
            return Err(malformed(0x236, "a 64-bit kernel", "one without a 64-bit entry"));
        }
        // 0 stands for 4, as it did before the field was there.
        let sectors = if head[0x1f1] == 0 { 4 } else { head[0x1f1] };
        let setup_len = (u64::from(sectors) + 1) * 512;
        let code_len = u64::from(word(head, 0x1f4)) * 16;
        let payload = match (word(head, 0x248), word(head, 0x24c)) {
            (_, 0) => None,
            _ if protocol < PROTOCOL_PAYLOAD => None,
            (at, len) => Some(within(input, 0x248, setup_len + u64::from(at), len.into())?),
        };
        let setup = Setup {
            protocol,
            setup_len,
            code_len,
            cmdline_max: word(head, 0x238),
            initrd_max: word(head, 0x22c),
            init_size: word(head, 0x260),
            payload,
        };
        let architecture = Architecture::X86_64;
        let release = release(input, half(head, 0x20e), setup_len)?;
        let efi = efi(input, architecture)?;
        Ok(Self { architecture, form: Form::BzImage(setup), release, efi })
    }

    /// Returns the longest command line, in bytes, if the kernel says so.
    pub fn cmdline_max(&self) -> Option<u64> {
        match &self.form {
            Form::BzImage(setup) if setup.cmdline_max > 0 => Some(setup.cmdline_max.into()),
            Form::BzImage(_) | Form::Image | Form::GzipImage | Form::Zboot(_) => None,
        }
    }

    /// Returns the kernel as loaders want it that unpack nothing: the ELF file in a bzImage, the
    /// Image of 64-bit Arm. What was compressed is kept in `blobs`, piece by piece.
    pub fn unpack(&self, rope: &Rope, blobs: &dyn BlobStore) -> Result<Rope, ReadError> {
        let place = match &self.form {
            Form::Image => return Ok(rope.clone()),
            Form::GzipImage => 0..rope.len(),
            Form::Zboot(place) => place.clone(),
            Form::BzImage(setup) => match &setup.payload {
                Some(place) => place.clone(),
                None => return Err(malformed(0x248, "the place of the payload", "none")),
            },
        };
        let unpacked = decompress(&rope.slice(place.clone()), place.start, blobs)?;
        let (expected, magic, at) = match &self.form {
            Form::BzImage(_) => ("an ELF file", &b"\x7fELF"[..], 0),
            Form::Image | Form::GzipImage | Form::Zboot(_) => {
                ("an arm64 Image", &b"ARM\x64"[..], 56)
            }
        };
        let start = unpacked.slice(at..at + 4).to_vec(blobs)?;
        if start != magic {
            let found = format!("`{}`", escape(&start));
            return Err(malformed(place.start, format!("{expected}, compressed"), found));
        }
        Ok(unpacked)
    }
}

/// Decompresses a rope into blobs of a bounded size.
fn decompress(payload: &Rope, at: u64, blobs: &dyn BlobStore) -> Result<Rope, ReadError> {
    let magic = payload.slice(0..6).to_vec(blobs)?;
    let input = BufReader::new(payload.reader(blobs));
    let (word, mut decoder): (_, Box<dyn Read + '_>) = match sniff(&magic) {
        Codec::None if magic.starts_with(&lz4::MAGIC) => {
            ("lz4", Box::new(lz4::Decoder::new(input)))
        }
        Codec::None => {
            let expected = "a kernel compressed with gzip, zstd, xz or lz4";
            return Err(malformed(at, expected, compression_of(&magic)));
        }
        codec => (codec.word(), member_decoder(codec, input)?),
    };
    let mut unpacked = Rope::new();
    loop {
        let mut chunk = Vec::new();
        let taken =
            decoder.by_ref().take(CHUNK).read_to_end(&mut chunk).map_err(|error| {
                malformed(at, format!("a valid {word} stream"), error.to_string())
            })?;
        if taken == 0 {
            return Ok(unpacked);
        }
        if unpacked.len() + chunk.len() as u64 > UNPACKED_MAX {
            let expected = format!("a kernel of at most {UNPACKED_MAX} bytes");
            return Err(malformed(at, expected, "more"));
        }
        unpacked.push_blob(blobs.put(&chunk)?);
    }
}

/// Names what a payload starts with, for people.
fn compression_of(magic: &[u8]) -> String {
    match magic {
        [0x04, 0x22, 0x4d, 0x18, ..] => "a current lz4 frame".into(),
        [0x5d, 0, 0, ..] => "lzma".into(),
        [b'B', b'Z', b'h', ..] => "bzip2".into(),
        [0x89, b'L', b'Z', b'O', ..] => "lzo".into(),
        other => format!("`{}`", escape(other)),
    }
}

/// Returns what the PE header says, if there is one.
fn efi(input: &dyn ReadAt, architecture: Architecture) -> Result<Option<Efi>, ReadError> {
    if !pe::Image::is_at_start_of(input) {
        return Ok(None);
    }
    let image = pe::Image::read(input)?;
    if image.machine != architecture.pe_machine() {
        let expected = format!("a PE header for {architecture}");
        return Err(malformed(0, expected, format!("machine {:#x}", image.machine)));
    }
    let is_signed = image.signatures.1 > 0;
    Ok(Some(Efi { size_of_image: image.size_of_image, is_signed }))
}

/// Returns the first word of the version text of a bzImage.
fn release(input: &dyn ReadAt, at: u16, setup_len: u64) -> Result<Option<String>, ReadError> {
    if at == 0 {
        return Ok(None);
    }
    let at = VERSION_BASE + u64::from(at);
    let end = setup_len.min(input.len());
    if at >= end {
        let expected = format!("a version text within the first {end} bytes");
        return Err(malformed(0x20e, expected, at.to_string()));
    }
    let len = usize::try_from(end - at).unwrap_or(VERSION_MAX).min(VERSION_MAX);
    let mut bytes = vec![0; len];
    input.read_exact_at(at, &mut bytes)?;
    let release = bytes.split(|byte| *byte == b' ' || *byte == 0).next().unwrap_or_default();
    if release.is_empty() || !release.iter().all(u8::is_ascii_graphic) {
        let expected = "a version text that starts with a release";
        return Err(malformed(at, expected, format!("`{}`", escape(release))));
    }
    Ok(Some(String::from_utf8_lossy(release).into_owned()))
}

/// Returns a place in the file, or says that the field at `field` points outside.
fn within(input: &dyn ReadAt, field: u64, start: u64, len: u64) -> Result<Range<u64>, ReadError> {
    if start + len > input.len() {
        let expected = format!("a place within {} bytes", input.len());
        return Err(malformed(field, expected, format!("{len} bytes at {start}")));
    }
    Ok(start..start + len)
}

fn head(input: &dyn ReadAt) -> Result<Vec<u8>, ReadError> {
    let mut head = vec![0; usize::try_from(input.len()).unwrap_or(HEAD).min(HEAD)];
    input.read_exact_at(0, &mut head)?;
    Ok(head)
}

fn malformed(at: u64, expected: impl Into<String>, found: impl Into<String>) -> ReadError {
    ReadError::malformed("kernel", at, expected, found)
}
