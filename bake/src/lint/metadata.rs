//! Rules for what a package says about itself.

use super::finding::Severity::{Info, Warning};
use super::names::{LICENSES, SECTIONS};
use super::rule::{Check, Report, Rule};
use super::subject::Subject;

/// The longest summary that both tools accept, in characters.
const MAX_SUMMARY: usize = 79;
/// The longest line of a description, in characters.
const MAX_LINE: usize = 79;
/// 1985-01-01: dpkg's own tools take older files for a mistake.
const OLDEST: u32 = 473_385_600;

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "no-copyright",
        severity: Warning,
        lintian: &["no-copyright-file"],
        rpmlint: &[],
        about: "a deb without a copyright file",
        check: Check::Package(no_copyright),
    },
    Rule {
        id: "no-changelog",
        severity: Warning,
        lintian: &["no-changelog"],
        rpmlint: &["no-changelogname-tag"],
        about: "a package without a changelog",
        check: Check::Package(no_changelog),
    },
    Rule {
        id: "no-license",
        severity: Warning,
        lintian: &[],
        rpmlint: &["no-license"],
        about: "a recipe without a licence",
        check: Check::Package(no_license),
    },
    Rule {
        id: "unknown-license",
        severity: Warning,
        lintian: &[],
        rpmlint: &["invalid-license"],
        about: "a licence that is not on SPDX's list",
        check: Check::Package(unknown_license),
    },
    Rule {
        id: "no-homepage",
        severity: Info,
        lintian: &["no-homepage-field"],
        rpmlint: &["no-url-tag"],
        about: "no web address of the project",
        check: Check::Package(no_homepage),
    },
    Rule {
        id: "no-maintainer",
        severity: Info,
        lintian: &[],
        rpmlint: &["no-packager-tag"],
        about: "nobody who answers for the rpm",
        check: Check::Package(no_maintainer),
    },
    Rule {
        id: "maintainer-address",
        severity: Warning,
        lintian: &["bogus-mail-host"],
        rpmlint: &["invalid-packager"],
        about: "a mail address that nobody can write to",
        check: Check::Package(maintainer_address),
    },
    Rule {
        id: "summary-starts-with-name",
        severity: Warning,
        lintian: &["description-starts-with-package-name"],
        rpmlint: &["name-repeated-in-summary"],
        about: "a summary that begins with the package's name",
        check: Check::Package(summary_starts_with_name),
    },
    Rule {
        id: "summary-starts-with-article",
        severity: Warning,
        lintian: &["description-synopsis-starts-with-article"],
        rpmlint: &[],
        about: "a summary that begins with `a`, `an` or `the`",
        check: Check::Package(summary_starts_with_article),
    },
    Rule {
        id: "summary-too-long",
        severity: Warning,
        lintian: &["synopsis-too-long"],
        rpmlint: &["summary-too-long"],
        about: "a summary of 80 characters or more",
        check: Check::Package(summary_too_long),
    },
    Rule {
        id: "summary-ends-with-full-stop",
        severity: Warning,
        lintian: &["synopsis-is-a-sentence"],
        rpmlint: &["summary-ended-with-dot"],
        about: "a summary that ends with a full stop",
        check: Check::Package(summary_ends_with_full_stop),
    },
    Rule {
        id: "summary-not-capitalized",
        severity: Info,
        lintian: &[],
        rpmlint: &["summary-not-capitalized"],
        about: "a summary whose first letter is small",
        check: Check::Package(summary_not_capitalized),
    },
    Rule {
        id: "no-description",
        severity: Warning,
        lintian: &["extended-description-is-empty"],
        rpmlint: &["no-description-tag"],
        about: "no description besides the summary",
        check: Check::Package(no_description),
    },
    Rule {
        id: "description-repeats-summary",
        severity: Warning,
        lintian: &["description-synopsis-is-duplicated"],
        rpmlint: &["description-shorter-than-summary"],
        about: "a description that says what the summary says, or less",
        check: Check::Package(description_repeats_summary),
    },
    Rule {
        id: "description-line-too-long",
        severity: Warning,
        lintian: &["extended-description-line-too-long"],
        rpmlint: &["description-line-too-long"],
        about: "a line of the description of 80 characters or more",
        check: Check::Package(description_line_too_long),
    },
    Rule {
        id: "description-contains-homepage",
        severity: Info,
        lintian: &["description-contains-homepage", "description-possibly-contains-homepage"],
        rpmlint: &["tag-in-description"],
        about: "a description that says what keys of their own are for",
        check: Check::Package(description_contains_homepage),
    },
    Rule {
        id: "description-mentions-plans",
        severity: Info,
        lintian: &["description-mentions-planned-features"],
        rpmlint: &[],
        about: "a description of what the program does not do yet",
        check: Check::Package(description_mentions_plans),
    },
    Rule {
        id: "unknown-section",
        severity: Warning,
        lintian: &["unknown-section"],
        rpmlint: &[],
        about: "a section that Debian does not have",
        check: Check::Package(unknown_section),
    },
    Rule {
        id: "priority-extra",
        severity: Warning,
        lintian: &["priority-extra-is-replaced-by-priority-optional"],
        rpmlint: &[],
        about: "a priority that Debian has retired",
        check: Check::Package(priority_extra),
    },
    Rule {
        id: "no-group",
        severity: Info,
        lintian: &[],
        rpmlint: &["no-group-tag", "non-standard-group"],
        about: "an rpm without a group",
        check: Check::Package(no_group),
    },
    Rule {
        id: "ancient-time",
        severity: Warning,
        lintian: &["package-contains-ancient-file"],
        rpmlint: &[],
        about: "files from before 1985",
        check: Check::Package(ancient_time),
    },
];

