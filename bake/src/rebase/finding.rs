//! What was found, and what takes it.

use std::fmt;

use serde::Serialize;

use super::rule::Rule;
use crate::lint::Severity;

/// One thing that the new base changes for an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// How bad it is; [`Severity::Info`] if it was so on the old base.
    pub severity: Severity,
    /// The rule's name.
    pub rule: &'static str,
    /// The path in the image, or the field of the configuration.
    pub path: String,
    /// What it is about: a library, a version, a program.
    pub subject: String,
    /// How it is on the old base.
    pub old: String,
    /// How it is on the new base.
    pub new: String,
    /// What to do about it.
    pub hint: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { severity, rule, path, subject, old, new, .. } = self;
        write!(f, "{}[{rule}]: {path}", severity.word())?;
        if !subject.is_empty() {
            write!(f, ": {subject}")?;
        }
        write!(f, ": {new}")?;
        if old == new {
            f.write_str(" (as on the old base)")
        } else {
            write!(f, " (old base: {old})")
        }
    }
}

/// How something is on one base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    /// How it is, in a phrase.
    pub(super) text: String,
    /// Whether the rule is broken.
    pub(super) is_broken: bool,
}

impl State {
    pub(super) fn fine(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_broken: false }
    }

    pub(super) fn broken(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_broken: true }
    }
}

/// Takes findings.
#[derive(Debug, Default)]
pub(super) struct Report {
    findings: Vec<Finding>,
}

impl Report {
    /// Reports what is broken on the new base; what was broken on the old one is only a note.
    pub(super) fn compare(
        &mut self,
        rule: &'static Rule,
        path: &str,
        subject: &str,
        [old, new]: &[State; 2],
    ) {
        if new.is_broken {
            let severity = if old.is_broken { Severity::Info } else { rule.severity };
            self.add(severity, rule, [path, subject, &old.text, &new.text]);
        }
    }

    /// Reports what is broken on the new base and was not on the old one.
    pub(super) fn regression(
        &mut self,
        rule: &'static Rule,
        path: &str,
        subject: &str,
        old: &str,
        new: &str,
    ) {
        self.add(rule.severity, rule, [path, subject, old, new]);
    }

    fn add(&mut self, severity: Severity, rule: &'static Rule, texts: [&str; 4]) {
        let plain = |text: &str| -> String {
            text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
        };
        let [path, subject, old, new] = texts.map(plain);
        let (rule, hint) = (rule.id, rule.hint);
        self.findings.push(Finding { severity, rule, path, subject, old, new, hint });
    }

    /// Returns what was found, the worst first.
    pub(super) fn finish(mut self) -> Vec<Finding> {
        self.findings.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.cmp(b)));
        self.findings.dedup();
        self.findings
    }
}
