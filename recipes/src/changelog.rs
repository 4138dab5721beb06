//! Debian's changelog format (deb-changelog(5)).
//!
//! ```text
//! catalog (1.4.0-2) unstable; urgency=medium
//!
//!   * What changed.
//!     And more about it.
//!
//!  -- Catalogue team <catalog@example.com>  Sat, 31 Jan 2026 12:00:00 +0000
//! ```

use std::ops::Range;

use crate::date::parse_rfc5322;

/// One entry as it stands in the file; every text comes with its bytes in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) version: (String, Range<usize>),
    pub(crate) distribution: String,
    pub(crate) urgency: (String, Range<usize>),
    /// What changed; further lines of an item keep their indentation relative to the first.
    pub(crate) items: Vec<String>,
    /// `Name <mail>`.
    pub(crate) author: (String, Range<usize>),
    /// Seconds since 1970.
    pub(crate) date: (i64, Range<usize>),
}

/// Why a file is no changelog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The bytes of the file that are meant.
    pub(crate) span: Range<usize>,
    pub(crate) message: String,
    pub(crate) hint: Option<&'static str>,
}

const HEADING: &str = "an entry begins with e.g. `catalog (1.4.0-2) unstable; urgency=medium`";
const TRAILER: &str = "an entry ends with ` -- Name <mail>  Sat, 31 Jan 2026 12:00:00 +0000`";
const CHANGE: &str = "what changed is indented by two spaces: `  * First release.`";

/// A line of a file.
#[derive(Clone, Copy)]
struct Line<'a> {
    text: &'a str,
    start: usize,
}

impl<'a> Line<'a> {
    fn span(self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }

    /// Returns the bytes of a part of the line.
    fn span_of(self, part: &'a str) -> Range<usize> {
        let offset = self.text.find(part).unwrap_or_default();
        self.start + offset..self.start + offset + part.len()
    }

    fn fault(self, message: impl Into<String>, hint: &'static str) -> Fault {
        Fault { span: self.span(), message: message.into(), hint: Some(hint) }
    }
}

/// Reads the entries of a changelog, in the order of the file.
pub(crate) fn parse(text: &str) -> Result<Vec<Entry>, Fault> {
    let mut start = 0;
    let mut entries = Vec::new();
    let mut open: Option<(Line<'_>, Entry)> = None;
    for whole in text.split_inclusive('\n') {
        let line = Line { text: whole.trim_end(), start };
        start += whole.len();
        if line.text.is_empty() {
            continue;
        }
        if open.is_none() && is_end(line.text) {
            break;
        }
        if line.text.contains(|c: char| c.is_control() && c != '\t') {
            return Err(Fault { hint: None, ..line.fault("a control character", "") });
        }
        match open.as_mut() {
            None if is_comment(line.text) => {}
            None => open = Some((line, heading(line)?)),
            Some((_, entry)) if line.text.starts_with(" -- ") => {
                trailer(line, entry)?;
                entries.extend(open.take().map(|(_, entry)| entry));
            }
            Some((_, entry)) => change(line, entry)?,
        }
    }
    match open {
        Some((line, _)) => Err(line.fault("the entry has no end", TRAILER)),
        None if entries.is_empty() => {
            let message = "the changelog has no entry".into();
            Err(Fault { span: 0..0, message, hint: Some(HEADING) })
        }
        None => Ok(entries),
    }
}

/// Editors' settings and older formats follow the last entry.
fn is_end(line: &str) -> bool {
    let lower = line.to_lowercase();
    lower.starts_with("local variables:") || lower.starts_with("old changelog:")
}

fn is_comment(line: &str) -> bool {
    ["#", ";;", "vim:", "vi:", "/*"].iter().any(|start| line.starts_with(start))
}

fn heading(line: Line<'_>) -> Result<Entry, Fault> {
    let fault = |message: &str| line.fault(message, HEADING);
    if line.text.starts_with([' ', '\t']) {
        return Err(fault("expected the heading of an entry at the left margin"));
    }
    let parts = line.text.split_once(" (").and_then(|(name, rest)| {
        let (version, rest) = rest.split_once(')')?;
        Some((name, version, rest.split_once(';')?))
    });
    let Some((name, version, (distribution, metadata))) = parts else {
        return Err(fault("this is not the heading of an entry"));
    };
    if name.is_empty() || name.contains(' ') {
        return Err(fault("expected the name of a package"));
    }
    let words: Vec<&str> = distribution.split(' ').filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        return Err(fault("expected a distribution before the semicolon"));
    }
    let mut urgency = None;
    for pair in metadata.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some((key, value)) if key.eq_ignore_ascii_case("urgency") => {
                // What follows the word is a remark.
                let word = value.split(' ').next().unwrap_or_default();
                urgency = Some((word.to_lowercase(), line.span_of(value)));
            }
            Some((key, _)) if key.eq_ignore_ascii_case("binary-only") => {}
            Some(_) | None => return Err(fault("expected `urgency=` after the semicolon")),
        }
    }
    Ok(Entry {
        version: (version.to_owned(), line.span_of(version)),
        distribution: words.join(" "),
        urgency: urgency.unwrap_or_else(|| ("medium".into(), line.span())),
        items: Vec::new(),
        author: (String::new(), line.span()),
        date: (0, line.span()),
    })
}

