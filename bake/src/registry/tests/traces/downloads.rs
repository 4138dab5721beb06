//! Blobs that are read, looked up and not what they should be.

use std::io::Read;

use bake_formats::blob::{Blob, BlobSource};
use bake_formats::digest::Digest;

use super::script::{Reply, Script, denied, lost, status, told};
use crate::registry::{Fault, Held, RegistryError};

const BYTES: &[u8] = b"0123456789";
const GET: &str = "GET acme/app/blobs/D";
const HEAD: &str = "HEAD acme/app/blobs/D";

/// Reads a blob, three bytes at a time; returns what came, and how it ended.
fn download(blob: Blob, rows: Vec<(&str, Reply)>) -> (Vec<u8>, Result<(), String>) {
    let script = Script::new(&[("D", blob.digest)], rows);
    let repository = script.source();
    let mut reader = repository.blob(blob);
    let (mut bytes, mut buffer) = (Vec::new(), [0; 3]);
    let end = loop {
        match reader.read(&mut buffer) {
            Ok(0) => break Ok(()),
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(error) => break Err(error.to_string()),
        }
    };
    script.finish();
    (bytes, end)
}

fn partial(range: &str) -> Reply {
    status(206).with("Content-Range", range)
}

#[test]
fn a_blob_is_one_request() {
    let reply = status(200).with("Content-Length", "10").body(BYTES);
    assert_eq!(download(Blob::of(BYTES), vec![(GET, reply)]), (BYTES.to_vec(), Ok(())));
    let longer = status(200).body(b"0123456789 and what nobody asked for");
    assert_eq!(download(Blob::of(BYTES), vec![(GET, longer)]), (BYTES.to_vec(), Ok(())));
}

#[test]
fn an_empty_blob_is_no_request() {
    assert_eq!(download(Blob::of(b""), vec![]), (vec![], Ok(())));
    let lie = Blob { digest: Digest::of(BYTES), size: 0 };
    assert!(download(lie, vec![]).1.is_err_and(|error| error.contains("the bytes received have")));
}

#[test]
fn a_broken_connection_goes_on() {
    let rows = vec![
        (GET, status(200).body(&BYTES[..4]).breaks()),
        ("pause 1", told()),
        ("GET acme/app/blobs/D range=bytes=4-", partial("bytes 4-9/10").body(&BYTES[4..5])),
        ("pause 1", told()),
        // A server without ranges begins again.
        ("GET acme/app/blobs/D range=bytes=5-", status(200).body(&BYTES[..3]).breaks()),
        ("pause 2", told()),
        ("GET acme/app/blobs/D range=bytes=5-", status(200).body(BYTES)),
    ];
    assert_eq!(download(Blob::of(BYTES), rows), (BYTES.to_vec(), Ok(())));
}

#[test]
fn a_connection_that_brings_nothing_is_given_up() {
    let mut rows = vec![(GET, status(200).body(b"0").breaks())];
    for pause in ["pause 1", "pause 2", "pause 3", "pause 4"] {
        rows.push((pause, told()));
        rows.push(("GET acme/app/blobs/D range=bytes=1-", partial("bytes 1-9/*")));
    }
    rows.push(("pause 5", told()));
    let (bytes, end) = download(Blob::of(BYTES), rows);
    assert_eq!(bytes, b"0");
    let reason = "the connection broke after 1 of 10 bytes: there are no more bytes";
    assert!(end.as_ref().is_err_and(|error| error.ends_with(reason)), "{end:?}");
}

#[test]
fn other_bytes_fail_with_the_last_of_them() {
    let (bytes, end) = download(Blob::of(BYTES), vec![(GET, status(200).body(b"0123456780"))]);
    assert_eq!(bytes, b"012345678");
    let found = Digest::of(b"0123456780").to_string();
    assert!(end.is_err_and(|error| error.contains(&found)));
    let resumed = vec![
        (GET, status(200).body(b"0123").breaks()),
        ("pause 1", told()),
        ("GET acme/app/blobs/D range=bytes=4-", partial("bytes 4-9/10").body(b"xxxxxx")),
    ];
    assert!(download(Blob::of(BYTES), resumed).1.is_err());
}

