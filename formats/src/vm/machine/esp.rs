//! The EFI system partition: what starts the kernel.

use std::collections::BTreeMap;
use std::ops::Range;

use super::super::fat;
use super::model::{Boot, Files, Initrd};
use crate::blob::Blob;
use crate::boot::kernel::Kernel;
use crate::boot::uki::{Parts, Stub, Uki};
use crate::boot::{Architecture, initramfs};
use crate::digest::Digest;
use crate::format::{ReadError, WriteCx, WriteError};
use crate::rope::Rope;
use crate::tree::{Content, Entry, FileTree, Mode, TreeBuilder, TreePath};

/// Where a machine without UEFI has its kernel.
pub(in super::super) const KERNEL: &str = "/vmlinuz";
/// Where a machine without UEFI has its initrd.
pub(in super::super) const INITRD: &str = "/initrd";
/// Where firmware looks for a program on a disk that it knows nothing of (UEFI 2.10, section 3.5.1.1).
pub(in super::super) const LOADERS: [&str; 2] = ["/EFI/BOOT/BOOTX64.EFI", "/EFI/BOOT/BOOTAA64.EFI"];
/// The smallest ESP: less than this firmware may not take for FAT32.
const LEN_MIN: u64 = 64 << 20;
/// The largest stub that is read, in bytes.
const STUB_MAX: u64 = 16 << 20;

/// What is in the partition.
#[derive(Debug)]
pub(in super::super) struct Esp {
    /// Its files; contents are named by stand-ins.
    tree: FileTree,
    /// The contents by their stand-ins.
    contents: BTreeMap<Digest, Rope>,
    /// Where the kernel is: a file, and the bytes within it.
    kernel: (TreePath, Range<u64>),
    /// Where the initrd is.
    initrd: (TreePath, Range<u64>),
}

/// The partition, laid out.
#[derive(Debug)]
pub(in super::super) struct WrittenEsp {
    /// Its bytes.
    pub(in super::super) rope: Rope,
    /// Where in it the kernel is.
    pub(in super::super) kernel: Range<u64>,
    /// Where in it the initrd is.
    pub(in super::super) initrd: Range<u64>,
}

impl Esp {
    /// Describes what is in the partition of a machine.
    pub(in super::super) fn new(
        format: &'static str,
        files: &Files,
        cmdline: &str,
        cx: &WriteCx<'_>,
    ) -> Result<Self, WriteError> {
        let boot = &files.boot;
        let kernel = Rope::from(boot.kernel.image);
        let initrd = initrd(&boot.initrd, cx)?;
        let mut content = EspContent::default();
        let (kernel, initrd) = if boot.firmware.has_uefi() {
            let (uki, loader) = uki(format, boot, &kernel, &initrd, cmdline, cx)?;
            let section = |name| uki.section(name).cloned().unwrap_or_default();
            let (kernel, initrd) = (section(".linux"), section(".initrd"));
            let path = content.add(loader, uki.rope)?;
            ((path.clone(), kernel), (path, initrd))
        } else {
            let (kernel_len, initrd_len) = (kernel.len(), initrd.len());
            let kernel = (content.add(KERNEL, kernel)?, 0..kernel_len);
            (kernel, (content.add(INITRD, initrd)?, 0..initrd_len))
        };
        let EspContent { builder, ropes: contents } = content;
        Ok(Self { tree: builder.finish()?, contents, kernel, initrd })
    }

    /// Returns how long the partition must be: with as much room again as its files take, so that
    /// another kernel can be put beside this one.
    pub(in super::super) fn len(&self) -> u64 {
        let used: u64 = self.contents.values().map(Rope::len).sum();
        (used * 2).max(LEN_MIN).next_multiple_of(super::layout::MIB)
    }

    /// Lays the partition out.
    pub(in super::super) fn write(
        &self,
        volume: &fat::Volume<'_>,
    ) -> Result<WrittenEsp, WriteError> {
        let written = fat::write(&self.tree, volume)?;
        let place = |(path, within): &(TreePath, Range<u64>)| {
            let start = written.places.get(path).map_or(0, |place| place.start);
            start + within.start..start + within.end
        };
        let rope = written.rope.expand(&|digest| self.contents.get(digest));
        Ok(WrittenEsp { kernel: place(&self.kernel), initrd: place(&self.initrd), rope })
    }
}

/// Files while they are collected.
#[derive(Default)]
struct EspContent {
    builder: TreeBuilder,
    ropes: BTreeMap<Digest, Rope>,
}

impl EspContent {
    /// Adds a file under a stand-in: nothing needs its digest, which would cost reading it.
    fn add(&mut self, path: &str, rope: Rope) -> Result<TreePath, WriteError> {
        let path = TreePath::parse(path)
            .map_err(|error| WriteError::Io(std::io::Error::other(error.to_string())))?;
        let digest = Digest::of(path.to_string().as_bytes());
        let content = Content { digest, size: rope.len(), md5: [0; 16] };
        self.builder.insert(path.clone(), Entry::file(content, Mode::PLAIN))?;
        self.ropes.insert(digest, rope);
        Ok(path)
    }
}

/// Returns the unified kernel image and the path that firmware looks for it at.
fn uki(
    format: &'static str,
    boot: &Boot,
    kernel: &Rope,
    initrd: &Rope,
    cmdline: &str,
    cx: &WriteCx<'_>,
) -> Result<(Uki, &'static str), WriteError> {
    let field = |field: &str, error: ReadError| WriteError::Field {
        format,
        field: field.into(),
        reason: error.to_string(),
    };
    let Some(stub) = &boot.stub else {
        let reason = "UEFI needs systemd's stub to start the kernel".into();
        return Err(WriteError::Field { format, field: "stub".into(), reason });
    };
    let stub = Stub::parse(read(stub, STUB_MAX, cx)?).map_err(|error| field("stub", error))?;
    let facts = Kernel::of_rope(kernel, cx.blobs).map_err(|error| field("kernel", error))?;
    let parts = Parts {
        os_release: Some(boot.os_release.as_str()).filter(|text| !text.is_empty()),
        cmdline,
        initrd: Some(initrd),
        linux: kernel,
        kernel: &facts,
    };
    Ok((Uki::new(&stub, &parts)?, loader(stub.architecture())))
}

fn loader(architecture: Architecture) -> &'static str {
    let [x86_64, aarch64] = LOADERS;
    match architecture {
        Architecture::X86_64 => x86_64,
        Architecture::Aarch64 => aarch64,
    }
}

/// Describes the archive that the kernel unpacks.
pub(in super::super) fn initrd(initrd: &Initrd, cx: &WriteCx<'_>) -> Result<Rope, WriteError> {
    match initrd {
        Initrd::Files { tree, compression } => {
            let archive = initramfs::segment(tree.tree(), &TreePath::root(), cx.epoch)?;
            initramfs::compress(&archive, *compression, cx.encoder)
        }
        Initrd::Image(blob) => Ok(Rope::from(*blob)),
    }
}

fn read(blob: &Blob, limit: u64, cx: &WriteCx<'_>) -> Result<Vec<u8>, WriteError> {
    if blob.size > limit {
        let message = format!("expected at most {limit} bytes, found {}", blob.size);
        return Err(WriteError::Io(std::io::Error::other(message)));
    }
    Ok(Rope::from(*blob).to_vec(cx.blobs)?)
}
