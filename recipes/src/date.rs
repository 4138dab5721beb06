//! Dates of the Gregorian calendar.

/// The names of the days, as RFC 5322 has them; 1970-01-01 was a Thursday.
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Returns the days since 1970-01-01 in the proleptic Gregorian calendar.
pub(crate) fn days(year: i64, month: i64, day: i64) -> i64 {
    // With years that start in March.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Returns the seconds since 1970 of e.g. `Sat, 31 Jan 2026 12:00:00 +0100` (RFC 5322, 3.3, in the
/// spelling that deb-changelog(5) asks for); the error is a reason.
pub(crate) fn parse_rfc5322(text: &str) -> Result<i64, String> {
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    let [name, day, month, year, time, zone] = words[..] else {
        return Err("expected six words".into());
    };
    let name = name.strip_suffix(',').ok_or("expected a comma after the name of the day")?;
    let day = number(day, 1..=2).filter(|day| (1..=31).contains(day));
    let day = day.ok_or("expected a day from 1 to 31")?;
    let found = (1..).zip(MONTHS).find(|(_, name)| *name == month);
    let (month, _) =
        found.ok_or_else(|| format!("expected a month such as `Jan`, found `{month}`"))?;
    let year = number(year, 4..=4).ok_or("expected a year of four digits")?;
    let time = seconds_of_day(time).ok_or("expected a time such as `12:00:00`")?;
    let zone = offset(zone).ok_or("expected an offset such as `+0000`")?;
    let date = days(year, month, day);
    let next = if month == 12 { days(year + 1, 1, 1) } else { days(year, month + 1, 1) };
    if date >= next {
        return Err("the month has fewer days".into());
    }
    let weekday = usize::try_from(date.rem_euclid(7)).ok().and_then(|index| DAYS.get(index));
    match weekday {
        Some(weekday) if *weekday != name => {
            Err(format!("that day was a `{weekday}`, found `{}`", name.escape_debug()))
        }
        Some(_) | None => Ok(date * 86_400 + time - zone),
    }
}

fn number(text: &str, len: std::ops::RangeInclusive<usize>) -> Option<i64> {
    let digits = len.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

fn seconds_of_day(text: &str) -> Option<i64> {
    let mut parts = text.split(':').map(|part| number(part, 2..=2));
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let valid = hour < 24 && minute < 60 && second <= 60 && parts.next().is_none();
    valid.then_some(hour * 3600 + minute * 60 + second)
}

fn offset(text: &str) -> Option<i64> {
    let digits = text.get(1..)?;
    let number = number(digits, 4..=4)?;
    let (hours, minutes) = (number / 100, number % 100);
    let seconds = hours * 3600 + minutes * 60;
    let valid = hours <= 14 && minutes < 60;
    match text.get(..1).filter(|_| valid)? {
        "+" => Some(seconds),
        "-" => Some(-seconds),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_date_prints() {
        let cases = [
            ("Thu, 01 Jan 1970 00:00:00 +0000", 0),
            ("Thu, 1 Jan 1970 00:00:00 +0000", 0),
            ("Tue, 29 Feb 2000 00:00:00 +0000", 951_782_400),
            ("Sat, 31 Jan 2026 13:00:00 +0100", 1_769_860_800),
            ("Sat, 31 Jan 2026 08:30:00 -0330", 1_769_860_800),
            ("Sat, 31 Dec 2016 23:59:60 +0000", 1_483_228_800),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_rfc5322(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_date() {
        let cases = [
            ("", "six words"),
            ("Thu, 01 Jan 1970 00:00:00", "six words"),
            ("Thu 01 Jan 1970 00:00:00 +0000", "comma"),
            ("Fri, 01 Jan 1970 00:00:00 +0000", "`Thu`"),
            ("Sun, 29 Feb 2026 00:00:00 +0000", "fewer days"),
            ("Thu, 00 Jan 1970 00:00:00 +0000", "1 to 31"),
            ("Thu, 01 January 1970 00:00:00 +0000", "`Jan`"),
            ("Thu, 01 Jan 70 00:00:00 +0000", "four digits"),
            ("Thu, 01 Jan 1970 24:00:00 +0000", "12:00:00"),
            ("Thu, 01 Jan 1970 00:00 +0000", "12:00:00"),
            ("Thu, 01 Jan 1970 00:00:00 GMT", "+0000"),
            ("Thu, 01 Jan 1970 00:00:00 +0060", "+0000"),
            ("Thu, 01 Jan 1970 00:00:00 é000", "+0000"),
        ];
        for (text, expected) in cases {
            let reason = parse_rfc5322(text).unwrap_err();
            assert!(reason.contains(expected), "{text}: {reason}");
        }
    }
}
