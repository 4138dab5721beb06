//! Lists of tags and of referrers ("Listing Tags", "Listing Referrers").

use serde_json::Value;

use super::Request;
use crate::http::Reply;
use crate::rule::Action;
use crate::state::State;

pub(super) fn tags(state: &State, request: &Request<'_>, name: &str) -> Reply {
    let last = request.head.parameter("last");
    if request.has(&Action::EndlessTags) {
        let count = last.and_then(|last| last.strip_prefix("endless-")?.parse::<u64>().ok());
        let tag = format!("endless-{:020}", count.unwrap_or(0) + 1);
        let link = format!("</v2/{name}/tags/list?n=1&last={tag}>; rel=\"next\"");
        let list = serde_json::json!({ "name": name, "tags": [tag] });
        return Reply::json(200, &list).with("Link", link);
    }
    let Some(repository) = state.repositories.get(name) else {
        return Reply::error(404, "NAME_UNKNOWN", "there is no such repository");
    };
    let asked = request.head.parameter("n").and_then(|n| n.parse::<usize>().ok());
    let page = request.actions.iter().find_map(|action| match action {
        Action::TagPage(most) => Some(*most),
        _ => None,
    });
    let most = asked.unwrap_or(usize::MAX).min(page.unwrap_or(usize::MAX));
    let after = repository.tags.keys().filter(|tag| last.as_ref().is_none_or(|last| *tag > last));
    let mut tags: Vec<&String> = after.collect();
    let more = tags.len() > most;
    tags.truncate(most);
    let reply = Reply::json(200, &serde_json::json!({ "name": name, "tags": tags }));
    match tags.last() {
        Some(last) if more => {
            let link = format!("</v2/{name}/tags/list?n={most}&last={last}>; rel=\"next\"");
            reply.with("Link", link)
        }
        Some(_) | None => reply,
    }
}

pub(super) fn referrers(state: &State, request: &Request<'_>, name: &str, digest: &str) -> Reply {
    if request.has(&Action::NoReferrers) {
        return Reply::new(404).with_body(*b"404 page not found\n");
    }
    let mut manifests = state.repository(name).referrers(digest);
    let filter = request.head.parameter("artifactType");
    let filter = filter.filter(|_| !request.has(&Action::NoReferrersFilter));
    if let Some(filter) = &filter {
        let wanted = |manifest: &Value| manifest.get("artifactType") == Some(&filter[..].into());
        manifests.retain(wanted);
    }
    let index = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests,
    });
    let mut reply = Reply::json(200, &index);
    reply.headers.set("Content-Type", "application/vnd.oci.image.index.v1+json");
    if filter.is_some() {
        reply.headers.add("OCI-Filters-Applied", "artifactType");
    }
    reply
}
