//! The descriptor: what the disk is, as text.

use super::SECTOR;
use crate::format::ReadError;
use crate::vm::Guid;

/// What every descriptor starts with.
const START: &str = "# Disk DescriptorFile";
/// The parent of a disk that has none.
const NO_PARENT: &str = "ffffffff";
/// Heads and sectors of a track that hypervisors take for SCSI disks.
const GEOMETRY: (u64, u64) = (255, 63);

/// Returns the descriptor of a stream-optimised disk of this size.
///
/// The content id is what a delta disk would name as its parent; it is the end of the long one, and
/// all ones stand for none.
pub(super) fn encode(size: u64, id: Guid) -> String {
    let Guid(mut id) = id;
    id[12] &= 0x7f;
    let id = crate::digest::hex(&id);
    let (sectors, (heads, per_track)) = (size / SECTOR, GEOMETRY);
    let cylinders = sectors / (heads * per_track);
    format!(
        "{START}\n\
         version=1\n\
         encoding=\"UTF-8\"\n\
         CID={cid}\n\
         parentCID={NO_PARENT}\n\
         createType=\"streamOptimized\"\n\
         \n\
         # Extent description\n\
         RDONLY {sectors} SPARSE \"disk.vmdk\"\n\
         \n\
         # The Disk Data Base\n\
         #DDB\n\
         \n\
         ddb.adapterType = \"lsilogic\"\n\
         ddb.geometry.cylinders = \"{cylinders}\"\n\
         ddb.geometry.heads = \"{heads}\"\n\
         ddb.geometry.sectors = \"{per_track}\"\n\
         ddb.longContentID = \"{id}\"\n\
         ddb.virtualHWVersion = \"6\"\n",
        cid = &id[24..],
    )
}

/// Refuses a descriptor of a disk that is not all in its file; `offset` is where it stands.
pub(super) fn check(bytes: &[u8], offset: u64) -> Result<(), ReadError> {
    let malformed = |expected: &str, found: String| {
        Err(ReadError::malformed("VMDK descriptor", offset, expected, found))
    };
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    // Names of files may be in any encoding; what matters is ASCII.
    let text = String::from_utf8_lossy(&bytes[..end]);
    if !text.starts_with(START) {
        return malformed(START, text.chars().take(START.len()).collect());
    }
    let value = |key: &str| {
        let values = text.lines().filter_map(|line| line.split_once('='));
        let mut found = values.filter(|(name, _)| name.trim().eq_ignore_ascii_case(key));
        found.next().map(|(_, value)| value.trim().trim_matches('"').to_owned())
    };
    match value("parentCID") {
        Some(parent) if parent.eq_ignore_ascii_case(NO_PARENT) => {}
        parent => return malformed("parentCID ffffffff, no parent", parent.unwrap_or_default()),
    }
    match value("createType") {
        Some(kind) if kind == "streamOptimized" || kind == "monolithicSparse" => Ok(()),
        kind => {
            let expected = "createType streamOptimized or monolithicSparse";
            malformed(expected, kind.unwrap_or_default())
        }
    }
}
