//! What is asked for.

use std::fmt;
use std::str::FromStr;

use bake_config::Deployment;
use bake_formats::format::Epoch;

use super::secrets::SecretPlace;
use super::target::Target;
use super::version::ConfigVersion;

/// The time of files unless another one is given: 1 January 2020.
const EPOCH: Epoch = Epoch(1_577_836_800);

/// One deployment and what it is rendered for.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// What is configured, and how.
    pub deployment: &'a Deployment<'a>,
    /// What it is rendered for.
    pub target: Target,
    /// The artifact that is configured, if one was given.
    pub artifact: Option<ConfiguredArtifact<'a>>,
    /// Where secrets go.
    pub secrets: SecretPlace,
    /// The version of packages, which need one.
    pub version: Option<ConfigVersion>,
    /// Who answers for packages: `Name <mail address>`.
    pub maintainer: Option<&'a str>,
    /// The name of the machine that a volume is for.
    pub host_name: Option<&'a HostName>,
    /// The time of all files.
    pub epoch: Epoch,
}

impl<'a> Request<'a> {
    /// Returns a request of which nothing is said but what must be.
    pub fn new(deployment: &'a Deployment<'a>, target: Target) -> Self {
        Self {
            deployment,
            target,
            artifact: None,
            secrets: SecretPlace::Target,
            version: None,
            maintainer: None,
            host_name: None,
            epoch: EPOCH,
        }
    }

    /// Returns the name of packages that bring this configuration, whichever the environment.
    pub(super) fn capability(&self) -> String {
        format!("{}-config", self.deployment.name())
    }

    /// Returns the name of the package.
    pub(super) fn package(&self) -> String {
        format!("{}-{}", self.capability(), self.deployment.environment)
    }
}

/// The artifact that is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfiguredArtifact<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its format, e.g. `deb`.
    pub format: &'a str,
    /// Its version as it says itself: a package with epoch and release, anything else as the recipe has it.
    pub version: &'a str,
    /// Its digest, e.g. `sha256:2c26…`.
    pub digest: &'a str,
    /// The identity of its tree, if it has one.
    pub tree: Option<&'a str>,
}

/// The name of a host: labels of letters, digits and `-`, joined by dots (RFC 1123, 2.1); at most 64 bytes, as Linux
/// has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(String);

impl HostName {
    /// The longest name.
    const MAX_LEN: usize = 64;

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_label = |label: &str| {
            !label.is_empty()
                && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if text.len() <= Self::MAX_LEN && text.split('.').all(is_label) {
            return Ok(Self(text.into()));
        }
        let most = Self::MAX_LEN;
        let found: String = text.chars().take(80).flat_map(char::escape_debug).collect();
        Err(format!(
            "expected the name of a host, letters, digits, `-` and `.`, at most {most}, found `{found}`"
        ))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
