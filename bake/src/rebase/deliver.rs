//! The new image as files.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

use bake_formats::blob::BlobSource;
use bake_formats::digest::Digest;
use bake_formats::format::{ReadError, WriteCx};
use bake_formats::oci::{Descriptor, Written, archive, layout};

use super::place::Place;
use crate::error::Error;
use crate::output::OutputFolder;
use crate::store::Store;

/// Layers that are copied from where they are, and whatever is in the store.
#[derive(Debug)]
pub struct Blobs<'a> {
    store: &'a Store,
    places: Vec<&'a Place<'a>>,
    layers: BTreeMap<Digest, Descriptor>,
}

impl<'a> Blobs<'a> {
    /// Returns the blobs of what was written; `places` are asked in their order for its layers.
    pub fn new(store: &'a Store, places: Vec<&'a Place<'a>>, written: &Written) -> Self {
        let layers = written.images.iter().flat_map(|image| &image.manifest.layers);
        let layers = layers.map(|layer| (layer.digest, layer.clone())).collect();
        Self { store, places, layers }
    }
}

impl BlobSource for Blobs<'_> {
    fn open(&self, digest: &Digest, offset: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        let Some(layer) = self.layers.get(digest).filter(|_| !self.store.holds(digest)) else {
            return self.store.open(digest, offset);
        };
        let mut last =
            io::Error::new(io::ErrorKind::NotFound, format!("there is no blob {digest}"));
        for place in &self.places {
            match place.open_blob(layer) {
                Ok(mut bytes) => {
                    io::copy(&mut bytes.by_ref().take(offset), &mut io::sink())?;
                    return Ok(bytes);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// Writes an image to a path: as a layout in a folder, as an archive if the path ends in `.tar`.
///
/// It appears whole or not at all. A blob that does not have its digest is an error.
pub fn write(
    written: &Written,
    path: &Path,
    blobs: &Blobs<'_>,
    cx: &WriteCx<'_>,
) -> Result<(), Error> {
    let is_archive = path.extension().is_some_and(|extension| extension == "tar");
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| Error::Input {
        what: "-o".into(),
        reason: format!("`{}` names no file or folder", path.display()),
    })?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut output = OutputFolder::open(folder.unwrap_or(Path::new(".")))?;
    let fail = |source| Error::Write { format: "image", source };
    let artifact = if is_archive {
        archive::artifact(written, cx).map_err(fail)?
    } else {
        layout::artifact(written).map_err(fail)?
    };
    for file in &artifact.files {
        let place = if is_archive { name.to_owned() } else { format!("{name}/{}", file.path) };
        let found = output.stage(&place, &file.rope, blobs)?;
        if let Some(digest) = file.identity.filter(|digest| *digest != found.digest) {
            let reason = format!("its bytes have the digest {}", found.digest);
            let source = ReadError::invalid(format!("blob {digest}"), reason);
            return Err(Error::Read { path: path.into(), source });
        }
    }
    output.commit().map(drop)
}
