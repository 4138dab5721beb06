//! Manifests: looked up, read, written.

use bake_formats::digest::Digest;

use super::script::{Reply, Script, status, told};
use crate::registry::{Document, MAX_MANIFEST, Put, RegistryError, Which};

const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER: &str = "application/vnd.docker.distribution.manifest.v2+json";
const HEAD: &str = "HEAD acme/app/manifests/1.0";
const GET: &str = "GET acme/app/manifests/1.0";

fn manifest(media_type: &str) -> String {
    format!(r#"{{"schemaVersion":2,"mediaType":"{media_type}","config":{{}},"layers":[]}}"#)
}

fn read(which: Which<'_>, row: (&str, Reply)) -> Result<Document, RegistryError> {
    let script = Script::new(&[("D", digest())], vec![row]);
    let result = script.source().manifest(which);
    script.finish();
    result
}

fn digest() -> Digest {
    Digest::of(manifest(OCI).as_bytes())
}

fn typed(content_type: &str, body: impl AsRef<[u8]>) -> Reply {
    status(200).with("Content-Type", content_type).body(body)
}

#[test]
fn the_type_is_what_header_and_body_agree_on() {
    let without = r#"{"schemaVersion":2,"config":{},"layers":[]}"#;
    let index = r#"{"schemaVersion":2,"manifests":[]}"#;
    let rows = [
        (OCI, manifest(OCI), Ok(OCI)),
        ("application/vnd.oci.image.manifest.v1+json; charset=utf-8", manifest(OCI), Ok(OCI)),
        (DOCKER, manifest(DOCKER), Ok(DOCKER)),
        (OCI, without.to_owned(), Ok(OCI)),
        ("text/plain", without.to_owned(), Ok(OCI)),
        ("", index.to_owned(), Ok(INDEX)),
        ("application/json", manifest(DOCKER), Ok(DOCKER)),
        (DOCKER, manifest(OCI), Err("expected the same media type")),
        (INDEX, manifest(OCI), Err("expected the same media type")),
        (
            OCI,
            r#"{"schemaVersion":2,"layers":[],"manifests":[]}"#.to_owned(),
            Err("expected either"),
        ),
        (OCI, r#"{"schemaVersion":1,"fsLayers":[]}"#.to_owned(), Err("schema 1")),
        (
            "application/vnd.docker.distribution.manifest.v1+prettyjws",
            without.to_owned(),
            Err("schema 1"),
        ),
        ("application/json", r#"{"schemaVersion":2}"#.to_owned(), Err("neither `layers` nor")),
        ("text/html", "<html>".to_owned(), Err("found HTML")),
        (OCI, "[]".to_owned(), Err("no manifest")),
        (OCI, "[".repeat(100_000), Err("no manifest")),
    ];
    for (content_type, body, expected) in rows {
        let found = read(Which::Tag("1.0"), (GET, typed(content_type, &body)));
        match (found, expected) {
            (Ok(found), Ok(expected)) => {
                assert_eq!(found.descriptor.media_type, expected);
                assert_eq!(found.bytes, body.as_bytes());
                assert_eq!(found.descriptor.digest, Digest::of(body.as_bytes()));
            }
            (Err(error), Err(reason)) => assert!(error.to_string().contains(reason), "{error}"),
            (found, expected) => panic!("{body}: {found:?}, expected {expected:?}"),
        }
    }
}

#[test]
fn bytes_have_the_digest_that_was_asked_for_and_stated() {
    let by_digest =
        |body: &str| read(Which::Digest(digest()), ("GET acme/app/manifests/D", typed(OCI, body)));
    assert_eq!(by_digest(&manifest(OCI)).unwrap().descriptor.digest, digest());
    let error = by_digest(&manifest(OCI).replace("[]", "[ ]")).unwrap_err().to_string();
    assert!(error.contains(&format!("expected {}", digest())), "{error}");
    let stated = |text: &str| {
        let reply = typed(OCI, manifest(OCI)).with("Docker-Content-Digest", text);
        read(Which::Tag("1.0"), (GET, reply))
    };
    assert!(stated(&digest().to_string()).is_ok());
    assert!(stated("sha512:00").is_ok());
    let other = Digest::of(b"other").to_string();
    assert!(stated(&other).is_err_and(|error| error.to_string().contains(&other)));
}

#[test]
fn a_long_manifest_is_refused_before_it_is_read() {
    let long = vec![b' '; usize::try_from(MAX_MANIFEST).unwrap() + 1];
    let said = typed(OCI, "").with("Content-Length", "99999999999999");
    let rows = [
        (said, "at most 4194304 bytes, found 99999999999999"),
        (typed(OCI, long), "at most 4194304 bytes, found more"),
        (typed(OCI, "{").with("Content-Length", "7"), "the answer ended after 1 of 7 bytes"),
        (typed(OCI, "{").breaks(), "the answer broke off"),
        (status(404).code("MANIFEST_UNKNOWN"), "there is no such manifest"),
        (status(404).with("Content-Type", "text/html").body("<html>"), "404: an HTML page"),
        (status(403).code("DENIED"), "403 DENIED: no"),
    ];
    for (reply, reason) in rows {
        let error = read(Which::Tag("1.0"), (GET, reply)).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
        assert!(error.starts_with("cannot read manifest r.test/acme/app:1.0: "), "{error}");
    }
}

#[test]
fn what_is_no_tag_is_no_path() {
    for tag in ["", "../../../x", "a/b", "a?b", "-a", "ä", &"a".repeat(129)] {
        let script = Script::new(&[], vec![]);
        let repository = script.repository();
        assert!(repository.manifest(Which::Tag(tag)).is_err());
        assert!(repository.head_manifest(Which::Tag(tag)).is_err());
        assert!(repository.put_manifest(Which::Tag(tag), OCI, b"{}").is_err());
    }
}

#[test]
fn a_look_is_one_request_if_the_registry_says_enough() {
    let body = manifest(OCI);
    let full = || {
        let reply = typed(OCI, "").with("Docker-Content-Digest", digest().to_string());
        reply.with("Content-Length", body.len().to_string())
    };
    let rows = [
        vec![(HEAD, full())],
        vec![(HEAD, typed(OCI, "").with("Content-Length", "9")), (GET, typed(OCI, &body))],
        vec![(HEAD, status(200)), (GET, typed(OCI, &body))],
        vec![(HEAD, status(404))],
        vec![(HEAD, status(403))],
    ];
    let expected = [true, true, true, false, false];
    for (rows, expected) in rows.into_iter().zip(expected) {
        let script = Script::new(&[], rows);
        let found = script.repository().head_manifest(Which::Tag("1.0")).unwrap();
        assert_eq!(found.is_some(), expected);
        if let Some(found) = found {
            assert_eq!(found.digest, digest());
            assert_eq!((found.size, found.media_type.as_str()), (body.len() as u64, OCI));
        }
        script.finish();
    }
    let other = Digest::of(b"other");
    let script = Script::new(&[("E", other)], vec![("HEAD acme/app/manifests/E", full())]);
    assert!(script.repository().head_manifest(Which::Digest(other)).is_err());
    let script = Script::new(&[], vec![(HEAD, status(403))]);
    assert!(script.source().head_manifest(Which::Tag("1.0")).is_err());
}

/// Writes a manifest under the tag 1.0.
fn write(rows: Vec<(&str, Reply)>) -> Result<Put, RegistryError> {
    let body = manifest(OCI);
    let script = Script::new(&[("D", digest())], rows);
    let result = script.repository().put_manifest(Which::Tag("1.0"), OCI, body.as_bytes());
    script.finish();
    result
}

fn put() -> String {
    format!("PUT acme/app/manifests/1.0 +{}", manifest(OCI).len())
}

#[test]
fn a_registry_that_stored_other_bytes_is_caught() {
    let put = put();
    for reply in
        [status(201), status(200), status(201).with("Docker-Content-Digest", digest().to_string())]
    {
        assert!(!write(vec![(&put, reply)]).unwrap().stored().unwrap());
    }
    let subject = status(201).with("OCI-Subject", Digest::of(b"subject").to_string());
    assert!(write(vec![(&put, subject)]).unwrap().stored().unwrap());
    let other = Digest::of(b"other").to_string();
    let error = write(vec![(&put, status(201).with("Docker-Content-Digest", &other))]).unwrap_err();
    assert!(error.to_string().contains(&format!("says that it now has {other}")), "{error}");
    let script = Script::new(&[], vec![]);
    let wrong = Which::Digest(Digest::of(b"other"));
    assert!(script.repository().put_manifest(wrong, OCI, b"{}").is_err());
}

#[test]
fn a_registry_that_does_not_see_its_blobs_yet_gets_time() {
    let put = put();
    let unknown = || status(404).code("MANIFEST_BLOB_UNKNOWN");
    let rows = vec![
        (put.as_str(), unknown()),
        ("pause 1", told()),
        (&put, unknown().with("Retry-After", "2")),
        ("pause 2 2s", told()),
        (&put, status(201)),
    ];
    assert!(matches!(write(rows).unwrap(), Put::Stored { .. }));

    let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
    let named = || {
        status(400).json(format!(
            r#"{{"errors":[
                {{"code":"MANIFEST_BLOB_UNKNOWN","message":"x","detail":{{"digest":"{one}"}}}},
                {{"code":"MANIFEST_BLOB_UNKNOWN","message":"blob {two} unknown","detail":"{one}"}}
            ]}}"#
        ))
    };
    let mut rows = vec![(put.as_str(), named())];
    for pause in ["pause 1", "pause 2", "pause 3"] {
        rows.push((pause, told()));
        rows.push((&put, named()));
    }
    let Put::Lacks { digests, error } = write(rows).unwrap() else { panic!() };
    let mut expected = vec![one, two];
    expected.sort();
    assert_eq!(digests, expected);
    assert!(error.to_string().contains("MANIFEST_BLOB_UNKNOWN"), "{error}");
}

#[test]
fn a_tag_that_may_not_be_moved_is_fine_where_it_is() {
    let put = put();
    let at = |digest: Digest| {
        let reply = typed(OCI, "").with("Content-Length", "9");
        reply.with("Docker-Content-Digest", digest.to_string())
    };
    for code in [400, 403, 405, 409, 412, 422] {
        let refused = || status(code).code("TAG_INVALID");
        assert!(matches!(
            write(vec![(&put, refused()), (HEAD, at(digest()))]),
            Ok(Put::Stored { .. })
        ));
        let other = Digest::of(b"other");
        let error = write(vec![(&put, refused()), (HEAD, at(other))]).unwrap_err();
        assert!(error.to_string().contains("TAG_INVALID: no"), "{error}");
        let hint = error.hint.unwrap();
        assert!(
            hint.contains(&other.to_string()) && hint.contains(&digest().to_string()),
            "{hint}"
        );
        let error = write(vec![(&put, refused()), (HEAD, status(404))]).unwrap_err();
        assert!(error.to_string().contains("TAG_INVALID: no"), "{error}");
    }
    assert!(write(vec![(&put, status(413))]).is_err());
}
