//! The image index: one image for several platforms (image-spec, image-index.md).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::descriptor::{
    Descriptor, Kind, OtherFields, StringMap, fault_in_key, media_type, or_default,
};
use super::json::{self, Document};
use super::manifest::{SCHEMA_VERSION, refuse_schema_1};
use super::model::{OWN_PREFIX, fail_if, field_error};
use super::write::TREE_KEY;
use super::written::Written;
use crate::format::{ReadError, WriteError};

/// An image index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u64,
    /// The index's own media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The manifests, or indexes of manifests.
    pub manifests: Vec<Descriptor>,
    /// Annotations of the index.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub annotations: StringMap,
    /// `subject`, `artifactType` and whatever else stands there.
    #[serde(flatten)]
    pub other: OtherFields,
}

impl Document for Index {
    type Strict = oci_spec::image::ImageIndex;
    const WHAT: &'static str = "image index";
    const LIMIT: u64 = 4 << 20;
}

impl Index {
    /// Returns an index of manifests.
    pub fn new(manifests: Vec<Descriptor>, annotations: StringMap) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            media_type: Some(media_type::INDEX.into()),
            manifests,
            annotations,
            other: OtherFields::new(),
        }
    }

    /// Parses an index and checks its schema and media type.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReadError> {
        refuse_schema_1(Self::WHAT, bytes)?;
        let index = <Self as Document>::parse(bytes)?;
        if let Some(media_type) = &index.media_type
            && Kind::of(media_type) != Some(Kind::Index)
        {
            let reason = format!("expected the media type of an image index, found `{media_type}`");
            return Err(ReadError::invalid(Self::WHAT, reason));
        }
        Ok(index)
    }
}

/// Joins images of one name and version into an index, in the order of their platforms.
///
/// Layers that several images share are kept once. If all images hold the same tree, the index says
/// so as they do. A single image becomes an index too: whoever wants a plain manifest does not join.
pub fn join(images: Vec<Written>, mut annotations: StringMap) -> Result<Written, WriteError> {
    for key in annotations.keys() {
        fail_if("index annotations", fault_in_key(key), key)?;
        let fault = key.starts_with(OWN_PREFIX).then_some("keys that begin so are reserved");
        fail_if("index annotations", fault, key)?;
    }
    let mut images = images.into_iter();
    let Some(mut joined) = images.next() else {
        return Err(field_error("manifests", "expected at least one image", ""));
    };
    for image in images {
        for (field, first, other) in
            [("name", &joined.name, &image.name), ("version", &joined.version, &image.version)]
        {
            let fault = format!("expected `{first}` in all images of an index");
            fail_if(field, (first != other).then_some(fault.as_str()), other)?;
        }
        joined.images.extend(image.images);
        joined.blobs.extend(image.blobs);
    }
    joined.images.sort_by(|a, b| a.descriptor.platform.cmp(&b.descriptor.platform));
    for pair in joined.images.windows(2) {
        if let [a, b] = pair
            && a.descriptor.platform == b.descriptor.platform
        {
            let found = a.descriptor.platform.as_ref().map(ToString::to_string).unwrap_or_default();
            return Err(field_error("platform", "expected each platform once", &found));
        }
    }
    let trees: BTreeSet<_> =
        joined.images.iter().map(|image| image.manifest.annotations.get(TREE_KEY)).collect();
    if let (1, Some(Some(tree))) = (trees.len(), trees.first()) {
        annotations.insert(TREE_KEY.into(), (*tree).clone());
    }
    let manifests = joined.images.iter().map(|image| image.descriptor.clone()).collect();
    let index = json::canonical(&Index::new(manifests, annotations))?;
    let blob = Written::add(&mut joined.blobs, index);
    joined.root = Descriptor::new(media_type::INDEX, blob);
    Ok(joined)
}
