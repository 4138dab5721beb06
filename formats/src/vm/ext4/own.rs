//! The files that every file system has: the journal, and `lost+found`.

use mkext4::spec::{JOURNAL_INO, ROOT_INO};

use crate::format::WriteError;

use super::Volume;
use super::directory::{self, Directory};
use super::map::Map;
use super::namespace::{LOST_AND_FOUND, Placed};
use super::seeds::Seeds;
use super::size::{Geometry, LOST_AND_FOUND_BLOCKS};
use super::space::Space;
use super::superblock::journal;

/// Where they are.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) journal: Map,
    pub(super) journal_blocks: u32,
    pub(super) lost_and_found: Placed,
}

impl Own {
    /// Gives the journal and `lost+found` their blocks.
    pub(super) fn place(
        geometry: &Geometry,
        volume: &Volume<'_>,
        seeds: &Seeds,
        space: &mut Space<'_>,
    ) -> Result<Self, WriteError> {
        let journal_blocks = geometry.journal;
        let head = journal(journal_blocks, volume.identity.uuid);
        let runs = space.take(journal_blocks.into(), |rope, _, offset| {
            if offset == 0 {
                rope.push_padded(&head);
            }
        })?;
        let journal = Map::of(&runs, seeds.of_inode(JOURNAL_INO), space)?;
        let number = LOST_AND_FOUND.inode;
        let seed = seeds.of_inode(number);
        let directory = Directory { inode: number, parent: ROOT_INO, names: &[] };
        let mut blocks = directory.leaf(seed);
        // e2fsck puts names there when it has no room to make any.
        for _ in 1..LOST_AND_FOUND_BLOCKS {
            blocks.extend(directory::leaf([].into_iter(), seed));
        }
        let runs = space.take_bytes(&blocks)?;
        let map = Map::of(&runs, seed, space)?;
        let lost_and_found = Placed { map, size: blocks.len() as u64, links: 2, is_indexed: false };
        Ok(Self { journal, journal_blocks, lost_and_found })
    }
}
