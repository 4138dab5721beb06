//! What a push is going to do: a list of steps with their requests and bytes.

use std::collections::{BTreeMap, BTreeSet};

use bake_formats::blob::Blob;
use bake_formats::digest::Digest;
use bake_formats::oci::Reference;
use serde::Serialize;

use super::graph::{Graph, Needed};
use super::node::Node;

/// A blob that is not larger is sent without a question if an earlier image is known: what that
/// one did not have is probably new, and a question costs as much as it could save.
const SMALL: u64 = 1 << 20;
/// A blob that is not larger is sent without a question at all.
const TINY: u64 = 16 << 10;

/// A repository, as far as steps name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The repository; tag and digest do not matter.
    pub repository: Reference,
}

/// One manifest or index that is wanted at the target, with everything that it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// Its digest.
    pub root: Digest,
    /// The tags that are to lead to it; none if its digest is enough.
    pub tags: Vec<String>,
}

/// What is known of the target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// What the tags that were looked at lead to; absent if there is no such tag.
    pub tags: BTreeMap<String, Digest>,
    /// Manifests that are there with all they name.
    pub manifests: BTreeSet<Digest>,
    /// Blobs that are there.
    pub blobs: BTreeSet<Digest>,
    /// Whether an earlier image was found, whose blobs are known.
    pub has_earlier: bool,
    /// The reads that were made to find out.
    pub asked: Vec<Step>,
}

/// One step of a push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    /// A tag or an earlier manifest was read.
    ReadManifest {
        /// The tag or digest.
        which: String,
        /// What it leads to; absent if there is none.
        found: Option<Digest>,
    },
    /// A blob was looked up.
    HeadBlob {
        /// The blob.
        digest: Digest,
        /// Whether it is there.
        found: bool,
    },
    /// The registry takes the blob from another repository of its own; if it declines, the blob is
    /// sent in the same upload.
    Mount {
        /// The blob.
        digest: Digest,
        /// How many bytes are not sent.
        size: u64,
        /// The other repository.
        from: String,
    },
    /// The blob is sent.
    Upload {
        /// The blob.
        digest: Digest,
        /// How many bytes are sent.
        size: u64,
    },
    /// The blob is read from another registry and sent on.
    Stream {
        /// The blob.
        digest: Digest,
        /// How many bytes are received and sent.
        size: u64,
        /// Where it is read.
        from: String,
    },
    /// A manifest or an index is sent, under its digest.
    PutManifest {
        /// The manifest.
        digest: Digest,
        /// How many bytes are sent.
        size: u64,
        /// What it is attached to.
        #[serde(skip_serializing_if = "Option::is_none")]
        subject: Option<Digest>,
    },
    /// A manifest or an index is sent, under a tag, which moves with it.
    PutTag {
        /// The tag.
        tag: String,
        /// The manifest.
        digest: Digest,
        /// How many bytes are sent.
        size: u64,
        /// What it is attached to.
        #[serde(skip_serializing_if = "Option::is_none")]
        subject: Option<Digest>,
    },
}

impl Step {
    /// Returns how many requests the step takes if all goes as expected.
    pub fn requests(&self) -> u64 {
        match self {
            Self::Upload { .. } => 2,
            Self::Stream { .. } => 3,
            Self::ReadManifest { .. }
            | Self::HeadBlob { .. }
            | Self::Mount { .. }
            | Self::PutManifest { .. }
            | Self::PutTag { .. } => 1,
        }
    }

    /// Returns how many bytes of bodies the step sends to the target.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Upload { size, .. }
            | Self::Stream { size, .. }
            | Self::PutManifest { size, .. }
            | Self::PutTag { size, .. } => *size,
            Self::ReadManifest { .. } | Self::HeadBlob { .. } | Self::Mount { .. } => 0,
        }
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let attached = |subject: &Option<Digest>| match subject {
            Some(subject) => format!(", attached to {subject}"),
            None => String::new(),
        };
        match self {
            Self::ReadManifest { which, found: Some(found) } => {
                write!(f, "read   {which}: {found}")
            }
            Self::ReadManifest { which, found: None } => write!(f, "read   {which}: not there"),
            Self::HeadBlob { digest, found } => {
                write!(f, "look   {digest}: {}", if *found { "there" } else { "not there" })
            }
            Self::Mount { digest, size, from } => {
                write!(f, "mount  {digest} from {from} ({size} bytes not sent)")
            }
            Self::Upload { digest, size } => write!(f, "upload {digest} ({size} bytes)"),
            Self::Stream { digest, size, from } => {
                write!(f, "stream {digest} from {from} ({size} bytes)")
            }
            Self::PutManifest { digest, size, subject } => {
                write!(f, "write  {digest} ({size} bytes{})", attached(subject))
            }
            Self::PutTag { tag, digest, size, subject } => {
                write!(f, "tag    {tag}: {digest} ({size} bytes{})", attached(subject))
            }
        }
    }
}

