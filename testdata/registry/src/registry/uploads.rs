//! Uploads ("Pushing blobs"): begun, gone on with, ended, looked at, given up; and mounts.

use std::sync::Arc;

use bake_formats::digest::Digest;

use super::{Outcome, Request};
use crate::http::{Reply, parameters};
use crate::kind::Kind;
use crate::rule::{Action, Place};
use crate::state::{Exactly, State, Upload};

/// Answers `POST`.
pub(super) fn start(state: &mut State, mut request: Request<'_>, name: &str) -> Outcome {
    let body = std::mem::take(&mut request.body);
    if !is_name(name) {
        return Reply::error(400, "NAME_INVALID", "the name of the repository is none").into();
    }
    match request.kind {
        Kind::Mount
            if request.has(&Action::MountNeedsFrom) && request.head.parameter("from").is_none() =>
        {
            return Reply::error(400, "UNSUPPORTED", "a mount is to say from where").into();
        }
        Kind::Mount if !request.has(&Action::IgnoreMount) => {
            if let Some(reply) = mount(state, &request, name) {
                return reply.into();
            }
        }
        Kind::UploadWhole if !request.has(&Action::IgnoreWhole) => {
            return commit(state, &request, name, body).into_outcome();
        }
        _ => {}
    }
    let id = format!("upload-{}", state.begun + 1);
    state.begun += 1;
    let upload =
        Upload { repository: name.to_owned(), bytes: Vec::new(), query: None, short: false };
    state.uploads.insert(id.clone(), upload);
    let mut reply = located(state, &request, name, &id, Reply::new(202)).with("Range", "0-0");
    for action in request.actions {
        if let Action::ChunkMinimum(least) | Action::ChunkMinimumSaid(least) = action {
            reply.headers.add("OCI-Chunk-Min-Length", least.to_string());
        }
    }
    Outcome { reply, upload: Some(id), stored: None }
}

/// Mounts a blob, if it is where it is said to be and may be read there.
fn mount(state: &mut State, request: &Request<'_>, name: &str) -> Option<Reply> {
    let digest: Digest = request.head.parameter("mount")?.parse().ok()?;
    let blob = match request.head.parameter("from") {
        Some(from) if (request.may_pull)(&from) => {
            state.repositories.get(&from)?.blobs.get(&digest).cloned()
        }
        None if request.has(&Action::MountAnonymously) => state.blobs().get(&digest).cloned(),
        Some(_) | None => None,
    };
    let repository = state.repositories.entry(name.to_owned()).or_default();
    repository.blobs.insert(digest, blob?);
    Some(created(name, digest))
}

fn created(name: &str, digest: Digest) -> Reply {
    Reply::new(201)
        .with("Location", format!("/v2/{name}/blobs/{digest}"))
        .with("Docker-Content-Digest", digest.to_string())
}

/// What storing came to.
enum Stored {
    Blob(Reply, Digest, u64),
    Refused(Reply),
}

impl Stored {
    fn into_outcome(self) -> Outcome {
        match self {
            Self::Blob(reply, digest, size) => {
                Outcome { reply, upload: None, stored: Some((digest, size)) }
            }
            Self::Refused(reply) => reply.into(),
        }
    }
}

fn commit(state: &mut State, request: &Request<'_>, name: &str, bytes: Vec<u8>) -> Stored {
    let said = request.head.parameter("digest").unwrap_or_default();
    let found = Digest::of(&bytes);
    if said != found.to_string() {
        let message = format!("the digest is {found} of {} bytes, not {said}", bytes.len());
        return Stored::Refused(Reply::error(400, "DIGEST_INVALID", &message));
    }
    let size = bytes.len() as u64;
    let repository = state.repositories.entry(name.to_owned()).or_default();
    repository.blobs.insert(found, Arc::from(bytes));
    Stored::Blob(created(name, found), found, size)
}

/// Answers `PATCH` and `PUT`.
pub(super) fn go_on(state: &mut State, mut request: Request<'_>, name: &str, id: &str) -> Outcome {
    let about = |reply| Outcome { reply, upload: Some(id.to_owned()), stored: None };
    if let Err(reply) = refusal(state, &request, name, id) {
        return about(reply);
    }
    let lose = request.actions.iter().find_map(|action| match action {
        Action::LoseAfter(after) => usize::try_from(*after).ok(),
        _ => None,
    });
    let Some(upload) = state.uploads.get_mut(id) else { return about(unknown()) };
    if let Some(least) = least(&request) {
        upload.short |= (request.body.len() as u64) < least;
    }
    let body = std::mem::take(&mut request.body);
    let kept = lose.map_or(body.len(), |after| after.min(body.len()));
    upload.bytes.extend_from_slice(&body[..kept]);
    if lose.is_some() {
        return about(out_of_order(state, &request, name, id));
    }
    if request.kind == Kind::UploadPatch {
        let range = range(&upload.bytes);
        return about(located(state, &request, name, id, Reply::new(202)).with("Range", range));
    }
    let bytes = state.uploads.remove(id).map(|upload| upload.bytes).unwrap_or_default();
    let stored = commit(state, &request, name, bytes).into_outcome();
    Outcome { upload: Some(id.to_owned()), ..stored }
}

