//! Platforms: what an image runs on, and which image of an index runs somewhere.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::descriptor::{Descriptor, Kind};
use crate::format::ReadError;

/// What an image runs on, in the words of `GOOS` and `GOARCH`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// The CPU architecture, e.g. `amd64`.
    pub architecture: String,
    /// The operating system, e.g. `linux`.
    pub os: String,
    /// The variant of the CPU, e.g. `v7`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// Returns a platform without a variant.
    pub fn new(os: &str, architecture: &str) -> Self {
        Self { architecture: architecture.into(), os: os.into(), variant: None }
    }

    /// Returns the same platform without the variant that its architecture has anyway: `v8` of
    /// `arm64`, `v1` of `amd64`, and with the one that `arm` has when none is named: `v7`.
    fn normalized(&self) -> Self {
        let variant = self.variant.as_deref().filter(|variant| !variant.is_empty());
        let variant = match (self.architecture.as_str(), variant) {
            ("arm64", Some("v8" | "8")) | ("amd64", Some("v1")) => None,
            ("arm", None | Some("7")) => Some("v7".to_owned()),
            ("arm", Some("5")) => Some("v5".to_owned()),
            ("arm", Some("6")) => Some("v6".to_owned()),
            (_, variant) => variant.map(str::to_owned),
        };
        Self { variant, ..self.clone() }
    }

    /// Returns whether what is made for one is at home on the other: the same system and
    /// architecture, and the same variant unless one names none.
    pub fn fits(&self, other: &Self) -> bool {
        let same = self.os == other.os && self.architecture == other.architecture;
        let names_none = |platform: &Self| platform.variant.as_deref().is_none_or(str::is_empty);
        let variant = names_none(self)
            || names_none(other)
            || self.normalized().variant == other.normalized().variant;
        same && variant
    }

    /// Returns how well an image for `self` runs where `wanted` does; 0 is exactly, `None` not at
    /// all.
    ///
    /// Docker's rules: an `arm` runs what is for lower variants down to `v5`, an `amd64` or `arm64`
    /// what is for lower variants or none.
    fn distance(&self, wanted: &Self) -> Option<u32> {
        let (offered, wanted) = (self.normalized(), wanted.normalized());
        if offered.os != wanted.os || offered.architecture != wanted.architecture {
            return None;
        }
        if offered.variant == wanted.variant {
            return Some(0);
        }
        let plain = match offered.architecture.as_str() {
            "amd64" => 1,
            "arm64" => 8,
            "arm" => 7,
            _ => return None,
        };
        let (offered, wanted) = (level(&offered, plain)?, level(&wanted, plain)?);
        wanted.checked_sub(offered).map(|steps| steps + 1)
    }
}

