//! The registry, asked by a client of a few lines that does exactly as told.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bake_formats::digest::Digest;

use crate::{
    Action, Answer, Auth, Kind, Match, Place, Property, RetryAfter, Scopes, TestRegistry,
    TokenService, Trace,
};

const OCTETS: &[(&str, &str)] = &[("Content-Type", "application/octet-stream")];
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    fn code(&self) -> String {
        let value: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        value["errors"][0]["code"].as_str().unwrap().to_owned()
    }
}

fn read(stream: &mut TcpStream) -> Reply {
    let mut bytes = Vec::new();
    // A connection that is cut ends with an error, too.
    drop(stream.read_to_end(&mut bytes));
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Reply { status: 0, head: String::new(), body: Vec::new() };
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, head, body: bytes[end + 4..].to_vec() }
}

fn send(address: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(address).unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("Content-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).unwrap();
    // The registry may have hung up by now.
    drop(stream.write_all(body));
    stream.shutdown(std::net::Shutdown::Write).unwrap_or_default();
    read(&mut stream)
}

fn ask(registry: &TestRegistry, method: &str, path: &str) -> Reply {
    send(&registry.address(), method, path, &[], b"")
}

fn begin(registry: &TestRegistry) -> String {
    let reply = ask(registry, "POST", "/v2/a/b/blobs/uploads/");
    assert_eq!(reply.status, 202);
    reply.header("Location").unwrap().to_owned()
}

fn chunk(registry: &TestRegistry, location: &str, range: &str, body: &[u8]) -> Reply {
    let headers = [OCTETS[0], ("Content-Range", range)];
    send(&registry.address(), "PATCH", location, &headers, body)
}

fn put(registry: &TestRegistry, location: &str, digest: Digest, body: &[u8]) -> Reply {
    let mark = if location.contains('?') { '&' } else { '?' };
    let path = format!("{location}{mark}digest={digest}");
    send(&registry.address(), "PUT", &path, OCTETS, body)
}

fn manifest(config: &[u8], subject: Option<Digest>) -> Vec<u8> {
    let mut value = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": "text/x-test",
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json",
                    "digest": Digest::of(config).to_string(), "size": config.len() },
        "layers": [],
    });
    if let Some(subject) = subject {
        let descriptor =
            serde_json::json!({ "mediaType": MANIFEST, "digest": subject.to_string(), "size": 1 });
        value["subject"] = descriptor;
    }
    value.to_string().into_bytes()
}

fn put_manifest(registry: &TestRegistry, reference: &str, kind: &str, bytes: &[u8]) -> Reply {
    let path = format!("/v2/a/b/manifests/{reference}");
    send(&registry.address(), "PUT", &path, &[("Content-Type", kind)], bytes)
}

fn broken(trace: &Trace, property: Property) -> bool {
    trace.check(&[property]).is_err()
}

