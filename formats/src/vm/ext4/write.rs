//! Putting a file system together.

use mkext4::csum;
use mkext4::spec::{ROOT_INO, Superblock};

use crate::format::WriteError;
use crate::rope::Rope;
use crate::tree::FileTree;

use super::directory::{self, Directory};
use super::groups::{Bitmap, Groups};
use super::layout::{Layout, Run, Structure};
use super::map::Map;
use super::namespace::{LOST_AND_FOUND, Namespace, Placed, Seeds};
use super::size::{Geometry, LOST_AND_FOUND_BLOCKS, Need};
use super::space::{Space, Used};
use super::superblock::{block, journal, superblock};
use super::tables::{Given, Own, Tables};
use super::{BLOCK, FileSystemWriter, Identity, Volume};

/// Writes ext4 with a journal and metadata checksums.
///
/// Blocks are given out in this order: the journal, `lost+found`, all directories from the inside out, and the files in the
/// order of the tree, so that an entry more or less moves directories and tables, and contents only by whole clusters.
/// Takes memory for what it describes alone: some 200 bytes a file.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ext4;

impl FileSystemWriter for Ext4 {
    fn write(&self, tree: &FileTree, volume: &Volume<'_>) -> Result<Rope, WriteError> {
        let format = volume.format;
        let need = Need::of(format, tree)?;
        let geometry = Geometry::choose(format, volume.size, need)?;
        let layout = Layout::of(&geometry);
        let seeds = seeds(&volume.identity);
        let mut space = Space::new(format, &layout, &volume.inline);
        let own = own(&geometry, volume, &seeds, &mut space)?;
        let namespace = Namespace::place(format, tree, &seeds, &mut space)?;
        let given = Given { format, layout: &layout, seeds: &seeds, epoch: volume.epoch };
        let mut tables = Tables::write(tree, &namespace, &own, given, &mut space)?;
        drop(namespace);
        let room = space.inline_len() + tables.inline_len();
        let (contents, used) = space.finish();
        let groups = Groups::of(&layout, &used, &tables, seeds.checksum);
        let unused = layout.inodes_per_group * layout.groups - tables.used();
        let free = (groups.free_blocks, unused);
        let superblock = superblock(&layout, volume, &seeds, &own, free);
        let whole = Whole { layout: &layout, used, groups, superblock };
        let mut image = Rope::new();
        image.reserve(room);
        whole.push(&mut image, contents, &mut tables);
        image.push_zeros(geometry.disk - image.len());
        Ok(image)
    }
}

/// What the structures are made from.
struct Whole<'a> {
    layout: &'a Layout,
    used: Used,
    groups: Groups,
    superblock: Superblock,
}

impl Whole<'_> {
    /// Appends all structures, and between them what is in the stretches of blocks that they leave.
    fn push(
        &self,
        image: &mut Rope,
        contents: impl Iterator<Item = (Run, Rope)>,
        tables: &mut Tables<'_>,
    ) {
        let mut contents = contents.peekable();
        for (run, structure) in self.layout.structures() {
            while let Some((_, stretch)) =
                contents.next_if(|(stretch, _)| stretch.start < run.start)
            {
                image.push_rope(&stretch);
            }
            self.push_structure(image, structure, tables);
            image.push_zeros(u64::from(run.end()) * BLOCK - image.len());
        }
        for (_, stretch) in contents {
            image.push_rope(&stretch);
        }
    }

    fn push_structure(&self, image: &mut Rope, structure: Structure, tables: &mut Tables<'_>) {
        let Self { layout, used, groups, superblock } = self;
        match structure {
            Structure::Superblock(group) => image.push_padded(&block(superblock, group)),
            Structure::Descriptors => image.push_padded(&groups.descriptors),
            Structure::BlockBitmap(group) => {
                push_bitmap(image, &Bitmap::of_blocks(layout, used, group));
            }
            Structure::InodeBitmap(group) => {
                push_bitmap(image, &Bitmap::of_inodes(layout, tables, group));
            }
            Structure::InodeTable(group) => {
                image.push_rope(&tables.take(group));
                image.pad(BLOCK);
            }
        }
    }
}

/// Appends a bitmap; one of a group of which nothing is in use stays a hole.
fn push_bitmap(image: &mut Rope, bitmap: &Bitmap) {
    if bitmap.bytes().iter().any(|byte| *byte != 0) {
        image.push_padded(bitmap.bytes());
    }
}

/// Checksums are told apart by what orders directories, not by the UUID: that differs from tree to tree, and with it every
/// structure would.
fn seeds(identity: &Identity) -> Seeds {
    let mut hash = [0; 4];
    for (word, bytes) in hash.iter_mut().zip(identity.hash_seed.as_chunks().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    Seeds { checksum: csum::crc32c_raw(!0, &identity.hash_seed), hash }
}

/// Gives the journal and `lost+found` their blocks.
fn own(
    geometry: &Geometry,
    volume: &Volume<'_>,
    seeds: &Seeds,
    space: &mut Space<'_>,
) -> Result<Own, WriteError> {
    let journal_blocks = geometry.journal;
    let head = journal(journal_blocks, volume.identity.uuid);
    let runs = space.take(journal_blocks.into(), |rope, _, offset| {
        if offset == 0 {
            rope.push_padded(&head);
        }
    })?;
    let journal = Map::of(&runs, seeds.of_inode(mkext4::spec::JOURNAL_INO), space)?;
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
    Ok(Own { journal, journal_blocks, lost_and_found })
}
