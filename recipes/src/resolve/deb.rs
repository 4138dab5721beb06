//! `[deb]`.

use std::collections::{BTreeMap, BTreeSet};

use bake_formats::encode::{Codec, Compression};
use bake_formats::tree::TreePath;

use super::{Common, Resolver, settled};
use crate::resolved::{
    Deb, DebRelation, FileRule, LintianOverride, MultiArch, Output, Priority, ScriptSource, Trigger,
};
use crate::version::Release;
use crate::written::{self, At, DebMultiArch, DebPriority, PackageArchitecture};

/// What dpkg 1.21.18 and rpm 4.14 can both unpack.
pub(super) const PACKAGE_CODECS: [Codec; 4] = [Codec::None, Codec::Gzip, Codec::Zstd, Codec::Xz];

/// The lists that start from common ones.
struct Lists {
    depends: Vec<DebRelation>,
    recommends: Vec<DebRelation>,
    suggests: Vec<DebRelation>,
    conflicts: Vec<DebRelation>,
    replaces: Vec<DebRelation>,
}

/// Single fields of the control file.
struct Fields {
    section: String,
    source: Option<String>,
    origin: Option<String>,
    bugs: Option<String>,
    tags: Vec<String>,
    further: BTreeMap<String, String>,
}

/// What stands in other control files.
struct Control {
    remove_conffiles: BTreeSet<TreePath>,
    triggers: Vec<Trigger>,
    templates: Option<ScriptSource>,
    shlibs: Option<ScriptSource>,
    symbols: Option<ScriptSource>,
    library_data: Vec<String>,
    lintian_overrides: Vec<LintianOverride>,
}