#[test]
fn a_blob_is_pushed_in_every_form_and_read_back() {
    let registry = TestRegistry::start();
    let digest = Digest::of(b"hello");
    let read = format!("/v2/a/b/blobs/{digest}");
    assert_eq!(ask(&registry, "HEAD", &read).status, 404);

    assert_eq!(put(&registry, &begin(&registry), digest, b"hello").status, 201);
    let head = ask(&registry, "HEAD", &read);
    assert_eq!((head.status, head.header("Content-Length"), head.body.len()), (200, Some("5"), 0));
    assert_eq!(ask(&registry, "GET", &read).body, b"hello");
    let part = send(&registry.address(), "GET", &read, &[("Range", "bytes=1-2")], b"");
    assert_eq!((part.status, part.body), (206, b"el".to_vec()));
    let part = send(&registry.address(), "GET", &read, &[("Range", "bytes=9-")], b"");
    assert_eq!(part.status, 416);

    let whole = format!("/v2/a/b/blobs/uploads/?digest={}", Digest::of(b"whole"));
    assert_eq!(send(&registry.address(), "POST", &whole, OCTETS, b"whole").status, 201);

    let location = begin(&registry);
    assert_eq!(send(&registry.address(), "PATCH", &location, OCTETS, b"stream").status, 202);
    assert_eq!(put(&registry, &location, Digest::of(b"stream"), b"").status, 201);

    let location = begin(&registry);
    assert_eq!(chunk(&registry, &location, "0-3", b"abcd").status, 202);
    let status = ask(&registry, "GET", &location);
    assert_eq!((status.status, status.header("Range")), (204, Some("0-3")));
    let late = chunk(&registry, &location, "5-6", b"fg");
    assert_eq!((late.status, late.header("Range")), (416, Some("0-3")));
    assert_eq!(chunk(&registry, &location, "bytes 4-5", b"ef").status, 400);
    assert_eq!(chunk(&registry, &location, "4-5", b"e").status, 400);
    assert_eq!(chunk(&registry, &location, "4-5", b"ef").status, 202);
    assert_eq!(put(&registry, &location, Digest::of(b"abcdef"), b"").status, 201);

    let blobs = registry.state().repository("a/b").blobs;
    let contents: Vec<&[u8]> = blobs.values().map(|blob| &blob[..]).collect();
    assert_eq!(contents.len(), 4);
    for expected in [&b"hello"[..], b"whole", b"stream", b"abcdef"] {
        assert!(contents.contains(&expected));
    }
    registry.trace().check(&[Property::NoOpenUpload]).unwrap();
    assert_eq!(registry.trace().wasted(), 5, "the three chunks that were refused");
    assert!(broken(&registry.trace(), Property::NoByteTwice));
}

#[test]
fn a_body_in_chunks_of_the_transfer_and_one_that_waits_are_read() {
    let registry = TestRegistry::start();
    let location = begin(&registry);
    let mut stream = TcpStream::connect(registry.address()).unwrap();
    let head = format!(
        "PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\n\
         Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 25];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let reply = read(&mut stream);
    assert_eq!((reply.status, reply.header("Range")), (202, Some("0-4")));
    assert_eq!(put(&registry, &location, Digest::of(b"abcde"), b"").status, 201);
    registry.trace().check(&[Property::NoByteTwice, Property::NoOpenUpload]).unwrap();
}

#[test]
fn a_wrong_digest_ends_the_upload() {
    let registry = TestRegistry::start();
    let location = begin(&registry);
    assert!(broken(&registry.trace(), Property::NoOpenUpload));
    let reply = put(&registry, &location, Digest::of(b"other"), b"hello");
    assert_eq!((reply.status, reply.code().as_str()), (400, "DIGEST_INVALID"));
    assert!(registry.state().blobs().is_empty());
    assert_eq!(ask(&registry, "GET", &location).status, 404);
}

#[test]
fn a_mount_shares_what_is_there_and_else_begins_an_upload() {
    let registry = TestRegistry::start();
    let digest = registry.put_blob("source", b"shared");
    let path = format!("/v2/target/blobs/uploads/?mount={digest}&from=source");
    assert_eq!(ask(&registry, "POST", &path).status, 201);
    assert!(registry.state().repository("target").blobs.contains_key(&digest));
    let path = format!("/v2/target/blobs/uploads/?mount={digest}&from=elsewhere");
    let begun = ask(&registry, "POST", &path);
    assert_eq!((begun.status, registry.trace().open.len()), (202, 1));
    assert_eq!(ask(&registry, "DELETE", begun.header("Location").unwrap()).status, 204);
    registry.trace().check(&[Property::NoOpenUpload]).unwrap();
}

#[test]
fn a_manifest_is_taken_only_if_all_of_it_is_there() {
    let registry = TestRegistry::start();
    let bytes = manifest(b"{}", None);
    let reply = put_manifest(&registry, "v1", MANIFEST, &bytes);
    assert_eq!((reply.status, reply.code().as_str()), (404, "MANIFEST_BLOB_UNKNOWN"));
    registry.put_blob("a/b", b"{}");
    assert_eq!(put_manifest(&registry, "v1", INDEX, &bytes).status, 400);
    assert_eq!(
        put_manifest(&registry, &Digest::of(b"x").to_string(), MANIFEST, &bytes).status,
        400
    );
    assert_eq!(put_manifest(&registry, "-", MANIFEST, &bytes).status, 400);
    let taken = put_manifest(&registry, "v1", MANIFEST, &bytes);
    let digest = Digest::of(&bytes);
    assert_eq!(taken.status, 201);
    assert_eq!(taken.header("Docker-Content-Digest"), Some(digest.to_string().as_str()));
    let found = ask(&registry, "GET", "/v2/a/b/manifests/v1");
    assert_eq!((found.header("Content-Type"), found.body.as_slice()), (Some(MANIFEST), &bytes[..]));
    let accept = [("Accept", INDEX)];
    let path = "/v2/a/b/manifests/v1";
    assert_eq!(send(&registry.address(), "GET", path, &accept, b"").status, 404);

    let child = |size: usize| {
        let child = serde_json::json!({ "mediaType": MANIFEST, "digest": digest.to_string(), "size": size });
        let index =
            serde_json::json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [child] });
        index.to_string().into_bytes()
    };
    assert_eq!(put_manifest(&registry, "i", INDEX, &child(bytes.len() + 1)).status, 400);
    assert_eq!(put_manifest(&registry, "i", INDEX, &child(bytes.len())).status, 201);
    assert_eq!(ask(&registry, "DELETE", "/v2/a/b/manifests/i").status, 202);
    assert_eq!(registry.state().repository("a/b").tags.len(), 1);
}

