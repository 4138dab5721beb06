//! The texts that a recipe names, read as products are made of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Where the texts are that a recipe names, and which of them were asked for.
#[derive(Debug, Default)]
pub struct Texts {
    folder: PathBuf,
    asked: Mutex<BTreeSet<PathBuf>>,
}

impl Texts {
    /// Returns the texts of a recipe's folder.
    pub fn of(folder: &Path) -> Self {
        Self { folder: folder.into(), asked: Mutex::default() }
    }

    /// Returns where a text is, and notes that it was asked for.
    pub fn path(&self, name: &str) -> PathBuf {
        let path = self.folder.join(name);
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone());
        path
    }

    /// Returns where all texts are that were asked for.
    pub fn read(&self) -> Vec<PathBuf> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
