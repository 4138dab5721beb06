//! What each output needs besides the files.

use std::collections::{BTreeMap, BTreeSet};

use bake_formats::encode::Compression;
use bake_formats::tree::TreePath;

use super::relation::{DebRelation, RpmRelation};
use super::scripts::{DebScripts, RpmScripts, Script, ScriptSource};
use crate::error::Place;

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
    /// `Source`: the source package's name, perhaps with ` (version)`.
    pub source: Option<String>,
    /// `Essential`.
    pub essential: bool,
    /// `Protected`.
    pub protected: bool,
    /// `Built-Using`.
    pub built_using: Vec<DebRelation>,
    /// `Static-Built-Using`.
    pub static_built_using: Vec<DebRelation>,
    /// `Origin`.
    pub origin: Option<String>,
    /// `Bugs`.
    pub bugs: Option<String>,
    /// `Tag`.
    pub tags: Vec<String>,
    /// Configuration files of earlier versions that an upgrade to this one removes.
    pub remove_conffiles: BTreeSet<TreePath>,
    /// Lines of the control file `triggers`.
    pub triggers: Vec<Trigger>,
    /// debconf's questions.
    pub templates: Option<ScriptSource>,
    /// The control file `shlibs`.
    pub shlibs: Option<ScriptSource>,
    /// The control file `symbols`.
    pub symbols: Option<ScriptSource>,
    /// Folders and files with the distribution's `*.shlibs` and `*.symbols`, which library
    /// dependencies are looked up in.
    pub library_data: Vec<String>,
    /// What lintian finds and is to leave alone.
    pub lintian_overrides: Vec<LintianOverride>,
    /// Further control fields, none of which bake writes itself.
    pub fields: BTreeMap<String, String>,
    /// How control.tar and data.tar are compressed.
    pub compression: Compression,
    /// Maintainer scripts.
    pub scripts: DebScripts,
    /// The place of the `[deb]` table, or of the name if there is none.
    pub place: Place,
}

/// A trigger that a package listens to or sets off (deb-triggers(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// The directive, e.g. `interest-noawait`.
    pub directive: String,
    /// The trigger's name or path.
    pub name: String,
}

/// A finding of lintian that is known and right as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LintianOverride {
    /// The tag.
    pub tag: String,
    /// What the finding says besides the tag; all findings of the tag if absent.
    pub context: Option<String>,
    /// Why it is right.
    pub reason: String,
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
    /// `Requires` of one moment each, e.g. `Requires(post)`.
    pub scriptlet_requires: Vec<(RpmMoment, RpmRelation)>,
    /// `OrderWithRequires`.
    pub order_with_requires: Vec<RpmRelation>,
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
    /// `Distribution`.
    pub distribution: Option<String>,
    /// `BugURL`.
    pub bug_url: Option<String>,
    /// Where files may be relocated from.
    pub prefixes: Vec<TreePath>,
    /// The version of the package format.
    pub version_of_format: RpmFormat,
    /// Triggers on other packages.
    pub triggers: Vec<RpmTrigger>,
    /// Triggers on files of other packages.
    pub file_triggers: Vec<RpmFileTrigger>,
    /// How the payload is compressed.
    pub compression: Compression,
    /// Scriptlets.
    pub scripts: RpmScripts,
    /// The place of the `[rpm]` table, or of the name if there is none.
    pub place: Place,
}

/// The version of the rpm package format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RpmFormat {
    /// What every rpm since 4.6 reads.
    #[default]
    V4,
    /// What rpm since 4.20 reads and rpm 6 writes by default.
    V6,
}

/// When a requirement must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RpmMoment {
    /// `Requires(pre)`
    Pre,
    /// `Requires(post)`
    Post,
    /// `Requires(preun)`
    Preun,
    /// `Requires(postun)`
    Postun,
    /// `Requires(pretrans)`
    Pretrans,
    /// `Requires(posttrans)`
    Posttrans,
    /// `Requires(preuntrans)`
    Preuntrans,
    /// `Requires(postuntrans)`
    Postuntrans,
    /// `Requires(verify)`
    Verify,
    /// `Requires(interp)`
    Interp,
    /// `Requires(meta)`: not for ordering.
    Meta,
}

/// When a trigger runs, seen from the package or file that sets it off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TriggerMoment {
    /// Before it is installed; not for files.
    Prein,
    /// After it was installed.
    In,
    /// Before it is removed.
    Un,
    /// After it was removed.
    Postun,
}

/// A script that another package's coming or going runs.
#[derive(Debug, Clone, PartialEq)]
pub struct RpmTrigger {
    /// When.
    pub moment: TriggerMoment,
    /// The packages; never empty.
    pub on: Vec<RpmRelation>,
    /// What runs.
    pub script: Script,
}

/// A script that the coming or going of files runs.
#[derive(Debug, Clone, PartialEq)]
pub struct RpmFileTrigger {
    /// When; never [`TriggerMoment::Prein`].
    pub moment: TriggerMoment,
    /// What the paths of the files begin with; never empty.
    pub prefixes: Vec<TreePath>,
    /// Whether it runs once for a transaction rather than once for a package.
    pub transaction: bool,
    /// Higher runs first.
    pub priority: u32,
    /// What runs; it reads the paths from its standard input.
    pub script: Script,
}