#[test]
fn referrers_are_listed_and_filtered_unless_the_registry_knows_none() {
    let registry = TestRegistry::start();
    registry.put_blob("a/b", b"{}");
    let subject = Digest::of(b"whatever");
    let bytes = manifest(b"{}", Some(subject));
    let digest = Digest::of(&bytes).to_string();
    let reply = put_manifest(&registry, &digest, MANIFEST, &bytes);
    assert_eq!(reply.header("OCI-Subject"), Some(subject.to_string().as_str()));
    let list = |filter: &str| {
        let path = format!("/v2/a/b/referrers/{subject}{filter}");
        let reply = ask(&registry, "GET", &path);
        let value: serde_json::Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let count = value["manifests"].as_array().map(Vec::len);
        (reply.status, count, reply.header("OCI-Filters-Applied").is_some())
    };
    assert_eq!(list(""), (200, Some(1), false));
    assert_eq!(list("?artifactType=text%2Fx-test"), (200, Some(1), true));
    assert_eq!(list("?artifactType=text/other"), (200, Some(0), true));
    registry.rule(Match::any(), Action::NoReferrers);
    assert_eq!(list(""), (404, None, false));
    let reply = put_manifest(&registry, &digest, MANIFEST, &bytes);
    assert_eq!((reply.status, reply.header("OCI-Subject")), (201, None));
}

