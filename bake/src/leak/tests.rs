//! Values planted in everything that holds others.

use std::io::Write;
use std::path::Path;

use bake_formats::archive::tar::{Dialect, Root, SymlinkOrder, TarOptions, TarWriter};
use bake_formats::blob::{BlobStore, MemoryStore};
use bake_formats::encode::{Compression, Encoder, NoCache};
use bake_formats::format::{Epoch, Format, WriteCx};
use bake_formats::rope::Rope;
use bake_formats::tree::{Content, Entry, FileTree, Mode, TreeBuilder, TreePath};
use bake_formats::{deb, rpm, sysext, vm};
use base64::Engine;
use zeroize::Zeroizing;

use super::*;

mod hostile;

const SECRET: &str = "s3cr3t!v\u{e4}lue&of'prod";

pub(super) fn scanner() -> Scanner {
    let needle = |key: &str, environment: &str| Needle {
        key: key.into(),
        environment: environment.into(),
        value: Zeroizing::new(SECRET.as_bytes().to_vec()),
        public: false,
    };
    Scanner::new(Needles::new([needle("database.password", "prod"), needle("db", "staging")]))
}

fn text(what: &str) -> Vec<u8> {
    format!("before {what} after\n").into_bytes()
}

/// Returns what is found in a path, as lines, the path itself left out.
fn lines(path: &Path, limits: Limits) -> Vec<String> {
    let report = scan(path, &scanner(), limits, 2).unwrap();
    assert!(!format!("{report:?}").contains("s3cr3t"), "a value is told");
    let finding = |finding: &Finding| {
        let place = finding.place[1..].join(": ");
        let encoding = match &finding.what {
            What::Value { encoding, origins } => {
                assert_eq!(origins.len(), 2);
                encoding.to_string()
            }
            other => other.rule().to_owned(),
        };
        let remark = finding.remark.as_ref().map(|text| format!(" ({text})")).unwrap_or_default();
        format!("{place}{remark}: {encoding}")
    };
    let unopened =
        report.unopened.iter().map(|one| format!("{}: {}", one.place[1..].join(": "), one.reason));
    report.findings.iter().map(finding).chain(unopened).collect()
}

pub(super) fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs_err::write(file.path(), bytes).unwrap();
    file
}

fn found(bytes: &[u8]) -> Vec<String> {
    lines(file(bytes).path(), Limits::default())
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

fn path(text: &str) -> TreePath {
    TreePath::parse(text).unwrap()
}

pub(super) fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = TarWriter::new(TarOptions {
        format: "test",
        dialect: Dialect::Pax,
        prefix: "",
        epoch: Epoch(0),
        symlinks: SymlinkOrder::InTree,
        root: Root::Omitted,
    });
    for (name, bytes) in members {
        writer.append_bytes(&path(name), Mode::PLAIN, bytes).unwrap();
    }
    writer.finish().to_vec(&MemoryStore::new()).unwrap()
}

