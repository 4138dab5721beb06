//! One row, one situation: the requests of an upload, what is answered, what came of it.

use std::io::{self, Read};
use std::sync::atomic::{AtomicI64, Ordering};

use bake_formats::blob::{Blob, BlobSource, BlobStore, MemoryStore};
use bake_formats::digest::Digest;

use super::script::{Reply, Script, denied, lost, status, told};
use crate::registry::{Fault, Lengths, Mounted, Progress, Unwatched};

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

#[test]
fn a_lost_connection_goes_on_where_the_session_is() {
    expect(
        "in one piece",
        Lengths::default(),
        b"01234566789",
        vec![
            (POST, session()),
            ("PUT https://r.test/up/1?s=a&digest=D +10", lost(7)),
            ("pause 1", told()),
            (
                "GET https://r.test/up/1?s=a",
                status(204).with("Location", "/up/2").with("Range", "0-5"),
            ),
            ("PATCH https://r.test/up/2 content-range=6-9 +4", accepted("/up/3", "0-9")),
            ("PUT https://r.test/up/3?digest=D +0", status(201)),
        ],
    );
    expect(
        "in chunks",
        chunks(4),
        b"01234567456789",
        vec![
            (POST, session()),
            ("PATCH https://r.test/up/1?s=a content-range=0-3 +4", accepted("/up/2", "0-3")),
            ("PATCH https://r.test/up/2 content-range=4-7 +4", lost(4)),
            ("pause 1", told()),
            ("GET https://r.test/up/2", status(204).with("Location", "/up/5").with("Range", "0-3")),
            ("PATCH https://r.test/up/5 content-range=4-7 +4", accepted("/up/6", "0-7")),
            ("PATCH https://r.test/up/6 content-range=8-9 +2", accepted("/up/7", "0-9")),
            ("PUT https://r.test/up/7?digest=D +0", status(201)),
        ],
    );
    expect(
        "before the first byte",
        Lengths::default(),
        BYTES,
        vec![
            (POST, session()),
            ("PUT https://r.test/up/1?s=a&digest=D +10", lost(0)),
            ("pause 1", told()),
            ("PUT https://r.test/up/1?s=a&digest=D +10", status(201)),
        ],
    );
}

#[test]
fn an_end_that_was_not_heard_is_looked_up() {
    expect(
        "there",
        Lengths::default(),
        BYTES,
        vec![
            (POST, session()),
            ("PUT https://r.test/up/1?s=a&digest=D +10", lost(10)),
            ("pause 1", told()),
            (HEAD, status(200)),
        ],
    );
    expect(
        "not there",
        Lengths::default(),
        BYTES,
        vec![
            (POST, session()),
            ("PUT https://r.test/up/1?s=a&digest=D +10", lost(10)),
            ("pause 1", told()),
            (HEAD, status(404)),
            ("GET https://r.test/up/1?s=a", status(204).with("Range", "0-9")),
            ("PUT https://r.test/up/1?s=a&digest=D +0", status(201)),
        ],
    );
    expect(
        "busy at the end",
        Lengths::default(),
        BYTES,
        vec![
            (POST, session()),
            ("PUT https://r.test/up/1?s=a&digest=D +10", status(503).with("Retry-After", "7")),
            ("pause 1 7s", told()),
            (HEAD, status(200)),
        ],
    );
    expect(
        "session gone because it ended",
        Lengths::default(),
        BYTES,
        vec![
            (POST, session()),
            ("PUT https://r.test/up/1?s=a&digest=D +10", status(404).code("BLOB_UPLOAD_UNKNOWN")),
            (HEAD, status(200)),
        ],
    );
}

