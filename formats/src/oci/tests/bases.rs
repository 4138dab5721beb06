//! Images on a base.

use super::*;
use crate::oci::documents::{BASE_DIGEST_KEY, BASE_NAME_KEY};

fn layout(written: &Written, store: &MemoryStore) -> Files {
    Files::of(&layout::artifact(written).unwrap(), store)
}

fn layer_tree(written: &Written, number: usize, store: &MemoryStore) -> Vec<String> {
    let layer = &written.images[0].manifest.layers[number];
    let bytes = written.blobs[&layer.digest].to_vec(store).unwrap();
    let Some(Kind::Layer(codec)) = layer.kind() else { panic!("{}", layer.media_type) };
    let reader = crate::encode::decoder(codec, bytes.as_slice()).unwrap();
    let mut reader = crate::archive::tar::TarReader::new(reader, "layer");
    let mut names = Vec::new();
    while let Some((path, _)) = reader.next_entry().unwrap() {
        names.push(path.to_string());
    }
    names
}

#[test]
fn an_image_starts_with_its_base() {
    for is_docker in [false, true] {
        let store = MemoryStore::new();
        let made = Made { is_docker, ..Made::new("a") };
        let base = made.base(&store);
        let image = on(base.clone());
        let written = written(&image, &tree(&store), &store);
        let WrittenImage { manifest, base_layers, descriptor } = &written.images[0];
        assert_eq!(*base_layers, 2);
        assert_eq!(descriptor.platform, Some(Platform::new("linux", "amd64")));
        let documents = base.documents.as_deref().unwrap();
        for (number, layer) in documents.manifest.layers.iter().enumerate() {
            let media_type = format!("{}+gzip", media_type::LAYER);
            let expected = Descriptor { media_type, ..layer.clone() };
            assert_eq!(manifest.layers[number], expected);
        }
        let is_ours = |layer: &Descriptor| layer.media_type.starts_with(media_type::LAYER);
        assert!(manifest.layers.iter().all(is_ours));
        assert_eq!(manifest.config.media_type, media_type::CONFIG);
        assert_eq!(manifest.annotations[BASE_NAME_KEY], "docker.io/library/debian:12-slim");
        assert_eq!(manifest.annotations[BASE_DIGEST_KEY], base.manifest.digest.to_string());
        assert!(!manifest.annotations.contains_key("of.base"));
        let files = layout(&written, &store);
        assert_eq!(Layout::verify(&files.source()).unwrap(), []);
        let found = LayoutReader::open(&files.source()).unwrap();
        let documents_of = found.documents(&written.root).unwrap();
        let history: Vec<_> =
            documents_of.config.history.iter().map(|entry| entry.created_by.clone()).collect();
        let expected = ["ADD rootfs", "ENV", "RUN apt-get", "CMD a", "bake", "bake"];
        assert_eq!(history, expected.map(|text| Some(text.to_owned())));
        let execution = documents_of.config.config.unwrap();
        assert_eq!(execution.env, ["PATH=/own/bin:/a/bin:/bin", "SEED=a", "B=2"]);
        assert_eq!(
            (execution.user.as_str(), execution.working_dir.as_str()),
            ("1000:1000", "/srv")
        );
    }
}

#[test]
fn reading_gives_the_model_back() {
    let store = MemoryStore::new();
    let tree = tree(&store);
    let base = Made::new("a").base(&store);
    let databases =
        Some(Databases { passwd: b"root:x:0:0::/:/bin/sh\n".to_vec(), ..Databases::default() });
    let bases = [
        base.clone(),
        Base { name: None, ..base.clone() },
        Base { includes_layers: true, ..base.clone() },
        Base { databases, ..base },
    ];
    for base in bases {
        let includes_layers = base.includes_layers;
        let image = on(base);
        let written = written(&image, &tree, &store);
        assert_eq!(written.missing().count(), if includes_layers { 0 } else { 2 });
        let files = layout(&written, &store);
        let unpacked = Layout::read(&files.source()).unwrap();
        assert_eq!(unpacked.model, image);
        assert_eq!((unpacked.tree.id(), unpacked.declared), (tree.id(), Some(tree.id())));
        assert_eq!(Layout::verify(&files.source()).unwrap(), []);
        let archive = cx(&store, 1, |cx| archive::artifact(&written, cx));
        match archive {
            Ok(archive) => {
                assert!(includes_layers);
                let files = Files::of(&archive, &store);
                assert_eq!(Archive::read(&files.source()).unwrap().model, image);
                assert_eq!(Archive::verify(&files.source()).unwrap(), []);
            }
            Err(error) => {
                assert!(!includes_layers);
                assert!(error.to_string().contains("an archive holds every layer"), "{error}");
            }
        }
        // A model that was read names its base and does not hold it.
        let error = cx(&store, 1, |cx| write(&unpacked.model, &tree, cx)).unwrap_err();
        assert!(error.to_string().contains("only names its base"), "{error}");
    }
}

