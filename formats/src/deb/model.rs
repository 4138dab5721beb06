//! What a package is besides its files.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::relation::Relations;
use super::version::Version;
use crate::encode::Compression;
use crate::tree::TreeId;

/// A binary package: its control fields and control files.
///
/// Not part of it is what follows from the tree: `Installed-Size`, `md5sums`, `conffiles`, which
/// are the regular files that the tree marks as configuration, and `Bake-Capabilities`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Package {
    /// `Package`
    pub name: String,
    /// `Source`: the source package's name if it is another, with ` (version)` if that differs.
    pub source: Option<String>,
    /// `Version`
    pub version: Version,
    /// `Architecture`: dpkg's name of one, e.g. `amd64`, or `all`.
    pub architecture: String,
    /// `Maintainer`: `Name <mail address>`.
    pub maintainer: String,
    /// The relationship fields.
    pub relations: BTreeMap<RelationField, Relations>,
    /// `Section`, e.g. `net` or `non-free/net`.
    pub section: Option<String>,
    /// `Priority`, e.g. `optional`.
    pub priority: Option<String>,
    /// `Multi-Arch`
    pub multi_arch: Option<MultiArch>,
    /// `Homepage`
    pub homepage: Option<String>,
    /// The first line of `Description`.
    pub synopsis: String,
    /// The other lines of `Description`, unfolded: an empty line is a paragraph's end, one that
    /// starts with a space is shown as it is.
    pub description: String,
    /// Other fields, e.g. `Essential` or `Built-Using`, by their names.
    pub fields: BTreeMap<String, String>,
    /// Maintainer scripts and other control files.
    pub control_files: BTreeMap<ControlFile, String>,
    /// Absolute paths of configuration files that an upgrade to this version removes.
    pub removed_conffiles: BTreeSet<String>,
    /// Texts of packaging documents by their absolute paths, of which only these are allowed:
    /// `copyright`, `changelog.gz`, `changelog.Debian.gz` and `NEWS.Debian.gz` in
    /// `/usr/share/doc/PACKAGE`, and `/usr/share/lintian/overrides/PACKAGE`. They are files of the
    /// package and not of the tree; those that end in `.gz` are compressed in it.
    pub documents: BTreeMap<String, String>,
    /// How both archives are compressed. A package does not tell the level: one that was read has
    /// the codec's default.
    pub compression: Compression,
    /// `Bake-Tree`: the identity of the tree, checked when the package is written.
    pub tree_id: Option<TreeId>,
}

impl Package {
    /// Returns a package with only the fields that none can do without.
    pub fn new(name: &str, version: Version, architecture: &str) -> Self {
        Self {
            name: name.into(),
            source: None,
            version,
            architecture: architecture.into(),
            maintainer: String::new(),
            relations: BTreeMap::new(),
            section: None,
            priority: None,
            multi_arch: None,
            homepage: None,
            synopsis: String::new(),
            description: String::new(),
            fields: BTreeMap::new(),
            control_files: BTreeMap::new(),
            removed_conffiles: BTreeSet::new(),
            documents: BTreeMap::new(),
            compression: Compression::XZ,
            tree_id: None,
        }
    }
}

/// A field that relates the package to others, in the order in which they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum RelationField {
    /// `Pre-Depends`
    PreDepends,
    /// `Depends`
    Depends,
    /// `Recommends`
    Recommends,
    /// `Suggests`
    Suggests,
    /// `Enhances`
    Enhances,
    /// `Conflicts`
    Conflicts,
    /// `Breaks`
    Breaks,
    /// `Replaces`
    Replaces,
    /// `Provides`
    Provides,
}

impl RelationField {
    /// All of them in order.
    pub const ALL: [Self; 9] = [
        Self::PreDepends,
        Self::Depends,
        Self::Recommends,
        Self::Suggests,
        Self::Enhances,
        Self::Conflicts,
        Self::Breaks,
        Self::Replaces,
        Self::Provides,
    ];

    /// Returns the field's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::PreDepends => "Pre-Depends",
            Self::Depends => "Depends",
            Self::Recommends => "Recommends",
            Self::Suggests => "Suggests",
            Self::Enhances => "Enhances",
            Self::Conflicts => "Conflicts",
            Self::Breaks => "Breaks",
            Self::Replaces => "Replaces",
            Self::Provides => "Provides",
        }
    }

    /// Returns whether `a | b` is allowed.
    pub fn allows_alternatives(self) -> bool {
        match self {
            Self::PreDepends
            | Self::Depends
            | Self::Recommends
            | Self::Suggests
            | Self::Enhances => true,
            Self::Conflicts | Self::Breaks | Self::Replaces | Self::Provides => false,
        }
    }
}

/// Whether packages of other architectures may use the package, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum MultiArch {
    /// `no`
    No,
    /// `same`: can be installed for several architectures at once.
    Same,
    /// `foreign`: satisfies dependencies of other architectures.
    Foreign,
    /// `allowed`: dependencies choose with `:any`.
    Allowed,
}

impl MultiArch {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::No, Self::Same, Self::Foreign, Self::Allowed];

    /// Returns the field's value.
    pub fn word(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Same => "same",
            Self::Foreign => "foreign",
            Self::Allowed => "allowed",
        }
    }
}

/// A control file that a package may bring besides those that are made from its model and tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum ControlFile {
    /// Asks questions before anything is unpacked, with debconf.
    Config,
    /// Runs after the package was unpacked and configured.
    Postinst,
    /// Runs after the package was removed.
    Postrm,
    /// Runs before the package is unpacked.
    Preinst,
    /// Runs before the package is removed.
    Prerm,
    /// Dependencies for users of the package's shared libraries.
    Shlibs,
    /// Symbols of the package's shared libraries and since when they are there.
    Symbols,
    /// debconf's questions.
    Templates,
    /// Triggers that the package listens to or activates.
    Triggers,
}

impl ControlFile {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 9] = [
        Self::Config,
        Self::Postinst,
        Self::Postrm,
        Self::Preinst,
        Self::Prerm,
        Self::Shlibs,
        Self::Symbols,
        Self::Templates,
        Self::Triggers,
    ];

    /// Returns the file's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Postinst => "postinst",
            Self::Postrm => "postrm",
            Self::Preinst => "preinst",
            Self::Prerm => "prerm",
            Self::Shlibs => "shlibs",
            Self::Symbols => "symbols",
            Self::Templates => "templates",
            Self::Triggers => "triggers",
        }
    }

    /// Returns whether dpkg executes the file.
    pub fn is_script(self) -> bool {
        match self {
            Self::Config | Self::Postinst | Self::Postrm | Self::Preinst | Self::Prerm => true,
            Self::Shlibs | Self::Symbols | Self::Templates | Self::Triggers => false,
        }
    }
}
