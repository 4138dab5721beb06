//! Rules for where files are and what they are called.

use bake_formats::tree::{Entry, Node};

use super::finding::Severity::{Info, Warning};
use super::names::{TOP, USR};
use super::rule::{Check, Report, Rule};
use super::subject::{File, Subject};

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "file-in-usr-local",
        severity: Warning,
        lintian: &["file-in-usr-local", "dir-in-usr-local"],
        rpmlint: &["dir-or-file-in-usr-local"],
        about: "a file in `/usr/local`, which is the administrator's",
        check: Check::File(file_in_usr_local),
    },
    Rule {
        id: "file-in-opt",
        severity: Info,
        lintian: &["dir-or-file-in-opt"],
        rpmlint: &["dir-or-file-in-opt"],
        about: "a file in `/opt`, where a distribution's own packages have none",
        check: Check::File(file_in_opt),
    },
    Rule {
        id: "file-in-volatile-directory",
        severity: Warning,
        lintian: &["dir-or-file-in-run", "dir-or-file-in-var-run", "dir-or-file-in-tmp"],
        rpmlint: &["non-ghost-in-run", "dir-or-file-in-tmp"],
        about: "a file in `/run` or a `tmp`, which a boot empties",
        check: Check::File(file_in_volatile_directory),
    },
    Rule {
        id: "file-in-foreign-directory",
        severity: Warning,
        lintian: &["dir-or-file-in-home", "dir-or-file-in-mnt", "dir-or-file-in-srv"],
        rpmlint: &["dir-or-file-in-home", "dir-or-file-in-mnt"],
        about: "a file in `/home`, `/root`, `/mnt`, `/media` or `/srv`, which are people's own",
        check: Check::File(file_in_foreign_directory),
    },
    Rule {
        id: "unmerged-usr",
        severity: Warning,
        lintian: &["aliased-location"],
        rpmlint: &[],
        about: "a file in `/bin`, `/sbin` or `/lib`, which are links into `/usr`",
        check: Check::File(unmerged_usr),
    },
    Rule {
        id: "non-standard-directory",
        severity: Warning,
        lintian: &["non-standard-toplevel-dir", "non-standard-dir-in-usr", "FSSTND-dir-in-usr"],
        rpmlint: &[],
        about: "a directory of the root or of `/usr` that the FHS does not have",
        check: Check::File(non_standard_directory),
    },
    Rule {
        id: "directory-in-bin",
        severity: Warning,
        lintian: &["subdir-in-usr-bin"],
        rpmlint: &["subdir-in-bin"],
        about: "a directory in `/usr/bin` or `/usr/sbin`",
        check: Check::File(directory_in_bin),
    },
    Rule {
        id: "backup-file",
        severity: Warning,
        lintian: &["backup-file-in-package"],
        rpmlint: &["backup-file-in-package"],
        about: "what an editor or patch left: `x~`, `x.orig`, `x.rej`, `#x#`, `.x.swp`",
        check: Check::File(backup_file),
    },
    Rule {
        id: "version-control-file",
        severity: Warning,
        lintian: &["package-contains-vcs-control-dir", "package-contains-vcs-control-file"],
        rpmlint: &["version-control-internal-file"],
        about: "`.git`, `.gitignore` and what other version controls keep",
        check: Check::File(version_control_file),
    },
    Rule {
        id: "desktop-litter",
        severity: Warning,
        lintian: &[
            "macos-ds-store-file-in-package",
            "windows-thumbnail-database-in-package",
            "package-contains-thumbnails-dir",
        ],
        rpmlint: &[],
        about: "`.DS_Store`, `Thumbs.db` and the like",
        check: Check::File(desktop_litter),
    },
    Rule {
        id: "python-bytecode",
        severity: Warning,
        lintian: &["package-installs-python-bytecode", "package-installs-python-pycache-dir"],
        rpmlint: &["python-bytecode-without-source"],
        about: "`__pycache__` and `.pyc`, which depend on the machine that made them",
        check: Check::File(python_bytecode),
    },
    Rule {
        id: "hidden-file",
        severity: Info,
        lintian: &[],
        rpmlint: &["hidden-file-or-dir"],
        about: "a file or directory whose name begins with a dot",
        check: Check::File(hidden_file),
    },
    Rule {
        id: "libtool-archive",
        severity: Warning,
        lintian: &["incorrect-libdir-in-la-file"],
        rpmlint: &["invalid-la-file"],
        about: "a `.la` file, which names folders of the build",
        check: Check::File(libtool_archive),
    },
    Rule {
        id: "development-file",
        severity: Info,
        lintian: &[],
        rpmlint: &["devel-file-in-non-devel-package"],
        about: "headers, `.a` and `.pc` files in a package that is not for developers",
        check: Check::File(development_file),
    },
    Rule {
        id: "extra-license-file",
        severity: Info,
        lintian: &["extra-license-file"],
        rpmlint: &[],
        about: "a licence in `/usr/share/doc` besides `copyright`",
        check: Check::File(extra_license_file),
    },
    Rule {
        id: "name-not-utf8",
        severity: Warning,
        lintian: &["shipped-file-without-utf8-name"],
        rpmlint: &["filename-not-utf8"],
        about: "a file name that is not UTF-8",
        check: Check::File(name_not_utf8),
    },
    Rule {
        id: "name-with-wildcard",
        severity: Warning,
        lintian: &["file-name-contains-wildcard-character"],
        rpmlint: &[],
        about: "a file name that a shell takes for a pattern",
        check: Check::File(name_with_wildcard),
    },
    Rule {
        id: "empty-directory",
        severity: Info,
        lintian: &["package-contains-empty-directory"],
        rpmlint: &[],
        about: "an empty directory outside of `/etc` and `/var`",
        check: Check::File(empty_directory),
    },
    Rule {
        id: "etc-not-config",
        severity: Warning,
        lintian: &["file-in-etc-not-marked-as-conffile"],
        rpmlint: &["non-conffile-in-etc"],
        about: "a file in `/etc` whose edits an upgrade would lose",
        check: Check::File(etc_not_config),
    },
    Rule {
        id: "config-outside-etc",
        severity: Warning,
        lintian: &["file-in-usr-marked-as-conffile", "non-etc-file-marked-as-conffile"],
        rpmlint: &["non-etc-or-var-file-marked-as-conffile"],
        about: "configuration outside of `/etc` and `/var`",
        check: Check::File(config_outside_etc),
    },
    Rule {
        id: "config-not-noreplace",
        severity: Info,
        lintian: &[],
        rpmlint: &["conffile-without-noreplace-flag"],
        about: "configuration whose edits an upgrade of the rpm moves away",
        check: Check::File(config_not_noreplace),
    },
    Rule {
        id: "removed-config-is-shipped",
        severity: Warning,
        lintian: &["unexpected-conffile"],
        rpmlint: &[],
        about: "a file that is shipped and listed as removed on upgrade",
        check: Check::File(removed_config_is_shipped),
    },
];

