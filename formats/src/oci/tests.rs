//! The laws of a format, golden digests, and images that lie.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::blob::{Blob, BlobStore, MemoryStore};
use crate::digest::Digest;
use crate::encode::{Compression, Encoder, NoCache};
use crate::format::{Artifact, Epoch, Format, Problem, ReadError, WriteCx, WriteError};
use crate::input::{Folder, ReadAt, Source};
use crate::tree::{Content, Entry, FileTree, Mark, Mode, Node, Owner, TreeBuilder, TreePath};

/// Files in memory.
#[derive(Debug, Clone, Default)]
struct Files(BTreeMap<String, Vec<u8>>);

impl Folder for Files {
    fn open(&self, path: &str) -> io::Result<Arc<dyn ReadAt>> {
        match self.0.get(path) {
            Some(bytes) => Ok(Arc::new(bytes.clone())),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl Files {
    fn of(artifact: &Artifact, store: &MemoryStore) -> Self {
        let bytes = |file: &crate::format::ArtifactFile| {
            (file.path.clone(), file.rope.to_vec(store).unwrap())
        };
        Self(artifact.files.iter().map(bytes).collect())
    }

    /// The layout's folder, or the archive's one file.
    fn source(&self) -> Source {
        match self.0.get("") {
            Some(bytes) => Source::from_bytes(bytes.clone()),
            None => Source::Folder(Arc::new(self.clone())),
        }
    }
}

fn path(text: &str) -> TreePath {
    TreePath::parse(text).unwrap()
}

fn tree(store: &MemoryStore) -> FileTree {
    let mut builder = TreeBuilder::new();
    let mut add = |name: &str, entry: Entry| builder.insert(path(name), entry).unwrap();
    let file = |bytes: &[u8]| {
        store.put(bytes).unwrap();
        Entry::file(Content::of(bytes), Mode::PLAIN)
    };
    let program = Entry { mode: Mode::EXECUTABLE, ..file(&b"\x7fELF and more\n".repeat(300)) };
    add("usr/bin/hello", program);
    add("usr/bin/hi", Entry::new(Node::HardLink(path("usr/bin/hello")), Mode::PLAIN));
    add("usr/bin/link", Entry::symlink("hello"));
    let mut capable = file(b"ping");
    capable.xattrs.insert("security.capability".into(), vec![1, 0, 0, 2, 0, 0x20, 0, 0, 0xff]);
    add("usr/bin/ping", capable);
    add("usr/share/caf\u{e9} au lait", file(b""));
    add(&format!("usr/share/{}/x", "long/".repeat(40)), file(b"deep"));
    let svc = Owner::new("svc", 7);
    add("var/lib/hello/cache", Entry { owner: svc.clone(), group: svc, ..Entry::directory() });
    add("var/log/hello", Entry { mark: Mark::Ghost, ..file(b"ghost") });
    add("etc/hello.conf", Entry { mark: Mark::Config, ..file(b"a=1\n") });
    builder.finish().unwrap()
}

fn plain() -> Image {
    Image::new("hello", "1.0", Platform::new("linux", "amd64"))
}

fn full() -> Image {
    let strings = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let map = |key: &str, value: &str| [(key.to_owned(), value.to_owned())].into();
    let variant = Some("v7".to_owned());
    let (home, shell) = ("/srv".to_owned(), "/bin/sh".to_owned());
    let app = Owner::new("app", 1000);
    Image {
        platform: Platform { variant, ..Platform::new("linux", "arm") },
        entrypoint: strings(&["/usr/bin/hello", "serve"]),
        cmd: strings(&["--all", ""]),
        env: strings(&["B=2", "A=1=1", "PATH=/usr/bin"]),
        user: Some("app:app".into()),
        working_dir: Some("/srv".into()),
        exposed_ports: strings(&["8080/tcp", "53/udp"]).into_iter().collect(),
        volumes: strings(&["/data"]).into_iter().collect(),
        labels: map("maintainer", "A <a@example.com>"),
        annotations: map("org.opencontainers.image.title", "hello"),
        stop_signal: Some("SIGINT".into()),
        author: Some("A".into()),
        compression: Compression::ZSTD,
        accounts: Accounts {
            users: vec![User { name: "app".into(), id: 1000, gid: 1000, home, shell }],
            groups: vec![Group { name: "extra".into(), id: 5 }],
        },
        state: vec![StateDirectory {
            path: path("var/lib/hello/with space"),
            mode: Mode::new(0o2750).unwrap(),
            owner: app.clone(),
            group: app,
        }],
        ..Image::new("ghcr.io/acme/hello", "1.0-rc.1", Platform::new("linux", "arm"))
    }
}

fn cx<T>(store: &MemoryStore, threads: usize, then: impl FnOnce(&WriteCx<'_>) -> T) -> T {
    let encoder = Encoder::new(store, &NoCache, threads);
    then(&WriteCx { blobs: store, encoder: &encoder, epoch: Epoch(1_700_000_000) })
}

fn pack<F: Format<Model = Image>>(image: &Image) -> Files {
    let store = MemoryStore::new();
    let tree = tree(&store);
    let artifact = cx(&store, 1, |cx| F::write(image, &tree, cx)).unwrap();
    Files::of(&artifact, &store)
}

fn written(image: &Image, tree: &FileTree, store: &MemoryStore) -> Written {
    cx(store, 1, |cx| super::write(image, tree, cx)).unwrap()
}

/// Every model worth a round trip: the compressions, the defaults and their look-alikes.
fn models() -> Vec<Image> {
    let path =
        |env: &[&str]| Image { env: env.iter().map(ToString::to_string).collect(), ..plain() };
    let default = format!("PATH={DEFAULT_PATH}");
    let mut models = vec![plain(), full(), path(&[&default]), path(&["A=1"]), path(&["PATH="])];
    for text in ["none", "gzip:1", "gzip:9", "zstd:1", "zstd:19"] {
        models.push(Image { compression: text.parse().unwrap(), ..full() });
    }
    models
}

fn obeys_the_laws<F: Format<Model = Image>>() {
    let store = MemoryStore::new();
    let tree = tree(&store);
    for model in models() {
        let write = |threads| cx(&store, threads, |cx| F::write(&model, &tree, cx)).unwrap();
        let artifact = write(1);
        let files = Files::of(&artifact, &store);
        assert_eq!(Files::of(&write(3), &store).0, files.0, "{model:?}");

        let unpacked = F::read(&files.source()).unwrap();
        assert_eq!(unpacked.model, model);
        assert_eq!(unpacked.tree.id(), tree.id());
        assert_eq!(unpacked.declared, Some(tree.id()));

        assert_eq!(F::verify(&files.source()).unwrap(), []);
        let name = F::file_name(&model);
        assert!(!name.contains('/') && name.ends_with(".oci") != artifact.files[0].path.is_empty());
    }
}

#[test]
fn a_layout_obeys_the_laws() {
    obeys_the_laws::<Layout>();
    assert_eq!(Layout::file_name(&full()), "hello-1.0-rc.1.oci");
}

#[test]
fn an_archive_obeys_the_laws() {
    obeys_the_laws::<Archive>();
    assert_eq!(Archive::file_name(&full()), "hello-1.0-rc.1.oci.tar");
}

#[test]
fn bytes_do_not_move() {
    let digest = |files: &Files, path: &str| Digest::of(&files.0[path]).hex();
    let uncompressed = Image { compression: Compression::NONE, ..full() };
    let found = [
        digest(&pack::<Layout>(&plain()), "index.json"),
        digest(&pack::<Layout>(&full()), "index.json"),
        digest(&pack::<Layout>(&uncompressed), "index.json"),
        digest(&pack::<Archive>(&plain()), ""),
        digest(&pack::<Archive>(&uncompressed), ""),
    ];
    let expected = ["0", "1", "2", "3", "4"];
    assert_eq!(found, expected);
}

#[test]
fn every_flipped_byte_of_a_blob_is_noticed() {
    let files = pack::<Layout>(&plain());
    for (name, bytes) in files.0.iter().filter(|(name, _)| name.starts_with("blobs/")) {
        for at in 0..bytes.len() {
            let mut files = files.clone();
            files.0.get_mut(name).unwrap()[at] ^= 0x20;
            assert!(Layout::read(&files.source()).is_err(), "{name}: {at}");
            let problems = Layout::verify(&files.source()).unwrap();
            assert_eq!(problems[0].rule, "oci-blob-digest", "{name}: {at}");
        }
    }
}

#[test]
fn flipped_bytes_of_an_archive_are_noticed() {
    let files = pack::<Archive>(&plain());
    let bytes = &files.0[""];
    let archive = |bytes: Vec<u8>| Source::from_bytes(bytes);
    let members = super::archive::scan(&(Arc::new(bytes.clone()) as Arc<dyn ReadAt>)).unwrap();
    let is_checked = |at: u64| {
        let inside = |name: &str| {
            let member = members[name];
            (member.offset..member.offset + member.len).contains(&at)
        };
        let header = members.values().any(|m| (m.offset - 512..m.offset).contains(&at));
        let blob = members.keys().any(|name| name.starts_with("blobs/") && inside(name));
        header || blob || inside("oci-layout")
    };
    for at in (0..bytes.len()).filter(|at| is_checked(*at as u64)) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        let problems = Archive::verify(&archive(damaged));
        assert!(!matches!(problems.as_deref(), Ok([])), "{at}");
    }
}

#[test]
fn every_truncated_archive_is_an_error() {
    let bytes = pack::<Archive>(&plain()).0.remove("").unwrap();
    let end = bytes.len() - 1024;
    for len in (0..end).step_by(128).chain([1, 511, 513, end - 600]) {
        let source = Source::from_bytes(bytes[..len].to_vec());
        assert!(Archive::read(&source).is_err(), "{len}");
    }
}

#[test]
fn the_configuration_says_how_to_run() {
    let files = pack::<Layout>(&full());
    let (manifest, config) = documents(&files);
    let layers: Vec<_> = manifest["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|layer| {
            (layer["mediaType"].as_str().unwrap(), layer["annotations"]["dev.bake.layer"].as_str())
        })
        .collect();
    let media_type = "application/vnd.oci.image.layer.v1.tar+zstd";
    assert_eq!(layers, [(media_type, Some("payload")), (media_type, Some("support"))]);
    let expected = json!({
        "Cmd": ["--all", ""],
        "Entrypoint": ["/usr/bin/hello", "serve"],
        "Env": ["B=2", "A=1=1", "PATH=/usr/bin"],
        "ExposedPorts": {"53/udp": {}, "8080/tcp": {}},
        "Labels": {"maintainer": "A <a@example.com>"},
        "StopSignal": "SIGINT",
        "User": "app:app",
        "Volumes": {"/data": {}},
        "WorkingDir": "/srv",
    });
    assert_eq!(config["config"], expected);
    assert_eq!(config["created"], "2023-11-14T22:13:20Z");
    assert_eq!(config["variant"], "v7");
    assert_eq!(config["history"].as_array().unwrap().len(), 2);
    assert_eq!(config["history"][0]["created_by"], "bake");
    let (_, config) = documents(&pack::<Layout>(&plain()));
    assert_eq!(config["config"], json!({ "Env": [format!("PATH={DEFAULT_PATH}")] }));
}

/// The manifest and the configuration of a layout with one image.
fn documents(files: &Files) -> (Value, Value) {
    let index: Value = serde_json::from_slice(&files.0["index.json"]).unwrap();
    let follow = |descriptor: &Value| {
        let digest = descriptor["digest"].as_str().unwrap().replace(':', "/");
        serde_json::from_slice::<Value>(&files.0[&format!("blobs/{digest}")]).unwrap()
    };
    let manifest = follow(&index["manifests"][0]);
    let config = follow(&manifest["config"]);
    (manifest, config)
}

#[test]
fn the_support_layer_holds_accounts_and_state() {
    let files = pack::<Layout>(&Image { compression: Compression::NONE, ..full() });
    let (manifest, _) = documents(&files);
    let digest = manifest["layers"][1]["digest"].as_str().unwrap().replace(':', "/");
    let bytes = &files.0[&format!("blobs/{digest}")];
    let tree = crate::archive::tar::read(bytes.as_slice(), "layer").unwrap();
    let names: Vec<_> = tree.iter().map(|(path, _)| path.to_string()).collect();
    let expected = [
        "/",
        "/etc",
        "/etc/group",
        "/etc/passwd",
        "/var",
        "/var/lib",
        "/var/lib/hello",
        "/var/lib/hello/with\\040space",
    ];
    assert_eq!(names, expected);
    let state = tree.get(&path("var/lib/hello/with space")).unwrap();
    assert_eq!((state.mode.bits(), &*state.owner.name, state.group.id), (0o2750, "app", 1000));
    let passwd = b"root:x:0:0::/root:/sbin/nologin\nsvc:x:7:7::/:/sbin/nologin\n\
        app:x:1000:1000::/srv:/bin/sh\n";
    assert_eq!(tree.content(&path("etc/passwd")), Some(&Content::of(passwd)));
}

#[test]
fn rejects_models_that_make_no_image() {
    type Change = fn(&mut Image);
    let rows: [(Change, &str); 18] = [
        (|i| i.name = "Hello".into(), "field name"),
        (|i| i.version = "1+2".into(), "field version"),
        (|i| i.platform.os = String::new(), "field platform"),
        (|i| i.env = vec!["=1".into()], "config.Env: expected KEY=VALUE"),
        (|i| i.env = vec!["A=1".into(), "A=2".into()], "config.Env: expected each variable once"),
        (|i| i.cmd = vec!["a\0".into()], "config.Cmd: expected no NUL"),
        (|i| i.user = Some(String::new()), "config.User"),
        (|i| i.user = Some("nobody".into()), "config.User"),
        (|i| i.working_dir = Some("srv".into()), "config.WorkingDir: expected an absolute path"),
        (|i| i.volumes = ["data".into()].into(), "config.Volumes: expected an absolute path"),
        (|i| i.exposed_ports = ["0".into()].into(), "config.ExposedPorts"),
        (|i| i.exposed_ports = ["+80".into()].into(), "config.ExposedPorts"),
        (|i| i.exposed_ports = ["80/icmp".into()].into(), "config.ExposedPorts"),
        (|i| i.annotations = [("dev.bake.x".into(), String::new())].into(), "reserved"),
        (
            |i| i.annotations = [("org.opencontainers.image.licence".into(), String::new())].into(),
            "a key that the specification defines",
        ),
        (|i| i.labels = [(String::new(), String::new())].into(), "config.Labels"),
        (|i| i.compression = Compression::XZ, "field compression"),
        (
            |i| i.state[0].path = TreePath::root(),
            "field state: expected a directory below the root",
        ),
    ];
    let store = MemoryStore::new();
    let tree = tree(&store);
    for (change, expected) in rows {
        let mut image = full();
        change(&mut image);
        let error = cx(&store, 1, |cx| super::write(&image, &tree, cx)).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn rejects_trees_that_make_no_layers() {
    let state = |place: &str| Image {
        state: vec![StateDirectory { path: path(place), ..full().state[0].clone() }],
        ..full()
    };
    let rows = [
        ("a/.wh.b", plain(), "begin with `.wh.`"),
        ("var/lib", state("var/lib/hello"), "`/var/lib/hello` lies below `/var/lib`"),
        ("var/lib", state("var/lib"), "expected nothing or a directory in the tree"),
        ("etc", full(), "lies below `/etc`, which is not a directory"),
    ];
    for (name, image, expected) in rows {
        let store = MemoryStore::new();
        let mut builder = TreeBuilder::new();
        builder.insert(path(name), Entry::symlink("x")).unwrap();
        let tree = builder.finish().unwrap();
        let error: WriteError = cx(&store, 1, |cx| super::write(&image, &tree, cx)).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

fn two_platforms(store: &MemoryStore) -> Written {
    let tree = tree(store);
    let arm = Image { platform: Platform::new("linux", "arm64"), ..plain() };
    let images = vec![written(&arm, &tree, store), written(&plain(), &tree, store)];
    join(images, [("a.b".to_owned(), "c".to_owned())].into()).unwrap()
}

#[test]
fn an_index_holds_one_image_for_each_platform() {
    let store = MemoryStore::new();
    let joined = two_platforms(&store);
    let folder = Files::of(&layout::artifact(&joined).unwrap(), &store);
    let file = cx(&store, 1, |cx| archive::artifact(&joined, cx)).unwrap();
    let file = Files::of(&file, &store);
    // Index, two manifests, two configurations, one payload and one support layer.
    assert_eq!(joined.blobs.len(), 7);
    for files in [folder, file] {
        let images = read_all(&files.source(), Limits::default()).unwrap();
        let platforms: Vec<_> = images.iter().map(|image| image.platform.to_string()).collect();
        assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
        assert_eq!(images[0].unpacked.model, plain());
        assert_eq!(images[1].unpacked.tree.id(), tree(&store).id());
        let error = Layout::read(&files.source()).unwrap_err().to_string();
        assert_eq!(error, "image layout: expected one image, found linux/amd64, linux/arm64");
        assert_eq!(Layout::verify(&files.source()).unwrap(), []);
    }
}

#[test]
fn an_index_does_not_depend_on_the_order_of_images() {
    let store = MemoryStore::new();
    let tree = tree(&store);
    let arm = Image { platform: Platform::new("linux", "arm64"), ..plain() };
    let images = || vec![written(&plain(), &tree, &store), written(&arm, &tree, &store)];
    let mut reversed = images();
    reversed.reverse();
    let annotations = descriptor::StringMap::new;
    let root = join(images(), annotations()).unwrap().root;
    assert_eq!(root, join(reversed, annotations()).unwrap().root);
}

#[test]
fn rejects_images_that_do_not_make_an_index() {
    let store = MemoryStore::new();
    let tree = tree(&store);
    let image = |image: Image| written(&image, &tree, &store);
    let other = Image { version: "2".into(), ..plain() };
    let rows = [
        (vec![], "at least one image"),
        (vec![image(plain()), image(plain())], "each platform once, found `linux/amd64`"),
        (vec![image(plain()), image(other)], "expected `1.0` in all images of an index, found `2`"),
    ];
    for (images, expected) in rows {
        let error = join(images, descriptor::StringMap::new()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

/// A layout built by hand, so that any part can lie.
struct Forged {
    files: Files,
    layers: Vec<Value>,
    diff_ids: Vec<String>,
}

impl Forged {
    fn new() -> Self {
        let mut files = Files::default();
        files.0.insert("oci-layout".into(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec());
        Self { files, layers: Vec::new(), diff_ids: Vec::new() }
    }

    fn blob(&mut self, media_type: &str, bytes: &[u8]) -> Value {
        let Blob { digest, size } = Blob::of(bytes);
        self.files.0.insert(descriptor::blob_path(&digest), bytes.to_vec());
        json!({"mediaType": media_type, "digest": digest, "size": size})
    }

    fn layer(mut self, suffix: &str, bytes: &[u8], tar: &[u8]) -> Self {
        let media_type = format!("application/vnd.oci.image.layer.v1.tar{suffix}");
        let layer = self.blob(&media_type, bytes);
        self.layers.push(layer);
        self.diff_ids.push(Digest::of(tar).to_string());
        self
    }

    fn tar(self, members: &[(&str, tar::EntryType, &str)]) -> Self {
        let bytes = tar_of(members);
        self.layer("", &bytes, &bytes)
    }

    /// Finishes with documents changed by `change`: configuration, manifest, descriptor.
    fn source(mut self, change: impl Fn(&mut Value, &mut Value, &mut Value)) -> Source {
        let mut config = json!({
            "architecture": "amd64", "os": "linux", "config": {"Cmd": ["sh"]},
            "rootfs": {"type": "layers", "diff_ids": self.diff_ids},
        });
        let (mut manifest, mut descriptor) = (json!({}), json!({}));
        change(&mut config, &mut manifest, &mut descriptor);
        let config = self.blob(descriptor::media_type::CONFIG, config.to_string().as_bytes());
        let mut whole = json!({"schemaVersion": 2, "config": config, "layers": self.layers});
        merge(&mut whole, &manifest);
        let bytes = whole.to_string();
        let mut root = self.blob(descriptor::media_type::MANIFEST, bytes.as_bytes());
        merge(&mut root, &descriptor);
        let index = json!({"schemaVersion": 2, "manifests": [root]});
        self.files.0.insert("index.json".into(), index.to_string().into_bytes());
        self.files.source()
    }
}

fn merge(whole: &mut Value, part: &Value) {
    for (key, value) in part.as_object().unwrap() {
        whole[key] = value.clone();
    }
}

fn tar_of(members: &[(&str, tar::EntryType, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind, text) in members {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(*kind);
        header.set_mode(0o755);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        let contents = if kind.is_file() { text.as_bytes() } else { b"" };
        if !kind.is_file() {
            header.as_old_mut().linkname[..text.len()].copy_from_slice(text.as_bytes());
        }
        header.set_size(contents.len() as u64);
        (header.set_uid(0), header.set_gid(0), header.set_mtime(0), header.set_cksum());
        builder.append(&header, contents).unwrap();
    }
    builder.into_inner().unwrap()
}

const FILE: tar::EntryType = tar::EntryType::Regular;
const DIRECTORY: tar::EntryType = tar::EntryType::Directory;
const HARD_LINK: tar::EntryType = tar::EntryType::Link;

fn untouched(_: &mut Value, _: &mut Value, _: &mut Value) {}

#[test]
fn reads_images_of_others() {
    let gzip = |bytes: &[u8]| {
        use std::io::Write;
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(1));
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    };
    let base = tar_of(&[("bin/", DIRECTORY, ""), ("bin/a", FILE, "1"), ("etc/x", FILE, "2")]);
    // Two members, as parallel compressors write them.
    let members = [gzip(&base[..700]), gzip(&base[700..])].concat();
    let top = tar_of(&[("bin/.wh.a", FILE, ""), ("bin/b", FILE, "3"), ("c", HARD_LINK, "etc/x")]);
    let zstd = zstd::stream::encode_all(top.as_slice(), 1).unwrap();
    let forged = Forged::new().layer("+gzip", &members, &base).layer("+zstd", &zstd, &top);
    let source = forged.source(|config, manifest, descriptor| {
        config["config"]["User"] = "".into();
        manifest["annotations"] = json!({"x.y": "z"});
        let name = json!({"org.opencontainers.image.ref.name": "docker.io/library/foo:7"});
        descriptor["annotations"] = name;
    });
    let unpacked = Layout::read(&source).unwrap();
    let names: Vec<_> = unpacked.tree.iter().map(|(path, _)| path.to_string()).collect();
    assert_eq!(names, ["/", "/bin", "/bin/b", "/c", "/etc", "/etc/x"]);
    assert_eq!(unpacked.declared, None);
    let expected = Image {
        cmd: vec!["sh".into()],
        annotations: [("x.y".to_owned(), "z".to_owned())].into(),
        compression: Compression::ZSTD,
        ..Image::new("foo", "7", Platform::new("linux", "amd64"))
    };
    assert_eq!(unpacked.model, expected);
    assert_eq!(Layout::verify(&source).unwrap(), []);
}

#[test]
fn reads_dockers_media_types() {
    let tar = tar_of(&[("a", FILE, "1")]);
    let mut forged = Forged::new().layer("", &tar, &tar);
    forged.layers[0]["mediaType"] = "application/vnd.docker.image.rootfs.diff.tar".into();
    let docker = descriptor::media_type::DOCKER_MANIFEST;
    let source = forged.source(|_, manifest, descriptor| {
        (manifest["mediaType"], descriptor["mediaType"]) = (docker.into(), docker.into());
    });
    assert_eq!(Layout::read(&source).unwrap().tree.len(), 2);
}

fn error_of(source: &Source) -> String {
    Layout::read(source).unwrap_err().to_string()
}

#[test]
fn rejects_documents_that_lie() {
    type Change = fn(&mut Value, &mut Value, &mut Value);
    let zeros = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
    let rows: [(Change, &str, &str); 11] = [
        (|_, _, d| d["size"] = 1.into(), "its descriptor says 1 bytes", "oci-blob-size"),
        (|_, _, d| d["size"] = (5 << 20).into(), "at most 4194304 bytes", "oci-blob-size"),
        (
            |_, _, d| {
                d["digest"] =
                    "sha256:0000000000000000000000000000000000000000000000000000000000000000".into()
            },
            "there is no such blob",
            "oci-blob-missing",
        ),
        (
            |_, _, d| d["mediaType"] = "text/plain".into(),
            "expected an image manifest, found text/plain",
            "oci-media-type",
        ),
        (
            |_, _, d| d["platform"] = json!({"os": "linux", "architecture": "arm"}),
            "",
            "oci-platform",
        ),
        (
            |_, m, _| m["mediaType"] = descriptor::media_type::DOCKER_MANIFEST.into(),
            "expected the media type",
            "oci-unreadable",
        ),
        (
            |_, m, _| m["schemaVersion"] = 1.into(),
            "expected schema version 2, found 1",
            "oci-unreadable",
        ),
        (
            |_, m, _| m["annotations"] = json!({TREE_KEY: "sha256:0000000000000000000000000000000000000000000000000000000000000000"}),
            "",
            "oci-tree",
        ),
        (|_, m, _| m["annotations"] = json!({"a b": ""}), "", "oci-annotation-key"),
        (
            |c, _, _| c["rootfs"]["diff_ids"] = json!([]),
            "expected one for each of 1 layers, found 0",
            "oci-unreadable",
        ),
        (
            |c, _, _| c["history"] = json!([{"created_by": "a"}, {"created_by": "b"}]),
            "",
            "oci-history-count",
        ),
    ];
    for (change, message, rule) in rows {
        let source = Forged::new().tar(&[("a", FILE, "1")]).source(change);
        match Layout::read(&source) {
            Ok(_) => assert_eq!(message, "", "{rule}"),
            Err(error) => {
                assert!(!message.is_empty() && error.to_string().contains(message), "{error}");
            }
        }
        let rules: Vec<_> =
            Layout::verify(&source).unwrap().iter().map(|problem| problem.rule).collect();
        assert_eq!(rules, [rule]);
    }
    let mut forged = Forged::new().tar(&[("a", FILE, "1")]);
    forged.diff_ids[0] = zeros.into();
    let source = forged.source(untouched);
    assert!(error_of(&source).contains("layer 0: expected the DiffID sha256:00"));
    assert_eq!(Layout::verify(&source).unwrap()[0].rule, "oci-diff-id");
}

#[test]
fn rejects_layers_that_leave_the_tree_or_lie() {
    let plain = tar_of(&[("a", FILE, "1")]);
    let forged = Forged::new;
    let rows = [
        (forged().tar(&[("../x", FILE, "1")]), "it contains `..`"),
        (forged().tar(&[("a/../../x", FILE, "1")]), "it contains `..`"),
        (forged().tar(&[("x", HARD_LINK, "../../etc/shadow")]), "it contains `..`"),
        (forged().tar(&[("x", HARD_LINK, "etc/shadow")]), "not a regular file of the tree"),
        (forged().tar(&[("x", FILE, "1"), ("x", FILE, "2")]), "two entries for `/x`"),
        (forged().layer("", b"not a tar archive", b""), "the end of the archive"),
        (forged().layer("+gzip", &plain, &plain), "layer 0"),
        (forged().layer("+zstd", &plain, &plain), "layer 0"),
        (forged().layer("+xz", &plain, &plain), "layer 0: expected the media type of a layer"),
    ];
    for (forged, expected) in rows {
        let source = forged.source(untouched);
        let error = error_of(&source);
        assert!(error.contains(expected), "{error}");
        assert_ne!(Layout::verify(&source).unwrap(), []);
    }
}

#[test]
fn rejects_bombs() {
    let tar = tar_of(&[("a", FILE, &"0".repeat(100_000))]);
    let zstd = zstd::stream::encode_all(tar.as_slice(), 1).unwrap();
    let source = || Forged::new().layer("+zstd", &zstd, &tar).source(untouched);
    let read = |layer, names| read_all(&source(), Limits { layer, names });
    assert!(read(tar.len() as u64, 1).is_ok());
    let error = read(tar.len() as u64 - 1, 1).unwrap_err().to_string();
    assert_eq!(error, format!("layer 0: it decompresses to more than {} bytes", tar.len() - 1));
    let error = read(tar.len() as u64, 0).unwrap_err().to_string();
    assert!(error.contains("names and attributes"), "{error}");
}

#[test]
fn rejects_layouts_that_cannot_be_read() {
    let good = pack::<Layout>(&plain());
    let with = |name: &str, bytes: &[u8]| {
        let mut files = good.clone();
        files.0.insert(name.into(), bytes.to_vec());
        error_of(&files.source())
    };
    let without = |name: &str| {
        let mut files = good.clone();
        files.0.remove(name);
        error_of(&files.source())
    };
    let rows = [
        (with("oci-layout", br#"{"imageLayoutVersion":"2.0.0"}"#), "expected version 1.0.0"),
        (without("oci-layout"), "oci-layout: there is no such file"),
        (without("index.json"), "index.json: there is no such file"),
        (with("index.json", br#"{"schemaVersion":2,"manifests":[]}"#), "found nothing"),
        (with("index.json", &vec![b' '; 5 << 20]), "expected at most 4194304 bytes"),
        (with("index.json", b"{"), "image index"),
    ];
    for (error, expected) in rows {
        assert!(error.contains(expected), "{error}");
    }
    let error: ReadError = Archive::read(&Source::from_bytes(b"junk".repeat(200))).unwrap_err();
    assert!(error.to_string().starts_with("image archive at offset 0"), "{error}");
}

#[test]
fn an_archive_says_when_its_lists_disagree() {
    let store = MemoryStore::new();
    let image = written(&plain(), &tree(&store), &store);
    let mut lying = image.clone();
    lying.images[0].manifest.layers.pop();
    let mut extra = image.clone();
    Written::add(&mut extra.blobs, b"nobody asked for this".to_vec());
    let mut renamed = image.clone();
    renamed.version = "1~2".into();
    let rows = [
        (lying, vec!["oci-docker-manifest"]),
        (extra, vec!["oci-unreferenced-blob"]),
        (renamed, vec!["oci-ref-name", "oci-ref-name"]),
    ];
    for (written, expected) in rows {
        let artifact = cx(&store, 1, |cx| archive::artifact(&written, cx)).unwrap();
        let problems: Vec<Problem> =
            Archive::verify(&Files::of(&artifact, &store).source()).unwrap();
        let rules: Vec<_> = problems.iter().map(|problem| problem.rule).collect();
        assert_eq!(rules, expected);
    }
}
