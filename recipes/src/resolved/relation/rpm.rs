//! RPM dependencies.

use std::fmt;

use super::{Operator, RelationError, capability, rich};

/// What a dependency is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RpmUse {
    /// `Requires`, `Recommends` and `Suggests`.
    Wanted,
    /// `Conflicts`, and `Supplements` and `Enhances`, which rpm reads like it.
    Unwanted,
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
        Self::parse_in(text, rich::Context::Any)
    }

    /// Parses it for a use, which decides where a rich dependency may have `if` and `unless`.
    pub fn parse_for(text: &str, purpose: RpmUse) -> Result<Self, RelationError> {
        Self::parse_in(
            text,
            match purpose {
                RpmUse::Wanted => rich::Context::And,
                RpmUse::Unwanted => rich::Context::Or,
            },
        )
    }

    fn parse_in(text: &str, context: rich::Context) -> Result<Self, RelationError> {
        let inner = text.trim_matches(' ');
        let parsed = if inner.starts_with('(') {
            rich::check(inner, context).map(|()| (inner.to_owned(), None))
        } else {
            capability::parse(inner)
        };
        match parsed {
            Ok((name, constraint)) => Ok(Self { name, constraint }),
            Err(fault) => Err(fault.about("an RPM dependency", text)),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

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
            "a >= 1:2:3",
            "a >= 1-2-3",
            "a >= x:1",
            "a >= :1",
            "a >= 1-",
            "a >= -1",
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
}
