//! Where fuzzing starts from: small artifacts of every kind, made by this crate's own writers.

use super::entries;
use bake_formats::archive::{ar, cpio, tar};
use bake_formats::blob::{Blob, BlobStore, MemoryStore};
use bake_formats::encode::{Codec, Compression, Encoder, NoCache, decoder};
use bake_formats::format::{Epoch, Format, WriteCx};
use bake_formats::rope::Rope;
use bake_formats::tree::{
    Content, Entry, FileTree, Mark, Mode, Node, Owner, TreeBuilder, TreePath, capabilities,
};
use bake_formats::{boot, deb, oci, rpm, sysext, vm};

const EPOCH: Epoch = Epoch(1_600_000_000);

/// Anything that goes wrong here is the caller's own fault.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Returns the seeds of a target.
pub fn seeds(target: &str) -> Outcome<Vec<Vec<u8>>> {
    Ok(match target {
        "ar" => vec![ar_archive()?],
        "tar" => vec![tar_archive(tar::Dialect::Gnu)?, tar_archive(tar::Dialect::Pax)?],
        "cpio" => vec![cpio_archive()?, stripped_archive()?],
        "deb" | "deb_list" => debs()?,
        "deb_seal" => signed_debs()?,
        "deb_control" => CONTROL.map(Vec::from).to_vec(),
        "deb_relation" => RELATIONS.map(Vec::from).to_vec(),
        "rpm" | "rpm_list" => rpms()?,
        "rpm_seal" => signed_rpms()?,
        "rpm_header" => rpms()?.into_iter().map(|bytes| bytes[96..].to_vec()).collect(),
        "rpm_dependency" => DEPENDENCIES.map(Vec::from).to_vec(),
        "oci_archive" => vec![image_archive()?, saved_image()?],
        "oci_layout" => image_documents()?,
        "oci_record" => image_records()?,
        "oci_artifact" => artifacts()?,
        "ext4" => vec![entries::blocks(&disk::<vm::Raw>()?)],
        "sysext" => extensions()?,
        "gpt" => vec![partitions()?],
        "fat" => vec![volume()?],
        "qcow2" => qcow2_images()?,
        "vmdk" | "vhd" | "vhdx" | "ova" | "vagrant" | "gce" => containers(target)?,
        "elf" => programs(),
        "kernel" => kernels()?,
        "module" => vec![object()],
        "initrd" => initrds()?,
        "decoder" => compressed()?,
        "tree" => tree_texts()?,
        other => return Err(format!("no seeds for `{other}`").into()),
    })
}

const CONTROL: [&str; 2] = [
    "Package: app\nVersion: 1:2.0~rc1-1\nArchitecture: amd64\nMaintainer: A <a@example.com>\n\
     Depends: libc6 (>= 2.36), a | b\nDescription: an app\n of several lines\n .\n and more\n",
    "# a comment\nPackage: a\n\nPackage: b\nX-Long:\n one\n two\n",
];

const RELATIONS: [&str; 3] = [
    "libc6 (>= 2.36), python3:any | python3 (<< 4~), default-mta <!nocheck> | mta [amd64 !i386]",
    "1:2.3~rc1-1\n0.0.0\n1.0+b1-2\n2024.01.05-1~bpo12+1\na (= 1:1-1)",
    "debconf (>= 0.5) | debconf-2.0, a (>> 1), b (<= 2)",
];

const DEPENDENCIES: [&str; 2] = [
    "libc.so.6(GLIBC_2.34)(64bit)\n/bin/sh\napp = 1:2.0-1\napp(x86-64) >= 1.0~rc1\nfoo < 3",
    "(foo >= 1.0 if bar)\n(a and b or c)\nconfig(app) = 1.0-1\nrpmlib(FileDigests) <= 4.6.0-1",
];

fn file(store: &MemoryStore, bytes: &[u8], mode: u32) -> Outcome<Entry> {
    store.put(bytes)?;
    Ok(Entry::file(Content::of(bytes), Mode::new(mode)?))
}

