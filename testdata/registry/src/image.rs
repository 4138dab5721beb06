//! A small image that every client can push: a configuration and two layers.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use bake_formats::digest::{Digest, Hasher, hex};
use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};

use crate::server::TestRegistry;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// How long the content of the larger layer is; it does not compress.
const LARGE: usize = 300_000;

/// An image: its manifest, and its blobs by their digests.
#[derive(Debug, Clone)]
pub struct Image {
    /// The manifest.
    pub manifest: Vec<u8>,
    /// The configuration and the layers.
    pub blobs: BTreeMap<Digest, Vec<u8>>,
}

impl Image {
    /// Makes an image of a version. Versions differ in the smaller layer and the configuration.
    pub fn sample(version: &str) -> io::Result<Self> {
        let layers =
            [layer("large", &noise(LARGE))?, layer("version", format!("{version}\n").as_bytes())?];
        let diffs: Vec<String> = layers.iter().map(|layer| layer.diff.to_string()).collect();
        let config = json!({
            "architecture": "amd64", "os": "linux", "config": {},
            "rootfs": { "type": "layers", "diff_ids": diffs },
        });
        let config = config.to_string().into_bytes();
        let descriptor = |media: &str, bytes: &[u8]| -> Value {
            json!({ "mediaType": media, "digest": Digest::of(bytes).to_string(), "size": bytes.len() })
        };
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": descriptor(CONFIG, &config),
            "layers": layers.iter().map(|layer| descriptor(LAYER, &layer.bytes)).collect::<Vec<_>>(),
        });
        let blobs = layers.into_iter().map(|layer| layer.bytes).chain([config]);
        let blobs = blobs.map(|bytes| (Digest::of(&bytes), bytes)).collect();
        Ok(Self { manifest: manifest.to_string().into_bytes(), blobs })
    }

    /// Returns the digest of the manifest.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.manifest)
    }

    /// Writes it as a layout (image-spec, image-layout.md) with a tag.
    pub fn write(&self, layout: &Path, tag: &str) -> io::Result<()> {
        let folder = layout.join("blobs/sha256");
        fs_err::create_dir_all(&folder)?;
        for (digest, bytes) in &self.blobs {
            fs_err::write(folder.join(digest.hex()), bytes)?;
        }
        fs_err::write(folder.join(self.digest().hex()), &self.manifest)?;
        let descriptor = json!({
            "mediaType": MANIFEST, "digest": self.digest().to_string(), "size": self.manifest.len(),
            "annotations": { "org.opencontainers.image.ref.name": tag },
        });
        let index = json!({ "schemaVersion": 2, "manifests": [descriptor] });
        fs_err::write(layout.join("index.json"), index.to_string())?;
        fs_err::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)
    }

    /// Returns what is attached to the image: a manifest of the empty blob, about the image.
    pub fn attached(&self) -> Self {
        let empty = b"{}".to_vec();
        let blob = json!({
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": Digest::of(&empty).to_string(), "size": empty.len(),
        });
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/x.test",
            "config": blob, "layers": [blob],
            "subject": {
                "mediaType": MANIFEST, "digest": self.digest().to_string(),
                "size": self.manifest.len(),
            },
        });
        let blobs = BTreeMap::from([(Digest::of(&empty), empty)]);
        Self { manifest: manifest.to_string().into_bytes(), blobs }
    }

    /// Puts it into a registry, with a tag.
    pub fn put(&self, registry: &TestRegistry, repository: &str, tag: &str) {
        self.place(registry, repository, Some(tag));
    }

    /// Puts it into a registry, without a tag.
    pub fn put_untagged(&self, registry: &TestRegistry, repository: &str) {
        self.place(registry, repository, None);
    }

    fn place(&self, registry: &TestRegistry, repository: &str, tag: Option<&str>) {
        for bytes in self.blobs.values() {
            registry.put_blob(repository, bytes);
        }
        registry.put_manifest(repository, tag, MANIFEST, &self.manifest);
    }
}

struct Layer {
    bytes: Vec<u8>,
    /// The digest of the archive before compression.
    diff: Digest,
}

fn layer(name: &str, contents: &[u8]) -> io::Result<Layer> {
    let mut header = tar::Header::new_ustar();
    header.set_size(contents.len() as u64);
    header.set_mode(0o644);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, name, contents)?;
    let archive = archive.into_inner()?;
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::fast());
    encoder.write_all(&archive)?;
    Ok(Layer { bytes: encoder.finish()?, diff: Digest::of(&archive) })
}

/// Returns text that does not compress to nothing and is the same every time.
fn noise(length: usize) -> Vec<u8> {
    let mut text = Vec::with_capacity(length + 64);
    let mut count = 0_u64;
    while text.len() < length {
        let mut hasher = Hasher::new();
        hasher.update(&count.to_le_bytes());
        text.extend_from_slice(hex(hasher.digest().as_bytes()).as_bytes());
        count += 1;
    }
    text.truncate(length);
    text
}
