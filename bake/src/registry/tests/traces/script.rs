//! A wire that answers by a script and fails the test on any request that the script does not have.

use std::collections::VecDeque;
use std::io::{self, Cursor, Read};
use std::sync::Mutex;
use std::time::Duration;

use bake_formats::digest::Digest;
use bake_formats::oci::Reference;
use url::Url;

use crate::registry::{
    Access, Answer, Body, Call, Fault, Headers, Lengths, RegistryError, Repository, Scope, Target,
    Wire,
};

/// How many attempts the wire allows.
const ATTEMPTS: u32 = 5;

/// What is answered to one request.
#[derive(Default)]
pub(super) struct Reply {
    status: u16,
    headers: Headers,
    body: Vec<u8>,
    /// The answer's body breaks off after its bytes.
    breaks: bool,
    /// How many bytes of the request are read; all if absent.
    reads: Option<u64>,
    /// The connection is lost without an answer.
    lost: bool,
    /// The wire finds credentials missing.
    denied: bool,
}

pub(super) fn status(status: u16) -> Reply {
    Reply { status, ..Reply::default() }
}

/// The connection is lost after so many bytes of the request.
pub(super) fn lost(after: u64) -> Reply {
    Reply { lost: true, reads: Some(after), ..Reply::default() }
}

/// The wire has no credentials that would do.
pub(super) fn denied() -> Reply {
    Reply { denied: true, ..Reply::default() }
}

/// No request, but something that the wire is told: `pause 1`, `renew`.
pub(super) fn told() -> Reply {
    Reply::default()
}

impl Reply {
    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.add(name, value);
        self
    }

    pub(super) fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    pub(super) fn json(self, body: impl AsRef<[u8]>) -> Self {
        self.with("Content-Type", "application/json; charset=utf-8").body(body)
    }

    /// An error of the specification's form.
    pub(super) fn code(self, code: &str) -> Self {
        self.json(format!(r#"{{"errors":[{{"code":"{code}","message":"no","detail":null}}]}}"#))
    }

    pub(super) fn breaks(mut self) -> Self {
        self.breaks = true;
        self
    }

    pub(super) fn reads(mut self, bytes: u64) -> Self {
        self.reads = Some(bytes);
        self
    }
}

/// What is expected, and what came.
pub(super) struct Script {
    rows: Mutex<VecDeque<(String, Reply)>>,
    names: Vec<(String, String)>,
    lengths: Lengths,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    bytes: Vec<u8>,
    scopes: Vec<String>,
}

impl Script {
    /// Starts a script. In its lines `names` stand for digests.
    pub(super) fn new(names: &[(&str, Digest)], rows: Vec<(&str, Reply)>) -> Self {
        let names = names.iter().map(|(name, digest)| (digest.to_string(), (*name).to_owned()));
        let rows = rows.into_iter().map(|(line, reply)| (line.to_owned(), reply));
        let (rows, names) = (Mutex::new(rows.collect()), names.collect());
        Self { rows, names, lengths: Lengths::default(), seen: Mutex::default() }
    }

    /// Changes how long bodies may be.
    pub(super) fn with_lengths(self, lengths: Lengths) -> Self {
        Self { lengths, ..self }
    }

    /// Returns `r.test/acme/app`, to be written to.
    pub(super) fn repository(&self) -> Repository<'_> {
        Repository::new(self, &reference("r.test/acme/app"), Access::Push)
    }

    /// Returns `r.test/acme/app`, to be read.
    pub(super) fn source(&self) -> Repository<'_> {
        Repository::new(self, &reference("r.test/acme/app"), Access::Pull)
    }

    /// Fails unless all requests were made; returns every byte of their bodies that was read.
    pub(super) fn finish(self) -> Vec<u8> {
        let left: Vec<_> =
            self.rows.into_inner().unwrap().into_iter().map(|(row, _)| row).collect();
        assert_eq!(left, [""; 0], "these requests were not made");
        self.seen.into_inner().unwrap().bytes
    }

    /// Returns the scopes of each call.
    pub(super) fn scopes(&self) -> Vec<String> {
        self.seen.lock().unwrap().scopes.clone()
    }

    fn next(&self, found: &str) -> Reply {
        let mut found = found.to_owned();
        for (digest, name) in &self.names {
            let tag = digest.replace(':', "-");
            found = found.replace(digest, name).replace(&tag, &format!("sha256-{name}"));
        }
        match self.rows.lock().unwrap().pop_front() {
            Some((expected, reply)) => {
                assert_eq!(found, expected);
                reply
            }
            None => panic!("the script ends before `{found}`"),
        }
    }
}

