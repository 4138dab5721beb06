//! Scripts that deb and rpm run at the same moments.

use bake_recipes::resolved::{Script, ScriptFlags};

use super::super::RpmCx;
use super::{Parts, Scriptlet};
use crate::error::Error;
use crate::lower::scripts;

const FIRST: &str = "[ \"$1\" -eq 1 ]";
const UPGRADE: &str = "[ \"$1\" -ge 2 ]";
const LAST: &str = "[ \"$1\" -eq 0 ]";

pub(super) fn pre(parts: &mut Parts, cx: RpmCx<'_>) -> Result<(), Error> {
    let hooks = &cx.recipe.hooks;
    add(parts, cx, (Scriptlet::Pre, FIRST), ("before-install", &hooks.before_install))?;
    add(parts, cx, (Scriptlet::Pre, UPGRADE), ("before-upgrade", &hooks.before_upgrade))
}

pub(super) fn post(parts: &mut Parts, cx: RpmCx<'_>) -> Result<(), Error> {
    let hooks = &cx.recipe.hooks;
    add(parts, cx, (Scriptlet::Post, FIRST), ("after-install", &hooks.after_install))?;
    add(parts, cx, (Scriptlet::Post, UPGRADE), ("after-upgrade", &hooks.after_upgrade))
}

pub(super) fn preun(parts: &mut Parts, cx: RpmCx<'_>) -> Result<(), Error> {
    let hooks = &cx.recipe.hooks;
    add(parts, cx, (Scriptlet::Preun, LAST), ("before-remove", &hooks.before_remove))
}

/// rpm has no purging: what a deb does then follows the removal.
pub(super) fn postun(parts: &mut Parts, cx: RpmCx<'_>) -> Result<(), Error> {
    let hooks = &cx.recipe.hooks;
    add(parts, cx, (Scriptlet::Postun, LAST), ("after-remove", &hooks.after_remove))?;
    add(parts, cx, (Scriptlet::Postun, LAST), ("purge", &hooks.purge))
}

/// Adds a hook in a shell of its own, so that its `exit` ends nothing but itself; its failure
/// fails the scriptlet.
fn add(
    parts: &mut Parts,
    cx: RpmCx<'_>,
    (scriptlet, condition): (Scriptlet, &str),
    (name, hook): (&str, &Option<Script>),
) -> Result<(), Error> {
    let Some(hook) = hook else { return Ok(()) };
    let (interpreter, body) = scripts::split_interpreter(&scripts::text(hook, cx.texts)?);
    let interpreter = hook.interpreter.clone().unwrap_or(interpreter);
    if interpreter != ["/bin/sh"] || hook.flags != ScriptFlags::default() {
        let message = format!("the hook `{name}` is a fragment for /bin/sh, without rpm's flags");
        let hint = "a script for another interpreter is one of the package's own scripts in \
                    `[rpm.scripts]`";
        return Err(hook.place.error(message).hint(hint).into());
    }
    let end = if body.ends_with('\n') { "" } else { "\n" };
    let lines = format!(
        "if {condition}; then\n(\nset -e\n{body}{end})\n\
         bake_status=$?\n[ \"$bake_status\" -eq 0 ] || exit \"$bake_status\"\nfi\n"
    );
    parts.add(scriptlet, name, &lines);
    Ok(())
}
