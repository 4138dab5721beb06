//! A rule: its name, what it corresponds to, and the check.

use bake_recipes::Place;

use super::finding::{Finding, Severity};
use super::subject::{File, Subject};

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// The name, in kebab case.
    pub id: &'static str,
    /// How bad a finding is.
    pub severity: Severity,
    /// The tags of lintian that it corresponds to.
    pub lintian: &'static [&'static str],
    /// The tags of rpmlint that it corresponds to.
    pub rpmlint: &'static [&'static str],
    /// What is found, in one phrase.
    pub about: &'static str,
    /// How it is found.
    pub(super) check: Check,
}

/// How a rule looks.
#[derive(Debug)]
pub(super) enum Check {
    /// At the package as a whole.
    Package(fn(&Subject<'_>, &mut Report<'_>)),
    /// At each file.
    File(fn(&Subject<'_>, &File<'_>, &mut Report<'_>)),
}

/// Takes what a rule finds.
#[derive(Debug)]
pub(super) struct Report<'a> {
    rule: &'static Rule,
    findings: &'a mut Vec<Finding>,
}

impl<'a> Report<'a> {
    pub(super) fn new(rule: &'static Rule, findings: &'a mut Vec<Finding>) -> Self {
        Self { rule, findings }
    }

    /// Reports a fault.
    pub(super) fn found(&mut self, place: Option<Place>, message: impl Into<String>) {
        self.add(place, message.into(), None);
    }

    /// Reports a fault with what to do about it.
    pub(super) fn advise(
        &mut self,
        place: Option<Place>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.add(place, message.into(), Some(hint.into()));
    }

    /// Adds a finding, unless the one before it is the same: a rule may say of each file what it says of its folder.
    fn add(&mut self, place: Option<Place>, message: String, hint: Option<String>) {
        let same = |last: &Finding| {
            last.rule == self.rule.id && last.message == message && last.place == place
        };
        if self.findings.last().is_some_and(same) {
            return;
        }
        let plain = |text: String| {
            text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect::<String>()
        };
        self.findings.push(Finding {
            rule: self.rule.id,
            severity: self.rule.severity,
            place,
            message: plain(message),
            hint: hint.map(plain),
        });
    }
}
