//! Machines and what they are made from; what QEMU makes of them is for `testdata/consumers`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use bake_formats::rope::Rope;
use bake_formats::vm::gpt::{self, Partition, Table, kinds};
use bake_formats::vm::{Guid, qcow2};

use super::*;

const MIB: u64 = 1 << 20;

fn words(machine: &Machine) -> String {
    let words = machine.arguments();
    words.join(&OsString::from(" ")).into_string().unwrap()
}

fn disk(path: &str) -> Drive {
    Drive { path: path.into(), container: Container::Qcow2, access: Access::Throwaway }
}

fn machine() -> Machine {
    Machine {
        architecture: Architecture::Amd64,
        accelerator: Accelerator::Tcg,
        memory: 1024,
        cpus: 2,
        start: Start::Firmware(Firmware::Bios),
        drives: vec![disk("/disk.qcow2")],
        ports: Vec::new(),
        strings: Vec::new(),
        console: Console::Terminal,
        more: Vec::new(),
    }
}

#[test]
fn a_machine_with_a_bios() {
    assert_eq!(
        words(&machine()),
        "-nodefaults -no-user-config -nographic -machine q35,smm=off -accel tcg,thread=multi \
         -cpu max -m 1024 -smp 2 -device virtio-rng-pci -serial mon:stdio \
         -drive if=none,id=disk0,format=qcow2,snapshot=on,cache=unsafe,file=/disk.qcow2 \
         -device virtio-blk-pci,drive=disk0,bootindex=0 -netdev user,id=network \
         -device virtio-net-pci,netdev=network,romfile="
    );
}

#[test]
fn a_machine_with_everything() {
    let firmware = Firmware::Uefi { code: "/code,4M.fd".into(), variables: "/variables.fd".into() };
    let seed =
        Drive { path: "/a,b/seed".into(), container: Container::Raw, access: Access::ReadOnly };
    let kept = Drive { path: "/kept".into(), container: Container::Qcow2, access: Access::Kept };
    let machine = Machine {
        architecture: Architecture::Arm64,
        accelerator: Accelerator::Kvm,
        start: Start::Firmware(firmware),
        drives: vec![kept, seed],
        ports: vec!["8080:80".parse().unwrap(), "2222:22".parse().unwrap()],
        strings: vec!["/secret,1".into()],
        console: Console::Output,
        more: vec!["-S".into()],
        ..machine()
    };
    assert_eq!(
        words(&machine),
        "-nodefaults -no-user-config -nographic -machine virt -accel kvm -cpu host -m 1024 -smp 2 \
         -device virtio-rng-pci -serial stdio -no-reboot \
         -drive if=pflash,format=raw,readonly=on,unit=0,file=/code,,4M.fd \
         -drive if=pflash,format=raw,snapshot=on,unit=1,file=/variables.fd \
         -drive if=none,id=disk0,format=qcow2,discard=unmap,file=/kept \
         -device virtio-blk-pci,drive=disk0,bootindex=0 \
         -drive if=none,id=disk1,format=raw,readonly=on,file=/a,,b/seed \
         -device virtio-blk-pci,drive=disk1 \
         -netdev user,id=network,hostfwd=tcp:127.0.0.1:8080-:80,hostfwd=tcp:127.0.0.1:2222-:22 \
         -device virtio-net-pci,netdev=network,romfile= -smbios type=11,path=/secret,,1 -S"
    );
}

#[test]
fn a_machine_that_boots_directly() {
    let folder = tempfile::tempdir().unwrap();
    let root = fs_err::canonicalize(folder.path()).unwrap();
    let error = Direct::open(&root).unwrap_err().to_string();
    assert!(error.ends_with("has no file `vmlinuz`"), "{error}");
    for (name, text) in [("vmlinuz", "k"), ("initrd", "i"), ("cmdline", "root=/dev/vda ro\n")] {
        fs_err::write(root.join(name), text).unwrap();
    }
    let direct = Direct::open(&root).unwrap();
    assert_eq!(direct.disk, None);
    fs_err::write(root.join("disk.raw"), [0; 512]).unwrap();
    assert_eq!(Direct::open(&root).unwrap().disk, Some(root.join("disk.raw")));
    let machine = Machine { start: Start::Direct(direct), ..machine() };
    let root = root.display();
    let expected = format!(
        "-kernel {root}/vmlinuz -initrd {root}/initrd -append root=/dev/vda ro -drive if=none"
    );
    let words = words(&machine);
    assert!(words.contains(&expected), "{words}");
    assert!(!words.contains("bootindex"), "{words}");
}

