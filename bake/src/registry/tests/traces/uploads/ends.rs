//! How an upload ends: late, refused, with other bytes, in a session of a mount.

use super::*;

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
