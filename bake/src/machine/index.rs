//! The members of a tar archive, with where their contents stand in it.

use std::collections::BTreeMap;
use std::io::Read;

use bake_formats::archive::tar::{Kind, Member as TarMember, TarReader};
use bake_formats::tree::{Content, Entry, Node, TreePath};

use crate::survey::LayerFault;

/// About how many bytes an entry takes besides its names.
const ENTRY: u64 = 256;

/// One member of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) path: TreePath,
    pub(super) entry: Entry,
    /// Where the contents of a file start; 0 for anything else.
    pub(super) offset: u64,
}

/// What an archive leaves behind when it is unpacked, in the order of its members.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Index {
    pub(super) members: Vec<Member>,
}

impl Index {
    /// Reads an archive to its end; what is remembered of it may take `memory` bytes.
    pub(super) fn read(archive: impl Read, memory: u64) -> Result<Self, LayerFault> {
        let mut archive = TarReader::new(archive, "tar archive");
        let mut unpacked = Unpacked { left: memory, limit: memory, ..Unpacked::default() };
        while let Some(member) = archive.next_member()? {
            let offset = archive.position();
            let content = match member.kind {
                Kind::File => Content::without_md5(archive.contents())?,
                Kind::HardLink(_)
                | Kind::Symlink(_)
                | Kind::Device(..)
                | Kind::Directory
                | Kind::Fifo => Content::of(b""),
            };
            unpacked.add(member, content, offset)?;
        }
        Ok(unpacked.finish())
    }
}

/// What a path is while an archive is read.
enum Slot {
    /// A name of the file with this number.
    Name(usize),
    /// Anything else, and links to what the archive itself does not have.
    Other(Entry),
}

/// An archive as unpacking it member by member would leave it: what comes later replaces what was
/// there, and a file lives as long as one of its names.
#[derive(Default)]
struct Unpacked {
    /// Files with their attributes and offsets, also those without a name left.
    files: Vec<(Entry, u64)>,
    /// What every path is, by its place in the archive.
    slots: Vec<Option<(TreePath, Slot)>>,
    places: BTreeMap<TreePath, usize>,
    limit: u64,
    left: u64,
}

impl Unpacked {
    fn add(&mut self, member: TarMember, content: Content, offset: u64) -> Result<(), LayerFault> {
        let path = member.path.clone();
        let entry = member.into_entry(content);
        self.charge(&path, &entry)?;
        let slot = match &entry.node {
            Node::File(_) => {
                self.files.push((entry, offset));
                Slot::Name(self.files.len() - 1)
            }
            Node::HardLink(target) => match self.slot(target) {
                Some(Slot::Name(file)) => Slot::Name(*file),
                Some(Slot::Other(Entry { node: node @ Node::HardLink(_), .. })) => {
                    Slot::Other(Entry { node: node.clone(), ..entry })
                }
                Some(Slot::Other(_)) | None => Slot::Other(entry),
            },
            _ => Slot::Other(entry),
        };
        let is_directory = matches!(&slot, Slot::Other(entry) if entry.is_directory());
        match self.slot(&path) {
            Some(Slot::Other(there)) if there.is_directory() && !is_directory => {
                self.remove_below(&path);
            }
            _ => {}
        }
        if let Some(place) = self.places.get(&path) {
            self.slots[*place] = Some((path, slot));
        } else {
            self.places.insert(path.clone(), self.slots.len());
            self.slots.push(Some((path, slot)));
        }
        Ok(())
    }

    fn slot(&self, path: &TreePath) -> Option<&Slot> {
        let place = self.places.get(path)?;
        self.slots.get(*place)?.as_ref().map(|(_, slot)| slot)
    }

    fn remove_below(&mut self, directory: &TreePath) {
        use std::ops::Bound::{Excluded, Unbounded};
        let after = self.places.range((Excluded(directory), Unbounded));
        let below = after.take_while(|(path, _)| path.is_below(directory));
        let below: Vec<TreePath> = below.map(|(path, _)| path.clone()).collect();
        for path in below {
            if let Some(place) = self.places.remove(&path) {
                self.slots[place] = None;
            }
        }
    }

