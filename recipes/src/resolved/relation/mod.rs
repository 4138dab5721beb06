//! Relations between packages, as each package manager writes them.

mod capability;
mod deb;
mod rich;
mod rpm;

pub use deb::DebRelation;
pub(crate) use deb::{check_deb_source, check_deb_version};
pub use rpm::{RpmRelation, RpmUse};

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
        return Ok(CommonRelation { deb: DebRelation::of(name, None), rpm });
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
    let deb = DebRelation::of(name, Some((operator, &version)));
    let rpm = RpmRelation { name: name.into(), constraint: Some((operator, version)) };
    Ok(CommonRelation { deb, rpm })
}

#[cfg(test)]
mod tests {
    use super::*;

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
