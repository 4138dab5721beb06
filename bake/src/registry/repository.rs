//! One repository of a registry, and how it is asked.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bake_formats::oci::Reference;

use super::action::Action;
use super::call::{Answer, Body, Call, Headers, Lengths, Method, Patience, Scope, Target, Wire};
use super::error::{Fault, RegistryError};
use super::which::Which;

/// What is going to be done to a repository, and so what a token must allow from the first call on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Only reading.
    Pull,
    /// Reading and writing.
    Push,
}

/// One repository of a registry.
///
/// May be shared by threads: every call is one of its own. That a host takes no long bodies is
/// remembered for the next blob.
pub struct Repository<'w> {
    pub(super) wire: &'w dyn Wire,
    registry: String,
    name: String,
    access: Access,
    scopes: Vec<Scope>,
    chunk_size: Option<u64>,
    /// The longest body that the host may take, as far as it is known.
    max_body: AtomicU64,
}

impl<'w> Repository<'w> {
    /// Returns the repository of a reference, whose tag and digest do not matter.
    pub fn new(wire: &'w dyn Wire, reference: &Reference, access: Access) -> Self {
        let (registry, name) = (reference.registry.clone(), reference.repository.clone());
        let scopes = vec![Scope { repository: name.clone(), push: access == Access::Push }];
        let Lengths { chunk_size, max_body } = wire.lengths(&registry);
        let max_body = AtomicU64::new(max_body.unwrap_or(u64::MAX).max(1));
        Self { wire, registry, name, access, scopes, chunk_size, max_body }
    }

    /// Returns the registry, e.g. `docker.io`.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// Returns the name within the registry, e.g. `library/debian`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns what was said is going to be done.
    pub fn access(&self) -> Access {
        self.access
    }

    /// Returns the name in full, e.g. `docker.io/library/debian`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.registry, self.name)
    }

    /// Returns what a token must allow.
    pub(super) fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// Returns the length of the chunks in which a longer blob is to be sent.
    pub(super) fn chunk_size(&self) -> Option<u64> {
        self.chunk_size
    }

    /// Returns the longest body that the host may take.
    pub(super) fn max_body(&self) -> u64 {
        self.max_body.load(Ordering::Relaxed)
    }

    /// Remembers that the host takes no body longer than this.
    pub(super) fn limit_body(&self, longest: u64) {
        self.max_body.fetch_min(longest.max(1), Ordering::Relaxed);
    }

    /// Names something that is done to the repository itself.
    pub(super) fn action(&self, verb: impl Into<String>) -> Action {
        let writes = self.access == Access::Push;
        Action::new(verb.into(), self.full_name(), &self.name, writes)
    }

    /// Names something that is done to a manifest.
    pub(super) fn action_on(&self, verb: &str, which: Which<'_>) -> Action {
        let subject = match which {
            Which::Tag(tag) => format!("{}:{}", self.full_name(), tag.escape_debug()),
            Which::Digest(digest) => format!("{}@{digest}", self.full_name()),
        };
        Action::new(verb.to_owned(), subject, &self.name, self.access == Access::Push)
    }

    /// Returns a path below the repository, for [`Target::Path`].
    pub(super) fn path(&self, below: impl std::fmt::Display) -> String {
        format!("{}/{below}", self.name)
    }

    /// Returns the path of a manifest, after a look at the tag.
    pub(super) fn manifest_path(
        &self,
        which: Which<'_>,
        action: &Action,
    ) -> Result<String, RegistryError> {
        which.check().map_err(|reason| action.fault(Fault::Local(reason)))?;
        Ok(self.path(format_args!("manifests/{which}")))
    }

    /// Waits before a new attempt; `false` if there have been enough.
    pub(super) fn pause(&self, attempt: u32, retry_after: Option<Duration>) -> bool {
        self.wire.pause(&self.registry, attempt, retry_after)
    }

    /// Makes a call without a body that the wire may repeat.
    pub(super) fn ask(
        &self,
        action: &Action,
        method: Method,
        target: Target<'_>,
        headers: Headers,
    ) -> Result<Answer, RegistryError> {
        self.call(action, method, target, headers, Body::Empty, Patience::Wire)
    }

    /// Makes a call.
    pub(super) fn call<'a>(
        &'a self,
        action: &Action,
        method: Method,
        target: Target<'a>,
        headers: Headers,
        body: Body<'a>,
        patience: Patience,
    ) -> Result<Answer, RegistryError> {
        let (registry, scopes) = (self.registry.as_str(), self.scopes.as_slice());
        let call = Call { registry, method, target, scopes, headers, body, patience };
        self.wire.call(call).map_err(|error| action.unanswered(error))
    }
}

impl std::fmt::Debug for Repository<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { registry, name, access, .. } = self;
        let mut fields = f.debug_struct("Repository");
        fields.field("registry", registry).field("name", name).field("access", access);
        fields.finish_non_exhaustive()
    }
}
