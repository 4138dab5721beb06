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

use std::path::{Component, Path, PathBuf};

use bake_formats::blob::Blob;
use bake_formats::digest::Digest;
use bake_formats::oci::artifact::{Described, EMPTY};
use bake_formats::oci::descriptor::StringMap;
use bake_formats::oci::{
    Artifact, ArtifactFile, ArtifactIndex, Descriptor, Platform, Reference, TREE_KEY,
};
use serde::Deserialize;

use super::graph::Graph;
use super::origin::{FilesOrigin, LayoutOrigin};
use super::plan::Parcel;
use super::refuse;
use crate::error::Error;
use crate::lower::Kind;
use crate::opened::Opened;

/// What an index of all outputs of a bake says it is.
pub const RELEASE_TYPE: &str = "application/vnd.bake.release.v1";
/// What the artifact with `release.json` says it is.
pub(super) const DOCUMENT_TYPE: &str = "application/vnd.bake.release.document.v1+json";
/// The annotation with the name of an output's format, as `--only` has it.
pub(super) const FORMAT_KEY: &str = "dev.bake.format";
/// The annotation with the name of an output in its folder.
pub(super) const TITLE_KEY: &str = bake_formats::oci::artifact::TITLE_KEY;
const NAME_KEY: &str = "dev.bake.name";
/// The annotation with the version as the recipe has it.
pub(super) const VERSION_KEY: &str = "org.opencontainers.image.version";
/// What stands behind the version in the tag of a release beside an image.
const SUFFIX: &str = "-release";
/// The file that lists what was made.
pub(super) const DOCUMENT: &str = "release.json";
const MAX_DOCUMENT: u64 = 16 << 20;

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

/// `release.json`, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Listing {
    schema: u32,
    name: String,
    version: String,
    tree: Option<String>,
    artifacts: Vec<Listed>,
}

#[derive(Debug, Deserialize)]
struct Listed {
    format: String,
    platform: String,
    path: String,
    digest: Digest,
    size: u64,
    tree: Option<String>,
}

/// Returns the media type of a file of a format: the registered or usual one where there is one.
/// Images have none: they are no artifacts.
fn media_type(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Deb => Some("application/vnd.debian.binary-package"),
        Kind::Rpm => Some("application/x-rpm"),
        Kind::Raw => Some("application/vnd.bake.disk.raw"),
        Kind::Qcow2 => Some("application/vnd.bake.disk.qcow2"),
        Kind::OciLayout | Kind::OciArchive => None,
    }
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

fn read_listing(path: &Path) -> Result<(Listing, Vec<u8>), Error> {
    let what = || format!("`{}`", path.display());
    let len = match fs_err::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let hint = "bake first, or name what is to be pushed: a folder with release.json, an \
                        image layout or archive, a deb, an rpm, a disk";
            let reason = "there is no such file".to_owned();
            return Err(refuse(what(), reason, Some(hint.to_owned())));
        }
        Err(error) => return Err(error.into()),
    };
    if len > MAX_DOCUMENT {
        let reason = format!("expected at most {MAX_DOCUMENT} bytes, found {len}");
        return Err(refuse(what(), reason, None));
    }
    let document = fs_err::read(path)?;
    let listing: Listing = serde_json::from_slice(&document)
        .map_err(|error| refuse(what(), format!("expected a release: {error}"), None))?;
    if listing.schema != 1 {
        let reason = format!("expected schema 1, found {}", listing.schema);
        return Err(refuse(what(), reason, Some("use a newer bake".to_owned())));
    }
    Ok((listing, lasting(document)))
}

/// Returns the document without what is true of one run only, so that equal bakes are equal
/// releases: in JSON a key's quotes stand nowhere else without a backslash.
fn lasting(document: Vec<u8>) -> Vec<u8> {
    match String::from_utf8(document) {
        Ok(text) => text.replace("\"cached\": true", "\"cached\": false").into_bytes(),
        Err(error) => error.into_bytes(),
    }
}