fn is_under(file: &File<'_>, directories: &[&str]) -> bool {
    directories.iter().any(|directory| file.is_below(directory))
}

/// Returns whether an entry says more than that a directory leads somewhere.
fn is_asked_for(cx: &Subject<'_>, file: &File<'_>) -> bool {
    !file.entry.is_directory() || !cx.has_children(file.path)
}

fn report_place(file: &File<'_>, report: &mut Report<'_>, message: &str, hint: &str) {
    report.advise(file.at(), format!("`{}` {message}", file.name), hint);
}

fn file_in_usr_local(cx: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    if file.is_below("/usr/local") && is_asked_for(cx, file) {
        report_place(
            file,
            report,
            "is in `/usr/local`, which is the administrator's",
            "`/usr` is for packages",
        );
    }
}

fn file_in_opt(cx: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    // The first below a package's folder speaks for all.
    if file.is_below("/opt") && is_asked_for(cx, file) {
        let folder: Vec<&str> = file.name.splitn(4, '/').take(3).collect();
        report.found(file.at(), format!("`{}` is in `/opt`", folder.join("/")));
    }
}

fn file_in_volatile_directory(cx: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let volatile = ["/run", "/var/run", "/var/lock", "/tmp", "/var/tmp", "/usr/tmp"];
    let ghost = file.entry.mark == bake_formats::tree::Mark::Ghost;
    if is_under(file, &volatile) && is_asked_for(cx, file) && !ghost {
        report_place(
            file,
            report,
            "is gone after a boot",
            "tmpfiles.d(5) makes it again; `state` of a service does, too",
        );
    }
}

fn file_in_foreign_directory(cx: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let foreign = ["/home", "/root", "/mnt", "/media", "/srv"];
    if is_under(file, &foreign) && is_asked_for(cx, file) {
        report_place(
            file,
            report,
            "is where people keep their own",
            "`/usr/share` or `/var/lib` is for packages",
        );
    }
}

fn unmerged_usr(cx: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let aliased = ["/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32"];
    if is_under(file, &aliased) && is_asked_for(cx, file) {
        report_place(
            file,
            report,
            "is behind a link of the distribution",
            &format!("place it at `/usr{}`", file.name),
        );
    }
}

fn non_standard_directory(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    if !file.entry.is_directory() {
        return;
    }
    let parts: Vec<&str> = file.name.split('/').skip(1).collect();
    let bad = match parts.as_slice() {
        [top] => !TOP.contains(top),
        ["usr", below] => {
            let triplet = below.contains("-linux-");
            !USR.contains(below) && !triplet
        }
        _ => false,
    };
    if bad {
        report_place(
            file,
            report,
            "is no directory of the FHS",
            "programs of your own go to `/opt/NAME` or `/usr/lib/NAME`",
        );
    }
}

fn directory_in_bin(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    if file.entry.is_directory() && is_under(file, &["/usr/bin", "/usr/sbin", "/bin", "/sbin"]) {
        report_place(
            file,
            report,
            "is a directory among programs",
            "nothing looks for programs there",
        );
    }
}

