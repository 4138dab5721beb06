//! Checking a file system's own checksums and structures.

use mkext4::spec::inode::FileType;
use mkext4::spec::{self, bg_flags};

use crate::format::{Problem, ReadError};

use super::image::{Image, foreign};
use super::layout::holds_copy;

/// The most inodes in use that are looked at.
const INODES: usize = 1 << 22;
/// The name of every problem found here: a checksum or a structure is wrong.
const RULE: &str = "vm-ext4-metadata";

impl Image {
    /// Lists every structure whose checksum or form is wrong.
    ///
    /// The crate's own check has no limits, so it runs only when every inode it will look at has
    /// passed checks that have.
    pub(in super::super) fn check(&self) -> Result<Vec<Problem>, ReadError> {
        let mut problems = self.check_copies()?;
        self.check_inodes(&mut problems)?;
        if problems.is_empty() {
            let issues = self.fs.verify().map_err(foreign)?;
            problems
                .extend(issues.into_iter().take(Problem::MOST).map(|issue| problem(issue.what)));
        }
        Ok(problems)
    }

    fn check_inodes(&self, problems: &mut Vec<Problem>) -> Result<(), ReadError> {
        let superblock = self.fs.superblock();
        if let Err(error) = self.check_inode(spec::JOURNAL_INO) {
            problems.push(problem(format!("the journal's inode: {error}")));
        }
        let mut seen = 0;
        for group in 0..superblock.group_count() {
            let descriptor = self.fs.group_desc(group).map_err(foreign)?;
            if descriptor.flags & bg_flags::INODE_UNINIT != 0 {
                continue;
            }
            let bitmap = self.fs.read_block(descriptor.inode_bitmap).map_err(foreign)?;
            let first = group * u64::from(superblock.inodes_per_group) + 1;
            for (index, number) in (first..).take(superblock.inodes_per_group as usize).enumerate()
            {
                let byte = bitmap.get(index / 8).copied().unwrap_or_default();
                if byte & 1 << (index % 8) == 0 {
                    continue;
                }
                seen += 1;
                if seen > INODES {
                    return Err(ReadError::invalid("ext4", "too many inodes in use"));
                }
                let number = u32::try_from(number)
                    .map_err(|_| ReadError::invalid("ext4", "inode numbers beyond 32 bits"))?;
                if let Err(error) = self.check_inode(number) {
                    problems.push(problem(format!("inode {number}: {error}")));
                }
                if problems.len() >= Problem::MOST {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn check_inode(&self, number: u32) -> Result<(), ReadError> {
        let inode = self.checked_inode(number)?;
        match inode.file_type() {
            FileType::Dir => self.directory_extents(number, &inode).map(drop),
            FileType::Regular | FileType::Symlink if inode.extent_root().is_some() => {
                self.extents(number, &inode).map(drop)
            }
            _ if inode.uses_extents() => {
                Err(ReadError::invalid("flags", "extents of something without content"))
            }
            _ => Ok(()),
        }
    }

    /// Compares the copies of the superblock and of the group descriptors with the originals.
    fn check_copies(&self) -> Result<Vec<Problem>, ReadError> {
        let superblock = self.fs.superblock();
        let table = (superblock.group_count() * 32).div_ceil(super::BLOCK);
        let mut problems = Vec::new();
        let groups = u32::try_from(superblock.group_count()).unwrap_or(u32::MAX);
        for group in (1..groups).filter(|group| holds_copy(*group)) {
            let start = u64::from(group) * u64::from(spec::BLOCKS_PER_GROUP);
            let copy = self.fs.read_block(start).map_err(foreign)?;
            let mut expected = superblock.clone();
            expected.block_group_nr = u16::try_from(group).unwrap_or(u16::MAX);
            let mut bytes = vec![0; copy.len()];
            expected.encode(&mut bytes);
            expected.checksum = mkext4::csum::superblock(&bytes[..spec::Superblock::LEN]);
            expected.encode(&mut bytes);
            if copy != bytes {
                problems.push(problem(format!("the copy of the superblock in group {group}")));
            }
            for block in 1..=table {
                let original = self.fs.read_block(block).map_err(foreign)?;
                if original != self.fs.read_block(start + block).map_err(foreign)? {
                    problems.push(problem(format!("the copy of descriptors in group {group}")));
                }
            }
        }
        problems.truncate(Problem::MOST);
        Ok(problems)
    }
}

fn problem(found: String) -> Problem {
    Problem::new(RULE, "ext4", "right checksums and structures", found)
}
