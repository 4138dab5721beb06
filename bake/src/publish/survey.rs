//! What a repository has already. Only reads.

use std::collections::BTreeSet;

use bake_formats::digest::Digest;

use super::graph::Graph;
use super::node::Node;
use super::plan::{Known, Parcel, Step, Target, questions};
use crate::error::Error;
use crate::parallel::in_parallel;
use crate::registry::{Document, Fault, RegistryError, Repository, Which};

/// How many manifests of an earlier index are read to learn of their blobs.
const MAX_EARLIER: usize = 8;
/// How many requests are made at once; the wire may allow fewer.
pub(super) const PARALLEL: usize = 16;

/// Finds out what a repository has of what is to be pushed.
///
/// Every tag is read, which is one request for an image that did not change. The first that leads
/// elsewhere is an earlier image: what it names is there. Only what is worth it is asked for by
/// itself, in parallel.
pub fn survey(
    repository: &Repository<'_>,
    target: &Target,
    graph: &Graph,
    parcels: &[Parcel],
) -> Result<Known, Error> {
    let mut known = Known::default();
    for parcel in parcels {
        for tag in &parcel.tags {
            let found = find(repository, Which::Tag(tag))?;
            let digest = found.as_ref().map(|found| found.descriptor.digest);
            known.asked.push(Step::ReadManifest { which: tag.clone(), found: digest });
            let Some(found) = found else { continue };
            known.tags.insert(tag.clone(), found.descriptor.digest);
            if graph.node(&found.descriptor.digest).is_some() {
                known.manifests.insert(found.descriptor.digest);
            } else if !known.has_earlier {
                learn(repository, graph, found, &mut known)?;
            }
        }
    }
    let untagged: Vec<_> = parcels.iter().filter(|parcel| parcel.tags.is_empty()).collect();
    let look = |parcel: &&Parcel| -> Result<bool, Error> {
        Ok(repository.head_manifest(parcel.root.into())?.is_some())
    };
    for (parcel, found) in untagged.iter().zip(in_parallel(PARALLEL, &untagged, look)?) {
        let root = parcel.root;
        let there = found.then_some(root);
        known.asked.push(Step::ReadManifest { which: root.to_string(), found: there });
        known.manifests.extend(there);
    }
    let wanted = questions(graph, parcels, &known, target);
    let found = in_parallel(PARALLEL, &wanted, |blob| -> Result<bool, Error> {
        Ok(repository.has_blob(blob.digest)?.is_some())
    })?;
    for (blob, found) in wanted.iter().zip(found) {
        known.asked.push(Step::HeadBlob { digest: blob.digest, found });
        if found {
            known.blobs.insert(blob.digest);
        }
    }
    Ok(known)
}

/// Reads a manifest that need not be there. Registries hide what is not behind "forbidden".
fn find(repository: &Repository<'_>, which: Which<'_>) -> Result<Option<Document>, Error> {
    match repository.manifest(which) {
        Ok(found) => Ok(Some(found)),
        Err(RegistryError { fault: Fault::NotFound(_), .. }) => Ok(None),
        Err(RegistryError { fault: Fault::Refused { status: 403, .. }, .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Notes what an earlier manifest or index says is there.
fn learn(
    repository: &Repository<'_>,
    graph: &Graph,
    found: Document,
    known: &mut Known,
) -> Result<(), Error> {
    // Whatever somebody else put there is no reason to fail.
    let Ok(earlier) = Node::parse(&found.descriptor, found.bytes) else { return Ok(()) };
    known.has_earlier = true;
    known.blobs.extend(earlier.blobs.iter().map(|blob| blob.digest));
    let (same, others): (Vec<_>, Vec<_>) =
        earlier.children.iter().partition(|child| graph.node(&child.digest).is_some());
    known.manifests.extend(same.iter().map(|child| child.digest));
    let missing = others.len().min(MAX_EARLIER);
    let digests: Vec<_> = others[..missing].iter().map(|child| child.digest).collect();
    let read = |digest: &Digest| find(repository, Which::Digest(*digest));
    for (digest, found) in digests.iter().zip(in_parallel(PARALLEL, &digests, read)?) {
        let there = found.as_ref().map(|_| *digest);
        known.asked.push(Step::ReadManifest { which: digest.to_string(), found: there });
        let Some(found) = found else { continue };
        if let Ok(child) = Node::parse(&found.descriptor, found.bytes) {
            let blobs: BTreeSet<_> = child.blobs.iter().map(|blob| blob.digest).collect();
            known.blobs.extend(blobs);
        }
    }
    Ok(())
}
