//! A strategic merge patch that brings a configuration to the pods of a Deployment.
//!
//! Each variable is an entry of `env`, since the list `envFrom` of a patch takes the place of the Deployment's own. Files
//! are mounted one by one, by `subPath`: the folders around them stay, and a file that changes has another object's name.

use super::manifest;
use crate::deployment::Deployment;
use crate::quote;

/// What may be read, by everybody in the container; a volume's modes are decimal numbers.
const READ_ONLY: u32 = 0o444;

/// A patch while it is gathered.
#[derive(Default)]
pub(super) struct Patch {
    env: Vec<String>,
    mounts: Vec<String>,
    volumes: Vec<String>,
}

/// An object that a pod takes something from.
#[derive(Clone, Copy)]
pub(super) enum Object<'a> {
    /// A ConfigMap of this name.
    ConfigMap(&'a str),
    /// A Secret of this name.
    Secret(&'a str),
}

impl Patch {
    /// Takes a variable from a key of an object.
    pub(super) fn variable(&mut self, name: &str, object: Object<'_>, key: &str) {
        let (source, object) = match object {
            Object::ConfigMap(object) => ("configMapKeyRef", object),
            Object::Secret(object) => ("secretKeyRef", object),
        };
        let (name, object, key) = (quote::yaml(name), quote::yaml(object), quote::yaml(key));
        self.env.push(format!(
            "- name: {name}\n  valueFrom:\n    {source}:\n      name: {object}\n      key: {key}\n"
        ));
    }

    /// Sets a variable to a path.
    pub(super) fn path_variable(&mut self, name: &str, path: &str) {
        let (name, path) = (quote::yaml(name), quote::yaml(path));
        self.env.push(format!("- name: {name}\n  value: {path}\n"));
    }

    /// Mounts a key of a volume as a file.
    pub(super) fn mount(&mut self, volume: &str, key: &str, path: &str) {
        let (volume, key, path) = (quote::yaml(volume), quote::yaml(key), quote::yaml(path));
        self.mounts.push(format!(
            "- name: {volume}\n  mountPath: {path}\n  subPath: {key}\n  readOnly: true\n"
        ));
    }

    /// Adds a volume of an object.
    pub(super) fn volume(&mut self, name: &str, object: Object<'_>) {
        let source = match object {
            Object::ConfigMap(object) => format!("configMap:\n    name: {}", quote::yaml(object)),
            Object::Secret(object) => format!("secret:\n    secretName: {}", quote::yaml(object)),
        };
        let name = quote::yaml(name);
        self.volumes.push(format!("- name: {name}\n  {source}\n    defaultMode: {READ_ONLY}\n"));
    }

    /// Returns the patch.
    pub(super) fn text(&self, deployment: &Deployment<'_>) -> String {
        let name = quote::yaml(deployment.name());
        let mut text = format!(
            "apiVersion: \"apps/v1\"\nkind: \"Deployment\"\nmetadata:\n  name: {name}\nspec:\n  template:\n    metadata:\n      \
             annotations:\n"
        );
        for (key, value) in manifest::annotations(deployment) {
            text.push_str(&format!("        {}: {}\n", quote::yaml(key), quote::yaml(&value)));
        }
        if self.env.is_empty() && self.mounts.is_empty() {
            return text;
        }
        text.push_str(&format!("    spec:\n      containers:\n        - name: {name}\n"));
        for (list, items) in [("env", &self.env), ("volumeMounts", &self.mounts)] {
            if !items.is_empty() {
                text.push_str(&format!("          {list}:\n"));
                push_indented(&mut text, items, 12);
            }
        }
        if !self.volumes.is_empty() {
            text.push_str("      volumes:\n");
            push_indented(&mut text, &self.volumes, 8);
        }
        text
    }
}

fn push_indented(text: &mut String, items: &[String], width: usize) {
    for line in items.iter().flat_map(|item| item.lines()) {
        text.push_str(&format!("{:width$}{line}\n", ""));
    }
}
