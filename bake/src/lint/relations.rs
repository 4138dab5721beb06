//! Rules for relations to other packages.

use std::collections::BTreeSet;

use bake_recipes::resolved::{Architecture, DebRelation, MultiArch};

use super::finding::Severity::{Error, Info, Warning};
use super::names::ESSENTIAL;
use super::rule::{Check, Report, Rule};
use super::subject::Subject;

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "depends-on-essential",
        severity: Warning,
        lintian: &["depends-on-essential-package-without-using-version"],
        rpmlint: &[],
        about: "a dependency on what every Debian system has",
        check: Check::Package(depends_on_essential),
    },
    Rule {
        id: "relation-with-self",
        severity: Error,
        lintian: &["package-relation-with-self"],
        rpmlint: &["self-obsoletion"],
        about: "a package that needs, breaks or replaces itself",
        check: Check::Package(relation_with_self),
    },
    Rule {
        id: "redundant-relation",
        severity: Warning,
        lintian: &["redundant-control-relation"],
        rpmlint: &[],
        about: "a relation that stands in two lists, or twice in one",
        check: Check::Package(redundant_relation),
    },
    Rule {
        id: "conflicts-with-dependency",
        severity: Error,
        lintian: &["conflicts-with-dependency"],
        rpmlint: &[],
        about: "a package that needs what it conflicts with",
        check: Check::Package(conflicts_with_dependency),
    },
    Rule {
        id: "breaks-without-version",
        severity: Warning,
        lintian: &["breaks-without-version"],
        rpmlint: &[],
        about: "`Breaks` with every version of a package",
        check: Check::Package(breaks_without_version),
    },
    Rule {
        id: "conflicts-with-version",
        severity: Warning,
        lintian: &["conflicts-with-version"],
        rpmlint: &[],
        about: "`Conflicts` with older versions, where `Breaks` does",
        check: Check::Package(conflicts_with_version),
    },
    Rule {
        id: "pre-depends",
        severity: Info,
        lintian: &[],
        rpmlint: &[],
        about: "a `Pre-Depends`, which makes upgrades hard to order, without a preinst",
        check: Check::Package(pre_depends),
    },
    Rule {
        id: "multi-arch-same-without-libraries",
        severity: Warning,
        lintian: &["arch-dependent-file-not-in-arch-specific-directory"],
        rpmlint: &[],
        about: "`Multi-Arch: same` with files that would be in each other's way",
        check: Check::Package(multi_arch_same),
    },
    Rule {
        id: "unversioned-obsoletes",
        severity: Warning,
        lintian: &[],
        rpmlint: &["unversioned-explicit-obsoletes"],
        about: "`Obsoletes` of every version that will ever be",
        check: Check::Package(unversioned_obsoletes),
    },
    Rule {
        id: "obsolete-not-provided",
        severity: Warning,
        lintian: &[],
        rpmlint: &["obsolete-not-provided"],
        about: "an rpm that takes another's place and does not stand in for it",
        check: Check::Package(obsolete_not_provided),
    },
    Rule {
        id: "useless-provides",
        severity: Warning,
        lintian: &[],
        rpmlint: &["useless-provides"],
        about: "a package that says that it provides itself, which bake says already",
        check: Check::Package(useless_provides),
    },
    Rule {
        id: "explicit-lib-dependency",
        severity: Info,
        lintian: &[],
        rpmlint: &["explicit-lib-dependency"],
        about: "an rpm that names the package of a library",
        check: Check::Package(explicit_lib_dependency),
    },
];

const DEPENDS: [&str; 4] = ["deb.depends.append", "deb.depends", "depends", "deb.pre-depends"];

/// Returns the names of the alternatives of a relation, with whether they have a version.
fn alternatives(relation: &DebRelation) -> Vec<(String, bool)> {
    let text = relation.to_string();
    text.split('|')
        .map(|part| {
            let part = part.trim();
            let name = part.split([' ', '(', ':']).next().unwrap_or_default();
            (name.to_owned(), part.contains('('))
        })
        .collect()
}

