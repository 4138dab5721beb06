//! Manifests ("Pulling manifests", "Pushing manifests").

use std::sync::Arc;

use bake_formats::digest::Digest;
use serde_json::Value;

use super::Request;
use crate::http::Reply;
use crate::rule::Action;
use crate::state::{Manifest, Repository, State};

/// The longest manifest that every registry should take.
const MAX: usize = 4 << 20;

pub(super) fn read(state: &State, request: &Request<'_>, name: &str, reference: &str) -> Reply {
    if request.has(&Action::SchemaOne) {
        return schema_one(name, reference);
    }
    let Some((digest, manifest)) = state.manifest(name, reference) else {
        return Reply::error(404, "MANIFEST_UNKNOWN", "there is no such manifest here");
    };
    if !accepted(request, &manifest.media_type) {
        let message = format!("{} is not among what is accepted", manifest.media_type);
        return Reply::error(404, "MANIFEST_UNKNOWN", &message);
    }
    let mut reply = Reply::new(200)
        .with("Content-Type", manifest.media_type)
        .with("Docker-Content-Digest", digest.to_string());
    if request.has(&Action::EntityTags) {
        let tag = format!("\"{digest}\"");
        let same = request.header("If-None-Match") == Some(&tag);
        reply.headers.add("ETag", tag);
        if same {
            return Reply { status: 304, ..reply };
        }
    }
    reply.with_body(manifest.bytes)
}

fn accepted(request: &Request<'_>, media_type: &str) -> bool {
    let accept = request.head.headers.all("Accept").flat_map(|value| value.split(','));
    let mut types = accept.map(|one| one.split(';').next().unwrap_or_default().trim()).peekable();
    types.peek().is_none() || types.any(|one| one == media_type || one == "*/*")
}

fn schema_one(name: &str, tag: &str) -> Reply {
    let manifest = serde_json::json!({
        "schemaVersion": 1, "name": name, "tag": tag, "architecture": "amd64",
        "fsLayers": [], "history": [], "signatures": [],
    });
    Reply::new(200)
        .with("Content-Type", "application/vnd.docker.distribution.manifest.v1+prettyjws")
        .with_body(manifest.to_string().into_bytes())
}

pub(super) fn write(
    state: &mut State,
    mut request: Request<'_>,
    name: &str,
    reference: &str,
) -> Reply {
    let bytes = std::mem::take(&mut request.body);
    let repository = state.repositories.entry(name.to_owned()).or_default();
    let checked = check(repository, &request, &bytes, reference);
    let (digest, manifest) = match checked {
        Ok(checked) => checked,
        Err(reply) => return reply,
    };
    let media_type = request.header("Content-Type").unwrap_or_default().to_owned();
    repository.manifests.insert(digest, Manifest { media_type, bytes: Arc::from(bytes) });
    if reference != digest.to_string() {
        repository.tags.insert(reference.to_owned(), digest);
    }
    let reply = Reply::new(201)
        .with("Location", format!("/v2/{name}/manifests/{digest}"))
        .with("Docker-Content-Digest", digest.to_string());
    match manifest.pointer("/subject/digest").and_then(Value::as_str) {
        Some(subject) if !request.has(&Action::NoReferrers) => reply.with("OCI-Subject", subject),
        Some(_) | None => reply,
    }
}

/// Returns the digest and the contents of a manifest that may be stored.
fn check(
    repository: &Repository,
    request: &Request<'_>,
    bytes: &[u8],
    reference: &str,
) -> Result<(Digest, Value), Reply> {
    let digest = Digest::of(bytes);
    if bytes.len() > MAX {
        return Err(Reply::error(413, "SIZE_INVALID", "the manifest is longer than 4 MiB"));
    }
    if reference.contains(':') && reference != digest.to_string() {
        let message = format!("the digest is {digest}, not {reference}");
        return Err(Reply::error(400, "DIGEST_INVALID", &message));
    }
    if !reference.contains(':') && !is_tag(reference) {
        return Err(Reply::error(400, "TAG_INVALID", "the tag is none"));
    }
    condition(repository, request, reference)?;
    let manifest = parse(request, bytes)?;
    if request.has(&Action::BlobsUnknown) {
        return Err(Reply::error(404, "MANIFEST_BLOB_UNKNOWN", "a blob is not there yet"));
    }
    for (pointer, what) in
        [("/config", What::Blob), ("/layers", What::Blob), ("/manifests", What::Manifest)]
    {
        let found = manifest.pointer(pointer);
        let one = found.into_iter().filter(|value| value.is_object());
        let many = found.and_then(Value::as_array).into_iter().flatten();
        for descriptor in one.chain(many) {
            is_there(repository, what, descriptor)?;
        }
    }
    Ok((digest, manifest))
}

