//! One dependency: what a package requires, provides and so on.
//!
//! The text form is that of spec files: `NAME`, `NAME OP [EPOCH:]VERSION[-RELEASE]` with blanks
//! around the operator, or a boolean expression in parentheses (rpm's
//! `docs/manual/boolean_dependencies.md`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How versions must compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operator {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `=`
    Equal,
    /// `>=`
    GreaterOrEqual,
    /// `>`
    Greater,
}

impl Operator {
    const ALL: [Self; 5] =
        [Self::Less, Self::LessOrEqual, Self::Equal, Self::GreaterOrEqual, Self::Greater];

    /// Returns the operator as it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Equal => "=",
            Self::GreaterOrEqual => ">=",
            Self::Greater => ">",
        }
    }

    /// Returns the bits of `RPMSENSE_SENSEMASK`.
    pub(super) fn sense(self) -> u32 {
        const LESS: u32 = 1 << 1;
        const GREATER: u32 = 1 << 2;
        const EQUAL: u32 = 1 << 3;
        match self {
            Self::Less => LESS,
            Self::LessOrEqual => LESS | EQUAL,
            Self::Equal => EQUAL,
            Self::GreaterOrEqual => GREATER | EQUAL,
            Self::Greater => GREATER,
        }
    }

    /// Returns the operator of the bits of `RPMSENSE_SENSEMASK`.
    pub(super) fn from_sense(sense: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|operator| operator.sense() == sense & 0xf)
    }

    fn parse(symbol: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operator| operator.symbol() == symbol)
    }
}

/// One dependency.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Dependency {
    /// A name, a path, or a boolean expression with its parentheses.
    pub name: String,
    /// Which versions are meant; all of them without.
    pub version: Option<(Operator, String)>,
}

/// Text that is no dependency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a dependency: {reason}")]
pub struct DependencyError {
    text: String,
    reason: String,
}

impl Dependency {
    /// Returns a dependency on a name in any version.
    pub fn on(name: impl Into<String>) -> Self {
        Self { name: name.into(), version: None }
    }

    /// Returns a dependency on certain versions of a name.
    pub fn versioned(name: impl Into<String>, op: Operator, version: impl Into<String>) -> Self {
        Self { name: name.into(), version: Some((op, version.into())) }
    }

    /// Returns the bits of `RPMSENSE_SENSEMASK`.
    pub(super) fn sense(&self) -> u32 {
        self.version.as_ref().map_or(0, |(operator, _)| operator.sense())
    }

    /// Returns what rpm sorts by, before flags.
    pub(super) fn sort_key(&self) -> (&str, &str) {
        (&self.name, self.version.as_ref().map_or("", |(_, version)| version))
    }

    /// Returns whether this is a boolean expression.
    pub fn is_rich(&self) -> bool {
        self.name.starts_with('(')
    }

    /// Returns all versions that are spoken of, also those within a boolean expression.
    pub(super) fn versions(&self) -> Vec<&str> {
        match &self.version {
            Some((_, version)) => vec![version],
            None if self.is_rich() => {
                let words: Vec<&str> = self.name.split_ascii_whitespace().collect();
                let pairs = words.windows(2);
                let versions = pairs.filter(|pair| Operator::parse(pair[0]).is_some());
                versions.map(|pair| word(pair[1]).0).collect()
            }
            None => Vec::new(),
        }
    }

    /// Checks what [`Dependency::from_str`] checks.
    pub(super) fn validate(&self) -> Result<(), DependencyError> {
        let fail = |reason: String| DependencyError { text: self.to_string(), reason };
        if self.is_rich() {
            if self.version.is_some() {
                return Err(fail("a boolean expression has no version of its own".into()));
            }
            return check_rich(&self.name).map_err(fail);
        }
        check_name(&self.name).map_err(fail)?;
        let Some((_, version)) = &self.version else { return Ok(()) };
        if self.name.starts_with('/') {
            return Err(fail("a path has no version".into()));
        }
        check_version(version).map_err(fail)
    }
}

impl FromStr for Dependency {
    type Err = DependencyError;

