use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD as ENGINE, URL_SAFE_NO_PAD};

use super::*;

fn has(value: &str, encoding: Encoding, text: &[u8]) -> bool {
    let forms = forms(value.as_bytes());
    forms.iter().any(|(found, form)| {
        *found == encoding && text.windows(form.len()).any(|part| part == form.as_slice())
    })
}

#[test]
fn each_form_is_there() {
    let rows: [(&str, Encoding, &[u8]); 24] = [
        ("p\u{e4}ss w0rd", Encoding::Raw, "x p\u{e4}ss w0rd".as_bytes()),
        ("secret!", Encoding::Hex, b"00 73656372657421"),
        ("sekr\x7f\x7fz", Encoding::Hex, b"73656B727F7F7A"),
        ("a/b c&d", Encoding::Percent, b"?q=a%2Fb%20c%26d"),
        ("a/b c&d", Encoding::Percent, b"?q=a%2fb%20c%26d"),
        ("a/b c&d", Encoding::Percent, b"?q=a%2Fb+c%26d"),
        ("secret", Encoding::Percent, b"%73%65%63%72%65%74"),
        ("a\"b\\c\td", Encoding::Json, b"{\"k\":\"a\\\"b\\\\c\\td\"}"),
        ("http://x", Encoding::Json, b"http:\\/\\/x"),
        ("a<b>&cd", Encoding::Json, b"a\\u003cb\\u003e\\u0026cd"),
        ("p\u{e4}ss w0rd", Encoding::Json, b"p\\u00e4ss w0rd"),
        ("p\u{fc}\u{1f600}ssw", Encoding::Json, b"p\\u00FC\\uD83D\\uDE00ssw"),
        ("a<b>&cd", Encoding::Xml, b"<v>a&lt;b&gt;&amp;cd</v>"),
        ("a'b\"cde", Encoding::Xml, b"a&#39;b&quot;cde"),
        ("a'b\"cde", Encoding::Xml, b"a&apos;b&quot;cde"),
        ("it's it", Encoding::Shell, b"X='it'\\''s it'"),
        ("it's it", Encoding::Shell, b"X='it'\"'\"'s it'"),
        ("cost $5 `x`", Encoding::Shell, b"X=\"cost \\$5 \\`x\\`\""),
        ("a b!c(d", Encoding::Shell, b"a\\ b\\!c\\(d"),
        ("secret", Encoding::Utf16Le, b"s\0e\0c\0r\0e\0t\0"),
        ("secret", Encoding::Utf16Be, b"\0s\0e\0c\0r\0e\0t"),
        ("one\ntwo!", Encoding::Crlf, b"one\r\ntwo!"),
        ("one\ntwo!", Encoding::OneLine, b"K=one\\ntwo!"),
        ("one\r\ntwo!", Encoding::Raw, b"one\ntwo!"),
    ];
    for (value, encoding, text) in rows {
        assert!(has(value, encoding, text), "{value:?} {encoding}");
    }
}

#[test]
fn base64_is_found_in_any_context() {
    let value = "s\u{fb}cr\u{ff}\u{3f}t";
    for (before, after) in [("", ""), ("a", "z"), ("ab", "yz"), ("abc:", "\n"), ("user:", "@host")]
    {
        let text = format!("{before}{value}{after}");
        for encoded in [ENGINE.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
            assert!(has(value, Encoding::Base64, encoded.as_bytes()), "{before}…{after}");
        }
    }
    assert!(!has(value, Encoding::Base64, ENGINE.encode("something else, and long").as_bytes()));
}

#[test]
fn long_base64_is_found_in_lines() {
    let value: String = (0..200_u8).map(|n| char::from(b'a' + n.wrapping_mul(31) % 26)).collect();
    for (before, width) in [("", 64), ("x", 76), ("a long text before it: ", 76), ("", 57)] {
        let encoded = ENGINE.encode(format!("{before}{value}"));
        let lines: Vec<&[u8]> = encoded.as_bytes().chunks(width).collect();
        assert!(has(&value, Encoding::Base64, &lines.join(&b"\n"[..])), "{before} {width}");
    }
}

#[test]
fn lines_of_armour_are_found_alone_but_not_what_keys_share() {
    let line = |letter: char| letter.to_string().repeat(64);
    let key = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n{}\n{}\nshort==\n-----END PRIVATE KEY-----\n",
        line('M'),
        "Ab3/".repeat(16),
        "x+Zq".repeat(16),
    );
    let alone = |text: &str| has(&key, Encoding::Line, text.as_bytes());
    assert!(alone(&"Ab3/".repeat(16)) && alone(&"x+Zq".repeat(16)));
    assert!(!alone(&line('M')) && !alone("-----BEGIN PRIVATE KEY-----") && !alone("short=="));
    let wrapped = ENGINE.encode(&key);
    let wrapped: Vec<&[u8]> = wrapped.as_bytes().chunks(76).collect();
    assert!(has(&key, Encoding::Base64, &wrapped.join(&b"\n"[..])));
    let other = key.replace("Ab3/", "Bc4+").replace("x+Zq", "yyZr");
    let wrapped = ENGINE.encode(other);
    let wrapped: Vec<&[u8]> = wrapped.as_bytes().chunks(76).collect();
    assert!(!has(&key, Encoding::Base64, &wrapped.join(&b"\n"[..])));
}

#[test]
fn forms_are_told_once_and_never_too_short() {
    let all = forms(b"secret-value");
    let unique: BTreeSet<_> = all.iter().map(|(_, form)| form.to_vec()).collect();
    assert_eq!(unique.len(), all.len());
    assert!(forms(b"s3cr3t").iter().all(|(_, form)| form.len() >= LEAST));
}
