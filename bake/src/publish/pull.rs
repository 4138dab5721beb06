//! From a registry to a folder: a release, an image, a file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bake_formats::blob::Blob;
use bake_formats::digest::Digest;
use bake_formats::encode::{Encoder, NoCache};
use bake_formats::format::{Epoch, WriteCx};
use bake_formats::oci::{
    Artifact, ArtifactFile, Descriptor, Documents, Kind, Manifest, Platform, Reference, TREE_KEY,
    Written, WrittenImage, archive, layout, select,
};
use bake_formats::rope::Rope;
use serde::Serialize;

use super::graph::Graph;
use super::node::Node;
use super::origin::{Origin, RemoteOrigin};
use super::refuse;
use super::release::{FORMAT_KEY, RELEASE_TYPE, TITLE_KEY, VERSION_KEY};
use super::supplies::Supplies;
use crate::error::Error;
use crate::opened::Opened;
use crate::output::OutputFolder;
use crate::plan::FIXED_EPOCH;
use crate::registry::{Access, Repository, Which, Wire};

/// The longest configuration of an image that is read.
const MAX_CONFIG: u64 = 4 << 20;

/// How an image is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// As a layout with all layers.
    #[default]
    Layout,
    /// As a layout without the layers of its base image.
    Sparse,
    /// As one file that every engine loads.
    Archive,
}

/// What to pull, and how.
#[derive(Debug, Clone, Default)]
pub struct PullOptions {
    /// Formats of a release, as their outputs are called; all if empty.
    pub only: Vec<String>,
    /// What it is to run on; everything if absent.
    pub platform: Option<Platform>,
    /// How an image is written.
    pub form: Form,
}

/// One thing that was pulled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pulled {
    /// The file or folder, relative to the output folder.
    pub path: PathBuf,
    /// Its format, or its artifact type.
    pub format: String,
    /// The digest: of an image its manifest's or index's, else the file's.
    pub digest: Digest,
    /// How many bytes its blobs have.
    pub size: u64,
    /// The tree that it holds, which was compared; absent if it names none.
    pub tree: Option<String>,
}

/// Pulls what a reference leads to into a folder, where all of it appears at once.
///
/// Every blob is compared with its digest, and every package, disk or image of one platform with
/// the tree that it is said to hold. An image that a release belongs to brings the release along,
/// unless only images are wanted.
pub fn pull(
    wire: &dyn Wire,
    reference: &Reference,
    folder: &Path,
    options: &PullOptions,
) -> Result<Vec<Pulled>, Error> {
    let repository = Repository::new(wire, reference, Access::Pull);
    let document = repository.manifest(Which::from(reference))?;
    let mut root = Node::parse(&document.descriptor, document.bytes)?;
    if let Some(release) = release_of(&repository, &root, options)? {
        root = release;
    }
    let output = OutputFolder::open(folder)?;
    let mut puller = Puller { wire, repository: &repository, output, options, pulled: Vec::new() };
    if root.artifact_type.as_deref() == Some(RELEASE_TYPE) {
        puller.release(&root, reference)?;
    } else {
        let tag = reference.tag.as_deref().unwrap_or("latest");
        puller.one(&root, &stem(reference), tag)?;
    }
    let Puller { output, pulled, .. } = puller;
    output.commit()?;
    Ok(pulled)
}

/// Returns the release that an image belongs to, if it is wanted.
fn release_of(
    repository: &Repository<'_>,
    root: &Node,
    options: &PullOptions,
) -> Result<Option<Node>, Error> {
    let only_image = !options.only.is_empty() && options.only.iter().all(|word| word == "oci");
    if !is_image(root) || only_image {
        return Ok(None);
    }
    let listed = repository.referrers(root.descriptor.digest, Some(RELEASE_TYPE))?.manifests;
    // The one that was attached last, where the registry keeps an order.
    let Some(found) = listed.last() else { return Ok(None) };
    let document = repository.manifest(found.digest.into())?;
    Ok(Some(Node::parse(&document.descriptor, document.bytes)?))
}

