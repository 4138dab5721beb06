//! How many requests and bytes a push takes, and what it leaves behind.

use bake_formats::digest::Digest;
use bake_formats::oci::{Descriptor, Platform, Reference};

use super::images::{Images, layer, parcel};
use super::memory::{Memory, Rules};
use crate::error::Error;
use crate::publish::{
    Copied, CopyOptions, Parcel, Plan, Pushed, Step, Target, copy, digests, push, referrers,
    survey, tag,
};
use crate::registry::{Access, Repository, Unwatched};

fn reference(text: &str) -> Reference {
    text.parse().unwrap()
}

const BIG: usize = 3 << 20;

fn copied(memory: &Memory, from: &str, to: &str, options: &CopyOptions) -> Copied {
    copy(memory, &from.parse().unwrap(), &to.parse().unwrap(), options, &Unwatched).unwrap()
}

/// Plans and pushes; the plan must have said how many requests and bytes it takes.
fn pushed(
    memory: &Memory,
    images: &Images,
    root: &Descriptor,
    parcels: &[Parcel],
    to: &str,
) -> Result<(Plan, Pushed), Error> {
    let to = reference(to);
    let repository = Repository::new(memory, &to, Access::Push);
    let (graph, target) = (images.graph(root), Target { repository: to.clone() });
    let known = survey(&repository, &target, &graph, parcels)?;
    let plan = Plan::new(&graph, parcels, &known, &target);
    let done = push(memory, &repository, images, &graph, &plan, &Unwatched)?;
    Ok((plan, done))
}

fn exactly(
    memory: &Memory,
    images: &Images,
    root: &Descriptor,
    tags: &[&str],
    to: &str,
) -> (u64, u64) {
    memory.seen();
    let (plan, done) = pushed(memory, images, root, &parcel(root, tags), to).unwrap();
    let (lines, sent) = memory.seen();
    assert_eq!(lines.len() as u64, plan.requests(), "{lines:#?}\n{:#?}", plan.steps);
    assert_eq!(sent, plan.bytes(), "{lines:#?}");
    assert_eq!(sent, done.bytes);
    (plan.requests(), sent)
}

#[test]
fn a_first_push_looks_once_for_what_is_long() {
    let (memory, mut images) = (Memory::default(), Images::default());
    let root = images.image(&[layer("base", BIG), layer("app", 100)], None);
    let (requests, sent) = exactly(&memory, &images, &root, &["1"], "r.test/app");
    // The tag, the long layer, three blobs of two requests each, the manifest.
    assert_eq!(requests, 1 + 1 + 3 * 2 + 1);
    assert!(sent > BIG as u64 + 100, "{sent}");
}

#[test]
fn an_unchanged_image_is_one_request() {
    let (memory, mut images) = (Memory::default(), Images::default());
    let root = images.image(&[layer("base", BIG), layer("app", 100)], None);
    exactly(&memory, &images, &root, &["1"], "r.test/app");
    assert_eq!(exactly(&memory, &images, &root, &["1"], "r.test/app"), (1, 0));
}

#[test]
fn one_changed_small_layer_is_six_requests() {
    let (memory, mut images) = (Memory::default(), Images::default());
    let base = [layer("base", BIG), layer("lib", BIG), layer("app", 100)];
    let first = images.image(&base, None);
    exactly(&memory, &images, &first, &["1"], "r.test/app");
    let [base, lib, _] = base;
    let second = images.image(&[base, lib, layer("new", 100)], None);
    let (requests, sent) = exactly(&memory, &images, &second, &["1"], "r.test/app");
    assert_eq!(requests, 6);
    assert!(sent < 2000, "{sent}");
}

#[test]
fn a_new_tag_learns_from_one_that_is_there() {
    let (memory, mut images) = (Memory::default(), Images::default());
    let first = images.image(&[layer("base", BIG), layer("app", 100)], None);
    exactly(&memory, &images, &first, &["1", "latest"], "r.test/app");
    let second = images.image(&[layer("base", BIG), layer("new", 100)], None);
    // Two tags read, two blobs, two tags written.
    let (requests, _) = exactly(&memory, &images, &second, &["2", "latest"], "r.test/app");
    assert_eq!(requests, 2 + 4 + 2);
}

