//! A registry in memory, as a wire: what it has, what it was asked, what it refuses.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read};
use std::sync::Mutex;
use std::time::Duration;

use bake_formats::digest::Digest;
use url::Url;

use crate::registry::{Answer, Body, Call, Headers, Method, RegistryError, Scope, Target, Wire};

/// Registries by host, each with repositories.
#[derive(Default)]
pub(super) struct Memory {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Blobs by `host/repository` and digest.
    blobs: BTreeMap<(String, String), Vec<u8>>,
    /// Manifests by `host/repository` and digest, with their media type.
    manifests: BTreeMap<(String, String), (String, Vec<u8>)>,
    /// Digests by `host/repository` and tag.
    tags: BTreeMap<(String, String), String>,
    lines: Vec<String>,
    sent: u64,
    sessions: BTreeSet<String>,
    rules: Rules,
}

/// What the registry does otherwise than most.
#[derive(Default, Clone)]
pub(super) struct Rules {
    /// There is no referrers API.
    pub(super) no_referrers: bool,
    /// A tag that is there is not moved.
    pub(super) immutable: bool,
    /// Mounts are declined with a session.
    pub(super) no_mount: bool,
    /// This blob is refused.
    pub(super) refused: Option<Digest>,
}

impl Memory {
    pub(super) fn new(rules: Rules) -> Self {
        let state = State { rules, ..State::default() };
        Self { state: Mutex::new(state) }
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut self.state.lock().unwrap().rules);
    }

    /// Returns the requests since the last look, and how many bytes of bodies were sent.
    pub(super) fn seen(&self) -> (Vec<String>, u64) {
        let mut state = self.state.lock().unwrap();
        assert_eq!(state.sessions, BTreeSet::new(), "sessions are left open");
        (std::mem::take(&mut state.lines), std::mem::take(&mut state.sent))
    }

    pub(super) fn tags(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        state.tags.keys().map(|(repository, tag)| format!("{repository}:{tag}")).collect()
    }

    pub(super) fn drop_blob(&self, repository: &str, digest: Digest) {
        let key = (repository.to_owned(), digest.to_string());
        assert!(self.state.lock().unwrap().blobs.remove(&key).is_some());
    }
}

impl Wire for Memory {
    fn call(&self, call: Call<'_>) -> Result<Answer, RegistryError> {
        let mut body = Vec::new();
        // Read without the lock: the source may be this registry.
        match call.body {
            Body::Empty => {}
            Body::Bytes(bytes) => body.extend(bytes),
            Body::Stream { open, .. } => {
                if let Err(error) = open().and_then(|mut bytes| bytes.read_to_end(&mut body)) {
                    return Err(RegistryError {
                        action: "reach".into(),
                        subject: call.registry.into(),
                        fault: crate::registry::Fault::Unreachable(error.to_string()),
                        hint: None,
                    });
                }
            }
        }
        let (url, path) = match &call.target {
            Target::Path(path) => {
                let url = format!("https://{}/v2/{path}", call.registry);
                (Url::parse(&url).unwrap(), (*path).to_owned())
            }
            Target::Url(url) => {
                let path = url.path().trim_start_matches("/v2/");
                (url.clone(), format!("{path}?{}", url.query().unwrap_or_default()))
            }
        };
        let media_type = call.headers.get("Content-Type").unwrap_or_default().to_owned();
        let mut state = self.state.lock().unwrap();
        let size = body.len();
        let (status, headers, answer) =
            state.answer(call.registry, call.method, &path, &media_type, body);
        state.sent += size as u64;
        let verb =
            path.split('/').find(|part| ["blobs", "manifests", "referrers", "tags"].contains(part));
        state.lines.push(format!("{} {} {status}", call.method.as_str(), verb.unwrap_or_default()));
        Ok(Answer { status, headers, url, body: Box::new(Cursor::new(answer)) })
    }

    fn renew(&self, _: &str, _: &[Scope]) {}

    fn pause(&self, _: &str, _: u32, _: Option<Duration>) -> bool {
        false
    }
}

type Reply = (u16, Headers, Vec<u8>);

fn plain(status: u16) -> Reply {
    (status, Headers::default(), Vec::new())
}

fn error(status: u16, code: &str, detail: &str) -> Reply {
    let text = format!(
        r#"{{"errors":[{{"code":"{code}","message":"no","detail":{{"digest":"{detail}"}}}}]}}"#
    );
    (status, Headers::default().with("Content-Type", "application/json"), text.into_bytes())
}

impl State {
    fn answer(
        &mut self,
        host: &str,
        method: Method,
        path: &str,
        media_type: &str,
        body: Vec<u8>,
    ) -> Reply {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query: BTreeMap<String, String> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let kinds = ["/blobs/uploads/", "/blobs/", "/manifests/", "/referrers/", "/tags/"];
        let (kind, name, rest) = kinds
            .iter()
            .find_map(|kind| path.split_once(kind).map(|(name, rest)| (*kind, name, rest)))
            .unwrap();
        let repository = format!("{host}/{name}");
        match kind {
            "/blobs/uploads/" => self.upload(host, &repository, name, method, &query, body),
            "/blobs/" => {
                let blob = self.blobs.get(&(repository, rest.to_owned()));
                blob.map_or_else(
                    || plain(404),
                    |bytes| found(bytes, rest, "application/octet-stream"),
                )
            }
            "/manifests/" if method == Method::Put => self.put(&repository, rest, media_type, body),
            "/manifests/" => self.get(&repository, rest),
            "/referrers/" => self.referrers(&repository, rest),
            _ => {
                let tags = self.tags.keys().filter(|(found, _)| *found == repository);
                let tags: Vec<_> = tags.map(|(_, tag)| tag.clone()).collect();
                let text = serde_json::json!({ "name": name, "tags": tags }).to_string();
                (200, Headers::default(), text.into_bytes())
            }
        }
    }