/// A tree with one of everything that all formats can carry.
fn file_tree(store: &MemoryStore) -> Outcome<FileTree> {
    let mut builder = TreeBuilder::new();
    let path = TreePath::parse;
    builder.insert(path("/usr/bin/app")?, file(store, b"#!/bin/sh\necho app\n", 0o755)?)?;
    let link = Node::HardLink(path("/usr/bin/app")?);
    builder.insert(path("/usr/bin/same")?, Entry::new(link, Mode::PLAIN))?;
    builder.insert(path("/usr/bin/link")?, Entry::symlink("app"))?;
    let name = format!("/usr/lib/app/{}", "long".repeat(40));
    builder.insert(path(&name)?, file(store, &[7; 3000], 0o4755)?)?;
    let mut config = file(store, b"key = value\n", 0o640)?;
    config.mark = Mark::Config;
    config.group = Owner::new("app", 12_345);
    builder.insert(path("/etc/app/app.conf")?, config)?;
    builder.insert(path("/usr/lib/app/empty")?, Entry::directory())?;
    Ok(builder.finish()?)
}

fn artifact<F: Format>(model: &F::Model) -> Outcome<Vec<u8>> {
    artifact_of::<F>(model, |_| true)
}

fn artifact_of<F: Format>(model: &F::Model, keep: impl Fn(&TreePath) -> bool) -> Outcome<Vec<u8>> {
    let store = MemoryStore::new();
    let tree = file_tree(&store)?.filter(|path, _| keep(path))?;
    let encoder = Encoder::new(&store, &NoCache, 1);
    let cx = WriteCx { blobs: &store, encoder: &encoder, epoch: EPOCH };
    let artifact = F::write(model, &tree, &cx)?;
    let file = artifact.files.first().ok_or("an artifact has a file")?;
    Ok(file.rope.to_vec(&store)?)
}

fn ar_archive() -> Outcome<Vec<u8>> {
    let mut writer = ar::ArWriter::new("deb", EPOCH);
    writer.append("debian-binary", &Rope::from(b"2.0\n".to_vec()))?;
    writer.append("data.tar", &Rope::from(b"odd".to_vec()))?;
    Ok(writer.finish().to_vec(&MemoryStore::new())?)
}

fn tar_archive(dialect: tar::Dialect) -> Outcome<Vec<u8>> {
    let store = MemoryStore::new();
    let options = tar::TarOptions {
        format: "tar",
        dialect,
        prefix: "./",
        epoch: EPOCH,
        symlinks: tar::SymlinkOrder::InTree,
        root: tar::Root::Listed,
    };
    Ok(tar::write(&file_tree(&store)?, options)?.to_vec(&store)?)
}

fn cpio_archive() -> Outcome<Vec<u8>> {
    let store = MemoryStore::new();
    let blob: Blob = store.put(b"content")?;
    let mut writer = cpio::Writer::new();
    let member = |name: &str, mode| cpio::Member {
        name: name.into(),
        mode,
        inode: 1,
        links: 1,
        ..cpio::Member::default()
    };
    writer.push(&member("./usr", 0o040_755), cpio::Body::Empty)?;
    writer.push(&member("./usr/link", 0o120_777), cpio::Body::Bytes(b"app"))?;
    writer.push(&member("./usr/app", 0o100_755), cpio::Body::Blob(blob))?;
    Ok(writer.finish().to_vec(&store)?)
}

fn stripped_archive() -> Outcome<Vec<u8>> {
    let mut writer = cpio::Writer::new();
    writer.push_stripped(3, cpio::Body::Bytes(b"abc"));
    writer.push_stripped(64, cpio::Body::Empty);
    Ok(writer.finish().to_vec(&MemoryStore::new())?)
}

const COMPRESSIONS: [Compression; 4] =
    [Compression::NONE, Compression::GZIP, Compression::ZSTD, Compression::XZ];

fn debs() -> Outcome<Vec<Vec<u8>>> {
    let mut package = deb::Package::new("app", "1.0-1".parse()?, "amd64");
    package.maintainer = "A <a@example.com>".into();
    package.synopsis = "an app".into();
    let mut all = Vec::new();
    for compression in COMPRESSIONS {
        package.compression = compression;
        all.push(artifact::<deb::Deb>(&package)?);
    }
    Ok(all)
}

fn rpms() -> Outcome<Vec<Vec<u8>>> {
    let mut package = rpm::Package::new("app", "1.0", "1", "x86_64");
    package.summary = "an app".into();
    package.description = "An app.".into();
    package.license = "MIT".into();
    let mut all = Vec::new();
    for compression in COMPRESSIONS {
        package.compression = compression;
        all.push(artifact::<rpm::Rpm>(&package)?);
    }
    Ok(all)
}

