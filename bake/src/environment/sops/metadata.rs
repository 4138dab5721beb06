//! What sops says of a file: who has its key, and what of it is encrypted.

use regex_lite::Regex;

use super::tree::Node;
use crate::environment::fault::Fault;

/// The names of key services that we do not talk to.
const SERVICES: [(&str, &str); 6] = [
    ("kms", "AWS KMS"),
    ("gcp_kms", "Google Cloud KMS"),
    ("hckms", "Huawei Cloud KMS"),
    ("azure_kv", "Azure Key Vault"),
    ("hc_vault", "Vault"),
    ("pgp", "OpenPGP"),
];
/// What ends names whose values stay as they are, if the file says nothing.
const UNENCRYPTED: &str = "_unencrypted";

/// What sops says of a file.
#[derive(Debug)]
pub(super) struct Metadata {
    /// The recipients of age, each with the data key encrypted to it.
    pub(super) age: Vec<(String, String)>,
    /// When the file was written, which is bound to its authentication code.
    pub(super) last_modified: String,
    /// The authentication code, encrypted.
    pub(super) mac: String,
    /// What the code covers.
    pub(super) covers: Covers,
    rule: Rule,
}

/// What the authentication code covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Covers {
    /// All values.
    All,
    /// Those that are encrypted.
    Encrypted,
}

/// What is encrypted, by the names on the way to a value.
#[derive(Debug)]
enum Rule {
    UnlessEnds(String),
    IfEnds(String),
    Unless(Regex),
    If(Regex),
}

impl Metadata {
    /// Reads the map `sops` of a file.
    pub(super) fn read(about: &Node) -> Result<Self, Fault> {
        let missing = |name: &str| Fault::new(format!("`sops.{name}` is missing or is not text"));
        let text = |name: &str| about.get(name).and_then(Node::text).map(str::to_owned);
        let age = recipients(about)?;
        let is_on = |name: &str| {
            about.get(name).is_some_and(|node| match node {
                Node::Bool(yes) => *yes,
                Node::Text(text) => text == "true",
                Node::Null | Node::Number(_) | Node::List(_) | Node::Map(_) => false,
            })
        };
        Ok(Self {
            age,
            last_modified: text("lastmodified").ok_or_else(|| missing("lastmodified"))?,
            mac: text("mac").ok_or_else(|| missing("mac"))?,
            covers: if is_on("mac_only_encrypted") { Covers::Encrypted } else { Covers::All },
            rule: Rule::read(about)?,
        })
    }

    /// Returns whether a value is encrypted; `path` are the names on the way to it.
    pub(super) fn is_encrypted(&self, path: &[&str]) -> bool {
        match &self.rule {
            Rule::UnlessEnds(end) => !path.iter().any(|name| name.ends_with(end.as_str())),
            Rule::IfEnds(end) => path.iter().any(|name| name.ends_with(end.as_str())),
            Rule::Unless(pattern) => !path.iter().any(|name| pattern.is_match(name)),
            Rule::If(pattern) => path.iter().any(|name| pattern.is_match(name)),
        }
    }
}

fn recipients(about: &Node) -> Result<Vec<(String, String)>, Fault> {
    let way_out =
        "let sops decrypt it: `{ command = [\"sops\", \"decrypt\", \"--extract\", …, FILE] }`";
    let is_filled =
        |name: &str| matches!(about.get(name), Some(Node::List(list)) if !list.is_empty());
    if is_filled("key_groups") {
        return Err(Fault::new("its key is shared by groups (`sops.key_groups`), expected age")
            .hint(way_out));
    }
    let Some(Node::List(list)) = about.get("age").filter(|_| is_filled("age")) else {
        let others =
            SERVICES.iter().filter(|(name, _)| is_filled(name)).map(|(_, service)| *service);
        let others: Vec<_> = others.collect();
        let found = if others.is_empty() { "nobody".to_owned() } else { others.join(" and ") };
        return Err(Fault::new(format!("its key is with {found}, expected recipients of age"))
            .hint(way_out));
    };
    let entry = |node: &Node| {
        let text = |name| node.get(name).and_then(Node::text).map(str::to_owned);
        text("recipient").zip(text("enc"))
    };
    let all: Option<Vec<_>> = list.iter().map(entry).collect();
    all.ok_or_else(|| Fault::new("`sops.age` has entries without `recipient` or `enc`"))
}

impl Rule {
    fn read(about: &Node) -> Result<Self, Fault> {
        let command =
            "let sops decrypt it: `{ command = [\"sops\", \"decrypt\", \"--extract\", …, FILE] }`";
        let comment = ["unencrypted_comment_regex", "encrypted_comment_regex"];
        if let Some(name) =
            comment.iter().find(|name| about.get(name).is_some_and(|node| node.text().is_some()))
        {
            return Err(Fault::new(format!("`sops.{name}` is not supported")).hint(command));
        }
        let text = |name: &'static str| Some((name, about.get(name)?.text()?));
        let names =
            ["unencrypted_suffix", "encrypted_suffix", "unencrypted_regex", "encrypted_regex"];
        let rules: Vec<_> = names.into_iter().filter_map(text).collect();
        let regex = |name: &str, pattern: &str| {
            Regex::new(pattern).map_err(|_| {
                Fault::new(format!("`sops.{name}` has more than is supported")).hint(command)
            })
        };
        Ok(match rules.as_slice() {
            [] => Self::UnlessEnds(UNENCRYPTED.into()),
            [("unencrypted_suffix", end)] => Self::UnlessEnds((*end).into()),
            [("encrypted_suffix", end)] => Self::IfEnds((*end).into()),
            [(name @ "unencrypted_regex", pattern)] => Self::Unless(regex(name, pattern)?),
            [(name, pattern)] => Self::If(regex(name, pattern)?),
            _ => {
                return Err(Fault::new(
                    "`sops` has several rules for what is encrypted, expected one",
                ));
            }
        })
    }
}
