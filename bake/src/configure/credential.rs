//! Secrets as credentials of a machine: it has them from its firmware, and systemd gives them to services by name.

use bake_config::schema::Delivery;
use bake_config::{
    Deployment, Entrypoint, Name, OutputFile, Reference, Refusal, Setting, Settings,
};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use super::secrets::secret_keys;

/// The folder of strings for the firmware's tables.
const FOLDER: &str = "smbios";
/// QEMU's arguments, which name the files and hold no value.
const ARGUMENTS: &str = "smbios.args";
/// The most bytes that one may have: the tables have 64 KiB for everything, and a string is longer by a third.
const LIMIT: usize = 32 * 1024;

/// A secret that a machine can have as a credential.
pub(super) struct Credential<'a> {
    pub(super) key: &'a Name,
    /// Its name, that of the file that the service reads.
    pub(super) name: String,
}

/// Returns the secrets by their names as credentials, or refuses those that reach the service in another way.
pub(super) fn all<'a>(deployment: &'a Deployment<'a>) -> Result<Vec<Credential<'a>>, Vec<Refusal>> {
    let schema = deployment.schema;
    let rendered = match deployment.entrypoint {
        Entrypoint::Direct => schema.used_in_files(),
        Entrypoint::BakeInit => std::collections::BTreeSet::new(),
    };
    let (mut credentials, mut refusals) = (Vec::new(), Vec::new());
    for key in secret_keys(deployment) {
        let delivery = schema.keys.get(key).map(|key| &key.delivery);
        let name = match (delivery, deployment.entrypoint) {
            (Some(Delivery::File { name, .. }), _) if !rendered.contains(key) => name.clone(),
            // bake-init reads every secret from a file, and renders files itself.
            (Some(Delivery::Variable | Delivery::Files), Entrypoint::BakeInit) => key.kebab(),
            _ => {
                let reason = "a credential of the machine becomes a file of one value, and this secret is a variable \
                              or stands in a rendered file";
                let hint = "deliver it as a file in the recipe, or keep secrets on the volume (`--secrets target`)";
                refusals.push(Refusal::new(key, reason, hint));
                continue;
            }
        };
        credentials.push(Credential { key, name });
    }
    if refusals.is_empty() { Ok(credentials) } else { Err(refusals) }
}

/// Returns settings in which secrets are references to credentials of the machine.
pub(super) fn referred(settings: &Settings, credentials: &[Credential<'_>]) -> Settings {
    let mut settings = settings.clone();
    for Credential { key, name } in credentials {
        let reference = Reference { provider: "credential".into(), location: name.clone() };
        if let Some((setting, _)) = settings.values.get_mut(*key) {
            *setting = Setting::Reference(reference);
        }
    }
    settings
}

/// Returns the strings for the firmware's tables (systemd, "System and Service Credentials"), a file each, and the
/// arguments of QEMU that read them.
pub(super) fn firmware(
    deployment: &Deployment<'_>,
    credentials: &[Credential<'_>],
) -> Result<Vec<OutputFile>, Vec<Refusal>> {
    let (mut files, mut refusals) = (Vec::new(), Vec::new());
    let mut arguments = String::new();
    for Credential { key, name } in credentials {
        let value = value(deployment, key);
        if value.len() > LIMIT {
            let reason = format!(
                "it has {} bytes, and the tables of a machine hold at most {LIMIT} of one",
                value.len()
            );
            let hint = "keep secrets on the volume (`--secrets target`)";
            refusals.push(Refusal::new(key, reason, hint));
            continue;
        }
        let encoded = Zeroizing::new(BASE64_STANDARD.encode(value.as_bytes()));
        let text = format!("io.systemd.credential.binary:{name}={}", *encoded);
        let path = format!("{FOLDER}/{name}");
        arguments.push_str(&format!("-smbios type=11,path={path}\n"));
        files.push(OutputFile::secret(path, Zeroizing::new(text.into_bytes())));
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    if !arguments.is_empty() {
        files.push(OutputFile::open(ARGUMENTS, arguments));
    }
    Ok(files)
}

fn value(deployment: &Deployment<'_>, key: &Name) -> Zeroizing<String> {
    Zeroizing::new(match deployment.settings.get(key) {
        Some(Setting::Secret(secret)) => secret.expose().to_owned(),
        Some(Setting::Plain(value)) => value.text().into_owned(),
        Some(Setting::Reference(_)) | None => String::new(),
    })
}