pub(super) fn zip(members: &[(&str, &[u8], zip::CompressionMethod)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes, method) in members {
        let options = zip::write::SimpleFileOptions::default().compression_method(*method);
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

use zip::CompressionMethod::{Deflated, Stored};

/// A tree with a value in a file and one in a file of a file.
fn tree(store: &MemoryStore) -> FileTree {
    let mut builder = TreeBuilder::new();
    let jar =
        zip(&[("META-INF/x.properties", &text(SECRET), Deflated), ("clean", b"clean", Stored)]);
    for (name, bytes) in [("/usr/lib/app/plain", text(SECRET)), ("/usr/lib/app/app.jar", jar)] {
        let entry = Entry::file(Content::of(&bytes), Mode::PLAIN);
        store.put(&bytes).unwrap();
        builder.insert(path(name), entry).unwrap();
    }
    builder.finish().unwrap()
}

fn write<F: Format>(model: &F::Model, tree: &FileTree, store: &MemoryStore) -> Vec<u8> {
    let encoder = Encoder::new(store, &NoCache, 1);
    let cx = WriteCx { blobs: store, encoder: &encoder, epoch: Epoch(0) };
    let rope = F::write(model, tree, &cx).unwrap().files.remove(0).rope;
    rope.to_vec(store).unwrap()
}

fn disk() -> vm::Disk {
    vm::Disk {
        name: "app".into(),
        version: "1.0".into(),
        arch: "amd64".into(),
        size: vm::DiskSize::Minimal,
        label: None,
        tree_id: None,
        machine: None,
        compression: None,
        hardware: None,
    }
}

#[test]
fn a_value_is_found_in_streams_and_archives() {
    let plain = text(SECRET);
    let inner = tar(&[("etc/x", &plain)]);
    let script =
        [b"#!/bin/sh\nexec java -jar $0\n".as_slice(), &zip(&[("x", &plain, Deflated)])].concat();
    let newc = [
        b"070701".as_slice(),
        b"00000001000081a400000000000000000000000100000000",
        format!("{:08x}", plain.len()).as_bytes(),
        &b"00000000".repeat(4),
        b"00000002",
        b"00000000",
        b"x\0",
        &plain,
    ]
    .concat();
    let ar = [
        b"!<arch>\n".as_slice(),
        format!("x/{:14}0           0     0     644     {:<10}`\n", "", plain.len()).as_bytes(),
        &plain,
    ]
    .concat();
    let rows: [(&str, Vec<u8>, &[&str]); 14] = [
        ("plain", plain.clone(), &[": as it is"]),
        ("gzip", gzip(&plain), &[": as it is"]),
        ("gzip in gzip", gzip(&gzip(&plain)), &[": as it is"]),
        ("tar", inner.clone(), &["/etc/x: as it is"]),
        ("a name", tar(&[(&format!("etc/{SECRET}"), b"")]), &["headers: as it is"]),
        ("tar.gz in tar", tar(&[("a.tar.gz", &gzip(&inner))]), &["/a.tar.gz: /etc/x: as it is"]),
        (
            "tar in tar",
            tar(&[("a.tar", &inner), ("b", &plain)]),
            &["/a.tar: /etc/x: as it is", "/b: as it is"],
        ),
        ("zip", zip(&[("x", &plain, Deflated)]), &["/x: as it is"]),
        (
            "stored",
            zip(&[("x", &plain, Stored), ("y.gz", &gzip(&plain), Stored)]),
            &["/y.gz: as it is", "/x: as it is"],
        ),
        (
            "jar in jar",
            zip(&[("x.jar", &zip(&[("y", &plain, Deflated)]), Stored)]),
            &["/x.jar: /y: as it is"],
        ),
        ("behind a script", script, &["/x: as it is"]),
        ("ar", ar, &["x: as it is"]),
        ("cpio", newc.clone(), &["/x: as it is"]),
        // What is short is not compressed, so the value is in both.
        ("zstd of cpio", zstd(&newc), &["/x: as it is", ": as it is"]),
    ];
    for (name, bytes, expected) in rows {
        assert_eq!(found(&bytes), expected, "{name}");
    }
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let store = MemoryStore::new();
    let encoder = Encoder::new(&store, &NoCache, 1);
    let rope = encoder.compress(&Rope::from(bytes.to_vec()), Compression::ZSTD).unwrap();
    rope.to_vec(&store).unwrap()
}

#[test]
fn a_value_is_found_in_every_form() {
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let utf16: Vec<u8> = SECRET.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let rows: [(Vec<u8>, &str); 6] = [
        (base64(&format!("user:{SECRET}@host")).into_bytes(), "base64"),
        (bake_formats::digest::hex(SECRET.as_bytes()).into_bytes(), "hex"),
        (b"s3cr3t%21v%C3%A4lue%26of%27prod".to_vec(), "percent-encoded"),
        ("s3cr3t!v\u{e4}lue&amp;of&#39;prod".into(), "escaped for XML"),
        ("s3cr3t!v\u{e4}lue&of'\\''prod".into(), "quoted for a shell"),
        (utf16, "UTF-16LE"),
    ];
    for (bytes, expected) in rows {
        let bytes = [b"x=".as_slice(), &bytes, b" \0"].concat();
        assert_eq!(found(&bytes), [format!(": {expected}")]);
    }
}

#[test]
fn a_value_is_found_wherever_blocks_end() {
    for around in [256 << 10, 1 << 20] {
        for shift in (0..40).step_by(3).chain([4096, 4100, 5000]) {
            let mut bytes = vec![b'.'; around - shift];
            bytes.extend(SECRET.as_bytes());
            bytes.resize(around * 2 + 7000, b'.');
            let file = file(&bytes);
            let report = scan(file.path(), &scanner(), Limits::default(), 1).unwrap();
            let found: Vec<_> = report.findings.iter().map(|one| (one.offset, one.count)).collect();
            assert_eq!(found, [(Some((around - shift) as u64), 1)], "{around} {shift}");
            assert_eq!((report.bytes, report.streams), (bytes.len() as u64, 1));
        }
    }
}

#[test]
fn a_value_is_found_in_packages() {
    let store = MemoryStore::new();
    let tree = tree(&store);
    let mut package = deb::Package::new("app", "1.0-1".parse().unwrap(), "amd64");
    package.maintainer = "A <a@example.com>".into();
    package.synopsis = "an app".into();
    package.compression = Compression::ZSTD;
    let script = format!("#!/bin/sh\necho '{SECRET}'\n");
    package.control_files.insert(deb::ControlFile::Postinst, script);
    let expected = [
        "control.tar.zst: /postinst: as it is",
        "data.tar.zst: /usr/lib/app/app.jar: /META-INF/x.properties: as it is",
        "data.tar.zst: /usr/lib/app/plain: as it is",
    ];
    assert_eq!(found(&write::<deb::Deb>(&package, &tree, &store)), expected);

    let mut package = rpm::Package::new("app", "1.0", "1", "x86_64");
    package.summary = "an app".into();
    package.description = "An app.".into();
    package.license = "MIT".into();
    package.compression = Compression::GZIP;
    let change = rpm::Change { time: 1, author: "A - 1".into(), text: format!("- {SECRET}") };
    package.changelog.push(change);
    let expected = [
        "payload: /usr/lib/app/app.jar: /META-INF/x.properties: as it is",
        "payload: /usr/lib/app/plain: as it is",
        "header: CHANGELOGTEXT (1082): as it is",
    ];
    assert_eq!(found(&write::<rpm::Rpm>(&package, &tree, &store)), expected);
}

#[test]
fn a_value_on_a_disk_is_told_once() {
    let store = MemoryStore::new();
    let tree = tree(&store);
    let expected = [
        "disk: /usr/lib/app/app.jar: /META-INF/x.properties: as it is",
        "disk: /usr/lib/app/plain: as it is",
    ];
    let mut compressed = disk();
    compressed.compression = Some(Compression::GZIP);
    let disks = [
        write::<vm::Raw>(&disk(), &tree, &store),
        write::<vm::Qcow2>(&disk(), &tree, &store),
        write::<vm::Qcow2>(&compressed, &tree, &store),
        write::<vm::Vmdk>(&disk(), &tree, &store),
        write::<vm::Vhd>(&disk(), &tree, &store),
        write::<vm::DynamicVhd>(&disk(), &tree, &store),
        write::<vm::Vhdx>(&disk(), &tree, &store),
        write::<vm::Ova>(&disk(), &tree, &store),
        write::<vm::LibvirtBox>(&disk(), &tree, &store),
        write::<sysext::Sysext>(&sysext::Extension::new("app", "1.0"), &tree, &store),
    ];
    for (number, bytes) in disks.iter().enumerate() {
        assert_eq!(found(bytes), expected, "{number}");
    }
    // In no file: behind what is used, and in no part of the disk.
    let mut deleted = disks[0].clone();
    let at = deleted.len() - 6000;
    deleted[at..at + SECRET.len()].copy_from_slice(SECRET.as_bytes());
    assert_eq!(found(&deleted), [&["disk: as it is"][..], &expected].concat());
}

#[test]
fn a_value_is_found_in_images() {
    let below = tar(&[("etc/x", &text(SECRET)), ("etc/y", &text(SECRET))]);
    let above = tar(&[("etc/.wh.x", b"")]);
    let layers = [gzip(&below), above.clone()];
    let blob = |bytes: &[u8]| bake_formats::digest::Digest::of(bytes).hex();
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux", "config": {"Env": [format!("P={SECRET}")]},
        "rootfs": {"type": "layers", "diff_ids": [
            format!("sha256:{}", blob(&below)), format!("sha256:{}", blob(&above))]},
    })
    .to_string();
    let descriptor = |kind: &str, bytes: &[u8]| {
        serde_json::json!({"mediaType": format!("application/vnd.oci.image.{kind}"),
            "digest": format!("sha256:{}", blob(bytes)), "size": bytes.len()})
    };
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("config.v1+json", config.as_bytes()),
        "layers": [descriptor("layer.v1.tar+gzip", &layers[0]), descriptor("layer.v1.tar", &layers[1])],
        "annotations": {"note": SECRET},
    })
    .to_string();
    let index = serde_json::json!({"schemaVersion": 2,
        "manifests": [descriptor("manifest.v1+json", manifest.as_bytes())]})
    .to_string();
    let stray = text(SECRET);
    let blobs = [config.as_bytes(), manifest.as_bytes(), &layers[0], &layers[1], &stray];
    let mut files: Vec<(String, &[u8])> =
        blobs.iter().map(|bytes| (format!("blobs/sha256/{}", blob(bytes)), *bytes)).collect();
    files.sort();
    files.push(("index.json".into(), index.as_bytes()));
    files.push(("oci-layout".into(), b"{\"imageLayoutVersion\":\"1.0.0\"}"));
    let mut expected = vec![
        format!("config sha256:{}: as it is", blob(config.as_bytes())),
        format!("manifest sha256:{}: as it is", blob(manifest.as_bytes())),
        format!("layer sha256:{}: /etc/x (deleted by layer 2): as it is", blob(&layers[0])),
        format!("layer sha256:{}: /etc/y: as it is", blob(&layers[0])),
        format!("blob sha256:{}, which no image has: as it is", blob(&stray)),
    ];
    expected.sort();

    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in &files {
        fs_err::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
        fs_err::write(folder.path().join(name), bytes).unwrap();
    }
    let mut layout = lines(folder.path(), Limits::default());
    layout.sort();
    assert_eq!(layout, expected);

    let members: Vec<_> = files.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    let mut archive = found(&tar(&members));
    archive.sort();
    assert_eq!(archive, expected);
}

