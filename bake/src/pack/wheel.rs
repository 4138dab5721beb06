//! A wheel (PEP 427): a private folder for its packages, a program for each of its entry points.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bake_recipes::{Platform, RecipeError};

use super::archive::{broken, file_name, small_text};
use super::layout::{Layout, Rule, What, is_command};
use super::metadata::{Metadata, Reader};
use super::{requirement, version};

/// An unpacked wheel.
#[derive(Debug)]
pub(super) struct Wheel {
    folder: PathBuf,
    /// `NAME-VERSION.data`, if it is there.
    data: Option<String>,
    /// Programs: the command, the module and what to call in it.
    programs: Vec<(String, String, String)>,
    python: requirement::Python,
    depends: Vec<requirement::Distribution>,
    tags: Tags,
}

/// What a wheel runs on, by its file's name.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tags {
    native: bool,
    platform: Option<&'static str>,
    /// The minor version of `CPython` 3 that it was built for.
    minor: Option<u32>,
}

impl Wheel {
    /// Reads the wheel in an unpacked folder.
    pub(super) fn read(path: &Path, folder: &Path) -> Result<(Metadata, Self), RecipeError> {
        let fail = |reason: String| broken(path, reason);
        let entries = fs_err::read_dir(folder).map_err(|error| fail(error.to_string()))?;
        let mut names: Vec<String> = entries
            .filter_map(Result::ok)
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        let mut infos = names.iter().filter(|name| name.ends_with(".dist-info"));
        let (Some(info), None) = (infos.next(), infos.next()) else {
            return Err(fail("a wheel has one folder `NAME-VERSION.dist-info`".into()));
        };
        let info = folder.join(info);
        let text = small_text(&info.join("METADATA"))?
            .ok_or_else(|| fail("there is no METADATA".into()))?;
        let headers = headers(&text);
        let points = small_text(&info.join("entry_points.txt"))?.unwrap_or_default();
        let find = |key: &str| first(&headers, key);
        let mut depends = Vec::new();
        let mut notes = Vec::new();
        for text in all(&headers, "Requires-Dist") {
            match requirement::distribution(text) {
                Ok(found) => depends.extend(found),
                Err(reason) => notes.push(format!("METADATA: Requires-Dist `{text}`: {reason}")),
            }
        }
        let mut metadata = metadata(&headers);
        metadata.notes.extend(notes);
        let wheel = Self {
            folder: folder.into(),
            data: names.iter().find(|name| name.strip_suffix(".data").is_some()).cloned(),
            programs: programs(&points).map_err(fail)?,
            python: requirement::python(find("Requires-Python").unwrap_or_default()),
            depends,
            tags: tags(&file_name(path)),
        };
        wheel.fix_scripts(path)?;
        Ok((metadata, wheel))
    }

    /// Gives scripts the interpreter that installers put in place of `python`.
    fn fix_scripts(&self, path: &Path) -> Result<(), RecipeError> {
        let Some(folder) = self.scripts() else { return Ok(()) };
        let entries = fs_err::read_dir(&folder).map_err(|error| broken(path, error))?;
        for entry in entries {
            let script = entry.map_err(|error| broken(path, error))?.path();
            let Some(text) = small_text(&script)? else { continue };
            if let Some((_, rest)) =
                text.split_once('\n').filter(|(first, _)| first.starts_with("#!python"))
            {
                fs_err::write(&script, format!("#!/usr/bin/python3\n{rest}"))
                    .map_err(|error| broken(path, error))?;
            }
            fs_err::set_permissions(&script, std::fs::Permissions::from_mode(0o755))
                .map_err(|error| broken(path, error))?;
        }
        Ok(())
    }

    fn scripts(&self) -> Option<PathBuf> {
        let folder = self.folder.join(self.data.as_ref()?).join("scripts");
        folder.is_dir().then_some(folder)
    }

    /// Places packages in a folder of their own and programs in `/usr/bin`.
    pub(super) fn place(&self, name: &str, layout: &mut Layout) {
        let lib = format!("/usr/lib/{name}/");
        let mut rule = Rule::new(What::Directory(self.folder.clone()), &lib);
        if let Some(data) = &self.data {
            rule.exclude.push(format!("/{data}"));
            let places = [
                ("purelib", lib.as_str()),
                ("platlib", &lib),
                ("data", "/usr/"),
                ("scripts", "/usr/bin/"),
            ];
            for (part, to) in places {
                let folder = self.folder.join(data).join(part);
                if folder.is_dir() {
                    layout.rules.push(Rule::new(What::Directory(folder), to));
                }
            }
        }
        layout.rules.insert(0, rule);
        for (command, module, call) in &self.programs {
            let root = call.split('.').next().unwrap_or(call);
            let text = format!(
                "#!/usr/bin/python3\nimport sys\n\nsys.path.insert(0, \"/usr/lib/{name}\")\n\n\
                 from {module} import {root}\n\nif __name__ == \"__main__\":\n    sys.exit({call}())\n"
            );
            layout.rules.push(Rule::program(text, format!("/usr/bin/{command}")));
        }
        let python = match self.tags.minor.filter(|_| self.tags.native) {
            Some(minor) => requirement::Python::exactly(minor),
            None => self.python.clone(),
        };
        layout.deb_depends.extend(python.deb());
        layout.rpm_requires.extend(python.rpm());
        layout.deb_depends.extend(self.depends.iter().map(requirement::Distribution::deb));
        layout.rpm_requires.extend(self.depends.iter().map(requirement::Distribution::rpm));
        layout.native |= self.tags.native;
        let platform = self.tags.platform.and_then(|text| text.parse::<Platform>().ok());
        layout.platform = layout.platform.or(platform);
    }
}

