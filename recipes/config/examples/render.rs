//! Renders a configuration without a recipe, for tests of targets against those who read them.
//!
//! ```text
//! render RECORD VALUES TARGET FOLDER [bake-init]
//! ```
//!
//! `RECORD` is a schema as artifacts carry it. `VALUES` is a JSON object: of each key its text, or `{"secret": TEXT}`, or
//! `{"ref": "PROVIDER:LOCATION"}`. What is wrong is printed by key, a line each, and the exit status is 1.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use bake_config::schema::Schema;
use bake_config::{
    ConfigDigest, Deployment, DigestKey, Entrypoint, Given, OutputFile, Reference, Secret, Target,
};
use fs_err::os::unix::fs::OpenOptionsExt as _;
use serde::Deserialize;

/// A value as the file has it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Text(String),
    Secret { secret: String },
    Reference { r#ref: String },
}

impl Value {
    fn given(&self) -> Result<Given, String> {
        match self {
            Self::Text(text) => Ok(Given::Text(text.clone())),
            Self::Secret { secret } => Ok(Given::Secret(Secret::new(secret.clone()))),
            Self::Reference { r#ref: text } => {
                let (provider, location) =
                    text.split_once(':').ok_or("expected `PROVIDER:LOCATION`")?;
                let (provider, location) = (provider.into(), location.into());
                Ok(Given::Reference(Reference { provider, location }))
            }
        }
    }
}

#[expect(clippy::print_stderr, reason = "this program's only output")]
fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(lines) => {
            for line in lines {
                eprintln!("{line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Vec<String>> {
    let one = |error: &dyn std::fmt::Display| vec![error.to_string()];
    let (record, values, target, folder, entrypoint) = match arguments {
        [record, values, target, folder] => (record, values, target, folder, Entrypoint::Direct),
        [record, values, target, folder, word] if word == "bake-init" => {
            (record, values, target, folder, Entrypoint::BakeInit)
        }
        _ => return Err(vec!["usage: render RECORD VALUES TARGET FOLDER [bake-init]".into()]),
    };
    let record = fs_err::read(record).map_err(|error| one(&error))?;
    let schema = Schema::parse_record(&record).map_err(|error| one(&error))?;
    let values = fs_err::read(values).map_err(|error| one(&error))?;
    let values: BTreeMap<String, Value> =
        serde_json::from_slice(&values).map_err(|error| one(&error))?;
    let target = Target::ALL.into_iter().find(|known| known.word() == target);
    let target = target.ok_or_else(|| vec!["no such target".to_owned()])?;
    let mut given = Vec::new();
    for (key, value) in &values {
        given.push((key.as_str(), value.given().map_err(|error| vec![error])?));
    }
    let settled = schema.settle(given);
    if settled.is_refused() {
        return Err(settled.faults.iter().map(ToString::to_string).collect());
    }
    let (environment, settings) = ("test", &settled.settings);
    let digest = ConfigDigest::of(&schema, environment, settings, Some(&DigestKey::new([0; 32])))
        .map_err(|_| vec!["there is no key for the digest".to_owned()])?;
    let version = None;
    let schema = &schema;
    let deployment = Deployment { schema, settings, environment, digest, version, entrypoint };
    let files = target
        .render(&deployment)
        .map_err(|refusals| refusals.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    files.iter().try_for_each(|file| write(Path::new(folder), file)).map_err(|error| one(&error))
}

/// Writes a file that never has more permissions than it ends with.
fn write(folder: &Path, file: &OutputFile) -> std::io::Result<()> {
    let path = folder.join(&file.path);
    if let Some(parent) = path.parent() {
        fs_err::create_dir_all(parent)?;
    }
    let mut options = fs_err::OpenOptions::new();
    options.write(true).create_new(true).mode(file.mode);
    options.open(&path)?.write_all(&file.contents)
}
