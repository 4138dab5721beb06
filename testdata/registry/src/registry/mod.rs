//! The specification (distribution-spec 1.1, "Endpoints"), and what actions change about it.

mod blobs;
mod lists;
mod manifests;
mod uploads;

use bake_formats::digest::Digest;

use crate::http::{Head, Reply};
use crate::kind::{Kind, Target};
use crate::rule::Action;
use crate::state::State;
use crate::trace::Host;

/// The two hosts, as the beginnings of URLs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hosts {
    pub(crate) registry: String,
    pub(crate) other: String,
}

/// A request that is allowed, with its body.
pub(crate) struct Request<'a> {
    pub(crate) head: &'a Head,
    pub(crate) target: &'a Target,
    pub(crate) kind: Kind,
    pub(crate) body: Vec<u8>,
    pub(crate) actions: &'a [Action],
    pub(crate) host: Host,
    pub(crate) hosts: &'a Hosts,
    /// Whether the sender may read a repository.
    pub(crate) may_pull: &'a dyn Fn(&str) -> bool,
}

/// What came of a request.
pub(crate) struct Outcome {
    pub(crate) reply: Reply,
    /// The upload that it was about.
    pub(crate) upload: Option<String>,
    /// The blob that its body made.
    pub(crate) stored: Option<(Digest, u64)>,
}

impl From<Reply> for Outcome {
    fn from(reply: Reply) -> Self {
        Self { reply, upload: None, stored: None }
    }
}

impl Request<'_> {
    fn has(&self, action: &Action) -> bool {
        self.actions.contains(action)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.first(name)
    }
}

/// Answers a request.
pub(crate) fn answer(state: &mut State, request: Request<'_>) -> Outcome {
    if request.has(&Action::RedirectLoop) {
        let Head { path, query, .. } = request.head;
        return Reply::new(307).with("Location", format!("{path}?{query}")).into();
    }
    if request.host == Host::Other && request.header("Authorization").is_some() {
        return Reply::error(400, "DENIED", "only one means of authentication is allowed").into();
    }
    let target = request.target.clone();
    match (target, request.kind) {
        (Target::Ping, Kind::Ping) => Reply::json(200, &serde_json::json!({}))
            .with("Docker-Distribution-Api-Version", "registry/2.0")
            .into(),
        (Target::Storage(digest), Kind::BlobGet | Kind::BlobHead) => {
            blobs::storage(state, &request, &digest).into()
        }
        (Target::Blob(name, digest), Kind::BlobDelete) => {
            blobs::delete(state, &name, &digest).into()
        }
        (Target::Blob(name, digest), Kind::BlobGet | Kind::BlobHead) => {
            blobs::read(state, &request, &name, &digest).into()
        }
        (Target::Uploads(name), Kind::UploadStart | Kind::UploadWhole | Kind::Mount) => {
            uploads::start(state, request, &name)
        }
        (Target::Upload(name, id), Kind::UploadPatch | Kind::UploadPut) => {
            uploads::go_on(state, request, &name, &id)
        }
        (Target::Upload(name, id), Kind::UploadStatus | Kind::UploadCancel) => {
            uploads::look(state, &request, &name, &id)
        }
        (Target::Manifest(name, reference), Kind::ManifestGet | Kind::ManifestHead) => {
            manifests::read(state, &request, &name, &reference).into()
        }
        (Target::Manifest(name, reference), Kind::ManifestPut) => {
            manifests::write(state, request, &name, &reference).into()
        }
        (Target::Manifest(name, reference), Kind::ManifestDelete) => {
            manifests::delete(state, &name, &reference).into()
        }
        (Target::Tags(name), Kind::Tags) => lists::tags(state, &request, &name).into(),
        (Target::Referrers(name, digest), Kind::Referrers) => {
            lists::referrers(state, &request, &name, &digest).into()
        }
        (Target::Unknown | Target::Token, _) => {
            Reply::error(404, "UNSUPPORTED", "there is nothing here").into()
        }
        (_, _) => Reply::error(405, "UNSUPPORTED", "this is not done here").into(),
    }
}

/// Keeps what came of an upload before the connection broke, as registries do.
pub(crate) fn keep(state: &mut State, target: &Target, bytes: &[u8]) -> Option<String> {
    let Target::Upload(name, id) = target else { return None };
    let upload = state.uploads.get_mut(id).filter(|upload| upload.repository == *name)?;
    upload.bytes.extend_from_slice(bytes);
    Some(id.clone())
}
