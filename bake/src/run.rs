//! Doing what a plan says: make what is missing, let everything appear together.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;

use bake_formats::blob::Blob;
use bake_formats::digest::Digest;
use bake_formats::encode::Encoder;
use bake_formats::format::{Artifact, ArtifactFile, Epoch, WriteCx, WriteError};
use bake_formats::rope::Rope;
use bake_recipes::lock::Lock;

use crate::assemble::{ChangedFile, Contents, Sound};
use crate::base::{Bases, Images, Locking};
use crate::edit::edit_rope;
use crate::error::Error;
use crate::lower::{self, Described, Kind};
use crate::opened::Opened;
use crate::output::{self, Appeared, OutputFolder, Place, Written};
use crate::parallel::in_parallel;
use crate::plan::{Plan, Step};
use crate::release::{Made, Release, ReleasedArtifact, ReleasedSignature};
use crate::report::Reporter;
use crate::seal::{self, SealOptions};
use crate::sign::Signer;
use crate::staging::remove_abandoned;
use crate::store::{self, ActionResult, ImageDigest, OutputFile, StatIndex, Store};
use crate::timings::{Bytes, time};
use crate::writers::{Writers, Writing};

/// How many outputs are described at once.
const DESCRIBED_AT_ONCE: usize = 2;
/// From so many entries of a tree on, one is: what a description says of each entry would add up.
const MANY_ENTRIES: usize = 25_000;

/// Who watches a bake, what it may use, and who signs.
#[derive(Clone, Copy)]
pub struct RunCx<'a> {
    /// How many threads may work.
    pub threads: usize,
    /// Who signs what has a place for a signature.
    pub signer: Option<&'a dyn Signer>,
    /// Where base images come from.
    pub images: &'a dyn Images,
    /// Who is told.
    pub reporter: &'a dyn Reporter,
}

impl std::fmt::Debug for RunCx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunCx").field("signer", &self.signer).finish_non_exhaustive()
    }
}

/// Makes every output of a plan in a folder and returns what was released and written.
///
/// The lock file is written first, unless it is frozen: what names were found to stand for holds
/// also if something goes wrong later.
pub fn run(
    plan: &Plan,
    store: &Store,
    folder: &Path,
    cx: RunCx<'_>,
) -> Result<(Release, Written), Error> {
    let reporter = cx.reporter;
    output::check_folder(folder)?;
    if let (Some(file), Locking::Extend) = (&plan.lock_file, plan.rules.locking) {
        file.save(&plan.lock)?;
    }
    let contents = Sound::new(Contents { sources: &plan.sources, store, reporter });
    let encoder = Encoder::new(&contents, &contents, cx.threads);
    let index = match fs_err::canonicalize(folder) {
        Ok(folder) => store.stat_index(&folder)?,
        Err(_) => store.no_stat_index()?,
    };
    // Outlives the threads that write into it.
    let output = Mutex::default();
    let done = thread::scope(|scope| {
        let writers = Writers::start(scope, cx.threads, &contents, reporter.timings());
        let (contents, encoder, output) = (&contents, &encoder, &output);
        let fetching = Mutex::default();
        Runner { plan, store, contents, encoder, cx, index, folder, output, writers, fetching }
            .run()
    });
    if let Some(timings) = reporter.timings() {
        timings.add(Bytes::Compressed, encoder.work().compressed_in);
        timings.add(Bytes::Reused, encoder.work().reused);
    }
    done
}

/// Says in a folder whose outputs are all there that nothing had to be done for them.
pub fn repeat(release: &Release, store: &Store, folder: &Path) -> Result<(), Error> {
    let document = release.document()?;
    if output::says(folder, &document) {
        remove_abandoned(folder);
        return Ok(());
    }
    let mut output = OutputFolder::open(folder)?;
    output.stage(output::DOCUMENT, &Rope::from(document), store)?;
    output.commit()?;
    remove_abandoned(folder);
    Ok(())
}

struct Runner<'a> {
    plan: &'a Plan,
    store: &'a Store,
    contents: &'a Sound<'a>,
    encoder: &'a Encoder<'a>,
    cx: RunCx<'a>,
    index: StatIndex,
    folder: &'a Path,
    /// Opened when the first output has to be written.
    output: &'a Mutex<Option<OutputFolder>>,
    writers: Writers,
    /// Held by who brings layers of base images into the store: several outputs may want the same.
    fetching: Mutex<()>,
}

/// An output that is known but for the digests of its files, while those are being written.
struct Begun {
    output: Known,
    writing: Vec<Writing>,
}

enum Known {
    /// It was made before, and this is what its files must be.
    Kept(ActionResult),
    /// It was described just now: its files, each with the rope that is kept of it.
    New {
        format: String,
        identity: Option<Digest>,
        images: Vec<ImageDigest>,
        files: Vec<(String, Blob)>,
    },
}

