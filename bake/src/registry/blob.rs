//! Whether a repository has a blob (distribution-spec, "Checking if content exists").

use bake_formats::digest::Digest;

use super::call::{Headers, Method, Target};
use super::error::RegistryError;
use super::repository::{Access, Repository};
use super::stated;

/// What a repository says of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Its size, if the registry says so.
    pub size: Option<u64>,
}

impl Repository<'_> {
    /// Looks whether the repository has a blob. One request.
    ///
    /// A registry that hides what is missing behind "forbidden" is believed not to have it if this
    /// repository is going to be written to: the write will tell.
    pub fn has_blob(&self, digest: Digest) -> Result<Option<Held>, RegistryError> {
        let action = self.action(format!("look up blob {digest} in"));
        let path = self.path(format_args!("blobs/{digest}"));
        let answer = self.ask(&action, Method::Head, Target::Path(&path), Headers::default())?;
        match answer.status {
            200 => {}
            404 => return Ok(None),
            403 if self.access() == Access::Push => return Ok(None),
            _ => return Err(action.refused(answer, "blob")),
        }
        if let Some(stated) = stated::digest(&answer).filter(|stated| *stated != digest) {
            return Err(action.mismatch(format!(
                "expected {digest}, but the registry says that it has {stated}"
            )));
        }
        Ok(Some(Held { size: stated::length(&answer) }))
    }
}
