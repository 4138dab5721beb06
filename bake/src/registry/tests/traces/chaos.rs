//! Uploads to a registry whose connections, tokens and sessions fail by chance.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bake_formats::blob::{Blob, BlobStore, MemoryStore};
use bake_formats::digest::Digest;
use url::Url;

use super::script::reference;
use crate::registry::{
    Access, Answer, Body, Call, Fault, Headers, Lengths, Method, Progress, RegistryError,
    Repository, Scope, Target, Wire,
};

/// A registry in memory. Every session and blob is what it says; only the way there fails.
struct Chaos {
    state: Mutex<State>,
    lengths: Lengths,
}

struct State {
    random: fastrand::Rng,
    /// How many faults are still to come.
    faults: u32,
    sessions: BTreeMap<u64, Vec<u8>>,
    opened: u64,
    blobs: BTreeMap<Digest, Vec<u8>>,
    /// Sessions of which the client cannot know that they are open.
    lost: u64,
    requests: u32,
    /// The longest body that is taken.
    limit: u64,
    /// The shortest chunk that is taken.
    min_chunk: u64,
}

enum Outcome {
    Answer(u16, Headers),
    Lost,
}

impl State {
    fn fails(&mut self) -> bool {
        let fails = self.faults > 0 && self.random.bool();
        self.faults -= u32::from(fails);
        fails
    }

    fn post(&mut self) -> Outcome {
        self.opened += 1;
        let id = self.opened;
        self.sessions.insert(id, Vec::new());
        let headers =
            Headers::default().with("Location", format!("/up/{id}?s={}", self.random.u8(..)));
        Outcome::Answer(202, headers.with("OCI-Chunk-Min-Length", self.min_chunk.to_string()))
    }

    fn status(&self, id: u64) -> Outcome {
        let Some(bytes) = self.sessions.get(&id) else { return answer(404) };
        Outcome::Answer(204, range(bytes.len()))
    }

    fn delete(&mut self, id: u64) -> Outcome {
        if self.fails() {
            self.lost += u64::from(self.sessions.contains_key(&id));
            return Outcome::Lost;
        }
        answer(if self.sessions.remove(&id).is_some() { 204 } else { 404 })
    }

    /// Takes a body, or a part of it.
    fn receive(&mut self, id: u64, call: &Call<'_>, body: &[u8]) -> Outcome {
        let Some(held) = self.sessions.get(&id).map(Vec::len) else { return answer(404) };
        if body.len() as u64 > self.limit {
            return answer(413);
        }
        let start = call.headers.get("Content-Range").map(|text| {
            let (start, end) = text.split_once('-').unwrap();
            let (start, end): (usize, usize) = (start.parse().unwrap(), end.parse().unwrap());
            assert_eq!(end + 1 - start, body.len());
            start
        });
        if start.is_some_and(|start| start != held) {
            return answer(416);
        }
        let fails = !body.is_empty() && self.fails();
        let kept = if fails { self.random.usize(0..=body.len()) } else { body.len() };
        let session = self.sessions.get_mut(&id).unwrap();
        session.extend_from_slice(&body[..kept]);
        if !fails {
            return Outcome::Answer(
                202,
                range(held + kept).with("Location", format!("/up/{id}?n={held}")),
            );
        }
        match self.random.u8(0..5) {
            0 => answer(401),
            1 => answer(503),
            2 => {
                self.sessions.remove(&id);
                answer(404)
            }
            _ => Outcome::Lost,
        }
    }

    fn commit(&mut self, id: u64, digest: Digest) -> Outcome {
        let Some(bytes) = self.sessions.remove(&id) else { return answer(404) };
        if Digest::of(&bytes) != digest {
            return answer(400);
        }
        self.blobs.insert(digest, bytes);
        if self.fails() { Outcome::Lost } else { answer(201) }
    }
}

fn answer(status: u16) -> Outcome {
    Outcome::Answer(status, Headers::default())
}

fn range(len: usize) -> Headers {
    Headers::default().with("Range", format!("0-{}", len.saturating_sub(1)))
}

