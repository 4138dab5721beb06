//! `registries.toml`: what differs from registry to registry (docs/registries.md).
//!
//! ```toml
//! [registry."registry.example.com:5000"]
//! ca = "ca.pem"
//!
//! [registry."docker.io"]
//! mirrors = ["mirror.example.com", "proxy.example.com/hub"]
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use url::Url;

/// The settings of all registries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    registries: BTreeMap<String, RegistrySettings>,
}

/// The settings of one registry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct RegistrySettings {
    /// Certificates to trust besides the system's, in PEM.
    pub ca: Option<PathBuf>,
    /// The certificate to show, with its chain, in PEM.
    pub client_cert: Option<PathBuf>,
    /// Its private key, in PEM.
    pub client_key: Option<PathBuf>,
    /// Whether to talk to whoever answers.
    pub insecure: bool,
    /// Whether to talk without TLS.
    pub http: bool,
    /// Where to read from first, in this order: `HOST[:PORT][/PREFIX]`.
    pub mirrors: Vec<String>,
    /// How many requests at once, at most.
    pub parallel: Option<u32>,
    /// How long a chunk of an upload is, in bytes; unset for uploads in one piece.
    pub chunk_size: Option<u64>,
    /// The longest body that the registry, or what stands before it, takes, in bytes.
    pub max_body: Option<u64>,
    /// Hosts of token services that the registry may name although they are of another domain.
    pub allow_realm: Vec<String>,
}

/// Why settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", place(file, *line))]
#[must_use]
pub struct SettingsError {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; `None` if the file cannot be read.
    pub line: Option<usize>,
    /// What is wrong.
    pub reason: String,
}

/// Returns what stands before the reason. That of a file that cannot be read names it itself.
fn place(file: &Path, line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!("{}:{line}: ", file.display()))
}

/// The most requests at once that can be asked for.
const MOST_PARALLEL: u32 = 64;
/// The least that a chunk or body may be limited to: registries refuse smaller chunks.
const LEAST_CHUNK: u64 = 64 << 10;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    registry: BTreeMap<toml::Spanned<String>, RegistrySettings>,
}

impl Settings {
    /// Reads the file at `path`.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let fail = |reason| SettingsError { file: path.into(), line: None, reason };
        let text = fs_err::read_to_string(path).map_err(|error| fail(error.to_string()))?;
        Self::parse(&text, path)
    }

    /// Parses the text of the file at `path`, whose folder relative paths start from.
    pub fn parse(text: &str, path: &Path) -> Result<Self, SettingsError> {
        let fail = |at: usize, reason: String| {
            let line = text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
            SettingsError { file: path.into(), line: Some(line), reason }
        };
        let file: File = toml::from_str(text).map_err(|error| {
            fail(error.span().map_or(0, |span| span.start), error.message().to_owned())
        })?;
        let mut registries = BTreeMap::new();
        for (name, mut settings) in file.registry {
            let at = name.span().start;
            let name = name.into_inner();
            settings.check(&name).map_err(|reason| fail(at, reason))?;
            settings.anchor(path.parent().unwrap_or(Path::new("")));
            registries.insert(name, settings);
        }
        Ok(Self { registries })
    }

    /// Returns the settings of a registry, e.g. `docker.io` or `localhost:5000`; `None` if the file
    /// does not name it.
    pub fn of(&self, registry: &str) -> Option<&RegistrySettings> {
        self.registries.get(registry)
    }

    /// Returns the settings of a registry, to be changed, e.g. by options of the command line.
    ///
    /// The error is a phrase about the name.
    pub fn of_mut(&mut self, registry: &str) -> Result<&mut RegistrySettings, String> {
        RegistrySettings::default().check(registry)?;
        Ok(self.registries.entry(registry.to_owned()).or_default())
    }
}

