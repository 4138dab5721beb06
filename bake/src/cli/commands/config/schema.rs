//! `bake config schema`: the schema of an artifact or a recipe.

use bake_config::schema::{Delivery, Key, Presence, Secrecy, Variance};
use bake_config::{Name, json_schema};
use clap::{Args, ValueEnum};
use serde_json::json;

use super::source::SchemaArgs;
use crate::cli::Exit;
use crate::cli::environments::EnvironmentArgs;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;

/// Print the schema that an artifact carries, or that of the recipe.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bake config schema app.deb\n  bake config schema --as json-schema > values.schema.json\n  \
    bake config schema --as environment-schema > environment.schema.json\n\nThe last one is for editors of \
    environments/NAME.toml: put `#:schema ../environment.schema.json` on its first line."
)]
pub(super) struct Schema {
    #[command(flatten)]
    source: SchemaArgs,
    /// What to print
    #[arg(long = "as", value_name = "FORM", default_value = "text")]
    form: Form,
}

/// What a schema is printed as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A list for people
    Text,
    /// The record, byte for byte as it lies in artifacts
    Record,
    /// JSON Schema of one object with a value for each key
    JsonSchema,
    /// JSON Schema of an environment's file
    EnvironmentSchema,
}

impl Schema {
    pub(super) fn run(
        &self,
        environments: &EnvironmentArgs,
        printer: &Printer,
    ) -> Result<Exit, Failure> {
        let known = self.source.read(environments)?;
        let schema = &known.schema;
        match self.form {
            Form::Record => printer.bytes(schema.to_record().as_bytes())?,
            Form::JsonSchema => printer.line(format_args!("{:#}", json_schema::values(schema)))?,
            Form::EnvironmentSchema => {
                printer.line(format_args!("{:#}", json_schema::environment(schema)))?;
            }
            Form::Text if printer.is_json() => {
                let (digest, artifact) = (schema.digest(), &known.artifact);
                let data = json!({ "digest": digest, "artifact": artifact, "schema": schema });
                printer.event("schema", &data)?;
            }
            Form::Text => print(schema, printer)?,
        }
        Ok(Exit::Done)
    }
}

fn print(schema: &bake_config::Schema, printer: &Printer) -> Result<(), Failure> {
    printer.line(format_args!("schema of {}: {}", schema.service.name, schema.digest()))?;
    for (name, key) in &schema.keys {
        printer.line("")?;
        printer.line(format_args!("{name}: {}", words(key)))?;
        if let Some(description) = &key.description {
            printer.line(format_args!("  {description}"))?;
        }
        printer.line(format_args!("  {}", delivered(schema, name, key)))?;
    }
    let files = schema.files.iter().map(|file| (&file.path, file.mode, "from a template"));
    let documents = schema
        .documents
        .iter()
        .map(|document| (&document.path, document.mode, document.format.word()));
    for (path, mode, what) in files.chain(documents) {
        printer.line("")?;
        printer.line(format_args!("{path}: {what}, mode {mode:04o}"))?;
    }
    Ok(())
}

/// Returns type and properties, e.g. `required secret string`.
fn words(key: &Key) -> String {
    let mut words = Vec::new();
    if key.presence == Presence::Required {
        words.push("required".to_owned());
    }
    if key.secrecy == Secrecy::Secret {
        words.push("secret".to_owned());
    }
    words.push(format!("{}, {}", key.kind.word(), key.kind.expected()));
    if let Some(default) = &key.default {
        words.push(format!("[default: {}]", default.text().escape_debug()));
    }
    if key.variance == Variance::Same {
        words.push("[the same everywhere]".into());
    }
    if let Some(deprecated) = &key.deprecated {
        let instead =
            deprecated.instead.as_ref().map(|name| format!(": use {name}")).unwrap_or_default();
        words.push(format!("[deprecated{instead}]"));
    }
    words.join(" ")
}

fn delivered(schema: &bake_config::Schema, name: &Name, key: &Key) -> String {
    match &key.delivery {
        Delivery::Variable => format!("as the variable {}", schema.variable(name)),
        Delivery::File { name: file, path_variable: None } => format!("as the file {file}"),
        Delivery::File { name: file, path_variable: Some(variable) } => {
            format!("as the file {file}, whose path is in {variable}")
        }
        Delivery::Files => "in rendered files only".into(),
    }
}