    fn charge(&mut self, path: &TreePath, entry: &Entry) -> Result<(), LayerFault> {
        let xattrs = entry.xattrs.iter().map(|(name, value)| name.len() + value.len());
        let target = if let Node::Symlink(target) = &entry.node { target.len() } else { 0 };
        let names = path.relative().len() + target + xattrs.sum::<usize>();
        let (what, limit) = ("bytes of names and attributes", self.limit);
        let left = self.left.checked_sub(ENTRY + names as u64);
        self.left = left.ok_or(LayerFault::Limit { what, limit })?;
        Ok(())
    }

    /// Makes the first name of each file the file, and the others links to it.
    fn finish(self) -> Index {
        let Self { files, slots, .. } = self;
        let mut firsts: Vec<Option<TreePath>> = vec![None; files.len()];
        let members = slots.into_iter().flatten().filter_map(|(path, slot)| {
            let file = match slot {
                Slot::Other(entry) => return Some(Member { path, entry, offset: 0 }),
                Slot::Name(file) => file,
            };
            let (entry, offset) = files.get(file)?;
            let first = firsts.get_mut(file)?;
            if let Some(first) = first {
                let entry = Entry { node: Node::HardLink(first.clone()), ..entry.clone() };
                return Some(Member { path, entry, offset: 0 });
            }
            *first = Some(path.clone());
            Some(Member { path, entry: entry.clone(), offset: *offset })
        });
        Index { members: members.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::survey::handmade::{Member as Made, dir, file, hard_link, link, program, tar};

    fn index(members: &[Made<'_>]) -> Index {
        Index::read(tar(members).as_slice(), 1 << 20).unwrap()
    }

    /// Returns what a path is, in a word.
    fn word(member: &Member) -> String {
        let what = match &member.entry.node {
            Node::File(content) => format!("file {}", content.size),
            Node::HardLink(target) => format!("name of {target}"),
            Node::Directory => "directory".into(),
            other => format!("{other:?}"),
        };
        format!("{} {what}", member.path)
    }

    #[test]
    fn contents_stand_where_the_index_says() {
        let bytes = tar(&[dir("a"), file("a/one", b"first"), program("a/two", b"second")]);
        let index = Index::read(bytes.as_slice(), 1 << 20).unwrap();
        for (member, text) in index.members[1..].iter().zip([&b"first"[..], b"second"]) {
            let start = usize::try_from(member.offset).unwrap();
            assert_eq!(&bytes[start..start + text.len()], text);
            let content = Content { md5: [0; 16], ..Content::of(text) };
            assert_eq!(member.entry.node, Node::File(content));
        }
    }

    #[test]
    fn what_comes_later_replaces_what_was_there() {
        let found = index(&[
            dir("gone"),
            file("gone/below", b"1"),
            file("gone", b"22"),
            file("a", b"old"),
            hard_link("b", "a"),
            file("a", b"newer"),
            hard_link("c", "b"),
            link("x", "y"),
            dir("x"),
            hard_link("outer", "elsewhere"),
            hard_link("outer2", "outer"),
        ]);
        let words: Vec<_> = found.members.iter().map(word).collect();
        let expected = [
            "/gone file 2",
            "/a file 5",
            "/b file 3",
            "/c name of /b",
            "/x directory",
            "/outer name of /elsewhere",
            "/outer2 name of /elsewhere",
        ];
        assert_eq!(words, expected);
    }

    #[test]
    fn more_names_than_allowed_are_refused() {
        let members = [dir("a"), dir("b"), dir("c")];
        let error = Index::read(tar(&members).as_slice(), 600).unwrap_err().to_string();
        assert_eq!(error, "bytes of names and attributes: expected at most 600, found more");
    }

    #[test]
    fn an_archive_cut_anywhere_is_an_error() {
        let bytes = tar(&[dir("a"), file("a/one", b"first"), link("a/two", "one")]);
        for len in 0..bytes.len() {
            assert!(Index::read(&bytes[..len], 1 << 20).is_err(), "cut at {len}");
        }
    }
}
