//! Models, trees and images that must be refused, and images of others that must not.

use super::*;

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
        let error = cx(&store, 1, |cx| write(&image, &tree, cx)).unwrap_err();
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
        let error: WriteError = cx(&store, 1, |cx| write(&image, &tree, cx)).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

/// A layout built by hand, so that any part can lie.
pub(super) struct Forged {
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
    fn source(self, change: impl Fn(&mut Value, &mut Value, &mut Value)) -> Source {
        self.finish(change).source()
    }

    fn finish(mut self, change: impl Fn(&mut Value, &mut Value, &mut Value)) -> Files {
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
        self.files
    }
}

fn merge(whole: &mut Value, part: &Value) {
    for (key, value) in part.as_object().unwrap() {
        whole[key] = value.clone();
    }
}

/// Name, type, and contents or link target.
type Member = (&'static str, tar::EntryType, &'static str);

pub(super) fn tar_of(members: &[(&str, tar::EntryType, &str)]) -> Vec<u8> {
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
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_cksum();
        builder.append(&header, contents).unwrap();
    }
    builder.into_inner().unwrap()
}

pub(super) const FILE: tar::EntryType = tar::EntryType::Regular;
pub(super) const DIRECTORY: tar::EntryType = tar::EntryType::Directory;
pub(super) const HARD_LINK: tar::EntryType = tar::EntryType::Link;

fn untouched(_: &mut Value, _: &mut Value, _: &mut Value) {}

