//! Outputs are written while others are still being described.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::Scope;

use bake_formats::blob::{Blob, BlobSource};
use bake_formats::rope::Rope;

use crate::error::Error;
use crate::output::Place;
use crate::timings::{Bytes, Timings, time};

/// Threads that write files of outputs, and begin them in the order in which they are asked to. They end once this is
/// dropped and the files that somebody still wants are written.
#[derive(Debug)]
pub(crate) struct Writers(Sender<Job>);

/// A file that is being written. Nobody wants it any more once this is dropped.
#[derive(Debug)]
pub(crate) struct Writing {
    answer: Receiver<Result<Blob, Error>>,
    _wanted: Arc<()>,
}

#[derive(Debug)]
struct Job {
    place: Place,
    rope: Rope,
    answer: Sender<Result<Blob, Error>>,
    wanted: Weak<()>,
}

impl Writers {
    /// Starts threads that read what ropes name from a source.
    pub(crate) fn start<'scope, 'env>(
        scope: &'scope Scope<'scope, 'env>,
        threads: usize,
        source: &'env dyn BlobSource,
        timings: Option<&'env Timings>,
    ) -> Self {
        let (asking, jobs) = mpsc::channel::<Job>();
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..threads.max(1) {
            let jobs = Arc::clone(&jobs);
            let next = move || jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
            scope.spawn(move || {
                while let Ok(job) = next() {
                    job.run(source, timings);
                }
            });
        }
        Self(asking)
    }

    /// Writes what a rope describes to a file, whenever there is time.
    pub(crate) fn write(&self, place: Place, rope: Rope) -> Writing {
        let (wanted, (asked, answer)) = (Arc::new(()), mpsc::channel());
        let job = Job { place, rope, answer: asked, wanted: Arc::downgrade(&wanted) };
        // Only fails if all threads ended, which they do in a panic; then who waits for the answer is told.
        drop(self.0.send(job));
        Writing { answer, _wanted: wanted }
    }
}

impl Writing {
    /// Waits until the file is written, and returns its identity.
    pub(crate) fn wait(self) -> Result<Blob, Error> {
        let gone = |_| std::io::Error::other("a thread that writes outputs ended early");
        self.answer.recv().map_err(gone)?
    }
}

impl Job {
    fn run(self, source: &dyn BlobSource, timings: Option<&Timings>) {
        if self.wanted.strong_count() == 0 {
            return;
        }
        let watch = time(timings, "write", self.place.artifact());
        if let Some(timings) = timings {
            timings.add(Bytes::Written, self.rope.len());
        }
        let written = self.place.fill(&self.rope, source);
        drop(watch);
        // Who asked may have failed for another reason, and does not listen any more.
        self.answer.send(written).ok();
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Barrier;
    use std::thread;

    use bake_formats::blob::MemoryStore;
    use bake_formats::digest::Digest;

    use super::*;
    use crate::output::OutputFolder;

    #[test]
    fn files_are_written_at_once_and_each_answers_for_itself() {
        let folder = tempfile::tempdir().unwrap();
        let mut output = OutputFolder::open(folder.path()).unwrap();
        let blobs = MemoryStore::default();
        thread::scope(|scope| {
            let writers = Writers::start(scope, 2, &blobs, None);
            let missing = Rope::from(Blob::of(b"nobody has this"));
            let missing = writers.write(output.expect("missing").unwrap(), missing);
            let there = writers.write(output.expect("a/there").unwrap(), b"here".to_vec().into());
            assert_eq!(there.wait().unwrap(), Blob::of(b"here"));
            let error = missing.wait().unwrap_err();
            assert!(error.to_string().contains("missing"), "{error}");
        });
        assert_eq!(fs_err::read(output.staged("a/there")).unwrap(), b"here");
    }

    /// Says when somebody reads and does not answer before it may.
    struct Slow(Barrier, Blob);

    impl BlobSource for Slow {
        fn open(&self, _: &Digest, _: u64) -> io::Result<Box<dyn io::Read + Send + '_>> {
            self.0.wait();
            self.0.wait();
            Ok(Box::new(&b"slow"[..]))
        }
    }

    #[test]
    fn what_nobody_waits_for_any_more_is_not_begun() {
        let folder = tempfile::tempdir().unwrap();
        let mut output = OutputFolder::open(folder.path()).unwrap();
        let source = Slow(Barrier::new(2), Blob::of(b"slow"));
        thread::scope(|scope| {
            let writers = Writers::start(scope, 1, &source, None);
            let first = writers.write(output.expect("first").unwrap(), source.1.into());
            source.0.wait();
            drop(writers.write(output.expect("second").unwrap(), b"second".to_vec().into()));
            source.0.wait();
            assert_eq!(first.wait().unwrap(), source.1);
        });
        assert!(!output.staged("second").exists());
    }
}
