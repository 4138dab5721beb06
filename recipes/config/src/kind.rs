//! The types of values.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::value::{Scalar, Value};

/// Units of durations, in milliseconds.
const TIMES: [(&str, i128); 5] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
/// Units of sizes, in bytes.
const SIZES: [(&str, i128); 5] =
    [("", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

/// The type of a key's values, with its limits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Kind {
    /// Any text without NUL.
    String(Pattern),
    /// A whole number.
    Int(Range),
    /// A decimal number.
    Float(Range),
    /// `true` or `false`.
    Bool,
    /// A TCP or UDP port, 1 to 65535.
    Port(Range),
    /// A host name or an address.
    Host,
    /// An absolute URL.
    Url(Schemes),
    /// A number with `ms`, `s`, `m`, `h` or `d`.
    Duration(Range),
    /// A number of bytes with `KiB`, `MiB`, `GiB` or `TiB`, or none.
    Bytes(Range),
    /// One of some words.
    Enum(Words),
    /// Texts, none of which holds a comma.
    List(Pattern),
    /// An absolute path on the machine that runs the program.
    Path,
    /// PEM text.
    Pem,
    /// JSON text.
    Json,
}

/// A regular expression that all of a text must match.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// The expression; any text matches if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
}

/// Limits of numbers, both included, spelled as values of the type.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<String>,
    /// The greatest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<String>,
}

/// Schemes of URLs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schemes {
    /// The schemes accepted; any if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schemes: Vec<String>,
}

/// The words of an enumeration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// The words; never empty.
    pub values: Vec<String>,
}

impl Pattern {
    /// Compiles the expression; the error says what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        self.expression().map(drop).map_err(|error| error.to_string())
    }

    fn expression(&self) -> Result<Option<regex_lite::Regex>, regex_lite::Error> {
        let anchored = self.pattern.as_ref().map(|pattern| format!("^(?:{pattern})$"));
        anchored.map(|pattern| regex_lite::Regex::new(&pattern)).transpose()
    }

    /// Returns whether the texts match; none matches an expression that is none.
    fn matches<'a>(&self, mut texts: impl Iterator<Item = &'a str>) -> bool {
        match self.expression() {
            Ok(Some(expression)) => texts.all(|text| expression.is_match(text)),
            Ok(None) => true,
            Err(_) => false,
        }
    }

    fn described(&self) -> String {
        self.pattern
            .as_ref()
            .map(|pattern| format!(" that matches `{pattern}`"))
            .unwrap_or_default()
    }
}

impl Range {
    fn described(&self) -> String {
        let from = self.min.as_ref().map(|min| format!(" from {min}")).unwrap_or_default();
        let to = self.max.as_ref().map(|max| format!(" to {max}")).unwrap_or_default();
        format!("{from}{to}")
    }
}

