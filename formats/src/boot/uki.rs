//! Unified kernel images: one EFI program that holds kernel, initrd and command line.
//!
//! The program is the stub of systemd-boot, which finds the rest as sections of itself:
//!
//! ```text
//! ├ headers of the stub ─ more section headers ┄┼ sections of the stub ┄┤
//! ├ .osrel ┄┼ .cmdline ┄┼ .uname ┄┼ .initrd ┄┼ .linux ┄┤
//! ```
//!
//! (UAPI group, "Unified Kernel Image".) Each section starts at a multiple of 512 bytes of the file,
//! or of the stub's own alignment if that is more, so that a loader that reads sectors can use them
//! where they lie. In memory the kernel has as much room as its own header asks for, because it is
//! unpacked in place, and it is last, so that nothing is behind it. The checksum is 0: no firmware
//! looks at it.

use std::ops::Range;

use super::architecture::Architecture;
use super::fields::{set_half, set_word, word};
use super::kernel::Kernel;
use super::part::Part;
use super::pe::{Image, SECTION_LEN, Section, coff, optional};
use crate::format::{ReadError, WriteError};
use crate::rope::Rope;

/// Raised whenever equal input would give different bytes; part of every key.
pub const REVISION: u32 = 1;

const FORMAT: &str = "uki";
/// PE format, "Windows Subsystem": an EFI application.
const EFI_APPLICATION: u16 = 10;
/// PE format, "Section Flags": initialised data, readable.
const DATA: u32 = 0x4000_0040;
/// PE format, "Section Flags": code, readable.
const CODE: u32 = 0x4000_0020;
/// The size of a sector.
const SECTOR: u32 = 512;
/// The size of a page, which sections do not share.
const PAGE: u32 = 4096;
/// The largest stub; that of systemd has 100 KiB.
const STUB_MAX: u64 = 16 << 20;

/// The program that starts the kernel, without anything added.
#[derive(Debug, Clone)]
pub struct Stub {
    architecture: Architecture,
    image: Image,
    /// The file without its symbols.
    bytes: Vec<u8>,
}

/// What goes into an image.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// The text of the system's `os-release`.
    pub os_release: Option<&'a str>,
    /// The kernel's command line.
    pub cmdline: &'a str,
    /// The initrd.
    pub initrd: Option<&'a Rope>,
    /// The kernel.
    pub linux: &'a Rope,
    /// What the kernel says of itself.
    pub kernel: &'a Kernel,
}

/// An image and where in it everything is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uki {
    /// The bytes of the image.
    pub rope: Rope,
    /// The sections that were added, in the order of the file.
    pub sections: Vec<Place>,
}

/// Where a section is in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The name, e.g. `.linux`.
    pub name: String,
    /// The bytes, without padding.
    pub range: Range<u64>,
}

impl Stub {
    /// Parses a stub, which must be a plain EFI program with nothing added yet.
    pub fn parse(mut bytes: Vec<u8>) -> Result<Self, ReadError> {
        let fail = |reason: &str| Err(ReadError::invalid("EFI stub", reason));
        if bytes.len() as u64 > STUB_MAX {
            return fail(&format!("expected at most {STUB_MAX} bytes, found {}", bytes.len()));
        }
        let image = Image::read(&bytes)?;
        let Some(architecture) = Architecture::of_pe_machine(image.machine) else {
            return fail(&format!("machine {:#x} is neither x86_64 nor aarch64", image.machine));
        };
        if image.subsystem != EFI_APPLICATION {
            return fail(&format!("expected an EFI application, found {}", image.subsystem));
        }
        if image.signatures.1 > 0 {
            return fail("it is signed, and a signature does not survive what is added");
        }
        if let Some(section) = image.sections.iter().find(|section| is_ours(&section.name)) {
            return fail(&format!("it has a section {} already", section.name));
        }
        let (symbols, count) = image.symbols;
        if count > 0 {
            if u64::from(symbols) < image.end() {
                return fail("its symbols do not come after its sections");
            }
            bytes.truncate(symbols as usize);
        }
        Ok(Self { architecture, image, bytes })
    }

    /// Returns what the stub runs on.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// Returns how many section headers there is room for.
    fn room(&self) -> usize {
        let Image { section_table, sections, .. } = &self.image;
        let used = section_table + sections.len() * SECTION_LEN;
        let raw = sections.iter().filter(|section| section.raw_size > 0);
        let first = raw.map(|section| section.offset).min().unwrap_or(0) as usize;
        let free = self.bytes.get(used..first).unwrap_or_default();
        let zeros = free.iter().position(|byte| *byte != 0).unwrap_or(free.len());
        zeros / SECTION_LEN
    }
}

