//! `[rpm]`.

use bake_formats::encode::Compression;
use bake_formats::tree::TreePath;

use super::deb::PACKAGE_CODECS;
use super::{Common, Resolver, settled};
use crate::resolved::{Rpm, RpmFormat, RpmMoment, RpmRelation, RpmUse};
use crate::written::{self, At};

/// Single tags of the header.
struct Tags {
    group: Option<String>,
    packager: Option<String>,
    distribution: Option<String>,
    bug_url: Option<String>,
    prefixes: Vec<TreePath>,
}

impl Resolver<'_> {
    pub(super) fn rpm(
        &self,
        at: Option<&At<written::Rpm>>,
        here: &At<String>,
        common: &Common,
    ) -> Option<Rpm> {
        let place = at.map_or_else(|| self.place(here), |at| self.place(at));
        let table = at.map(|at| at.value.clone()).unwrap_or_default();
        let keys = self.keys();
        let release = self.own_release(table.release.as_ref(), common);
        let version = self.version_for(|| common.version.rpm());
        let wanted = |list, edit| self.rpm_list(self.wanted(list).rpm, edit, RpmUse::Wanted);
        let unwanted = |list: &[_], edit| {
            let common = self.wanted(list).rpm;
            self.rpm_list(common, edit, RpmUse::Unwanted)
        };
        let obsoleted = self.wanted(&keys.replaces).rpm;
        let tags = self.rpm_tags(&table, common);
        let triggers = self.rpm_triggers(&table.triggers);
        let file_triggers = self.rpm_file_triggers(&table.file_triggers);
        let compression =
            self.compression(table.compression.as_ref(), Compression::ZSTD, &PACKAGE_CODECS);
        let scripts = self.rpm_scripts(&table.scripts);
        let tags = tags?;
        Some(Rpm {
            requires: wanted(&keys.depends, &table.requires),
            recommends: wanted(&keys.recommends, &table.recommends),
            suggests: wanted(&keys.suggests, &table.suggests),
            scriptlet_requires: self.scriptlet_requires(&table.scriptlet_requires),
            order_with_requires: {
                let edit = &table.order_with_requires;
                self.rpm_plain_list(Vec::new(), edit, "what comes first")
            },
            supplements: unwanted(&[], &table.supplements),
            enhances: unwanted(&[], &table.enhances),
            conflicts: unwanted(&keys.conflicts, &table.conflicts),
            obsoletes: self.rpm_plain_list(obsoleted, &table.obsoletes, "obsoleted"),
            provides: self.rpm_provides(&table.provides),
            version: version?,
            release: release?.as_str().to_owned(),
            group: tags.group,
            packager: tags.packager,
            distribution: tags.distribution,
            bug_url: tags.bug_url,
            prefixes: tags.prefixes,
            version_of_format: format(table.format.as_ref().map(|at| at.value)),
            triggers: triggers?,
            file_triggers: file_triggers?,
            compression: compression?,
            scripts: scripts?,
            place,
        })
    }

    fn rpm_tags(&self, table: &written::Rpm, common: &Common) -> Option<Tags> {
        let group = table.group.as_ref().map(|at| self.line(at, "group"));
        let packager = match &table.packager {
            Some(at) => Some(self.line(at, "packager")),
            None => common.maintainer.as_ref().map(|maintainer| Some(maintainer.to_string())),
        };
        let distribution = table.distribution.as_ref().map(|at| self.line(at, "distribution"));
        let example = "https://example.com/catalog/issues";
        let bug_url = table.bug_url.as_ref().map(|at| self.bugs(at, "bug-url", example));
        let prefixes = self.prefixes(&table.prefixes);
        Some(Tags {
            group: settled(group)?,
            packager: settled(packager)?,
            distribution: settled(distribution)?,
            bug_url: settled(bug_url)?,
            prefixes: prefixes?,
        })
    }

    fn prefixes(&self, list: &[At<String>]) -> Option<Vec<TreePath>> {
        let mut all = Vec::new();
        for at in list {
            let path = self.tree_path(at)?;
            if all.contains(&path) {
                self.fault(at, format!("`{}` stands here twice", at.value));
                return None;
            }
            all.push(path);
        }
        Some(all)
    }

    fn scriptlet_requires(
        &self,
        table: &written::RpmScriptletRequires,
    ) -> Vec<(RpmMoment, RpmRelation)> {
        let all = [
            (RpmMoment::Pre, &table.pre),
            (RpmMoment::Post, &table.post),
            (RpmMoment::Preun, &table.preun),
            (RpmMoment::Postun, &table.postun),
            (RpmMoment::Pretrans, &table.pretrans),
            (RpmMoment::Posttrans, &table.posttrans),
            (RpmMoment::Preuntrans, &table.preuntrans),
            (RpmMoment::Postuntrans, &table.postuntrans),
            (RpmMoment::Verify, &table.verify),
            (RpmMoment::Interp, &table.interp),
            (RpmMoment::Meta, &table.meta),
        ];
        let parse =
            |at: &At<String>| self.parsed(at, RpmRelation::parse_for(&at.value, RpmUse::Wanted));
        all.into_iter()
            .flat_map(|(moment, list)| list.iter().map(move |at| (moment, at)))
            .filter_map(|(moment, at)| Some((moment, parse(at)?)))
            .collect()
    }
}

fn format(written: Option<written::RpmFormat>) -> RpmFormat {
    match written {
        None => RpmFormat::default(),
        Some(written::RpmFormat::V4) => RpmFormat::V4,
        Some(written::RpmFormat::V6) => RpmFormat::V6,
    }
}