#[test]
fn reads_images_of_others() {
    let base = tar_of(&[("bin/", DIRECTORY, ""), ("bin/a", FILE, "1"), ("etc/x", FILE, "2")]);
    // Two members, as parallel compressors write them.
    let members = [gzip(&base[..700]), gzip(&base[700..])].concat();
    let top = tar_of(&[("bin/.wh.a", FILE, ""), ("bin/b", FILE, "3"), ("c", HARD_LINK, "etc/x")]);
    let frame = |bytes: &[u8]| zstd::stream::encode_all(bytes, 1).unwrap();
    // Two frames with one to be skipped in between (RFC 8878, section 3.1.2).
    let skipped = b"\x50\x2a\x4d\x18\x02\0\0\0no".to_vec();
    let zstd = [frame(&top[..600]), skipped, frame(&top[600..])].concat();
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

const ZEROS: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// What a lie changes in the configuration, the manifest or the descriptor, what the error says
/// (nothing if only verifying tells), and the rule that is broken.
type Lie = (fn(&mut Value, &mut Value, &mut Value), &'static str, &'static str);

const LIES: [Lie; 12] = [
    (|_, _, d| d["size"] = 1.into(), "its descriptor says 1 bytes", "oci-blob-size"),
    (|_, _, d| d["size"] = (5 << 20).into(), "at most 4194304 bytes", "oci-blob-size"),
    (|_, _, d| d["digest"] = ZEROS.into(), "there is no such blob", "oci-blob-missing"),
    (
        |_, _, d| d["mediaType"] = "text/plain".into(),
        "expected an image manifest, found text/plain",
        "oci-media-type",
    ),
    (|_, _, d| d["platform"] = json!({"os": "linux", "architecture": "arm"}), "", "oci-platform"),
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
    (|_, m, _| m["annotations"] = json!({TREE_KEY: ZEROS}), "", "oci-tree"),
    (|_, m, _| m["annotations"] = json!({TREE_KEY: "x"}), "is not a digest", "oci-unreadable"),
    (|_, m, _| m["annotations"] = json!({"a b": ""}), "", "oci-annotation-key"),
    (
        |c, _, _| c["rootfs"]["diff_ids"] = json!([]),
        "expected one for each of 1 layers, found 0",
        "oci-unreadable",
    ),
    (|c, _, _| c["history"] = json!([{}, {"empty_layer": true}, {}]), "", "oci-history-count"),
];

#[test]
fn rejects_documents_that_lie() {
    for (change, message, rule) in LIES {
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
}

#[test]
fn rejects_a_diff_id_that_lies() {
    let mut forged = Forged::new().tar(&[("a", FILE, "1")]);
    forged.diff_ids[0] = ZEROS.into();
    let source = forged.source(untouched);
    assert!(error_of(&source).contains("layer 0: expected the DiffID sha256:00"));
    assert_eq!(Layout::verify(&source).unwrap()[0].rule, "oci-diff-id");
}

#[test]
fn a_layer_that_hides_the_payload_is_noticed() {
    let rows: [(&[Member], &[&str]); 5] = [
        (&[("new", FILE, "3"), ("d/", DIRECTORY, "")], &[]),
        (&[(".wh.a", FILE, "")], &["/a"]),
        (&[("a", FILE, "2")], &["/a"]),
        (&[("a", FILE, "1")], &[]),
        (&[(".wh.d", FILE, "")], &["/d/b"]),
    ];
    for (above, expected) in rows {
        let mut forged = Forged::new().tar(&[("a", FILE, "1"), ("d/b", DIRECTORY, "")]).tar(above);
        forged.layers[0]["annotations"] = json!({layer::LAYER_KEY: "payload"});
        let source = forged.source(untouched);
        assert_eq!(Layout::read(&source).unwrap().tree.len(), 4);
        let problems = Layout::verify(&source).unwrap();
        let places: Vec<_> = problems.iter().map(|problem| problem.place.as_str()).collect();
        assert!(problems.iter().all(|problem| problem.rule == "oci-payload-hidden"));
        assert_eq!(places, expected);
    }
}

/// Puts indexes around what `index.json` lists, each with as many copies of it as asked.
fn nest(mut files: Files, times: usize, copies: usize) -> Source {
    for _ in 0..times {
        let index = files.0.remove("index.json").unwrap();
        let Blob { digest, size } = Blob::of(&index);
        files.0.insert(descriptor::blob_path(&digest), index);
        let media_type = descriptor::media_type::INDEX;
        let listed = json!({"mediaType": media_type, "digest": digest, "size": size});
        let attestation = json!({
            "mediaType": descriptor::media_type::MANIFEST, "digest": ZEROS, "size": 1,
            "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
        });
        let mut manifests = vec![listed; copies];
        manifests.push(attestation);
        let index = json!({"schemaVersion": 2, "manifests": manifests}).to_string();
        files.0.insert("index.json".into(), index.into_bytes());
    }
    files.source()
}

#[test]
fn follows_nested_indexes_to_an_end() {
    let image = Forged::new().tar(&[("a", FILE, "1")]).finish(untouched);
    // Read naively, 200 copies on each of four levels would be 1.6 billion visits.
    let nested = nest(image.clone(), 4, 200);
    assert_eq!(Layout::read(&nested).unwrap().tree.len(), 2);
    let rules: Vec<_> =
        Layout::verify(&nested).unwrap().iter().map(|problem| problem.rule).collect();
    assert_eq!(rules, ["oci-blob-missing"], "of the attestation");
    let deeper = nest(image, 5, 1);
    assert!(error_of(&deeper).contains("indexes at most 4 deep"));
    let problems = Layout::verify(&deeper).unwrap();
    assert!(problems.iter().any(|problem| problem.rule == "oci-index-depth"), "{problems:?}");
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

#[test]
fn layers_that_are_elsewhere_and_old_manifests_are_named() {
    for media_type in [
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    ] {
        let tar = tar_of(&[("a", FILE, "1")]);
        let mut forged = Forged::new().layer("", &tar, &tar);
        forged.layers[0]["mediaType"] = media_type.into();
        let error = error_of(&forged.source(untouched));
        let expected = format!(
            "image manifest, layer 0: expected the media type of a layer, found `{media_type}`, \
             which registries do not keep: take an image without such layers"
        );
        assert_eq!(error, expected);
    }
    let error = Manifest::parse(br#"{"schemaVersion":1}"#).unwrap_err().to_string();
    assert!(error.contains("found 1, Docker's old form: pull the image"), "{error}");
}

#[test]
fn rejects_documents_that_do_not_go_together() {
    let store = MemoryStore::new();
    let Documents { manifest_bytes, config_bytes, .. } = Made::new("a").documents(&store);
    let error = |manifest: &[u8], config: &[u8]| {
        Documents::parse(manifest.to_vec(), config.to_vec()).unwrap_err().to_string()
    };
    assert!(Documents::parse(manifest_bytes.clone(), config_bytes.clone()).is_ok());
    let longer = [&config_bytes[..], b" "].concat();
    let mut other = config_bytes.clone();
    other[0] = b' ';
    let rows = [
        (error(&manifest_bytes, &longer), "image configuration: expected sha256:"),
        (error(&manifest_bytes, &other), "image configuration: expected sha256:"),
        (error(&vec![b' '; 5 << 20], &config_bytes), "expected at most 4194304 bytes"),
        (error(&manifest_bytes, &vec![b' '; 9 << 20]), "expected at most 8388608 bytes"),
        (error(b"{}", &config_bytes), "missing field `schemaVersion`"),
        (error(b"", &config_bytes), "image manifest at offset 0"),
    ];
    for (error, expected) in rows {
        assert!(error.contains(expected), "{error}");
    }
}

/// What a lie changes in an image on a base: its manifest, and what an error says.
type BaseLie = (fn(&mut Value), &'static str);

const BASE_LIES: [BaseLie; 6] = [
    (
        |record| record["base"]["layers"] = 9.into(),
        "annotation dev.bake.image: the base has 9 layers, found 4 in all",
    ),
    (|record| record["base"]["layers"] = (-1).into(), "annotation dev.bake.image"),
    (|record| record["base"]["manifest"]["digest"] = "sha256:00".into(), "is not a digest"),
    (|record| record["base"]["x"] = 1.into(), "unknown field `x`"),
    (|record| record["compression"] = "lz4".into(), "annotation dev.bake.image"),
    (|record| record["layering"] = json!({"rules": [{"name": "a", "paths": ["../x"]}]}), ".."),
];

#[test]
fn rejects_records_of_a_base_that_lie() {
    let store = MemoryStore::new();
    let image = written(&on(Made::new("a").base(&store)), &tree(&store), &store);
    let files = Files::of(&layout::artifact(&image).unwrap(), &store);
    for (change, expected) in BASE_LIES {
        let mut files = files.clone();
        let mut manifest = image.images[0].manifest.clone();
        let mut record: Value =
            serde_json::from_str(&manifest.annotations["dev.bake.image"]).unwrap();
        change(&mut record);
        manifest.annotations.insert("dev.bake.image".into(), record.to_string());
        let bytes = super::json::canonical(&manifest).unwrap();
        let root = Descriptor::new(media_type::MANIFEST, Blob::of(&bytes));
        files.0.insert(root.path(), bytes);
        let index = super::json::canonical(&Index::new(vec![root], BTreeMap::new())).unwrap();
        files.0.insert("index.json".into(), index);
        let error = error_of(&files.source());
        assert!(error.contains(expected), "{error}");
        assert_ne!(Layout::verify(&files.source()).unwrap(), []);
    }
}

#[test]
fn a_base_that_two_places_name_differently_is_noticed() {
    let store = MemoryStore::new();
    let mut image = written(&on(Made::new("a").base(&store)), &tree(&store), &store);
    let manifest = &mut image.images[0].manifest;
    manifest.annotations.insert(BASE_DIGEST_KEY.into(), ZEROS.into());
    let bytes = super::json::canonical(manifest).unwrap();
    image.root = Descriptor::new(media_type::MANIFEST, Written::add(&mut image.blobs, bytes));
    let files = Files::of(&layout::artifact(&image).unwrap(), &store);
    let rules: Vec<_> = Layout::verify(&files.source()).unwrap();
    assert_eq!(rules.iter().map(|problem| problem.rule).collect::<Vec<_>>(), ["oci-base-digest"]);
}

#[test]
fn an_index_that_names_another_tree_is_noticed() {
    let store = MemoryStore::new();
    let image = written(&plain(), &tree(&store), &store);
    let annotations = BTreeMap::from([(TREE_KEY.to_owned(), ZEROS.to_owned())]);
    let index = Index::new(vec![image.root.clone()], annotations);
    let mut lying = image;
    let bytes = super::json::canonical(&index).unwrap();
    lying.root = Descriptor::new(media_type::INDEX, Written::add(&mut lying.blobs, bytes));
    let files = Files::of(&layout::artifact(&lying).unwrap(), &store);
    let rules: Vec<_> = Layout::verify(&files.source()).unwrap();
    assert_eq!(rules.iter().map(|problem| problem.rule).collect::<Vec<_>>(), ["oci-index-tree"]);
}

#[test]
fn rejects_manifests_that_are_larger_than_anybody_reads() {
    let tar = tar_of(&[("a", FILE, "1")]);
    let many = |count: usize| {
        let mut forged = Forged::new().layer("", &tar, &tar);
        forged.layers = vec![forged.layers[0].clone(); count];
        forged.diff_ids = vec![forged.diff_ids[0].clone(); count];
        forged.source(untouched)
    };
    assert!(error_of(&many(1001)).contains("expected at most 1000 layers, found 1001"));
    let store = MemoryStore::new();
    let long = [("x.y".to_owned(), "z".repeat(5 << 20))];
    let image = Image { annotations: long.into(), ..plain() };
    let error = cx(&store, 1, |cx| write(&image, &tree(&store), cx)).unwrap_err().to_string();
    assert!(error.contains("at most 4194304 for the bytes of an image manifest"), "{error}");
}
