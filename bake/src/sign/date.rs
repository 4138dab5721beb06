//! Moments as people read them.

use std::fmt;

use bake_formats::format::Epoch;

/// Seconds since 1970, shown as the day in UTC, e.g. `2024-02-29`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date(pub(super) u32);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = Epoch(self.0).date();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::Date;

    #[test]
    fn days_are_those_of_the_calendar() {
        let cases = [
            (0, "1970-01-01"),
            (86_399, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_577_836_799, "2019-12-31"),
            (1_709_164_800, "2024-02-29"),
            (u32::MAX, "2106-02-07"),
        ];
        for (seconds, day) in cases {
            assert_eq!(Date(seconds).to_string(), day);
        }
    }
}
