//! Doing what a plan says: blobs in parallel, then manifests, then tags.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use bake_formats::blob::Blob;
use bake_formats::digest::Digest;
use bake_formats::oci::Reference;
use serde::Serialize;

use super::graph::Graph;
use super::node::Node;
use super::origin::Origin;
use super::plan::{Plan, Step};
use super::supplies::Supplies;
use super::survey::PARALLEL;
use crate::error::Error;
use crate::parallel::in_parallel;
use crate::registry::{Mounted, Progress, Put, Repository, UploadSession, Which, Wire};

/// What came of a push.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Pushed {
    /// How many blobs were sent.
    pub uploaded: u64,
    /// How many bytes of blobs and manifests were sent.
    pub bytes: u64,
    /// How many blobs the registry took from other repositories.
    pub mounted: u64,
    /// How many blobs were there already.
    pub skipped: u64,
}

impl std::ops::Add for Pushed {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            uploaded: self.uploaded + other.uploaded,
            bytes: self.bytes + other.bytes,
            mounted: self.mounted + other.mounted,
            skipped: self.skipped + other.skipped,
        }
    }
}

/// Does what a plan says.
///
/// Tags move last, so that whoever reads them sees all or nothing of it, and a push that fails
/// leaves them as they were. A blob that the registry turns out not to have after all is sent once
/// more.
pub fn push(
    wire: &dyn Wire,
    repository: &Repository<'_>,
    origin: &dyn Origin,
    graph: &Graph,
    plan: &Plan,
    progress: &dyn Progress,
) -> Result<Pushed, Error> {
    let counts = Totals::default();
    let supplies = Supplies::new(wire, origin, graph);
    let sender = Sender { repository, supplies, graph, progress, counts };
    let is_blob = |step: &&Step| {
        matches!(step, Step::Mount { .. } | Step::Upload { .. } | Step::Stream { .. })
    };
    let blobs: Vec<_> = plan.steps.iter().filter(is_blob).collect();
    in_parallel(PARALLEL, &blobs, |step| sender.blob(step))?;
    for step in &plan.steps {
        match step {
            Step::PutManifest { digest, .. } => sender.manifest(*digest, Which::Digest(*digest))?,
            Step::PutTag { tag, digest, .. } => sender.manifest(*digest, Which::Tag(tag))?,
            Step::ReadManifest { .. }
            | Step::HeadBlob { .. }
            | Step::Mount { .. }
            | Step::Upload { .. }
            | Step::Stream { .. } => {}
        }
    }
    let Totals { uploaded, bytes, mounted } = sender.counts;
    Ok(Pushed {
        uploaded: uploaded.into_inner(),
        bytes: bytes.into_inner(),
        mounted: mounted.into_inner(),
        skipped: plan.skipped,
    })
}

#[derive(Default)]
struct Totals {
    uploaded: AtomicU64,
    bytes: AtomicU64,
    mounted: AtomicU64,
}

struct Sender<'a> {
    repository: &'a Repository<'a>,
    supplies: Supplies<'a>,
    graph: &'a Graph,
    progress: &'a dyn Progress,
    counts: Totals,
}

impl Sender<'_> {
    fn blob(&self, step: &Step) -> Result<(), Error> {
        match step {
            Step::Mount { digest, from, .. } => {
                let registry = self.repository.registry().to_owned();
                let from =
                    Reference { registry, repository: from.clone(), tag: None, digest: None };
                match self.repository.mount(*digest, Some(&from))? {
                    Mounted::Yes => {
                        self.counts.mounted.fetch_add(1, Ordering::Relaxed);
                        Ok(())
                    }
                    Mounted::Session(session) => self.send(*digest, Some(session)),
                    Mounted::No => self.send(*digest, None),
                }
            }
            Step::Upload { digest, .. } | Step::Stream { digest, .. } => self.send(*digest, None),
            Step::ReadManifest { .. }
            | Step::HeadBlob { .. }
            | Step::PutManifest { .. }
            | Step::PutTag { .. } => Ok(()),
        }
    }

    /// Sends a blob, from here or from its base's registry.
    fn send(&self, digest: Digest, session: Option<UploadSession>) -> Result<(), Error> {
        let Some(needed) = self.graph.blob(&digest) else { return Ok(()) };
        let blob = needed.blob;
        self.repository.upload(blob, &self.supplies, session, self.progress)?;
        self.counts.uploaded.fetch_add(1, Ordering::Relaxed);
        self.counts.bytes.fetch_add(blob.size, Ordering::Relaxed);
        Ok(())
    }

    /// Sends a manifest or an index, and sees to it that it is listed by what it is attached to.
    fn manifest(&self, digest: Digest, which: Which<'_>) -> Result<(), Error> {
        let Some(node) = self.graph.node(&digest) else { return Ok(()) };
        let is_listed = match self.put(node, which)? {
            Put::Stored { subject_accepted } => subject_accepted,
            Put::Lacks { digests, error } => {
                let lacks = Self::lacks(node, &digests);
                if lacks.is_empty() {
                    return Err(error.into());
                }
                in_parallel(PARALLEL, &lacks, |digest| self.send(*digest, None))?;
                self.put(node, which)?.stored()?
            }
        };
        if let Some(subject) = node.subject.filter(|_| !is_listed) {
            self.repository.list_referrer(subject, &node.as_referrer())?;
        }
        Ok(())
    }

    fn put(&self, node: &Node, which: Which<'_>) -> Result<Put, Error> {
        let put = self.repository.put_manifest(which, &node.descriptor.media_type, &node.bytes)?;
        if matches!(put, Put::Stored { .. }) {
            let Blob { size, .. } = Blob::of(&node.bytes);
            self.counts.bytes.fetch_add(size, Ordering::Relaxed);
        }
        Ok(put)
    }

    /// Returns the blobs of a manifest that the registry says it does not have.
    fn lacks(node: &Node, named: &[Digest]) -> Vec<Digest> {
        let own: BTreeSet<_> = node.blobs.iter().map(|blob| blob.digest).collect();
        let lacks = own.into_iter().filter(|digest| named.is_empty() || named.contains(digest));
        lacks.collect()
    }
}
