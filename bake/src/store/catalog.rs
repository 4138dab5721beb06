//! `index.json`: the releases in the store, as OCI artifacts that any OCI tool can list.

use std::collections::BTreeMap;
use std::io;

use bake_formats::blob::{Blob, BlobStore};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Store;

pub(super) const EMPTY: &[u8] =
    br#"{"manifests":[],"mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2}"#;
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const RELEASE: &str = "application/vnd.bake.release.v1+json";
const ROPE: &str = "application/vnd.bake.rope.v1";
const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// More than any store has; `index.json` is rewritten whole.
const INDEX_LIMIT: u64 = 64 << 20;

/// `index.json` with what this program does not know kept as it is.
#[derive(Debug, Serialize, Deserialize)]
struct Index {
    manifests: Vec<Value>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

impl Store {
    /// Lists a release in `index.json` under a name, in place of one of the same name.
    pub fn list_release(&self, name: &str, release: &[u8], ropes: &[Blob]) -> io::Result<()> {
        let manifest = self.put_manifest(release, ropes)?;
        let entry = json!({
            "mediaType": MANIFEST,
            "artifactType": RELEASE,
            "digest": manifest.digest,
            "size": manifest.size,
            "annotations": { REF_NAME: name },
        });
        let lock = fs_err::File::create(self.root.join("index.lock"))?;
        rustix::fs::flock(lock.file(), rustix::fs::FlockOperation::LockExclusive)?;
        let mut index = self.index()?;
        if index.manifests.contains(&entry) {
            return Ok(());
        }
        index.manifests.retain(|old| old["annotations"][REF_NAME] != name);
        index.manifests.push(entry);
        self.write_file(&self.root.join("index.json"), &serde_json::to_vec(&index)?)
    }

    /// Drops entries whose manifest is gone.
    pub(super) fn prune_releases(&self) -> io::Result<()> {
        let mut index = self.index()?;
        let before = index.manifests.len();
        index.manifests.retain(|entry| {
            let blob = serde_json::from_value::<Blob>(
                json!({ "digest": entry["digest"], "size": entry["size"] }),
            );
            blob.is_ok_and(|blob| self.has(&blob))
        });
        if index.manifests.len() == before {
            return Ok(());
        }
        self.write_file(&self.root.join("index.json"), &serde_json::to_vec(&index)?)
    }

    /// Returns the manifests that are listed, by name.
    pub fn releases(&self) -> io::Result<Vec<(String, Blob)>> {
        let index = self.index()?;
        let parse = |entry: &Value| {
            let name = entry["annotations"][REF_NAME].as_str()?.to_owned();
            let blob = json!({ "digest": entry["digest"], "size": entry["size"] });
            Some((name, serde_json::from_value(blob).ok()?))
        };
        Ok(index.manifests.iter().filter_map(parse).collect())
    }

    /// Returns the blobs that a listed manifest names.
    pub(super) fn manifest_blobs(&self, manifest: &Blob) -> io::Result<Vec<Blob>> {
        let value: Value = serde_json::from_slice(&self.read(manifest, INDEX_LIMIT)?)?;
        let layers = value["layers"].as_array().cloned().unwrap_or_default();
        let blob = |entry: &Value| {
            let blob = json!({ "digest": entry["digest"], "size": entry["size"] });
            Ok(serde_json::from_value(blob)?)
        };
        layers.iter().chain([&value["config"]]).map(blob).collect()
    }

    fn put_manifest(&self, release: &[u8], ropes: &[Blob]) -> io::Result<Blob> {
        let config = self.put(b"{}")?;
        let release = self.put(release)?;
        let layer = |kind: &str, blob: &Blob| json!({ "mediaType": kind, "digest": blob.digest, "size": blob.size });
        let mut layers = vec![layer(RELEASE, &release)];
        layers.extend(ropes.iter().map(|rope| layer(ROPE, rope)));
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": RELEASE,
            "config": layer("application/vnd.oci.empty.v1+json", &config),
            "layers": layers,
        });
        self.put(&serde_json::to_vec(&manifest)?)
    }

    fn index(&self) -> io::Result<Index> {
        let path = self.root.join("index.json");
        let bytes = fs_err::read(&path)?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let message = format!("`{}` is not an OCI index: {error}", path.display());
            io::Error::new(io::ErrorKind::InvalidData, message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_replaces_the_one_of_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let rope = store.put(b"rope").unwrap();
        store.list_release("app-1", b"{\"a\":1}", &[rope]).unwrap();
        store.list_release("app-2", b"{\"a\":2}", &[rope]).unwrap();
        store.list_release("app-1", b"{\"a\":3}", &[rope]).unwrap();
        let names: Vec<_> = store.releases().unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["app-2", "app-1"]);
        let (_, manifest) = store.releases().unwrap()[1].clone();
        let blobs = store.manifest_blobs(&manifest).unwrap();
        assert_eq!(blobs.len(), 3);
        assert!(blobs.contains(&rope) && blobs.iter().all(|blob| store.has(blob)));
    }
}
