//! Situations of copying: within a registry blobs are mounted, between two they pass through.

use super::{PASSWORD, Scenario, Source, USER};
use crate::auth::Auth;
use crate::kind::Kind;
use crate::rule::{Action, Answer, Match};
use crate::trace::Property;

/// Returns the scenarios, mounts first.
pub(super) fn scenarios() -> Vec<Scenario> {
    [mounts(), between()].concat()
}

fn mounts() -> Vec<Scenario> {
    let mount = || Match::kind(Kind::Mount);
    let clean = [
        Property::AtLeast(Kind::Mount, 3),
        Property::NoByteTwice,
        Property::NoOpenUpload,
        Property::ManifestsLast,
    ];
    let unauthorized = Answer::error(401, "UNAUTHORIZED", "who are you?")
        .with("WWW-Authenticate", "Basic realm=\"mounts\"");
    let unknown = Answer::error(404, "NAME_UNKNOWN", "no such repository");
    vec![
        Scenario::copy("mount", "blobs are in another repository: no byte is sent")
            .auth(Auth::token(USER, PASSWORD))
            .hold(&clean)
            .hold(&[Property::Uploaded(0)]),
        Scenario::copy("mount-202", "mounts are declined: the session that is offered goes on")
            .rule(mount(), Action::IgnoreMount)
            .hold(&clean)
            .hold(&[Property::AtMost(Kind::UploadStart, 0)]),
        Scenario::copy("mount-401", "mounts are refused with 401")
            .rule(mount(), Action::Answer(unauthorized))
            .hold(&clean),
        Scenario::copy("mount-404", "mounts are refused with 404")
            .rule(mount(), Action::Answer(unknown))
            .hold(&clean),
    ]
}

fn between() -> Vec<Scenario> {
    let clean = [Property::NoByteTwice, Property::NoOpenUpload, Property::ManifestsLast];
    let blobs = || Match::kind(Kind::BlobGet).path("/v2/*");
    let other = |name, what, rules| {
        let source = Source::OtherRegistry(rules);
        Scenario { source, ..Scenario::copy(name, what) }.hold(&clean)
    };
    vec![
        other("copy", "another registry", Vec::new()).hold(&[Property::AtMost(Kind::Mount, 0)]),
        other(
            "copy-redirected",
            "another registry, whose blobs are at a host that wants no credentials",
            vec![blobs().then(Action::RedirectBlobs)],
        )
        .auth(Auth::basic(USER, PASSWORD)),
        other(
            "copy-cut",
            "another registry, whose connection breaks in the midst of a blob",
            vec![blobs().once().then(Action::CutAnswer(50))],
        ),
        other("copy-attached", "what is attached goes along; the registry lists it", Vec::new())
            .attached(),
        other("copy-attached-by-tag", "what is attached is listed behind a tag", Vec::new())
            .attached()
            .rule(Match::any(), Action::NoReferrers),
    ]
}
