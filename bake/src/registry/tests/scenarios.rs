//! A repository, through the whole client, at a registry that misbehaves.

use std::io::Read;
use std::time::Duration;

use bake_formats::blob::{Blob, BlobStore, MemoryStore};
use bake_formats::digest::Digest;
use bake_formats::oci::Reference;
use bake_test_registry::{
    Action, Answer as Told, Auth, Builder, Kind, Match, Place, Property, RetryAfter, TestRegistry,
};

use super::client_with;
use crate::registry::{
    Access, Client, ListedBy, Mounted, Put, RegistryError, Repository, Unwatched, Which,
};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const SIZE: u64 = 1 << 20;

fn bytes() -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    (0..SIZE).map(|_| random.u8(..)).collect()
}

fn reference(registry: &TestRegistry, name: &str) -> Reference {
    format!("{}/{name}", registry.address()).parse().unwrap()
}

/// Returns a client that sends a registry chunks of a length, or whole blobs.
fn client(registry: &TestRegistry, chunk_size: Option<u64>) -> Client {
    let (client, _) = client_with("", |options| {
        let settings = options.settings.of_mut(&registry.address()).unwrap();
        (settings.http, settings.chunk_size) = (true, chunk_size);
    });
    client
}

fn start(rules: Vec<(Match, Action)>) -> TestRegistry {
    let add = |builder: Builder, (when, then)| builder.rule(when, then);
    rules.into_iter().fold(TestRegistry::builder(), add).start().unwrap()
}

/// Uploads a mebibyte; returns how it went.
fn upload(registry: &TestRegistry, chunk_size: Option<u64>) -> Result<(), RegistryError> {
    let (store, client) = (MemoryStore::new(), client(registry, chunk_size));
    let blob = store.put(&bytes()).unwrap();
    let repository = Repository::new(&client, &reference(registry, "acme/app"), Access::Push);
    let result = repository.upload(blob, &store, None, &Unwatched);
    let there = registry.state().repository("acme/app").blobs.contains_key(&blob.digest);
    assert_eq!(result.is_ok(), there, "{}", registry.trace());
    result
}

fn put(then: Action) -> (Match, Action) {
    (Match::kind(Kind::UploadPut).once(), then)
}

fn patch(then: Action) -> (Match, Action) {
    (Match::kind(Kind::UploadPatch).once(), then)
}

fn uploads(then: Action) -> (Match, Action) {
    (Match::kinds(&[Kind::UploadStart, Kind::UploadPatch, Kind::UploadPut]), then)
}

