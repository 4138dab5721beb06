//! Unified kernel images.

use super::handmade::{bzimage, elf, put, section, stub};
use crate::blob::{BlobStore, MemoryStore};
use crate::boot::kernel::Kernel;
use crate::boot::pe::Image;
use crate::boot::uki::{Parts, Stub, Uki, place, read};
use crate::digest::Digest;
use crate::format::WriteError;
use crate::rope::Rope;

const X86_64: u16 = 0x8664;
const AARCH64: u16 = 0xaa64;

/// A kernel, and an initrd whose length is no multiple of anything.
fn parts(store: &MemoryStore) -> (Rope, Rope, Kernel) {
    let linux = Rope::from(store.put(&bzimage(&elf())).unwrap());
    let initrd = Rope::from(store.put(&[5; 1001]).unwrap());
    let kernel = Kernel::of_rope(&linux, store).unwrap();
    (linux, initrd, kernel)
}

fn image(store: &MemoryStore, stub_bytes: Vec<u8>, cmdline: &str) -> Result<Uki, WriteError> {
    let (linux, initrd, kernel) = parts(store);
    let stub = Stub::parse(stub_bytes).unwrap();
    let os_release = Some("ID=test\n");
    let (initrd, linux, kernel) = (Some(&initrd), &linux, &kernel);
    Uki::new(&stub, &Parts { os_release, cmdline, initrd, linux, kernel })
}

#[test]
fn sections_are_found_again_where_they_are() {
    let store = MemoryStore::new();
    let (linux, initrd, kernel) = parts(&store);
    let uki = image(&store, stub(X86_64), "console=ttyS0 rw").unwrap();
    let bytes = uki.rope.to_vec(&store).unwrap();
    assert_eq!(read(&bytes).unwrap(), uki.sections);
    let section = |name: &str| {
        let range = uki.section(name).unwrap();
        assert_eq!(range.start % 512, 0, "{name}");
        uki.rope.slice(range.clone()).to_vec(&store).unwrap()
    };
    assert_eq!(section(".osrel"), b"ID=test\n");
    assert_eq!(section(".cmdline"), b"console=ttyS0 rw");
    assert_eq!(section(".uname"), b"6.1.0-test");
    assert_eq!(section(".initrd"), initrd.to_vec(&store).unwrap());
    assert_eq!(section(".linux"), linux.to_vec(&store).unwrap());

    let headers = Image::read(&bytes).unwrap();
    let linux = headers.sections.last().unwrap();
    assert_eq!(linux.name, ".linux");
    assert_eq!(linux.virtual_size, kernel.efi.unwrap().size_of_image);
    assert_eq!(headers.size_of_image, linux.virtual_address + linux.virtual_size);
    for pair in headers.sections.windows(2) {
        assert!(pair[0].virtual_address + pair[0].virtual_size <= pair[1].virtual_address);
        assert_eq!(pair[1].virtual_address % 4096, 0);
    }
    // The checksum of the stub is no longer true.
    assert_eq!(bytes[64 + 24 + 64..][..4], [0; 4]);
}

#[test]
fn bytes_do_not_move() {
    let store = MemoryStore::new();
    let bytes = image(&store, stub(X86_64), "ro").unwrap().rope.to_vec(&store).unwrap();
    let pinned = "sha256:51d319985e4e8ad73de2309e82e19a831040f4df57dba78463ff29feb3e154f4";
    assert_eq!(Digest::of(&bytes).to_string(), pinned);
}

#[test]
fn what_is_empty_is_left_out_and_symbols_are_cut_off() {
    let store = MemoryStore::new();
    let mut with_symbols = stub(X86_64);
    put(&mut with_symbols, 64 + 12, &1536_u32.to_le_bytes());
    put(&mut with_symbols, 64 + 16, &3_u32.to_le_bytes());
    with_symbols.extend([9; 100]);
    let bytes = image(&store, with_symbols, "").unwrap().rope.to_vec(&store).unwrap();
    let headers = Image::read(&bytes).unwrap();
    assert_eq!(headers.symbols, (0, 0));
    assert!(headers.section(".cmdline").is_none());
    assert_eq!(headers.section(".osrel").unwrap().offset, 1536);
    assert!(place(&read(&bytes).unwrap(), ".cmdline").is_none());
}

