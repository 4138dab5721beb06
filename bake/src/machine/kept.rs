//! What the store keeps of an archive: its bytes as one blob, and the list of its members.
//!
//! ```text
//! "bakemach" | revision u32 | digest of the archive, 32 bytes | its size u64 | members u64 | { ... } *
//!   member: tag u8, mode u16, user u32, group u32, path, what the tag says, attributes
//!   tag 0: directory
//!   tag 1: file       digest 32 bytes, size u64, offset u64
//!   tag 2: symlink    target
//!   tag 3: hard link  path
//!   tag 4: character device, tag 5: block device   major u32, minor u32
//!   tag 6: fifo
//!   attributes: count u32, { name, value } *
//! ```
//!
//! All integers are little-endian; names, paths and values are a length u32 and the bytes. Owners
//! are numbers alone, because their names are for the whole image to say. A list is itself a blob,
//! and so is checked by its digest.

use std::collections::BTreeMap;
use std::io;

use bake_formats::blob::{Blob, BlobStore};
use bake_formats::digest::Digest;
use bake_formats::tree::{Content, DeviceKind, Entry, Mode, Node, Owner, TreePath};

use super::index::{Index, Member};
use crate::store::Store;

const MAGIC: &[u8; 8] = b"bakemach";
/// Raised whenever an archive would be listed differently.
const REVISION: u32 = 2;
/// A list larger than this would not fit the memory that a bake may use.
const LIMIT: u64 = 1 << 30;

/// An archive whose members are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Archive {
    /// The archive without compression.
    pub(super) raw: Blob,
    pub(super) index: Index,
}

/// Where the bytes of an archive are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a file of this machine.
    File,
    /// In the store.
    Store,
}

/// Returns the archive that was listed under a digest: that of its bytes as they come.
pub(super) fn read(store: &Store, came_as: &Digest, place: Place) -> Option<Archive> {
    let list = match (store.kept(&key(came_as))?.as_slice(), place) {
        ([list, ..], Place::File) | ([list, _], Place::Store) => *list,
        _ => return None,
    };
    parse(&store.read(&list, LIMIT).ok()?)
}

/// Keeps the list of an archive, and the archive itself if it is in the store.
pub(super) fn write(
    store: &Store,
    came_as: &Digest,
    archive: &Archive,
    place: Place,
) -> io::Result<()> {
    let list = store.put(&print(archive))?;
    match place {
        Place::File => store.keep(&key(came_as), &[list]),
        Place::Store => store.keep(&key(came_as), &[list, archive.raw]),
    }
}

fn key(came_as: &Digest) -> Digest {
    Digest::of(format!("bake machine archive {REVISION}\n{came_as}\n").as_bytes())
}

fn print(archive: &Archive) -> Vec<u8> {
    let Archive { raw, index: Index { members } } = archive;
    let mut bytes = Vec::with_capacity(members.len() * 128);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&REVISION.to_le_bytes());
    bytes.extend_from_slice(raw.digest.as_bytes());
    bytes.extend_from_slice(&raw.size.to_le_bytes());
    bytes.extend_from_slice(&(members.len() as u64).to_le_bytes());
    for member in members {
        print_member(member, &mut bytes);
    }
    bytes
}

fn print_member(member: &Member, out: &mut Vec<u8>) {
    let Member { path, entry, offset } = member;
    out.push(match &entry.node {
        Node::Directory => 0,
        Node::File(_) => 1,
        Node::Symlink(_) => 2,
        Node::HardLink(_) => 3,
        Node::Device { kind: DeviceKind::Character, .. } => 4,
        Node::Device { kind: DeviceKind::Block, .. } => 5,
        Node::Fifo => 6,
    });
    out.extend_from_slice(&entry.mode.bits().to_le_bytes());
    out.extend_from_slice(&entry.owner.id.to_le_bytes());
    out.extend_from_slice(&entry.group.id.to_le_bytes());
    print_bytes(path.relative(), out);
    match &entry.node {
        Node::Directory | Node::Fifo => {}
        Node::File(Content { digest, size, .. }) => {
            out.extend_from_slice(digest.as_bytes());
            out.extend_from_slice(&size.to_le_bytes());
            out.extend_from_slice(&offset.to_le_bytes());
        }
        Node::Symlink(target) => print_bytes(target, out),
        Node::HardLink(target) => print_bytes(target.relative(), out),
        Node::Device { major, minor, .. } => {
            out.extend_from_slice(&major.to_le_bytes());
            out.extend_from_slice(&minor.to_le_bytes());
        }
    }
    out.extend_from_slice(&len(entry.xattrs.len()).to_le_bytes());
    for (name, value) in &entry.xattrs {
        print_bytes(name.as_bytes(), out);
        print_bytes(value, out);
    }
}

