//! Lists: tags, referrers, and the tag that stands in for them.

use std::slice::from_ref;

use bake_formats::blob::Blob;
use bake_formats::digest::Digest;
use bake_formats::oci::Descriptor;
use bake_formats::oci::descriptor::{StringMap, media_type};
use bake_formats::oci::index::Index;
use bake_formats::oci::json::canonical;

use super::script::{Reply, Script, status, told};
use crate::registry::{ListedBy, Referrers, RegistryError, fallback_tag};

const LIST: &str = "GET acme/app/tags/list?n=1000";

fn tags(rows: Vec<(&str, Reply)>) -> Result<Vec<String>, RegistryError> {
    let script = Script::new(&[], rows);
    let result = script.source().tags();
    script.finish();
    result
}

fn page(tags: &str) -> Reply {
    status(200).json(format!(r#"{{"name":"acme/app","tags":{tags}}}"#))
}

#[test]
fn tags_come_in_pages() {
    assert_eq!(tags(vec![(LIST, page(r#"["1","2"]"#))]).unwrap(), ["1", "2"]);
    assert_eq!(tags(vec![(LIST, page("null"))]).unwrap(), [""; 0]);
    for link in [
        r#"</v2/acme/app/tags/list?last=2&n=1000>; rel="next""#,
        "<https://r.test/v2/acme/app/tags/list?last=2&n=1000>;rel=next",
        r#"<?last=2&n=1000>; title="a, b"; REL="prefetch Next""#,
        r#"<x>; rel="first", <list?last=2&n=1000>; rel="next""#,
    ] {
        let rows = vec![
            (LIST, page(r#"["1","2"]"#).with("Link", link)),
            ("GET https://r.test/v2/acme/app/tags/list?last=2&n=1000", page(r#"["3"]"#)),
        ];
        assert_eq!(tags(rows).unwrap(), ["1", "2", "3"], "{link}");
    }
    let other = page("[]").with("Link", r#"<x>; rel="last""#).with("Link", "<y");
    assert_eq!(tags(vec![(LIST, other)]).unwrap(), [""; 0]);
}

#[test]
fn pages_without_end_are_an_error() {
    let second = "GET https://r.test/v2/acme/app/tags/list?last=2";
    let circle = vec![
        (LIST, page("[]").with("Link", "<?last=2>; rel=next")),
        (second, page("[]").with("Link", "<list?n=1000>; rel=next")),
    ];
    assert!(tags(circle).is_err_and(|error| error.to_string().contains("in a circle")));
    let lines: Vec<String> =
        (1..2000).map(|n| format!("GET https://r.test/v2/acme/app/tags/list?n={n}x")).collect();
    let mut rows = vec![(LIST, page("[]").with("Link", "<?n=1x>; rel=next"))];
    for (n, line) in (2..).zip(&lines) {
        rows.push((line, page("[]").with("Link", format!("<?n={n}x>; rel=next"))));
    }
    assert!(tags(rows).is_err_and(|error| error.to_string().contains("more than 2000 pages")));
    let many = format!("[{}\"\"]", "\"\",".repeat(250_000));
    assert!(tags(vec![(LIST, page(&many))]).is_err_and(|e| e.to_string().contains("250000 tags")));
    let long = page("[]").with("Content-Length", "5000000");
    assert!(tags(vec![(LIST, long)]).is_err_and(|error| error.to_string().contains("at most")));
}

#[test]
fn a_list_that_is_none_is_an_error() {
    for (reply, reason) in [
        (status(200).body("<html>"), "expected the JSON of a list of tags"),
        (status(404).code("NAME_UNKNOWN"), "there is no such repository"),
        (page("[]").with("Link", "<http://[>; rel=next"), "has no address"),
    ] {
        assert!(tags(vec![(LIST, reply)]).is_err_and(|error| error.to_string().contains(reason)));
    }
}

fn subject() -> Digest {
    Digest::of(b"subject")
}

/// A referrer as a list shows it.
fn listed(name: &str, artifact_type: &str) -> Descriptor {
    let mut descriptor = Descriptor::new(media_type::MANIFEST, Blob::of(name.as_bytes()));
    descriptor.other.insert("artifactType".to_owned(), artifact_type.into());
    descriptor.annotations.insert("name".to_owned(), name.to_owned());
    descriptor
}

fn index(manifests: &[Descriptor]) -> Vec<u8> {
    canonical(&Index::new(manifests.to_vec(), StringMap::new())).unwrap()
}

fn indexed(manifests: &[Descriptor]) -> Reply {
    status(200).with("Content-Type", media_type::INDEX).body(index(manifests))
}

fn referrers(kind: Option<&str>, rows: Vec<(&str, Reply)>) -> Result<Referrers, RegistryError> {
    let script = Script::new(&[("S", subject())], rows);
    let result = script.source().referrers(subject(), kind);
    script.finish();
    result
}

#[test]
fn the_registry_lists_referrers() {
    let (a, b) = (listed("a", "x/sbom"), listed("b", "x/sig"));
    let all = "GET acme/app/referrers/S";
    let found = referrers(None, vec![(all, indexed(&[a.clone(), b.clone()]))]).unwrap();
    assert_eq!(found.manifests, [a.clone(), b.clone()]);
    assert_eq!(found.listed_by, ListedBy::Registry);
    assert_eq!(referrers(None, vec![(all, indexed(&[]))]).unwrap().manifests, []);

    let some = "GET acme/app/referrers/S?artifactType=x%2Fsig%2Bjson";
    let (c, d) = (listed("c", "x/sig+json"), Descriptor::new(media_type::MANIFEST, Blob::of(b"d")));
    // Filtered here, because the registry does not say that it did.
    let reply = indexed(&[a.clone(), c.clone()]);
    let found = referrers(Some("x/sig+json"), vec![(some, reply)]).unwrap();
    assert_eq!(found.manifests, from_ref(&c));
    // Filtered there, by what this list does not show; on the second page it was not.
    let rows = vec![
        (
            some,
            indexed(&[c.clone(), d.clone()])
                .with("OCI-Filters-Applied", "annotation, artifactType")
                .with("Link", "</v2/acme/app/referrers/S2>; rel=\"next\""),
        ),
        ("GET https://r.test/v2/acme/app/referrers/S2", indexed(&[a, c.clone(), d.clone()])),
    ];
    assert_eq!(referrers(Some("x/sig+json"), rows).unwrap().manifests, [c.clone(), d, c]);
}

#[test]
fn without_the_api_the_tag_lists_them() {
    let (a, b) = (listed("a", "x/sbom"), listed("b", "x/sig"));
    let tag = "GET acme/app/manifests/sha256-S";
    for unknown in [
        status(404),
        status(404).code("NAME_UNKNOWN"),
        status(405),
        status(200).with("Content-Type", "text/html").body("<html>"),
    ] {
        let rows = vec![
            ("GET acme/app/referrers/S?artifactType=x%2Fsig", unknown),
            (tag, indexed(&[a.clone(), b.clone()])),
        ];
        let found = referrers(Some("x/sig"), rows).unwrap();
        assert_eq!((found.manifests, found.listed_by), (vec![b.clone()], ListedBy::Tag));
    }
    let none = vec![("GET acme/app/referrers/S", status(404)), (tag, status(404))];
    assert_eq!(referrers(None, none).unwrap().manifests, []);
    let image = status(200).json(r#"{"schemaVersion":2,"config":{},"layers":[]}"#);
    let other = vec![("GET acme/app/referrers/S", status(404)), (tag, image)];
    let error = referrers(None, other).unwrap_err();
    assert!(error.to_string().contains("expected an image index"), "{error}");
    assert!(error.hint.unwrap().contains("reserved"));
    assert!(referrers(None, vec![("GET acme/app/referrers/S", status(500))]).is_err());
}

/// A manifest about the subject.
fn about(extra: &str) -> Vec<u8> {
    let digest = subject();
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{}",{extra}"config":{{"mediaType":"x/config"}},"layers":[],"subject":{{"mediaType":"{}","digest":"{digest}","size":1}},"annotations":{{"k":"v"}}}}"#,
        media_type::MANIFEST, media_type::MANIFEST
    )
    .into_bytes()
}

fn shown(bytes: &[u8], artifact_type: &str) -> Descriptor {
    let mut descriptor = Descriptor::new(media_type::MANIFEST, Blob::of(bytes));
    descriptor.other.insert("artifactType".to_owned(), artifact_type.into());
    descriptor.annotations.insert("k".to_owned(), "v".to_owned());
    descriptor
}

fn attach(bytes: &[u8], rows: Vec<(&str, Reply)>) -> (Result<ListedBy, RegistryError>, Vec<u8>) {
    let script = Script::new(&[("S", subject()), ("M", Digest::of(bytes))], rows);
    let result = script.repository().put_referrer(bytes);
    (result, script.finish())
}

#[test]
fn a_registry_that_lists_by_itself_is_left_alone() {
    let bytes = about("");
    let put = format!("PUT acme/app/manifests/M +{}", bytes.len());
    let reply = status(201).with("OCI-Subject", subject().to_string());
    let (result, sent) = attach(&bytes, vec![(&put, reply)]);
    assert_eq!(result.unwrap(), ListedBy::Registry);
    assert_eq!(sent, bytes);
}

#[test]
fn the_tag_is_kept_for_a_registry_that_does_not() {
    assert_eq!(fallback_tag(subject()), format!("sha256-{}", subject().hex()));
    let get = "GET acme/app/manifests/sha256-S";
    for (extra, artifact_type) in [("", "x/config"), (r#""artifactType":"x/sbom","#, "x/sbom")] {
        let bytes = about(extra);
        let entry = shown(&bytes, artifact_type);
        let put = format!("PUT acme/app/manifests/M +{}", bytes.len());
        // The first one makes the index.
        let first = index(from_ref(&entry));
        let put_first = format!("PUT acme/app/manifests/sha256-S +{}", first.len());
        let rows = vec![(put.as_str(), status(201)), (get, status(404)), (&put_first, status(201))];
        let (result, sent) = attach(&bytes, rows);
        assert_eq!(result.unwrap(), ListedBy::Tag);
        assert_eq!(sent, [bytes.clone(), first.clone()].concat());
        // Listed already: nothing to write.
        let rows = vec![(put.as_str(), status(201)), (get, indexed(from_ref(&entry)))];
        assert_eq!(attach(&bytes, rows).0.unwrap(), ListedBy::Tag);
        // Beside others, once, in an order that does not depend on who came first.
        let stale = Descriptor::new(media_type::MANIFEST, Blob::of(&bytes));
        let others = [listed("a", "x/y"), stale, listed("b", "x/y")];
        let mut expected = vec![listed("a", "x/y"), listed("b", "x/y"), entry];
        expected.sort_by_key(|descriptor| descriptor.digest);
        let merged = index(&expected);
        let put_merged = format!("PUT acme/app/manifests/sha256-S +{}", merged.len());
        let rows =
            vec![(put.as_str(), status(201)), (get, indexed(&others)), (&put_merged, status(201))];
        let (result, sent) = attach(&bytes, rows);
        assert_eq!(result.unwrap(), ListedBy::Tag);
        assert_eq!(sent, [bytes, merged].concat());
    }
}

#[test]
fn writers_that_meet_try_again() {
    let bytes = about("");
    let entry = shown(&bytes, "x/config");
    let put = format!("PUT acme/app/manifests/M +{}", bytes.len());
    let get = "GET acme/app/manifests/sha256-S";
    let merged = |others: &[Descriptor]| {
        let mut all = [others, from_ref(&entry)].concat();
        all.sort_by_key(|descriptor| descriptor.digest);
        let len = index(&all).len();
        move |etag: &str| format!("PUT acme/app/manifests/sha256-S if-match=\"{etag}\" +{len}")
    };
    let (one, two) = ([listed("a", "x/y")], [listed("a", "x/y"), listed("b", "x/y")]);
    let (put_one, put_two) = (merged(&one)("1"), merged(&two)("2"));
    let rows = vec![
        (put.as_str(), status(201)),
        (get, indexed(&one).with("ETag", "\"1\"")),
        (&put_one, status(412)),
        ("pause 1", told()),
        (get, indexed(&two).with("ETag", "\"2\"")),
        (&put_two, status(201)),
    ];
    assert_eq!(attach(&bytes, rows).0.unwrap(), ListedBy::Tag);

    let mut rows = vec![(put.as_str(), status(201))];
    for pause in ["pause 1", "pause 2", "pause 3", "pause 4", "pause 5"] {
        rows.push((get, indexed(&one).with("ETag", "\"1\"")));
        rows.push((&put_one, status(412)));
        rows.push((pause, told()));
    }
    let (result, _) = attach(&bytes, rows);
    assert!(
        result.is_err_and(|error| error.to_string().contains("somebody else changed the list"))
    );
}

#[test]
fn what_has_no_subject_is_not_attached() {
    let bytes = br#"{"schemaVersion":2,"config":{},"layers":[]}"#;
    let (result, sent) = attach(bytes, vec![]);
    assert!(result.is_err_and(|error| error.to_string().contains("has no `subject`")));
    assert!(sent.is_empty());
}
