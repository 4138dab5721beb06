//! An npm package: a tarball with one folder, placed where `npm install --global` does.

use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use bake_recipes::RecipeError;
use serde_json::Value;

use super::archive::broken;
use super::layout::{Layout, Rule, What, is_command};
use super::metadata::{Metadata, Reader};
use super::version;

/// An unpacked npm package.
#[derive(Debug)]
pub(super) struct Npm {
    folder: PathBuf,
    /// The name in the registry, perhaps with a scope.
    name: String,
    /// Commands and what they run, relative to the folder.
    commands: Vec<(String, String)>,
    node: Option<String>,
    missing: Vec<String>,
    native: bool,
}

/// Reads what a `package.json` says about the package.
pub(super) fn metadata(by: &str, document: &Value) -> Metadata {
    let text = |key: &str| document[key].as_str();
    let mut reader = Reader::new(by);
    reader.name(text("name").map(|name| name.trim_start_matches('@')));
    reader.version(text("version"), version::semantic);
    reader.summary(text("description"));
    reader.license(text("license").or_else(|| document["license"]["type"].as_str()));
    let author = &document["author"];
    reader.person(author.as_str());
    reader.maintainer(author["name"].as_str(), author["email"].as_str());
    reader.homepage(text("homepage"));
    reader.vcs(text("repository").or_else(|| document["repository"]["url"].as_str()));
    reader.metadata
}

impl Npm {
    /// Reads the package in an unpacked folder.
    pub(super) fn read(
        path: &Path,
        folder: &Path,
        document: &str,
    ) -> Result<(Metadata, Self), RecipeError> {
        let fail = |reason: String| broken(path, format!("package.json: {reason}"));
        let document: Value =
            serde_json::from_str(document).map_err(|error| fail(error.to_string()))?;
        let metadata = metadata("package.json", &document);
        let name = document["name"].as_str().unwrap_or_default().to_owned();
        if !is_registry_name(&name) {
            return Err(fail(format!("`{name}` is not the name of a package")));
        }
        let mut commands = Vec::new();
        for (command, target) in bin(&document, &name) {
            if !is_command(&command) {
                return Err(fail(format!("`bin`: `{command}` is not the name of a command")));
            }
            let target = inside(&target)
                .filter(|target| folder.join(target).is_file())
                .ok_or_else(|| fail(format!("`bin`: `{target}` is no file of the package")))?;
            let program = std::fs::Permissions::from_mode(0o755);
            fs_err::set_permissions(folder.join(&target), program)
                .map_err(|error| broken(path, error))?;
            commands.push((command, target));
        }
        let npm = Self {
            folder: folder.into(),
            name,
            commands,
            node: document["engines"]["node"].as_str().map(str::to_owned),
            missing: missing(&document, folder),
            native: has_native_code(path, folder)?,
        };
        Ok((metadata, npm))
    }

    /// Places the package and links its commands.
    pub(super) fn place(&self, layout: &mut Layout) {
        let name = &self.name;
        let to = format!("/usr/lib/node_modules/{name}/");
        layout.rules.push(Rule::new(What::Directory(self.folder.clone()), to));
        for (command, target) in &self.commands {
            let target = What::Symlink(format!("../lib/node_modules/{name}/{target}"));
            layout.rules.push(Rule::new(target, format!("/usr/bin/{command}")));
        }
        let least = self.node.as_deref().and_then(least_version);
        layout.deb_depends.push(match &least {
            Some(version) => format!("nodejs (>= {version})"),
            None => "nodejs".into(),
        });
        layout.rpm_requires.push(match &least {
            Some(version) => format!("nodejs >= {version}"),
            None => "nodejs".into(),
        });
        layout.native |= self.native;
        if !self.missing.is_empty() {
            layout.notes.push(format!(
                "`{name}` needs packages that its tarball does not hold: {}; list them in \
                 `bundleDependencies` before `npm pack`, or pack an installed folder",
                self.missing.join(", ")
            ));
        }
    }
}

/// Returns the commands of a package and their programs.
fn bin(document: &Value, name: &str) -> Vec<(String, String)> {
    let own = name.rsplit('/').next().unwrap_or(name).to_owned();
    match &document["bin"] {
        Value::String(target) => vec![(own, target.clone())],
        Value::Object(map) => map
            .iter()
            .map(|(command, target)| {
                let command = command.rsplit('/').next().unwrap_or(command).to_owned();
                (command, target.as_str().unwrap_or_default().to_owned())
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Returns the path within a package of what `bin` names.
fn inside(target: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in Path::new(target).components() {
        match part {
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/")).filter(|path| !path.is_empty())
}

/// Returns the dependencies that are not among the files.
fn missing(document: &Value, folder: &Path) -> Vec<String> {
    let Some(all) = document["dependencies"].as_object() else { return Vec::new() };
    let there =
        |name: &str| is_registry_name(name) && folder.join("node_modules").join(name).is_dir();
    all.keys().filter(|name| !there(name)).map(|name| name.escape_debug().to_string()).collect()
}

/// Returns whether a name is one that npm accepts, with or without a scope.
fn is_registry_name(name: &str) -> bool {
    let part = |part: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
        !part.is_empty() && !part.starts_with('.') && part.chars().all(allowed)
    };
    match name.strip_prefix('@').and_then(|rest| rest.split_once('/')) {
        Some((scope, name)) => part(scope) && part(name),
        None => part(name),
    }
}

fn has_native_code(path: &Path, folder: &Path) -> Result<bool, RecipeError> {
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry.map_err(|error| broken(path, error))?;
        if entry.path().extension().is_some_and(|ending| ending == "node") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the version of a range of the form `>=18` or `>= 18.1.0`; others have no one spelling.
fn least_version(range: &str) -> Option<String> {
    let version = range.trim().strip_prefix(">=")?.trim();
    let plain = version.chars().all(|c| c.is_ascii_digit() || c == '.');
    (plain && version.starts_with(|c: char| c.is_ascii_digit())).then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_targets_are_checked() {
        for good in ["left-pad", "@scope/tool", "JSONStream"] {
            assert!(is_registry_name(good), "{good}");
        }
        for bad in ["", "../x", "@scope/../x", "a/b", ".hidden", "a b", "@/x"] {
            assert!(!is_registry_name(bad), "{bad}");
        }
        assert_eq!(inside("./bin/x.js").unwrap(), "bin/x.js");
        for bad in ["../x", "/x", "", "a/../../x"] {
            assert_eq!(inside(bad), None, "{bad}");
        }
        assert_eq!(least_version(">= 18.1").unwrap(), "18.1");
        assert_eq!(least_version("^18"), None);
        assert_eq!(least_version(">=18 <20"), None);
    }
}