fn backup_file(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let name = file.base();
    let ends = ["~", ".orig", ".rej", ".bak", ".swp", ".swo"].iter().any(|end| name.ends_with(end));
    let emacs = name.len() > 2 && name.starts_with('#') && name.ends_with('#');
    if !file.entry.is_directory() && (ends || emacs) {
        report_place(file, report, "looks like what an editor left", "leave it out with `exclude`");
    }
}

fn version_control_file(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let folders = [".git", ".svn", ".hg", ".bzr", "CVS", "_darcs", ".jj"];
    let files = [
        ".gitignore",
        ".gitattributes",
        ".gitmodules",
        ".cvsignore",
        ".hgignore",
        ".hgtags",
        ".bzrignore",
    ];
    let name = file.base();
    let is_folder = file.entry.is_directory() && folders.contains(&name);
    if is_folder || files.contains(&name) {
        report_place(file, report, "is of version control", "leave it out with `exclude`");
    }
}

fn desktop_litter(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    if [".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX", ".xvpics", ".thumbnails"]
        .contains(&file.base())
    {
        report_place(file, report, "is what a desktop left", "leave it out with `exclude`");
    }
}

fn python_bytecode(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let name = file.base();
    let inside = file.name.contains("/__pycache__/");
    if name == "__pycache__"
        || (name.strip_suffix(".pyc").is_some() || name.strip_suffix(".pyo").is_some()) && !inside
    {
        report_place(
            file,
            report,
            "is Python's cache",
            "leave it out with `exclude = [\"__pycache__\", \"*.pyc\"]`",
        );
    }
}

fn hidden_file(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let name = file.base();
    let known = [".build-id", ".bake", ".gitkeep"].contains(&name);
    if name.starts_with('.') && !known && !file.is_below("/etc/skel") {
        report_place(file, report, "is hidden", "leave it out with `exclude` if nothing reads it");
    }
}

fn libtool_archive(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    if file.base().strip_suffix(".la").is_some()
        && file.is_regular()
        && is_under(file, &["/usr/lib", "/usr/lib64", "/lib"])
    {
        report_place(file, report, "is of libtool", "leave it out: linkers need it no more");
    }
}

fn development_file(cx: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let package = cx.recipe.name.as_str();
    let for_developers =
        ["-dev", "-devel", "-static", "-sdk"].iter().any(|end| package.ends_with(end));
    let name = file.base();
    let header = file.is_below("/usr/include") && file.is_regular();
    let found = header
        || name.strip_suffix(".pc").is_some()
        || (name.strip_suffix(".a").is_some() && name.starts_with("lib"));
    if found && !for_developers {
        report_place(
            file,
            report,
            "is for developers",
            "distributions have a `-dev` or `-devel` package for it",
        );
    }
}

fn extra_license_file(cx: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let stem = file.base().split('.').next().unwrap_or_default().to_uppercase();
    if cx.has_deb()
        && file.is_below("/usr/share/doc")
        && ["LICENSE", "LICENCE", "COPYING"].contains(&stem.as_str())
    {
        report_place(
            file,
            report,
            "is a licence besides `copyright`",
            "`formats` leaves it out of the deb",
        );
    }
}

fn name_not_utf8(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    if !file.is_utf8 {
        report.found(file.at(), format!("the name of `{}` is not UTF-8", file.name));
    }
}

fn name_with_wildcard(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    if file.base().contains(['*', '?']) {
        report_place(file, report, "has a wildcard in its name", "give it another name");
    }
}

fn empty_directory(cx: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let kept = is_under(file, &["/etc", "/var", "/run", "/srv", "/usr/share/doc"]);
    if file.entry.is_directory() && !kept && !file.entry.implied && !cx.has_children(file.path) {
        report_place(file, report, "is empty", "leave it out if nothing needs it");
    }
}

fn is_config(entry: &Entry) -> bool {
    entry.mark.is_config()
}

fn etc_not_config(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    if file.is_below("/etc") && file.is_regular() && !is_config(file.entry) {
        report_place(
            file,
            report,
            "is in `/etc`, but no configuration",
            "add `type = \"config-noreplace\"`",
        );
    }
}

fn config_outside_etc(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let node = matches!(file.entry.node, Node::File(_) | Node::HardLink(_));
    if node && is_config(file.entry) && !is_under(file, &["/etc", "/var"]) {
        report_place(
            file,
            report,
            "is configuration outside of `/etc`",
            "administrators look in `/etc`",
        );
    }
}

fn config_not_noreplace(cx: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    use bake_formats::tree::Mark;
    let moved = matches!(file.entry.mark, Mark::Config | Mark::ConfigMissingOk);
    if cx.has_rpm() && moved {
        report_place(
            file,
            report,
            "is replaced on upgrade, and edits become `.rpmsave`",
            "`type = \"config-noreplace\"` keeps them",
        );
    }
}

fn removed_config_is_shipped(cx: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    if cx.recipe.deb.as_ref().is_some_and(|deb| deb.remove_conffiles.contains(file.path)) {
        report_place(
            file,
            report,
            "is shipped, and removed on upgrade",
            "take it out of `[deb] remove-conffiles`",
        );
    }
}
