//! Checking a segment: its place in an initrd, its archive, its identity.

use super::read::Walk;
use crate::format::{Problem, ReadError};
use crate::input::Source;

/// Lists every rule that a segment breaks.
pub(super) fn verify(source: &Source) -> Result<Vec<Problem>, ReadError> {
    let file = source.file()?;
    let walk = Walk::through(file)?;
    let (walked, unpacked) = walk.application()?;
    let mut problems = Vec::new();
    let mut rule = |rule, place: &str, expected: String, found: String| {
        if expected != found {
            problems.push(Problem::new(rule, place, expected, found));
        }
    };
    rule("cpio-segments", "file", "1".into(), walk.segments.len().to_string());
    rule("cpio-start", "segment", "0".into(), walked.range.start.to_string());
    let aligned = walked.range.end.next_multiple_of(4);
    rule("cpio-alignment", "file", aligned.to_string(), file.len().to_string());
    let codec = unpacked.model.compression.codec.word();
    rule("cpio-compression", "segment", codec.into(), walked.codec.word().into());
    if let Some(declared) = &unpacked.declared {
        let found = unpacked.tree.id();
        rule("cpio-tree-id", crate::record::FILE, declared.to_string(), found.to_string());
    }
    for path in &walked.unpacker.orphans {
        let (expected, found) = ("a directory that is listed before", "none");
        problems.push(Problem::new("cpio-parent", path.to_string(), expected, found));
    }
    if let Err(error) = unpacked.model.check() {
        let place = crate::record::FILE;
        problems.push(Problem::new("cpio-model", place, "a valid model", error.to_string()));
    }
    Ok(problems)
}
