//! The Debian changelog (Debian Policy 4.4, deb-changelog(5)).

use bake_formats::deb::Package;
use bake_formats::format::Epoch;
use bake_recipes::resolved::Change;
use bake_recipes::version::{Release, Version};

use super::DebCx;

/// The longest line, in characters.
const WIDTH: usize = 79;
const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Returns the changelog; `None` if the recipe has none.
pub(super) fn text(cx: DebCx<'_>, package: &Package) -> Option<String> {
    // A changelog is that of the source package.
    let source = package.source.as_deref().unwrap_or(&package.name);
    let source = source.split(' ').next().unwrap_or(source);
    let entries: Vec<String> =
        cx.recipe.changelog.iter().map(|change| entry(cx, source, change)).collect();
    (!entries.is_empty()).then(|| entries.join("\n"))
}

fn entry(cx: DebCx<'_>, source: &str, change: &Change) -> String {
    let version = version(cx, change);
    let Change { distribution, urgency, author, date, .. } = change;
    let mut text = format!("{source} ({version}) {distribution}; urgency={urgency}\n\n");
    for item in &change.items {
        for (index, line) in wrap(item).iter().enumerate() {
            text.push_str(if index == 0 { "  * " } else { "    " });
            text.push_str(line);
            text.push('\n');
        }
    }
    text.push_str(&format!("\n -- {author}  {}\n", rfc5322(*date)));
    text
}

/// Returns the Debian version of an entry: that of the package for the recipe's own version, else
/// the entry's, with the release that it names or 1.
fn version(cx: DebCx<'_>, change: &Change) -> String {
    let written = change.version.as_str();
    if written == cx.recipe.version.plain() || written == cx.table.version {
        return cx.table.version.clone();
    }
    let epoch = cx.recipe.epoch;
    let with_release = || {
        let (version, release) = written.rsplit_once('-')?;
        let release = Release::parse(release).ok()?;
        Version::parse(version).ok()?.deb(&release, epoch).ok()
    };
    let plain = || Version::parse(written).ok()?.deb(&Release::default(), epoch).ok();
    with_release().or_else(plain).unwrap_or_else(|| written.to_owned())
}

/// Breaks an item into lines between words; a word that is too long has a line of its own.
fn wrap(item: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for paragraph in item.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH - 4 {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        if !line.is_empty() {
            lines.push(line);
        }
    }
    lines
}

/// Returns a time as in a mail's header, e.g. `Thu, 01 Jan 1970 00:00:00 +0000`.
fn rfc5322(epoch: Epoch) -> String {
    let (days, seconds) = (epoch.0 / 86_400, epoch.0 % 86_400);
    let (year, month, day) = epoch.date();
    let at = |names: &[&'static str], index: u32| names.get(index as usize).copied().unwrap_or("");
    let (weekday, month) = (at(&WEEKDAYS, days % 7), at(&MONTHS, month.saturating_sub(1)));
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} +0000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_dpkg_parses_them() {
        assert_eq!(rfc5322(Epoch(0)), "Thu, 01 Jan 1970 00:00:00 +0000");
        assert_eq!(rfc5322(Epoch(1_700_000_000)), "Tue, 14 Nov 2023 22:13:20 +0000");
        assert_eq!(rfc5322(Epoch(951_782_400)), "Tue, 29 Feb 2000 00:00:00 +0000");
    }

    #[test]
    fn items_are_broken_between_words() {
        assert_eq!(wrap("one\n  two  three"), ["one", "two three"]);
        let long = "word ".repeat(20);
        let lines = wrap(&long);
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line.len() <= 75));
        assert_eq!(wrap(&"x".repeat(100)), ["x".repeat(100)]);
    }
}
