//! What each output needs besides the files.

use std::collections::BTreeMap;

use bake_formats::encode::Compression;
use bake_formats::tree::TreePath;

use super::relation::{DebRelation, RpmRelation};
use super::service::Port;
use crate::error::Place;
use crate::platform::Platform;

/// A Debian package.
#[derive(Debug, Clone, PartialEq)]
pub struct Deb {
    /// The whole version, `[epoch:]upstream-revision`.
    pub version: String,
    /// `Depends`.
    pub depends: Vec<DebRelation>,
    /// `Pre-Depends`.
    pub pre_depends: Vec<DebRelation>,
    /// `Recommends`.
    pub recommends: Vec<DebRelation>,
    /// `Suggests`.
    pub suggests: Vec<DebRelation>,
    /// `Enhances`.
    pub enhances: Vec<DebRelation>,
    /// `Breaks`.
    pub breaks: Vec<DebRelation>,
    /// `Conflicts`.
    pub conflicts: Vec<DebRelation>,
    /// `Replaces`.
    pub replaces: Vec<DebRelation>,
    /// `Provides`.
    pub provides: Vec<DebRelation>,
    /// `Section`.
    pub section: String,
    /// `Priority`.
    pub priority: Priority,
    /// `Multi-Arch`.
    pub multi_arch: Option<MultiArch>,
    /// Further control fields, none of which bake writes itself.
    pub fields: BTreeMap<String, String>,
    /// How control.tar and data.tar are compressed.
    pub compression: Compression,
    /// Maintainer scripts.
    pub scripts: DebScripts,
    /// The place of the `[deb]` table, or of the name if there is none.
    pub place: Place,
}

/// How much a Debian package matters (Debian policy 2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Priority {
    /// `required`
    Required,
    /// `important`
    Important,
    /// `standard`
    Standard,
    /// `optional`
    #[default]
    Optional,
    /// `extra`, which policy has retired.
    Extra,
}

impl Priority {
    /// All priorities.
    pub const ALL: [Self; 5] =
        [Self::Required, Self::Important, Self::Standard, Self::Optional, Self::Extra];

    /// Returns the control field's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Important => "important",
            Self::Standard => "standard",
            Self::Optional => "optional",
            Self::Extra => "extra",
        }
    }
}

/// How a package behaves beside itself for another architecture (deb-control(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MultiArch {
    /// `same`
    Same,
    /// `foreign`
    Foreign,
    /// `allowed`
    Allowed,
}

impl MultiArch {
    /// All values.
    pub const ALL: [Self; 3] = [Self::Same, Self::Foreign, Self::Allowed];

    /// Returns the control field's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Foreign => "foreign",
            Self::Allowed => "allowed",
        }
    }
}

/// Debian maintainer scripts (Debian policy 6).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DebScripts {
    /// Before unpacking.
    pub preinst: Option<Script>,
    /// After unpacking.
    pub postinst: Option<Script>,
    /// Before removal.
    pub prerm: Option<Script>,
    /// After removal.
    pub postrm: Option<Script>,
}

/// An RPM package.
#[derive(Debug, Clone, PartialEq)]
pub struct Rpm {
    /// `Version`.
    pub version: String,
    /// `Release`.
    pub release: String,
    /// `Requires`.
    pub requires: Vec<RpmRelation>,
    /// `Recommends`.
    pub recommends: Vec<RpmRelation>,
    /// `Suggests`.
    pub suggests: Vec<RpmRelation>,
    /// `Supplements`.
    pub supplements: Vec<RpmRelation>,
    /// `Enhances`.
    pub enhances: Vec<RpmRelation>,
    /// `Conflicts`.
    pub conflicts: Vec<RpmRelation>,
    /// `Obsoletes`.
    pub obsoletes: Vec<RpmRelation>,
    /// `Provides`, without the package's own name.
    pub provides: Vec<RpmRelation>,
    /// `Group`.
    pub group: Option<String>,
    /// `Packager`; the maintainer unless written.
    pub packager: Option<String>,
    /// How the payload is compressed.
    pub compression: Compression,
    /// Scriptlets.
    pub scripts: RpmScripts,
    /// The place of the `[rpm]` table, or of the name if there is none.
    pub place: Place,
}

/// RPM scriptlets.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RpmScripts {
    /// `%pre`
    pub pre: Option<Script>,
    /// `%post`
    pub post: Option<Script>,
    /// `%preun`
    pub preun: Option<Script>,
    /// `%postun`
    pub postun: Option<Script>,
    /// `%pretrans`
    pub pretrans: Option<Script>,
    /// `%posttrans`
    pub posttrans: Option<Script>,
}

/// A script that a package manager runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    /// Where its text is.
    pub source: ScriptSource,
    /// The script's place.
    pub place: Place,
}

/// Where a script's text is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptSource {
    /// In the recipe.
    Inline(String),
    /// In a file, relative to the recipe's folder or absolute.
    File(String),
}

/// An OCI image.
#[derive(Debug, Clone, PartialEq)]
pub struct Oci {
    /// What the image is built on.
    pub base: Base,
    /// The platforms of the image index, in the order written; the recipe's own is among them.
    pub platforms: Vec<Platform>,
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
    /// `StopSignal`.
    pub stop_signal: Option<String>,
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
}

/// A disk image.
#[derive(Debug, Clone, PartialEq)]
pub struct Vm {
    /// The formats to write, in the order written; never empty.
    pub formats: Vec<DiskFormat>,
    /// The size of the root file system.
    pub size: DiskSize,
    /// The root file system's label, at most 16 bytes of ASCII.
    pub label: String,
    /// The place of the `[vm]` table, or of the name if there is none.
    pub place: Place,
}

/// How a disk is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DiskFormat {
    /// Its sectors.
    Raw,
    /// QEMU copy-on-write, version 3.
    Qcow2,
}

impl DiskFormat {
    /// All formats.
    pub const ALL: [Self; 2] = [Self::Raw, Self::Qcow2];

    /// Returns the word that recipes use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
        }
    }
}

/// How large a disk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DiskSize {
    /// As small as its contents allow.
    #[default]
    Minimal,
    /// This many bytes, a multiple of 1 MiB.
    Bytes(u64),
}
