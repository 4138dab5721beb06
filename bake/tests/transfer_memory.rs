//! How much memory it takes to push and to pull a blob: a few buffers, whatever its size.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::io::{self, Cursor, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bake::error::Error;
use bake::publish::{Graph, Origin, Parcel, Plan, PullOptions, Target, pull, push, survey};
use bake::registry::{
    Access, Answer, Body, Call, Headers, Method, RegistryError, Repository, Scope, Unwatched, Wire,
};
use bake_formats::blob::Blob;
use bake_formats::digest::Digest;
use bake_formats::oci::artifact::EMPTY;
use bake_formats::oci::{Artifact, ArtifactFile, Descriptor, Reference};
use peak_alloc::PeakAlloc;

#[global_allocator]
static PEAK: PeakAlloc = PeakAlloc;

const SIZE: u64 = 256 << 20;
const FEW: usize = 8 << 20;

fn content() -> impl Read + Send {
    io::repeat(7).take(SIZE)
}

/// An artifact with one large file, as what is pushed and as the registry that has it.
struct Large {
    manifest: Descriptor,
    bytes: Vec<u8>,
    file: Blob,
    received: AtomicU64,
}

impl Large {
    fn new() -> Self {
        let (digest, size) = Digest::of_reader(content()).unwrap();
        let file = Blob { digest, size };
        let artifact = Artifact {
            artifact_type: "application/octet-stream".to_owned(),
            files: vec![ArtifactFile {
                title: "large".to_owned(),
                media_type: "application/octet-stream".to_owned(),
                blob: file,
                annotations: std::collections::BTreeMap::new(),
            }],
            subject: None,
            annotations: std::collections::BTreeMap::new(),
        };
        let described = artifact.manifest().unwrap();
        let (manifest, bytes) = (described.descriptor, described.bytes);
        Self { manifest, bytes, file, received: AtomicU64::new(0) }
    }
}

impl Origin for Large {
    fn name(&self) -> String {
        "test".to_owned()
    }

    fn document(&self, _: &Descriptor) -> Result<Vec<u8>, Error> {
        Ok(self.bytes.clone())
    }

    fn has(&self, _: &Descriptor) -> Result<bool, Error> {
        Ok(true)
    }

    fn open(&self, blob: Blob, offset: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        if blob.digest == self.file.digest {
            return Ok(Box::new(content().take(SIZE - offset)));
        }
        Ok(Box::new(Cursor::new(&EMPTY[usize::try_from(offset).unwrap()..])))
    }
}

impl Wire for Large {
    fn call(&self, call: Call<'_>) -> Result<Answer, RegistryError> {
        let sent = match call.body {
            Body::Stream { open, .. } => io::copy(&mut open().unwrap(), &mut io::sink()).unwrap(),
            Body::Bytes(_) | Body::Empty => 0,
        };
        self.received.fetch_add(sent, Ordering::Relaxed);
        let path = match &call.target {
            bake::registry::Target::Path(path) => (*path).to_owned(),
            bake::registry::Target::Url(url) => url.path().to_owned(),
        };
        let headers = Headers::default();
        let is_pull = call.registry == "pull.test";
        let (status, headers, body): (u16, Headers, Box<dyn Read + Send>) = match call.method {
            Method::Post => {
                (202, headers.with("Location", "/v2/x/blobs/uploads/1"), Box::new(io::empty()))
            }
            Method::Get if is_pull && path.contains("/manifests/") => {
                let kind = self.manifest.media_type.as_str();
                (200, headers.with("Content-Type", kind), Box::new(Cursor::new(self.bytes.clone())))
            }
            Method::Get if is_pull && path.contains("/blobs/") => {
                let headers = headers.with("Content-Length", SIZE.to_string());
                (200, headers, Box::new(content()))
            }
            Method::Get | Method::Head => (404, headers, Box::new(io::empty())),
            _ => (201, headers, Box::new(io::empty())),
        };
        let url = format!("https://{}/{path}", call.registry).parse().unwrap();
        Ok(Answer { status, headers, url, body })
    }

    fn renew(&self, _: &str, _: &[Scope]) {}

    fn pause(&self, _: &str, _: u32, _: Option<Duration>) -> bool {
        false
    }
}

#[test]
fn a_blob_passes_through_and_is_not_held() {
    let large = Large::new();
    let to: Reference = "push.test/x:1".parse().unwrap();
    let before = PEAK.current_usage();
    PEAK.reset_peak_usage();
    let graph = Graph::read(&large, &large.manifest).unwrap();
    let repository = Repository::new(&large, &to, Access::Push);
    let target = Target { repository: to.clone() };
    let parcels = [Parcel { root: large.manifest.digest, tags: vec!["1".to_owned()] }];
    let known = survey(&repository, &target, &graph, &parcels).unwrap();
    let plan = Plan::new(&graph, &parcels, &known, &target);
    push(&large, &repository, &large, &graph, &plan, &Unwatched).unwrap();
    let peak = PEAK.peak_usage() - before;
    assert!(large.received.load(Ordering::Relaxed) >= SIZE);
    assert!(peak < FEW, "the push held {peak} bytes");

    let folder = tempfile::tempdir().unwrap();
    let from: Reference = "pull.test/x:1".parse().unwrap();
    let before = PEAK.current_usage();
    PEAK.reset_peak_usage();
    pull(&large, &from, folder.path(), &PullOptions::default(), &Unwatched).unwrap();
    let peak = PEAK.peak_usage() - before;
    assert_eq!(fs_err::metadata(folder.path().join("large")).unwrap().len(), SIZE);
    assert!(peak < FEW, "the pull held {peak} bytes");
}
