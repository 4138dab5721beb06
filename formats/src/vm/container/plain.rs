//! The disk itself, and containers of VMware and Microsoft.

use std::sync::Arc;

use super::super::gpt;
use super::super::guid::Guid;
use super::super::model::Disk;
use super::super::vhd::{self, VhdReader};
use super::super::vhdx::{self, VhdxReader};
use super::super::vmdk::{self, VmdkReader};
use super::super::volume::Image;
use super::super::write::Laid;
use super::{Holder, Opened};
use crate::format::{Problem, ReadError, WriteCx, WriteError};
use crate::input::ReadAt;
use crate::rope::Rope;

/// A raw disk image: byte n of the file is byte n of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Raw;

impl Holder for Raw {
    const WORD: &'static str = "raw";
    const EXTENSION: &'static str = "raw";
    const REVISION: u32 = 1;

    fn write(laid: &Laid, _: &Disk, _: &WriteCx<'_>) -> Result<Rope, WriteError> {
        Ok(laid.disk.clone())
    }

    fn is_at_start_of(file: &dyn ReadAt) -> bool {
        gpt::is_at(file) || Image::is_at_start_of(file)
    }

    fn open(file: &Arc<dyn ReadAt>) -> Result<Opened, ReadError> {
        Ok(file.clone().into())
    }

    fn check(_: &Arc<dyn ReadAt>) -> Result<Vec<Problem>, ReadError> {
        Ok(Vec::new())
    }
}

/// A disk image that VMware imports, stream-optimised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vmdk;

impl Holder for Vmdk {
    const WORD: &'static str = "vmdk";
    const EXTENSION: &'static str = "vmdk";
    const REVISION: u32 = 1;

    fn write(laid: &Laid, _: &Disk, cx: &WriteCx<'_>) -> Result<Rope, WriteError> {
        vmdk::write(&laid.disk, laid.id, cx)
    }

    fn is_at_start_of(file: &dyn ReadAt) -> bool {
        VmdkReader::is_at_start_of(file)
    }

    fn open(file: &Arc<dyn ReadAt>) -> Result<Opened, ReadError> {
        let disk: Arc<dyn ReadAt> = Arc::new(VmdkReader::open(file.clone())?);
        Ok(disk.into())
    }

    fn check(file: &Arc<dyn ReadAt>) -> Result<Vec<Problem>, ReadError> {
        vmdk::check(&**file)
    }
}

/// A disk image for Azure and older Hyper-V, all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vhd;

impl Holder for Vhd {
    const WORD: &'static str = "vhd";
    const EXTENSION: &'static str = "vhd";
    const REVISION: u32 = 1;

    fn write(laid: &Laid, _: &Disk, cx: &WriteCx<'_>) -> Result<Rope, WriteError> {
        vhd::write(&laid.disk, vhd::Kind::Fixed, &vhd_identity(laid, cx))
    }

    fn is_at_start_of(file: &dyn ReadAt) -> bool {
        VhdReader::is_at_end_of(file) && !VhdReader::is_at_start_of(file)
    }

    fn open(file: &Arc<dyn ReadAt>) -> Result<Opened, ReadError> {
        open_vhd(file)
    }

    fn check(file: &Arc<dyn ReadAt>) -> Result<Vec<Problem>, ReadError> {
        vhd::check(&**file)
    }
}

/// A disk image for older Hyper-V and VirtualBox, only what is used of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DynamicVhd;

impl Holder for DynamicVhd {
    const WORD: &'static str = "vhd-dynamic";
    const EXTENSION: &'static str = "dynamic.vhd";
    const REVISION: u32 = 1;

    fn write(laid: &Laid, _: &Disk, cx: &WriteCx<'_>) -> Result<Rope, WriteError> {
        vhd::write(&laid.disk, vhd::Kind::Dynamic, &vhd_identity(laid, cx))
    }

    fn is_at_start_of(file: &dyn ReadAt) -> bool {
        VhdReader::is_at_start_of(file)
    }

    fn open(file: &Arc<dyn ReadAt>) -> Result<Opened, ReadError> {
        open_vhd(file)
    }

    fn check(file: &Arc<dyn ReadAt>) -> Result<Vec<Problem>, ReadError> {
        vhd::check(&**file)
    }
}

fn vhd_identity(laid: &Laid, cx: &WriteCx<'_>) -> vhd::Identity {
    vhd::Identity { id: laid.id, created: cx.epoch }
}

fn open_vhd(file: &Arc<dyn ReadAt>) -> Result<Opened, ReadError> {
    let disk: Arc<dyn ReadAt> = Arc::new(VhdReader::open(file.clone())?);
    Ok(disk.into())
}

/// A disk image for Hyper-V.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vhdx;

impl Holder for Vhdx {
    const WORD: &'static str = "vhdx";
    const EXTENSION: &'static str = "vhdx";
    const REVISION: u32 = 1;

    fn write(laid: &Laid, _: &Disk, _: &WriteCx<'_>) -> Result<Rope, WriteError> {
        let id = laid.id.to_string();
        let derive = |purpose| Guid::derive(purpose, &[&id]);
        let identity = vhdx::Identity {
            file_write: derive("bake vhdx 1 file"),
            data_write: derive("bake vhdx 1 data"),
            disk: laid.id,
        };
        vhdx::write(&laid.disk, &identity)
    }

    fn is_at_start_of(file: &dyn ReadAt) -> bool {
        VhdxReader::is_at_start_of(file)
    }

    fn open(file: &Arc<dyn ReadAt>) -> Result<Opened, ReadError> {
        let disk: Arc<dyn ReadAt> = Arc::new(VhdxReader::open(file.clone())?);
        Ok(disk.into())
    }

    fn check(file: &Arc<dyn ReadAt>) -> Result<Vec<Problem>, ReadError> {
        vhdx::check(&**file)
    }
}
