//! Changes to a file: ranges that other bytes replace.

use std::io::{self, Read, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bake_formats::input::{ReadAt, Section};
use bake_formats::rope::Rope;

/// A range of a file that other bytes replace. Several are in order and do not overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Which bytes go; none, if something is put in.
    pub range: Range<u64>,
    /// What comes instead.
    pub bytes: Vec<u8>,
}

/// Describes a file as it is after some edits.
pub fn edit_rope(rope: &Rope, edits: &[Edit]) -> Rope {
    let mut edited = Rope::new();
    let mut at = 0;
    for edit in edits {
        edited.push_rope(&rope.slice(at..edit.range.start));
        edited.push_bytes(&edit.bytes);
        at = edit.range.end;
    }
    edited.push_rope(&rope.slice(at..rope.len()));
    edited
}

/// Writes a file as it is after some edits.
pub fn copy_edited(file: &Arc<dyn ReadAt>, edits: &[Edit], out: &mut dyn Write) -> io::Result<()> {
    let copy = |range: Range<u64>, out: &mut dyn Write| {
        let len = range.end.saturating_sub(range.start);
        let copied = io::copy(&mut Section::new(Arc::clone(file), range.start, len).take(len), out);
        copied.map(drop)
    };
    let mut at = 0;
    for edit in edits {
        copy(at..edit.range.start, out)?;
        out.write_all(&edit.bytes)?;
        at = edit.range.end;
    }
    copy(at..file.len(), out)
}

/// Changes a file where it is, if that moves nothing; returns whether it did.
pub fn edit_in_place(file: &std::fs::File, edits: &[Edit]) -> io::Result<bool> {
    let len = file.metadata()?.len();
    let moves_nothing = |edit: &Edit| {
        edit.range.start == len || edit.range.end - edit.range.start == edit.bytes.len() as u64
    };
    if !edits.iter().all(moves_nothing) {
        return Ok(false);
    }
    for edit in edits {
        file.write_all_at(&edit.bytes, edit.range.start)?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use bake_formats::blob::MemoryStore;

    use super::*;

    fn edit(range: Range<u64>, bytes: &[u8]) -> Edit {
        Edit { range, bytes: bytes.to_vec() }
    }

    #[test]
    fn ropes_copies_and_files_come_out_equal() {
        let original = b"0123456789".to_vec();
        let cases: [(Vec<Edit>, &[u8], bool); 5] = [
            (vec![], b"0123456789", true),
            (vec![edit(2..4, b"ab"), edit(10..10, b"xyz")], b"01ab456789xyz", true),
            (vec![edit(0..1, b""), edit(5..9, b"-")], b"1234-9", false),
            (vec![edit(3..3, b"abc")], b"012abc3456789", false),
            (vec![edit(8..10, b"")], b"01234567", false),
        ];
        for (edits, expected, moves_nothing) in cases {
            let rope = edit_rope(&Rope::from(original.clone()), &edits);
            assert_eq!(rope.to_vec(&MemoryStore::new()).unwrap(), expected);
            let mut copy = Vec::new();
            let source: Arc<dyn ReadAt> = Arc::new(original.clone());
            copy_edited(&source, &edits, &mut copy).unwrap();
            assert_eq!(copy, expected);
            let file = tempfile::NamedTempFile::new().unwrap();
            fs_err::write(file.path(), &original).unwrap();
            let open = fs_err::OpenOptions::new().write(true).open(file.path()).unwrap();
            assert_eq!(edit_in_place(open.file(), &edits).unwrap(), moves_nothing);
            let left = if moves_nothing { expected } else { &original };
            assert_eq!(fs_err::read(file.path()).unwrap(), left);
        }
    }
}
