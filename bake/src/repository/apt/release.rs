//! The file `Release`: what a suite says of itself, and the digests of all its indices.

use std::collections::{BTreeMap, BTreeSet};

use bake_formats::blob::Blob;
use bake_formats::deb::Paragraph;
use bake_formats::digest::Digest;
use bake_formats::format::Epoch;

use super::settings::Settings;
use crate::error::Error;
use crate::repository::{date, refuse, refuse_with};

const DAY: u32 = 24 * 3600;

/// What `Release` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Release {
    pub(super) date: Epoch,
    pub(super) architectures: BTreeSet<String>,
    pub(super) components: BTreeSet<String>,
    /// The indices by their paths below the suite's folder.
    pub(super) files: BTreeMap<String, Blob>,
}

impl Release {
    /// Returns the text, as it is signed.
    pub(super) fn print(&self, suite: &str, settings: &Settings) -> Result<String, Error> {
        let mut fields = head(suite, settings);
        fields.push(("Date", date::print(self.date)));
        if settings.valid_days > 0 {
            let seconds = settings.valid_days.checked_mul(DAY);
            let end = seconds.and_then(|seconds| self.date.0.checked_add(seconds));
            let end = end.ok_or_else(|| refuse("--valid-days", "it ends after the year 2105"))?;
            fields.push(("Valid-Until", date::print(Epoch(end))));
        }
        if settings.not_automatic {
            fields.push(("NotAutomatic", "yes".into()));
        }
        if settings.but_automatic_upgrades {
            fields.push(("ButAutomaticUpgrades", "yes".into()));
        }
        fields.push(("Acquire-By-Hash", "yes".into()));
        fields.push(("Architectures", words(&self.architectures)));
        fields.push(("Components", words(&self.components)));
        fields.push(("Description", settings.description.clone()));
        let mut text = print_fields(&fields);
        text.push_str("SHA256:\n");
        for (path, Blob { digest, size }) in &self.files {
            text.push_str(&format!(" {} {size} {path}\n", digest.hex()));
        }
        Ok(text)
    }

    /// Parses what [`Release::print`] prints.
    pub(super) fn parse(place: &str, text: &str) -> Result<Self, Error> {
        let fail = |reason: String| {
            let hint = "restore the file, or make a new repository from the packages in pool/";
            refuse_with(place, reason, hint)
        };
        let paragraph = Paragraph::parse(text).map_err(|error| fail(error.to_string()))?;
        let field = |name: &str| {
            paragraph.get(name).ok_or_else(|| fail(format!("there is no field {name}")))
        };
        let date = field("Date")?;
        let date = date::parse(date).ok_or_else(|| fail(format!("`{date}` is no date")))?;
        let list = |name: &str| {
            field(name).map(|value| value.split_whitespace().map(Into::into).collect())
        };
        let mut files = BTreeMap::new();
        for line in field("SHA256")?.lines().filter(|line| !line.is_empty()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (digest, size, path) = match words.as_slice() {
                [digest, size, path] => (Digest::from_hex(digest), size.parse(), *path),
                _ => return Err(fail(format!("`{line}` is not `DIGEST SIZE PATH`"))),
            };
            let (Ok(digest), Ok(size)) = (digest, size) else {
                return Err(fail(format!("`{line}` is not `DIGEST SIZE PATH`")));
            };
            files.insert(path.to_owned(), Blob { digest, size });
        }
        let (architectures, components) = (list("Architectures")?, list("Components")?);
        Ok(Self { date, architectures, components, files })
    }
}

/// Returns the text of the file `Release` of one index.
pub(super) fn print_small(
    suite: &str,
    settings: &Settings,
    component: &str,
    architecture: &str,
) -> String {
    let mut fields = head(suite, settings);
    // The name that apt's documentation has for the suite here.
    if let Some(first) = fields.iter_mut().find(|(name, _)| *name == "Suite") {
        first.0 = "Archive";
    }
    fields.push(("Component", component.into()));
    fields.push(("Architecture", architecture.into()));
    print_fields(&fields)
}

fn head(suite: &str, settings: &Settings) -> Vec<(&'static str, String)> {
    let codename = if settings.codename.is_empty() { suite } else { &settings.codename };
    vec![
        ("Origin", settings.origin.clone()),
        ("Label", settings.label.clone()),
        ("Suite", suite.into()),
        ("Version", settings.version.clone()),
        ("Codename", codename.into()),
    ]
}

fn print_fields(fields: &[(&str, String)]) -> String {
    let mut text = String::new();
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        text.push_str(&format!("{name}: {value}\n"));
    }
    text
}

fn words(set: &BTreeSet<String>) -> String {
    set.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// Compares a file with what was published.
pub(super) fn expect(place: &str, expected: Blob, found: Blob) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    let Blob { digest, size } = expected;
    let reason = format!(
        "it is not what was published: expected {size} bytes with the digest {digest}, \
         found {} bytes with the digest {}",
        found.size, found.digest
    );
    let hint = "restore the file, or make a new repository from the packages in pool/";
    Err(refuse_with(place, reason, hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Release {
        let files = [("main/binary-amd64/Packages".to_owned(), Blob::of(b"x"))];
        Release {
            date: Epoch(1_700_000_000),
            architectures: ["all".into(), "amd64".into()].into(),
            components: ["main".into()].into(),
            files: files.into(),
        }
    }

    #[test]
    fn says_what_the_settings_say() {
        let settings = Settings {
            origin: "Example".into(),
            description: "All of it".into(),
            valid_days: 7,
            not_automatic: true,
            but_automatic_upgrades: true,
            ..Settings::default()
        };
        let text = sample().print("stable", &settings).unwrap();
        let digest = Digest::of(b"x").hex();
        let expected = format!(
            "Origin: Example\nSuite: stable\nCodename: stable\n\
             Date: Tue, 14 Nov 2023 22:13:20 UTC\nValid-Until: Tue, 21 Nov 2023 22:13:20 UTC\n\
             NotAutomatic: yes\nButAutomaticUpgrades: yes\nAcquire-By-Hash: yes\n\
             Architectures: all amd64\nComponents: main\nDescription: All of it\nSHA256:\n \
             {digest} 1 main/binary-amd64/Packages\n"
        );
        assert_eq!(text, expected);
        assert_eq!(Release::parse("Release", &text).unwrap(), sample());
    }

    #[test]
    fn what_is_no_release_is_refused() {
        let good = sample().print("stable", &Settings::default()).unwrap();
        let bad = [
            String::new(),
            good.replace("Date: ", "Day: "),
            good.replace("Nov 2023", "Nov 202x"),
            good.replace(" 1 main", " one main"),
            good.replace(" 1 main", " main"),
            good.replace("SHA256:", "SHA512:"),
        ];
        for text in bad {
            assert!(Release::parse("Release", &text).is_err(), "{text}");
        }
    }
}
