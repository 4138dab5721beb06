//! What is asked for when, and what is refused, against images that are in memory.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Mutex;

use bake_formats::blob::Blob;
use bake_formats::digest::Digest;
use bake_formats::oci::descriptor::media_type;
use bake_formats::oci::{Descriptor, json};
use bake_recipes::Platform;
use bake_recipes::lock::Lock;
use bake_recipes::resolved::BaseSource;
use serde_json::{Value, json};

use super::*;
use crate::store::Store;

/// Images in memory that count what is asked of them.
#[derive(Default)]
struct Fake {
    /// What `debian:12` leads to.
    root: Mutex<Option<Document>>,
    blobs: Mutex<BTreeMap<Digest, Vec<u8>>>,
    asked: Mutex<Vec<&'static str>>,
    local: bool,
}

struct FakeSource<'a>(&'a Fake);

impl Images for Fake {
    fn open(&self, _source: &BaseSource) -> Result<Box<dyn ImageSource + '_>, BaseError> {
        Ok(Box::new(FakeSource(self)))
    }
}

impl FakeSource<'_> {
    fn get(&self, what: &'static str, digest: &Digest) -> Result<Vec<u8>, BaseError> {
        self.0.asked.lock().unwrap().push(what);
        let blobs = self.0.blobs.lock().unwrap();
        blobs.get(digest).cloned().ok_or_else(|| BaseError::new("fake", format!("no {digest}")))
    }
}

impl ImageSource for FakeSource<'_> {
    fn look(&self) -> Result<Option<Descriptor>, BaseError> {
        self.0.asked.lock().unwrap().push("head");
        Ok(self.0.root.lock().unwrap().as_ref().map(|root| root.descriptor.clone()))
    }

    fn root(&self) -> Result<Document, BaseError> {
        self.0.asked.lock().unwrap().push("root");
        let root = self.0.root.lock().unwrap().clone();
        root.ok_or_else(|| BaseError::new("fake", "there is no such image"))
    }

    fn by_digest(&self, digest: &Digest) -> Result<Document, BaseError> {
        let bytes = self.get("manifest", digest)?;
        Ok(Document { descriptor: Descriptor::new(media_type::MANIFEST, Blob::of(&bytes)), bytes })
    }

    fn blob(&self, descriptor: &Descriptor) -> Result<Box<dyn Read + Send + '_>, BaseError> {
        Ok(Box::new(std::io::Cursor::new(self.get("blob", &descriptor.digest)?)))
    }

    fn is_remote(&self) -> bool {
        !self.0.local
    }
}

impl Fake {
    fn put(&self, bytes: Vec<u8>) -> Blob {
        let blob = Blob::of(&bytes);
        self.blobs.lock().unwrap().insert(blob.digest, bytes);
        blob
    }

    fn put_json(&self, value: &Value) -> Blob {
        self.put(json::canonical(value).unwrap())
    }

    /// Makes an image with one layer and returns its manifest.
    fn image(&self, architecture: &str, layer: &[u8]) -> Blob {
        let layer = self.put(layer.to_vec());
        let config = self.put_json(&json!({
            "architecture": architecture, "os": "linux", "created": "2026-01-02T03:04:05Z",
            "config": { "Labels": { "org.opencontainers.image.version": "12.5" } },
            "rootfs": { "type": "layers", "diff_ids": [layer.digest] },
        }));
        self.put_json(&json!({
            "schemaVersion": 2, "mediaType": media_type::MANIFEST,
            "config": { "mediaType": media_type::CONFIG, "digest": config.digest, "size": config.size },
            "layers": [
                { "mediaType": media_type::LAYER, "digest": layer.digest, "size": layer.size },
            ],
        }))
    }

    /// Lets the name lead to an index over images for these architectures.
    fn publish(&self, architectures: &[&str], layer: &[u8]) -> Digest {
        let listed = architectures.iter().map(|architecture| {
            let Blob { digest, size } = self.image(architecture, layer);
            let platform = json!({ "os": "linux", "architecture": architecture });
            json!({ "mediaType": media_type::MANIFEST, "digest": digest, "size": size,
                "platform": platform })
        });
        let manifests: Vec<Value> = listed.collect();
        let index = self.put_json(&json!({
            "schemaVersion": 2, "mediaType": media_type::INDEX, "manifests": manifests,
        }));
        let bytes = self.blobs.lock().unwrap()[&index.digest].clone();
        let descriptor = Descriptor::new(media_type::INDEX, index);
        *self.root.lock().unwrap() = Some(Document { descriptor, bytes });
        index.digest
    }

