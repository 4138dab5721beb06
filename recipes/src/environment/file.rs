//! One file of an environment, checked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bake_config::{Name, Scalar};

use super::name::SUFFIX;
use super::place::{place, without_value};
use super::secret::{SopsValue, reference};
use super::written::{Keys, SecretKeys};
use super::{DigestKey, EnvironmentName, Setting, Source, list};
use crate::error::{Place, RecipeError, RecipeErrors};
use crate::load::{self, Fault};
use crate::suggestion;
use crate::written::{self, At, TextOr};

/// The largest file that is read, in bytes.
pub const MAX_LEN: u64 = 16 * 1024 * 1024;
/// How many files one may extend.
const MAX_EXTENDS: usize = 16;
/// How many recipients there may be.
const MAX_RECIPIENTS: usize = 256;

/// How encrypted text begins.
const ENCRYPTED: [(&str, &str); 6] = [
    ("-----BEGIN AGE ENCRYPTED FILE-----", "{ age = … }"),
    ("age-encryption.org/", "{ age = … }"),
    ("ENC[AES256_GCM,", "{ sops = \"FILE#/POINTER\" }"),
    ("-----BEGIN PGP MESSAGE-----", "{ command = [\"gpg\", …] }"),
    ("$ANSIBLE_VAULT;", "{ command = [\"ansible-vault\", …] }"),
    ("vault:v1:", "{ ref = \"vault:…\" }"),
];
/// How a file that age encrypted begins when it is armored.
const ARMOR: &str = "-----BEGIN AGE ENCRYPTED FILE-----";
/// How public keys begin that age encrypts to.
const RECIPIENTS: [&str; 3] = ["age1", "ssh-ed25519 ", "ssh-rsa "];

/// What one file says.
#[derive(Debug)]
pub(super) struct File {
    pub(super) extends: Vec<(EnvironmentName, Place)>,
    pub(super) description: Option<String>,
    pub(super) recipients: Option<Vec<(String, Place)>>,
    pub(super) digest_key: Option<DigestKey>,
    pub(super) settings: BTreeMap<Name, Setting>,
}

/// Returns the path of an environment's file.
pub fn path(folder: &Path, name: &EnvironmentName) -> PathBuf {
    folder.join(format!("{name}{SUFFIX}"))
}

/// Returns the error about an environment that is not there, which lists those that are.
pub fn missing(folder: &Path, name: &EnvironmentName) -> RecipeError {
    let error =
        RecipeError::new(format!("there is no environment `{name}` in `{}`", folder.display()));
    let names = list(folder).unwrap_or_default();
    let names: Vec<_> = names.iter().map(EnvironmentName::as_str).collect();
    match suggestion::nearest(name.as_str(), &names) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None if names.is_empty() => {
            error.hint("there is none; name the folder with `--environments DIR`")
        }
        None => error.hint(format!("there are {}", names.join(", "))),
    }
}

/// Reads the file of an environment.
pub(super) fn read(folder: &Path, name: &EnvironmentName) -> Result<File, RecipeErrors> {
    let path = path(folder, name);
    let unreadable = |reason: &str| {
        RecipeError::new(format!("cannot read the environment: `{}` {reason}", path.display()))
    };
    match fs_err::symlink_metadata(&path) {
        Ok(found) if found.is_symlink() => {
            let hint = "write `extends = [\"NAME\"]` into a file of its own instead";
            return Err(unreadable("is a link").hint(hint).into());
        }
        Ok(found) if !found.is_file() => return Err(unreadable("is not a file").into()),
        // What else is wrong is said by reading it.
        Ok(_) | Err(_) => {}
    }
    let text = load::read(&path, "environment", MAX_LEN).map_err(|fault| match fault {
        Fault::Missing(_) => missing(folder, name),
        Fault::Other(error) => without_value(error),
    })?;
    parse(&path.display().to_string(), &text, name)
}

/// Returns what the text of an environment's file sets itself; `file` is what errors call it.
pub fn own_sources(
    file: &str,
    text: &str,
    name: &EnvironmentName,
) -> Result<BTreeMap<Name, Source>, RecipeErrors> {
    let parsed = parse(file, text, name)?;
    Ok(parsed.settings.into_iter().map(|(key, setting)| (key, setting.source)).collect())
}

