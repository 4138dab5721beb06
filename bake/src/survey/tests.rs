use std::error::Error as _;

use bake_formats::digest::Digest;
use bake_formats::encode::Codec;
use bake_formats::oci::descriptor::media_type;
use bake_formats::tree::{Entry, Mode, Node, Owner, TreePath};

use super::handmade::{Handmade, Member, dir, file, hard_link, link, program, tar};
use super::*;

fn survey(image: &Handmade) -> Vec<Arc<LayerSurvey>> {
    let folder = tempfile::tempdir().unwrap();
    let surveyor = Surveyor::forgetful(folder.path(), Limits::default());
    surveyor.survey(&image.documents, image).unwrap()
}

fn path(text: &str) -> TreePath {
    TreePath::parse(text).unwrap()
}

/// Returns the whole chain of an error.
fn message(error: &SurveyError) -> String {
    let cause = error.source().unwrap();
    let further = cause.source().map(|error| format!(": {error}")).unwrap_or_default();
    format!("{error}: {cause}{further}")
}

#[test]
fn what_a_view_holds_is_what_a_container_would_see() {
    let image = Handmade::of(&[
        &[
            link("bin", "usr/bin"),
            program("usr/bin/sh", b"#!/bin/true\n"),
            file("etc/passwd", b"root:x:0:0::/:/bin/sh\n"),
            dir("old"),
            file("old/gone", b"1"),
            dir("kept"),
            file("kept/below", b"2"),
        ],
        &[
            program("bin/run", b"#!/bin/sh -e\n"),
            file("old/.wh.gone", b""),
            file("kept/.wh..wh..opq", b""),
        ],
    ]);
    let view = View::of(&survey(&image)).unwrap();
    assert_eq!(view.find("/bin/run").unwrap().path, &path("usr/bin/run"));
    assert_eq!(
        view.facts(&path("usr/bin/run")),
        Some(&Facts::Script(vec!["/bin/sh".into(), "-e".into()]))
    );
    assert_eq!(view.text("etc/passwd").as_deref(), Some("root:x:0:0::/:/bin/sh\n"));
    for gone in ["old/gone", "kept/below", "bin/nothing", "usr/bin/sh/x"] {
        assert!(view.find(gone).is_none(), "{gone}");
    }
    assert!(view.find("old").is_some() && view.find("kept/").is_some());
}

#[test]
fn links_are_followed_as_the_kernel_does() {
    let image = Handmade::of(&[&[
        file("a/b/target", b"x"),
        link("a/up", "../a/b"),
        link("abs", "/a/up/target"),
        link("out", "../../../a/b/target"),
        link("loop1", "loop2"),
        link("loop2", "loop1"),
        link("dangling", "nowhere"),
        hard_link("a/same", "a/b/target"),
    ]]);
    let view = View::of(&survey(&image)).unwrap();
    let found = |text: &str| view.find(text).map(|found| found.path.to_string());
    for (from, to) in [
        ("a/up/target", Some("/a/b/target")),
        ("abs", Some("/a/b/target")),
        ("out", Some("/a/b/target")),
        ("a/./up/../b/target", Some("/a/b/target")),
        ("loop1", None),
        ("dangling", None),
        ("", Some("/")),
    ] {
        assert_eq!(found(from).as_deref(), to, "{from}");
    }
    assert_eq!(view.find_link("dangling").unwrap().path, &path("dangling"));
    assert_eq!(view.find_link("a/up/target").unwrap().path, &path("a/b/target"));
}

#[test]
fn a_layer_that_was_surveyed_is_not_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let mut odd = Entry::new(Node::Symlink(b"\xff\xfe".to_vec()), Mode::EXECUTABLE);
    odd.owner = Owner::new("app", 1000);
    let mut capable = Entry::directory();
    capable.xattrs.insert("security.capability".into(), vec![1, 2]);
    let image = Handmade::of(&[
        &[
            Member::Entry("odd", odd),
            Member::Entry("capable", capable),
            file("etc/group", b"x:y:1:"),
        ],
        &[
            file("etc/passwd", b"r\xe9my:x:1:1:"),
            program("run", b"#!/bin/sh"),
            hard_link("run2", "run"),
        ],
    ]);
    let surveyor = Surveyor::new(&store);
    let first = surveyor.survey(&image.documents, &image).unwrap();
    assert_eq!(image.opened.get(), 2);
    let second = surveyor.survey(&image.documents, &image).unwrap();
    assert_eq!(image.opened.get(), 2);
    assert_eq!(first, second);
    assert_eq!(first[0].entries.len(), 3);
    assert!(first[0].entries[1].1.xattrs.contains_key("security.capability"));
}

#[test]
fn a_configuration_cannot_claim_the_survey_of_another_layer() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let surveyor = Surveyor::new(&store);
    let honest = Handmade::of(&[&[file("a", b"1")]]);
    surveyor.survey(&honest.documents, &honest).unwrap();
    let other = tar(&[file("b", b"2")]);
    let claimed = honest.documents.config.rootfs.diff_ids.clone();
    let liar = Handmade::packed(vec![other], claimed, media_type::LAYER);
    let error = surveyor.survey(&liar.documents, &liar).unwrap_err();
    assert!(message(&error).contains("DiffID: expected"), "{}", message(&error));
}

#[test]
fn of_two_members_with_one_path_the_last_counts() {
    let image = Handmade::of(&[&[file("a", b"1"), dir("d"), file("a", b"22")]]);
    let view = View::of(&survey(&image)).unwrap();
    assert_eq!(view.tree().content(&path("a")).unwrap().size, 2);
}