    fn from_str(text: &str) -> Result<Self, DependencyError> {
        let fail = |reason: &str| DependencyError { text: text.into(), reason: reason.into() };
        let text = text.trim_matches(' ');
        let dependency = if text.starts_with('(') {
            Self::on(text)
        } else {
            let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
            match words.as_slice() {
                [name] => Self::on(*name),
                [name, symbol, version] => {
                    let operator = Operator::parse(symbol)
                        .ok_or_else(|| fail("expected one of <, <=, =, >=, > after the name"))?;
                    Self::versioned(*name, operator, *version)
                }
                _ => return Err(fail("expected `NAME` or `NAME OPERATOR VERSION`")),
            }
        };
        dependency.validate()?;
        Ok(dependency)
    }
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.version {
            Some((operator, version)) => write!(f, " {} {version}", operator.symbol()),
            None => Ok(()),
        }
    }
}

impl Serialize for Dependency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Dependency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let first = name.chars().next();
    if !first.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == '/') {
        return Err("a name starts with a letter, a digit, `_` or `/`".into());
    }
    if name.starts_with("rpmlib(") {
        return Err("requirements on rpm itself are added where they are needed".into());
    }
    let mut depth = 0_usize;
    for c in name.chars() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' if depth == 0 => return Err(format!("`{c}` closes nothing")),
            ')' | ']' => depth -= 1,
            '<' | '>' | '=' if depth == 0 => {
                return Err(format!("expected blanks around the operator at `{c}`"));
            }
            '!'..='~' if c != ',' && c != '"' => {}
            _ => return Err(format!("a name has no {c:?}")),
        }
    }
    if depth == 0 { Ok(()) } else { Err("a parenthesis is not closed".into()) }
}

/// Checks `[EPOCH:]VERSION[-RELEASE]`.
fn check_version(text: &str) -> Result<(), String> {
    let version = match text.split_once(':') {
        None => text,
        Some((epoch, version)) if epoch.parse::<u32>().is_ok() && !epoch.starts_with('+') => {
            version
        }
        Some((epoch, _)) => return Err(format!("expected a number as the epoch, found `{epoch}`")),
    };
    let (version, release) = match version.split_once('-') {
        None => (version, None),
        Some((version, release)) => (version, Some(release)),
    };
    check_version_part(version)?;
    release.map_or(Ok(()), check_version_part)
}

/// Checks a version or a release by itself: rpm's `ALLOWED_CHARS_VERREL`, without macros.
pub(super) fn check_version_part(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("a version or release is not empty".into());
    }
    let allowed = |c: &char| c.is_ascii_alphanumeric() || "._+~^".contains(*c);
    match text.chars().find(|c| !allowed(c)) {
        None => Ok(()),
        Some(c) => Err(format!("expected letters, digits and `._+~^`, found {c:?} in `{text}`")),
    }
}

/// How deep boolean expressions may nest.
const MAX_DEPTH: usize = 32;

/// Checks a whole boolean expression.
fn check_rich(text: &str) -> Result<(), String> {
    if let Some(c) = text.chars().find(|c| !matches!(c, ' '..='~')) {
        return Err(format!("a boolean expression has no {c:?}"));
    }
    let rest = check_expression(text, MAX_DEPTH)?;
    if rest.is_empty() { Ok(()) } else { Err(format!("found `{rest}` after the expression")) }
}

/// Checks the expression at the start and returns what follows it.
fn check_expression(text: &str, depth: usize) -> Result<&str, String> {
    if depth == 0 {
        return Err(format!("expressions nest at most {MAX_DEPTH} deep"));
    }
    let mut rest = text.strip_prefix('(').ok_or("expected `(`")?;
    let mut before: Option<&str> = None;
    loop {
        rest = check_operand(rest.trim_start_matches(' '), depth)?.trim_start_matches(' ');
        if let Some(rest) = rest.strip_prefix(')') {
            return Ok(rest);
        }
        let (word, after) = rest.split_once(' ').ok_or("a parenthesis is not closed")?;
        match (before, word) {
            (None, "and" | "or" | "with" | "without" | "if" | "unless") => {}
            (Some("if" | "unless"), "else") => {}
            (Some(same), "and" | "or" | "with") if same == word => {}
            (None, _) => return Err(format!("`{word}` is no boolean operator")),
            (Some(before), _) => return Err(format!("`{word}` cannot follow `{before}`")),
        }
        before = Some(word);
        rest = after;
    }
}

