//! Directories that belong to the distribution, so that no other package may own them.
//!
//! A package that lists `/usr/bin` fights with the package `filesystem` over its mode; one that
//! does not list its own directories leaves them behind when it is removed. So a parent that nobody
//! asked for is listed where it can only be the package's own: below `/opt` and `/srv`, where no
//! distribution has anything, and below a directory of the package's name where such are customary,
//! e.g. `/usr/share/NAME`. Any other may be another package's, with another mode.

use crate::tree::{Entry, FileTree, Mark, Mode, TreePath};

/// Below `/`; those of Fedora's and openSUSE's `filesystem`, and `systemd`'s.
const SYSTEM: &[&str] = &[
    "",
    "boot",
    "dev",
    "etc",
    "etc/cron.d",
    "etc/cron.daily",
    "etc/default",
    "etc/ld.so.conf.d",
    "etc/logrotate.d",
    "etc/opt",
    "etc/pam.d",
    "etc/profile.d",
    "etc/security",
    "etc/skel",
    "etc/ssl",
    "etc/sysconfig",
    "etc/sysctl.d",
    "etc/systemd",
    "etc/systemd/system",
    "etc/systemd/user",
    "etc/udev",
    "etc/udev/rules.d",
    "etc/xdg",
    "etc/xdg/autostart",
    "home",
    "media",
    "mnt",
    "opt",
    "proc",
    "run",
    "srv",
    "sys",
    "usr",
    "usr/bin",
    "usr/games",
    "usr/include",
    "usr/lib",
    "usr/lib/debug",
    "usr/lib/firewalld",
    "usr/lib/firewalld/services",
    "usr/lib/modules-load.d",
    "usr/lib/sysctl.d",
    "usr/lib/systemd",
    "usr/lib/systemd/system",
    "usr/lib/systemd/system-preset",
    "usr/lib/systemd/user",
    "usr/lib/systemd/user-preset",
    "usr/lib/sysusers.d",
    "usr/lib/tmpfiles.d",
    "usr/lib/udev",
    "usr/lib/udev/rules.d",
    "usr/lib64",
    "usr/libexec",
    "usr/local",
    "usr/local/bin",
    "usr/local/etc",
    "usr/local/lib",
    "usr/local/sbin",
    "usr/local/share",
    "usr/sbin",
    "usr/share",
    "usr/share/applications",
    "usr/share/bash-completion",
    "usr/share/bash-completion/completions",
    "usr/share/doc",
    "usr/share/fish",
    "usr/share/fish/vendor_completions.d",
    "usr/share/icons",
    "usr/share/info",
    "usr/share/licenses",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/man/man1",
    "usr/share/man/man2",
    "usr/share/man/man3",
    "usr/share/man/man4",
    "usr/share/man/man5",
    "usr/share/man/man6",
    "usr/share/man/man7",
    "usr/share/man/man8",
    "usr/share/man/man9",
    "usr/share/pixmaps",
    "usr/share/zsh",
    "usr/share/zsh/site-functions",
    "usr/src",
    "var",
    "var/adm",
    "var/cache",
    "var/lib",
    "var/log",
    "var/opt",
    "var/spool",
];

/// Where packages have directories of their names.
const NAMED: &[&str] = &[
    "etc",
    "usr/include",
    "usr/lib",
    "usr/lib64",
    "usr/libexec",
    "usr/share",
    "usr/share/doc",
    "usr/share/licenses",
    "usr/src",
    "var/cache",
    "var/lib",
    "var/log",
    "var/spool",
];

/// Where no distribution has anything.
const FREE: &[&str] = &["etc/opt", "opt", "srv", "var/opt"];

/// Returns whether a package of some name must not list an entry: a parent that nobody asked for
/// and that may be another's, or a distribution's directory just as the distribution has it.
///
/// What is left out is never more than a [`crate::tree::TreeId`] leaves out.
pub(super) fn is_unowned(tree: &FileTree, path: &TreePath, entry: &Entry, name: &str) -> bool {
    let usual = entry.is_directory()
        && entry.mode == Mode::EXECUTABLE
        && &*entry.owner.name == "root"
        && &*entry.group.name == "root"
        && entry.xattrs.is_empty()
        && entry.mark != Mark::Ghost;
    usual
        && (path.is_root() || tree.has_children(path))
        && ((entry.implied && !is_private(path, name))
            || path.relative_str().is_some_and(is_system))
}

/// Returns whether a directory can only be that of a package of some name.
fn is_private(path: &TreePath, name: &str) -> bool {
    let Some(path) = path.relative_str() else { return false };
    let below = |root: &str| path.strip_prefix(root)?.strip_prefix('/');
    FREE.iter().any(|root| below(root).is_some())
        || NAMED
            .iter()
            .any(|root| below(root).is_some_and(|rest| rest.split('/').next() == Some(name)))
}

fn is_system(path: &str) -> bool {
    SYSTEM.binary_search(&path).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{Content, Owner, TreeBuilder};

    #[test]
    fn the_table_is_sorted() {
        assert!(SYSTEM.is_sorted());
    }

    #[test]
    fn own_directories_are_listed_and_system_ones_are_not() {
        let path = |text: &str| TreePath::parse(text).unwrap();
        let mut builder = TreeBuilder::new();
        let mut add = |text: &str, entry: Entry| builder.insert(path(text), entry).unwrap();
        let file = || Entry::file(Content::of(b""), Mode::PLAIN);
        add("/usr/bin", Entry::directory());
        add("/usr/bin/x", file());
        add("/usr/share/x", Entry::directory());
        add("/usr/share/x/y", file());
        add("/usr/lib/private/z", file());
        add("/usr/share/doc/x/README", file());
        add("/usr/share/licenses/xy/MIT", file());
        add("/opt/vendor/z", file());
        add("/etc/nginx/conf.d/x/y", file());
        add("/var/lib", Entry::directory());
        let private = Entry { owner: Owner::new("svc", 7), ..Entry::directory() };
        add("/srv", private);
        add("/srv/x", file());
        let tree = builder.finish().unwrap();
        let listed: Vec<String> = tree
            .iter()
            .filter(|(path, entry)| !is_unowned(&tree, path, entry, "x"))
            .map(|(path, _)| path.to_string())
            .collect();
        let expected = [
            "/etc/nginx/conf.d/x/y",
            "/opt/vendor",
            "/opt/vendor/z",
            "/srv",
            "/srv/x",
            "/usr/bin/x",
            "/usr/lib/private/z",
            "/usr/share/doc/x",
            "/usr/share/doc/x/README",
            "/usr/share/licenses/xy/MIT",
            "/usr/share/x",
            "/usr/share/x/y",
            "/var/lib",
        ];
        assert_eq!(listed, expected);
    }
}