impl Resolver<'_> {
    pub(super) fn deb(
        &self,
        at: Option<&At<written::Deb>>,
        here: &At<String>,
        common: &Common,
    ) -> Option<Deb> {
        let place = at.map_or_else(|| self.place(here), |at| self.place(at));
        let table = at.map(|at| at.value.clone()).unwrap_or_default();
        if common.maintainer.is_none() && self.keys().maintainer.is_none() {
            let error = place.error("a deb needs a `maintainer`");
            self.report(error.hint("add `maintainer = \"Name <mail>\"` at the top of the recipe"));
        }
        let release = self.own_release(table.release.as_ref(), common);
        let version = release
            .and_then(|release| self.version_for(|| common.version.deb(&release, common.epoch)));
        let lists = self.deb_lists(&table);
        let fields = self.deb_single_fields(&table);
        let control = self.deb_control(&table);
        let compression =
            self.compression(table.compression.as_ref(), Compression::ZSTD, &PACKAGE_CODECS);
        let scripts = self.deb_scripts(&table.scripts);
        self.check_multi_arch(table.multi_arch.as_ref());
        let (fields, control) = (fields?, control?);
        Some(Deb {
            depends: lists.depends,
            pre_depends: self.deb_list(Vec::new(), &table.pre_depends),
            recommends: lists.recommends,
            suggests: lists.suggests,
            enhances: self.deb_list(Vec::new(), &table.enhances),
            breaks: self.deb_list(Vec::new(), &table.breaks),
            conflicts: lists.conflicts,
            replaces: lists.replaces,
            provides: self.deb_provides(&table.provides),
            priority: priority(table.priority.as_ref().map(|at| at.value)),
            multi_arch: table.multi_arch.as_ref().map(|at| multi_arch(at.value)),
            source: fields.source,
            essential: table.essential.unwrap_or_default(),
            protected: table.protected.unwrap_or_default(),
            built_using: self.built_using(&table.built_using),
            static_built_using: self.built_using(&table.static_built_using),
            origin: fields.origin,
            bugs: fields.bugs,
            tags: fields.tags,
            remove_conffiles: control.remove_conffiles,
            triggers: control.triggers,
            templates: control.templates,
            shlibs: control.shlibs,
            symbols: control.symbols,
            library_data: control.library_data,
            lintian_overrides: control.lintian_overrides,
            version: version?,
            section: fields.section,
            fields: fields.further,
            compression: compression?,
            scripts: scripts?,
            place,
        })
    }

    fn deb_lists(&self, table: &written::Deb) -> Lists {
        let keys = self.keys();
        let common = |list| self.wanted(list).deb;
        let replaced = common(&keys.replaces);
        let conflicts = [common(&keys.conflicts), replaced.clone()].concat();
        Lists {
            depends: self.deb_list(common(&keys.depends), &table.depends),
            recommends: self.deb_list(common(&keys.recommends), &table.recommends),
            suggests: self.deb_list(common(&keys.suggests), &table.suggests),
            conflicts: self.deb_list(conflicts, &table.conflicts),
            replaces: self.deb_list(replaced, &table.replaces),
        }
    }

    fn deb_single_fields(&self, table: &written::Deb) -> Option<Fields> {
        let section = match &table.section {
            Some(at) => self.section(at),
            None => Some("misc".to_owned()),
        };
        let source = table.source.as_ref().map(|at| self.deb_source(at));
        let origin = table.origin.as_ref().map(|at| self.line(at, "origin"));
        let example = "https://example.com/catalog/issues";
        let bugs = table.bugs.as_ref().map(|at| self.bugs(at, "bugs", example));
        let tags = self.deb_tags(&table.tags);
        let further = self.deb_fields(&table.fields);
        Some(Fields {
            section: section?,
            source: settled(source)?,
            origin: settled(origin)?,
            bugs: settled(bugs)?,
            tags: tags?,
            further: further?,
        })
    }

    fn deb_control(&self, table: &written::Deb) -> Option<Control> {
        let remove_conffiles = self.remove_conffiles(&table.remove_conffiles);
        let triggers = self.deb_triggers(&table.triggers);
        let templates = table.templates.as_ref().map(|at| self.templates(at));
        let shlibs = table.shlibs.as_ref().map(|at| self.shlibs(at));
        let symbols = table.symbols.as_ref().map(|at| self.text_source(at));
        let data = table.library_data.iter().map(|at| self.line(at, "library-data"));
        let data: Vec<_> = data.collect();
        let overrides = self.lintian_overrides(&table.lintian_overrides);
        Some(Control {
            remove_conffiles: remove_conffiles?,
            triggers: triggers?,
            templates: settled(templates)?,
            shlibs: settled(shlibs)?,
            symbols: settled(symbols)?,
            library_data: data.into_iter().collect::<Option<_>>()?,
            lintian_overrides: overrides?,
        })
    }

    /// dpkg refuses a package that is both.
    fn check_multi_arch(&self, at: Option<&At<DebMultiArch>>) {
        let architecture = self.keys().architecture.as_ref().map(|at| at.value);
        if let Some(at) = at
            && at.value == DebMultiArch::Same
            && architecture == Some(PackageArchitecture::All)
        {
            let message = "a package for all architectures cannot have `multi-arch = \"same\"`";
            self.advise(at, message, "write `foreign`, or leave it out");
        }
    }

    /// dpkg refuses the PAX headers that extended attributes need, and a file that is both shipped
    /// and to be removed.
    pub(super) fn check_deb_files(&self, files: &[FileRule]) {
        let rules = files.iter().filter(|rule| rule.is_for(Output::Deb));
        for rule in rules.clone().filter(|rule| !rule.xattrs.is_empty()) {
            let message = "a deb cannot carry capabilities or extended attributes";
            let hint = "leave `deb` out of the rule's `formats`, or bake no deb";
            self.report(rule.place.error(message).hint(hint));
        }
        let table = self.keys().deb.as_ref();
        for at in table.iter().flat_map(|table| &table.value.remove_conffiles) {
            let shipped = rules.clone().find(|rule| {
                let path =
                    rule.single_path().filter(|_| rule.mark != bake_formats::tree::Mark::Ghost);
                path.is_some() && path == TreePath::parse(&at.value).ok().as_ref()
            });
            if let Some(rule) = shipped {
                let message = format!("`{}` is to be removed and shipped", at.value);
                let line = rule.place.line;
                self.advise(at, message, format!("the rule in line {line} places a file there"));
            }
        }
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
