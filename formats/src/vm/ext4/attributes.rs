//! Extended attributes: in the inode those that fit, the others in a block.
//!
//! ```text
//! in the inode  │ magic │ entry │ entry │ zeros ┄ value │ value │
//! in a block    │ magic, count, checksums │ entry │ zeros ┄ value │
//! entry         │ len of name │ name space │ offset of value │ inode │ len of value │ hash │ name │
//! ```
//!
//! (Linux, Documentation/filesystems/ext4/attributes.rst.) They are in the order of name space, length and name, which a
//! block must have; the first that does not fit into the inode goes into the block, and all behind it.

use mkext4::csum;
use mkext4::spec::{BLOCK_SIZE, XATTR_MAGIC};

use crate::format::WriteError;
use crate::tree::{Entry, TreePath};

use super::{limit, unsupported};

/// Bytes behind the fields of an inode.
const IN_INODE: usize = 256 - 160;
/// Bytes of a block.
const IN_BLOCK: usize = BLOCK_SIZE;
/// Bytes before the entries of a block.
const HEADER: usize = 32;
/// Bytes of the magic number, and of what ends a list of entries.
const WORD: usize = 4;
/// Bytes of an entry without its name.
const ENTRY: usize = 16;
/// The name spaces, by what names begin with, and their numbers.
const SPACES: [(&str, u8); 3] = [("user.", 1), ("trusted.", 4), ("security.", 6)];

/// The extended attributes of one inode.
#[derive(Debug, Default)]
pub(super) struct Attributes<'a> {
    inside: Vec<Attribute<'a>>,
    outside: Vec<Attribute<'a>>,
}

/// The order of fields is the order on disk.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Attribute<'a> {
    space: u8,
    len: u8,
    name: &'a str,
    value: &'a [u8],
}

impl<'a> Attributes<'a> {
    /// Takes the attributes of an entry, and refuses those that have no place.
    pub(super) fn of(
        format: &'static str,
        path: &TreePath,
        entry: &'a Entry,
    ) -> Result<Self, WriteError> {
        let mut all = Vec::new();
        for (name, value) in &entry.xattrs {
            all.push(Attribute::of(format, path, name, value)?);
        }
        all.sort_unstable();
        let mut used = 2 * WORD;
        let fits = |attribute: &&Attribute<'_>| {
            used += attribute.size();
            used <= IN_INODE
        };
        let outside = all.split_off(all.iter().take_while(fits).count());
        let size: usize = outside.iter().map(Attribute::size).sum();
        let what = "the bytes of extended attributes of";
        limit(format, what, path, (IN_BLOCK - HEADER - WORD) as u64, size as u64)?;
        Ok(Self { inside: all, outside })
    }

    /// Returns whether some do not fit into the inode.
    pub(super) fn need_block(&self) -> bool {
        !self.outside.is_empty()
    }

    /// Returns what stands behind the fields of the inode; nothing if there is nothing.
    pub(super) fn in_inode(&self) -> Vec<u8> {
        if self.inside.is_empty() {
            return Vec::new();
        }
        let mut area = vec![0; IN_INODE];
        area[..WORD].copy_from_slice(&XATTR_MAGIC.to_le_bytes());
        write(&mut area[WORD..], &self.inside, 0, |_| 0);
        area
    }

    /// Returns the block with this number.
    pub(super) fn block(&self, seed: u32, number: u32) -> Vec<u8> {
        let mut block = vec![0; IN_BLOCK];
        let hash = |attribute: &Attribute<'_>| {
            csum::xattr_entry_hash(attribute.name.as_bytes(), attribute.value)
        };
        write(&mut block[HEADER..], &self.outside, HEADER, hash);
        let hash_of_all = csum::xattr_block_hash(self.outside.iter().map(hash));
        // The magic number, how many inodes use the block, how many blocks there are, and the hash.
        let header = [XATTR_MAGIC, 1, 1, hash_of_all];
        for (place, word) in block.chunks_exact_mut(WORD).zip(header) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        let checksum = csum::xattr_block(seed, number.into(), &block).to_le_bytes();
        block[16..20].copy_from_slice(&checksum);
        block
    }
}

