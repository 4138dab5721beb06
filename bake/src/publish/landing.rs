//! The folder in which what was pulled appears, all of it or nothing.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bake_formats::blob::{Blob, BlobSource};
use bake_formats::digest::Digest;
use bake_formats::oci::{Descriptor, TREE_KEY};
use bake_formats::rope::Rope;
use serde::Serialize;

use super::form::{Form, written};
use super::graph::Graph;
use super::origin::Origin;
use super::refuse;
use super::supplies::Supplies;
use super::survey::PARALLEL;
use super::trees::{expect_tree, expect_trees};
use crate::error::Error;
use crate::output::OutputFolder;
use crate::parallel::in_parallel;
use crate::registry::{Progress, Wire};

/// One thing that was pulled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pulled {
    /// The file or folder, relative to the output folder.
    pub path: PathBuf,
    /// Its format, or its artifact type.
    pub format: String,
    /// The digest: of an image its manifest's or index's, else the file's.
    pub digest: Digest,
    /// How many bytes its blobs have.
    pub size: u64,
    /// The tree that it holds, which was compared; absent if it names none.
    pub tree: Option<String>,
}

/// A file of an artifact that is wanted.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) title: String,
    pub(super) format: String,
    pub(super) blob: Blob,
    pub(super) tree: Option<String>,
}

/// Takes in files and images.
pub(super) struct Landing<'a> {
    wire: &'a dyn Wire,
    progress: &'a dyn Progress,
    output: OutputFolder,
    pulled: Vec<Pulled>,
}

impl<'a> Landing<'a> {
    /// Opens the folder. Nothing appears in it before [`Landing::commit`].
    pub(super) fn open(
        wire: &'a dyn Wire,
        folder: &Path,
        progress: &'a dyn Progress,
    ) -> Result<Self, Error> {
        Ok(Self { wire, progress, output: OutputFolder::open(folder)?, pulled: Vec::new() })
    }

    /// Lets everything appear.
    pub(super) fn commit(self) -> Result<Vec<Pulled>, Error> {
        self.output.commit()?;
        Ok(self.pulled)
    }

    /// Takes in files of artifacts, several at once.
    pub(super) fn files(
        &mut self,
        wanted: &[Wanted],
        source: &dyn BlobSource,
    ) -> Result<(), Error> {
        for Wanted { title, format, blob, tree } in wanted {
            self.expect_new(title)?;
            self.pulled.push(Pulled {
                path: title.into(),
                format: format.clone(),
                digest: blob.digest,
                size: blob.size,
                tree: tree.clone(),
            });
        }
        let ropes: Vec<_> =
            wanted.iter().map(|file| (file.title.clone(), Rope::from(file.blob))).collect();
        let found = self.stage(&ropes, source)?;
        for (file, found) in wanted.iter().zip(found) {
            expect_blob(&file.title, file.blob, found)?;
            if let Some(tree) = &file.tree {
                expect_tree(&self.output.staged(&file.title), &file.title, tree)?;
            }
        }
        Ok(())
    }

    /// Takes in an image or an index under a name, as files or as one.
    pub(super) fn image(
        &mut self,
        origin: &dyn Origin,
        root: &Descriptor,
        name: &str,
        tag: &str,
        form: Form,
    ) -> Result<(), Error> {
        self.expect_new(name)?;
        let graph = Graph::read(origin, root)?;
        let written = written(&graph, origin, &root.digest, tag.to_owned(), form)?;
        let supplies = Supplies::new(self.wire, origin, &graph);
        let place = |path: String| match path.as_str() {
            "" => name.to_owned(),
            path => format!("{name}/{path}"),
        };
        let files = form.files(&written)?.into_iter();
        let files: Vec<_> = files.map(|(path, rope)| (place(path), rope)).collect();
        let found = self.stage(&files, &supplies)?;
        let names_tree = graph.nodes().iter().any(|node| node.annotations.contains_key(TREE_KEY));
        if names_tree && form != Form::Sparse {
            expect_trees(&self.output.staged(name), name)?;
        }
        let tree = graph.node(&root.digest).and_then(|root| root.annotations.get(TREE_KEY));
        self.pulled.push(Pulled {
            path: name.into(),
            format: "oci".to_owned(),
            digest: root.digest,
            size: found.iter().map(|blob| blob.size).sum(),
            tree: tree.cloned(),
        });
        Ok(())
    }

    /// Writes what ropes describe, several at once; the wire allows each registry so many.
    fn stage(
        &mut self,
        files: &[(String, Rope)],
        source: &dyn BlobSource,
    ) -> Result<Vec<Blob>, Error> {
        let place = |(path, rope): &(String, Rope)| Ok((self.output.expect(path)?, rope.clone()));
        let places: Vec<_> = files.iter().map(place).collect::<Result<_, Error>>()?;
        let source = Watched { source, progress: self.progress };
        in_parallel(PARALLEL, &places, |(place, rope)| place.fill(rope, &source))
    }

    /// Fails if something of that name was pulled already: a registry may not replace it.
    fn expect_new(&self, title: &str) -> Result<(), Error> {
        let is_plain = !title.is_empty()
            && !matches!(title, "." | "..")
            && !title.contains(|c: char| c == '/' || c == '\\' || c.is_control());
        let is_taken = self.pulled.iter().any(|pulled| pulled.path == Path::new(title));
        if is_plain && !is_taken {
            return Ok(());
        }
        let reason = if is_taken { "there are two of that name" } else { "it is no plain name" };
        Err(refuse(format!("file `{}`", title.escape_debug()), reason.to_owned(), None))
    }
}

/// Blobs that somebody watches coming in.
struct Watched<'a> {
    source: &'a dyn BlobSource,
    progress: &'a dyn Progress,
}

impl BlobSource for Watched<'_> {
    fn open(&self, digest: &Digest, offset: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        let bytes = self.source.open(digest, offset)?;
        Ok(Box::new(WatchedBytes { bytes, progress: self.progress }))
    }
}

struct WatchedBytes<'a> {
    bytes: Box<dyn Read + Send + 'a>,
    progress: &'a dyn Progress,
}

impl Read for WatchedBytes<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(buffer)?;
        self.progress.advanced(count as u64);
        Ok(count)
    }
}

fn expect_blob(title: &str, expected: Blob, found: Blob) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    let reason = format!("expected {}, found {}", expected.digest, found.digest);
    Err(refuse(format!("`{}`", title.escape_debug()), reason, None))
}
