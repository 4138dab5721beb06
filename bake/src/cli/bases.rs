//! What commands that need base images take: whether the network and the lock file may be touched.

use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::Failure;
use super::printer::Printer;
use super::registry::RegistryArgs;
use crate::base::{Locking, Network, Places, Rules};
use crate::registry::Client;

/// How base images are found.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Base images")]
pub(super) struct BaseArgs {
    /// Ask no registry: what is not in the store already is an error
    #[arg(long)]
    offline: bool,
    /// Leave the lock file as it is: what is missing in it is an error, a base image, its image for
    /// a platform or the layer of a file
    #[arg(long)]
    locked: bool,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl BaseArgs {
    /// Returns what may be done.
    pub(super) fn rules(&self) -> Rules {
        let network = if self.offline { Network::Offline } else { Network::Allowed };
        let locking = if self.locked { Locking::Frozen } else { Locking::Extend };
        Rules { network, locking }
    }

    /// Returns who talks to registries.
    pub(super) fn client(&self, printer: &Printer) -> Result<Client, Failure> {
        self.registry.client(printer)
    }
}

/// Returns the folder of a recipe, as the recipe was named.
pub(super) fn folder(recipe: &Path) -> PathBuf {
    match recipe.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Returns the places of base images for a command that never asks a registry.
pub(super) fn nearby(folder: &Path) -> (Places<'_>, Rules) {
    let rules = Rules { network: Network::Unneeded, locking: Locking::Extend };
    (Places::nearby(folder), rules)
}
