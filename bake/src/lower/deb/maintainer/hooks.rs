//! The recipe's hooks at dpkg's moments.
//!
//! | hook | script | arguments |
//! |---|---|---|
//! | `before-install` | preinst | `install` |
//! | `before-upgrade` | preinst | `upgrade` |
//! | `after-install` | postinst | `configure`, no earlier version |
//! | `after-upgrade` | postinst | `configure`, an earlier version |
//! | `before-remove` | prerm | `remove` |
//! | `after-remove` | postrm | `remove` |
//! | `purge` | postrm | `purge` |

use bake_formats::deb::ControlFile;
use bake_recipes::resolved::Script;

use super::super::DebCx;
use super::Parts;
use crate::error::Error;
use crate::lower::scripts;

const INSTALL: &str = "[ \"$1\" = install ]";
const UPGRADE: &str = "[ \"$1\" = upgrade ]";
const INSTALLED: &str = "[ \"$1\" = configure ] && [ -z \"${2:-}\" ]";
const UPGRADED: &str = "[ \"$1\" = configure ] && [ -n \"${2:-}\" ]";
const REMOVE: &str = "[ \"$1\" = remove ]";
const PURGE: &str = "[ \"$1\" = purge ]";

pub(super) fn before_unpacking(parts: &mut Parts, cx: DebCx<'_>) -> Result<(), Error> {
    let hooks = &cx.recipe.hooks;
    let file = ControlFile::Preinst;
    add(parts, cx, file, ("before-install", INSTALL), hooks.before_install.as_ref())?;
    add(parts, cx, file, ("before-upgrade", UPGRADE), hooks.before_upgrade.as_ref())
}

pub(super) fn after_unpacking(parts: &mut Parts, cx: DebCx<'_>) -> Result<(), Error> {
    let hooks = &cx.recipe.hooks;
    let file = ControlFile::Postinst;
    add(parts, cx, file, ("after-install", INSTALLED), hooks.after_install.as_ref())?;
    add(parts, cx, file, ("after-upgrade", UPGRADED), hooks.after_upgrade.as_ref())
}

pub(super) fn before_removal(parts: &mut Parts, cx: DebCx<'_>) -> Result<(), Error> {
    let hook = cx.recipe.hooks.before_remove.as_ref();
    add(parts, cx, ControlFile::Prerm, ("before-remove", REMOVE), hook)
}

pub(super) fn after_removal(parts: &mut Parts, cx: DebCx<'_>) -> Result<(), Error> {
    let hooks = &cx.recipe.hooks;
    let file = ControlFile::Postrm;
    add(parts, cx, file, ("after-remove", REMOVE), hooks.after_remove.as_ref())?;
    add(parts, cx, file, ("purge", PURGE), hooks.purge.as_ref())
}

/// Adds a hook in a shell of its own, so that neither its `exit` nor its variables reach what
/// follows. Its status is tested after it and not by `||`, which would switch `set -e` off in it.
fn add(
    parts: &mut Parts,
    cx: DebCx<'_>,
    file: ControlFile,
    (name, condition): (&str, &str),
    hook: Option<&Script>,
) -> Result<(), Error> {
    let Some(hook) = hook else { return Ok(()) };
    let text = scripts::text(hook, cx.texts)?;
    let (first_line, body) = scripts::split_interpreter(&text);
    let interpreter = hook.interpreter.as_ref().unwrap_or(&first_line);
    if !matches!(interpreter.first().map(String::as_str), Some("/bin/sh" | "/usr/bin/sh")) {
        let found = interpreter.join(" ");
        let message = format!("the hook `{name}` is for `{found}`, hooks are for `/bin/sh`");
        let hint = "a script in another language can be a file of the package that the hook calls, \
            or one of the package's own scripts in `[deb.scripts]`";
        return Err(hook.place.error(message).hint(hint).into());
    }
    let end = if body.ends_with('\n') { "" } else { "\n" };
    let lines = format!(
        "if {condition}; then\n(\nset -e\n{body}{end})\n\
         bake_status=$?\n[ \"$bake_status\" -eq 0 ] || exit \"$bake_status\"\nfi\n"
    );
    parts.add(file, name, &lines);
    Ok(())
}