#[test]
fn whether_layers_are_included_does_not_move_the_image() {
    let store = MemoryStore::new();
    let tree = tree(&store);
    let base = Made::new("a").base(&store);
    let sparse = written(&on(base.clone()), &tree, &store);
    let whole = written(&on(Base { includes_layers: true, ..base }), &tree, &store);
    assert_eq!(sparse.root, whole.root);
    assert_eq!(whole.blobs.len(), sparse.blobs.len() + 2);
}

#[test]
fn only_layers_of_the_base_may_be_missing() {
    let store = MemoryStore::new();
    let base = Base { includes_layers: true, ..Made::new("a").base(&store) };
    let written = written(&on(base), &tree(&store), &store);
    let files = layout(&written, &store);
    let layers = &written.images[0].manifest.layers;
    for (number, layer) in layers.iter().enumerate() {
        let mut files = files.clone();
        files.0.remove(&layer.path()).unwrap();
        let rules: Vec<_> = Layout::verify(&files.source()).unwrap();
        let read = Layout::read(&files.source());
        if number < 2 {
            assert_eq!(rules, []);
            assert!(!read.unwrap().model.base.unwrap().includes_layers);
        } else {
            assert_eq!(rules[0].rule, "oci-blob-missing");
            assert!(read.unwrap_err().to_string().contains("there is no such blob"));
        }
    }
    // One that is there is checked.
    let mut damaged = files.clone();
    damaged.0.get_mut(&layers[0].path()).unwrap()[5] ^= 1;
    assert_eq!(Layout::verify(&damaged.source()).unwrap()[0].rule, "oci-blob-digest");
}

#[test]
fn directories_that_only_lead_somewhere_are_not_listed_on_a_base() {
    let store = MemoryStore::new();
    let written = written(&on(Made::new("a").base(&store)), &tree(&store), &store);
    let deep = format!("/usr/share/{}/x", "long/".repeat(40).trim_end_matches('/'));
    let payload = layer_tree(&written, 2, &store);
    let expected = [
        "/etc/hello.conf",
        "/usr/bin/hello",
        "/usr/bin/hi",
        "/usr/bin/link",
        "/usr/bin/ping",
        "/usr/share/caf\\303\\251\\040au\\040lait",
        &deep,
        "/var/lib/hello/cache",
    ];
    assert_eq!(payload, expected);
    assert_eq!(layer_tree(&written, 3, &store), ["/var/lib/hello/with\\040space"]);
    assert_eq!(written.images[0].manifest.layers.len(), 4);
}

#[test]
fn accounts_are_merged_only_if_asked_into_the_only_layer_that_depends_on_the_base() {
    let store = MemoryStore::new();
    let tree = tree(&store);
    let passwd = b"root:x:0:0:root:/root:/bin/bash\n".to_vec();
    let group = b"root:x:0:\nextra:x:5:\n".to_vec();
    let databases = Some(Databases { passwd, group });
    let base = |seed: &str| Base { databases: databases.clone(), ..Made::new(seed).base(&store) };
    let a = written(&on(base("a")), &tree, &store);
    let b = written(&on(base("b")), &tree, &store);
    let layers = |written: &Written| written.images[0].manifest.layers.clone();
    assert_eq!(layers(&a).len(), 5);
    assert_eq!(layers(&a)[2..], layers(&b)[2..]);
    assert_eq!(layers(&a)[4].annotations[layer::LAYER_KEY], "accounts");
    assert_eq!(layer_tree(&a, 4, &store), ["/etc/group", "/etc/passwd"]);
    let bytes = a.blobs[&layers(&a)[4].digest].to_vec(&store).unwrap();
    let reader = crate::encode::decoder(crate::encode::Codec::Zstd, bytes.as_slice()).unwrap();
    let merged = crate::archive::tar::read(reader, "layer").unwrap();
    let expected = b"root:x:0:0:root:/root:/bin/bash\nsvc:x:7:7::/:/sbin/nologin\n\
        app:x:1000:1000::/srv:/bin/sh\n";
    assert_eq!(merged.content(&path("etc/passwd")), Some(&Content::of(expected)));
    // The user stays a name, because the image lists it.
    let config =
        Documents::read(&LayoutReader::open(&layout(&a, &store).source()).unwrap(), &a.root);
    assert_eq!(config.unwrap().config.config.unwrap().user, "app:app");

    let other = Base {
        databases: Some(Databases { passwd: b"app:x:5:5::/:/\n".to_vec(), ..Databases::default() }),
        ..Made::new("a").base(&store)
    };
    let error = cx(&store, 1, |cx| write(&on(other), &tree, cx)).unwrap_err().to_string();
    assert!(error.contains("the base has the user app with the number 5"), "{error}");
}

