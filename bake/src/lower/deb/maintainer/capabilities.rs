//! File capabilities, which dpkg does not unpack.

use bake_formats::deb::{ControlFile, RelationField};
use bake_formats::tree::Node;
use bake_formats::tree::capabilities::{XATTR, to_text};

use super::super::DebCx;
use super::super::relations::Need;
use super::Parts;
use super::shell;
use crate::error::Error;

/// Who has setcap.
const SETCAP: &[&str] = &["libcap2-bin"];

/// Gives files their capabilities. A file system that cannot keep them, or a container that may
/// not set them, is no reason to leave the package half configured.
pub(super) fn after_unpacking(parts: &mut Parts, cx: DebCx<'_>) -> Result<(), Error> {
    let mut lines = String::new();
    for (path, entry) in cx.tree.iter() {
        let Some(value) = entry.xattrs.get(XATTR) else { continue };
        if !matches!(entry.node, Node::File(_)) {
            continue;
        }
        let capabilities = to_text(value).map_err(|reason| {
            cx.table.place.error(format!("the capabilities of `{path}`: {reason}"))
        })?;
        let absolute = path.absolute();
        let name = std::str::from_utf8(&absolute).map_err(|_| {
            let message = format!("`{path}` has capabilities, and a name that is not UTF-8");
            cx.table.place.error(message).hint("a deb's script sets them by name; rename the file")
        })?;
        let file = shell::rooted(name);
        lines.push_str(&format!(
            "\tsetcap {} {file} ||\n\t\techo {} >&2\n",
            shell::quote(&capabilities),
            shell::quote(&format!("{}: {name} stays without {capabilities}", cx.recipe.name)),
        ));
    }
    if !lines.is_empty() {
        let lines = format!("if [ \"$1\" = configure ]; then\n{lines}fi\n");
        parts.add(ControlFile::Postinst, "capabilities", &lines);
        parts.need(Need { field: RelationField::Depends, packages: SETCAP });
    }
    Ok(())
}