/// Name, what the registry does, the client's chunks, requests, bytes in vain or again.
type Row = (&'static str, Vec<(Match, Action)>, Option<u64>, usize, u64);

#[test]
fn an_upload_arrives_within_its_budget() {
    let chunk = Some(400_000);
    let no_range = || uploads(Action::NoHeader("Range".to_owned()));
    let old_range = || uploads(Action::Header("Range".to_owned(), "0-0".to_owned()));
    let busy = |time| Told::too_many(Some(time));
    let rows: Vec<Row> = vec![
        ("whole", vec![], None, 2, 0),
        ("absolute", vec![uploads(Action::Location(Place::Absolute))], None, 2, 0),
        ("relative", vec![uploads(Action::Location(Place::Relative))], chunk, 5, 0),
        ("query", vec![uploads(Action::Location(Place::Query))], chunk, 5, 0),
        ("no range", vec![no_range()], chunk, 5, 0),
        ("old range", vec![old_range()], chunk, 5, 0),
        ("PATCH 201", vec![(Match::kind(Kind::UploadPatch), Action::Status(201))], chunk, 6, 0),
        ("PUT 202", vec![put(Action::Status(202))], None, 3, 0),
        ("slow end", vec![put(Action::Delay(Duration::from_millis(300)))], None, 2, 0),
        ("minimum", vec![uploads(Action::ChunkMinimum(600_000))], chunk, 4, 0),
        ("absurd minimum", vec![uploads(Action::ChunkMinimumSaid(u64::MAX))], chunk, 3, 0),
        ("cut", vec![put(Action::CutRequest(300_000))], None, 5, 300_000),
        ("cut chunk", vec![patch(Action::CutRequest(300_000))], chunk, 6, 0),
        ("cut, forgotten", vec![put(Action::CutRequestAndForget(300_000))], None, 5, 300_000),
        ("end not heard", vec![put(Action::Status(500))], None, 3, 0),
        ("busy", vec![put(Action::Answer(busy(RetryAfter::Seconds(3))))], None, 4, SIZE),
        ("busy until", vec![patch(Action::Answer(busy(RetryAfter::Date(3))))], chunk, 7, 400_000),
        ("page", vec![put(Action::Answer(Told::html(502)))], None, 5, SIZE),
        ("limit", vec![(Match::any(), Action::BodyLimit(300_000))], None, 8, 0),
        ("no chunks", vec![uploads(Action::RefuseChunks)], chunk, 6, 400_000),
        ("short chunks", vec![uploads(Action::PatchLimit(300_000))], chunk, 6, 400_000),
        ("true offset", vec![patch(Action::LoseAfter(1000))], chunk, 7, 399_000),
    ];
    let mut faults = Vec::new();
    for (name, rules, chunk_size, requests, waste) in rows {
        let registry = start(rules);
        if let Err(error) = upload(&registry, chunk_size) {
            faults.push(format!("{name}: {error}\n{}", registry.trace()));
        }
        let properties =
            [Property::NoOpenUpload, Property::WasteAtMost(waste), Property::Requests(requests)];
        if let Err(violation) = registry.trace().check(&properties) {
            faults.push(format!("{name}: {violation}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn what_a_registry_lies_about_leaves_nothing_open() {
    let registry = start(vec![put(Action::WrongDigest)]);
    let store = MemoryStore::new();
    let blob = store.put(&bytes()).unwrap();
    let client = client(&registry, None);
    let repository = Repository::new(&client, &reference(&registry, "acme/app"), Access::Push);
    let error = repository.upload(blob, &store, None, &Unwatched).unwrap_err();
    assert!(error.to_string().contains("the registry says that they have"), "{error}");
    registry.trace().check(&[Property::NoOpenUpload]).unwrap();

    let registry = start(vec![(Match::any(), Action::BodyLimit(1000))]);
    assert!(upload(&registry, None).is_err());
    registry.trace().check(&[Property::NoOpenUpload]).unwrap();
}

#[test]
fn credentials_stay_with_the_registry() {
    let auth = Auth::Basic([("u".to_owned(), "p".to_owned())].into());
    let registry = TestRegistry::builder()
        .auth(auth)
        .rule(Match::kind(Kind::UploadStart), Action::Location(Place::OtherHost))
        .rule(Match::kind(Kind::BlobGet), Action::RedirectBlobs)
        .start()
        .unwrap();
    let login = super::login(&registry.address(), "u", "p");
    let (client, _) = client_with(&login, |options| {
        options.settings.of_mut(&registry.address()).unwrap().http = true;
        options.settings.of_mut(&registry.other_address()).unwrap().http = true;
    });
    let store = MemoryStore::new();
    let blob = store.put(&bytes()).unwrap();
    let repository = Repository::new(&client, &reference(&registry, "acme/app"), Access::Push);
    repository.upload(blob, &store, None, &Unwatched).unwrap();
    let mut found = Vec::new();
    repository.blob(blob).read_to_end(&mut found).unwrap();
    assert_eq!(found, bytes());
    let trace = registry.trace();
    trace.check(&[Property::NoCredentialElsewhere, Property::NoOpenUpload]).unwrap();
    assert!(
        trace.exchanges.iter().any(|exchange| exchange.host == bake_test_registry::Host::Other)
    );
}

#[test]
fn a_mount_is_one_request_and_a_declined_one_is_a_session() {
    let digest = Digest::of(&bytes());
    let blob = Blob { digest, size: SIZE };
    let store = MemoryStore::new();
    store.put(&bytes()).unwrap();
    for (rules, requests, sent) in [
        (vec![], 1, 0),
        (vec![(Match::any(), Action::IgnoreMount)], 2, SIZE),
        (
            vec![(Match::kind(Kind::Mount), Action::Answer(Told::error(403, "DENIED", "no")))],
            3,
            SIZE,
        ),
    ] {
        let registry = start(rules);
        registry.put_blob("acme/base", &bytes());
        let client = client(&registry, None);
        let repository = Repository::new(&client, &reference(&registry, "acme/app"), Access::Push);
        let session =
            match repository.mount(digest, Some(&reference(&registry, "acme/base"))).unwrap() {
                Mounted::Yes => continue,
                Mounted::Session(session) => Some(session),
                Mounted::No => None,
            };
        repository.upload(blob, &store, session, &Unwatched).unwrap();
        let trace = registry.trace();
        trace.check(&[Property::NoOpenUpload, Property::Requests(requests)]).unwrap();
        assert_eq!(trace.uploaded(), sent);
        assert!(registry.state().repository("acme/app").blobs.contains_key(&digest));
    }
}

/// Reads a mebibyte by a rule; returns how it ended, and how many requests it took.
fn download(then: Action) -> (Result<usize, String>, usize) {
    let registry = start(vec![(Match::kind(Kind::BlobGet).once(), then)]);
    registry.put_blob("acme/app", &bytes());
    let client = client(&registry, None);
    let repository = Repository::new(&client, &reference(&registry, "acme/app"), Access::Pull);
    let mut found = Vec::new();
    let blob = Blob { digest: Digest::of(&bytes()), size: SIZE };
    let result = repository.blob(blob).read_to_end(&mut found);
    if result.is_ok() {
        assert_eq!(found, bytes());
    }
    (result.map_err(|error| error.to_string()), registry.trace().requests())
}

#[test]
fn a_download_arrives_whole_or_fails() {
    let whole = usize::try_from(SIZE).unwrap();
    assert_eq!(download(Action::CutAnswer(70_000)), (Ok(whole), 2));
    assert_eq!(download(Action::Drip(100_000, Duration::from_millis(1))), (Ok(whole), 1));
    let (corrupt, _) = download(Action::Corrupt);
    assert!(
        corrupt.as_ref().is_err_and(|error| error.contains("the bytes received have")),
        "{corrupt:?}"
    );
    let (short, _) = download(Action::Truncate(100));
    assert!(
        short.as_ref().is_err_and(|error| error.contains("expected 1048576 bytes")),
        "{short:?}"
    );
}

/// An image of one blob.
fn image(extra: &str) -> Vec<u8> {
    let (config, layer) = (Digest::of(b"{}"), Digest::of(b"layer"));
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}",{extra}"config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config}","size":2}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{layer}","size":5}}]}}"#
    )
    .into_bytes()
}

