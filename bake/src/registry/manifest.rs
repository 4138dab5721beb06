//! Manifests and indexes: looking, reading, writing (distribution-spec, "Pulling manifests",
//! "Pushing Manifests").

use bake_formats::blob::Blob;
use bake_formats::digest::Digest;
use bake_formats::oci::Descriptor;
use bake_formats::oci::descriptor::media_type;

use super::action::Action;
use super::call::{Answer, Body, Headers, Method, Patience, Target};
use super::document::{Document, expect_digest};
use super::error::{Fault, RegistryError};
use super::refusal::Refusal;
use super::repository::{Access, Repository};
use super::shape;
use super::stated;
use super::which::Which;

/// What may be answered. Without Docker's types, old registries convert what they have to schema 1.
const ACCEPT: [&str; 4] = [
    media_type::INDEX,
    media_type::MANIFEST,
    media_type::DOCKER_INDEX,
    media_type::DOCKER_MANIFEST,
];

/// How often a manifest is sent again to a registry that does not know its blobs yet.
const MAX_SETTLING: u32 = 4;

/// What became of a manifest that was sent.
#[derive(Debug)]
#[must_use]
pub enum Put {
    /// The registry has it.
    Stored {
        /// Whether the registry lists it among the referrers of its subject by itself. `false` also
        /// if it has no subject.
        subject_accepted: bool,
    },
    /// The registry says, even after a while, that it does not have what the manifest names.
    Lacks {
        /// The blobs and manifests that it names; all that the manifest names if there are none.
        digests: Vec<Digest>,
        /// The error for those who cannot help it.
        error: RegistryError,
    },
}

impl Put {
    /// Returns whether the registry took note of the manifest's subject; fails if it lacks a blob.
    pub fn stored(self) -> Result<bool, RegistryError> {
        match self {
            Self::Stored { subject_accepted } => Ok(subject_accepted),
            Self::Lacks { error, .. } => Err(error),
        }
    }
}

/// A document, and the header by which a registry tells its versions apart.
pub(super) struct Tagged {
    pub(super) document: Document,
    pub(super) etag: Option<String>,
}