impl Uki {
    /// Describes an image.
    pub fn new(stub: &Stub, parts: &Parts<'_>) -> Result<Self, WriteError> {
        let sections = sections(stub, parts)?;
        let room = stub.room();
        if sections.len() > room {
            let wanted = sections.len();
            let reason =
                format!("it has room for {room} more section headers, expected room for {wanted}");
            return Err(field("stub", reason));
        }
        let mut writer = Writer::new(stub);
        for section in sections {
            writer.push(section)?;
        }
        Ok(writer.finish(stub))
    }

    /// Returns the place of a section that was added.
    pub fn section(&self, name: &str) -> Option<&Range<u64>> {
        place(&self.sections, name)
    }
}

/// Finds what was added to a stub, in the order of the section headers.
pub fn read(input: &dyn crate::input::ReadAt) -> Result<Vec<Place>, ReadError> {
    let image = Image::read(input)?;
    let mut sections = Vec::new();
    let ours = image.sections.iter().filter(|section| is_ours(&section.name));
    // What has no bytes in the file may say that they are anywhere.
    for section in ours.filter(|section| !section.is_empty()) {
        let start = u64::from(section.offset);
        let mut len = u64::from(section.len());
        if section.name == ".linux" {
            // The section has room for more than the file; the kernel says where it ends.
            len = len.min(Image::read(&Part::new(input, start, len))?.end());
        }
        sections.push(Place { name: section.name.clone(), range: start..start + len });
    }
    if place(&sections, ".linux").is_none() {
        return Err(ReadError::invalid("unified kernel image", "it has no section .linux"));
    }
    Ok(sections)
}

/// Returns the place of a section.
pub fn place<'a>(sections: &'a [Place], name: &str) -> Option<&'a Range<u64>> {
    sections.iter().find(|section| section.name == name).map(|section| &section.range)
}

/// The sections that a stub looks for.
fn is_ours(name: &str) -> bool {
    [
        ".osrel", ".cmdline", ".dtb", ".uname", ".splash", ".pcrsig", ".pcrpkey", ".initrd",
        ".ucode", ".linux",
    ]
    .contains(&name)
}

/// A section to be added.
struct Added {
    name: &'static str,
    bytes: Rope,
    /// How many bytes it takes in memory.
    virtual_size: u64,
    characteristics: u32,
}

/// Returns what is to be added, in order; what is empty is left out.
fn sections(stub: &Stub, parts: &Parts<'_>) -> Result<Vec<Added>, WriteError> {
    let Parts { os_release, cmdline, initrd, linux, kernel } = *parts;
    if kernel.architecture != stub.architecture {
        let reason =
            format!("it is for {}, the kernel for {}", stub.architecture, kernel.architecture);
        return Err(field("stub", reason));
    }
    let Some(efi) = kernel.efi else {
        return Err(field("linux", "the kernel has no EFI stub, expected one that UEFI can start"));
    };
    if !cmdline.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Err(field("cmdline", "expected printable ASCII in one line"));
    }
    if let Some(limit) = kernel.cmdline_max()
        && cmdline.len() as u64 > limit
    {
        let what = "the kernel's command line, in bytes,".to_owned();
        return Err(WriteError::Limit { format: FORMAT, what, limit, found: cmdline.len() as u64 });
    }
    let uname = kernel.release.clone().unwrap_or_default();
    let data = |name, bytes: Rope| {
        let virtual_size = bytes.len();
        Added { name, bytes, virtual_size, characteristics: DATA }
    };
    let mut added = vec![
        data(".osrel", Rope::from(os_release.unwrap_or_default().as_bytes().to_vec())),
        data(".cmdline", Rope::from(cmdline.as_bytes().to_vec())),
        data(".uname", Rope::from(uname.into_bytes())),
        data(".initrd", initrd.cloned().unwrap_or_default()),
    ];
    added.retain(|section| !section.bytes.is_empty());
    let virtual_size = linux.len().max(efi.size_of_image.into());
    added.push(Added { name: ".linux", bytes: linux.clone(), virtual_size, characteristics: CODE });
    Ok(added)
}

