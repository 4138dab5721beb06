//! Finding what the rules of a recipe name. No content is read here.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use super::listing::{Listings, Looked};
use super::source_path::SourcePath;
use super::walk::{Visitor, walk};
use crate::store::Stamp;
use bake_formats::tree::{DeviceKind, TreePath};
use bake_recipes::resolved::{FileRule, FileSource, Glob, GlobError};
use bake_recipes::{RecipeError, environment};

/// What the rules of a recipe name, in the order of the rules.
#[derive(Debug, Default)]
pub struct Scan {
    /// One list for each rule, in the order of the rules; sorted by place.
    pub items: Vec<Vec<Item>>,
    /// Each regular file once, however many rules and names it has.
    pub files: Vec<FoundFile>,
}

/// A regular file of the build output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFile {
    /// Where it is.
    pub path: SourcePath,
    /// What tells that it is still the same.
    pub stamp: Stamp,
}

/// One thing to be placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Where it goes.
    pub to: TreePath,
    /// What it is.
    pub kind: ItemKind,
}

/// What an item is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemKind {
    /// A directory that the recipe asks for by name.
    Directory,
    /// A directory that was found on the way.
    WalkedDirectory,
    /// A regular file.
    File {
        /// Its place in [`Scan::files`].
        file: usize,
        /// Whether its owner may execute it.
        executable: bool,
        /// Whether it has other names.
        linked: bool,
    },
    /// Text from the recipe.
    Inline(Vec<u8>),
    /// A symbolic link.
    Symlink(Vec<u8>),
    /// A device node.
    Device(DeviceKind, u32, u32),
    /// A named pipe.
    Fifo,
    /// A file that is owned but not shipped.
    Ghost,
}

/// What a rule takes of the directory that it names; paths are relative to that.
#[derive(Debug)]
pub struct Filter<'a> {
    rule: &'a FileRule,
    /// The pattern, and the directory it starts from.
    glob: Option<(Glob, PathBuf)>,
}

impl<'a> Filter<'a> {
    /// Returns what a rule takes.
    pub fn of(rule: &'a FileRule) -> Result<Self, GlobError> {
        let glob = match &rule.source {
            FileSource::Path { pattern, is_glob: true } => {
                Some((Glob::parse(pattern)?, rule.source.base().unwrap_or_default()))
            }
            _ => None,
        };
        Ok(Self { rule, glob })
    }

    /// Returns whether the rule takes all there is.
    pub fn takes_everything(&self) -> bool {
        self.glob.is_none() && self.rule.exclude.is_empty()
    }

    /// Returns whether something, and what is below it, is not left out.
    pub fn descends(&self, relative: &[u8]) -> bool {
        !self.rule.excludes(Path::new(OsStr::from_bytes(relative)))
    }

    /// Returns whether something that is not left out is wanted itself.
    pub fn takes(&self, relative: &[u8]) -> bool {
        let Some((glob, base)) = &self.glob else { return true };
        let matches = |part: &Path| !part.as_os_str().is_empty() && glob.is_match(&base.join(part));
        Path::new(OsStr::from_bytes(relative)).ancestors().any(matches)
    }
}

/// Finds what the rules name, relative to the recipe's folder, on so many threads. What was walked through before is not
/// walked through again.
pub fn scan(
    folder: &Path,
    rules: &[FileRule],
    walked: &Listings,
    threads: usize,
) -> Result<Scan, RecipeError> {
    let environments = environments(folder);
    let (scan, numbers) = (Scan::default(), HashMap::new());
    let mut scanner = Scanner { folder, scan, numbers, environments, walked, threads };
    for rule in rules {
        let items = scanner.rule(rule)?;
        scanner.scan.items.push(items);
    }
    Ok(scanner.scan)
}

struct Scanner<'a> {
    folder: &'a Path,
    scan: Scan,
    /// The place in [`Scan::files`] of each file, by device and inode.
    numbers: HashMap<(u64, u64), usize>,
    /// The files of environments beside the recipe, by device and inode.
    environments: BTreeSet<(u64, u64)>,
    walked: &'a Listings,
    threads: usize,
}

