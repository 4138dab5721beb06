//! Relationships between packages (deb-control(5), Debian Policy 7): `a (>= 1) | b:any, c`.
//!
//! Only what binary packages allow: no `[arch]` lists and no `<profile>` lists, which are for
//! source packages.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::version::Version;

/// A list of relationships, all of which must hold; at least one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Relations(Vec<Alternatives>);

/// Relationships of which one must hold; at least one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Alternatives(Vec<Relation>);

/// One relationship.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Relation {
    /// The other package's name.
    pub package: String,
    /// The architecture after the colon: `any` or an architecture's name.
    pub qualifier: Option<String>,
    /// The versions it is about; all if there is none.
    pub version: Option<(Operator, Version)>,
}

/// How the other package's version compares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operator {
    /// `<<`
    Earlier,
    /// `<=`
    EarlierOrEqual,
    /// `=`
    Equal,
    /// `>=`
    LaterOrEqual,
    /// `>>`
    Later,
}

impl Operator {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Earlier, "<<"),
        (Self::EarlierOrEqual, "<="),
        (Self::Equal, "="),
        (Self::LaterOrEqual, ">="),
        (Self::Later, ">>"),
    ];

    /// Returns the operator's sign.
    pub fn sign(self) -> &'static str {
        Self::ALL.iter().find(|(operator, _)| *operator == self).map_or("=", |(_, sign)| sign)
    }
}

/// Text that is no list of relationships.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}`: {reason}")]
pub struct RelationError {
    text: String,
    reason: String,
}

impl Relations {
    /// Returns the lists of alternatives in order.
    pub fn iter(&self) -> impl Iterator<Item = &Alternatives> + '_ {
        self.0.iter()
    }
}

impl Alternatives {
    /// Returns the relationships in order of preference.
    pub fn iter(&self) -> impl Iterator<Item = &Relation> + '_ {
        self.0.iter()
    }

    /// Returns how many relationships there are, which is never 0.
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// Returns what is wrong with a package name (Debian Policy 5.6.1).
pub(super) fn check_package_name(name: &str) -> Result<(), &'static str> {
    let is_start = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if name.len() < 2 {
        return Err("a package name has at least two characters");
    }
    if !name.starts_with(is_start) {
        return Err("a package name starts with a lower-case letter or a digit");
    }
    if !name.chars().all(|c| is_start(c) || "+-.".contains(c)) {
        return Err("a package name has only lower-case letters, digits, `+`, `-` and `.`");
    }
    Ok(())
}

/// Returns what is wrong with an architecture name of a binary package.
pub(super) fn check_architecture(name: &str) -> Result<(), &'static str> {
    let is_start = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if !name.starts_with(is_start) || !name.chars().all(|c| is_start(c) || c == '-') {
        return Err("an architecture has only lower-case letters, digits and `-`");
    }
    if matches!(name, "any" | "native" | "source") {
        return Err("a binary package is for one architecture, or `all`");
    }
    Ok(())
}

impl FromStr for Relations {
    type Err = RelationError;

    fn from_str(text: &str) -> Result<Self, RelationError> {
        let list = |part: &str| part.split('|').map(str::parse).collect::<Result<_, _>>();
        let all: Result<Vec<_>, RelationError> =
            text.split(',').map(|part| Ok(Alternatives(list(part)?))).collect();
        all.map(Self)
    }
}

impl FromStr for Relation {
    type Err = RelationError;

    fn from_str(text: &str) -> Result<Self, RelationError> {
        let text = text.trim();
        let fail =
            |reason: String| RelationError { text: text.escape_default().to_string(), reason };
        if text.is_empty() {
            return Err(fail("expected a package name between the separators".into()));
        }
        if text.contains(['[', ']']) {
            return Err(fail("an architecture list is for source packages only".into()));
        }
        let (target, version) = match text.split_once('(') {
            None => (text, None),
            Some((target, rest)) => {
                let Some(version) = rest.strip_suffix(')') else {
                    return Err(fail("expected `)` at the end".into()));
                };
                (target.trim_end(), Some(parse_version(version).map_err(fail)?))
            }
        };
        let (package, qualifier) = match target.split_once(':') {
            None => (target, None),
            Some((package, qualifier)) => (package, Some(qualifier)),
        };
        check_package_name(package).map_err(|reason| fail(reason.into()))?;
        match qualifier {
            None | Some("any") => {}
            Some(name) => check_architecture(name).map_err(|reason| fail(reason.into()))?,
        }
        Ok(Self { package: package.into(), qualifier: qualifier.map(Into::into), version })
    }
}

/// Parses what stands between the parentheses.
fn parse_version(text: &str) -> Result<(Operator, Version), String> {
    let text = text.trim();
    let end = text.find(|c| !"<=>".contains(c)).unwrap_or(text.len());
    let (sign, version) = text.split_at(end);
    let operator = Operator::ALL.into_iter().find(|(_, known)| *known == sign);
    let Some((operator, _)) = operator else {
        return Err(format!("expected `<<`, `<=`, `=`, `>=` or `>>`, found `{sign}`"));
    };
    let version = version.trim().parse().map_err(|error| format!("{error}"));
    version.map(|version| (operator, version))
}

impl fmt::Display for Relations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, alternatives) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{alternatives}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Alternatives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, relation) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { " | " };
            write!(f, "{separator}{relation}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.package)?;
        if let Some(qualifier) = &self.qualifier {
            write!(f, ":{qualifier}")?;
        }
        match &self.version {
            Some((operator, version)) => write!(f, " ({} {version})", operator.sign()),
            None => Ok(()),
        }
    }
}

impl Serialize for Relations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_canonically() {
        let cases = [
            ("libc6", "libc6"),
            ("libc6(>=2.31)", "libc6 (>= 2.31)"),
            (" libc6 ( >= 2.31 ),a2|b2:any\n", "libc6 (>= 2.31), a2 | b2:any"),
            ("a1:amd64 (<< 1:2-3~), b1 (= 1)|c1 (>> 1) | d1 (<= 1)", {
                "a1:amd64 (<< 1:2-3~), b1 (= 1) | c1 (>> 1) | d1 (<= 1)"
            }),
            ("python3:any,\n g++-12, 0ad", "python3:any, g++-12, 0ad"),
        ];
        for (text, canonical) in cases {
            let relations: Relations = text.parse().unwrap();
            assert_eq!(relations.to_string(), canonical);
            assert_eq!(canonical.parse::<Relations>().unwrap(), relations);
        }
    }

    #[test]
    fn rejects_what_binary_packages_do_not_allow() {
        let cases = [
            ("", "expected a package name"),
            ("aa,", "expected a package name"),
            ("aa,,bb", "expected a package name"),
            ("aa | ", "expected a package name"),
            ("a", "at least two"),
            ("Foo", "starts with"),
            ("foo_x", "only lower-case"),
            ("foo bar", "only lower-case"),
            ("foo (> 1)", "found `>`"),
            ("foo (< 1)", "found `<`"),
            ("foo (== 1)", "found `==`"),
            ("foo (1)", "found ``"),
            ("foo (>= )", "upstream version is empty"),
            ("foo (>= v1)", "start with a digit"),
            ("foo (>= 1", "expected `)`"),
            ("foo (>= 1) x", "expected `)`"),
            ("foo [amd64]", "source packages"),
            ("foo <!nocheck>", "only lower-case"),
            ("foo:native", "one architecture"),
            ("foo:", "an architecture has"),
            ("foo:A", "an architecture has"),
            ("${shlibs:Depends}", "starts with"),
        ];
        for (text, reason) in cases {
            let error = text.parse::<Relations>().unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
