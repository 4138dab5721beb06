//! Accounts (sysusers.d) and directories (tmpfiles.d).

use bake_formats::deb::{ControlFile, RelationField};
use bake_formats::tree::{FileTree, TreePath};
use bake_recipes::resolved::Service;

use super::super::DebCx;
use super::super::relations::Need;
use super::Parts;
use super::shell::{self, CONFIGURE};

/// Who has systemd-sysusers, without asking for systemd itself.
const SYSUSERS: &[&str] = &["systemd", "systemd-standalone-sysusers", "systemd-sysusers"];
/// Follows `systemd-sysusers` and `systemd-tmpfiles`.
const ROOT: &str = "${DPKG_ROOT:+--root=\"$DPKG_ROOT\"}";

/// Makes the accounts of the service before files that belong to them are unpacked.
///
/// dpkg looks owners up by name while it unpacks. An account that is not there yet would leave its
/// files with the number of the build, which may be somebody else's here; and a program that sets
/// its user id must not be root's even for a moment. So this cannot wait for `postinst`.
pub(super) fn before_unpacking(parts: &mut Parts, cx: DebCx<'_>) {
    let Some(service) = owning_service(cx) else { return };
    let Some(config) = service.sysusers() else { return };
    let name = &service.name;
    let lines = format!(
        "if [ \"$1\" = install ] || [ \"$1\" = upgrade ]; then\n\
         \tsystemd-sysusers {ROOT} --replace=/usr/lib/sysusers.d/{name}.conf - <<'BAKE_SYSUSERS' || exit $?\n\
         {config}BAKE_SYSUSERS\nfi\n"
    );
    parts.add(ControlFile::Preinst, "accounts that own files", &lines);
    parts.need(Need { field: RelationField::PreDepends, packages: SYSUSERS });
}

/// Returns the service if one of its accounts owns a file or directory of the package.
fn owning_service(cx: DebCx<'_>) -> Option<&Service> {
    let service = cx.recipe.service.as_ref()?;
    let (user, group) = (&service.user, &service.group);
    let owns = cx.tree.iter().any(|(_, entry)| {
        (!user.is_root() && entry.owner.name == user.name)
            || (!group.is_root() && entry.group.name == group.name)
    });
    owns.then_some(service)
}

/// Makes the accounts and directories that the package's files describe.
pub(super) fn after_unpacking(parts: &mut Parts, cx: DebCx<'_>) {
    let accounts = configurations(cx.tree, &["/usr/lib/sysusers.d"]);
    if !accounts.is_empty() {
        let names = shell::words(accounts.iter().map(String::as_str));
        let lines =
            format!("{CONFIGURE}\tsystemd-sysusers {ROOT} {names} || exit $?\n\t;;\nesac\n");
        parts.add(ControlFile::Postinst, "accounts", &lines);
        if owning_service(cx).is_none() {
            parts.need(Need { field: RelationField::Depends, packages: SYSUSERS });
        }
    }
    let directories = configurations(cx.tree, &["/usr/lib/tmpfiles.d", "/etc/tmpfiles.d"]);
    if !directories.is_empty() {
        let names = shell::words(directories.iter().map(String::as_str));
        let lines = format!(
            "{CONFIGURE}\tif [ -x \"$(command -v systemd-tmpfiles)\" ]; then\n\
             \t\tsystemd-tmpfiles {ROOT} --create {names} >/dev/null || true\n\
             \tfi\n\t;;\nesac\n"
        );
        parts.add(ControlFile::Postinst, "directories", &lines);
    }
}

/// Removes directories that the service has left empty. What it keeps in them is not the
/// package's to delete; the recipe's hook for purging may.
pub(super) fn after_removal(parts: &mut Parts, cx: DebCx<'_>) {
    let Some(service) = &cx.recipe.service else { return };
    let mut paths: Vec<&TreePath> = service
        .state
        .iter()
        .map(|state| &state.path)
        .filter(|path| cx.tree.get(path).is_none())
        .collect();
    if paths.is_empty() {
        return;
    }
    // What is inside goes first.
    paths.sort();
    paths.reverse();
    let mut lines = "if [ \"$1\" = purge ]; then\n".to_owned();
    for path in paths {
        let path = shell::rooted(&String::from_utf8_lossy(&path.absolute()));
        lines.push_str(&format!(
            "\tif [ -d {path} ]; then\n\
             \t\trmdir --ignore-fail-on-non-empty {path} || true\n\tfi\n"
        ));
    }
    lines.push_str("fi\n");
    parts.add(ControlFile::Postrm, "directories", &lines);
}

/// Returns the names of the `.conf` files in folders, each once, sorted.
fn configurations(tree: &FileTree, folders: &[&str]) -> Vec<String> {
    let is_in = |path: &TreePath| {
        path.parent().is_some_and(|parent| folders.contains(&parent.to_string().as_str()))
    };
    let mut names: Vec<String> = tree
        .iter()
        .filter(|(path, entry)| path.relative().ends_with(b".conf") && !entry.is_directory())
        .filter(|(path, _)| is_in(path))
        .map(|(path, _)| String::from_utf8_lossy(path.name()).into_owned())
        .collect();
    names.sort();
    names.dedup();
    names
}
