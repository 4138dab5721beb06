//! Answers to debconf's questions go with the configuration.

use bake_formats::deb::{ControlFile, RelationField};

use super::super::DebCx;
use super::super::relations::Need;
use super::Parts;

const DEBCONF: &[&str] = &["debconf (>= 0.5)", "debconf-2.0"];

/// Comes first in its script, because the module runs the script once more from its start.
pub(super) fn after_removal(parts: &mut Parts, cx: DebCx<'_>) {
    if cx.table.templates.is_none() {
        return;
    }
    let lines = "if [ \"$1\" = purge ] && [ -e /usr/share/debconf/confmodule ]; then\n\
        \t. /usr/share/debconf/confmodule\n\tdb_purge\nfi\n";
    parts.add(ControlFile::Postrm, "answers to debconf", lines);
    parts.need(Need { field: RelationField::Depends, packages: DEBCONF });
}
