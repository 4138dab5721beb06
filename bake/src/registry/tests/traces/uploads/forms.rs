//! Bodies that are too long, and forms that a registry does not know.

use super::*;

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