#[test]
fn two_images_send_what_they_share_once() {
    let (memory, mut images) = (Memory::default(), Images::default());
    let shared = layer("shared", BIG);
    let one = images.image(&[shared.clone(), layer("a", 10)], None);
    let two = images.image(&[shared, layer("b", 10)], None);
    let index = images.index(vec![one, two]);
    let (requests, sent) = exactly(&memory, &images, &index, &["1"], "r.test/app");
    // The tag, the long layer, five blobs, two manifests, the index.
    assert_eq!(requests, 1 + 1 + 5 * 2 + 3);
    assert!(sent < 2 * BIG as u64, "{sent}");
}

#[test]
fn one_platform_of_an_index_that_changed() {
    let (memory, mut images) = (Memory::default(), Images::default());
    let one = images.image(&[layer("base", BIG), layer("a", 10)], None);
    let two = images.image(&[layer("other", BIG), layer("b", 10)], None);
    let index = images.index(vec![one.clone(), two]);
    exactly(&memory, &images, &index, &["1"], "r.test/app");
    let new = images.image(&[layer("other", BIG), layer("c", 10)], None);
    let index = images.index(vec![one, new]);
    // The tag, the old manifest, two blobs, manifest and index.
    assert_eq!(exactly(&memory, &images, &index, &["1"], "r.test/app").0, 2 + 4 + 2);
}

/// Pushes a base, then an image on it without the base's layer.
fn sparse(rules: Rules, base: &str, to: &str) -> (Memory, Plan, Pushed) {
    let (memory, mut images) = (Memory::new(rules), Images::default());
    let root = images.image(&[layer("base", BIG)], None);
    let name = base.rsplit_once(':').unwrap().0;
    exactly(&memory, &images, &root, &["1"], name);
    let image = images.image(&[layer("base", BIG), layer("app", 10)], Some(base));
    images.blobs.remove(&bake_formats::digest::Digest::of(&layer("base", BIG)));
    let (plan, done) = pushed(&memory, &images, &image, &parcel(&image, &["1"]), to).unwrap();
    (memory, plan, done)
}

#[test]
fn layers_of_a_base_are_mounted_in_their_registry() {
    let (memory, plan, done) = sparse(Rules::default(), "r.test/base:1", "r.test/app");
    assert!(matches!(&plan.steps[0], Step::Mount { from, .. } if from == "base"), "{plan:?}");
    assert_eq!((done.mounted, done.uploaded), (1, 2));
    let (lines, sent) = memory.seen();
    assert_eq!(lines.len() as u64, plan.requests());
    assert!(sent < 2000, "{sent}");
}

#[test]
fn a_mount_that_is_declined_goes_on_with_its_session() {
    let rules = Rules { no_mount: true, ..Rules::default() };
    let (memory, _, done) = sparse(rules, "r.test/base:1", "r.test/app");
    assert_eq!((done.mounted, done.uploaded), (0, 3));
    let (lines, _) = memory.seen();
    // The tag, one POST for each blob and none more, the base's blob read, the manifest.
    assert_eq!(lines.iter().filter(|line| line.starts_with("POST")).count(), 3, "{lines:#?}");
}

#[test]
fn layers_of_a_base_elsewhere_are_passed_on() {
    let (memory, plan, done) = sparse(Rules::default(), "b.test/base:1", "r.test/app");
    assert!(
        plan.steps
            .iter()
            .any(|step| matches!(step, Step::Stream { from, .. } if from == "b.test/base")),
        "{plan:?}"
    );
    assert_eq!((done.mounted, done.uploaded), (0, 3));
    let (lines, sent) = memory.seen();
    assert_eq!(lines.len() as u64, plan.requests());
    assert_eq!(sent, plan.bytes());
}

#[test]
fn a_layer_that_nobody_has_is_an_error_before_any_request() {
    let mut images = Images::default();
    let root = images.image(&[layer("base", 10)], None);
    images.blobs.remove(&bake_formats::digest::Digest::of(&layer("base", 10)));
    let error = crate::publish::Graph::read(&images, &root).unwrap_err().to_string();
    assert!(error.contains("there is no such blob, and nothing says where it is"), "{error}");
}

