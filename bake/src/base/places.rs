//! All places that images come from.

use std::path::Path;
use std::time::Duration;

use bake_recipes::resolved::BaseSource;

use super::error::BaseError;
use super::images::{ImageSource, Images, name};
use super::local::LocalImage;
use super::registry::RegistryImage;
use crate::registry::{Answer, Call, Fault, RegistryError, Scope, Wire};

/// Registries, and folders and files of this machine.
#[derive(Clone, Copy)]
pub struct Places<'a> {
    /// Carries calls to registries.
    pub wire: &'a dyn Wire,
    /// What paths are relative to: the recipe's folder.
    pub folder: &'a Path,
}

impl std::fmt::Debug for Places<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Places").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl<'a> Places<'a> {
    /// Returns the places that are reached without a network; registries are not asked.
    pub fn nearby(folder: &'a Path) -> Self {
        Self { wire: &Nobody, folder }
    }
}

/// Carries nothing.
struct Nobody;

impl Wire for Nobody {
    fn call(&self, call: Call<'_>) -> Result<Answer, RegistryError> {
        Err(RegistryError {
            action: "ask".into(),
            subject: call.registry.into(),
            fault: Fault::Unreachable("this command talks to no registry".into()),
            hint: None,
        })
    }

    fn renew(&self, _registry: &str, _scopes: &[Scope]) {}

    fn pause(&self, _registry: &str, _attempt: u32, _retry_after: Option<Duration>) -> bool {
        false
    }
}

impl Images for Places<'_> {
    fn open(&self, source: &BaseSource) -> Result<Box<dyn ImageSource + '_>, BaseError> {
        Ok(match source {
            BaseSource::Registry(reference) => Box::new(RegistryImage::new(self.wire, reference)),
            BaseSource::Local { path, name: wanted } => {
                let path = self.folder.join(path);
                Box::new(LocalImage::open(name(source), &path, wanted.as_deref())?)
            }
        })
    }
}
