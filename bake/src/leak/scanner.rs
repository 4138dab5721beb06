//! What is looked for, ready to be looked for in any number of streams.

use std::fmt;

use aho_corasick::{AhoCorasick, packed};

use super::anchors::Anchors;
use super::encoding::{Encoding, forms};
use super::needle::{Needles, Origin, Unscannable};
use super::rules::{self, ANCHORS, Rule};

/// What was found at a place of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Match {
    /// A value, by its number, in a form.
    Value(usize, Encoding),
    /// A secret by its form.
    Secret(&'static Rule),
}

/// Looks for values and for secrets.
pub struct Scanner {
    needles: Needles,
    /// The value and the form of each string.
    forms: Vec<(usize, Encoding)>,
    strings: Anchors,
    anchors: Finder,
}

/// What finds the anchors of rules: a few short strings, which processors with vectors look for
/// sixteen bytes at a time.
enum Finder {
    Vectors(packed::Searcher),
    Automaton(AhoCorasick),
}

impl Finder {
    fn new() -> Self {
        let anchors = ANCHORS.map(|(anchor, _)| anchor);
        let mut config = packed::Config::new();
        match config.heuristic_pattern_limits(false).builder().extend(anchors).build() {
            Some(searcher) => Self::Vectors(searcher),
            // The anchors are constants; that they make an automaton is tested.
            None => Self::Automaton(
                AhoCorasick::new(anchors).unwrap_or_else(|error| unreachable!("{error}")),
            ),
        }
    }

    /// Tells of every anchor in some bytes: its number and where it begins.
    fn find(&self, bytes: &[u8], found: &mut dyn FnMut(usize, usize)) {
        let mut tell = |one: aho_corasick::Match| found(one.pattern().as_usize(), one.start());
        match self {
            Self::Vectors(searcher) => searcher.find_iter(bytes).for_each(&mut tell),
            Self::Automaton(automaton) => automaton.find_iter(bytes).for_each(&mut tell),
        }
    }
}

impl fmt::Debug for Scanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scanner").field("needles", &self.needles).finish_non_exhaustive()
    }
}

impl Scanner {
    /// Prepares values in all their forms.
    pub fn new(needles: Needles) -> Self {
        let (mut kinds, mut strings) = (Vec::new(), Vec::new());
        for (number, value) in needles.values.iter().enumerate() {
            for (encoding, form) in forms(&value.bytes) {
                kinds.push((number, encoding));
                strings.push(form);
            }
        }
        Self { needles, forms: kinds, strings: Anchors::new(strings), anchors: Finder::new() }
    }

    /// Returns what is not looked for, and why.
    pub fn unscannable(&self) -> &[Unscannable] {
        self.needles.unscannable()
    }

    /// Returns how many values are looked for.
    pub fn values(&self) -> usize {
        self.needles.len()
    }

    /// Returns in how many forms they are looked for.
    pub fn forms(&self) -> usize {
        self.forms.len()
    }

    pub(super) fn origins(&self, value: usize) -> &[Origin] {
        self.needles.values.get(value).map_or(&[], |value| &value.origins)
    }

    /// Returns how many bytes behind a place that is searched must be there, unless a stream ends.
    pub(super) fn ahead(&self) -> usize {
        self.strings.longest().max(rules::AHEAD) + 64
    }

    /// Returns how many bytes before a place that is searched must be there, unless a stream begins.
    pub(super) fn behind(&self) -> usize {
        self.strings.behind().max(rules::BEHIND)
    }

    /// Tells of everything that is in a range of a buffer, in no order; a search over consecutive
    /// ranges finds everything once.
    pub(super) fn search(
        &self,
        buffer: &[u8],
        from: usize,
        to: usize,
        found: &mut dyn FnMut(Match, usize),
    ) {
        self.strings.search(buffer, from, to, &mut |string, at| {
            let (value, encoding) = self.forms[string];
            found(Match::Value(value, encoding), at);
        });
        let until = buffer.len().min(to + 32);
        self.anchors.find(&buffer[from..until], &mut |anchor, at| {
            let (at, (_, check)) = (from + at, ANCHORS[anchor]);
            if at < to
                && let Some(rule) = check(buffer, at)
            {
                found(Match::Secret(rule), at);
            }
        });
    }
}
