//! Situations of pushing.

use std::time::Duration;

use super::{BODIES, Before, Expected, PASSWORD, Scenario, USER};
use crate::auth::{Auth, TokenService};
use crate::kind::Kind;
use crate::rule::{Action, Answer, Match, Place, RetryAfter};
use crate::trace::Property;

/// What the larger layer of the image is not longer than: what is sent twice at most if a body is
/// refused at its end.
const LAYER: u64 = 260_000;

/// Returns the scenarios, the plain ones first.
pub(super) fn scenarios() -> Vec<Scenario> {
    [plain(), locations(), trouble(), credentials(), refused_logins(), answers(), limits()].concat()
}

fn plain() -> Vec<Scenario> {
    let clean = [Property::NoByteTwice, Property::NoOpenUpload, Property::ManifestsLast];
    vec![
        Scenario::push("first", "nothing is there").hold(&clean).hold(&[Property::Requests(9)]),
        Scenario::push("unchanged", "all of it is there; to find out takes one request")
            .before(Before::Same)
            .hold(&[Property::Requests(1)]),
        Scenario::push("changed-layer", "all but a layer and the configuration is there")
            .before(Before::Older)
            .hold(&clean)
            .hold(&[Property::Requests(6)]),
    ]
}

fn locations() -> Vec<Scenario> {
    let clean = [Property::NoByteTwice, Property::NoOpenUpload];
    let place = |name, what, place| {
        Scenario::push(name, what)
            .auth(Auth::basic(USER, PASSWORD))
            .rule(Match::any(), Action::Location(place))
            .hold(&[Property::NoOpenUpload])
    };
    vec![
        place("location-absolute", "uploads go on at a URL", Place::Absolute),
        place("location-relative", "uploads go on at a path without a slash", Place::Relative),
        place("location-query", "uploads go on under a query that is new every time", Place::Query)
            .in_chunks(),
        place(
            "location-exact",
            "uploads go on under a query that must not be written anew",
            Place::ExactQuery,
        )
        .in_chunks(),
        place("location-other-host", "uploads go on at another host", Place::OtherHost),
        place("location-chunks-elsewhere", "chunks are for another host", Place::OtherHost)
            .in_chunks(),
        Scenario::push("patch-201", "PATCH answers 201")
            .in_chunks()
            .rule(Match::kind(Kind::UploadPatch), Action::Status(201))
            .hold(&clean),
        Scenario::push("no-range", "PATCH answers without Range")
            .in_chunks()
            .rule(Match::kind(Kind::UploadPatch), Action::NoHeader("Range".to_owned()))
            .hold(&clean),
        Scenario::push("commit-204", "the end of an upload is answered by 204")
            .rule(Match::kind(Kind::UploadPut), Action::Status(204))
            .hold(&clean),
        Scenario::push("whole-ignored", "POST with a digest begins an upload")
            .rule(Match::any(), Action::IgnoreWhole)
            .hold(&[Property::NoOpenUpload]),
    ]
}

