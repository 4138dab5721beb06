//! What the file system is in: nothing, or a disk with a partition of hashes.

use std::sync::Arc;

use super::Sysext;
use super::model::{Extension, Protection};
use crate::blob::BlobStore;
use crate::digest::Digest;
use crate::format::{Format, Problem, ReadError, WriteError};
use crate::input::{ReadAt, Window};
use crate::rope::Rope;
use crate::vm::erofs::Image;
use crate::vm::gpt::{Partition, Table, attributes, kinds};
use crate::vm::{Guid, gpt, verity};

/// What partitions begin at multiples of, and the disk's length is one of.
const MIB: u64 = 1 << 20;
/// The bytes of the second table at the end of a disk.
const BACKUP: u64 = 33 * 512;

/// The architectures whose partition types are known: the file system's and that of its hashes.
const KINDS: [(&str, Guid, Guid); 2] = [
    ("x86-64", kinds::ROOT_X86_64, kinds::ROOT_X86_64_VERITY),
    ("arm64", kinds::ROOT_ARM64, kinds::ROOT_ARM64_VERITY),
];

/// Describes a disk that holds a file system and its hashes.
pub(super) fn write(
    model: &Extension,
    image: &Rope,
    guid: impl Fn(&str) -> Guid,
    blobs: &dyn BlobStore,
) -> Result<Rope, WriteError> {
    let word = model.release.architecture.as_deref().unwrap_or_default();
    let Some((_, data, hashes)) = KINDS.into_iter().find(|(known, ..)| *known == word) else {
        return Err(WriteError::Field {
            format: Sysext::NAME,
            field: "architecture".into(),
            reason: format!(
                "expected x86-64 or arm64, whose partitions can have hashes, found `{word}`"
            ),
        });
    };
    let salt = Digest::of(&guid("salt").0);
    let verity = verity::hash(image, salt.as_bytes(), guid("hashes").0, blobs)?;
    let [first, second] = halves(&verity.root);
    let partition = |name: &str, kind, guid, start: u64, len| Partition {
        name: name.into(),
        kind,
        guid,
        start: start.next_multiple_of(MIB),
        len,
        attributes: attributes::READ_ONLY,
    };
    let data = partition("root", data, first, MIB, image.len());
    let hashes = partition("root-verity", hashes, second, data.range().end, verity.device.len());
    let len = (hashes.range().end + BACKUP).next_multiple_of(MIB);
    let starts = [data.start, hashes.start];
    let table = Table { guid: guid("disk"), boot_code: None, partitions: vec![data, hashes] };
    let (head, tail) = gpt::write(&table, len)?;
    let mut rope = Rope::from(head);
    for (start, content) in starts.into_iter().zip([image, &verity.device]) {
        rope.push_zeros(start - rope.len());
        rope.push_rope(content);
    }
    rope.push_zeros(len - tail.len() as u64 - rope.len());
    rope.push_bytes(&tail);
    Ok(rope)
}

/// Returns a root hash as the GUIDs of the partition of data and of that of hashes.
fn halves(root: &Digest) -> [Guid; 2] {
    let mut halves = [Guid([0; 16]); 2];
    for (half, bytes) in halves.iter_mut().zip(root.as_bytes().chunks_exact(16)) {
        half.0.copy_from_slice(bytes);
    }
    halves
}

/// An image that was opened.
pub(super) struct Container {
    /// The file system.
    pub(super) data: Arc<dyn ReadAt>,
    pub(super) disk: Option<Disk>,
}

/// What a disk has besides the file system.
pub(super) struct Disk {
    pub(super) guid: Guid,
    /// The architecture that the types of the partitions say.
    pub(super) architecture: &'static str,
    /// The root hash that the GUIDs of the partitions say.
    pub(super) root: Digest,
    hashes: Arc<dyn ReadAt>,
}

impl Container {
    /// Opens an image of either form.
    pub(super) fn open(file: &Arc<dyn ReadAt>) -> Result<Self, ReadError> {
        if gpt::is_at(&**file) {
            let table = gpt::read(&**file)?;
            return Self::of_disk(file, &table);
        }
        if Image::is_at_start_of(&**file) {
            return Ok(Self { data: file.clone(), disk: None });
        }
        let expected = "a partition table or an EROFS superblock";
        Err(ReadError::malformed("system extension", 0, expected, "neither"))
    }

    fn of_disk(file: &Arc<dyn ReadAt>, table: &Table) -> Result<Self, ReadError> {
        let [data, hashes] = table.partitions.as_slice() else {
            let reason = format!("expected two partitions, found {}", table.partitions.len());
            return Err(ReadError::invalid("partition table", reason));
        };
        let kinds = KINDS.into_iter().find(|kinds| (kinds.1, kinds.2) == (data.kind, hashes.kind));
        let Some((architecture, ..)) = kinds else {
            let reason = "expected a root file system and its hashes";
            return Err(ReadError::invalid("partition table", reason));
        };
        let mut root = [0; 32];
        root[..16].copy_from_slice(&data.guid.0);
        root[16..].copy_from_slice(&hashes.guid.0);
        let window = |partition: &Partition| -> Arc<dyn ReadAt> {
            Arc::new(Window::new(file.clone(), partition.start, partition.len))
        };
        let disk = Disk {
            guid: table.guid,
            architecture,
            root: Digest::from_bytes(root),
            hashes: window(hashes),
        };
        Ok(Self { data: window(data), disk: Some(disk) })
    }

    /// Returns how the bytes are protected.
    pub(super) fn protection(&self) -> Protection {
        if self.disk.is_some() { Protection::Verity } else { Protection::None }
    }

    /// Lists what is wrong with the disk around the file system.
    pub(super) fn check(&self, file: &dyn ReadAt) -> Result<Vec<Problem>, ReadError> {
        let Some(disk) = &self.disk else { return Ok(Vec::new()) };
        let mut problems = gpt::check(file)?;
        problems.extend(verity::check(&self.data, &*disk.hashes, &disk.root)?);
        Ok(problems)
    }
}