impl<'a> Runner<'a> {
    /// Describes outputs, two at a time, and takes them in their order as their files are written.
    ///
    /// Most of the time that it takes to describe an output which shares all its contents with another goes into a
    /// digest, which one processor computes.
    fn run(self) -> Result<(Release, Written), Error> {
        let steps = &self.plan.steps;
        let mut parts = steps.iter().flat_map(|step| &step.parts);
        let is_large = parts.any(|part| part.tree.len() >= MANY_ENTRIES);
        let at_once = if is_large { 1 } else { DESCRIBED_AT_ONCE.min(self.cx.threads) };
        let order = self.plan.working_order();
        let begun = in_parallel(at_once, &order, |(_, step)| {
            let name = step.file_name();
            let content = step.parts.iter().map(|part| part.tree.content_size()).sum();
            self.cx.reporter.output_started(&name, content);
            let begun = self.begin(step, &name, step.state.hit(), self.encoder);
            match begun {
                Err(error) if store::is_damage(&error).is_none() => Err(error),
                // Damage is mended when the turn of the output comes.
                begun => Ok((name, begun)),
            }
        })?;
        let mut begun: Vec<_> = order.into_iter().zip(begun).collect();
        begun.sort_unstable_by_key(|((number, _), _)| *number);
        let mut release = Release::new(self.plan);
        let (mut outputs, mut ropes) = (Vec::new(), Vec::new());
        for ((_, step), (name, first)) in begun {
            let made = self.end(step, &name, first)?;
            self.store.put_note(&step.subject, &step.covers.summary())?;
            for file in &made.result.files {
                outputs.push((output::join(&name, &file.path), file.blob));
                ropes.push(file.rope);
            }
            release.artifacts.push(ReleasedArtifact::new(step, name, &made));
        }
        let written = self.finish(&release, &outputs, &ropes)?;
        Ok((release, written))
    }

    /// Describes one output, or finds what was made of it before, and lets its files be written.
    fn begin(
        &self,
        step: &Step,
        name: &str,
        hit: Option<&ActionResult>,
        encoder: &Encoder<'_>,
    ) -> Result<Begun, Error> {
        let Some(kept) = hit else { return self.describe(step, name, encoder) };
        // What is signed after this is not what the folder holds.
        if self.signer(step).is_some() || self.is_current(name, kept)? {
            return Ok(Begun { output: Known::Kept(kept.clone()), writing: Vec::new() });
        }
        self.restore(name, kept)
    }

    /// Makes one output whose first attempt was begun; a blob that turns out to be damaged is removed and made again.
    fn end(&self, step: &Step, name: &str, first: Result<Begun, Error>) -> Result<Made, Error> {
        let mut healed = HashSet::new();
        let mut begun = first;
        loop {
            let error = match begun.and_then(|begun| self.take(step, name, begun)) {
                Ok(made) => return Ok(made),
                Err(error) => error,
            };
            let damaged = store::is_damage(&error).filter(|digest| healed.insert(*digest));
            let Some(digest) = damaged else { return Err(error) };
            self.heal(&digest)?;
            // Nothing in the store is used unread any more: else each attempt would find one damaged blob, and there
            // may be many.
            let encoder = Encoder::new(self.contents, self.contents, self.cx.threads).checking();
            begun = self.begin(step, name, None, &encoder);
        }
    }

    /// Removes a damaged blob, unless it was made again for another output.
    fn heal(&self, digest: &Digest) -> Result<(), Error> {
        if self.store.is_sound(digest)? {
            return Ok(());
        }
        self.store.discard(digest)?;
        self.contents.forget();
        self.cx.reporter.healed(digest);
        Ok(())
    }

    /// Waits for the files of an output and signs it, if that is to be done.
    fn take(&self, step: &Step, name: &str, begun: Begun) -> Result<Made, Error> {
        let cached = matches!(begun.output, Known::Kept(_));
        let result = self.settle(step, name, begun)?;
        match self.signer(step) {
            Some(signer) => self.make_signed(step, name, result, cached, signer),
            None => Ok(Made { result, signature: None, cached }),
        }
    }

    /// Waits for the files of an output, all of them even if one fails: nobody writes to them after this.
    fn settle(&self, step: &Step, name: &str, begun: Begun) -> Result<ActionResult, Error> {
        let Begun { output, writing } = begun;
        let blobs: Vec<_> = writing.into_iter().map(Writing::wait).collect();
        let blobs = blobs.into_iter().collect::<Result<Vec<_>, Error>>()?;
        let (format, identity, images, files) = match output {
            Known::Kept(kept) => {
                expect_blobs(name, &kept, &blobs)?;
                return Ok(kept);
            }
            Known::New { format, identity, images, files } => (format, identity, images, files),
        };
        let files: Vec<_> = files
            .into_iter()
            .zip(blobs)
            .map(|((path, rope), blob)| OutputFile { path, blob, rope })
            .collect();
        let identity = identity.or_else(|| files.first().map(|file| file.blob.digest));
        let Some(identity) = identity else {
            return Err(io::Error::other(format!("{format} has no file")).into());
        };
        let result = ActionResult { format, identity, files, images };
        self.store.put_result(step.key.digest(), &result)?;
        Ok(result)
    }

