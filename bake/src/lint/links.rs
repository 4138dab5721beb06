//! Rules for symbolic links.

use bake_formats::tree::Node;

use super::finding::Severity::{Error, Info, Warning};
use super::rule::{Check, Report, Rule};
use super::subject::{File, Subject};

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "dangling-symlink",
        severity: Warning,
        lintian: &["package-contains-broken-symlink-wildcard"],
        rpmlint: &["dangling-symlink", "dangling-relative-symlink"],
        about: "a link to what the package does not have, in a directory of its own",
        check: Check::File(dangling_symlink),
    },
    Rule {
        id: "symlink-to-elsewhere",
        severity: Info,
        lintian: &[],
        rpmlint: &["dangling-symlink"],
        about: "a link to what other packages must have",
        check: Check::File(symlink_to_elsewhere),
    },
    Rule {
        id: "symlink-should-be-relative",
        severity: Warning,
        lintian: &["absolute-symlink-in-top-level-folder"],
        rpmlint: &["symlink-should-be-relative"],
        about: "an absolute link within one directory of the root (Debian policy 10.5)",
        check: Check::File(symlink_should_be_relative),
    },
    Rule {
        id: "symlink-should-be-absolute",
        severity: Warning,
        lintian: &["relative-symlink"],
        rpmlint: &[],
        about: "a relative link from one directory of the root to another",
        check: Check::File(symlink_should_be_absolute),
    },
    Rule {
        id: "symlink-leaves-root",
        severity: Error,
        lintian: &["symlink-has-too-many-up-segments", "package-contains-unsafe-symlink"],
        rpmlint: &[],
        about: "a link that climbs above the root",
        check: Check::File(symlink_leaves_root),
    },
    Rule {
        id: "symlink-with-spurious-segments",
        severity: Warning,
        lintian: &[
            "symlink-contains-spurious-segments",
            "symlink-has-double-slash",
            "symlink-ends-with-slash",
            "lengthy-symlink",
        ],
        rpmlint: &[],
        about: "a link whose target has `.`, `//`, a slash at its end or a way there and back",
        check: Check::File(symlink_with_spurious_segments),
    },
    Rule {
        id: "symlink-to-itself",
        severity: Error,
        lintian: &["symlink-is-self-recursive"],
        rpmlint: &[],
        about: "a link that leads to itself",
        check: Check::File(symlink_to_itself),
    },
    Rule {
        id: "compressed-symlink-with-wrong-ending",
        severity: Warning,
        lintian: &["compressed-symlink-with-wrong-ext"],
        rpmlint: &["compressed-symlink-with-wrong-ext"],
        about: "a link to a compressed file without its ending",
        check: Check::File(compressed_symlink),
    },
];

/// Returns the target as text.
fn target(file: &File<'_>) -> Option<String> {
    match &file.entry.node {
        Node::Symlink(target) => Some(String::from_utf8_lossy(target).into_owned()),
        _ => None,
    }
}

