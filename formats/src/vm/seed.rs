//! Volumes of configuration: FAT, labelled `CIDATA`, as cloud-init looks for them.
//!
//! The files of cloud-init (`user-data`, `meta-data`, `network-config`, `vendor-data`) stand in the
//! root (cloud-init documentation, "NoCloud"). A disk may have an empty one, to be replaced.

use std::collections::BTreeMap;

use super::fat::{self, Kind, Volume};
use super::guid::derive;
use crate::format::{Epoch, WriteError};
use crate::rope::Rope;
use crate::tree::{Content, Entry, Mode, TreeBuilder, TreePath};

/// The label by which a seed is found.
pub const LABEL: &str = "CIDATA";

/// The format's name, for errors.
const FORMAT: &str = "seed";
/// What serials are derived for.
const PURPOSE: &str = "bake vm seed 1";

/// Describes a volume of files by their paths; without a size it is as small as they allow, in
/// whole MiB.
///
/// Its serial follows from the files.
pub fn seed(
    files: &BTreeMap<String, Vec<u8>>,
    size: Option<u64>,
    epoch: Epoch,
) -> Result<Rope, WriteError> {
    let mut builder = TreeBuilder::new();
    let mut inline = BTreeMap::new();
    for (name, bytes) in files {
        let path = TreePath::parse(name).map_err(|error| WriteError::Field {
            format: FORMAT,
            field: "files".into(),
            reason: error.to_string(),
        })?;
        let content = Content::of(bytes);
        builder.insert(path, Entry::file(content, Mode::PLAIN))?;
        inline.insert(content.digest, bytes.clone());
    }
    let tree = builder.finish()?;
    let identity = tree.id().to_string();
    let [a, b, c, d, ..] = derive(PURPOSE, &[&identity]);
    let volume = Volume {
        format: FORMAT,
        label: Some(LABEL),
        serial: u32::from_be_bytes([a, b, c, d]),
        size,
        kind: Kind::Smallest,
        hidden_sectors: 0,
        epoch,
        inline,
    };
    Ok(fat::write(&tree, &volume)?.rope)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::fat::FatReader;
    use super::*;
    use crate::blob::MemoryStore;

    fn files(user_data: &str) -> BTreeMap<String, Vec<u8>> {
        BTreeMap::from([
            ("user-data".to_owned(), user_data.as_bytes().to_vec()),
            ("meta-data".to_owned(), b"instance-id: one\n".to_vec()),
            ("bake/config/app.toml".to_owned(), b"port = 1\n".to_vec()),
            ("bake/credentials/key".to_owned(), Vec::new()),
        ])
    }

    fn written(files: &BTreeMap<String, Vec<u8>>, size: Option<u64>) -> Vec<u8> {
        seed(files, size, Epoch(1_600_000_000)).unwrap().to_vec(&MemoryStore::new()).unwrap()
    }

    fn open(bytes: &[u8]) -> FatReader {
        FatReader::open(Arc::new(bytes.to_vec())).unwrap()
    }

    #[test]
    fn has_its_files_and_its_label() {
        let bytes = written(&files("#cloud-config\n"), None);
        assert_eq!(bytes.len(), 1 << 20);
        let volume = open(&bytes);
        assert_eq!(volume.label().unwrap().as_deref(), Some(LABEL));
        assert_eq!(volume.check().unwrap(), []);
        let tree = volume.tree().unwrap();
        for (name, contents) in files("#cloud-config\n") {
            let content = tree.content(&TreePath::parse(&name).unwrap());
            assert_eq!(content, Some(&Content::of(&contents)), "{name}");
        }
    }

    #[test]
    fn an_empty_one_is_a_label() {
        let bytes = written(&BTreeMap::new(), Some(8 << 20));
        assert_eq!(bytes.len(), 8 << 20);
        let volume = open(&bytes);
        assert_eq!(volume.label().unwrap().as_deref(), Some(LABEL));
        assert!(volume.tree().unwrap().is_empty());
        assert_eq!(volume.check().unwrap(), []);
    }

    #[test]
    fn the_serial_follows_from_the_files() {
        let serial = |files: &BTreeMap<_, _>| open(&written(files, None)).serial();
        assert_eq!(serial(&files("a")), serial(&files("a")));
        assert_ne!(serial(&files("a")), serial(&files("b")));
        assert_ne!(serial(&files("a")), serial(&BTreeMap::new()));
    }

    #[test]
    fn refuses_paths_that_leave_it_and_volumes_too_small() {
        let outside = BTreeMap::from([("../x".to_owned(), Vec::new())]);
        assert!(seed(&outside, None, Epoch(0)).is_err());
        let error = seed(&files("a"), Some(16 << 10), Epoch(0)).unwrap_err().to_string();
        assert!(error.contains("at least 23552 bytes"), "{error}");
    }
}
