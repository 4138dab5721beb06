//! `bake env ls`: which environments there are, and what one sets.

use bake_recipes::environment::{Environment, EnvironmentName, list, path};
use clap::Args;
use serde_json::json;

use crate::cli::Exit;
use crate::cli::environments::EnvironmentArgs;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::error::Error;

/// List environments, or what one of them sets and where.
#[derive(Debug, Args)]
#[command(
    after_help = "Prints for each key: its name, what kind of source it has (value, age, sops, ref, command), the \
    environment that sets it, and the line. Never a value."
)]
pub(super) struct Ls {
    /// The environment
    #[arg(value_name = "ENV")]
    environment: Option<EnvironmentName>,
}

impl Ls {
    pub(super) fn run(
        &self,
        environments: &EnvironmentArgs,
        printer: &Printer,
    ) -> Result<Exit, Failure> {
        match &self.environment {
            Some(name) => keys(&environments.load(name)?, printer),
            None => names(environments, printer),
        }
    }
}

fn names(environments: &EnvironmentArgs, printer: &Printer) -> Result<Exit, Failure> {
    let folder = environments.folder();
    let names = list(&folder).map_err(Error::from)?;
    if names.is_empty() {
        printer.note(format_args!("there is no environment in `{}`", folder.display()));
    }
    let width = names.iter().map(|name| name.as_str().len()).max().unwrap_or_default();
    let mut exit = Exit::Done;
    for name in &names {
        let environment = match environments.load(name) {
            Ok(environment) => environment,
            Err(failure) => {
                // The others are listed all the same.
                exit = printer.failure(&failure);
                continue;
            }
        };
        let extends: Vec<_> = environment.extends.iter().map(EnvironmentName::as_str).collect();
        let file = path(&folder, name).display().to_string();
        if printer.is_json() {
            let description = &environment.description;
            let data = json!({ "name": name.as_str(), "description": description, "extends": extends, "file": file,
                "keys": environment.settings.len() });
            printer.event("environment", &data)?;
            continue;
        }
        let description =
            environment.description.as_deref().map(|text| text.escape_debug().to_string());
        let words =
            [(!extends.is_empty()).then(|| format!("extends {}", extends.join(", "))), description];
        let words: Vec<_> = words.into_iter().flatten().collect();
        printer.line(format!("{:width$}  {}", name.as_str(), words.join("; ")).trim_end())?;
    }
    Ok(exit)
}

fn keys(environment: &Environment, printer: &Printer) -> Result<Exit, Failure> {
    let width =
        environment.settings.keys().map(|name| name.as_str().len()).max().unwrap_or_default();
    for (name, setting) in &environment.settings {
        let (source, origin) = (setting.source.word(), setting.origin.as_str());
        if printer.is_json() {
            let data = json!({ "environment": environment.name.as_str(), "key": name.as_str(), "source": source,
                "origin": origin, "file": &*setting.place.file, "line": setting.place.line });
            printer.event("setting", &data)?;
            continue;
        }
        let place = &setting.place;
        printer.line(format_args!(
            "{:width$}  {source:7}  {origin}  {}:{}",
            name.as_str(),
            place.file,
            place.line
        ))?;
    }
    Ok(Exit::Done)
}
