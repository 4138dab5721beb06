//! What several environments show together: keys that never vary, keys that vary needlessly, how many vary.

use std::collections::BTreeSet;

use bake_config::schema::{Secrecy, Variance};
use bake_config::{Name, Schema, Setting};

use super::joined::Joined;
use crate::lint::{Finding, Severity};

/// Returns what a schema and at least two environments for it say about each other.
pub fn survey(schema: &Schema, all: &[Joined]) -> Vec<Finding> {
    if all.len() < 2 {
        return Vec::new();
    }
    let varying = varying(schema, all);
    let mut findings = constant(schema, all, &varying);
    findings.extend(never_set(schema, all));
    findings.extend(over_budget(schema, &varying));
    findings
}

/// Returns the keys in which at least two environments differ. Sealed secrets differ from everything.
fn varying(schema: &Schema, all: &[Joined]) -> BTreeSet<Name> {
    let differs = |name: &Name| {
        let mut values = all.iter().map(|joined| joined.settings.get(name));
        let first = values.next().flatten();
        let is_sealed = all.iter().any(|joined| joined.sealed.contains(name));
        is_sealed || values.any(|value| value != first)
    };
    schema.keys.keys().filter(|name| differs(name)).cloned().collect()
}

/// Finds keys that every environment sets to one value, which is what a default is for.
fn constant(schema: &Schema, all: &[Joined], varying: &BTreeSet<Name>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, key) in &schema.keys {
        let everywhere = all.iter().all(|joined| joined.environment.settings.contains_key(name));
        // A reference may lead to another value in each environment.
        let is_known = all
            .iter()
            .all(|joined| !matches!(joined.settings.get(name), Some(Setting::Reference(_))));
        if !everywhere || !is_known || varying.contains(name) || key.variance == Variance::Same {
            continue;
        }
        let (rule, message) = match key.secrecy {
            Secrecy::Open => (
                "never-varies",
                format!("all {} environments set `{name}` to one value", all.len()),
            ),
            Secrecy::Secret => (
                "shared-secret",
                format!("all {} environments share the secret `{name}`", all.len()),
            ),
        };
        let hint = match key.secrecy {
            Secrecy::Open => "make it the default in the recipe, with `varies = false`",
            Secrecy::Secret => {
                "whoever has the secret of a test has that of production; give each its own"
            }
        };
        findings.push(Finding {
            rule,
            severity: Severity::Warning,
            place: all.first().and_then(|joined| joined.place(name)).cloned(),
            message,
            hint: Some(hint.into()),
        });
    }
    findings
}

/// Finds keys that no environment sets.
fn never_set(schema: &Schema, all: &[Joined]) -> Vec<Finding> {
    let is_set =
        |name: &Name| all.iter().any(|joined| joined.environment.settings.contains_key(name));
    let keys = schema.keys.iter().filter(|(name, key)| {
        !is_set(name) && key.variance == Variance::Varies && key.deprecated.is_none()
    });
    keys.map(|(name, key)| Finding {
        rule: "never-set",
        severity: Severity::Info,
        place: None,
        message: format!("no environment sets `{name}`"),
        hint: Some(if key.default.is_some() {
            "`varies = false` says that its default is the same everywhere".into()
        } else {
            "it may not be needed".into()
        }),
    })
    .collect()
}

fn over_budget(schema: &Schema, varying: &BTreeSet<Name>) -> Option<Finding> {
    let budget = schema.max_varying?;
    let found = varying.len();
    if found <= usize::try_from(budget).unwrap_or(usize::MAX) {
        return None;
    }
    let names: Vec<_> = varying.iter().map(Name::as_str).collect();
    Some(Finding {
        rule: "too-many-vary",
        severity: Severity::Warning,
        place: None,
        message: format!("{found} keys differ between environments, `max-varying` allows {budget}"),
        hint: Some(format!(
            "each one is something that a test does not test: {}",
            names.join(", ")
        )),
    })
}
