//! A jar: one file, and a launcher if it can be started.

use std::path::{Path, PathBuf};

use bake_recipes::RecipeError;

use super::archive::{Zip, broken, file_name, open_zip, zip_names, zip_text};
use super::layout::{Layout, Rule, What};
use super::metadata::{Metadata, Reader};
use super::{pom, version};

/// A jar that was looked into.
#[derive(Debug)]
pub(super) struct Jar {
    path: PathBuf,
    starts: bool,
    has_libraries: bool,
}

impl Jar {
    /// Reads the manifest and Maven's description.
    pub(super) fn read(path: &Path) -> Result<(Metadata, Self), RecipeError> {
        let mut zip = open_zip(path)?;
        let manifest = zip_text(path, &mut zip, "META-INF/MANIFEST.MF")?.unwrap_or_default();
        let attributes = main_attributes(&manifest);
        let find = |names: &[&str]| {
            let named = |name: &&str| {
                attributes.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| v)
            };
            names.iter().find_map(named).map(String::as_str)
        };
        let mut reader = Reader::new("MANIFEST.MF");
        let title = find(&["Implementation-Title", "Bundle-Name", "Specification-Title"]);
        // A title with spaces is for people.
        match title.filter(|title| title.contains(' ')) {
            Some(_) => reader.summary(title),
            None => reader.name(title),
        }
        let versions = ["Implementation-Version", "Bundle-Version", "Specification-Version"];
        reader.version(find(&versions), version::maven);
        reader.summary(find(&["Bundle-Description"]));
        reader.license(find(&["Bundle-License"]).filter(|text| !text.contains("://")));
        reader.vendor(find(&["Implementation-Vendor", "Bundle-Vendor"]));
        reader.homepage(find(&["Implementation-URL", "Bundle-DocURL"]));
        let mut metadata = maven(path, &mut zip)?;
        metadata.fill(reader.metadata);
        let starts = find(&["Main-Class"]).is_some();
        let has_libraries = find(&["Class-Path"]).is_some();
        Ok((metadata, Self { path: path.into(), starts, has_libraries }))
    }

    /// Places the jar and its launcher.
    pub(super) fn place(&self, name: &str, layout: &mut Layout) {
        let jar = format!("/usr/share/java/{name}/{name}.jar");
        layout.rules.push(Rule::new(What::File(self.path.clone()), &jar));
        if self.starts {
            let launcher = format!(
                "#!/bin/sh\n# JAVA_OPTS are options for the JVM.\nexec java $JAVA_OPTS -jar {jar} \"$@\"\n"
            );
            layout.rules.push(Rule::program(launcher, format!("/usr/bin/{name}")));
            layout.deb_depends.push("default-jre-headless | java-runtime-headless".into());
            layout.rpm_requires.push("java-headless".into());
        }
        if self.has_libraries {
            let file = file_name(&self.path);
            layout.notes.push(format!(
                "`{file}` has a Class-Path: the jars it names are not in the package unless you place them"
            ));
        }
    }
}

/// Returns the main attributes of a manifest: up to the first empty line, lines joined that were
/// cut (JAR File Specification, "Notes on Manifest").
fn main_attributes(text: &str) -> Vec<(String, String)> {
    let mut attributes: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if line.is_empty() {
            break;
        }
        if let Some(more) = line.strip_prefix(' ') {
            if let Some((_, value)) = attributes.last_mut() {
                value.push_str(more);
            }
        } else if let Some((key, value)) = line.split_once(':') {
            attributes.push((key.trim().into(), value.trim().into()));
        }
    }
    attributes
}

/// Reads what Maven left in the jar, if it is about one project: else it is about what was shaded.
fn maven(path: &Path, zip: &mut Zip) -> Result<Metadata, RecipeError> {
    let names = zip_names(zip);
    let one = |ending: &str| {
        let of_maven =
            |name: &&String| name.starts_with("META-INF/maven/") && name.ends_with(ending);
        let mut found = names.iter().filter(of_maven);
        found.next().filter(|_| found.next().is_none())
    };
    let mut metadata = Metadata::default();
    if let Some(name) = one("/pom.properties") {
        let text = zip_text(path, zip, name)?.unwrap_or_default();
        let value = |key: &str| {
            let lines = text.lines().filter_map(|line| line.split_once('='));
            lines.map(|(k, v)| (k.trim(), v.trim())).find(|(k, _)| *k == key).map(|(_, v)| v)
        };
        let mut reader = Reader::new("pom.properties");
        reader.name(value("artifactId"));
        reader.version(value("version"), version::maven);
        metadata = reader.metadata;
    }
    if let Some(name) = one("/pom.xml") {
        let text = zip_text(path, zip, name)?.unwrap_or_default();
        let found =
            pom::read(&text).map_err(|reason| broken(path, format!("`{name}`: {reason}")))?;
        metadata.fill(found);
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_end_at_the_first_empty_line_and_are_joined() {
        let text = "Manifest-Version: 1.0\r\nMain-Class: com.example.cata\r\n log.Main\r\n\r\nName: x\r\nMain-Class: y\r\n";
        let found = main_attributes(text);
        assert_eq!(found.len(), 2);
        assert_eq!(found[1], ("Main-Class".into(), "com.example.catalog.Main".into()));
    }
}
