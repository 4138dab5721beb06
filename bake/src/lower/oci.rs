//! From the recipe to an image's configuration.

use std::collections::{BTreeMap, BTreeSet};

use bake_config::Entrypoint;
use bake_formats::format::Epoch;
use bake_formats::oci::accounts::NO_LOGIN;
use bake_formats::oci::config::rfc3339;
use bake_formats::oci::{Accounts, Group, Image, StateDirectory, User};
use bake_formats::tree::{FileTree, Mark, Mode, TreePath};
use bake_recipes::resolved::{OCI_KEY, Oci, Recipe};

use super::{Given, support};
use crate::base::in_oci;
use crate::error::Error;
use crate::layers;

/// The mode of directories in which files are rendered.
const RENDERED_MODE: u32 = 0o750;

/// Returns the description of a recipe's image.
pub(super) fn image(
    recipe: &Recipe,
    table: &Oci,
    tree: &FileTree,
    given: &Given<'_>,
) -> Result<Image, Error> {
    let platform = in_oci(recipe.platform);
    let mut image = Image::new(recipe.name.to_string(), recipe.version.oci_tag(), platform);
    image.entrypoint = [recipe.config.launcher(), table.entrypoint.clone()].concat();
    image.cmd.clone_from(&table.cmd);
    image.env = table.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    image.user.clone_from(&table.user);
    image.working_dir = table.workdir.as_ref().map(ToString::to_string);
    image.exposed_ports = table.ports.iter().map(ToString::to_string).collect();
    image.volumes = table.volumes.iter().map(ToString::to_string).collect();
    image.labels = table.labels.clone();
    image.annotations = annotations(recipe, given.epoch);
    image.annotations.extend(table.annotations.clone());
    image.layer_annotations = table.layer_annotations.clone();
    image.stop_signal.clone_from(&table.stop_signal);
    image.author = recipe.maintainer.as_ref().map(ToString::to_string);
    image.compression = table.compression;
    image.base = given.base.cloned();
    image.accounts = accounts(recipe, tree);
    image.state = state(recipe, tree);
    image.layering = layers::layering(recipe, table, tree, given.locked);
    image.support = support::files(table, tree, given.texts)?;
    Ok(image)
}

/// Returns the image with the bytes of its base: what loads an archive knows no other place.
pub(super) fn complete(mut image: Box<Image>) -> Box<Image> {
    if let Some(base) = &mut image.base {
        base.includes_layers = true;
    }
    image
}

