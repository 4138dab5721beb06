//! Where a version comes from: text, a manifest, a file, git, or a variable of the build.

use std::io::Read as _;
use std::path::Path;
use std::process::Command;

use super::Resolver;
use super::advice::Advice;
use crate::environment::FOLDER;
use crate::version::Version;
use crate::written::{At, TextOr, VersionSource};

/// The largest file that a version is read from, in bytes.
const MAX_LEN: u64 = 16 * 1024 * 1024;

impl Resolver<'_> {
    pub(super) fn version(&self, at: &At<TextOr<VersionSource>>) -> Option<Version> {
        match &at.value {
            TextOr::Text(text) => self.parsed(at, Version::parse(text)),
            TextOr::Table(VersionSource { from: Some(from), env: None }) => self.version_from(from),
            TextOr::Table(VersionSource { from: None, env: Some(env) }) => self.version_env(env),
            TextOr::Table(_) => {
                self.fault(at, "expected either `from` or `env`");
                None
            }
        }
    }

    fn version_env(&self, at: &At<String>) -> Option<Version> {
        let text = self.build_variable(at, "1.2.3", "version")?;
        self.found(at, &format!("variable {}", at.value), without_v(&text))
    }

    /// Returns a variable of the build's identity, which is not empty.
    pub(super) fn build_variable(
        &self,
        at: &At<String>,
        example: &str,
        what: &str,
    ) -> Option<String> {
        let name = &at.value;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || !name.bytes().all(allowed) {
            self.fault(at, format!("`{}` is not a variable's name", name.escape_debug()));
            return None;
        }
        let value = (self.cx.env)(name).map(|text| text.trim().to_owned());
        let value = value.filter(|text| !text.is_empty());
        if value.is_none() {
            let hint = format!("run `{name}={example} bake …`, or write the {what} here");
            self.advise(at, format!("the variable `{name}` is not set"), hint);
        }
        value
    }

    fn version_from(&self, at: &At<String>) -> Option<Version> {
        let source = at.value.as_str();
        let path = self.cx.base.join(source);
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let text = match name {
            _ if source == "git" => git(self.cx.base),
            "Cargo.toml" => cargo(&path),
            "package.json" => package_json(&path),
            "pom.xml" => pom(&path),
            _ => first_line(&path),
        };
        match text {
            Ok(text) => {
                let text = if source == "git" { without_v(&text) } else { &text };
                self.found(at, source, text)
            }
            Err(reason) => {
                self.fault(at, format!("no version in `{}`: {reason}", source.escape_debug()));
                None
            }
        }
    }

    fn found(&self, at: &At<String>, origin: &str, text: &str) -> Option<Version> {
        match Version::parse(text) {
            Ok(version) => Some(version),
            Err(error) => {
                let mut fault = error.at(&self.place(at));
                fault.message = format!("{}, found in {origin}", fault.message);
                self.report(fault);
                None
            }
        }
    }
}

/// Tags are often `v1.2.3`.
fn without_v(text: &str) -> &str {
    match text.strip_prefix('v') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => rest,
        _ => text,
    }
}

/// Refuses to read an environment: nothing of one ever enters an artifact.
fn refuse_environment(path: &Path) -> Result<(), String> {
    let real = fs_err::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let is_in =
        |path: &Path| path.parent().and_then(Path::file_name).is_some_and(|name| name == FOLDER);
    let is_toml = |path: &Path| path.extension().is_some_and(|extension| extension == "toml");
    if [path, &real].into_iter().any(|path| is_in(path) && is_toml(path)) {
        return Err("it is an environment, and none ever enters an artifact".into());
    }
    Ok(())
}

/// Reads a text of at most `most` bytes; the error is a reason.
pub(super) fn read(path: &Path, most: u64) -> Result<String, String> {
    refuse_environment(path)?;
    // Opening a pipe would wait for a writer.
    if !fs_err::metadata(path).map_err(|error| unreadable(&error))?.is_file() {
        return Err("it is not a regular file".into());
    }
    let file = fs_err::File::open(path).map_err(|error| unreadable(&error))?;
    let mut text = String::new();
    let read = file.take(most + 1).read_to_string(&mut text);
    let len = read.map_err(|error| unreadable(&error))?;
    if len as u64 > most {
        return Err(format!("it is larger than {most} bytes"));
    }
    Ok(text)
}

/// Says it without the file's full path: the recipe's line names the file.
fn unreadable(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".into(),
        kind => kind.to_string(),
    }
}

fn first_line(path: &Path) -> Result<String, String> {
    let text = read(path, MAX_LEN)?;
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() { Err("its first line is empty".into()) } else { Ok(line.into()) }
}

fn manifest(path: &Path) -> Result<toml::Table, String> {
    read(path, MAX_LEN)?.parse().map_err(|error: toml::de::Error| error.message().to_owned())
}

