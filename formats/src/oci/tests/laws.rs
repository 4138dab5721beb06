//! Writing and reading back, and what the bytes say.

use std::ops::ControlFlow;

use super::*;
use crate::wanted::tests::listed;

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
        assert!(!name.contains('/') && name.starts_with("hello-"), "{name}");
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
    let expected = [
        "f88a98219be908383f9e41ebc63074c69d408fb71a547ae1e080d110ef02966e",
        "fcc4d5f8e531bfb6d3a5575481a4a93b97b3552b488e387f4ffa36bceb276173",
        "b2d8a93b27692745ec41fdbe3553f1550e3ab987ca3986a7d1f1bf9fca3cd57b",
        "898d7ed2f0d7e72d50a5e2c291f3739ea597837290b66e7ff13364869b870f33",
        "b4b8cd027dce09a3e56cc4dae98cc6e9d680d6d11491ec5eab920bd8cb606c6c",
    ];
    assert_eq!(found, expected);
}

#[test]
fn flipped_bytes_of_blobs_are_noticed() {
    let files = pack::<Layout>(&plain());
    for (name, bytes) in files.0.iter().filter(|(name, _)| name.starts_with("blobs/")) {
        for at in (0..bytes.len()).step_by(11) {
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
    let members = archive::scan(&(Arc::new(bytes.clone()) as Arc<dyn ReadAt>)).unwrap().files;
    let is_checked = |at: u64| {
        let inside = |name: &str| {
            let member = members[name];
            (member.offset..member.offset + member.len).contains(&at)
        };
        // All of a header but what follows the six digits of its checksum.
        let header = members.values().any(|member| {
            let start = member.offset - 512;
            (start..member.offset).contains(&at) && !(start + 154..start + 156).contains(&at)
        });
        let blob = members.keys().any(|name| name.starts_with("blobs/") && inside(name));
        header || blob || inside("oci-layout")
    };
    for at in (0..bytes.len()).step_by(7).filter(|at| is_checked(*at as u64)) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        let problems = Archive::verify(&archive(damaged));
        assert!(!matches!(problems.as_deref(), Ok([])), "{at}");
    }
}

#[test]
fn every_truncated_archive_is_an_error() {
    let bytes = pack::<Archive>(&plain()).0.remove("").unwrap();
    let members = archive::scan(&(Arc::new(bytes.clone()) as Arc<dyn ReadAt>)).unwrap().files;
    let ends = members.values().map(|member| member.offset + member.len);
    let end = usize::try_from(ends.max().unwrap()).unwrap();
    for len in (0..end).step_by(128).chain([1, 511, 513, end - 1]) {
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
        let platforms: Vec<_> = images.iter().map(|image| image.platform().to_string()).collect();
        assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
        assert_eq!(images[0].unpacked.model, plain());
        assert_eq!(images[1].unpacked.tree.id(), tree(&store).id());
        let mut visited = BTreeMap::new();
        let arm = &images[1].platform();
        let done = visit_one(&files.source(), arm, Limits::default(), &mut |path, bytes| {
            assert_eq!(visited.insert(path.clone(), Content::of_reader(bytes)?), None);
            Ok(ControlFlow::Continue(()))
        });
        assert_eq!(done.unwrap(), ControlFlow::Continue(()));
        assert_eq!(visited, listed(&images[1].unpacked.tree));
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