fn depends_on_essential(cx: &Subject<'_>, report: &mut Report<'_>) {
    let Some(deb) = &cx.recipe.deb else { return };
    for relation in deb.depends.iter().chain(&deb.pre_depends) {
        let all = alternatives(relation);
        if let [(name, false)] = all.as_slice()
            && ESSENTIAL.contains(&name.as_str())
        {
            let message = format!("every Debian system has `{name}`");
            report.advise(
                cx.places.relation(&DEPENDS, name),
                message,
                "leave it out, or name a version",
            );
        }
    }
}

fn relation_with_self(cx: &Subject<'_>, report: &mut Report<'_>) {
    let own = cx.recipe.name.as_str();
    if let Some(deb) = &cx.recipe.deb {
        let lists = [
            ("depends", &deb.depends),
            ("pre-depends", &deb.pre_depends),
            ("recommends", &deb.recommends),
            ("suggests", &deb.suggests),
            ("breaks", &deb.breaks),
        ];
        for (list, relations) in lists {
            if relations.iter().any(
                |relation| matches!(alternatives(relation).as_slice(), [(name, _)] if name == own),
            ) {
                let append = format!("deb.{list}.append");
                let place = cx.places.relation(&[&append, &format!("deb.{list}"), list], own);
                report.found(place, format!("the package names itself in `{list}`"));
            }
        }
    }
    let Some(rpm) = &cx.recipe.rpm else { return };
    for relation in rpm.obsoletes.iter().filter(|relation| relation.name == own) {
        if relation.constraint.is_none() {
            let place =
                cx.places.relation(&["rpm.obsoletes.append", "rpm.obsoletes", "replaces"], own);
            report.found(place, "the rpm obsoletes itself");
        }
    }
}

fn redundant_relation(cx: &Subject<'_>, report: &mut Report<'_>) {
    let Some(deb) = &cx.recipe.deb else { return };
    let lists = [
        ("pre-depends", &deb.pre_depends),
        ("depends", &deb.depends),
        ("recommends", &deb.recommends),
        ("suggests", &deb.suggests),
    ];
    let mut seen = BTreeSet::new();
    for (list, relations) in lists {
        for relation in relations {
            let [(name, _)] = alternatives(relation).try_into().unwrap_or_default();
            if !name.is_empty() && !seen.insert((name.clone(), relation_bound(relation))) {
                let append = format!("deb.{list}.append");
                let place = cx.places.relation(&[&append, &format!("deb.{list}"), list], &name);
                report
                    .found(place, format!("`{name}` is named before, in a list that says as much"));
            }
        }
    }
}

/// Returns what a relation asks of versions: two bounds of one package are not redundant.
fn relation_bound(relation: &DebRelation) -> Option<char> {
    relation.to_string().split_once('(').and_then(|(_, rest)| rest.chars().next())
}

fn conflicts_with_dependency(cx: &Subject<'_>, report: &mut Report<'_>) {
    let Some(deb) = &cx.recipe.deb else { return };
    for conflict in deb.conflicts.iter().chain(&deb.breaks) {
        let [(name, versioned)] = alternatives(conflict).try_into().unwrap_or_default();
        let needed = deb.depends.iter().chain(&deb.pre_depends);
        let mut singles =
            needed.filter_map(|relation| <[_; 1]>::try_from(alternatives(relation)).ok());
        if !versioned && !name.is_empty() && singles.any(|[(needed, _)]| needed == name) {
            let lists =
                ["deb.conflicts.append", "deb.conflicts", "conflicts", "deb.breaks", "replaces"];
            let place = cx.places.relation(&lists, &name);
            report.found(place, format!("the package needs `{name}` and conflicts with it"));
        }
    }
}

fn breaks_without_version(cx: &Subject<'_>, report: &mut Report<'_>) {
    let Some(deb) = &cx.recipe.deb else { return };
    for relation in &deb.breaks {
        for (name, _) in alternatives(relation).into_iter().filter(|(_, versioned)| !versioned) {
            let place = cx.places.relation(&["deb.breaks"], &name);
            let hint = "name the versions, e.g. `(<< 2.0)`; `conflicts` is for all of them";
            report.advise(place, format!("`breaks` names every version of `{name}`"), hint);
        }
    }
}