#[test]
fn a_lie_in_the_headers_fails_before_the_first_byte() {
    let rows = [
        (vec![(GET, status(200).with("Content-Length", "11").body(BYTES))], "the registry has 11"),
        (vec![(GET, status(206).with("Content-Range", "bytes 1-9/10"))], "found `bytes 1-9/10`"),
        (vec![(GET, status(206).with("Content-Range", "bytes 0-9/11"))], "found `bytes 0-9/11`"),
        (vec![(GET, status(206).with("Content-Range", "\u{1}"))], "found `\\u{1}`"),
        (vec![(GET, status(206).with("Content-Length", "3"))], "expected 10 bytes"),
        (vec![(GET, status(404).code("BLOB_UNKNOWN"))], "there is no such blob"),
        (vec![(GET, status(416))], "416"),
        (vec![(GET, lost(0))], "the connection broke"),
    ];
    for (rows, reason) in rows {
        let (bytes, end) = download(Blob::of(BYTES), rows);
        assert!(bytes.is_empty());
        assert!(end.as_ref().is_err_and(|error| error.contains(reason)), "{end:?} {reason}");
    }
}

#[test]
fn an_error_can_be_told_by_its_kind() {
    let script = Script::new(&[("D", Digest::of(BYTES))], vec![(GET, denied())]);
    let repository = script.source();
    let error = repository.blob(Blob::of(BYTES)).read(&mut [0; 4]).unwrap_err();
    let error = RegistryError::within(&error).unwrap();
    assert!(matches!(error.fault, Fault::Credentials(_)));
}

#[test]
fn a_blob_elsewhere_is_a_source_from_any_offset() {
    let blob = Blob::of(BYTES);
    let rows = vec![
        ("GET acme/app/blobs/D range=bytes=6-", partial("bytes 6-9/10").body(b"67")),
        ("pause 1", told()),
        ("GET acme/app/blobs/D range=bytes=8-", partial("bytes 8-9/10").body(b"89")),
    ];
    let script = Script::new(&[("D", blob.digest)], rows);
    let repository = script.source();
    let remote = repository.remote(blob);
    let mut bytes = Vec::new();
    remote.open(&blob.digest, 6).unwrap().read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, b"6789");
    assert!(remote.open(&Digest::of(b"other"), 0).is_err());
    let mut nothing = Vec::new();
    remote.open(&blob.digest, 10).unwrap().read_to_end(&mut nothing).unwrap();
    script.finish();
}

#[test]
fn a_look_is_one_request() {
    let digest = Digest::of(BYTES);
    let other = Digest::of(b"other").to_string();
    let rows: Vec<(Reply, Result<Option<Held>, &str>)> = vec![
        (status(200).with("Content-Length", "10"), Ok(Some(Held { size: Some(10) }))),
        (status(200), Ok(Some(Held { size: None }))),
        (status(200).with("docker-content-digest", "sha512:00"), Ok(Some(Held { size: None }))),
        (status(404), Ok(None)),
        (status(403), Ok(None)),
        (status(200).with("Docker-Content-Digest", other), Err("the registry says that it has")),
        (status(500), Err("the registry answers 500")),
        (denied(), Err("not logged in")),
    ];
    for (reply, expected) in rows {
        let script = Script::new(&[("D", digest)], vec![(HEAD, reply)]);
        match (script.repository().has_blob(digest), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(error), Err(reason)) => assert!(error.to_string().contains(reason), "{error}"),
            (found, expected) => panic!("{found:?}, expected {expected:?}"),
        }
        script.finish();
    }
    // Who only reads is told that it may not.
    let script = Script::new(&[("D", digest)], vec![(HEAD, status(403))]);
    let error = script.source().has_blob(digest).unwrap_err();
    assert!(error.hint.unwrap().contains("may not pull"));
}
