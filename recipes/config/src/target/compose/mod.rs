//! `compose`: an override that Compose reads beside `compose.yaml` by itself.
//!
//! ```text
//! compose.override.yaml  0644  variables, secrets and mounts of the service NAME; 0600 if a variable is secret
//! secrets/FILE           0600  files of one value each, 0644 if open; Compose mounts them at /run/secrets/FILE
//! files/PATH                   rendered files; mounted at PATH
//! ```
//!
//! Variables stand in the YAML, not in a file of `env_file`: readers of YAML agree, readers of such files do not, and
//! none but the latest of Compose reads them raw. Within YAML a `$` is written twice, or Compose fills in a variable.

use zeroize::Zeroizing;

use super::beside::{Beside, SECRETS, Source};
use super::parts::{Content, Parts, Variable};
use crate::deployment::{Deployment, OutputFile, Refusal};
use crate::quote;
use crate::schema::Secrecy;

/// The file.
const FILE: &str = "compose.override.yaml";

pub(super) fn render(deployment: &Deployment<'_>) -> Result<Vec<OutputFile>, Vec<Refusal>> {
    let Parts { variables, values, files } = Parts::of(deployment)?;
    let mut beside = Beside::of(values, files);
    let room: usize = variables.iter().map(Variable::room).sum();
    let mut document = Zeroizing::new(String::with_capacity(4096 + 3 * room));
    document.push_str(&format!(
        "# Configuration of {} in {}, written by bake: changes belong into the environment.\n\
         # docker compose up starts a container anew whose configuration differs.\n\
         services:\n  {}:\n    labels:\n      \"dev.bake-config.digest\": {}\n",
        deployment.name(),
        deployment.environment.escape_debug(),
        quote::yaml(deployment.name()),
        quote::yaml(&deployment.digest.to_string()),
    ));
    let secrecy = environment(&mut document, &variables, &mut beside);
    mounts(&mut document, deployment.name(), &beside);
    let contents = Zeroizing::new(document.as_bytes().to_vec());
    let mut outputs = beside.files;
    outputs.push(match secrecy {
        Secrecy::Open => OutputFile { path: FILE.into(), mode: 0o644, secrecy, contents },
        Secrecy::Secret => OutputFile::secret(FILE, contents),
    });
    if beside.refusals.is_empty() { Ok(outputs) } else { Err(beside.refusals) }
}

/// Writes variables and returns whether a secret is among them.
fn environment(document: &mut String, variables: &[Variable<'_>], beside: &mut Beside) -> Secrecy {
    let mut secrecy = Secrecy::Open;
    let mut lines = Zeroizing::new(String::with_capacity(document.capacity()));
    for variable in variables {
        match &variable.content {
            Content::Text(text, own) => {
                if *own == Secrecy::Secret {
                    secrecy = Secrecy::Secret;
                }
                let value = Zeroizing::new(literal(text));
                lines.push_str(&format!("      {}: ", quote::yaml(&variable.name)));
                lines.push_str(&value);
                lines.push('\n');
            }
            Content::Reference(reference) => {
                let reason = format!(
                    "it is a reference, `{reference}`, and Compose makes no variable of one"
                );
                beside.refusals.push(Refusal::new(
                    variable.key,
                    reason,
                    "deliver it as a file and refer to one of the machine, `file:/PATH`",
                ));
            }
        }
    }
    for place in &beside.values {
        if let Some(variable) = &place.path_variable {
            let path = quote::yaml(&format!("{SECRETS}/{}", place.name));
            lines.push_str(&format!("      {}: {path}\n", quote::yaml(variable)));
        }
    }
    if !lines.is_empty() {
        document.push_str("    environment:\n");
        document.push_str(&lines);
    }
    secrecy
}

/// Writes secrets and mounts of the service, then what the secrets are.
fn mounts(document: &mut String, name: &str, beside: &Beside) {
    let id = |file: &str| quote::yaml(&format!("{name}-{file}"));
    if !beside.values.is_empty() {
        document.push_str("    secrets:\n");
    }
    for place in &beside.values {
        let (source, target) = (id(&place.name), quote::yaml(&place.name));
        document.push_str(&format!("      - source: {source}\n        target: {target}\n"));
    }
    if !beside.rendered.is_empty() {
        document.push_str("    volumes:\n");
    }
    for path in &beside.rendered {
        let (source, target) = (quote::yaml(&format!("./files{path}")), quote::yaml(path));
        document.push_str(&format!(
            "      - type: \"bind\"\n        source: {source}\n        target: {target}\n        read_only: true\n"
        ));
    }
    if !beside.values.is_empty() {
        document.push_str("secrets:\n");
    }
    for place in &beside.values {
        let file = match &place.source {
            Source::Beside(path) => format!("./{path}"),
            Source::Machine(path) => path.clone(),
        };
        document.push_str(&format!("  {}:\n    file: {}\n", id(&place.name), quote::yaml(&file)));
    }
}

/// Returns a scalar of YAML in which Compose fills nothing in.
fn literal(text: &str) -> String {
    quote::yaml(&Zeroizing::new(text.replace('$', "$$")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use saphyr::LoadableYamlNode as _;

    use super::*;

    /// Reads a scalar as Compose does: YAML, then `$$` for `$`; `None` if it would fill something in.
    fn parse(scalar: &str) -> Option<String> {
        let documents = saphyr::Yaml::load_from_str(scalar).ok()?;
        let text = documents.first()?.as_str()?.to_owned();
        let parts: Vec<_> = text.split("$$").collect();
        (!parts.iter().any(|part| part.contains('$'))).then(|| parts.join("$"))
    }

    #[test]
    fn the_parser_of_these_tests_knows_the_grammar() {
        assert_eq!(parse("\"a$$b\\n\"").as_deref(), Some("a$b\n"));
        assert_eq!(parse("\"${A}\""), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in "[ -~\n\r\té€😀\u{85}\u{2028}]{0,20}|\\PC{0,20}|\\$*") {
            prop_assert_eq!(parse(&literal(&value)), Some(value));
        }
    }
}