    /// Returns who signs an output, if it is signed.
    fn signer(&self, step: &Step) -> Option<&'a dyn Signer> {
        self.cx.signer.filter(|_| step.kind().is_signable())
    }

    /// Signs an output. The signed output is a result of its own, so that what is kept of the unsigned one is the same
    /// whoever signs.
    fn make_signed(
        &self,
        step: &Step,
        name: &str,
        unsigned: ActionResult,
        cached: bool,
        signer: &dyn Signer,
    ) -> Result<Made, Error> {
        let signature = Some(ReleasedSignature {
            fingerprint: signer.fingerprint().into(),
            unsigned: unsigned.identity,
        });
        let key = signature_key(&unsigned.identity, signer.fingerprint(), self.plan.epoch);
        let kept = self.store.result(&key);
        let kept = kept.filter(|kept| kept.files.iter().all(|f| self.store.rope(&f.rope).is_ok()));
        if let Some(kept) = kept {
            // What is staged is unsigned, and would replace the output even if that is current.
            if !cached || !self.is_current(name, &kept)? {
                let begun = self.restore(name, &kept)?;
                self.settle(step, name, begun)?;
            }
            return Ok(Made { result: kept, signature, cached });
        }
        let [file] = unsigned.files.as_slice() else {
            return Err(io::Error::other(format!("{} is not one file", unsigned.format)).into());
        };
        let rope = self.store.rope(&file.rope)?;
        if cached {
            self.write(name, rope.clone())?.wait()?;
        }
        let (blob, rope) = self.sign(name, &rope, signer)?;
        let rope = self.store.put_rope(&rope)?;
        let files = vec![OutputFile { path: String::new(), blob, rope }];
        let result = ActionResult { identity: blob.digest, files, ..unsigned };
        self.store.put_result(&key, &result)?;
        Ok(Made { result, signature, cached: false })
    }

    /// Signs a staged file, which a rope describes.
    fn sign(&self, name: &str, rope: &Rope, signer: &dyn Signer) -> Result<(Blob, Rope), Error> {
        let opened = Opened::open(&self.with_output(|output| Ok(output.staged(name)))?)?;
        let edits = seal::seal(&opened, signer, &SealOptions::first(self.plan.epoch))?;
        let signed = edit_rope(rope, &edits);
        let blob = match self.with_output(|output| output.edit(name, &edits))? {
            Some(blob) => blob,
            None => self.write(name, signed.clone())?.wait()?,
        };
        Ok((blob, signed))
    }

    /// Describes an output and lets it be written.
    fn describe(&self, step: &Step, name: &str, encoder: &Encoder<'_>) -> Result<Begun, Error> {
        self.bring_layers(step)?;
        let cx = WriteCx { blobs: self.contents, encoder, epoch: self.plan.epoch };
        let parts: Vec<_> = step.parts.iter().map(|part| (&part.product, &*part.tree)).collect();
        let watch = time(self.cx.reporter.timings(), "describe", Some(name));
        let described = lower::write(&parts, step.joining.as_ref(), &cx);
        drop(watch);
        let described = described.map_err(|source| self.write_error(step, source))?;
        let Described { artifact: Artifact { format, files: made }, identity, images } = described;
        let mut files = Vec::new();
        for file in &made {
            let kept = self.store.put_rope(&self.plan.sources.expand(&file.rope))?;
            files.push((file.path.clone(), kept));
        }
        let writing = self.write_all(name, made)?;
        Ok(Begun { output: Known::New { format, identity, images, files }, writing })
    }

    /// Brings the layers of base images into the store, if what is made holds their bytes.
    fn bring_layers(&self, step: &Step) -> Result<(), Error> {
        let _fetching = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
        for part in &step.parts {
            let Some(base) = part.product.image().and_then(|image| image.base.as_ref()) else {
                continue;
            };
            let found = self.plan.base(part.platform);
            if let Some(found) = found.filter(|_| base.includes_layers) {
                let (images, lock) = (self.cx.images, Lock::default());
                Bases::new(images, self.store, self.plan.rules, lock).fetch_layers(found)?;
            }
        }
        Ok(())
    }

    /// Lets an output that was made before be written again.
    fn restore(&self, name: &str, kept: &ActionResult) -> Result<Begun, Error> {
        let rope = |file: &OutputFile| {
            Ok(ArtifactFile::new(file.path.as_str(), self.store.rope(&file.rope)?))
        };
        let ropes = kept.files.iter().map(rope).collect::<io::Result<Vec<_>>>()?;
        let writing = self.write_all(name, ropes)?;
        Ok(Begun { output: Known::Kept(kept.clone()), writing })
    }

    fn is_current(&self, name: &str, result: &ActionResult) -> io::Result<bool> {
        for file in &result.files {
            let path = self.folder.join(output::join(name, &file.path));
            if !output::is_current(&path, &file.blob, &self.index)? {
                return Ok(false);
            }
        }
        let is_folder = result.files.iter().any(|file| !file.path.is_empty());
        Ok(!is_folder || output::count_files(&self.folder.join(name))? == result.files.len())
    }

    /// Does something with the output folder, which is opened if it is not.
    fn with_output<T>(
        &self,
        act: impl FnOnce(&mut OutputFolder) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *output {
            Some(opened) => act(opened),
            None => act(output.insert(OutputFolder::open(self.folder)?)),
        }
    }

    /// Lets the files of an output be written. To be asked when nothing but this can fail: who tries again must wait
    /// for what is being written.
    fn write_all(&self, name: &str, files: Vec<ArtifactFile>) -> Result<Vec<Writing>, Error> {
        let write = |file: ArtifactFile| {
            let place = self.place(&output::join(name, &file.path))?.known(file.identity);
            Ok(self.writers.write(place, file.rope))
        };
        files.into_iter().map(write).collect()
    }

    /// Lets a file of an output be written.
    fn write(&self, name: &str, rope: Rope) -> Result<Writing, Error> {
        Ok(self.writers.write(self.place(name)?, rope))
    }

    fn place(&self, name: &str) -> Result<Place, Error> {
        self.with_output(|output| output.expect(name))
    }

    fn write_error(&self, step: &Step, source: WriteError) -> Error {
        let source = match source {
            WriteError::Io(error) => return changed(error),
            WriteError::Unsupported { ref path, .. } => {
                let mut platforms = self.plan.platforms.iter();
                match platforms.find_map(|platform| platform.places.get(path)) {
                    Some(place) => return place.error(source.to_string()).into(),
                    None => source,
                }
            }
            source => source,
        };
        Error::Write { format: step.kind().name(), source }
    }

    fn finish(
        self,
        release: &Release,
        outputs: &[(String, Blob)],
        ropes: &[Blob],
    ) -> Result<Written, Error> {
        let _watch = time(self.cx.reporter.timings(), "finish", None);
        let document = release.document()?;
        if !output::says(self.folder, &document) {
            self.write(output::DOCUMENT, Rope::from(document))?.wait()?;
        }
        let output = self.output.lock().unwrap_or_else(PoisonError::into_inner).take();
        let appeared = match output {
            Some(output) => output.commit()?,
            None => Appeared::default(),
        };
        remove_abandoned(self.folder);
        self.link_bases()?;
        let folder = fs_err::canonicalize(self.folder)?;
        let written = output::remember(self.store, &folder, (&self.index, &appeared), outputs)?;
        self.store.list_release(&release.label(), &release.lasting_document()?, ropes)?;
        Ok(written)
    }

    /// Lets the names that overlays have for the disks under them lead to those.
    fn link_bases(&self) -> Result<(), Error> {
        let has_overlay = self.plan.steps.iter().any(|step| step.kind() == Kind::Overlay);
        let grounds = self.plan.platforms.iter().filter_map(|platform| platform.ground.as_deref());
        for backing in grounds.filter_map(|ground| ground.backing.as_ref()) {
            if has_overlay {
                output::link(self.folder, &backing.name, &backing.path)?;
            }
        }
        Ok(())
    }
}

/// Fails if a file of an output that was made before came out as another.
fn expect_blobs(name: &str, kept: &ActionResult, found: &[Blob]) -> io::Result<()> {
    for (file, found) in kept.files.iter().zip(found) {
        if file.blob != *found {
            let name = output::join(name, &file.path);
            let reason =
                format!("`{name}` came out as {}, expected {}", found.digest, file.blob.digest);
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
    }
    Ok(())
}

/// Returns the key of a signed output: what is signed, by whom, and when.
fn signature_key(unsigned: &Digest, fingerprint: &str, epoch: Epoch) -> Digest {
    let name = format!("bake signature 1\n{unsigned}\n{fingerprint}\n{}\n", epoch.0);
    Digest::of(name.as_bytes())
}

fn changed(error: io::Error) -> Error {
    let changed = error.get_ref().and_then(|inner| inner.downcast_ref::<ChangedFile>());
    let path = changed.map(|changed| changed.path().into());
    path.map_or_else(|| Error::Io(error), |path| Error::Changed { path })
}
