//! What was attached to a manifest (distribution-spec, "Listing Referrers", "Pushing Manifests with
//! Subject").

use bake_formats::blob::Blob;
use bake_formats::digest::Digest;
use bake_formats::oci::descriptor::{StringMap, media_type};
use bake_formats::oci::index::Index;
use bake_formats::oci::{Descriptor, json};

use super::action::Action;
use super::call::{Answer, Headers, Method, Target};
use super::error::{Fault, RegistryError};
use super::manifest::{Changed, Put};
use super::page::Pages;
use super::repository::Repository;
use super::shape::{self, Shape};
use super::which::Which;

/// How many referrers of one manifest are listed.
const MAX_REFERRERS: usize = 10_000;
/// How often a list that others change at the same time is written.
const MAX_WRITES: u32 = 8;

/// Who lists the referrers of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListedBy {
    /// The registry's referrers API.
    Registry,
    /// The index behind the tag `sha256-DIGEST`, which clients keep.
    Tag,
}

/// What refers to a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referrers {
    /// The manifests, with their `artifactType` and annotations.
    pub manifests: Vec<Descriptor>,
    /// Who lists them.
    pub listed_by: ListedBy,
}

impl Repository<'_> {
    /// Returns what refers to a manifest, perhaps only what is of one artifact type.
    ///
    /// A registry without the referrers API is asked for the fallback tag. Nobody needs to have the
    /// manifest itself.
    pub fn referrers(
        &self,
        subject: Digest,
        artifact_type: Option<&str>,
    ) -> Result<Referrers, RegistryError> {
        let action = self.action_on("list the referrers of", Which::Digest(subject));
        let filter = artifact_type.map(|text| {
            let pair: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
            format!("?artifactType={pair}")
        });
        let path = self.path(format_args!("referrers/{subject}{}", filter.unwrap_or_default()));
        let first = self.ask(&action, Method::Get, Target::Path(&path), Headers::default())?;
        let (mut manifests, listed_by) = if has_api(&first) {
            (self.listed_by_registry(&action, first, artifact_type)?, ListedBy::Registry)
        } else if matches!(first.status, 200 | 400 | 404 | 405 | 501) {
            let index = self.fallback_index(subject)?.map(|(index, _)| index.manifests);
            (index.unwrap_or_default(), ListedBy::Tag)
        } else {
            return Err(action.refused(first, "manifest"));
        };
        if let (Some(wanted), ListedBy::Tag) = (artifact_type, listed_by) {
            manifests.retain(|descriptor| artifact_type_of(descriptor) == Some(wanted));
        }
        Ok(Referrers { manifests, listed_by })
    }

    /// Sends a manifest, by its digest, that has a subject, and sees to it that it is listed among
    /// the subject's referrers: by the registry, or by the fallback tag.
    pub fn put_referrer(&self, bytes: &[u8]) -> Result<ListedBy, RegistryError> {
        let blob = Blob::of(bytes);
        let which = Which::Digest(blob.digest);
        let action = self.action_on("attach manifest", which);
        let local = |reason: String| action.fault(Fault::Local(reason));
        let shape = Shape::parse(bytes).map_err(local)?;
        let media_type = shape.judge(None).map_err(local)?;
        let Some(subject) = shape.subject.as_ref().map(|subject| subject.digest) else {
            return Err(local("the manifest has no `subject`".to_owned()));
        };
        if self.put_manifest(which, &media_type, bytes)?.stored()? {
            return Ok(ListedBy::Registry);
        }
        self.list_referrer(subject, &shape.listed(Descriptor::new(media_type, blob)))?;
        Ok(ListedBy::Tag)
    }

    /// Adds a manifest to the fallback tag of its subject, for registries that do not answer the
    /// manifest with `OCI-Subject`.
    ///
    /// Writers that meet are told apart by `ETag` if the registry has it; if not, the last one wins,
    /// which the specification admits.
    pub fn list_referrer(
        &self,
        subject: Digest,
        referrer: &Descriptor,
    ) -> Result<(), RegistryError> {
        let tag = fallback_tag(subject);
        let action = self.action_on("list a referrer in", Which::Tag(&tag));
        for attempt in 1..=MAX_WRITES {
            let (mut index, etag) = match self.fallback_index(subject)? {
                Some(found) => found,
                None => (Index::new(Vec::new(), StringMap::new()), None),
            };
            if index.manifests.contains(referrer) {
                return Ok(());
            }
            index.manifests.retain(|found| found.digest != referrer.digest);
            index.manifests.push(referrer.clone());
            index.manifests.sort_by_key(|found| found.digest);
            let bytes = json::canonical(&index)
                .map_err(|error| action.fault(Fault::Local(error.to_string())))?;
            let which = Which::Tag(&tag);
            match self.put_manifest_if(which, media_type::INDEX, &bytes, etag.as_deref())? {
                Ok(Put::Stored { .. }) => return Ok(()),
                Ok(Put::Lacks { error, .. }) => return Err(error),
                Err(Changed) if self.pause(attempt, None) => {}
                Err(Changed) => break,
            }
        }
        Err(action.protocol("somebody else changed the list every time it was about to be written"))
    }

    /// Reads the index behind the fallback tag, with its `ETag`.
    fn fallback_index(
        &self,
        subject: Digest,
    ) -> Result<Option<(Index, Option<String>)>, RegistryError> {
        let tag = fallback_tag(subject);
        let Some(found) = self.find_manifest(Which::Tag(&tag))? else { return Ok(None) };
        let action = self.action_on("read the referrers in", Which::Tag(&tag));
        let media_type = &found.document.descriptor.media_type;
        if media_type != media_type::INDEX {
            let reason = format!("expected an image index, found `{media_type}`");
            let hint =
                "the tag is reserved for the list of referrers: remove or rename what is there";
            return Err(action.fault_with_hint(Fault::Protocol(reason), hint));
        }
        let index = parse(&action, &found.document.bytes)?;
        Ok(Some((index, found.etag)))
    }

    /// Reads all pages of the registry's own list.
    fn listed_by_registry(
        &self,
        action: &Action,
        first: Answer,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, RegistryError> {
        let mut pages = Pages::new(self, action);
        let (mut manifests, mut next) = (Vec::new(), Some(first));
        while let Some(answer) = next {
            let page = pages.read(answer)?;
            let mut listed = parse(action, &page.bytes)?.manifests;
            // A filter counts only if the registry says that it applied it.
            if let Some(wanted) = artifact_type.filter(|_| !is_filtered(&page.headers)) {
                listed.retain(|descriptor| artifact_type_of(descriptor) == Some(wanted));
            }
            manifests.extend(listed);
            if manifests.len() > MAX_REFERRERS {
                let reason = format!("there are more than {MAX_REFERRERS} referrers");
                return Err(action.protocol(reason));
            }
            next = pages.next()?;
        }
        Ok(manifests)
    }
}

/// Returns the tag under which clients keep the referrers of a manifest (distribution-spec,
/// "Referrers Tag Schema").
pub fn fallback_tag(subject: Digest) -> String {
    format!("sha256-{}", subject.hex())
}

/// Returns whether an answer is a list of referrers; some registries answer 200 with a page.
fn has_api(answer: &Answer) -> bool {
    let kind = shape::essence(answer.headers.get("Content-Type").unwrap_or_default());
    answer.status == 200 && matches!(kind.as_str(), media_type::INDEX | "application/json" | "")
}

/// Returns whether the registry left out what is of another artifact type.
fn is_filtered(headers: &Headers) -> bool {
    let mut filters = headers.all("OCI-Filters-Applied").flat_map(|filters| filters.split(','));
    filters.any(|filter| filter.trim() == "artifactType")
}

fn artifact_type_of(descriptor: &Descriptor) -> Option<&str> {
    descriptor.other.get("artifactType")?.as_str()
}

fn parse(action: &Action, bytes: &[u8]) -> Result<Index, RegistryError> {
    Index::parse(bytes).map_err(|error| action.protocol(error.to_string()))
}
