//! One artifact to be made: a format's model.

use std::io;

use bake_formats::boot::initramfs;
use bake_formats::format::{Artifact, Format, WriteCx, WriteError};
use bake_formats::tree::FileTree;
use bake_formats::{deb, oci, rpm, sysext, vm};

use super::Kind;

/// One artifact to be made.
#[derive(Debug, Clone, PartialEq)]
pub enum Product {
    /// A Debian package.
    Deb(Box<deb::Package>),
    /// An RPM package.
    Rpm(Box<rpm::Package>),
    /// An OCI image layout.
    OciLayout(Box<oci::Image>),
    /// An OCI image in one file.
    OciArchive(Box<oci::Image>),
    /// A raw disk.
    Raw(Box<vm::Disk>),
    /// A qcow2 disk.
    Qcow2(Box<vm::Disk>),
    /// What a disk has that the one under it has not.
    Overlay(Box<vm::Disk>),
    /// A VMDK disk.
    Vmdk(Box<vm::Disk>),
    /// A fixed VHD disk.
    Vhd(Box<vm::Disk>),
    /// A dynamic VHD disk.
    DynamicVhd(Box<vm::Disk>),
    /// A VHDX disk.
    Vhdx(Box<vm::Disk>),
    /// An appliance.
    Ova(Box<vm::Disk>),
    /// A box for Vagrant with libvirt.
    LibvirtBox(Box<vm::Disk>),
    /// A box for Vagrant with VirtualBox.
    VirtualBoxBox(Box<vm::Disk>),
    /// An archive for Google Compute Engine.
    Gce(Box<vm::Disk>),
    /// A segment of an initramfs.
    Cpio(Box<initramfs::Initramfs>),
    /// Kernel, initrd and command line.
    Direct(Box<vm::Disk>),
    /// A system extension.
    Sysext(Box<sysext::Extension>),
}

/// Runs an expression with a product's format and model.
macro_rules! with_model {
    ($product:expr, $format:ident, $model:ident => $body:expr) => {
        with_model! { $product, $format, $model, $body;
            Deb deb::Deb, Rpm rpm::Rpm, OciLayout oci::Layout, OciArchive oci::Archive,
            Raw vm::Raw, Qcow2 vm::Qcow2, Overlay vm::Overlay, Vmdk vm::Vmdk, Vhd vm::Vhd,
            DynamicVhd vm::DynamicVhd, Vhdx vm::Vhdx, Cpio initramfs::Cpio, Direct vm::Direct,
            Sysext sysext::Sysext, Ova vm::Ova, LibvirtBox vm::LibvirtBox,
            VirtualBoxBox vm::VirtualBoxBox, Gce vm::Gce
        }
    };
    ($product:expr, $format:ident, $model:ident, $body:expr; $($variant:ident $type:ty),*) => {
        match $product {
            $(Product::$variant($model) => {
                type $format = $type;
                $body
            })*
        }
    };
}

impl Product {
    /// Returns the format.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Deb(_) => Kind::Deb,
            Self::Rpm(_) => Kind::Rpm,
            Self::OciLayout(_) => Kind::OciLayout,
            Self::OciArchive(_) => Kind::OciArchive,
            Self::Raw(_) => Kind::Raw,
            Self::Qcow2(_) => Kind::Qcow2,
            Self::Overlay(_) => Kind::Overlay,
            Self::Vmdk(_) => Kind::Vmdk,
            Self::Vhd(_) => Kind::Vhd,
            Self::DynamicVhd(_) => Kind::DynamicVhd,
            Self::Vhdx(_) => Kind::Vhdx,
            Self::Ova(_) => Kind::Ova,
            Self::LibvirtBox(_) => Kind::LibvirtBox,
            Self::VirtualBoxBox(_) => Kind::VirtualBoxBox,
            Self::Gce(_) => Kind::Gce,
            Self::Cpio(_) => Kind::Cpio,
            Self::Direct(_) => Kind::Direct,
            Self::Sysext(_) => Kind::Sysext,
        }
    }

    /// Returns the conventional file name.
    pub fn file_name(&self) -> String {
        with_model!(self, F, model => F::file_name(model))
    }

    /// Returns the model as JSON; equal models give equal text.
    pub fn model_json(&self) -> io::Result<String> {
        with_model!(self, F, model => {
            let _: &<F as Format>::Model = model;
            Ok(serde_json::to_string(model)?)
        })
    }

    /// Describes the artifact's bytes.
    pub fn write(&self, tree: &FileTree, cx: &WriteCx<'_>) -> Result<Artifact, WriteError> {
        with_model!(self, F, model => F::write(model, tree, cx))
    }

    /// Returns the image, if it is one.
    pub fn image(&self) -> Option<&oci::Image> {
        match self {
            Self::OciLayout(image) | Self::OciArchive(image) => Some(image),
            _ => None,
        }
    }
}