/// Returns the path of an output, which must not lead out of the folder.
fn plain_path(folder: &Path, path: &str) -> Result<PathBuf, Error> {
    let mut parts = Path::new(path).components();
    if let (Some(Component::Normal(_)), None) = (parts.next(), parts.next()) {
        return Ok(folder.join(path));
    }
    let reason = "expected the name of a file or folder beside it".to_owned();
    Err(refuse(format!("{DOCUMENT}: `{}`", path.escape_debug()), reason, None))
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
        (TITLE_KEY.to_owned(), listed.path.clone()),
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
fn the_root(layout: &LayoutOrigin, path: &Path) -> Result<Descriptor, Error> {
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

/// A file that is no image.
struct Output {
    title: String,
    format: &'static str,
    media_type: &'static str,
    blob: Blob,
    tree: Option<String>,
    platform: Option<Platform>,
}

impl Output {
    /// Takes a file as the release lists it; its bytes are compared when they are sent.
    fn of(
        listed: &Listed,
        kind: Kind,
        media_type: &'static str,
        path: &Path,
    ) -> Result<Self, Error> {
        let len = fs_err::metadata(path)?.len();
        if len != listed.size {
            let reason = format!("expected {} bytes as {DOCUMENT} says, found {len}", listed.size);
            let hint = "bake again: somebody changed the output after it was made".to_owned();
            return Err(refuse(format!("`{}`", path.display()), reason, Some(hint)));
        }
        Ok(Self {
            title: listed.path.clone(),
            format: kind.name(),
            media_type,
            blob: Blob { digest: listed.digest, size: listed.size },
            tree: listed.tree.clone(),
            platform: platform(&listed.platform),
        })
    }

    /// Makes the manifest and returns how an index lists it.
    fn artifact(
        &self,
        annotations: &StringMap,
        origin: &mut FilesOrigin,
    ) -> Result<Descriptor, Error> {
        let mut annotations = annotations.clone();
        annotations.insert(FORMAT_KEY.to_owned(), self.format.to_owned());
        if let Some(tree) = &self.tree {
            annotations.insert(TREE_KEY.to_owned(), tree.clone());
        }
        let file = ArtifactFile {
            title: self.title.clone(),
            media_type: self.media_type.to_owned(),
            blob: self.blob,
            annotations: StringMap::new(),
        };
        let artifact = Artifact {
            artifact_type: self.media_type.to_owned(),
            files: vec![file],
            subject: None,
            annotations,
        };
        let mut described = keep(artifact.manifest().map_err(unwritable)?, origin);
        described.platform.clone_from(&self.platform);
        Ok(described)
    }
}

/// Makes the artifact that holds `release.json`, so that it comes back with the others.
fn document_artifact(
    document: Vec<u8>,
    annotations: &StringMap,
    origin: &mut FilesOrigin,
) -> Result<Descriptor, Error> {
    let blob = Blob::of(&document);
    origin.documents.insert(blob.digest, document);
    let file = ArtifactFile {
        title: DOCUMENT.to_owned(),
        media_type: DOCUMENT_TYPE.to_owned(),
        blob,
        annotations: StringMap::new(),
    };
    let artifact = Artifact {
        artifact_type: DOCUMENT_TYPE.to_owned(),
        files: vec![file],
        subject: None,
        annotations: annotations.clone(),
    };
    Ok(keep(artifact.manifest().map_err(unwritable)?, origin))
}

/// Keeps a document that was made, with the blob that every artifact's configuration is.
fn keep(described: Described, origin: &mut FilesOrigin) -> Descriptor {
    let Described { descriptor, bytes } = described;
    origin.documents.insert(descriptor.digest, bytes);
    origin.documents.insert(Digest::of(EMPTY), EMPTY.to_vec());
    descriptor
}

fn unwritable(source: bake_formats::format::WriteError) -> Error {
    Error::Write { format: "artifact", source }
}

/// Reads `linux/amd64` or `linux/arm/v7`; several platforms are none.
fn platform(text: &str) -> Option<Platform> {
    let mut parts = text.split('/');
    let (os, architecture) = (parts.next()?, parts.next()?);
    let variant = parts.next().map(str::to_owned);
    let is_one = parts.next().is_none() && !text.contains(',');
    is_one.then(|| Platform { variant, ..Platform::new(os, architecture) })
}