impl Kind {
    /// Returns the word that recipes use.
    pub fn word(&self) -> &'static str {
        match self {
            Self::String(_) => "string",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Bool => "bool",
            Self::Port(_) => "port",
            Self::Host => "host",
            Self::Url(_) => "url",
            Self::Duration(_) => "duration",
            Self::Bytes(_) => "bytes",
            Self::Enum(_) => "enum",
            Self::List(_) => "list",
            Self::Path => "path",
            Self::Pem => "pem",
            Self::Json => "json",
        }
    }

    /// Returns a typed value in the one spelling of its type; the error says what is expected.
    ///
    /// There is no coercion: text is not a number.
    pub fn accept(&self, value: &Scalar) -> Result<Value, String> {
        let text = match (self, value) {
            (Self::List(_), Scalar::List(list)) => return self.list(list.clone()),
            (Self::Int(_) | Self::Port(_) | Self::Float(_), Scalar::Integer(number)) => {
                number.to_string()
            }
            (Self::Float(_), Scalar::Float(number)) if number.is_finite() => number.to_string(),
            (Self::Bool, Scalar::Bool(yes)) => yes.to_string(),
            (Self::Int(_) | Self::Port(_) | Self::Float(_) | Self::Bool | Self::List(_), _) => {
                return Err(self.expected());
            }
            (_, Scalar::Text(text)) => text.clone(),
            (_, Scalar::Integer(_) | Scalar::Float(_) | Scalar::Bool(_) | Scalar::List(_)) => {
                return Err(self.expected());
            }
        };
        self.parse(&text)
    }

    /// Returns the value that a text stands for, e.g. a variable's; the error says what is expected.
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        if let Self::List(_) = self {
            let list = if text.is_empty() {
                Vec::new()
            } else {
                text.split(',').map(Into::into).collect()
            };
            return self.list(list);
        }
        if self.fits(text) { Ok(Value::Text(text.into())) } else { Err(self.expected()) }
    }

    fn list(&self, list: Vec<String>) -> Result<Value, String> {
        let Self::List(pattern) = self else { return Err(self.expected()) };
        if list.iter().any(|text| text.contains([',', '\n', '\0'])) {
            return Err("expected texts without commas and newlines".into());
        }
        // It would be spelled as no text at all is.
        if list.len() == 1 && list.iter().all(String::is_empty) {
            return Err("expected texts, found one that is empty".into());
        }
        if !pattern.matches(list.iter().map(String::as_str)) {
            return Err(self.expected());
        }
        Ok(Value::List(list))
    }

    fn fits(&self, text: &str) -> bool {
        if text.contains('\0') {
            return false;
        }
        match self {
            Self::String(pattern) => pattern.matches(std::iter::once(text)),
            Self::List(_) => false,
            Self::Bool => matches!(text, "true" | "false"),
            Self::Int(range) | Self::Float(range) | Self::Duration(range) | Self::Bytes(range) => {
                self.number(text).is_some() && self.within(text, range)
            }
            Self::Port(range) => {
                text.parse::<u16>().is_ok_and(|port| port > 0)
                    && is_decimal(text)
                    && self.within(text, range)
            }
            Self::Host => {
                let allowed = |c: char| c.is_ascii_alphanumeric() || "-.:".contains(c);
                !text.is_empty() && text.len() <= 253 && text.chars().all(allowed)
            }
            Self::Url(Schemes { schemes }) => {
                text.split_once("://").is_some_and(|(scheme, rest)| {
                    let plain =
                        scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
                    let known = schemes.is_empty() || schemes.iter().any(|known| known == scheme);
                    let clean = !rest.chars().any(|c| c.is_control() || c == ' ');
                    !scheme.is_empty() && plain && known && !rest.is_empty() && clean
                })
            }
            Self::Enum(Words { values }) => values.iter().any(|value| value == text),
            Self::Path => text.starts_with('/') && !text.chars().any(char::is_control),
            Self::Pem => text.starts_with("-----BEGIN ") && text.trim_end().ends_with("-----"),
            Self::Json => serde_json::from_str::<serde_json::Value>(text).is_ok(),
        }
    }

    fn within(&self, text: &str, range: &Range) -> bool {
        let order = |limit: &String| self.compare(text, limit);
        range.min.as_ref().is_none_or(|min| order(min).is_some_and(Ordering::is_ge))
            && range.max.as_ref().is_none_or(|max| order(max).is_some_and(Ordering::is_le))
    }

    /// Compares two values of a type whose values have an order; `None` for any other.
    pub fn compare(&self, one: &str, other: &str) -> Option<Ordering> {
        match (self.number(one)?, self.number(other)?) {
            (Number::Whole(one), Number::Whole(other)) => Some(one.cmp(&other)),
            (Number::Float(one), Number::Float(other)) => one.partial_cmp(&other),
            _ => None,
        }
    }

    fn number(&self, text: &str) -> Option<Number> {
        match self {
            Self::Int(_) | Self::Port(_) => {
                let whole = text.parse::<i64>().ok().filter(|_| is_decimal(text))?;
                Some(Number::Whole(whole.into()))
            }
            Self::Float(_) => {
                let number = serde_json::from_str::<serde_json::Number>(text).ok()?.as_f64()?;
                Some(Number::Float(number))
            }
            Self::Duration(_) => in_units(text, &TIMES).map(Number::Whole),
            Self::Bytes(_) => in_units(text, &SIZES).map(Number::Whole),
            Self::String(_)
            | Self::Bool
            | Self::Host
            | Self::Url(_)
            | Self::Enum(_)
            | Self::List(_)
            | Self::Path
            | Self::Pem
            | Self::Json => None,
        }
    }

    /// Says what a value must be, e.g. `expected a port from 1 to 65535`.
    pub fn expected(&self) -> String {
        let what = match self {
            Self::String(pattern) => format!("text{}", pattern.described()),
            Self::Int(range) => format!("a whole number{}", range.described()),
            Self::Float(range) => format!("a number{}", range.described()),
            Self::Bool => "true or false".into(),
            Self::Port(range) if *range == Range::default() => "a port from 1 to 65535".into(),
            Self::Port(range) => format!("a port{}", range.described()),
            Self::Host => "a host name or an address".into(),
            Self::Url(Schemes { schemes }) if schemes.is_empty() => "an absolute URL".into(),
            Self::Url(Schemes { schemes }) => {
                format!("an absolute URL with {}", schemes.join(" or "))
            }
            Self::Duration(range) => format!("a duration such as \"30s\"{}", range.described()),
            Self::Bytes(range) => {
                format!("a number of bytes such as \"64MiB\"{}", range.described())
            }
            Self::Enum(Words { values }) => format!("one of {}", values.join(", ")),
            Self::List(pattern) => format!("a list of texts{}", pattern.described()),
            Self::Path => "an absolute path".into(),
            Self::Pem => "PEM text".into(),
            Self::Json => "JSON text".into(),
        };
        format!("expected {what}")
    }
}

