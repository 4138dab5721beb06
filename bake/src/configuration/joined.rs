//! One environment joined with a schema.

use std::collections::{BTreeMap, BTreeSet};

use bake_config::schema::{Delivery, Secrecy};
use bake_config::settings::Severity as FaultSeverity;
use bake_config::{Fault, Given, Name, Reference, Schema, Settings};
use bake_recipes::environment::{Environment, path};
use bake_recipes::{Place, RecipeErrors};

use crate::environment::identities::Identities;
use crate::environment::unlock::{Commands, Unlock, needs_identities};
use crate::lint::{Finding, Severity};

/// How secrets are come by.
#[derive(Debug, Clone, Copy)]
pub struct Access<'a> {
    /// What decrypts.
    pub identities: &'a Identities,
    /// Whether programs that the environment names are run.
    pub commands: Commands,
    /// What becomes of secrets that cannot be had.
    pub sealed: Sealed,
}

/// What becomes of secrets that cannot be had, because there is no identity or programs may not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealed {
    /// They are an error.
    Refused,
    /// They are there, and that is all that is known of them.
    Present,
}

/// What an environment gives a schema.
#[derive(Debug)]
pub struct Joined {
    /// The environment.
    pub environment: Environment,
    /// The values.
    pub settings: Settings,
    /// What is wrong, errors first.
    pub findings: Vec<Finding>,
    /// Keys whose values stayed sealed; `settings` has references that lead nowhere in their place.
    pub sealed: BTreeSet<Name>,
}

impl Joined {
    /// Returns whether nothing may be rendered.
    pub fn is_refused(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// Returns where a key is set.
    pub fn place(&self, name: &Name) -> Option<&Place> {
        self.environment.settings.get(name).map(|setting| &setting.place)
    }
}

/// Unlocks an environment and joins it with a schema.
///
/// Fails only if secrets cannot be had; everything else is a finding.
pub fn join(
    schema: &Schema,
    environment: Environment,
    access: Access<'_>,
) -> Result<Joined, RecipeErrors> {
    let (given, sealed) = unlock(&environment, access)?;
    let given =
        given.into_iter().map(|(name, given)| (name.to_string(), given)).collect::<Vec<_>>();
    let settled = schema.settle(given.iter().map(|(name, given)| (name.as_str(), given.clone())));
    let place = |key: &str| {
        let name = Name::parse(key)?;
        environment.settings.get(&name).map(|setting| setting.place.clone())
    };
    let mut findings: Vec<_> = settled
        .faults
        .iter()
        .map(|fault| finding(fault, place(&fault.key), &environment))
        .collect();
    findings.extend(open_secrets(schema, &settled.settings, &environment));
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    Ok(Joined { settings: settled.settings, findings, sealed, environment })
}

type Unlocked = (BTreeMap<Name, Given>, BTreeSet<Name>);

fn unlock(environment: &Environment, access: Access<'_>) -> Result<Unlocked, RecipeErrors> {
    let unlock = Unlock::new(environment, access.identities, access.commands);
    let (mut all, mut sealed, mut errors) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
    let has_identities = access.identities.recipients().next().is_some();
    for (name, setting) in &environment.settings {
        let is_out_of_reach = match access.sealed {
            Sealed::Refused => false,
            Sealed::Present => {
                let command =
                    matches!(setting.source, bake_recipes::environment::Source::Command(_));
                (needs_identities(&setting.source) && !has_identities)
                    || (command && access.commands == Commands::Refused)
            }
        };
        if is_out_of_reach {
            let provider = setting.source.word().to_owned();
            all.insert(
                name.clone(),
                Given::Reference(Reference { provider, location: name.kebab() }),
            );
            sealed.insert(name.clone());
            continue;
        }
        match unlock.one(name, setting) {
            Ok(given) => drop(all.insert(name.clone(), given)),
            Err(error) => errors.push(error),
        }
    }
    RecipeErrors::check(errors, Some((all, sealed)))
}

fn finding(fault: &Fault, place: Option<Place>, environment: &Environment) -> Finding {
    let message = match &place {
        Some(_) => fault.to_string(),
        // It stands nowhere, so the environment is named.
        None => format!("`{}`: {fault}", environment.name),
    };
    Finding {
        rule: fault.kind.rule(),
        severity: match fault.kind.severity() {
            FaultSeverity::Error => Severity::Error,
            FaultSeverity::Warning => Severity::Warning,
            FaultSeverity::Info => Severity::Info,
        },
        message,
        hint: fault.kind.hint().or_else(|| {
            place.is_none().then(|| {
                format!("set it in `{}`", path(&environment.folder, &environment.name).display())
            })
        }),
        place,
    }
}

/// Finds secrets that reach the program as a variable, which more people read than one thinks.
fn open_secrets(schema: &Schema, settings: &Settings, environment: &Environment) -> Vec<Finding> {
    let keys = schema.keys.iter().filter(|(name, key)| {
        key.secrecy == Secrecy::Secret
            && key.delivery == Delivery::Variable
            && settings.get(name).is_some()
    });
    keys.map(|(name, _)| Finding {
        rule: "secret-variable",
        severity: Severity::Info,
        place: environment.settings.get(name).map(|setting| setting.place.clone()),
        message: format!(
            "`{name}` is secret and reaches the program as a variable, which its children inherit"
        ),
        hint: Some(
            "`deliver = { file = \"…\" }` in the recipe keeps it in a file of its own".into(),
        ),
    })
    .collect()
}
