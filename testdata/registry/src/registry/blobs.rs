//! Reading and deleting blobs ("Pulling blobs").

use std::ops::Range;
use std::sync::Arc;

use bake_formats::digest::Digest;

use super::Request;
use crate::http::Reply;
use crate::kind::Kind;
use crate::rule::Action;
use crate::state::State;

pub(super) fn read(state: &State, request: &Request<'_>, name: &str, digest: &str) -> Reply {
    let digest: Digest = match digest.parse() {
        Ok(digest) => digest,
        Err(_) => return Reply::error(400, "DIGEST_INVALID", "no sha256 digest"),
    };
    let blob = state.repositories.get(name).and_then(|found| found.blobs.get(&digest));
    let Some(blob) = blob else {
        return Reply::error(404, "BLOB_UNKNOWN", "there is no such blob here");
    };
    if request.kind == Kind::BlobGet && request.has(&Action::RedirectBlobs) {
        let location = format!("{}/storage/{digest}?signature=a%2Fb%3D", request.hosts.other);
        return Reply::new(307).with("Location", location);
    }
    send(request, digest, blob)
}

/// Serves blobs from where redirections lead to, to whoever has the signed URL.
pub(super) fn storage(state: &State, request: &Request<'_>, digest: &str) -> Reply {
    if request.head.query != "signature=a%2Fb%3D" {
        return Reply::error(403, "DENIED", "the signature does not match");
    }
    let blobs = state.blobs();
    match digest.parse().ok().and_then(|digest| Some((digest, blobs.get(&digest)?))) {
        Some((digest, blob)) => send(request, digest, blob),
        None => Reply::error(404, "BLOB_UNKNOWN", "there is no such blob here"),
    }
}

fn send(request: &Request<'_>, digest: Digest, blob: &Arc<[u8]>) -> Reply {
    let reply = Reply::new(200)
        .with("Content-Type", "application/octet-stream")
        .with("Accept-Ranges", "bytes")
        .with("Docker-Content-Digest", digest.to_string())
        .with_body(Arc::clone(blob));
    let range = request.header("Range").filter(|_| request.kind == Kind::BlobGet);
    let Some(asked) = range.and_then(|range| range.strip_prefix("bytes=")) else { return reply };
    match part(asked, blob.len()) {
        Some(part) => {
            let range = format!("bytes {}-{}/{}", part.start, part.end - 1, blob.len());
            Reply { status: 206, part, ..reply.with("Content-Range", range) }
        }
        None => Reply::new(416).with("Content-Range", format!("bytes */{}", blob.len())),
    }
}

/// Reads `first-last`, `first-` or `-length` (RFC 9110, section 14.1.2).
fn part(asked: &str, length: usize) -> Option<Range<usize>> {
    let (first, last) = asked.split_once('-')?;
    let part = match (first, last) {
        ("", suffix) => length.saturating_sub(suffix.parse().ok()?)..length,
        (first, "") => first.parse().ok()?..length,
        (first, last) => {
            let last: usize = last.parse().ok()?;
            first.parse().ok()?..last.saturating_add(1).min(length)
        }
    };
    Some(part).filter(|part| part.start < part.end)
}

pub(super) fn delete(state: &mut State, name: &str, digest: &str) -> Reply {
    let repository = state.repositories.get_mut(name);
    let digest = digest.parse::<Digest>().ok();
    let removed = repository.zip(digest).and_then(|(found, digest)| found.blobs.remove(&digest));
    match removed {
        Some(_) => Reply::new(202),
        None => Reply::error(404, "BLOB_UNKNOWN", "there is no such blob here"),
    }
}