/// A value that has an order.
enum Number {
    Whole(i128),
    Float(f64),
}

/// Returns whether a number is spelled in the one way that numbers have: no sign but `-`, no leading zero.
fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    text == "0" || (!digits.is_empty() && !digits.starts_with(['0', '+']))
}

fn in_units(text: &str, units: &[(&str, i128)]) -> Option<i128> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let (_, factor) = units.iter().find(|(known, _)| *known == unit)?;
    let number =
        Some(digits).filter(|digits| (1..=18).contains(&digits.len()))?.parse::<i128>().ok()?;
    Some(number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Scalar {
        Scalar::Text(text.into())
    }

    fn range(min: &str, max: &str) -> Range {
        Range { min: Some(min.into()), max: Some(max.into()) }
    }

    #[test]
    fn accepts_what_the_type_says_and_nothing_else() {
        let int = Kind::Int(range("1", "9"));
        let url = Kind::Url(Schemes { schemes: vec!["postgres".into()] });
        let level = Kind::Enum(Words { values: vec!["info".into()] });
        let word = Kind::String(Pattern { pattern: Some("a+|b".into()) });
        let any = Range::default;
        let cases = [
            (&int, Scalar::Integer(9), true),
            (&int, Scalar::Integer(10), false),
            (&int, text("5"), false),
            (&url, text("postgres://db/x"), true),
            (&url, text("http://db/x"), false),
            (&url, text("postgres://"), false),
            (&level, text("info"), true),
            (&level, text("no"), false),
            (&word, text("aaa"), true),
            (&word, text("ab"), false),
            (&word, text("b\n"), false),
            (&Kind::Bool, Scalar::Bool(false), true),
            (&Kind::Bool, text("no"), false),
            (&Kind::Port(any()), Scalar::Integer(0), false),
            (&Kind::Port(any()), Scalar::Integer(65_535), true),
            (&Kind::Port(range("1024", "9999")), Scalar::Integer(80), false),
            (&Kind::Float(any()), Scalar::Float(f64::NAN), false),
            (&Kind::Float(range("0", "0.5")), Scalar::Float(0.25), true),
            (&Kind::Float(range("0", "0.5")), Scalar::Integer(1), false),
            (&Kind::Duration(any()), text("30s"), true),
            (&Kind::Duration(any()), text("30"), false),
            (&Kind::Duration(range("1s", "1m")), text("61s"), false),
            (&Kind::Duration(range("1s", "1m")), text("1000ms"), true),
            (&Kind::Bytes(any()), text("64MiB"), true),
            (&Kind::Bytes(any()), text("64MB"), false),
            (&Kind::Json, text("{}"), true),
            (&Kind::Json, text("{"), false),
            (&Kind::Path, text("etc"), false),
            (&Kind::List(Pattern::default()), Scalar::List(vec!["a,b".into()]), false),
            (&Kind::List(Pattern::default()), Scalar::List(vec![String::new()]), false),
            (&Kind::List(Pattern::default()), Scalar::List(vec![]), true),
            (&Kind::Host, text("db.example:x y"), false),
            (&Kind::String(Pattern::default()), text("a\0b"), false),
        ];
        for (kind, value, expected) in cases {
            assert_eq!(kind.accept(&value).is_ok(), expected, "{kind:?} {value:?}");
        }
    }

    #[test]
    fn numbers_keep_their_digits() {
        let float = Kind::Float(Range::default());
        assert_eq!(float.accept(&Scalar::Float(1e6)).unwrap().text(), "1000000");
        assert_eq!(float.accept(&Scalar::Float(0.1)).unwrap().text(), "0.1");
        for (text, expected) in
            [("1000000", true), ("007", false), ("+1", false), ("-3", true), ("-0", false)]
        {
            assert_eq!(Kind::Int(Range::default()).parse(text).is_ok(), expected, "{text}");
        }
    }

    #[test]
    fn lists_are_read_as_they_are_spelled() {
        let list = Kind::List(Pattern { pattern: Some("[a-z]*".into()) });
        for texts in [vec![], vec!["a"], vec!["a", "", "b"], vec!["", ""]] {
            let value = Value::List(texts.into_iter().map(Into::into).collect());
            assert_eq!(list.parse(&value.text()).unwrap(), value);
        }
        assert!(list.parse("a,B").is_err());
    }

    #[test]
    fn kinds_are_kept_in_a_record() {
        for (kind, expected) in [
            (Kind::Bool, r#"{"type":"bool"}"#),
            (Kind::Int(range("1", "9")), r#"{"type":"int","min":"1","max":"9"}"#),
            (Kind::Enum(Words { values: vec!["a".into()] }), r#"{"type":"enum","values":["a"]}"#),
        ] {
            let text = serde_json::to_string(&kind).unwrap();
            assert_eq!(text, expected);
            assert_eq!(serde_json::from_str::<Kind>(&text).unwrap(), kind);
        }
    }
}
