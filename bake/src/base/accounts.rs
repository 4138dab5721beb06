//! The account databases of a base image, read through its layers (image-spec, layer.md).
//!
//! The topmost layer that says something about a file decides: it holds the file, or hides it by a
//! whiteout of the file or its directory, or by making the directory opaque or something else.

use std::io::Read;

use bake_formats::archive::tar::{Kind, Member, TarReader};
use bake_formats::blob::{BlobSource, BlobStore};
use bake_formats::digest::Digest;
use bake_formats::encode::{Codec, decoder};
use bake_formats::format::ReadError;
use bake_formats::oci::{Databases, Descriptor, Kind as BlobKind, Limits};

use super::error::{BaseError, chain};
use super::find::{Bases, Found};
use super::images::name;

/// The directory of both databases.
const FOLDER: &[u8] = b"etc";
/// What a layer puts before a name that it removes (layer.md, "Whiteouts").
const WHITEOUT: &[u8] = b".wh.";
/// The name in a directory whose lower contents are hidden (layer.md, "Opaque Whiteout").
const OPAQUE: &[u8] = b"etc/.wh..wh..opq";
/// The longest database that is read, in bytes.
const MAX_DATABASE: u64 = 4 << 20;

impl Bases<'_> {
    /// Returns `/etc/passwd` and `/etc/group` of a base image, empty if it has none.
    ///
    /// The layers are brought into the store if that was not done for this image before.
    pub fn databases(&self, found: &Found) -> Result<Databases, BaseError> {
        let called = name(&found.source);
        let key = databases_key(&found.base.manifest.digest);
        if let Some(&[passwd, group]) = self.store.kept(&key).as_deref() {
            let read = |blob| self.store.read(&blob, MAX_DATABASE);
            // Damage is found here and mended below.
            if let (Ok(passwd), Ok(group)) = (read(passwd), read(group)) {
                return Ok(Databases { passwd, group });
            }
        }
        self.fetch_layers(found)?;
        let Some(documents) = &found.base.documents else { return Ok(Databases::default()) };
        let layers: Vec<&Descriptor> = documents.manifest.layers.iter().collect();
        let mut search = Search { passwd: Said::Nothing, group: Said::Nothing };
        for layer in layers.into_iter().rev() {
            let read = self.store.open(&layer.digest, 0).map_err(ReadError::from);
            let read = read.and_then(|bytes| search.layer(layer, bytes));
            read.map_err(|error| {
                BaseError::read(&called, &format!("its layer {}", layer.digest), &error)
            })?;
            if search.is_done() {
                break;
            }
        }
        let databases = search.finish();
        let unkept = |error| BaseError::new(&called, chain(&error));
        let put = |bytes: &[u8]| self.store.put(bytes).map_err(unkept);
        let blobs = [put(&databases.passwd)?, put(&databases.group)?];
        self.keep(&called, &key, &blobs)?;
        Ok(databases)
    }
}

/// What the layers from the top down to some one say about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    /// Nothing yet.
    Nothing,
    /// That it is not there.
    Hidden,
    /// What it holds.
    Text(Vec<u8>),
}

struct Search {
    passwd: Said,
    group: Said,
}

impl Search {
    fn is_done(&self) -> bool {
        self.passwd != Said::Nothing && self.group != Said::Nothing
    }

    fn finish(self) -> Databases {
        let text = |said| if let Said::Text(text) = said { text } else { Vec::new() };
        Databases { passwd: text(self.passwd), group: text(self.group) }
    }

    /// Reads one layer, the next below those that were read.
    fn layer(&mut self, layer: &Descriptor, bytes: impl Read) -> Result<(), ReadError> {
        let codec = match layer.kind() {
            Some(BlobKind::Layer(codec)) => codec,
            Some(BlobKind::Index | BlobKind::Manifest | BlobKind::Config) | None => Codec::None,
        };
        let limit = Limits::default().layer;
        let mut archive = TarReader::new(decoder(codec, bytes)?.take(limit), "tar archive");
        let mut here = Here::default();
        while let Some(member) = archive.next_member()? {
            if !member.path.relative().starts_with(FOLDER) && !is_whiteout(&member, b"") {
                continue;
            }
            here.member(&member, &mut archive)?;
        }
        let Here { hides_folder, passwd, group } = here;
        for (said, found) in [(&mut self.passwd, passwd), (&mut self.group, group)] {
            if *said == Said::Nothing {
                let hidden = if hides_folder { Said::Hidden } else { Said::Nothing };
                *said = if found == Said::Nothing { hidden } else { found };
            }
        }
        Ok(())
    }
}

/// What one layer says.
struct Here {
    /// Whether what lower layers have in the directory is hidden.
    hides_folder: bool,
    passwd: Said,
    group: Said,
}

impl Default for Here {
    fn default() -> Self {
        Self { hides_folder: false, passwd: Said::Nothing, group: Said::Nothing }
    }
}

