//! Checking a file system: the checksum of its first block, and that its inodes agree.

use std::collections::{BTreeMap, BTreeSet};

use super::super::walk::ENTRIES;
use super::directory::is_own;
use super::image::Image;
use super::inode::Kind;
use super::superblock::{COMPAT_CHECKSUM, SUPERBLOCK, Superblock};
use crate::format::{Problem, ReadError};
use crate::tree::escape;

/// The name of every problem found here: a checksum or a structure is wrong.
const RULE: &str = "vm-erofs-metadata";

/// What is known of an inode that was met.
struct Met {
    kind: Option<Kind>,
    /// How many names it says it has.
    says: u32,
    /// How many there are.
    found: u32,
}

/// What is known of a file system.
#[derive(Default)]
struct Census {
    inodes: BTreeMap<u64, Met>,
    entries: usize,
    problems: Vec<Problem>,
}

impl Image {
    /// Lists every structure that is wrong.
    pub(crate) fn check(&self) -> Result<Vec<Problem>, ReadError> {
        let mut census = Census::default();
        self.check_superblock(&mut census)?;
        let mut listed = BTreeSet::new();
        let mut left = self.size();
        let mut open = vec![(self.root_slot(), self.root_slot())];
        census.meet(self, self.root_slot(), "/");
        while let Some((slot, parent)) = open.pop() {
            if !listed.insert(slot) {
                census.problem(format!("directory inode {slot}"), "two names".into());
            } else if let Err(error) =
                self.check_directory(slot, parent, &mut left, &mut census, &mut open)
            {
                census.problem(format!("inode {slot}"), error.to_string());
            }
            if census.problems.len() >= Problem::MOST {
                return Ok(census.problems);
            }
        }
        census.finish(self);
        Ok(census.problems)
    }

    fn check_superblock(&self, census: &mut Census) -> Result<(), ReadError> {
        let superblock = &self.superblock;
        // The checksum covers what the first block holds besides the first 1024 bytes.
        let covered = self.block().max(SUPERBLOCK + self.block().min(SUPERBLOCK));
        let mut block = vec![0; usize::try_from(covered.min(self.size())).unwrap_or(0)];
        self.disk.read_exact_at(0, &mut block)?;
        let expected = Superblock::checksum_of(&block);
        if superblock.compatible & COMPAT_CHECKSUM == 0 {
            census.problem("superblock".into(), "no checksum".into());
        } else if superblock.checksum != expected {
            let found = format!("the checksum {:#x}, not {expected:#x}", superblock.checksum);
            census.problem("superblock".into(), found);
        }
        Ok(())
    }

    fn check_directory(
        &self,
        slot: u64,
        parent: u64,
        left: &mut u64,
        census: &mut Census,
        open: &mut Vec<(u64, u64)>,
    ) -> Result<(), ReadError> {
        let what = || format!("directory inode {slot}");
        let inode = self.checked_inode(slot)?;
        let Some(rest) = left.checked_sub(inode.size) else {
            return Err(ReadError::invalid(what(), "the directories are larger than the disk"));
        };
        *left = rest;
        let limit = ENTRIES.saturating_sub(census.entries);
        let entries = self.directory(slot, &inode, limit)?;
        census.entries += entries.len();
        let own = |name: &[u8]| entries.iter().find(|entry| entry.name == name).map(|e| e.slot);
        if own(b".") != Some(slot) || own(b"..") != Some(parent) {
            census.problem(what(), "wrong `.` or `..`".into());
        }
        for entry in &entries {
            let place = format!("`{}` in directory inode {slot}", escape(&entry.name));
            let kind = census.meet(self, entry.slot, &place);
            if kind.map(Kind::code) != Some(entry.code) {
                census.problem(place, format!("kind {}, and the inode is not", entry.code));
            }
            if kind == Some(Kind::Directory) && !is_own(entry) {
                open.push((entry.slot, slot));
            }
        }
        Ok(())
    }
}

impl Census {
    /// Counts a name of an inode and returns what that is.
    fn meet(&mut self, image: &Image, slot: u64, place: &str) -> Option<Kind> {
        if let Some(met) = self.inodes.get_mut(&slot) {
            met.found += 1;
            return met.kind;
        }
        let inode = match image.checked_inode(slot) {
            Ok(inode) => inode,
            Err(error) => {
                self.problem(place.to_owned(), error.to_string());
                return None;
            }
        };
        let kind = inode.kind();
        if matches!(kind, Some(Kind::File | Kind::Directory | Kind::Symlink))
            && let Err(error) = image.content(slot, &inode)
        {
            self.problem(place.to_owned(), error.to_string());
        }
        // The root is named by nobody but itself, as its own parent.
        self.inodes.insert(slot, Met { kind, says: inode.links, found: 1 });
        kind
    }

    fn finish(&mut self, image: &Image) {
        let mut wrong = Vec::new();
        for (slot, met) in &self.inodes {
            // The root was met once before anything named it.
            let found = met.found - u32::from(*slot == image.root_slot());
            if met.says != found {
                wrong.push((format!("inode {slot}"), format!("{} names, not {found}", met.says)));
            }
        }
        let (says, found) = (image.superblock.inodes, self.inodes.len() as u64);
        if says != found {
            wrong.push(("superblock".into(), format!("{says} inodes, not {found}")));
        }
        for (place, found) in wrong {
            self.problem(place, found);
        }
    }

    fn problem(&mut self, place: String, found: String) {
        if self.problems.len() < Problem::MOST {
            self.problems.push(Problem::new(RULE, place, "right checksums and structures", found));
        }
    }
}
