//! Doing what a plan says: make what is missing, let everything appear together.

use std::io;
use std::path::Path;

use bake_formats::blob::Blob;
use bake_formats::encode::Encoder;
use bake_formats::format::{Artifact, WriteCx, WriteError};
use bake_formats::rope::Rope;
use bake_formats::tree::{FileTree, Node};

use crate::assemble::{ChangedFile, Contents};
use crate::error::Error;
use crate::output::{self, OutputFolder};
use crate::plan::{Plan, State, Step};
use crate::release::{Release, ReleasedArtifact};
use crate::report::Reporter;
use crate::store::{self, ActionResult, OutputFile, StatIndex, Store};

/// How often a step is tried again after damage in the store was found and removed.
const ATTEMPTS: usize = 100;

/// Makes every output of a plan in a folder and returns what was released.
pub fn run(
    plan: &Plan,
    store: &Store,
    folder: &Path,
    threads: usize,
    reporter: &dyn Reporter,
) -> Result<Release, Error> {
    output::check_folder(folder)?;
    let contents = Contents { sources: &plan.sources, store, reporter };
    let index = match fs_err::canonicalize(folder) {
        Ok(folder) => store.stat_index(&folder)?,
        Err(_) => StatIndex::default(),
    };
    let mut runner =
        Runner { plan, store, contents, threads, reporter, index, folder, output: None };
    let mut release = Release::new(plan);
    let mut outputs = Vec::new();
    let mut ropes = Vec::new();
    for step in &plan.steps {
        let name = step.product.file_name();
        reporter.output_started(&name, content_size(&step.tree));
        let (result, cached) = runner.step(step, &name)?;
        store.put_note(&step.subject, &step.parts.summary())?;
        for file in &result.files {
            outputs.push((join(&name, &file.path), file.blob));
            ropes.push(file.rope);
        }
        release.artifacts.push(ReleasedArtifact::new(plan, step, name, &result, cached));
    }
    runner.finish(&release, &outputs, &ropes)?;
    Ok(release)
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
    contents: Contents<'a>,
    threads: usize,
    reporter: &'a dyn Reporter,
    index: StatIndex,
    folder: &'a Path,
    /// Opened when the first output has to be written.
    output: Option<OutputFolder>,
}

impl Runner<'_> {
    /// Makes one output; a blob that turns out to be damaged is removed and made again.
    fn step(&mut self, step: &Step, name: &str) -> Result<(ActionResult, bool), Error> {
        let mut hit = match &step.state {
            State::Hit(result) => Some(result.clone()),
            State::Miss(_) => None,
        };
        for _ in 0..ATTEMPTS {
            let cached = hit.is_some();
            let outcome = match hit.take() {
                Some(result) => self.restore(name, result),
                None => self.make(step, name),
            };
            let error = match outcome {
                Ok(result) => return Ok((result, cached)),
                Err(error) => error,
            };
            let Some(digest) = store::is_damage(&error) else { return Err(error) };
            self.store.discard(&digest)?;
            self.reporter.healed(&digest);
        }
        Err(Error::Store {
            path: self.store.root().into(),
            source: io::Error::other("blobs are damaged as fast as they are made"),
        })
    }

    fn make(&mut self, step: &Step, name: &str) -> Result<ActionResult, Error> {
        let encoder = Encoder::new(&self.contents, self.store, self.threads);
        let cx = WriteCx { blobs: &self.contents, encoder: &encoder, epoch: self.plan.epoch };
        let artifact =
            step.product.write(&step.tree, &cx).map_err(|source| self.write_error(step, source))?;
        let identity = step.product.identity(&artifact, &self.contents)?;
        let mut files = Vec::new();
        let Artifact { format, files: made } = artifact;
        for file in made {
            let blob = self.stage(&join(name, &file.path), &file.rope)?;
            let rope = self.store.put_rope(&file.rope)?;
            files.push(OutputFile { path: file.path, blob, rope });
        }
        let identity = identity.or_else(|| files.first().map(|file| file.blob.digest));
        let Some(identity) = identity else {
            return Err(io::Error::other(format!("{format} has no file")).into());
        };
        let result = ActionResult { format, identity, files };
        self.store.put_result(step.key.digest(), &result)?;
        Ok(result)
    }

    fn restore(&mut self, name: &str, result: ActionResult) -> Result<ActionResult, Error> {
        if self.is_current(name, &result)? {
            return Ok(result);
        }
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
        Ok(!is_folder || count_files(&self.folder.join(name))? == result.files.len())
    }

    fn stage(&mut self, name: &str, rope: &Rope) -> Result<Blob, Error> {
        let output = match &mut self.output {
            Some(output) => output,
            None => self.output.insert(OutputFolder::open(self.folder)?),
        };
        output.stage(name, rope, &self.contents)
    }

    fn write_error(&self, step: &Step, source: WriteError) -> Error {
        let source = match source {
            WriteError::Io(error) => return changed(error),
            WriteError::Unsupported { ref path, .. } => match self.plan.places.get(path) {
                Some(place) => return place.error(source.to_string()).into(),
                None => source,
            },
            source => source,
        };
        Error::Write { format: step.product.kind().name(), source }
    }

    fn finish(
        mut self,
        release: &Release,
        outputs: &[(String, Blob)],
        ropes: &[Blob],
    ) -> Result<(), Error> {
        let document = release.document()?;
        let path = self.folder.join("release.json");
        if fs_err::read(&path).ok().as_deref() != Some(&document) {
            self.stage("release.json", &Rope::from(document))?;
        }
        if let Some(output) = self.output.take() {
            output.commit()?;
        }
        let folder = fs_err::canonicalize(self.folder)?;
        output::remember(self.store, &folder, &self.index, outputs)?;
        self.store.list_release(&release.label(), &release.lasting_document()?, ropes)?;
        Ok(())
    }
}

fn changed(error: io::Error) -> Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<ChangedFile>()) {
        Some(changed) => Error::Changed { path: changed.path().into() },
        None => Error::Io(error),
    }
}

fn count_files(folder: &Path) -> io::Result<usize> {
    let mut count = 0;
    for entry in walkdir::WalkDir::new(folder) {
        count += usize::from(entry.map_err(io::Error::from)?.file_type().is_file());
    }
    Ok(count)
}
