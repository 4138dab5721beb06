//! Secrets that the External Secrets Operator fetches: what a provider has never passes through here.

use std::collections::BTreeMap;

use super::manifest;
use super::name;
use crate::deployment::Deployment;
use crate::quote;
use crate::settings::Reference;

/// How often the operator looks whether a value has changed.
const INTERVAL: &str = "1h";

/// What one provider has.
pub(super) struct External<'a> {
    /// The name of the object and of the Secret that it becomes.
    pub(super) name: String,
    /// The volume of the Secret.
    pub(super) volume: String,
    /// Where the value of each key of the Secret is.
    pub(super) data: BTreeMap<String, &'a Reference>,
}

/// Says why a reference is nothing that an operator fetches; nothing if it is.
pub(super) fn refused(reference: &Reference) -> Option<String> {
    let provider = reference.provider.as_str();
    if matches!(provider, "file" | "credential") {
        return Some(format!("it is a reference, `{reference}`, to what one machine has"));
    }
    if !name::is_subdomain(provider) {
        return Some(format!(
            "it is a reference, `{reference}`, whose provider is no name of a SecretStore"
        ));
    }
    let (key, property) = split(reference);
    (key.is_empty() || property == Some(""))
        .then(|| format!("it is a reference, `{reference}`, that names nothing"))
}

/// Cuts a location into a key and, behind `#`, a property of what is there.
fn split(reference: &Reference) -> (&str, Option<&str>) {
    match reference.location.split_once('#') {
        Some((key, property)) => (key, Some(property)),
        None => (&reference.location, None),
    }
}

impl External<'_> {
    /// Returns the manifest.
    pub(super) fn text(&self, provider: &str, deployment: &Deployment<'_>) -> String {
        let version = "external-secrets.io/v1";
        let mut text = manifest::head(deployment, version, "ExternalSecret", &self.name);
        let quoted = |text: &str| quote::yaml(text);
        text.push_str(&format!(
            "spec:\n  refreshInterval: {}\n  secretStoreRef:\n    kind: \"SecretStore\"\n    name: {}\n  target:\n    \
             name: {}\n    creationPolicy: \"Owner\"\n  data:\n",
            quoted(INTERVAL),
            quoted(provider),
            quoted(&self.name),
        ));
        for (secret_key, reference) in &self.data {
            let (key, property) = split(reference);
            let (secret_key, key) = (quoted(secret_key), quoted(key));
            text.push_str(&format!(
                "    - secretKey: {secret_key}\n      remoteRef:\n        key: {key}\n"
            ));
            if let Some(property) = property {
                text.push_str(&format!("        property: {}\n", quoted(property)));
            }
        }
        text
    }
}