impl RegistrySettings {
    fn check(&self, name: &str) -> Result<(), String> {
        let host = is_place(name) && !name.contains('/');
        if !host {
            return Err(format!("`{name}` is not HOST or HOST:PORT"));
        }
        for mirror in &self.mirrors {
            if !is_place(mirror) {
                return Err(format!(
                    "mirror `{mirror}` of `{name}` is not HOST[:PORT][/PREFIX]; whether it talks \
                    plain HTTP is a setting of its own: [registry.\"HOST\"] http = true"
                ));
            }
        }
        if self.client_cert.is_some() != self.client_key.is_some() {
            return Err(format!("`{name}` needs both of client-cert and client-key, or neither"));
        }
        if self.http && (self.insecure || self.ca.is_some() || self.client_cert.is_some()) {
            return Err(format!("`{name}` has settings of TLS, and `http` switches TLS off"));
        }
        if self.parallel.is_some_and(|n| n == 0 || n > MOST_PARALLEL) {
            return Err(format!("parallel of `{name}` is not between 1 and {MOST_PARALLEL}"));
        }
        for (key, size) in [("chunk-size", self.chunk_size), ("max-body", self.max_body)] {
            if size.is_some_and(|size| size < LEAST_CHUNK) {
                return Err(format!("{key} of `{name}` is less than {LEAST_CHUNK} bytes"));
            }
        }
        Ok(())
    }

    fn anchor(&mut self, folder: &Path) {
        let paths = [&mut self.ca, &mut self.client_cert, &mut self.client_key];
        for path in paths.into_iter().flatten() {
            *path = folder.join(&*path);
        }
    }
}

/// Returns whether a text is `HOST[:PORT][/PREFIX]`.
fn is_place(text: &str) -> bool {
    let Ok(url) = Url::parse(&format!("https://{text}/")) else { return false };
    let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    let exact = url.as_str().len() == "https:///".len() + text.len()
        || text.strip_suffix(":443").is_some_and(|host| url.host_str() == Some(host));
    plain && exact && url.fragment().is_none() && !text.ends_with('/') && !text.contains("//")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Settings, SettingsError> {
        Settings::parse(text, Path::new("/etc/r/registries.toml"))
    }

    #[test]
    fn every_setting_is_read() {
        let text = r#"
            [registry."a.example:5000"]
            ca = "ca.pem"
            client-cert = "/x/cert.pem"
            client-key = "key.pem"
            insecure = true
            mirrors = ["m.example", "n.example:5000/hub/lib"]
            parallel = 3
            chunk-size = 10_000_000
            max-body = 100_000_000
            allow-realm = ["login.example"]
            [registry."b.example"]
            http = true
        "#;
        let settings = parse(text).unwrap();
        let expected = RegistrySettings {
            ca: Some("/etc/r/ca.pem".into()),
            client_cert: Some("/x/cert.pem".into()),
            client_key: Some("/etc/r/key.pem".into()),
            insecure: true,
            http: false,
            mirrors: vec!["m.example".into(), "n.example:5000/hub/lib".into()],
            parallel: Some(3),
            chunk_size: Some(10_000_000),
            max_body: Some(100_000_000),
            allow_realm: vec!["login.example".into()],
        };
        assert_eq!(settings.of("a.example:5000"), Some(&expected));
        assert!(settings.of("b.example").unwrap().http);
        assert_eq!(settings.of("a.example"), None);
    }

    #[test]
    fn faults_have_their_line() {
        let cases = [
            ("\n[registry.\"a\"]\nhtpp = true\n", 3, "unknown field `htpp`"),
            ("\n\n[registries.\"a\"]\n", 3, "unknown field `registries`"),
            ("[registry.\"https://a\"]\n", 1, "is not HOST or HOST:PORT"),
            ("[registry.\"a/b\"]\n", 1, "is not HOST or HOST:PORT"),
            ("[registry.\"a\"]\nmirrors = [\"http://m\"]\n", 1, "is not HOST[:PORT][/PREFIX]"),
            ("[registry.\"a\"]\nclient-key = \"k\"\n", 1, "both of client-cert and client-key"),
            ("[registry.\"a\"]\nhttp = true\nca = \"c\"\n", 1, "switches TLS off"),
            ("[registry.\"a\"]\nparallel = 0\n", 1, "between 1 and 64"),
            ("[registry.\"a\"]\nchunk-size = 5\n", 1, "less than 65536 bytes"),
            ("[registry.\"a\"]\nhttp = \"yes\"\n", 2, "invalid type"),
        ];
        for (text, line, reason) in cases {
            let error = parse(text).unwrap_err();
            assert_eq!(error.line, Some(line), "{error}");
            assert!(error.to_string().contains(reason), "{error}");
            assert!(error.to_string().starts_with(&format!("/etc/r/registries.toml:{line}: ")));
        }
    }
}
