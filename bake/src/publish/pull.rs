//! From a registry to a folder: a release, an image, a file.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bake_formats::blob::BlobSource;
use bake_formats::digest::Digest;
use bake_formats::oci::{Artifact, Descriptor, Kind, Platform, Reference, TREE_KEY, select};

use super::form::Form;
use super::landing::{Landing, Pulled, Wanted};
use super::node::Node;
use super::origin::RemoteOrigin;
use super::outputs::FORMAT_KEY;
use super::refuse;
use super::release::{LAYOUT_KEY, RELEASE_TYPE, VERSION_KEY};
use super::survey::PARALLEL;
use crate::error::Error;
use crate::parallel::in_parallel;
use crate::registry::{Access, Progress, Repository, Which, Wire};

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

/// Pulls what a reference leads to into a folder, where all of it appears at once.
///
/// Every blob is compared with its digest, and every package, disk or image with the tree that it is
/// said to hold. An image that a release belongs to brings the release along, unless only images are
/// wanted. Blobs come several at once.
pub fn pull(
    wire: &dyn Wire,
    reference: &Reference,
    folder: &Path,
    options: &PullOptions,
    progress: &dyn Progress,
) -> Result<Vec<Pulled>, Error> {
    let repository = Repository::new(wire, reference, Access::Pull);
    let document = repository.manifest(Which::from(reference))?;
    let root = Node::parse(&document.descriptor, document.bytes)?;
    let release = release_of(&repository, &root, options)?;
    let landing = Landing::open(wire, folder, progress)?;
    let mut puller = Puller { repository: &repository, landing, options };
    if root.artifact_type.as_deref() == Some(RELEASE_TYPE) {
        puller.release(&root, &root, reference)?;
    } else if let Some(release) = release {
        puller.release(&release, &root, reference)?;
    } else if root.is_image() {
        let tag = reference.tag.as_deref().unwrap_or("latest");
        puller.image(&root, &stem(reference), tag)?;
    } else {
        puller.artifacts(std::slice::from_ref(&root))?;
    }
    puller.landing.commit()
}

/// Returns the release that an image belongs to, if it is wanted.
fn release_of(
    repository: &Repository<'_>,
    root: &Node,
    options: &PullOptions,
) -> Result<Option<Node>, Error> {
    let only_image = !options.only.is_empty() && options.only.iter().all(|word| word == "oci");
    if !root.is_image() || only_image {
        return Ok(None);
    }
    let listed = repository.referrers(root.descriptor.digest, Some(RELEASE_TYPE))?.manifests;
    // The one that was attached last, where the registry keeps an order.
    let Some(found) = listed.last() else { return Ok(None) };
    let document = repository.manifest(found.digest.into())?;
    Ok(Some(Node::parse(&document.descriptor, document.bytes)?))
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
    repository: &'a Repository<'a>,
    landing: Landing<'a>,
    options: &'a PullOptions,
}

impl Puller<'_> {
    /// Pulls what is wanted of a release; `known` was read already.
    fn release(&mut self, index: &Node, known: &Node, reference: &Reference) -> Result<(), Error> {
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
        let read = |listed: &Descriptor| self.read(listed, known);
        let nodes = in_parallel(PARALLEL, &wanted, read)?;
        let (images, artifacts): (Vec<_>, Vec<_>) =
            wanted.iter().zip(nodes).partition(|(_, node)| node.is_image());
        let artifacts: Vec<_> = artifacts.into_iter().map(|(_, node)| node).collect();
        self.artifacts(&artifacts)?;
        for (listed, node) in images {
            let layout = listed.annotations.get(LAYOUT_KEY).cloned();
            self.image(&node, &layout.unwrap_or_else(|| stem(reference)), &tag)?;
        }
        Ok(())
    }

    fn read(&self, listed: &Descriptor, known: &Node) -> Result<Node, Error> {
        if listed.digest == known.descriptor.digest {
            return Ok(known.clone());
        }
        let document = self.repository.manifest(listed.digest.into())?;
        Node::parse(&document.descriptor, document.bytes)
    }

    fn artifacts(&mut self, nodes: &[Node]) -> Result<(), Error> {
        let mut wanted = Vec::new();
        for node in nodes {
            wanted.extend(files(node)?);
        }
        let source = Files { repository: self.repository, wanted: &wanted };
        self.landing.files(&wanted, &source)
    }

    fn image(&mut self, node: &Node, name: &str, tag: &str) -> Result<(), Error> {
        let read = BTreeMap::from([(node.descriptor.digest, node.bytes.clone())]);
        let origin = RemoteOrigin { repository: self.repository, read };
        let place = self.repository.full_name();
        let root = chosen(node, self.options.platform.as_ref(), &place)?;
        let form = self.options.form;
        self.landing.image(&origin, &root, &form.file_name(name), tag, form)
    }
}

/// Returns a manifest, of an index that of the wanted platform.
pub(super) fn chosen(
    node: &Node,
    platform: Option<&Platform>,
    place: &str,
) -> Result<Descriptor, Error> {
    match platform {
        Some(platform) if !node.children.is_empty() => {
            let fault = |source| Error::Read { path: PathBuf::from(place), source };
            Ok(select(&node.children, platform).map_err(fault)?.clone())
        }
        Some(_) | None => Ok(node.descriptor.clone()),
    }
}

/// Returns the files of an artifact.
fn files(node: &Node) -> Result<Vec<Wanted>, Error> {
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
    let tree = artifact.annotations.get(TREE_KEY);
    let mut wanted = Vec::new();
    for file in &artifact.files {
        if file.title.is_empty() {
            let reason = "expected its name in the annotation of the title".to_owned();
            return Err(refuse(format!("file {}", file.blob.digest), reason, None));
        }
        wanted.push(Wanted {
            title: file.title.clone(),
            format: format.clone(),
            blob: file.blob,
            tree: tree.cloned(),
        });
    }
    Ok(wanted)
}

/// The blobs of files in a repository.
struct Files<'a> {
    repository: &'a Repository<'a>,
    wanted: &'a [Wanted],
}

impl BlobSource for Files<'_> {
    fn open(&self, digest: &Digest, offset: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        let found = self.wanted.iter().find(|wanted| wanted.blob.digest == *digest);
        let missing = || io::Error::new(io::ErrorKind::NotFound, "no file has it");
        Ok(Box::new(self.repository.blob_from(found.ok_or_else(missing)?.blob, offset)))
    }
}