/// The frame of a signature by RSA: what readers look at before they compute anything.
const SIGNATURE: [u8; 15] = [0xc2, 13, 4, 0, 1, 8, 0, 0, 0, 0, 0xab, 0xcd, 0, 1, 1];

fn signed_debs() -> Outcome<Vec<Vec<u8>>> {
    let mut all = debs()?;
    let first = all.first_mut().ok_or("there is a deb")?;
    for role in [deb::Role::Origin, deb::Role::Maintainer] {
        first.extend(deb::Seal::member(role, &SIGNATURE, EPOCH)?);
    }
    Ok(all)
}

fn signed_rpms() -> Outcome<Vec<Vec<u8>>> {
    let store = MemoryStore::new();
    let mut all = rpms()?;
    for bytes in &mut all {
        let mut seal = rpm::Seal::read(bytes)?;
        seal.add(&SIGNATURE)?;
        let blob = store.put(bytes)?;
        *bytes = seal.patch()?.apply(blob).to_vec(&store)?;
    }
    Ok(all)
}

/// A program of 64 and one of 32 bits, each with a library, a version of it, and a symbol.
fn programs() -> Vec<Vec<u8>> {
    vec![program(true), program(false)]
}

/// Writes an ELF file that is loaded at address 0: headers, then the dynamic section, then tables.
fn program(wide: bool) -> Vec<u8> {
    let word = |value: u32| value.to_le_bytes().to_vec();
    let address =
        |value: u32| if wide { u64::from(value).to_le_bytes().to_vec() } else { word(value) };
    let (header, segment) = if wide { (64, 56) } else { (52, 32) };
    let strings = b"\0libc.so.6\0GLIBC_2.34\0puts\0libown.so.1\0";
    let dynamic_at = header + 2 * segment;
    let entries = 10 * if wide { 16 } else { 8 };
    let strings_at = dynamic_at + entries;
    let symbols_at = strings_at + 40;
    let symbol = if wide { 24 } else { 16 };
    let versions_at = symbols_at + 2 * symbol;
    let (numbers_at, hash_at) = (versions_at + 32, versions_at + 36);
    let end = hash_at + 20;
    let dynamic = [
        (1, 1),
        (14, 28),
        (5, strings_at),
        (10, 40),
        (6, symbols_at),
        (0x6fff_fffe, versions_at),
        (0x6fff_ffff, 1),
        (0x6fff_fff0, numbers_at),
        (4, hash_at),
        (0, 0),
    ];
    let mut file = vec![0x7f, b'E', b'L', b'F', if wide { 2 } else { 1 }, 1, 1];
    file.resize(16, 0);
    file.extend([3, 0, if wide { 62 } else { 3 }, 0, 1, 0, 0, 0]);
    file.extend([address(0), address(header), address(0), word(0)].concat());
    for half in [header, segment, 2, 0, 0, 0] {
        file.extend(&half.to_le_bytes()[..2]);
    }
    for (kind, at, len) in [(1, 0, end), (2, dynamic_at, entries)] {
        let places = [address(at), address(at), address(at), address(len), address(len)].concat();
        let fields =
            if wide { [word(kind), word(4), places] } else { [word(kind), places, word(4)] };
        file.extend(fields.concat());
        file.extend(address(8));
    }
    for (tag, value) in dynamic {
        file.extend([address(tag), address(value)].concat());
    }
    file.extend(strings);
    file.resize(symbols_at as usize, 0);
    file.resize(versions_at as usize, 0);
    // The second symbol: its name, and that it is global.
    let second = (symbols_at + symbol) as usize;
    file[second] = 23;
    file[second + if wide { 4 } else { 12 }] = 0x12;
    file.extend([1, 0, 1, 0, 1, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0]);
    file.extend([0, 0, 0, 0, 0, 0, 2, 0, 11, 0, 0, 0, 0, 0, 0, 0]);
    file.extend([0, 0, 2, 0]);
    file.extend([word(1), word(2), word(1), word(0), word(0)].concat());
    file
}

