//! Writing a package.

use super::fields::{CAPABILITIES, DOCUMENTS, FieldError, to_paragraph};
use super::model::{ControlFile, Package};
use super::{CODECS, FORMAT_VERSION, NAME, capabilities, documents, listing};
use crate::archive::ar::ArWriter;
use crate::archive::tar::{self, Dialect, Root, SymlinkOrder, TarOptions, TarWriter};
use crate::encode::Compression;
use crate::format::{Artifact, Epoch, WriteCx, WriteError};
use crate::rope::Rope;
use crate::tree::{Entry, FileTree, Mark, Mode, TreePath};

/// Describes the package's bytes.
pub(super) fn write(
    model: &Package,
    tree: &FileTree,
    cx: &WriteCx<'_>,
) -> Result<Artifact, WriteError> {
    let tree = tree.filter(|_, entry| entry.mark != Mark::Ghost)?;
    check_names(&tree)?;
    check_tree_id(model, &tree)?;
    let (tree, listed) = documents::add(model, tree, cx.blobs)?;
    let (tree, capabilities) = capabilities::take(tree)?;
    capabilities::check(model, &capabilities)?;
    let added = [(DOCUMENTS, listed), (CAPABILITIES, capabilities::to_field(&capabilities))];
    let control = control_tar(model, &tree, added, cx.epoch)?;
    let data = tar::write(&tree, options(cx.epoch))?;
    let mut archive = ArWriter::new(NAME, cx.epoch);
    archive.append("debian-binary", &Rope::from(FORMAT_VERSION.to_vec()))?;
    for (name, rope) in [("control.tar", control), ("data.tar", data)] {
        let compressed = cx.encoder.compress(&rope, model.compression)?;
        archive.append(&member_name(name, model.compression), &compressed)?;
    }
    Ok(Artifact::file(NAME, archive.finish()))
}

fn member_name(name: &str, compression: Compression) -> String {
    let extension = CODECS.iter().find(|(codec, _)| *codec == compression.codec);
    format!("{name}{}", extension.map_or("", |(_, extension)| extension))
}

fn options(epoch: Epoch) -> TarOptions<'static> {
    TarOptions {
        format: NAME,
        dialect: Dialect::Gnu,
        prefix: "./",
        epoch,
        symlinks: SymlinkOrder::Last,
        root: Root::Listed,
    }
}

/// dpkg keeps lists of paths by line.
fn check_names(tree: &FileTree) -> Result<(), WriteError> {
    let Some((path, _)) = tree.iter().find(|(path, _)| path.relative().contains(&b'\n')) else {
        return Ok(());
    };
    Err(WriteError::Unsupported {
        format: NAME,
        path: path.clone(),
        what: "the line feed in the name".into(),
        reason: Some("dpkg lists files by line".into()),
    })
}

/// What the package says about its tree must be what anyone recomputes from it.
fn check_tree_id(model: &Package, tree: &FileTree) -> Result<(), WriteError> {
    let found = tree.id();
    match model.tree_id {
        Some(declared) if declared != found => {
            let reason = format!("expected {found}, the identity of the tree, found {declared}");
            Err(FieldError::new(super::fields::TREE_ID, reason).into())
        }
        _ => Ok(()),
    }
}

/// `added` are the fields that tell how the files differ from the tree.
fn control_tar(
    model: &Package,
    tree: &FileTree,
    added: [(&'static str, Option<String>); 2],
    epoch: Epoch,
) -> Result<Rope, WriteError> {
    let paragraph = to_paragraph(model, listing::installed_size(tree), added)?;
    let mut files = vec![
        ("conffiles", Mode::PLAIN, listing::conffiles(tree, &model.removed_conffiles)?),
        ("control", Mode::PLAIN, paragraph.to_string().into_bytes()),
        ("md5sums", Mode::PLAIN, listing::md5sums(tree)),
    ];
    files.retain(|(_, _, text)| !text.is_empty());
    for (file, text) in &model.control_files {
        check_control_file(*file, text)?;
        let mode = if file.is_script() { Mode::EXECUTABLE } else { Mode::PLAIN };
        files.push((file.name(), mode, text.clone().into_bytes()));
    }
    files.sort();
    let mut archive = TarWriter::new(options(epoch));
    archive.append(&TreePath::root(), &Entry::directory())?;
    for (name, mode, text) in files {
        let path = TreePath::parse(name).map_err(|error| FieldError::new(name, error))?;
        archive.append_rope(&path, mode, &Rope::from(text))?;
    }
    Ok(archive.finish())
}

/// Returns whether a script starts with `#!` and an absolute path.
pub(super) fn has_interpreter(text: &[u8]) -> bool {
    let line = text.strip_prefix(b"#!").map(<[u8]>::trim_ascii_start);
    line.is_some_and(|line| line.starts_with(b"/"))
}

fn check_control_file(file: ControlFile, text: &str) -> Result<(), FieldError> {
    if file.is_script() && !has_interpreter(text.as_bytes()) {
        let reason = "expected `#!` and the absolute path of an interpreter at the start";
        return Err(FieldError::new(file.name(), reason));
    }
    if text.is_empty() {
        return Err(FieldError::new(file.name(), "it is empty"));
    }
    if file == ControlFile::Triggers { listing::check_triggers(text) } else { Ok(()) }
}
