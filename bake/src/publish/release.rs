//! What a bake made, as a registry keeps it.
//!
//! ```text
//! VERSION ─────────────► image manifest or index ◄────────────┐ subject
//! VERSION-release ─────► index (application/vnd.bake.release.v1)
//!                          ├─► the image
//!                          ├─► artifact: deb      one manifest each, with one file
//!                          ├─► artifact: rpm
//!                          ├─► artifact: disk
//!                          └─► artifact: release.json
//! ```

use std::path::Path;

use bake_formats::blob::Blob;
use bake_formats::digest::Digest;
use bake_formats::oci::descriptor::StringMap;
use bake_formats::oci::{ArtifactIndex, Descriptor, Reference, TREE_KEY};

use super::graph::Graph;
use super::listing::{DOCUMENT, Listed, plain_path, read_listing};
use super::origin::{FilesOrigin, LayoutOrigin};
use super::outputs::{FORMAT_KEY, Output, document_artifact, keep, media_type, unwritable};
use super::plan::Parcel;
use super::refuse;
use crate::error::Error;
use crate::lower::Kind;
use crate::opened::Opened;

/// What an index of all outputs of a bake says it is.
pub const RELEASE_TYPE: &str = "application/vnd.bake.release.v1";
/// The annotation with the name of an image's layout in the folder of outputs. It is not the title
/// of OCI: clients that write what has a title would write the image's manifest under that name.
pub(super) const LAYOUT_KEY: &str = "dev.bake.layout";
const NAME_KEY: &str = "dev.bake.name";
/// The annotation with the version as the recipe has it.
pub(super) const VERSION_KEY: &str = "org.opencontainers.image.version";
/// What stands behind the version in the tag of a release beside an image.
const SUFFIX: &str = "-release";

/// Something to be pushed, opened.
#[derive(Debug)]
pub struct Loaded {
    /// Where its bytes are.
    pub origin: FilesOrigin,
    /// What it consists of.
    pub graph: Graph,
    /// What is to be there in the end, the most important first.
    pub parcels: Vec<Parcel>,
}

/// Opens an image layout, in a folder or an archive. Without `tags` its own is taken.
pub fn of_layout(path: &Path, tags: &[String]) -> Result<Loaded, Error> {
    let layout = LayoutOrigin::open(path.into())?;
    let root = the_root(&layout, path)?;
    let tags = if tags.is_empty() { vec![own_tag(&root)] } else { tags.to_vec() };
    let origin = FilesOrigin { layouts: vec![layout], ..FilesOrigin::default() };
    let graph = Graph::read(&origin, &root)?;
    Ok(Loaded { origin, graph, parcels: vec![Parcel { root: root.digest, tags }] })
}

/// Opens a file of any format; a package or a disk becomes an artifact.
pub fn of_file(path: &Path, tags: &[String]) -> Result<Loaded, Error> {
    let opened = Opened::open(path)?;
    let Some(media_type) = media_type(opened.kind) else { return of_layout(path, tags) };
    let (digest, size) = Digest::of_reader(fs_err::File::open(path)?)?;
    let title = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let tree = opened.inspect(None)?.declared.map(|tree| tree.to_string());
    let file = Output {
        title: title.unwrap_or_default(),
        format: opened.kind.name(),
        media_type,
        blob: Blob { digest, size },
        tree,
        platform: None,
    };
    let mut origin = FilesOrigin::default();
    origin.files.insert(digest, path.into());
    let described = file.artifact(&StringMap::new(), &mut origin)?;
    let graph = Graph::read(&origin, &described)?;
    let parcel = Parcel { root: described.digest, tags: tags.to_vec() };
    Ok(Loaded { origin, graph, parcels: vec![parcel] })
}

