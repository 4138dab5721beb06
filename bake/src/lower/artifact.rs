//! From products to the artifact that holds them: one each, but several images in one layout.

use bake_formats::digest::Digest;
use bake_formats::format::{Artifact, Format, WriteCx, WriteError};
use bake_formats::oci;
use bake_formats::oci::descriptor::StringMap;
use bake_formats::tree::FileTree;
use serde::Serialize;

use super::{Kind, Product};
use crate::store::ImageDigest;

/// How images become one image index.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Joining {
    /// Annotations of the index.
    pub annotations: StringMap,
}

/// An artifact, described.
#[derive(Debug)]
pub struct Described {
    /// The files.
    pub artifact: Artifact,
    /// The identity if that is not the one file's digest: of a layout the digest of what its
    /// `index.json` leads to.
    pub identity: Option<Digest>,
    /// The images in it, in the order of their index.
    pub images: Vec<ImageDigest>,
}

/// Describes the bytes of the artifact that holds some products of one kind.
///
/// Several are images for different platforms; `joining` says how they, or a single one that is to
/// have an index nevertheless, are joined.
pub fn write(
    parts: &[(&Product, &FileTree)],
    joining: Option<&Joining>,
    cx: &WriteCx<'_>,
) -> Result<Described, WriteError> {
    let kind = match parts {
        [(product, tree)] if !product.kind().is_image() => {
            let artifact = product.write(tree, cx)?;
            return Ok(Described { artifact, identity: None, images: Vec::new() });
        }
        [(product, _), ..] => product.kind(),
        [] => return Err(unjoinable("nothing")),
    };
    let mut images = Vec::new();
    for (product, tree) in parts {
        let image = product.image().ok_or_else(|| unjoinable(product.kind().name()))?;
        images.push(oci::write(image, tree, cx)?);
    }
    let written = match (joining, images.len()) {
        (None, 1) => images.remove(0),
        (joining, _) => oci::join(images, joining.cloned().unwrap_or_default().annotations)?,
    };
    let artifact = match kind {
        Kind::OciArchive => oci::archive::artifact(&written, cx)?,
        _ => oci::layout::artifact(&written)?,
    };
    let images = written.images.iter().map(|image| ImageDigest {
        platform: image.descriptor.platform.as_ref().map(ToString::to_string).unwrap_or_default(),
        digest: image.descriptor.digest,
    });
    let images = images.collect();
    let identity = (kind == Kind::OciLayout).then_some(written.root.digest);
    Ok(Described { artifact, identity, images })
}

fn unjoinable(found: &str) -> WriteError {
    WriteError::Field {
        format: oci::Layout::NAME,
        field: "manifests".into(),
        reason: format!("expected images, found {found}"),
    }
}
