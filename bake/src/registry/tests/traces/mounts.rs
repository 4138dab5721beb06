//! Mounts: what is asked for, with which rights, and what a refusal means.

use bake_formats::digest::Digest;

use super::script::{Reply, Script, denied, lost, reference, status};
use crate::registry::{Mounted, RegistryError};

const FROM: &str = "POST acme/app/blobs/uploads/?mount=D&from=acme/base";

fn mount(reply: Reply) -> Result<Mounted, RegistryError> {
    let digest = Digest::of(b"layer");
    let script = Script::new(&[("D", digest)], vec![(FROM, reply)]);
    let result = script.repository().mount(digest, Some(&reference("r.test/acme/base:1")));
    // The target first: some servers read only the first scope.
    assert_eq!(script.scopes(), ["acme/app+push acme/base"]);
    script.finish();
    result
}

#[test]
fn every_answer_has_its_meaning() {
    assert!(matches!(mount(status(201)), Ok(Mounted::Yes)));
    let session = mount(status(202).with("Location", "/up/1"));
    assert!(matches!(session, Ok(Mounted::Session(_))));
    for reply in [
        status(202),
        status(400).code("UNSUPPORTED"),
        status(401),
        status(403).code("DENIED"),
        status(404).code("BLOB_UNKNOWN"),
        status(405),
        denied(),
    ] {
        assert!(matches!(mount(reply), Ok(Mounted::No)));
    }
    for reply in [status(429), status(503), status(301), lost(0)] {
        assert!(mount(reply).is_err());
    }
}

#[test]
fn a_source_elsewhere_is_not_named() {
    let digest = Digest::of(b"layer");
    for source in ["other.test/acme/base:1", "r.test:443/acme/base", "debian", "r.test/acme/app:2"]
    {
        let script = Script::new(&[], vec![]);
        let mounted = script.repository().mount(digest, Some(&reference(source))).unwrap();
        assert!(matches!(mounted, Mounted::No), "{source}");
        script.finish();
    }
}

#[test]
fn a_session_that_is_not_wanted_is_given_up() {
    let digest = Digest::of(b"layer");
    let rows = vec![
        ("POST acme/app/blobs/uploads/?mount=D", status(202).with("Location", "/up/1?x=y")),
        ("DELETE https://r.test/up/1?x=y", status(404)),
    ];
    let script = Script::new(&[("D", digest)], rows);
    let repository = script.repository();
    let Mounted::Session(session) = repository.mount(digest, None).unwrap() else { panic!() };
    repository.cancel(session);
    script.finish();
}