/// Opens a folder of outputs with its `release.json`. Without `tags` the version is the tag.
pub fn of_release(folder: &Path, tags: &[String]) -> Result<Loaded, Error> {
    let path = folder.join(DOCUMENT);
    let (listing, document) = read_listing(&path)?;
    let mut annotations = StringMap::from([
        (NAME_KEY.to_owned(), listing.name.clone()),
        (VERSION_KEY.to_owned(), listing.version.clone()),
    ]);
    let mut origin = FilesOrigin::default();
    let mut listed = Vec::new();
    let mut image: Option<Descriptor> = None;
    for artifact in &listing.artifacts {
        let file = plain_path(folder, &artifact.path)?;
        let kind = Opened::open(&file)?.kind;
        if kind == Kind::OciLayout && image.is_none() {
            let root = add_image(&mut origin, artifact, &file)?;
            listed.push(listed_image(&root, artifact));
            image = Some(root);
        } else if let Some(media_type) = media_type(kind) {
            let output = Output::of(artifact, kind, media_type, &file)?;
            origin.files.insert(artifact.digest, file);
            listed.push(output.artifact(&annotations, &mut origin)?);
        }
    }
    listed.push(document_artifact(document, &annotations, &mut origin)?);
    if let Some(tree) = &listing.tree {
        annotations.insert(TREE_KEY.to_owned(), tree.clone());
    }
    let index = ArtifactIndex {
        artifact_type: RELEASE_TYPE.into(),
        manifests: listed,
        subject: image.clone(),
        annotations,
    };
    let index = keep(index.index().map_err(unwritable)?, &mut origin);
    let tags = match (tags, &image) {
        ([], Some(root)) => vec![own_tag(root)],
        ([], None) => vec![listing.version.replace('+', "_")],
        (tags, _) => tags.to_vec(),
    };
    let graph = Graph::read(&origin, &index)?;
    let parcels = match image {
        Some(root) => {
            let of_release: Vec<_> =
                tags.first().map(|tag| format!("{tag}{SUFFIX}")).into_iter().collect();
            let image = Parcel { root: root.digest, tags };
            vec![image, Parcel { root: index.digest, tags: of_release }]
        }
        None => vec![Parcel { root: index.digest, tags }],
    };
    Ok(Loaded { origin, graph, parcels })
}

/// Opens the image of a release.
fn add_image(origin: &mut FilesOrigin, listed: &Listed, path: &Path) -> Result<Descriptor, Error> {
    let layout = LayoutOrigin::open(path.into())?;
    let root = the_root(&layout, path)?;
    expect_same(path, listed.digest, root.digest)?;
    origin.layouts.push(layout);
    Ok(root)
}

/// Returns how the release lists the image.
fn listed_image(root: &Descriptor, listed: &Listed) -> Descriptor {
    let mut image = root.clone();
    image.annotations = StringMap::from([
        (FORMAT_KEY.to_owned(), listed.format.clone()),
        (LAYOUT_KEY.to_owned(), listed.path.clone()),
    ]);
    if let Some(tree) = &listed.tree {
        image.annotations.insert(TREE_KEY.to_owned(), tree.clone());
    }
    image
}

fn expect_same(path: &Path, expected: Digest, found: Digest) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    let reason = format!("expected {expected} as {DOCUMENT} says, found {found}");
    let hint = "bake again: somebody changed the output after it was made".to_owned();
    Err(refuse(format!("`{}`", path.display()), reason, Some(hint)))
}

/// Returns the one manifest or index of a layout.
pub(super) fn the_root(layout: &LayoutOrigin, path: &Path) -> Result<Descriptor, Error> {
    match layout.roots()?.as_slice() {
        [root] => Ok(root.clone()),
        roots => {
            let reason = format!("expected one image or index, found {}", roots.len());
            let hint = "push a layout that holds one".to_owned();
            Err(refuse(format!("`{}`", path.display()), reason, Some(hint)))
        }
    }
}

/// Returns the tag that a layout gives its image.
pub(super) fn own_tag(root: &Descriptor) -> String {
    let name = root.annotations.get(bake_formats::oci::layout::REF_NAME_KEY);
    let reference = name.and_then(|name| {
        if name.contains(['/', ':']) {
            name.parse::<Reference>().ok()?.tag
        } else {
            Some(name.clone())
        }
    });
    reference.unwrap_or_else(|| "latest".to_owned())
}
