//! `docker`: what `docker run` and `podman run` take.
//!
//! ```text
//! NAME.env         0644  open variables, and the paths of files
//! NAME.secret.env  0600  secret variables
//! secrets/FILE     0600  files of one value each, 0644 if open; mounted at /run/secrets/FILE
//! files/PATH             rendered files; mounted at PATH
//! run              0755  starts a container with all of them: ./run [OPTION...] IMAGE [ARGUMENT...]
//! ```
//!
//! The program is a script, since mounts take absolute paths, which are known only where the files lie.

mod env_file;

use std::fmt::Write as _;

use zeroize::Zeroizing;

use super::beside::{Beside, SECRETS, Source};
use super::parts::{Content, Parts, Variable};
use crate::deployment::{Deployment, OutputFile, Refusal};
use crate::schema::Secrecy;

pub(super) fn render(deployment: &Deployment<'_>) -> Result<Vec<OutputFile>, Vec<Refusal>> {
    let Parts { variables, values, files } = Parts::of(deployment)?;
    let mut beside = Beside::of(values, files);
    let name = deployment.name();
    let (mut open, secret) = assignments(&variables, &mut beside.refusals);
    for place in &beside.values {
        if let Some(variable) = &place.path_variable {
            // Writing to a text does not fail.
            writeln!(open, "{variable}={SECRETS}/{}", place.name).unwrap_or_default();
        }
    }
    let mut arguments = Vec::new();
    let mut outputs = Vec::new();
    if !open.is_empty() {
        arguments.push(format!("--env-file \"$here/{name}.env\""));
        outputs.push(OutputFile::open(format!("{name}.env"), open.as_bytes()));
    }
    if !secret.is_empty() {
        arguments.push(format!("--env-file \"$here/{name}.secret.env\""));
        let contents = Zeroizing::new(secret.as_bytes().to_vec());
        outputs.push(OutputFile::secret(format!("{name}.secret.env"), contents));
    }
    for place in &beside.values {
        let target = format!("{SECRETS}/{}", place.name);
        arguments.push(match &place.source {
            Source::Beside(path) => mount(&format!("$here/{path}"), &target),
            Source::Machine(path) => mount(path, &target),
        });
    }
    arguments.extend(beside.rendered.iter().map(|path| mount(&format!("$here/files{path}"), path)));
    outputs.extend(beside.files);
    outputs.push(OutputFile {
        mode: 0o755,
        ..OutputFile::open("run", script(deployment, &arguments))
    });
    if beside.refusals.is_empty() { Ok(outputs) } else { Err(beside.refusals) }
}

/// Returns the lines of open and of secret variables.
fn assignments(
    variables: &[Variable<'_>],
    refusals: &mut Vec<Refusal>,
) -> (Zeroizing<String>, Zeroizing<String>) {
    let room: usize = variables.iter().map(Variable::room).sum();
    let empty = || Zeroizing::new(String::with_capacity(room));
    let (mut open, mut secret) = (empty(), empty());
    for variable in variables {
        let assigned = match &variable.content {
            Content::Text(text, Secrecy::Open) => env_file::assign(&mut open, &variable.name, text),
            Content::Text(text, Secrecy::Secret) => {
                env_file::assign(&mut secret, &variable.name, text)
            }
            Content::Reference(reference) => {
                let reason = format!(
                    "it is a reference, `{reference}`, and docker makes no variable of one"
                );
                refusals.push(Refusal::new(
                    variable.key,
                    reason,
                    "deliver it as a file and refer to one of the machine, `file:/PATH`",
                ));
                continue;
            }
        };
        if let Err(reason) = assigned {
            refusals.push(Refusal::new(variable.key, reason, "deliver it as a file"));
        }
    }
    (open, secret)
}

/// Returns the argument that mounts a file: a record of CSV, so that commas and colons of folders stand for themselves.
fn mount(source: &str, target: &str) -> String {
    format!("--mount \"type=bind,\\\"source={source}\\\",target={target},readonly\"")
}

fn script(deployment: &Deployment<'_>, arguments: &[String]) -> String {
    let (name, digest) = (deployment.name(), &deployment.digest);
    let environment = deployment.environment.escape_debug();
    let label = format!("--label \"dev.bake-config.digest={digest}\"");
    let arguments: Vec<_> = std::iter::once(&label).chain(arguments).map(String::as_str).collect();
    format!(
        "#!/bin/sh\n\
         # Starts {name} with its configuration in {environment}, written by bake: ./run [OPTION...] IMAGE [ARGUMENT...]\n\
         # $DOCKER is the program, docker unless set. What changes here reaches containers that are started anew.\n\
         here=$(CDPATH='' cd -- \"$(dirname -- \"$0\")\" && pwd) || exit\n\
         exec \"${{DOCKER:-docker}}\" run \\\n    {} \\\n    \"$@\"\n",
        arguments.join(" \\\n    ")
    )
}
