//! An environment with what it extends.

use std::collections::BTreeMap;
use std::path::Path;

use super::file::{self, File};
use super::{Environment, EnvironmentName, MAX_DEPTH, Recipients};
use crate::error::{Place, RecipeErrors};

/// Loads an environment and everything that it extends.
///
/// Each file stands in it once: where a file came in twice, which value wins would depend on the way.
pub fn load(folder: &Path, name: &EnvironmentName) -> Result<Environment, RecipeErrors> {
    let mut environment = Environment {
        name: name.clone(),
        folder: folder.into(),
        description: None,
        extends: Vec::new(),
        settings: BTreeMap::new(),
        recipients: None,
        digest_key: None,
    };
    let file = file::read(folder, name)?;
    environment.extends = file.extends.iter().map(|(name, _)| name.clone()).collect();
    let mut chain = Chain { folder, path: vec![name.clone()], seen: BTreeMap::new() };
    chain.seen.insert(name.clone(), chain.path.clone());
    chain.apply(file, &mut environment)?;
    Ok(environment)
}

/// Where we are among the files.
struct Chain<'a> {
    folder: &'a Path,
    /// From the environment asked for to the file that is read.
    path: Vec<EnvironmentName>,
    /// The way to each file that was read.
    seen: BTreeMap<EnvironmentName, Vec<EnvironmentName>>,
}

impl Chain<'_> {
    /// Lays a file over what it extends, which is laid over what there is.
    fn apply(&mut self, file: File, all: &mut Environment) -> Result<(), RecipeErrors> {
        for (name, place) in &file.extends {
            self.enter(name, place)?;
            let extended = self.read(name, place)?;
            self.apply(extended, all)?;
            self.path.pop();
        }
        let Some(origin) = self.path.last() else { return Ok(()) };
        all.settings.extend(file.settings);
        if let Some(list) = file.recipients {
            all.recipients = Some(Recipients { list, origin: origin.clone() });
        }
        if *origin == all.name {
            all.description = file.description;
            all.digest_key = file.digest_key;
        }
        Ok(())
    }

    fn read(&self, name: &EnvironmentName, place: &Place) -> Result<File, RecipeErrors> {
        if fs_err::symlink_metadata(file::path(self.folder, name)).is_ok() {
            return file::read(self.folder, name);
        }
        // The line that names it says more than the folder.
        let mut error = file::missing(self.folder, name);
        error.place = Some(place.clone());
        Err(error.into())
    }

    fn enter(&mut self, name: &EnvironmentName, place: &Place) -> Result<(), RecipeErrors> {
        let mut path = self.path.clone();
        path.push(name.clone());
        if self.path.contains(name) {
            let message = format!("`{name}` extends itself: {}", way(&path));
            return Err(place.error(message).into());
        }
        if let Some(other) = self.seen.get(name) {
            let message = format!("`{name}` is extended twice: {} and {}", way(other), way(&path));
            let hint =
                "extend it once: what one of the two sets over it would be undone by the other";
            return Err(place.error(message).hint(hint).into());
        }
        if path.len() > MAX_DEPTH + 1 {
            let message = format!("expected at most {MAX_DEPTH} levels, found {}", way(&path));
            return Err(place.error(message).into());
        }
        self.path.clone_from(&path);
        self.seen.insert(name.clone(), path);
        Ok(())
    }
}

fn way(path: &[EnvironmentName]) -> String {
    let names: Vec<_> = path.iter().map(EnvironmentName::as_str).collect();
    names.join(" → ")
}
