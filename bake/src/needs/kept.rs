//! What is kept in the store between two bakes.
//!
//! Each document has one name for a folder, a platform and an output, and says what it is valid
//! for, so that a new one takes the place of the old one.

use std::path::Path;

use bake_formats::digest::{Digest, Hasher};
use bake_recipes::Platform;
use bake_recipes::resolved::Output;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::REVISION;
use crate::error::Error;
use crate::store::Store;

/// Where results are kept between two bakes.
#[derive(Debug, Clone, Copy)]
pub struct Cache<'a> {
    /// The store.
    pub store: &'a Store,
    /// The recipe's folder, whose results are kept together.
    pub folder: &'a Path,
}

impl<'a> Cache<'a> {
    /// Returns what is kept for one output on one platform.
    pub(super) fn of(self, platform: Platform, output: Output) -> Kept<'a> {
        Kept { cache: self, platform, output }
    }
}

/// What is kept for one output on one platform.
#[derive(Debug)]
pub(super) struct Kept<'a> {
    cache: Cache<'a>,
    platform: Platform,
    output: Output,
}

/// A document, and the digest of what it is valid for.
#[derive(Serialize, Deserialize)]
struct Document<T> {
    of: Digest,
    content: T,
}

impl Kept<'_> {
    fn name(&self, kind: &str) -> Digest {
        let mut hasher = Hasher::new();
        let (platform, output) = (self.platform, self.output.word());
        hasher.update(format!("bake needs {REVISION} {kind} {platform} {output}\n").as_bytes());
        hasher.update(self.cache.folder.as_os_str().as_encoded_bytes());
        hasher.digest()
    }

    /// Returns a document if it is valid for this.
    pub(super) fn get<T: DeserializeOwned>(&self, kind: &str, of: &Digest) -> Option<T> {
        let document: Document<T> = self.cache.store.note(&self.name(kind))?;
        (document.of == *of).then_some(document.content)
    }

    /// Keeps a document in place of the last one.
    pub(super) fn put<T: Serialize>(
        &self,
        kind: &str,
        of: Digest,
        content: &T,
    ) -> Result<(), Error> {
        let fail = |source| Error::Store { path: self.cache.store.root().into(), source };
        self.cache.store.put_note(&self.name(kind), &Document { of, content }).map_err(fail)
    }
}
