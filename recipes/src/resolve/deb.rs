//! `[deb]`.

use std::collections::{BTreeMap, BTreeSet};

use bake_formats::encode::{Codec, Compression};

use super::list::Element;
use super::{Common, Resolver};
use crate::resolved::{
    CommonKind, CommonRelation, Deb, DebRelation, DebScripts, FileRule, MultiArch, Output,
    Priority, Script, ScriptFlags, ScriptSource,
};
use crate::version::Release;
use crate::written::{self, At, DebMultiArch, DebPriority, ListEdit, ScriptFile, TextOr};

/// Control fields that are keys of the recipe or that bake computes.
const OWN_FIELDS: [&str; 22] = [
    "package",
    "package-type",
    "version",
    "architecture",
    "maintainer",
    "installed-size",
    "depends",
    "pre-depends",
    "recommends",
    "suggests",
    "enhances",
    "breaks",
    "conflicts",
    "replaces",
    "provides",
    "section",
    "priority",
    "multi-arch",
    "homepage",
    "description",
    "bake-tree",
    "filename",
];

/// What dpkg 1.21.18 and rpm 4.14 can both unpack.
pub(super) const PACKAGE_CODECS: [Codec; 4] = [Codec::None, Codec::Gzip, Codec::Zstd, Codec::Xz];

/// One of the lists that all package formats have.
pub(super) struct CommonList {
    pub(super) deb: Vec<DebRelation>,
    pub(super) rpm: Vec<crate::resolved::RpmRelation>,
}

impl Element for DebRelation {
    fn is_named(&self, text: &str) -> bool {
        self.name() == text || DebRelation::parse(text).as_ref() == Ok(self)
    }
}

