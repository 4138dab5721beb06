//! What lintian finds in the package and is to leave alone.

use std::collections::BTreeSet;

use bake_formats::tree::capabilities;
use bake_recipes::resolved::DEB_FIELD;

use super::DebCx;

/// Why packages have fields that lintian does not know.
const FIELDS_REASON: &str = "Debian's list of fields is closed; these tell which tree of files the \
    package holds, so that it can be checked";
/// Why a first version closes no bug.
const UPLOAD_REASON: &str = "the package was not asked for in Debian's bug tracker";
/// Why files belong to accounts with numbers that Debian does not give out.
const OWNERS_REASON: &str = "preinst makes the account, and dpkg takes owners by name";

/// Returns the overrides, each with its reason; there is always one.
pub(super) fn text(cx: DebCx<'_>, package: &str) -> String {
    let mut text = comment(FIELDS_REASON);
    let capable = cx.tree.iter().any(|(_, entry)| entry.xattrs.contains_key(capabilities::XATTR));
    for (field, there) in [
        ("Bake-Capabilities", capable),
        (DEB_FIELD, !cx.recipe.config.schema.is_empty()),
        ("Bake-Documents", true),
        ("Bake-Tree", true),
    ] {
        if there {
            text.push_str(&format!("{package}: unknown-field {field}\n"));
        }
    }
    text.push_str(&owners(cx, package));
    if cx.recipe.changelog.len() == 1 {
        text.push_str(&comment(UPLOAD_REASON));
        text.push_str(&format!("{package}: initial-upload-closes-no-bugs\n"));
    }
    for known in &cx.table.lintian_overrides {
        text.push_str(&comment(&known.reason));
        let context = known.context.as_ref().map(|text| format!(" {text}")).unwrap_or_default();
        text.push_str(&format!("{package}: {}{context}\n", known.tag));
    }
    text
}

/// Returns overrides for files of the service's accounts, whose numbers are not Debian's to give.
fn owners(cx: DebCx<'_>, package: &str) -> String {
    let Some(service) = &cx.recipe.service else { return String::new() };
    let is_given = |id: u32| id <= 99 || (60_000..65_000).contains(&id) || id == 65_534;
    let mut lines = BTreeSet::new();
    for (_, entry) in cx.tree.iter() {
        let (user, group) = (&entry.owner, &entry.group);
        let is_ours = (user.name == service.user.name && !is_given(user.id))
            || (group.name == service.group.name && !is_given(group.id));
        if is_ours {
            let (user, group) = (user.id, group.id);
            lines.insert(format!("{package}: wrong-file-owner-uid-or-gid {user}/{group} *\n"));
        }
    }
    let lines: String = lines.into_iter().collect();
    if lines.is_empty() { lines } else { comment(OWNERS_REASON) + &lines }
}

fn comment(reason: &str) -> String {
    let lines: Vec<&str> = reason.lines().map(str::trim).collect();
    format!("# {}\n", lines.join("\n# "))
}
