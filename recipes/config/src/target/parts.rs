//! What every target has to bring somewhere: variables, files of one value, rendered files.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use crate::delivery::{Carrier, Delivered};
use crate::deployment::{Deployment, Refusal};
use crate::name::Name;
use crate::render::RenderedFile;
use crate::schema::{Delivery, Entrypoint, Schema, Secrecy};
use crate::settings::{Reference, Setting};

/// The longest variable that Linux starts a program with, in bytes: name, `=`, value and a NUL (execve(2)).
const MAX_VARIABLE: usize = 128 * 1024;

/// A deployment, cut into what is carried.
pub(super) struct Parts<'a> {
    /// Environment variables, in the order of the keys.
    pub(super) variables: Vec<Variable<'a>>,
    /// Files of one value each, in the order of the keys.
    pub(super) values: Vec<ValueFile<'a>>,
    /// Files that were rendered, in the order of the schema; none if `bake-init` renders them.
    pub(super) files: Vec<RenderedFile>,
}

/// An environment variable.
pub(super) struct Variable<'a> {
    /// The key.
    pub(super) key: &'a Name,
    /// The variable's name.
    pub(super) name: String,
    /// What is in it.
    pub(super) content: Content<'a>,
}

impl Variable<'_> {
    /// Returns at most how many bytes its assignment has.
    pub(super) fn room(&self) -> usize {
        let value = match &self.content {
            Content::Text(text, _) => text.len(),
            Content::Reference(_) => 0,
        };
        // Each character may be escaped.
        self.name.len() + 2 * value + 8
    }
}

/// A file of one value.
pub(super) struct ValueFile<'a> {
    /// The key.
    pub(super) key: &'a Name,
    /// The file's name, without a folder.
    pub(super) name: String,
    /// The environment variable that holds the file's path.
    pub(super) path_variable: Option<String>,
    /// What is in it.
    pub(super) content: Content<'a>,
}

/// What a variable or a file holds.
pub(super) enum Content<'a> {
    /// A value.
    Text(Zeroizing<String>, Secrecy),
    /// A value that somebody else has.
    Reference(&'a Reference),
}

impl<'a> Content<'a> {
    fn of(key: &Name, setting: &'a Setting, schema: &Schema) -> Self {
        match setting {
            Setting::Plain(value) => {
                let secrecy = if schema.is_secret(key) { Secrecy::Secret } else { Secrecy::Open };
                Self::Text(Zeroizing::new(value.text().into_owned()), secrecy)
            }
            Setting::Secret(secret) => {
                Self::Text(Zeroizing::new(secret.expose().to_owned()), Secrecy::Secret)
            }
            Setting::Reference(reference) => Self::Reference(reference),
        }
    }

    /// Adds a line end to text that has one: `bake-init` takes one away.
    fn with_line_end(self) -> Self {
        match self {
            Self::Text(text, secrecy) if text.ends_with('\n') => {
                let mut longer = Zeroizing::new(String::with_capacity(text.len() + 1));
                longer.push_str(&text);
                longer.push('\n');
                Self::Text(longer, secrecy)
            }
            Self::Text(..) | Self::Reference(_) => self,
        }
    }
}

impl<'a> Parts<'a> {
    /// Cuts a deployment into parts: all of them, or everything that no target can carry.
    pub(super) fn of(deployment: &Deployment<'a>) -> Result<Self, Vec<Refusal>> {
        let mut refusals = refused_names(deployment);
        let mut parts = Self { variables: Vec::new(), values: Vec::new(), files: Vec::new() };
        match deployment.entrypoint {
            Entrypoint::Direct => {
                parts.deliver(deployment);
                match deployment.files() {
                    Ok(files) => parts.files = files,
                    Err(errors) => refusals.extend(errors),
                }
            }
            Entrypoint::BakeInit => {
                parts.hand_over(deployment);
                refusals.extend(parts.refused_line_ends(deployment.schema));
            }
        }
        refusals.extend(parts.variables.iter().filter_map(refused_length));
        refusals.extend(parts.refused_twins());
        if refusals.is_empty() { Ok(parts) } else { Err(refusals) }
    }