#[test]
fn what_is_not_opened_is_told() {
    let plain = text(SECRET);
    let mut damaged = gzip(&[plain.clone(), vec![b'x'; 300_000]].concat());
    damaged.truncate(200);
    let cut = lines(file(&damaged).path(), Limits::default());
    assert!(cut[0] == ": as it is" && cut[1].starts_with(": damaged as compressed"), "{cut:?}");
    let closed = found(b"BZh91AY&SY and so on");
    assert_eq!(closed, [": bzip2, which a scan does not open"]);

    let deep = gzip(&gzip(&gzip(&plain)));
    let limits = |depth, total| Limits { depth, total, ..Limits::default() };
    let shallow = lines(file(&deep).path(), limits(2, 1 << 20));
    assert_eq!(shallow, [": it is in 2 others, which is as deep as a scan goes"]);
    assert_eq!(lines(file(&deep).path(), limits(3, 1 << 20)), [": as it is"]);

    let bomb = gzip(&[vec![0; 100_000], plain.clone()].concat());
    let cut = lines(file(&bomb).path(), limits(3, 50_000));
    assert_eq!(cut, [": only its first 50000 bytes after decompression, as the limits are"]);
    let ratio = Limits { ratio: 10, free: 100, ..Limits::default() };
    assert!(lines(file(&bomb).path(), ratio)[0].starts_with(": only its first "));
}

#[test]
fn reports_are_the_same_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..20 {
        let members = [("a", text(SECRET)), ("b", text("harmless"))];
        let members: Vec<_> =
            members.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
        fs_err::write(folder.path().join(format!("{number}.tar")), tar(&members)).unwrap();
    }
    fs_err::write(folder.path().join(".env"), "A=1\n").unwrap();
    let scan = |threads| scan(folder.path(), &scanner(), Limits::default(), threads).unwrap();
    let one = scan(1);
    assert_eq!(one.findings.len(), 21);
    for threads in [2, 8] {
        assert_eq!(scan(threads), one);
    }
}

/// Programs hold what looks like a secret and is none, and so does this one; but the tests of sops bring a key that is one.
#[test]
fn this_program_is_clean_but_for_its_own_tests() {
    let report = scan(Path::new("/proc/self/exe"), &scanner(), Limits::default(), 1).unwrap();
    let rules = report.findings.iter().filter_map(|finding| match &finding.what {
        What::Secret { rule, .. } => Some((rule.id, finding.count)),
        What::Name(rule) => Some((rule.id, finding.count)),
        What::Value { .. } => None,
    });
    assert_eq!(rules.collect::<Vec<_>>(), [("age-key", 1)]);
}
