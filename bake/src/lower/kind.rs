//! The formats by name, and how to tell them apart by their first bytes.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::sync::Arc;

use bake_formats::boot::initramfs;
use bake_formats::encode::{Codec, decoder, sniff};
use bake_formats::format::{Format, Problem, ReadError, Unpacked, Visitor};
use bake_formats::input::{ReadAt, Section, Source};
use bake_formats::{deb, oci, rpm, sysext, vm};
use bake_recipes::Platform;
use bake_recipes::resolved::Output;

use crate::base::in_oci;
use crate::inspected::Inspected;

/// What archives of cpio begin with.
const CPIO: &[u8] = b"070701";
/// How much of a compressed file is looked at to tell what it is.
const START: u64 = 64 << 10;
/// Containers of disks that are archives.
const BUNDLES: [(vm::Container, Kind); 4] = [
    (vm::Container::Ova, Kind::Ova),
    (vm::Container::LibvirtBox, Kind::LibvirtBox),
    (vm::Container::VirtualBoxBox, Kind::VirtualBoxBox),
    (vm::Container::Gce, Kind::Gce),
];
/// The others.
const DISKS: [(vm::Container, Kind); 7] = [
    (vm::Container::Overlay, Kind::Overlay),
    (vm::Container::Qcow2, Kind::Qcow2),
    (vm::Container::Vmdk, Kind::Vmdk),
    (vm::Container::Vhdx, Kind::Vhdx),
    (vm::Container::DynamicVhd, Kind::DynamicVhd),
    (vm::Container::Vhd, Kind::Vhd),
    (vm::Container::Raw, Kind::Raw),
];

/// A format of artifacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A Debian package.
    Deb,
    /// An RPM package.
    Rpm,
    /// An OCI image layout, a folder.
    OciLayout,
    /// An OCI image in one file.
    OciArchive,
    /// A disk, sector by sector.
    Raw,
    /// A disk in QEMU's format.
    Qcow2,
    /// What a disk has that the one under it has not, in QEMU's format.
    Overlay,
    /// A disk in VMware's format.
    Vmdk,
    /// A disk in Microsoft's older format, all of it.
    Vhd,
    /// A disk in Microsoft's older format, what is used of it.
    DynamicVhd,
    /// A disk in Hyper-V's format.
    Vhdx,
    /// An appliance.
    Ova,
    /// A box for Vagrant with libvirt.
    LibvirtBox,
    /// A box for Vagrant with VirtualBox.
    VirtualBoxBox,
    /// An archive for Google Compute Engine.
    Gce,
    /// A segment of an initramfs.
    Cpio,
    /// Kernel, initrd and command line, a folder.
    Direct,
    /// A system extension.
    Sysext,
}

/// Runs an expression with the type that implements a kind's format.
macro_rules! with_format {
    ($kind:expr, $format:ident => $body:expr) => {
        with_format! { $kind, $format, $body;
            Deb deb::Deb, Rpm rpm::Rpm, OciLayout oci::Layout, OciArchive oci::Archive,
            Raw vm::Raw, Qcow2 vm::Qcow2, Overlay vm::Overlay, Vmdk vm::Vmdk, Vhd vm::Vhd,
            DynamicVhd vm::DynamicVhd, Vhdx vm::Vhdx, Cpio initramfs::Cpio, Direct vm::Direct,
            Sysext sysext::Sysext, Ova vm::Ova, LibvirtBox vm::LibvirtBox,
            VirtualBoxBox vm::VirtualBoxBox, Gce vm::Gce
        }
    };
    ($kind:expr, $format:ident, $body:expr; $($variant:ident $type:ty),*) => {
        match $kind {
            $(Kind::$variant => {
                type $format = $type;
                $body
            })*
        }
    };
}

