//! Choices for generic names, as Fedora's packages make them.

use bake_formats::rpm::Moment;
use bake_formats::tree::TreePath;
use bake_recipes::resolved::Alternative;

use super::super::{RpmCx, text};
use super::{Parts, Scriptlet, shell};
use crate::error::Error;
use crate::lower::has_file;

/// Fedora's `alternatives` and openSUSE's `update-alternatives` both have it.
const PROGRAM: &str = "/usr/sbin/update-alternatives";

fn word(path: &TreePath) -> String {
    shell::quote(&text(path))
}

/// Offers the choices; again after an upgrade, because they may have changed.
pub(super) fn post(parts: &mut Parts, cx: RpmCx<'_>) -> Result<(), Error> {
    if cx.recipe.alternatives.is_empty() {
        return Ok(());
    }
    let mut lines = String::new();
    for choice in &cx.recipe.alternatives {
        check(cx, choice)?;
        let Alternative { name, link, path, priority, followers, .. } = choice;
        let (link, name, path) = (word(link), shell::quote(name), word(path));
        lines.push_str(&format!("{PROGRAM} --install {link} {name} {path} {priority}"));
        for follower in followers {
            let name = shell::quote(&follower.name);
            let (link, path) = (word(&follower.link), word(&follower.path));
            lines.push_str(&format!(" \\\n\t--slave {link} {name} {path}"));
        }
        lines.push_str(" || exit $?\n");
    }
    parts.add(Scriptlet::Post, "alternatives", &lines);
    parts.require(Moment::Post, PROGRAM);
    Ok(())
}

/// What is offered must be there, and what leads to it must not.
fn check(cx: RpmCx<'_>, choice: &Alternative) -> Result<(), Error> {
    let followers = choice.followers.iter().map(|follower| (&follower.link, &follower.path));
    for (link, path) in std::iter::once((&choice.link, &choice.path)).chain(followers) {
        if !has_file(cx.tree, path) {
            let message = format!("the alternative `{path}` is not among the rpm's files");
            return Err(choice.place.error(message).into());
        }
        if cx.tree.get(link).is_some() {
            let message =
                format!("`{link}` is to be a link of update-alternatives, and a file too");
            let hint = "leave the file out, the link is made when the package is installed";
            return Err(choice.place.error(message).hint(hint).into());
        }
    }
    Ok(())
}

/// Takes the choices back when the package is gone.
pub(super) fn postun(parts: &mut Parts, cx: RpmCx<'_>) {
    if cx.recipe.alternatives.is_empty() {
        return;
    }
    let mut lines = "if [ \"$1\" -eq 0 ]; then\n".to_owned();
    for Alternative { name, path, .. } in cx.recipe.alternatives.iter().rev() {
        let (name, path) = (shell::quote(name), word(path));
        lines.push_str(&format!("\t{PROGRAM} --remove {name} {path} || :\n"));
    }
    lines.push_str("fi\n");
    parts.add(Scriptlet::Postun, "alternatives", &lines);
    parts.require(Moment::Postun, PROGRAM);
}
