//! `kubernetes`: plain manifests, and a patch for the Deployment that uses them.
//!
//! ```text
//! configmap.yaml       0644  ConfigMaps NAME-config-HASH of open variables, NAME-files-HASH of open files
//! secret.yaml          0600  Secret NAME-secret-DIGEST of secret variables and files
//! externalsecret.yaml  0644  an ExternalSecret NAME-PROVIDER-DIGEST for each provider of references
//! patch.yaml           0644  for the Deployment and the container NAME: env, volumes and their mounts
//! ```
//!
//! No object changes: another configuration has other names, so that pods are rolled out, and back, with their own. HASH
//! is kustomize's. DIGEST is that of the configuration, for which secrets count under a key: a plain hash of a weak
//! secret could be found by trying.

mod external;
mod hash;
mod manifest;
mod name;
mod patch;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use zeroize::Zeroizing;

use self::external::External;
use self::patch::{Object, Patch};
use super::beside::{SECRETS, refused_path};
use super::parts::{Content, Parts};
use crate::deployment::{Deployment, OutputFile, Refusal};
use crate::render::RenderedFile;
use crate::schema::Secrecy;
use crate::settings::Reference;

/// What a ConfigMap or a Secret may hold, in bytes (Kubernetes' own limit).
const MAX_LEN: usize = 1024 * 1024;
/// The volumes of the patch.
const OPEN_VOLUME: &str = "bake-files";
const SECRET_VOLUME: &str = "bake-secrets";

pub(super) fn render(deployment: &Deployment<'_>) -> Result<Vec<OutputFile>, Vec<Refusal>> {
    let name = deployment.name();
    if !name::is_label(name) {
        let reason = "it is no name that Kubernetes gives a container";
        let hint = "use at most 63 of a-z, 0-9 and `-` for the name of the recipe";
        return Err(vec![Refusal::new(name.escape_debug(), reason, hint)]);
    }
    let mut objects = Objects::of(Parts::of(deployment)?, deployment);
    objects.check_sizes(name);
    if objects.refusals.is_empty() { Ok(objects.files(deployment)) } else { Err(objects.refusals) }
}

/// What the objects hold.
#[derive(Default)]
struct Objects<'a> {
    variables: BTreeMap<String, String>,
    files: BTreeMap<String, String>,
    secrets: BTreeMap<String, Zeroizing<String>>,
    externals: BTreeMap<&'a str, External<'a>>,
    /// What becomes of each item in a pod, in order.
    uses: Vec<Use>,
    refusals: Vec<Refusal>,
}

/// Where something comes from.
#[derive(Clone)]
enum Origin {
    Variables,
    Files,
    Secret,
    /// A provider.
    External(String),
}

/// What a pod does with a key of an object.
enum Use {
    Variable { name: String, origin: Origin, key: String },
    Mount { origin: Origin, key: String, path: String },
    Path { variable: String, path: String },
}

impl<'a> Objects<'a> {
    fn of(parts: Parts<'a>, deployment: &Deployment<'_>) -> Self {
        let mut objects = Self::default();
        for variable in parts.variables {
            let key = variable.name.clone();
            let subject = variable.key.as_str();
            let open = Origin::Variables;
            if let Some(origin) = objects.put(subject, &key, variable.content, open, deployment) {
                objects.uses.push(Use::Variable { name: variable.name, origin, key });
            }
        }
        for value in parts.values {
            let path = format!("{SECRETS}/{}", value.name);
            let (subject, key) = (value.key.as_str(), value.name);
            let Some(origin) = objects.put(subject, &key, value.content, Origin::Files, deployment)
            else {
                continue;
            };
            if let Some(variable) = value.path_variable {
                objects.uses.push(Use::Path { variable, path: path.clone() });
            }
            objects.uses.push(Use::Mount { origin, key, path });
        }
        for (index, file) in parts.files.into_iter().enumerate() {
            objects.rendered(file, index + 1, deployment);
        }
        objects
    }

    fn rendered(&mut self, file: RenderedFile, number: usize, deployment: &Deployment<'_>) {
        let RenderedFile { path, mode: _, secrecy, reload: _, text } = file;
        self.refusals.extend(refused_path(&path));
        let key = name::key_of(&path, number);
        let content = Content::Text(text, secrecy);
        if let Some(origin) = self.put(&path, &key, content, Origin::Files, deployment) {
            self.uses.push(Use::Mount { origin, key, path });
        }
    }

    /// Puts something where it belongs: what is open into the ConfigMap that is named.
    fn put(
        &mut self,
        subject: &str,
        key: &str,
        content: Content<'a>,
        open: Origin,
        deployment: &Deployment<'_>,
    ) -> Option<Origin> {
        let (is_new, origin) = match content {
            Content::Text(text, Secrecy::Open) => {
                let map = match open {
                    Origin::Variables => &mut self.variables,
                    Origin::Files | Origin::Secret | Origin::External(_) => &mut self.files,
                };
                (map.insert(key.into(), text.to_string()).is_none(), open)
            }
            Content::Text(text, Secrecy::Secret) => {
                (self.secrets.insert(key.into(), text).is_none(), Origin::Secret)
            }
            Content::Reference(reference) => {
                if let Some(reason) = external::refused(reference) {
                    let hint = "refer to a SecretStore of the cluster, `STORE:KEY#PROPERTY`, or give the value";
                    self.refusals.push(Refusal::new(subject, reason, hint));
                    return None;
                }
                let external = self.external(reference, deployment);
                let is_new = external.data.insert(key.into(), reference).is_none();
                (is_new, Origin::External(reference.provider.clone()))
            }
        };
        if !is_new {
            let reason = format!("two items of one object are called `{key}`");
            let hint = "name the file differently in the recipe";
            self.refusals.push(Refusal::new(subject, reason, hint));
        }
        Some(origin)
    }