impl Wire for Chaos {
    fn call(&self, call: Call<'_>) -> Result<Answer, RegistryError> {
        let mut state = self.state.lock().unwrap();
        state.requests += 1;
        let mut body = Vec::new();
        if let Body::Stream { open, len } = &call.body {
            open().unwrap().read_to_end(&mut body).unwrap();
            assert_eq!(body.len() as u64, *len);
        }
        let url = match &call.target {
            Target::Path(path) => Url::parse(&format!("https://r.test/v2/{path}")).unwrap(),
            Target::Url(url) => url.clone(),
        };
        let id = url.path().strip_prefix("/up/").map_or(0, |id| id.parse().unwrap());
        let outcome = match call.method {
            Method::Post => state.post(),
            Method::Get => state.status(id),
            Method::Delete => state.delete(id),
            Method::Patch => state.receive(id, &call, &body),
            Method::Head => {
                let digest = url.path().rsplit('/').next().unwrap().parse().unwrap();
                answer(if state.blobs.contains_key(&digest) { 200 } else { 404 })
            }
            Method::Put => {
                let digest = url.query_pairs().find(|(name, _)| name == "digest").unwrap().1;
                match state.receive(id, &call, &body) {
                    Outcome::Answer(202, _) => state.commit(id, digest.parse().unwrap()),
                    outcome => outcome,
                }
            }
        };
        match outcome {
            Outcome::Answer(status, headers) => {
                Ok(Answer { status, headers, url, body: Box::new(std::io::empty()) })
            }
            Outcome::Lost => Err(RegistryError {
                action: String::new(),
                subject: String::new(),
                fault: Fault::Unreachable("lost".into()),
                hint: None,
            }),
        }
    }

    fn renew(&self, _: &str, _: &[Scope]) {}

    fn pause(&self, _: &str, attempt: u32, _: Option<Duration>) -> bool {
        attempt < 5
    }

    fn lengths(&self, _: &str) -> Lengths {
        self.lengths
    }
}

#[derive(Default)]
struct Count(AtomicI64);

impl Progress for Count {
    fn advanced(&self, bytes: u64) {
        self.0.fetch_add(i64::try_from(bytes).unwrap(), Ordering::Relaxed);
    }

    fn set_back(&self, bytes: u64) {
        self.0.fetch_sub(i64::try_from(bytes).unwrap(), Ordering::Relaxed);
    }
}

/// Uploads a blob through chance; returns whether it arrived, and how many requests that took.
fn upload(seed: u64, most_faults: u32) -> (bool, u32) {
    let mut random = fastrand::Rng::with_seed(seed);
    let size = *random.choice(&[0, 1, 2, 7, 80_000, 300_000]).unwrap();
    let bytes: Vec<u8> = (0..size).map(|_| random.u8(..)).collect();
    let chunk_size = *random.choice(&[None, None, Some(3), Some(70_000), Some(200_000)]).unwrap();
    let chunk_size = chunk_size.filter(|chunk| size / chunk <= 10);
    let limit = *random.choice(&[u64::MAX, u64::MAX, 250_000]).unwrap();
    let min_chunk = *random.choice(&[0, 0, 5, 90_000]).unwrap();
    let faults = random.u32(0..=most_faults);
    let (sessions, blobs) = (BTreeMap::new(), BTreeMap::new());
    let state = State {
        random,
        faults,
        sessions,
        opened: 0,
        blobs,
        lost: 0,
        requests: 0,
        limit,
        min_chunk,
    };
    let lengths = Lengths { chunk_size, max_body: None };
    let chaos = Chaos { state: Mutex::new(state), lengths };

    let store = MemoryStore::new();
    let blob: Blob = store.put(&bytes).unwrap();
    let repository = Repository::new(&chaos, &reference("r.test/acme/app"), Access::Push);
    let progress = Count::default();
    let result = repository.upload(blob, &store, None, &progress);
    let state = chaos.state.into_inner().unwrap();
    let open = state.sessions.len() as u64;
    assert_eq!(open, state.lost, "seed {seed}: sessions that the client knows of are left open");
    if result.is_ok() {
        assert_eq!(state.blobs.get(&blob.digest), Some(&bytes), "seed {seed}");
        assert_eq!(progress.0.load(Ordering::Relaxed), i64::try_from(size).unwrap(), "seed {seed}");
    }
    assert!(state.requests < 200, "seed {seed}: {} requests", state.requests);
    (result.is_ok(), state.requests)
}

#[test]
fn a_blob_arrives_whatever_fails_now_and_then() {
    for seed in 0..300 {
        let (arrived, _) = upload(seed, 3);
        assert!(arrived, "seed {seed}");
    }
}

#[test]
fn no_session_is_left_open_however_much_fails() {
    let arrived = (0..300).filter(|seed| upload(*seed, 60).0).count();
    assert!((50..300).contains(&arrived), "{arrived} of 300 arrived: the test tells nothing");
}
