//! Relations between packages, as each package manager writes them.

use std::fmt;

use crate::name::PackageName;
use crate::version::Version;

/// How a version is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operator {
    /// Earlier.
    Less,
    /// Earlier or equal.
    LessEqual,
    /// Equal.
    Equal,
    /// Later or equal.
    GreaterEqual,
    /// Later.
    Greater,
}

impl Operator {
    /// All operators.
    pub const ALL: [Self; 5] =
        [Self::Less, Self::LessEqual, Self::Equal, Self::GreaterEqual, Self::Greater];

    /// Returns the Debian spelling, e.g. `<<`.
    pub fn deb(self) -> &'static str {
        match self {
            Self::Less => "<<",
            Self::LessEqual => "<=",
            Self::Equal => "=",
            Self::GreaterEqual => ">=",
            Self::Greater => ">>",
        }
    }

    /// Returns the RPM spelling, e.g. `<`.
    pub fn rpm(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Equal => "=",
            Self::GreaterEqual => ">=",
            Self::Greater => ">",
        }
    }
}

/// Why text is no relation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not {what}: {reason}", .text.escape_debug())]
pub struct RelationError {
    text: String,
    what: &'static str,
    reason: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// What is wrong, before it is known what was being parsed.
struct Fault {
    reason: String,
    hint: Option<String>,
}

impl Fault {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), hint: None }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    fn about(self, what: &'static str, text: &str) -> RelationError {
        let text = text.chars().take(200).collect();
        RelationError { text, what, reason: self.reason, hint: self.hint }
    }
}

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
    if text.contains(['[', '<']) && !text.contains('(') && text.contains([']', '>']) {
        return Err(Fault::new("a binary package has no architecture or profile restrictions"));
    }
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

fn deb_name(text: &str) -> Result<String, Fault> {
    let (name, qualifier) = text.split_once(':').map_or((text, None), |(a, b)| (a, Some(b)));
    PackageName::parse(name).map_err(|error| Fault::new(error.to_string()))?;
    let word = |word: &str| {
        !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    match qualifier {
        Some(qualifier) if !word(qualifier) => {
            let qualifier = qualifier.escape_debug();
            Err(Fault::new(format!("`{qualifier}` is not an architecture")))
        }
        _ => Ok(text.to_owned()),
    }
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

/// One RPM dependency, e.g. `glibc >= 2.28`, or a rich one in parentheses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RpmRelation {
    /// The capability, or the whole text of a rich dependency.
    pub name: String,
    /// The comparison with `[epoch:]version[-release]`.
    pub constraint: Option<(Operator, String)>,
}

impl RpmRelation {
    /// Parses `NAME`, `NAME OPERATOR VERSION` or a rich dependency in parentheses.
    pub fn parse(text: &str) -> Result<Self, RelationError> {
        rpm_relation(text.trim_matches(' ')).map_err(|fault| fault.about("an RPM dependency", text))
    }

    /// Returns whether this is a rich (boolean) dependency.
    pub fn is_rich(&self) -> bool {
        self.name.starts_with('(')
    }
}

impl fmt::Display for RpmRelation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.constraint {
            Some((operator, version)) => write!(f, " {} {version}", operator.rpm()),
            None => Ok(()),
        }
    }
}

fn rpm_relation(text: &str) -> Result<RpmRelation, Fault> {
    if text.starts_with('(') {
        return rich(text).map(|()| RpmRelation { name: text.into(), constraint: None });
    }
    let mut words = text.split(' ').filter(|word| !word.is_empty());
    let name = words.next().ok_or_else(|| Fault::new("it is empty"))?;
    if name.contains(',') || name.contains(['<', '>', '=']) {
        let fault = Fault::new(format!("`{}` is not a name", name.escape_debug()));
        return Err(fault.hint("write one dependency per element, with spaces around the operator"));
    }
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '/')
        || !name.chars().all(|c| c.is_ascii_graphic())
    {
        return Err(Fault::new(format!("`{}` is not a name", name.escape_debug())));
    }
    let Some(sign) = words.next() else {
        return Ok(RpmRelation { name: name.into(), constraint: None });
    };
    let operator = Operator::ALL.into_iter().find(|operator| operator.rpm() == sign);
    let Some(operator) = operator else {
        let fault = Fault::new(format!(
            "expected `<`, `<=`, `=`, `>=` or `>`, found `{}`",
            sign.escape_debug()
        ));
        let deb = sign.starts_with('(') || sign == "<<" || sign == ">>";
        return Err(if deb { fault.hint("RPM writes `name >= 1.0`") } else { fault });
    };
    let version = words.next().ok_or_else(|| Fault::new("there is no version"))?;
    if let Some(more) = words.next() {
        return Err(Fault::new(format!("unexpected `{}` at its end", more.escape_debug())));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._+~^:-".contains(c);
    match version.chars().find(|c| !allowed(*c)) {
        Some(bad) => Err(Fault::new(format!("`{}` cannot stand in a version", bad.escape_debug()))),
        None => Ok(RpmRelation { name: name.into(), constraint: Some((operator, version.into())) }),
    }
}