fn print_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&len(bytes.len()).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Names and attributes come from extended headers of at most 1 MiB.
fn len(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

fn parse(mut bytes: &[u8]) -> Option<Archive> {
    let bytes = &mut bytes;
    if take(bytes)? != *MAGIC || u32::from_le_bytes(take(bytes)?) != REVISION {
        return None;
    }
    let digest = Digest::from_bytes(take(bytes)?);
    let raw = Blob { digest, size: u64::from_le_bytes(take(bytes)?) };
    let count = u64::from_le_bytes(take(bytes)?);
    let mut members = Vec::new();
    let mut owners = Owners::default();
    for _ in 0..count {
        members.push(parse_member(bytes, &mut owners)?);
    }
    bytes.is_empty().then_some(Archive { raw, index: Index { members } })
}

fn parse_member(bytes: &mut &[u8], owners: &mut Owners) -> Option<Member> {
    let [tag] = take(bytes)?;
    let mode = Mode::new(u16::from_le_bytes(take(bytes)?).into()).ok()?;
    let owner = owners.of(u32::from_le_bytes(take(bytes)?));
    let group = owners.of(u32::from_le_bytes(take(bytes)?));
    let path = TreePath::parse(parse_bytes(bytes)?).ok()?;
    let mut offset = 0;
    let node = match tag {
        0 => Node::Directory,
        1 => {
            let digest = Digest::from_bytes(take(bytes)?);
            let size = u64::from_le_bytes(take(bytes)?);
            offset = u64::from_le_bytes(take(bytes)?);
            Node::File(Content { digest, size, md5: [0; 16] })
        }
        2 => Node::Symlink(parse_bytes(bytes)?.to_vec()),
        3 => Node::HardLink(TreePath::parse(parse_bytes(bytes)?).ok()?),
        4 | 5 => {
            let kind = if tag == 4 { DeviceKind::Character } else { DeviceKind::Block };
            let mut number = || take(bytes).map(u32::from_le_bytes);
            Node::Device { kind, major: number()?, minor: number()? }
        }
        6 => Node::Fifo,
        _ => return None,
    };
    let mut entry = Entry::new(node, mode);
    (entry.owner, entry.group) = (owner, group);
    for _ in 0..u32::from_le_bytes(take(bytes)?) {
        let name = std::str::from_utf8(parse_bytes(bytes)?).ok()?.to_owned();
        entry.xattrs.insert(name, parse_bytes(bytes)?.to_vec());
    }
    Some(Member { path, entry, offset })
}

fn parse_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(u32::from_le_bytes(take(bytes)?)).ok()?;
    let (head, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(head)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

/// Owners by number, each with one copy of its name.
#[derive(Default)]
struct Owners(BTreeMap<u32, Owner>);

impl Owners {
    fn of(&mut self, id: u32) -> Owner {
        self.0.entry(id).or_insert_with(|| super::owner(id)).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::survey::handmade::{Member as Made, dir, file, hard_link, link, tar};

    fn sample() -> Archive {
        let mut capable = Entry::new(Node::Fifo, Mode::new(0o4711).unwrap());
        (capable.owner, capable.group) = (Owner::new("1000", 1000), Owner::new("42", 42));
        capable.xattrs.insert("security.capability".into(), vec![1, 0, 0, 2]);
        let device = |kind| Entry::new(Node::Device { kind, major: 8, minor: 1 }, Mode::PLAIN);
        let members = [
            dir("a"),
            file("a/f", b"text"),
            hard_link("a/g", "a/f"),
            link("l", "a"),
            Made::Entry("p", capable),
            Made::Entry("c", device(DeviceKind::Character)),
            Made::Entry("b", device(DeviceKind::Block)),
        ];
        let bytes = tar(&members);
        let index = Index::read(bytes.as_slice(), 1 << 20).unwrap();
        Archive { raw: Blob::of(&bytes), index }
    }

    #[test]
    fn a_list_gives_the_members_back() {
        assert_eq!(parse(&print(&sample())), Some(sample()));
    }

    #[test]
    fn a_cut_or_longer_list_is_refused() {
        let bytes = print(&sample());
        for len in 0..bytes.len() {
            assert_eq!(parse(&bytes[..len]), None, "cut at {len}");
        }
        assert_eq!(parse(&[&bytes[..], b"x"].concat()), None);
    }

    #[test]
    fn an_archive_is_known_only_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let archive = sample();
        let came_as = Digest::of(b"compressed");
        write(&store, &came_as, &archive, Place::File).unwrap();
        assert_eq!(read(&store, &came_as, Place::File), Some(archive.clone()));
        assert_eq!(read(&store, &came_as, Place::Store), None);
        write(&store, &came_as, &archive, Place::Store).unwrap();
        // The archive itself is not there.
        assert_eq!(read(&store, &came_as, Place::Store), None);
    }
}