/// What makes an image lie.
type Change = dyn Fn(&mut Handmade);

#[test]
fn layers_that_lie_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let archive = tar(&[file("a", b"1")]);
    let id = Digest::of(&archive);
    let good = || Handmade::packed(vec![archive.clone()], vec![id], media_type::LAYER);
    let rows: [(&str, Box<Change>); 6] = [
        (
            "digest: expected",
            Box::new(|image| {
                // Padding of a header, which is covered by nothing else than the digest.
                image.blobs.values_mut().for_each(|blob| blob[600] ^= 1);
            }),
        ),
        (
            "size: expected",
            Box::new(|image| {
                image.blobs.values_mut().for_each(|blob| blob.extend([0; 1024]));
            }),
        ),
        (
            "ends at offset",
            Box::new(|image| {
                image.blobs.values_mut().for_each(|blob| blob.truncate(512));
                image.documents.manifest.layers[0].size = 512;
                let digest = Digest::of(&image.blobs[&image.documents.manifest.layers[0].digest]);
                let blob = image.blobs.values().next().unwrap().clone();
                image.blobs.insert(digest, blob);
                image.documents.manifest.layers[0].digest = digest;
            }),
        ),
        (
            "DiffID: expected",
            Box::new(|image| {
                image.documents.config.rootfs.diff_ids[0] = Digest::of(b"else");
            }),
        ),
        (
            "expected the media type of a layer",
            Box::new(|image| {
                image.documents.manifest.layers[0].media_type = "text/plain".into();
            }),
        ),
        ("there is no such blob", Box::new(|image| image.blobs.clear())),
    ];
    for (expected, change) in rows {
        let mut image = good();
        change(&mut image);
        let surveyor = Surveyor::forgetful(folder.path(), Limits::default());
        let error = message(&surveyor.survey(&image.documents, &image).unwrap_err());
        assert!(error.contains(expected) && error.contains("layer 0"), "{expected}: {error}");
    }
}

#[test]
fn what_a_layer_may_ask_for_is_limited() {
    let folder = tempfile::tempdir().unwrap();
    let zeros = vec![0_u8; 4 << 20];
    let bomb = tar(&[file("zeros", &zeros)]);
    let packed = {
        let mut out = Vec::new();
        let blobs = bake_formats::blob::MemoryStore::new();
        let encoder = bake_formats::encode::Encoder::new(&blobs, &bake_formats::encode::NoCache, 1);
        let rope = bake_formats::rope::Rope::from(bomb.clone());
        let encoded = encoder.encode(&rope, bake_formats::encode::Compression::GZIP).unwrap();
        encoded.rope.write_to(&blobs, &mut out).unwrap();
        out
    };
    assert_eq!(bake_formats::encode::sniff(&packed), Codec::Gzip);
    let gzip = format!("{}+gzip", media_type::LAYER);
    let image = Handmade::packed(vec![packed], vec![Digest::of(&bomb)], &gzip);
    let run = |image: &Handmade, raw, memory| {
        let surveyor = Surveyor::forgetful(folder.path(), Limits { raw, memory });
        surveyor.survey(&image.documents, image)
    };
    assert!(run(&image, 5 << 20, 1 << 20).is_ok());
    let error = message(&run(&image, 3 << 20, 1 << 20).unwrap_err());
    assert!(error.contains("bytes after decompression: expected at most 3145728"), "{error}");

    let names: Vec<String> = (0..100).map(|number| format!("f{number}")).collect();
    let members: Vec<Member<'_>> = names.iter().map(|name| file(name, b"")).collect();
    let many = Handmade::of(&[&members]);
    assert!(run(&many, 1 << 20, 100 * 300).is_ok());
    let error = message(&run(&many, 1 << 20, 100 * 200).unwrap_err());
    assert!(error.contains("names and attributes: expected at most 20000"), "{error}");

    let long = vec![b'x'; (4 << 20) + 1];
    let error = message(
        &run(&Handmade::of(&[&[file("etc/passwd", &long)]]), 8 << 20, 1 << 20).unwrap_err(),
    );
    assert!(error.contains("text in /etc: expected at most 4194304"), "{error}");
}

#[test]
fn members_that_leave_the_tree_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = tar(&[file("aa/x", b"1")]);
    archive[..4].copy_from_slice(b"../x");
    let sum: u32 = archive[..512]
        .iter()
        .enumerate()
        .map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) })
        .sum();
    archive[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let image =
        Handmade::packed(vec![archive.clone()], vec![Digest::of(&archive)], media_type::LAYER);
    let surveyor = Surveyor::forgetful(folder.path(), Limits::default());
    let error = message(&surveyor.survey(&image.documents, &image).unwrap_err());
    assert!(error.contains("`..`"), "{error}");
}

#[test]
fn programs_are_read_wherever_their_tables_stand() {
    let this = fs_err::read("/proc/self/exe").unwrap();
    let image =
        Handmade::of(&[&[program("opt/test", &this), program("opt/broken", b"\x7fELF\x02")]]);
    let view = View::of(&survey(&image)).unwrap();
    match view.facts(&path("opt/test")) {
        Some(Facts::Elf(elf)) => {
            assert!(elf.is_dynamic && elf.needed.iter().any(|name| name.starts_with("libc.")));
        }
        other => panic!("expected an ELF file, found {other:?}"),
    }
    assert!(matches!(view.facts(&path("opt/broken")), Some(Facts::DamagedElf(_))));
}