    /// Returns what was asked for since the last time.
    fn asked(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

const RULES: Rules = Rules { network: Network::Allowed, locking: Locking::Extend };
const OFFLINE: Rules = Rules { network: Network::Offline, locking: Locking::Extend };
const FROZEN: Rules = Rules { network: Network::Allowed, locking: Locking::Frozen };

fn debian() -> BaseSource {
    BaseSource::Registry("debian:12".parse().unwrap())
}

fn platform(text: &str) -> Platform {
    text.parse().unwrap()
}

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    (folder, store)
}

/// Finds `debian:12` for a platform; returns what was found and the lock.
fn find(
    fake: &Fake,
    store: &Store,
    rules: Rules,
    lock: &Lock,
    on: &str,
) -> (Result<Found, BaseError>, Lock) {
    let mut bases = Bases::new(fake, store, rules, lock.clone());
    let found = bases.find(&debian(), platform(on));
    (found, bases.lock)
}

#[test]
fn a_tag_costs_three_requests_once_a_locked_one_two_and_a_known_one_none() {
    let (fake, (_folder, known)) = (Fake::default(), store());
    let index = fake.publish(&["amd64", "arm64"], b"layer");
    let (found, lock) = find(&fake, &known, RULES, &Lock::default(), "linux/amd64");
    let base = found.unwrap().base;
    assert_eq!(fake.asked(), ["root", "manifest", "blob"], "index, manifest, configuration");
    assert_eq!(base.name.as_deref(), Some("docker.io/library/debian:12"));
    let locked = &lock.bases["docker.io/library/debian:12"];
    assert_eq!(locked.digest, index);
    assert_eq!(locked.manifests[&platform("linux/amd64")].digest, base.manifest.digest);

    // A tag that moves does not matter any more.
    fake.publish(&["amd64", "arm64"], b"another layer");
    for rules in [RULES, OFFLINE, FROZEN] {
        let (again, same) = find(&fake, &known, rules, &lock, "linux/amd64");
        assert_eq!(again.unwrap().base, base);
        assert_eq!((fake.asked(), same), (Vec::new(), lock.clone()));
    }
    // Another platform of the locked index, which is known.
    let (other, both) = find(&fake, &known, RULES, &lock, "linux/arm64");
    assert_ne!(other.unwrap().base, base);
    assert_eq!(fake.asked(), ["manifest", "blob"]);
    assert_eq!(both.bases["docker.io/library/debian:12"].manifests.len(), 2);
    // Another machine.
    let (_folder, fresh) = store();
    assert_eq!(find(&fake, &fresh, FROZEN, &lock, "linux/amd64").0.unwrap().base, base);
    assert_eq!(fake.asked(), ["manifest", "blob"]);
}

#[test]
fn rules_are_kept_and_say_what_to_do() {
    let (fake, (_folder, empty)) = (Fake::default(), store());
    fake.publish(&["amd64"], b"layer");
    let (found, lock) = find(&fake, &empty, OFFLINE, &Lock::default(), "linux/amd64");
    let error = found.unwrap_err();
    assert!(error.is_unknown && error.reason.contains("`--offline` forbids"), "{error}");
    assert_eq!(lock, Lock::default());
    let (found, _) = find(&fake, &empty, FROZEN, &Lock::default(), "linux/amd64");
    let error = found.unwrap_err();
    assert!(error.reason.contains("not in the lock file"), "{error}");
    assert!(error.hint.unwrap().contains("bake lock"));
    assert_eq!(fake.asked(), Vec::<&str>::new(), "nobody was asked");

    let (_, lock) = find(&fake, &empty, RULES, &Lock::default(), "linux/amd64");
    let (_folder, fresh) = store();
    let error = find(&fake, &fresh, OFFLINE, &lock, "linux/amd64").0.unwrap_err();
    assert!(error.reason.starts_with("its manifest sha256:"), "{error}");
}

#[test]
fn a_platform_that_is_missing_is_named_with_those_there_are() {
    let (fake, (_folder, store)) = (Fake::default(), store());
    fake.publish(&["amd64", "arm64"], b"layer");
    let error = find(&fake, &store, RULES, &Lock::default(), "linux/s390x").0.unwrap_err();
    assert_eq!(error.reason, "there is none for linux/s390x");
    assert_eq!(error.hint.as_deref(), Some("there are images for linux/amd64, linux/arm64"));
}

#[test]
fn nothing_is_kept_under_a_digest_that_it_does_not_have() {
    let (fake, (_folder, store)) = (Fake::default(), store());
    fake.publish(&["amd64"], b"layer");
    let manifest = fake.image("amd64", b"layer");
    fake.blobs.lock().unwrap().insert(manifest.digest, b"{}".to_vec());
    let error = find(&fake, &store, RULES, &Lock::default(), "linux/amd64").0.unwrap_err();
    assert!(error.reason.contains("found 2 with sha256:"), "{error}");
    assert!(!store.holds(&manifest.digest));
}

#[test]
fn what_is_damaged_in_the_store_is_read_again() {
    let (fake, (folder, store)) = (Fake::default(), store());
    fake.publish(&["amd64"], b"layer");
    let (found, lock) = find(&fake, &store, RULES, &Lock::default(), "linux/amd64");
    let digest = found.unwrap().base.manifest.digest;
    fake.asked();
    let path = folder.path().join("blobs/sha256").join(digest.hex());
    let mut bytes = fs_err::read(&path).unwrap();
    bytes[0] ^= 1;
    fs_err::write(&path, bytes).unwrap();
    find(&fake, &store, RULES, &lock, "linux/amd64").0.unwrap();
    assert_eq!(fake.asked(), ["manifest"]);
}

#[test]
fn a_base_of_this_machine_that_changed_is_an_error() {
    let (fake, (_folder, store)) = (Fake { local: true, ..Fake::default() }, store());
    let old = fake.publish(&["amd64"], b"layer");
    let (_, lock) = find(&fake, &store, OFFLINE, &Lock::default(), "linux/amd64");
    find(&fake, &store, FROZEN, &lock, "linux/amd64").0.unwrap();
    let new = fake.publish(&["amd64"], b"another layer");
    let error = find(&fake, &store, RULES, &lock, "linux/amd64").0.unwrap_err();
    assert_eq!(error.reason, format!("it changed: expected {old}, found {new}"));
    assert!(error.hint.unwrap().contains("bake lock --update"));
}

#[test]
fn layers_are_brought_once_and_only_whole() {
    let (fake, (_folder, store)) = (Fake::default(), store());
    fake.publish(&["amd64"], b"layer");
    let mut bases = Bases::new(&fake, &store, RULES, Lock::default());
    let found = bases.find(&debian(), platform("linux/amd64")).unwrap();
    let layer = Blob::of(b"layer");
    assert!(!store.has(&layer), "nobody asked for bytes");
    fake.asked();
    let good = fake.blobs.lock().unwrap().insert(layer.digest, b"liar!".to_vec()).unwrap();
    let error = bases.fetch_layers(&found).unwrap_err();
    assert!(error.reason.contains("its layer sha256:"), "{error}");
    assert!(!store.has(&layer));
    fake.blobs.lock().unwrap().insert(layer.digest, good);
    bases.fetch_layers(&found).unwrap();
    assert!(store.has(&layer));
    assert_eq!(fake.asked(), ["blob", "blob"]);
    let offline = Bases::new(&fake, &store, OFFLINE, Lock::default());
    offline.fetch_layers(&found).unwrap();
    store.discard(&layer.digest).unwrap();
    let error = offline.fetch_layers(&found).unwrap_err();
    assert!(error.reason.starts_with("1 of its layers (5 bytes)"), "{error}");
    assert!(error.hint.unwrap().contains("bake lock --layers"));
}

#[test]
fn a_base_that_moved_is_told_by_one_look() {
    let (fake, (_folder, store)) = (Fake::default(), store());
    let old = fake.publish(&["amd64"], b"layer");
    let (_, lock) = find(&fake, &store, RULES, &Lock::default(), "linux/amd64");
    fake.asked();
    let bases = Bases::new(&fake, &store, RULES, lock);
    assert!(bases.standing(&debian()).unwrap().is_current());
    let new = fake.publish(&["amd64"], b"another layer");
    let standing = bases.standing(&debian()).unwrap();
    assert!(!standing.is_current());
    assert_eq!((standing.used, standing.found), (Some(old), Some(new)));
    assert_eq!(standing.about.created.as_deref(), Some("2026-01-02T03:04:05Z"));
    assert_eq!(standing.about.version.as_deref(), Some("12.5"));
    *fake.root.lock().unwrap() = None;
    assert_eq!(bases.standing(&debian()).unwrap().found, None);
    assert_eq!(fake.asked(), ["head"; 3]);
}

#[test]
fn a_lock_file_is_replaced_only_if_it_says_something_else() {
    let (fake, (folder, store)) = (Fake::default(), store());
    fake.publish(&["amd64"], b"layer");
    let recipe = folder.path().join("bake.toml");
    let file = LockFile::load(&recipe).unwrap();
    assert!(!file.save(&Lock::default()).unwrap() && !file.path().exists());
    let (_, lock) = find(&fake, &store, RULES, file.lock(), "linux/amd64");
    assert!(file.save(&lock).unwrap());
    let again = LockFile::load(&recipe).unwrap();
    assert_eq!((again.lock(), again.path().file_name().unwrap()), (&lock, "bake.lock".as_ref()));
    assert!(!again.save(&lock).unwrap());
    fs_err::write(file.path(), "version = 2\n").unwrap();
    assert!(LockFile::load(&recipe).is_err());
}
