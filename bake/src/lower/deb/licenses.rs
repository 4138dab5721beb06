//! Licences: from SPDX expressions to the names of Debian's copyright format, and where Debian
//! keeps the texts of the common ones.

use std::fmt;

/// A licence with its exception, by their SPDX identifiers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct License {
    /// E.g. `GPL-2.0-or-later`.
    pub(super) id: String,
    /// E.g. `Classpath-exception-2.0`.
    pub(super) exception: Option<String>,
}

/// An SPDX expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    One(License),
    All(Vec<Expression>),
    Any(Vec<Expression>),
}

impl Expression {
    /// Parses an expression; `None` if it is none, which the recipe has already refused.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let spaced = text.replace('(', " ( ").replace(')', " ) ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let mut parser = Parser { words: &words };
        let expression = parser.any()?;
        parser.words.is_empty().then_some(expression)
    }

    /// Returns every licence in the order of its first mention.
    pub(super) fn licenses(&self) -> Vec<&License> {
        match self {
            Self::One(license) => vec![license],
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::licenses).collect(),
        }
    }
}

struct Parser<'a> {
    words: &'a [&'a str],
}

impl Parser<'_> {
    fn accept(&mut self, word: &str) -> bool {
        let Some((first, rest)) = self.words.split_first() else { return false };
        let is_it = first.eq_ignore_ascii_case(word);
        if is_it {
            self.words = rest;
        }
        is_it
    }

    fn any(&mut self) -> Option<Expression> {
        let mut parts = vec![self.all()?];
        while self.accept("OR") {
            parts.push(self.all()?);
        }
        if parts.len() == 1 { parts.pop() } else { Some(Expression::Any(parts)) }
    }

    fn all(&mut self) -> Option<Expression> {
        let mut parts = vec![self.one()?];
        while self.accept("AND") {
            parts.push(self.one()?);
        }
        if parts.len() == 1 { parts.pop() } else { Some(Expression::All(parts)) }
    }

    fn one(&mut self) -> Option<Expression> {
        if self.accept("(") {
            let inner = self.any()?;
            return self.accept(")").then_some(inner);
        }
        let id = self.word()?;
        let exception = if self.accept("WITH") { Some(self.word()?) } else { None };
        Some(Expression::One(License { id, exception }))
    }

    fn word(&mut self) -> Option<String> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some((*first).to_owned())
    }
}

/// Prints as the field `License` has it: `and` binds before `or`, which a comma undoes.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |parts: &[&Self], word: &str| {
            parts.iter().map(ToString::to_string).collect::<Vec<_>>().join(word)
        };
        match self {
            Self::One(license) => license.fmt(f),
            Self::Any(parts) => f.write_str(&join(&parts.iter().collect::<Vec<_>>(), " or ")),
            Self::All(parts) => {
                let (groups, plain): (Vec<_>, Vec<_>) =
                    parts.iter().partition(|part| matches!(part, Self::Any(_)));
                let mut texts: Vec<String> = groups.iter().map(ToString::to_string).collect();
                if !plain.is_empty() {
                    texts.push(join(&plain, " and "));
                }
                f.write_str(&texts.join(", and "))
            }
        }
    }
}

/// Prints the short name that Debian uses.
impl fmt::Display for License {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&short_name(&self.id))?;
        match &self.exception {
            Some(exception) => write!(f, " with {exception} exception"),
            None => Ok(()),
        }
    }
}

/// Returns Debian's name: `Expat` for MIT, `GPL-2+` for `GPL-2.0-or-later`.
fn short_name(id: &str) -> String {
    if id == "MIT" {
        return "Expat".into();
    }
    if let Some(clauses) = id.strip_prefix("BSD-").and_then(|rest| rest.strip_suffix("-Clause")) {
        return format!("BSD-{clauses}-clause");
    }
    match gnu(id) {
        Some((family, version, later)) => {
            let version = version.trim_end_matches(".0");
            format!("{family}-{version}{}", if later { "+" } else { "" })
        }
        None => id.into(),
    }
}

/// Splits a licence of the GNU project into its family, its version and whether a later one will
/// do.
fn gnu(id: &str) -> Option<(&str, &str, bool)> {
    let (family, rest) = id.split_once('-')?;
    if !["AGPL", "GFDL", "GPL", "LGPL"].contains(&family) {
        return None;
    }
    let (version, later) = if let Some(version) = rest.strip_suffix("-or-later") {
        (version, true)
    } else if let Some(version) = rest.strip_suffix('+') {
        (version, true)
    } else {
        (rest.strip_suffix("-only").unwrap_or(rest), false)
    };
    version.starts_with(|c: char| c.is_ascii_digit()).then_some((family, version, later))
}