/// Starts a registry that has the blobs of the image.
fn with_blobs(rules: Vec<(Match, Action)>) -> TestRegistry {
    let registry = start(rules);
    registry.put_blob("acme/app", b"{}");
    registry.put_blob("acme/app", b"layer");
    registry
}

#[test]
fn a_manifest_is_written_and_read_back() {
    let rows: Vec<(Vec<(Match, Action)>, usize)> = vec![
        (vec![], 3),
        (vec![(Match::kind(Kind::ManifestPut).once(), Action::BlobsUnknown)], 4),
        // Without the digest a look is followed by a read.
        (vec![(Match::any(), Action::NoHeader("Docker-Content-Digest".to_owned()))], 4),
    ];
    for (rules, requests) in rows {
        let registry = with_blobs(rules);
        let client = client(&registry, None);
        let repository = Repository::new(&client, &reference(&registry, "acme/app"), Access::Push);
        let bytes = image("");
        let put = repository.put_manifest(Which::Tag("1"), MANIFEST, &bytes).unwrap();
        assert!(matches!(put, Put::Stored { .. }));
        let found = repository.head_manifest(Which::Tag("1")).unwrap().unwrap();
        let document = repository.manifest(Which::Digest(Digest::of(&bytes))).unwrap();
        assert_eq!((document.bytes, document.descriptor), (bytes, found));
        registry.trace().check(&[Property::Requests(requests)]).unwrap();
    }
}

