//! Opens what bake wrote or pushed with ocipkg, and pushes something for bake to pull.
//!
//! `ocipkg-reader show SOURCE` prints, of an image or artifact in a layout, an archive or a registry, one line each for
//! the artifact type, the configuration and every layer, with its digest, size, media type and title, once the bytes
//! were found to have that digest and size. ocipkg itself compares them only when it copies.
//!
//! `ocipkg-reader files SOURCE` prints the paths in the layers of an image.
//!
//! `ocipkg-reader copy SOURCE FOLDER` copies it into a layout, blob by blob.
//!
//! `ocipkg-reader push NAME TYPE FILE` pushes an artifact of one file.
//!
//! `ocipkg-reader package ARCHIVE NAME FILE` writes an artifact of ocipkg's own kind and pushes it.
//!
//! `ocipkg-reader tags NAME` prints the tags of a repository.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{bail, ensure, Context, Result};
use ocipkg::distribution::{push_image, Client, MediaType};
use ocipkg::image::{self, Artifact, Builder, Image, OciArtifactBuilder, OciDirBuilder, RemoteBuilder};
use ocipkg::oci_spec::image::Descriptor;
use ocipkg::ImageName;
use sha2::{Digest, Sha256};

const TITLE: &str = "org.opencontainers.image.title";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["show", source] => show(source),
        ["files", source] => files(source),
        ["copy", source, folder] => copy(source, folder.into()),
        ["push", name, kind, file] => push(name, kind, file.as_ref()),
        ["package", archive, name, file] => package(archive.as_ref(), name, file.as_ref()),
        ["tags", name] => tags(name),
        _ => bail!("usage: ocipkg-reader show|files|copy|push|package|tags ..."),
    }
}

fn show(source: &str) -> Result<()> {
    let mut found = image::read(source)?;
    let manifest = found.get_manifest()?;
    let mut output = std::io::stdout().lock();
    if let Some(kind) = manifest.artifact_type() {
        writeln!(output, "type {kind}")?;
    }
    for descriptor in std::iter::once(manifest.config()).chain(manifest.layers()) {
        expect_blob(descriptor, &found.get_blob(descriptor.digest())?)?;
        let title = descriptor.annotations().as_ref().and_then(|all| all.get(TITLE));
        let title = title.map(|title| format!(" {title}")).unwrap_or_default();
        writeln!(output, "{} {} {}{title}", descriptor.digest(), descriptor.size(), descriptor.media_type())?;
    }
    Ok(())
}

fn expect_blob(descriptor: &Descriptor, bytes: &[u8]) -> Result<()> {
    let found: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let expected = descriptor.digest();
    ensure!(expected.to_string() == format!("sha256:{found}"), "expected {expected}, found sha256:{found}");
    ensure!(descriptor.size() == bytes.len() as u64, "{expected}: expected {} bytes", descriptor.size());
    Ok(())
}

fn files(source: &str) -> Result<()> {
    let paths = if Path::new(source).is_dir() {
        Artifact::from_oci_dir(source.as_ref())?.files()?
    } else if Path::new(source).is_file() {
        Artifact::from_oci_archive(source.as_ref())?.files()?
    } else {
        Artifact::from_remote(ImageName::parse(source)?)?.files()?
    };
    let mut output = std::io::stdout().lock();
    for path in paths {
        writeln!(output, "{}", path.display())?;
    }
    Ok(())
}

fn copy(source: &str, folder: PathBuf) -> Result<()> {
    let mut found = image::read(source)?;
    let name = found.get_name()?;
    let mut boxed = Boxed(found);
    image::copy(&mut boxed, OciDirBuilder::new(folder, name)?)?;
    Ok(())
}

/// What `read` returns, as what `copy` takes.
struct Boxed(Box<dyn Image>);

impl Image for Boxed {
    fn get_name(&mut self) -> Result<ImageName> {
        self.0.get_name()
    }

    fn get_blob(&mut self, digest: &ocipkg::Digest) -> Result<Vec<u8>> {
        self.0.get_blob(digest)
    }

    fn get_manifest(&mut self) -> Result<ocipkg::oci_spec::image::ImageManifest> {
        self.0.get_manifest()
    }
}

fn push(name: &str, kind: &str, file: &Path) -> Result<()> {
    let kind = MediaType::Other(kind.into());
    let title = file.file_name().and_then(|name| name.to_str()).context("expected the name of a file")?;
    let remote = RemoteBuilder::new(ImageName::parse(name)?)?;
    let mut artifact = OciArtifactBuilder::new(remote, kind.clone())?;
    artifact.add_layer(kind, &std::fs::read(file)?, HashMap::from([(TITLE.into(), title.into())]))?;
    artifact.build()?;
    Ok(())
}

fn package(archive: &Path, name: &str, file: &Path) -> Result<()> {
    let mut builder = Builder::new(archive.into(), ImageName::parse(name)?)?;
    builder.append_files(&[file])?;
    builder.build()?;
    push_image(archive)
}

fn tags(name: &str) -> Result<()> {
    let mut tags = Client::from_image_name(&ImageName::parse(name)?)?.get_tags()?;
    tags.sort_unstable();
    let mut output = std::io::stdout().lock();
    for tag in tags {
        writeln!(output, "{tag}")?;
    }
    Ok(())
}