/// Returns what stands for the text of a licence that every Debian system has, with the file
/// (Debian Policy 12.5); `None` for all others.
pub(super) fn common_text(id: &str) -> Option<String> {
    let (file, title, grant) = if let Some((family, version, later)) = gnu(id) {
        let number = version.trim_end_matches(".0");
        let title = match (family, number) {
            ("GPL", "1" | "2" | "3") => "GNU General Public License",
            ("LGPL", "2") => "GNU Library General Public License",
            ("LGPL", "2.1" | "3") => "GNU Lesser General Public License",
            ("GFDL", "1.2" | "1.3") => "GNU Free Documentation License",
            _ => return None,
        };
        let or_later = if later { " or, at your option, any later version" } else { "" };
        let grant = format!(
            "You may use, change and redistribute it under the terms of the {title} as published \
             by the Free Software Foundation, version {number}{or_later}. It comes without any \
             warranty, as that license says."
        );
        (format!("{family}-{number}"), format!("{title}, version {number},"), Some(grant))
    } else {
        let (file, title) = match id.strip_suffix('+').unwrap_or(id) {
            "Apache-2.0" => ("Apache-2.0", "Apache License, Version 2.0,"),
            "Artistic-1.0-Perl" => ("Artistic", "Artistic License"),
            "CC0-1.0" => ("CC0-1.0", "Creative Commons CC0 1.0 Universal legal code"),
            "MPL-1.1" => ("MPL-1.1", "Mozilla Public License, Version 1.1,"),
            "MPL-2.0" => ("MPL-2.0", "Mozilla Public License, Version 2.0,"),
            _ => return None,
        };
        (file.to_owned(), title.to_owned(), None)
    };
    let pointer = format!(
        "On Debian systems, the full text of the {title} is in the file \
         `/usr/share/common-licenses/{file}'."
    );
    Some(match grant {
        Some(grant) => format!("{}\n\n{}", fold(&grant), fold(&pointer)),
        None => fold(&pointer),
    })
}

/// Breaks a paragraph into lines of at most 78 characters; paths are not broken.
fn fold(paragraph: &str) -> String {
    let mut text = String::new();
    let mut width = 0;
    for word in paragraph.split_whitespace() {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > 78 {
            text.push('\n');
            width = 0;
        } else if width > 0 {
            text.push(' ');
            width += 1;
        }
        text.push_str(word);
        width += length;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_become_debians() {
        let cases = [
            ("MIT", "Expat"),
            ("Apache-2.0 OR MIT", "Apache-2.0 or Expat"),
            ("GPL-2.0-or-later", "GPL-2+"),
            ("LGPL-2.1-only AND BSD-3-Clause", "LGPL-2.1 and BSD-3-clause"),
            ("MIT AND (GPL-3.0-only OR ISC)", "GPL-3 or ISC, and Expat"),
            ("MIT OR GPL-2.0-only AND ISC", "Expat or GPL-2 and ISC"),
            ("GPL-2.0+ WITH Bison-exception-2.2", "GPL-2+ with Bison-exception-2.2 exception"),
        ];
        for (text, expected) in cases {
            assert_eq!(Expression::parse(text).unwrap().to_string(), expected, "{text}");
        }
        for bad in ["", "MIT OR", "(MIT", "MIT)", "MIT ISC", "AND MIT ISC"] {
            assert_eq!(Expression::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn common_licenses_are_referred_to_by_their_file() {
        for (id, file) in [
            ("Apache-2.0", "/Apache-2.0'"),
            ("GPL-3.0-or-later", "/GPL-3'"),
            ("LGPL-2.1-only", "/LGPL-2.1'"),
            ("MPL-2.0", "/MPL-2.0'"),
        ] {
            let text = common_text(id).unwrap();
            assert!(text.contains(&format!("/usr/share/common-licenses{file}")), "{text}");
            assert!(text.lines().all(|line| line.len() < 80), "{text}");
        }
        assert!(common_text("GPL-2.0-or-later").unwrap().contains("any later version"));
        for own in ["MIT", "BSD-3-Clause", "AGPL-3.0-only", "GPL-9.0-only"] {
            assert_eq!(common_text(own), None);
        }
    }
}
