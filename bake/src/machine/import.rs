//! From an image or a tar archive to a tree, without unpacking either.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::Path;

use bake_formats::blob::{Blob, BlobSource};
use bake_formats::digest::Digest;
use bake_formats::encode::{Codec, decoder, sniff};
use bake_formats::format::ReadError;
use bake_formats::oci::descriptor::Kind;
use bake_formats::oci::{Descriptor, KnownAccounts, whiteout};
use bake_formats::rope::Rope;
use bake_formats::tree::{FileTree, Node, Owner, TreeBuilder};

use super::error::{ImportError, unreadable};
use super::files::Files;
use super::index::Index;
use super::kept::{self, Archive, Place};
use crate::assemble::{Contents, FoundFile, SourceFiles, hash_file};
use crate::base::{self, Bases, Found};
use crate::error::Error;
use crate::report::{Reporter, Silent};
use crate::store::{self, Stamp, Store};
use crate::survey::{LayerFault, Limits};

/// What a machine is built on: a tree, and where its contents are.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The tree; owners have the names that its own `/etc/passwd` and `/etc/group` give them.
    pub tree: FileTree,
    /// Where contents are: each is a range of an archive.
    pub sources: SourceFiles,
    /// What an image says it runs on, in its own word, e.g. `amd64`.
    pub architecture: Option<String>,
}

/// Imports a base image.
///
/// Each layer is kept in the store without compression, as one blob; the layers are brought there
/// only if one of them was not imported before.
///
/// # Errors
///
/// With the number of the layer, if it is not what the image says or asks for more than `limits`.
pub fn oci(bases: &Bases<'_>, found: &Found, limits: Limits) -> Result<Imported, Error> {
    let name = base::name(&found.source);
    let documents = found.base.documents.as_deref().ok_or_else(|| Error::Base {
        message: format!("the documents of the base image `{name}` are not known"),
        hint: None,
    })?;
    let diff_ids = &documents.config.rootfs.diff_ids;
    let known = |id: &Digest| kept::read(bases.store, id, Place::Store);
    let known: Vec<Option<Archive>> = diff_ids.iter().map(known).collect();
    if known.iter().any(Option::is_none) {
        bases.fetch_layers(found)?;
    }
    let mut archives = Vec::new();
    for (number, archive) in known.into_iter().enumerate() {
        let Some(layer) = documents.manifest.layers.get(number) else { break };
        let archive = match archive {
            Some(archive) => archive,
            None => bring_layer(bases, found, layer, &diff_ids[number], limits)
                .map_err(|fault| at_layer(&name, number, layer, fault))?,
        };
        archives.push(archive);
    }
    let places = places(&archives);
    let mut tree = FileTree::default();
    let layers = archives.into_iter().zip(&documents.manifest.layers);
    for (number, (archive, layer)) in layers.enumerate() {
        let members = archive.index.members.into_iter();
        let entries = members.map(|member| (member.path, member.entry)).collect();
        tree = whiteout::apply(&tree, entries)
            .map_err(|error| at_layer(&name, number, layer, error.into()))?;
    }
    let architecture = Some(documents.config.architecture.clone());
    let sources = SourceFiles::default();
    Ok(Imported { architecture, ..finish(bases.store, tree, &places, sources)? })
}

fn at_layer(name: &str, number: usize, layer: &Descriptor, fault: LayerFault) -> ImportError {
    let place = format!("layer {number} ({}) of `{name}`", layer.digest);
    ImportError { place, fault }
}

/// Brings a layer into the store; if what the store has of it is damaged, once more from its origin.
fn bring_layer(
    bases: &Bases<'_>,
    found: &Found,
    layer: &Descriptor,
    diff_id: &Digest,
    limits: Limits,
) -> Result<Archive, LayerFault> {
    let fault = match unpack_layer(bases.store, layer, diff_id, limits) {
        Ok(archive) => return Ok(archive),
        Err(fault) => fault,
    };
    // A decoder may stumble over damage before it is found.
    let mut whole = bases.store.open(&layer.digest, 0)?;
    match io::copy(&mut whole, &mut io::sink()) {
        Err(error) if store::is_damage(&error).is_some() => {}
        _ => return Err(fault),
    }
    bases.store.discard(&layer.digest)?;
    bases.fetch_layers(found).map_err(|error| LayerFault::Io(io::Error::other(error)))?;
    unpack_layer(bases.store, layer, diff_id, limits)
}

fn unpack_layer(
    store: &Store,
    layer: &Descriptor,
    diff_id: &Digest,
    limits: Limits,
) -> Result<Archive, LayerFault> {
    let Some(Kind::Layer(codec)) = layer.kind() else {
        let reason = format!("expected the media type of a layer, found `{}`", layer.media_type);
        return Err(ReadError::invalid("descriptor", reason).into());
    };
    let raw = unpack(store, codec, layer.blob(), limits)?;
    if raw.digest != *diff_id {
        let (expected, found) = (diff_id.to_string(), raw.digest.to_string());
        return Err(LayerFault::Mismatch { what: "DiffID", expected, found });
    }
    list(store, diff_id, raw, limits)
}

/// Returns the archive in a blob of the store, which is in the store, too.
fn unpack(store: &Store, codec: Codec, packed: Blob, limits: Limits) -> io::Result<Blob> {
    match codec {
        Codec::None => Ok(packed),
        Codec::Gzip | Codec::Zstd | Codec::Xz => {
            store.put_stream(decoder(codec, store.open(&packed.digest, 0)?)?, limits.raw)
        }
    }
}

