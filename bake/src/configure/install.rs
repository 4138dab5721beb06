//! What a service needs below `/`: the files of the target `systemd`, cut by who may see them.

use bake_config::schema::{Reload, Secrecy};
use bake_config::{Deployment, OutputFile, Refusal};
use bake_formats::blob::{BlobStore, MemoryStore};
use bake_formats::format::WriteError;
use bake_formats::tree::{Content, Entry, FileTree, Mode, TreeBuilder, TreePath};

use super::failure::Failure;

/// The files of a service, in the order of their paths, which are relative to `/`.
#[derive(Debug)]
pub(super) struct Install {
    /// What everybody may read.
    pub(super) open: Vec<OutputFile>,
    /// What only root may read.
    pub(super) secret: Vec<OutputFile>,
    /// The folders, relative to `/`, that are there for this configuration alone.
    folders: Vec<String>,
    /// The unit, with `.service`.
    pub(super) unit: String,
    /// What happens to the service when the configuration changes.
    pub(super) reload: Reload,
}

impl Install {
    /// Renders a deployment.
    pub(super) fn of(deployment: &Deployment<'_>) -> Result<Self, Vec<Refusal>> {
        let files = bake_config::Target::Systemd.render(deployment)?;
        let is_open = |file: &OutputFile| file.secrecy == Secrecy::Open;
        let (open, secret) = files.into_iter().partition(is_open);
        // The target has refused a deployment without a unit.
        let unit = deployment.schema.service.unit.as_deref().unwrap_or(deployment.name());
        let unit = format!("{unit}.service");
        let own = format!("etc/{}", deployment.name());
        let folders = vec![own.clone(), format!("{own}/credentials"), drop_ins(&unit)];
        Ok(Self { open, secret, folders, unit, reload: reload(deployment)? })
    }

    /// Returns the drop-in's path, absolute.
    pub(super) fn drop_in(&self) -> String {
        format!("/{}/50-bake-config.conf", drop_ins(&self.unit))
    }

    /// Returns the folder, relative to `/`, of files of one value each.
    pub(super) fn credentials(deployment: &Deployment<'_>) -> String {
        format!("etc/{}/credentials/", deployment.name())
    }

    /// Returns the open files as a tree of root's.
    ///
    /// What is open needs no group: the repository, the volume or the image that it comes in is read by many.
    pub(super) fn tree(&self) -> Result<Contents, Failure> {
        let mut builder = TreeBuilder::new();
        let blobs = MemoryStore::new();
        for file in &self.open {
            let path = TreePath::parse(&file.path).map_err(|error| refused(&file.path, &error))?;
            let mode = Mode::from_st_mode(file.mode);
            builder.insert(path, Entry::file(Content::of(&file.contents), mode)).map_err(tree)?;
            blobs.put(&file.contents)?;
        }
        // rpm removes no folder that it does not know.
        for folder in &self.folders {
            let within = format!("{folder}/");
            if self.open.iter().any(|file| file.path.starts_with(&within)) {
                let path = TreePath::parse(folder).map_err(|error| refused(folder, &error))?;
                builder.insert(path, Entry::directory()).map_err(tree)?;
            }
        }
        Ok(Contents { tree: builder.finish().map_err(tree)?, blobs })
    }
}

/// A tree with its contents.
pub(super) struct Contents {
    pub(super) tree: FileTree,
    pub(super) blobs: MemoryStore,
}

/// Returns the folder of a unit's drop-ins, relative to `/`.
fn drop_ins(unit: &str) -> String {
    format!("etc/systemd/system/{unit}.d")
}

fn refused(path: &str, error: &bake_formats::tree::PathError) -> Failure {
    let hint = "choose another path in the recipe";
    Failure::refused(path.escape_debug(), error.to_string(), hint)
}

fn tree(error: bake_formats::tree::TreeError) -> Failure {
    Failure::write("configuration")(WriteError::Tree(error))
}

/// Returns the most that a change may ask for: what reaches a program as it starts asks for a new start.
fn reload(deployment: &Deployment<'_>) -> Result<Reload, Vec<Refusal>> {
    if !deployment.deliveries().is_empty() {
        return Ok(Reload::Restart);
    }
    let files = deployment.files()?;
    let asks = |reload: Reload| {
        files.iter().any(|file| {
            // A secret file may be a credential, and those are loaded at the start.
            let asked = if file.secrecy == Secrecy::Secret { Reload::Restart } else { file.reload };
            asked == reload
        })
    };
    Ok(if asks(Reload::Restart) {
        Reload::Restart
    } else if asks(Reload::Reload) {
        Reload::Reload
    } else {
        Reload::None
    })
}
