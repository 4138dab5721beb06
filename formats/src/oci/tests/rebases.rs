//! Images on another base: the bytes of a fresh write on that base.

use proptest::prelude::*;

use super::*;
use crate::oci::rebase::{FORCED_KEY, OwnLayers};

fn documents(written: &Written, store: &MemoryStore) -> Documents {
    let bytes = |digest: &Digest| written.blobs[digest].to_vec(store).unwrap();
    let manifest = &written.images[0].manifest;
    Documents::parse(bytes(&written.images[0].descriptor.digest), bytes(&manifest.config.digest))
        .unwrap()
}

/// Puts an image onto a base at another time than it was made.
fn rebased(
    image: &Written,
    old_base: Option<&Documents>,
    base: &Base,
    store: &MemoryStore,
) -> Result<Rebased, RebaseError> {
    let documents = documents(image, store);
    let listed = ListedImage {
        descriptor: image.images[0].descriptor.clone(),
        name: image.name.clone(),
        version: image.version.clone(),
    };
    let (documents, own_layers, forced) = (&documents, OwnLayers::Included, None);
    let request = Rebase { image: &listed, documents, old_base, base, own_layers, forced };
    let encoder = Encoder::new(store, &NoCache, 1);
    rebase(&request, &WriteCx { blobs: store, encoder: &encoder, epoch: Epoch(7) })
}

fn keep(written: &Written, store: &MemoryStore) {
    for rope in written.blobs.values() {
        store.put(&rope.to_vec(store).unwrap()).unwrap();
    }
}

/// Fails unless two images are the same, blob for blob.
fn assert_same(found: &Written, expected: &Written, store: &MemoryStore) {
    assert_eq!(found.images, expected.images);
    assert_eq!(found.root, expected.root);
    assert_eq!((&found.name, &found.version), (&expected.name, &expected.version));
    let bytes = |written: &Written| -> BTreeMap<Digest, Vec<u8>> {
        written.blobs.iter().map(|(d, rope)| (*d, rope.to_vec(store).unwrap())).collect()
    };
    assert_eq!(bytes(found), bytes(expected));
}

fn databases(text: &str) -> Databases {
    Databases { passwd: text.as_bytes().to_vec(), group: b"root:x:0:\n".to_vec() }
}

/// Whatever may differ between bases.
fn bases() -> impl Strategy<Value = Made> {
    let env = proptest::collection::vec("(PATH|A|B|C)=[/a-c]{0,4}", 0..5);
    let history = proptest::collection::vec(any::<bool>(), 0..5);
    ("[a-c]{1,3}", any::<[bool; 4]>(), env, history, 0..3_usize).prop_map(
        |(seed, [docker, plain, variant, entrypoint], env, history, layers)| {
            let mut made = Made::new(&seed);
            made.is_docker = docker;
            made.layers.truncate(layers);
            made.config["config"]["Env"] = json!(env);
            if plain {
                made.config.as_object_mut().unwrap().remove("config");
            } else if entrypoint {
                made.config["config"]["Entrypoint"] = json!([seed]);
            }
            if variant {
                made.config["variant"] = "v1".into();
            }
            let entry = |empty: &bool| json!({"created_by": seed, "empty_layer": empty});
            made.config["history"] = history.iter().map(entry).collect();
            made
        },
    )
}

