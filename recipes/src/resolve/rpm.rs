//! `[rpm]`.

use bake_formats::encode::Compression;

use super::deb::PACKAGE_CODECS;
use super::list::Element;
use super::{Common, Resolver, settled};
use crate::resolved::{CommonKind, Operator, Rpm, RpmFormat, RpmRelation, RpmScripts};
use crate::written::{self, At, ListEdit};

impl Element for RpmRelation {
    fn is_named(&self, text: &str) -> bool {
        self.name == text || RpmRelation::parse(text).as_ref() == Ok(self)
    }
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
        let wanted = |list| self.common_list(list, CommonKind::Wanted).rpm;
        let provided = self.common_list(&keys.provides, CommonKind::Provided).rpm;
        let any = |at: &At<String>| self.parsed(at, RpmRelation::parse(&at.value));
        let relations = |list: &[At<String>]| list.iter().filter_map(any).collect();
        let edited =
            |common, edit: &Option<At<ListEdit<String>>>| self.edited(common, edit.as_ref(), any);
        let group = table.group.as_ref().map(|at| self.line(at, "group"));
        let packager = match &table.packager {
            Some(at) => Some(self.line(at, "packager")),
            None => common.maintainer.as_ref().map(|maintainer| Some(maintainer.to_string())),
        };
        let compression =
            self.compression(table.compression.as_ref(), Compression::ZSTD, &PACKAGE_CODECS);
        let scripts = self.rpm_scripts(&table.scripts);
        Some(Rpm {
            requires: edited(wanted(&keys.depends), &table.requires),
            recommends: edited(wanted(&keys.recommends), &table.recommends),
            suggests: edited(wanted(&keys.suggests), &table.suggests),
            scriptlet_requires: Vec::new(),
            order_with_requires: Vec::new(),
            supplements: relations(&table.supplements),
            enhances: relations(&table.enhances),
            conflicts: edited(wanted(&keys.conflicts), &table.conflicts),
            obsoletes: self.edited(wanted(&keys.replaces), table.obsoletes.as_ref(), |at| {
                self.plain_relation(at, "obsoleted")
            }),
            provides: self.edited(provided, table.provides.as_ref(), |at| {
                let relation = self.plain_relation(at, "provided")?;
                match relation.constraint {
                    None | Some((Operator::Equal, _)) => Some(relation),
                    Some(_) => {
                        self.fault(at, format!("`{relation}` cannot be provided: expected `=`"));
                        None
                    }
                }
            }),
            version: version?,
            release: release?.as_str().to_owned(),
            group: settled(group)?,
            packager: settled(packager)?,
            distribution: None,
            bug_url: None,
            prefixes: Vec::new(),
            version_of_format: RpmFormat::default(),
            triggers: Vec::new(),
            file_triggers: Vec::new(),
            compression: compression?,
            scripts: scripts?,
            place,
        })
    }

    /// rpm refuses rich dependencies where it builds an index of names.
    fn plain_relation(&self, at: &At<String>, what: &str) -> Option<RpmRelation> {
        let relation = self.parsed(at, RpmRelation::parse(&at.value))?;
        if relation.is_rich() {
            self.fault(at, format!("a rich dependency cannot be {what}"));
            return None;
        }
        Some(relation)
    }

    fn rpm_scripts(&self, scripts: &written::RpmScripts) -> Option<RpmScripts> {
        let all = [
            &scripts.pre,
            &scripts.post,
            &scripts.preun,
            &scripts.postun,
            &scripts.pretrans,
            &scripts.posttrans,
        ];
        let [pre, post, preun, postun, pretrans, posttrans] =
            all.map(|at| settled(at.as_ref().map(|at| self.script(at))));
        Some(RpmScripts {
            pre: pre?,
            post: post?,
            preun: preun?,
            postun: postun?,
            pretrans: pretrans?,
            posttrans: posttrans?,
            preuntrans: None,
            postuntrans: None,
            verify: None,
        })
    }
}
