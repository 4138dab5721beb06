//! Accounts (sysusers.d) and directories (tmpfiles.d).

use bake_formats::rpm::Moment;
use bake_recipes::resolved::Service;

use super::super::{RpmCx, text};
use super::{Parts, Scriptlet, shell};

/// Who can make accounts: systemd's own program, or useradd by its packages' names in Fedora and
/// in openSUSE.
const MAKERS: &str = "(systemd or shadow-utils or shadow)";

/// Makes the service's accounts before files that belong to them are unpacked.
///
/// rpm from 4.19 on has done so already, from what the package provides; then there is nothing
/// left to do here. `%sysusers_create_package` expands to the first branch, and
/// `%sysusers_create_compat` to the second.
pub(super) fn pre(parts: &mut Parts, cx: RpmCx<'_>) {
    let Some(service) = &cx.recipe.service else { return };
    let Some(config) = service.sysusers() else { return };
    let name = &service.name;
    let lines = format!(
        "if command -v systemd-sysusers >/dev/null 2>&1; then\n\
         \tsystemd-sysusers --replace=/usr/lib/sysusers.d/{name}.conf - <<'BAKE_SYSUSERS' || exit $?\n\
         {config}BAKE_SYSUSERS\n\
         else\n{}fi\n",
        by_hand(service)
    );
    parts.add(Scriptlet::Pre, "accounts", &lines);
    parts.require(Moment::Pre, MAKERS);
}

/// Returns the commands that make the accounts where there is no systemd, e.g. in a container.
fn by_hand(service: &Service) -> String {
    let (user, group) = (&service.user, &service.group);
    let mut lines = String::new();
    let (login, id) = (shell::quote(&group.name), group.id);
    if !group.is_root() {
        lines.push_str(&format!(
            "\tgetent group {login} >/dev/null || groupadd -r -f -g {id} {login} || exit $?\n"
        ));
    }
    if !user.is_root() {
        let home = service.state.first().map_or_else(|| "/".into(), |state| text(&state.path));
        let home = shell::quote(&home);
        let comment = shell::quote(&format!("{} service", service.name));
        let (name, id) = (shell::quote(&user.name), user.id);
        lines.push_str(&format!(
            "\tif ! getent passwd {name} >/dev/null; then\n\
             \t\tnumber=\n\
             \t\tgetent passwd {id} >/dev/null || number='-u {id}'\n\
             \t\tuseradd -r $number -g {login} -d {home} -M -s /sbin/nologin -c {comment} {name} \
             || exit $?\n\
             \tfi\n"
        ));
    }
    lines
}

/// Makes the service's directories, as `%tmpfiles_create` does.
pub(super) fn post(parts: &mut Parts, cx: RpmCx<'_>) {
    let Some(service) = &cx.recipe.service else { return };
    if service.tmpfiles().is_none() {
        return;
    }
    let name = &service.name;
    let lines = format!(
        "if command -v systemd-tmpfiles >/dev/null 2>&1; then\n\
         \tsystemd-tmpfiles --create {name}.conf || :\nfi\n"
    );
    parts.add(Scriptlet::Post, "directories", &lines);
}
