//! Times as apt's `Release` has them: `Tue, 14 Nov 2023 22:13:20 UTC`.

use bake_formats::format::Epoch;

const DAY: u64 = 24 * 3600;
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/// The first of January 1970 was a Thursday.
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of(year: u64, month: usize) -> u64 {
    match month {
        1 if is_leap(year) => 29,
        1 => 28,
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

/// Prints a time.
pub(super) fn print(epoch: Epoch) -> String {
    let seconds = u64::from(epoch.0);
    let (days, second) = (seconds / DAY, seconds % DAY);
    let weekday = WEEKDAYS[usize::try_from(days % 7).unwrap_or_default()];
    let (mut year, mut month, mut day) = (1970, 0, days);
    while day >= days_of(year, month) {
        day -= days_of(year, month);
        month += 1;
        if month == MONTHS.len() {
            (year, month) = (year + 1, 0);
        }
    }
    let (hour, minute) = (second / 3600, second / 60 % 60);
    let (day, month, second) = (day + 1, MONTHS[month], second % 60);
    format!("{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} UTC")
}

/// Parses what [`print`] prints, and nothing else.
pub(super) fn parse(text: &str) -> Option<Epoch> {
    let words: Vec<&str> = text.split(' ').collect();
    let [_, day, month, year, time, _] = words.as_slice() else { return None };
    let month = MONTHS.iter().position(|known| known == month)?;
    let year: u64 = year.parse().ok().filter(|year| (1970..2107).contains(year))?;
    let mut parts = time.split(':').map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let years = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 });
    let months = (0..month).map(|month| days_of(year, month));
    let days =
        years.sum::<u64>() + months.sum::<u64>() + day.parse::<u64>().ok()?.checked_sub(1)?;
    let seconds = days.checked_mul(DAY)?.checked_add(hour.checked_mul(3600)?)?;
    let seconds = seconds.checked_add(minute.checked_mul(60)?)?.checked_add(second)?;
    let epoch = Epoch(u32::try_from(seconds).ok()?);
    (print(epoch) == text).then_some(epoch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_what_it_parses() {
        // Checked with `date -u -d @SECONDS`.
        let cases = [
            (0, "Thu, 01 Jan 1970 00:00:00 UTC"),
            (951_782_399, "Mon, 28 Feb 2000 23:59:59 UTC"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 UTC"),
            (1_700_000_000, "Tue, 14 Nov 2023 22:13:20 UTC"),
            (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 UTC"),
            (4_294_967_295, "Sun, 07 Feb 2106 06:28:15 UTC"),
        ];
        for (seconds, text) in cases {
            assert_eq!(print(Epoch(seconds)), text);
            assert_eq!(parse(text), Some(Epoch(seconds)));
        }
        for text in ["", "Mon, 14 Nov 2023 22:13:20 UTC", "Tue, 14 Nov 2023 22:13:20 +0100"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
