//! A gem: a private GEM_HOME, and a program for each of its executables.

use std::io::Read;
use std::path::{Path, PathBuf};

use bake_formats::archive::tar::TarReader;
use bake_recipes::RecipeError;

use super::archive::{MAX_METADATA, broken, open_tar, open_tar_file, tar_error, unpack_tar};
use super::layout::{Layout, Rule, What, is_command};
use super::metadata::{Metadata, Reader};
use super::stage::Stage;
use super::version;
use super::yaml::{self, Yaml};

/// An unpacked gem.
#[derive(Debug)]
pub(super) struct Gem {
    folder: PathBuf,
    /// The name and version that RubyGems knows it by.
    name: String,
    version: String,
    summary: String,
    executables: Vec<String>,
    bindir: String,
    require_paths: Vec<String>,
    depends: Vec<Depends>,
}

/// A gem that another needs when it runs.
#[derive(Debug)]
struct Depends {
    name: String,
    requirements: Vec<String>,
}

impl Gem {
    /// Unpacks a gem into a folder and reads its specification.
    pub(super) fn read(
        path: &Path,
        folder: &Path,
        stage: &mut Stage,
    ) -> Result<(Metadata, Self), RecipeError> {
        let mut outer = open_tar_file(path)?;
        let mut specification = None;
        let mut unpacked = false;
        while let Some(member) = outer.next_member().map_err(|error| tar_error(path, &error))? {
            match member.name.as_slice() {
                b"metadata.gz" => specification = Some(metadata_text(path, &mut outer)?),
                b"data.tar.gz" if !unpacked => {
                    let inner = open_tar(outer.contents());
                    let mut inner = inner.map_err(|error| broken(path, error))?;
                    unpack_tar(path, &mut inner, stage)?;
                    unpacked = true;
                }
                _ => {}
            }
        }
        let (Some(text), true) = (specification, unpacked) else {
            return Err(broken(path, "a gem has `metadata.gz` and `data.tar.gz`"));
        };
        let fail = |reason: String| broken(path, format!("metadata.gz: {reason}"));
        let yaml = yaml::parse(&text).map_err(fail)?;
        let gem = Self::of(&yaml, folder).map_err(fail)?;
        for executable in &gem.executables {
            if !folder.join(&gem.bindir).join(executable).is_file() {
                return Err(fail(format!("there is no `{}/{executable}`", gem.bindir)));
            }
        }
        Ok((metadata(&yaml), gem))
    }

    fn of(yaml: &Yaml, folder: &Path) -> Result<Self, String> {
        let text = |key: &str| yaml.get(key).text().unwrap_or_default().to_owned();
        let extensions = yaml.get("extensions").texts();
        if let Some(extension) = extensions.first() {
            return Err(format!(
                "`{extension}` must be compiled first: `gem install --install-dir DIR`, then pack DIR"
            ));
        }
        let platform = text("platform");
        if !matches!(platform.as_str(), "ruby" | "" | "java") && !platform.contains("linux") {
            return Err(format!("it is for the platform `{platform}`"));
        }
        let version = yaml.get("version").get("version").text().unwrap_or_default().to_owned();
        let names = |key: &str| -> Vec<String> {
            yaml.get(key).texts().into_iter().map(str::to_owned).collect()
        };
        let mut require_paths = names("require_paths");
        if require_paths.is_empty() {
            require_paths.push("lib".into());
        }
        let bindir = Some(text("bindir")).filter(|dir| !dir.is_empty()).unwrap_or("bin".into());
        let gem = Self {
            folder: folder.into(),
            name: text("name"),
            version,
            summary: text("summary"),
            executables: names("executables"),
            bindir,
            require_paths,
            depends: yaml.get("dependencies").list().into_iter().filter_map(depends).collect(),
        };
        match gem.bad_name() {
            Some(bad) => Err(format!("`{}` is not a name", bad.escape_debug())),
            None => Ok(gem),
        }
    }

    /// Returns a name that leads elsewhere, or that Ruby or a shell would read as more.
    fn bad_name(&self) -> Option<&str> {
        let relative = |path: &&String| path.split('/').all(is_command);
        let mut paths = self.require_paths.iter().chain([&self.bindir]);
        let mut names = self.executables.iter().chain([&self.name, &self.version]);
        let bad = names.find(|name| !is_command(name));
        bad.or_else(|| paths.find(|path| !relative(path))).map(String::as_str)
    }

