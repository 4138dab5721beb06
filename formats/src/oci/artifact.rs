//! Files that are no images, as a registry keeps them (image-spec 1.1, manifest.md, "Guidelines for
//! Artifact Usage").
//!
//! ```text
//! image manifest ── artifactType: what it is
//!   ├─► config: {} (application/vnd.oci.empty.v1+json)
//!   ├─► layer: a file ── org.opencontainers.image.title: its name
//!   ├─► ...
//!   └─► subject: the manifest that it belongs to
//! ```
//!
//! `oras pull` writes each layer to a file of its title. Several artifacts are listed by an index,
//! which has a type and a subject too.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::descriptor::{Descriptor, OtherFields, StringMap, fault_in_key, media_type};
use super::index::Index;
use super::json::{self, Document};
use super::manifest::{MAX_LAYERS, Manifest, refuse_schema_1};
use super::model::{fail_if, field_error};
use super::reader::within;
use crate::blob::Blob;
use crate::format::{ReadError, WriteError};

/// The annotation with a file's name.
pub const TITLE_KEY: &str = "org.opencontainers.image.title";
/// The media type of a blob that is `{}`, where a descriptor must stand and nothing is to be said.
pub const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
/// That blob's bytes.
pub const EMPTY: &[u8] = b"{}";
const MANIFEST: &str = "artifact manifest";
const TYPE_FIELD: &str = "artifactType";
const SUBJECT_FIELD: &str = "subject";

/// Files under one name in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// What it is: a media type, e.g. `application/vnd.debian.binary-package`.
    pub artifact_type: String,
    /// The files, in order.
    pub files: Vec<ArtifactFile>,
    /// The manifest or index that the artifact belongs to, which need not be in the registry.
    pub subject: Option<Descriptor>,
    /// Annotations of the manifest.
    pub annotations: StringMap,
}

/// One file of an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactFile {
    /// The file's name; empty if it has none.
    pub title: String,
    /// The media type of its bytes.
    pub media_type: String,
    /// Digest and size of its bytes.
    pub blob: Blob,
    /// Annotations of the file besides its title.
    pub annotations: StringMap,
}

/// A document with the descriptor that leads to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// How an index or a referrer list names it, with type and annotations.
    pub descriptor: Descriptor,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Returns the descriptor of the empty blob.
pub fn empty() -> Descriptor {
    Descriptor::new(EMPTY_TYPE, Blob::of(EMPTY))
}

impl ArtifactFile {
    /// Returns how a manifest lists the file.
    pub fn descriptor(&self) -> Descriptor {
        let mut descriptor = Descriptor::new(self.media_type.clone(), self.blob);
        descriptor.annotations.clone_from(&self.annotations);
        if !self.title.is_empty() {
            descriptor.annotations.insert(TITLE_KEY.into(), self.title.clone());
        }
        descriptor
    }

    fn of(layer: &Descriptor) -> Self {
        let mut annotations = layer.annotations.clone();
        let title = annotations.remove(TITLE_KEY).unwrap_or_default();
        Self { title, media_type: layer.media_type.clone(), blob: layer.blob(), annotations }
    }
}

impl Artifact {
    /// Returns the manifest. Its blobs are the files' and the empty one, [`EMPTY`].
    pub fn manifest(&self) -> Result<Described, WriteError> {
        self.check()?;
        let mut layers: Vec<_> = self.files.iter().map(ArtifactFile::descriptor).collect();
        if layers.is_empty() {
            layers.push(empty());
        }
        let mut manifest = Manifest::new(empty(), layers, self.annotations.clone());
        manifest.other = further(&self.artifact_type, self.subject.as_ref())?;
        let bytes = json::canonical(&manifest)?;
        Ok(described(media_type::MANIFEST, bytes, &self.artifact_type, &self.annotations))
    }

