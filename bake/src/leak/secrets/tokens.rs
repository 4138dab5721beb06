//! Tokens that services give out, by their prefixes.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{is_random, is_word, run};
use crate::leak::rules::{
    AGE, AWS, AZURE, GCP, GITHUB, GITLAB, JWT, NPM, PYPI, Rule, SLACK, STRIPE,
};

/// The key of the storage emulator, which everybody has.
const AZURITE: &[u8] =
    b"Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
/// The payload of the token on jwt.io, `{"sub":"1234567890`, which many texts show.
const SHOWN: &[u8] = b"eyJzdWIiOiIxMjM0NTY3ODkwIi";

/// The key that the help of age shows.
const AGE_SHOWN: &[u8] = b"N9JEPW6DWJ0ZQUDX63F5A03GX8QUW7PXDE39N8UYF82VZ9PC8UFS3M7XA9";
/// The claims of which a token has one that is of any use (RFC 7519, section 4.1).
const CLAIMS: [&[u8]; 7] =
    [b"\"iss\"", b"\"sub\"", b"\"aud\"", b"\"exp\"", b"\"nbf\"", b"\"iat\"", b"\"jti\""];

/// Returns the word that begins at a place, unless it is the tail of a longer one; `prefix` bytes of
/// it are the anchor.
fn word(buffer: &[u8], at: usize, prefix: usize, is_one: impl Fn(u8) -> bool) -> Option<&[u8]> {
    let before = at.checked_sub(1).and_then(|at| buffer.get(at));
    if before.is_some_and(|byte| is_word(*byte)) {
        return None;
    }
    let rest = buffer.get(at + prefix..)?;
    Some(&rest[..run(rest, is_one)])
}

/// `AKIA` and 16 characters of base32.
pub(in crate::leak) fn aws(buffer: &[u8], at: usize) -> Option<&'static Rule> {
    let id = word(buffer, at, 4, |byte| is_word(byte) || b"+/=".contains(&byte))?;
    let is_before_base64 = at > 0 && b"+/=".contains(&buffer[at - 1]);
    let is_id = id.len() == 16 && id.iter().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'));
    let is_shown = id.ends_with(b"EXAMPLE");
    (is_id && !is_before_base64 && !is_shown && is_random(id, 8)).then_some(&AWS)
}

/// `"private_key_id": "` and the digits of a SHA-1.
pub(in crate::leak) fn gcp(buffer: &[u8], at: usize) -> Option<&'static Rule> {
    let rest = buffer.get(at + b"\"private_key_id\"".len()..)?;
    let rest = &rest[run(rest, |byte| matches!(byte, b' ' | b':' | b'\n' | b'\r' | b'\t'))..];
    let id = rest.strip_prefix(b"\"")?;
    let id = &id[..run(id, |byte| byte.is_ascii_hexdigit())];
    (id.len() == 40 && is_random(id, 8)).then_some(&GCP)
}

/// `ghp_` and 36 letters and digits, `github_pat_` and 82.
pub(in crate::leak) fn github(buffer: &[u8], at: usize) -> Option<&'static Rule> {
    if buffer[at..].starts_with(b"github_pat_") {
        let token = word(buffer, at, 11, is_word)?;
        return (token.len() == 82 && is_random(token, 16)).then_some(&GITHUB);
    }
    let token = word(buffer, at, 4, is_word)?;
    let is_token = token.len() == 36 && token.iter().all(u8::is_ascii_alphanumeric);
    (is_token && is_random(token, 12)).then_some(&GITHUB)
}

/// `glpat-` and 20 characters or more.
pub(in crate::leak) fn gitlab(buffer: &[u8], at: usize) -> Option<&'static Rule> {
    let prefix = run(&buffer[at..], |byte| byte != b'-') + 1;
    let token = word(buffer, at, prefix, |byte| is_word(byte) || b"-.".contains(&byte))?;
    let has_digits = token.iter().any(u8::is_ascii_digit);
    ((20..300).contains(&token.len()) && has_digits && is_random(token, 10)).then_some(&GITLAB)
}

/// `xoxb-`, numbers and a tail.
pub(in crate::leak) fn slack(buffer: &[u8], at: usize) -> Option<&'static Rule> {
    let token = word(buffer, at, 5, |byte| byte.is_ascii_alphanumeric() || byte == b'-')?;
    let digits = token.iter().filter(|byte| byte.is_ascii_digit()).count();
    let tail = token.rsplit(|byte| *byte == b'-').next().unwrap_or_default();
    (token.len() >= 24 && digits >= 8 && is_random(tail, 8)).then_some(&SLACK)
}