impl Kind {
    /// Returns the format's name.
    pub fn name(self) -> &'static str {
        with_format!(self, F => F::NAME)
    }

    /// Returns the revision of the format's writer.
    pub fn revision(self) -> u32 {
        with_format!(self, F => F::REVISION)
    }

    /// Returns the output of a recipe that has this format.
    pub fn output(self) -> Output {
        match self {
            Self::Deb => Output::Deb,
            Self::Rpm => Output::Rpm,
            Self::OciLayout | Self::OciArchive => Output::Oci,
            Self::Raw
            | Self::Qcow2
            | Self::Overlay
            | Self::Vmdk
            | Self::Vhd
            | Self::DynamicVhd
            | Self::Vhdx
            | Self::Ova
            | Self::LibvirtBox
            | Self::VirtualBoxBox
            | Self::Gce
            | Self::Cpio
            | Self::Direct
            | Self::Sysext => Output::Vm,
        }
    }

    /// Returns whether one artifact of this format can hold images for several platforms.
    pub fn is_image(self) -> bool {
        self.output() == Output::Oci
    }

    /// Finds out a format from the bytes; `None` if it is none of ours.
    pub fn detect(source: &Source) -> io::Result<Option<Self>> {
        let file = match source {
            Source::Folder(folder) => {
                let is_direct = vm::Direct::is_in(&**folder);
                let is_layout = folder.open("oci-layout").is_ok();
                return Ok(match (is_layout, is_direct) {
                    (true, _) => Some(Self::OciLayout),
                    (false, true) => Some(Self::Direct),
                    (false, false) => None,
                });
            }
            Source::File(file) => file,
        };
        let has = |offset, magic: &[u8]| starts_with(&**file, offset, magic);
        if has(0, b"!<arch>\n")? {
            return Ok(Some(Self::Deb));
        }
        if has(0, &[0xed, 0xab, 0xee, 0xdb])? {
            return Ok(Some(Self::Rpm));
        }
        if has(257, b"ustar")? {
            return Ok(Some(Self::of_disk(&**file, &BUNDLES).unwrap_or(Self::OciArchive)));
        }
        let start = unpacked_start(file)?;
        if start.starts_with(CPIO) {
            return Ok(Some(Self::Cpio));
        }
        if let Some(kind) = Self::of_disk(&start, &BUNDLES) {
            // An appliance is never compressed as a whole.
            return Ok(Some(kind).filter(|kind| *kind != Self::Ova));
        }
        if sysext::Sysext::is_at_start_of(file) {
            return Ok(Some(Self::Sysext));
        }
        Ok(Self::of_disk(&**file, &DISKS))
    }

    /// Returns which of some containers holds a disk.
    fn of_disk(file: &dyn ReadAt, known: &[(vm::Container, Self)]) -> Option<Self> {
        let found = vm::Container::of(file)?;
        known.iter().find(|(container, _)| *container == found).map(|(_, kind)| *kind)
    }

    /// Returns whether an artifact is compressed as a whole, and read decompressed.
    pub fn is_packed(self, source: &Source) -> io::Result<bool> {
        match self {
            Self::LibvirtBox | Self::VirtualBoxBox | Self::Gce => {
                starts_with(&**source.file()?, 0, &[0x1f, 0x8b])
            }
            _ => Ok(false),
        }
    }

    /// Reads an artifact. Of an image for several platforms one must be chosen.
    pub fn read(self, source: &Source, platform: Option<Platform>) -> Result<Inspected, ReadError> {
        if let Some(platform) = platform.filter(|_| self.is_image()) {
            return image(oci::read_one(source, &in_oci(platform), oci::Limits::default())?);
        }
        with_format!(self, F => {
            let unpacked = F::read(source)?;
            let mut metadata = to_json(&unpacked.model)?;
            if self.is_image() {
                leave_out_place(&mut metadata);
            }
            let platform = self.platform_of(&metadata);
            let Unpacked { tree, declared, .. } = unpacked;
            Ok(Inspected { platform, metadata, tree, declared })
        })
    }

    /// Reads an artifact, of an image for several platforms every one.
    pub fn read_all(self, source: &Source) -> Result<Vec<Inspected>, ReadError> {
        if !self.is_image() {
            return Ok(vec![self.read(source, None)?]);
        }
        let images = oci::read_all(source, oci::Limits::default())?;
        images.into_iter().map(image).collect()
    }

    /// Hands over what the regular files of the tree hold, as [`Format::visit`] does it. Of an image
    /// for several platforms one must be chosen.
    pub fn visit(
        self,
        source: &Source,
        platform: Option<Platform>,
        visitor: &mut Visitor<'_>,
    ) -> Result<ControlFlow<()>, ReadError> {
        if let Some(platform) = platform.filter(|_| self.is_image()) {
            let limits = oci::Limits::default();
            return oci::visit_one(source, &in_oci(platform), limits, visitor);
        }
        with_format!(self, F => F::visit(source, visitor))
    }

    /// Returns the platforms of the images in an artifact that has several, else nothing.
    pub fn several(self, source: &Source) -> Result<Vec<String>, ReadError> {
        if !self.is_image() {
            return Ok(Vec::new());
        }
        let layout = oci::LayoutReader::open(source)?;
        let images = layout.images()?;
        if images.len() < 2 {
            return Ok(Vec::new());
        }
        let platform = |image: &oci::ListedImage| match &image.descriptor.platform {
            Some(platform) => Ok(platform.to_string()),
            None => Ok(layout.documents(&image.descriptor)?.config.platform().to_string()),
        };
        images.iter().map(platform).collect()
    }

    /// Returns what a package says that it runs on; nothing of those for all platforms.
    fn platform_of(self, metadata: &serde_json::Value) -> Option<String> {
        let text = |key: &str| metadata[key].as_str().unwrap_or_default();
        let mut all = Platform::all();
        let found = match self {
            Self::Deb => all.find(|platform| platform.deb() == text("architecture")),
            Self::Rpm => all.find(|platform| platform.rpm() == text("arch")),
            Self::OciLayout | Self::OciArchive => {
                return serde_json::from_value::<oci::Platform>(metadata["platform"].clone())
                    .ok()
                    .map(|platform| platform.to_string());
            }
            _ => all.find(|platform| platform.architecture() == text("arch")),
        };
        found.map(|platform| platform.to_string())
    }

    /// Lists every rule of the format that an artifact breaks.
    pub fn verify(self, source: &Source) -> Result<Vec<Problem>, ReadError> {
        with_format!(self, F => F::verify(source))
    }
}