/// Returns the files of environments beside a recipe, by device and inode, so that no path and no link leads to them
/// unnoticed. They are not opened.
pub(crate) fn environments(folder: &Path) -> BTreeSet<(u64, u64)> {
    let Ok(entries) = fs_err::read_dir(folder.join(environment::FOLDER)) else {
        return BTreeSet::new();
    };
    let files = entries.flatten().map(|entry| entry.path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    let metadata = files.filter_map(|path| fs_err::metadata(path).ok());
    metadata.map(|metadata| (metadata.dev(), metadata.ino())).collect()
}

impl Scanner<'_> {
    fn rule(&mut self, rule: &FileRule) -> Result<Vec<Item>, RecipeError> {
        let one = |kind| Ok(vec![Item { to: rule.to.path.clone(), kind }]);
        match &rule.source {
            FileSource::Directory => one(ItemKind::Directory),
            FileSource::Ghost => one(ItemKind::Ghost),
            FileSource::Inline(text) => one(ItemKind::Inline(text.clone())),
            FileSource::Symlink(target) => one(ItemKind::Symlink(target.clone())),
            FileSource::Path { pattern, is_glob: true } => self.glob(rule, pattern),
            FileSource::Path { pattern, is_glob: false } => self.path(rule, Path::new(pattern)),
        }
    }

    fn path(&mut self, rule: &FileRule, from: &Path) -> Result<Vec<Item>, RecipeError> {
        let path = self.folder.join(from);
        let found = fs_err::symlink_metadata(&path);
        let link = found.map_err(|error| self.missing(rule, from, &error))?;
        let path = if link.is_symlink() { self.follow(rule, &path)? } else { path };
        let stat = rustix::fs::stat(&path);
        let looked = Looked::of(&stat.map_err(|error| unreadable(rule, &path, &error.into()))?);
        if looked.kind().is_dir() {
            return self.walk(rule, &path);
        }
        let to = if rule.to.into {
            let name = from.file_name().unwrap_or_default();
            rule.to
                .path
                .join(name.as_bytes())
                .map_err(|error| rule.place.error(error.to_string()))?
        } else {
            rule.to.path.clone()
        };
        Ok(vec![Item { to, kind: self.kind(rule, &path.as_path().into(), &looked)? }])
    }

    fn glob(&mut self, rule: &FileRule, pattern: &str) -> Result<Vec<Item>, RecipeError> {
        let root = self.folder.join(rule.source.base().unwrap_or_default());
        let items = if root.is_dir() { self.walk(rule, &root)? } else { Vec::new() };
        if items.is_empty() {
            return Err(rule
                .place
                .error(format!("`{pattern}` matches nothing"))
                .hint(format!("looked in `{}`; is the build output there?", root.display())));
        }
        Ok(items)
    }

    /// Walks a directory without following links and takes what the rule wants of it.
    fn walk(&mut self, rule: &FileRule, root: &Path) -> Result<Vec<Item>, RecipeError> {
        let filter = Filter::of(rule).map_err(|error| rule.place.error(error.to_string()))?;
        let mut items = Vec::new();
        if filter.takes(b"") {
            items.push(Item { to: rule.to.path.clone(), kind: ItemKind::WalkedDirectory });
        }
        let (listing, threads) = (self.walked.of(rule), self.threads);
        let folder = SourcePath::of_folder(root, &rule.to.path);
        let mut walking = Walking { scanner: self, rule, root, folder, items };
        match listing {
            Some(listing) => {
                listing.iter().try_for_each(|(path, looked)| walking.meet(path, looked))?;
            }
            None => walk(root, &filter, threads, &mut walking)?,
        }
        Ok(walking.items)
    }

    fn kind(
        &mut self,
        rule: &FileRule,
        path: &SourcePath,
        looked: &Looked,
    ) -> Result<ItemKind, RecipeError> {
        let kind = looked.kind();
        if kind.is_file() {
            let stamp = looked.stamp;
            if self.environments.contains(&(stamp.device, stamp.inode)) {
                return Err(rule
                    .place
                    .error(format!("`{}` is an environment, and none ever enters an artifact", path.to_path().display()))
                    .hint("`bake config render` makes of it what is deployed beside the artifact; leave it out with `exclude`"));
            }
            let next = self.scan.files.len();
            let file = *self.numbers.entry((stamp.device, stamp.inode)).or_insert(next);
            if file == next {
                self.scan.files.push(FoundFile { path: path.clone(), stamp });
            }
            let executable = looked.mode & 0o100 != 0;
            return Ok(ItemKind::File { file, executable, linked: looked.is_linked });
        }
        let device = |kind| {
            let number = looked.device;
            ItemKind::Device(kind, rustix::fs::major(number), rustix::fs::minor(number))
        };
        match () {
            () if kind.is_dir() => Ok(ItemKind::WalkedDirectory),
            () if kind.is_symlink() => {
                let path = path.to_path();
                let target = fs_err::read_link(&path);
                let target = target.map_err(|error| unreadable(rule, &path, &error))?;
                Ok(ItemKind::Symlink(target.as_os_str().as_bytes().to_vec()))
            }
            () if kind.is_fifo() => Ok(ItemKind::Fifo),
            () if kind.is_char_device() => Ok(device(DeviceKind::Character)),
            () if kind.is_block_device() => Ok(device(DeviceKind::Block)),
            () => Err(rule
                .place
                .error(format!(
                    "`{}` is a socket, which no artifact can hold",
                    path.to_path().display()
                ))
                .hint("leave it out with `exclude`")),
        }
    }

    /// Returns what a link named by the recipe itself leads to, if that is within the source.
    fn follow(&self, rule: &FileRule, link: &Path) -> Result<PathBuf, RecipeError> {
        let target = fs_err::canonicalize(link).map_err(|error| unreadable(rule, link, &error))?;
        let folder = if link.starts_with(self.folder) {
            self.folder
        } else {
            link.parent().unwrap_or(self.folder)
        };
        let folder =
            fs_err::canonicalize(folder).map_err(|error| unreadable(rule, folder, &error))?;
        if target.starts_with(&folder) {
            return Ok(target);
        }
        Err(rule
            .place
            .error(format!(
                "symbolic link `{}` leaves the source: it leads to `{}`",
                link.display(),
                target.display()
            ))
            .hint("name the file itself, or place a link with `symlink = \"target\"`"))
    }

    /// A link within a walked directory is placed as it is, so it must mean the same elsewhere.
    fn check_link(&self, rule: &FileRule, root: &Path, link: &Path) -> Result<(), RecipeError> {
        let fail = |error| unreadable(rule, link, &error);
        let target = fs_err::read_link(link).map_err(fail)?;
        if let Err(error) = fs_err::metadata(link)
            && is_loop(&error)
        {
            return Err(unreadable(rule, link, &error));
        }
        let leaves = if target.is_absolute() {
            target.starts_with(fs_err::canonicalize(root).map_err(fail)?)
                || target.starts_with(root)
                || target.starts_with(self.folder)
        } else {
            let inside = link.strip_prefix(root).unwrap_or(link).parent().unwrap_or(Path::new(""));
            climbs_out(&inside.join(&target))
        };
        if !leaves {
            return Ok(());
        }
        Err(rule
            .place
            .error(format!(
                "symbolic link `{}` leaves the source: its target is `{}`",
                link.display(),
                target.display()
            ))
            .hint("leave it out with `exclude` and place it with a `symlink` rule"))
    }

    fn missing(&self, rule: &FileRule, from: &Path, error: &io::Error) -> RecipeError {
        if error.kind() != io::ErrorKind::NotFound {
            return unreadable(rule, &self.folder.join(from), error);
        }
        let error = rule.place.error(format!("`{}` is not there", from.display()));
        error.hint(format!("looked in `{}`; has the build been run?", self.folder.display()))
    }
}