fn condition(repository: &Repository, request: &Request<'_>, reference: &str) -> Result<(), Reply> {
    let old = repository.tags.get(reference);
    if old.is_some() && request.has(&Action::ImmutableTags) {
        let message = format!("the tag {reference} is there already and cannot be moved");
        return Err(Reply::error(400, "TAG_INVALID", &message));
    }
    if !request.has(&Action::EntityTags) {
        return Ok(());
    }
    let tag = old.map(|digest| format!("\"{digest}\""));
    let moved = request.header("If-Match").is_some_and(|match_| tag.as_deref() != Some(match_));
    let there = request.header("If-None-Match") == Some("*") && old.is_some();
    if moved || there {
        return Err(Reply::error(412, "DENIED", "the tag is not what it was"));
    }
    Ok(())
}

fn parse(request: &Request<'_>, bytes: &[u8]) -> Result<Value, Reply> {
    let fail = |message: String| Reply::error(400, "MANIFEST_INVALID", &message);
    let manifest: Value =
        serde_json::from_slice(bytes).map_err(|error| fail(format!("no JSON: {error}")))?;
    if manifest.get("schemaVersion").and_then(Value::as_u64) != Some(2) {
        return Err(fail("the schemaVersion is not 2".to_owned()));
    }
    let sent = request.header("Content-Type").unwrap_or_default();
    let said = manifest.get("mediaType").and_then(Value::as_str).unwrap_or(sent);
    if sent.is_empty() || said != sent {
        return Err(fail(format!("Content-Type is `{sent}`, but the mediaType is `{said}`")));
    }
    let members = ["/config", "/manifests"].iter().filter(|name| manifest.pointer(name).is_some());
    if members.count() != 1 {
        return Err(fail("there is to be either a config or manifests".to_owned()));
    }
    Ok(manifest)
}

#[derive(Debug, Clone, Copy)]
enum What {
    Blob,
    Manifest,
}

/// Refuses a descriptor of what is not there, or has another size.
fn is_there(repository: &Repository, what: What, descriptor: &Value) -> Result<(), Reply> {
    let text = |name: &str| descriptor.get(name).and_then(Value::as_str).unwrap_or_default();
    let media_type = text("mediaType");
    let elsewhere = media_type.contains(".foreign.") || media_type.contains(".nondistributable.");
    if elsewhere && descriptor.get("urls").is_some() {
        return Ok(());
    }
    let digest: Digest = text("digest").parse().map_err(|_| {
        let message = format!("`{}` is no digest that is known here", text("digest"));
        Reply::error(400, "MANIFEST_INVALID", &message)
    })?;
    let size = match what {
        What::Blob => repository.blobs.get(&digest).map(|blob| blob.len()),
        What::Manifest => repository.manifests.get(&digest).map(|found| found.bytes.len()),
    };
    let said = descriptor.get("size").and_then(Value::as_u64);
    match size {
        None => Err(Reply::error(404, "MANIFEST_BLOB_UNKNOWN", &format!("{digest} is not there"))),
        Some(size) if said != Some(size as u64) => {
            let message = format!("{digest} has {size} bytes, not {said:?}");
            Err(Reply::error(400, "MANIFEST_INVALID", &message))
        }
        Some(_) => Ok(()),
    }
}

pub(super) fn delete(state: &mut State, name: &str, reference: &str) -> Reply {
    let Some(repository) = state.repositories.get_mut(name) else {
        return Reply::error(404, "NAME_UNKNOWN", "there is no such repository");
    };
    let removed = match reference.parse::<Digest>() {
        Ok(digest) => {
            repository.tags.retain(|_, tagged| *tagged != digest);
            repository.manifests.remove(&digest).is_some()
        }
        Err(_) => repository.tags.remove(reference).is_some(),
    };
    if removed {
        Reply::new(202)
    } else {
        Reply::error(404, "MANIFEST_UNKNOWN", "there is no such manifest here")
    }
}

/// Returns whether text is a tag ("Pulling manifests").
fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|byte| word(byte) || b".-".contains(&byte))
}