/// Returns whether a manifest or index is of images.
fn is_image(node: &Node) -> bool {
    match &node.artifact_type {
        None => true,
        Some(found) => matches!(Kind::of(found), Some(Kind::Config)),
    }
}

/// Returns how an image without a name is called.
fn stem(reference: &Reference) -> String {
    let name = reference.repository.rsplit('/').next().unwrap_or_default();
    match (&reference.tag, reference.digest) {
        (Some(tag), _) => format!("{name}-{tag}"),
        (None, Some(digest)) => format!("{name}-{}", &digest.hex()[..12]),
        (None, None) => format!("{name}-latest"),
    }
}

struct Puller<'a> {
    wire: &'a dyn Wire,
    repository: &'a Repository<'a>,
    output: OutputFolder,
    options: &'a PullOptions,
    pulled: Vec<Pulled>,
}

impl Puller<'_> {
    fn release(&mut self, index: &Node, reference: &Reference) -> Result<(), Error> {
        let format = |listed: &Descriptor| listed.annotations.get(FORMAT_KEY).cloned();
        let is_wanted = |listed: &&Descriptor| {
            let fits = |wanted: &Platform| {
                listed.platform.as_ref().is_none_or(|platform| platform.fits(wanted))
            };
            let only = &self.options.only;
            let is_named = format(listed).is_some_and(|format| only.contains(&format));
            (only.is_empty() || is_named) && self.options.platform.as_ref().is_none_or(fits)
        };
        let wanted: Vec<_> = index.children.iter().filter(is_wanted).cloned().collect();
        if wanted.is_empty() {
            let found: Vec<_> = index.children.iter().filter_map(format).collect();
            let reason = format!("nothing of the release is wanted; it has {}", found.join(", "));
            let hint = "name others with --only and --platform, or leave them out".to_owned();
            return Err(refuse(reference.to_string(), reason, Some(hint)));
        }
        let version = index.annotations.get(VERSION_KEY).map(|version| version.replace('+', "_"));
        let tag = version.or_else(|| reference.tag.clone()).unwrap_or_else(|| "latest".to_owned());
        for listed in &wanted {
            let title = listed.annotations.get(TITLE_KEY).cloned();
            let document = self.repository.manifest(listed.digest.into())?;
            let node = Node::parse(&document.descriptor, document.bytes)?;
            self.one(&node, &title.unwrap_or_else(|| stem(reference)), &tag)?;
        }
        Ok(())
    }

    /// Pulls an image or an artifact; `name` is what an image is called.
    fn one(&mut self, node: &Node, name: &str, tag: &str) -> Result<(), Error> {
        if is_image(node) { self.image(node, name, tag) } else { self.artifact(node) }
    }

    fn artifact(&mut self, node: &Node) -> Result<(), Error> {
        let what = || format!("manifest {}", node.descriptor.digest);
        if node.descriptor.kind() == Some(Kind::Index) {
            let reason = format!(
                "expected an image, an artifact or a release, found an index of `{}`",
                node.artifact_type.as_deref().unwrap_or_default()
            );
            return Err(refuse(what(), reason, None));
        }
        let artifact = Artifact::parse(&node.bytes)
            .map_err(|source| Error::Read { path: what().into(), source })?;
        let format = artifact.annotations.get(FORMAT_KEY).unwrap_or(&artifact.artifact_type);
        for file in &artifact.files {
            let tree = artifact.annotations.get(TREE_KEY);
            self.file(file, format, tree)?;
        }
        Ok(())
    }

    fn file(
        &mut self,
        file: &ArtifactFile,
        format: &str,
        tree: Option<&String>,
    ) -> Result<(), Error> {
        let ArtifactFile { title, blob, .. } = file;
        if title.is_empty() {
            let reason = "expected its name in the annotation of the title".to_owned();
            return Err(refuse(format!("file {}", blob.digest), reason, None));
        }
        self.expect_new(title)?;
        let remote = self.repository.remote(*blob);
        let found = self.output.stage(title, &Rope::from(*blob), &remote)?;
        expect_blob(title, *blob, found)?;
        if let Some(tree) = tree {
            expect_tree(&self.output.staged(title), title, tree)?;
        }
        self.pulled.push(Pulled {
            path: title.into(),
            format: format.to_owned(),
            digest: blob.digest,
            size: blob.size,
            tree: tree.cloned(),
        });
        Ok(())
    }

    /// Fails if something of that name was pulled already: a registry may not replace it.
    fn expect_new(&self, title: &str) -> Result<(), Error> {
        let is_plain = !title.is_empty()
            && !matches!(title, "." | "..")
            && !title.contains(|c: char| c == '/' || c == '\\' || c.is_control());
        let is_taken = self.pulled.iter().any(|pulled| pulled.path == Path::new(title));
        if is_plain && !is_taken {
            return Ok(());
        }
        let reason = if is_taken { "there are two of that name" } else { "it is no plain name" };
        Err(refuse(format!("file `{}`", title.escape_debug()), reason.to_owned(), None))
    }

    fn image(&mut self, node: &Node, name: &str, tag: &str) -> Result<(), Error> {
        let known = Some((node.descriptor.digest, node.bytes.as_slice()));
        let origin = RemoteOrigin { repository: self.repository, known };
        let mut root = node.descriptor.clone();
        if let (Some(platform), false) = (&self.options.platform, node.children.is_empty()) {
            let chosen = select(&node.children, platform);
            let path = || PathBuf::from(self.repository.full_name());
            root = chosen.map_err(|source| Error::Read { path: path(), source })?.clone();
        }
        let graph = Graph::read(&origin, &root)?;
        let form = self.options.form;
        let written = written(&graph, &origin, &root.digest, tag.to_owned(), form)?;
        let supplies = Supplies::new(self.wire, &origin, &graph);
        let (name, files) = lay_out(&written, name, form)?;
        self.expect_new(&name)?;
        let mut size = 0;
        for (path, rope) in files {
            let path = if path.is_empty() { name.clone() } else { format!("{name}/{path}") };
            size += self.output.stage(&path, &rope, &supplies)?.size;
        }
        let tree = graph.node(&root.digest).and_then(|root| root.annotations.get(TREE_KEY));
        if let (Some(tree), 1, true) = (tree, written.images.len(), form != Form::Sparse) {
            expect_tree(&self.output.staged(&name), &name, tree)?;
        }
        let (path, format) = (name.into(), "oci".to_owned());
        self.pulled.push(Pulled { path, format, digest: root.digest, size, tree: tree.cloned() });
        Ok(())
    }
}

