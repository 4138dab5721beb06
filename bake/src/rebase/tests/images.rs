//! Whole images: what comes out is what a bake on the new base gives.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::io::{self, Read};
use std::sync::Arc;

use bake_formats::blob::{BlobStore, MemoryStore};
use bake_formats::encode::{Encoder, NoCache};
use bake_formats::format::{Epoch, WriteCx};
use bake_formats::oci::config::History;
use bake_formats::oci::rebase::{FORCED_KEY, OwnLayers};
use bake_formats::oci::{
    Base, Databases, Descriptor, Documents, Image, ListedImage, Platform, User, Written, join,
    write,
};
use bake_formats::tree::{Content, Entry, FileTree, Mode, TreeBuilder, TreePath};

use super::super::*;
use crate::survey::handmade::{Handmade, Member, dir, documents, file, link, program};
use crate::survey::{LayerSource, Limits, Surveyor};

const EPOCH: Epoch = Epoch(1_700_000_000);

/// Where blobs are while a test runs.
#[derive(Default)]
struct World {
    store: MemoryStore,
}

impl World {
    fn with<R>(&self, act: impl FnOnce(&WriteCx<'_>) -> R) -> R {
        let encoder = Encoder::new(&self.store, &NoCache, 1);
        act(&WriteCx { blobs: &self.store, encoder: &encoder, epoch: EPOCH })
    }

    fn tree(&self, files: &[(&str, u32, &[u8])]) -> FileTree {
        let mut builder = TreeBuilder::new();
        for (path, mode, bytes) in files {
            self.store.put(bytes).unwrap();
            let entry = Entry::file(Content::of(bytes), Mode::new(*mode).unwrap());
            builder.insert(TreePath::parse(path).unwrap(), entry).unwrap();
        }
        builder.finish().unwrap()
    }

    fn write(&self, image: &Image, tree: &FileTree) -> Written {
        self.with(|cx| write(image, tree, cx)).unwrap()
    }

    fn compare(&self, request: &Request<'_>, force: bool) -> Result<Comparison, RebaseError> {
        let folder = tempfile::tempdir().unwrap();
        let surveyor = Surveyor::forgetful(folder.path(), Limits::default());
        self.with(|cx| compare(request, force, &surveyor, cx))
    }
}

/// The layers of images that were written, and of their bases.
struct Blobs<'a> {
    world: &'a World,
    written: &'a Written,
    base: &'a Handmade,
}

impl LayerSource for Blobs<'_> {
    fn open_layer(&self, layer: &Descriptor) -> io::Result<Box<dyn Read + '_>> {
        match self.written.blobs.get(&layer.digest) {
            Some(rope) => Ok(Box::new(rope.reader(&self.world.store))),
            None => self.base.open_layer(layer),
        }
    }
}

/// A base for a platform; `more` is what it has besides.
fn handmade(architecture: &str, more: &[Member<'_>]) -> Handmade {
    let mut members = vec![
        dir("etc"),
        file("etc/passwd", b"root:x:0:0::/:\nwww:x:33:33::/:\n"),
        file("etc/group", b"root:x:0:\nwww:x:33:\n"),
        program("usr/bin/sh", b"sh"),
    ];
    members.extend_from_slice(more);
    let mut handmade = Handmade::of(&[&members, &[file("usr/lib/more", architecture.as_bytes())]]);
    change(&mut handmade, |config| {
        config.architecture = architecture.into();
        config.config.get_or_insert_default().env = vec!["PATH=/base/bin".into(), "A=1".into()];
    });
    handmade
}

fn change(handmade: &mut Handmade, change: impl FnOnce(&mut bake_formats::oci::config::Config)) {
    let mut config = handmade.documents.config.clone();
    change(&mut config);
    handmade.documents = documents(config, handmade.documents.manifest.layers.clone());
}

fn base(handmade: &Handmade) -> Base {
    let documents = Arc::new(handmade.documents.clone());
    Base::new(Some("example.com/base:1".into()), documents.descriptor(), documents)
}

fn loaded<'a>(name: &str, all: &[&Documents], layers: &'a dyn LayerSource) -> Loaded<'a> {
    let images: Vec<LoadedImage> = all
        .iter()
        .map(|documents| LoadedImage {
            listed: ListedImage {
                descriptor: documents.descriptor(),
                name: "app".into(),
                version: "1.0".into(),
            },
            documents: Arc::new((*documents).clone()),
        })
        .collect();
    let root = images[0].listed.descriptor.clone();
    let index = (all.len() > 1).then(|| {
        let listed = images.iter().map(|image| image.listed.descriptor.clone()).collect();
        bake_formats::oci::Index::new(listed, BTreeMap::from([("a.b".into(), "c".into())]))
    });
    Loaded { name: name.into(), root, index, images, layers }
}

