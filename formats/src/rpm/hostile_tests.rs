//! Packages that somebody has tampered with: an error or a finding, never a panic, and no memory
//! for what is not there.

use super::header::{Header, Region};
use super::tests::{bytes, full_package, tree_for_version_6};
use super::value::{Strings, Value};
use super::*;
use crate::blob::MemoryStore;
use crate::encode::Compression;

/// The parts of a good package, and how to put them together again.
struct Parts {
    lead: Vec<u8>,
    header: Vec<u8>,
    payload: Vec<u8>,
    format: RpmFormat,
}

impl Parts {
    fn new(format: RpmFormat) -> Self {
        let store = MemoryStore::new();
        let tree = tree_for_version_6(&store);
        let package = Package { format, compression: Compression::NONE, ..full_package(&tree) };
        let bytes = bytes(&store, &package, &tree);
        let signed = Seal::read(&bytes).unwrap().signed();
        let at = |offset: u64| usize::try_from(offset).unwrap();
        Self {
            lead: bytes[..lead::SIZE].to_vec(),
            header: bytes[at(signed.start)..at(signed.end)].to_vec(),
            payload: bytes[at(signed.end)..].to_vec(),
            format,
        }
    }

    /// Returns a package with another header, whose digests are right.
    fn with_header(&self, header: &[u8]) -> Vec<u8> {
        let size = self.payload.len() as u64;
        let signed = signature::Signed { header, payload: size, raw: size, format: self.format };
        let mut bytes = self.lead.clone();
        bytes.extend(signature::build(&signed).to_bytes().unwrap());
        bytes.resize(bytes.len().next_multiple_of(sections::ALIGNMENT), 0);
        bytes.extend(header);
        bytes.extend(&self.payload);
        bytes
    }

    fn parsed(&self) -> Header {
        Header::read(&self.header, 0, Region::Immutable).unwrap().0
    }
}

fn look_at(bytes: Vec<u8>) -> Result<Vec<Problem>, ReadError> {
    Rpm::verify(&Source::from_bytes(bytes))
}

#[test]
fn the_parts_make_a_good_package() {
    for format in [RpmFormat::V4, RpmFormat::V6] {
        let parts = Parts::new(format);
        let header = parts.header.clone();
        assert_eq!(look_at(parts.with_header(&header)).unwrap(), []);
    }
}

#[test]
fn every_field_of_every_index_entry_may_lie() {
    let parts = Parts::new(RpmFormat::V4);
    let entries = u32::from_be_bytes(*parts.header[8..].first_chunk().unwrap()) as usize;
    for field in (0..entries * 4).chain([usize::MAX, usize::MAX - 1]) {
        // Number of entries and size of the data stand before the index.
        let at = if field > entries * 4 { 8 + (usize::MAX - field) * 4 } else { 16 + field * 4 };
        let good = u32::from_be_bytes(*parts.header[at..].first_chunk().unwrap());
        for bad in [0, good ^ 1, good.wrapping_sub(1), 1 << 31, u32::MAX] {
            if bad == good {
                continue;
            }
            let mut header = parts.header.clone();
            header[at..at + 4].copy_from_slice(&bad.to_be_bytes());
            let noticed = look_at(parts.with_header(&header));
            // Another tag, a type of the same form or a smaller count may be another good package;
            // an offset or a count that reaches beyond the data is none.
            if bad > 1 << 30 && at % 16 >= 8 {
                let bad = noticed.as_ref().map_or(true, |found| !found.is_empty());
                assert!(bad, "{at}: {noticed:?}");
            }
        }
    }
}

#[test]
fn every_value_may_be_missing_short_long_or_of_another_type() {
    let columns = [
        tags::FILEMODES,
        tags::FILEUSERNAME,
        tags::FILEINODES,
        tags::FILEFLAGS,
        tags::DIRINDEXES,
        tags::REQUIREFLAGS,
        tags::REQUIREVERSION,
        tags::PROVIDEVERSION,
        tags::TRIGGERINDEX,
        tags::TRANSFILETRIGGERFLAGS,
        tags::CHANGELOGNAME,
        tags::FILELANGS,
        tags::FILECAPS,
    ];
    for format in [RpmFormat::V4, RpmFormat::V6] {
        let parts = Parts::new(format);
        let good = parts.parsed();
        let all: Vec<u32> = good.iter().map(|(tag, _)| tag).collect();
        for tag in all {
            let value = good.get(tag).unwrap().clone();
            for (what, changed) in changes(&value) {
                let mut header = good.clone();
                header.remove(tag);
                if let Some(changed) = changed {
                    header.put(tag, changed);
                }
                let noticed = look_at(parts.with_header(&header.to_bytes().unwrap()));
                let bad = noticed.as_ref().map_or(true, |found| !found.is_empty());
                let optional = [tags::FILELANGS, tags::FILECAPS].contains(&tag);
                if columns.contains(&tag) && (what != "missing" || !optional) {
                    assert!(bad, "{} {what}", tags::describe(tag));
                }
            }
        }
    }
}

/// Returns what may be there instead of a value.
fn changes(value: &Value) -> Vec<(&'static str, Option<Value>)> {
    let mut changes = vec![("missing", None)];
    let short = |count: usize| count.saturating_sub(1);
    match value {
        Value::Int16(numbers) => {
            changes.push(("short", Some(Value::Int16(numbers[..short(numbers.len())].to_vec()))));
            changes.push(("wide", Some(Value::Int32(vec![u32::MAX; numbers.len()]))));
        }
        Value::Int32(numbers) => {
            changes.push(("short", Some(Value::Int32(numbers[..short(numbers.len())].to_vec()))));
            changes.push(("text", Some(Value::String(b"x".to_vec()))));
            changes.push(("large", Some(Value::Int32(vec![u32::MAX; numbers.len()]))));
        }
        Value::Int64(numbers) => {
            changes.push(("large", Some(Value::Int64(vec![u64::MAX; numbers.len()]))));
        }
        Value::StringArray(strings) => {
            let fewer: Strings = strings.iter().take(short(strings.len())).collect();
            changes.push(("short", Some(Value::StringArray(fewer))));
            let odd: Strings = strings.iter().map(|_| b"../\xff\n".as_slice()).collect();
            changes.push(("odd", Some(Value::StringArray(odd))));
            changes.push(("numbers", Some(Value::Int32(vec![7; strings.len()]))));
        }
        Value::String(_) | Value::I18nString(_) => {
            changes.push(("numbers", Some(Value::Int32(vec![7]))));
            changes.push(("odd", Some(Value::String(b"\xff".to_vec()))));
        }
        Value::Int8(_) | Value::Bin(_) => {}
    }
    changes
}

#[test]
fn every_truncation_is_an_error() {
    let parts = Parts::new(RpmFormat::V6);
    let good = parts.with_header(&parts.header);
    for len in (0..good.len()).step_by(53).chain([good.len() - 1]) {
        assert!(Rpm::read(&Source::from_bytes(good[..len].to_vec())).is_err(), "{len} bytes");
        let sealed = Seal::read(&good[..len].to_vec());
        let covered = good.len() - parts.payload.len();
        assert_eq!(sealed.is_ok(), len >= covered, "{len} bytes");
    }
}
