//! Dependencies.

use bake_formats::rpm::{Dependency, Moment, Operator, Relations};
use bake_recipes::resolved::{self, Recipe, Rpm, RpmMoment, RpmRelation};

/// What generated scriptlets call.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// What must be there at one moment.
    pub(super) requires: Vec<(Moment, Dependency)>,
    /// What goes first if it is there.
    pub(super) order: Vec<Dependency>,
}

/// Returns the dependencies of the recipe, and those of generated scriptlets; sorted, as rpm has
/// them, and each once.
pub(super) fn relations(recipe: &Recipe, table: &Rpm, needs: Needs) -> Relations {
    let schema = recipe.config.rpm_provide();
    let schema = schema.map(|(name, hex)| Dependency::versioned(name, Operator::Equal, hex));
    let moments = table.scriptlet_requires.iter();
    let mut scriptlet_requires: Vec<(Moment, Dependency)> =
        moments.map(|(when, relation)| (moment(*when), dependency(relation))).collect();
    scriptlet_requires.extend(needs.requires);
    scriptlet_requires.sort_by_key(|(moment, on)| (key(on), *moment));
    scriptlet_requires.dedup();
    Relations {
        requires: dependencies(&table.requires),
        scriptlet_requires,
        order: sorted(table.order_with_requires.iter().map(dependency).chain(needs.order)),
        provides: sorted(table.provides.iter().map(dependency).chain(schema)),
        conflicts: dependencies(&table.conflicts),
        obsoletes: dependencies(&table.obsoletes),
        recommends: dependencies(&table.recommends),
        suggests: dependencies(&table.suggests),
        supplements: dependencies(&table.supplements),
        enhances: dependencies(&table.enhances),
    }
}

/// Returns dependencies, sorted and each once.
pub(super) fn dependencies(relations: &[RpmRelation]) -> Vec<Dependency> {
    sorted(relations.iter().map(dependency))
}

fn sorted(all: impl Iterator<Item = Dependency>) -> Vec<Dependency> {
    let mut all: Vec<Dependency> = all.collect();
    all.sort_by_key(key);
    all.dedup();
    all
}

/// What rpm sorts by: name, version, operator.
fn key(on: &Dependency) -> (String, String, u32) {
    let (sense, version) = match &on.version {
        None => (0, String::new()),
        Some((operator, version)) => (sense(*operator), version.clone()),
    };
    (on.name.clone(), version, sense)
}

fn sense(operator: Operator) -> u32 {
    match operator {
        Operator::Less => 2,
        Operator::Greater => 4,
        Operator::Equal => 8,
        Operator::LessOrEqual => 10,
        Operator::GreaterOrEqual => 12,
    }
}

fn dependency(relation: &RpmRelation) -> Dependency {
    let Some((operator, version)) = &relation.constraint else {
        return Dependency::on(relation.name.as_str());
    };
    let operator = match operator {
        resolved::Operator::Less => Operator::Less,
        resolved::Operator::LessEqual => Operator::LessOrEqual,
        resolved::Operator::Equal => Operator::Equal,
        resolved::Operator::GreaterEqual => Operator::GreaterOrEqual,
        resolved::Operator::Greater => Operator::Greater,
    };
    Dependency::versioned(relation.name.as_str(), operator, version.as_str())
}

fn moment(moment: RpmMoment) -> Moment {
    match moment {
        RpmMoment::Pre => Moment::Pre,
        RpmMoment::Post => Moment::Post,
        RpmMoment::Preun => Moment::Preun,
        RpmMoment::Postun => Moment::Postun,
        RpmMoment::Pretrans => Moment::Pretrans,
        RpmMoment::Posttrans => Moment::Posttrans,
        RpmMoment::Preuntrans => Moment::Preuntrans,
        RpmMoment::Postuntrans => Moment::Postuntrans,
        RpmMoment::Verify => Moment::Verify,
        RpmMoment::Interp => Moment::Interp,
        RpmMoment::Meta => Moment::Meta,
    }
}