    /// Parses the manifest of an artifact, whoever wrote it.
    ///
    /// Its type is `artifactType`, or the media type of its configuration as before image-spec 1.1.
    /// Files' names are checked: each is one plain name, and no two are the same.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReadError> {
        within(MANIFEST, bytes.len() as u64, Manifest::LIMIT)?;
        refuse_schema_1(MANIFEST, bytes)?;
        json::read::<oci_spec::image::ImageManifest>(MANIFEST, bytes)?;
        let manifest: Manifest = json::read(MANIFEST, bytes)?;
        let invalid = |reason: String| ReadError::invalid(MANIFEST, reason);
        if manifest.media_type.as_deref().is_some_and(|found| found != media_type::MANIFEST) {
            let found = manifest.media_type.unwrap_or_default();
            return Err(invalid(format!(
                "expected the media type of an image manifest, found `{}`",
                found.escape_debug()
            )));
        }
        if manifest.layers.len() > MAX_LAYERS {
            let found = manifest.layers.len();
            return Err(invalid(format!("expected at most {MAX_LAYERS} files, found {found}")));
        }
        let Fields { artifact_type, subject } = Fields::of(&manifest.other)?;
        let artifact_type = artifact_type.unwrap_or_else(|| manifest.config.media_type.clone());
        let files = manifest.layers.iter().filter(|layer| layer.media_type != EMPTY_TYPE);
        let files: Vec<_> = files.map(ArtifactFile::of).collect();
        let artifact = Self { artifact_type, files, subject, annotations: manifest.annotations };
        match artifact.fault_in_titles() {
            Some((fault, title)) => {
                Err(invalid(format!("{fault}, found `{}`", title.escape_debug())))
            }
            None => Ok(artifact),
        }
    }

    fn check(&self) -> Result<(), WriteError> {
        check_type(&self.artifact_type)?;
        check_annotations(&self.annotations)?;
        for file in &self.files {
            check_annotations(&file.annotations)?;
            let is_empty = file.media_type == EMPTY_TYPE;
            let fault = is_empty.then_some("expected another type than that of nothing");
            let fault = fault_in_media_type(&file.media_type).or(fault);
            fail_if("mediaType", fault, &file.media_type)?;
            let fault = file.annotations.contains_key(TITLE_KEY).then_some("it is the title");
            fail_if("annotations", fault, TITLE_KEY)?;
        }
        match self.fault_in_titles() {
            Some((fault, title)) => Err(field_error(TITLE_KEY, fault, title)),
            None => Ok(()),
        }
    }

    /// Says what is wrong with a file's name, so that none is written outside a folder or twice.
    fn fault_in_titles(&self) -> Option<(&'static str, &str)> {
        let mut seen = BTreeSet::new();
        let titles = self.files.iter().map(|file| file.title.as_str());
        titles.filter(|title| !title.is_empty()).find_map(|title| {
            let is_plain = !matches!(title, "." | "..")
                && title.len() <= 255
                && !title.contains(|c: char| c == '/' || c == '\\' || c.is_control());
            if !is_plain {
                Some(("expected a title that is one plain file name", title))
            } else if !seen.insert(title) {
                Some(("expected each title once", title))
            } else {
                None
            }
        })
    }
}

/// Several manifests as one thing, e.g. a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactIndex {
    /// What it is: a media type.
    pub artifact_type: String,
    /// The manifests, in order.
    pub manifests: Vec<Descriptor>,
    /// The manifest or index that all of it belongs to.
    pub subject: Option<Descriptor>,
    /// Annotations of the index.
    pub annotations: StringMap,
}

impl ArtifactIndex {
    /// Returns the index.
    pub fn index(&self) -> Result<Described, WriteError> {
        check_type(&self.artifact_type)?;
        check_annotations(&self.annotations)?;
        let mut index = Index::new(self.manifests.clone(), self.annotations.clone());
        index.other = further(&self.artifact_type, self.subject.as_ref())?;
        let bytes = json::canonical(&index)?;
        Ok(described(media_type::INDEX, bytes, &self.artifact_type, &self.annotations))
    }

    /// Parses an index that says what it is; `None` if it says nothing, as those of images.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, ReadError> {
        within(Index::WHAT, bytes.len() as u64, Index::LIMIT)?;
        let index = Index::parse(bytes)?;
        let Fields { artifact_type, subject } = Fields::of(&index.other)?;
        let Index { manifests, annotations, .. } = index;
        let artifact_type = artifact_type.filter(|found| !found.is_empty());
        Ok(artifact_type.map(|artifact_type| Self {
            artifact_type,
            manifests,
            subject,
            annotations,
        }))
    }
}

/// Fields of a manifest or an index that say what it is and belongs to.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    artifact_type: Option<String>,
    subject: Option<Descriptor>,
}

impl Fields {
    fn of(other: &OtherFields) -> Result<Self, ReadError> {
        let wanted =
            other.iter().filter(|(name, _)| [TYPE_FIELD, SUBJECT_FIELD].contains(&&***name));
        let fields = wanted.map(|(name, value)| (name.clone(), value.clone())).collect();
        serde_json::from_value(Value::Object(fields))
            .map_err(|error| ReadError::invalid("artifactType or subject", error.to_string()))
    }
}

fn further(artifact_type: &str, subject: Option<&Descriptor>) -> Result<OtherFields, WriteError> {
    let mut other = OtherFields::from([(TYPE_FIELD.to_owned(), artifact_type.into())]);
    if let Some(subject) = subject {
        // The specification allows media type, digest and size; the rest is the subject's own.
        let subject = Descriptor::new(subject.media_type.clone(), subject.blob());
        let subject = serde_json::to_value(&subject).map_err(std::io::Error::from)?;
        other.insert(SUBJECT_FIELD.into(), subject);
    }
    Ok(other)
}

fn described(
    media_type: &str,
    bytes: Vec<u8>,
    artifact_type: &str,
    annotations: &StringMap,
) -> Described {
    let mut descriptor = Descriptor::new(media_type, Blob::of(&bytes));
    descriptor.annotations.clone_from(annotations);
    descriptor.other.insert(TYPE_FIELD.into(), artifact_type.into());
    Described { descriptor, bytes }
}

