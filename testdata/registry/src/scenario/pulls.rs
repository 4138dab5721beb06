//! Situations of pulling.

use std::time::Duration;

use super::{Expected, PASSWORD, Scenario, USER};
use crate::auth::Auth;
use crate::kind::Kind;
use crate::rule::{Action, Answer, Match, RetryAfter};
use crate::trace::Property;

/// Returns the scenarios, the plain one first.
pub(super) fn scenarios() -> Vec<Scenario> {
    [plain(), damage()].concat()
}

fn plain() -> Vec<Scenario> {
    let blob = || Match::kind(Kind::BlobGet);
    let busy = |after| Action::Answer(Answer::too_many(Some(after)));
    vec![
        Scenario::pull("pull", "all is well").hold(&[Property::Requests(5)]),
        Scenario::pull("pull-token", "tokens, given to anybody for reading")
            .auth(Auth::token(USER, PASSWORD)),
        Scenario::pull("pull-redirected", "blobs are at another host, which wants no credentials")
            .auth(Auth::basic(USER, PASSWORD))
            .rule(blob().path("/v2/*"), Action::RedirectBlobs),
        Scenario::pull("pull-busy", "429 once, with Retry-After in seconds")
            .rule(blob().once(), busy(RetryAfter::Seconds(1))),
        Scenario::pull("pull-unavailable", "503 once")
            .rule(blob().once(), Action::Answer(Answer::html(503))),
        Scenario::pull("pull-reset", "the connection breaks in the midst of a blob")
            .rule(blob().once(), Action::CutAnswer(50)),
        Scenario::pull("pull-drip", "bytes come slowly")
            .rule(blob(), Action::Drip(20_000, Duration::from_millis(100))),
        Scenario::pull("pull-no-digest", "no digests in headers")
            .rule(Match::any(), Action::NoHeader("Docker-Content-Digest".to_owned())),
    ]
}

fn damage() -> Vec<Scenario> {
    let blob = || Match::kind(Kind::BlobGet);
    let manifest = || Match::kinds(&[Kind::ManifestGet, Kind::ManifestHead]);
    let fail = |name, what, when: Match, then| {
        Scenario::pull(name, what)
            .rule(when, then)
            .expect(Expected::Failure)
            .hold(&[Property::Requests(60)])
    };
    vec![
        fail("pull-corrupt", "blobs with a wrong byte", blob(), Action::Corrupt),
        fail("pull-truncated", "blobs that are too short", blob(), Action::Truncate(100)),
        fail("pull-corrupt-manifest", "a manifest with a wrong byte", manifest(), Action::Corrupt),
        fail(
            "pull-wrong-digest",
            "a digest that is not the manifest's",
            manifest(),
            Action::WrongDigest,
        ),
        fail("pull-schema-1", "a manifest of the first schema", manifest(), Action::SchemaOne),
        fail("pull-loop", "redirected without end", Match::any(), Action::RedirectLoop),
    ]
}