pub(super) fn reference(text: &str) -> Reference {
    text.parse().unwrap()
}

/// Returns a call as a line: `PATCH URL content-range=0-3 +4`.
fn line(call: &Call<'_>) -> String {
    let mut line = match &call.target {
        Target::Path(path) => format!("{} {path}", call.method.as_str()),
        Target::Url(url) => format!("{} {url}", call.method.as_str()),
    };
    for name in ["range", "content-range", "if-match"] {
        if let Some(value) = call.headers.get(name) {
            line.push_str(&format!(" {name}={value}"));
        }
    }
    match &call.body {
        Body::Empty => {}
        Body::Bytes(bytes) => line.push_str(&format!(" +{}", bytes.len())),
        Body::Stream { len, .. } => line.push_str(&format!(" +{len}")),
    }
    line
}

impl Wire for Script {
    fn call(&self, call: Call<'_>) -> Result<Answer, RegistryError> {
        assert_eq!(call.registry, "r.test");
        let scopes = call.scopes.iter().map(|scope| {
            let push = if scope.push { "+push" } else { "" };
            format!("{}{push}", scope.repository)
        });
        self.seen.lock().unwrap().scopes.push(scopes.collect::<Vec<_>>().join(" "));
        let reply = self.next(&line(&call));
        let failed = |fault| RegistryError {
            action: "reach".into(),
            subject: "r.test".into(),
            fault,
            hint: None,
        };
        let url = match &call.target {
            Target::Path(path) => Url::parse(&format!("https://r.test/v2/{path}")).unwrap(),
            Target::Url(url) => url.clone(),
        };
        let mut bytes = Vec::new();
        let read = match call.body {
            Body::Empty => Ok(0),
            Body::Bytes(body) => Cursor::new(body).read_to_end(&mut bytes),
            Body::Stream { open, .. } => open().and_then(|body| {
                body.take(reply.reads.unwrap_or(u64::MAX)).read_to_end(&mut bytes)
            }),
        };
        self.seen.lock().unwrap().bytes.extend(bytes);
        if let Err(error) = read {
            return Err(failed(Fault::Unreachable(error.to_string())));
        }
        if reply.lost {
            return Err(failed(Fault::Unreachable("the connection broke".into())));
        }
        if reply.denied {
            return Err(failed(Fault::Credentials("not logged in".into())));
        }
        let Reply { status, headers, body, breaks, .. } = reply;
        Ok(Answer {
            status,
            headers,
            url,
            body: Box::new(Breaking { body: Cursor::new(body), breaks }),
        })
    }

    fn lengths(&self, registry: &str) -> Lengths {
        assert_eq!(registry, "r.test");
        self.lengths
    }

    fn renew(&self, registry: &str, scopes: &[Scope]) {
        assert_eq!((registry, scopes.len()), ("r.test", 1));
        self.next("renew");
    }

    fn pause(&self, registry: &str, attempt: u32, retry_after: Option<Duration>) -> bool {
        assert_eq!(registry, "r.test");
        let wait = retry_after.map_or_else(String::new, |time| format!(" {}s", time.as_secs()));
        self.next(&format!("pause {attempt}{wait}"));
        attempt < ATTEMPTS
    }
}

/// A body that may break off instead of ending.
struct Breaking {
    body: Cursor<Vec<u8>>,
    breaks: bool,
}

impl Read for Breaking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.body.read(buffer)? {
            0 if self.breaks => Err(io::ErrorKind::ConnectionReset.into()),
            count => Ok(count),
        }
    }
}