#[test]
fn a_session_that_is_gone_is_replaced() {
    expect(
        "gone",
        Lengths::default(),
        b"0123450123456789",
        vec![
            (POST, session()),
            ("PUT https://r.test/up/1?s=a&digest=D +10", lost(6)),
            ("pause 1", told()),
            ("GET https://r.test/up/1?s=a", status(404).code("BLOB_UPLOAD_UNKNOWN")),
            ("DELETE https://r.test/up/1?s=a", status(404)),
            (POST, accepted("/up/9", "")),
            ("PUT https://r.test/up/9?digest=D +10", status(201)),
        ],
    );
    expect(
        "told at once",
        chunks(5),
        b"01234567890123456789",
        vec![
            (POST, session()),
            ("PATCH https://r.test/up/1?s=a content-range=0-4 +5", status(202)),
            ("PATCH https://r.test/up/1?s=a content-range=5-9 +5", status(404)),
            (POST, accepted("/up/9", "")),
            ("PATCH https://r.test/up/9 content-range=0-4 +5", status(202)),
            ("PATCH https://r.test/up/9 content-range=5-9 +5", status(202)),
            ("PUT https://r.test/up/9?digest=D +0", status(201)),
        ],
    );
}

#[test]
fn a_session_that_has_what_was_never_sent_is_replaced() {
    expect(
        "too much",
        Lengths::default(),
        b"0120123456789",
        vec![
            (POST, session()),
            ("PUT https://r.test/up/1?s=a&digest=D +10", lost(3)),
            ("pause 1", told()),
            ("GET https://r.test/up/1?s=a", status(204).with("Range", "0-8")),
            ("DELETE https://r.test/up/1?s=a", lost(0)),
            (POST, accepted("/up/9", "")),
            ("PUT https://r.test/up/9?digest=D +10", status(201)),
        ],
    );
}

#[test]
fn out_of_order_asks_for_the_offset() {
    expect(
        "416",
        chunks(4),
        b"0123456723456789",
        vec![
            (POST, session()),
            ("PATCH https://r.test/up/1?s=a content-range=0-3 +4", status(202)),
            ("PATCH https://r.test/up/1?s=a content-range=4-7 +4", status(416)),
            ("GET https://r.test/up/1?s=a", status(204).with("Range", "0-1")),
            ("PATCH https://r.test/up/1?s=a content-range=2-5 +4", status(202)),
            ("PATCH https://r.test/up/1?s=a content-range=6-9 +4", status(202)),
            ("PUT https://r.test/up/1?s=a&digest=D +0", status(201)),
        ],
    );
    let refusals = || {
        vec![
            (POST, session()),
            ("PATCH https://r.test/up/1?s=a content-range=0-4 +5", status(416)),
            ("GET https://r.test/up/1?s=a", status(204).with("Range", "0-0")),
            ("DELETE https://r.test/up/1?s=a", status(204)),
            (POST, accepted("/up/2", "")),
        ]
    };
    let mut in_one = refusals();
    in_one.push(("PUT https://r.test/up/2?digest=D +10", status(201)));
    expect("416 without end", chunks(5), b"012340123456789", in_one);
    let mut limited = refusals();
    limited.extend([
        ("PATCH https://r.test/up/2 content-range=0-4 +5", status(202)),
        ("PATCH https://r.test/up/2 content-range=5-9 +5", status(202)),
        ("PUT https://r.test/up/2?digest=D +0", status(201)),
    ]);
    let lengths = Lengths { chunk_size: None, max_body: Some(5) };
    expect("416 without end, short bodies", lengths, b"012340123456789", limited);
}

