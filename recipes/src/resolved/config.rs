//! What differs between environments: the schema, and what the recipe says besides.

use std::collections::BTreeMap;

use bake_config::{Entrypoint, Name, Schema, record, schema};
use bake_formats::tree::{Mode, Owner, PathError, TreePath};

use super::service::{GeneratedFile, Service};
use crate::error::Place;

/// What differs between environments.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The keys, and where their values go. It lies in every artifact.
    pub schema: Schema,
    /// What starts the service.
    pub entrypoint: Entrypoint,
    /// The place of each key.
    pub places: BTreeMap<Name, Place>,
    /// The place of the `[config]` table, if there is one.
    pub place: Option<Place>,
}

impl Default for Config {
    fn default() -> Self {
        let (entrypoint, places) = (Entrypoint::default(), BTreeMap::new());
        Self { schema: Schema::empty(""), entrypoint, places, place: None }
    }
}

/// The names under which outputs tell the schema's digest.
pub const DEB_FIELD: &str = "Bake-Config-Schema";
/// The key of an image's annotation.
pub const OCI_KEY: &str = "dev.bake-config.schema";

impl Config {
    /// Returns the paths at which files are rendered where the service runs.
    pub fn destinations(&self) -> impl Iterator<Item = &str> {
        let documents = self.schema.documents.iter().map(|document| document.path.as_str());
        self.schema.files.iter().map(|file| file.path.as_str()).chain(documents)
    }

    /// Returns the digest of the schema that outputs tell; `None` if nothing is configured.
    pub fn digest(&self) -> Option<String> {
        (!self.schema.is_empty()).then(|| self.schema.digest())
    }

    /// Returns what the rpm provides in the version that is the digest's hexadecimal part.
    pub fn rpm_provide(&self) -> Option<(String, String)> {
        let digest = self.digest()?;
        let (_, hex) = digest.split_once(':')?;
        Some((format!("bake-config-schema({})", self.schema.service.name), hex.to_owned()))
    }

    /// Says what is configured, and lets the service start as the configuration says.
    pub(crate) fn of(mut self, name: &str, service: Option<&mut Service>) -> Self {
        if self.schema.is_empty() {
            return self;
        }
        let account = |owner: &Owner| (!owner.is_root()).then(|| owner.name.to_string());
        let known = service.as_deref();
        self.schema.service = schema::Service {
            name: name.into(),
            unit: known.map(|service| service.name.to_string()),
            user: known.and_then(|service| account(&service.user)),
            group: known.and_then(|service| account(&service.group)),
        };
        if let Some(service) = service {
            service.launcher = self.launcher();
            service.preparation = self.preparation();
        }
        self
    }

    /// Returns where the schema's record lies; `None` if nothing is configured.
    pub fn record_path(&self) -> Option<String> {
        (!self.schema.is_empty()).then(|| record::path(&self.schema.service.name))
    }

    /// Returns where `bake-init` lies in the artifact; each package has its own, so that two never own one file.
    pub fn entrypoint_path(&self) -> Option<String> {
        match self.entrypoint {
            Entrypoint::Direct => None,
            Entrypoint::BakeInit => Some(schema::entrypoint_path(&self.schema.service.name)),
        }
    }

    /// Returns what stands before the command of a service: nothing, or `bake-init` with its arguments.
    pub fn launcher(&self) -> Vec<String> {
        match (self.entrypoint_path(), self.record_path()) {
            (Some(program), Some(record)) => vec![program, record, "--".into()],
            _ => Vec::new(),
        }
    }

    /// Returns what runs as root before the service starts, so that files are rendered where the service may not
    /// write; nothing if there are none.
    pub fn preparation(&self) -> Vec<String> {
        let has_files = !self.schema.files.is_empty() || !self.schema.documents.is_empty();
        match (self.entrypoint_path(), self.record_path()) {
            (Some(program), Some(record)) if has_files => vec![program, "--render".into(), record],
            _ => Vec::new(),
        }
    }

    /// Returns the record as a file of the tree; `None` if nothing is configured.
    pub fn file(&self) -> Result<Option<GeneratedFile>, PathError> {
        let file = |path: String| {
            let (path, contents) = (TreePath::parse(path)?, self.schema.to_record().into_bytes());
            Ok(GeneratedFile { path, contents, mode: Mode::PLAIN, place: self.place.clone() })
        };
        self.record_path().map(file).transpose()
    }
}