fn trouble() -> Vec<Scenario> {
    let busy = |after| Action::Answer(Answer::too_many(Some(after)));
    let start = || Match::kinds(&[Kind::UploadStart, Kind::UploadWhole]).once();
    let body = || Match::kinds(BODIES).path("*").once();
    let clean = [Property::NoOpenUpload, Property::ManifestsLast];
    vec![
        Scenario::push("busy-seconds", "429 once, with Retry-After in seconds")
            .rule(start(), busy(RetryAfter::Seconds(1)))
            .hold(&clean),
        Scenario::push("busy-date", "429 once, with Retry-After as a date")
            .rule(start(), busy(RetryAfter::Date(2)))
            .hold(&clean),
        Scenario::push("busy-nonsense", "429 once, with a Retry-After that is neither")
            .rule(start(), busy(RetryAfter::Nonsense))
            .hold(&clean),
        Scenario::push("unavailable-once", "503 once for the body of a blob")
            .rule(body(), Action::Answer(Answer::html(503)))
            .hold(&[Property::WasteAtMost(LAYER)]),
        Scenario::push("unavailable-thrice", "503 three times for the manifest")
            .rule(
                Match::kind(Kind::ManifestPut).times(crate::rule::Times::First(3)),
                Action::Answer(Answer::status(503)),
            )
            .hold(&clean)
            .hold(&[Property::AtLeast(Kind::ManifestPut, 4)]),
        Scenario::push("reset-in-upload", "the connection breaks in the midst of a blob")
            .rule(body(), Action::CutRequest(50))
            .hold(&[Property::WasteAtMost(LAYER)]),
        Scenario::push("reset-before-answer", "the connection breaks after a blob was begun")
            .rule(start(), Action::CutRequest(0))
            .hold(&[Property::WasteAtMost(LAYER)]),
        Scenario::push("bytes-lost", "416 with what came of a chunk")
            .in_chunks()
            .rule(Match::kind(Kind::UploadPatch).once(), Action::LoseAfter(50))
            .hold(&[Property::WasteAtMost(LAYER)]),
        Scenario::push("blob-unknown-once", "a blob is seen only a moment after its upload")
            .rule(Match::kind(Kind::ManifestPut).once(), Action::BlobsUnknown)
            .hold(&[Property::NoOpenUpload, Property::AtLeast(Kind::ManifestPut, 2)]),
        Scenario::push("slow-commit", "the end of an upload takes three seconds")
            .rule(Match::kinds(BODIES), Action::Delay(Duration::from_secs(3)))
            .hold(&[Property::NoByteTwice, Property::NoOpenUpload]),
    ]
}

fn credentials() -> Vec<Scenario> {
    let service = || match Auth::token(USER, PASSWORD) {
        Auth::Token(service) => service,
        Auth::Open | Auth::Basic(_) => TokenService::default(),
    };
    let clean = [Property::NoOpenUpload, Property::ManifestsLast];
    let quoted = "Negotiate realm=\"one, two\", Digest realm=\"x\", nonce=\"a,b\"".to_owned();
    let basic = "Basic realm=\"also, basic\"".to_owned();
    let elsewhere = Some("{other}/token".to_owned());
    vec![
        Scenario::push("basic", "name and password in every request")
            .auth(Auth::basic(USER, PASSWORD))
            .hold(&clean),
        Scenario::push("token", "a token, to be asked for")
            .auth(Auth::Token(service()))
            .hold(&clean),
        Scenario::push("access-token", "a token under its other name, with no time to live")
            .auth(Auth::Token(TokenService {
                field: "access_token".to_owned(),
                expires_in: None,
                ..service()
            }))
            .hold(&clean),
        Scenario::push("challenges", "several challenges, each in its header")
            .auth(Auth::Token(TokenService {
                challenges: vec!["Negotiate".to_owned(), basic],
                ..service()
            }))
            .hold(&clean),
        Scenario::push(
            "challenges-in-one",
            "several challenges in one header, with commas and quotes",
        )
        .auth(Auth::Token(TokenService { challenges: vec![quoted], ..service() }))
        .hold(&clean),
        Scenario::push("token-expires", "the token expires in the midst of an upload")
            .auth(Auth::Token(service()))
            .rule(Match::kinds(BODIES).once(), Action::ExpireTokens)
            .hold(&[Property::WasteAtMost(LAYER), Property::AtLeast(Kind::Token, 2)])
            .hold(&clean),
        Scenario::push("token-expires-between-chunks", "the token expires between two chunks")
            .in_chunks()
            .auth(Auth::Token(service()))
            .rule(Match::kind(Kind::UploadPatch).nth(2), Action::ExpireTokens)
            .hold(&[Property::WasteAtMost(LAYER), Property::AtLeast(Kind::Token, 2)])
            .hold(&clean),
        Scenario::push("realm-elsewhere", "the realm is of another host, at a private address")
            .auth(Auth::Token(TokenService { realm: elsewhere, ..service() }))
            .expect(Expected::Refused),
    ]
}

