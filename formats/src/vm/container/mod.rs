//! The files that hold a disk: what every container has in common.

mod bundle;

mod plain;

mod qemu;

#[cfg(test)]
mod tests;

pub use bundle::{Gce, LibvirtBox, Ova, VirtualBoxBox};
pub use plain::{DynamicVhd, Raw, Vhd, Vhdx, Vmdk};
pub use qemu::{Overlay, Qcow2};

use std::ops::ControlFlow;
use std::sync::Arc;

use super::model::{Disk, Hardware};
use super::qcow2::Backing;
use super::write::Laid;
use super::{read, verify};
use crate::encode::{Codec, Compression, sniff};
use crate::format::{Artifact, Format, Problem, ReadError, Unpacked, Visitor, WriteCx, WriteError};
use crate::input::{ReadAt, Source};
use crate::rope::Rope;
use crate::tree::FileTree;

/// A file that holds a disk.
pub(in super::super) trait Holder {
    /// The format's name.
    const WORD: &'static str;
    /// What file names end with.
    const EXTENSION: &'static str;
    /// Raised whenever an equal disk would give other bytes of the file.
    const REVISION: u32;

    /// Describes the file.
    fn write(laid: &Laid, model: &Disk, cx: &WriteCx<'_>) -> Result<Rope, WriteError>;

    /// Returns whether a file begins as one of these does.
    fn is_at_start_of(file: &dyn ReadAt) -> bool;

    /// Opens the disk in a file.
    fn open(file: &Arc<dyn ReadAt>) -> Result<Opened, ReadError>;

    /// Lists every rule of the container that a file breaks.
    fn check(file: &Arc<dyn ReadAt>) -> Result<Vec<Problem>, ReadError>;
}

/// An open disk, and what its file says of how it is stored.
pub(in super::super) struct Opened {
    pub(in super::super) disk: Arc<dyn ReadAt>,
    pub(in super::super) compression: Option<Compression>,
    pub(in super::super) hardware: Option<Hardware>,
    pub(in super::super) backing: Option<Backing>,
}

impl From<Arc<dyn ReadAt>> for Opened {
    fn from(disk: Arc<dyn ReadAt>) -> Self {
        Self { disk, compression: None, hardware: None, backing: None }
    }
}

impl Opened {
    /// Opens the disk in a file, whatever the container.
    pub(in super::super) fn of(file: &Arc<dyn ReadAt>) -> Result<Self, ReadError> {
        (kind_of(&**file)?.open)(file)
    }
}

/// Which file holds a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    /// The disk itself.
    Raw,
    /// QEMU's.
    Qcow2,
    /// QEMU's, on another disk.
    Overlay,
    /// VMware's.
    Vmdk,
    /// Microsoft's, all of the disk.
    Vhd,
    /// Microsoft's, what is used of the disk.
    DynamicVhd,
    /// Hyper-V's.
    Vhdx,
    /// An appliance, in an archive.
    Ova,
    /// A box for libvirt, in an archive that was decompressed.
    LibvirtBox,
    /// A box for VirtualBox, in an archive that was decompressed.
    VirtualBoxBox,
    /// Compute Engine's archive, decompressed.
    Gce,
}

impl Container {
    /// Tells from its first bytes which container a file is, if it is one; of a fixed VHD file from
    /// its last.
    pub fn of(file: &dyn ReadAt) -> Option<Self> {
        KINDS.iter().find(|kind| (kind.is_at_start_of)(file)).map(|kind| kind.container)
    }
}

/// A container as data.
struct Kind {
    container: Container,
    name: &'static str,
    is_at_start_of: fn(&dyn ReadAt) -> bool,
    open: Read<Opened>,
    check: Read<Vec<Problem>>,
}

/// What reads something of a file.
type Read<T> = fn(&Arc<dyn ReadAt>) -> Result<T, ReadError>;

const fn kind<C: Holder>(container: Container) -> Kind {
    Kind {
        container,
        name: C::WORD,
        is_at_start_of: C::is_at_start_of,
        open: C::open,
        check: C::check,
    }
}

/// All containers; raw disks have the weakest sign and come last.
const KINDS: [Kind; 11] = [
    kind::<Overlay>(Container::Overlay),
    kind::<Qcow2>(Container::Qcow2),
    kind::<Vmdk>(Container::Vmdk),
    kind::<Vhdx>(Container::Vhdx),
    kind::<Ova>(Container::Ova),
    kind::<LibvirtBox>(Container::LibvirtBox),
    kind::<VirtualBoxBox>(Container::VirtualBoxBox),
    kind::<Gce>(Container::Gce),
    kind::<DynamicVhd>(Container::DynamicVhd),
    kind::<Vhd>(Container::Vhd),
    kind::<Raw>(Container::Raw),
];

fn kind_of(file: &dyn ReadAt) -> Result<&'static Kind, ReadError> {
    const ALL: &[Kind] = &KINDS;
    let found = ALL.iter().find(|kind| (kind.is_at_start_of)(file));
    found.ok_or_else(|| match packing(file) {
        Codec::None => {
            let expected = "a disk: a partition table, a file system, or the header of a container";
            ReadError::malformed("disk image", 0, expected, "neither")
        }
        codec => {
            let expected = "a disk or an archive of one that was decompressed before it is read";
            ReadError::malformed("disk image", 0, expected, codec.word())
        }
    })
}

/// Returns how a file is compressed as a whole.
fn packing(file: &dyn ReadAt) -> Codec {
    let mut start = [0; 6];
    let is_read = file.read_exact_at(0, &mut start).is_ok();
    if is_read { sniff(&start) } else { Codec::None }
}

/// Implements the format of the disks in a container.
macro_rules! format_of {
    ($($container:ty),* $(,)?) => {$(
        impl Format for $container {
            type Model = Disk;
            const NAME: &'static str = <Self as Holder>::WORD;
            const REVISION: u32 = super::REVISION << 8 | <Self as Holder>::REVISION;

            fn file_name(model: &Disk) -> String {
                model.file_name(<Self as Holder>::EXTENSION)
            }

            fn write(
                model: &Disk,
                tree: &FileTree,
                cx: &WriteCx<'_>,
            ) -> Result<Artifact, WriteError> {
                let laid = super::write::lay(<Self as Format>::NAME, model, tree, cx)?;
                let file = <Self as Holder>::write(&laid, model, cx)?;
                Ok(Artifact::file(<Self as Format>::NAME, file))
            }

            fn read(source: &Source) -> Result<Unpacked<Disk>, ReadError> {
                read::unpack(source)
            }

            fn visit(
                source: &Source,
                visitor: &mut Visitor<'_>,
            ) -> Result<ControlFlow<()>, ReadError> {
                read::visit(&Opened::of(source.file()?)?, visitor)
            }

            fn verify(source: &Source) -> Result<Vec<Problem>, ReadError> {
                let file = source.file()?;
                let kind = kind_of(&**file)?;
                let mut problems = (kind.check)(file)?;
                let (expected, found) = (<Self as Format>::NAME, kind.name);
                if found != expected {
                    problems.push(Problem::new("vm-container", "file", expected, found));
                }
                verify::verify(&(kind.open)(file)?, problems)
            }
        }
    )*};
}

format_of!(Raw, Qcow2, Overlay, Vmdk, Vhd, DynamicVhd, Vhdx, Ova, LibvirtBox, VirtualBoxBox, Gce);
