//! One row, one situation: the requests of an upload, what is answered, what came of it.

use std::io::{self, Read};
use std::sync::atomic::{AtomicI64, Ordering};

use bake_formats::blob::{Blob, BlobSource, BlobStore, MemoryStore};
use bake_formats::digest::Digest;

use super::script::{Reply, Script, denied, lost, status, told};
use crate::registry::{Fault, Lengths, Mounted, Progress, Unwatched};

mod ends;
mod forms;
mod trouble;

const POST: &str = "POST acme/app/blobs/uploads/";
const HEAD: &str = "HEAD acme/app/blobs/D";
const BYTES: &[u8] = b"0123456789";

/// The answer that opens the session `s`, which the next `Location` names `up/1`.
fn session() -> Reply {
    status(202).with("Location", "https://r.test/up/1?s=a")
}

/// An answer within the session.
fn accepted(location: &str, range: &str) -> Reply {
    let reply = status(202).with("Location", location);
    if range.is_empty() { reply } else { reply.with("Range", range) }
}

/// Uploads `BYTES` by a script; returns what was sent, and how it went.
fn upload(lengths: Lengths, rows: Vec<(&str, Reply)>) -> (Vec<u8>, Result<(), String>) {
    let store = MemoryStore::new();
    let blob = store.put(BYTES).unwrap();
    upload_from(&store, blob, lengths, rows)
}

fn upload_from(
    source: &dyn BlobSource,
    blob: Blob,
    lengths: Lengths,
    rows: Vec<(&str, Reply)>,
) -> (Vec<u8>, Result<(), String>) {
    let script = Script::new(&[("D", blob.digest)], rows).with_lengths(lengths);
    let progress = Count::default();
    let repository = script.repository();
    let result = repository.upload(blob, source, None, &progress);
    if result.is_ok() {
        let shown = progress.0.load(Ordering::Relaxed);
        assert_eq!(shown, i64::try_from(blob.size).unwrap(), "progress must add up");
    }
    (script.finish(), result.map_err(|error| error.to_string()))
}

#[derive(Default)]
struct Count(AtomicI64);

impl Progress for Count {
    fn advanced(&self, bytes: u64) {
        self.0.fetch_add(i64::try_from(bytes).unwrap(), Ordering::Relaxed);
    }

    fn set_back(&self, bytes: u64) {
        self.0.fetch_sub(i64::try_from(bytes).unwrap(), Ordering::Relaxed);
    }
}

fn chunks(chunk_size: u64) -> Lengths {
    Lengths { chunk_size: Some(chunk_size), max_body: None }
}

/// Checks rows that end well: `sent` is every byte that went over the wire, in order.
fn expect(name: &str, lengths: Lengths, sent: &[u8], rows: Vec<(&str, Reply)>) {
    let (found, result) = upload(lengths, rows);
    assert_eq!(result, Ok(()), "{name}");
    assert_eq!(String::from_utf8(found), String::from_utf8(sent.to_vec()), "{name}");
}

#[test]
fn a_blob_is_two_requests() {
    for code in [200, 201, 204] {
        expect(
            "usual",
            Lengths::default(),
            BYTES,
            vec![(POST, session()), ("PUT https://r.test/up/1?s=a&digest=D +10", status(code))],
        );
    }
}

#[test]
fn the_location_is_used_as_it_is() {
    let rows = [
        ("/up/1", "https://r.test/up/1?digest=D"),
        ("up/1", "https://r.test/v2/acme/app/blobs/uploads/up/1?digest=D"),
        ("?x=1", "https://r.test/v2/acme/app/blobs/uploads/?x=1&digest=D"),
        ("//o.test/up?", "https://o.test/up?digest=D"),
        (
            "https://o.test:8443/a%2Fb?s=%2B+x/=&t#f",
            "https://o.test:8443/a%2Fb?s=%2B+x/=&t&digest=D",
        ),
    ];
    for (location, expected) in rows {
        let put = format!("PUT {expected} +10");
        expect(
            location,
            Lengths::default(),
            BYTES,
            vec![(POST, status(202).with("Location", location)), (&put, status(201))],
        );
    }
}