/// Takes what a walk for a rule meets.
struct Walking<'s, 'a> {
    scanner: &'s mut Scanner<'a>,
    rule: &'s FileRule,
    root: &'s Path,
    /// The same, and where it is placed.
    folder: SourcePath,
    items: Vec<Item>,
}

impl Visitor for Walking<'_, '_> {
    type Error = RecipeError;

    fn meet(&mut self, relative: &[u8], looked: &Looked) -> Result<(), RecipeError> {
        let Self { scanner, rule, root, folder, items } = self;
        let to = rule.to.path.join(relative);
        let to = to.map_err(|error| rule.place.error(error.to_string()))?;
        let path = folder.of(&to);
        if looked.kind().is_symlink() {
            scanner.check_link(rule, root, &path.to_path())?;
        }
        items.push(Item { to, kind: scanner.kind(rule, &path, looked)? });
        Ok(())
    }

    fn fail(&self, path: &Path, error: &io::Error) -> RecipeError {
        unreadable(self.rule, path, error)
    }
}

fn unreadable(rule: &FileRule, path: &Path, error: &io::Error) -> RecipeError {
    if is_loop(error) {
        return rule.place.error(format!("`{}` is a loop of symbolic links", path.display()));
    }
    // The kind alone: the message has the path already.
    rule.place.error(format!("cannot read `{}`: {}", path.display(), error.kind()))
}

/// Whatever wraps an error of the system keeps its kind, but this kind has no stable name.
fn is_loop(error: &io::Error) -> bool {
    error.kind() == io::Error::from(rustix::io::Errno::LOOP).kind()
}

/// Returns whether a relative path leads above where it starts.
pub(crate) fn climbs_out(path: &Path) -> bool {
    let mut depth = 0_i64;
    for component in path.components() {
        match component {
            Component::ParentDir => depth -= 1,
            Component::Normal(_) => depth += 1,
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
        if depth < 0 {
            return true;
        }
    }
    false
}
