//! Runtimes that files seem to need: of Java, Node.js and Python. Nothing proves that a jar is run
//! or that metadata is right, so these are suggestions and never declared.

use bake_formats::tree::TreePath;

use super::facts::Facts;
use super::survey::Item;

/// A runtime that the files seem to need, in a version if they say one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Runtime {
    pub(super) language: Language,
    /// The least version, numbers with dots.
    pub(super) least: Option<String>,
    /// Whether the next version will not do: modules compiled for one version of Python.
    pub(super) is_exact: bool,
    /// The file that says so.
    pub(super) path: TreePath,
}

/// A language with a runtime of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Java,
    Node,
    Python,
}

impl Runtime {
    /// Returns the version after the last that will do, if there is one.
    fn end(&self) -> Option<String> {
        let (major, minor) = self.least.as_ref().filter(|_| self.is_exact)?.split_once('.')?;
        Some(format!("{major}.{}", minor.parse::<u32>().ok()? + 1))
    }

    /// Returns the elements of `deb.depends` to suggest.
    pub(super) fn deb(&self) -> Vec<String> {
        let least = self.language.deb(self.least.as_deref());
        let end = self.end().map(|end| format!("python3 (<< {end})"));
        std::iter::once(least).chain(end).collect()
    }

    /// Returns the element of `rpm.requires` to suggest.
    pub(super) fn rpm(&self) -> String {
        match &self.least {
            Some(least) if self.is_exact => format!("python(abi) = {least}"),
            least => self.language.rpm(least.as_deref()),
        }
    }
}

impl Language {
    const ALL: [Self; 3] = [Self::Java, Self::Node, Self::Python];

    /// Returns the language's name for people.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Java => "Java",
            Self::Node => "Node.js",
            Self::Python => "Python",
        }
    }

    /// Returns whether a package of Debian's has the runtime.
    pub(super) fn is_deb(self, package: &str) -> bool {
        match self {
            Self::Java => {
                let words = ["jre", "jdk", "java-runtime", "temurin", "corretto", "zulu"];
                words.iter().any(|word| package.contains(word))
                    || (package.starts_with("java") && package.contains("-runtime"))
            }
            Self::Node => package == "nodejs" || package == "node",
            Self::Python => package.starts_with("python3") || package.starts_with("pypy3"),
        }
    }

    /// Returns whether a name that rpms require has the runtime.
    pub(super) fn is_rpm(self, name: &str) -> bool {
        match self {
            Self::Java => {
                let words = ["java", "jre", "jdk", "temurin", "zulu"];
                words.iter().any(|word| name.contains(word))
            }
            Self::Node => name.starts_with("nodejs") || name.ends_with("/node"),
            Self::Python => name.starts_with("python") || name.contains("/python3"),
        }
    }

    /// Returns the dependency of a deb on a version or later.
    fn deb(self, least: Option<&str>) -> String {
        match (self, least) {
            (Self::Java, Some(least)) => {
                format!("default-jre-headless (>= 2:1.{least}) | java{least}-runtime-headless")
            }
            (Self::Java, None) => "default-jre-headless | java-runtime-headless".into(),
            (Self::Node, Some(least)) => format!("nodejs (>= {least})"),
            (Self::Node, None) => "nodejs".into(),
            (Self::Python, Some(least)) => format!("python3 (>= {least})"),
            (Self::Python, None) => "python3".into(),
        }
    }

    /// Returns the requirement of an rpm of a version or later.
    fn rpm(self, least: Option<&str>) -> String {
        match (self, least) {
            (Self::Java, Some(least)) => format!("java-headless >= 1:{least}"),
            (Self::Java, None) => "java-headless".into(),
            (Self::Node, Some(least)) => format!("nodejs >= {least}"),
            (Self::Node, None) => "nodejs".into(),
            (Self::Python, Some(least)) => format!("python3 >= {least}"),
            (Self::Python, None) => "python3".into(),
        }
    }

    /// Returns the version of the language that a declared version of Debian's package has:
    /// `default-jre-headless` counts `2:1.17`.
    pub(super) fn of_deb_version(self, upstream: &str) -> &str {
        match self {
            Self::Java => upstream.strip_prefix("1.").unwrap_or(upstream),
            Self::Node | Self::Python => upstream,
        }
    }
}

