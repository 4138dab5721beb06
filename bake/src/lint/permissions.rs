//! Rules for modes and owners.

use bake_formats::tree::Node;

use super::finding::Severity::{Error, Info, Warning};
use super::rule::{Check, Report, Rule};
use super::subject::{File, Subject};

/// The bits of `st_mode` that give a program another's rights.
const SETUID: u16 = 0o4000;
const SETGID: u16 = 0o2000;
const STICKY: u16 = 0o1000;

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "elevated-privileges",
        severity: Warning,
        lintian: &["elevated-privileges"],
        rpmlint: &["setuid-binary", "setgid-binary"],
        about: "a program with setuid or setgid",
        check: Check::File(elevated_privileges),
    },
    Rule {
        id: "world-writable",
        severity: Error,
        lintian: &["non-standard-dir-perm", "executable-is-not-world-readable"],
        rpmlint: &["world-writable"],
        about: "what everyone may write",
        check: Check::File(world_writable),
    },
    Rule {
        id: "executable-manual-page",
        severity: Warning,
        lintian: &["executable-manual-page"],
        rpmlint: &["spurious-executable-perm"],
        about: "a manual page that may be executed",
        check: Check::File(executable_manual_page),
    },
    Rule {
        id: "executable-documentation",
        severity: Warning,
        lintian: &["executable-in-usr-share-doc"],
        rpmlint: &["spurious-executable-perm", "executable-docs"],
        about: "documentation that may be executed",
        check: Check::File(executable_documentation),
    },
    Rule {
        id: "executable-config",
        severity: Warning,
        lintian: &[],
        rpmlint: &["executable-marked-as-config-file"],
        about: "configuration that may be executed",
        check: Check::File(executable_config),
    },
    Rule {
        id: "non-executable-in-bin",
        severity: Warning,
        lintian: &["script-not-executable", "non-standard-executable-perm"],
        rpmlint: &["non-executable-in-bin"],
        about: "a file in `/usr/bin` that nobody may execute",
        check: Check::File(non_executable_in_bin),
    },
    Rule {
        id: "executable-library",
        severity: Info,
        lintian: &["shared-library-is-executable"],
        rpmlint: &[],
        about: "a shared library that may be executed, in a deb",
        check: Check::File(executable_library),
    },
    Rule {
        id: "unreadable-file",
        severity: Info,
        lintian: &["non-standard-file-perm"],
        rpmlint: &["non-readable"],
        about: "a file that only its owner may read",
        check: Check::File(unreadable_file),
    },
    Rule {
        id: "unknown-owner",
        severity: Warning,
        lintian: &["wrong-file-owner-uid-or-gid"],
        rpmlint: &[],
        about: "an owner that nothing in the package creates",
        check: Check::File(unknown_owner),
    },
];

fn elevated_privileges(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let bits = file.entry.mode.bits();
    if file.is_regular() && bits & (SETUID | SETGID) != 0 && bits & 0o111 != 0 {
        let owner =
            if bits & SETUID != 0 { &file.entry.owner.name } else { &file.entry.group.name };
        let message = format!("`{}` runs with the rights of `{owner}`", file.name);
        report.advise(file.at(), message, "`capabilities` give less away");
    }
}

fn world_writable(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let bits = file.entry.mode.bits();
    let has_mode = matches!(file.entry.node, Node::File(_) | Node::Directory | Node::HardLink(_));
    let shared = file.entry.is_directory() && bits & STICKY != 0;
    if has_mode && bits & 0o002 != 0 && !shared {
        report.found(file.at(), format!("everyone may write `{}`", file.name));
    }
}

fn executable_manual_page(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    if file.is_below("/usr/share/man") && file.is_regular() && file.is_executable() {
        report.advise(
            file.at(),
            format!("`{}` may be executed", file.name),
            "add `mode = \"0644\"`",
        );
    }
}

fn executable_documentation(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let examples = file.name.contains("/examples/");
    if file.is_below("/usr/share/doc") && file.is_regular() && file.is_executable() && !examples {
        report.advise(
            file.at(),
            format!("`{}` may be executed", file.name),
            "add `mode = \"0644\"`",
        );
    }
}

fn executable_config(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let scripts = [
        "/etc/init.d",
        "/etc/cron.daily",
        "/etc/cron.hourly",
        "/etc/cron.weekly",
        "/etc/cron.monthly",
    ];
    let is_script = scripts.iter().any(|folder| file.is_below(folder)) || file.name.contains(".d/");
    if file.entry.mark.is_config() && file.is_regular() && file.is_executable() && !is_script {
        let message = format!("configuration `{}` may be executed", file.name);
        report.advise(file.at(), message, "add `mode = \"0644\"`");
    }
}

fn non_executable_in_bin(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let folders = ["/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/games", "/usr/local/bin"];
    let inside = folders.iter().any(|folder| file.is_below(folder));
    if inside && file.is_regular() && !file.is_executable() {
        report.advise(
            file.at(),
            format!("nobody may execute `{}`", file.name),
            "add `mode = \"0755\"`",
        );
    }
}

fn executable_library(cx: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let name = file.base();
    let library =
        name.starts_with("lib") && (name.strip_suffix(".so").is_some() || name.contains(".so."));
    let place = file.is_below("/usr/lib") || file.is_below("/lib");
    if cx.has_deb() && library && place && file.is_regular() && file.is_executable() {
        report.found(file.at(), format!("`{}` is a library and may be executed", file.name));
    }
}

fn unreadable_file(_: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    if file.is_regular() && file.entry.mode.bits() & 0o044 == 0 && file.entry.owner.is_root() {
        let (name, mode) = (&file.name, file.entry.mode);
        report.found(file.at(), format!("only root may read `{name}`, which has mode {mode}"));
    }
}

/// Accounts that every Debian and Fedora has.
const ACCOUNTS: [&str; 17] = [
    "root", "bin", "daemon", "sys", "adm", "tty", "disk", "lp", "mail", "man", "games", "nobody",
    "nogroup", "www-data", "shadow", "utmp", "staff",
];

fn unknown_owner(cx: &Subject<'_>, file: &File<'_>, report: &mut Report<'_>) {
    let service = cx.recipe.service.as_ref();
    let own = |name: &str| service.is_some_and(|s| *s.user.name == *name || *s.group.name == *name);
    for name in [&file.entry.owner.name, &file.entry.group.name] {
        if !ACCOUNTS.contains(&&**name) && !own(name) && !cx.creates_accounts {
            let message = format!(
                "`{}` belongs to `{name}`, which nothing in the package creates",
                file.name
            );
            report.advise(
                file.at(),
                message,
                "`[service] user` or a file in `/usr/lib/sysusers.d` creates it",
            );
        }
    }
}