fn check_type(text: &str) -> Result<(), WriteError> {
    fail_if(TYPE_FIELD, fault_in_media_type(text), text)
}

fn check_annotations(annotations: &StringMap) -> Result<(), WriteError> {
    annotations.keys().try_for_each(|key| fail_if("annotations", fault_in_key(key), key))
}

/// Says why text is no media type (RFC 6838, section 4.2); `None` if it is one.
fn fault_in_media_type(text: &str) -> Option<&'static str> {
    let is_name = |name: &str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "!#$&-^_.+".contains(c);
        name.len() <= 127
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(is_plain)
    };
    let is_valid = text.split_once('/').is_some_and(|(kind, name)| is_name(kind) && is_name(name));
    (!is_valid).then_some("expected a media type, e.g. application/vnd.example.thing")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact() -> Artifact {
        let file = |title: &str| ArtifactFile {
            title: title.into(),
            media_type: "application/vnd.debian.binary-package".into(),
            blob: Blob::of(title.as_bytes()),
            annotations: StringMap::from([("a.b".to_owned(), "c".to_owned())]),
        };
        let mut subject = Descriptor::new(media_type::INDEX, Blob::of(b"image"));
        subject.annotations.insert("not".into(), "copied".into());
        Artifact {
            artifact_type: "application/vnd.debian.binary-package".into(),
            files: vec![file("hello_1.0_amd64.deb"), file("hello_1.0_amd64.changes")],
            subject: Some(subject),
            annotations: StringMap::from([("x.y".to_owned(), "z".to_owned())]),
        }
    }

    #[test]
    fn a_manifest_says_what_the_specification_asks_for() {
        let Described { descriptor, bytes } = artifact().manifest().unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        let empty = r#""config":{"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","mediaType":"application/vnd.oci.empty.v1+json","size":2}"#;
        assert!(text.contains(empty), "{text}");
        assert!(text.contains(r#""org.opencontainers.image.title":"hello_1.0_amd64.deb""#));
        assert!(!text.contains("copied"), "{text}");
        assert_eq!(descriptor.digest, Blob::of(&bytes).digest);
        assert_eq!(descriptor.other["artifactType"], "application/vnd.debian.binary-package");
        assert_eq!(descriptor.annotations, artifact().annotations);
        let strict: oci_spec::image::ImageManifest = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(strict.artifact_type().as_ref().unwrap().to_string(), artifact().artifact_type);
        assert!(strict.subject().is_some());
    }

    #[test]
    fn reading_undoes_writing() {
        let mut expected = artifact();
        expected.subject.as_mut().unwrap().annotations.clear();
        let bytes = artifact().manifest().unwrap().bytes;
        assert_eq!(Artifact::parse(&bytes).unwrap(), expected);
        let nothing = Artifact { files: Vec::new(), subject: None, ..artifact() };
        assert_eq!(Artifact::parse(&nothing.manifest().unwrap().bytes).unwrap(), nothing);
        let index = ArtifactIndex {
            artifact_type: "application/vnd.bake.release.v1".into(),
            manifests: vec![artifact().manifest().unwrap().descriptor],
            subject: expected.subject,
            annotations: StringMap::new(),
        };
        let written = index.index().unwrap();
        assert_eq!(ArtifactIndex::parse(&written.bytes).unwrap(), Some(index));
        let plain = json::canonical(&Index::new(Vec::new(), StringMap::new())).unwrap();
        assert_eq!(ArtifactIndex::parse(&plain).unwrap(), None);
    }

    #[test]
    fn reads_artifacts_from_before_there_was_a_type() {
        let text = format!(
            r#"{{"schemaVersion":2,"config":{{"mediaType":"application/vnd.old.config","digest":"{}","size":2}},"layers":[]}}"#,
            empty().digest
        );
        let found = Artifact::parse(text.as_bytes()).unwrap();
        assert_eq!(found.artifact_type, "application/vnd.old.config");
        assert_eq!(found.files, []);
    }

    #[test]
    fn rejects_titles_that_are_no_file_names_and_types_that_are_none() {
        for title in ["../x", "/etc/passwd", "a/b", "..", ".", "a\nb", "a\\b", &"a".repeat(256)] {
            let mut artifact = artifact();
            artifact.files[0].title = title.into();
            assert!(artifact.manifest().is_err(), "{title}");
            let descriptor = artifact.files[0].descriptor();
            let manifest = Manifest::new(empty(), vec![descriptor], StringMap::new());
            let error = Artifact::parse(&json::canonical(&manifest).unwrap()).unwrap_err();
            assert!(error.to_string().contains("one plain file name"), "{title}: {error}");
        }
        let mut twice = artifact();
        twice.files[1] = twice.files[0].clone();
        assert!(twice.manifest().unwrap_err().to_string().contains("each title once"));
        for text in ["", "x", "a/", "/b", "a/b c", "a/b/c", "a/ä"] {
            let artifact = Artifact { artifact_type: text.into(), ..artifact() };
            let error = artifact.manifest().unwrap_err().to_string();
            assert!(error.contains("expected a media type"), "{text}: {error}");
        }
    }
}
