//! Where secrets go if a target is read by many.

use std::fmt;
use std::str::FromStr;

use bake_config::{Deployment, OutputFile, Refusal, Setting};
use zeroize::Zeroizing;

use super::install::Install;

/// The list of secrets that must be brought by another way.
pub(super) const LIST: &str = "secrets.list";
/// The folder of secret files, each at its path below `/`.
const FOLDER: &str = "secrets";

/// Where secrets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SecretPlace {
    /// Where the target keeps secrets; a target that is read by many has no such place, and refuses them.
    #[default]
    Target,
    /// Not into the output: it says where they must be, and a list names those places.
    Elsewhere,
    /// Not into what is read by many, but beside it.
    Beside,
}

impl SecretPlace {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Target, Self::Elsewhere, Self::Beside];

    /// Returns the word that the command line uses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Elsewhere => "elsewhere",
            Self::Beside => "beside",
        }
    }
}

impl fmt::Display for SecretPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for SecretPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|place| place.word() == text).ok_or_else(|| {
            let words = Self::ALL.map(Self::word).join(", ");
            format!("expected one of {words}, found `{}`", text.escape_debug())
        })
    }
}

/// Returns what stands beside an output that holds no secret, or refuses secrets that would have to be in it.
pub(super) fn beside(
    install: &Install,
    place: SecretPlace,
    deployment: &Deployment<'_>,
    why: &str,
) -> Result<Vec<OutputFile>, Vec<Refusal>> {
    if install.secret.is_empty() {
        return Ok(Vec::new());
    }
    if place == SecretPlace::Target {
        let hint = "keep secrets elsewhere (`--secrets elsewhere`, or `beside` to get them as files of their own), or \
                    refer to a file or credential of the host";
        return Err(secret_keys(deployment)
            .map(|name| Refusal::new(name, format!("it is secret, and {why}"), hint))
            .collect());
    }
    let mut text =
        "# Files that must be there before the service starts: mode, owner, path.\n".to_owned();
    let mut files = Vec::new();
    for file in &install.secret {
        text.push_str(&format!("{:04o} root:root /{}\n", file.mode, file.path));
        if place == SecretPlace::Beside {
            let contents = Zeroizing::new(file.contents.to_vec());
            files.push(OutputFile::secret(format!("{FOLDER}/{}", file.path), contents));
        }
    }
    files.push(OutputFile::open(LIST, text));
    Ok(files)
}

/// Returns the keys whose secret values are here.
pub(super) fn secret_keys<'a>(
    deployment: &'a Deployment<'a>,
) -> impl Iterator<Item = &'a bake_config::Name> {
    let values = deployment.settings.values.iter();
    values.filter_map(|(name, (setting, _))| match setting {
        Setting::Secret(_) => Some(name),
        Setting::Plain(_) => deployment.schema.is_secret(name).then_some(name),
        Setting::Reference(_) => None,
    })
}
