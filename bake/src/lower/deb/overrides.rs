//! What lintian finds in the package and is to leave alone.

use bake_formats::tree::capabilities;

use super::DebCx;

/// Why packages have fields that lintian does not know.
const FIELDS_REASON: &str = "Debian's list of fields is closed; these tell which tree of files the \
    package holds, so that it can be checked";

/// Returns the overrides, each with its reason; there is always one.
pub(super) fn text(cx: DebCx<'_>, package: &str) -> String {
    let mut text = comment(FIELDS_REASON);
    let capable = cx.tree.iter().any(|(_, entry)| entry.xattrs.contains_key(capabilities::XATTR));
    for (field, there) in
        [("Bake-Capabilities", capable), ("Bake-Documents", true), ("Bake-Tree", true)]
    {
        if there {
            text.push_str(&format!("{package}: unknown-field {field}\n"));
        }
    }
    for known in &cx.table.lintian_overrides {
        text.push_str(&comment(&known.reason));
        let context = known.context.as_ref().map(|text| format!(" {text}")).unwrap_or_default();
        text.push_str(&format!("{package}: {}{context}\n", known.tag));
    }
    text
}

fn comment(reason: &str) -> String {
    reason.lines().map(|line| format!("# {}\n", line.trim())).collect()
}
