//! Debian relations (Debian policy 7.1).

use std::fmt;

use super::{Fault, Operator, RelationError};
use crate::name::PackageName;

/// One element of a Debian relation field, e.g. `libc6 (>= 2.31) | libc6-udeb` (Debian policy 7.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DebRelation {
    text: String,
}

impl DebRelation {
    /// Parses one element: alternatives with `|`, each a name and perhaps a version.
    pub fn parse(text: &str) -> Result<Self, RelationError> {
        let parts: Result<Vec<_>, _> = text.split('|').map(deb_alternative).collect();
        match parts {
            Ok(parts) => Ok(Self { text: parts.join(" | ") }),
            Err(fault) => Err(fault.about("a Debian relation", text)),
        }
    }

    /// Returns the relation to one package whose name and version are known to be valid.
    pub(super) fn of(name: &str, version: Option<(Operator, &str)>) -> Self {
        Self {
            text: match version {
                Some((operator, version)) => format!("{name} ({} {version})", operator.deb()),
                None => name.to_owned(),
            },
        }
    }

    /// Returns whether this names one package in one version, as `Built-Using` demands.
    pub fn is_exact(&self) -> bool {
        self.is_provision() && self.text.contains("(= ")
    }

    /// Returns whether this names one package, or one with `=`, as `Provides` demands.
    pub fn is_provision(&self) -> bool {
        !self.text.contains('|') && (!self.text.contains('(') || self.text.contains("(= "))
    }

    /// Returns the name of the first alternative.
    pub fn name(&self) -> &str {
        self.text.split([' ', ':']).next().unwrap_or_default()
    }
}

impl fmt::Display for DebRelation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn deb_alternative(text: &str) -> Result<String, Fault> {
    let text = text.trim_matches(' ');
    if text.contains(',') {
        return Err(Fault::new("it holds a comma").hint("write every relation as its own element"));
    }
    check_left_overs(text)?;
    let Some((name, rest)) = text.split_once('(') else {
        if let Some((name, rest)) = text.split_once([' ', '<', '=', '>']) {
            let rest = text.get(name.len()..).unwrap_or(rest).trim_matches(' ');
            let fault = Fault::new(format!("unexpected `{}` after the name", rest.escape_debug()));
            return Err(fault.hint(format!("a version stands in parentheses: `{name} (>= 1.0)`")));
        }
        return deb_name(text);
    };
    let name = deb_name(name.trim_end_matches(' '))?;
    let Some(inside) = rest.strip_suffix(')') else {
        return Err(Fault::new("the parenthesis is not closed at its end"));
    };
    let inside = inside.trim_matches(' ');
    let end = inside.find(|c| !"<>=".contains(c)).unwrap_or(inside.len());
    let (sign, version) = inside.split_at(end);
    if sign == "<" || sign == ">" {
        let fault = Fault::new(format!("Debian has no operator `{sign}`"));
        return Err(fault.hint(format!("write `{sign}{sign}` or `{sign}=`")));
    }
    if !Operator::ALL.iter().any(|operator| operator.deb() == sign) {
        let found = if sign.is_empty() { inside } else { sign };
        let found = found.escape_debug();
        return Err(Fault::new(format!("expected `<<`, `<=`, `=`, `>=` or `>>`, found `{found}`")));
    }
    let version = deb_version(version.trim_start_matches(' '))?;
    Ok(format!("{name} ({sign} {version})"))
}

/// Refuses what only the control file of a source package may hold.
fn check_left_overs(text: &str) -> Result<(), Fault> {
    if text.contains("${") {
        let fault = Fault::new("variables are filled in by Debian's build tools only");
        let library = text.contains("shlibs");
        return Err(fault.hint(if library {
            "`auto-depends = \"on\"` finds what libraries need"
        } else {
            "write out what it stands for"
        }));
    }
    let outside = match text.split_once('(') {
        Some((before, rest)) => format!("{before}{}", rest.rsplit_once(')').unwrap_or_default().1),
        None => text.to_owned(),
    };
    let start = outside.find('[').or_else(|| outside.find('<').filter(|_| outside.contains('>')));
    let Some(found) = start.and_then(|start| outside.get(start..)) else { return Ok(()) };
    if found.starts_with("<=") || found.starts_with("<<") {
        return Ok(());
    }
    let what = if found.starts_with('[') { "architectures" } else { "build profiles" };
    let fault = Fault::new(format!("a binary package cannot restrict a relation to {what}"));
    Err(fault.hint(format!("leave `{}` out: only source packages have it", found.escape_debug())))
}