fn has_document(cx: &Subject<'_>, prefix: &str) -> bool {
    let folders = [
        format!("/usr/share/doc/{}", cx.recipe.name),
        format!("/usr/share/licenses/{}", cx.recipe.name),
    ];
    cx.files.iter().any(|file| {
        file.base().to_lowercase().starts_with(prefix)
            && folders.iter().any(|folder| file.is_below(folder))
    })
}

fn no_copyright(cx: &Subject<'_>, report: &mut Report<'_>) {
    let there = cx.places_path(&format!("/usr/share/doc/{}/copyright", cx.recipe.name));
    if cx.has_deb() && !there && cx.recipe.copyright.is_none() {
        report.advise(
            cx.places.first(&["deb", "name"]),
            "the deb has no copyright file",
            "write `[copyright]`, or place one at `/usr/share/doc/NAME/copyright`",
        );
    }
}

fn no_changelog(cx: &Subject<'_>, report: &mut Report<'_>) {
    if cx.has_package() && cx.recipe.changelog.is_empty() && !has_document(cx, "changelog") {
        report.advise(
            cx.places.key("name"),
            "the package has no changelog",
            "write `[[changelog]]` with a version, a date and what changed",
        );
    }
}

fn no_license(cx: &Subject<'_>, report: &mut Report<'_>) {
    if cx.recipe.license.is_none() {
        let hint = "e.g. `license = \"Apache-2.0\"`; `LicenseRef-…` for one of your own";
        report.advise(cx.places.first(&["rpm", "name"]), "there is no licence", hint);
    }
}

fn unknown_license(cx: &Subject<'_>, report: &mut Report<'_>) {
    let Some(license) = &cx.recipe.license else { return };
    let words = license.split([' ', '(', ')']).filter(|word| !word.is_empty());
    let mut after_with = false;
    for word in words {
        let exception = std::mem::replace(&mut after_with, word == "WITH");
        let name = word.trim_end_matches('+');
        let known = matches!(word, "AND" | "OR" | "WITH") || exception || super::is_license(name);
        if !known {
            let near = LICENSES.iter().find(|other| other.eq_ignore_ascii_case(name));
            let hint = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    "https://spdx.org/licenses has the list; `LicenseRef-…` names one of your own"
                        .into()
                }
            };
            report.advise(
                cx.places.key("license"),
                format!("`{name}` is no licence that SPDX knows"),
                hint,
            );
        }
    }
}

fn no_homepage(cx: &Subject<'_>, report: &mut Report<'_>) {
    if cx.recipe.homepage.is_none() {
        report.found(cx.places.key("name"), "there is no `homepage`");
    }
}

fn no_maintainer(cx: &Subject<'_>, report: &mut Report<'_>) {
    if let Some(rpm) = &cx.recipe.rpm
        && rpm.packager.is_none()
        && cx.recipe.maintainer.is_none()
    {
        report.found(
            cx.places.first(&["rpm", "name"]),
            "the rpm has no packager; write `maintainer`",
        );
    }
}

fn maintainer_address(cx: &Subject<'_>, report: &mut Report<'_>) {
    let Some(maintainer) = &cx.recipe.maintainer else { return };
    let host = maintainer.mail.rsplit('@').next().unwrap_or_default().to_lowercase();
    let bogus = ["localhost", "localdomain"].contains(&host.rsplit('.').next().unwrap_or_default())
        || !host.contains('.')
        || [".invalid", ".test", ".local"].iter().any(|end| host.ends_with(end));
    if bogus {
        let message = format!("nobody can write to `{}`", maintainer.mail);
        report.found(cx.places.key("maintainer"), message);
    }
}

fn summary(cx: &Subject<'_>, report: &mut Report<'_>, message: &str, hint: &str) {
    report.advise(cx.places.key("summary"), message, hint);
}

fn summary_starts_with_name(cx: &Subject<'_>, report: &mut Report<'_>) {
    let name = cx.recipe.name.as_str();
    let first = cx.recipe.summary.split(|c: char| c.is_whitespace() || c == ':').next();
    if first.is_some_and(|first| first.eq_ignore_ascii_case(name)) {
        summary(
            cx,
            report,
            "the summary begins with the package's name",
            "lists show the name beside it",
        );
    }
}

fn summary_starts_with_article(cx: &Subject<'_>, report: &mut Report<'_>) {
    let first = cx.recipe.summary.split_whitespace().next().unwrap_or_default().to_lowercase();
    if ["a", "an", "the"].contains(&first.as_str()) {
        summary(cx, report, "the summary begins with an article", "leave it out");
    }
}

