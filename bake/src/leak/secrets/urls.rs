//! Addresses with a password: `scheme://user:password@host`.

use super::run;
use crate::leak::rules::{Rule, URL};

/// What stands for a password in texts, in lower case.
const PLACEHOLDERS: [&str; 34] = [
    "...",
    "1234",
    "12345",
    "123456",
    "abc",
    "abc123",
    "admin",
    "bar",
    "baz",
    "changeme",
    "default",
    "example",
    "foo",
    "foobar",
    "guest",
    "key",
    "mypass",
    "mypassword",
    "mysecret",
    "p",
    "p4ssw0rd",
    "pass",
    "passwd",
    "password",
    "placeholder",
    "pw",
    "pwd",
    "qwerty",
    "redacted",
    "s3cr3t",
    "secret",
    "test",
    "token",
    "xxx",
];
/// Hosts that are nobody's.
const NOBODYS: [&str; 12] = [
    "example",
    "example.com",
    "example.net",
    "example.org",
    "foo",
    "foo.com",
    "host",
    "hostname",
    "localhost",
    "127.0.0.1",
    "proxy",
    "server",
];
/// The longest of each part.
const MOST: usize = 256;

/// Looks at what is around `://`.
pub(in crate::leak) fn check(buffer: &[u8], at: usize) -> Option<&'static Rule> {
    let before = &buffer[at.saturating_sub(32)..at];
    let scheme = before.iter().rev().take_while(|byte| is_scheme(**byte)).count();
    let scheme = &before[before.len() - scheme..];
    if scheme.len() < 2 || !scheme[0].is_ascii_alphabetic() {
        return None;
    }
    let rest = buffer.get(at + 3..)?;
    let user = part(rest)?;
    let rest = rest[user.len()..].strip_prefix(b":")?;
    let password = part(rest)?;
    let host = rest[password.len()..].strip_prefix(b"@")?;
    let host = &host[..run(host, |byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))];
    let is_secret = !host.is_empty() && !is_placeholder(user, password) && !is_nobodys(host);
    is_secret.then_some(&URL)
}

fn is_scheme(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+.-".contains(&byte)
}

/// Returns a user or a password, whose characters are those of RFC 3986 without what templates use.
fn part(rest: &[u8]) -> Option<&[u8]> {
    let is_one = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!&*+,;=%^#".contains(&byte);
    let len = run(rest, is_one);
    (len <= MOST).then(|| &rest[..len])
}

fn is_placeholder(user: &[u8], password: &[u8]) -> bool {
    let lower = password.to_ascii_lowercase();
    let is_listed = PLACEHOLDERS.iter().any(|word| word.as_bytes() == lower);
    let is_repeated = password.iter().all(|byte| *byte == password[0]);
    // `%s`, `%d`, `%(name)s`: a percent sign that encodes nothing.
    let is_template =
        password.windows(2).any(|pair| pair[0] == b'%' && !pair[1].is_ascii_hexdigit())
            || password.ends_with(b"%");
    let user = user.to_ascii_lowercase();
    let is_named =
        lower.iter().all(u8::is_ascii_alphabetic) && lower.windows(4).any(|p| p == b"pass");
    let is_anybody =
        matches!(user.as_slice(), b"user" | b"username") && lower.len() < 12 && !has_digits(&lower);
    let names_itself = [&b"password"[..], b"passwd", b"your", b"secret", b"changeme", b"example"];
    let names_itself =
        names_itself.iter().any(|name| lower.windows(name.len()).any(|p| p == *name));
    password.len() < 3
        || is_listed
        || is_repeated
        || is_template
        || user == lower
        || names_itself
        || is_named
        || is_anybody
}

/// Returns whether there are digits that are not those of an encoded character.
fn has_digits(text: &[u8]) -> bool {
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        if byte.is_ascii_digit() {
            return true;
        }
        at += if *byte == b'%' { 3 } else { 1 };
    }
    false
}

fn is_nobodys(host: &[u8]) -> bool {
    let lower = host.to_ascii_lowercase();
    let text = String::from_utf8_lossy(&lower);
    let is_one = |name: &&str| text == **name || text.ends_with(&format!(".{name}"));
    NOBODYS.iter().any(|name| is_one(&name))
        || text.ends_with(".test")
        || text.ends_with(".invalid")
}
