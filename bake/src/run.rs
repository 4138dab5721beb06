//! Doing what a plan says: make what is missing, let everything appear together.

use std::borrow::Cow;
use std::io;
use std::path::Path;

use bake_formats::blob::Blob;
use bake_formats::digest::Digest;
use bake_formats::encode::Encoder;
use bake_formats::format::{Artifact, Epoch, WriteCx, WriteError};
use bake_formats::rope::Rope;
use bake_formats::tree::{FileTree, Node};
use bake_recipes::lock::Lock;

use crate::assemble::{ChangedFile, Contents, Sound};
use crate::base::{Bases, Images, Locking};
use crate::edit::edit_rope;
use crate::error::Error;
use crate::lower::{self, Described, Kind};
use crate::opened::Opened;
use crate::output::{self, OutputFolder, Written};
use crate::plan::{Plan, State, Step};
use crate::release::{Made, Release, ReleasedArtifact, ReleasedSignature};
use crate::report::Reporter;
use crate::seal::{self, SealOptions};
use crate::sign::Signer;
use crate::store::{self, ActionResult, OutputFile, StatIndex, Store};
use crate::timings::{Bytes, time};

/// How often a step is tried again after damage in the store was found and removed.
const ATTEMPTS: usize = 100;

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
    let index = match fs_err::canonicalize(folder) {
        Ok(folder) => store.stat_index(&folder)?,
        Err(_) => store.no_stat_index()?,
    };
    let contents = &contents;
    let mut runner =
        Runner { plan, store, contents, cx, index, folder, output: None, has_found_damage: false };
    let mut release = Release::new(plan);
    let mut outputs = Vec::new();
    let mut ropes = Vec::new();
    for step in &plan.steps {
        let name = step.file_name();
        reporter.output_started(&name, step.parts.iter().map(|p| content_size(&p.tree)).sum());
        let made = runner.step(step, &name)?;
        store.put_note(&step.subject, &step.covers.summary())?;
        for file in &made.result.files {
            outputs.push((join(&name, &file.path), file.blob));
            ropes.push(file.rope);
        }
        release.artifacts.push(ReleasedArtifact::new(step, name, &made));
    }
    let written = runner.finish(&release, &outputs, &ropes)?;
    Ok((release, written))
}

/// Says in a folder whose outputs are all there that nothing had to be done for them.
pub fn repeat(release: &Release, store: &Store, folder: &Path) -> Result<(), Error> {
    let document = release.document()?;
    if output::says(folder, &document) {
        return Ok(());
    }
    let mut output = OutputFolder::open(folder)?;
    output.stage(output::DOCUMENT, &Rope::from(document), store)?;
    output.commit().map(drop)
}

/// Returns the name of a file of an artifact, relative to the output folder.
fn join(name: &str, path: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{name}/{path}") }
}

/// Returns how many bytes the files of a tree hold.
fn content_size(tree: &FileTree) -> u64 {
    let size = |node: &Node| if let Node::File(content) = node { content.size } else { 0 };
    tree.iter().map(|(_, entry)| size(&entry.node)).sum()
}

struct Runner<'a> {
    plan: &'a Plan,
    store: &'a Store,
    contents: &'a Sound<'a>,
    cx: RunCx<'a>,
    index: StatIndex,
    folder: &'a Path,
    /// Opened when the first output has to be written.
    output: Option<OutputFolder>,
    /// Whether the store turned out to be damaged, so that nothing in it is used unread any more:
    /// else each attempt to make an output would find one damaged blob, and there may be many.
    has_found_damage: bool,
}