/// Checks the parentheses and that something joins two dependencies.
fn rich(text: &str) -> Result<(), Fault> {
    const WORDS: [&str; 7] = [" and ", " or ", " if ", " else ", " with ", " without ", " unless "];
    if !text.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
        return Err(Fault::new("it holds a character that is not printable ASCII"));
    }
    let mut depth = 0_usize;
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && index + 1 < text.len() {
            return Err(Fault::new("it goes on after its closing parenthesis"));
        }
    }
    if depth > 0 {
        return Err(Fault::new("a parenthesis is not closed"));
    }
    if !WORDS.iter().any(|word| text.contains(word)) {
        return Err(Fault::new("expected `and`, `or`, `if`, `with`, `without` or `unless` in it"));
    }
    Ok(())
}

/// A relation in the one syntax that is mapped to every package format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommonRelation {
    pub(crate) deb: DebRelation,
    pub(crate) rpm: RpmRelation,
}

/// Which operators a common relation may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommonKind {
    /// `<` and `>=`, which mean the same to dpkg and rpm whatever the release is.
    Wanted,
    /// `=`, for what the package provides.
    Provided,
}

impl CommonRelation {
    /// Parses `NAME`, `NAME >= VERSION` or `NAME < VERSION`; `NAME = VERSION` for provisions.
    pub(crate) fn parse(text: &str, kind: CommonKind) -> Result<Self, RelationError> {
        common(text, kind).map_err(|fault| fault.about("a relation", text))
    }
}

fn common(text: &str, kind: CommonKind) -> Result<CommonRelation, Fault> {
    let mut words = text.split(' ').filter(|word| !word.is_empty());
    let own = "relations beyond `name >= 1.2` and `name < 2` stand in [deb] and [rpm]";
    let name = words.next().ok_or_else(|| Fault::new("it is empty"))?;
    PackageName::parse(name).map_err(|error| Fault::new(error.to_string()).hint(own))?;
    let Some(sign) = words.next() else {
        let rpm = RpmRelation { name: name.into(), constraint: None };
        return Ok(CommonRelation { deb: DebRelation { text: name.into() }, rpm });
    };
    let operator = match (sign, kind) {
        (">=", CommonKind::Wanted) => Operator::GreaterEqual,
        ("<", CommonKind::Wanted) => Operator::Less,
        ("=", CommonKind::Provided) => Operator::Equal,
        (_, CommonKind::Provided) => {
            return Err(Fault::new(format!("expected `=`, found `{}`", sign.escape_debug())));
        }
        ("=" | "<=" | ">", CommonKind::Wanted) => {
            let reason = format!("dpkg and rpm differ in what `{sign}` says about releases");
            return Err(Fault::new(reason).hint(own));
        }
        (_, CommonKind::Wanted) => {
            let sign = sign.escape_debug();
            return Err(Fault::new(format!("expected `>=` or `<`, found `{sign}`")).hint(own));
        }
    };
    let version = words.next().ok_or_else(|| Fault::new("there is no version"))?;
    if let Some(more) = words.next() {
        return Err(Fault::new(format!("unexpected `{}` at its end", more.escape_debug())));
    }
    let version = Version::parse(version)
        .and_then(|version| version.rpm())
        .map_err(|error| Fault { reason: error.to_string(), hint: error.hint })?;
    let deb = DebRelation { text: format!("{name} ({} {version})", operator.deb()) };
    let rpm = RpmRelation { name: name.into(), constraint: Some((operator, version)) };
    Ok(CommonRelation { deb, rpm })
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
    fn parses_rpm_dependencies() {
        let plain = RpmRelation::parse("glibc  >= 2.28-1^x").unwrap();
        assert_eq!(plain.constraint, Some((Operator::GreaterEqual, "2.28-1^x".into())));
        for text in ["perl(Foo::Bar)", "/usr/bin/sh", "libc.so.6(GLIBC_2.4)(64bit)"] {
            assert_eq!(RpmRelation::parse(text).unwrap().to_string(), text);
        }
        assert!(RpmRelation::parse("(a or (b and c))").unwrap().is_rich());
        let cases = [
            "",
            "a >= ",
            "a >> 1",
            "a (>= 1)",
            "a,b",
            "a>=1",
            "a >= 1 b",
            "a >= 1!",
            "(a or b",
            "(a)",
            "(a or b) c",
            "a\nb",
            "-a",
            "(a\nor b)",
        ];
        for text in cases {
            assert!(RpmRelation::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn maps_common_relations_to_both() {
        let relation = CommonRelation::parse("openssl >= 3.0.0-rc.1", CommonKind::Wanted).unwrap();
        assert_eq!(relation.deb.to_string(), "openssl (>= 3.0.0~rc1)");
        assert_eq!(relation.rpm.to_string(), "openssl >= 3.0.0~rc1");
        let relation = CommonRelation::parse("httpd = 1.0", CommonKind::Provided).unwrap();
        assert_eq!(relation.deb.to_string(), "httpd (= 1.0)");
        for text in ["a1 = 1", "a1 > 1", "a1 <= 1", "a1 (>= 1)", "a1 >=", "a1 >= x", "A"] {
            assert!(CommonRelation::parse(text, CommonKind::Wanted).is_err(), "{text}");
        }
        assert!(CommonRelation::parse("a1 >= 1", CommonKind::Provided).is_err());
    }
}