#[test]
fn a_token_that_ends_in_mid_upload_is_renewed() {
    expect(
        "with the body",
        Lengths::default(),
        b"01234567890123456789",
        vec![
            (POST, session()),
            ("PUT https://r.test/up/1?s=a&digest=D +10", status(401).code("UNAUTHORIZED")),
            ("renew", told()),
            ("GET https://r.test/up/1?s=a", status(204).with("Range", "0-0")),
            ("PUT https://r.test/up/1?s=a&digest=D +10", status(201)),
        ],
    );
    expect(
        "before the body, in a later chunk",
        chunks(5),
        BYTES,
        vec![
            (POST, session()),
            ("PATCH https://r.test/up/1?s=a content-range=0-4 +5", status(202)),
            ("PATCH https://r.test/up/1?s=a content-range=5-9 +5", status(401).reads(0)),
            ("renew", told()),
            ("PATCH https://r.test/up/1?s=a content-range=5-9 +5", status(202)),
            ("PUT https://r.test/up/1?s=a&digest=D +0", status(201)),
        ],
    );
    let put = || ("PUT https://r.test/up/1?s=a&digest=D +10", status(401).reads(0));
    let rows = vec![
        (POST, session()),
        put(),
        ("renew", told()),
        put(),
        ("renew", told()),
        put(),
        ("DELETE https://r.test/up/1?s=a", status(204)),
    ];
    let (_, result) = upload(Lengths::default(), rows);
    assert!(result.is_err_and(|error| error.contains("the registry answers 401")));
}

#[test]
fn a_body_that_is_too_long_is_cut() {
    let blob_of = |len: usize| {
        let store = MemoryStore::new();
        let blob = store.put(&vec![7; len]).unwrap();
        (store, blob)
    };
    let (store, blob) = blob_of(300_000);
    let second = store.put(&vec![8; 80_000]).unwrap();
    let names = [("D", blob.digest), ("E", second.digest)];
    let script = Script::new(
        &names,
        vec![
            (POST, session()),
            ("PUT https://r.test/up/1?s=a&digest=D +300000", status(413).reads(1000)),
            ("GET https://r.test/up/1?s=a", status(204).with("Range", "0-0")),
            ("PATCH https://r.test/up/1?s=a content-range=0-74999 +75000", status(202)),
            ("PATCH https://r.test/up/1?s=a content-range=75000-149999 +75000", status(202)),
            ("PATCH https://r.test/up/1?s=a content-range=150000-224999 +75000", status(202)),
            ("PATCH https://r.test/up/1?s=a content-range=225000-299999 +75000", status(202)),
            ("PUT https://r.test/up/1?s=a&digest=D +0", status(201)),
            // The host is known now.
            (POST, session()),
            ("PATCH https://r.test/up/1?s=a content-range=0-74999 +75000", status(202)),
            ("PATCH https://r.test/up/1?s=a content-range=75000-79999 +5000", status(202)),
            ("PUT https://r.test/up/1?s=a&digest=E +0", status(201)),
        ],
    );
    let repository = script.repository();
    repository.upload(blob, &store, None, &Unwatched).unwrap();
    repository.upload(second, &store, None, &Unwatched).unwrap();
    assert_eq!(script.finish().len(), 300_000 + 1000 + 80_000);

    let (_, result) = upload(
        Lengths::default(),
        vec![
            (POST, session()),
            ("PUT https://r.test/up/1?s=a&digest=D +10", status(413)),
            ("DELETE https://r.test/up/1?s=a", status(204)),
        ],
    );
    assert!(result.is_err_and(|error| error.contains("413")));
}

#[test]
fn a_known_limit_is_kept_from_the_start() {
    let lengths = Lengths { chunk_size: None, max_body: Some(6) };
    expect(
        "limit",
        lengths,
        BYTES,
        vec![
            (POST, session()),
            ("PATCH https://r.test/up/1?s=a content-range=0-5 +6", status(202)),
            ("PATCH https://r.test/up/1?s=a content-range=6-9 +4", status(202)),
            ("PUT https://r.test/up/1?s=a&digest=D +0", status(201)),
        ],
    );
}

