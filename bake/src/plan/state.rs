//! Whether a step's work is already done.

use std::collections::BTreeSet;

use bake_formats::digest::Digest;
use bake_formats::rope::Extent;

use super::key::{ActionKey, KeyParts};
use crate::assemble::SourceFiles;
use crate::store::{ActionResult, Store};

/// Whether a step's work is already done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The result is in the store.
    Hit(ActionResult),
    /// It is not, for this reason.
    Miss(String),
    /// Nobody knows before the network is asked, for this reason.
    Unknown(String),
}

impl State {
    /// Returns the result that is in the store.
    pub fn hit(&self) -> Option<&ActionResult> {
        match self {
            Self::Hit(result) => Some(result),
            Self::Miss(_) | Self::Unknown(_) => None,
        }
    }

    /// Looks a result up; `images` is how many it must name.
    pub(super) fn find(
        store: &Store,
        key: &ActionKey,
        covers: &KeyParts,
        subject: &Digest,
        sources: &SourceFiles,
        images: usize,
    ) -> Self {
        match store.result(key.digest()) {
            Some(result) if result.images.len() != images => {
                Self::Miss("the result in the store is an older program's".into())
            }
            Some(result) => match missing(store, &result, sources) {
                None => Self::Hit(result),
                Some(what) => Self::Miss(format!("{what} is no longer in the store")),
            },
            None => Self::Miss(covers.explain(store.note(subject).as_ref())),
        }
    }
}

/// Returns what is missing of a result: a hit counts only if every blob it names is there.
fn missing(store: &Store, result: &ActionResult, sources: &SourceFiles) -> Option<String> {
    let mut seen = BTreeSet::new();
    for file in &result.files {
        let Ok(rope) = store.rope(&file.rope) else {
            return Some(format!("the description of `{}`", file.path));
        };
        for extent in sources.expand(&rope).extents() {
            let Extent::Blob { digest, .. } = extent else { continue };
            if !seen.insert(digest) || sources.contains(&digest) {
                continue;
            }
            if !store.holds(&digest) {
                return Some(format!("blob {digest}"));
            }
        }
    }
    None
}
