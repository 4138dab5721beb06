//! The laws of a format, golden digests, and images that lie.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use serde_json::{Value, json};

mod bases;
mod docker;
mod hostile;
mod laws;
mod layers;
mod rebases;

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

/// A base image by hand: what its configuration says, and its layers as tar archives.
#[derive(Debug, Clone)]
struct Made {
    config: Value,
    layers: Vec<Vec<u8>>,
    is_docker: bool,
}

impl Made {
    /// Two layers, a history, and a configuration with something under every key.
    fn new(seed: &str) -> Self {
        let layers = vec![
            hostile::tar_of(&[("base", hostile::FILE, seed), ("tmp/", hostile::DIRECTORY, "")]),
            hostile::tar_of(&[("etc/base.conf", hostile::FILE, seed)]),
        ];
        let config = json!({
            "architecture": "amd64", "os": "linux", "created": "2001-01-01T00:00:00Z",
            "author": format!("author of {seed}"), "os.version": seed,
            "config": {
                "Env": [format!("PATH=/{seed}/bin:/bin"), format!("SEED={seed}"), "B=base"],
                "Cmd": [seed], "User": "base", "WorkingDir": "/base", "Shell": [seed],
                "Labels": {"seed": seed, "maintainer": "base"}, "ExposedPorts": {"1/tcp": {}},
                "Healthcheck": {"Test": ["NONE"]}, "OnBuild": ["RUN x"],
            },
            "history": [
                {"created_by": "ADD rootfs"}, {"created_by": "ENV", "empty_layer": true},
                {"created_by": "RUN apt-get", "author": "x"},
                {"created_by": format!("CMD {seed}"), "empty_layer": true},
            ],
        });
        Self { config, layers, is_docker: false }
    }

    fn documents(&self, store: &MemoryStore) -> Documents {
        let layer_type = if self.is_docker {
            format!("{}.gzip", media_type::DOCKER_LAYER)
        } else {
            format!("{}+gzip", media_type::LAYER)
        };
        let (mut layers, mut diff_ids) = (Vec::new(), Vec::new());
        for (number, tar) in self.layers.iter().enumerate() {
            let blob = store.put(&gzip(tar)).unwrap();
            let mut layer = Descriptor::new(layer_type.clone(), blob);
            layer.annotations.insert("base.layer".into(), number.to_string());
            layer.other.insert("x-other".into(), json!([number]));
            layers.push(layer);
            diff_ids.push(Digest::of(tar));
        }
        let mut config = self.config.clone();
        config["rootfs"] = json!({"type": "layers", "diff_ids": diff_ids});
        let config = config.to_string().into_bytes();
        let (manifest_type, config_type) = if self.is_docker {
            (media_type::DOCKER_MANIFEST, media_type::DOCKER_CONFIG)
        } else {
            (media_type::MANIFEST, media_type::CONFIG)
        };
        let described = Descriptor::new(config_type, Blob::of(&config));
        let mut manifest = Manifest::new(described, layers, descriptor::StringMap::new());
        manifest.media_type = Some(manifest_type.into());
        manifest.annotations.insert("of.base".into(), "not inherited".into());
        Documents::parse(super::json::canonical(&manifest).unwrap(), config).unwrap()
    }

    fn base(&self, store: &MemoryStore) -> Base {
        let documents = self.documents(store);
        let name = Some("docker.io/library/debian:12-slim".to_owned());
        Base::new(name, documents.descriptor(), Arc::new(documents))
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(1));
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

/// A full model on a base.
fn on(base: Base) -> Image {
    let full = full();
    Image {
        platform: Platform::new("linux", "amd64"),
        env: ["B=2", "PATH=/own/bin:$PATH"].map(str::to_owned).into(),
        base: Some(base),
        ..full
    }
}
