//! Points in time.

use bake_formats::format::Epoch;
use toml::value::{Datetime, Offset};

use super::Resolver;
use crate::written::{At, Scalar};

impl Resolver<'_> {
    /// Returns seconds since 1970 from a number, an RFC 3339 time or a date, which is its first
    /// second in UTC.
    pub(super) fn date(&self, at: &At<Scalar>, key: &str) -> Option<Epoch> {
        let seconds = match &at.value {
            Scalar::Integer(seconds) => Some(*seconds),
            Scalar::Date(date) => seconds(date),
            Scalar::Text(text) => match text.parse::<i64>() {
                Ok(seconds) => Some(seconds),
                Err(_) => text.parse::<Datetime>().ok().as_ref().and_then(seconds),
            },
            Scalar::Float(_) | Scalar::Bool(_) | Scalar::List(_) => None,
        };
        match seconds.map(u32::try_from) {
            Some(Ok(seconds)) => return Some(Epoch(seconds)),
            Some(Err(_)) => {
                self.fault(at, format!("`{key}` must lie between 1970 and 2106"));
            }
            None => self.advise(
                at,
                format!("`{key}` is neither seconds since 1970 nor a date"),
                "e.g. `2026-01-31` or `2026-01-31T12:00:00Z`",
            ),
        }
        None
    }
}

/// `None` if the text is a time of day only, or has one whose offset is not known.
fn seconds(text: &Datetime) -> Option<i64> {
    let date = text.date?;
    let (year, month, day) = (i64::from(date.year), i64::from(date.month), i64::from(date.day));
    let days = crate::date::days(year, month, day);
    let Some(time) = text.time else { return Some(days * 86_400) };
    let offset = match text.offset? {
        Offset::Z => 0,
        Offset::Custom { minutes } => i64::from(minutes) * 60,
    };
    let of_day = i64::from(time.hour) * 3600
        + i64::from(time.minute) * 60
        + i64::from(time.second.unwrap_or_default());
    Some(days * 86_400 + of_day - offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_seconds_since_1970() {
        let cases = [
            ("1970-01-01", Some(0)),
            ("2000-02-29", Some(951_782_400)),
            ("2000-03-01", Some(951_868_800)),
            ("2024-12-31T23:59:59Z", Some(1_735_689_599)),
            ("2024-12-31T23:59:59+02:00", Some(1_735_682_399)),
            ("1969-12-31", Some(-86_400)),
            ("2024-12-31T23:59:59", None),
            ("12:00:00", None),
        ];
        for (text, expected) in cases {
            assert_eq!(seconds(&text.parse().unwrap()), expected, "{text}");
        }
    }
}