fn image() -> oci::Image {
    let (architecture, os) = ("amd64".into(), "linux".into());
    let platform = oci::Platform { architecture, os, variant: None };
    let mut image = oci::Image::new("app", "1.0", platform);
    image.compression = Compression::NONE;
    image.entrypoint = vec!["/usr/bin/app".into()];
    image
}

fn image_archive() -> Outcome<Vec<u8>> {
    artifact::<oci::Archive>(&image())
}

/// The documents of an image: its index, its manifest, its configuration.
fn image_documents() -> Outcome<Vec<Vec<u8>>> {
    let store = MemoryStore::new();
    let tree = file_tree(&store)?;
    let encoder = Encoder::new(&store, &NoCache, 1);
    let cx = WriteCx { blobs: &store, encoder: &encoder, epoch: EPOCH };
    let artifact = oci::Layout::write(&image(), &tree, &cx)?;
    let mut documents = Vec::new();
    for file in artifact.files {
        let bytes = file.rope.to_vec(&store)?;
        if bytes.starts_with(b"{") {
            documents.push(bytes);
        }
    }
    Ok(documents)
}

/// An archive as `docker save` wrote it: a list, a configuration, and a layer behind a link.
fn saved_image() -> Outcome<Vec<u8>> {
    let layer = tar_archive(tar::Dialect::Gnu)?;
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"diff_ids":["{}"],"type":"layers"}}}}"#,
        Blob::of(&layer).digest
    );
    let list = br#"[{"Config":"c.json","RepoTags":["app:1.0"],"Layers":["b/layer.tar"]}]"#;
    let store = MemoryStore::new();
    let mut builder = TreeBuilder::new();
    for (name, bytes) in
        [("a/layer.tar", &layer[..]), ("c.json", config.as_bytes()), ("manifest.json", &list[..])]
    {
        store.put(bytes)?;
        builder.insert(TreePath::parse(name)?, Entry::file(Content::of(bytes), Mode::PLAIN))?;
    }
    builder.insert(TreePath::parse("b/layer.tar")?, Entry::symlink("../a/layer.tar"))?;
    let options = tar::TarOptions {
        format: "docker-archive",
        dialect: tar::Dialect::Gnu,
        prefix: "",
        epoch: EPOCH,
        symlinks: tar::SymlinkOrder::InTree,
        root: tar::Root::Omitted,
    };
    Ok(tar::write(&builder.finish()?, options)?.to_vec(&store)?)
}

/// What images keep of their models, from scratch and on a base.
fn image_records() -> Outcome<Vec<Vec<u8>>> {
    let mut records = Vec::new();
    for document in image_documents()? {
        let document: serde_json::Value = serde_json::from_slice(&document)?;
        if let Some(record) = document["annotations"]["dev.bake.image"].as_str() {
            records.push(record.as_bytes().to_vec());
        }
    }
    let base = format!(
        r#"{{"accounts":{{"groups":[],"users":[]}},"adds_path":false,"base":{{"accounts":{{"groups":[{{"id":7,"name":"app"}}],"users":[]}},"layers":0,"manifest":{{"digest":"{}","mediaType":"application/vnd.oci.image.manifest.v1+json","size":1}}}},"compression":"none","layering":{{"rules":[{{"name":"lib","paths":["/usr/lib"]}}]}},"name":"app","own":{{"env":["PATH=/x:$PATH"],"platform":{{"architecture":"amd64","os":"linux"}},"user":"app"}},"state":[],"version":"1.0"}}"#,
        Blob::of(b"").digest
    );
    records.push(base.into_bytes());
    Ok(records)
}

/// A manifest of a file with a subject, and an index of it.
fn artifacts() -> Outcome<Vec<Vec<u8>>> {
    let subject = oci::Descriptor::new(oci::media_type::INDEX, Blob::of(b"image"));
    let artifact = oci::Artifact {
        artifact_type: "application/vnd.example.thing".into(),
        files: vec![oci::ArtifactFile {
            title: "a.deb".into(),
            media_type: "application/vnd.example.thing".into(),
            blob: Blob::of(b"a"),
            annotations: [("a.b".to_owned(), "c".to_owned())].into(),
        }],
        subject: Some(subject.clone()),
        annotations: [("x.y".to_owned(), "z".to_owned())].into(),
    };
    let manifest = artifact.manifest()?;
    let index = oci::ArtifactIndex {
        artifact_type: "application/vnd.example.release".into(),
        manifests: vec![manifest.descriptor],
        subject: Some(subject),
        annotations: artifact.annotations,
    };
    Ok(vec![manifest.bytes, index.index()?.bytes])
}

