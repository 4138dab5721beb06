//! From one place to another, and from one tag to others.

use std::collections::BTreeMap;
use std::path::Path;

use bake_formats::digest::Digest;
use bake_formats::oci::{Descriptor, Platform, Reference};

use super::end::End;
use super::form::Form;
use super::graph::Graph;
use super::landing::Landing;
use super::node::Node;
use super::origin::{LayoutOrigin, Origin, RemoteOrigin};
use super::plan::{Parcel, Plan, Target};
use super::pull::chosen;
use super::push::{Pushed, push};
use super::refuse;
use super::release::{own_tag, the_root};
use super::survey::{PARALLEL, survey};
use crate::error::Error;
use crate::parallel::in_parallel;
use crate::registry::{Access, Progress, Repository, Which, Wire};

/// What goes along.
#[derive(Debug, Clone, Default)]
pub struct CopyOptions {
    /// The one platform that is wanted; all if absent.
    pub platform: Option<Platform>,
    /// Whether what was attached to the image and its platforms goes along, and what was attached to
    /// that in turn.
    pub referrers: bool,
    /// Whether nothing is to be sent.
    pub dry_run: bool,
}

/// What a copy did.
#[derive(Debug, Clone)]
pub struct Copied {
    /// The manifest or index that was copied.
    pub digest: Digest,
    /// What was to be done in a registry; absent if the copy is a layout or an archive.
    pub plan: Option<Plan>,
    /// What was done in a registry; absent if nothing was to be sent.
    pub pushed: Option<Pushed>,
}

/// Copies what one end leads to, to another.
///
/// Within a registry blobs are mounted; between two they pass through without lying on disk. A layout
/// or an archive appears whole or not at all, with every blob and tree compared; layers of a base
/// image that it lacks are taken from the base's registry.
pub fn copy(
    wire: &dyn Wire,
    from: &End,
    to: &End,
    options: &CopyOptions,
    progress: &dyn Progress,
) -> Result<Copied, Error> {
    let platform = options.platform.as_ref();
    match from {
        End::Registry(reference) => {
            let repository = Repository::new(wire, reference, Access::Pull);
            let document = repository.manifest(Which::from(reference))?;
            let read = BTreeMap::from([(document.descriptor.digest, document.bytes.clone())]);
            let origin = RemoteOrigin { repository: &repository, read };
            let node = Node::parse(&document.descriptor, document.bytes)?;
            let root = chosen(&node, platform, &reference.to_string())?;
            let is_bare = reference.tag.is_none() && reference.digest.is_none();
            let tag = reference.tag.clone().or_else(|| is_bare.then(|| "latest".into()));
            let repository = Some(&repository);
            Source { wire, origin: &origin, repository, root, tag }.copy(to, options, progress)
        }
        End::Local { path, .. } => {
            let origin = LayoutOrigin::open(path.clone())?;
            let listed = the_root(&origin, path)?;
            let node = Node::parse(&listed, origin.document(&listed)?)?;
            let root = chosen(&node, platform, &path.display().to_string())?;
            let tag = Some(own_tag(&listed));
            Source { wire, origin: &origin, repository: None, root, tag }
                .copy(to, options, progress)
        }
    }
}

/// What is copied.
struct Source<'a> {
    wire: &'a dyn Wire,
    origin: &'a dyn Origin,
    /// The repository, if it is in one: it knows what is attached.
    repository: Option<&'a Repository<'a>>,
    root: Descriptor,
    /// The tag that it has there.
    tag: Option<String>,
}

impl Source<'_> {
    fn copy(
        &self,
        to: &End,
        options: &CopyOptions,
        progress: &dyn Progress,
    ) -> Result<Copied, Error> {
        match to {
            End::Registry(to) => self.send(to, options, progress),
            End::Local { path, form } => self.write(path, *form, options, progress),
        }
    }

    fn send(
        &self,
        to: &Reference,
        options: &CopyOptions,
        progress: &dyn Progress,
    ) -> Result<Copied, Error> {
        let mut graph = Graph::read(self.origin, &self.root)?;
        let tags = match (&to.tag, to.digest) {
            (Some(tag), _) => vec![tag.clone()],
            (None, Some(_)) => Vec::new(),
            // Without a word the tag is the same, and a digest needs none.
            (None, None) => self.tag.iter().cloned().collect(),
        };
        let mut parcels = vec![Parcel { root: self.root.digest, tags }];
        if options.referrers {
            parcels.extend(self.attached(&mut graph)?);
        }
        let repository = Repository::new(self.wire, to, Access::Push);
        let target = Target { repository: to.clone() };
        let known = survey(&repository, &target, &graph, &parcels)?;
        let plan = Plan::new(&graph, &parcels, &known, &target);
        let pushed = if options.dry_run {
            None
        } else {
            Some(push(self.wire, &repository, self.origin, &graph, &plan, progress)?)
        };
        Ok(Copied { digest: self.root.digest, plan: Some(plan), pushed })
    }

    /// Adds what is attached to manifests and indexes, and what is attached to that, e.g. the
    /// signature of an attestation. Each is asked for once, those of one round at the same time.
    fn attached(&self, graph: &mut Graph) -> Result<Vec<Parcel>, Error> {
        let Some(repository) = self.repository else {
            let reason = "a layout does not say what is attached to its images".to_owned();
            let hint = "leave out --referrers, or copy from a registry".to_owned();
            return Err(refuse(self.origin.name(), reason, Some(hint)));
        };
        let (mut parcels, mut asked) = (Vec::new(), 0);
        while asked < graph.nodes().len() {
            let subjects = graph.nodes().iter().skip(asked).map(|node| node.descriptor.digest);
            let subjects: Vec<_> = subjects.collect();
            asked = graph.nodes().len();
            let look = |subject: &Digest| -> Result<_, Error> {
                Ok(repository.referrers(*subject, None)?.manifests)
            };
            for referrer in in_parallel(PARALLEL, &subjects, look)?.into_iter().flatten() {
                graph.add(self.origin, &referrer)?;
                parcels.push(Parcel { root: referrer.digest, tags: Vec::new() });
            }
        }
        Ok(parcels)
    }

    fn write(
        &self,
        path: &Path,
        form: Form,
        options: &CopyOptions,
        progress: &dyn Progress,
    ) -> Result<Copied, Error> {
        let what = || format!("`{}`", path.display());
        if options.referrers || options.dry_run {
            let reason = "it is a layout, and `--referrers` and `--dry-run` are for registries";
            return Err(refuse(what(), reason.to_owned(), None));
        }
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            let reason = "expected the path of a new file or folder".to_owned();
            return Err(refuse(what(), reason, None));
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let mut landing = Landing::open(self.wire, folder, progress)?;
        let tag = self.tag.as_deref().unwrap_or("latest");
        landing.image(self.origin, &self.root, name, tag, form)?;
        landing.commit()?;
        Ok(Copied { digest: self.root.digest, plan: None, pushed: None })
    }
}

/// Lets further tags lead to what a reference leads to, and returns its digest. One request to
/// read the manifest, one for each tag, none for blobs.
pub fn tag(wire: &dyn Wire, from: &Reference, tags: &[String]) -> Result<Digest, Error> {
    let repository = Repository::new(wire, from, Access::Push);
    let document = repository.manifest(Which::from(from))?;
    for tag in tags {
        let media_type = &document.descriptor.media_type;
        repository.put_manifest(Which::Tag(tag), media_type, &document.bytes)?.stored()?;
    }
    Ok(document.descriptor.digest)
}