fn documents_of(world: &World, written: &Written, number: usize) -> Documents {
    let bytes = |digest| written.blobs[digest].to_vec(&world.store).unwrap();
    let image = &written.images[number];
    Documents::parse(bytes(&image.descriptor.digest), bytes(&image.manifest.config.digest)).unwrap()
}

fn request<'a>(image: &'a Loaded<'a>, base: &'a Loaded<'a>) -> Request<'a> {
    Request {
        image,
        base,
        base_name: Some("example.com/base:1"),
        old_base: None,
        elsewhere: &[],
        own_layers: OwnLayers::Referred,
        base_layers: false,
    }
}

/// An image that takes something from its base in every way there is.
fn app(architecture: &str) -> Image {
    let mut image = Image::new("app", "1.0", Platform::new("linux", architecture));
    image.entrypoint = vec!["/usr/bin/app".into()];
    image.env = vec!["PATH=/opt/bin:$PATH".into(), "B=2".into()];
    image.user = Some("www".into());
    image
}

const FILES: &[(&str, u32, &[u8])] =
    &[("usr/bin/app", 0o755, b"#!/usr/bin/sh\n"), ("opt/data", 0o644, b"data")];

#[test]
fn a_rebased_image_is_what_a_fresh_bake_gives() {
    let world = World::default();
    let tree = world.tree(FILES);
    let (old, new) = (handmade("amd64", &[]), handmade("amd64", &[file("etc/new", b"1")]));
    for with_accounts in [false, true] {
        let on = |handmade: &Handmade| {
            let mut image = app("amd64");
            let mut base = base(handmade);
            if with_accounts {
                let text = |digest_of: &[u8]| digest_of.to_vec();
                base.databases = Some(Databases {
                    passwd: text(b"root:x:0:0::/:\nwww:x:33:33::/:\n"),
                    group: text(b"root:x:0:\nwww:x:33:\n"),
                });
                image.accounts.users.push(User {
                    name: "extra".into(),
                    id: 900,
                    gid: 900,
                    home: "/".into(),
                    shell: "/bin/false".into(),
                });
            }
            image.base = Some(base);
            image
        };
        let first = world.write(&on(&old), &tree);
        let fresh = world.write(&on(&new), &tree);
        assert_ne!(first.root.digest, fresh.root.digest);

        let (image, blobs) =
            (documents_of(&world, &first, 0), Blobs { world: &world, written: &first, base: &old });
        let image = loaded("app:1.0", &[&image], &blobs);
        let target = loaded("base:1", &[&new.documents], &new);
        let comparison = world.compare(&request(&image, &target), false).unwrap();
        assert!(!comparison.is_unchanged());
        let [compared] = comparison.platforms.as_slice() else { panic!("{comparison:?}") };
        assert!(compared.findings.is_empty(), "{:#?}", compared.findings);
        assert_eq!((compared.old_layers, compared.new_layers), (2, 2));
        assert_eq!(compared.own_layers, 1 + usize::from(with_accounts));
        assert_eq!(comparison.finish().unwrap().root, fresh.root);
    }
}

#[test]
fn accounts_are_not_merged_with_a_database_that_is_a_link() {
    let world = World::default();
    let old = handmade("amd64", &[]);
    let mut image = app("amd64");
    let mut on = base(&old);
    on.databases = Some(Databases { passwd: b"root:x:0:0::/:\n".to_vec(), group: Vec::new() });
    image.base = Some(on);
    let (name, home, shell) = ("extra".to_owned(), "/".to_owned(), "/bin/false".to_owned());
    image.accounts.users.push(User { name, id: 900, gid: 900, home, shell });
    let first = world.write(&image, &world.tree(FILES));
    let mut new = Handmade::of(&[&[
        program("usr/bin/sh", b"sh"),
        file("usr/passwd", b"root:x:0:0::/:\n"),
        link("etc/passwd", "../usr/passwd"),
    ]]);
    change(&mut new, |config| config.architecture = "amd64".into());
    let documents = documents_of(&world, &first, 0);
    let blobs = Blobs { world: &world, written: &first, base: &old };
    let image = loaded("app:1.0", &[&documents], &blobs);
    let target = loaded("base:1", &[&new.documents], &new);
    let error = world.compare(&request(&image, &target), false).unwrap_err();
    let text = error.fault.to_string();
    assert!(text.contains("/etc/passwd") && text.contains("it is no regular file"), "{text}");
}