#[test]
fn ports_are_two_numbers() {
    assert_eq!("8080:80".parse(), Ok(Port { host: 8080, guest: 80 }));
    for text in ["", "80", "0:80", "80:0", "65536:1", "1:2:3", "a:b", "127.0.0.1:80:80"] {
        text.parse::<Port>().unwrap_err();
    }
}

#[test]
fn credentials_come_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    fs_err::write(&file, b"s3cret\n\0").unwrap();
    let text = format!("db.password=@{}", file.display());
    let credential: Credential = text.parse().unwrap();
    let written = credential.write(folder.path()).unwrap();
    assert_eq!(
        fs_err::read_to_string(written).unwrap(),
        "io.systemd.credential.binary:db.password=czNjcmV0CgA="
    );
    for text in ["password=s3cret", "s3cret", "=@/s3cret", "../s3cret=@/x", "a b=@s3cret"] {
        let error = text.parse::<Credential>().unwrap_err();
        assert!(!error.contains("s3cret"), "{error}");
    }
    fs_err::write(&file, vec![0; 32 * 1024 + 1]).unwrap();
    let error = credential.write(folder.path()).unwrap_err().to_string();
    assert!(
        error.ends_with(
            "has 32769 bytes; a credential may have at most 32768 in a machine's tables"
        ),
        "{error}"
    );
}

#[test]
fn containers_are_told_by_their_bytes() {
    let padded = |bytes: &[u8]| {
        let mut file = vec![0; 2048];
        file[..bytes.len()].copy_from_slice(bytes);
        file
    };
    let mut fixed = padded(b"");
    fixed[1536..1544].copy_from_slice(b"conectix");
    let cases = [
        (padded(b"QFI\xfb\0\0\0\x03"), Container::Qcow2),
        (padded(b"KDMV\x03\0\0\0"), Container::Vmdk),
        (padded(b"vhdxfile"), Container::Vhdx),
        (padded(b"conectix"), Container::Vhd),
        (fixed, Container::Vhd),
        (padded(b"\xeb\x63"), Container::Raw),
        (Vec::new(), Container::Raw),
        (b"QFI".to_vec(), Container::Raw),
    ];
    for (bytes, expected) in cases {
        assert_eq!(Container::detect(&bytes).unwrap(), expected);
    }
}

/// A disk of 64 MiB with partitions of these kinds.
fn partitioned(kinds: &[Guid]) -> Rope {
    let partitions = (1..).zip(kinds).map(|(number, kind)| Partition {
        name: format!("part{number}"),
        kind: *kind,
        guid: Guid::derive("test", &[&number.to_string()]),
        start: number * MIB,
        len: MIB,
        attributes: 0,
    });
    let table = Table {
        guid: Guid::derive("test", &[]),
        boot_code: None,
        partitions: partitions.collect(),
    };
    let (head, tail) = gpt::write(&table, 64 * MIB).unwrap();
    let middle = 64 * MIB - head.len() as u64 - tail.len() as u64;
    let mut rope = Rope::from(head);
    rope.push_zeros(middle);
    rope.push_bytes(&tail);
    rope
}

fn write(path: &Path, rope: &Rope) -> PathBuf {
    let bytes = rope.to_vec(&bake_formats::blob::MemoryStore::new()).unwrap();
    fs_err::write(path, bytes).unwrap();
    fs_err::canonicalize(path).unwrap()
}

#[test]
fn a_partition_table_tells_architecture_and_firmware() {
    let folder = tempfile::tempdir().unwrap();
    let arm = partitioned(&[kinds::ESP, kinds::ROOT_ARM64]);
    let raw = write(&folder.path().join("raw"), &arm);
    let packed = write(&folder.path().join("qcow2"), &qcow2::write(&arm).unwrap());
    for path in [raw, packed] {
        let table = Image::open(&path).unwrap().table().unwrap().unwrap();
        assert_eq!(Architecture::of(&table), Some(Architecture::Arm64));
    }
    let bios = partitioned(&[kinds::BIOS_BOOT, kinds::ROOT_X86_64]);
    let image = Image::open(&write(&folder.path().join("bios"), &bios)).unwrap();
    assert_eq!(Architecture::of(&image.table().unwrap().unwrap()), Some(Architecture::Amd64));
    let firmware = Firmware::fitting(&image, Architecture::Amd64).unwrap();
    assert_eq!(firmware, Firmware::Bios);
}