impl Here {
    fn member(
        &mut self,
        member: &Member,
        archive: &mut TarReader<impl Read>,
    ) -> Result<(), ReadError> {
        let path = member.path.relative();
        let replaces = path == FOLDER && member.kind != Kind::Directory;
        self.hides_folder |= replaces || path == OPAQUE || is_whiteout(member, FOLDER);
        for (said, name) in [(&mut self.passwd, "etc/passwd"), (&mut self.group, "etc/group")] {
            if path == name.as_bytes() {
                if member.kind != Kind::File {
                    let reason = "it is no regular file, so accounts cannot be merged with it";
                    return Err(ReadError::invalid(format!("/{name}"), reason));
                }
                *said = Said::Text(archive.contents_to_vec(MAX_DATABASE)?);
            } else if is_whiteout(member, name.as_bytes()) && *said == Said::Nothing {
                *said = Said::Hidden;
            }
        }
        Ok(())
    }
}

/// Returns whether a member removes a path; of nothing, whether it removes anything at the top.
fn is_whiteout(member: &Member, path: &[u8]) -> bool {
    let (folder, name) = split(member.path.relative());
    let Some(removed) = name.strip_prefix(WHITEOUT) else { return false };
    if path.is_empty() {
        return folder.is_empty();
    }
    split(path) == (folder, removed)
}

/// Splits a path at its last slash.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (&[], path),
    }
}

/// Returns the name under which the databases of an image are kept.
fn databases_key(manifest: &Digest) -> Digest {
    Digest::of(format!("bake image accounts 1\n{manifest}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use bake_formats::archive::tar::{Dialect, Root, SymlinkOrder, TarOptions, TarWriter};
    use bake_formats::blob::{Blob, MemoryStore};
    use bake_formats::format::Epoch;
    use bake_formats::oci::descriptor::media_type;
    use bake_formats::tree::{Entry, Mode, TreePath};

    use super::*;

    /// The members of a layer: paths with their text.
    type Members<'a> = &'a [(&'a str, Option<&'a str>)];

    /// Returns a layer's bytes; a member is a path with its text, or with nothing if a directory.
    fn layer(members: Members<'_>) -> Vec<u8> {
        let mut writer = TarWriter::new(TarOptions {
            format: "oci",
            dialect: Dialect::Pax,
            prefix: "",
            epoch: Epoch(0),
            symlinks: SymlinkOrder::InTree,
            root: Root::Omitted,
        });
        for (path, text) in members {
            let path = TreePath::parse(path).unwrap();
            match text {
                Some(text) => {
                    writer.append_bytes(&path, Mode::PLAIN, text.as_bytes()).unwrap();
                }
                None => writer.append(&path, &Entry::directory()).unwrap(),
            }
        }
        writer.finish().to_vec(&MemoryStore::new()).unwrap()
    }

    /// Returns what layers, the topmost first, say of `/etc/passwd`.
    fn passwd(layers: &[Members<'_>]) -> Result<Option<String>, String> {
        let mut search = Search { passwd: Said::Nothing, group: Said::Nothing };
        for members in layers {
            let bytes = layer(members);
            let descriptor = Descriptor::new(media_type::LAYER, Blob::of(&bytes));
            search.layer(&descriptor, bytes.as_slice()).map_err(|error| error.to_string())?;
        }
        Ok(match search.passwd {
            Said::Text(text) => Some(String::from_utf8(text).unwrap()),
            Said::Hidden | Said::Nothing => None,
        })
    }

    #[test]
    fn the_topmost_layer_that_says_something_decides() {
        let old = ("/etc/passwd", Some("old"));
        let rows: [(&[Members<'_>], Option<&str>); 9] = [
            (&[&[old]], Some("old")),
            (&[&[("/etc/other", Some("x"))], &[("/etc", None), old]], Some("old")),
            (&[&[("/etc/passwd", Some("new"))], &[old]], Some("new")),
            (&[&[("/etc/.wh.passwd", Some(""))], &[old]], None),
            (&[&[("/etc/.wh..wh..opq", Some(""))], &[old]], None),
            (
                &[&[("/etc/.wh..wh..opq", Some("")), ("/etc/passwd", Some("new"))], &[old]],
                Some("new"),
            ),
            (&[&[("/.wh.etc", Some(""))], &[old]], None),
            (&[&[("/etc", Some("a file"))], &[old]], None),
            (&[&[("/etcetera/passwd", Some("x")), ("/etc/x/passwd", Some("x"))]], None),
        ];
        for (layers, expected) in rows {
            assert_eq!(passwd(layers).unwrap().as_deref(), expected, "{layers:?}");
        }
    }

    #[test]
    fn a_database_that_is_no_file_is_refused() {
        let error = passwd(&[&[("/etc/passwd", None)]]).unwrap_err();
        assert!(error.starts_with("/etc/passwd: it is no regular file"), "{error}");
    }
}
