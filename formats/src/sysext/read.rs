//! Reading an extension back into its model and its tree.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::container::Container;
use super::model::Extension;
use super::record::{Record, Reserved};
use crate::format::{ReadError, Unpacked, Visitor};
use crate::input::Source;
use crate::tree::{Content, Entry, FileTree, Mode, Node, PathError, TreeBuilder, TreePath};
use crate::vm::erofs::Image;
use crate::vm::walk::{self, small_file, walk};

/// The largest record that is read.
const RECORD_MAX: u64 = 1 << 24;

/// Parses an extension.
pub(super) fn unpack(source: &Source) -> Result<Unpacked<Extension>, ReadError> {
    let container = Container::open(source.file()?)?;
    unpack_image(&Image::open(container.data)?).map(|(unpacked, _)| unpacked)
}

/// Hands over the files of the tree.
pub(super) fn visit(
    source: &Source,
    visitor: &mut Visitor<'_>,
) -> Result<ControlFlow<()>, ReadError> {
    let image = Image::open(Container::open(source.file()?)?.data)?;
    let (Unpacked { tree, .. }, _) = unpack_image(&image)?;
    let is_file =
        |path: &TreePath| tree.get(path).is_some_and(|entry| matches!(entry.node, Node::File(_)));
    let wanted = |path: &TreePath| is_file(path).then(|| path.clone());
    walk::visit(&image, &wanted, visitor)
}

/// Parses an open file system; returns the bytes of its record too.
pub(super) fn unpack_image(image: &Image) -> Result<(Unpacked<Extension>, Vec<u8>), ReadError> {
    let path = Record::path().map_err(|error| impossible(&error))?;
    let Some(bytes) = small_file(image, &path, RECORD_MAX)? else {
        let reason = "not there, so the model and the names of the owners are not known";
        return Err(ReadError::invalid(path.to_string(), reason));
    };
    let record = Record::read(&bytes)?;
    let (reserved, release) = record.reserved().map_err(|error| impossible(&error))?;
    let owners = &record.owners;
    let whole = walk(image, &|user, group| owners.names(user, group), &|_| true)?;
    check_reserved(&whole, &reserved, release.as_bytes(), &bytes)?;
    let additions = additions(&whole, &record)?;
    let added: BTreeSet<&TreePath> = record.additions.iter().chain(&record.parents).collect();
    let is_added = |path: &TreePath| reserved.holds(path) || added.contains(path);
    for (path, entry) in whole.iter() {
        if let Node::HardLink(target) = &entry.node
            && is_added(path) != is_added(target)
        {
            let reason = "a name of a file of the tree and of one that is not";
            return Err(ReadError::invalid(path.to_string(), reason));
        }
    }
    let tree = whole.filter(|path, _| !is_added(path))?;
    let model = record.model(additions);
    let declared = model.tree_id;
    Ok((Unpacked { model, tree, declared }, bytes))
}

/// Makes sure that at the reserved paths is what the format puts there and nothing else.
fn check_reserved(
    whole: &FileTree,
    reserved: &Reserved,
    release: &[u8],
    record: &[u8],
) -> Result<(), ReadError> {
    let file = |bytes| Entry::file(Content::of(bytes), Mode::PLAIN);
    let expected = [
        (&reserved.folder, Entry::directory()),
        (&reserved.record, file(record)),
        (&reserved.release, file(release)),
    ];
    for (path, entry) in &expected {
        if whole.get(path) != Some(entry) {
            let reason = "expected what an extension has at this path, found nothing or another";
            return Err(ReadError::invalid(path.to_string(), reason));
        }
    }
    let found = whole
        .iter()
        .find(|(path, _)| reserved.holds(path) && !expected.iter().any(|(place, _)| place == path));
    match found {
        Some((path, _)) => {
            Err(ReadError::invalid(path.to_string(), "not what an extension has there"))
        }
        None => Ok(()),
    }
}

/// Returns the additions, and makes sure that nothing else is hidden from the tree.
fn additions(whole: &FileTree, record: &Record) -> Result<FileTree, ReadError> {
    let leads = Entry::directory();
    for path in &record.parents {
        if whole.get(path) != Some(&leads) || !whole.has_children(path) {
            let reason = "expected a directory that only leads somewhere";
            return Err(ReadError::invalid(path.to_string(), reason));
        }
    }
    if record.additions.is_empty() {
        return Ok(FileTree::default());
    }
    let mut builder = TreeBuilder::new();
    for path in &record.additions {
        let Some(entry) = whole.get(path) else {
            return Err(ReadError::invalid(path.to_string(), "an addition that is not there"));
        };
        builder.insert(path.clone(), entry.clone())?;
    }
    Ok(builder.finish()?)
}

fn impossible(error: &PathError) -> ReadError {
    ReadError::invalid("reserved paths", error.to_string())
}