/// Returns the name and the files of an image.
fn lay_out(
    written: &Written,
    name: &str,
    form: Form,
) -> Result<(String, Vec<(String, Rope)>), Error> {
    let stem = name.strip_suffix(".oci").unwrap_or(name);
    let unwritable = |source| Error::Write { format: "oci", source };
    let (name, artifact) = match form {
        Form::Layout | Form::Sparse => {
            (format!("{stem}.oci"), layout::artifact(written).map_err(unwritable)?)
        }
        Form::Archive => (format!("{stem}.oci.tar"), archived(written, FIXED_EPOCH)?),
    };
    let files = artifact.files.into_iter().map(|file| (file.path, file.rope));
    Ok((name, files.collect()))
}

/// Returns the archive of an image, whose members are as old as `epoch`.
pub(super) fn archived(
    written: &Written,
    epoch: Epoch,
) -> Result<bake_formats::format::Artifact, Error> {
    // Nothing is compressed or kept: the archive is made of blobs as they are.
    let blobs = bake_formats::blob::MemoryStore::new();
    let encoder = Encoder::new(&blobs, &NoCache, 1);
    let cx = WriteCx { blobs: &blobs, encoder: &encoder, epoch };
    archive::artifact(written, &cx).map_err(|source| Error::Write { format: "oci-archive", source })
}