#[test]
fn a_manifest_that_is_not_what_it_should_be_is_refused() {
    let rows = [
        (Action::WrongDigest, "Docker-Content-Digest"),
        (Action::SchemaOne, "schema 1"),
        (Action::Corrupt, "Docker-Content-Digest"),
        (Action::Header("Content-Type".to_owned(), "text/html".to_owned()), "same media type"),
        (Action::Answer(Told::html(404)), "404: an HTML page titled `404`"),
        (Action::RedirectLoop, ""),
    ];
    for (action, reason) in rows {
        let registry = with_blobs(vec![(Match::kind(Kind::ManifestGet), action)]);
        registry.put_manifest("acme/app", Some("1"), MANIFEST, &image(""));
        let client = client(&registry, None);
        let repository = Repository::new(&client, &reference(&registry, "acme/app"), Access::Pull);
        let error = repository.manifest(Which::Tag("1")).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn an_immutable_tag_stays() {
    let registry = with_blobs(vec![(Match::any(), Action::ImmutableTags)]);
    let client = client(&registry, None);
    let repository = Repository::new(&client, &reference(&registry, "acme/app"), Access::Push);
    let (old, new) = (image(""), image(r#""annotations":{"a":"b"},"#));
    for _ in 0..2 {
        let put = repository.put_manifest(Which::Tag("1"), MANIFEST, &old).unwrap();
        assert!(matches!(put, Put::Stored { .. }));
    }
    let error = repository.put_manifest(Which::Tag("1"), MANIFEST, &new).unwrap_err();
    let hint = error.hint.unwrap();
    for digest in [Digest::of(&old), Digest::of(&new)] {
        assert!(hint.contains(&digest.to_string()), "{hint}");
    }
    assert_eq!(registry.state().repository("acme/app").tags["1"], Digest::of(&old));
}

#[test]
fn referrers_are_listed_by_whoever_can() {
    let subject = Digest::of(&image(""));
    let referrer = |name: &str| {
        let size = image("").len();
        image(&format!(
            r#""artifactType":"x/{name}","annotations":{{"name":"{name}"}},"subject":{{"mediaType":"{MANIFEST}","digest":"{subject}","size":{size}}},"#
        ))
    };
    for (rules, listed_by) in [
        (vec![], ListedBy::Registry),
        (vec![(Match::any(), Action::NoReferrersFilter)], ListedBy::Registry),
        (vec![(Match::any(), Action::NoReferrers)], ListedBy::Tag),
        (
            vec![(Match::any(), Action::NoReferrers), (Match::any(), Action::EntityTags)],
            ListedBy::Tag,
        ),
    ] {
        let registry = with_blobs(rules);
        registry.put_manifest("acme/app", Some("1"), MANIFEST, &image(""));
        let client = client(&registry, None);
        let repository = Repository::new(&client, &reference(&registry, "acme/app"), Access::Push);
        // Several at once: without ETag one of them could be lost, which the specification admits.
        for name in ["a", "b", "c", "b"] {
            assert_eq!(repository.put_referrer(&referrer(name)).unwrap(), listed_by);
        }
        let mut found = repository.referrers(subject, None).unwrap();
        found.manifests.sort_by_key(|descriptor| descriptor.annotations["name"].clone());
        assert_eq!(found.listed_by, listed_by);
        let digests: Vec<_> = found.manifests.iter().map(|descriptor| descriptor.digest).collect();
        let expected = ["a", "b", "c"].map(|name| Digest::of(&referrer(name)));
        assert_eq!(digests, expected);
        let only = repository.referrers(subject, Some("x/b")).unwrap().manifests;
        assert_eq!(only, [found.manifests[1].clone()]);
    }
}

#[test]
fn writers_of_one_tag_lose_nothing_if_there_are_entity_tags() {
    let subject = Digest::of(&image(""));
    let size = image("").len();
    let rules = vec![(Match::any(), Action::NoReferrers), (Match::any(), Action::EntityTags)];
    let registry = with_blobs(rules);
    let client = client(&registry, None);
    let referrer = |name: &str| {
        image(&format!(
            r#""artifactType":"x/{name}","subject":{{"mediaType":"{MANIFEST}","digest":"{subject}","size":{size}}},"#
        ))
    };
    // The list is there, so that all writers have an entity tag to hold to.
    let repository = Repository::new(&client, &reference(&registry, "acme/app"), Access::Push);
    repository.put_referrer(&referrer("first")).unwrap();
    std::thread::scope(|scope| {
        for name in ["a", "b", "c"] {
            let (repository, referrer) = (&repository, referrer(name));
            scope.spawn(move || repository.put_referrer(&referrer).unwrap());
        }
    });
    assert_eq!(repository.referrers(subject, None).unwrap().manifests.len(), 4);
}

#[test]
fn tags_are_read_to_the_end_if_there_is_one() {
    let registry = with_blobs(vec![(Match::any(), Action::TagPage(2))]);
    for tag in ["1", "2", "3", "4", "5"] {
        registry.put_manifest("acme/app", Some(tag), MANIFEST, &image(""));
    }
    let client_of = |registry: &TestRegistry| client(registry, None);
    let client = client_of(&registry);
    let repository = Repository::new(&client, &reference(&registry, "acme/app"), Access::Pull);
    assert_eq!(repository.tags().unwrap(), ["1", "2", "3", "4", "5"]);
    registry.trace().check(&[Property::Requests(3)]).unwrap();

    let endless = with_blobs(vec![(Match::any(), Action::EndlessTags)]);
    let client = client_of(&endless);
    let repository = Repository::new(&client, &reference(&endless, "acme/app"), Access::Pull);
    assert!(repository.tags().unwrap_err().to_string().contains("more than"));
}