impl Repository<'_> {
    /// Looks what a tag or digest leads to; `None` if there is nothing.
    ///
    /// One request if the registry answers as the specification says, two if it leaves out the
    /// digest. A registry that hides what is missing behind "forbidden" is believed to have nothing
    /// if this repository is going to be written to: the write will tell.
    pub fn head_manifest(&self, which: Which<'_>) -> Result<Option<Descriptor>, RegistryError> {
        let action = self.action_on("look up manifest", which);
        let path = self.manifest_path(which, &action)?;
        let answer = self.ask(&action, Method::Head, Target::Path(&path), accept())?;
        match answer.status {
            200 => {}
            404 => return Ok(None),
            403 if self.access() == Access::Push => return Ok(None),
            _ => return Err(action.refused(answer, "manifest")),
        }
        let stated_digest = stated::digest(&answer);
        let size = stated::length(&answer);
        let kind = shape::essence(answer.headers.get("Content-Type").unwrap_or_default());
        let (Some(digest), Some(size), true) =
            (stated_digest, size, ACCEPT.contains(&kind.as_str()))
        else {
            return Ok(self.find_manifest(which)?.map(|found| found.document.descriptor));
        };
        expect_digest(&action, which, digest, "the registry says that it has")?;
        Ok(Some(Descriptor::new(kind, Blob { digest, size })))
    }

    /// Reads a manifest or an index.
    ///
    /// # Errors
    ///
    /// If there is none; if it is longer than [`MAX_MANIFEST`], of schema 1, or of two types at
    /// once; if its bytes do not have the digest that was asked for or that the registry states.
    pub fn manifest(&self, which: Which<'_>) -> Result<Document, RegistryError> {
        match self.find_manifest(which)? {
            Some(found) => Ok(found.document),
            None => Err(self.action_on("read manifest", which).fault(Fault::NotFound("manifest"))),
        }
    }

    /// Reads a manifest or an index; `None` if there is none.
    pub(super) fn find_manifest(&self, which: Which<'_>) -> Result<Option<Tagged>, RegistryError> {
        let action = self.action_on("read manifest", which);
        let path = self.manifest_path(which, &action)?;
        let answer = self.ask(&action, Method::Get, Target::Path(&path), accept())?;
        match answer.status {
            200 => {}
            404 => {
                let error = action.refused(answer, "manifest");
                let absent = matches!(error.fault, Fault::NotFound(_));
                return if absent { Ok(None) } else { Err(error) };
            }
            _ => return Err(action.refused(answer, "manifest")),
        }
        let etag = answer.headers.get("ETag").map(str::to_owned);
        let document = Document::receive(&action, which, answer)?;
        Ok(Some(Tagged { document, etag }))
    }

    /// Sends a manifest or an index, whose bytes are kept exactly.
    ///
    /// What it names must be there already. A registry that does not see yet what it has just
    /// received gets a little time. A tag that may not be moved is no fault if it leads to these
    /// bytes already.
    pub fn put_manifest(
        &self,
        which: Which<'_>,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<Put, RegistryError> {
        self.put_manifest_if(which, media_type, bytes, None)?.map_err(|Changed| {
            let action = self.action_on("write manifest", which);
            action.protocol("the registry answers 412 although there was no condition")
        })
    }

    /// Sends a manifest, if wanted only as long as what is there has this `ETag`.
    pub(super) fn put_manifest_if(
        &self,
        which: Which<'_>,
        media_type: &str,
        bytes: &[u8],
        etag: Option<&str>,
    ) -> Result<Result<Put, Changed>, RegistryError> {
        let action = self.action_on("write manifest", which);
        let path = self.manifest_path(which, &action)?;
        let digest = Digest::of(bytes);
        expect_digest(&action, which, digest, "the bytes to be written have")?;
        let mut headers = Headers::default().with("Content-Type", media_type);
        if let Some(etag) = etag {
            headers.add("If-Match", etag);
        }
        let mut attempt = 1;
        loop {
            let (method, target) = (Method::Put, Target::Path(&path));
            let (headers, body) = (headers.clone(), Body::Bytes(bytes));
            let answer = self.call(&action, method, target, headers, body, Patience::Wire)?;
            if (200..300).contains(&answer.status) {
                return stored(&action, digest, &answer).map(Ok);
            }
            if answer.status == 412 && etag.is_some() {
                return Ok(Err(Changed));
            }
            let refusal = Refusal::read(answer);
            if !is_lack(&refusal) {
                return self.settle_tag(&action, which, digest, refusal).map(Ok);
            }
            let wait = refusal.retry_after;
            if attempt >= MAX_SETTLING || !self.pause(attempt, wait) {
                let digests = refusal.digests();
                return Ok(Ok(Put::Lacks { digests, error: refusal.into_error(&action, "blob") }));
            }
            attempt += 1;
        }
    }

    /// Judges a refusal to write a tag: that it leads to the same manifest already is success.
    fn settle_tag(
        &self,
        action: &Action,
        which: Which<'_>,
        digest: Digest,
        refusal: Refusal,
    ) -> Result<Put, RegistryError> {
        let may_be_kept = matches!(refusal.status, 400 | 403 | 405 | 409 | 412 | 422);
        let is_tag = matches!(which, Which::Tag(_));
        let there = match (is_tag && may_be_kept).then(|| self.head_manifest(which)) {
            Some(Ok(Some(found))) => found.digest,
            // The refusal is what matters, not why the look at the tag failed.
            Some(Ok(None) | Err(_)) | None => return Err(refusal.into_error(action, "repository")),
        };
        if there == digest {
            return Ok(Put::Stored { subject_accepted: false });
        }
        let hint = format!(
            "the tag leads to {there} and would have been moved to {digest}: if this registry does \
             not let tags be moved, use a new one"
        );
        Err(RegistryError { hint: Some(hint), ..refusal.into_error(action, "repository") })
    }
}

/// Somebody else wrote the manifest since it was read.
pub(super) struct Changed;

/// Returns the headers that say what may be answered.
fn accept() -> Headers {
    Headers::default().with("Accept", ACCEPT.join(", "))
}

/// Returns whether a registry refuses a manifest because of what it does not have.
fn is_lack(refusal: &Refusal) -> bool {
    matches!(refusal.status, 400 | 404 | 409 | 422)
        && ["MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"]
            .iter()
            .any(|code| refusal.has(code))
}

/// Checks what a registry says of a manifest that it took.
fn stored(action: &Action, digest: Digest, answer: &Answer) -> Result<Put, RegistryError> {
    if let Some(stated) = stated::digest(answer).filter(|stated| *stated != digest) {
        return Err(action.mismatch(format!(
            "{digest} was sent, but the registry says that it now has {stated}"
        )));
    }
    let subject_accepted = answer.headers.get("OCI-Subject").is_some();
    Ok(Put::Stored { subject_accepted })
}