/// Says why a `PATCH` or `PUT` is not taken.
fn refusal(state: &mut State, request: &Request<'_>, name: &str, id: &str) -> Result<(), Reply> {
    let length = request.body.len();
    let upload = find(state, request, name, id)?;
    let (have, short) = (upload.bytes.len(), upload.short);
    let kind = request.header("Content-Type").unwrap_or_default();
    if length > 0 && kind != "application/octet-stream" {
        let message = format!("Content-Type is `{kind}`, not application/octet-stream");
        return Err(Reply::error(400, "BLOB_UPLOAD_INVALID", &message));
    }
    if short && length > 0 && least(request).is_some() {
        return Err(Reply::error(400, "SIZE_INVALID", "the chunk before was too short"));
    }
    let Some(range) = request.header("Content-Range") else {
        return within(state, request, name, id);
    };
    if request.kind == Kind::UploadPatch && request.has(&Action::RefuseChunks) {
        return Err(out_of_order(state, request, name, id));
    }
    let (first, last) = chunk(range).ok_or_else(|| {
        let message = format!("Content-Range is `{range}`, not FIRST-LAST");
        Reply::error(400, "BLOB_UPLOAD_INVALID", &message)
    })?;
    if first != have {
        return Err(out_of_order(state, request, name, id));
    }
    if last.checked_sub(first).is_none_or(|length_less_one| length_less_one + 1 != length) {
        let message = format!("Content-Range is `{range}`, but {length} bytes came");
        return Err(Reply::error(400, "SIZE_INVALID", &message));
    }
    within(state, request, name, id)
}

/// Refuses the body of a `PATCH` that is too long.
fn within(state: &mut State, request: &Request<'_>, name: &str, id: &str) -> Result<(), Reply> {
    let long = request.actions.iter().any(
        |action| matches!(action, Action::PatchLimit(most) if request.body.len() as u64 > *most),
    );
    if long && request.kind == Kind::UploadPatch {
        return Err(out_of_order(state, request, name, id));
    }
    Ok(())
}

/// Returns how long chunks must be.
fn least(request: &Request<'_>) -> Option<u64> {
    request.actions.iter().find_map(|action| match action {
        Action::ChunkMinimum(least) => Some(*least),
        _ => None,
    })
}

fn unknown() -> Reply {
    Reply::error(404, "BLOB_UPLOAD_UNKNOWN", "there is no such upload")
}

fn find<'a>(
    state: &'a State,
    request: &Request<'_>,
    name: &str,
    id: &str,
) -> Result<&'a Upload, Reply> {
    let upload = state.uploads.get(id).filter(|upload| upload.repository == name);
    let upload = upload.ok_or_else(unknown)?;
    let Some((query, exactly)) = &upload.query else { return Ok(upload) };
    let same = match exactly {
        Exactly::Bytes => request.head.query.starts_with(query.as_str()),
        Exactly::Value => {
            parameters(query, "_state").first() == request.head.parameter("_state").as_ref()
        }
    };
    if same {
        return Ok(upload);
    }
    let message = format!("the query is to begin with that of the newest Location: {query}");
    Err(Reply::error(400, "BLOB_UPLOAD_INVALID", &message))
}

fn out_of_order(state: &mut State, request: &Request<'_>, name: &str, id: &str) -> Reply {
    let range = state.uploads.get(id).map(|upload| range(&upload.bytes)).unwrap_or_default();
    let reply = Reply::error(416, "BLOB_UPLOAD_INVALID", "this is not the chunk that is next");
    located(state, request, name, id, reply).with("Range", range)
}

/// Answers `GET` and `DELETE`.
pub(super) fn look(state: &mut State, request: &Request<'_>, name: &str, id: &str) -> Outcome {
    let reply = match find(state, request, name, id) {
        Err(reply) => reply,
        Ok(upload) => {
            let range = range(&upload.bytes);
            if request.kind == Kind::UploadCancel {
                state.uploads.remove(id);
                Reply::new(204)
            } else {
                located(state, request, name, id, Reply::new(204)).with("Range", range)
            }
        }
    };
    Outcome { reply, upload: Some(id.to_owned()), stored: None }
}

fn range(bytes: &[u8]) -> String {
    format!("0-{}", bytes.len().saturating_sub(1))
}

/// Reads `FIRST-LAST`.
fn chunk(range: &str) -> Option<(usize, usize)> {
    let (first, last) = range.split_once('-')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(first) || !digits(last) {
        return None;
    }
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// Says where an upload goes on, in the way that a rule asks for.
fn located(state: &mut State, request: &Request<'_>, name: &str, id: &str, reply: Reply) -> Reply {
    let place = request.actions.iter().rev().find_map(|action| match action {
        Action::Location(place) => Some(*place),
        _ => None,
    });
    let path = format!("/v2/{name}/blobs/uploads/{id}");
    let location = match place.unwrap_or(Place::Path) {
        Place::Path => path,
        Place::Absolute => format!("{}{path}", request.hosts.registry),
        Place::OtherHost => format!("{}{path}", request.hosts.other),
        Place::Relative if request.head.path.ends_with("/uploads") => format!("uploads/{id}"),
        Place::Relative => id.to_owned(),
        Place::Query | Place::ExactQuery => {
            state.begun += 1;
            let query = format!("_state=a%2Fb%3D{}%20&empty", state.begun);
            let location = format!("{path}?{query}");
            if let Some(upload) = state.uploads.get_mut(id) {
                let exact = place == Some(Place::ExactQuery);
                upload.query = Some((query, if exact { Exactly::Bytes } else { Exactly::Value }));
            }
            location
        }
    };
    reply.with("Location", location).with("Docker-Upload-UUID", id)
}

/// Returns whether text is the name of a repository ("Pulling manifests").
fn is_name(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= 255
        && name.split('/').all(|part| {
            let bytes = part.as_bytes();
            let ends = [bytes.first(), bytes.last()];
            ends.iter().all(|end| end.is_some_and(|byte| good(*byte)))
                && bytes.iter().all(|byte| good(*byte) || b"._-".contains(byte))
        })
}
