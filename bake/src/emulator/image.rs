//! Files that hold disks.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bake_formats::input::ReadAt;
use bake_formats::vm::gpt::{self, Table};
use bake_formats::vm::qcow2::Qcow2Reader;

use super::unusable;
use crate::error::Error;
use crate::source;

/// How many files an overlay may stand on.
const CHAIN: usize = 16;
/// The longest name of a backing file (QEMU's `docs/interop/qcow2.txt`).
const NAME: u32 = 1023;
/// Feature bit of a qcow2 whose contents are in another file.
const ELSEWHERE: u64 = 4;
/// Where a fixed VHD has its footer: at the end.
const FOOTER: u64 = 512;

/// What a disk is packed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// The disk's own bytes.
    Raw,
    /// QEMU's format, also of overlays.
    Qcow2,
    /// VMware's format.
    Vmdk,
    /// Virtual PC's format.
    Vhd,
    /// Hyper-V's format.
    Vhdx,
}

impl Container {
    /// Tells by its bytes what a file is; what is nothing else is a raw disk.
    pub fn detect(file: &dyn ReadAt) -> io::Result<Self> {
        let has = |offset: u64, magic: &[u8; 8]| {
            let mut found = [0; 8];
            if file.len() < offset.saturating_add(8) {
                return Ok::<_, io::Error>(false);
            }
            file.read_exact_at(offset, &mut found)?;
            // Shorter magic numbers end with zeros here.
            let len = magic.iter().position(|byte| *byte == 0).unwrap_or(magic.len());
            Ok(found[..len] == magic[..len])
        };
        Ok(if has(0, b"QFI\xfb\0\0\0\0")? {
            Self::Qcow2
        } else if has(0, b"KDMV\0\0\0\0")? {
            Self::Vmdk
        } else if has(0, b"vhdxfile")? {
            Self::Vhdx
        } else if has(0, b"conectix")? || has(file.len().saturating_sub(FOOTER), b"conectix")? {
            Self::Vhd
        } else {
            Self::Raw
        })
    }

    /// Returns what QEMU calls it.
    pub fn driver(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
            Self::Vmdk => "vmdk",
            Self::Vhd => "vpc",
            Self::Vhdx => "vhdx",
        }
    }
}

/// A file that holds a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Where it is, from the root.
    pub path: PathBuf,
    /// What it is packed in.
    pub container: Container,
    /// What it is an overlay of.
    pub base: Option<Box<Image>>,
}

impl Image {
    /// Opens a disk, and everything that it is an overlay of.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::open_in_chain(path, CHAIN)
    }

    fn open_in_chain(path: &Path, left: usize) -> Result<Self, Error> {
        let path = fs_err::canonicalize(path)?;
        let file = source::open_file(&path)?;
        let container = Container::detect(&*file)?;
        let base = match container {
            Container::Qcow2 => backing_name(&path, &*file)?,
            Container::Raw | Container::Vmdk | Container::Vhd | Container::Vhdx => None,
        };
        let base = match base {
            Some(_) if left == 0 => {
                let message = format!("`{}` stands on more than {CHAIN} files", path.display());
                return Err(unusable(message, None));
            }
            Some(name) => {
                let base = path.parent().unwrap_or(Path::new("/")).join(name);
                Some(Box::new(Self::open_in_chain(&base, left - 1)?))
            }
            None => None,
        };
        Ok(Self { path, container, base })
    }

    /// Returns the disk's bytes, of an overlay those of what it stands on; nothing if bake cannot read
    /// what they are packed in.
    pub fn disk(&self) -> Result<Option<Arc<dyn ReadAt>>, Error> {
        if let Some(base) = &self.base {
            return base.disk();
        }
        let file = source::open_file(&self.path)?;
        Ok(match self.container {
            Container::Raw => Some(file),
            Container::Qcow2 => {
                Qcow2Reader::open(file).ok().map(|disk| Arc::new(disk) as Arc<dyn ReadAt>)
            }
            Container::Vhd | Container::Vmdk | Container::Vhdx => None,
        })
    }

    /// Returns the partition table, if there is one and bake can read it there.
    pub fn table(&self) -> Result<Option<Table>, Error> {
        Ok(self.disk()?.and_then(|disk| gpt::read(&*disk).ok()))
    }
}

/// Returns the name of the file that a qcow2 is an overlay of. QEMU takes some names for addresses and
/// descriptions of other things; those are refused.
fn backing_name(path: &Path, file: &dyn ReadAt) -> Result<Option<PathBuf>, Error> {
    let (mut version, mut offset, mut len, mut features) = ([0; 4], [0; 8], [0; 4], [0; 8]);
    file.read_exact_at(4, &mut version)?;
    file.read_exact_at(8, &mut offset)?;
    file.read_exact_at(16, &mut len)?;
    file.read_exact_at(72, &mut features)?;
    let invalid = |found: &str| {
        let path = path.display();
        unusable(format!("`{path}` is an overlay of {found}, expected the name of a file"), None)
    };
    if u32::from_be_bytes(version) > 2 && u64::from_be_bytes(features) & ELSEWHERE != 0 {
        let message = format!("`{}` has its contents in another file", path.display());
        return Err(unusable(message, None));
    }
    let (offset, len) = (u64::from_be_bytes(offset), u32::from_be_bytes(len));
    if offset == 0 || len == 0 {
        return Ok(None);
    }
    if len > NAME {
        return Err(invalid("something with a longer name than there can be"));
    }
    let mut name = vec![0; len as usize];
    file.read_exact_at(offset, &mut name)?;
    let name = String::from_utf8(name).map_err(|_| invalid("a name that is not text"))?;
    // A colon before the first slash makes it a protocol.
    let first = name.split('/').next().unwrap_or_default();
    if first.contains(':') || name.contains('\0') {
        return Err(invalid(&format!("`{}`", name.escape_debug())));
    }
    Ok(Some(name.into()))
}
