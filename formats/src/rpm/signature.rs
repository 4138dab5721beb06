//! The signature header: sizes and digests of what follows it, and room for signatures.
//!
//! Every tag is about the main header or the payload:
//!
//! | tag | what |
//! |---|---|
//! | `SHA1`, `SHA256` | digests of the main header, as hex text |
//! | `SIZE` or `LONGSIZE` | size of the main header and the payload |
//! | `PAYLOADSIZE` or `LONGARCHIVESIZE` | size of the payload before compression |
//! | `RESERVEDSPACE` | zeros, which a signature can replace without moving what follows |
//!
//! A package of version 6 has `SHA256`, `SHA3_256` and the zeros in `RESERVED` only.
//!
//! rpmbuild also writes `MD5`, over the header and the payload, for readers older than rpm 4.14. It
//! would need a pass of its own over the payload, so that it is checked where it is found but never
//! written; `rpm --checksig` and dnf do not miss it beside the SHA-256 digests.
//!
//! Specified in rpm's `docs/manual/format_v4.md`, "Signature".

use sha1::Digest as _;

use super::header::{Header, Region};
use super::model::RpmFormat;
use super::payload::Digests;
use super::strong::sha3_256;
use super::tags::signature as tags;
use super::value::Value;
use crate::digest::{Digest, hex};
use crate::format::Problem;

/// The rule that is broken by a value that does not fit what follows.
pub(super) const MISMATCH: &str = "rpm-signature-mismatch";

/// rpmbuild's default: `%__gpg_reserved_space`, and 32 bytes always.
pub(super) const RESERVED: usize = 4096 + 32;

/// What a signature header says of what follows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signed<'a> {
    /// The main header's bytes.
    pub(super) header: &'a [u8],
    /// The payload's size as it stands in the file.
    pub(super) payload: u64,
    /// The payload's size before compression.
    pub(super) raw: u64,
    /// The version of the package format.
    pub(super) format: RpmFormat,
}

impl Signed<'_> {
    fn sha1(&self) -> String {
        hex(&sha1::Sha1::digest(self.header))
    }

    fn sha256(&self) -> String {
        Digest::of(self.header).hex()
    }

    fn size(&self) -> u64 {
        self.header.len() as u64 + self.payload
    }

    /// rpm uses the long tags for both sizes if one of them needs it.
    fn is_long(&self) -> bool {
        self.size() >= u64::from(u32::MAX) || self.raw >= u64::from(u32::MAX)
    }
}

/// Returns the signature header of an unsigned package.
pub(super) fn build(signed: &Signed<'_>) -> Header {
    let mut header = Header::new(Region::Signature);
    header.put_string(tags::SHA256, &signed.sha256());
    if signed.format == RpmFormat::V6 {
        header.put_string(tags::SHA3_256, &sha3_256(signed.header));
        header.put(tags::RESERVED, Value::Bin(vec![0; RESERVED]));
        return header;
    }
    header.put_string(tags::SHA1, &signed.sha1());
    if signed.is_long() {
        header.put(tags::LONGSIZE, Value::Int64(vec![signed.size()]));
        header.put(tags::LONGARCHIVESIZE, Value::Int64(vec![signed.raw]));
    } else {
        header.put_int32(tags::SIZE, (signed.size() & 0xffff_ffff) as u32);
        header.put_int32(tags::PAYLOADSIZE, (signed.raw & 0xffff_ffff) as u32);
    }
    header.put(tags::RESERVEDSPACE, Value::Bin(vec![0; RESERVED]));
    header
}

/// Compares a signature header with what follows it. Signatures themselves are not checked.
pub(super) fn verify(found: &Header, signed: &Signed<'_>, digests: &Digests) -> Vec<Problem> {
    let expected = build(signed);
    let mut problems = Vec::new();
    let reserves = [tags::RESERVEDSPACE, tags::RESERVED];
    let sizes = [tags::SIZE, tags::LONGSIZE, tags::PAYLOADSIZE, tags::LONGARCHIVESIZE];
    for (tag, value) in found.iter() {
        let wanted = match tag {
            tags::MD5 => digests.md5.map(|md5| Value::Bin(md5.to_vec())),
            tags::SHA1 | tags::SHA256 | tags::SHA3_256 => expected.get(tag).cloned(),
            tags::DSA | tags::RSA | tags::PGP | tags::GPG => bytes(value),
            tags::OPENPGP | tags::FILESIGNATURES | tags::VERITYSIGNATURES => strings(value),
            tags::FILESIGNATURELENGTH | tags::VERITYSIGNATUREALGO => numbers(value),
            tags::RESERVEDSPACE | tags::RESERVED => bytes(value).map(|value| zeros(&value)),
            _ if sizes.contains(&tag) => expected.get(tag).cloned(),
            _ => None,
        };
        match wanted {
            Some(wanted) if wanted == *value => {}
            Some(wanted) => problems.push(problem(MISMATCH, tag, show(&wanted), show(value))),
            None => {
                let expected = "no such tag, or another type".into();
                problems.push(problem("rpm-signature-unknown", tag, expected, show(value)));
            }
        }
    }
    for (tag, value) in expected.iter().filter(|(tag, _)| !reserves.contains(tag)) {
        if found.get(tag).is_none() {
            let found = "nothing".into();
            problems.push(problem("rpm-signature-missing", tag, show(value), found));
        }
    }
    problems
}

fn problem(rule: &'static str, tag: u32, expected: String, found: String) -> Problem {
    let place = format!("{} in the signature header", Region::Signature.describe(tag));
    Problem::new(rule, place, expected, found)
}

fn bytes(value: &Value) -> Option<Value> {
    matches!(value, Value::Bin(_)).then(|| value.clone())
}

fn strings(value: &Value) -> Option<Value> {
    matches!(value, Value::StringArray(_)).then(|| value.clone())
}

fn numbers(value: &Value) -> Option<Value> {
    matches!(value, Value::Int32(_)).then(|| value.clone())
}

fn zeros(value: &Value) -> Value {
    Value::Bin(vec![0; value.count()])
}

fn show(value: &Value) -> String {
    match value {
        Value::String(bytes) => crate::tree::escape(bytes),
        Value::Int32(numbers) => format!("{numbers:?}"),
        Value::Int64(numbers) => format!("{numbers:?}"),
        Value::Bin(bytes) if bytes.len() <= 16 => hex(bytes),
        other => format!("{} values of type {}", other.count(), other.kind()),
    }
}
