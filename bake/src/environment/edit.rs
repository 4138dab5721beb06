//! What is done to the file of an environment.

use std::path::Path;

use bake_config::{Name, Scalar};
use bake_recipes::environment::{self, Environment, EnvironmentName, Source};
use bake_recipes::{RecipeError, RecipeErrors};

use super::digest_key::DigestKey;
use super::document::{Document, Start};
use super::envelope::{self, Bound};
use super::fault::Fault;
use super::recipients::RecipientList;

/// A key of an environment.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The folder of environments.
    pub folder: &'a Path,
    /// The environment whose file is edited.
    pub environment: &'a EnvironmentName,
    /// The key.
    pub key: &'a Name,
}

impl Target<'_> {
    fn about(&self, fault: Fault) -> RecipeError {
        fault.about(format!("cannot set `{}` of `{}`", self.key, self.environment))
    }
}

/// Sets a plain value; returns whether the file changed.
pub fn set_plain(target: &Target<'_>, value: Scalar, start: Start) -> Result<bool, RecipeErrors> {
    let mut document = Document::open(target.folder, target.environment, start)?;
    document.set_plain(target.key, value).map_err(|fault| target.about(fault))?;
    document.save()
}

/// Checks that a secret of an environment could be encrypted to somebody.
pub fn check_recipients(target: &Target<'_>) -> Result<(), RecipeErrors> {
    let environment = environment::load(target.folder, target.environment)?;
    Ok(recipients(&environment).map(drop)?)
}

/// Encrypts a secret and sets it. An environment without a key of digests gets one.
pub fn set_secret(target: &Target<'_>, value: &str) -> Result<(), RecipeErrors> {
    let mut document = Document::open(target.folder, target.environment, Start::There)?;
    let environment = environment::load(target.folder, target.environment)?;
    let recipients = recipients(&environment)?;
    let bound = Bound { environment: target.environment, key: target.key.as_str() };
    let sealed = envelope::seal(value, bound, &recipients);
    let done = sealed.and_then(|armored| document.set_secret(target.key, armored));
    done.map_err(|fault| target.about(fault))?;
    if environment.digest_key.is_none() {
        put_key(&mut document, &environment, &recipients)?;
    }
    document.save().map(drop)
}

/// Removes a key from an environment's file.
pub fn unset(target: &Target<'_>) -> Result<(), RecipeErrors> {
    let mut document = Document::open(target.folder, target.environment, Start::There)?;
    let environment = environment::load(target.folder, target.environment)?;
    if document.unset(target.key) {
        return document.save().map(drop);
    }
    let (key, name) = (target.key, target.environment);
    Err(match environment.settings.get(key) {
        Some(setting) => {
            let origin = &setting.origin;
            let error =
                setting.place.error(format!("`{key}` is not set in `{name}`, but in `{origin}`"));
            error.hint(format!("`bake env unset {origin} {key}` removes it there")).into()
        }
        None => unknown(&environment, key).into(),
    })
}

/// Which key of digests an environment has afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// The one that it has, else a new one.
    Keep,
    /// A new one: all digests are others then.
    Replace,
}

/// Gives an environment a key of digests; returns whether it is new.
pub fn make_key(
    folder: &Path,
    name: &EnvironmentName,
    renewal: Renewal,
) -> Result<bool, RecipeErrors> {
    let mut document = Document::open(folder, name, Start::There)?;
    let environment = environment::load(folder, name)?;
    if environment.digest_key.is_some() && renewal == Renewal::Keep {
        return Ok(false);
    }
    put_key(&mut document, &environment, &recipients(&environment)?)?;
    document.save()
}

fn put_key(
    document: &mut Document,
    environment: &Environment,
    recipients: &RecipientList,
) -> Result<(), RecipeError> {
    let sealed = DigestKey::random().and_then(|key| key.seal(&environment.name, recipients));
    let done = sealed.and_then(|armored| document.set_digest_key(&armored));
    done.map_err(|fault| fault.about(format!("cannot make a key for `{}`", environment.name)))
}

/// Returns whom an environment's secrets are encrypted to.
pub(super) fn recipients(environment: &Environment) -> Result<RecipientList, RecipeError> {
    let name = &environment.name;
    let nobody = || {
        let error = RecipeError::new(format!(
            "nobody could decrypt a secret of `{name}`: it has no recipients"
        ));
        error.hint(format!(
            "name who can: `bake env rekey {name} --add age1…` (`age-keygen` makes a pair)"
        ))
    };
    RecipientList::of(environment.recipients.as_ref().ok_or_else(nobody)?)
}

/// Returns the error about a key that an environment does not set.
pub fn unknown(environment: &Environment, key: &Name) -> RecipeError {
    let error = RecipeError::new(format!("`{key}` is not set in `{}`", environment.name));
    let names: Vec<&str> = environment.settings.keys().map(Name::as_str).collect();
    match bake_recipes::environment::nearest(key.as_str(), &names) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None if names.is_empty() => error.hint("it sets nothing"),
        None => error.hint(format!("`bake env ls {}` lists what it sets", environment.name)),
    }
}

/// Returns whether a source is secret.
pub fn is_secret(source: &Source) -> bool {
    match source {
        Source::Plain(_) => false,
        Source::Age(_) | Source::Sops(_) | Source::Reference(_) | Source::Command(_) => true,
    }
}