#[test]
fn a_push_that_fails_leaves_tags_as_they_were() {
    let (memory, mut images) = (Memory::default(), Images::default());
    let refused = layer("app", 100);
    memory.change(|rules| rules.refused = Some(bake_formats::digest::Digest::of(&refused)));
    let root = images.image(&[refused], None);
    let error = pushed(&memory, &images, &root, &parcel(&root, &["1"]), "r.test/app").unwrap_err();
    assert!(error.to_string().contains("push blob"), "{error}");
    assert_eq!(memory.tags(), [""; 0]);
    memory.seen();
}

#[test]
fn bytes_that_changed_are_not_sent_to_their_end() {
    let (memory, mut images) = (Memory::default(), Images::default());
    let bytes = layer("app", 100);
    let root = images.image(std::slice::from_ref(&bytes), None);
    images.blobs.insert(bake_formats::digest::Digest::of(&bytes), layer("xpp", 100));
    let error = pushed(&memory, &images, &root, &parcel(&root, &["1"]), "r.test/app").unwrap_err();
    assert!(error.to_string().contains("it changed"), "{error}");
    assert_eq!(memory.tags(), [""; 0]);
}

#[test]
fn a_blob_that_the_registry_lost_is_sent_once_more() {
    let (memory, mut images) = (Memory::default(), Images::default());
    let base = layer("base", 100);
    let first = images.image(std::slice::from_ref(&base), None);
    exactly(&memory, &images, &first, &["1"], "r.test/app");
    memory.drop_blob("r.test/app", bake_formats::digest::Digest::of(&base));
    let second = images.image(&[base, layer("app", 10)], None);
    let (_, done) =
        pushed(&memory, &images, &second, &parcel(&second, &["1"]), "r.test/app").unwrap();
    assert_eq!(done.uploaded, 3);
}

#[test]
fn a_tag_that_may_not_move_says_where_it_leads() {
    let (memory, mut images) = (Memory::default(), Images::default());
    let first = images.image(&[layer("a", 10)], None);
    exactly(&memory, &images, &first, &["1"], "r.test/app");
    memory.change(|rules| rules.immutable = true);
    assert_eq!(exactly(&memory, &images, &first, &["1"], "r.test/app"), (1, 0));
    let second = images.image(&[layer("b", 10)], None);
    let error =
        pushed(&memory, &images, &second, &parcel(&second, &["1"]), "r.test/app").unwrap_err();
    let Error::Registry(error) = error else { panic!("{error}") };
    let hint = error.hint.unwrap();
    assert!(hint.contains(&first.digest.to_string()), "{hint}");
    assert!(hint.contains(&second.digest.to_string()), "{hint}");
}

#[test]
fn a_copy_within_a_registry_mounts_and_between_two_streams() {
    let (memory, mut images) = (Memory::default(), Images::default());
    let root = images.image(&[layer("base", BIG), layer("app", 100)], None);
    exactly(&memory, &images, &root, &["1"], "r.test/app");
    let options = CopyOptions::default();
    let copied = |to: &str| copied(&memory, "r.test/app:1", to, &options);
    let here = copied("r.test/other").pushed.unwrap();
    assert_eq!((here.mounted, here.uploaded), (3, 0));
    let there = copied("b.test/other:2").pushed.unwrap();
    assert_eq!((there.mounted, there.uploaded), (0, 3));
    assert_eq!(memory.tags(), ["b.test/other:2", "r.test/app:1", "r.test/other:1"]);
}