fn metadata(headers: &[(String, String)]) -> Metadata {
    let find = |key: &str| first(headers, key);
    let mut reader = Reader::new("METADATA");
    reader.name(find("Name"));
    reader.version(find("Version"), version::python);
    reader.metadata.epoch = find("Version").and_then(version::python_epoch);
    reader.summary(find("Summary"));
    let classified = all(headers, "Classifier")
        .find_map(|text| text.strip_prefix("License :: OSI Approved :: "));
    let short = find("License").filter(|text| text.len() < 100 && !text.contains('\n'));
    reader.license(find("License-Expression").or(short).or(classified));
    for role in ["Author", "Maintainer"] {
        let mail = format!("{role}-email");
        reader.person(find(&mail));
        reader.maintainer(find(role), find(&mail));
    }
    reader.homepage(find("Home-page"));
    for url in all(headers, "Project-URL") {
        let Some((label, url)) = url.split_once(',') else { continue };
        match label.trim().to_lowercase().replace([' ', '-', '_'], "").as_str() {
            "homepage" => reader.homepage(Some(url)),
            "source" | "sourcecode" | "repository" | "github" | "code" => reader.vcs(Some(url)),
            _ => {}
        }
    }
    reader.metadata
}

/// Returns the headers of core metadata: those of a mail message, up to the first empty line.
fn headers(text: &str) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if line.is_empty() {
            break;
        }
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = headers.last_mut() {
                value.push('\n');
                value.push_str(line.trim());
            }
        } else if let Some((key, value)) = line.split_once(':') {
            headers.push((key.trim().to_lowercase(), value.trim().to_owned()));
        }
    }
    headers
}

fn all<'a>(headers: &'a [(String, String)], key: &str) -> impl Iterator<Item = &'a str> {
    let key = key.to_lowercase();
    headers.iter().filter(move |(name, _)| *name == key).map(|(_, value)| value.as_str())
}

fn first<'a>(headers: &'a [(String, String)], key: &str) -> Option<&'a str> {
    all(headers, key).find(|value| !value.is_empty() && *value != "UNKNOWN")
}

/// Returns the programs of an `entry_points.txt`; what is no Python name is refused, because it
/// becomes Python.
fn programs(text: &str) -> Result<Vec<(String, String, String)>, String> {
    let mut programs = Vec::new();
    let mut wanted = false;
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(section) = line.strip_prefix('[') {
            wanted = matches!(section, "console_scripts]" | "gui_scripts]");
            continue;
        }
        if !wanted {
            continue;
        }
        let point = line.split_once('=').and_then(|(command, rest)| {
            let (module, call) = rest.split('[').next()?.split_once(':')?;
            Some((command.trim(), module.trim(), call.trim()))
        });
        let named = |text: &str| text.split('.').all(is_identifier);
        match point {
            Some((command, module, call))
                if is_command(command) && named(module) && named(call) =>
            {
                programs.push((command.into(), module.into(), call.into()));
            }
            _ => return Err(format!("entry_points.txt: `{}` is no program", line.escape_debug())),
        }
    }
    Ok(programs)
}

fn is_identifier(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// Reads the tags at the end of a wheel's file name: Python, ABI and platform.
fn tags(file: &str) -> Tags {
    let stem = file.strip_suffix(".whl").unwrap_or(file);
    let mut parts = stem.rsplit('-');
    let (Some(platform), Some(abi), Some(python)) = (parts.next(), parts.next(), parts.next())
    else {
        return Tags::default();
    };
    if platform == "any" {
        return Tags::default();
    }
    let known = [
        ("x86_64", "linux/amd64"),
        ("aarch64", "linux/arm64"),
        ("armv7l", "linux/arm/v7"),
        ("i686", "linux/386"),
        ("ppc64le", "linux/ppc64le"),
        ("s390x", "linux/s390x"),
        ("riscv64", "linux/riscv64"),
    ];
    let minor = python.strip_prefix("cp3").filter(|_| abi.starts_with("cp3"));
    Tags {
        native: true,
        platform: known.iter().find(|(ending, _)| platform.ends_with(ending)).map(|(_, to)| *to),
        minor: minor.and_then(|minor| minor.parse().ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_points_become_python_only_if_they_are_names() {
        let text =
            "[console_scripts]\nhello = hello.cli:main\nother=a.b:C.run [extra]\n\n[x]\ny=z\n";
        let found = programs(text).unwrap();
        assert_eq!(found[0], ("hello".into(), "hello.cli".into(), "main".into()));
        assert_eq!(found[1], ("other".into(), "a.b".into(), "C.run".into()));
        for bad in
            ["x = os:system('id')", "../x = a:b", "x = a b:c", "x = a", "x = a:b; c", "a b = c:d"]
        {
            assert!(programs(&format!("[console_scripts]\n{bad}\n")).is_err(), "{bad}");
        }
    }

    #[test]
    fn tags_are_read_from_the_end() {
        assert_eq!(tags("hello-1.0-py3-none-any.whl"), Tags::default());
        let found =
            tags("numpy-1.26.0-1-cp311-cp311-manylinux_2_17_aarch64.manylinux2014_aarch64.whl");
        assert_eq!(found, Tags { native: true, platform: Some("linux/arm64"), minor: Some(11) });
        assert_eq!(tags("x-1-cp38-abi3-linux_x86_64.whl").minor, None);
    }
}
