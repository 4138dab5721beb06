//! From the recipe to an image's configuration.

use std::collections::{BTreeMap, BTreeSet};

use bake_formats::oci::accounts::NO_LOGIN;
use bake_formats::oci::{Accounts, Base, Group, Image, Platform, StateDirectory, User};
use bake_formats::tree::{FileTree, Mark, TreePath};
use bake_recipes::resolved::{Oci, Recipe};

/// Returns the description of a recipe's image.
pub(super) fn image(recipe: &Recipe, table: &Oci, tree: &FileTree, base: Option<&Base>) -> Image {
    let platform = Platform {
        os: recipe.platform.os().to_owned(),
        architecture: recipe.platform.architecture().to_owned(),
        variant: recipe.platform.variant().map(str::to_owned),
    };
    let mut image = Image::new(recipe.name.to_string(), recipe.version.oci_tag(), platform);
    image.entrypoint.clone_from(&table.entrypoint);
    image.cmd.clone_from(&table.cmd);
    image.env = table.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    image.user.clone_from(&table.user);
    image.working_dir = table.workdir.as_ref().map(ToString::to_string);
    image.exposed_ports = table.ports.iter().map(ToString::to_string).collect();
    image.volumes = table.volumes.iter().map(ToString::to_string).collect();
    image.labels = table.labels.clone();
    image.annotations = annotations(recipe);
    image.annotations.extend(table.annotations.clone());
    image.stop_signal.clone_from(&table.stop_signal);
    image.author = recipe.maintainer.as_ref().map(ToString::to_string);
    image.compression = table.compression;
    image.base = base.cloned();
    image.accounts = accounts(recipe, tree);
    image.state = state(recipe);
    image
}

/// Returns the image with the bytes of its base: what loads an archive knows no other place.
pub(super) fn complete(mut image: Box<Image>) -> Box<Image> {
    if let Some(base) = &mut image.base {
        base.includes_layers = true;
    }
    image
}

/// Returns the standard annotations that the recipe can fill (image-spec, annotations.md).
fn annotations(recipe: &Recipe) -> BTreeMap<String, String> {
    let all = [
        ("title", Some(recipe.name.to_string())),
        ("version", Some(recipe.version.to_string())),
        ("description", Some(recipe.summary.clone())),
        ("licenses", recipe.license.clone()),
        ("vendor", recipe.vendor.clone()),
        ("url", recipe.homepage.clone()),
        ("source", recipe.vcs.clone()),
        ("authors", recipe.maintainer.as_ref().map(ToString::to_string)),
    ];
    let key = |name| format!("org.opencontainers.image.{name}");
    all.into_iter().filter_map(|(name, value)| Some((key(name), value?))).collect()
}

/// Returns the accounts that the image needs: those that own files and the one that runs.
fn accounts(recipe: &Recipe, tree: &FileTree) -> Accounts {
    let mut users = BTreeMap::new();
    let mut groups = BTreeMap::new();
    for (_, entry) in tree.iter().filter(|(_, entry)| entry.mark != Mark::Ghost) {
        users
            .insert(entry.owner.name.to_string(), (entry.owner.id, entry.group.id, "/".to_owned()));
        groups.insert(entry.group.name.to_string(), entry.group.id);
    }
    if let Some(service) = &recipe.service {
        let home = service.state.first().map_or_else(|| "/".to_owned(), |s| s.path.to_string());
        users.insert(service.user.name.to_string(), (service.user.id, service.group.id, home));
        groups.insert(service.group.name.to_string(), service.group.id);
    }
    // root is always there.
    users.remove("root");
    groups.remove("root");
    Accounts {
        users: users
            .into_iter()
            .map(|(name, (id, gid, home))| User { name, id, gid, home, shell: NO_LOGIN.to_owned() })
            .collect(),
        groups: groups.into_iter().map(|(name, id)| Group { name, id }).collect(),
    }
}

/// Returns the directories that the service keeps data in, which systemd makes elsewhere.
fn state(recipe: &Recipe) -> Vec<StateDirectory> {
    let Some(service) = &recipe.service else { return Vec::new() };
    let mut seen: BTreeSet<TreePath> = BTreeSet::new();
    service
        .state
        .iter()
        .filter(|state| seen.insert(state.path.clone()))
        .map(|state| StateDirectory {
            path: state.path.clone(),
            mode: state.mode,
            owner: service.user.clone(),
            group: service.group.clone(),
        })
        .collect()
}
