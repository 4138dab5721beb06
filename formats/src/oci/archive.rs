//! The single-file archive: an image layout in a tar archive that every tool loads.
//!
//! ```text
//! oci-layout                   image layout: podman, skopeo (oci-archive:), containerd
//! index.json                   with the annotations that containerd names images by
//! manifest.json                docker load's list, which points into the same blobs
//! blobs/sha256/DIGEST          configurations, manifests, layers
//! ```
//!
//! `manifest.json` is Docker's image specification v1.2; engines before 25 read nothing else.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::descriptor::{Descriptor, StringMap};
use super::layout;
use super::model::{Image, field_error};
use super::written::Written;
use super::{docker_archive, json, read, reference, verify, write};
use crate::archive::tar::{Dialect, Root, SymlinkOrder, TarOptions, TarWriter};
use crate::format::{Artifact, Format, Problem, ReadError, Unpacked, Visitor, WriteCx, WriteError};
use crate::input::{ReadAt, Source};
use crate::rope::Rope;
use crate::tree::{Entry, FileTree, Mode, TreePath, escape};

/// The annotation that containerd names an image by.
pub const CONTAINERD_NAME_KEY: &str = "io.containerd.image.name";
/// Docker's list of images.
pub(super) const DOCKER_MANIFEST: &str = "manifest.json";
/// How many bytes Docker's list may have.
pub(super) const MAX_DOCKER_MANIFEST: u64 = 4 << 20;
/// How many members an archive may have.
const MAX_MEMBERS: usize = 100_000;

/// The image as one file.
#[derive(Debug, Clone, Copy)]
pub struct Archive;

impl Format for Archive {
    type Model = Image;
    const NAME: &'static str = "oci-archive";
    const REVISION: u32 = super::REVISION;

    fn file_name(model: &Image) -> String {
        format!("{}.oci.tar", model.file_stem())
    }

    fn write(image: &Image, tree: &FileTree, cx: &WriteCx<'_>) -> Result<Artifact, WriteError> {
        artifact(&write::write(image, tree, cx)?, cx)
    }

    fn read(source: &Source) -> Result<Unpacked<Image>, ReadError> {
        read::read(source)
    }

    fn visit(source: &Source, visitor: &mut Visitor<'_>) -> Result<ControlFlow<()>, ReadError> {
        read::visit(source, visitor)
    }

    fn verify(source: &Source) -> Result<Vec<Problem>, ReadError> {
        verify::verify(source)
    }
}

/// One image in Docker's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DockerImage {
    pub(super) config: String,
    #[serde(default, deserialize_with = "super::descriptor::or_default")]
    pub(super) repo_tags: Vec<String>,
    pub(super) layers: Vec<String>,
}

/// Packs an image or an index into one file.
///
/// Docker's list has no platforms: of an index it names the first image and leaves the others
/// without a name.
pub fn artifact(written: &Written, cx: &WriteCx<'_>) -> Result<Artifact, WriteError> {
    let Written { name, version, images, .. } = written;
    if let Some((_, layer)) = written.missing().next() {
        let fault = "an archive holds every layer, expected the base's layers to be included";
        return Err(field_error("base", fault, &layer.digest.to_string()));
    }
    let names = [(CONTAINERD_NAME_KEY.to_owned(), reference::qualified(name, version))];
    let mut files = layout::files(written, StringMap::from(names))?;
    let list: Vec<_> = images
        .iter()
        .enumerate()
        .map(|(number, image)| DockerImage {
            config: image.manifest.config.path(),
            repo_tags: if number == 0 { vec![format!("{name}:{version}")] } else { Vec::new() },
            layers: image.manifest.layers.iter().map(Descriptor::path).collect(),
        })
        .collect();
    files.insert(DOCKER_MANIFEST.into(), Rope::from(json::canonical(&list)?));
    Ok(Artifact::file(Archive::NAME, pack(&files, cx)?))
}

