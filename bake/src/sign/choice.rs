//! Which of several keys signs: the one that gpg would take.

use super::Moment;
use super::certificate::{Certificate, Part, hex};

/// What somebody calls a key: its fingerprint or the last 16 digits of it.
#[derive(Debug)]
pub(super) struct KeyId {
    digits: String,
    /// Whether the primary key's name means the primary key, and not its newest subkey too.
    exactly: bool,
}

impl KeyId {
    /// Parses an id as gpg prints it, with spaces and `0x` or without; `!` at its end means exactly
    /// this key.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let digits: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let exactly = digits.ends_with('!');
        let digits = digits.trim_end_matches('!').to_ascii_uppercase();
        let digits = digits.strip_prefix("0X").unwrap_or(&digits).to_owned();
        let is_hex = digits.chars().all(|c| c.is_ascii_hexdigit());
        if !is_hex || ![16, 40, 64].contains(&digits.len()) {
            let expected = "a fingerprint of 40 or 64 hexadecimal digits, or the last 16 of them";
            return Err(format!("`{text}` is no key id: expected {expected}"));
        }
        Ok(Self { digits, exactly })
    }

    /// Returns the id of exactly one key, from the digits that a signature says.
    pub(super) fn exactly(digits: &str) -> Self {
        Self { digits: digits.to_owned(), exactly: true }
    }

    /// Returns whether a key is meant: by its own name, or by that of its certificate.
    pub(super) fn names(&self, certificate: &Certificate, part: Part) -> bool {
        let is = |part| {
            let key = certificate.details(part);
            let id = key.legacy_key_id().to_string().to_ascii_uppercase();
            self.digits == hex(&key.fingerprint()) || self.digits == id
        };
        is(part) || (!self.exactly && is(Part::Primary))
    }
}

/// A key chosen to sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    /// Its number among those offered.
    pub(super) number: usize,
    /// The time of its signatures.
    pub(super) time: u32,
}

/// Returns the key that is to sign: the newest subkey that can, else the primary key.
///
/// With a key id it is one of the keys so called. All must be of one certificate: which of several
/// people signs is nothing to guess.
pub(super) fn choose(
    offered: &[(&Certificate, Part)],
    key_id: Option<&str>,
    moment: Moment,
) -> Result<Choice, String> {
    let wanted = key_id.map(KeyId::parse).transpose()?;
    let is_wanted = |(certificate, part): &(&Certificate, Part)| {
        wanted.as_ref().is_none_or(|id| id.names(certificate, *part))
    };
    if !offered.iter().any(is_wanted) {
        let held: Vec<String> = offered.iter().map(|(c, part)| c.fingerprint_of(*part)).collect();
        let wanted = key_id.unwrap_or("a key");
        return Err(format!("expected {wanted}, found {}", held.join(", ")));
    }
    let mut fit = Vec::new();
    let mut unfit = Vec::new();
    for (number, (certificate, part)) in offered.iter().enumerate() {
        if !is_wanted(&(certificate, *part)) {
            continue;
        }
        let checked = certificate.check(*part, moment.now);
        match checked.and_then(|()| certificate.first_moment(*part, moment.epoch)) {
            Ok(time) => fit.push(Choice { number, time }),
            Err(reason) => unfit.push(format!("{} {reason}", certificate.fingerprint_of(*part))),
        }
    }
    one_certificate(&fit, offered)?;
    let rank = |choice: &&Choice| {
        let (certificate, part) = offered[choice.number];
        (part != Part::Primary, certificate.created(part))
    };
    let newest = fit.iter().max_by_key(rank).copied();
    newest.ok_or_else(|| format!("no key that can sign: {}", unfit.join("; ")))
}

fn one_certificate(fit: &[Choice], offered: &[(&Certificate, Part)]) -> Result<(), String> {
    let mut names: Vec<String> =
        fit.iter().map(|choice| offered[choice.number].0.fingerprint()).collect();
    names.dedup();
    match names.as_slice() {
        [] | [_] => Ok(()),
        names => {
            let names = names.join(" and ");
            Err(format!("it holds the keys of several: {names}; say which with --key-id"))
        }
    }
}
