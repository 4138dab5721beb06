//! Where a file of the build output is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bake_formats::tree::TreePath;

use super::names::below;

/// Where a file of the build output is.
///
/// Of many files each is below the folder that was walked through what it is below the directory in which it is placed,
/// so that a tree's path says it once more.
#[derive(Clone, PartialEq, Eq)]
pub struct SourcePath {
    from: Arc<Origin>,
    placed: TreePath,
}

/// What is placed by one rule.
#[derive(Debug, PartialEq, Eq)]
struct Origin {
    path: PathBuf,
    /// How much of a placed path lies above what is relative to this one.
    above: usize,
}

impl SourcePath {
    /// Returns the path of a folder which is placed as a directory, for those of what is in it.
    pub(super) fn of_folder(folder: &Path, placed: &TreePath) -> Self {
        let above = placed.relative().len();
        // The slash behind it is left out, too.
        let above = if placed.is_root() { 0 } else { above + 1 };
        let from = Arc::new(Origin { path: folder.into(), above });
        Self { from, placed: placed.clone() }
    }

    /// Returns the path of what is in this folder and below it, from where that is placed.
    pub(super) fn of(&self, placed: &TreePath) -> Self {
        Self { from: Arc::clone(&self.from), placed: placed.clone() }
    }

    /// Returns the path by which the system knows it.
    pub fn to_path(&self) -> PathBuf {
        let Self { from, placed } = self;
        below(&from.path, placed.relative().get(from.above..).unwrap_or_default())
    }
}

/// One file, wherever it is placed.
impl From<&Path> for SourcePath {
    fn from(path: &Path) -> Self {
        Self::of_folder(path, &TreePath::root())
    }
}

impl fmt::Debug for SourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_path().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_a_folder_is_below_where_that_is_placed() {
        let path = |text: &str| TreePath::parse(text).unwrap();
        for (to, placed) in [("/", "/bin/x"), ("/opt/app", "/opt/app/bin/x")] {
            let folder = SourcePath::of_folder(Path::new("/build/out"), &path(to));
            assert_eq!(folder.of(&path(placed)).to_path(), Path::new("/build/out/bin/x"));
            assert_eq!(folder.to_path(), Path::new("/build/out"));
        }
        assert_eq!(SourcePath::from(Path::new("/build/x")).to_path(), Path::new("/build/x"));
    }
}
