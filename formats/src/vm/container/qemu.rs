//! Containers of QEMU.

use std::sync::Arc;

use super::super::machine::System;
use super::super::model::Disk;
use super::super::qcow2::{self, Method, Qcow2Reader};
use super::super::write::Laid;
use super::{Holder, Opened};
use crate::encode::{Codec, Compression};
use crate::format::{Problem, ReadError, WriteCx, WriteError};
use crate::input::ReadAt;
use crate::rope::Rope;

/// A disk image in QEMU's own format, in which only what is used takes room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Qcow2;

impl Holder for Qcow2 {
    const WORD: &'static str = "qcow2";
    const EXTENSION: &'static str = "qcow2";
    const REVISION: u32 = QCOW2;

    fn write(laid: &Laid, model: &Disk, cx: &WriteCx<'_>) -> Result<Rope, WriteError> {
        match packing(model)? {
            None => qcow2::write(&laid.disk),
            Some(compression) => qcow2::write_compressed(&laid.disk, compression, cx),
        }
    }

    fn is_at_start_of(file: &dyn ReadAt) -> bool {
        Qcow2Reader::is_at_start_of(file) && !has_backing(file)
    }

    fn open(file: &Arc<dyn ReadAt>) -> Result<Opened, ReadError> {
        open_qcow2(file)
    }

    fn check(file: &Arc<dyn ReadAt>) -> Result<Vec<Problem>, ReadError> {
        qcow2::check(&**file)
    }
}

/// What a disk has that the one under it has not, in QEMU's own format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlay;

impl Holder for Overlay {
    const WORD: &'static str = "overlay";
    const EXTENSION: &'static str = "overlay.qcow2";
    const REVISION: u32 = QCOW2;

    fn write(laid: &Laid, model: &Disk, cx: &WriteCx<'_>) -> Result<Rope, WriteError> {
        let system = model.machine.as_ref().map(|machine| &machine.system);
        let (Some(changed), Some(System::Baked(baked))) = (&laid.changed, system) else {
            let reason = "an overlay lies on a disk that was baked before".into();
            return Err(WriteError::Field { format: Self::WORD, field: "base".into(), reason });
        };
        let Some(backing) = &baked.file else {
            let reason = "the file of the disk under it has no name".into();
            return Err(WriteError::Field { format: Self::WORD, field: "file".into(), reason });
        };
        qcow2::write_overlay(&laid.disk, changed, backing, packing(model)?, cx)
    }

    fn is_at_start_of(file: &dyn ReadAt) -> bool {
        Qcow2Reader::is_at_start_of(file) && has_backing(file)
    }

    fn open(file: &Arc<dyn ReadAt>) -> Result<Opened, ReadError> {
        open_qcow2(file)
    }

    fn check(file: &Arc<dyn ReadAt>) -> Result<Vec<Problem>, ReadError> {
        qcow2::check(&**file)
    }
}

/// The revision of qcow2 files.
const QCOW2: u32 = 2;

/// Returns how clusters are to be compressed.
fn packing(model: &Disk) -> Result<Option<qcow2::Compression>, WriteError> {
    let Some(Compression { codec, level }) = model.compression else { return Ok(None) };
    let method = match codec {
        Codec::None => return Ok(None),
        Codec::Gzip => Method::Zlib,
        Codec::Zstd => Method::Zstd,
        Codec::Xz => {
            let reason = "clusters are compressed by gzip or zstd".into();
            let field = "compression".into();
            return Err(WriteError::Field { format: Qcow2::WORD, field, reason });
        }
    };
    Ok(Some(qcow2::Compression { method, level }))
}

fn open_qcow2(file: &Arc<dyn ReadAt>) -> Result<Opened, ReadError> {
    let reader = Qcow2Reader::open(file.clone())?;
    let compression = match reader.compression()? {
        None => None,
        Some(Method::Zlib) => Some(Compression::GZIP),
        Some(Method::Zstd) => Some(Compression::ZSTD),
    };
    let backing = reader.backing().cloned();
    Ok(Opened { disk: Arc::new(reader), compression, hardware: None, backing })
}

/// Returns whether the header of a qcow2 image names another file.
fn has_backing(file: &dyn ReadAt) -> bool {
    let mut place = [0; 8];
    file.read_exact_at(8, &mut place).is_ok() && place != [0; 8]
}