#[test]
fn an_image_that_is_on_its_base_already_does_not_change() {
    let world = World::default();
    let old = handmade("amd64", &[]);
    let mut image = app("amd64");
    image.base = Some(base(&old));
    let first = world.write(&image, &world.tree(FILES));
    let documents = documents_of(&world, &first, 0);
    let blobs = Blobs { world: &world, written: &first, base: &old };
    let (image, target) =
        (loaded("app", &[&documents], &blobs), loaded("base", &[&old.documents], &old));
    assert!(world.compare(&request(&image, &target), false).unwrap().is_unchanged());
}

#[test]
fn all_platforms_are_rebased_or_none() {
    let world = World::default();
    let tree = world.tree(FILES);
    let platforms = ["amd64", "arm64"];
    let old = platforms.map(|platform| handmade(platform, &[]));
    let new = platforms.map(|platform| handmade(platform, &[file("etc/new", b"1")]));
    let on = |bases: &[Handmade; 2]| {
        let images = platforms.iter().zip(bases).map(|(platform, handmade)| {
            let mut image = app(platform);
            image.base = Some(base(handmade));
            world.write(&image, &tree)
        });
        join(images.collect(), BTreeMap::from([("a.b".into(), "c".into())])).unwrap()
    };
    let (first, fresh) = (on(&old), on(&new));
    let all = [documents_of(&world, &first, 0), documents_of(&world, &first, 1)];
    let both = Handmade {
        documents: old[0].documents.clone(),
        blobs: old.iter().chain(&new).flat_map(|one| one.blobs.clone()).collect(),
        opened: std::cell::Cell::new(0),
    };
    let blobs = Blobs { world: &world, written: &first, base: &both };
    let image = loaded("app", &[&all[0], &all[1]], &blobs);
    let target = loaded("base", &[&new[0].documents, &new[1].documents], &both);
    let comparison = world.compare(&request(&image, &target), false).unwrap();
    assert_eq!(comparison.platforms.len(), 2);
    assert_eq!(comparison.finish().unwrap().root, fresh.root);

    let target = loaded("base", &[&new[0].documents], &both);
    let error = world.compare(&request(&image, &target), false).unwrap_err();
    let text = format!(
        "{error}: {}: {}",
        error.source().unwrap(),
        error.source().unwrap().source().unwrap()
    );
    assert!(text.contains("linux/arm64") && text.contains("found linux/amd64"), "{text}");
    assert!(error.hint().unwrap().contains("all platforms"));
}

#[test]
fn force_is_documented_in_the_image() {
    let world = World::default();
    let tree = world.tree(FILES);
    let old = handmade("amd64", &[]);
    let mut new = handmade("amd64", &[]);
    new = {
        let without = Handmade::of(&[&[dir("etc"), file("etc/passwd", b"root:x:0:0::/:\n")]]);
        let config = new.documents.config.config.clone();
        let mut without = without;
        change(&mut without, |to| to.config = config);
        without
    };
    let on = |handmade: &Handmade| {
        let mut image = app("amd64");
        image.base = Some(base(handmade));
        world.write(&image, &tree)
    };
    let (first, fresh) = (on(&old), on(&new));
    let documents = documents_of(&world, &first, 0);
    let blobs = Blobs { world: &world, written: &first, base: &old };
    let image = loaded("app", &[&documents], &blobs);
    let target = loaded("base", &[&new.documents], &new);
    let broken = world.compare(&request(&image, &target), false).unwrap();
    let rules: Vec<_> = broken.broken_rules().into_iter().collect();
    assert_eq!(rules, ["interpreter-missing", "user-missing"]);
    assert_eq!(broken.finish().unwrap().root, fresh.root);

    let forced = world.compare(&request(&image, &target), true).unwrap().finish().unwrap();
    assert_ne!(forced.root.digest, fresh.root.digest);
    let annotations = &forced.images[0].manifest.annotations;
    assert_eq!(annotations[FORCED_KEY], "interpreter-missing,user-missing");
}