/// Returns the runtimes that the files of a tree seem to need, each in the highest version.
pub(super) fn runtimes(items: &[Item<'_>]) -> Vec<Runtime> {
    let mut found: Vec<Runtime> = Vec::new();
    for language in Language::ALL {
        let mut highest: Option<Runtime> = None;
        for item in items {
            let Some(least) = needed(item, language) else { continue };
            let is_exact = matches!(item.facts, Facts::Elf(_));
            let rank = (is_exact, numbers(least.as_deref()));
            let is_higher = highest
                .as_ref()
                .is_none_or(|highest| rank > (highest.is_exact, numbers(highest.least.as_deref())));
            if is_higher {
                highest = Some(Runtime { language, least, is_exact, path: item.path.clone() });
            }
        }
        found.extend(highest);
    }
    found
}

/// Returns the version of a language that a file needs, if it needs the language.
#[expect(clippy::option_option, reason = "a file may need a language without saying a version")]
fn needed(item: &Item<'_>, language: Language) -> Option<Option<String>> {
    match (&item.facts, language) {
        (Facts::Elf(_), Language::Python) => cpython(item.path.name()).map(Some),
        (Facts::Java(version), Language::Java) => Some(Some(version.to_string())),
        (Facts::Node(range), Language::Node) => Some(range.as_deref().and_then(least)),
        (Facts::Python(range), Language::Python) => Some(least(range)),
        _ => None,
    }
}

/// Returns the version of Python that a compiled module is for by its name:
/// `x.cpython-311-x86_64-linux-gnu.so` is for 3.11, `x.abi3.so` for any.
fn cpython(name: &[u8]) -> Option<String> {
    let (_, rest) = std::str::from_utf8(name).ok()?.split_once(".cpython-3")?;
    let minor = rest.split_once('-')?.0;
    let is_number = !minor.is_empty() && minor.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| format!("3.{minor}"))
}

/// Returns the least version of a range such as `>=3.8,<4`, `^18.17 || >=20`, `18.x`; `None` if it
/// is not plain to see.
fn least(range: &str) -> Option<String> {
    let versions: Option<Vec<String>> = range.split("||").map(least_of_all).collect();
    versions?.into_iter().min_by(|a, b| numbers(Some(a)).cmp(&numbers(Some(b))))
}

fn least_of_all(range: &str) -> Option<String> {
    let range = range.trim().replace(">= ", ">=").replace("~= ", "~=");
    range.split([',', ' ']).find_map(|part| {
        let part = part.trim();
        let rest = [">=", "^", "~=", "~", "=="].iter().find_map(|sign| part.strip_prefix(sign));
        let text = rest.unwrap_or(part).trim_start_matches('v');
        let digits = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let version: Vec<&str> = text.split('.').take_while(digits).collect();
        (!version.is_empty()).then(|| version.join("."))
    })
}

/// Returns the numbers of a version, to compare.
pub(super) fn numbers(version: Option<&str>) -> Vec<u64> {
    let mut numbers: Vec<u64> = version
        .into_iter()
        .flat_map(|version| version.split(['.', '-', '~', '+']))
        .map_while(|part| part.parse().ok())
        .collect();
    while numbers.last() == Some(&0) {
        numbers.pop();
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_version_of_a_range() {
        for (range, expected) in [
            (">=3.8", Some("3.8")),
            (">= 18", Some("18")),
            ("<4,>=3.8", Some("3.8")),
            ("~=3.9", Some("3.9")),
            ("^18.17.0 || >=20", Some("18.17.0")),
            (">=20 || ^18", Some("18")),
            ("18.x", Some("18")),
            ("v16", Some("16")),
            ("*", None),
            ("<20", None),
            ("", None),
        ] {
            assert_eq!(least(range).as_deref(), expected, "{range}");
        }
        assert!(numbers(Some("3.10")) > numbers(Some("3.9")));
        assert_eq!(numbers(Some("3.0")), numbers(Some("3")));
    }

    #[test]
    fn compiled_modules_are_for_one_python() {
        let name = b"x.cpython-311-x86_64-linux-gnu.so";
        assert_eq!(cpython(name).as_deref(), Some("3.11"));
        for none in ["x.abi3.so", "x.so", "x.cpython-3-y.so", "x.cpython-37m"] {
            assert_eq!(cpython(none.as_bytes()), None, "{none}");
        }
        let path = TreePath::parse("/opt/x.so").unwrap();
        let least = Some("3.9".to_owned());
        let found = Runtime { language: Language::Python, least, is_exact: true, path };
        assert_eq!(found.deb(), ["python3 (>= 3.9)", "python3 (<< 3.10)"]);
        assert_eq!(found.rpm(), "python(abi) = 3.9");
    }

    #[test]
    fn packages_of_a_runtime_are_known_by_their_names() {
        for package in
            ["default-jre-headless", "java17-runtime-headless", "openjdk-17-jre", "temurin-21-jdk"]
        {
            assert!(Language::Java.is_deb(package), "{package}");
        }
        assert!(
            !Language::Java.is_deb("javascript-common") && Language::Python.is_deb("python3.11")
        );
        assert!(
            Language::Java.is_rpm("java-17-headless") && !Language::Node.is_rpm("node-exporter")
        );
    }
}
