//! Relations: the common lists and the lists of each format.

use super::Resolver;
use super::list::Element;
use crate::resolved::{CommonKind, CommonRelation, DebRelation, Operator, RpmRelation, RpmUse};
use crate::written::{At, ListEdit};

/// A list of a format's table.
type Edit = Option<At<ListEdit<String>>>;

/// One of the lists that all package formats have.
pub(super) struct CommonList {
    pub(super) deb: Vec<DebRelation>,
    pub(super) rpm: Vec<RpmRelation>,
}

impl Element for DebRelation {
    fn is_named(&self, text: &str) -> bool {
        self.name() == text || DebRelation::parse(text).as_ref() == Ok(self)
    }
}

impl Element for RpmRelation {
    fn is_named(&self, text: &str) -> bool {
        self.name == text || RpmRelation::parse(text).as_ref() == Ok(self)
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

    /// Parses a common list of what the package wants or does not want.
    pub(super) fn wanted(&self, list: &[At<String>]) -> CommonList {
        self.common_list(list, CommonKind::Wanted)
    }

    /// Reports what is wrong with the common lists even if no package is baked.
    pub(super) fn check_relations(&self) {
        let keys = self.keys();
        let lists =
            [&keys.depends, &keys.recommends, &keys.suggests, &keys.conflicts, &keys.replaces];
        for list in lists {
            self.wanted(list);
        }
        self.common_list(&keys.provides, CommonKind::Provided);
    }

    /// Returns a list of the deb; `common` is what it starts from.
    pub(super) fn deb_list(&self, common: Vec<DebRelation>, edit: &Edit) -> Vec<DebRelation> {
        self.edited(common, edit.as_ref(), |at| self.parsed(at, DebRelation::parse(&at.value)))
    }

    pub(super) fn deb_provides(&self, edit: &Edit) -> Vec<DebRelation> {
        let common = self.common_list(&self.keys().provides, CommonKind::Provided).deb;
        self.edited(common, edit.as_ref(), |at| {
            let relation = self.parsed(at, DebRelation::parse(&at.value))?;
            if relation.is_provision() {
                return Some(relation);
            }
            let message = format!("`{relation}` cannot be provided");
            self.advise(at, message, "`Provides` takes a name, or a name and `(= version)`");
            None
        })
    }

    /// Returns the packages in their exact versions that went into this one.
    pub(super) fn built_using(&self, list: &[At<String>]) -> Vec<DebRelation> {
        let exact = |at: &At<String>| {
            let relation = self.parsed(at, DebRelation::parse(&at.value))?;
            if relation.is_exact() {
                return Some(relation);
            }
            let message = format!("`{relation}` does not name one version");
            self.advise(at, message, format!("e.g. `{} (= 1.2-3)`", relation.name()));
            None
        };
        list.iter().filter_map(exact).collect()
    }

    /// Returns a list of the rpm; `common` is what it starts from.
    pub(super) fn rpm_list(
        &self,
        common: Vec<RpmRelation>,
        edit: &Edit,
        purpose: RpmUse,
    ) -> Vec<RpmRelation> {
        self.edited(common, edit.as_ref(), |at| {
            self.parsed(at, RpmRelation::parse_for(&at.value, purpose))
        })
    }

    /// Returns a list that cannot hold rich dependencies; `what` says what its elements are.
    pub(super) fn rpm_plain_list(
        &self,
        common: Vec<RpmRelation>,
        edit: &Edit,
        what: &str,
    ) -> Vec<RpmRelation> {
        self.edited(common, edit.as_ref(), |at| self.plain_relation(at, what))
    }

    pub(super) fn rpm_provides(&self, edit: &Edit) -> Vec<RpmRelation> {
        let common = self.common_list(&self.keys().provides, CommonKind::Provided).rpm;
        self.edited(common, edit.as_ref(), |at| {
            let relation = self.plain_relation(at, "provided")?;
            match relation.constraint {
                None | Some((Operator::Equal, _)) => Some(relation),
                Some(_) => {
                    self.fault(at, format!("`{relation}` cannot be provided: expected `=`"));
                    None
                }
            }
        })
    }

    /// rpm refuses rich dependencies where it builds an index of names.
    pub(super) fn plain_relation(&self, at: &At<String>, what: &str) -> Option<RpmRelation> {
        let relation = self.parsed(at, RpmRelation::parse(&at.value))?;
        if relation.is_rich() {
            self.fault(at, format!("a rich dependency cannot be {what}"));
            return None;
        }
        Some(relation)
    }
}