#[test]
fn tags_come_in_pages() {
    let registry = TestRegistry::start();
    for tag in ["a", "b", "c"] {
        registry.put_manifest("a/b", Some(tag), MANIFEST, b"{}");
    }
    registry.rule(Match::any(), Action::TagPage(2));
    let first = ask(&registry, "GET", "/v2/a/b/tags/list");
    let link = first.header("Link").unwrap();
    assert_eq!(link, "</v2/a/b/tags/list?n=2&last=b>; rel=\"next\"");
    let path = link.trim_start_matches('<').split('>').next().unwrap();
    let second = ask(&registry, "GET", path);
    assert_eq!(second.body, br#"{"name":"a/b","tags":["c"]}"#);
    assert_eq!(second.header("Link"), None);
    registry.rule(Match::kind(Kind::Tags), Action::EndlessTags);
    assert!(ask(&registry, "GET", "/v2/a/b/tags/list?last=zz").header("Link").is_some());
}

#[test]
fn locations_lead_where_they_are_told_to() {
    for (place, start) in [
        (Place::Absolute, "http://127.0.0.1:"),
        (Place::OtherHost, "http://127.0.0.2:"),
        (Place::Relative, "upload-1"),
        (Place::ExactQuery, "/v2/a/b/blobs/uploads/upload-1?_state="),
        (Place::Query, "/v2/a/b/blobs/uploads/upload-1?_state="),
    ] {
        let registry = TestRegistry::start();
        registry.rule(Match::any(), Action::Location(place));
        let location = begin(&registry);
        assert!(location.starts_with(start), "{place:?}: {location}");
    }
    let registry = TestRegistry::start();
    registry.rule(Match::any(), Action::Location(Place::ExactQuery));
    let first = begin(&registry);
    let next = chunk(&registry, &first, "0-1", b"ab");
    assert_eq!(chunk(&registry, &first, "2-3", b"cd").status, 400, "that was not the newest");
    let digest = Digest::of(b"abcd");
    assert_eq!(put(&registry, next.header("Location").unwrap(), digest, b"cd").status, 201);
}

#[test]
fn the_other_host_takes_uploads_and_no_credentials() {
    let registry = TestRegistry::builder()
        .auth(Auth::basic("me", "secret"))
        .rule(Match::kind(Kind::UploadStart), Action::Location(Place::OtherHost))
        .rule(Match::kind(Kind::BlobGet).path("/v2/*"), Action::RedirectBlobs)
        .start()
        .unwrap();
    let credential = [("Authorization", "Basic bWU6c2VjcmV0"), OCTETS[0]];
    let post = "/v2/a/blobs/uploads/";
    assert_eq!(send(&registry.address(), "POST", post, &[], b"").status, 401);
    let begun = send(&registry.address(), "POST", post, &credential, b"");
    let location = begun.header("Location").unwrap();
    let other = registry.other_address();
    let path = location.strip_prefix(&format!("http://{other}")).unwrap();
    let path = format!("{path}?digest={}", Digest::of(b"x"));
    assert_eq!(send(&other, "PUT", &path, OCTETS, b"x").status, 201);
    let read = format!("/v2/a/blobs/{}", Digest::of(b"x"));
    let redirected = send(&registry.address(), "GET", &read, &credential, b"");
    let location = redirected.header("Location").unwrap();
    let path = location.strip_prefix(&format!("http://{other}")).unwrap();
    assert_eq!(send(&other, "GET", path, &[], b"").body, b"x");
    registry.trace().check(&[Property::NoCredentialElsewhere]).unwrap();
    assert_eq!(send(&other, "GET", path, &credential, b"").status, 400);
    assert!(broken(&registry.trace(), Property::NoCredentialElsewhere));
}

fn token(registry: &TestRegistry, query: &str, headers: &[(&str, &str)]) -> Option<String> {
    let reply = send(&registry.address(), "GET", &format!("/token?{query}"), headers, b"");
    let value: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    value["token"].as_str().map(|token| format!("Bearer {token}"))
}

#[test]
fn tokens_allow_what_was_asked_for_until_they_expire() {
    let registry = TestRegistry::builder().auth(Auth::token("me", "secret")).start().unwrap();
    let refused = ask(&registry, "POST", "/v2/a/blobs/uploads/");
    let realm = format!("http://{}/token", registry.address());
    let challenge =
        format!("Bearer realm=\"{realm}\",service=\"test\",scope=\"repository:a:pull,push\"");
    assert_eq!(refused.header("WWW-Authenticate"), Some(challenge.as_str()));
    let scope = "service=test&scope=repository:a:pull,push&scope=repository%3Ab%3Apull";
    let anonymous = token(&registry, scope, &[]).unwrap();
    let basic = [("Authorization", "Basic bWU6c2VjcmV0")];
    let mine = token(&registry, scope, &basic).unwrap();
    assert_eq!(token(&registry, scope, &[("Authorization", "Basic bWU6d3Jvbmc=")]), None);
    let post = |name: &str, token: &str| {
        let path = format!("/v2/{name}/blobs/uploads/");
        send(&registry.address(), "POST", &path, &[("Authorization", token)], b"").status
    };
    assert_eq!(post("a", &anonymous), 401);
    assert_eq!(post("a", &mine), 202);
    assert_eq!(post("b", &mine), 401);
    registry.put_blob("b", b"shared");
    let mount = format!("/v2/a/blobs/uploads/?from=b&mount={}", Digest::of(b"shared"));
    let mount = |token: &str| {
        send(&registry.address(), "POST", &mount, &[("Authorization", token)], b"").status
    };
    let narrow = token(&registry, "scope=repository:a:push,pull", &basic).unwrap();
    assert_eq!((mount(&narrow), mount(&mine)), (202, 201));
    registry.rule(Match::kind(Kind::UploadStart).once(), Action::ExpireTokens);
    assert_eq!(post("a", &mine), 401);
    assert_eq!(post("a", &narrow), 401);
}

#[test]
fn identity_tokens_are_posted_and_challenges_may_be_several() {
    let service = TokenService {
        identities: ["id".to_owned()].into(),
        challenges: vec!["Negotiate".to_owned()],
        field: "access_token".to_owned(),
        expires_in: None,
        scopes: Scopes::First,
        ..TokenService::default()
    };
    let registry = TestRegistry::builder().auth(Auth::Token(service)).start().unwrap();
    let refused = ask(&registry, "GET", "/v2/");
    assert_eq!(refused.head.matches("WWW-Authenticate: ").count(), 2);
    let form = |identity: &str| {
        let form = format!(
            "grant_type=refresh_token&service=test&client_id=t&refresh_token={identity}\
             &scope=repository:a:push&scope=repository:b:push"
        );
        send(&registry.address(), "POST", "/token", &[], form.as_bytes())
    };
    assert_eq!(form("wrong").status, 401);
    let value: serde_json::Value = serde_json::from_slice(&form("id").body).unwrap();
    let token = format!("Bearer {}", value["access_token"].as_str().unwrap());
    let post = |name: &str| {
        let path = format!("/v2/{name}/blobs/uploads/");
        send(&registry.address(), "POST", &path, &[("Authorization", &token)], b"").status
    };
    assert_eq!((post("a"), post("b")), (202, 401));
}

#[test]
fn a_cut_connection_leaves_what_came_in_an_upload() {
    let registry = TestRegistry::start();
    registry.rule(Match::kind(Kind::UploadPatch).once(), Action::CutRequest(3));
    registry.rule(Match::kind(Kind::UploadPatch).nth(2), Action::CutRequestAndForget(2));
    let location = begin(&registry);
    assert_eq!(send(&registry.address(), "PATCH", &location, OCTETS, b"abcdef").status, 0);
    assert_eq!(ask(&registry, "GET", &location).header("Range"), Some("0-2"));
    assert_eq!(chunk(&registry, &location, "3-5", b"def").status, 0);
    assert_eq!(ask(&registry, "GET", &location).header("Range"), Some("0-2"));
    assert_eq!(chunk(&registry, &location, "3-5", b"def").status, 202);
    assert_eq!(put(&registry, &location, Digest::of(b"abcdef"), b"").status, 201);
    let trace = registry.trace();
    assert_eq!((trace.uploaded(), trace.wasted()), (8, 2));
    trace.check(&[Property::WasteAtMost(2), Property::NoOpenUpload]).unwrap();
}

#[test]
fn uploads_are_limited_and_chunks_have_a_least_length() {
    let registry = TestRegistry::builder()
        .rule(Match::kind(Kind::UploadPatch).path("*/upload-1"), Action::LoseAfter(1))
        .rule(Match::kind(Kind::UploadPatch).path("*/upload-2"), Action::PatchLimit(4))
        .rule(Match::any().path("*/upload-3"), Action::BodyLimit(4))
        .rule(Match::any(), Action::ChunkMinimum(3))
        .start()
        .unwrap();
    let reply = ask(&registry, "POST", "/v2/a/b/blobs/uploads/");
    assert_eq!(reply.header("OCI-Chunk-Min-Length"), Some("3"));
    let lost = chunk(&registry, reply.header("Location").unwrap(), "0-4", b"abcde");
    assert_eq!((lost.status, lost.header("Range")), (416, Some("0-0")));
    assert_eq!(chunk(&registry, &begin(&registry), "0-4", b"abcde").status, 416);
    let reply = put(&registry, &begin(&registry), Digest::of(b"abcde"), b"abcde");
    assert_eq!((reply.status, reply.header("Content-Type")), (413, Some("text/html")));
    let location = begin(&registry);
    assert_eq!(chunk(&registry, &location, "0-1", b"ab").status, 202);
    assert_eq!(chunk(&registry, &location, "2-4", b"cde").status, 400);
    assert_eq!(put(&registry, &location, Digest::of(b"ab"), b"").status, 201);
}

#[test]
fn answers_are_made_up_changed_delayed_and_cut() {
    let registry = TestRegistry::start();
    let digest = registry.put_blob("a", b"contents");
    let path = format!("/v2/a/blobs/{digest}");
    let get = || ask(&registry, "GET", &path);
    let blob = Match::kind(Kind::BlobGet);
    for then in [
        Action::Answer(Answer::too_many(Some(RetryAfter::Seconds(7)))),
        Action::Answer(Answer::too_many(Some(RetryAfter::Date(60)))),
        Action::AnswerEarly(Answer::html(503)),
        Action::Corrupt,
        Action::Truncate(3),
        Action::CutAnswer(3),
        Action::WrongDigest,
        Action::NoHeader("Docker-Content-Digest".to_owned()),
        Action::Header("Warning".to_owned(), "299 - \"old\"".to_owned()),
        Action::Status(203),
        Action::Delay(Duration::from_millis(30)),
        Action::Drip(1, Duration::from_millis(5)),
        Action::RedirectLoop,
    ]
    .into_iter()
    .enumerate()
    .map(|(index, action)| blob.clone().nth(index + 1).then(action))
    {
        registry.rule(then.when, then.then);
    }
    assert_eq!(get().header("Retry-After"), Some("7"));
    let date = get();
    assert!(httpdate::parse_http_date(date.header("Retry-After").unwrap()).is_ok());
    assert_eq!(get().status, 503);
    assert_eq!(get().body, b"contentr");
    let short = get();
    assert_eq!((short.header("Content-Length"), short.body.as_slice()), (Some("3"), &b"con"[..]));
    let cut = get();
    assert_eq!((cut.header("Content-Length"), cut.body.as_slice()), (Some("8"), &b"con"[..]));
    assert_ne!(get().header("Docker-Content-Digest"), Some(digest.to_string().as_str()));
    assert_eq!(get().header("Docker-Content-Digest"), None);
    assert_eq!(get().header("Warning"), Some("299 - \"old\""));
    assert_eq!(get().status, 203);
    for least in [30, 40] {
        let start = Instant::now();
        assert_eq!(get().body, b"contents");
        assert!(start.elapsed() >= Duration::from_millis(least));
    }
    assert_eq!(get().header("Location"), Some(format!("{path}?").as_str()));
    assert_eq!(get().body, b"contents", "and then it is strict again");
}

#[test]
fn manifests_fail_for_a_while_do_not_move_or_are_ancient() {
    let registry = TestRegistry::start();
    registry.put_blob("a/b", b"{}");
    let bytes = manifest(b"{}", None);
    registry.rule(Match::kind(Kind::ManifestPut).once(), Action::BlobsUnknown);
    assert_eq!(put_manifest(&registry, "v1", MANIFEST, &bytes).code(), "MANIFEST_BLOB_UNKNOWN");
    assert_eq!(put_manifest(&registry, "v1", MANIFEST, &bytes).status, 201);
    registry.rule(Match::any(), Action::ImmutableTags);
    assert_eq!(put_manifest(&registry, "v1", MANIFEST, &bytes).code(), "TAG_INVALID");
    registry.obey();
    registry.rule(Match::any(), Action::EntityTags);
    let found = ask(&registry, "GET", "/v2/a/b/manifests/v1");
    assert_eq!(found.header("ETag"), Some(format!("\"{}\"", Digest::of(&bytes)).as_str()));
    let headers = [("Content-Type", MANIFEST), ("If-Match", "\"other\"")];
    let path = "/v2/a/b/manifests/v1";
    assert_eq!(send(&registry.address(), "PUT", path, &headers, &bytes).status, 412);
    registry.rule(Match::any(), Action::SchemaOne);
    let old = ask(&registry, "GET", path);
    assert!(old.header("Content-Type").unwrap().contains("manifest.v1+"));
}

#[test]
fn properties_say_what_was_found() {
    let registry = TestRegistry::start();
    registry.put_blob("a/b", b"{}");
    put_manifest(&registry, "v1", MANIFEST, &manifest(b"{}", None));
    put(&registry, &begin(&registry), Digest::of(b"late"), b"late");
    let trace = registry.trace();
    trace.check(&[Property::Requests(3), Property::AtMost(Kind::UploadPut, 1)]).unwrap();
    trace.check(&[Property::AtLeast(Kind::UploadPut, 1)]).unwrap();
    assert!(broken(&trace, Property::Requests(2)));
    assert!(broken(&trace, Property::AtLeast(Kind::Mount, 1)));
    let violation = trace.check(&[Property::ManifestsLast]).unwrap_err();
    assert!(violation.found.starts_with("a blob came after a manifest:   3 c3 PUT"), "{violation}");
    put(&registry, &begin(&registry), Digest::of(b"late"), b"late");
    assert_eq!(registry.trace().wasted(), 4, "that blob was there");
}

#[test]
fn a_client_that_speaks_tls_is_told_that_nobody_else_does() {
    let registry = TestRegistry::start();
    let mut stream = TcpStream::connect(registry.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(b"\x16\x03\x01\x02").unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 400");
}

#[test]
fn it_stops_when_it_is_dropped() {
    let registry = TestRegistry::start();
    let address = registry.address();
    let mut idle = TcpStream::connect(&address).unwrap();
    idle.write_all(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut first = [0; 1];
    idle.read_exact(&mut first).unwrap();
    drop(registry);
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).unwrap();
    assert!(TcpStream::connect(&address).is_err());
}

#[test]
fn scenarios_have_names_of_their_own_and_tell_clients_apart() {
    let scenarios = crate::scenarios();
    let names: std::collections::BTreeSet<&str> =
        scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
    assert_eq!(names.len(), scenarios.len());
    let played = |name: &str, came: Result<(), String>| {
        let scenario = scenarios.iter().find(|scenario| scenario.name == name).unwrap();
        let scratch = tempfile::tempdir().unwrap();
        scenario.run(scratch.path(), &mut |_| came.clone()).unwrap().fault
    };
    let failed = || Err("no".to_owned());
    assert_eq!(played("first", failed()), Some("no".to_owned()));
    assert_eq!(played("first", Ok(())), Some("the tag does not lead to the image".to_owned()));
    let idle = Some("the registry was not asked for anything".to_owned());
    assert_eq!(played("unchanged", Ok(())), idle);
    assert_eq!(played("html-error", failed()), idle);
    assert_eq!(played("html-error", Ok(())), Some("the client says that all is well".to_owned()));
    assert!(played("pull", Ok(())).is_some_and(|fault| fault.contains("blobs/sha256")));
}

#[test]
fn a_rule_that_was_not_met_shows_nothing() {
    let scenarios = crate::scenarios();
    for (name, path, is_met) in [
        ("html-error", "GET /v2/", false),
        ("html-error", "POST /v2/team/app/blobs/uploads/", true),
        ("denied-means-missing", "HEAD /v2/team/app/manifests/v1", true),
        ("pull-schema-1", "GET /v2/team/app/tags/list", false),
        ("pull-schema-1", "GET /v2/team/app/manifests/v1", true),
    ] {
        let scenario = scenarios.iter().find(|scenario| scenario.name == name).unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let verdict = scenario.run(scratch.path(), &mut |stage| {
            let address = stage.reference.split('/').next().unwrap();
            let mut line = std::net::TcpStream::connect(address).unwrap();
            let head = format!("{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            std::io::Write::write_all(&mut line, head.as_bytes()).unwrap();
            std::io::Read::read(&mut line, &mut [0; 12]).unwrap();
            Err("no".to_owned())
        });
        assert_eq!(verdict.unwrap().unmet.is_none(), is_met, "{name}: {path}");
    }
}
