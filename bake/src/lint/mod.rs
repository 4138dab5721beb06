//! Faults that lintian, rpmlint and people would find in the packages, found before they are made
//! and at the line of the recipe that is to blame.
//!
//! Every rule stands in the table of its topic with the tags of lintian and rpmlint that it
//! corresponds to; docs/lint.md lists them all.

mod config;
mod contents;
mod elf;
mod files;
mod finding;
mod images;
mod links;
mod metadata;
mod names;
mod permissions;
mod places;
mod relations;
mod rule;
mod scripts;
mod services;
mod subject;

use std::collections::BTreeSet;

pub use finding::{Finding, Severity};
pub use rule::Rule;
pub use subject::{Stored, Subject};

use rule::{Check, Report};

/// Returns whether a word names a licence of SPDX's list, or one of somebody's own.
pub fn is_license(word: &str) -> bool {
    let name = word.trim_end_matches('+');
    let own = name.starts_with("LicenseRef-") || name.starts_with("DocumentRef-");
    own || names::LICENSES.contains(&name)
}

/// Returns all rules in the order of their topics.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    let topics: [&'static [Rule]; 10] = [
        metadata::RULES,
        relations::RULES,
        files::RULES,
        permissions::RULES,
        links::RULES,
        contents::RULES,
        services::RULES,
        config::RULES,
        scripts::RULES,
        images::RULES,
    ];
    topics.into_iter().flatten()
}

/// Checks a recipe and its trees against every rule that is at least so bad; what is found is in the order of the lines.
pub fn lint(subject: &Subject<'_>, least: Severity) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in rules().filter(|rule| rule.severity >= least) {
        let mut report = Report::new(rule, &mut findings);
        match rule.check {
            Check::Package(check) => check(subject, &mut report),
            Check::File(check) => {
                for file in &subject.files {
                    check(subject, file, &mut report);
                }
            }
        }
    }
    findings.sort_by_key(|finding| (line(finding), finding.rule));
    only_once(&mut findings);
    findings
}

/// Leaves the first of findings that say the same.
pub fn only_once(findings: &mut Vec<Finding>) {
    let mut seen = BTreeSet::new();
    findings.retain(|finding| seen.insert((finding.rule, line(finding), finding.message.clone())));
}

fn line(finding: &Finding) -> (usize, usize) {
    finding.place.as_ref().map_or((0, 0), |place| (place.line, place.column))
}

#[cfg(test)]
mod tests;
