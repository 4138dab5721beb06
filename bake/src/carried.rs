//! The schema of the configuration that an artifact carries, and which artifact that is.

use std::path::Path;

use bake_config::{Entrypoint, Schema, record};
use bake_formats::digest::Digest;
use bake_formats::input::{Section, Source};
use bake_formats::oci::LayoutReader;
use bake_formats::tree::{Node, TreePath};
use bake_recipes::Platform;

use crate::error::Error;
use crate::inspected::Inspected;
use crate::opened::Opened;

/// An artifact and the schema that it carries.
#[derive(Debug)]
pub struct Carried {
    /// The schema.
    pub schema: Schema,
    /// Which artifact carries it.
    pub artifact: ArtifactId,
    /// What starts the service.
    pub entrypoint: Entrypoint,
}

/// Which artifact something is of.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ArtifactId {
    /// Its format, e.g. `deb`.
    pub format: String,
    /// Its version as it says itself; images and disks say the recipe's.
    pub version: Option<String>,
    /// Of an image the digest of its manifest or index, else the file's; `None` of a folder that is no image.
    pub digest: Option<String>,
    /// The identity of its tree, as its own bytes give it.
    pub tree: String,
}

impl Carried {
    /// Reads the schema of an artifact; of an image for several platforms that of one, or of all if none is chosen,
    /// which must be the same then.
    pub fn read(path: &Path, platform: Option<Platform>) -> Result<Self, Error> {
        let opened = Opened::open(path)?;
        let all = match platform {
            Some(_) => vec![opened.inspect(platform)?],
            None => opened.inspect_all()?,
        };
        let several = all.len() > 1;
        let mut found: Option<(Schema, Inspected)> = None;
        for inspected in all {
            let platform = match (platform, several) {
                (Some(platform), _) => Some(platform),
                (None, true) => inspected.platform.as_deref().and_then(|text| text.parse().ok()),
                (None, false) => None,
            };
            let schema = schema(&opened, &inspected, platform)?;
            match &found {
                Some((first, _)) if *first != schema => {
                    return Err(config(
                        path,
                        "its images for several platforms carry different schemas",
                    )
                    .hint("choose one with `--platform`"));
                }
                Some(_) => {}
                None => found = Some((schema, inspected)),
            }
        }
        let Some((schema, inspected)) = found else {
            return Err(config(path, "there is no image in it").into());
        };
        let artifact = ArtifactId {
            format: opened.kind.name().into(),
            version: version(&inspected),
            digest: identity(&opened)?.map(|digest| digest.to_string()),
            tree: inspected.tree.id().to_string(),
        };
        let entrypoint = entrypoint(&schema, &inspected);
        Ok(Self { schema, artifact, entrypoint })
    }
}

/// An error about an artifact, on its way.
struct Fault {
    what: String,
    reason: String,
}

fn config(path: &Path, reason: impl Into<String>) -> Fault {
    Fault { what: format!("`{}`", path.display()), reason: reason.into() }
}

impl Fault {
    fn hint(self, hint: impl Into<String>) -> Error {
        Error::Config { what: self.what, reason: self.reason, hint: Some(hint.into()) }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Config { what: fault.what, reason: fault.reason, hint: None }
    }
}

fn schema(
    opened: &Opened,
    inspected: &Inspected,
    platform: Option<Platform>,
) -> Result<Schema, Error> {
    let path = record_path(opened, inspected)?;
    let bytes =
        opened.tree_file(platform, &inspected.tree, &path, record::MAX_LEN)?.unwrap_or_default();
    Schema::parse_record(&bytes).map_err(|error| {
        let what = format!("`{}`: `{path}`", opened.path.display());
        let reason = format!("no schema that this bake reads: {error}");
        Error::Config { what, reason, hint: None }
    })
}

/// Finds the one record in a tree.
fn record_path(opened: &Opened, inspected: &Inspected) -> Result<TreePath, Error> {
    let folder = format!("{}/", record::FOLDER);
    let is_record = |path: &TreePath| {
        let text = path.to_string();
        let name = text.strip_prefix(&folder).and_then(|name| name.strip_suffix(".json"));
        name.is_some_and(|name| !name.contains('/'))
    };
    let files = inspected.tree.iter().filter(|(_, entry)| matches!(entry.node, Node::File(_)));
    let found: Vec<_> = files.map(|(path, _)| path).filter(|path| is_record(path)).collect();
    match found.as_slice() {
        [path] => Ok((*path).clone()),
        [] => Err(config(&opened.path, "it carries no schema")
            .hint("its recipe has no `[config]`, or it was baked before there was one")),
        several => {
            let list: Vec<_> = several.iter().map(ToString::to_string).collect();
            Err(config(&opened.path, format!("it carries several schemas: {}", list.join(", ")))
                .hint("give the artifact of one service"))
        }
    }
}

/// Returns what starts the service: `bake-init` lies at its own place in the tree, or not.
fn entrypoint(schema: &Schema, inspected: &Inspected) -> Entrypoint {
    let path = TreePath::parse(bake_config::schema::entrypoint_path(&schema.service.name));
    match path.ok().and_then(|path| inspected.tree.get(&path)) {
        Some(_) => Entrypoint::BakeInit,
        None => Entrypoint::Direct,
    }
}

/// Returns the version by whatever name the format has for it.
fn version(inspected: &Inspected) -> Option<String> {
    ["version", "tag"].iter().find_map(|key| inspected.metadata[key].as_str()).map(str::to_owned)
}

/// Returns what names exactly this artifact.
fn identity(opened: &Opened) -> Result<Option<Digest>, Error> {
    let failed = |source| Error::Read { path: opened.path.clone(), source };
    if opened.kind.is_image() {
        let layout = LayoutReader::open(&opened.contents()?).map_err(failed)?;
        let index = layout.index().map_err(failed)?;
        if let [only] = index.manifests.as_slice() {
            return Ok(Some(only.digest));
        }
    }
    let Source::File(file) = opened.source() else { return Ok(None) };
    let (digest, _) = Digest::of_reader(Section::whole(file.clone()))?;
    Ok(Some(digest))
}
