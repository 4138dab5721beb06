//! Choices for generic names (update-alternatives(1)).

use bake_formats::deb::ControlFile;
use bake_formats::tree::TreePath;
use bake_recipes::resolved::Alternative;

use super::super::DebCx;
use super::Parts;
use super::shell::{self, CONFIGURE};
use crate::error::Error;
use crate::lower::has_file;

fn text(path: &TreePath) -> String {
    shell::quote(&String::from_utf8_lossy(&path.absolute()))
}

pub(super) fn after_unpacking(parts: &mut Parts, cx: DebCx<'_>) -> Result<(), Error> {
    if cx.recipe.alternatives.is_empty() {
        return Ok(());
    }
    let mut lines = CONFIGURE.to_owned();
    for choice in &cx.recipe.alternatives {
        check(cx, choice)?;
        let Alternative { name, link, path, priority, .. } = choice;
        let (link, name, path) = (text(link), shell::quote(name), text(path));
        lines.push_str(&format!("\tupdate-alternatives --install {link} {name} {path} {priority}"));
        for follower in &choice.followers {
            let name = shell::quote(&follower.name);
            let (link, path) = (text(&follower.link), text(&follower.path));
            lines.push_str(&format!(" \\\n\t\t--slave {link} {name} {path}"));
        }
        lines.push_str(" || exit $?\n");
    }
    lines.push_str("\t;;\nesac\n");
    parts.add(ControlFile::Postinst, "alternatives", &lines);
    Ok(())
}

/// What is offered must be there, and what leads to it must not.
fn check(cx: DebCx<'_>, choice: &Alternative) -> Result<(), Error> {
    let followers = choice.followers.iter().map(|follower| (&follower.link, &follower.path));
    for (link, path) in std::iter::once((&choice.link, &choice.path)).chain(followers) {
        if !has_file(cx.tree, path) {
            let message = format!("the alternative `{path}` is not among the deb's files");
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

pub(super) fn before_removal(parts: &mut Parts, cx: DebCx<'_>) {
    if cx.recipe.alternatives.is_empty() {
        return;
    }
    let mut lines = "if [ \"$1\" = remove ]; then\n".to_owned();
    for Alternative { name, path, .. } in cx.recipe.alternatives.iter().rev() {
        let (name, path) = (shell::quote(name), text(path));
        lines.push_str(&format!("\tupdate-alternatives --remove {name} {path} || exit $?\n"));
    }
    lines.push_str("fi\n");
    parts.add(ControlFile::Prerm, "alternatives", &lines);
}