#[test]
fn a_form_that_a_registry_does_not_know_is_changed_once() {
    expect(
        "no bytes in PUT",
        Lengths::default(),
        b"01234567890123456789",
        vec![
            (POST, session()),
            ("PUT https://r.test/up/1?s=a&digest=D +10", status(405).code("UNSUPPORTED")),
            ("DELETE https://r.test/up/1?s=a", status(405)),
            (POST, accepted("/up/2", "")),
            ("PATCH https://r.test/up/2 +10", accepted("/up/3", "0-9")),
            ("PUT https://r.test/up/3?digest=D +0", status(201)),
        ],
    );
    expect(
        "no chunks",
        chunks(4),
        b"012345670123456789",
        vec![
            (POST, session()),
            ("PATCH https://r.test/up/1?s=a content-range=0-3 +4", status(202)),
            ("PATCH https://r.test/up/1?s=a content-range=4-7 +4", status(400).code("UNSUPPORTED")),
            ("DELETE https://r.test/up/1?s=a", status(204)),
            (POST, accepted("/up/2", "")),
            ("PUT https://r.test/up/2?digest=D +10", status(201)),
        ],
    );
    let (_, result) = upload(
        Lengths::default(),
        vec![
            (POST, session()),
            ("PUT https://r.test/up/1?s=a&digest=D +10", status(400)),
            ("DELETE https://r.test/up/1?s=a", status(204)),
            (POST, accepted("/up/2", "")),
            ("PATCH https://r.test/up/2 +10", status(400).code("BLOB_UPLOAD_INVALID")),
            ("DELETE https://r.test/up/2", status(204)),
        ],
    );
    assert!(result.is_err_and(|error| error.contains("400 BLOB_UPLOAD_INVALID: no")));
}

#[test]
fn bytes_that_do_not_have_their_digest_are_told() {
    let (_, result) = upload(
        Lengths::default(),
        vec![
            (POST, session()),
            ("PUT https://r.test/up/1?s=a&digest=D +10", status(400).code("DIGEST_INVALID")),
            ("DELETE https://r.test/up/1?s=a", status(404)),
        ],
    );
    let error = result.unwrap_err();
    assert!(error.contains("all 10 bytes were sent, but the registry answers 400"), "{error}");
    // After bytes that were put together in doubt it is tried once more, in one piece.
    expect(
        "in doubt",
        chunks(5),
        b"01234567890123456789",
        vec![
            (POST, session()),
            ("PATCH https://r.test/up/1?s=a content-range=0-4 +5", accepted("/up/1", "0-1")),
            ("PATCH https://r.test/up/1 content-range=5-9 +5", accepted("/up/1", "0-9")),
            ("PUT https://r.test/up/1?digest=D +0", status(400).code("DIGEST_INVALID")),
            ("DELETE https://r.test/up/1", status(404)),
            (POST, accepted("/up/2", "")),
            ("PUT https://r.test/up/2?digest=D +10", status(201)),
        ],
    );
    let other = Digest::of(b"other").to_string();
    let (_, result) = upload(
        Lengths::default(),
        vec![
            (POST, session()),
            (
                "PUT https://r.test/up/1?s=a&digest=D +10",
                status(201).with("Docker-Content-Digest", &other),
            ),
            ("DELETE https://r.test/up/1?s=a", status(404)),
        ],
    );
    assert!(result.is_err_and(|error| error.contains(&other)));
}

#[test]
fn a_slow_end_is_waited_for() {
    expect(
        "202",
        Lengths::default(),
        BYTES,
        vec![
            (POST, session()),
            ("PUT https://r.test/up/1?s=a&digest=D +10", status(202)),
            (HEAD, status(404)),
            ("pause 1", told()),
            (HEAD, status(404)),
            ("pause 2", told()),
            (HEAD, status(200)),
        ],
    );
}

#[test]
fn enough_is_enough() {
    let put = "PUT https://r.test/up/1?s=a&digest=D +10";
    let mut rows = vec![(POST, session())];
    for pause in ["pause 1", "pause 2", "pause 3", "pause 4", "pause 5"] {
        rows.push((put, lost(0)));
        rows.push((pause, told()));
    }
    rows.push(("DELETE https://r.test/up/1?s=a", lost(0)));
    let (_, result) = upload(Lengths::default(), rows);
    assert!(result.is_err_and(|error| error.ends_with("the connection broke")));
}