/// An image while it grows.
struct Writer {
    /// The stub's headers and sections, to be patched at the end.
    head: Vec<u8>,
    /// Everything behind them.
    tail: Rope,
    /// The new section headers.
    headers: Vec<u8>,
    sections: Vec<Place>,
    /// The alignments in the file and in memory.
    alignments: (u32, u32),
    /// Where the next section may start in memory.
    next_address: u64,
    /// How many bytes of initialised data were added.
    data: u32,
}

impl Writer {
    fn new(stub: &Stub) -> Self {
        let Stub { image, bytes, .. } = stub;
        let alignments = (image.file_alignment.max(SECTOR), image.section_alignment.max(PAGE));
        let end = |section: &Section| {
            let size = section.virtual_size.max(section.raw_size);
            u64::from(section.virtual_address) + u64::from(size)
        };
        let next_address = image.sections.iter().map(end).max().unwrap_or(0);
        let mut head = bytes.clone();
        head.resize(head.len().next_multiple_of(alignments.0 as usize), 0);
        let (tail, headers, sections) = (Rope::new(), Vec::new(), Vec::new());
        Self { head, tail, headers, sections, alignments, next_address, data: 0 }
    }

    fn push(&mut self, section: Added) -> Result<(), WriteError> {
        let Added { name, bytes, virtual_size, characteristics } = section;
        let (in_file, in_memory) = self.alignments;
        let offset = self.head.len() as u64 + self.tail.len();
        let raw_size = bytes.len().next_multiple_of(in_file.into());
        let address = self.next_address.next_multiple_of(in_memory.into());
        self.next_address = address + virtual_size;
        let size = fits(self.next_address.max(offset + raw_size), name)?;
        // All of them are less than the two sums.
        let fields = [virtual_size, address, raw_size, offset];
        let mut header = [0; SECTION_LEN];
        header[..name.len()].copy_from_slice(name.as_bytes());
        for (number, field) in fields.into_iter().enumerate() {
            set_word(&mut header, 8 + number * 4, fits(field, name)?);
        }
        set_word(&mut header, 36, characteristics);
        self.headers.extend(header);
        self.data = self.data.saturating_add(fits(raw_size, name)?).min(size);
        let range = offset..offset + bytes.len();
        self.sections.push(Place { name: name.to_owned(), range });
        self.tail.push_rope(&bytes);
        self.tail.align(in_file.into());
        Ok(())
    }

    /// Patches the headers of the stub.
    fn finish(mut self, stub: &Stub) -> Uki {
        let image = &stub.image;
        let head = &mut self.head;
        let table_end = image.section_table + image.sections.len() * SECTION_LEN;
        let headers_end = table_end + self.headers.len();
        head[table_end..headers_end].copy_from_slice(&self.headers);
        let coff_at = image.header;
        let sections = image.sections.len() + self.sections.len();
        set_half(head, coff_at + coff::SECTIONS, u16::try_from(sections).unwrap_or(u16::MAX));
        set_word(head, coff_at + coff::SYMBOLS_AT, 0);
        set_word(head, coff_at + coff::SYMBOLS, 0);
        let optional_at = coff_at + super::pe::COFF_LEN;
        let data = word(head, optional_at + optional::DATA_SIZE).saturating_add(self.data);
        set_word(head, optional_at + optional::DATA_SIZE, data);
        let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let size = self.next_address.next_multiple_of(self.alignments.1.into());
        set_word(head, optional_at + optional::IMAGE_SIZE, number(size));
        let headers = (headers_end as u64).next_multiple_of(image.file_alignment.into());
        let headers = headers.max(image.size_of_headers.into());
        set_word(head, optional_at + optional::HEADERS_SIZE, number(headers));
        set_word(head, optional_at + optional::CHECKSUM, 0);
        let mut rope = Rope::from(self.head);
        rope.push_rope(&self.tail);
        Uki { rope, sections: self.sections }
    }
}

/// Makes sure that an image stays below 4 GiB, less a page to round up to.
fn fits(number: u64, section: &str) -> Result<u32, WriteError> {
    let limit = u64::from(u32::MAX - PAGE);
    match u32::try_from(number) {
        Ok(fitting) if number <= limit => Ok(fitting),
        _ => {
            let what = format!("the image up to the end of its section {section}, in bytes,");
            Err(WriteError::Limit { format: FORMAT, what, limit, found: number })
        }
    }
}

fn field(field: &str, reason: impl Into<String>) -> WriteError {
    WriteError::Field { format: FORMAT, field: field.into(), reason: reason.into() }
}