fn conflicts_with_version(cx: &Subject<'_>, report: &mut Report<'_>) {
    let Some(deb) = &cx.recipe.deb else { return };
    let lists = ["deb.conflicts.append", "deb.conflicts", "conflicts", "replaces"];
    for relation in &deb.conflicts {
        let text = relation.to_string();
        if text.contains("(<<") || text.contains("(<=") {
            let name = text.split([' ', '(']).next().unwrap_or_default();
            let hint = "`[deb] breaks` lets dpkg unpack both in turn";
            report.advise(
                cx.places.relation(&lists, name),
                format!("the deb conflicts with older versions: `{text}`"),
                hint,
            );
        }
    }
}

fn pre_depends(cx: &Subject<'_>, report: &mut Report<'_>) {
    let Some(deb) = &cx.recipe.deb else { return };
    if !deb.pre_depends.is_empty() && deb.scripts.preinst.is_none() {
        let hint = "`depends` is enough unless the preinst runs it, or unpacking does";
        report.advise(cx.places.key("deb.pre-depends"), "`pre-depends` without a preinst", hint);
    }
}

fn multi_arch_same(cx: &Subject<'_>, report: &mut Report<'_>) {
    let Some(deb) = &cx.recipe.deb else { return };
    if deb.multi_arch != Some(MultiArch::Same) || cx.recipe.architecture == Architecture::All {
        return;
    }
    let clash = cx.files.iter().find(|file| {
        file.is_regular()
            && ["/usr/bin", "/usr/sbin", "/bin", "/sbin"].iter().any(|dir| file.is_below(dir))
    });
    if let Some(file) = clash {
        let message = format!("two architectures cannot both install `{}`", file.name);
        report.advise(
            cx.places.key("deb.multi-arch"),
            message,
            "`foreign` is for programs, `same` for libraries",
        );
    }
}

const OBSOLETES: [&str; 3] = ["rpm.obsoletes.append", "rpm.obsoletes", "replaces"];

fn unversioned_obsoletes(cx: &Subject<'_>, report: &mut Report<'_>) {
    let Some(rpm) = &cx.recipe.rpm else { return };
    for relation in rpm.obsoletes.iter().filter(|relation| relation.constraint.is_none()) {
        let name = relation.name.as_str();
        let message = format!("the rpm obsoletes every version of `{name}` that will ever be");
        report.advise(
            cx.places.relation(&OBSOLETES, name),
            message,
            format!("e.g. `{name} < 2.0`"),
        );
    }
}

fn obsolete_not_provided(cx: &Subject<'_>, report: &mut Report<'_>) {
    let Some(rpm) = &cx.recipe.rpm else { return };
    for relation in &rpm.obsoletes {
        let provided = rpm.provides.iter().any(|other| other.name == relation.name);
        if !provided && relation.name != cx.recipe.name.as_str() {
            let name = relation.name.as_str();
            let message = format!("the rpm takes the place of `{name}` and does not provide it");
            report.advise(
                cx.places.relation(&OBSOLETES, name),
                message,
                format!("add `{name}` to `provides` if it can stand in"),
            );
        }
    }
}

fn useless_provides(cx: &Subject<'_>, report: &mut Report<'_>) {
    let own = cx.recipe.name.as_str();
    let of_rpm =
        cx.recipe.rpm.as_ref().is_some_and(|rpm| rpm.provides.iter().any(|r| r.name == own));
    let of_deb =
        cx.recipe.deb.as_ref().is_some_and(|deb| deb.provides.iter().any(|r| r.name() == own));
    if of_rpm || of_deb {
        let lists = [
            "rpm.provides.append",
            "rpm.provides",
            "deb.provides.append",
            "deb.provides",
            "provides",
        ];
        report.found(cx.places.relation(&lists, own), "every package provides itself");
    }
}

fn explicit_lib_dependency(cx: &Subject<'_>, report: &mut Report<'_>) {
    let Some(rpm) = &cx.recipe.rpm else { return };
    for relation in &rpm.requires {
        let name = relation.name.as_str();
        let is_library =
            name.starts_with("lib") && !name.contains('(') && !name.ends_with("-devel");
        if is_library && !["libreoffice", "libvirt", "libtool"].iter().any(|p| name.starts_with(p))
        {
            let place =
                cx.places.relation(&["rpm.requires.append", "rpm.requires", "depends"], name);
            let hint = "name what programs need instead, e.g. `libfoo.so.1()(64bit)`";
            report.advise(place, format!("the rpm requires the package `{name}`"), hint);
        }
    }
}