/// An image that others made on a base, with histories as they please.
fn foreign(old: &Handmade, own: &[Member<'_>], history: Vec<History>) -> Handmade {
    let layer = Handmade::of(&[own]);
    let mut config = old.documents.config.clone();
    config.rootfs.diff_ids.extend(&layer.documents.config.rootfs.diff_ids);
    config.history = history;
    let execution = config.config.get_or_insert_default();
    execution.env = vec!["PATH=/opt/bin:/base/bin".into(), "A=1".into()];
    let mut layers = old.documents.manifest.layers.clone();
    layers.extend(layer.documents.manifest.layers.clone());
    let blobs = old.blobs.iter().chain(&layer.blobs).map(|(key, blob)| (*key, blob.clone()));
    Handmade {
        documents: documents(config, layers),
        blobs: blobs.collect(),
        opened: std::cell::Cell::new(0),
    }
}

#[test]
fn no_layer_is_lost_or_doubled_whatever_the_histories_say() {
    let world = World::default();
    let entry = || History { created_by: Some("x".into()), ..History::default() };
    let empty = || History { empty_layer: true, ..History::default() };
    // An image without a history, a base without one, and both with entries that made no layer.
    let rows = [
        (vec![], vec![]),
        (vec![], vec![entry(), entry(), empty(), entry()]),
        (vec![entry(), entry()], vec![]),
        (vec![entry(), empty(), entry()], vec![entry(), empty(), entry(), empty(), entry()]),
    ];
    for (old_history, history) in rows {
        let mut old = handmade("amd64", &[]);
        change(&mut old, |config| config.history = old_history);
        let mut new = handmade("amd64", &[file("etc/new", b"1")]);
        change(&mut new, |config| {
            config.config.get_or_insert_default().env = vec!["PATH=/new/bin".into(), "A=2".into()];
        });
        let image = foreign(&old, &[program("opt/app", b"#!/usr/bin/sh\n")], history);
        let own = image.documents.manifest.layers.last().unwrap().digest;
        let source = loaded("app", &[&image.documents], &image);
        let (from, target) =
            (loaded("old", &[&old.documents], &old), loaded("new", &[&new.documents], &new));
        let asked = request(&source, &target);
        let error = world.compare(&asked, false).unwrap_err();
        assert!(error.hint().unwrap().contains("--from"), "{error:?}");

        let asked = Request { old_base: Some(&from), ..asked };
        let comparison = world.compare(&asked, false).unwrap();
        assert!(comparison.broken_rules().is_empty());
        assert_eq!(comparison.platforms[0].own_layers, 1);
        let written = comparison.finish().unwrap();
        let result = documents_of(&world, &written, 0);
        let layers: Vec<_> = result.manifest.layers.iter().map(|layer| layer.digest).collect();
        let expected: Vec<_> =
            new.documents.manifest.layers.iter().map(|layer| layer.digest).chain([own]).collect();
        assert_eq!(layers, expected);
        let filled = result.config.history.iter().filter(|entry| !entry.empty_layer).count();
        assert_eq!(filled, 3);
        let env = &result.config.config.unwrap().env;
        assert_eq!(*env, ["PATH=/opt/bin:/new/bin", "A=2"]);
    }
}

#[test]
fn a_base_that_the_image_is_not_built_on_is_refused() {
    let world = World::default();
    let (old, other) = (handmade("amd64", &[]), handmade("amd64", &[file("etc/x", b"")]));
    let image = foreign(&old, &[file("opt/x", b"")], Vec::new());
    let source = loaded("app", &[&image.documents], &image);
    let wrong = loaded("other", &[&other.documents], &other);
    let asked = Request { old_base: Some(&wrong), ..request(&source, &wrong) };
    let error = world.compare(&asked, false).unwrap_err();
    assert!(error.source().unwrap().to_string().contains("not built on the old base"));
    assert!(error.hint().unwrap().contains("lowest"));
}

#[test]
fn layers_that_cannot_be_had_are_named() {
    let world = World::default();
    let old = handmade("amd64", &[]);
    let mut image = foreign(&old, &[file("opt/x", b"")], Vec::new());
    image.blobs.clear();
    let (from, nothing) = (old.documents.clone(), MemoryLess);
    let source = loaded("app", &[&image.documents], &image);
    let base = loaded("base", &[&from], &nothing);
    let asked = Request { old_base: Some(&base), ..request(&source, &base) };
    let error = world.compare(&asked, false).unwrap_err();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    assert!(text.contains("layer 0") && text.contains("there is no such blob"), "{text}");
}

/// A place without any layer.
struct MemoryLess;

impl LayerSource for MemoryLess {
    fn open_layer(&self, _layer: &Descriptor) -> io::Result<Box<dyn Read + '_>> {
        Err(io::Error::new(io::ErrorKind::NotFound, "there is no such blob"))
    }
}
