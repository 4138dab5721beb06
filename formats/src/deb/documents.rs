//! Packaging documents: files that Debian's rules demand of a package and that are no part of the
//! tree, because no other format has them.
//!
//! They are members of data.tar like all others. The field `Bake-Documents` lists them, and the
//! directories that are there for nothing else (with a slash at the end), separated by spaces;
//! what is left when these are taken away is the tree. Only the paths of [`is_document`] may be
//! listed, so that nothing else can be kept out of the tree's identity.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use flate2::{Compress, FlushCompress, Status};

use super::NAME;
use super::fields::{DOCUMENTS, FieldError};
use super::model::Package;
use crate::blob::BlobStore;
use crate::format::WriteError;
use crate::tree::{Content, Entry, FileTree, Mode, TreeBuilder, TreePath};

/// The largest text of a document, in bytes.
pub(super) const LIMIT: u64 = 16 * 1024 * 1024;
/// The documents that may be in `/usr/share/doc/PACKAGE` (Debian Policy 12.5 and 12.7).
const NAMES: [&str; 4] = ["changelog.Debian.gz", "changelog.gz", "copyright", "NEWS.Debian.gz"];
/// What `gzip -9n` writes first: no name, no time, compressed as much as it can be, Unix.
const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3];

/// Returns whether a path may be that of a document of a package.
pub(super) fn is_document(package: &str, path: &TreePath) -> bool {
    let path = path.absolute();
    let is = |known: String| path == known.as_bytes();
    is(format!("/usr/share/lintian/overrides/{package}"))
        || NAMES.iter().any(|name| is(format!("/usr/share/doc/{package}/{name}")))
}

/// Returns a tree with the package's documents in it, and the field that lists what was added.
pub(super) fn add(
    model: &Package,
    tree: FileTree,
    blobs: &dyn BlobStore,
) -> Result<(FileTree, Option<String>), WriteError> {
    if model.documents.is_empty() {
        return Ok((tree, None));
    }
    let mut files = Vec::new();
    let mut added = BTreeSet::new();
    for (name, text) in &model.documents {
        let path = check(model, &tree, name, text)?;
        let bytes = encode(name, text)?;
        blobs.put(&bytes)?;
        let mut parent = path.parent();
        while let Some(missing) = parent.filter(|parent| tree.get(parent).is_none()) {
            parent = missing.parent();
            added.insert((missing, "/"));
        }
        files.push((path.clone(), Entry::file(Content::of(&bytes), Mode::PLAIN)));
        added.insert((path, ""));
    }
    let mut builder = TreeBuilder::new();
    for (path, entry) in files {
        builder.insert(path, entry)?;
    }
    let listed: Vec<String> = added.iter().map(|(path, end)| format!("{path}{end}")).collect();
    Ok((builder.finish_onto(&tree)?, Some(listed.join(" "))))
}

fn check(model: &Package, tree: &FileTree, name: &str, text: &str) -> Result<TreePath, WriteError> {
    let fail = |reason: String| FieldError::new(DOCUMENTS, reason);
    let path = TreePath::parse(name).map_err(|error| fail(error.to_string()))?;
    if path.absolute() != name.as_bytes() || !is_document(&model.name, &path) {
        let reason = format!("`{}` is not the path of a document", name.escape_default());
        return Err(fail(reason).into());
    }
    if text.is_empty() || text.len() as u64 > LIMIT {
        let len = text.len();
        let reason = format!("`{name}`: expected 1 to {LIMIT} bytes of text, found {len}");
        return Err(fail(reason).into());
    }
    if tree.get(&path).is_some() {
        return Err(WriteError::Unsupported {
            format: NAME,
            path,
            what: "the tree's own file".into(),
            reason: Some(format!("the package's document `{name}` has the same path")),
        });
    }
    Ok(path)
}

/// Returns the bytes of the file: text, compressed if the name says so.
fn encode(name: &str, text: &str) -> io::Result<Vec<u8>> {
    if name.as_bytes().ends_with(b".gz") {
        gzip(text.as_bytes())
    } else {
        Ok(text.as_bytes().to_vec())
    }
}

/// Compresses in one call, because what comes out depends on how the input is handed over.
fn gzip(raw: &[u8]) -> io::Result<Vec<u8>> {
    let mut deflate = Compress::new(flate2::Compression::best(), false);
    let mut packed = Vec::with_capacity(raw.len() + raw.len() / 8 + 1024);
    let status =
        deflate.compress_vec(raw, &mut packed, FlushCompress::Finish).map_err(io::Error::other)?;
    if status != Status::StreamEnd {
        return Err(io::Error::other("deflate needs more room than stored blocks would"));
    }
    // The trailer has the length modulo 2^32 (RFC 1952, 2.3.1).
    let len = (raw.len() as u64 & 0xffff_ffff) as u32;
    let crc = crc32fast::hash(raw);
    Ok([&GZIP_HEAD[..], &packed, &crc.to_le_bytes(), &len.to_le_bytes()].concat())
}

/// Returns the text of a document that was read.
pub(super) fn decode(path: &TreePath, bytes: &[u8]) -> Result<String, FieldError> {
    let fail = |reason: String| FieldError::new(DOCUMENTS, format!("`{path}`: {reason}"));
    let mut text = Vec::new();
    if path.name().ends_with(b".gz") {
        let mut reader = flate2::bufread::MultiGzDecoder::new(bytes).take(LIMIT + 1);
        reader.read_to_end(&mut text).map_err(|error| fail(error.to_string()))?;
        if text.len() as u64 > LIMIT {
            return Err(fail(format!("more than {LIMIT} bytes of text")));
        }
    } else {
        text.extend_from_slice(bytes);
    }
    String::from_utf8(text).map_err(|error| fail(error.utf8_error().to_string()))
}

/// What the field lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Listed {
    /// The documents.
    pub(super) files: BTreeSet<TreePath>,
    /// Directories that are there for documents only.
    pub(super) directories: BTreeSet<TreePath>,
}

impl Listed {
    /// Returns whether a path is none of the tree.
    pub(super) fn contains(&self, path: &TreePath) -> bool {
        self.files.contains(path) || self.directories.contains(path)
    }
}

/// Parses the field of a package of that name.
pub(super) fn parse(package: &str, value: &str) -> Result<Listed, FieldError> {
    let mut listed = Listed::default();
    for word in value.split_ascii_whitespace() {
        let fail = |reason: &str| {
            FieldError::new(DOCUMENTS, format!("`{}`: {reason}", word.escape_debug()))
        };
        let path = TreePath::parse(word).map_err(|error| fail(&error.to_string()))?;
        if word.ends_with('/') {
            listed.directories.insert(path);
        } else if is_document(package, &path) {
            listed.files.insert(path);
        } else {
            return Err(fail("it is not the path of a document"));
        }
    }
    let is_needed = |directory: &TreePath| listed.files.iter().any(|file| file.is_below(directory));
    match listed.directories.iter().find(|directory| !is_needed(directory)) {
        Some(path) => {
            Err(FieldError::new(DOCUMENTS, format!("`{path}/`: no document lies below it")))
        }
        None => Ok(listed),
    }
}

/// Returns the texts of documents from their bytes, by absolute path.
pub(super) fn texts(
    bytes: &BTreeMap<TreePath, Vec<u8>>,
) -> Result<BTreeMap<String, String>, FieldError> {
    bytes.iter().map(|(path, bytes)| Ok((path.to_string(), decode(path, bytes)?))).collect()
}