/// Returns an image or index as something that can be laid out.
pub(super) fn written(
    graph: &Graph,
    origin: &dyn Origin,
    root: &Digest,
    tag: String,
    form: Form,
) -> Result<Written, Error> {
    let missing = || refuse(format!("manifest {root}"), "it was not read".to_owned(), None);
    let node = graph.node(root).ok_or_else(missing)?;
    let mut blobs = BTreeMap::new();
    let mut images = Vec::new();
    let mut descriptor = node.descriptor.clone();
    for node in graph.nodes() {
        blobs.insert(node.descriptor.digest, Rope::from(node.bytes.clone()));
        let Some((image, config)) = image(node, origin, graph)? else {
            let named = node.blobs.iter().filter_map(|named| graph.blob(&named.digest));
            blobs.extend(named.map(|needed| (needed.blob.digest, Rope::from(needed.blob))));
            continue;
        };
        let left_out = if form == Form::Sparse { image.base_layers } else { 0 };
        blobs.insert(image.manifest.config.digest, Rope::from(config));
        for named in image.manifest.layers.iter().skip(left_out) {
            if let Some(needed) = graph.blob(&named.digest) {
                blobs.insert(named.digest, Rope::from(needed.blob));
            }
        }
        if node.descriptor.digest == *root {
            descriptor.platform.clone_from(&image.descriptor.platform);
        }
        images.push(image);
    }
    let name = origin.name();
    Ok(Written { name, version: tag, root: descriptor, images, blobs })
}

/// Returns what a manifest says, with its platform, and its configuration; `None` if it is of no
/// image.
fn image(
    node: &Node,
    origin: &dyn Origin,
    graph: &Graph,
) -> Result<Option<(WrittenImage, Vec<u8>)>, Error> {
    if node.descriptor.kind() != Some(Kind::Manifest) {
        return Ok(None);
    }
    let what = || PathBuf::from(format!("manifest {}", node.descriptor.digest));
    let fault = |source| Error::Read { path: what(), source };
    let Ok(manifest) = Manifest::parse(&node.bytes) else {
        // An attestation among images: its blobs go along.
        return Ok(None);
    };
    if manifest.config.size > MAX_CONFIG {
        let reason = format!("expected a configuration of at most {MAX_CONFIG} bytes");
        return Err(refuse(what().display().to_string(), reason, None));
    }
    let config = Blob { digest: manifest.config.digest, size: manifest.config.size };
    let mut bytes = Vec::new();
    let mut reader = match graph.blob(&config.digest) {
        Some(_) => origin.open(config, 0)?,
        None => return Ok(None),
    };
    std::io::Read::read_to_end(&mut reader, &mut bytes)?;
    let documents = Documents::parse(node.bytes.clone(), bytes.clone()).map_err(fault)?;
    let base_layers = documents.built_on().map_err(fault)?.map_or(0, |base| base.layers);
    let image = WrittenImage { descriptor: documents.descriptor(), manifest, base_layers };
    Ok(Some((image, bytes)))
}

fn expect_blob(title: &str, expected: Blob, found: Blob) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    let reason = format!("expected {}, found {}", expected.digest, found.digest);
    Err(refuse(format!("`{}`", title.escape_debug()), reason, None))
}

/// Fails unless an artifact holds the tree that its manifest names.
fn expect_tree(path: &Path, title: &str, expected: &str) -> Result<(), Error> {
    let found = Opened::open(path)?.inspect(None)?.tree.id().to_string();
    if found == expected {
        return Ok(());
    }
    let reason = format!("expected the tree {expected} as its manifest says, found {found}");
    let hint = "do not use it: whoever pushed it did not push what it says".to_owned();
    Err(refuse(format!("`{}`", title.escape_debug()), reason, Some(hint)))
}