/// Adds a line to the items of an entry.
fn change(line: Line<'_>, entry: &mut Entry) -> Result<(), Fault> {
    let text = line.text;
    if !text.starts_with("  ") && !text.starts_with('\t') {
        let close = text.starts_with(" --");
        let message = if close { "this is not the end of an entry" } else { "expected a change" };
        return Err(line.fault(message, if close { TRAILER } else { CHANGE }));
    }
    let inner = text.trim_start();
    let depth = text.len() - inner.len();
    let bullet = inner.strip_prefix("* ").filter(|_| depth <= 3).map(str::trim_start);
    match (bullet, entry.items.last_mut()) {
        (Some(first), _) => entry.items.push(first.to_owned()),
        (None, Some(item)) if !inner.starts_with("[ ") => {
            item.push('\n');
            item.push_str(&" ".repeat(depth.saturating_sub(4)));
            item.push_str(inner);
        }
        (None, _) => entry.items.push(inner.to_owned()),
    }
    Ok(())
}

fn trailer(line: Line<'_>, entry: &mut Entry) -> Result<(), Fault> {
    let fault = |message: &str| line.fault(message, TRAILER);
    let text = line.text.strip_prefix(" -- ").unwrap_or_default();
    let Some((author, date)) = text.split_once(">  ") else {
        return Err(fault("expected a name, an address in `<>`, two spaces and a date"));
    };
    let len = author.len() + 1;
    let author = text.get(..len).unwrap_or_default();
    if entry.items.is_empty() {
        return Err(line.fault("the entry above says nothing about what changed", CHANGE));
    }
    let span = line.span_of(date);
    let seconds = parse_rfc5322(date).map_err(|reason| {
        let message = format!("`{date}` is not a date: {reason}");
        Fault { span: span.clone(), message, hint: Some(TRAILER) }
    })?;
    entry.author = (author.to_owned(), line.span_of(author));
    entry.date = (seconds, span);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "catalog (1.4.0-2) unstable stable; urgency=HIGH (security)

  [ Ann ]
  * Answers faster.
    Much faster:
      - twice
  * Says why.

 -- Ann <ann@example.com>  Sat, 31 Jan 2026 12:00:00 +0000

catalog (1.3.0-1) unstable; urgency=low, binary-only=yes

  * First release.

 -- Ann <ann@example.com>  Thu, 01 Jan 1970 00:00:00 +0000

# vim: tw=80
Local variables:
anything
";

    #[test]
    fn reads_entries_with_their_items() {
        let entries = parse(TEXT).unwrap();
        assert_eq!(entries.len(), 2);
        let first = entries.first().unwrap();
        assert_eq!((&*first.version.0, &*first.urgency.0), ("1.4.0-2", "high"));
        assert_eq!(TEXT.get(first.version.1.clone()), Some("1.4.0-2"));
        assert_eq!(TEXT.get(first.author.1.clone()), Some("Ann <ann@example.com>"));
        assert_eq!(first.distribution, "unstable stable");
        let items = ["[ Ann ]", "Answers faster.\nMuch faster:\n  - twice", "Says why."];
        assert_eq!(first.items, items);
        assert_eq!(first.date.0, 1_769_860_800);
        assert_eq!(entries.get(1).unwrap().urgency.0, "low");
    }

    #[test]
    fn says_which_line_is_wrong() {
        let (head, item) = ("a1 (1) x; urgency=low\n\n", "  * y\n\n");
        let end = " -- A <a@b>  Thu, 01 Jan 1970 00:00:00 +0000\n";
        let cases = [
            (String::new(), 0, "no entry"),
            (format!("{head}{item}"), 0, "no end"),
            (format!("{head}{end}"), 23, "says nothing"),
            (format!("a1 1 x; urgency=low\n{item}{end}"), 0, "not the heading"),
            (format!("a1 (1); urgency=low\n{item}{end}"), 0, "distribution"),
            (format!("a1 (1) x; low\n{item}{end}"), 0, "urgency="),
            (format!("{head} * y\n{end}"), 23, "expected a change"),
            (format!("{head}{item} --A <a@b>  x\n"), 30, "not the end"),
            (format!("{head}{item} -- A <a@b> x\n"), 30, "two spaces"),
            (format!("{head}{item} -- A <a@b>  x\n"), 43, "not a date"),
            (format!("{head}{item}{end}{item}"), 75, "left margin"),
            (format!("{head}  * \u{1b}[1m\n{end}"), 23, "control"),
        ];
        for (text, offset, expected) in cases {
            let fault = parse(&text).unwrap_err();
            assert!(fault.message.contains(expected), "{text}: {}", fault.message);
            assert_eq!(fault.span.start, offset, "{text}");
        }
    }
}
