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
use std::convert::Infallible;

pub use finding::{Finding, Severity};
pub use rule::Rule;
pub use subject::{Stored, Subject};

use rule::{Check, Report};
use subject::File;

use crate::parallel::in_parallel;

/// How many files a thread looks at before it takes others.
const AT_ONCE: usize = 4096;

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

/// Checks a recipe and its trees against every rule that is at least so bad, on so many threads; what is found is in the
/// order of the lines.
pub fn lint(subject: &Subject<'_>, least: Severity, threads: usize) -> Vec<Finding> {
    let rules: Vec<_> = rules().filter(|rule| rule.severity >= least).collect();
    let parts: Vec<_> = subject.files.chunks(AT_ONCE).collect();
    let look = |files: &&[File<'_>]| Ok::<_, Infallible>(look_at_files(subject, &rules, files));
    let Ok(found) = in_parallel(threads, &parts, look);
    let mut findings = look_at_package(subject, &rules);
    findings.extend(found.into_iter().flatten());
    // Of one rule in one line, what is found stays in the order of the files.
    findings.sort_by_key(|finding| (line(finding), finding.rule));
    only_once(&mut findings);
    findings
}

fn look_at_package(subject: &Subject<'_>, rules: &[&'static Rule]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in rules {
        if let Check::Package(check) = rule.check {
            check(subject, &mut Report::new(rule, &mut findings));
        }
    }
    findings
}

fn look_at_files(
    subject: &Subject<'_>,
    rules: &[&'static Rule],
    files: &[File<'_>],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in rules {
        if let Check::File(check) = rule.check {
            let mut report = Report::new(rule, &mut findings);
            for file in files {
                check(subject, file, &mut report);
            }
        }
    }
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