    /// Places a GEM_HOME of its own and a program for each executable.
    pub(super) fn place(&self, name: &str, layout: &mut Layout) {
        let (gem, version) = (&self.name, &self.version);
        let home = format!("/usr/lib/{name}");
        let to = format!("{home}/gems/{gem}-{version}/");
        layout.rules.push(Rule::new(What::Directory(self.folder.clone()), to));
        let to = format!("{home}/specifications/{gem}-{version}.gemspec");
        layout.rules.push(Rule::new(What::Content(self.specification()), to));
        for executable in &self.executables {
            let text = format!(
                "#!/usr/bin/ruby\nrequire \"rubygems\"\n\nGem.paths = {{\n  \"GEM_HOME\" => \"{home}\",\n  \
                 \"GEM_PATH\" => [\"{home}\", *Gem.default_path].join(\":\"),\n}}\n\
                 load Gem.activate_bin_path(\"{gem}\", \"{executable}\", \"{version}\")\n"
            );
            layout.rules.push(Rule::program(text, format!("/usr/bin/{executable}")));
        }
        layout.deb_depends.push("ruby".into());
        layout.rpm_requires.push("ruby".into());
        for depends in &self.depends {
            let dashed = depends.name.replace('_', "-").to_lowercase();
            layout.deb_depends.push(format!("ruby-{dashed}"));
            layout.rpm_requires.push(format!("rubygem({})", depends.name));
        }
    }

    /// Returns a specification in the words of RubyGems, as `gem install` writes one.
    fn specification(&self) -> String {
        let list =
            |all: &[String]| all.iter().map(|text| ruby(text)).collect::<Vec<_>>().join(", ");
        let mut lines = vec![
            "Gem::Specification.new do |s|".to_owned(),
            format!("  s.name = {}", ruby(&self.name)),
            format!("  s.version = {}", ruby(&self.version)),
            format!("  s.summary = {}", ruby(&self.summary)),
            "  s.authors = []".to_owned(),
            format!("  s.require_paths = [{}]", list(&self.require_paths)),
        ];
        if !self.executables.is_empty() {
            lines.push(format!("  s.bindir = {}", ruby(&self.bindir)));
            lines.push(format!("  s.executables = [{}]", list(&self.executables)));
        }
        for Depends { name, requirements } in &self.depends {
            let versions = list(requirements);
            lines.push(format!("  s.add_runtime_dependency({}, [{versions}])", ruby(name)));
        }
        lines.push("end\n".to_owned());
        lines.join("\n")
    }
}

fn metadata(yaml: &Yaml) -> Metadata {
    let text = |key: &str| yaml.get(key).text();
    let mut reader = Reader::new("metadata.gz");
    reader.name(text("name"));
    reader.version(yaml.get("version").get("version").text(), version::ruby);
    reader.summary(text("summary"));
    reader.description(text("description"));
    let licenses = yaml.get("licenses").texts();
    reader.license(Some(licenses.join(" OR ").as_str()).filter(|text| !text.is_empty()));
    let first = |key: &str| yaml.get(key).texts().first().copied();
    reader.maintainer(first("authors"), first("email"));
    reader.homepage(text("homepage"));
    reader.vcs(yaml.get("metadata").get("source_code_uri").text());
    reader.metadata
}

fn depends(yaml: &Yaml) -> Option<Depends> {
    let name = yaml.get("name").text()?;
    let development = yaml.get("type").text() == Some(":development");
    if development || !is_command(name) {
        return None;
    }
    let requirement = match yaml.get("requirement") {
        Yaml::Nothing => yaml.get("version_requirements"),
        requirement => requirement,
    };
    let pair = |pair: &Yaml| {
        let sign = pair.list().first()?.text()?.to_owned();
        let version = pair.list().get(1)?.get("version").text()?.to_owned();
        Some(format!("{sign} {version}"))
    };
    let requirements = requirement.get("requirements").list().into_iter().filter_map(pair);
    Some(Depends { name: name.into(), requirements: requirements.collect() })
}

fn metadata_text<R: Read>(path: &Path, outer: &mut TarReader<R>) -> Result<String, RecipeError> {
    let contents = outer.contents();
    let decoder = bake_formats::encode::decoder(bake_formats::encode::Codec::Gzip, contents);
    let mut bytes = Vec::new();
    decoder
        .and_then(|decoder| decoder.take(MAX_METADATA + 1).read_to_end(&mut bytes))
        .map_err(|error| broken(path, format!("metadata.gz: {error}")))?;
    if bytes.len() as u64 > MAX_METADATA {
        return Err(broken(path, format!("metadata.gz unpacks to more than {MAX_METADATA} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| broken(path, "metadata.gz is not UTF-8"))
}

/// Returns text as a string of Ruby, in which nothing is run.
fn ruby(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' | '#' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_in_ruby_runs_nothing() {
        assert_eq!(ruby("a \"b\" #{`id`} \\ \n"), "\"a \\\"b\\\" \\#{`id`} \\\\  \"");
    }

    #[test]
    fn hostile_specifications_are_refused() {
        let folder = Path::new("/nonexistent");
        let base = "name: hello\nversion:\n  version: '1.0'\n";
        assert!(Gem::of(&yaml::parse(base).unwrap(), folder).is_ok());
        let cases = [
            "executables:\n- ../../etc/x\n",
            "executables:\n- \"x; id\"\n",
            "require_paths:\n- ../..\n",
            "bindir: /bin\n",
            "extensions:\n- ext/extconf.rb\n",
            "platform: x64-mingw32\n",
        ];
        for case in cases {
            let yaml = yaml::parse(&format!("{base}{case}")).unwrap();
            assert!(Gem::of(&yaml, folder).is_err(), "{case}");
        }
    }
}
