//! The image layout: blobs as files in a folder (image-spec, image-layout.md).

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::descriptor::{StringMap, blob_path, digest_of_path};
use super::index::Index;
use super::json;
use super::model::Image;
use super::written::Written;
use super::{read, verify, write};
use crate::format::{
    Artifact, ArtifactFile, Format, Problem, ReadError, Unpacked, Visitor, WriteCx, WriteError,
};
use crate::input::Source;
use crate::rope::Rope;
use crate::tree::FileTree;

/// The annotation that names a manifest within a layout.
pub const REF_NAME_KEY: &str = "org.opencontainers.image.ref.name";
/// The file that says which version of the layout this is.
pub(super) const MARKER: &str = "oci-layout";
/// The file where reading begins.
pub(super) const INDEX: &str = "index.json";
/// The only version of the layout there is.
pub(super) const VERSION: &str = "1.0.0";

/// The image as a folder in the image layout.
#[derive(Debug, Clone, Copy)]
pub struct Layout;

impl Format for Layout {
    type Model = Image;
    const NAME: &'static str = super::NAME;
    const REVISION: u32 = super::REVISION;

    fn file_name(model: &Image) -> String {
        format!("{}.oci", model.file_stem())
    }

    fn write(image: &Image, tree: &FileTree, cx: &WriteCx<'_>) -> Result<Artifact, WriteError> {
        artifact(&write::write(image, tree, cx)?)
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

/// Lays an image or an index out as a folder.
pub fn artifact(written: &Written) -> Result<Artifact, WriteError> {
    let file = |(path, rope): (String, Rope)| {
        let identity = digest_of_path(&path);
        ArtifactFile { path, rope, identity }
    };
    let files = files(written, StringMap::new())?.into_iter().map(file).collect();
    Ok(Artifact { format: super::NAME.into(), files })
}

/// What the marker says.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Marker {
    pub(super) image_layout_version: String,
}

/// Returns the files of a layout by path; `names` are further annotations in `index.json`.
pub(super) fn files(
    written: &Written,
    names: StringMap,
) -> Result<BTreeMap<String, Rope>, WriteError> {
    let mut root = written.root.clone();
    root.annotations.extend(names);
    root.annotations.insert(REF_NAME_KEY.into(), written.version.clone());
    let index = Index::new(vec![root], StringMap::new());
    let marker = Marker { image_layout_version: VERSION.into() };
    let mut files = BTreeMap::new();
    files.insert(MARKER.into(), Rope::from(json::canonical(&marker)?));
    files.insert(INDEX.into(), Rope::from(json::canonical(&index)?));
    for (digest, rope) in &written.blobs {
        files.insert(blob_path(digest), rope.clone());
    }
    Ok(files)
}