impl Resolver<'_> {
    /// Parses a common list of relations for both formats.
    ///
    /// Both formats do, and equal errors are reported once.
    pub(super) fn common_list(&self, list: &[At<String>], kind: CommonKind) -> CommonList {
        let parse = |at: &At<String>| self.parsed(at, CommonRelation::parse(&at.value, kind));
        let (deb, rpm) =
            list.iter().filter_map(parse).map(|common| (common.deb, common.rpm)).unzip();
        CommonList { deb, rpm }
    }

    /// Reports what is wrong with the common lists even if no package is baked.
    pub(super) fn check_relations(&self) {
        let keys = self.keys();
        let lists =
            [&keys.depends, &keys.recommends, &keys.suggests, &keys.conflicts, &keys.replaces];
        for list in lists {
            self.common_list(list, CommonKind::Wanted);
        }
        self.common_list(&keys.provides, CommonKind::Provided);
    }

    pub(super) fn deb(
        &self,
        at: Option<&At<written::Deb>>,
        here: &At<String>,
        common: &Common,
    ) -> Option<Deb> {
        let place = at.map_or_else(|| self.place(here), |at| self.place(at));
        let table = at.map(|at| at.value.clone()).unwrap_or_default();
        let keys = self.keys();
        if common.maintainer.is_none() && keys.maintainer.is_none() {
            let error = place.error("a deb needs a `maintainer`");
            self.report(error.hint("add `maintainer = \"Name <mail>\"` at the top of the recipe"));
        }
        let release = self.own_release(table.release.as_ref(), common);
        let version = release
            .and_then(|release| self.version_for(|| common.version.deb(&release, common.epoch)));
        let wanted = |list| self.common_list(list, CommonKind::Wanted).deb;
        let provided = self.common_list(&keys.provides, CommonKind::Provided).deb;
        let replaced = wanted(&keys.replaces);
        let conflicts = [wanted(&keys.conflicts), replaced.clone()].concat();
        let relations = |list: &[At<String>]| self.deb_relations(list);
        let edited = |common, edit: &Option<At<ListEdit<String>>>| {
            self.edited(common, edit.as_ref(), |at| self.parsed(at, DebRelation::parse(&at.value)))
        };
        let fields = self.deb_fields(&table.fields);
        let section = match &table.section {
            Some(at) => self.section(at),
            None => Some("misc".to_owned()),
        };
        let compression =
            self.compression(table.compression.as_ref(), Compression::ZSTD, &PACKAGE_CODECS);
        let scripts = self.deb_scripts(&table.scripts);
        Some(Deb {
            depends: edited(wanted(&keys.depends), &table.depends),
            pre_depends: relations(&table.pre_depends),
            recommends: edited(wanted(&keys.recommends), &table.recommends),
            suggests: edited(wanted(&keys.suggests), &table.suggests),
            enhances: relations(&table.enhances),
            breaks: relations(&table.breaks),
            conflicts: edited(conflicts, &table.conflicts),
            replaces: edited(replaced, &table.replaces),
            provides: self.edited(provided, table.provides.as_ref(), |at| self.provision(at)),
            priority: priority(table.priority.as_ref().map(|at| at.value)),
            multi_arch: table.multi_arch.as_ref().map(|at| multi_arch(at.value)),
            source: None,
            essential: false,
            protected: false,
            built_using: Vec::new(),
            static_built_using: Vec::new(),
            origin: None,
            bugs: None,
            tags: Vec::new(),
            remove_conffiles: BTreeSet::new(),
            triggers: Vec::new(),
            templates: None,
            shlibs: None,
            symbols: None,
            library_data: Vec::new(),
            lintian_overrides: Vec::new(),
            version: version?,
            section: section?,
            fields: fields?,
            compression: compression?,
            scripts: scripts?,
            place,
        })
    }

    /// dpkg refuses the PAX headers that extended attributes need.
    pub(super) fn check_deb_files(&self, files: &[FileRule]) {
        for rule in files {
            if rule.is_for(Output::Deb) && !rule.xattrs.is_empty() {
                let message = "a deb cannot carry capabilities or extended attributes";
                let hint = "leave `deb` out of the rule's `formats`, or bake no deb";
                self.report(rule.place.error(message).hint(hint));
            }
        }
    }

    fn deb_relations(&self, list: &[At<String>]) -> Vec<DebRelation> {
        list.iter().filter_map(|at| self.parsed(at, DebRelation::parse(&at.value))).collect()
    }

    fn provision(&self, at: &At<String>) -> Option<DebRelation> {
        let relation = self.parsed(at, DebRelation::parse(&at.value))?;
        if relation.is_provision() {
            return Some(relation);
        }
        let message = format!("`{relation}` cannot be provided");
        self.advise(at, message, "`Provides` takes a name, or a name and `(= version)`");
        None
    }

    /// Returns the release of one format.
    pub(super) fn own_release(&self, at: Option<&At<String>>, common: &Common) -> Option<Release> {
        match at {
            Some(at) => self.parsed(at, Release::parse(&at.value)),
            None => Some(common.release.clone()),
        }
    }

    /// Returns a format's spelling of the version, or reports that there is none.
    pub(super) fn version_for<T>(
        &self,
        spell: impl FnOnce() -> Result<T, crate::version::VersionError>,
    ) -> Option<T> {
        self.parsed(&self.keys().version, spell())
    }

    fn section(&self, at: &At<String>) -> Option<String> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-/+.".contains(c);
        if !at.value.is_empty() && at.value.chars().all(allowed) {
            return Some(at.value.clone());
        }
        self.advise(at, format!("`{}` is not a section", at.value.escape_debug()), "e.g. `net`");
        None
    }

    fn deb_fields(
        &self,
        fields: &BTreeMap<At<String>, At<String>>,
    ) -> Option<BTreeMap<String, String>> {
        let check = |(name, value): (&At<String>, &At<String>)| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
            let text = &name.value;
            if !text.starts_with(|c: char| c.is_ascii_alphabetic()) || !text.chars().all(allowed) {
                let found = text.escape_debug();
                self.fault(name, format!("`{found}` is not the name of a control field"));
                return None;
            }
            if OWN_FIELDS.contains(&text.to_lowercase().as_str()) {
                let message = format!("bake writes the field `{text}` itself");
                self.advise(name, message, "use the recipe's own key for it");
                return None;
            }
            Some((text.clone(), self.line(value, text)?))
        };
        fields.iter().map(check).collect()
    }

    /// Returns how something is compressed, out of what its readers know.
    pub(super) fn compression(
        &self,
        at: Option<&At<String>>,
        default: Compression,
        codecs: &[Codec],
    ) -> Option<Compression> {
        let Some(at) = at else { return Some(default) };
        let compression: Compression = self.parsed(at, at.value.parse())?;
        if codecs.contains(&compression.codec) {
            return Some(compression);
        }
        let known: Vec<_> = codecs.iter().map(|codec| codec.word()).collect();
        let found = compression.codec.word();
        self.fault(at, format!("expected one of {}, found `{found}`", known.join(", ")));
        None
    }

    fn deb_scripts(&self, scripts: &written::DebScripts) -> Option<DebScripts> {
        let script = |at: &Option<At<TextOr<ScriptFile>>>| {
            let script = super::settled(at.as_ref().map(|at| self.script(at)))?;
            match &script {
                Some(Script { source: ScriptSource::Inline(text), place, .. })
                    if !text.starts_with("#!") =>
                {
                    let error = place.error("a maintainer script must start with `#!`");
                    self.report(error.hint("start it with a line such as `#!/bin/sh`"));
                    None
                }
                _ => Some(script),
            }
        };
        let (preinst, postinst) = (script(&scripts.preinst), script(&scripts.postinst));
        let (prerm, postrm) = (script(&scripts.prerm), script(&scripts.postrm));
        Some(DebScripts {
            preinst: preinst?,
            postinst: postinst?,
            prerm: prerm?,
            postrm: postrm?,
            config: None,
        })
    }

    pub(super) fn script(&self, at: &At<TextOr<ScriptFile>>) -> Option<Script> {
        let source = match &at.value {
            TextOr::Text(text) if text.trim().is_empty() || text.contains('\0') => {
                self.fault(at, "the script is empty or holds a NUL character");
                return None;
            }
            TextOr::Text(text) => ScriptSource::Inline(text.clone()),
            TextOr::Table(table) if table.file.value.is_empty() => {
                self.fault(&table.file, "`file` is empty");
                return None;
            }
            TextOr::Table(table) => ScriptSource::File(table.file.value.clone()),
        };
        Some(Script {
            source,
            interpreter: None,
            flags: ScriptFlags::default(),
            place: self.place(at),
        })
    }
}

fn priority(written: Option<DebPriority>) -> Priority {
    match written {
        None => Priority::default(),
        Some(DebPriority::Required) => Priority::Required,
        Some(DebPriority::Important) => Priority::Important,
        Some(DebPriority::Standard) => Priority::Standard,
        Some(DebPriority::Optional) => Priority::Optional,
        Some(DebPriority::Extra) => Priority::Extra,
    }
}

fn multi_arch(written: DebMultiArch) -> MultiArch {
    match written {
        DebMultiArch::Same => MultiArch::Same,
        DebMultiArch::Foreign => MultiArch::Foreign,
        DebMultiArch::Allowed => MultiArch::Allowed,
    }
}
