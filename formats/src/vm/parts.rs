//! Where the parts of a container are: no two share a place.

use std::fmt::Display;

use crate::format::Problem;

/// The parts that were found, and what is wrong with them.
pub(super) struct Parts<P> {
    /// Where each part starts and ends.
    placed: Vec<(u64, u64, P)>,
    problems: Vec<Problem>,
}

impl<P: Copy + Ord + Display> Parts<P> {
    pub(super) fn new() -> Self {
        Self { placed: Vec::new(), problems: Vec::new() }
    }

    /// Notes that a part takes these bytes.
    pub(super) fn place(&mut self, part: P, start: u64, end: u64) {
        self.placed.push((start, end, part));
    }

    /// Returns how many there are.
    pub(super) fn len(&self) -> usize {
        self.placed.len()
    }

    /// Notes a problem, unless there are enough.
    pub(super) fn problem(
        &mut self,
        rule: &'static str,
        place: impl Display,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) {
        if self.problems.len() < Problem::MOST {
            self.problems.push(Problem::new(rule, place.to_string(), expected, found));
        }
    }

    /// Returns all problems; parts that share a place break the rule `overlap`.
    pub(super) fn finish(mut self, overlap: &'static str) -> Vec<Problem> {
        let mut placed = std::mem::take(&mut self.placed);
        placed.sort_unstable();
        let mut before: Option<(u64, P)> = None;
        for (start, end, part) in placed {
            if let Some((taken, other)) = before.filter(|(taken, _)| start < *taken) {
                let expected = format!("a start behind {other}, which ends at {taken}");
                self.problem(overlap, part, expected, start.to_string());
            }
            before = before.max(Some((end, part)));
        }
        self.problems
    }
}
