//! The rules that a package must keep.

use super::header::Header;
use super::read::Parsed;
use super::{lead, tags, write};
use crate::format::{Problem, ReadError};
use crate::input::Source;

/// Lists every rule that a package breaks.
pub(super) fn verify(source: &Source) -> Result<Vec<Problem>, ReadError> {
    let parsed = Parsed::read(source)?;
    let sections = &parsed.sections;
    // What only this program promises is asked of its own packages only.
    let own = sections.header.string(tags::RPMVERSION)?.as_deref() == Some(write::WRITER);
    let mut problems = Vec::new();
    if own {
        problems.extend(lead::verify(&write::lead(&parsed.package), &sections.lead));
    }
    let headers = [
        ("signature header", &sections.signature, &sections.signature_bytes),
        ("header", &sections.header, &sections.header_bytes),
    ];
    problems.extend(
        headers.into_iter().filter_map(|(what, header, bytes)| canonical(what, header, bytes)),
    );
    problems.extend(parsed.signature_problems());
    problems.extend(constants(&sections.header));
    problems.extend(parsed.payload_problems());
    problems.extend(parsed.scan.problems.iter().cloned());
    problems.extend(relations(&parsed, own));
    problems.extend(identity(&parsed)?);
    Ok(problems)
}

/// A header's bytes follow from its values: sorted by tag, aligned, zeros between, no gaps.
fn canonical(what: &str, header: &Header, bytes: &[u8]) -> Option<Problem> {
    let written = header.to_bytes().ok()?;
    let same = written.iter().zip(bytes).take_while(|(a, b)| a == b).count();
    if same == written.len() && same == bytes.len() {
        return None;
    }
    let at = format!("{what} at {same}");
    let byte = |bytes: &[u8]| bytes.get(same).map_or("the end".into(), |b| format!("{b:#04x}"));
    let (expected, found) = (byte(&written), byte(bytes));
    let expected = format!("entries sorted by tag, aligned and without gaps: {expected}");
    Some(Problem::new("rpm-header-form", at, expected, found))
}

/// Tags that every package has.
fn constants(header: &Header) -> Vec<Problem> {
    let mut problems = Vec::new();
    for tag in [tags::SOURCERPM, tags::PAYLOADDIGEST, tags::HEADERI18NTABLE, tags::LICENSE] {
        if header.get(tag).is_none() {
            let tag = tags::describe(tag);
            problems.push(Problem::new("rpm-tag-missing", tag, "a value", "nothing"));
        }
    }
    let os = header.string(tags::OS).ok().flatten().unwrap_or_default();
    if os != "linux" {
        problems.push(Problem::new("rpm-os", tags::describe(tags::OS), "linux", os));
    }
    problems
}

fn relations(parsed: &Parsed, own: bool) -> Vec<Problem> {
    let usage = parsed.table.usage();
    let missing_row =
        |row| Problem::new("rpm-relation-missing", "dependencies", row, "no such dependency");
    if !own {
        let missing = parsed.found.missing_features(&parsed.package, &usage);
        return missing.into_iter().map(missing_row).collect();
    }
    let (missing, added) = parsed.found.differences(&parsed.package, &usage);
    let added = added
        .into_iter()
        .map(|row| Problem::new("rpm-relation-unused", "dependencies", "no such dependency", row));
    missing.into_iter().map(missing_row).chain(added).collect()
}

/// The tree's identity, if the package says it.
fn identity(parsed: &Parsed) -> Result<Option<Problem>, ReadError> {
    let actual = parsed.tree()?.id();
    let declared = parsed.package.tree_id.filter(|declared| *declared != actual);
    Ok(declared.map(|declared| {
        let tag = tags::describe(tags::COOKIE);
        Problem::new("rpm-tree-id", tag, declared.to_string(), actual.to_string())
    }))
}
