//! What an artifact runs on, in the words of OCI, Debian and RPM.

use std::fmt;
use std::str::FromStr;

/// An operating system and an architecture that bake knows by all their names.
///
/// Printed and parsed as OCI writes it, `os/architecture[/variant]` (image-spec, image-index.md,
/// "platform").
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform {
    row: &'static Row,
}

/// One architecture under all its names.
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Row {
    architecture: &'static str,
    variant: Option<&'static str>,
    deb: &'static str,
    rpm: &'static str,
}

const fn row(
    architecture: &'static str,
    variant: Option<&'static str>,
    deb: &'static str,
    rpm: &'static str,
) -> Row {
    Row { architecture, variant, deb, rpm }
}

/// The architectures that have a name in OCI, Debian and RPM.
static ROWS: [Row; 10] = [
    row("amd64", None, "amd64", "x86_64"),
    row("arm64", None, "arm64", "aarch64"),
    row("arm", Some("v7"), "armhf", "armv7hl"),
    row("arm", Some("v6"), "armel", "armv6hl"),
    row("386", None, "i386", "i686"),
    row("ppc64le", None, "ppc64el", "ppc64le"),
    row("s390x", None, "s390x", "s390x"),
    row("riscv64", None, "riscv64", "riscv64"),
    row("loong64", None, "loong64", "loongarch64"),
    row("mips64le", None, "mips64el", "mips64el"),
];

/// Text that names no platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown platform `{}`", .text.escape_debug())]
pub struct PlatformError {
    text: String,
    /// The platform that was probably meant.
    pub suggestion: Option<Platform>,
}

impl Platform {
    /// Returns all platforms.
    pub fn all() -> impl Iterator<Item = Self> {
        ROWS.iter().map(|row| Self { row })
    }

    /// Returns OCI's name of the operating system.
    pub fn os(self) -> &'static str {
        "linux"
    }

    /// Returns OCI's name of the architecture, e.g. `amd64`.
    pub fn architecture(self) -> &'static str {
        self.row.architecture
    }

    /// Returns OCI's variant of the architecture, e.g. `v7`.
    pub fn variant(self) -> Option<&'static str> {
        self.row.variant
    }

    /// Returns Debian's name of the architecture, e.g. `armhf`.
    pub fn deb(self) -> &'static str {
        self.row.deb
    }

    /// Returns RPM's name of the architecture, e.g. `x86_64`.
    pub fn rpm(self) -> &'static str {
        self.row.rpm
    }
}

impl FromStr for Platform {
    type Err = PlatformError;

    /// Parses `linux/ARCHITECTURE[/VARIANT]`; the default variant `v8` of arm64 may be named.
    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let wanted = if text == "linux/arm64/v8" { "linux/arm64" } else { text };
        if let Some(found) = Self::all().find(|platform| platform.to_string() == wanted) {
            return Ok(found);
        }
        let last = text.rsplit_once('/').map_or(text, |(_, last)| last);
        let suggestion = Self::all().find(|platform| {
            let row = platform.row;
            [row.architecture, row.deb, row.rpm].contains(&last)
                || platform.to_string().ends_with(text)
        });
        Err(PlatformError { text: text.into(), suggestion })
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os(), self.architecture())?;
        self.variant().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_platform_is_parsed_from_its_own_name() {
        for platform in Platform::all() {
            assert_eq!(platform.to_string().parse(), Ok(platform));
        }
        assert_eq!("linux/arm64/v8".parse::<Platform>().unwrap().to_string(), "linux/arm64");
    }

    #[test]
    fn suggests_a_platform_for_the_words_of_other_formats() {
        let cases = [
            ("x86_64", Some("linux/amd64")),
            ("linux/aarch64", Some("linux/arm64")),
            ("armhf", Some("linux/arm/v7")),
            ("arm/v7", Some("linux/arm/v7")),
            ("windows/amd64", Some("linux/amd64")),
            ("linux/vax", None),
        ];
        for (text, expected) in cases {
            let error = text.parse::<Platform>().unwrap_err();
            let found = error.suggestion.map(|platform| platform.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
