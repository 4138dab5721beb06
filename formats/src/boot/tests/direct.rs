//! Folders for direct boot.

use super::handmade::{arm64_image, bzimage, compressed, elf};
use crate::blob::{BlobStore, MemoryStore};
use crate::boot::direct::{Direct, Drive, Machine, write};
use crate::boot::kernel::Kernel;
use crate::encode::Codec;
use crate::format::{Artifact, WriteError};
use crate::rope::Rope;

fn folder(store: &MemoryStore, kernel: &[u8], cmdline: &str) -> Result<Artifact, WriteError> {
    let linux = Rope::from(store.put(kernel).unwrap());
    let kernel = Kernel::of_rope(&linux, store).unwrap();
    let initrd = Rope::from(b"initrd".to_vec());
    let drives = [Drive {
        id: "root".into(),
        path: "../hello.raw".into(),
        is_root_device: false,
        is_read_only: true,
    }];
    let machine = Machine { processors: 2, memory: 256 };
    let (linux, kernel, initrd, drives) = (&linux, &kernel, &initrd, &drives);
    write(&Direct { linux, kernel, initrd, cmdline, drives, machine }, store)
}

fn files(store: &MemoryStore, artifact: &Artifact) -> Vec<(String, Vec<u8>)> {
    let bytes = |rope: &Rope| rope.to_vec(store).unwrap();
    artifact.files.iter().map(|file| (file.path.clone(), bytes(&file.rope))).collect()
}

#[test]
fn has_the_kernel_in_both_forms() {
    let store = MemoryStore::new();
    let kernel = bzimage(&compressed(Codec::Xz, &elf()));
    let artifact = folder(&store, &kernel, "console=ttyS0 rw").unwrap();
    let config = r#"{
  "boot-source": {
    "kernel_image_path": "vmlinux",
    "initrd_path": "initrd",
    "boot_args": "console=ttyS0 rw"
  },
  "drives": [
    {
      "drive_id": "root",
      "path_on_host": "../hello.raw",
      "is_root_device": false,
      "is_read_only": true
    }
  ],
  "machine-config": {
    "vcpu_count": 2,
    "mem_size_mib": 256
  }
}
"#;
    let expected = [
        ("cmdline".into(), b"console=ttyS0 rw\n".to_vec()),
        ("firecracker.json".into(), config.as_bytes().to_vec()),
        ("initrd".into(), b"initrd".to_vec()),
        ("vmlinux".into(), elf()),
        ("vmlinuz".into(), kernel),
    ];
    assert_eq!(files(&store, &artifact), expected);
}

#[test]
fn a_kernel_for_arm_is_there_once_and_unpacked() {
    let store = MemoryStore::new();
    let artifact = folder(&store, &compressed(Codec::Gzip, &arm64_image()), "").unwrap();
    let files = files(&store, &artifact);
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["cmdline", "firecracker.json", "initrd", "vmlinuz"]);
    assert_eq!(files[3].1, arm64_image());
    assert!(String::from_utf8_lossy(&files[1].1).contains(r#""kernel_image_path": "vmlinuz""#));
}

#[test]
fn what_cannot_be_started_is_refused() {
    let store = MemoryStore::new();
    let rows = [
        (compressed(Codec::Gzip, &elf()), "a\nb", "cmdline: expected printable ASCII"),
        (compressed(Codec::Gzip, &elf()), &*"x".repeat(3000), "at most 2047"),
        (b"BZh9".to_vec(), "", "vmlinuz: kernel at offset 2048: expected a kernel compressed"),
    ];
    for (payload, cmdline, expected) in rows {
        let error = folder(&store, &bzimage(&payload), cmdline).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