/// Checks one operand at the start, `NAME [OP VERSION]` or an expression, and returns the rest.
fn check_operand(text: &str, depth: usize) -> Result<&str, String> {
    if text.starts_with('(') {
        return check_expression(text, depth - 1);
    }
    let (name, rest) = word(text);
    check_name(name)?;
    let (symbol, after) = word(rest.trim_start_matches(' '));
    if Operator::parse(symbol).is_none() {
        return Ok(rest);
    }
    let (version, rest) = word(after.trim_start_matches(' '));
    check_version(version)?;
    Ok(rest)
}

/// Splits before the first blank, or before a parenthesis that closes more than was opened.
fn word(text: &str) -> (&str, &str) {
    let mut depth = 0_usize;
    let end = text.find(|c| match c {
        ' ' => true,
        '(' => {
            depth += 1;
            false
        }
        ')' if depth == 0 => true,
        ')' => {
            depth -= 1;
            false
        }
        _ => false,
    });
    text.split_at(end.unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_prints_the_form_of_spec_files() {
        let cases = [
            "glibc",
            "glibc >= 2.28",
            "a = 1:2.0~rc1-3.el9",
            "b < 1",
            "c <= 1^git2",
            "d > 1+2_3",
            "libc.so.6(GLIBC_2.34)(64bit)",
            "font(:lang=en)",
            "python3.11dist(requests[socks])",
            "perl(Foo::Bar) >= 1.2",
            "/usr/bin/env",
            "(a or b)",
            "(a >= 1.0 and b(x) and (c if d else e))",
            "(pkg with pkg < 2)",
        ];
        for text in cases {
            let dependency: Dependency = text.parse().unwrap();
            assert_eq!(dependency.to_string(), text);
            let json = serde_json::to_string(&dependency).unwrap();
            assert_eq!(serde_json::from_str::<Dependency>(&json).unwrap(), dependency);
        }
        let spaced: Dependency = "  a   >=  1 ".parse().unwrap();
        assert_eq!(spaced, Dependency::versioned("a", Operator::GreaterOrEqual, "1"));
    }

    #[test]
    fn rejects_what_is_no_dependency() {
        let deep = format!("{}a{}", "(".repeat(40), ")".repeat(40));
        let cases = [
            "",
            " ",
            "a b",
            "a >= ",
            "a >= 1 2",
            "a => 1",
            "a == 1",
            "a>=1",
            "a>= 1",
            "a >= 1-2-3",
            "a >= x:1",
            "a >= +1:1",
            "a >= -1",
            "a >= 1-",
            "a >= 1/2",
            "-a",
            "a,b",
            "a\tb",
            "a\n",
            "caf\u{e9}",
            "a(b",
            "a)b",
            "/bin/sh >= 1",
            "rpmlib(FileCaps) <= 4.6.1-1",
            "(a or b) >= 1",
            "(a or b",
            "(a or b))",
            "(a xor b)",
            "(a and b or c)",
            "(a if b if c)",
            "()",
            "(a or)",
            "(a >= 1/2 or b)",
            "(a or rpmlib(FileCaps))",
            &deep,
        ];
        for text in cases {
            assert!(text.parse::<Dependency>().is_err(), "{text}");
        }
    }

    #[test]
    fn finds_the_versions_within_an_expression() {
        let dependency: Dependency = "(a >= 1~x and (b or c = 2))".parse().unwrap();
        assert_eq!(dependency.versions(), ["1~x", "2"]);
    }

    #[test]
    fn operators_and_sense_bits_are_one_to_one() {
        for operator in Operator::ALL {
            assert_eq!(Operator::from_sense(operator.sense() | 1 << 28), Some(operator));
        }
        assert_eq!(Operator::from_sense(0), None);
    }
}
