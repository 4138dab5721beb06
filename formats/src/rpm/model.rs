//! What an rpm stores besides the tree.

use serde::Serialize;

use super::architecture;
use super::dependency::check_version_part;
use super::relations::Relations;
use super::scripts::Scripts;
use super::triggers::Triggers;
use crate::encode::Compression;
use crate::format::WriteError;
use crate::tree::{TreeId, TreePath};

/// The version of the package format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RpmFormat {
    /// What every rpm reads.
    #[default]
    V4,
    /// What rpm from 4.20 on reads and rpm 6 writes by default: SHA-256, SHA-512 and SHA3-256
    /// digests only, sizes of 64 bits, any number of signatures.
    V6,
}

/// The metadata of a binary package.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Package {
    /// `NAME`: letters, digits and `._+-`, starting with a letter, a digit or `_`.
    pub name: String,
    /// `EPOCH`; none and 0 compare equal, but are not the same bytes.
    pub epoch: Option<u32>,
    /// `VERSION`: letters, digits and `._+~^`.
    pub version: String,
    /// `RELEASE`: letters, digits and `._+~^`.
    pub release: String,
    /// `ARCH`, by RPM's name, e.g. `x86_64` or `noarch`.
    pub arch: String,
    /// `SUMMARY`: one line.
    pub summary: String,
    /// `DESCRIPTION`: lines.
    pub description: String,
    /// `LICENSE`: an SPDX expression.
    pub license: String,
    /// `URL`
    pub url: Option<String>,
    /// `VENDOR`
    pub vendor: Option<String>,
    /// `PACKAGER`
    pub packager: Option<String>,
    /// `GROUP`
    pub group: Option<String>,
    /// `BUGURL`
    pub bug_url: Option<String>,
    /// `VCS`: where the source is kept.
    pub vcs: Option<String>,
    /// `DISTRIBUTION`
    pub distribution: Option<String>,
    /// `PREFIXES`: directories that whoever installs may exchange for others.
    pub prefixes: Vec<String>,
    /// The version of the package format.
    pub format: RpmFormat,
    /// What the package needs and has; what follows from the payload is added by the writer.
    pub relations: Relations,
    /// What runs when the package comes and goes.
    pub scripts: Scripts,
    /// What runs when others come and go.
    pub triggers: Triggers,
    /// The changelog, newest entry first.
    pub changelog: Vec<Change>,
    /// How the payload is compressed.
    pub compression: Compression,
    /// The identity of the payload's tree, kept in `COOKIE`.
    pub tree_id: Option<TreeId>,
}

/// One entry of the changelog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// `CHANGELOGTIME`: seconds since 1970.
    pub time: u32,
    /// `CHANGELOGNAME`, e.g. `Jo Doe <jo@example.com> - 1.0-1`.
    pub author: String,
    /// `CHANGELOGTEXT`: lines.
    pub text: String,
}

/// Whether text may have several lines.
#[derive(Clone, Copy)]
pub(super) enum Lines {
    One,
    Many,
}

impl Package {
    /// Returns a package of which only the identity is known, zstd-compressed; `summary`,
    /// `description` and `license` must be set before it is valid.
    pub fn new(
        name: impl Into<String>,
        version: impl Into<String>,
        release: impl Into<String>,
        arch: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            epoch: None,
            version: version.into(),
            release: release.into(),
            arch: arch.into(),
            summary: String::new(),
            description: String::new(),
            license: String::new(),
            url: None,
            vendor: None,
            packager: None,
            group: None,
            bug_url: None,
            vcs: None,
            distribution: None,
            prefixes: Vec::new(),
            format: RpmFormat::V4,
            relations: Relations::default(),
            scripts: Scripts::default(),
            triggers: Triggers::default(),
            changelog: Vec::new(),
            compression: Compression::ZSTD,
            tree_id: None,
        }
    }

    /// Returns `NAME-[EPOCH:]VERSION-RELEASE`.
    pub fn nevr(&self) -> String {
        format!("{}-{}", self.name, self.evr())
    }

    /// Returns `[EPOCH:]VERSION-RELEASE`, as dependencies spell it.
    pub fn evr(&self) -> String {
        let Self { version, release, .. } = self;
        match self.epoch {
            Some(epoch) => format!("{epoch}:{version}-{release}"),
            None => format!("{version}-{release}"),
        }
    }

    /// Checks that the format can carry every field.
    pub fn validate(&self) -> Result<(), WriteError> {
        check_name(&self.name).or_else(|reason| field("name", reason))?;
        for (name, part) in [("version", &self.version), ("release", &self.release)] {
            check_version_part(part).or_else(|reason| field(name, reason))?;
        }
        if architecture::find(&self.arch).is_none() {
            let known = architecture::names();
            let reason = format!("`{}` is unknown to rpm: expected one of {known}", self.arch);
            return field("arch", reason);
        }
        check_text("summary", &self.summary, Lines::One)?;
        check_text("description", &self.description, Lines::Many)?;
        check_text("license", &self.license, Lines::One)?;
        let optional = [
            ("url", &self.url),
            ("vendor", &self.vendor),
            ("packager", &self.packager),
            ("group", &self.group),
            ("bug_url", &self.bug_url),
            ("vcs", &self.vcs),
            ("distribution", &self.distribution),
        ];
        for (name, text) in optional {
            text.as_deref().map_or(Ok(()), |text| check_text(name, text, Lines::One))?;
        }
        for change in &self.changelog {
            check_text("changelog author", &change.author, Lines::One)?;
            check_text("changelog text", &change.text, Lines::Many)?;
        }
        let (lowest, highest) = self.compression.codec.levels();
        if !(lowest.min(1)..=highest).contains(&self.compression.level) {
            return field("compression", format!("{} is not a level", self.compression.level));
        }
        self.prefixes.iter().try_for_each(|prefix| check_prefix(prefix))?;
        self.scripts.validate()?;
        self.triggers.validate()?;
        self.relations.validate()
    }
}

