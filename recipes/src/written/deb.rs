//! `[deb]`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::scripts::{ScriptFile, TextFile};
use super::value::{At, ListEdit, TextOr};

/// The Debian package.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Deb {
    /// The revision; the common release if absent.
    pub release: Option<At<String>>,
    /// `Depends`, on top of the common `depends`.
    pub depends: Option<At<ListEdit<String>>>,
    /// `Pre-Depends`.
    pub pre_depends: Option<At<ListEdit<String>>>,
    /// `Recommends`, on top of the common `recommends`.
    pub recommends: Option<At<ListEdit<String>>>,
    /// `Suggests`, on top of the common `suggests`.
    pub suggests: Option<At<ListEdit<String>>>,
    /// `Enhances`.
    pub enhances: Option<At<ListEdit<String>>>,
    /// `Breaks`.
    pub breaks: Option<At<ListEdit<String>>>,
    /// `Conflicts`, on top of the common `conflicts` and `replaces`.
    pub conflicts: Option<At<ListEdit<String>>>,
    /// `Replaces`, on top of the common `replaces`.
    pub replaces: Option<At<ListEdit<String>>>,
    /// `Provides`, on top of the common `provides`.
    pub provides: Option<At<ListEdit<String>>>,
    /// `Section`; `misc` if absent.
    pub section: Option<At<String>>,
    /// `Priority`; `optional` if absent.
    pub priority: Option<At<DebPriority>>,
    /// `Multi-Arch`.
    pub multi_arch: Option<At<DebMultiArch>>,
    /// `Source`: the source package's name, perhaps with ` (version)`.
    pub source: Option<At<String>>,
    /// `Essential`: dpkg does not remove the package.
    pub essential: Option<bool>,
    /// `Protected`: dpkg does not remove the package, for the system may not boot without it.
    pub protected: Option<bool>,
    /// `Built-Using`: source packages whose licence demands that they are kept, each with `=`.
    #[serde(default)]
    pub built_using: Vec<At<String>>,
    /// `Static-Built-Using`: packages that were linked in, each with `=`.
    #[serde(default)]
    pub static_built_using: Vec<At<String>>,
    /// `Origin`: the distribution that the package comes from.
    pub origin: Option<At<String>>,
    /// `Bugs`: where faults are reported.
    pub bugs: Option<At<String>>,
    /// `Tag`: debtags.
    #[serde(default)]
    pub tags: Vec<At<String>>,
    /// Configuration files of earlier versions that an upgrade removes.
    #[serde(default)]
    pub remove_conffiles: Vec<At<String>>,
    /// Lines of the control file `triggers`, e.g. `interest-noawait /usr/share/catalog`.
    #[serde(default)]
    pub triggers: Vec<At<String>>,
    /// debconf's questions.
    pub templates: Option<At<TextOr<TextFile>>>,
    /// The control file `shlibs`.
    pub shlibs: Option<At<TextOr<TextFile>>>,
    /// The control file `symbols`.
    pub symbols: Option<At<TextOr<TextFile>>>,
    /// Folders and files with `*.shlibs` and `*.symbols` that library dependencies are looked up in.
    #[serde(default)]
    pub library_data: Vec<At<String>>,
    /// What lintian finds and is to leave alone.
    #[serde(default)]
    pub lintian_overrides: Vec<At<LintianOverride>>,
    /// Further control fields.
    #[serde(default)]
    pub fields: BTreeMap<At<String>, At<String>>,
    /// `none`, `gzip`, `zstd` or `xz`, perhaps with a level: `zstd:9`.
    pub compression: Option<At<String>>,
    /// Maintainer scripts.
    #[serde(default)]
    pub scripts: DebScripts,
}

/// How much a Debian package matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "Debian's own words")]
pub enum DebPriority {
    Required,
    Important,
    Standard,
    Optional,
    Extra,
}

/// How a package behaves beside itself for another architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "Debian's own words")]
pub enum DebMultiArch {
    Same,
    Foreign,
    Allowed,
}

/// A finding of lintian that is known and right as it is.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LintianOverride {
    /// The tag.
    pub tag: At<String>,
    /// What the finding says besides the tag; all findings of the tag if absent.
    pub context: Option<At<String>>,
    /// Why it is right.
    pub reason: At<String>,
}

/// Debian maintainer scripts.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DebScripts {
    /// Before unpacking.
    pub preinst: Option<At<TextOr<ScriptFile>>>,
    /// After unpacking.
    pub postinst: Option<At<TextOr<ScriptFile>>>,
    /// Before removal.
    pub prerm: Option<At<TextOr<ScriptFile>>>,
    /// After removal.
    pub postrm: Option<At<TextOr<ScriptFile>>>,
    /// Asks debconf's questions.
    pub config: Option<At<TextOr<ScriptFile>>>,
}
