//! What a repository has, for people.

use bake_formats::oci::{Descriptor, Reference};

use super::refuse;
use super::survey::PARALLEL;
use crate::error::Error;
use crate::parallel::in_parallel;
use crate::registry::{Repository, Which};

/// Returns what tags lead to, in their order; `None` for one that is gone. One request for each.
pub fn digests(
    repository: &Repository<'_>,
    tags: &[String],
) -> Result<Vec<Option<Descriptor>>, Error> {
    in_parallel(PARALLEL, tags, |tag| Ok(repository.head_manifest(Which::Tag(tag))?))
}

/// Returns what is attached to what a reference leads to.
pub fn referrers(
    repository: &Repository<'_>,
    reference: &Reference,
) -> Result<Vec<Descriptor>, Error> {
    let digest = if let Some(digest) = reference.digest {
        digest
    } else {
        let found = repository.head_manifest(Which::from(reference))?;
        let missing = || {
            let hint = format!("`bake ls {}` lists the tags", reference.name());
            refuse(reference.to_string(), "there is no such tag".to_owned(), Some(hint))
        };
        found.ok_or_else(missing)?.digest
    };
    Ok(repository.referrers(digest, None)?.manifests)
}