/// Returns the number in a variant such as `v7`, and `plain` if there is no variant.
fn level(platform: &Platform, plain: u32) -> Option<u32> {
    match &platform.variant {
        None => Some(plain),
        Some(variant) => variant.strip_prefix('v')?.parse().ok(),
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

/// Returns the manifest among `listed` that runs on a platform: the exact variant first, then the
/// nearest that Docker would take, then the earliest in the list. What says no platform is passed
/// over, and so are attestations and artifacts. An error lists the platforms there are.
pub fn select<'a>(
    listed: &'a [Descriptor],
    wanted: &Platform,
) -> Result<&'a Descriptor, ReadError> {
    let images = || {
        let is_image = |descriptor: &&Descriptor| {
            matches!(descriptor.kind(), Some(Kind::Manifest | Kind::Index))
                && !descriptor.describes_another()
        };
        listed.iter().filter(is_image)
    };
    let distance = |descriptor: &&Descriptor| {
        descriptor.platform.as_ref().and_then(|platform| platform.distance(wanted))
    };
    let nearest = images()
        .filter_map(|descriptor| distance(&descriptor).map(|steps| (steps, descriptor)))
        .min_by_key(|(steps, _)| *steps);
    nearest.map(|(_, descriptor)| descriptor).ok_or_else(|| {
        let names: Vec<_> = images()
            .filter_map(|descriptor| descriptor.platform.as_ref())
            .map(ToString::to_string)
            .collect();
        let names = if names.is_empty() { "none".into() } else { names.join(", ") };
        ReadError::invalid("image index", format!("expected the platform {wanted}, found {names}"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::descriptor::media_type;
    use super::*;
    use crate::blob::Blob;

    fn platform(text: &str) -> Platform {
        let mut parts = text.split('/');
        let mut next = || parts.next().map(str::to_owned);
        let (os, architecture) = (next().unwrap(), next().unwrap());
        Platform { architecture, os, variant: next() }
    }

    fn list(platforms: &[&str]) -> Vec<Descriptor> {
        let descriptor = |text: &&str| {
            let mut descriptor = Descriptor::new(media_type::MANIFEST, Blob::of(text.as_bytes()));
            descriptor.platform = Some(platform(text));
            descriptor
        };
        platforms.iter().map(descriptor).collect()
    }

    #[test]
    fn chooses_as_docker_does() {
        let arms = ["linux/arm/v5", "linux/arm/v6", "linux/arm/v7", "linux/arm64/v8"];
        let rows: [(&[&str], &str, Option<&str>); 14] = [
            (&["linux/amd64", "linux/arm64"], "linux/arm64", Some("linux/arm64")),
            (&arms, "linux/arm64", Some("linux/arm64/v8")),
            (&["linux/arm64"], "linux/arm64/v8", Some("linux/arm64")),
            (&arms, "linux/arm", Some("linux/arm/v7")),
            (&arms, "linux/arm/v7", Some("linux/arm/v7")),
            (&arms, "linux/arm/v6", Some("linux/arm/v6")),
            (&arms[..2], "linux/arm/v7", Some("linux/arm/v6")),
            (&arms[2..], "linux/arm/v6", None),
            (&["linux/amd64", "linux/amd64/v3"], "linux/amd64", Some("linux/amd64")),
            (&["linux/amd64", "linux/amd64/v3"], "linux/amd64/v4", Some("linux/amd64/v3")),
            (&["linux/amd64", "linux/amd64/v3"], "linux/amd64/v2", Some("linux/amd64")),
            (&["windows/amd64"], "linux/amd64", None),
            (&["linux/riscv64"], "linux/riscv64", Some("linux/riscv64")),
            (&[], "linux/amd64", None),
        ];
        for (listed, wanted, expected) in rows {
            let listed = list(listed);
            let found = select(&listed, &platform(wanted)).ok();
            let found = found.and_then(|found| found.platform.as_ref()).map(ToString::to_string);
            assert_eq!(found.as_deref(), expected, "{wanted}");
        }
    }

    #[test]
    fn passes_over_attestations_and_says_what_there_is() {
        let mut listed = list(&["linux/amd64", "linux/arm64"]);
        listed[0].annotations.insert("vnd.docker.reference.type".into(), "x".into());
        let error = select(&listed, &platform("linux/amd64")).unwrap_err().to_string();
        let expected = "image index: expected the platform linux/amd64, found linux/arm64";
        assert_eq!(error, expected);
    }

    #[test]
    fn a_missing_variant_fits() {
        let rows = [
            ("linux/arm64", "linux/arm64/v8", true),
            ("linux/arm/v7", "linux/arm", true),
            ("linux/arm/v7", "linux/arm/v6", false),
            ("linux/amd64", "linux/arm64", false),
            ("linux/amd64", "windows/amd64", false),
        ];
        for (a, b, expected) in rows {
            assert_eq!(platform(a).fits(&platform(b)), expected, "{a} {b}");
            assert_eq!(platform(b).fits(&platform(a)), expected, "{b} {a}");
        }
    }
}
