//! Where a distribution says which package has which library: folders like dpkg's own database.
//!
//! A folder holds `PACKAGE[:ARCHITECTURE].symbols`, `.shlibs` and perhaps `.list`; a file is one of
//! the first two under any name that ends so. What stands earlier in the recipe wins, and in one
//! folder `symbols` win over `shlibs`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use bake_formats::digest::{Digest, Hasher};

use super::{shlibs_file, symbols_file};

/// The largest file that is read; that of a large C++ library has 10 MB.
const LARGEST: u64 = 128 << 20;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    Symbols,
    Shlibs,
}

/// One file with dependencies of libraries.
#[derive(Debug, Clone)]
pub(super) struct DataFile {
    pub(super) path: PathBuf,
    pub(super) form: Form,
    /// The package it belongs to.
    package: String,
    /// Which of the recipe's paths it is from.
    source: usize,
    size: u64,
    modified: u128,
}

/// The files that a recipe's paths lead to.
#[derive(Debug, Default)]
pub(super) struct LibraryData {
    files: Vec<DataFile>,
}

/// What the files are about: number of the file by soname, or by name and version.
#[derive(Debug, Default)]
pub(super) struct Index {
    symbols: BTreeMap<String, Vec<usize>>,
    shlibs: BTreeMap<(String, String), Vec<usize>>,
}

impl LibraryData {
    /// Lists the files without reading one.
    pub(super) fn list(paths: &[String], folder: &Path, architecture: &str) -> io::Result<Self> {
        let mut files = Vec::new();
        for (source, path) in paths.iter().enumerate() {
            let path = folder.join(path);
            if fs_err::metadata(&path)?.is_dir() {
                let mut inside = Vec::new();
                for entry in fs_err::read_dir(&path)? {
                    inside.extend(data_file(&entry?.path(), source, architecture)?);
                }
                inside.sort_by(|a: &DataFile, b| a.path.cmp(&b.path));
                files.extend(inside);
            } else if let Some(file) = data_file(&path, source, architecture)? {
                files.push(file);
            } else {
                let message = format!(
                    "`{}`: expected a folder, or a file whose name ends with `symbols` or `shlibs`",
                    path.display()
                );
                return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
            }
        }
        Ok(Self { files })
    }

    /// Returns a digest that changes whenever one of the files does.
    pub(super) fn stamp(&self) -> Digest {
        let mut hasher = Hasher::new();
        for file in &self.files {
            hasher.update(file.path.as_os_str().as_encoded_bytes());
            hasher.update(&[0]);
            hasher.update(&file.size.to_le_bytes());
            hasher.update(&file.modified.to_le_bytes());
        }
        hasher.digest()
    }

    /// Reads what the files are about.
    pub(super) fn index(&self) -> io::Result<Index> {
        let mut index = Index::default();
        for (number, file) in self.files.iter().enumerate() {
            let text = file.text()?;
            match file.form {
                Form::Symbols => {
                    for soname in symbols_file::sonames(&text) {
                        index.symbols.entry(soname.to_owned()).or_default().push(number);
                    }
                }
                Form::Shlibs => {
                    for (name, version) in shlibs_file::libraries(&text) {
                        let key = (name.to_owned(), version.to_owned());
                        index.shlibs.entry(key).or_default().push(number);
                    }
                }
            }
        }
        Ok(index)
    }

    /// Returns the files that say most about a library: more than one if several packages have a
    /// library of this name.
    pub(super) fn find(&self, index: &Index, soname: &str) -> Vec<&DataFile> {
        let split = shlibs_file::split(soname).map(|(a, b)| (a.to_owned(), b.to_owned()));
        let symbols = index.symbols.get(soname).into_iter().flatten();
        let shlibs = split.and_then(|key| index.shlibs.get(&key)).into_iter().flatten();
        let mut found: Vec<&DataFile> =
            symbols.chain(shlibs).map(|number| &self.files[*number]).collect();
        found.sort_by_key(|file| (file.source, file.form));
        let Some((source, form)) = found.first().map(|file| (file.source, file.form)) else {
            return found;
        };
        found.retain(|file| file.source == source && file.form == form);
        found.dedup_by(|a, b| a.path == b.path);
        if found.len() > 1 {
            let main: Vec<&DataFile> =
                found.iter().copied().filter(|file| file.is_public(soname)).collect();
            if !main.is_empty() {
                found = main;
            }
        }
        found
    }
}

impl DataFile {
    pub(super) fn text(&self) -> io::Result<String> {
        if self.size > LARGEST {
            let message = format!("`{}` has {} bytes", self.path.display(), self.size);
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        // Names of symbols are bytes; what is not UTF-8 cannot be a name that is looked for.
        Ok(String::from_utf8_lossy(&fs_err::read(&self.path)?).into_owned())
    }

    /// Returns the package's name.
    pub(super) fn package(&self) -> &str {
        &self.package
    }

    /// Returns whether the package's list of files has the library where this architecture's loader
    /// looks: `lib32gcc-s1` has a `libgcc_s.so.1`, too.
    fn is_public(&self, soname: &str) -> bool {
        let Ok(text) = fs_err::read(self.path.with_extension("list")) else { return false };
        let text = String::from_utf8_lossy(&text);
        text.lines().filter_map(|line| line.strip_suffix(soname)).any(|folder| {
            let folder = folder.trim_end_matches('/');
            let folder = folder.strip_prefix("/usr").unwrap_or(folder);
            folder == "/lib" || folder.starts_with("/lib/") && folder.contains("-linux-")
        })
    }
}

/// Returns a file with data for an architecture, if it is one.
fn data_file(path: &Path, source: usize, architecture: &str) -> io::Result<Option<DataFile>> {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Ok(None) };
    let forms = [("symbols", Form::Symbols), ("shlibs", Form::Shlibs)];
    let found = forms.into_iter().find_map(|(word, form)| {
        if name == word {
            return Some(("", form));
        }
        let stem = name.strip_suffix(architecture).and_then(|name| name.strip_suffix('.'));
        stem.unwrap_or(name).strip_suffix(word)?.strip_suffix('.').map(|stem| (stem, form))
    });
    let Some((stem, form)) = found else { return Ok(None) };
    let (package, of) = stem.split_once(':').unwrap_or((stem, architecture));
    if of != architecture {
        return Ok(None);
    }
    let metadata = fs_err::metadata(path)?;
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let (package, path, size) = (package.to_owned(), path.to_owned(), metadata.len());
    Ok(Some(DataFile { path, form, package, source, size, modified }))
}
