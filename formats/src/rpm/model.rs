//! What an rpm stores besides the tree.

use serde::Serialize;

use super::architecture;
use super::dependency::{Dependency, check_version_part};
use crate::encode::Compression;
use crate::format::WriteError;
use crate::tree::TreeId;

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
    /// What the package needs and has; what follows from the payload is added by the writer.
    pub relations: Relations,
    /// What runs when the package comes and goes.
    pub scripts: Scripts,
    /// The changelog, newest entry first.
    pub changelog: Vec<Change>,
    /// How the payload is compressed.
    pub compression: Compression,
    /// The identity of the payload's tree, kept in `COOKIE`.
    pub tree_id: Option<TreeId>,
}

/// What a package needs and has, in the order of the header.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Relations {
    /// `REQUIRENAME`
    pub requires: Vec<Dependency>,
    /// `PROVIDENAME`, without the package itself.
    pub provides: Vec<Dependency>,
    /// `CONFLICTNAME`
    pub conflicts: Vec<Dependency>,
    /// `OBSOLETENAME`
    pub obsoletes: Vec<Dependency>,
    /// `RECOMMENDNAME`
    pub recommends: Vec<Dependency>,
    /// `SUGGESTNAME`
    pub suggests: Vec<Dependency>,
    /// `SUPPLEMENTNAME`
    pub supplements: Vec<Dependency>,
    /// `ENHANCENAME`
    pub enhances: Vec<Dependency>,
}

/// What runs when a package comes and goes.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Scripts {
    /// `PREIN`: before files are installed.
    pub pre: Option<Script>,
    /// `POSTIN`: after files were installed.
    pub post: Option<Script>,
    /// `PREUN`: before files are removed.
    pub preun: Option<Script>,
    /// `POSTUN`: after files were removed.
    pub postun: Option<Script>,
    /// `PRETRANS`: before the transaction.
    pub pretrans: Option<Script>,
    /// `POSTTRANS`: after the transaction.
    pub posttrans: Option<Script>,
}

/// One script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Script {
    /// The program's path, or `<lua>` for the interpreter within rpm.
    pub interpreter: String,
    /// The program's arguments, before the script's path.
    pub arguments: Vec<String>,
    /// The script itself.
    pub body: String,
}

impl Script {
    /// Returns a script for `/bin/sh`.
    pub fn shell(body: impl Into<String>) -> Self {
        Self { interpreter: "/bin/sh".into(), arguments: Vec::new(), body: body.into() }
    }
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
enum Lines {
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
            relations: Relations::default(),
            scripts: Scripts::default(),
            changelog: Vec::new(),
            compression: Compression::ZSTD,
            tree_id: None,
        }
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
        self.scripts.validate()?;
        self.relations.validate()
    }
}

impl Relations {
    fn validate(&self) -> Result<(), WriteError> {
        let kinds = [
            ("requires", &self.requires),
            ("provides", &self.provides),
            ("conflicts", &self.conflicts),
            ("obsoletes", &self.obsoletes),
            ("recommends", &self.recommends),
            ("suggests", &self.suggests),
            ("supplements", &self.supplements),
            ("enhances", &self.enhances),
        ];
        for (name, dependencies) in kinds {
            for dependency in dependencies {
                dependency.validate().or_else(|error| field(name, error.to_string()))?;
                if dependency.is_rich() && matches!(name, "provides" | "obsoletes") {
                    let reason = format!("`{dependency}`: rpm allows no boolean expression here");
                    return field(name, reason);
                }
            }
        }
        let unequal = self.provides.iter().find(|provided| {
            let operator = provided.version.as_ref().map(|(operator, _)| *operator);
            operator.is_some_and(|operator| operator != super::dependency::Operator::Equal)
        });
        match unequal {
            None => Ok(()),
            Some(dependency) => {
                field("provides", format!("`{dependency}`: a version is provided with `=` only"))
            }
        }
    }
}

impl Scripts {
    /// Returns all scripts with their field names.
    fn named(&self) -> [(&'static str, Option<&Script>); 6] {
        [
            ("pre", self.pre.as_ref()),
            ("post", self.post.as_ref()),
            ("preun", self.preun.as_ref()),
            ("postun", self.postun.as_ref()),
            ("pretrans", self.pretrans.as_ref()),
            ("posttrans", self.posttrans.as_ref()),
        ]
    }

    fn validate(&self) -> Result<(), WriteError> {
        for (name, script) in self.named() {
            let Some(Script { interpreter, arguments, body }) = script else { continue };
            check_text(name, interpreter, Lines::One)?;
            if !interpreter.starts_with('/') && interpreter != "<lua>" {
                let reason = format!("the interpreter `{interpreter}` is no path and not <lua>");
                return field(name, reason);
            }
            arguments.iter().try_for_each(|argument| check_text(name, argument, Lines::One))?;
            if body.contains('\0') {
                return field(name, "the script has a NUL byte".into());
            }
        }
        Ok(())
    }
}

fn field<T>(field: &str, reason: String) -> Result<T, WriteError> {
    Err(WriteError::Field { format: "rpm", field: field.into(), reason })
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

fn check_text(name: &str, text: &str, lines: Lines) -> Result<(), WriteError> {
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
        let cases: [(&str, Change); 22] = [
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
