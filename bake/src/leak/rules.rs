//! What is a secret by its form, whoever's it is.

use super::secrets::{armour, tokens, urls};
use crate::lint::Severity;

/// A kind of secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The rule's name.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What was found, as a phrase.
    pub about: &'static str,
    /// What to do about it.
    pub hint: &'static str,
}

/// What looks closer where an anchor is: at a buffer and the place of the anchor in it.
pub(super) type Check = fn(&[u8], usize) -> Option<&'static Rule>;

/// How many bytes after an anchor a check looks at.
pub(super) const AHEAD: usize = 4096;
/// How many bytes before one.
pub(super) const BEHIND: usize = 64;

const REVOKE: &str = "take it out of the build's input and make it worthless where it was valid";

const fn error(id: &'static str, about: &'static str) -> Rule {
    Rule { id, severity: Severity::Error, about, hint: REVOKE }
}

pub(super) static PRIVATE_KEY: Rule = error("private-key", "a private key");
pub(super) static ENCRYPTED_KEY: Rule = Rule {
    id: "encrypted-private-key",
    severity: Severity::Warning,
    about: "a private key under a passphrase",
    hint: "keep keys out of artifacts: a passphrase can be guessed by whoever has the file",
};
pub(super) static PGP_KEY: Rule = error("pgp-private-key", "an OpenPGP private key");
pub(super) static AWS: Rule = error("aws-access-key", "an access key of AWS");
pub(super) static GCP: Rule =
    error("gcp-service-account", "a service account's key of Google Cloud");
pub(super) static GITHUB: Rule = error("github-token", "a token of GitHub");
pub(super) static GITLAB: Rule = error("gitlab-token", "a token of GitLab");
pub(super) static SLACK: Rule = error("slack-token", "a token of Slack");
pub(super) static STRIPE: Rule = error("stripe-key", "a live key of Stripe");
pub(super) static NPM: Rule = error("npm-token", "a token of npm");
pub(super) static PYPI: Rule = error("pypi-token", "a token of PyPI");
pub(super) static AGE: Rule = error("age-key", "a secret key of age");
pub(super) static JWT: Rule = error("jwt", "a signed JSON Web Token");
pub(super) static AZURE: Rule = error("azure-key", "an account's key of Azure");
pub(super) static URL: Rule = error("url-password", "an address with a password");

/// What is looked for, and who looks closer.
pub(super) const ANCHORS: [(&str, Check); 34] = [
    ("-----BEGIN ", armour::check),
    ("AKIA", tokens::aws),
    ("ASIA", tokens::aws),
    ("\"private_key_id\"", tokens::gcp),
    ("ghp_", tokens::github),
    ("gho_", tokens::github),
    ("ghu_", tokens::github),
    ("ghs_", tokens::github),
    ("ghr_", tokens::github),
    ("github_pat_", tokens::github),
    ("glpat-", tokens::gitlab),
    ("gldt-", tokens::gitlab),
    ("glrt-", tokens::gitlab),
    ("xoxb-", tokens::slack),
    ("xoxp-", tokens::slack),
    ("xoxa-", tokens::slack),
    ("xoxr-", tokens::slack),
    ("xoxs-", tokens::slack),
    ("xapp-", tokens::slack),
    ("hooks.slack.com/services/T", tokens::slack_hook),
    ("sk_live_", tokens::stripe),
    ("rk_live_", tokens::stripe),
    ("npm_", tokens::npm),
    ("_authToken=", tokens::npm_configuration),
    ("pypi-AgEIcHlwaS5vcmc", tokens::pypi),
    // In a program these texts follow each other: this one ends what would look like a token.
    ("AccountKey=", tokens::azure),
    ("AGE-SECRET-KEY-1", tokens::age),
    ("eyJhbGciOi", tokens::jwt),
    ("eyJ0eXAiOi", tokens::jwt),
    ("eyJraWQiOi", tokens::jwt),
    ("eyJjdHkiOi", tokens::jwt),
    ("eyJ4NXQiOi", tokens::jwt),
    ("SharedAccessKey=", tokens::azure),
    ("://", urls::check),
];

/// Every rule.
static RULES: [&Rule; 15] = [
    &PRIVATE_KEY,
    &ENCRYPTED_KEY,
    &PGP_KEY,
    &AWS,
    &GCP,
    &GITHUB,
    &GITLAB,
    &SLACK,
    &STRIPE,
    &NPM,
    &PYPI,
    &AGE,
    &JWT,
    &AZURE,
    &URL,
];

/// Returns every rule.
pub fn rules() -> &'static [&'static Rule] {
    &RULES
}
