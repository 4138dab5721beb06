//! File capabilities. dpkg unpacks no extended attributes, so the field `Bake-Capabilities` lists
//! them, one line `PATH CAPABILITIES` for each file, and `postinst` calls setcap(8).
//!
//! The path is escaped like those of the tree's manifest, the capabilities are text of
//! cap_from_text(3).

use std::collections::BTreeMap;

use super::NAME;
use super::fields::{CAPABILITIES, FieldError};
use super::model::{ControlFile, Package};
use crate::format::WriteError;
use crate::tree::capabilities::{XATTR, from_text, to_text};
use crate::tree::{Entry, FileTree, Node, TreeBuilder, TreeError, TreePath, escape};

/// The capabilities of files, as text, by path.
pub(super) type Capabilities = BTreeMap<TreePath, String>;

/// Takes the capabilities out of a tree.
pub(super) fn take(tree: FileTree) -> Result<(FileTree, Capabilities), WriteError> {
    let mut taken = Capabilities::new();
    if !tree.iter().any(|(_, entry)| entry.xattrs.contains_key(XATTR)) {
        return Ok((tree, taken));
    }
    let mut builder = TreeBuilder::new();
    for (path, entry) in tree.iter().filter(|(_, entry)| !entry.implied) {
        let mut entry = entry.clone();
        if let Some(value) = entry.xattrs.remove(XATTR) {
            let fail = |reason: String| WriteError::Unsupported {
                format: NAME,
                path: path.clone(),
                what: format!("the extended attribute {XATTR}"),
                reason: Some(reason),
            };
            match &entry.node {
                Node::File(_) => taken.insert(path.clone(), to_text(&value).map_err(fail)?),
                Node::HardLink(_) => None,
                _ => return Err(fail("setcap(8) takes regular files only".into())),
            };
        }
        builder.insert(path.clone(), entry)?;
    }
    Ok((builder.finish()?, taken))
}

/// Returns the field's value; `None` if there is nothing to say.
pub(super) fn to_field(capabilities: &Capabilities) -> Option<String> {
    let line = |(path, text): (&TreePath, &String)| format!("\n{path} {text}");
    (!capabilities.is_empty()).then(|| capabilities.iter().map(line).collect())
}

/// What the field says must be what `postinst` does.
pub(super) fn check(model: &Package, capabilities: &Capabilities) -> Result<(), FieldError> {
    let script = model.control_files.get(&ControlFile::Postinst).map_or("", String::as_str);
    match unset(script, capabilities) {
        None => Ok(()),
        Some(path) => {
            let reason = format!("expected `setcap` with those of `{path}`, found nothing");
            Err(FieldError::new(ControlFile::Postinst.name(), reason))
        }
    }
}

/// Returns the first file whose capabilities a script does not mention.
pub(super) fn unset<'a>(script: &str, capabilities: &'a Capabilities) -> Option<&'a TreePath> {
    let is_set = |text: &str| script.contains("setcap") && script.contains(text);
    capabilities.iter().find(|(_, text)| !is_set(text)).map(|(path, _)| path)
}

/// Parses the field.
pub(super) fn parse(value: &str) -> Result<Capabilities, FieldError> {
    let line = |line: &str| {
        let fail = |reason: String| {
            FieldError::new(CAPABILITIES, format!("`{}`: {reason}", line.escape_debug()))
        };
        let (path, text) = line
            .split_once(' ')
            .ok_or_else(|| fail("expected a path, a space and capabilities".into()))?;
        let path = unescape(path).and_then(|bytes| TreePath::parse(bytes).ok());
        let path = path.ok_or_else(|| fail("expected an escaped absolute path".into()))?;
        let attribute = from_text(text).map_err(fail)?;
        Ok((path, to_text(&attribute).map_err(fail)?))
    };
    value.split('\n').filter(|text| !text.is_empty()).map(line).collect()
}

/// Undoes [`escape`]; `None` for what it cannot have made.
fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        if *byte == b'\\' {
            let (digits, after) = after.split_at_checked(3)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()?);
            rest = after;
        } else {
            bytes.push(*byte);
            rest = after;
        }
    }
    (escape(&bytes) == text).then_some(bytes)
}

/// Returns a tree with capabilities; those of paths that are no files are left out.
pub(super) fn give(tree: FileTree, capabilities: &Capabilities) -> Result<FileTree, TreeError> {
    if capabilities.is_empty() {
        return Ok(tree);
    }
    let mut builder = TreeBuilder::new();
    for (path, entry) in tree.iter() {
        let mut entry: Entry = entry.clone();
        let is_file = matches!(entry.node, Node::File(_));
        if let Some(Ok(value)) = capabilities.get(path).filter(|_| is_file).map(|t| from_text(t)) {
            entry.xattrs.insert(XATTR.into(), value);
        }
        builder.insert(path.clone(), entry)?;
    }
    builder.finish()
}