    fn upload(
        &mut self,
        host: &str,
        repository: &str,
        name: &str,
        method: Method,
        query: &BTreeMap<String, String>,
        body: Vec<u8>,
    ) -> Reply {
        if method == Method::Delete {
            self.sessions.clear();
            return plain(204);
        }
        if method == Method::Post {
            if let (Some(digest), Some(from)) = (query.get("mount"), query.get("from")) {
                let source = self.blobs.get(&(format!("{host}/{from}"), digest.clone())).cloned();
                if let Some(bytes) = source.filter(|_| !self.rules.no_mount) {
                    self.blobs.insert((repository.to_owned(), digest.clone()), bytes);
                    return plain(201);
                }
            }
            let session = format!("s{}", self.lines.len());
            self.sessions.insert(session.clone());
            let location = format!("/v2/{name}/blobs/uploads/{session}?id={session}");
            return (202, Headers::default().with("Location", location), Vec::new());
        }
        let expected = query.get("digest").unwrap().clone();
        self.sessions.remove(query.get("id").unwrap());
        let found = Digest::of(&body);
        if found.to_string() != expected || self.rules.refused == Some(found) {
            return error(400, "DIGEST_INVALID", &expected);
        }
        self.blobs.insert((repository.to_owned(), expected), body);
        plain(201)
    }

    fn put(&mut self, repository: &str, which: &str, media_type: &str, body: Vec<u8>) -> Reply {
        let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let digest = Digest::of(&body).to_string();
        let named = |key: &str| value[key].as_array().cloned().unwrap_or_default();
        let mut blobs = named("layers");
        blobs.extend(value.get("config").cloned());
        for blob in blobs {
            let digest = blob["digest"].as_str().unwrap().to_owned();
            let is_there = self.blobs.contains_key(&(repository.to_owned(), digest.clone()));
            if !is_there {
                return error(404, "MANIFEST_BLOB_UNKNOWN", &digest);
            }
        }
        for child in named("manifests") {
            let key = (repository.to_owned(), child["digest"].as_str().unwrap().to_owned());
            // An index that lists referrers may list what is not there; others may not.
            if !which.starts_with("sha256-") && !self.manifests.contains_key(&key) {
                return error(404, "MANIFEST_BLOB_UNKNOWN", &key.1);
            }
        }
        if !which.contains(':') {
            let key = (repository.to_owned(), which.to_owned());
            if self.rules.immutable && self.tags.contains_key(&key) {
                return error(409, "TAG_INVALID", "");
            }
            self.tags.insert(key, digest.clone());
        }
        let mut headers = Headers::default().with("Docker-Content-Digest", digest.as_str());
        if let (Some(subject), false) =
            (value["subject"]["digest"].as_str(), self.rules.no_referrers)
        {
            headers.add("OCI-Subject", subject);
        }
        self.manifests.insert((repository.to_owned(), digest), (media_type.to_owned(), body));
        (201, headers, Vec::new())
    }

    fn get(&self, repository: &str, which: &str) -> Reply {
        let tagged = self.tags.get(&(repository.to_owned(), which.to_owned()));
        let digest = tagged.cloned().unwrap_or_else(|| which.to_owned());
        let manifest = self.manifests.get(&(repository.to_owned(), digest.clone()));
        manifest.map_or_else(
            || error(404, "MANIFEST_UNKNOWN", ""),
            |(media_type, bytes)| found(bytes, &digest, media_type),
        )
    }

    fn referrers(&self, repository: &str, subject: &str) -> Reply {
        if self.rules.no_referrers {
            return plain(404);
        }
        let mut listed = Vec::new();
        for ((found, digest), (media_type, bytes)) in &self.manifests {
            let value: serde_json::Value = serde_json::from_slice(bytes).unwrap();
            if found == repository && value["subject"]["digest"] == subject {
                listed.push(serde_json::json!({
                    "mediaType": media_type, "digest": digest, "size": bytes.len(),
                    "artifactType": value["artifactType"],
                }));
            }
        }
        let index = serde_json::json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": listed,
        });
        let headers =
            Headers::default().with("Content-Type", "application/vnd.oci.image.index.v1+json");
        (200, headers, index.to_string().into_bytes())
    }
}

fn found(bytes: &[u8], digest: &str, media_type: &str) -> Reply {
    let headers = Headers::default()
        .with("Content-Type", media_type)
        .with("Content-Length", bytes.len().to_string())
        .with("Docker-Content-Digest", digest);
    (200, headers, bytes.to_vec())
}
