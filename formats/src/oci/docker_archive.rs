//! What `docker save` wrote before it wrote image layouts (Docker's image specification v1.2).
//!
//! ```text
//! manifest.json            for each image: its configuration, names and layers, as paths
//! ID.json                  a configuration
//! ID/layer.tar             a layer, or a symbolic link to another image's
//! repositories             an older list of names, not needed
//! ```
//!
//! Nothing says what digest a layer has, so each is hashed once. What comes out is an image layout
//! whose manifests are made up: OCI manifests over the archive's own configurations and layers.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;

use super::archive::{DOCKER_MANIFEST, DockerImage, MAX_DOCKER_MANIFEST, Member, Members};
use super::config::Config;
use super::descriptor::{Descriptor, StringMap, blob_path, media_type};
use super::index::Index;
use super::json::{self, Document};
use super::layout::{INDEX, MARKER, Marker, REF_NAME_KEY, VERSION};
use super::manifest::Manifest;
use super::reader::within;
use crate::blob::Blob;
use crate::digest::Hasher;
use crate::encode::{Codec, sniff};
use crate::format::{ReadError, WriteError};
use crate::input::{Folder, ReadAt, Section};

/// How many links a path may lead through.
const MAX_LINKS: usize = 8;
/// How many images an archive may list.
const MAX_IMAGES: usize = 1000;
/// How many layers the images of an archive may name together.
const MAX_LAYERS: usize = 10_000;

/// Returns whether an archive is Docker's and no image layout.
pub(super) fn is_one(members: &Members) -> bool {
    !members.files.contains_key(MARKER) && members.files.contains_key(DOCKER_MANIFEST)
}

/// Returns an archive as an image layout. Every layer is read once; nothing of it is kept.
pub(super) fn as_layout(
    file: &Arc<dyn ReadAt>,
    members: &Members,
) -> Result<Arc<dyn Folder>, ReadError> {
    let mut archive = Archive { file, members, layers: BTreeMap::new(), blobs: BTreeMap::new() };
    let list = archive.bytes(DOCKER_MANIFEST, MAX_DOCKER_MANIFEST)?;
    let list: Vec<DockerImage> = json::read(DOCKER_MANIFEST, &list)?;
    let named: usize = list.iter().map(|image| image.layers.len()).sum();
    for (what, limit, found) in [("images", MAX_IMAGES, list.len()), ("layers", MAX_LAYERS, named)]
    {
        if found > limit {
            let reason = format!("expected at most {limit} {what}, found {found}");
            return Err(ReadError::invalid(DOCKER_MANIFEST, reason));
        }
    }
    let mut manifests = Vec::new();
    for image in &list {
        let descriptor = archive.image(image)?;
        let named = |name: &String| {
            let mut named = descriptor.clone();
            named.annotations = StringMap::from([(REF_NAME_KEY.to_owned(), name.clone())]);
            named
        };
        match image.repo_tags.as_slice() {
            [] => manifests.push(descriptor),
            names => manifests.extend(names.iter().map(named)),
        }
    }
    let index = document(&Index::new(manifests, StringMap::new()))?;
    let marker = document(&Marker { image_layout_version: VERSION.into() })?;
    let mut files = archive.blobs;
    files.insert(INDEX.into(), Place::Bytes(index));
    files.insert(MARKER.into(), Place::Bytes(marker));
    Ok(Arc::new(Files { file: Arc::clone(file), files }))
}

fn document(value: &impl serde::Serialize) -> Result<Vec<u8>, ReadError> {
    json::canonical(value).map_err(|error| match error {
        WriteError::Io(error) => error.into(),
        error => ReadError::invalid(DOCKER_MANIFEST, error.to_string()),
    })
}

struct Archive<'a> {
    file: &'a Arc<dyn ReadAt>,
    members: &'a Members,
    /// Layers that were hashed, by where their bytes start: several images share them.
    layers: BTreeMap<u64, Descriptor>,
    blobs: BTreeMap<String, Place>,
}