fn disk<F: Format<Model = vm::Disk>>() -> Outcome<Vec<u8>> {
    artifact::<F>(&vm::Disk {
        name: "app".into(),
        version: "1.0".into(),
        arch: "amd64".into(),
        size: vm::DiskSize::Minimal,
        label: Some("app".into()),
        tree_id: None,
        machine: None,
        compression: None,
        hardware: None,
    })
}

fn set(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// Writes the headers of an EFI program with one section: its size and its place.
fn efi_headers(bytes: &mut [u8], optional_len: u16, size: u32, place: u32) {
    let table = 64 + 24 + usize::from(optional_len);
    let numbers = [size, 0x1000, size, place].map(u32::to_le_bytes).concat();
    let rows: [(usize, &[u8]); 14] = [
        (0, b"MZ"),
        (60, &[64]),
        (64, b"PE"),
        (68, &0x8664_u16.to_le_bytes()),
        (70, &[1]),
        (84, &optional_len.to_le_bytes()),
        (88, &0x20b_u16.to_le_bytes()),
        (88 + 32, &512_u16.to_le_bytes()),
        (88 + 36, &512_u16.to_le_bytes()),
        (88 + 56, &0x8000_u16.to_le_bytes()),
        (88 + 68, &[10]),
        (88 + 108, &[5]),
        (table, b".text"),
        (table + 8, &numbers),
    ];
    for (at, value) in rows {
        set(bytes, at, value);
    }
}

/// A bzImage with its kernel in two blocks of LZ4, and an EFI program made of it.
fn kernels() -> Outcome<Vec<Vec<u8>>> {
    let payload = b"\x02\x21\x4c\x18\x09\0\0\0\x5f\x7fELF!\x01\0\x40\x09\0\0\0\x80compress";
    let mut image = vec![0; 2048];
    efi_headers(&mut image, 160, 1024, 1024);
    let rows: [(usize, &[u8]); 9] = [
        (0x1f1, &[1]),
        (0x1f4, &64_u32.to_le_bytes()),
        (0x202, b"HdrS\x0f\x02"),
        (0x20e, &0x100_u16.to_le_bytes()),
        (0x236, &[1]),
        (0x238, &2047_u32.to_le_bytes()),
        (0x24c, &[29]),
        (0x300, b"6.1.0-1 (a@b) #1"),
        (1024, payload),
    ];
    for (at, value) in rows {
        set(&mut image, at, value);
    }
    let mut stub = vec![0; 1536];
    efi_headers(&mut stub, 240, 512, 1024);
    let store = MemoryStore::new();
    let linux = Rope::from(store.put(&image)?);
    let kernel = boot::kernel::Kernel::of_rope(&linux, &store)?;
    let initrd = Rope::from(b"initrd".to_vec());
    let parts = boot::uki::Parts {
        os_release: Some("ID=app"),
        cmdline: "rw",
        initrd: Some(&initrd),
        linux: &linux,
        kernel: &kernel,
    };
    let uki = boot::uki::Uki::new(&boot::uki::Stub::parse(stub.clone())?, &parts)?;
    Ok(vec![image, stub, uki.rope.to_vec(&store)?])
}

/// A kernel module: an ELF object file with a section `.modinfo` and the names of sections.
fn object() -> Vec<u8> {
    let texts = b"alias=virtio:d2v*\0depends=virtio,ring\0softdep=pre: a post: b\0license=GPL\0";
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(64, 0);
    bytes.extend(texts);
    let names = bytes.len();
    bytes.extend(b"\0.modinfo\0.shstrtab\0");
    let table = bytes.len();
    for (name, at, len) in [(0, 0, 0), (1, 64, texts.len()), (10, names, 20)] {
        let mut header = [0; 64];
        header[..2].copy_from_slice(&[name, 0]);
        header[4] = 1;
        header[24..32].copy_from_slice(&(at as u64).to_le_bytes());
        header[32..40].copy_from_slice(&(len as u64).to_le_bytes());
        bytes.extend(header);
    }
    bytes[16] = 1;
    bytes[18] = 62;
    bytes[40..48].copy_from_slice(&(table as u64).to_le_bytes());
    bytes[58..64].copy_from_slice(&[64, 0, 3, 0, 2, 0]);
    bytes
}

/// A segment in every compression, and all of them one after another.
fn initrds() -> Outcome<Vec<Vec<u8>>> {
    let store = MemoryStore::new();
    let encoder = Encoder::new(&store, &NoCache, 1);
    let cx = WriteCx { blobs: &store, encoder: &encoder, epoch: EPOCH };
    let tree = file_tree(&store)?.filter(|_, entry| entry.xattrs.is_empty())?;
    let mut builder = TreeBuilder::new();
    builder.insert(TreePath::parse("/var/lib/app")?, Entry::directory())?;
    let additions = builder.finish()?;
    let mut all = Vec::new();
    for compression in COMPRESSIONS {
        let model = boot::initramfs::Initramfs {
            name: "app".into(),
            version: "1.0".into(),
            arch: "amd64".into(),
            compression,
            prefix: TreePath::parse("/bake/app")?,
            tree_id: Some(tree.id()),
            additions: additions.clone(),
        };
        let artifact = boot::initramfs::Cpio::write(&model, &tree, &cx)?;
        all.push(artifact.files[0].rope.to_vec(&store)?);
    }
    all.push(all.concat());
    Ok(all)
}

fn extensions() -> Outcome<Vec<Vec<u8>>> {
    let mut extension = sysext::Extension::new("app", "1.0");
    let usr = TreePath::parse("/usr")?;
    let alone = artifact_of::<sysext::Sysext>(&extension, |path| path.is_below(&usr))?;
    extension.release.architecture = Some("x86-64".into());
    extension.protection = sysext::Protection::Verity;
    let disk = artifact_of::<sysext::Sysext>(&extension, |path| path.is_below(&usr))?;
    Ok(vec![alone, entries::blocks(&disk)])
}

fn partitions() -> Outcome<Vec<u8>> {
    let partition = |number: u8, kind, start, len| vm::gpt::Partition {
        name: format!("part {number}"),
        kind,
        guid: vm::Guid([number; 16]),
        start,
        len,
        attributes: 0,
    };
    let partitions = vec![
        partition(1, vm::gpt::kinds::ESP, 34 * 512, 512),
        partition(2, vm::gpt::kinds::LINUX_DATA, 40 * 512, 1024),
    ];
    let table = vm::gpt::Table { guid: vm::Guid([9; 16]), boot_code: None, partitions };
    let (mut disk, tail) = vm::gpt::write(&table, 80 * 512)?;
    disk.resize(80 * 512 - tail.len(), 0);
    disk.extend(tail);
    Ok(disk)
}

fn volume() -> Outcome<Vec<u8>> {
    let store = MemoryStore::new();
    let mut builder = TreeBuilder::new();
    builder.insert(TreePath::parse("/EFI/BOOT/BOOTX64.EFI")?, file(&store, &[7; 3000], 0o644)?)?;
    builder.insert(TreePath::parse("/a long name")?, file(&store, b"text", 0o644)?)?;
    builder.insert(TreePath::parse("/empty")?, file(&store, b"", 0o644)?)?;
    let tree = builder.finish()?;
    let mut volume = vm::fat::Volume {
        format: "fat",
        label: Some("LABEL"),
        serial: 1,
        size: None,
        kind: vm::fat::Kind::Smallest,
        hidden_sectors: 0,
        epoch: EPOCH,
        inline: std::collections::BTreeMap::new(),
    };
    volume.size = Some(vm::fat::needed(&tree, &volume)?);
    Ok(vm::fat::write(&tree, &volume)?.rope.to_vec(&store)?)
}

/// A disk, the same compressed in both ways, and what lies on another.
fn qcow2_images() -> Outcome<Vec<Vec<u8>>> {
    use vm::qcow2::{self, Backing, BackingFormat};

    let store = MemoryStore::new();
    let encoder = Encoder::new(&store, &NoCache, 1);
    let cx = WriteCx { blobs: &store, encoder: &encoder, epoch: EPOCH };
    let mut disk = Rope::from(b"some text that is worth some compression ".repeat(4000));
    disk.align(1 << 16);
    let mut all = vec![self::disk::<vm::Qcow2>()?];
    for compression in [qcow2::Compression::ZLIB, qcow2::Compression::ZSTD] {
        all.push(qcow2::write_compressed(&disk, compression, &cx)?.to_vec(&store)?);
    }
    let backing = Backing::new("base.raw", BackingFormat::Raw)?;
    let changed = [0..1, 100_000..disk.len()];
    all.push(qcow2::write_overlay(&disk, &changed, &backing, None, &cx)?.to_vec(&store)?);
    Ok(all)
}

/// Returns the files of one kind that hold a disk of 70 MiB, or of 1 GiB, with a little in it.
fn containers(target: &str) -> Outcome<Vec<Vec<u8>>> {
    let store = MemoryStore::new();
    let encoder = Encoder::new(&store, &NoCache, 1);
    let cx = WriteCx { blobs: &store, encoder: &encoder, epoch: EPOCH };
    let mut disk = Rope::from(b"start".to_vec());
    disk.push_zeros(70 << 20);
    disk.push_bytes(b"end");
    disk.align(1 << 20);
    let id = vm::Guid::derive("seed", &[]);
    let vhd = vm::vhd::Identity { id, created: EPOCH };
    let vhdx = vm::vhdx::Identity { file_write: id, data_write: id, disk: id };
    let hardware = vm::ova::Hardware {
        cpus: 1,
        memory_mib: 512,
        firmware: vm::ova::Firmware::Efi,
        devices: vm::ova::Devices::Emulated,
        os: vm::ova::GuestOs::Linux,
    };
    let appliance = vm::ova::Appliance { name: "app".into(), hardware, id };
    let manifest = vm::ova::Manifest::Included;
    let guest = vm::vagrant::Guest {
        architecture: "amd64",
        firmware: hardware.firmware,
        hardware: vm::Hardware::default(),
    };
    let ropes = match target {
        "vmdk" => vec![vm::vmdk::write(&disk, id, &cx)?],
        "vhd" => vec![
            vm::vhd::write(&Rope::from(vec![7; 4096]), vm::vhd::Kind::Fixed, &vhd)?,
            vm::vhd::write(&disk, vm::vhd::Kind::Dynamic, &vhd)?,
        ],
        "vhdx" => vec![vm::vhdx::write(&disk, &vhdx)?],
        "ova" => vec![vm::ova::write(&appliance, &disk, manifest, &cx)?],
        "vagrant" => vec![
            vm::vagrant::write_virtualbox(&appliance, &disk, "amd64", &cx)?,
            vm::vagrant::write_libvirt(&guest, &disk.slice(0..4096), 4096, &cx)?,
        ],
        _ => {
            disk.align(1 << 30);
            vec![vm::gce::write(&disk, &cx)?]
        }
    };
    let mut files = Vec::new();
    for rope in ropes {
        let bytes = rope.to_vec(&store)?;
        let mut file = Vec::new();
        match target {
            "vagrant" | "gce" => {
                let mut reader = decoder(Codec::Gzip, bytes.as_slice())?;
                std::io::Read::read_to_end(&mut reader, &mut file)?;
            }
            _ => file = bytes,
        }
        files.push(file);
    }
    Ok(files)
}

fn compressed() -> Outcome<Vec<Vec<u8>>> {
    let store = MemoryStore::new();
    let text = Rope::from(b"some text that is worth some compression ".repeat(40));
    let mut all = Vec::new();
    for (choice, compression) in (0..).zip(&COMPRESSIONS[1..]) {
        assert_ne!(compression.codec, Codec::None);
        let encoder = Encoder::new(&store, &NoCache, 1);
        let mut bytes = vec![choice];
        bytes.extend(encoder.encode(&text, *compression)?.rope.to_vec(&store)?);
        all.push(bytes);
    }
    Ok(all)
}

fn tree_texts() -> Outcome<Vec<Vec<u8>>> {
    Ok(vec![
        b"/usr/lib/a name/../x".to_vec(),
        capabilities::from_text("cap_net_bind_service,cap_kill=ep cap_chown=eip")?,
        b"cap_net_bind_service=+ep".to_vec(),
        file_tree(&MemoryStore::new())?.id().to_string().into_bytes(),
    ])
}