/// Returns the absolute path that a link leads to; `None` if it climbs above the root.
fn resolve(link: &str, target: &str) -> Option<String> {
    let folder = link.rsplit_once('/').map_or("", |(folder, _)| folder);
    let whole =
        if target.starts_with('/') { target.to_owned() } else { format!("{folder}/{target}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/').filter(|part| !part.is_empty() && *part != ".") {
        if part == ".." {
            parts.pop()?;
        } else {
            parts.push(part);
        }
    }
    Some(format!("/{}", parts.join("/")))
}

fn top(path: &str) -> &str {
    path.trim_start_matches('/').split('/').next().unwrap_or_default()
}

/// Returns where a link leads if the package does not have it: the path, and whether it is in a
/// directory that only this package fills.
fn missing(cx: &Subject<'_>, file: &File<'_>) -> Option<(String, bool)> {
    let to = resolve(&file.name, &target(file)?)?;
    let special =
        ["/dev", "/proc", "/sys", "/run"].iter().any(|dir| to.starts_with(&format!("{dir}/")));
    // What is behind another link of the package is not followed.
    let mut above = to.as_str();
    while let Some((parent, _)) = above.rsplit_once('/').filter(|(parent, _)| !parent.is_empty()) {
        let is_link = cx.files.iter().any(|other| other.name == parent && target(other).is_some());
        if is_link {
            return None;
        }
        above = parent;
    }
    if to == "/" || special || cx.places_path(&to) {
        return None;
    }
    let name = cx.recipe.name.as_str();
    let own = ["/usr/lib", "/usr/share", "/opt", "/etc", "/usr/libexec", "/var/lib"]
        .iter()
        .any(|folder| to.starts_with(&format!("{folder}/{name}/")));
    Some((to, own))
}

fn dangling_symlink(cx: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    if let Some((to, true)) = missing(cx, file) {
        report.found(
            file.at(),
            format!("`{}` leads to `{to}`, which the package does not have", file.name),
        );
    }
}

fn symlink_to_elsewhere(cx: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    if let Some((to, false)) = missing(cx, file) {
        let message = format!("`{}` leads to `{to}`, which another package must have", file.name);
        report.advise(file.at(), message, "name that package in `depends`");
    }
}

fn symlink_should_be_relative(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let Some(target) = target(file).filter(|target| target.starts_with('/')) else { return };
    if top(&target) == top(&file.name) {
        let from: Vec<&str> = file.name.split('/').skip(1).collect();
        let to: Vec<&str> = target.split('/').filter(|part| !part.is_empty()).collect();
        let same = from.iter().zip(&to).take_while(|(a, b)| a == b).count().min(from.len() - 1);
        let up = "../".repeat(from.len() - 1 - same);
        let better = format!("{up}{}", to[same..].join("/"));
        let message =
            format!("the link `{}` stays in `/{}` and is absolute", file.name, top(&target));
        report.advise(file.at(), message, format!("`{better}`"));
    }
}

fn symlink_should_be_absolute(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let Some(target) = target(file).filter(|target| !target.starts_with('/')) else { return };
    let Some(to) = resolve(&file.name, &target) else { return };
    if top(&to) != top(&file.name) {
        let message =
            format!("the link `{}` leaves `/{}` and is relative", file.name, top(&file.name));
        report.advise(file.at(), message, format!("`{to}`"));
    }
}

fn symlink_leaves_root(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let Some(target) = target(file) else { return };
    if resolve(&file.name, &target).is_none() {
        report
            .found(file.at(), format!("the link `{}` leads above the root: `{target}`", file.name));
    }
}

fn symlink_with_spurious_segments(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let Some(target) = target(file) else { return };
    let parts: Vec<&str> = target.split('/').collect();
    let back = parts.windows(2).any(|pair| !["..", ".", ""].contains(&pair[0]) && pair[1] == "..");
    let slash = target.len() > 1 && target.ends_with('/');
    if target.contains("//") || slash || back || parts.contains(&".") {
        report.found(
            file.at(),
            format!("the target of `{}` can be written shorter: `{target}`", file.name),
        );
    }
}

fn symlink_to_itself(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let Some(target) = target(file) else { return };
    if resolve(&file.name, &target).as_deref() == Some(file.name.as_str()) {
        report.found(file.at(), format!("the link `{}` leads to itself", file.name));
    }
}

fn compressed_symlink(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let Some(target) = target(file) else { return };
    for ending in [".gz", ".bz2", ".xz", ".zst"] {
        if target.ends_with(ending) && !file.name.ends_with(ending) {
            report.advise(
                file.at(),
                format!("`{}` is a link to a compressed file", file.name),
                format!("call it `{}{ending}`", file.name),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_resolved_within_the_root() {
        let cases = [
            ("/usr/bin/x", "../lib/x/x", Some("/usr/lib/x/x")),
            ("/usr/bin/x", "/etc/x", Some("/etc/x")),
            ("/x", "..", None),
            ("/usr/x", "../../..", None),
            ("/usr/x", "./y/.//z", Some("/usr/y/z")),
        ];
        for (link, target, expected) in cases {
            assert_eq!(resolve(link, target).as_deref(), expected, "{link} {target}");
        }
    }
}