pub(super) fn field<T>(field: &str, reason: String) -> Result<T, WriteError> {
    Err(WriteError::Field { format: "rpm", field: field.into(), reason })
}

fn check_prefix(prefix: &str) -> Result<(), WriteError> {
    match TreePath::parse(prefix) {
        Ok(path) if path.absolute() == prefix.as_bytes() && !path.is_root() => Ok(()),
        _ => field("prefixes", format!("`{prefix}` is not an absolute, normal path below `/`")),
    }
}

/// Checks a package name: rpm's `ALLOWED_CHARS_NAME`, without macros.
fn check_name(name: &str) -> Result<(), String> {
    let first = name.chars().next();
    if !first.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(format!("`{name}` does not start with a letter, a digit or `_`"));
    }
    let allowed = |c: &char| c.is_ascii_alphanumeric() || "._+-".contains(*c);
    match name.chars().find(|c| !allowed(c)) {
        None => Ok(()),
        Some(c) => Err(format!("expected letters, digits and `._+-`, found {c:?} in `{name}`")),
    }
}

pub(super) fn check_text(name: &str, text: &str, lines: Lines) -> Result<(), WriteError> {
    if text.is_empty() {
        return field(name, "it is empty".into());
    }
    let allowed = |c: char| match lines {
        Lines::One => !c.is_control(),
        Lines::Many => !c.is_control() || c == '\n' || c == '\t',
    };
    match text.chars().find(|c| !allowed(*c)) {
        None => Ok(()),
        Some(c) => field(name, format!("expected printable text, found {c:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpm::{Dependency, Script};

    fn package() -> Package {
        Package {
            summary: "a summary".into(),
            description: "a description".into(),
            license: "MIT".into(),
            ..Package::new("hello", "1.0", "1", "x86_64")
        }
    }

    #[test]
    fn accepts_what_rpm_accepts() {
        let mut package = package();
        package.name = "lib_x++-2.0".into();
        package.version = "1.0~rc1^git2+x_y".into();
        package.description = "one\n\n\ttwo".into();
        package.summary = "caf\u{e9}".into();
        package.scripts.pre = Some(Script::shell("true\r\n"));
        package.validate().unwrap();
        assert_eq!(package.evr(), "1.0~rc1^git2+x_y-1");
        package.epoch = Some(0);
        assert_eq!(package.evr(), "0:1.0~rc1^git2+x_y-1");
    }

    #[test]
    fn names_the_field_that_the_format_forbids() {
        type Change = fn(&mut Package);
        let cases: [(&str, Change); 24] = [
            ("prefixes", |p| p.prefixes = vec!["opt".into()]),
            ("prefixes", |p| p.prefixes = vec!["/opt/".into()]),
            ("name", |p| p.name = String::new()),
            ("name", |p| p.name = "-x".into()),
            ("name", |p| p.name = "a b".into()),
            ("name", |p| p.name = "a/b".into()),
            ("version", |p| p.version = "1-2".into()),
            ("version", |p| p.version = String::new()),
            ("release", |p| p.release = "1/2".into()),
            ("arch", |p| p.arch = "amd64".into()),
            ("summary", |p| p.summary = "a\nb".into()),
            ("summary", |p| p.summary = String::new()),
            ("description", |p| p.description = "a\0b".into()),
            ("license", |p| p.license = "\u{1b}[1m".into()),
            ("url", |p| p.url = Some("a\nb".into())),
            ("vendor", |p| p.vendor = Some(String::new())),
            ("group", |p| p.group = Some("\t".into())),
            ("compression", |p| p.compression.level = 0),
            ("post", |p| p.scripts.post = Some(Script::shell("a\0"))),
            ("pre", |p| {
                p.scripts.pre = Some(Script { interpreter: "sh".into(), ..Script::shell("") });
            }),
            ("requires", |p| p.relations.requires = vec![Dependency::on("a b")]),
            ("provides", |p| p.relations.provides = vec!["a >= 1".parse().unwrap()]),
            ("obsoletes", |p| p.relations.obsoletes = vec!["(a or b)".parse().unwrap()]),
            ("changelog author", |p| {
                let (author, text) = ("a\n".into(), "x".into());
                p.changelog = vec![super::Change { time: 0, author, text }];
            }),
        ];
        for (name, change) in cases {
            let mut package = package();
            change(&mut package);
            match package.validate() {
                Err(WriteError::Field { field, .. }) => assert_eq!(field, name),
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}
