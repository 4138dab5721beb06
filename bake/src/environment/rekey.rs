//! An environment's secrets, encrypted to those who are now its recipients.

use std::path::Path;

use bake_recipes::environment::{self, Environment, EnvironmentName, Recipients, Setting, Source};
use bake_recipes::{RecipeError, RecipeErrors};

use super::digest_key::BOUND_TO;
use super::document::{Document, Start};
use super::edit;
use super::envelope::{self, Bound};
use super::fault::Fault;
use super::identities::Identities;
use super::recipients::{Recipient, RecipientList};

/// Who is to be able to decrypt from now on.
#[derive(Debug, Clone, Copy)]
pub struct Change<'a> {
    /// Who can, too.
    pub add: &'a [String],
    /// Who no longer can.
    pub remove: &'a [String],
}

/// What became of one ciphertext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rekeyed {
    /// The key, or `digest-key`.
    pub key: String,
    /// What became of it.
    pub state: State,
}

/// What became of a ciphertext.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It was encrypted to these recipients already.
    Kept,
    /// It was encrypted anew.
    Encrypted,
}

/// Returns whether an environment's own file holds what is decrypted to be encrypted anew.
pub fn needs_identities(environment: &Environment) -> bool {
    let is_own = |setting: &Setting| {
        setting.origin == environment.name && matches!(setting.source, Source::Age(_))
    };
    environment.digest_key.is_some() || environment.settings.values().any(is_own)
}

/// Encrypts everything that an environment's own file holds to those who are now its recipients.
///
/// What is encrypted to them already stays as it is. All of it is decrypted before anything is written, so that a file
/// is either rekeyed or untouched.
pub fn rekey(
    folder: &Path,
    name: &EnvironmentName,
    change: Change<'_>,
    identities: &Identities,
) -> Result<Vec<Rekeyed>, RecipeErrors> {
    let mut document = Document::open(folder, name, Start::There)?;
    let mut environment = environment::load(folder, name)?;
    let could: Vec<String> = environment.recipients.iter().flat_map(texts).collect();
    if !change.add.is_empty() || !change.remove.is_empty() {
        let list = changed(&environment, change)?;
        document.set_recipients(&list);
        let place = environment
            .recipients
            .iter()
            .flat_map(|known| &known.list)
            .map(|(_, place)| place)
            .next();
        let place = place.cloned().unwrap_or_else(|| nowhere(&environment));
        let list = list.into_iter().map(|text| (text, place.clone())).collect();
        environment.recipients = Some(Recipients { list, origin: name.clone() });
    }
    let recipients = edit::recipients(&environment)?;
    let work = Work { name, recipients: &recipients, identities, could: &could };
    let (mut done, mut errors) = (Vec::new(), Vec::new());
    let about = |what: &str| format!("cannot encrypt `{what}` anew");
    for (key, setting) in environment.settings.iter().filter(|(_, setting)| setting.origin == *name)
    {
        let Source::Age(armored) = &setting.source else { continue };
        match work.again(key.as_str(), armored, |anew| document.set_secret(key, anew)) {
            Ok(state) => done.push(Rekeyed { key: key.to_string(), state }),
            Err(fault) => errors.push(fault.at(&setting.place, about(key.as_str()))),
        }
    }
    if let Some(written) = &environment.digest_key {
        match work.again(BOUND_TO, &written.age, |anew| document.set_digest_key(&anew)) {
            Ok(state) => done.push(Rekeyed { key: BOUND_TO.into(), state }),
            Err(fault) => errors.push(fault.at(&written.place, about(BOUND_TO))),
        }
    }
    let done = RecipeErrors::check(errors, Some(done))?;
    document.save()?;
    Ok(done)
}

struct Work<'a> {
    name: &'a EnvironmentName,
    recipients: &'a RecipientList,
    identities: &'a Identities,
    could: &'a [String],
}

impl Work<'_> {
    fn again(
        &self,
        key: &str,
        armored: &str,
        put: impl FnOnce(String) -> Result<(), Fault>,
    ) -> Result<State, Fault> {
        let bound = Bound { environment: self.name, key };
        let opened = envelope::open(armored, bound, self.identities, self.could)?;
        if opened.recipients == Some(self.recipients.fingerprint()) {
            return Ok(State::Kept);
        }
        put(envelope::seal(&opened.value, bound, self.recipients)?)?;
        Ok(State::Encrypted)
    }
}

/// Returns the environments that inherit their recipients from one and hold ciphertexts of their own.
pub fn heirs(folder: &Path, name: &EnvironmentName) -> Result<Vec<EnvironmentName>, RecipeErrors> {
    let mut heirs = Vec::new();
    for other in environment::list(folder)? {
        if other == *name {
            continue;
        }
        // One that is broken is not what was asked about.
        let Ok(loaded) = environment::load(folder, &other) else { continue };
        let inherits =
            loaded.recipients.as_ref().is_some_and(|recipients| recipients.origin == *name);
        if inherits && needs_identities(&loaded) {
            heirs.push(other);
        }
    }
    Ok(heirs)
}

fn texts(recipients: &Recipients) -> Vec<String> {
    recipients.list.iter().map(|(text, _)| text.clone()).collect()
}

fn nowhere(environment: &Environment) -> bake_recipes::Place {
    let path = environment::path(&environment.folder, &environment.name);
    bake_recipes::Place::of(&path.display().to_string().into(), "", &(0..0))
}

/// Returns the list of recipients after a change.
fn changed(environment: &Environment, change: Change<'_>) -> Result<Vec<String>, RecipeError> {
    let name = &environment.name;
    if let Some(known) = &environment.recipients
        && known.origin != *name
    {
        let origin = &known.origin;
        let error = RecipeError::new(format!("`{name}` inherits its recipients from `{origin}`"));
        let hint = format!(
            "change them there: `bake env rekey {origin} …`, or give `{name}` `recipients` of its own"
        );
        return Err(error.hint(hint));
    }
    let mut list: Vec<String> = environment.recipients.iter().flat_map(texts).collect();
    let one = |flag: &str, text: &String| {
        Recipient::parse(text)
            .map_err(|fault| fault.about(format!("{flag} {}", text.escape_debug())))
    };
    let is = |text: &String, recipient: &Recipient| {
        Recipient::parse(text).is_ok_and(|known| known.as_str() == recipient.as_str())
    };
    for text in change.remove {
        let recipient = one("--remove", text)?;
        let before = list.len();
        list.retain(|known| !is(known, &recipient));
        if list.len() == before {
            let error =
                RecipeError::new(format!("{} is no recipient of `{name}`", text.escape_debug()));
            return Err(error.hint(format!("it has {}", list.join(", "))));
        }
    }
    for text in change.add {
        let recipient = one("--add", text)?;
        if !list.iter().any(|known| is(known, &recipient)) {
            list.push(text.trim().to_owned());
        }
    }
    if list.is_empty() {
        let error =
            RecipeError::new(format!("nobody could decrypt the secrets of `{name}` any more"));
        return Err(error.hint("add somebody first, or unset the secrets"));
    }
    Ok(list)
}
