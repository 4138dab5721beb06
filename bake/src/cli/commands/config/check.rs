//! `bake config check`: environments against the schema that an artifact carries.

use std::collections::BTreeSet;

use bake_recipes::environment::{Environment, EnvironmentName, list};
use clap::Args;
use serde_json::json;

use super::source::{Known, SchemaArgs};
use crate::cli::Exit;
use crate::cli::commands::check::{Deny, print};
use crate::cli::environments::{EnvironmentArgs, UnlockArgs};
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::configuration::{Access, Joined, Sealed, join, survey};
use crate::environment::identities::Identities;
use crate::error::Error;
use crate::lint::{Finding, Severity};

/// Check environments against the schema that an artifact carries, or that of the recipe.
#[derive(Debug, Args)]
#[command(
    after_help = "Checked are types, required and unknown keys, secrets in the open, deprecated keys, and, of several environments \
    together, keys that never vary, secrets that they share, and how many keys vary.\n\nWithout an identity, secrets are \
    checked for being there.\n\nExamples:\n  bake config check\n  bake config check --env prod dist/app_1.4.0_amd64.deb\n\n\
    Exit status: 0 everything can be rendered, 1 not."
)]
pub(super) struct Check {
    #[command(flatten)]
    source: SchemaArgs,
    /// The environment; may be given several times [default: all that no other one extends]
    #[arg(long = "env", value_name = "ENV")]
    named: Vec<EnvironmentName>,
    #[command(flatten)]
    unlock: UnlockArgs,
    /// From which severity on the answer is no
    #[arg(long, value_name = "SEVERITY", default_value = "errors")]
    deny: Deny,
}

impl Check {
    pub(super) fn run(
        &self,
        environments: &EnvironmentArgs,
        printer: &Printer,
    ) -> Result<Exit, Failure> {
        let known = self.source.read(environments)?;
        let loaded = load(&self.named, environments)?;
        let identities = self.unlock.identities()?;
        let all = joined(&known, loaded, present(&identities, &self.unlock))?;
        let together = survey(&known.schema, &all);
        let findings: Vec<&Finding> =
            all.iter().flat_map(|joined| &joined.findings).chain(&together).collect();
        for finding in &findings {
            print(printer, finding)?;
        }
        for joined in &all {
            summarize(joined, printer)?;
        }
        let least = self.deny.least();
        let denied = findings.iter().any(|finding| finding.severity >= least);
        Ok(if denied { Exit::No } else { Exit::Done })
    }
}

/// Loads the environments that were named, or all that no other one extends: those are parts.
pub(super) fn load(
    named: &[EnvironmentName],
    environments: &EnvironmentArgs,
) -> Result<Vec<Environment>, Failure> {
    let all = match named {
        [] => list(&environments.folder()).map_err(Error::from)?,
        named => named.to_vec(),
    };
    if all.is_empty() {
        return Err(Error::Config {
            what: format!("`{}`", environments.folder().display()),
            reason: "there is no environment".into(),
            hint: Some("`bake env set NAME KEY VALUE --create` makes one".into()),
        }
        .into());
    }
    let mut loaded =
        all.iter().map(|name| environments.load(name)).collect::<Result<Vec<_>, _>>()?;
    if named.is_empty() {
        let extended: BTreeSet<_> =
            loaded.iter().flat_map(|environment| environment.extends.iter().cloned()).collect();
        loaded.retain(|environment| !extended.contains(&environment.name));
    }
    Ok(loaded)
}

/// Returns how secrets are come by if those that cannot be had may stay sealed.
pub(super) fn present<'a>(identities: &'a Identities, unlock: &UnlockArgs) -> Access<'a> {
    Access { identities, commands: unlock.commands(), sealed: Sealed::Present }
}

/// Joins environments with a schema.
pub(super) fn joined(
    known: &Known,
    loaded: Vec<Environment>,
    access: Access<'_>,
) -> Result<Vec<Joined>, Failure> {
    let join = |environment| join(&known.schema, environment, access).map_err(Failure::from);
    loaded.into_iter().map(join).collect()
}

fn summarize(joined: &Joined, printer: &Printer) -> Result<(), Failure> {
    let name = joined.environment.name.as_str();
    let count =
        |severity| joined.findings.iter().filter(|finding| finding.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let (keys, sealed) = (joined.environment.settings.len(), joined.sealed.len());
    if printer.is_json() {
        let data = json!({ "environment": name, "keys": keys, "sealed": sealed, "errors": errors, "warnings": warnings });
        printer.event("environment", &data)?;
        return Ok(());
    }
    let mut words = vec![format!("{keys} keys")];
    if sealed > 0 {
        words.push(format!("{sealed} of them sealed, only their presence was checked"));
    }
    for (count, word) in [(errors, "error"), (warnings, "warning")] {
        if count > 0 {
            words.push(format!("{count} {word}{}", if count == 1 { "" } else { "s" }));
        }
    }
    if errors == 0 {
        words.push("can be rendered".into());
    }
    printer.line(format_args!("{name}: {}", words.join(", ")))?;
    Ok(())
}
