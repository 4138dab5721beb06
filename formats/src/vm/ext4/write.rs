//! Putting a file system together.

use mkext4::spec::Superblock;

use crate::format::WriteError;
use crate::rope::Rope;
use crate::tree::FileTree;

use super::bitmap::Bitmap;
use super::groups::Groups;
use super::layout::{Layout, Run, Structure};
use super::namespace::Namespace;
use super::own::Own;
use super::seeds::Seeds;
use super::size::{Geometry, Need};
use super::space::{Space, Used};
use super::superblock::{block, superblock};
use super::tables::{Given, Tables};
use super::{BLOCK, FileSystemWriter, Volume};

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
        let seeds = Seeds::of(&volume.identity);
        let mut space = Space::new(format, &layout, &volume.inline);
        let own = Own::place(&geometry, volume, &seeds, &mut space)?;
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