fn summary_too_long(cx: &Subject<'_>, report: &mut Report<'_>) {
    let count = cx.recipe.summary.chars().count();
    if count > MAX_SUMMARY {
        let message = format!("the summary has {count} characters, more than {MAX_SUMMARY}");
        summary(cx, report, &message, "say the rest in `description`");
    }
}

fn summary_ends_with_full_stop(cx: &Subject<'_>, report: &mut Report<'_>) {
    let text = &cx.recipe.summary;
    if text.ends_with('.') && !text.ends_with("..") && !text.ends_with("etc.") {
        summary(cx, report, "the summary ends with a full stop", "it is no sentence: leave it out");
    }
}

fn summary_not_capitalized(cx: &Subject<'_>, report: &mut Report<'_>) {
    if cx.has_rpm() && cx.recipe.summary.starts_with(|c: char| c.is_ascii_lowercase()) {
        summary(
            cx,
            report,
            "the summary begins with a small letter",
            "rpm's convention is a capital",
        );
    }
}

fn no_description(cx: &Subject<'_>, report: &mut Report<'_>) {
    if cx.has_package()
        && cx.recipe.description.as_deref().is_none_or(|text| text.trim().is_empty())
    {
        report.advise(
            cx.places.first(&["description", "summary"]),
            "there is no description",
            "say in a few lines what the package is for",
        );
    }
}

fn description_repeats_summary(cx: &Subject<'_>, report: &mut Report<'_>) {
    let Some(text) = cx.recipe.description.as_deref().map(str::trim) else { return };
    let summary = cx.recipe.summary.trim_end_matches('.');
    if !text.is_empty() && (text.trim_end_matches('.') == summary || text.len() < summary.len()) {
        report.found(cx.places.key("description"), "the description says no more than the summary");
    }
}

fn description_line_too_long(cx: &Subject<'_>, report: &mut Report<'_>) {
    let lines = cx.recipe.description.as_deref().unwrap_or_default().lines();
    if let Some((number, line)) =
        lines.enumerate().find(|(_, line)| line.chars().count() > MAX_LINE)
    {
        let count = line.chars().count();
        let number = number + 1;
        let message = format!(
            "line {number} of the description has {count} characters, more than {MAX_LINE}"
        );
        report.found(cx.places.key("description"), message);
    }
}

fn description_contains_homepage(cx: &Subject<'_>, report: &mut Report<'_>) {
    let text = cx.recipe.description.as_deref().unwrap_or_default().to_lowercase();
    let keys = ["homepage:", "url:", "license:", "author:", "version:", "name:"];
    let found = text.lines().any(|line| keys.iter().any(|key| line.trim_start().starts_with(key)));
    let address =
        cx.recipe.homepage.as_deref().is_some_and(|page| text.contains(&page.to_lowercase()));
    if found || address {
        report.found(
            cx.places.key("description"),
            "the description says what `homepage`, `license` or `version` are for",
        );
    }
}

fn description_mentions_plans(cx: &Subject<'_>, report: &mut Report<'_>) {
    let text = cx.recipe.description.as_deref().unwrap_or_default().to_lowercase();
    if ["not yet implemented", "planned feature", "will be added", "coming soon"]
        .iter()
        .any(|words| text.contains(words))
    {
        report.found(cx.places.key("description"), "the description speaks of plans");
    }
}

fn unknown_section(cx: &Subject<'_>, report: &mut Report<'_>) {
    let Some(deb) = &cx.recipe.deb else { return };
    let section = deb.section.rsplit('/').next().unwrap_or_default();
    let area = deb.section.split_once('/').map(|(area, _)| area);
    let known_area =
        area.is_none_or(|area| ["contrib", "non-free", "non-free-firmware"].contains(&area));
    let known = section.is_empty() || (SECTIONS.contains(&section) && known_area);
    if !known {
        report.advise(
            cx.places.key("deb.section"),
            format!("`{}` is no section of Debian", deb.section),
            format!("one of {}", SECTIONS.join(", ")),
        );
    }
}

fn priority_extra(cx: &Subject<'_>, report: &mut Report<'_>) {
    let extra = bake_recipes::resolved::Priority::Extra;
    if cx.recipe.deb.as_ref().is_some_and(|deb| deb.priority == extra) {
        report.found(cx.places.key("deb.priority"), "the priority `extra` is now `optional`");
    }
}

fn no_group(cx: &Subject<'_>, report: &mut Report<'_>) {
    if cx.recipe.rpm.as_ref().is_some_and(|rpm| rpm.group.is_none()) {
        let message = "the rpm has no group; only old distributions want one";
        report.found(cx.places.first(&["rpm", "name"]), message);
    }
}

fn ancient_time(cx: &Subject<'_>, report: &mut Report<'_>) {
    if let Some(epoch) = cx.recipe.source_date.filter(|epoch| epoch.0 < OLDEST) {
        let message = format!("files are dated {} seconds after 1970, before 1985", epoch.0);
        report.found(cx.places.key("source-date"), message);
    }
}
