//! Kernels in every form.

use super::handmade::{arm64_image, bzimage, compressed, elf, pe_headers, put};
use crate::blob::{BlobStore, MemoryStore};
use crate::boot::Architecture;
use crate::boot::kernel::{Efi, Form, Kernel};
use crate::encode::Codec;
use crate::format::ReadError;
use crate::rope::Rope;

fn unpack(bytes: &[u8]) -> Result<Vec<u8>, ReadError> {
    let store = MemoryStore::new();
    let rope = Rope::from(store.put(bytes)?);
    let kernel = Kernel::of_rope(&rope, &store)?;
    Ok(kernel.unpack(&rope, &store)?.to_vec(&store)?)
}

#[test]
fn a_bzimage_says_what_it_is() {
    let payload = compressed(Codec::Zstd, &elf());
    let kernel = Kernel::read(&bzimage(&payload)).unwrap();
    assert_eq!(kernel.architecture, Architecture::X86_64);
    assert_eq!(kernel.release.as_deref(), Some("6.1.0-test"));
    assert_eq!(kernel.efi, Some(Efi { size_of_image: 0x0001_0000, is_signed: false }));
    assert_eq!(kernel.cmdline_max(), Some(2047));
    let Form::BzImage(setup) = kernel.form else { panic!("{:?}", kernel.form) };
    assert_eq!((setup.protocol, setup.setup_len), (0x020f, 1536));
    assert_eq!(setup.payload, Some(2048..2048 + payload.len() as u64));
}

#[test]
fn the_kernel_in_a_bzimage_is_found() {
    for codec in [Codec::Gzip, Codec::Zstd, Codec::Xz] {
        let mut payload = compressed(codec, &elf());
        // The size before compression, which all but gzip lack and the kernel wants.
        payload.extend(u32::try_from(elf().len()).unwrap().to_le_bytes());
        assert_eq!(unpack(&bzimage(&payload)).unwrap(), elf(), "{codec:?}");
    }
    let mut legacy = b"\x02\x21\x4c\x18\x06\0\0\0\x50\x7fELF!".to_vec();
    assert_eq!(unpack(&bzimage(&legacy)).unwrap(), b"\x7fELF!");
    legacy.extend([5, 0, 0, 0]);
    assert_eq!(unpack(&bzimage(&legacy)).unwrap(), b"\x7fELF!");
}

#[test]
fn a_kernel_that_cannot_be_unpacked_says_why() {
    let rows: [(&[u8], &str); 5] = [
        (b"BZh91AY&SY", "expected a kernel compressed with gzip, zstd, xz or lz4, found bzip2"),
        (&[0x5d, 0, 0, 0, 4, 0], "found lzma"),
        (b"what", "found `what`"),
        (&compressed(Codec::Gzip, b"no kernel at all"), "expected an ELF file, compressed"),
        (&compressed(Codec::Xz, &elf())[..100], "expected a valid xz stream"),
    ];
    for (payload, expected) in rows {
        let error = unpack(&bzimage(payload)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn kernels_for_arm_are_known_in_every_form() {
    let image = arm64_image();
    let kernel = Kernel::read(&image).unwrap();
    let expected = (Architecture::Aarch64, Form::Image, None);
    assert_eq!((kernel.architecture, kernel.form, kernel.efi), expected);
    assert_eq!(unpack(&image).unwrap(), image);

    let packed = compressed(Codec::Gzip, &image);
    assert_eq!(Kernel::read(&packed).unwrap().form, Form::GzipImage);
    assert_eq!(unpack(&packed).unwrap(), image);

    let mut zboot = vec![0; 1024];
    put(&mut zboot, 0, b"MZ\0\0zimg");
    put(&mut zboot, 8, &1024_u32.to_le_bytes());
    put(&mut zboot, 12, &u32::try_from(packed.len()).unwrap().to_le_bytes());
    put(&mut zboot, 24, b"gzip");
    put(&mut zboot, 60, &64_u32.to_le_bytes());
    pe_headers(&mut zboot, 64, 0xaa64, 160);
    zboot.extend(&packed);
    let kernel = Kernel::read(&zboot).unwrap();
    assert_eq!(kernel.form, Form::Zboot(1024..zboot.len() as u64));
    assert!(kernel.efi.is_some());
    assert_eq!(unpack(&zboot).unwrap(), image);
}

#[test]
fn what_is_no_kernel_is_refused() {
    let mut old = bzimage(b"");
    put(&mut old, 0x206, &0x0203_u16.to_le_bytes());
    let mut narrow = bzimage(b"");
    narrow[0x236] = 0;
    let mut outside = bzimage(b"x");
    put(&mut outside, 0x24c, &u32::MAX.to_le_bytes());
    let mut other = bzimage(b"");
    put(&mut other, 64 + 4, &0xaa64_u16.to_le_bytes());
    let rows = [
        (Vec::new(), "expected a bzImage"),
        (b"#!/bin/sh\n".to_vec(), "found `#!/bin/s`"),
        (compressed(Codec::Gzip, b"text"), "with an arm64 Image in it"),
        (old, "expected boot protocol 2.06 or later, found 2.03"),
        (narrow, "expected a 64-bit kernel"),
        (outside, "kernel at offset 584: expected a place within"),
        (other, "expected a PE header for x86_64, found machine 0xaa64"),
    ];
    for (bytes, expected) in rows {
        let error = Kernel::read(&bytes).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn hostile_kernels_are_errors() {
    let bytes = bzimage(&compressed(Codec::Gzip, &elf()));
    let end = bytes.len() - 512;
    for len in 0..end {
        assert!(unpack(&bytes[..len]).is_err(), "{len}");
    }
    for at in 0..0x420 {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x81;
        if let Ok(unpacked) = unpack(&damaged) {
            assert_eq!(unpacked, elf(), "{at}");
        }
    }
}