/// Lists an archive that is in the store.
fn list(store: &Store, came_as: &Digest, raw: Blob, limits: Limits) -> Result<Archive, LayerFault> {
    let index = Index::read(store.open(&raw.digest, 0)?.take(raw.size), limits.memory)?;
    let archive = Archive { raw, index };
    kept::write(store, came_as, &archive, Place::Store)?;
    Ok(archive)
}

/// Imports the root file system in a tar archive, plain or compressed with gzip, zstd or xz.
///
/// A plain archive is read where it is, now and later; of a compressed one the store keeps the
/// archive in it. It is read again only if the file is not the one that was read before.
///
/// # Errors
///
/// If it is no such archive, is no tree, or asks for more than `limits`.
pub fn rootfs(
    store: &Store,
    path: &Path,
    limits: Limits,
    reporter: &dyn Reporter,
) -> Result<Imported, Error> {
    let place = format!("`{}`", path.display());
    let fail = |fault: LayerFault| Error::from(ImportError { place: place.clone(), fault });
    let found = fs_err::canonicalize(path).and_then(|path| Ok((fs_err::metadata(&path)?, path)));
    let (metadata, path) =
        found.map_err(|error| unreadable("the root file system", path, &error))?;
    if !metadata.is_file() {
        return Err(fail(ReadError::invalid("archive", "expected a file").into()));
    }
    let file = FoundFile { path: path.as_path().into(), stamp: Stamp::of(&metadata) };
    let content = hash_file(store, &file, reporter)?;
    let mut sources = SourceFiles::default();
    sources.insert_file(content.digest, file.path, file.stamp);
    let bytes = Contents { sources: &sources, store, reporter };
    let archive = find_archive(&bytes, content.digest, content.size, limits).map_err(fail)?;
    let places = places(std::slice::from_ref(&archive));
    let mut builder = TreeBuilder::new();
    for member in archive.index.members {
        let inserted = builder.insert(member.path, member.entry);
        inserted.map_err(|error| fail(ReadError::from(error).into()))?;
    }
    let tree = builder.finish().map_err(|error| fail(ReadError::from(error).into()))?;
    if archive.raw.digest != content.digest {
        sources = SourceFiles::default();
    }
    finish(store, tree, &places, sources)
}

/// Returns the archive in a file, which its digest names.
fn find_archive(
    bytes: &Contents<'_>,
    digest: Digest,
    size: u64,
    limits: Limits,
) -> Result<Archive, LayerFault> {
    let mut first = Vec::new();
    bytes.open(&digest, 0)?.take(6).read_to_end(&mut first)?;
    let codec = sniff(&first);
    let place = if codec == Codec::None { Place::File } else { Place::Store };
    if let Some(archive) = kept::read(bytes.store, &digest, place) {
        return Ok(archive);
    }
    match place {
        Place::File => {
            if size > limits.raw {
                let (what, limit) = ("bytes", limits.raw);
                return Err(LayerFault::Limit { what, limit });
            }
            let index = Index::read(bytes.open(&digest, 0)?, limits.memory)?;
            let archive = Archive { raw: Blob { digest, size }, index };
            kept::write(bytes.store, &digest, &archive, place)?;
            Ok(archive)
        }
        Place::Store => {
            let reader = decoder(codec, bytes.open(&digest, 0)?)?;
            let raw = bytes.store.put_stream(reader, limits.raw)?;
            list(bytes.store, &digest, raw, limits)
        }
    }
}

/// Where contents are: in which archive, and from which of its bytes on.
type Places = HashMap<Digest, (Digest, u64)>;

fn places(archives: &[Archive]) -> Places {
    let mut places = Places::new();
    for archive in archives {
        for member in &archive.index.members {
            if let Node::File(content) = &member.entry.node {
                places.insert(content.digest, (archive.raw.digest, member.offset));
            }
        }
    }
    places
}

/// Notes where the contents of a tree are, and gives owners their names.
fn finish(
    store: &Store,
    tree: FileTree,
    places: &Places,
    mut sources: SourceFiles,
) -> Result<Imported, Error> {
    sources.insert_bytes(b"");
    for (_, entry) in tree.iter() {
        if let Node::File(content) = &entry.node
            && let Some((archive, offset)) = places.get(&content.digest)
        {
            let mut rope = Rope::new();
            rope.push_range(*archive, *offset, content.size);
            sources.insert_rope(content.digest, rope);
        }
    }
    let contents = Contents { sources: &sources, store, reporter: &Silent };
    let files = Files { tree: &tree, contents: &contents };
    let passwd = files.text("etc/passwd")?.unwrap_or_default();
    let group = files.text("etc/group")?.unwrap_or_default();
    let (mut users, mut groups) = (Names::of(&passwd), Names::of(&group));
    let tree = tree.with_owners(|owner| users.name(owner), |owner| groups.name(owner));
    Ok(Imported { tree, sources, architecture: None })
}

/// The names that a database gives to numbers.
struct Names<'a> {
    known: KnownAccounts<'a>,
    owners: HashMap<u32, Owner>,
}

impl<'a> Names<'a> {
    fn of(text: &'a [u8]) -> Self {
        Self { known: KnownAccounts::of(text), owners: HashMap::new() }
    }

    /// Returns an owner under the name of its number; one that has none keeps the number as name,
    /// and so does one whose name means another number.
    fn name(&mut self, owner: &Owner) -> Owner {
        let known = &self.known;
        let find = || {
            let name = known.names.get(&owner.id)?;
            let name = std::str::from_utf8(name).ok().filter(|_| known.ids[name] == owner.id)?;
            Some(Owner::new(name, owner.id))
        };
        let named = || find().unwrap_or_else(|| super::owner(owner.id));
        self.owners.entry(owner.id).or_insert_with(named).clone()
    }
}
