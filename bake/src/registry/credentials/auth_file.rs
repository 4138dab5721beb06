//! docker's `config.json` and podman's `auth.json`, which are of one form.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Credential, CredentialError, Source};
use crate::registry::secret::Secret;

/// Padding is often lost on the way from one tool to another.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// More than any such file has, in bytes.
const LIMIT: u64 = 4 << 20;

/// One file.
#[derive(Debug, Default)]
pub(super) struct AuthFile {
    place: String,
    document: Document,
}

/// The parts that matter here; the file has many others.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Document {
    auths: BTreeMap<String, Option<Entry>>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<Secret>,
    username: Option<String>,
    password: Option<Secret>,
    identitytoken: Option<Secret>,
    registrytoken: Option<Secret>,
}

impl AuthFile {
    /// Reads a file. One that may be absent, and is, says nothing.
    pub(super) fn load(source: &Source) -> Result<Self, CredentialError> {
        let (place, text) = match source {
            Source::Text(place, text) => (place.clone(), Zeroizing::new(text.reveal().to_owned())),
            Source::File(path) | Source::IfPresent(path) => {
                let optional = matches!(source, Source::IfPresent(_));
                let place = path.display().to_string();
                match read(path) {
                    Ok(text) => (place, text),
                    Err(error) if optional && error.kind() == io::ErrorKind::NotFound => {
                        return Ok(Self::default());
                    }
                    Err(error) => {
                        let place = "cannot read logins".to_owned();
                        return Err(CredentialError { place, reason: error.to_string() });
                    }
                }
            }
        };
        if text.trim().is_empty() {
            return Ok(Self { place, ..Self::default() });
        }
        // The message of serde_json may quote a value; its place does not.
        let document = serde_json::from_str(&text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let reason = format!("line {line}, column {column}: not a docker or podman auth file");
            CredentialError { place: place.clone(), reason }
        })?;
        Ok(Self { place, document })
    }

    /// Returns the name of the helper to ask about a registry: its own, else the one for all.
    pub(super) fn helper(&self, registry: &str) -> Option<&str> {
        let own = self.document.cred_helpers.iter().find(|(key, _)| is_of(&normal(key), registry));
        let name = own.map(|(_, name)| name).or(self.document.creds_store.as_ref());
        // An empty name switches helpers off.
        name.map(String::as_str).filter(|name| !name.is_empty())
    }

    /// Returns what the file has for a repository.
    pub(super) fn find(
        &self,
        registry: &str,
        repository: &str,
    ) -> Result<Option<Credential>, CredentialError> {
        let mut best: Option<(usize, &str, &Entry)> = None;
        for (key, entry) in &self.document.auths {
            let Some(entry) = entry else { continue };
            let normal = normal(key);
            let (host, folder) = normal.split_once('/').unwrap_or((&normal, ""));
            let matches = is_of(host, registry) && is_below(repository, folder);
            if matches && best.is_none_or(|(length, ..)| folder.len() > length) {
                best = Some((folder.len(), key, entry));
            }
        }
        let Some((_, key, entry)) = best else { return Ok(None) };
        entry.credential().map_err(|reason| CredentialError {
            place: self.place.clone(),
            reason: format!("auths[\"{key}\"]: {reason}"),
        })
    }
}

fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    fs_err::File::open(path)?.take(LIMIT + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LIMIT {
        let reason = format!("`{}` has more than {LIMIT} bytes", path.display());
        return Err(io::Error::other(reason));
    }
    Ok(text)
}

/// Returns `host[:port][/folder]` of a key: `https://index.docker.io/v1/` is `index.docker.io`.
fn normal(key: &str) -> String {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let key = key.trim_end_matches('/');
    let key = key.strip_suffix("/v1").or_else(|| key.strip_suffix("/v2")).unwrap_or(key);
    key.to_owned()
}

/// Returns the other names under which credentials of a registry are kept.
pub(in crate::registry) fn aliases(registry: &str) -> &'static [&'static str] {
    match registry {
        "docker.io" => &["index.docker.io", "registry-1.docker.io"],
        _ => &[],
    }
}

fn is_of(host: &str, registry: &str) -> bool {
    host == registry || aliases(registry).contains(&host)
}

fn is_below(repository: &str, folder: &str) -> bool {
    match repository.strip_prefix(folder) {
        Some(rest) => folder.is_empty() || rest.is_empty() || rest.starts_with('/'),
        None => false,
    }
}

impl Entry {
    fn credential(&self) -> Result<Option<Credential>, String> {
        let present = |secret: &Option<Secret>| secret.clone().filter(|secret| !secret.is_empty());
        let (user, password) = match &self.auth {
            Some(auth) if !auth.is_empty() => decode(auth.reveal())?,
            _ => (self.username.clone().unwrap_or_default(), present(&self.password)),
        };
        if let Some(token) = present(&self.identitytoken) {
            let user = Some(user).filter(|user| !user.is_empty());
            return Ok(Some(Credential::Identity { user, token }));
        }
        if let Some(token) = present(&self.registrytoken) {
            return Ok(Some(Credential::Bearer(token)));
        }
        // An entry without anything says only that a helper knows more.
        let Some(password) = password else { return Ok(None) };
        Ok(Some(Credential::Password { user, password }))
    }
}

/// Decodes `base64(user:password)`.
fn decode(auth: &str) -> Result<(String, Option<Secret>), String> {
    let bytes = BASE64.decode(auth.trim()).map(Zeroizing::new);
    let bytes = bytes.map_err(|_| "`auth` is not base64".to_owned())?;
    let text = std::str::from_utf8(&bytes).map_err(|_| "`auth` is not UTF-8".to_owned())?;
    let text = text.trim_end_matches('\0');
    let (user, password) = text.split_once(':').ok_or("`auth` is not user:password")?;
    let password = Some(password).filter(|password| !password.is_empty());
    Ok((user.to_owned(), password.map(|password| Secret::new(password.to_owned()))))
}