#[test]
fn what_is_attached_to_an_attachment_is_copied() {
    for no_referrers in [false, true] {
        let memory = Memory::new(Rules { no_referrers, ..Rules::default() });
        let mut images = Images::default();
        let root = images.image(&[layer("app", 100)], None);
        let note = images.note(&root);
        let nested = images.note(&note);
        exactly(&memory, &images, &root, &["1"], "r.test/app");
        for attached in [&note, &nested] {
            pushed(&memory, &images, attached, &parcel(attached, &[]), "r.test/app").unwrap();
        }
        let options = CopyOptions { referrers: true, ..CopyOptions::default() };
        copied(&memory, "r.test/app:1", "b.test/app:1", &options);
        let repository = Repository::new(&memory, &reference("b.test/app:1"), Access::Pull);
        for (subject, expected) in [(&root, &note), (&note, &nested)] {
            let subject = reference(&format!("b.test/app@{}", subject.digest));
            let found = referrers(&repository, &subject).unwrap();
            let found: Vec<_> = found.into_iter().map(|found| found.digest).collect();
            assert_eq!(found, [expected.digest]);
        }
    }
}

#[test]
fn a_blob_is_mounted_from_the_repository_that_is_known_to_have_it() {
    let (memory, mut images) = (Memory::default(), Images::default());
    let (one, two) = (layer("one", BIG), layer("two", BIG));
    let first = images.image(std::slice::from_ref(&one), None);
    let second = images.image(std::slice::from_ref(&two), None);
    exactly(&memory, &images, &first, &["1"], "r.test/first");
    exactly(&memory, &images, &second, &["1"], "r.test/second");
    for (layer, home) in [(&one, "r.test/first"), (&two, "r.test/second")] {
        images.homes.insert(Digest::of(layer), reference(home));
    }
    let both = images.image(&[one, two, layer("own", 100)], None);
    let (_, done) = pushed(&memory, &images, &both, &parcel(&both, &["1"]), "r.test/both").unwrap();
    assert_eq!((done.mounted, done.uploaded), (2, 2));
}

#[test]
fn one_platform_of_an_index_is_copied() {
    let (memory, mut images) = (Memory::default(), Images::default());
    let mut platform = |name: &str, architecture: &str| {
        let image = images.image(&[layer(name, 100)], None);
        Descriptor { platform: Some(Platform::new("linux", architecture)), ..image }
    };
    let (one, other) = (platform("a", "amd64"), platform("b", "arm64"));
    let index = images.index(vec![one, other.clone()]);
    exactly(&memory, &images, &index, &["1"], "r.test/app");
    let platform = Some(Platform::new("linux", "arm64"));
    let options = CopyOptions { platform, ..CopyOptions::default() };
    let copied = copied(&memory, "r.test/app:1", "b.test/app", &options);
    assert_eq!(copied.digest, other.digest);
    assert_eq!(copied.pushed.unwrap().uploaded, 2);
    assert!(memory.tags().contains(&"b.test/app:1".to_owned()));
}

#[test]
fn a_dry_run_only_reads() {
    let (memory, mut images) = (Memory::default(), Images::default());
    let root = images.image(&[layer("base", BIG)], None);
    exactly(&memory, &images, &root, &["1"], "r.test/app");
    let options = CopyOptions { dry_run: true, ..CopyOptions::default() };
    let copied = copied(&memory, "r.test/app:1", "b.test/app:1", &options);
    assert!(copied.pushed.is_none() && copied.plan.unwrap().bytes() > BIG as u64);
    let (lines, sent) = memory.seen();
    assert!(lines.iter().all(|line| line.starts_with("GET") || line.starts_with("HEAD")));
    assert_eq!(sent, 0);
}

#[test]
fn a_tag_is_two_requests() {
    let (memory, mut images) = (Memory::default(), Images::default());
    let root = images.image(&[layer("a", 10)], None);
    exactly(&memory, &images, &root, &["1"], "r.test/app");
    let digest = tag(&memory, &reference("r.test/app:1"), &["latest".into()]).unwrap();
    assert_eq!(digest, root.digest);
    assert_eq!(memory.seen().0, ["GET manifests 200", "PUT manifests 201"]);
    let to = reference("r.test/app");
    let repository = Repository::new(&memory, &to, Access::Pull);
    let found = digests(&repository, &["1".into(), "latest".into(), "2".into()]).unwrap();
    let found: Vec<_> = found.into_iter().map(|found| found.map(|found| found.digest)).collect();
    assert_eq!(found, [Some(root.digest), Some(root.digest), None]);
    assert!(referrers(&repository, &reference("r.test/app:3")).is_err());
}