fn refused_logins() -> Vec<Scenario> {
    let wrong = |scenario: Scenario| {
        let password = Some("wrong".to_owned());
        Scenario { password, ..scenario }.expect(Expected::Refused).hold(&[Property::Requests(12)])
    };
    vec![
        wrong(
            Scenario::push("wrong-password", "the password is wrong")
                .auth(Auth::basic(USER, PASSWORD)),
        ),
        wrong(
            Scenario::push("wrong-password-token", "the password for tokens is wrong")
                .auth(Auth::token(USER, PASSWORD))
                .hold(&[Property::AtLeast(Kind::Token, 1)]),
        ),
    ]
}

fn answers() -> Vec<Scenario> {
    let start = || Match::kinds(&[Kind::UploadStart, Kind::UploadWhole, Kind::Mount]);
    let manifest = || Match::kind(Kind::ManifestPut);
    let hidden = || Match::kinds(&[Kind::ManifestHead, Kind::ManifestGet]);
    let heads = || Match::kinds(&[Kind::BlobHead, Kind::ManifestHead, Kind::ManifestGet]);
    let denied = || Answer::error(403, "DENIED", "no");
    let huge = Answer::status(400).with_body(vec![b'x'; 32 << 20]);
    let warning = Action::Header("Warning".to_owned(), "299 - \"soon gone\"".to_owned());
    vec![
        Scenario::push("html-error", "an error as a page")
            .rule(start(), Action::Answer(Answer::html(403)))
            .expect(Expected::Refused),
        Scenario::push("empty-error", "an error without words")
            .rule(start(), Action::Answer(Answer::status(400)))
            .expect(Expected::Refused),
        Scenario::push("huge-error", "an error of 32 MiB")
            .rule(start(), Action::Answer(huge))
            .expect(Expected::Refused),
        Scenario::push("redirect-loop", "redirected without end")
            .rule(Match::any(), Action::RedirectLoop)
            .expect(Expected::Refused)
            .hold(&[Property::Requests(60)]),
        Scenario::push("wrong-digest", "the registry has stored another manifest than it was sent")
            .rule(manifest(), Action::WrongDigest)
            .expect(Expected::Failure),
        Scenario::push("no-digest", "no digests in headers")
            .rule(Match::any(), Action::NoHeader("Docker-Content-Digest".to_owned())),
        Scenario::push("denied-means-missing", "403 for what is not there")
            .rule(heads(), Action::InsteadOf(404, denied())),
        Scenario::push("warnings", "a warning with every answer").rule(Match::any(), warning),
        Scenario::push("tag-is-immutable", "the tag is there and cannot move, but need not")
            .before(Before::Same)
            .rule(Match::any(), Action::ImmutableTags),
        Scenario::push(
            "tag-is-immutable-and-hidden",
            "it is there, but first seen when it is written",
        )
        .before(Before::Same)
        .rule(hidden().once(), Action::Answer(Answer::status(404)))
        .rule(Match::any(), Action::ImmutableTags)
        .hold(&[Property::AtLeast(Kind::ManifestPut, 1)]),
        Scenario::push("tag-cannot-move", "the tag is there, cannot move, and would have to")
            .before(Before::Older)
            .rule(Match::any(), Action::ImmutableTags)
            .expect(Expected::Refused),
    ]
}

fn limits() -> Vec<Scenario> {
    vec![
        Scenario::push("body-limit", "no body above 100 000 bytes")
            .rule(Match::any(), Action::BodyLimit(100_000))
            .hold(&[Property::NoOpenUpload]),
        Scenario::push("no-chunks", "Content-Range is refused")
            .in_chunks()
            .rule(Match::any(), Action::RefuseChunks)
            .hold(&[Property::NoOpenUpload]),
        Scenario::push("chunk-minimum", "chunks of at least 100 000 bytes")
            .in_chunks()
            .rule(Match::any(), Action::ChunkMinimum(100_000))
            .hold(&[Property::NoByteTwice]),
        Scenario::push("chunk-minimum-huge", "chunks of at least 2^60 bytes, it is said")
            .in_chunks()
            .rule(Match::any(), Action::ChunkMinimumSaid(1 << 60))
            .hold(&[Property::NoByteTwice]),
    ]
}