impl Archive<'_> {
    /// Describes one image and returns its manifest's descriptor.
    fn image(&mut self, image: &DockerImage) -> Result<Descriptor, ReadError> {
        let config_bytes = self.bytes(&image.config, Config::LIMIT)?;
        let config = Config::parse(&config_bytes)?;
        let layers = image.layers.iter().map(|path| self.layer(path));
        let layers = layers.collect::<Result<Vec<_>, _>>()?;
        let blob = self.keep(config_bytes);
        let described = Descriptor::new(media_type::CONFIG, blob);
        let manifest = document(&Manifest::new(described, layers, StringMap::new()))?;
        let blob = self.keep(manifest);
        let mut descriptor = Descriptor::new(media_type::MANIFEST, blob);
        descriptor.platform = Some(config.platform());
        Ok(descriptor)
    }

    /// Hashes a layer and returns its descriptor.
    fn layer(&mut self, path: &str) -> Result<Descriptor, ReadError> {
        let member = self.member(path)?;
        if let Some(known) = self.layers.get(&member.offset) {
            return Ok(known.clone());
        }
        let section = || Section::new(Arc::clone(self.file), member.offset, member.len);
        let mut magic = Vec::new();
        section().take(6).read_to_end(&mut magic)?;
        let suffix = match sniff(&magic) {
            Codec::None => "",
            Codec::Gzip => "+gzip",
            Codec::Zstd => "+zstd",
            Codec::Xz => {
                let reason = "expected a layer as tar, gzip or zstd, found xz";
                return Err(ReadError::invalid(path, reason));
            }
        };
        let mut hasher = Hasher::new();
        io::copy(&mut section(), &mut hasher)?;
        let blob = Blob::of_hashed(&hasher);
        let descriptor = Descriptor::new(format!("{}{suffix}", media_type::LAYER), blob);
        self.blobs.insert(blob_path(&blob.digest), Place::Member(member));
        self.layers.insert(member.offset, descriptor.clone());
        Ok(descriptor)
    }

    fn keep(&mut self, bytes: Vec<u8>) -> Blob {
        let blob = Blob::of(&bytes);
        self.blobs.insert(blob_path(&blob.digest), Place::Bytes(bytes));
        blob
    }

    /// Finds a file, through links.
    fn member(&self, path: &str) -> Result<Member, ReadError> {
        let invalid = |reason: &str| {
            let path: String = path.chars().take(200).collect();
            ReadError::invalid(format!("{DOCKER_MANIFEST}: `{}`", path.escape_debug()), reason)
        };
        let mut at = normal(path).ok_or_else(|| invalid("expected a path inside the archive"))?;
        for _ in 0..=MAX_LINKS {
            if let Some(member) = self.members.files.get(&at) {
                return Ok(*member);
            }
            let Some(target) = self.members.links.get(&at) else {
                return Err(invalid("there is no such file in the archive"));
            };
            at = normal(target).ok_or_else(|| invalid("a link leads out of the archive"))?;
        }
        Err(invalid("it leads through more than 8 links"))
    }

    fn bytes(&self, path: &str, limit: u64) -> Result<Vec<u8>, ReadError> {
        let member = self.member(path)?;
        within(path, member.len, limit)?;
        let mut bytes = Vec::new();
        Section::new(Arc::clone(self.file), member.offset, member.len).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// Returns a path without `.` and `..`; `None` if it leads out of the archive.
pub(super) fn normal(path: &str) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop()?;
            }
            name => names.push(name),
        }
    }
    Some(names.join("/"))
}

/// Where a file of the layout has its bytes.
#[derive(Debug, Clone)]
enum Place {
    Bytes(Vec<u8>),
    Member(Member),
}

/// The layout's files.
struct Files {
    file: Arc<dyn ReadAt>,
    files: BTreeMap<String, Place>,
}

impl Folder for Files {
    fn open(&self, path: &str) -> io::Result<Arc<dyn ReadAt>> {
        match self.files.get(path) {
            Some(Place::Bytes(bytes)) => Ok(Arc::new(bytes.clone())),
            Some(Place::Member(Member { offset, len })) => {
                let file = Arc::clone(&self.file);
                Ok(Arc::new(Part { file, offset: *offset, len: *len }))
            }
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// A part of a file as a file.
struct Part {
    file: Arc<dyn ReadAt>,
    offset: u64,
    len: u64,
}

impl ReadAt for Part {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = left.min(buffer.len());
        if wanted == 0 {
            return Ok(0);
        }
        self.file.read_at(self.offset.saturating_add(offset), &mut buffer[..wanted])
    }
}
