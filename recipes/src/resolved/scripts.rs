//! Scripts that package managers run.

use crate::error::Place;

/// A script that a package manager runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    /// Where its text is.
    pub source: ScriptSource,
    /// The interpreter and its arguments if they are written beside the text; else they are in
    /// its `#!` line. `<lua>` is rpm's own.
    pub interpreter: Option<Vec<String>>,
    /// rpm's flags: what rpm does with the text before it runs.
    pub flags: ScriptFlags,
    /// The script's place.
    pub place: Place,
}

/// What rpm does with a scriptlet's text before it runs it, and with its failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScriptFlags {
    /// `-e`: macros are expanded on the machine that installs.
    pub expand: bool,
    /// `-q`: the text is a query format of the package's header.
    pub qformat: bool,
    /// `critical`: a failure fails the transaction.
    pub critical: bool,
}

/// Where a script's text is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptSource {
    /// In the recipe.
    Inline(String),
    /// In a file, relative to the recipe's folder or absolute.
    File(String),
}

/// Scripts that deb and rpm run at the same moments: fragments for `/bin/sh`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Hooks {
    /// Before the first version is unpacked.
    pub before_install: Option<Script>,
    /// After the first version was unpacked.
    pub after_install: Option<Script>,
    /// Before a later version is unpacked.
    pub before_upgrade: Option<Script>,
    /// After a later version was unpacked.
    pub after_upgrade: Option<Script>,
    /// Before the package is removed, not upgraded.
    pub before_remove: Option<Script>,
    /// After the package was removed, not upgraded.
    pub after_remove: Option<Script>,
    /// After its configuration was removed too; rpm runs it after removal, which it always follows.
    pub purge: Option<Script>,
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
    /// Asks debconf's questions.
    pub config: Option<Script>,
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
    /// `%preuntrans`
    pub preuntrans: Option<Script>,
    /// `%postuntrans`
    pub postuntrans: Option<Script>,
    /// `%verifyscript`
    pub verify: Option<Script>,
}
