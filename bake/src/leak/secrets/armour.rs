//! Keys between `-----BEGIN` and `-----END`.

use super::{is_random, run};
use crate::leak::rules::{AHEAD, ENCRYPTED_KEY, PGP_KEY, PRIVATE_KEY, Rule};

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----";
/// The longest name of a kind of key.
const LABEL: usize = 40;
/// The least characters of base64 that a key has.
const LEAST: usize = 64;
/// What says in base64 that an OpenSSH key is under a passphrase: the name of a cipher, `aes256-ctr`,
/// and of the function that makes its key, `bcrypt`, at its place.
const OPENSSH_PLAIN: &[u8] = b"b3BlbnNzaC1rZXktdjEAAAAABG5vbmU";

/// Keys that everybody has, by some characters of each: those that GnuTLS tests itself with, which are
/// in its library on most systems.
const KNOWN: [&[u8]; 10] = [
    b"BggqhQMHAQECAwRCBECjFpvp",
    b"KoUDBwEBAgIEIgQgKOF96tom",
    b"AwICHgEEIgQgdNfuHGmmTdPm",
    b"fEufXRjE1AsCrle+VXX0Zh0w",
    b"qCxyyN40a8uOWRbyf7aHdiSS",
    b"Kx2a8PmgBwYFK4EEACGhPAM6",
    b"1KAKBggqhkjOPQMBAaE0AzIA",
    b"O9HehwHmJssNoAoGCCqGSM49",
    b"hvT1U0w+RJcSr23C05cM/Ovn",
    b"qxIX6JkODL4K+zlyEURt8/Wp",
];
/// Where in a key's base64 those characters are.
const TELLING: std::ops::Range<usize> = 40..64;

/// Looks at a header: a key if a body follows, in lines, with escaped line ends, or in one.
pub(in crate::leak) fn check(buffer: &[u8], at: usize) -> Option<&'static Rule> {
    let rest = &buffer[at..buffer.len().min(at + AHEAD)];
    let rest = rest.strip_prefix(BEGIN)?;
    let len = rest.windows(END.len()).take(LABEL).position(|part| part == END)?;
    let (label, rest) = (&rest[..len], &rest[len + END.len()..]);
    let is_key = label.ends_with(b"PRIVATE KEY") || label == b"PGP PRIVATE KEY BLOCK";
    if !is_key {
        return None;
    }
    let (headers, body) = body(rest);
    let is_known = body.get(TELLING).is_some_and(|part| KNOWN.contains(&part));
    if body.len() < LEAST || is_known || !is_random(&body, 20) {
        return None;
    }
    let has = |text: &[u8]| headers.windows(text.len()).any(|part| part == text);
    Some(if label.starts_with(b"PGP") {
        &PGP_KEY
    } else if label.starts_with(b"ENCRYPTED") || has(b"ENCRYPTED") {
        &ENCRYPTED_KEY
    } else if label.starts_with(b"OPENSSH") && !body.starts_with(OPENSSH_PLAIN) {
        &ENCRYPTED_KEY
    } else {
        &PRIVATE_KEY
    })
}

/// Returns headers and the base64 after them, without what separates lines.
fn body(mut rest: &[u8]) -> (&[u8], Vec<u8>) {
    let start = rest;
    let mut body = Vec::new();
    let mut headers = &rest[..0];
    while !rest.is_empty() && body.len() < 2 * LEAST {
        let separators = separators(rest);
        rest = &rest[separators..];
        let line = run(rest, |byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
        let after = &rest[line..];
        if is_header(&rest[..line], after) {
            let text = run(after, |byte| byte.is_ascii_graphic() && byte != b'\\' || byte == b' ');
            rest = &after[text..];
            headers = &start[..start.len() - rest.len()];
            body.clear();
            continue;
        }
        if line == 0 || (separators == 0 && !body.is_empty()) {
            break;
        }
        body.extend(&rest[..line]);
        rest = after;
    }
    (headers, body)
}

/// Returns whether a word is the name of a header, e.g. `Proc-Type: 4,ENCRYPTED`.
fn is_header(word: &[u8], after: &[u8]) -> bool {
    let name = run(after, |byte| byte.is_ascii_alphabetic() || byte == b'-');
    !word.is_empty() && word.len() < 20 && after[name..].starts_with(b": ")
}

/// Returns how many bytes separate two lines: line ends, escaped ones, spaces, what quotes strings.
fn separators(bytes: &[u8]) -> usize {
    let mut at = 0;
    loop {
        let rest = &bytes[at..];
        at += match rest {
            [b'\\', b'n' | b'r', ..] => 2,
            [b'\\', b'\\', b'n' | b'r', ..] => 3,
            [b' ' | b'\t' | b'\r' | b'\n' | b'"' | b'\'' | b'>' | b'#' | b',' | b'\\', ..] => 1,
            _ => return at,
        };
    }
}
