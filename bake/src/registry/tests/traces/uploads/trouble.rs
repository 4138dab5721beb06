//! What breaks in the midst of an upload, and how it goes on.

use super::*;

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