impl<'a> Attribute<'a> {
    fn of(
        format: &'static str,
        path: &TreePath,
        name: &'a str,
        value: &'a [u8],
    ) -> Result<Self, WriteError> {
        let short = |(space, number): &(&str, u8)| Some((*number, name.strip_prefix(space)?));
        let found = SPACES.iter().find_map(short).filter(|(_, short)| !short.is_empty());
        let Some((space, short)) = found else {
            let reason = "only names in user., trusted. and security. can be written";
            return Err(unsupported(format, path, &format!("the attribute {name}"), reason));
        };
        let what = "the bytes of an attribute's name of";
        limit(format, what, path, u8::MAX.into(), short.len() as u64)?;
        let len = short.len().try_into().unwrap_or(u8::MAX);
        Ok(Self { space, len, name: short, value })
    }

    /// Returns how many bytes the entry and the value take.
    fn size(&self) -> usize {
        ENTRY + self.name.len().next_multiple_of(4) + self.value.len().next_multiple_of(4)
    }
}

/// Writes entries from the start of an area on, and values up to its end. Offsets of values count from `before` bytes
/// before the area.
fn write(
    area: &mut [u8],
    attributes: &[Attribute<'_>],
    before: usize,
    hash: impl Fn(&Attribute<'_>) -> u32,
) {
    let (mut at, mut values) = (0, area.len());
    for attribute in attributes {
        let Attribute { space, len, name, value } = attribute;
        values -= value.len().next_multiple_of(4);
        area[values..values + value.len()].copy_from_slice(value);
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
        let entry = &mut area[at..at + ENTRY + name.len()];
        entry[0] = *len;
        entry[1] = *space;
        entry[2..4].copy_from_slice(&number(before + values)[..2]);
        entry[8..12].copy_from_slice(&number(value.len()));
        entry[12..16].copy_from_slice(&hash(attribute).to_le_bytes());
        entry[ENTRY..].copy_from_slice(name.as_bytes());
        at += ENTRY + name.len().next_multiple_of(4);
    }
}

#[cfg(test)]
mod tests {
    use mkext4::spec::{XattrBlockView, ibody_entries};

    use super::*;
    use crate::tree::Mode;

    fn entry(attributes: &[(&str, usize)]) -> Entry {
        let mut entry = Entry::directory();
        entry.mode = Mode::EXECUTABLE;
        for (name, len) in attributes {
            entry.xattrs.insert((*name).to_owned(), vec![b'v'; *len]);
        }
        entry
    }

    fn of(entry: &Entry) -> Result<Attributes<'_>, WriteError> {
        Attributes::of("test", &TreePath::root(), entry)
    }

    fn names(attributes: &Attributes<'_>) -> [Vec<String>; 2] {
        let name = |entry: mkext4::spec::XattrEntry| {
            format!(
                "{}:{}",
                String::from_utf8(entry.full_name().unwrap()).unwrap(),
                entry.value.len()
            )
        };
        let slot = [vec![0; 160], attributes.in_inode()].concat();
        let inside = ibody_entries(&slot, 32).unwrap().into_iter().map(name).collect();
        let outside = if attributes.need_block() {
            let block = attributes.block(7, 9);
            let view = XattrBlockView::parse(&block).unwrap();
            assert_eq!(view.checksum, csum::xattr_block(7, 9, &block));
            assert!(view.entries.iter().all(|entry| entry.hash != 0));
            view.entries.into_iter().map(name).collect()
        } else {
            Vec::new()
        };
        [inside, outside]
    }

    #[test]
    fn they_come_back_in_the_order_on_disk() {
        let rows: [(&[_], &[_], &[_]); 6] = [
            (&[], &[], &[]),
            (
                &[("security.x", 0), ("user.bb", 1), ("user.c", 5)],
                &["user.c:5", "user.bb:1", "security.x:0"],
                &[],
            ),
            (&[("user.a", 68)], &["user.a:68"], &[]),
            (&[("user.a", 69)], &[], &["user.a:69"]),
            (&[("trusted.a", 60), ("security.b", 4)], &["trusted.a:60"], &["security.b:4"]),
            (&[("user.a", 4040)], &[], &["user.a:4040"]),
        ];
        for (given, inside, outside) in rows {
            assert_eq!(names(&of(&entry(given)).unwrap()), [inside, outside], "{given:?}");
        }
    }

    #[test]
    fn what_has_no_place_is_refused() {
        for (name, len, reason) in [
            ("user.a", 4041, "found 4064"),
            ("system.posix_acl_access", 4, "only names in user."),
            ("user.", 1, "only names in user."),
            (&*format!("user.{}", "a".repeat(256)), 1, "found 256"),
        ] {
            let error = of(&entry(&[(name, len)])).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
