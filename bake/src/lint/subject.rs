//! What is checked: a recipe, what it placed, and contents where they may be read.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bake_formats::tree::{Entry, FileTree, Node, TreePath};
use bake_recipes::resolved::{Output, Recipe, Script, ScriptSource};
use bake_recipes::{Place, written};

use super::places::Places;
use crate::assemble::{EntryPlaces, ItemKind, Scan, SourcePath};
use crate::entry;

/// How much of a file is looked at to tell what it is, in bytes.
const HEAD: u64 = 4096;
/// The largest script that is read, in bytes.
const MAX_SCRIPT: u64 = 1 << 20;

/// Where the bytes of a file are.
#[derive(Debug, Clone)]
pub enum Stored {
    /// In a file.
    File(SourcePath),
    /// In the recipe.
    Bytes(Arc<[u8]>),
}

/// What is checked.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The recipe.
    pub recipe: &'a Recipe,
    pub(super) places: Places<'a>,
    /// The recipe's folder.
    pub(super) folder: &'a Path,
    pub(super) files: Vec<File<'a>>,
    /// Whether a file of the recipe creates users or groups.
    pub(super) creates_accounts: bool,
    trees: Vec<&'a FileTree>,
    image: Option<&'a FileTree>,
}

/// A file, directory or link of the packages.
#[derive(Debug)]
pub(super) struct File<'a> {
    pub(super) path: &'a TreePath,
    /// The absolute path as text; what is not UTF-8 is replaced.
    pub(super) name: String,
    /// Where the last name starts in it.
    base: usize,
    pub(super) entry: &'a Entry,
    pub(super) place: Option<&'a Place>,
    pub(super) is_utf8: bool,
    stored: Option<&'a Stored>,
    head: OnceLock<Option<Vec<u8>>>,
}

impl<'a> Subject<'a> {
    /// Puts together what is checked; files that are not in `stored` are not read.
    pub fn new(
        written: &'a written::Recipe,
        recipe: &'a Recipe,
        folder: &'a Path,
        trees: &'a BTreeMap<Output, Arc<FileTree>>,
        places: &'a EntryPlaces,
        stored: &'a BTreeMap<TreePath, Stored>,
    ) -> Self {
        let packages = [Output::Deb, Output::Rpm, Output::Oci, Output::Vm];
        let mut different: Vec<&FileTree> = Vec::new();
        for output in packages {
            let Some(tree) = trees.get(&output).map(Arc::as_ref) else { continue };
            if !different.iter().any(|other| std::ptr::eq(*other, tree)) {
                different.push(tree);
            }
        }
        let mut entries: Vec<_> = different.iter().flat_map(|tree| tree.iter()).collect();
        if different.len() > 1 {
            // What the first of several trees has at a path stays the first there.
            entries.sort_by_key(|(path, _)| *path);
            entries.dedup_by_key(|(path, _)| *path);
        }
        let entries = entries.into_iter().filter(|(path, _)| !path.is_root());
        let at = places.leading_to_each(entries.clone().map(|(path, _)| path));
        let files: Vec<_> = entries
            .zip(at)
            .map(|((path, entry), place)| {
                let name = String::from_utf8_lossy(&path.absolute()).into_owned();
                File {
                    path,
                    base: name.rfind('/').map_or(0, |slash| slash + 1),
                    name,
                    entry,
                    place,
                    is_utf8: path.relative_str().is_some(),
                    stored: stored.get(path),
                    head: OnceLock::new(),
                }
            })
            .collect();
        let creates =
            |file: &File<'_>| file.is_below("/usr/lib/sysusers.d") && file.place.is_some();
        let creates_accounts = files.iter().any(creates);
        let places = Places::of(written);
        let image = trees.get(&Output::Oci).map(Arc::as_ref);
        Self { recipe, places, folder, files, creates_accounts, trees: different, image }
    }

    /// Returns where the contents are of all that a scan found and a recipe generates.
    pub fn stored(recipe: &Recipe, scan: &Scan) -> BTreeMap<TreePath, Stored> {
        let mut stored = BTreeMap::new();
        for item in scan.items.iter().flatten() {
            let bytes = match &item.kind {
                ItemKind::File { file, .. } => Stored::File(scan.files[*file].path.clone()),
                ItemKind::Inline(text) => Stored::Bytes(text.as_slice().into()),
                _ => continue,
            };
            stored.insert(item.to.clone(), bytes);
        }
        for file in entry::generated_files(recipe).unwrap_or_default() {
            stored.insert(file.path, Stored::Bytes(file.contents.into()));
        }
        stored
    }