fn deb_name(text: &str) -> Result<String, Fault> {
    let (name, qualifier) = text.split_once(':').map_or((text, None), |(a, b)| (a, Some(b)));
    PackageName::parse(name).map_err(|error| Fault::new(error.to_string()))?;
    let word = |word: &str| {
        let mut parts = word.split('-');
        parts.all(|part| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        })
    };
    match qualifier {
        Some("native") => {
            Err(Fault::new("`:native` is for what a build needs").hint("write `:any` or no suffix"))
        }
        Some(qualifier) if !word(qualifier) => {
            let qualifier = qualifier.escape_debug();
            Err(Fault::new(format!("`{qualifier}` is not an architecture")))
        }
        _ => Ok(text.to_owned()),
    }
}

/// Checks a version as dpkg does.
pub(crate) fn check_deb_version(text: &str) -> Result<(), RelationError> {
    deb_version(text).map(|_| ()).map_err(|fault| fault.about("a version", text))
}

/// Checks `NAME` or `NAME (VERSION)` (Debian policy 5.6.1).
pub(crate) fn check_deb_source(text: &str) -> Result<(), RelationError> {
    let check = || {
        let (name, version) = match text.split_once(" (") {
            Some((name, rest)) => (name, Some(rest.strip_suffix(')').unwrap_or_default())),
            None => (text, None),
        };
        PackageName::parse(name).map_err(|error| Fault::new(error.to_string()))?;
        version.map_or(Ok(()), |version| deb_version(version).map(|_| ()))
    };
    let example = |fault: Fault| match fault.hint {
        Some(_) => fault,
        None => fault.hint("e.g. `catalog` or `catalog (1.4.0-2)`"),
    };
    check().map_err(|fault| example(fault).about("a source package", text))
}

fn deb_version(text: &str) -> Result<&str, Fault> {
    let upstream = match text.split_once(':') {
        Some((epoch, rest)) if epoch.parse::<i32>().is_ok_and(|epoch| epoch >= 0) => rest,
        Some(_) => return Err(Fault::new("the epoch of the version is not a number")),
        None => text,
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".+-~".contains(c);
    if !upstream.starts_with(|c: char| c.is_ascii_digit()) {
        let text = text.escape_debug();
        return Err(Fault::new(format!("the version must start with a digit, found `{text}`")));
    }
    match upstream.chars().find(|c| !allowed(*c)) {
        Some(bad) => {
            let bad = bad.escape_debug();
            Err(Fault::new(format!("`{bad}` cannot stand in a version")))
        }
        None if upstream.ends_with('-') => Err(Fault::new("the version ends with `-`")),
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_debian_relations_in_one_spelling() {
        let cases = [
            ("libc6", "libc6"),
            ("libc6(>=2.31)", "libc6 (>= 2.31)"),
            ("a1 ( << 1:2.0-1~x ) |b1", "a1 (<< 1:2.0-1~x) | b1"),
            ("python3:any (= 3.11)", "python3:any (= 3.11)"),
            ("gcc:kfreebsd-amd64|a1:amd64 (<< 2)", "gcc:kfreebsd-amd64 | a1:amd64 (<< 2)"),
        ];
        for (text, expected) in cases {
            assert_eq!(DebRelation::parse(text).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn rejects_what_dpkg_would() {
        let cases = [
            "",
            "A",
            "a1 >= 1",
            "a1, b1",
            "a1 (> 1)",
            "a1 (>= v1)",
            "a1 (>= 1",
            "a1 (1)",
            "a1 (>= 1) x",
            "a1 |",
            "a1 [amd64]",
            "a1 <!nocheck>",
            "a1 (>= 1) [amd64 arm64]",
            "a1 (>= 1) <!nocheck>",
            "a1:native",
            "a1:-",
            "${shlibs:Depends}",
            "a1 (>= 1:2:3)",
            "a1 (>= 1-)",
            "a1\n",
            "a1 (>= 1\nX: y)",
            "a1:",
            "a1:A",
            "a1 (=> 1)",
        ];
        for text in cases {
            assert!(DebRelation::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn tells_restrictions_from_operators() {
        let reason = |text| DebRelation::parse(text).unwrap_err().to_string();
        for text in ["a1 [amd64]", "a1 (>= 1) [!amd64]", "a1[amd64]"] {
            assert!(reason(text).contains("architectures"), "{text}: {}", reason(text));
        }
        assert!(reason("a1 (>= 1) <!nocheck>").contains("profiles"));
        assert!(reason("a1 < 2").contains("after the name"));
        assert!(reason("a1 << 2").contains("after the name"));
    }

    #[test]
    fn source_packages_have_names_and_perhaps_versions() {
        for text in ["catalog", "catalog (1:1.4.0-2)"] {
            assert!(check_deb_source(text).is_ok(), "{text}");
        }
        for text in ["", "A", "catalog 1.4", "catalog (1.4", "catalog ()", "catalog (= 1)"] {
            assert!(check_deb_source(text).is_err(), "{text}");
        }
    }
}
