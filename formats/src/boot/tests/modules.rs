//! Object files of kernel modules.

use super::handmade::{compressed, module};
use crate::boot::modinfo::{Module, uncompressed};
use crate::elf::section;
use crate::encode::Codec;

const TEXTS: &[u8] = b"name=virtio_blk\0alias=virtio:d00000002v*\0depends=virtio,virtio-ring\0";

#[test]
fn a_module_is_read_whatever_its_compression() {
    let plain = module(TEXTS);
    assert_eq!(section(&plain, ".modinfo").unwrap(), Some((64, TEXTS.len() as u64)));
    assert_eq!(section(&plain, ".mod").unwrap(), None);
    assert_eq!(section(&plain, ".modinfo2").unwrap(), None);
    for codec in [Codec::None, Codec::Gzip, Codec::Zstd, Codec::Xz] {
        let file = compressed(codec, &plain);
        let read = Module::read(&file).unwrap();
        assert_eq!(read.depends, ["virtio", "virtio_ring"], "{codec:?}");
        assert_eq!(read.aliases, ["virtio:d00000002v*"]);
        assert_eq!(uncompressed(&file).unwrap(), plain);
    }
}

#[test]
fn hostile_modules_are_errors() {
    let bytes = module(TEXTS);
    let expected = Module::read(&bytes).unwrap();
    for len in 0..bytes.len() {
        assert!(Module::read(&bytes[..len].to_vec()).is_err(), "{len}");
    }
    for at in (0..64).chain(bytes.len() - 3 * 64..bytes.len()) {
        for flip in [1, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            // Fields that are not read, and a section that starts or ends elsewhere in the texts.
            if let Ok(module) = Module::read(&damaged) {
                assert!(module.aliases.len() <= expected.aliases.len(), "{at}");
            }
        }
    }
    let error = Module::read(&b"\x7fELF".to_vec()).unwrap_err().to_string();
    assert!(error.contains("ELF identification"), "{error}");
    let error = Module::read(&compressed(Codec::Xz, &bytes)[..60].to_vec()).unwrap_err();
    assert!(error.to_string().contains("expected a valid xz file"), "{error}");
}