    /// Returns whether a deb is made.
    pub(super) fn has_deb(&self) -> bool {
        self.recipe.deb.is_some()
    }

    /// Returns whether an rpm is made.
    pub(super) fn has_rpm(&self) -> bool {
        self.recipe.rpm.is_some()
    }

    /// Returns whether a package of either kind is made.
    pub(super) fn has_package(&self) -> bool {
        self.has_deb() || self.has_rpm()
    }

    /// Returns whether any output has something at a path.
    pub(super) fn places_path(&self, path: &str) -> bool {
        let Ok(path) = TreePath::parse(path) else { return false };
        self.trees.iter().any(|tree| tree.get(&path).is_some())
    }

    /// Returns whether the image has something at a path.
    pub(super) fn image_has(&self, path: &TreePath) -> bool {
        self.image.is_some_and(|tree| tree.get(path).is_some())
    }

    /// Returns whether a directory has anything in it.
    pub(super) fn has_children(&self, path: &TreePath) -> bool {
        self.trees.iter().any(|tree| tree.has_children(path))
    }

    /// Returns the text of a script; `None` if it cannot be read, which is an error elsewhere.
    pub(super) fn script(&self, script: &Script) -> Option<String> {
        match &script.source {
            ScriptSource::Inline(text) => Some(text.clone()),
            ScriptSource::File(name) => {
                let file = fs_err::File::open(self.folder.join(name)).ok()?;
                let mut text = String::new();
                file.take(MAX_SCRIPT).read_to_string(&mut text).ok()?;
                Some(text)
            }
        }
    }
}

impl File<'_> {
    /// Returns where the recipe places it.
    pub(super) fn at(&self) -> Option<Place> {
        self.place.cloned()
    }

    /// Returns whether it is a regular file; a ghost has no contents.
    pub(super) fn is_regular(&self) -> bool {
        matches!(self.entry.node, Node::File(_))
            && self.entry.mark != bake_formats::tree::Mark::Ghost
    }

    /// Returns whether anyone may execute it.
    pub(super) fn is_executable(&self) -> bool {
        self.entry.mode.bits() & 0o111 != 0
    }

    /// Returns whether it is in a directory or below.
    pub(super) fn is_below(&self, directory: &str) -> bool {
        self.name.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
    }

    /// Returns its last name.
    pub(super) fn base(&self) -> &str {
        self.name.get(self.base..).unwrap_or_default()
    }

    /// Returns the size in bytes.
    pub(super) fn size(&self) -> u64 {
        match &self.entry.node {
            Node::File(content) => content.size,
            _ => 0,
        }
    }

    /// Returns the first bytes; `None` where contents are not read.
    pub(super) fn head(&self) -> Option<&[u8]> {
        let read = || {
            let mut head = Vec::new();
            self.open()?.take(HEAD).read_to_end(&mut head).ok()?;
            Some(head)
        };
        self.head.get_or_init(read).as_deref()
    }

    /// Opens the contents; `None` where they are not read.
    pub(super) fn open(&self) -> Option<Box<dyn Read + '_>> {
        if !self.is_regular() {
            return None;
        }
        match self.stored? {
            Stored::File(path) => Some(Box::new(fs_err::File::open(path.to_path()).ok()?)),
            Stored::Bytes(bytes) => Some(Box::new(&bytes[..])),
        }
    }

    /// Returns the file on this machine that holds the contents.
    pub(super) fn stored_file(&self) -> Option<PathBuf> {
        match self.stored? {
            Stored::File(path) => Some(path.to_path()),
            Stored::Bytes(_) => None,
        }
    }

    /// Returns the words of the `#!` line.
    pub(super) fn interpreter(&self) -> Option<Vec<String>> {
        let line = self.head()?.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
        let line = String::from_utf8_lossy(line).into_owned();
        Some(line.split_whitespace().map(str::to_owned).collect())
    }

    /// Returns whether it is an ELF object.
    pub(super) fn is_elf(&self) -> bool {
        self.head().is_some_and(|head| head.starts_with(b"\x7fELF"))
    }
}
