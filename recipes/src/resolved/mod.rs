//! The recipe, concrete for one platform: every value is valid, every default is filled in.

mod config;
mod documents;
mod files;
mod image;
mod machine;
mod outputs;
mod relation;
mod scripts;
mod service;
mod system;

use std::fmt;

use bake_formats::format::Epoch;

pub use config::{Config, DEB_FIELD, OCI_KEY};
pub use documents::{Change, Copyright, CopyrightRule, LicenseText};
pub use files::{Destination, FileRule, FileSource, Glob, GlobError};
pub use image::{
    Base, BaseImage, BaseLayers, BaseSource, Certificates, LayerSplit, NamedLayer, Oci, TimeZones,
};
pub use machine::{
    DiskFormat, DiskSize, FileSystem, Firmware, Hardware, Machine, MachineBase, Placement, Vm,
};
pub use outputs::{
    Deb, LintianOverride, MultiArch, Priority, Rpm, RpmFileTrigger, RpmFormat, RpmMoment,
    RpmTrigger, Trigger, TriggerMoment,
};
pub(crate) use relation::{CommonKind, CommonRelation, check_deb_source, check_deb_version};
pub use relation::{DebRelation, Operator, RelationError, RpmRelation, RpmUse};
pub use scripts::{DebScripts, Hooks, RpmScripts, Script, ScriptFlags, ScriptSource};
pub use service::{GeneratedFile, Port, Protocol, Restart, Service, StateDirectory};
pub use system::{Alternative, AutoDepends, Follower, OnUpgrade, Unit, UnitHandling};

use crate::error::RecipeError;
use crate::name::PackageName;
use crate::platform::Platform;
use crate::version::{Release, Version};

/// What to bake for one platform.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// The name of every output.
    pub name: PackageName,
    /// The version as written; each format has its own spelling of it.
    pub version: Version,
    /// The packaging revision: deb's revision, rpm's release.
    pub release: Release,
    /// What outranks the version in deb and rpm; absent and 0 mean the same to both.
    pub epoch: Option<u32>,
    /// One line.
    pub summary: String,
    /// Several lines, separated by newlines, without one at the end.
    pub description: Option<String>,
    /// An SPDX licence expression.
    pub license: Option<String>,
    /// Who answers for the package; there whenever `deb` is.
    pub maintainer: Option<Maintainer>,
    /// Who distributes it.
    pub vendor: Option<String>,
    /// An `http` or `https` address.
    pub homepage: Option<String>,
    /// Where its documentation is: an `http` or `https` address.
    pub documentation: Option<String>,
    /// The address of the source repository.
    pub vcs: Option<String>,
    /// The commit that the build output was made from, or what stands for one.
    pub revision: Option<String>,
    /// The recipe's revision time: the time of everything unless the caller gives another.
    pub source_date: Option<Epoch>,
    /// What the outputs run on.
    pub platform: Platform,
    /// Whether packages are for that platform only.
    pub architecture: Architecture,
    /// What goes where, in the order written.
    pub files: Vec<FileRule>,
    /// The service that the outputs run.
    pub service: Option<Service>,
    /// What differs between environments.
    pub config: Config,
    /// Units among the files that packages manage, besides the service's own.
    pub units: Vec<Unit>,
    /// Choices for generic names.
    pub alternatives: Vec<Alternative>,
    /// Scripts that deb and rpm run at the same moments.
    pub hooks: Hooks,
    /// What is done with dependencies that follow from the files.
    pub auto_depends: AutoDepends,
    /// The package's history, the newest first.
    pub changelog: Vec<Change>,
    /// Who holds the rights, if it is written.
    pub copyright: Option<Copyright>,
    /// Set if a deb is baked.
    pub deb: Option<Deb>,
    /// Set if an rpm is baked.
    pub rpm: Option<Rpm>,
    /// Set if an OCI image is baked.
    pub oci: Option<Oci>,
    /// Set if a disk is baked.
    pub vm: Option<Vm>,
}

impl Recipe {
    /// Returns the deb's architecture, e.g. `amd64` or `all`.
    pub fn deb_architecture(&self) -> &'static str {
        match self.architecture {
            Architecture::Native => self.platform.deb(),
            Architecture::All => "all",
        }
    }

    /// Returns the rpm's architecture, e.g. `x86_64` or `noarch`.
    pub fn rpm_architecture(&self) -> &'static str {
        match self.architecture {
            Architecture::Native => self.platform.rpm(),
            Architecture::All => "noarch",
        }
    }

    /// Returns the files that follow from the recipe rather than from a rule.
    pub fn generated_files(&self) -> Result<Vec<GeneratedFile>, RecipeError> {
        let mut files = Vec::new();
        if let Some(service) = &self.service {
            files.extend(service.files().map_err(|error| service.place.error(error.to_string()))?);
        }
        let record = self.config.file();
        files.extend(record.map_err(|error| RecipeError::new(format!("config: {error}")))?);
        Ok(files)
    }

    /// Returns the outputs that are baked, in the order of [`Output`].
    pub fn outputs(&self) -> Vec<Output> {
        let there = [
            (Output::Deb, self.deb.is_some()),
            (Output::Rpm, self.rpm.is_some()),
            (Output::Oci, self.oci.is_some()),
            (Output::Vm, self.vm.is_some()),
        ];
        there.into_iter().filter(|(_, there)| *there).map(|(output, _)| output).collect()
    }
}

/// Whether packages are for one platform only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Architecture {
    /// For the platform they were baked for.
    #[default]
    Native,
    /// For every platform: deb `all`, rpm `noarch`.
    All,
}

/// A person or a team with a mail address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maintainer {
    /// The name, not empty.
    pub name: String,
    /// The mail address.
    pub mail: String,
}

impl Maintainer {
    /// Parses `Name <mail>`.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, mail) = text.strip_suffix('>')?.split_once('<')?;
        let (name, mail) = (name.trim(), mail.trim());
        let plain = |text: &str| !text.contains(['<', '>']);
        let (user, host) = mail.split_once('@')?;
        let address = !user.is_empty() && !host.is_empty() && !host.contains('@');
        let address = address && !mail.contains([' ', ',']);
        let valid = !name.is_empty() && plain(name) && plain(mail) && address;
        valid.then(|| Self { name: name.into(), mail: mail.into() })
    }
}

/// Prints `Name <mail>`.
impl fmt::Display for Maintainer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <{}>", self.name, self.mail)
    }
}

/// A kind of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Output {
    /// A Debian package.
    Deb,
    /// An RPM package.
    Rpm,
    /// An OCI image.
    Oci,
    /// A disk image.
    Vm,
}

impl Output {
    /// All outputs.
    pub const ALL: [Self; 4] = [Self::Deb, Self::Rpm, Self::Oci, Self::Vm];

    /// Returns the word that recipes use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Rpm => "rpm",
            Self::Oci => "oci",
            Self::Vm => "vm",
        }
    }
}
