//! What a source says about itself, in the recipe's words.

use bake_recipes::version::Version;

use crate::lint;

/// A value and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) value: String,
    /// For people, e.g. `METADATA`.
    pub(super) by: String,
}

/// What a source says about itself; each value is for the recipe as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Metadata {
    pub(super) name: Option<Told>,
    pub(super) version: Option<Told>,
    pub(super) epoch: Option<i64>,
    pub(super) summary: Option<Told>,
    pub(super) description: Option<Told>,
    pub(super) license: Option<Told>,
    pub(super) maintainer: Option<Told>,
    pub(super) vendor: Option<Told>,
    pub(super) homepage: Option<Told>,
    pub(super) vcs: Option<Told>,
    /// What was found and is not usable, for people.
    pub(super) notes: Vec<String>,
}

/// Takes what one document says.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) by: &'a str,
    pub(super) metadata: Metadata,
}

impl<'a> Reader<'a> {
    pub(super) fn new(by: &'a str) -> Self {
        Self { by, metadata: Metadata::default() }
    }

    fn told(&self, value: String) -> Told {
        Told { value, by: self.by.to_owned() }
    }

    /// Takes a name in the form that packages may have.
    pub(super) fn name(&mut self, text: Option<&str>) {
        let Some(text) = text.and_then(line) else { return };
        self.metadata.name = Some(self.told(package_name(&text)));
    }

    /// Takes a version that was brought into the recipe's form.
    pub(super) fn version(&mut self, text: Option<&str>, form: fn(&str) -> String) {
        let Some(text) = text.and_then(line) else { return };
        let version = form(&text);
        if version != text {
            let note = format!("{}: version `{text}` is written `{version}`", self.by);
            self.metadata.notes.push(note);
        }
        self.metadata.version = Some(self.told(version));
    }

    /// Takes one line about the package.
    pub(super) fn summary(&mut self, text: Option<&str>) {
        let Some(text) = text.and_then(line) else { return };
        let text = text.trim_end_matches(['.', ' ']).to_owned();
        self.metadata.summary = Some(self.told(text)).filter(|told| !told.value.is_empty());
    }

    /// Takes more lines about the package, unless they are those of the summary.
    pub(super) fn description(&mut self, text: Option<&str>) {
        let lines = text.unwrap_or_default().lines().map(|line| clean(line.trim_end()));
        let text = lines.collect::<Vec<_>>().join("\n").trim().to_owned();
        let summary = self.metadata.summary.as_ref().map(|told| told.value.as_str());
        if !text.is_empty() && Some(text.trim_end_matches('.')) != summary {
            self.metadata.description = Some(self.told(text));
        }
    }

    /// Takes a licence if it is an SPDX expression or known by another name.
    pub(super) fn license(&mut self, text: Option<&str>) {
        let Some(text) = text.and_then(line) else { return };
        match spdx(&text) {
            Some(license) => self.metadata.license = Some(self.told(license)),
            None => self.note(&format!("licence `{text}` is no SPDX expression; give `--license`")),
        }
    }

    /// Takes who answers for it, if there is both a name and a mail address.
    pub(super) fn maintainer(&mut self, name: Option<&str>, mail: Option<&str>) {
        let (Some(name), Some(mail)) = (name.and_then(line), mail.and_then(line)) else { return };
        let usable = mail.contains('@') && !mail.contains([' ', ',', '<', '>']);
        if usable && !name.contains(['<', '>']) {
            self.metadata.maintainer = Some(self.told(format!("{name} <{mail}>")));
        }
    }

    /// Takes an address of the form `Name <mail>`.
    pub(super) fn person(&mut self, text: Option<&str>) {
        let Some(text) = text else { return };
        let Some((name, rest)) = text.split_once('<') else { return };
        let mail = rest.split('>').next().unwrap_or_default();
        self.maintainer(Some(name.trim().trim_matches('"')), Some(mail));
    }

    /// Takes who distributes it.
    pub(super) fn vendor(&mut self, text: Option<&str>) {
        let Some(text) = text.and_then(line) else { return };
        self.metadata.vendor = Some(self.told(text));
    }

