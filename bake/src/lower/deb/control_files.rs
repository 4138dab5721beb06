//! Control files that are no maintainer scripts, and debconf's `config`.

use std::collections::BTreeMap;

use bake_formats::deb::ControlFile;
use bake_formats::tree::{FileTree, TreePath};

use super::{DebCx, maintainer};
use crate::error::Error;
use crate::lower::has_file;
use crate::lower::scripts;

/// The folders that ldconfig reads by itself, besides those of an architecture below them.
const LIBRARY_FOLDERS: [&str; 2] = ["/usr/lib", "/lib"];
/// What sets ldconfig off (deb-triggers(5); Debian Policy 8.1.1).
const LDCONFIG: &str = "activate-noawait ldconfig";

/// Returns the texts of the control files that the recipe asks for or the tree needs.
pub(super) fn control_files(cx: DebCx<'_>) -> Result<BTreeMap<ControlFile, String>, Error> {
    let DebCx { table, texts, .. } = cx;
    let sources = [
        (ControlFile::Templates, &table.templates),
        (ControlFile::Shlibs, &table.shlibs),
        (ControlFile::Symbols, &table.symbols),
    ];
    let mut files = BTreeMap::new();
    for (file, source) in sources {
        if let Some(source) = source {
            let mut text = scripts::source_text(source, &table.place, texts)?;
            if !text.ends_with('\n') {
                text.push('\n');
            }
            files.insert(file, text);
        }
    }
    if let Some(script) = &table.scripts.config {
        files.insert(ControlFile::Config, maintainer::own_text(script, texts)?);
    }
    if let Some(text) = triggers(cx) {
        files.insert(ControlFile::Triggers, text);
    }
    Ok(files)
}

/// Returns the triggers of the recipe, and ldconfig's if there are libraries for it.
fn triggers(cx: DebCx<'_>) -> Option<String> {
    let line = |trigger: &bake_recipes::resolved::Trigger| {
        format!("{} {}\n", trigger.directive, trigger.name)
    };
    let mut lines: Vec<String> = cx.table.triggers.iter().map(line).collect();
    let has_ldconfig = cx.table.triggers.iter().any(|trigger| trigger.name == "ldconfig");
    if !has_ldconfig && has_libraries(cx.tree) {
        lines.push(format!("{LDCONFIG}\n"));
    }
    (!lines.is_empty()).then(|| lines.concat())
}

/// Returns whether a shared library is where the dynamic linker looks without being told.
fn has_libraries(tree: &FileTree) -> bool {
    tree.iter().any(|(path, _)| {
        let is_library = String::from_utf8_lossy(path.name()).contains(".so.");
        is_library
            && has_file(tree, path)
            && path.parent().is_some_and(|folder| is_searched(&folder))
    })
}

fn is_searched(folder: &TreePath) -> bool {
    let text = folder.to_string();
    let name = String::from_utf8_lossy(folder.name()).into_owned();
    let is_triplet = name.contains("-linux-");
    let base = if is_triplet { text.trim_end_matches(&format!("/{name}")) } else { &text };
    LIBRARY_FOLDERS.contains(&base)
}
