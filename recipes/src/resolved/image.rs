//! What an OCI image needs besides the files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bake_formats::encode::Compression;
use bake_formats::oci::Reference;
use bake_formats::tree::TreePath;

use super::service::Port;
use crate::error::Place;
use crate::platform::Platform;

/// An OCI image.
#[derive(Debug, Clone, PartialEq)]
pub struct Oci {
    /// What the image is built on.
    pub base: Base,
    /// The platforms of the image index, in the order written; the recipe's own is among them.
    pub platforms: Vec<Platform>,
    /// Whether there is an index even for one platform.
    pub index: bool,
    /// Where `bake push` pushes to unless it is told otherwise; without tag and digest.
    pub repository: Option<Reference>,
    /// Tags besides the version's that `bake push` sets, in the order written, each once.
    pub tags: Vec<String>,
    /// `Entrypoint`.
    pub entrypoint: Vec<String>,
    /// `Cmd`.
    pub cmd: Vec<String>,
    /// `Env`, in the order written, each name once.
    pub env: Vec<(String, String)>,
    /// `User`, as the image config has it: `uid:gid` or what was written.
    pub user: Option<String>,
    /// `WorkingDir`.
    pub workdir: Option<TreePath>,
    /// `ExposedPorts`.
    pub ports: Vec<Port>,
    /// `Volumes`.
    pub volumes: Vec<TreePath>,
    /// `Labels`.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the manifest, besides those that bake writes.
    pub annotations: BTreeMap<String, String>,
    /// Annotations of the index, besides those that bake writes.
    pub index_annotations: BTreeMap<String, String>,
    /// Annotations of the descriptor of each layer that is not the base's.
    pub layer_annotations: BTreeMap<String, String>,
    /// `StopSignal`.
    pub stop_signal: Option<String>,
    /// Whether the image's accounts are in `/etc/passwd` and `/etc/group`; always on scratch.
    pub accounts: bool,
    /// The certificate authorities that `/etc/ssl/certs` has.
    pub certificates: Option<Certificates>,
    /// The time zones that `/usr/share/zoneinfo` has.
    pub time_zones: Option<TimeZones>,
    /// How the tree is split into layers.
    pub layers: LayerSplit,
    /// How many layers the tree may have; at least 1.
    pub max_layers: usize,
    /// How layers are compressed: never xz.
    pub compression: Compression,
    /// Whether a one-file archive is written besides the layout.
    pub archive: bool,
    /// The place of the `[oci]` table, or of the name if there is none.
    pub place: Place,
}

/// What an image is built on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Base {
    /// Nothing.
    #[default]
    Scratch,
    /// Another image.
    Image(BaseImage),
}

/// An image that another is built on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseImage {
    /// Where it is.
    pub source: BaseSource,
    /// Whether outputs hold the bytes of its layers.
    pub layers: BaseLayers,
    /// The place where it is named.
    pub place: Place,
}

/// Where a base image is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BaseSource {
    /// In a registry.
    Registry(Reference),
    /// In an image layout, an OCI archive or a Docker archive of this machine.
    Local {
        /// The folder or the file, relative to the recipe.
        path: PathBuf,
        /// Which of several images: a tag or a full name.
        name: Option<String>,
    },
}

/// What stands before the path of an image of this machine, as skopeo writes it.
const TRANSPORTS: [&str; 3] = ["oci", "oci-archive", "docker-archive"];

impl BaseSource {
    /// Returns the image of this machine that `oci:PATH[:NAME]` and the like stand for; a path has no
    /// colon. `None` if the text is something else.
    pub fn local(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once(':').filter(|(word, _)| TRANSPORTS.contains(word))?;
        let (path, name) = rest.split_once(':').map_or((rest, None), |(path, n)| (path, Some(n)));
        Some(Self::Local { path: PathBuf::from(path), name: name.map(str::to_owned) })
    }
}

/// Whether outputs hold the bytes of a base image's layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BaseLayers {
    /// Layouts refer to them: whoever pushes lets the registry mount them, or passes them on.
    Refer,
    /// Outputs are complete.
    Copy,
}

/// Which certificate authorities an image trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Certificates {
    /// Those that Mozilla trusts, as of this version of bake.
    Mozilla,
    /// Those of a PEM file.
    File {
        /// The file, relative to the recipe.
        path: PathBuf,
        /// The place where it is named.
        place: Place,
    },
}

/// Which time zones an image has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TimeZones {
    /// All of IANA's database.
    All,
    /// These, e.g. `Europe/Berlin`, in the database's spelling, sorted, each once; never empty.
    Named(Vec<String>),
}

/// How a tree is split into layers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LayerSplit {
    /// By how often things change, where that pays.
    #[default]
    Auto,
    /// Not at all.
    One,
    /// As written, the lowest layer first; what they do not name lies in one above them.
    Named(Vec<NamedLayer>),
}

/// A layer that the recipe names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedLayer {
    /// Its name, e.g. `runtime`.
    pub name: String,
    /// Files, and directories with everything below them; never empty, each once.
    pub paths: Vec<TreePath>,
}
