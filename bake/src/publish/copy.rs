//! From one repository to another, and from one tag to others.

use std::collections::BTreeMap;

use bake_formats::digest::Digest;
use bake_formats::oci::{Platform, Reference, select};

use super::graph::Graph;
use super::node::Node;
use super::origin::{Origin, RemoteOrigin};
use super::plan::{Parcel, Plan, Target};
use super::push::{Pushed, push};
use super::survey::{in_parallel, survey};
use crate::error::Error;
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
    /// What was to be done.
    pub plan: Plan,
    /// What was done; absent if nothing was to be sent.
    pub pushed: Option<Pushed>,
}

/// Copies what a reference leads to. Within a registry blobs are mounted; between two they pass
/// through without lying on disk.
pub fn copy(
    wire: &dyn Wire,
    from: &Reference,
    to: &Reference,
    options: &CopyOptions,
    progress: &dyn Progress,
) -> Result<Copied, Error> {
    let source = Repository::new(wire, from, Access::Pull);
    let document = source.manifest(Which::from(from))?;
    let read = BTreeMap::from([(document.descriptor.digest, document.bytes.clone())]);
    let origin = RemoteOrigin { repository: &source, read };
    let mut root = document.descriptor.clone();
    if let Some(platform) = &options.platform {
        let node = Node::parse(&document.descriptor, document.bytes.clone())?;
        if !node.children.is_empty() {
            let chosen = select(&node.children, platform);
            let path = from.to_string().into();
            root = chosen.map_err(|source| Error::Read { path, source })?.clone();
        }
    }
    let mut graph = Graph::read(&origin, &root)?;
    let tags = match (&to.tag, to.digest) {
        (Some(tag), _) => vec![tag.clone()],
        (None, Some(_)) => Vec::new(),
        // Without a word the tag is the same, and a digest needs none.
        (None, None) => from
            .tag
            .clone()
            .or_else(|| from.digest.is_none().then(|| "latest".into()))
            .into_iter()
            .collect(),
    };
    let mut parcels = vec![Parcel { root: root.digest, tags }];
    if options.referrers {
        add_referrers(&source, &origin, &mut graph, &mut parcels)?;
    }
    let repository = Repository::new(wire, to, Access::Push);
    let target = Target { repository: to.clone() };
    let known = survey(&repository, &target, &graph, &parcels)?;
    let plan = Plan::new(&graph, &parcels, &known, &target);
    let pushed = if options.dry_run {
        None
    } else {
        Some(push(wire, &repository, &origin, &graph, &plan, progress)?)
    };
    Ok(Copied { digest: root.digest, plan, pushed })
}

/// Adds what is attached to manifests, and what is attached to that, e.g. the signature of an
/// attestation. Each manifest is asked for once, those of one round at the same time.
fn add_referrers(
    source: &Repository<'_>,
    origin: &dyn Origin,
    graph: &mut Graph,
    parcels: &mut Vec<Parcel>,
) -> Result<(), Error> {
    let mut asked = 0;
    while asked < graph.nodes().len() {
        let subjects = graph.nodes().iter().skip(asked).map(|node| node.descriptor.digest);
        let subjects: Vec<_> = subjects.collect();
        asked = graph.nodes().len();
        let look = |subject: &Digest| Ok(source.referrers(*subject, None)?.manifests);
        for referrer in in_parallel(&subjects, look)?.into_iter().flatten() {
            graph.add(origin, &referrer)?;
            parcels.push(Parcel { root: referrer.digest, tags: Vec::new() });
        }
    }
    Ok(())
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