/// Returns files as a tar archive, small ones first: what a stream's reader needs comes early.
fn pack(files: &BTreeMap<String, Rope>, cx: &WriteCx<'_>) -> Result<Rope, WriteError> {
    let mut writer = TarWriter::new(TarOptions {
        format: Archive::NAME,
        dialect: Dialect::Pax,
        prefix: "",
        epoch: cx.epoch,
        symlinks: SymlinkOrder::InTree,
        root: Root::Omitted,
    });
    let is_blob = |path: &str| path.starts_with("blobs/");
    let mut order: Vec<_> = files.iter().collect();
    order.sort_by_key(|(path, rope)| (is_blob(path), if is_blob(path) { rope.len() } else { 0 }));
    for directory in ["blobs", "blobs/sha256"] {
        writer.append(&tree_path(directory)?, &Entry::directory())?;
    }
    for (path, rope) in order {
        writer.append_rope(&tree_path(path)?, Mode::PLAIN, rope)?;
    }
    Ok(writer.finish())
}

fn tree_path(path: &str) -> Result<TreePath, WriteError> {
    TreePath::parse(path).map_err(|error| WriteError::Io(io::Error::other(error)))
}

/// Where a member of an archive has its bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    pub(super) offset: u64,
    pub(super) len: u64,
}

/// What an archive holds, by path.
#[derive(Debug, Default)]
pub(super) struct Members {
    /// The regular files.
    pub(super) files: BTreeMap<String, Member>,
    /// The links, with paths from the archive's root that they lead to; those that lead out of it
    /// are left out.
    pub(super) links: BTreeMap<String, String>,
}

/// Finds the files of an archive without reading their contents.
pub(super) fn scan(file: &Arc<dyn ReadAt>) -> Result<Members, ReadError> {
    let mut archive = tar::Archive::new(Cursor { file: Arc::clone(file), at: 0 });
    let mut members = Members::default();
    let mut end = 0;
    let damaged = |end: u64, error: &io::Error| {
        ReadError::malformed("image archive", end, "a member of a tar archive", error.to_string())
    };
    for entry in archive.entries_with_seek().map_err(|error| damaged(0, &error))? {
        let entry = entry.map_err(|error| damaged(end, &error))?;
        let (offset, len) = (entry.raw_file_position(), entry.size());
        let name = entry.path_bytes();
        let place = || format!("image archive: member `{}`", escape(&name));
        end = match offset.checked_add(len) {
            Some(end) if end <= file.len() => end,
            _ => {
                let found = format!("{len} bytes from offset {offset} of {}", file.len());
                return Err(ReadError::malformed(place(), offset, "contents in the file", found));
            }
        };
        let kind = entry.header().entry_type();
        if !kind.is_file() && !kind.is_symlink() && !kind.is_hard_link() {
            continue;
        }
        let path = TreePath::parse(&name)
            .map_err(|error| ReadError::invalid(place(), error.to_string()))?;
        let Some(path) = path.relative_str() else { continue };
        let is_new = if kind.is_file() {
            members.files.insert(path.to_owned(), Member { offset, len }).is_none()
        } else {
            let target = entry.link_name_bytes().unwrap_or_default();
            link_target(path, &target, kind.is_symlink())
                .is_none_or(|target| members.links.insert(path.to_owned(), target).is_none())
        };
        if !is_new {
            return Err(ReadError::invalid(place(), "there are two of that name"));
        }
        if members.files.len() + members.links.len() > MAX_MEMBERS {
            let reason = format!("expected at most {MAX_MEMBERS} members");
            return Err(ReadError::invalid("image archive", reason));
        }
    }
    Ok(members)
}

/// Returns where a link leads, from the archive's root.
fn link_target(path: &str, target: &[u8], is_symbolic: bool) -> Option<String> {
    let target = std::str::from_utf8(target).ok().filter(|target| !target.starts_with('/'))?;
    match path.rsplit_once('/') {
        Some((folder, _)) if is_symbolic => docker_archive::normal(&format!("{folder}/{target}")),
        _ => docker_archive::normal(target),
    }
}

/// Reads a file from a position of its own.
struct Cursor {
    file: Arc<dyn ReadAt>,
    at: u64,
}

impl Read for Cursor {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(self.at, buffer)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Cursor {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.file.len().checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