    /// Takes the project's web address.
    pub(super) fn homepage(&mut self, text: Option<&str>) {
        let Some(text) = text.and_then(line).filter(|text| is_address(text)) else { return };
        self.metadata.homepage = Some(self.told(text));
    }

    /// Takes the address of the source repository.
    pub(super) fn vcs(&mut self, text: Option<&str>) {
        let Some(text) = text.and_then(line) else { return };
        let text = text.strip_prefix("git+").unwrap_or(&text).to_owned();
        if is_address(&text) {
            self.metadata.vcs = Some(self.told(text));
        }
    }

    /// Says something to the person.
    pub(super) fn note(&mut self, text: &str) {
        self.metadata.notes.push(format!("{}: {text}", self.by));
    }
}

impl Metadata {
    /// Takes from another what is not known yet.
    pub(super) fn fill(&mut self, other: Self) {
        let Self { name, version, epoch, summary, description, license, .. } = other;
        self.name = self.name.take().or(name);
        if self.version.is_none() {
            self.version = version;
            self.epoch = epoch;
        }
        self.summary = self.summary.take().or(summary);
        self.description = self.description.take().or(description);
        self.license = self.license.take().or(license);
        self.maintainer = self.maintainer.take().or(other.maintainer);
        self.vendor = self.vendor.take().or(other.vendor);
        self.homepage = self.homepage.take().or(other.homepage);
        self.vcs = self.vcs.take().or(other.vcs);
        self.notes.extend(other.notes);
    }
}

/// Returns text as one line without control characters; `None` if nothing is left.
fn line(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    Some(clean(&words.join(" "))).filter(|text| !text.is_empty())
}

fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// Returns whether text is an address that a recipe may have; the recipe checks it again.
fn is_address(text: &str) -> bool {
    (text.starts_with("https://") || text.starts_with("http://")) && !text.contains([' ', '"'])
}

/// Returns a name in the characters that all package formats allow.
pub(super) fn package_name(text: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+.-".contains(c);
    let lower = text.trim().to_lowercase();
    let name: String = lower.chars().map(|c| if plain(c) { c } else { '-' }).collect();
    name.trim_matches(['-', '.', '+']).to_owned()
}

/// Splits the version off a file's name without its ending, e.g. `catalog-1.2.0`.
pub(super) fn split_version(stem: &str) -> Option<(&str, &str)> {
    for (at, _) in stem.match_indices(['-', '_']) {
        let (name, rest) = (&stem[..at], &stem[at + 1..]);
        let version = rest.strip_prefix('v').unwrap_or(rest);
        let starts = version.starts_with(|c: char| c.is_ascii_digit());
        if starts && !name.is_empty() && is_plain_version(version) {
            return Some((name, version));
        }
    }
    None
}

/// Returns whether text is a version that every format can spell, and not one followed by more of a
/// name, as in `log4j-1.2-api-2.17.1`.
fn is_plain_version(text: &str) -> bool {
    let known = ["alpha", "beta", "rc", "pre", "dev", "snapshot", "m", "a", "b"];
    let mut parts = text.split('-').skip(1);
    let plain = parts.all(|part| {
        let word = part.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.').to_lowercase();
        word.is_empty() || known.contains(&word.as_str())
    });
    plain && Version::parse(text).is_ok_and(|version| version.rpm().is_ok())
}