/// Parses the text of an environment's file; `file` is what errors call it.
pub(super) fn parse(file: &str, text: &str, name: &EnvironmentName) -> Result<File, RecipeErrors> {
    let keys: Keys = load::keys(file, text).map_err(|errors| {
        errors.map(|error| {
            let is_table = error.message.contains("found the table");
            match without_value(error) {
                error if is_table && error.hint.is_none() => {
                    error.hint("values have no structure; a key of type `json` takes text")
                }
                error => error,
            }
        })
    })?;
    Reader { file: Arc::from(file), text, name, errors: Vec::new() }.file(keys)
}

/// Checks what is written, collecting what is wrong with it.
struct Reader<'a> {
    file: Arc<str>,
    text: &'a str,
    name: &'a EnvironmentName,
    errors: Vec<RecipeError>,
}

impl Reader<'_> {
    fn place<T>(&self, at: &At<T>) -> Place {
        place(&self.file, self.text, &at.span)
    }

    fn fault<T>(&mut self, at: &At<T>, message: impl Into<String>) {
        let error = self.place(at).error(message);
        self.errors.push(error);
    }

    fn advise<T>(&mut self, at: &At<T>, message: impl Into<String>, hint: impl Into<String>) {
        let error = self.place(at).error(message).hint(hint);
        self.errors.push(error);
    }

    fn file(mut self, keys: Keys) -> Result<File, RecipeErrors> {
        let extends = self.extends(&keys.extends);
        let description = keys.description.map(|at| at.value);
        let recipients = keys.recipients.as_ref().map(|at| self.recipients(at));
        let digest_key = keys.digest_key.as_ref().and_then(|at| self.digest_key(at));
        let mut settings = BTreeMap::new();
        for (key, at) in keys.values {
            if let Some(source) = self.value(&key, at) {
                self.set(&key, source, &mut settings);
            }
        }
        for (key, at) in &keys.secrets {
            if let Some(source) = self.secret(key, &at.value) {
                self.set(key, source, &mut settings);
            }
        }
        let file = File { extends, description, recipients, digest_key, settings };
        RecipeErrors::check(self.errors, Some(file))
    }

    fn extends(&mut self, written: &[At<String>]) -> Vec<(EnvironmentName, Place)> {
        let mut all: Vec<(EnvironmentName, Place)> = Vec::new();
        for at in written {
            match at.value.parse::<EnvironmentName>() {
                Err(error) => {
                    let hint = "the name of a file of this folder without `.toml`";
                    self.advise(at, error.to_string(), hint);
                }
                Ok(name) if all.iter().any(|(known, _)| *known == name) => {
                    self.fault(at, format!("`{name}` stands here twice"));
                }
                Ok(name) => all.push((name, self.place(at))),
            }
        }
        if let Some(at) = written.get(MAX_EXTENDS) {
            self.fault(at, format!("expected at most {MAX_EXTENDS} environments to extend"));
        }
        all
    }

    fn recipients(&mut self, at: &At<Vec<At<String>>>) -> Vec<(String, Place)> {
        let mut all: Vec<(String, Place)> = Vec::new();
        if at.value.is_empty() {
            self.advise(at, "nobody could decrypt", "leave the key out to inherit recipients");
        }
        for one in &at.value {
            let text = one.value.trim();
            if all.iter().any(|(known, _)| known == text) {
                self.fault(one, "this recipient stands here twice");
            } else if text.starts_with("AGE-SECRET-KEY-") || text.contains("PRIVATE KEY") {
                let hint =
                    "put the public key here, and make a new pair: this one is no secret any more";
                self.advise(one, "this is a secret key", hint);
            } else if !RECIPIENTS.iter().any(|start| text.starts_with(start)) || text.contains('\n')
            {
                self.advise(
                    one,
                    "this is no recipient",
                    "expected `age1…`, `ssh-ed25519 …` or `ssh-rsa …`",
                );
            } else {
                all.push((text.to_owned(), self.place(one)));
            }
        }
        if let Some(one) = at.value.get(MAX_RECIPIENTS) {
            self.fault(one, format!("expected at most {MAX_RECIPIENTS} recipients"));
        }
        all
    }

    fn digest_key(&mut self, at: &At<String>) -> Option<DigestKey> {
        if is_armored(&at.value) {
            return Some(DigestKey { age: at.value.clone(), place: self.place(at) });
        }
        let hint = format!("`bake env key {}` makes one", self.name);
        self.advise(at, "expected a key that age encrypted, armored", hint);
        None
    }

    fn value(&mut self, key: &At<String>, at: At<written::Scalar>) -> Option<Source> {
        let value = match at.value {
            written::Scalar::Text(text) => Scalar::Text(text),
            written::Scalar::Integer(number) => Scalar::Integer(number),
            written::Scalar::Float(number) => Scalar::Float(number),
            written::Scalar::Bool(yes) => Scalar::Bool(yes),
            written::Scalar::List(list) => Scalar::List(list),
            written::Scalar::Date(_) => {
                self.advise(key, "a date is no value", "put it in quotes");
                return None;
            }
        };
        let texts: &[String] = match &value {
            Scalar::Text(text) => std::slice::from_ref(text),
            Scalar::List(list) => list,
            Scalar::Integer(_) | Scalar::Float(_) | Scalar::Bool(_) => &[],
        };
        let begins = |text: &String| {
            ENCRYPTED.iter().find(|(start, _)| text.trim_start().starts_with(start))
        };
        if let Some((_, meant)) = texts.iter().find_map(begins) {
            let name = key.value.escape_debug();
            let message =
                format!("the value of `{name}` is encrypted, and `[values]` are taken as they are");
            self.advise(key, message, format!("write `{name} = {meant}` into `[secrets]`"));
            return None;
        }
        Some(Source::Plain(value))
    }

    fn secret(&mut self, key: &At<String>, written: &TextOr<SecretKeys>) -> Option<Source> {
        let name = key.value.escape_debug().to_string();
        let keys = match written {
            TextOr::Table(keys) => keys,
            TextOr::Text(_) => {
                let message = format!("the secret `{name}` stands here in plain text");
                let hint = format!(
                    "`bake env set {} {name} --secret` encrypts it; whoever could read this file knows the old one",
                    self.name
                );
                self.advise(key, message, hint);
                return None;
            }
        };
        let (age, sops) = (keys.age.as_ref(), keys.sops.as_ref());
        match (age, sops, keys.reference.as_ref(), keys.command.as_ref()) {
            (Some(age), None, None, None) if is_armored(age) => Some(Source::Age(age.clone())),
            (Some(_), None, None, None) => {
                let hint = format!("`bake env set {} {name} --secret` writes it", self.name);
                self.advise(
                    key,
                    format!("`age` of `{name}` is not what age encrypted, armored"),
                    hint,
                );
                None
            }
            (None, Some(text), None, None) => {
                let parsed = SopsValue::parse(text).map(Source::Sops);
                parsed
                    .map_err(|expected| self.fault(key, format!("`sops` of `{name}`: {expected}")))
                    .ok()
            }
            (None, None, Some(text), None) => {
                let parsed = reference(text).map(Source::Reference);
                parsed
                    .map_err(|expected| self.fault(key, format!("`ref` of `{name}`: {expected}")))
                    .ok()
            }
            (None, None, None, Some(words)) => {
                let is_empty = words.first().is_none_or(String::is_empty);
                if is_empty || words.iter().any(|word| word.contains('\0')) {
                    self.fault(
                        key,
                        format!("`command` of `{name}`: expected a program and its arguments"),
                    );
                    return None;
                }
                Some(Source::Command(words.clone()))
            }
            (None, None, None, None) => {
                self.fault(
                    key,
                    format!("`{name}`: expected one of `age`, `sops`, `ref` and `command`"),
                );
                None
            }
            _ => {
                self.fault(key, format!("`{name}` has several sources, expected one"));
                None
            }
        }
    }

    fn set(&mut self, key: &At<String>, source: Source, all: &mut BTreeMap<Name, Setting>) {
        let Some(name) = Name::parse(&key.value) else {
            let message =
                format!("`{}` is not the name of a configuration key", key.value.escape_debug());
            self.advise(key, message, "capital letters, digits and `_`, e.g. `DATABASE_URL`");
            return;
        };
        if let Some(other) = all.get(&name) {
            let message = format!(
                "`{name}` is in `[values]` and in `[secrets]`; the other is at {}",
                other.place
            );
            self.fault(key, message);
            return;
        }
        let setting = Setting { source, place: self.place(key), origin: self.name.clone() };
        all.insert(name, setting);
    }
}

fn is_armored(text: &str) -> bool {
    text.trim_start().starts_with(ARMOR)
}
