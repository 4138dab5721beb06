//! `changelog`.

use std::ops::Range;
use std::sync::Arc;

use bake_formats::format::Epoch;

use super::Resolver;
use crate::changelog::{self, Entry};
use crate::error::Place;
use crate::resolved::{Change, Maintainer, check_deb_version};
use crate::suggestion;
use crate::written::{self, At, Changelog, ChangelogFile};

/// The largest changelog that is read, in bytes.
const MAX_LEN: u64 = 16 * 1024 * 1024;

/// Debian's urgencies (Debian policy 5.6.17).
const URGENCIES: [&str; 5] = ["low", "medium", "high", "emergency", "critical"];

/// An entry with the places of its version and its date.
struct Placed {
    change: Change,
    version: Place,
    date: Place,
}

impl Resolver<'_> {
    pub(super) fn changelog(&self, at: &At<Changelog>) -> Option<Vec<Change>> {
        let all = match &at.value {
            Changelog::Entries(list) => list.iter().map(|at| self.change(at)).collect(),
            Changelog::File(file) => self.changelog_file(file)?,
        };
        let all: Vec<Option<Placed>> = all;
        let all: Vec<Placed> = all.into_iter().collect::<Option<_>>()?;
        self.check_order(&all);
        Some(all.into_iter().map(|placed| placed.change).collect())
    }

    fn change(&self, at: &At<written::Change>) -> Option<Placed> {
        let entry = &at.value;
        let version = self.parsed(&entry.version, check_deb_version(&entry.version.value));
        let date = self.date(&entry.date, "date");
        let author = match (&entry.author, &self.keys().maintainer) {
            (Some(author), _) => self.person(author, "author"),
            (None, Some(maintainer)) => self.person(maintainer, "maintainer"),
            (None, None) => {
                let message = "nobody is the author of this entry";
                self.advise(at, message, "add `author`, or `maintainer` at the top of the recipe");
                None
            }
        };
        let distribution = match &entry.distribution {
            Some(at) => self.distribution(at),
            None => Some("unstable".to_owned()),
        };
        let urgency = match &entry.urgency {
            Some(at) => self.urgency(&at.value, &self.place(at)),
            None => Some("medium".to_owned()),
        };
        if entry.changes.value.is_empty() {
            self.fault(&entry.changes, "`changes` is empty");
        }
        let items = entry.changes.value.iter().map(|at| self.paragraphs(at, "changes"));
        let items: Vec<_> = items.collect();
        version?;
        let change = Change {
            version: entry.version.value.clone(),
            date: date?,
            author: author?,
            distribution: distribution?,
            urgency: urgency?,
            items: items.into_iter().collect::<Option<_>>()?,
        };
        let (version, date) = (self.place(&entry.version), self.place(&entry.date));
        Some(Placed { change, version, date })
    }

    fn distribution(&self, at: &At<String>) -> Option<String> {
        let word = |word: &str| {
            word.starts_with(|c: char| c.is_ascii_alphanumeric())
                && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.+~".contains(c))
        };
        if at.value.split(' ').all(word) {
            return Some(at.value.clone());
        }
        let message = format!("`{}` is not a distribution", at.value.escape_debug());
        self.advise(at, message, "e.g. `unstable` or `bookworm-backports`");
        None
    }

    fn urgency(&self, text: &str, place: &Place) -> Option<String> {
        if URGENCIES.contains(&text) {
            return Some(text.to_owned());
        }
        let error = place.error(format!("`{}` is not an urgency", text.escape_debug()));
        self.report(error.hint(suggestion::hint(&text.to_lowercase(), &URGENCIES)));
        None
    }

    /// Reads a file in Debian's format.
    fn changelog_file(&self, file: &ChangelogFile) -> Option<Vec<Option<Placed>>> {
        let name = &file.file;
        let text = match super::version_source::read(&self.cx.base.join(&name.value), MAX_LEN) {
            Ok(text) => text,
            Err(reason) => {
                let found = name.value.escape_debug();
                self.fault(name, format!("cannot read the changelog `{found}`: {reason}"));
                return None;
            }
        };
        let label: Arc<str> = Arc::from(name.value.as_str());
        match changelog::parse(&text) {
            Ok(entries) => {
                let place = |span: &Range<usize>| Place::of(&label, &text, span);
                Some(entries.into_iter().map(|entry| self.entry(entry, place)).collect())
            }
            Err(fault) => {
                let error = Place::of(&label, &text, &fault.span).error(fault.message);
                self.report(match fault.hint {
                    Some(hint) => error.hint(hint),
                    None => error,
                });
                None
            }
        }
    }

    fn entry(&self, entry: Entry, place: impl Fn(&Range<usize>) -> Place) -> Option<Placed> {
        let (version, date) = (place(&entry.version.1), place(&entry.date.1));
        if let Err(error) = check_deb_version(&entry.version.0) {
            self.report(super::advice::Advice::at(&error, &version));
            return None;
        }
        let author = Maintainer::parse(&entry.author.0);
        if author.is_none() {
            let found = entry.author.0.escape_debug();
            let message = format!("expected a name and a mail address, found `{found}`");
            self.report(place(&entry.author.1).error(message));
        }
        let seconds = u32::try_from(entry.date.0);
        if seconds.is_err() {
            self.report(date.error("the date must lie between 1970 and 2106"));
        }
        let change = Change {
            version: entry.version.0,
            date: Epoch(seconds.ok()?),
            author: author?,
            distribution: entry.distribution,
            urgency: self.urgency(&entry.urgency.0, &place(&entry.urgency.1))?,
            items: entry.items,
        };
        Some(Placed { change, version, date })
    }

    /// The newest entry stands first, and every version once.
    fn check_order(&self, all: &[Placed]) {
        for pair in all.windows(2) {
            let [newer, older] = pair else { continue };
            let (above, below) = (newer.change.date.0, older.change.date.0);
            let (this, other) = (&older.change.version, &newer.change.version);
            if below > above {
                let message = format!("`{this}` is younger than `{other}`, which stands above it");
                self.report(older.date.error(message).hint("the newest entry stands first"));
            }
            if below == above {
                let message = format!("`{this}` has the same date as `{other}`");
                let hint = "two entries of one day need times: `2026-01-31T12:00:00Z`";
                self.report(older.date.error(message).hint(hint));
            }
        }
        for (index, entry) in all.iter().enumerate() {
            let version = &entry.change.version;
            let first = all.iter().take(index).find(|first| first.change.version == *version);
            if let Some(first) = first {
                let error = entry.version.error(format!("`{version}` stands here twice"));
                let line = first.version.line;
                self.report(error.hint(format!("the first one is in line {line}")));
            }
        }
    }
}
