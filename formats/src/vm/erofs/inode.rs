//! Inodes ("Core on-disk format", section "Inodes").

use super::fields::{u16_at, u32_at, u64_at};
use crate::format::{Epoch, ReadError};

/// The length of an extended inode.
pub(super) const EXTENDED: usize = 64;
/// The length of a compact inode: one slot.
pub(super) const COMPACT: usize = 32;

/// What an inode is, from the first digits of `st_mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    File,
    Symlink,
    CharacterDevice,
    BlockDevice,
    Fifo,
    Socket,
}

impl Kind {
    /// Returns what a mode says.
    pub(super) fn of_mode(mode: u16) -> Option<Self> {
        Some(match mode & 0o170_000 {
            0o040_000 => Self::Directory,
            0o100_000 => Self::File,
            0o120_000 => Self::Symlink,
            0o020_000 => Self::CharacterDevice,
            0o060_000 => Self::BlockDevice,
            0o010_000 => Self::Fifo,
            0o140_000 => Self::Socket,
            _ => return None,
        })
    }

    /// Returns the code that directory entries have.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::File => 1,
            Self::Directory => 2,
            Self::CharacterDevice => 3,
            Self::BlockDevice => 4,
            Self::Fifo => 5,
            Self::Socket => 6,
            Self::Symlink => 7,
        }
    }
}

/// Where contents are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// All in blocks that follow one another.
    Plain,
    /// Like that, except for what is left over after whole blocks: that stands behind the inode.
    Inline,
}

/// The fields of an inode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Inode {
    pub(super) layout: Layout,
    /// The bytes of attributes behind the inode.
    pub(super) attributes: usize,
    /// The kind and the permissions.
    pub(super) mode: u16,
    pub(super) links: u32,
    pub(super) size: u64,
    /// The first block of the contents, or the number of a device.
    pub(super) place: u32,
    /// The number for those who have only 32 bits for it.
    pub(super) number: u32,
    pub(super) user: u32,
    pub(super) group: u32,
    /// The length of the inode itself.
    pub(super) len: usize,
}

impl Inode {
    /// Returns the shortest form that has room for these fields.
    pub(super) fn len_for(links: u32, size: u64, user: u32, group: u32) -> usize {
        let short = |number: u32| u16::try_from(number).is_ok();
        let fits = short(links) && short(user) && short(group) && u32::try_from(size).is_ok();
        if fits { COMPACT } else { EXTENDED }
    }

    /// Encodes the inode in the form that its length says; the fields must fit.
    pub(super) fn encode(&self, epoch: Epoch) -> Vec<u8> {
        let layout = match self.layout {
            Layout::Plain => 0,
            Layout::Inline => 2,
        };
        let extended = self.len == EXTENDED;
        let format: u16 = layout << 1 | u16::from(extended);
        // A header of 12 bytes, then 4 at a time.
        let count = self.attributes.checked_sub(8).map_or(0, |rest| rest / 4);
        let short = |number: u32| u16::try_from(number).unwrap_or(u16::MAX).to_le_bytes();
        let mut bytes = Vec::with_capacity(self.len);
        bytes.extend(format.to_le_bytes());
        bytes.extend(u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend(self.mode.to_le_bytes());
        bytes.extend(if extended { [0; 2] } else { short(self.links) });
        // A compact inode has 32 bits for the size, which the next four, always zero, do not change.
        bytes.extend(self.size.to_le_bytes());
        bytes.extend(self.place.to_le_bytes());
        bytes.extend(self.number.to_le_bytes());
        if extended {
            bytes.extend(self.user.to_le_bytes());
            bytes.extend(self.group.to_le_bytes());
            bytes.extend(u64::from(epoch.0).to_le_bytes());
            bytes.extend([0; 4]);
            bytes.extend(self.links.to_le_bytes());
        } else {
            bytes.extend(short(self.user));
            bytes.extend(short(self.group));
        }
        bytes.resize(self.len, 0);
        bytes
    }

    /// Parses an inode from its first 64 bytes, or as many as there are.
    pub(super) fn parse(slot: u64, bytes: &[u8]) -> Result<Self, ReadError> {
        let fail = |reason: String| Err(ReadError::invalid(format!("inode {slot}"), reason));
        let format = u16_at(bytes, 0);
        let len = if format & 1 == 0 { COMPACT } else { EXTENDED };
        if bytes.len() < len {
            return fail("it does not end within the file system".into());
        }
        let layout = match format >> 1 {
            0 => Layout::Plain,
            2 => Layout::Inline,
            1 | 3 => return fail("compressed contents, which are not supported".into()),
            4 => return fail("contents in chunks, which are not supported".into()),
            _ => return fail(format!("unknown format {format:#x}")),
        };
        let attributes = match usize::from(u16_at(bytes, 2)) {
            0 => 0,
            count => 8 + 4 * count,
        };
        let (mode, place, number) = (u16_at(bytes, 4), u32_at(bytes, 16), u32_at(bytes, 20));
        let (links, size, user, group) = if len == EXTENDED {
            (u32_at(bytes, 44), u64_at(bytes, 8), u32_at(bytes, 24), u32_at(bytes, 28))
        } else {
            let short = |at| u32::from(u16_at(bytes, at));
            (short(6), u32_at(bytes, 8).into(), short(24), short(26))
        };
        Ok(Self { layout, attributes, mode, links, size, place, number, user, group, len })
    }

    /// Returns what the inode is.
    pub(super) fn kind(&self) -> Option<Kind> {
        Kind::of_mode(self.mode)
    }

    /// Returns the major and minor number of a device.
    pub(super) fn device(&self) -> (u32, u32) {
        (self.place >> 8 & 0xfff, self.place & 0xff | self.place >> 12 & 0xf_ff00)
    }
}

/// Returns how a device's numbers, of 12 and 20 bits, stand in an inode.
pub(super) fn device(major: u32, minor: u32) -> u32 {
    minor & 0xff | major << 8 | (minor & !0xff) << 12
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_survive() {
        let extended = Inode {
            layout: Layout::Inline,
            attributes: 8 + 4 * 5,
            mode: 0o100_644,
            links: 70_000,
            size: 1 << 40,
            place: 77,
            number: 5,
            user: 100_000,
            group: 3,
            len: EXTENDED,
        };
        let small = Inode { links: 7, size: 9, user: 65_535, len: COMPACT, ..extended.clone() };
        for inode in [extended, small] {
            let bytes = inode.encode(Epoch(9));
            assert_eq!(bytes.len(), inode.len);
            assert_eq!(Inode::parse(40, &bytes).unwrap(), inode);
            let Inode { links, size, user, group, .. } = inode;
            assert_eq!(Inode::len_for(links, size, user, group), inode.len);
            assert!(Inode::parse(40, &bytes[..inode.len - 1]).is_err());
        }
        assert_eq!(Inode::len_for(1, 1, 1, 65_536), EXTENDED);
        assert_eq!(Inode::len_for(1, 1 << 32, 1, 1), EXTENDED);
    }

    #[test]
    fn device_numbers_survive() {
        for (major, minor) in [(1, 3), (0xfff, 0xf_ffff), (254, 300)] {
            let inode = Inode {
                layout: Layout::Plain,
                attributes: 0,
                mode: 0o020_600,
                links: 1,
                size: 0,
                place: device(major, minor),
                number: 1,
                user: 0,
                group: 0,
                len: COMPACT,
            };
            assert_eq!(inode.device(), (major, minor));
        }
    }
}
