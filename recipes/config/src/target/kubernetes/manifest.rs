//! The text of manifests. Every text is quoted, so that no reader takes `no` or `1e6` for something else.

use std::collections::BTreeMap;

use crate::deployment::Deployment;
use crate::quote;

/// Returns the head of a manifest: what it is, and whose it is.
pub(super) fn head(deployment: &Deployment<'_>, version: &str, kind: &str, name: &str) -> String {
    let quoted = |text: &str| quote::yaml(text);
    let mut text = format!(
        "apiVersion: {}\nkind: {}\nmetadata:\n  name: {}\n  labels:\n    \"app.kubernetes.io/name\": {}\n  annotations:\n",
        quoted(version),
        quoted(kind),
        quoted(name),
        quoted(deployment.name()),
    );
    for (key, value) in annotations(deployment) {
        text.push_str(&format!("    {}: {}\n", quoted(key), quoted(&value)));
    }
    text
}

/// Returns what says which configuration something belongs to.
pub(super) fn annotations(deployment: &Deployment<'_>) -> BTreeMap<&'static str, String> {
    let mut annotations = BTreeMap::from([
        ("bake-config.dev/environment", deployment.environment.to_owned()),
        ("bake-config.dev/digest", deployment.digest.to_string()),
        ("bake-config.dev/schema", deployment.schema.digest()),
    ]);
    if let Some(version) = deployment.version {
        annotations.insert("bake-config.dev/version", version.to_owned());
    }
    annotations
}

/// Appends a map of texts below a name at the left.
pub(super) fn push_map<'a>(
    text: &mut String,
    name: &str,
    map: impl IntoIterator<Item = (&'a String, &'a str)>,
) {
    text.push_str(&format!("{name}:\n"));
    for (key, value) in map {
        text.push_str(&format!("  {}: {}\n", quote::yaml(key), quote::yaml(value)));
    }
}