fn image(image: oci::PlatformImage) -> Result<Inspected, ReadError> {
    let platform = Some(image.platform().to_string());
    let Unpacked { model, tree, declared } = image.unpacked;
    let mut metadata = to_json(&model)?;
    leave_out_place(&mut metadata);
    Ok(Inspected { platform, metadata, tree, declared })
}

/// Leaves out what is true of where an image lies and not of the image: a layout without the base's
/// layers holds the same image as one with them.
fn leave_out_place(metadata: &mut serde_json::Value) {
    if let Some(base) = metadata["base"].as_object_mut() {
        base.remove("includes_layers");
    }
}

fn to_json(model: &impl serde::Serialize) -> Result<serde_json::Value, ReadError> {
    serde_json::to_value(model).map_err(|error| ReadError::invalid("metadata", error.to_string()))
}

/// Returns the first bytes of a file; of one that is compressed, of what it is then.
fn unpacked_start(file: &Arc<dyn ReadAt>) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    Section::whole(file.clone()).take(CPIO.len() as u64).read_to_end(&mut start)?;
    let codec = sniff(&start);
    if codec == Codec::None {
        return Ok(start);
    }
    let mut unpacked = Vec::new();
    let read = decoder(codec, Section::whole(file.clone()))
        .and_then(|reader| reader.take(START).read_to_end(&mut unpacked));
    // What cannot be unpacked is something else.
    Ok(if read.is_ok() { unpacked } else { start })
}

fn starts_with(file: &dyn ReadAt, offset: u64, magic: &[u8]) -> io::Result<bool> {
    let mut found = vec![0; magic.len()];
    if file.len() < offset + magic.len() as u64 {
        return Ok(false);
    }
    file.read_exact_at(offset, &mut found)?;
    Ok(found == magic)
}