/// Licences by the names that registries other than SPDX's know them by.
const LICENSES: [(&str, &str); 28] = [
    ("apache 2", "Apache-2.0"),
    ("apache 2.0", "Apache-2.0"),
    ("apache license 2.0", "Apache-2.0"),
    ("apache license version 2.0", "Apache-2.0"),
    ("apache license, version 2.0", "Apache-2.0"),
    ("apache software license", "Apache-2.0"),
    ("apache software license 2.0", "Apache-2.0"),
    ("the apache license, version 2.0", "Apache-2.0"),
    ("the apache software license, version 2.0", "Apache-2.0"),
    ("apache-2", "Apache-2.0"),
    ("bsd 2-clause license", "BSD-2-Clause"),
    ("bsd 3-clause license", "BSD-3-Clause"),
    ("new bsd license", "BSD-3-Clause"),
    ("eclipse public license 2.0", "EPL-2.0"),
    ("eclipse public license - v 2.0", "EPL-2.0"),
    ("gnu general public license v2 (gplv2)", "GPL-2.0-only"),
    ("gnu general public license v3 (gplv3)", "GPL-3.0-only"),
    ("gnu general public license v2 or later (gplv2+)", "GPL-2.0-or-later"),
    ("gnu general public license v3 or later (gplv3+)", "GPL-3.0-or-later"),
    ("gnu lesser general public license v3 (lgplv3)", "LGPL-3.0-only"),
    ("isc license", "ISC"),
    ("isc license (iscl)", "ISC"),
    ("mit license", "MIT"),
    ("the mit license", "MIT"),
    ("the mit license (mit)", "MIT"),
    ("mozilla public license 2.0 (mpl 2.0)", "MPL-2.0"),
    ("python software foundation license", "PSF-2.0"),
    ("zlib/libpng license", "Zlib"),
];

/// Returns the SPDX expression for how a licence is called.
pub(super) fn spdx(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    if let Some((_, license)) = LICENSES.iter().find(|(name, _)| *name == lower) {
        return Some((*license).to_owned());
    }
    let words: Vec<&str> = text.split(['(', ')', ' ']).filter(|word| !word.is_empty()).collect();
    let alternate = words.iter().enumerate().all(|(at, word)| match at % 2 {
        0 => lint::is_license(word) || (at > 0 && words[at - 1] == "WITH"),
        _ => matches!(*word, "AND" | "OR" | "WITH"),
    });
    let is_expression = words.len() % 2 == 1 && alternate;
    is_expression.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_brought_into_the_recipes_form() {
        let mut reader = Reader::new("METADATA");
        reader.name(Some("My_Tool"));
        reader.summary(Some("Does\n  things.\u{1b}"));
        reader.description(Some("Does things."));
        reader.license(Some("MIT License"));
        reader.person(Some("\"A. Person\" <a@example.com>"));
        reader.homepage(Some("javascript:alert(1)"));
        reader.vcs(Some("git+https://example.com/x.git"));
        let metadata = reader.metadata;
        let value = |told: &Option<Told>| told.as_ref().map(|told| told.value.clone());
        assert_eq!(value(&metadata.name).unwrap(), "my-tool");
        assert_eq!(value(&metadata.summary).unwrap(), "Does things");
        assert_eq!(metadata.description, None);
        assert_eq!(value(&metadata.license).unwrap(), "MIT");
        assert_eq!(value(&metadata.maintainer).unwrap(), "A. Person <a@example.com>");
        assert_eq!(metadata.homepage, None);
        assert_eq!(value(&metadata.vcs).unwrap(), "https://example.com/x.git");
    }

    #[test]
    fn a_version_is_found_in_a_files_name() {
        let cases = [
            ("catalog-1.2.0", Some(("catalog", "1.2.0"))),
            ("my-tool_v2.0-rc.1", Some(("my-tool", "2.0-rc.1"))),
            ("log4j-1.2-api-2.17.1", Some(("log4j-1.2-api", "2.17.1"))),
            ("catalog", None),
            ("h2-database", None),
        ];
        for (stem, expected) in cases {
            assert_eq!(split_version(stem), expected, "{stem}");
        }
    }

    #[test]
    fn licences_are_spdx_or_unknown() {
        assert_eq!(spdx("Apache-2.0 OR MIT").unwrap(), "Apache-2.0 OR MIT");
        assert_eq!(spdx("The MIT License").unwrap(), "MIT");
        assert_eq!(spdx("Proprietary, all rights reserved"), None);
        assert_eq!(spdx("see LICENSE"), None);
        assert_eq!(spdx("BSD"), None);
        let exception = "GPL-2.0-or-later WITH Classpath-exception-2.0";
        assert_eq!(spdx(exception).unwrap(), exception);
    }
}
