//! The formats by name, and how to tell them apart by their first bytes.

use std::io;

use bake_formats::format::{Format, Problem, ReadError, Unpacked};
use bake_formats::input::{ReadAt, Source};
use bake_formats::{deb, oci, rpm, vm};
use bake_recipes::Platform;
use bake_recipes::resolved::Output;

use crate::base::in_oci;
use crate::inspected::Inspected;

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
}

/// Runs an expression with the type that implements a kind's format.
macro_rules! with_format {
    ($kind:expr, $format:ident => $body:expr) => {
        match $kind {
            Kind::Deb => {
                type $format = deb::Deb;
                $body
            }
            Kind::Rpm => {
                type $format = rpm::Rpm;
                $body
            }
            Kind::OciLayout => {
                type $format = oci::Layout;
                $body
            }
            Kind::OciArchive => {
                type $format = oci::Archive;
                $body
            }
            Kind::Raw => {
                type $format = vm::Raw;
                $body
            }
            Kind::Qcow2 => {
                type $format = vm::Qcow2;
                $body
            }
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
            Self::Raw | Self::Qcow2 => Output::Vm,
        }
    }

    /// Returns whether one artifact of this format can hold images for several platforms.
    pub fn is_image(self) -> bool {
        match self {
            Self::OciLayout | Self::OciArchive => true,
            Self::Deb | Self::Rpm | Self::Raw | Self::Qcow2 => false,
        }
    }

    /// Finds out a format from the bytes; `None` if it is none of ours.
    pub fn detect(source: &Source) -> io::Result<Option<Self>> {
        let file = match source {
            Source::Folder(folder) => {
                return Ok(folder.open("oci-layout").is_ok().then_some(Self::OciLayout));
            }
            Source::File(file) => file,
        };
        let has = |offset, magic: &[u8]| starts_with(&**file, offset, magic);
        Ok(if has(0, b"!<arch>\n")? {
            Some(Self::Deb)
        } else if has(0, &[0xed, 0xab, 0xee, 0xdb])? {
            Some(Self::Rpm)
        } else if has(0, b"QFI\xfb")? {
            Some(Self::Qcow2)
        } else if has(257, b"ustar")? {
            Some(Self::OciArchive)
        } else if has(1080, &[0x53, 0xef])? {
            Some(Self::Raw)
        } else {
            None
        })
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
            Self::Raw | Self::Qcow2 => None,
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

fn starts_with(file: &dyn ReadAt, offset: u64, magic: &[u8]) -> io::Result<bool> {
    let mut found = vec![0; magic.len()];
    if file.len() < offset + magic.len() as u64 {
        return Ok(false);
    }
    file.read_exact_at(offset, &mut found)?;
    Ok(found == magic)
}
