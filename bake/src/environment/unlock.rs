//! From what an environment sets to the values themselves.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;

use bake_config::{Given, Name, Secret};
use bake_recipes::environment::{self, Environment, Setting, Source};
use bake_recipes::{RecipeError, RecipeErrors};

use super::command;
use super::envelope::{self, Bound};
use super::fault::Fault;
use super::identities::Identities;
use super::sops::SopsFile;

/// Whether programs that an environment names are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commands {
    /// They are an error: who runs a bake need not trust who writes environments.
    Refused,
    /// They are run.
    Run,
}

/// Returns whether a setting is decrypted with an identity.
pub fn needs_identities(source: &Source) -> bool {
    match source {
        Source::Age(_) | Source::Sops(_) => true,
        Source::Plain(_) | Source::Reference(_) | Source::Command(_) => false,
    }
}

type Opened = Result<Rc<SopsFile>, Fault>;

/// Decrypts what an environment sets; each file of sops once.
pub struct Unlock<'a> {
    environment: &'a Environment,
    identities: &'a Identities,
    commands: Commands,
    files: RefCell<BTreeMap<PathBuf, Opened>>,
}

impl fmt::Debug for Unlock<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unlock")
            .field("environment", &self.environment.name)
            .finish_non_exhaustive()
    }
}

impl<'a> Unlock<'a> {
    /// Decrypts nothing yet.
    pub fn new(
        environment: &'a Environment,
        identities: &'a Identities,
        commands: Commands,
    ) -> Self {
        Self { environment, identities, commands, files: RefCell::default() }
    }

    /// Returns everything that is set; the errors are all that could not be had.
    pub fn all(&self) -> Result<BTreeMap<Name, Given>, RecipeErrors> {
        let (mut all, mut errors) = (BTreeMap::new(), Vec::new());
        for (name, setting) in &self.environment.settings {
            match self.one(name, setting) {
                Ok(given) => drop(all.insert(name.clone(), given)),
                Err(error) => errors.push(error),
            }
        }
        RecipeErrors::check(errors, Some(all))
    }

    /// Returns the value of one key.
    pub fn one(&self, name: &Name, setting: &Setting) -> Result<Given, RecipeError> {
        let value = match &setting.source {
            Source::Plain(value) => return Ok(Given::Plain(value.clone())),
            Source::Reference(reference) => return Ok(Given::Reference(reference.clone())),
            Source::Age(armored) => {
                let bound = Bound { environment: &setting.origin, key: name.as_str() };
                let could = could(self.environment, setting);
                envelope::open(armored, bound, self.identities, &could).map(|opened| opened.value)
            }
            Source::Sops(value) => {
                let path = self.environment.folder.join(&value.file);
                self.file(&path).and_then(|file| file.get(value)).map_err(|fault| Fault {
                    message: format!("`{}`: {}", path.display(), fault.message),
                    ..fault
                })
            }
            Source::Command(words) => {
                match self.commands {
                    Commands::Run => command::output(words),
                    Commands::Refused => {
                        let program =
                            words.first().map(String::as_str).unwrap_or_default().escape_debug();
                        Err(Fault::new(format!("it is what `{program}` prints, and no program is run unasked"))
                        .hint("look at what the environment runs, then allow it with `--run-commands`"))
                    }
                }
            }
        };
        let mut value =
            value.map_err(|fault| fault.at(&setting.place, format!("cannot unlock `{name}`")))?;
        Ok(Given::Secret(Secret::new(std::mem::take(&mut *value))))
    }

    fn file(&self, path: &PathBuf) -> Opened {
        if let Some(opened) = self.files.borrow().get(path) {
            return opened.clone();
        }
        let opened = SopsFile::open(path, self.identities).map(Rc::new);
        self.files.borrow_mut().insert(path.clone(), opened.clone());
        opened
    }
}

/// Returns who could decrypt a setting: the recipients of the file that it is in.
fn could(environment: &Environment, setting: &Setting) -> Vec<String> {
    let texts = |environment: &Environment| {
        let list = environment.recipients.iter().flat_map(|recipients| &recipients.list);
        list.map(|(text, _)| text.clone()).collect()
    };
    if setting.origin == environment.name {
        return texts(environment);
    }
    // It was read a moment ago; without it the error says less.
    environment::load(&environment.folder, &setting.origin)
        .map(|origin| texts(&origin))
        .unwrap_or_default()
}