#[test]
fn what_is_refused_is_given_up() {
    let (_, result) = upload(
        Lengths::default(),
        vec![
            (POST, session()),
            ("PUT https://r.test/up/1?s=a&digest=D +10", status(403).code("DENIED")),
            ("DELETE https://r.test/up/1?s=a", status(204)),
        ],
    );
    assert!(result.is_err_and(|error| error.contains("the registry answers 403 DENIED: no")));
    let (sent, result) = upload(Lengths::default(), vec![(POST, status(403).code("DENIED"))]);
    assert!(sent.is_empty() && result.is_err());
    let (sent, result) = upload(Lengths::default(), vec![(POST, denied())]);
    assert!(sent.is_empty() && result.is_err_and(|error| error.contains("not logged in")));
}

/// A source with faults.
struct Faulty {
    bytes: &'static [u8],
    error: Option<&'static str>,
}

impl BlobSource for Faulty {
    fn open(&self, _: &Digest, offset: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        let bytes = &self.bytes[usize::try_from(offset).unwrap()..];
        match self.error {
            Some(error) if bytes.is_empty() => Err(io::Error::other(error)),
            Some(_) | None => Ok(Box::new(bytes)),
        }
    }
}

#[test]
fn a_source_that_fails_is_told_from_a_connection_that_breaks() {
    let rows = || {
        vec![
            (POST, session()),
            ("PUT https://r.test/up/1?s=a&digest=D +10", status(201)),
            ("DELETE https://r.test/up/1?s=a", status(204)),
        ]
    };
    let blob = Blob::of(BYTES);
    let short = Faulty { bytes: b"012", error: None };
    let (_, result) = upload_from(&short, blob, Lengths::default(), rows());
    let error = result.unwrap_err();
    assert!(
        error.contains("expected 10 bytes of blob") && error.contains("found only 3"),
        "{error}"
    );
    let broken = Faulty { bytes: b"", error: Some("the disk is gone") };
    let (_, result) = upload_from(&broken, blob, Lengths::default(), rows());
    assert!(result.is_err_and(|error| error.ends_with("the disk is gone")));
}

#[test]
fn what_is_copied_keeps_the_advice_of_its_source() {
    let blob = Blob::of(BYTES);
    let refused = vec![("GET acme/app/blobs/D", status(429))];
    let there = Script::new(&[("D", blob.digest)], refused);
    let source = there.source();
    let rows = vec![
        (POST, session()),
        ("PUT https://r.test/up/1?s=a&digest=D +10", status(201)),
        ("DELETE https://r.test/up/1?s=a", status(204)),
    ];
    let here = Script::new(&[("D", blob.digest)], rows);
    let error = here.repository().upload(blob, &source.remote(blob), None, &Unwatched).unwrap_err();
    let reason = "cannot read blob D of r.test/acme/app: the registry answers 429: no explanation";
    assert_eq!(error.fault, Fault::Local(reason.replace('D', &blob.digest.to_string())));
    assert!(error.hint.unwrap().contains("rate limit"));
    here.finish();
    there.finish();
}

#[test]
fn a_session_of_a_declined_mount_goes_on() {
    let store = MemoryStore::new();
    let blob = store.put(BYTES).unwrap();
    let script = Script::new(
        &[("D", blob.digest)],
        vec![
            ("POST acme/app/blobs/uploads/?mount=D", session()),
            ("PUT https://r.test/up/1?s=a&digest=D +10", status(201)),
        ],
    );
    let repository = script.repository();
    let Mounted::Session(session) = repository.mount(blob.digest, None).unwrap() else { panic!() };
    repository.upload(blob, &store, Some(session), &Unwatched).unwrap();
    assert_eq!(script.finish(), BYTES);
}

#[test]
fn an_error_has_the_kind_of_its_cause() {
    let store = MemoryStore::new();
    let blob = store.put(BYTES).unwrap();
    let script = Script::new(&[("D", blob.digest)], vec![(POST, denied())]);
    let error = script.repository().upload(blob, &store, None, &Unwatched).unwrap_err();
    assert!(matches!(error.fault, Fault::Credentials(_)));
    assert_eq!(error.subject, "r.test/acme/app");
    script.finish();
}
