//! Values of configuration keys, checked against their types.

use crate::resolved::{ConfigKind, ConfigValue};
use crate::written::Scalar;

impl ConfigKind {
    /// Returns a value in the one spelling of its type; the error is a message.
    pub(super) fn accept(&self, value: &Scalar) -> Result<ConfigValue, String> {
        let text = match (self, value) {
            (Self::List, Scalar::List(list)) => {
                return match list.iter().find(|text| text.contains([',', '\n'])) {
                    Some(bad) => {
                        Err(format!("`{}` holds a comma or a newline", bad.escape_debug()))
                    }
                    None => Ok(ConfigValue::List(list.clone())),
                };
            }
            (Self::Int { .. } | Self::Port | Self::Float, Scalar::Integer(number)) => {
                number.to_string()
            }
            (Self::Float, Scalar::Float(number)) if number.is_finite() => number.to_string(),
            (Self::Bool, Scalar::Bool(yes)) => yes.to_string(),
            (Self::Int { .. } | Self::Port | Self::Float | Self::Bool | Self::List, _) => {
                return Err(self.expected());
            }
            (_, Scalar::Text(text)) => text.clone(),
            (_, _) => return Err(self.expected()),
        };
        if self.fits(&text) { Ok(ConfigValue::Text(text)) } else { Err(self.expected()) }
    }

    fn fits(&self, text: &str) -> bool {
        match self {
            Self::String | Self::Float | Self::Bool | Self::List => !text.contains('\0'),
            Self::Int { min, max } => text.parse::<i64>().is_ok_and(|number| {
                min.is_none_or(|min| number >= min) && max.is_none_or(|max| number <= max)
            }),
            Self::Port => text.parse::<u16>().is_ok_and(|port| port > 0),
            Self::Host => {
                let allowed = |c: char| c.is_ascii_alphanumeric() || "-.:".contains(c);
                !text.is_empty() && text.len() <= 253 && text.chars().all(allowed)
            }
            Self::Url { schemes } => text.split_once("://").is_some_and(|(scheme, rest)| {
                let plain = scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
                let known = schemes.is_empty() || schemes.iter().any(|known| known == scheme);
                let clean = !rest.chars().any(|c| c.is_control() || c == ' ');
                !scheme.is_empty() && plain && known && !rest.is_empty() && clean
            }),
            Self::Duration => number_with(text, &["ms", "s", "m", "h", "d"]),
            Self::Bytes => number_with(text, &["KiB", "MiB", "GiB", "TiB", ""]),
            Self::Enum { values } => values.iter().any(|value| value == text),
            Self::Path => text.starts_with('/') && !text.chars().any(char::is_control),
            Self::Pem => text.starts_with("-----BEGIN ") && text.trim_end().ends_with("-----"),
            Self::Json => serde_json::from_str::<serde_json::Value>(text).is_ok(),
        }
    }

    /// Says what a value must be.
    fn expected(&self) -> String {
        let what = match self {
            Self::String => "a string".to_owned(),
            Self::Int { min, max } => {
                let from = min.map(|min| format!(" from {min}")).unwrap_or_default();
                let to = max.map(|max| format!(" to {max}")).unwrap_or_default();
                format!("a whole number{from}{to}")
            }
            Self::Float => "a number".into(),
            Self::Bool => "true or false".into(),
            Self::Port => "a port from 1 to 65535".into(),
            Self::Host => "a host name or an address".into(),
            Self::Url { schemes } if schemes.is_empty() => "an absolute URL".into(),
            Self::Url { schemes } => format!("an absolute URL with {}", schemes.join(" or ")),
            Self::Duration => "a duration such as \"30s\"".into(),
            Self::Bytes => "a number of bytes such as \"64MiB\"".into(),
            Self::Enum { values } => format!("one of {}", values.join(", ")),
            Self::List => "an array of strings".into(),
            Self::Path => "an absolute path".into(),
            Self::Pem => "PEM text".into(),
            Self::Json => "JSON text".into(),
        };
        format!("expected {what}")
    }
}

fn number_with(text: &str, units: &[&str]) -> bool {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    (1..=18).contains(&digits.len()) && units.contains(&unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Scalar {
        Scalar::Text(text.into())
    }

    #[test]
    fn accepts_what_the_type_says_and_nothing_else() {
        let int = ConfigKind::Int { min: Some(1), max: Some(9) };
        let url = ConfigKind::Url { schemes: vec!["postgres".into()] };
        let level = ConfigKind::Enum { values: vec!["info".into()] };
        let cases = [
            (&int, Scalar::Integer(9), true),
            (&int, Scalar::Integer(10), false),
            (&int, text("5"), false),
            (&url, text("postgres://db/x"), true),
            (&url, text("http://db/x"), false),
            (&url, text("postgres://"), false),
            (&level, text("info"), true),
            (&level, text("no"), false),
            (&ConfigKind::Bool, Scalar::Bool(false), true),
            (&ConfigKind::Bool, text("no"), false),
            (&ConfigKind::Port, Scalar::Integer(0), false),
            (&ConfigKind::Port, Scalar::Integer(65_535), true),
            (&ConfigKind::Float, Scalar::Float(f64::NAN), false),
            (&ConfigKind::Duration, text("30s"), true),
            (&ConfigKind::Duration, text("30"), false),
            (&ConfigKind::Bytes, text("64MiB"), true),
            (&ConfigKind::Bytes, text("64MB"), false),
            (&ConfigKind::Json, text("{}"), true),
            (&ConfigKind::Json, text("{"), false),
            (&ConfigKind::Path, text("etc"), false),
            (&ConfigKind::List, Scalar::List(vec!["a,b".into()]), false),
            (&ConfigKind::Host, text("db.example:x y"), false),
        ];
        for (kind, value, expected) in cases {
            assert_eq!(kind.accept(&value).is_ok(), expected, "{kind:?} {value:?}");
        }
    }
}