/// `https://hooks.slack.com/services/T…/B…/…`.
pub(in crate::leak) fn slack_hook(buffer: &[u8], at: usize) -> Option<&'static Rule> {
    let rest = buffer.get(at + b"hooks.slack.com/services/".len()..)?;
    let path = &rest[..run(rest, |byte| byte.is_ascii_alphanumeric() || byte == b'/')];
    let mut parts = path.split(|byte| *byte == b'/');
    let (team, bot, secret) = (parts.next()?, parts.next()?, parts.next()?);
    let is_hook = team.len() >= 8 && bot.starts_with(b"B") && secret.len() >= 20;
    (is_hook && is_random(secret, 10)).then_some(&SLACK)
}

/// `sk_live_` and 16 letters and digits or more.
pub(in crate::leak) fn stripe(buffer: &[u8], at: usize) -> Option<&'static Rule> {
    let key = word(buffer, at, 8, |byte| byte.is_ascii_alphanumeric())?;
    ((16..250).contains(&key.len()) && is_random(key, 10)).then_some(&STRIPE)
}

/// `npm_` and 36 letters and digits.
pub(in crate::leak) fn npm(buffer: &[u8], at: usize) -> Option<&'static Rule> {
    let token = word(buffer, at, 4, is_word)?;
    let is_token = token.len() == 36 && token.iter().all(u8::is_ascii_alphanumeric);
    (is_token && is_random(token, 12)).then_some(&NPM)
}

/// `//registry/:_authToken=` and something that no variable stands for.
pub(in crate::leak) fn npm_configuration(buffer: &[u8], at: usize) -> Option<&'static Rule> {
    let before = at.checked_sub(1).and_then(|at| buffer.get(at));
    let rest = buffer.get(at + b"_authToken=".len()..).filter(|_| before == Some(&b':'))?;
    let rest = rest.strip_prefix(b"\"").unwrap_or(rest);
    let token = &rest[..run(rest, |byte| is_word(byte) || b"-.+/=".contains(&byte))];
    (token.len() >= 16 && is_random(token, 10)).then_some(&NPM)
}

/// `pypi-` and a macaroon for pypi.org.
pub(in crate::leak) fn pypi(buffer: &[u8], at: usize) -> Option<&'static Rule> {
    let token = word(buffer, at, 5, |byte| is_word(byte) || byte == b'-')?;
    (token.len() >= 70 && is_random(token, 16)).then_some(&PYPI)
}

/// `AGE-SECRET-KEY-1` and 58 characters of bech32.
pub(in crate::leak) fn age(buffer: &[u8], at: usize) -> Option<&'static Rule> {
    let key = word(buffer, at, 16, |byte| b"QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L".contains(&byte))?;
    (key.len() == 58 && key != AGE_SHOWN && is_random(key, 16)).then_some(&AGE)
}

/// A header with `alg`, a payload that is an object, and a signature.
pub(in crate::leak) fn jwt(buffer: &[u8], at: usize) -> Option<&'static Rule> {
    let token = word(buffer, at, 0, |byte| is_word(byte) || b"-.".contains(&byte))?;
    let mut parts = token.split(|byte| *byte == b'.');
    let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let header = URL_SAFE_NO_PAD.decode(header).ok()?;
    let names = |text: &[u8], name: &[u8]| text.windows(name.len()).any(|part| part == name);
    let claims = URL_SAFE_NO_PAD.decode(payload).ok()?;
    let is_token = names(&header, b"\"alg\"") && CLAIMS.iter().any(|name| names(&claims, name));
    let is_shown = payload.starts_with(SHOWN);
    (is_token && !is_shown && signature.len() >= 40 && is_random(signature, 16)).then_some(&JWT)
}

/// `AccountKey=` or `SharedAccessKey=` and 64 or 32 bytes of base64.
pub(in crate::leak) fn azure(buffer: &[u8], at: usize) -> Option<&'static Rule> {
    let prefix = run(&buffer[at..], |byte| byte != b'=') + 1;
    let rest = buffer.get(at + prefix..)?;
    let key = &rest[..run(rest, |byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte))];
    let is_key = matches!(key.len(), 44 | 88) && key.ends_with(b"=");
    (is_key && key != AZURITE && is_random(key, 20)).then_some(&AZURE)
}