/// What a push is going to do, in this order: blobs, manifests, tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The reads that were made to find out.
    pub asked: Vec<Step>,
    /// The steps.
    pub steps: Vec<Step>,
    /// How many blobs are there already.
    pub skipped: u64,
}

impl Plan {
    /// Decides what to do. Reads nothing.
    pub fn new(graph: &Graph, parcels: &[Parcel], known: &Known, target: &Target) -> Self {
        let roots: Vec<_> = parcels.iter().map(|parcel| parcel.root).collect();
        let (nodes, blobs) = graph.lacking(&roots, &known.manifests);
        let mut steps = Vec::new();
        let mut sent: Vec<_> = blobs.iter().filter_map(|digest| graph.blob(digest)).collect();
        sent.retain(|needed| !known.blobs.contains(&needed.blob.digest));
        // The largest first, so that none is alone at the end.
        sent.sort_by_key(|needed| (std::cmp::Reverse(needed.blob.size), needed.blob.digest));
        let skipped = blobs.len().saturating_sub(sent.len()) as u64;
        steps.extend(sent.into_iter().map(|needed| blob_step(needed, target)));
        let is_listed = |digest: Digest| {
            let lists = |node: &Node| node.children.iter().any(|child| child.digest == digest);
            let is_untagged = |node: &Node| first_tag(parcels, node.descriptor.digest).is_none();
            nodes.iter().copied().filter(|node| lists(node)).any(is_untagged)
        };
        for node in &nodes {
            let digest = node.descriptor.digest;
            if first_tag(parcels, digest).is_none() || is_listed(digest) {
                let (size, subject) = (node.descriptor.size, node.subject);
                steps.push(Step::PutManifest { digest, size, subject });
            }
        }
        for Parcel { root, tags } in parcels {
            let Some(node) = graph.node(root) else { continue };
            for tag in tags.iter().filter(|tag| known.tags.get(*tag) != Some(root)) {
                let (tag, digest, size) = (tag.clone(), *root, node.descriptor.size);
                steps.push(Step::PutTag { tag, digest, size, subject: node.subject });
            }
        }
        Self { asked: known.asked.clone(), steps, skipped }
    }

    /// Returns how many requests there are in all if all goes as expected, without those for logins.
    pub fn requests(&self) -> u64 {
        self.asked.iter().chain(&self.steps).map(Step::requests).sum()
    }

    /// Returns how many bytes are sent if all goes as expected.
    pub fn bytes(&self) -> u64 {
        self.steps.iter().map(Step::bytes).sum()
    }

    /// Returns whether everything is there already.
    pub fn is_done(&self) -> bool {
        self.steps.is_empty()
    }
}

fn first_tag(parcels: &[Parcel], digest: Digest) -> Option<&str> {
    let parcel = parcels.iter().find(|parcel| parcel.root == digest)?;
    parcel.tags.first().map(String::as_str)
}

/// Decides how a blob comes to the target.
fn blob_step(needed: &Needed, target: &Target) -> Step {
    let Blob { digest, size } = needed.blob;
    match &needed.base {
        Some(base) if is_mountable(base, target) => {
            Step::Mount { digest, size, from: base.repository.clone() }
        }
        Some(base) if !needed.is_here => Step::Stream { digest, size, from: base.name() },
        Some(_) | None => Step::Upload { digest, size },
    }
}

fn is_mountable(base: &Reference, target: &Target) -> bool {
    let Reference { registry, repository, .. } = &target.repository;
    base.registry == *registry && base.repository != *repository
}

/// Returns the blobs that are worth a look: a mount tells by itself whether a blob is there, and
/// small ones are sent for the price of the question.
pub(super) fn questions(
    graph: &Graph,
    parcels: &[Parcel],
    known: &Known,
    target: &Target,
) -> Vec<Blob> {
    let roots: Vec<_> = parcels.iter().map(|parcel| parcel.root).collect();
    let (_, blobs) = graph.lacking(&roots, &known.manifests);
    let limit = if known.has_earlier { SMALL } else { TINY };
    let is_question = |needed: &&Needed| {
        let mounts = needed.base.as_ref().is_some_and(|base| is_mountable(base, target));
        let is_far = !needed.is_here;
        !mounts
            && (needed.blob.size > limit || is_far)
            && !known.blobs.contains(&needed.blob.digest)
    };
    let needed = blobs.iter().filter_map(|digest| graph.blob(digest));
    needed.filter(is_question).map(|needed| needed.blob).collect()
}
