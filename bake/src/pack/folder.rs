//! A folder: what it says about itself, and where its contents go.

use std::path::{Path, PathBuf};

use bake_recipes::RecipeError;
use serde_json::Value;

use super::archive::{broken, small_text};
use super::layout::{Layout, Rule, What};
use super::metadata::{Metadata, Reader};
use super::{npm, pom, version};

/// Folders that stand at the root of a file system (FHS 3.0, 3.2).
const ROOT: [&str; 9] = ["usr", "etc", "opt", "var", "srv", "lib", "bin", "sbin", "lib64"];

/// A folder of files.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    is_root: bool,
}

/// Returns whether a folder of this name stands at the root of a file system.
pub(super) fn is_root_name(name: &str) -> bool {
    ROOT.contains(&name)
}

impl Folder {
    /// Reads the manifests of build systems that are in the folder.
    pub(super) fn read(path: &Path) -> Result<(Metadata, Self), RecipeError> {
        let mut metadata = Metadata::default();
        let fail = |name: &str, reason: String| broken(&path.join(name), reason);
        if let Some(text) = small_text(&path.join("Cargo.toml"))? {
            let found = cargo(&text).map_err(|reason| fail("Cargo.toml", reason))?;
            metadata.fill(found);
        }
        if let Some(text) = small_text(&path.join("package.json"))? {
            let document: Value = serde_json::from_str(&text)
                .map_err(|error| fail("package.json", error.to_string()))?;
            metadata.fill(npm::metadata("package.json", &document));
        }
        if let Some(text) = small_text(&path.join("pom.xml"))? {
            metadata.fill(pom::read(&text).map_err(|reason| fail("pom.xml", reason))?);
        }
        let mut names = Vec::new();
        for entry in fs_err::read_dir(path).map_err(|error| broken(path, error))? {
            let entry = entry.map_err(|error| broken(path, error))?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        if names.is_empty() {
            return Err(broken(path, "it is empty"));
        }
        // `bin` and `lib` alone are what every prefix has.
        let is_root = names.iter().all(|name| is_root_name(name))
            && names.iter().any(|name| !["bin", "sbin", "lib", "lib64"].contains(&name.as_str()));
        Ok((metadata, Self { path: path.into(), is_root }))
    }

    /// Places the contents below a prefix: the one given, the root for a tree that begins there,
    /// else `/opt/NAME`.
    pub(super) fn place(&self, name: &str, prefix: Option<&str>, layout: &mut Layout) {
        let to = match prefix {
            Some(prefix) => format!("{}/", prefix.trim_end_matches('/')),
            None if self.is_root => "/".to_owned(),
            None => format!("/opt/{name}/"),
        };
        layout.rules.push(Rule::new(What::Directory(self.path.clone()), to));
        layout.native = true;
    }
}

/// Reads what a `Cargo.toml` says about its package.
fn cargo(text: &str) -> Result<Metadata, String> {
    let document: toml::Table = toml::from_str(text).map_err(|error| error.message().to_owned())?;
    let package = document.get("package").and_then(toml::Value::as_table);
    let value = |key: &str| package.and_then(|package| package.get(key)?.as_str());
    let mut reader = Reader::new("Cargo.toml");
    reader.name(value("name"));
    reader.version(value("version"), version::semantic);
    reader.summary(value("description"));
    reader.license(value("license"));
    reader.homepage(value("homepage"));
    reader.vcs(value("repository"));
    let author = package.and_then(|package| package.get("authors")?.as_array()?.first()?.as_str());
    reader.person(author);
    Ok(reader.metadata)
}