/// Whatever an image may say itself.
fn images() -> impl Strategy<Value = Image> {
    let env =
        proptest::sample::subsequence(vec!["A=own", "B=$PATH", "D=1", "PATH=/own:$PATH"], 0..=4);
    (any::<[bool; 8]>(), env).prop_map(|([a, b, c, d, e, f, g, h], env)| {
        let full = full();
        let mut image = Image {
            platform: Platform::new("linux", "amd64"),
            env: env.into_iter().map(str::to_owned).collect(),
            compression: Compression::NONE,
            accounts: full.accounts.clone(),
            ..Image::new("ghcr.io/acme/hello", "1.0-rc.1", full.platform.clone())
        };
        if a {
            image.entrypoint.clone_from(&full.entrypoint);
        }
        if b {
            image.cmd.clone_from(&full.cmd);
        }
        if c {
            image.user = Some("app".into());
        }
        if d {
            (image.working_dir, image.stop_signal) = (full.working_dir, full.stop_signal);
            (image.labels, image.author) = (full.labels, full.author);
        }
        if e {
            (image.exposed_ports, image.volumes) = (full.exposed_ports, full.volumes);
        }
        if f {
            image.state = full.state;
        }
        if g {
            let rule = LayerRule { name: "programs".into(), paths: vec![path("usr/bin")] };
            image.layering.rules.push(rule);
            image.layer_annotations = [("x.layer".to_owned(), "y".to_owned())].into();
        }
        if h {
            image.annotations = full.annotations;
            image.descriptor_annotations = [("x.listed".to_owned(), "y".to_owned())].into();
            image.support =
                [(path("etc/ca.pem"), SupportFile::new(&b"PEM"[..], Mode::PLAIN))].into();
        }
        image
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rebasing_gives_the_bytes_of_a_fresh_write(
        image in images(), old in bases(), new in bases(), accounts in any::<bool>(),
        includes_layers in any::<bool>(), name in proptest::option::of("[a-z]{1,5}"),
    ) {
        let store = MemoryStore::new();
        let tree = tree(&store);
        let base = |made: &Made, text: &str| Base {
            databases: accounts.then(|| databases(text)),
            includes_layers,
            name: name.clone(),
            ..made.base(&store)
        };
        let old = base(&old, "root:x:0:0::/:/bin/sh\n");
        let new = base(&new, "app:x:1000:1000::/base:/bin/sh\nbin:x:1:1::/:/bin/sh");
        let before = written(&Image { base: Some(old.clone()), ..image.clone() }, &tree, &store);
        let expected = written(&Image { base: Some(new.clone()), ..image }, &tree, &store);
        keep(&before, &store);
        let found = rebased(&before, None, &new, &store).unwrap();
        prop_assert_eq!(&found.guesses, &Vec::<String>::new());
        assert_same(&found.written, &expected, &store);
        // And back, which leaves nothing of the base in between.
        keep(&found.written, &store);
        assert_same(&rebased(&found.written, None, &old, &store).unwrap().written, &before, &store);
    }
}

#[test]
fn all_platforms_are_joined_again() {
    let store = MemoryStore::new();
    let tree = tree(&store);
    let base = |seed: &str, architecture: &str| {
        let mut made = Made::new(seed);
        made.config["architecture"] = architecture.into();
        made.base(&store)
    };
    let image = |seed: &str, architecture: &str| {
        let platform = Platform::new("linux", architecture);
        written(&Image { platform, ..on(base(seed, architecture)) }, &tree, &store)
    };
    let annotations = descriptor::StringMap::new;
    let all = |seed: &str| vec![image(seed, "amd64"), image(seed, "arm64")];
    let expected = join(all("b"), annotations()).unwrap();
    let mut found = Vec::new();
    for (number, image) in all("a").iter().enumerate() {
        keep(image, &store);
        let base = base("b", ["amd64", "arm64"][number]);
        found.push(rebased(image, None, &base, &store).unwrap().written);
    }
    assert_eq!(join(found, annotations()).unwrap().root, expected.root);
}

#[test]
fn a_forced_rebase_says_so_and_the_next_one_forgets_it() {
    let store = MemoryStore::new();
    let (a, b) = (Made::new("a").base(&store), Made::new("b").base(&store));
    let before = written(&on(a.clone()), &tree(&store), &store);
    keep(&before, &store);
    let documents = documents(&before, &store);
    let listed = ListedImage {
        descriptor: before.root.clone(),
        name: String::new(),
        version: String::new(),
    };
    let request = Rebase {
        image: &listed,
        documents: &documents,
        old_base: None,
        base: &b,
        own_layers: OwnLayers::Referred,
        forced: Some("seam-shadowed"),
    };
    let forced = cx(&store, 1, |cx| rebase(&request, cx)).unwrap().written;
    assert_eq!(forced.images[0].manifest.annotations[FORCED_KEY], "seam-shadowed");
    assert_eq!(forced.missing().count(), 4, "layers of the base and its own");
    let again = rebased(&forced, None, &a, &store).unwrap().written;
    assert_eq!(again.root, before.root);
}

#[test]
fn rejects_what_cannot_be_put_onto_another_base() {
    let store = MemoryStore::new();
    let tree = tree(&store);
    let (a, b) = (Made::new("a").base(&store), Made::new("b").base(&store));
    let merged = Base { databases: Some(databases("")), ..a.clone() };
    let image = |image: Image| written(&image, &tree, &store);
    let arm = {
        let mut made = Made::new("b");
        made.config["architecture"] = "arm64".into();
        made.base(&store)
    };
    let foreign = foreign(&Made::new("a"), &json!({}), &store).0;
    let of_b = b.documents.as_deref();
    let rows = [
        (image(plain()), None, &b, "the image is built on nothing"),
        (image(on(merged)), None, &b, "expected the new base's /etc/passwd"),
        (image(on(a.clone())), None, &arm, "expected a base for linux/amd64"),
        (image(on(a.clone())), of_b, &b, "is not built on the old base: expected layer 0"),
        (foreign.clone(), None, &b, "name the old base"),
        (foreign, of_b, &b, "is not built on the old base: expected layer 0"),
    ];
    for (image, old, base, expected) in rows {
        let error = rebased(&image, old, base, &store).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

/// An image on a base as another tool would make it: the base's documents, changed.
fn foreign(base: &Made, change: &Value, store: &MemoryStore) -> (Written, Documents) {
    let old = base.documents(store);
    let mut made = base.clone();
    made.layers.push(hostile::tar_of(&[("app", hostile::FILE, "app")]));
    for (key, value) in change.as_object().unwrap() {
        if value.is_object() && made.config[key].is_object() {
            for (key_below, value) in value.as_object().unwrap() {
                made.config[key][key_below] = value.clone();
            }
        } else {
            made.config[key] = value.clone();
        }
    }
    let documents = made.documents(store);
    let mut blobs = BTreeMap::new();
    Written::add(&mut blobs, documents.manifest_bytes.clone());
    Written::add(&mut blobs, documents.config_bytes.clone());
    let descriptor = documents.descriptor();
    let manifest = documents.manifest.clone();
    let images = vec![WrittenImage { descriptor: descriptor.clone(), manifest, base_layers: 0 }];
    let (name, version) = ("acme/app".to_owned(), "1".to_owned());
    (Written { name, version, root: descriptor, images, blobs }, old)
}

#[test]
fn an_image_of_others_keeps_what_is_its_own() {
    let store = MemoryStore::new();
    let mut history = Made::new("a").config["history"].as_array().unwrap().clone();
    history.push(json!({"created_by": "COPY app"}));
    history.push(json!({"created_by": "CMD app", "empty_layer": true}));
    let change = json!({
        "created": "2024-01-01T00:00:00.123Z", "author": "me", "history": history,
        "config": {
            "Env": ["PATH=/app:/a/bin:/bin", "SEED=a", "B=mine", "NEW=1"], "Cmd": ["app"],
            "Labels": {"seed": "a", "maintainer": "me"}, "User": "", "Own": 1,
            "ExposedPorts": {"1/tcp": {}, "8080/tcp": {}},
        },
    });
    let (image, old) = foreign(&Made::new("a"), &change, &store);
    let new = Made::new("b").base(&store);
    let Rebased { written, guesses } = rebased(&image, Some(&old), &new, &store).unwrap();
    assert_eq!(guesses, ["the image's PATH holds its base's, so it is taken as /app:${PATH}"]);
    let config = documents(&written, &store).config;
    let below = new.documents.as_deref().unwrap();
    assert_eq!(config.rootfs.diff_ids[..2], below.config.rootfs.diff_ids);
    assert_eq!(config.rootfs.diff_ids.len(), 3);
    let steps: Vec<_> = config.history.iter().filter_map(|e| e.created_by.as_deref()).collect();
    assert_eq!(steps, ["ADD rootfs", "ENV", "RUN apt-get", "CMD b", "COPY app", "CMD app"]);
    assert_eq!(config.created.as_deref(), Some("2024-01-01T00:00:00.123Z"));
    assert_eq!(config.author.as_deref(), Some("me"));
    assert_eq!(config.other["os.version"], "b");
    let run = config.config.unwrap();
    assert_eq!(run.env, ["PATH=/app:/b/bin:/bin", "SEED=b", "B=mine", "NEW=1"]);
    assert_eq!(
        (run.cmd, run.user.as_str(), run.working_dir.as_str()),
        (vec!["app".into()], "", "/base")
    );
    assert_eq!(run.labels["seed"], "b");
    assert_eq!(run.labels["maintainer"], "me");
    assert_eq!(run.exposed_ports.len(), 2);
    assert_eq!(run.other["Own"], 1);
    assert_eq!(run.other["Shell"], json!(["b"]));
}

#[test]
fn no_layer_is_lost_or_kept_twice_whatever_histories_say() {
    // Peers drop the first layer of an image without a history, and keep the old base's layers of
    // a base without one.
    let entry = || json!({"created_by": "x"});
    let rows = [
        (json!([]), json!([])),
        (json!([]), json!([entry(), entry(), entry()])),
        (json!([entry(), entry()]), json!([])),
        (json!([entry()]), json!([entry()])),
        (json!([entry(), entry(), entry(), entry()]), json!([entry(), entry(), entry(), entry()])),
    ];
    for (of_base, of_image) in rows {
        let store = MemoryStore::new();
        let mut made = Made::new("a");
        made.config["history"] = of_base;
        let (image, old) = foreign(&made, &json!({"history": of_image}), &store);
        let mut new = Made::new("b");
        new.config["history"] = json!([]);
        let new = new.base(&store);
        let written = rebased(&image, Some(&old), &new, &store).unwrap().written;
        let found = documents(&written, &store);
        let layers = &found.manifest.layers;
        assert_eq!(layers[..2], new.documents.as_deref().unwrap().manifest.layers);
        assert_eq!(layers[2], image.images[0].manifest.layers[2]);
        assert_eq!(layers.len(), 3);
        let counted = found.config.history.iter().filter(|entry| !entry.empty_layer).count();
        assert_eq!(counted, 3);
    }
}

#[test]
fn what_an_image_of_others_takes_away_is_said() {
    let store = MemoryStore::new();
    let change = json!({"config": {"Env": [], "Labels": {}, "Cmd": []}});
    let (image, old) = foreign(&Made::new("a"), &change, &store);
    let new = Made::new("b").base(&store);
    let guesses = rebased(&image, Some(&old), &new, &store).unwrap().guesses;
    assert_eq!(guesses.len(), 3, "{guesses:?}");
    assert!(guesses[0].contains("takes its base's entrypoint or arguments away"));
    assert!(guesses[1].contains("variables of its base away (B, PATH, SEED)"));
    assert!(guesses[2].contains("labels of its base away (maintainer, seed)"));
}

#[test]
fn a_configuration_of_a_hundred_thousand_variables_takes_no_time() {
    let store = MemoryStore::new();
    let env = |what: &str| (0..100_000).map(|n| format!("V{n}={what}")).collect::<Vec<_>>();
    let mut base = Made::new("a");
    base.config["config"]["Env"] = json!(env("old"));
    let (image, old) = foreign(&base, &json!({"config": {"Env": env("new")}}), &store);
    let new = Made::new("b").base(&store);
    let Rebased { written, guesses } = rebased(&image, Some(&old), &new, &store).unwrap();
    assert_eq!(guesses, [""; 0]);
    let env = documents(&written, &store).config.config.unwrap().env;
    assert_eq!(env.len(), 100_003, "three of the new base");
}