#[test]
fn a_stub_must_be_plain_and_have_room() {
    let refused = |change: &dyn Fn(&mut Vec<u8>), expected: &str| {
        let mut bytes = stub(X86_64);
        change(&mut bytes);
        let error = Stub::parse(bytes).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    refused(&|bytes| put(bytes, 64 + 24 + 112 + 36, &[8, 0, 0, 0]), "it is signed");
    refused(&|bytes| put(bytes, 64 + 24 + 68, &[3, 0]), "expected an EFI application");
    refused(&|bytes| put(bytes, 64 + 4, &[0x4c, 1]), "neither x86_64 nor aarch64");
    refused(&|bytes| put(bytes, 64 + 24 + 240, b".linux"), "it has a section .linux already");
    refused(&|bytes| put(bytes, 64 + 12, &[1, 0, 0, 0, 1]), "its symbols");

    let store = MemoryStore::new();
    let mut full = stub(X86_64);
    let table = 64 + 24 + 240;
    for number in 1..14 {
        section(&mut full, table + number * 40, b".more", [0; 4]);
    }
    put(&mut full, 64 + 6, &14_u16.to_le_bytes());
    let error = image(&store, full, "ro").unwrap_err().to_string();
    assert!(error.contains("room for 3 more section headers, expected room for 5"), "{error}");
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let store = MemoryStore::new();
    let refused = |machine, cmdline: &str, expected: &str| {
        let error = image(&store, stub(machine), cmdline).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    refused(AARCH64, "", "it is for aarch64, the kernel for x86_64");
    refused(X86_64, "a\nb", "expected printable ASCII in one line");
    refused(X86_64, &"x".repeat(2048), "at most 2047");

    let (linux, _, mut kernel) = parts(&store);
    kernel.efi = None;
    let stub = Stub::parse(stub(X86_64)).unwrap();
    let parts =
        Parts { os_release: None, cmdline: "", initrd: None, linux: &linux, kernel: &kernel };
    let error = Uki::new(&stub, &parts).unwrap_err().to_string();
    assert!(error.contains("no EFI stub"), "{error}");
}

#[test]
fn an_image_of_four_gibibytes_is_refused() {
    let store = MemoryStore::new();
    let (linux, _, kernel) = parts(&store);
    let mut initrd = Rope::new();
    initrd.push_zeros(u64::from(u32::MAX) - 0x1_0000);
    let stub = Stub::parse(stub(X86_64)).unwrap();
    let initrd = Some(&initrd);
    let parts = Parts { os_release: None, cmdline: "", initrd, linux: &linux, kernel: &kernel };
    let error = Uki::new(&stub, &parts).unwrap_err();
    assert!(matches!(error, WriteError::Limit { .. }), "{error}");
}

#[test]
fn a_section_without_bytes_is_nowhere() {
    let store = MemoryStore::new();
    let mut bytes = image(&store, stub(X86_64), "ro").unwrap().rope.to_vec(&store).unwrap();
    // The fifth section header: those before it are .text, .osrel, .cmdline and .uname.
    let initrd = 64 + 24 + 240 + 4 * 40;
    assert_eq!(bytes[initrd..initrd + 7], *b".initrd");
    put(&mut bytes, initrd + 16, &[0, 0, 0, 0, 0, 0, 0, 0x7f]);
    let sections = read(&bytes).unwrap();
    assert!(place(&sections, ".initrd").is_none() && place(&sections, ".linux").is_some());
}

#[test]
fn hostile_images_are_errors() {
    let store = MemoryStore::new();
    let bytes = image(&store, stub(X86_64), "ro").unwrap().rope.to_vec(&store).unwrap();
    for len in 0..bytes.len() - 512 {
        assert!(read(&bytes[..len].to_vec()).is_err(), "{len}");
    }
    for at in 0..600 {
        for bit in [1, 0x80] {
            let mut damaged = bytes.clone();
            damaged[at] ^= bit;
            // Most of the headers are not read; what matters is that it ends.
            if let Ok(sections) = read(&damaged) {
                assert!(sections.iter().all(|place| place.range.end <= damaged.len() as u64));
            }
        }
    }
}
