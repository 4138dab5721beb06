//! An environment's file as it is written.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::written::{At, Described, Scalar, TextOr};

/// All keys of a file.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Keys {
    #[serde(default)]
    pub(super) extends: Vec<At<String>>,
    pub(super) description: Option<At<String>>,
    pub(super) recipients: Option<At<Vec<At<String>>>>,
    pub(super) digest_key: Option<At<String>>,
    #[serde(default)]
    pub(super) values: BTreeMap<At<String>, At<Scalar>>,
    #[serde(default)]
    pub(super) secrets: BTreeMap<At<String>, At<TextOr<SecretKeys>>>,
}

/// Where a secret is: exactly one of these.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretKeys {
    pub(super) age: Option<String>,
    pub(super) sops: Option<String>,
    #[serde(rename = "ref")]
    pub(super) reference: Option<String>,
    pub(super) command: Option<Vec<String>>,
}

impl Described for SecretKeys {
    const EXPECTED: &'static str = "a table with `age`, `sops`, `ref` or `command`";
}