#[test]
fn a_user_by_name_becomes_a_number_where_the_model_knows_it() {
    let rows = [
        ("app", "1000:1000"),
        ("app:app", "1000:1000"),
        ("app:extra", "1000:5"),
        ("app:staff", "1000:staff"),
        ("nobody", "nobody"),
        ("nobody:extra", "nobody:5"),
        ("7", "7"),
        ("7:8", "7:8"),
    ];
    let accounts = full().accounts;
    for (user, expected) in rows {
        assert_eq!(accounts::runs_as(user, &accounts), expected, "{user}");
    }
}

#[test]
fn support_files_have_a_place_and_are_read_back() {
    let store = MemoryStore::new();
    let tree = tree(&store);
    let support =
        |name: &str, bytes: &str| (path(name), SupportFile::new(bytes.as_bytes(), Mode::PLAIN));
    let files = [
        support("etc/ssl/certs/ca-certificates.crt", "PEM"),
        support("usr/share/zoneinfo/Europe/Paris", "TZif2"),
    ];
    for image in [plain(), on(Made::new("a").base(&store))] {
        let is_on_base = image.base.is_some();
        let image = Image { support: files.clone().into(), ..image };
        let written = written(&image, &tree, &store);
        let layout = layout(&written, &store);
        let unpacked = Layout::read(&layout.source()).unwrap();
        assert_eq!(unpacked.model, image);
        assert_eq!(unpacked.tree.id(), tree.id());
        assert_eq!(Layout::verify(&layout.source()).unwrap(), []);
        let top = written.images[0].manifest.layers.len() - 1;
        let names = layer_tree(&written, top, &store);
        assert!(names.contains(&"/etc/ssl/certs/ca-certificates.crt".to_owned()));
        assert_eq!(names.contains(&"/etc/ssl".to_owned()), !is_on_base);
    }
    let rows = [
        ("usr/bin/hello", "the tree brings this file itself"),
        ("etc/passwd", "account databases are made"),
        ("", "below the root"),
    ];
    for (name, expected) in rows {
        let image = Image { support: [support(name, "")].into(), ..plain() };
        let error = cx(&store, 1, |cx| write(&image, &tree, cx)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn annotations_stand_on_every_level() {
    let store = MemoryStore::new();
    let map = |text: &str| descriptor::StringMap::from([("x.level".to_owned(), text.to_owned())]);
    let image = Image {
        annotations: map("manifest"),
        descriptor_annotations: map("descriptor"),
        layer_annotations: map("layer"),
        ..plain()
    };
    let single = written(&image, &tree(&store), &store);
    let joined = join(vec![single.clone()], map("index")).unwrap();
    let manifest = &single.images[0].manifest;
    assert_eq!(manifest.annotations["x.level"], "manifest");
    assert!(manifest.layers.iter().all(|layer| layer.annotations["x.level"] == "layer"));
    let bytes = joined.blobs[&joined.root.digest].to_vec(&store).unwrap();
    let index = Index::parse(&bytes).unwrap();
    assert_eq!(index.annotations["x.level"], "index");
    assert_eq!(index.annotations[TREE_KEY], tree(&store).id().to_string());
    assert_eq!(index.manifests[0].annotations, map("descriptor"));
    for written in [single, joined] {
        let files = layout(&written, &store);
        assert_eq!(Layout::read(&files.source()).unwrap().model, image);
        assert_eq!(Layout::verify(&files.source()).unwrap(), []);
    }
    for key in ["dev.bake.x", "a b", "org.opencontainers.image.licence", ""] {
        let annotations = [(key.to_owned(), String::new())].into();
        let joined = join(vec![written(&plain(), &tree(&store), &store)], annotations);
        assert!(joined.is_err(), "{key}");
    }
}

#[test]
fn an_index_over_different_trees_names_none() {
    let store = MemoryStore::new();
    let arm = Image { platform: Platform::new("linux", "arm64"), ..plain() };
    let images =
        vec![written(&plain(), &tree(&store), &store), written(&arm, &FileTree::default(), &store)];
    let joined = join(images, descriptor::StringMap::new()).unwrap();
    let bytes = joined.blobs[&joined.root.digest].to_vec(&store).unwrap();
    assert!(Index::parse(&bytes).unwrap().annotations.is_empty());
    let files = layout(&joined, &store);
    let found = read_one(&files.source(), &arm.platform, Limits::default()).unwrap();
    assert_eq!(found.unpacked.model, arm);
    let wanted = Platform::new("linux", "s390x");
    let error = read_one(&files.source(), &wanted, Limits::default()).unwrap_err().to_string();
    assert!(error.contains("linux/s390x, found linux/amd64, linux/arm64"), "{error}");
}

#[test]
fn rejects_bases_that_make_no_image() {
    let store = MemoryStore::new();
    let tree = tree(&store);
    let good = Made::new("a").base(&store);
    let arm = {
        let mut made = Made::new("a");
        made.config["architecture"] = "arm64".into();
        made.base(&store)
    };
    let mut lying = good.clone();
    lying.manifest.digest = Digest::of(b"other");
    let many = {
        let mut made = Made::new("a");
        made.layers = vec![made.layers[0].clone(); MAX_WRITTEN_LAYERS - 1];
        made.base(&store)
    };
    let mut named = on(good.clone());
    named.annotations.insert(BASE_NAME_KEY.into(), "x".into());
    let rows = [
        (
            on(arm),
            "expected a base for linux/amd64; docker.io/library/debian:12-slim is for, found",
        ),
        (on(lying), "expected the manifest sha256:"),
        (on(many), "expected at most 127 layers, the base's 126 included"),
        (named, "the base fills this key"),
    ];
    for (image, expected) in rows {
        let error = cx(&store, 1, |cx| write(&image, &tree, cx)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    // One layer of the base less is enough: payload and support are two more.
    let mut made = Made::new("a");
    made.layers = vec![made.layers[0].clone(); MAX_WRITTEN_LAYERS - 2];
    let written = written(&on(made.base(&store)), &tree, &store);
    assert_eq!(written.images[0].manifest.layers.len(), MAX_WRITTEN_LAYERS);
}

#[test]
fn an_image_of_bake_is_a_base_whose_payload_is_not_ours() {
    let store = MemoryStore::new();
    let below = tree(&store);
    let lower = written(&plain(), &below, &store);
    let files = layout(&lower, &store);
    for (name, bytes) in &files.0 {
        assert!(store.put(bytes).is_ok(), "{name}");
    }
    let documents = LayoutReader::open(&files.source()).unwrap().documents(&lower.root).unwrap();
    let base = Base::new(None, lower.root.clone(), Arc::new(documents));
    let base = Base { includes_layers: true, ..base };
    store.put(b"ours").unwrap();
    let mut builder = TreeBuilder::new();
    builder.insert(path("ours"), Entry::file(Content::of(b"ours"), Mode::PLAIN)).unwrap();
    let ours = builder.finish().unwrap();
    let image = Image { name: "upper".into(), base: Some(base), ..plain() };
    let upper = written(&image, &ours, &store);
    let files = layout(&upper, &store);
    let read = Layout::read(&files.source()).unwrap();
    assert_eq!((read.model, read.tree.id()), (image, ours.id()));
    assert_eq!(Layout::verify(&files.source()).unwrap(), []);
    // Nothing of the base's record or tree is passed on.
    let manifest = &upper.images[0].manifest;
    assert_eq!(manifest.annotations[TREE_KEY], ours.id().to_string());
    let config =
        LayoutReader::open(&files.source()).unwrap().documents(&upper.root).unwrap().config;
    assert_eq!(config.history.len(), manifest.layers.len());
}