/// Reads `package.version`, or `workspace.package.version` where the package inherits it or there
/// is no package.
fn cargo(path: &Path) -> Result<String, String> {
    let table = manifest(path)?;
    match table.get("package").and_then(|package| package.get("version")) {
        Some(toml::Value::String(version)) => return Ok(version.clone()),
        None if table.contains_key("package") => return Err("there is no package.version".into()),
        Some(_) | None => {}
    }
    let own = |table: &toml::Table| {
        let version = table.get("workspace")?.get("package")?.get("version")?.as_str()?;
        Some(version.to_owned())
    };
    if let Some(version) = own(&table) {
        return Ok(version);
    }
    let absolute = fs_err::canonicalize(path).map_err(|error| unreadable(&error))?;
    for folder in absolute.ancestors().skip(2) {
        let above = folder.join("Cargo.toml");
        if !above.is_file() {
            continue;
        }
        let table = manifest(&above)?;
        if table.contains_key("workspace") {
            return own(&table).ok_or_else(|| "the workspace has no package.version".to_owned());
        }
    }
    Err("there is no workspace.package.version above it".into())
}

fn package_json(path: &Path) -> Result<String, String> {
    let text = read(path, MAX_LEN)?;
    let json: serde_json::Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let version = json.get("version").and_then(serde_json::Value::as_str);
    version.map(str::to_owned).ok_or_else(|| "there is no string `version`".into())
}

/// Reads the project's version, or its parent's, which it inherits.
fn pom(path: &Path) -> Result<String, String> {
    let text = read(path, MAX_LEN)?;
    let document = roxmltree::Document::parse(&text).map_err(|error| error.to_string())?;
    let project = document.root_element();
    let child = |node: roxmltree::Node<'_, '_>, name: &str| {
        let found = node.children().find(|child| child.tag_name().name() == name)?;
        Some(found.text().unwrap_or_default().trim().to_owned())
    };
    let parent = project.children().find(|node| node.tag_name().name() == "parent");
    let version = child(project, "version").or_else(|| child(parent?, "version"));
    match version {
        Some(version) if version.contains("${") => {
            Err(format!("`{version}` is a property, which only Maven can fill in"))
        }
        Some(version) if !version.is_empty() => Ok(version),
        _ => Err("there is no project.version".into()),
    }
}

/// Returns the last tag; with the commits since then and the commit's hash if there are any.
///
/// The number of digits is fixed, for git's own choice depends on how much was cloned.
fn git(base: &Path) -> Result<String, String> {
    let described =
        run(base, &["describe", "--tags", "--long", "--abbrev=12", "--match", "*[0-9]*"]);
    let Ok(described) = described else {
        let hash = run(base, &["rev-parse", "--short=12", "HEAD"])?;
        let count = run(base, &["rev-list", "--count", "HEAD"])?;
        return Ok(format!("0.0.0+git.{count}.g{hash}"));
    };
    from_description(&described)
}

/// Takes `TAG-COUNT-gHASH` apart.
fn from_description(described: &str) -> Result<String, String> {
    let mut parts = described.rsplitn(3, '-');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(_), Some("0"), Some(tag)) => Ok(tag.to_owned()),
        (Some(hash), Some(count), Some(tag)) => {
            let joint = if tag.contains('+') { '.' } else { '+' };
            Ok(format!("{tag}{joint}git.{count}.{hash}"))
        }
        _ => Err(format!("git describes the commit as `{}`", described.escape_debug())),
    }
}

fn run(base: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("git").arg("-C").arg(base).args(arguments).output();
    let output = output.map_err(|error| format!("cannot run git: {error}"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(format!("git: {}", text.lines().next().unwrap_or("it failed")));
    }
    String::from_utf8(output.stdout)
        .map(|text| text.trim().to_owned())
        .map_err(|_| "git printed something that is not UTF-8".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_after_a_tag_come_after_its_version() {
        let cases = [
            ("v1.2.3-0-gabcdef", "1.2.3"),
            ("v1.2.3-5-gabcdef", "1.2.3+git.5.gabcdef"),
            ("1.2.3-rc.1-12-gabcdef", "1.2.3-rc.1+git.12.gabcdef"),
            ("v1.2.3+b-5-gabcdef", "1.2.3+b.git.5.gabcdef"),
        ];
        for (described, expected) in cases {
            let text = from_description(described).unwrap();
            let version = Version::parse(without_v(&text)).unwrap();
            assert_eq!(version.plain(), expected);
        }
        assert!(from_description("abcdef").is_err());
    }

    #[test]
    fn only_a_v_before_a_number_is_left_out() {
        for (text, expected) in [("v1", "1"), ("version", "version"), ("1", "1"), ("vv1", "vv1")] {
            assert_eq!(without_v(text), expected);
        }
    }

    #[test]
    fn a_package_inherits_the_version_of_its_workspace() {
        let folder = tempfile::tempdir().unwrap();
        let member = folder.path().join("crates/a");
        fs_err::create_dir_all(&member).unwrap();
        let text = "[workspace]\n[workspace.package]\nversion = \"4.5.6\"\n";
        fs_err::write(folder.path().join("Cargo.toml"), text).unwrap();
        let manifest = member.join("Cargo.toml");
        fs_err::write(&manifest, "[package]\nname = \"a\"\nversion.workspace = true\n").unwrap();
        assert_eq!(cargo(&manifest), Ok("4.5.6".into()));
        assert_eq!(cargo(&folder.path().join("Cargo.toml")), Ok("4.5.6".into()));
        fs_err::write(&manifest, "[package]\nname = \"a\"\n").unwrap();
        assert!(cargo(&manifest).is_err());
    }
}
