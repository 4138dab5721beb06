//! The kernels of a base, and their modules.
//!
//! ```text
//! Debian   /boot/vmlinuz-VERSION   /boot/initrd.img-VERSION          /lib/modules/VERSION/
//! bootc    /usr/lib/modules/VERSION/vmlinuz   .../initramfs.img      /usr/lib/modules/VERSION/
//! ```

use std::collections::BTreeMap;

use bake_formats::encode::Codec;
use bake_formats::tree::{FileTree, Node, TreePath};

use super::files::Files;

/// Where distributions put kernels, as the beginnings of their names.
const IMAGES: [&[u8]; 3] = [b"vmlinuz-", b"vmlinux-", b"Image-"];
/// What distributions call an initrd in `/boot`, around the version.
const INITRDS: [(&str, &str); 3] = [("initrd.img-", ""), ("initramfs-", ".img"), ("initrd-", "")];
/// What a module's name ends with, and how it is compressed.
const MODULES: [(&[u8], Codec); 4] = [
    (b".ko", Codec::None),
    (b".ko.xz", Codec::Xz),
    (b".ko.zst", Codec::Zstd),
    (b".ko.gz", Codec::Gzip),
];

/// A kernel with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// The version, e.g. `6.1.0-18-amd64`, as its modules are found by.
    pub version: String,
    /// The image.
    pub image: TreePath,
    /// The initrd that the distribution made for it, if it is there.
    pub initrd: Option<TreePath>,
    /// The directory of its modules, without symbolic links; a kernel may have none.
    pub modules: Option<TreePath>,
}

/// A module of a kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// The file.
    pub path: TreePath,
    /// How it is compressed.
    pub codec: Codec,
}

impl Module {
    /// Returns the name without the ending: `virtio_blk` for `virtio_blk.ko.xz`.
    pub fn name(&self) -> &[u8] {
        let name = self.path.name();
        let ending = MODULES.iter().find(|row| row.1 == self.codec);
        ending.and_then(|row| name.strip_suffix(row.0)).unwrap_or(name)
    }
}

impl Kernel {
    /// Returns the modules in the order of their paths, those below `updates` and `extra` included.
    pub fn modules(&self, tree: &FileTree) -> Vec<Module> {
        let Some(directory) = &self.modules else { return Vec::new() };
        let files = tree.below(directory).filter(|(path, _)| tree.content(path).is_some());
        let modules = files.filter_map(|(path, _)| {
            let (_, codec) = MODULES.iter().find(|row| path.name().ends_with(row.0))?;
            Some(Module { path: path.clone(), codec: *codec })
        });
        modules.collect()
    }
}

/// Returns every kernel of a base, by version; of one that is there twice the one in `/boot`.
pub(super) fn find_all(files: Files<'_>) -> Vec<Kernel> {
    let mut kernels = BTreeMap::new();
    let boot = files.find("boot").map(|found| found.path);
    for path in boot.into_iter().flat_map(|boot| children(files.tree, boot)) {
        let version = IMAGES.iter().find_map(|start| path.name().strip_prefix(*start));
        let Some(version) = version.and_then(|version| std::str::from_utf8(version).ok()) else {
            continue;
        };
        let is_rescue = version.contains("rescue");
        let is_backup = [".old", ".bak"].iter().any(|end| version.ends_with(end));
        let Some(image) = files.file(path.absolute()).filter(|_| !is_rescue && !is_backup) else {
            continue;
        };
        let initrd = INITRDS
            .iter()
            .find_map(|(start, end)| files.file(format!("boot/{start}{version}{end}")));
        let modules = modules(files, version);
        let (image, initrd) = (image.clone(), initrd.cloned());
        kernels
            .insert(version.to_owned(), Kernel { version: version.into(), image, initrd, modules });
    }
    let folder = files.find("usr/lib/modules").map(|found| found.path);
    for path in folder.into_iter().flat_map(|folder| children(files.tree, folder)) {
        let Ok(version) = std::str::from_utf8(path.name()) else { continue };
        let beside = |name: &str| files.file(path.join(name).ok()?.absolute()).cloned();
        let Some(image) = beside("vmlinuz") else { continue };
        kernels.entry(version.to_owned()).or_insert_with(|| Kernel {
            version: version.into(),
            image,
            initrd: beside("initramfs.img"),
            modules: modules(files, version),
        });
    }
    kernels.into_values().collect()
}

fn modules(files: Files<'_>, version: &str) -> Option<TreePath> {
    let folders = ["lib/modules", "usr/lib/modules"];
    let mut found = folders.iter().filter_map(|folder| files.find(format!("{folder}/{version}")));
    found.find(|found| found.entry.is_directory()).map(|found| found.path.clone())
}

/// Returns what is directly in a directory and no directory of its own where that cannot be meant.
fn children<'a>(tree: &'a FileTree, folder: &'a TreePath) -> impl Iterator<Item = &'a TreePath> {
    let depth = folder.depth() + 1;
    let here = tree.below(folder).filter(move |(path, _)| path.depth() == depth);
    here.filter(|(_, entry)| !matches!(entry.node, Node::Device { .. } | Node::Fifo))
        .map(|(path, _)| path)
}