impl Runner<'_> {
    /// Makes one output; a blob that turns out to be damaged is removed and made again.
    fn step(&mut self, step: &Step, name: &str) -> Result<Made, Error> {
        let mut hit = match &step.state {
            State::Hit(result) => Some(result.clone()),
            State::Miss(_) | State::Unknown(_) => None,
        };
        let signer = self.cx.signer.filter(|_| step.kind().is_signable());
        for _ in 0..ATTEMPTS {
            let outcome = match signer {
                Some(signer) => self.make_signed(step, name, hit.take(), signer),
                None => self.make_unsigned(step, name, hit.take()),
            };
            let error = match outcome {
                Ok(made) => return Ok(made),
                Err(error) => error,
            };
            let Some(digest) = store::is_damage(&error) else { return Err(error) };
            self.has_found_damage = true;
            self.store.discard(&digest)?;
            self.contents.forget();
            self.cx.reporter.healed(&digest);
        }
        Err(Error::Store {
            path: self.store.root().into(),
            source: io::Error::other("blobs are damaged as fast as they are made"),
        })
    }

    fn make_unsigned(
        &mut self,
        step: &Step,
        name: &str,
        hit: Option<ActionResult>,
    ) -> Result<Made, Error> {
        let cached = hit.is_some();
        let result = match hit {
            Some(result) => self.restore(name, result)?,
            None => self.make(step, name)?,
        };
        Ok(Made { result, signature: None, cached })
    }

    /// Makes an output and signs it. The signed output is a result of its own, so that what is kept
    /// of the unsigned one is the same whoever signs.
    fn make_signed(
        &mut self,
        step: &Step,
        name: &str,
        hit: Option<ActionResult>,
        signer: &dyn Signer,
    ) -> Result<Made, Error> {
        let is_staged = hit.is_none();
        let unsigned = match hit {
            Some(result) => result,
            None => self.make(step, name)?,
        };
        let signature = Some(ReleasedSignature {
            fingerprint: signer.fingerprint().into(),
            unsigned: unsigned.identity,
        });
        let key = signature_key(&unsigned.identity, signer.fingerprint(), self.plan.epoch);
        let kept = self.store.result(&key);
        let kept = kept.filter(|kept| kept.files.iter().all(|f| self.store.rope(&f.rope).is_ok()));
        if let Some(kept) = kept {
            // What is staged is unsigned, and would replace the output even if that is current.
            let result =
                if is_staged { self.unpack(name, kept)? } else { self.restore(name, kept)? };
            return Ok(Made { result, signature, cached: !is_staged });
        }
        let [file] = unsigned.files.as_slice() else {
            return Err(io::Error::other(format!("{} is not one file", unsigned.format)).into());
        };
        let rope = self.store.rope(&file.rope)?;
        if !is_staged {
            self.stage(name, &rope)?;
        }
        let (blob, rope) = self.sign(name, &rope, signer)?;
        let rope = self.store.put_rope(&rope)?;
        let files = vec![OutputFile { path: String::new(), blob, rope }];
        let result = ActionResult { identity: blob.digest, files, ..unsigned };
        self.store.put_result(&key, &result)?;
        Ok(Made { result, signature, cached: false })
    }

    /// Signs a staged file, which a rope describes.
    fn sign(
        &mut self,
        name: &str,
        rope: &Rope,
        signer: &dyn Signer,
    ) -> Result<(Blob, Rope), Error> {
        let output = self.output()?;
        let opened = Opened::open(&output.staged(name))?;
        let edits = seal::seal(&opened, signer, &SealOptions::first(self.plan.epoch))?;
        let signed = edit_rope(rope, &edits);
        let blob = match self.output()?.edit(name, &edits)? {
            Some(blob) => blob,
            None => self.stage(name, &signed)?,
        };
        Ok((blob, signed))
    }

    fn make(&mut self, step: &Step, name: &str) -> Result<ActionResult, Error> {
        self.bring_layers(step)?;
        let encoder = Encoder::new(self.contents, self.store, self.cx.threads);
        let encoder = if self.has_found_damage { encoder.checking() } else { encoder };
        let cx = WriteCx { blobs: self.contents, encoder: &encoder, epoch: self.plan.epoch };
        let parts: Vec<_> = step.parts.iter().map(|part| (&part.product, &*part.tree)).collect();
        let timings = self.cx.reporter.timings();
        let watch = time(timings, "describe", Some(name));
        let described = lower::write(&parts, step.joining.as_ref(), &cx);
        drop(watch);
        if let Some(timings) = timings {
            timings.add(Bytes::Compressed, encoder.work().compressed_in);
            timings.add(Bytes::Reused, encoder.work().reused);
        }
        let described = described.map_err(|source| self.write_error(step, source))?;
        let Described { artifact: Artifact { format, files: made }, identity, images } = described;
        let mut files = Vec::new();
        for file in made {
            let blob = self.stage(&join(name, &file.path), &file.rope)?;
            let expanded = match self.plan.sources.expand(&file.rope) {
                Cow::Owned(rope) => Some(rope),
                Cow::Borrowed(_) => None,
            };
            // One of the two is enough to hold.
            let rope = self.store.put_rope(&expanded.unwrap_or(file.rope))?;
            files.push(OutputFile { path: file.path, blob, rope });
        }
        let identity = identity.or_else(|| files.first().map(|file| file.blob.digest));
        let Some(identity) = identity else {
            return Err(io::Error::other(format!("{format} has no file")).into());
        };
        let result = ActionResult { format, identity, files, images };
        self.store.put_result(step.key.digest(), &result)?;
        Ok(result)
    }

    /// Brings the layers of base images into the store, if what is made holds their bytes.
    fn bring_layers(&self, step: &Step) -> Result<(), Error> {
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

    fn restore(&mut self, name: &str, result: ActionResult) -> Result<ActionResult, Error> {
        if self.is_current(name, &result)? { Ok(result) } else { self.unpack(name, result) }
    }

    fn unpack(&mut self, name: &str, result: ActionResult) -> Result<ActionResult, Error> {
        for file in &result.files {
            let rope = self.store.rope(&file.rope)?;
            let blob = self.stage(&join(name, &file.path), &rope)?;
            if blob != file.blob {
                let reason =
                    format!("`{name}` came out as {}, expected {}", blob.digest, file.blob.digest);
                return Err(io::Error::new(io::ErrorKind::InvalidData, reason).into());
            }
        }
        Ok(result)
    }

    fn is_current(&self, name: &str, result: &ActionResult) -> io::Result<bool> {
        for file in &result.files {
            let path = self.folder.join(join(name, &file.path));
            if !output::is_current(&path, &file.blob, &self.index)? {
                return Ok(false);
            }
        }
        let is_folder = result.files.iter().any(|file| !file.path.is_empty());
        Ok(!is_folder || output::count_files(&self.folder.join(name))? == result.files.len())
    }

    fn output(&mut self) -> Result<&mut OutputFolder, Error> {
        let opened = match self.output.take() {
            Some(output) => output,
            None => OutputFolder::open(self.folder)?,
        };
        Ok(self.output.insert(opened))
    }

    fn stage(&mut self, name: &str, rope: &Rope) -> Result<Blob, Error> {
        let contents = self.contents;
        let timings = self.cx.reporter.timings();
        let artifact = name.split('/').next().filter(|name| *name != output::DOCUMENT);
        let _watch = time(timings, "write", artifact);
        if let Some(timings) = timings {
            timings.add(Bytes::Written, rope.len());
        }
        self.output()?.stage(name, rope, contents)
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
        mut self,
        release: &Release,
        outputs: &[(String, Blob)],
        ropes: &[Blob],
    ) -> Result<Written, Error> {
        let _watch = time(self.cx.reporter.timings(), "finish", None);
        let document = release.document()?;
        if !output::says(self.folder, &document) {
            self.stage(output::DOCUMENT, &Rope::from(document))?;
        }
        let moment = match self.output.take() {
            Some(output) => output.commit()?,
            None => self.index.began(),
        };
        self.link_bases()?;
        let folder = fs_err::canonicalize(self.folder)?;
        let written = output::remember(self.store, &folder, (&self.index, moment), outputs)?;
        self.store.list_release(&release.label(), &release.lasting_document()?, ropes)?;
        Ok(written)
    }
}

impl Runner<'_> {
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

/// Returns the key of a signed output: what is signed, by whom, and when.
fn signature_key(unsigned: &Digest, fingerprint: &str, epoch: Epoch) -> Digest {
    let name = format!("bake signature 1\n{unsigned}\n{fingerprint}\n{}\n", epoch.0);
    Digest::of(name.as_bytes())
}

fn changed(error: io::Error) -> Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<ChangedFile>()) {
        Some(changed) => Error::Changed { path: changed.path().into() },
        None => Error::Io(error),
    }
}
