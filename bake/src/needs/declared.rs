//! What a recipe declares, and whether that covers a need.

use bake_formats::deb::{Operator, Relation, Relations, Version};
use bake_recipes::resolved::DebRelation;

/// Dependencies that a recipe declares of its deb.
#[derive(Debug)]
pub(super) struct Declared {
    relations: Vec<Vec<Relation>>,
}

impl Declared {
    pub(super) fn new<'a>(written: impl IntoIterator<Item = &'a DebRelation>) -> Self {
        // What the recipe accepts and the format does not is reported where the package is made.
        let relations =
            written.into_iter().filter_map(|relation| relation.to_string().parse().ok());
        Self { relations: relations.flat_map(|parsed: Relations| lists(&parsed)).collect() }
    }

    /// Returns whether something declared leaves no way to install the package without what is
    /// needed.
    pub(super) fn covers(&self, need: &str) -> bool {
        let Ok(need) = need.parse::<Relations>() else { return false };
        lists(&need).iter().all(|need| {
            let implied = |relation: &Relation| need.iter().any(|need| implies(relation, need));
            self.relations.iter().any(|declared| declared.iter().all(implied))
        })
    }

    /// Returns whether a package is named at all, in any version, perhaps as an alternative.
    pub(super) fn names(&self, is_meant: impl Fn(&str) -> bool) -> bool {
        self.relations.iter().flatten().any(|relation| is_meant(&relation.package))
    }

    /// Returns the least versions that are declared of some packages.
    pub(super) fn least(&self, is_meant: impl Fn(&str) -> bool) -> Vec<&Version> {
        let meant = self.relations.iter().flatten().filter(|relation| is_meant(&relation.package));
        meant
            .filter_map(|relation| match &relation.version {
                Some((Operator::LaterOrEqual | Operator::Equal | Operator::Later, version)) => {
                    Some(version)
                }
                _ => None,
            })
            .collect()
    }
}

/// Returns whether a declared dependency says no more than that another is there: the package
/// alone, in no version or one that is not later.
pub(super) fn is_weaker(declared: &DebRelation, need: &str) -> bool {
    let parse = |text: &str| {
        let parsed: Option<Relations> = text.parse().ok();
        let mut lists = parsed.map(|parsed| lists(&parsed)).unwrap_or_default();
        let list = lists.pop().filter(|_| lists.is_empty())?;
        match list.as_slice() {
            [relation] => Some(relation.clone()),
            _ => None,
        }
    };
    match (parse(&declared.to_string()), parse(need)) {
        (Some(declared), Some(need)) => implies(&need, &declared),
        _ => false,
    }
}

fn lists(relations: &Relations) -> Vec<Vec<Relation>> {
    relations.iter().map(|alternatives| alternatives.iter().cloned().collect()).collect()
}

/// Returns whether a package that fits the first relation always fits the second.
fn implies(first: &Relation, second: &Relation) -> bool {
    let qualifiers = match (&first.qualifier, &second.qualifier) {
        (_, None) => true,
        (first, second) => first == second,
    };
    if first.package != second.package || !qualifiers {
        return false;
    }
    let Some((second_sign, least)) = &second.version else { return true };
    let Some((sign, version)) = &first.version else { return false };
    if (sign, version) == (second_sign, least) {
        return true;
    }
    let is_lower_bound = matches!(sign, Operator::LaterOrEqual | Operator::Equal | Operator::Later);
    *second_sign == Operator::LaterOrEqual && is_lower_bound && version.compare(least).is_ge()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(texts: &[&str]) -> Declared {
        let written: Vec<_> = texts.iter().map(|text| DebRelation::parse(text).unwrap()).collect();
        Declared::new(&written)
    }

    #[test]
    fn a_later_version_covers_an_earlier_one_and_not_the_reverse() {
        for (written, need, covered) in [
            ("libc6 (>= 2.36)", "libc6 (>= 2.34)", true),
            ("libc6 (= 2.36-9)", "libc6 (>= 2.34)", true),
            ("libc6 (>= 2.9)", "libc6 (>= 2.34)", false),
            ("libc6", "libc6 (>= 2.34)", false),
            ("libc6 (<< 3)", "libc6 (>= 2.34)", false),
            ("libc6 (<< 3)", "libc6", true),
            ("libc6 (<< 3)", "libc6 (<< 3)", true),
            ("python3:any (>= 3.9)", "python3", true),
            ("a1 | b1", "a1", false),
            ("a1 | b1", "b1 | c1 | a1", true),
            ("a1 (>= 2) | b1", "a1 (>= 1) | b1", true),
        ] {
            assert_eq!(declared(&[written]).covers(need), covered, "{written}: {need}");
        }
    }

    #[test]
    fn what_says_less_gives_way() {
        let weaker = |text: &str, need| is_weaker(&DebRelation::parse(text).unwrap(), need);
        assert!(weaker("libc6", "libc6 (>= 2.34)") && weaker("libc6 (>= 2.9)", "libc6 (>= 2.34)"));
        for kept in ["libc6 (<< 3)", "libc6 (= 2.36)", "libc6 | musl", "libc6 (>= 2.36)", "libc"] {
            assert!(!weaker(kept, "libc6 (>= 2.34)"), "{kept}");
        }
    }
}