/// Returns the standard annotations that the recipe can fill (image-spec, annotations.md).
fn annotations(recipe: &Recipe, epoch: Epoch) -> BTreeMap<String, String> {
    let all = [
        ("title", Some(recipe.name.to_string())),
        ("version", Some(recipe.version.to_string())),
        ("description", Some(recipe.summary.clone())),
        ("licenses", recipe.license.clone()),
        ("vendor", recipe.vendor.clone()),
        ("url", recipe.homepage.clone()),
        ("documentation", recipe.documentation.clone()),
        ("source", recipe.vcs.clone()),
        ("revision", recipe.revision.clone()),
        ("created", Some(rfc3339(epoch))),
        ("authors", recipe.maintainer.as_ref().map(ToString::to_string)),
    ];
    let key = |name| format!("org.opencontainers.image.{name}");
    let schema = recipe.config.digest().map(|digest| (OCI_KEY.to_owned(), digest));
    all.into_iter().filter_map(|(name, value)| Some((key(name), value?))).chain(schema).collect()
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

/// Returns the directories that the service writes to: those it keeps data in, which systemd makes elsewhere, and those
/// in which `bake-init` renders files as the service's user.
fn state(recipe: &Recipe, tree: &FileTree) -> Vec<StateDirectory> {
    let Some(service) = &recipe.service else { return Vec::new() };
    let mut seen: BTreeSet<TreePath> = BTreeSet::new();
    let state = service.state.iter().map(|state| (state.path.clone(), state.mode));
    let rendered = rendered_into(recipe, tree)
        .into_iter()
        .map(|path| (path, Mode::from_st_mode(RENDERED_MODE)));
    state
        .chain(rendered)
        .filter(|(path, _)| seen.insert(path.clone()))
        .map(|(path, mode)| StateDirectory {
            path,
            mode,
            owner: service.user.clone(),
            group: service.group.clone(),
        })
        .collect()
}

/// Returns directories of rendered files that nobody else has: neither the tree nor the system.
fn rendered_into(recipe: &Recipe, tree: &FileTree) -> Vec<TreePath> {
    if recipe.config.entrypoint == Entrypoint::Direct {
        return Vec::new();
    }
    let parents = recipe.config.destinations().filter_map(|path| path.rsplit_once('/'));
    let own = parents.filter(|(parent, _)| parent.matches('/').count() > 1);
    let paths = own.filter_map(|(parent, _)| TreePath::parse(parent).ok());
    paths.filter(|path| tree.get(path).is_none()).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use bake_formats::tree::{Content, Entry, Mode, TreeBuilder};
    use bake_recipes::lock::LockedLayer;
    use bake_recipes::{ResolveCx, load, resolve};

    use super::*;

    fn path(text: &str) -> TreePath {
        TreePath::parse(text).unwrap()
    }

    /// Lowers a recipe with a program and two jars of 4 MiB.
    fn lowered(text: &str, locked: &[LockedLayer]) -> Image {
        let text =
            format!("name = \"catalog\"\nversion = \"1.4.0\"\nsummary = \"Catalogue\"\n{text}");
        let written = load::parse("bake.toml", &text).unwrap();
        let folder = Path::new(".");
        let platform = "linux/arm/v7".parse().unwrap();
        let recipe =
            resolve(&written, ResolveCx { platform, env: &|_| None, base: folder }).unwrap();
        let mut builder = TreeBuilder::new();
        for name in ["/usr/bin/catalog", "/opt/lib/a.jar", "/opt/lib/b.jar"] {
            let content = Content { size: 4 << 20, ..Content::of(name.as_bytes()) };
            builder.insert(path(name), Entry::file(content, Mode::PLAIN)).unwrap();
        }
        let tree = builder.finish().unwrap();
        let texts = crate::lower::Texts::of(folder);
        let given =
            Given { texts: &texts, epoch: Epoch(1_700_000_000), locked, base: None, ground: None };
        image(&recipe, recipe.oci.as_ref().unwrap(), &tree, &given).unwrap()
    }

    #[test]
    fn standard_annotations_come_from_the_recipe_unless_it_says_otherwise() {
        let image = lowered(
            "documentation = \"https://example.com/manual\"\n\
             vcs = \"https://example.com/catalog.git\"\nrevision = \"0123abc\"\n\
             license = \"MIT\"\n[oci]\n\
             annotations = { \"org.opencontainers.image.title\" = \"Catalog\" }\n\
             layer-annotations = { team = \"a\" }\n",
            &[],
        );
        let expected = [
            ("created", "2023-11-14T22:13:20Z"),
            ("description", "Catalogue"),
            ("documentation", "https://example.com/manual"),
            ("licenses", "MIT"),
            ("revision", "0123abc"),
            ("source", "https://example.com/catalog.git"),
            ("title", "Catalog"),
            ("version", "1.4.0"),
        ];
        let expected = expected
            .map(|(key, text)| (format!("org.opencontainers.image.{key}"), text.to_owned()));
        assert_eq!(image.annotations, BTreeMap::from(expected));
        assert_eq!(image.layer_annotations, BTreeMap::from([("team".into(), "a".into())]));
    }

    #[test]
    fn layers_are_those_of_the_lock_file_and_the_rules() {
        let rules = |locked: &[LockedLayer]| {
            let layering = lowered("[oci]\n", locked).layering;
            let text = |rule: &bake_formats::oci::LayerRule| {
                (rule.name.clone(), rule.paths.iter().map(ToString::to_string).collect())
            };
            layering.rules.iter().map(text).collect::<Vec<(String, Vec<String>)>>()
        };
        let jars = vec!["/opt/lib/a.jar".to_owned(), "/opt/lib/b.jar".to_owned()];
        assert_eq!(rules(&[]), [("dependencies".to_owned(), jars)]);
        let locked = LockedLayer { name: "mine".into(), paths: vec![path("/opt/lib/a.jar")] };
        let mine = ("mine".to_owned(), vec!["/opt/lib/a.jar".to_owned()]);
        let others = ("dependencies".to_owned(), vec!["/opt/lib/b.jar".to_owned()]);
        assert_eq!(rules(&[locked]), [mine, others]);
    }

    #[test]
    fn support_is_there_on_request() {
        assert!(lowered("[oci]\n", &[]).support.is_empty());
        let image = lowered("[oci]\nca-certificates = true\ntime-zones = [\"UTC\"]\n", &[]);
        let paths: Vec<_> = image.support.keys().map(ToString::to_string).collect();
        assert_eq!(paths, ["/etc/ssl/certs/ca-certificates.crt", "/usr/share/zoneinfo/UTC"]);
    }
}