    fn external(
        &mut self,
        reference: &'a Reference,
        deployment: &Deployment<'_>,
    ) -> &mut External<'a> {
        let number = self.externals.len() + 1;
        let provider = reference.provider.as_str();
        self.externals.entry(provider).or_insert_with(|| External {
            name: format!("{}-{provider}-{}", deployment.name(), digits(deployment)),
            volume: format!("bake-external-{number}"),
            data: BTreeMap::new(),
        })
    }

    fn check_sizes(&mut self, name: &str) {
        let open = |map: &BTreeMap<String, String>| {
            map.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>()
        };
        let secret = self.secrets.iter().map(|(key, value)| key.len() + value.len()).sum();
        let all = [
            ("open variables", open(&self.variables)),
            ("open files", open(&self.files)),
            ("secrets", secret),
        ];
        for (what, len) in all {
            if len > MAX_LEN {
                let reason =
                    format!("its {what} are more than {MAX_LEN} bytes, all that one object holds");
                let hint = "keep large values out of the configuration";
                self.refusals.push(Refusal::new(name, reason, hint));
            }
        }
        for external in self.externals.values() {
            if !name::is_subdomain(&external.name) {
                let reason = "it is too long for the name of an object";
                let hint = "shorten the name of the recipe or of the SecretStore";
                self.refusals.push(Refusal::new(&external.name, reason, hint));
            }
        }
    }

    fn files(&self, deployment: &Deployment<'_>) -> Vec<OutputFile> {
        let names = Names::of(self, deployment);
        let mut files = Vec::new();
        let maps = [(&names.variables, &self.variables), (&names.files, &self.files)];
        let maps = maps.into_iter().filter(|(_, data)| !data.is_empty());
        let maps: Vec<_> = maps.map(|(name, data)| config_map(deployment, name, data)).collect();
        if !maps.is_empty() {
            files.push(OutputFile::open("configmap.yaml", maps.join("---\n")));
        }
        if !self.secrets.is_empty() {
            let text = secret(deployment, &names.secret, &self.secrets);
            let contents = Zeroizing::new(text.as_bytes().to_vec());
            files.push(OutputFile::secret("secret.yaml", contents));
        }
        let externals = self.externals.iter();
        let externals: Vec<_> =
            externals.map(|(provider, external)| external.text(provider, deployment)).collect();
        if !externals.is_empty() {
            files.push(OutputFile::open("externalsecret.yaml", externals.join("---\n")));
        }
        files.push(OutputFile::open("patch.yaml", self.patch(&names).text(deployment)));
        files
    }

    fn patch(&self, names: &Names) -> Patch {
        let mut patch = Patch::default();
        let object = |origin: &Origin| match origin {
            Origin::Variables => (OPEN_VOLUME, Object::ConfigMap(&names.variables)),
            Origin::Files => (OPEN_VOLUME, Object::ConfigMap(&names.files)),
            Origin::Secret => (SECRET_VOLUME, Object::Secret(&names.secret)),
            Origin::External(provider) => {
                let external = self.externals.get(provider.as_str());
                external.map_or((SECRET_VOLUME, Object::Secret(&names.secret)), |external| {
                    (external.volume.as_str(), Object::Secret(&external.name))
                })
            }
        };
        let mut volumes = BTreeMap::new();
        for one in &self.uses {
            match one {
                Use::Variable { name, origin, key } => patch.variable(name, object(origin).1, key),
                Use::Path { variable, path } => patch.path_variable(variable, path),
                Use::Mount { origin, key, path } => {
                    let (volume, object) = object(origin);
                    patch.mount(volume, key, path);
                    volumes.insert(volume, object);
                }
            }
        }
        for (volume, object) in volumes {
            patch.volume(volume, object);
        }
        patch
    }
}

/// The names of objects.
struct Names {
    variables: String,
    files: String,
    secret: String,
}

impl Names {
    fn of(objects: &Objects<'_>, deployment: &Deployment<'_>) -> Self {
        let name = deployment.name();
        let hashed = |what: &str, data| format!("{name}-{what}-{}", hash::suffix(data));
        Self {
            variables: hashed("config", &objects.variables),
            files: hashed("files", &objects.files),
            secret: format!("{name}-secret-{}", digits(deployment)),
        }
    }
}

/// Returns the digits of the configuration that names have.
fn digits<'a>(deployment: &'a Deployment<'_>) -> &'a str {
    deployment.digest.short()
}

fn config_map(deployment: &Deployment<'_>, name: &str, data: &BTreeMap<String, String>) -> String {
    let mut text = manifest::head(deployment, "v1", "ConfigMap", name);
    text.push_str("immutable: true\n");
    manifest::push_map(&mut text, "data", data.iter().map(|(key, value)| (key, value.as_str())));
    text
}

fn secret(
    deployment: &Deployment<'_>,
    name: &str,
    data: &BTreeMap<String, Zeroizing<String>>,
) -> Zeroizing<String> {
    let encoded: Vec<_> = data
        .iter()
        .map(|(key, value)| (key, Zeroizing::new(BASE64.encode(value.as_bytes()))))
        .collect();
    let room: usize = encoded.iter().map(|(key, value)| key.len() + value.len() + 16).sum();
    let head = manifest::head(deployment, "v1", "Secret", name);
    let mut text = Zeroizing::new(String::with_capacity(head.len() + room + 64));
    text.push_str(&head);
    text.push_str("immutable: true\ntype: \"Opaque\"\n");
    manifest::push_map(
        &mut text,
        "data",
        encoded.iter().map(|(key, value)| (*key, value.as_str())),
    );
    text
}