#[test]
fn a_location_that_leads_nowhere_is_an_error() {
    for (location, reason) in [
        ("ftp://r.test/x", "expected an address of http or https"),
        ("file:///etc/passwd", "expected an address of http or https"),
        ("https://u:p@r.test/x", "expected no user and no password"),
        ("https://[x/", "is unusable"),
    ] {
        let rows = vec![(POST, status(202).with("Location", location))];
        let (_, result) = upload(Lengths::default(), rows);
        assert!(result.as_ref().is_err_and(|error| error.contains(reason)), "{result:?}");
    }
    let (_, result) = upload(Lengths::default(), vec![(POST, status(202))]);
    assert!(result.is_err_and(|error| error.contains("has no `Location`")));
}

#[test]
fn an_empty_blob_is_sent_too() {
    let store = MemoryStore::new();
    let blob = store.put(b"").unwrap();
    for lengths in [Lengths::default(), chunks(4)] {
        let rows =
            vec![(POST, session()), ("PUT https://r.test/up/1?s=a&digest=D +0", status(201))];
        assert_eq!(upload_from(&store, blob, lengths, rows), (vec![], Ok(())));
    }
}

#[test]
fn chunks_follow_the_newest_location() {
    expect(
        "chunks",
        chunks(4),
        BYTES,
        vec![
            (POST, session()),
            ("PATCH https://r.test/up/1?s=a content-range=0-3 +4", accepted("/up/2", "0-3")),
            ("PATCH https://r.test/up/2 content-range=4-7 +4", accepted("/up/3?s=c", "0-7")),
            ("PATCH https://r.test/up/3?s=c content-range=8-9 +2", status(202)),
            ("PUT https://r.test/up/3?s=c&digest=D +0", status(201)),
        ],
    );
}

#[test]
fn a_registry_says_how_short_a_chunk_may_be() {
    let minimum = |text: &str| session().with("OCI-Chunk-Min-Length", text);
    expect(
        "longer than ours",
        chunks(4),
        BYTES,
        vec![
            (POST, minimum("6")),
            ("PATCH https://r.test/up/1?s=a content-range=0-5 +6", status(202)),
            ("PATCH https://r.test/up/1?s=a content-range=6-9 +4", status(202)),
            ("PUT https://r.test/up/1?s=a&digest=D +0", status(201)),
        ],
    );
    for absurd in ["18446744073709551615", "99999999999"] {
        expect(
            absurd,
            chunks(4),
            BYTES,
            vec![
                (POST, minimum(absurd)),
                ("PATCH https://r.test/up/1?s=a content-range=0-9 +10", status(202)),
                ("PUT https://r.test/up/1?s=a&digest=D +0", status(201)),
            ],
        );
    }
}

#[test]
fn a_range_that_is_old_or_short_is_not_believed_over_the_answer() {
    for range in ["0-0", "0-1", "0-2", "bytes=0-3", "7-9", "x", "0-99999999999999999999"] {
        expect(
            range,
            chunks(4),
            BYTES,
            vec![
                (POST, session()),
                ("PATCH https://r.test/up/1?s=a content-range=0-3 +4", accepted("/up/2", range)),
                ("PATCH https://r.test/up/2 content-range=4-7 +4", accepted("/up/3", range)),
                ("PATCH https://r.test/up/3 content-range=8-9 +2", accepted("/up/4", range)),
                ("PUT https://r.test/up/4?digest=D +0", status(201)),
            ],
        );
    }
}

#[test]
fn an_answer_of_201_to_the_last_chunk_is_looked_into() {
    let patches = || {
        vec![
            (POST, session()),
            ("PATCH https://r.test/up/1?s=a content-range=0-4 +5", status(201)),
            ("PATCH https://r.test/up/1?s=a content-range=5-9 +5", status(201)),
        ]
    };
    let mut made = patches();
    made.push((HEAD, status(200)));
    expect("made", chunks(5), BYTES, made);
    let mut not_made = patches();
    not_made.push((HEAD, status(404)));
    not_made.push(("PUT https://r.test/up/1?s=a&digest=D +0", status(201)));
    expect("not made", chunks(5), BYTES, not_made);
}