    /// Takes what reaches the program one by one.
    fn deliver(&mut self, deployment: &Deployment<'a>) {
        for Delivered { key, setting, carrier } in deployment.deliveries() {
            let content = Content::of(key, setting, deployment.schema);
            match carrier {
                Carrier::Variable { name } => {
                    self.variables.push(Variable { key, name, content });
                }
                Carrier::File { name, path_variable } => self.values.push(ValueFile {
                    key,
                    name: name.into(),
                    path_variable: path_variable.map(ToString::to_string),
                    content,
                }),
            }
        }
    }

    /// Takes every key, since `bake-init` renders files, and makes variables of files that `…_FILE` names.
    fn hand_over(&mut self, deployment: &Deployment<'a>) {
        let schema = deployment.schema;
        for (key, definition) in &schema.keys {
            let Some(setting) = deployment.settings.get(key) else { continue };
            let content = Content::of(key, setting, schema);
            let name = schema.variable(key);
            match (&definition.delivery, &content) {
                (Delivery::File { name, path_variable }, _) => self.values.push(ValueFile {
                    key,
                    name: name.clone(),
                    path_variable: path_variable.as_ref().map(ToString::to_string),
                    content,
                }),
                (Delivery::Variable | Delivery::Files, Content::Text(_, Secrecy::Open)) => {
                    self.variables.push(Variable { key, name, content });
                }
                (Delivery::Variable | Delivery::Files, _) => {
                    let variable = format!("{name}_FILE");
                    let is_free = schema.keys.keys().all(|key| schema.variable(key) != variable);
                    self.values.push(ValueFile {
                        key,
                        name: key.kebab(),
                        path_variable: is_free.then_some(variable),
                        content: content.with_line_end(),
                    });
                }
            }
        }
    }

    /// Refuses files that the program reads with a line end and `bake-init` without, where it needs them for others.
    fn refused_line_ends(&self, schema: &Schema) -> Vec<Refusal> {
        let used = schema.used_in_files();
        let is_refused = |value: &&ValueFile<'_>| {
            let is_file = schema
                .keys
                .get(value.key)
                .is_some_and(|key| matches!(key.delivery, Delivery::File { .. }));
            let ends = matches!(&value.content, Content::Text(text, _) if text.ends_with('\n'));
            is_file && ends && used.contains(value.key)
        };
        let refuse = |value: &ValueFile<'_>| {
            let reason = "it ends with a line break, which bake-init leaves out of the files that it renders";
            let hint = "end the value without one, or deliver it in files only";
            Refusal::new(value.key, reason, hint)
        };
        self.values.iter().filter(is_refused).map(refuse).collect()
    }

    /// Finds files of values that have one name.
    fn refused_twins(&self) -> Vec<Refusal> {
        let mut names = BTreeSet::new();
        let twins = self.values.iter().filter(|value| !names.insert(value.name.as_str()));
        twins
            .map(|value| {
                let reason =
                    format!("its file is called `{}`, as that of another key is", value.name);
                Refusal::new(value.key, reason, "name one of the files differently in the recipe")
            })
            .collect()
    }
}

/// Refuses names that are no part of a path or a line.
fn refused_names(deployment: &Deployment<'_>) -> Vec<Refusal> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
    let name = deployment.name();
    if name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(plain) {
        return Vec::new();
    }
    let reason = "it is no name that files can have";
    vec![Refusal::new(name.escape_debug(), reason, "use letters, digits and `-`, `.`, `+`")]
}

fn refused_length(variable: &Variable<'_>) -> Option<Refusal> {
    let Content::Text(text, _) = &variable.content else { return None };
    let len = variable.name.len() + text.len() + "=\0".len();
    (len > MAX_VARIABLE).then(|| {
        let reason =
            format!("Linux starts no program with a variable of more than {MAX_VARIABLE} bytes");
        Refusal::new(variable.key, reason, "deliver it as a file")
    })
}
