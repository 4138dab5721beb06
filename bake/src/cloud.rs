//! How clouds import the disk in a file: which files they take, and what to type.

use bake_formats::vm::Facts;
use bake_formats::vm::cloud::{Architecture, AwsFile, Boot, Image, aws, azure, gce};
use bake_formats::vm::machine::Firmware;

use crate::error::Error;
use crate::lower::Kind;
use crate::opened::Opened;

/// The unit of disks that Azure takes.
const MIB: u64 = 1 << 20;
/// What follows the disk in a fixed VHD file.
const FOOTER: u64 = 512;

/// Who imports a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    /// Amazon Web Services.
    Aws,
    /// Google Compute Engine.
    Gce,
    /// Microsoft Azure.
    Azure,
}

impl Cloud {
    /// Returns the word by which users name it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Gce => "gce",
            Self::Azure => "azure",
        }
    }
}

/// Returns the lines of shell that import a file; without a bucket they ask for `$BUCKET`.
pub fn commands(opened: &Opened, cloud: Cloud, bucket: Option<&str>) -> Result<String, Error> {
    let Some(file) = opened.path.to_str() else {
        let reason = "its path is not UTF-8, so a line of shell cannot have it";
        return Err(refused(opened, reason.into(), None));
    };
    let bucket = bucket.map(|name| assignment(cloud, name)).transpose()?.unwrap_or_default();
    // Whether the cloud takes the file is known before anything is decompressed.
    let taken = Taken::of(opened, cloud)?;
    let facts = Facts::read(&opened.contents()?)
        .map_err(|source| Error::Read { path: opened.path.clone(), source })?;
    let architecture = match facts.arch.as_str() {
        "amd64" | "x86_64" => Architecture::Amd64,
        "arm64" | "aarch64" => Architecture::Arm64,
        other => {
            let reason = format!("expected a disk for amd64 or arm64, found one for {other}");
            return Err(refused(opened, reason, None));
        }
    };
    let boot = match facts.firmware {
        Firmware::Bios => Boot::Bios,
        Firmware::Uefi => Boot::Uefi,
        Firmware::Hybrid => Boot::Either,
    };
    let name = image_name(&facts);
    let image = Image { file, len: opened.file()?.len(), name: &name, architecture, boot };
    Ok(bucket
        + &match taken {
            Taken::Aws(kind) => aws(&image, kind),
            Taken::Gce => gce(&image),
            Taken::Azure => azure(&image),
        })
}

/// A file that a cloud takes.
enum Taken {
    Aws(AwsFile),
    Gce,
    Azure,
}

impl Taken {
    fn of(opened: &Opened, cloud: Cloud) -> Result<Self, Error> {
        let kind = opened.kind;
        let refuse = |expected: &str, hint| {
            let reason = format!("expected {expected}, found {}", kind.name());
            Err(refused(opened, reason, Some(hint)))
        };
        match (cloud, kind) {
            (Cloud::Aws, Kind::Raw) => Ok(Self::Aws(AwsFile::Raw)),
            (Cloud::Aws, Kind::Vmdk) => Ok(Self::Aws(AwsFile::Vmdk)),
            (Cloud::Aws, Kind::Vhd | Kind::DynamicVhd) => Ok(Self::Aws(AwsFile::Vhd)),
            (Cloud::Aws, _) => refuse("raw, vmdk or vhd", "bake it with `formats = [\"vmdk\"]`"),
            (Cloud::Gce, Kind::Gce) if opened.is_packed()? => Ok(Self::Gce),
            (Cloud::Gce, Kind::Gce) => {
                let reason = "expected a tar archive compressed by gzip, found one that is not";
                Err(refused(opened, reason.into(), Some("compress it again by `gzip`")))
            }
            (Cloud::Gce, _) => refuse("gce, a tar archive", "bake it with `formats = [\"gce\"]`"),
            (Cloud::Azure, Kind::Vhd) => {
                let disk = opened.file()?.len().saturating_sub(FOOTER);
                if disk.is_multiple_of(MIB) {
                    return Ok(Self::Azure);
                }
                let reason = format!("expected a disk of whole MiB, found {disk} bytes");
                Err(refused(opened, reason, Some("bake it with `formats = [\"vhd\"]`")))
            }
            (Cloud::Azure, _) => {
                refuse("vhd, all of the disk", "bake it with `formats = [\"vhd\"]`")
            }
        }
    }
}

/// Returns the line that sets the bucket.
fn assignment(cloud: Cloud, name: &str) -> Result<String, Error> {
    let refuse = |reason: &str| {
        Err(Error::Input { what: format!("the bucket `{name}`"), reason: reason.into() })
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if cloud == Cloud::Azure {
        return refuse("a disk is uploaded to Azure itself, through no bucket");
    }
    if name.is_empty() || !name.chars().all(is_plain) {
        return refuse("expected letters, digits and `._-`");
    }
    Ok(format!("BUCKET={name}\n"))
}

/// Returns a name that every cloud allows, or makes one of that it allows.
fn image_name(facts: &Facts) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let plain = |c| if is_plain(c) { c } else { '-' };
    let name = format!("{}-{}", facts.name, facts.version);
    name.chars().map(plain).collect()
}

fn refused(opened: &Opened, reason: String, hint: Option<&'static str>) -> Error {
    Error::Import { path: opened.path.clone(), reason, hint }
}