/// An empty qcow2 that stands on another file.
fn overlay(name: &[u8]) -> Vec<u8> {
    let rope = qcow2::write(&partitioned(&[])).unwrap();
    let mut bytes = rope.to_vec(&bake_formats::blob::MemoryStore::new()).unwrap();
    let offset = 512_u64;
    bytes[8..16].copy_from_slice(&offset.to_be_bytes());
    bytes[16..20].copy_from_slice(&u32::try_from(name.len()).unwrap().to_be_bytes());
    bytes[512..512 + name.len()].copy_from_slice(name);
    bytes
}

#[test]
fn overlays_stand_on_files_only() {
    let folder = tempfile::tempdir().unwrap();
    let base = write(&folder.path().join("base"), &partitioned(&[kinds::ESP]));
    let path = folder.path().join("overlay");
    for name in ["base", "./base", &base.display().to_string()] {
        fs_err::write(&path, overlay(name.as_bytes())).unwrap();
        let image = Image::open(&path).unwrap();
        assert_eq!(image.base.as_deref(), Some(&Image::open(&base).unwrap()));
        assert_eq!(image.table().unwrap().unwrap().partitions.len(), 1);
    }
    for name in ["nbd:localhost:1", "json:{}", "ssh://a/b", "\0", "\u{fffd}\0"] {
        fs_err::write(&path, overlay(name.as_bytes())).unwrap();
        let error = Image::open(&path).unwrap_err().to_string();
        assert!(error.ends_with("expected the name of a file"), "{error}");
    }
    fs_err::write(&path, overlay(b"overlay")).unwrap();
    let error = Image::open(&path).unwrap_err().to_string();
    assert!(error.ends_with("stands on more than 16 files"), "{error}");
    fs_err::write(&path, overlay(b"gone")).unwrap();
    let error = Image::open(&path).unwrap_err().to_string();
    assert!(error.contains("gone"), "{error}");
}

#[test]
fn changes_are_kept_in_an_overlay_of_the_same_disk_only() {
    let folder = tempfile::tempdir().unwrap();
    let disk = write(&folder.path().join("disk"), &partitioned(&[]));
    let disk = Image::open(&disk).unwrap();
    let path = folder.path().join("kept");
    fs_err::write(&path, overlay(b"disk")).unwrap();
    assert_eq!(keep(&disk, &path).unwrap().base.as_deref(), Some(&disk));
    write(&folder.path().join("other"), &partitioned(&[kinds::ESP]));
    fs_err::write(&path, overlay(b"other")).unwrap();
    let error = keep(&disk, &path).unwrap_err().to_string();
    assert!(error.contains("is an overlay of") && error.contains("other`, expected"), "{error}");
    let error = keep(&disk, &disk.path).unwrap_err().to_string();
    assert!(error.contains("is not an overlay, expected"), "{error}");
}

#[test]
fn a_folder_becomes_a_seed() {
    use bake_formats::input::ReadAt;
    use bake_formats::vm::fat::FatReader;

    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    fs_err::create_dir_all(config.join("bake/config")).unwrap();
    fs_err::write(config.join("user-data"), "#cloud-config\n").unwrap();
    fs_err::write(config.join("bake/config/app.toml"), "port = 1\n").unwrap();
    let volume = |name: &str| {
        let path = folder.path().join(name);
        seed(&config, &path).unwrap();
        fs_err::read(path).unwrap()
    };
    let first = volume("one");
    assert_eq!(first, volume("two"));
    let reader = FatReader::open(std::sync::Arc::new(first) as std::sync::Arc<dyn ReadAt>).unwrap();
    let tree = reader.tree().unwrap();
    let paths: Vec<String> = tree.iter().map(|(path, _)| path.to_string()).collect();
    for path in ["user-data", "meta-data", "bake/config/app.toml"] {
        assert!(paths.iter().any(|found| found.ends_with(path)), "{paths:?}");
    }
}

#[test]
fn a_seed_that_is_too_large_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = fs_err::File::create(folder.path().join("user-data")).unwrap();
    file.set_len((16 << 20) + 1).unwrap();
    let error = seed(folder.path(), &folder.path().join("seed")).unwrap_err().to_string();
    assert!(error.contains("is more than a seed"), "{error}");
}
