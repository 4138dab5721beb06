//! Files of a release as artifacts: packages, disks, `release.json`.

use std::path::Path;

use bake_formats::blob::Blob;
use bake_formats::digest::Digest;
use bake_formats::oci::artifact::{Described, EMPTY};
use bake_formats::oci::descriptor::StringMap;
use bake_formats::oci::{Artifact, ArtifactFile, Descriptor, Platform, TREE_KEY};

use super::listing::{DOCUMENT, Listed};
use super::origin::FilesOrigin;
use super::refuse;
use crate::error::Error;
use crate::lower::Kind;

/// What the artifact with `release.json` says it is.
pub(super) const DOCUMENT_TYPE: &str = "application/vnd.bake.release.document.v1+json";
/// The annotation with the name of an output's format, as `--only` has it.
pub(super) const FORMAT_KEY: &str = "dev.bake.format";

/// Returns the media type of a file of a format: the registered or usual one where there is one.
/// Images have none: they are no artifacts.
pub(super) fn media_type(kind: Kind) -> Option<&'static str> {
    match kind {
        Kind::Deb => Some("application/vnd.debian.binary-package"),
        Kind::Rpm => Some("application/x-rpm"),
        Kind::Raw => Some("application/vnd.bake.disk.raw"),
        Kind::Qcow2 => Some("application/vnd.bake.disk.qcow2"),
        Kind::Overlay => Some("application/vnd.bake.disk.overlay.qcow2"),
        Kind::Vmdk => Some("application/vnd.bake.disk.vmdk"),
        Kind::Vhd => Some("application/vnd.bake.disk.vhd"),
        Kind::DynamicVhd => Some("application/vnd.bake.disk.dynamic.vhd"),
        Kind::Vhdx => Some("application/vnd.bake.disk.vhdx"),
        Kind::Ova => Some("application/ovf"),
        Kind::LibvirtBox => Some("application/vnd.bake.disk.vagrant.libvirt"),
        Kind::VirtualBoxBox => Some("application/vnd.bake.disk.vagrant.virtualbox"),
        Kind::Gce => Some("application/vnd.bake.disk.gce.tar+gzip"),
        Kind::Cpio => Some("application/vnd.bake.initramfs.cpio"),
        Kind::Sysext => Some("application/vnd.bake.sysext.raw"),
        Kind::Direct | Kind::OciLayout | Kind::OciArchive => None,
    }
}

/// A file that is no image.
pub(super) struct Output {
    pub(super) title: String,
    pub(super) format: &'static str,
    pub(super) media_type: &'static str,
    pub(super) blob: Blob,
    pub(super) tree: Option<String>,
    pub(super) platform: Option<Platform>,
}

impl Output {
    /// Takes a file as the release lists it; its bytes are compared when they are sent.
    pub(super) fn of(
        listed: &Listed,
        kind: Kind,
        media_type: &'static str,
        path: &Path,
    ) -> Result<Self, Error> {
        let len = fs_err::metadata(path)?.len();
        if len != listed.size {
            let reason = format!("expected {} bytes as {DOCUMENT} says, found {len}", listed.size);
            let hint = "bake again: somebody changed the output after it was made".to_owned();
            return Err(refuse(format!("`{}`", path.display()), reason, Some(hint)));
        }
        Ok(Self {
            title: listed.path.clone(),
            format: kind.name(),
            media_type,
            blob: Blob { digest: listed.digest, size: listed.size },
            tree: listed.tree.clone(),
            platform: platform_of(kind, &listed.path, &listed.platform),
        })
    }

    /// Makes the manifest and returns how an index lists it.
    pub(super) fn artifact(
        &self,
        annotations: &StringMap,
        origin: &mut FilesOrigin,
    ) -> Result<Descriptor, Error> {
        let mut annotations = annotations.clone();
        annotations.insert(FORMAT_KEY.to_owned(), self.format.to_owned());
        if let Some(tree) = &self.tree {
            annotations.insert(TREE_KEY.to_owned(), tree.clone());
        }
        let file = ArtifactFile {
            title: self.title.clone(),
            media_type: self.media_type.to_owned(),
            blob: self.blob,
            annotations: StringMap::new(),
        };
        let artifact = Artifact {
            artifact_type: self.media_type.to_owned(),
            files: vec![file],
            subject: None,
            annotations,
        };
        let mut described = keep(artifact.manifest().map_err(unwritable)?, origin);
        described.platform.clone_from(&self.platform);
        Ok(described)
    }
}

/// Makes the artifact that holds `release.json`, so that it comes back with the others.
pub(super) fn document_artifact(
    document: Vec<u8>,
    annotations: &StringMap,
    origin: &mut FilesOrigin,
) -> Result<Descriptor, Error> {
    let blob = Blob::of(&document);
    origin.documents.insert(blob.digest, document);
    let file = ArtifactFile {
        title: DOCUMENT.to_owned(),
        media_type: DOCUMENT_TYPE.to_owned(),
        blob,
        annotations: StringMap::new(),
    };
    let artifact = Artifact {
        artifact_type: DOCUMENT_TYPE.to_owned(),
        files: vec![file],
        subject: None,
        annotations: annotations.clone(),
    };
    Ok(keep(artifact.manifest().map_err(unwritable)?, origin))
}

/// Keeps a document that was made, with the blob that every artifact's configuration is.
pub(super) fn keep(described: Described, origin: &mut FilesOrigin) -> Descriptor {
    let Described { descriptor, bytes } = described;
    origin.documents.insert(descriptor.digest, bytes);
    origin.documents.insert(Digest::of(EMPTY), EMPTY.to_vec());
    descriptor
}

pub(super) fn unwritable(source: bake_formats::format::WriteError) -> Error {
    Error::Write { format: "artifact", source }
}

/// Returns what an output runs on; absent if that is everything. Packages for all architectures,
/// whose names end so, are listed with the platform that they were made from.
pub(super) fn platform_of(kind: Kind, path: &str, listed: &str) -> Option<Platform> {
    let is_for_all = match kind {
        Kind::Deb => path.ends_with("_all.deb"),
        Kind::Rpm => path.ends_with(".noarch.rpm"),
        _ => false,
    };
    if is_for_all { None } else { platform(listed) }
}

/// Reads `linux/amd64` or `linux/arm/v7`; several platforms are none.
fn platform(text: &str) -> Option<Platform> {
    let mut parts = text.split('/');
    let (os, architecture) = (parts.next()?, parts.next()?);
    let variant = parts.next().map(str::to_owned);
    let is_one = parts.next().is_none() && !text.contains(',');
    is_one.then(|| Platform { variant, ..Platform::new(os, architecture) })
}
