//! `[oci]`.

use std::collections::BTreeMap;

use bake_formats::encode::{Codec, Compression};
use bake_formats::oci::OWN_PREFIX;
use bake_formats::tree::TreePath;

use super::list::Element;
use super::{Common, Resolver, parse_platforms, settled};
use crate::platform::Platform;
use crate::resolved::{Base, Certificates, LayerSplit, Oci, Port, Service, TimeZones};
use crate::written::{self, At};

/// What the OCI image specification has media types for.
const LAYER_CODECS: [Codec; 3] = [Codec::None, Codec::Gzip, Codec::Zstd];

/// Annotations that say what an image is built on (image-spec, annotations.md).
const OF_BASES: [&str; 2] =
    ["org.opencontainers.image.base.name", "org.opencontainers.image.base.digest"];

/// What an image has in it.
struct Content {
    base: Base,
    accounts: bool,
    certificates: Option<Certificates>,
    time_zones: Option<TimeZones>,
    layers: LayerSplit,
    max_layers: usize,
}

/// How an image's program is started.
struct Process {
    entrypoint: Vec<String>,
    cmd: Vec<String>,
    env: Vec<(String, String)>,
    user: Option<String>,
    workdir: Option<TreePath>,
    ports: Vec<Port>,
    volumes: Vec<TreePath>,
    stop_signal: Option<String>,
}

/// What is said about an image.
struct Texts {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    index_annotations: BTreeMap<String, String>,
    layer_annotations: BTreeMap<String, String>,
}

/// One environment variable.
#[derive(Clone)]
struct Variable(String, String);

impl Element for Variable {
    fn is_named(&self, text: &str) -> bool {
        self.0 == text || text.split_once('=') == Some((&self.0, &self.1))
    }
}

impl Resolver<'_> {
    /// Returns the image, or `Some(None)` if it is not for this platform.
    #[expect(clippy::option_option, reason = "absent and wrong are two things")]
    pub(super) fn oci(
        &self,
        at: Option<&At<written::Oci>>,
        here: &At<String>,
        common: &Common,
        service: Option<&Service>,
    ) -> Option<Option<Oci>> {
        let place = at.map_or_else(|| self.place(here), |at| self.place(at));
        let table = at.map(|at| at.value.clone()).unwrap_or_default();
        let content = self.image_content(&table);
        let address = self.image_address(&table, &common.version);
        let platforms = self.image_platforms(&table, common);
        let process = self.process(&table, service);
        let texts = self.image_texts(&table);
        let compression =
            self.compression(table.compression.as_ref(), Compression::GZIP, &LAYER_CODECS);
        let (content, address, process, texts) = (content?, address?, process?, texts?);
        let oci = Oci {
            platforms: platforms?,
            index: table.index.unwrap_or(false),
            repository: address.repository,
            tags: address.tags,
            entrypoint: process.entrypoint,
            cmd: process.cmd,
            env: process.env,
            user: process.user,
            workdir: process.workdir,
            ports: process.ports,
            volumes: process.volumes,
            labels: texts.labels,
            annotations: texts.annotations,
            index_annotations: texts.index_annotations,
            layer_annotations: texts.layer_annotations,
            stop_signal: process.stop_signal,
            accounts: content.accounts,
            base: content.base,
            certificates: content.certificates,
            time_zones: content.time_zones,
            layers: content.layers,
            max_layers: content.max_layers,
            compression: compression?,
            archive: table.archive.unwrap_or(false),
            place,
        };
        Some(oci.platforms.contains(&self.cx.platform).then_some(oci))
    }

    fn image_content(&self, table: &written::Oci) -> Option<Content> {
        let base = self.base(table.base.as_ref(), table.base_layers.as_ref());
        let certificates = settled(self.certificates(table.ca_certificates.as_ref()));
        let time_zones = settled(self.time_zones(table.time_zones.as_ref()));
        let layers = self.layers(table.layers.as_ref(), table.max_layers.as_ref());
        let (base, (layers, max_layers)) = (base?, layers?);
        Some(Content {
            accounts: self.image_accounts(table.accounts.as_ref(), &base)?,
            base,
            certificates: certificates?,
            time_zones: time_zones?,
            layers,
            max_layers,
        })
    }

    /// On scratch there is no choice: a runtime looks up the image's user, and programs the names of
    /// owners.
    fn image_accounts(&self, at: Option<&At<bool>>, base: &Base) -> Option<bool> {
        match at {
            Some(at) if !at.value && *base == Base::Scratch => {
                let hint = "they are written if there is any besides root; [[files]] may place \
                            `/etc/passwd` and `/etc/group` instead";
                self.advise(at, "an image on scratch lists its accounts", hint);
                None
            }
            Some(at) => Some(at.value),
            None => Some(*base == Base::Scratch),
        }
    }

    /// Returns how the program is started; what the table does not say follows from the service.
    fn process(&self, table: &written::Oci, service: Option<&Service>) -> Option<Process> {
        let program = self.program(table, service);
        let env = self.image_env(table, service);
        let user = match &table.user {
            Some(at) => Some(self.image_user(at)),
            None => service.and_then(service_user).map(Some),
        };
        let workdir = match &table.workdir {
            Some(at) => Some(self.tree_path(at)),
            None => service.and_then(|service| service.working_directory.clone()).map(Some),
        };
        let stop_signal = match &table.stop_signal {
            Some(at) => Some(self.signal(at)),
            None => service.and_then(|service| service.stop_signal.clone()).map(Some),
        };
        let ports = service.map(|service| service.ports.clone()).unwrap_or_default();
        let ports = self.edited(ports, table.ports.as_ref(), |at| self.port(at));
        let state = service.map(|service| service.state.as_slice()).unwrap_or_default();
        let state: Vec<TreePath> = state.iter().map(|state| state.path.clone()).collect();
        let volumes = self.edited(state, table.volumes.as_ref(), |at| self.tree_path(at));
        let (entrypoint, cmd) = program?;
        Some(Process {
            entrypoint,
            cmd,
            env: env?,
            user: settled(user)?,
            workdir: settled(workdir)?,
            ports,
            volumes,
            stop_signal: settled(stop_signal)?,
        })
    }

    fn image_texts(&self, table: &written::Oci) -> Option<Texts> {
        let labels = self.texts(&table.labels, "a label");
        let annotations = self.annotations(&table.annotations);
        let index_annotations = self.annotations(&table.index_annotations);
        let layer_annotations = self.annotations(&table.layer_annotations);
        Some(Texts {
            labels: labels?,
            annotations: annotations?,
            index_annotations: index_annotations?,
            layer_annotations: layer_annotations?,
        })
    }

    fn image_platforms(&self, table: &written::Oci, common: &Common) -> Option<Vec<Platform>> {
        let Some(list) = &table.platforms else {
            return Some(common.platforms.clone().unwrap_or_else(|| vec![self.cx.platform]));
        };
        let platforms = parse_platforms(self.written, &self.errors, list);
        if platforms.len() != list.len() {
            return None;
        }
        let Some(all) = &common.platforms else { return Some(platforms) };
        for (at, platform) in list.iter().zip(&platforms) {
            if !all.contains(platform) {
                self.fault(at, format!("`{platform}` is not among the recipe's `platforms`"));
                return None;
            }
        }
        Some(platforms)
    }

    /// Returns entry point and arguments; an entry point of its own drops the service's command.
    fn program(
        &self,
        table: &written::Oci,
        service: Option<&Service>,
    ) -> Option<(Vec<String>, Vec<String>)> {
        let words = |list: &Option<Vec<At<String>>>| {
            let check = |at: &At<String>| {
                if at.value.contains('\0') {
                    self.fault(at, "an argument cannot hold a NUL character");
                    return None;
                }
                Some(at.value.clone())
            };
            let list = list.as_ref()?;
            Some(list.iter().map(check).collect::<Option<Vec<_>>>())
        };
        let entrypoint = match words(&table.entrypoint) {
            Some(entrypoint) => entrypoint?,
            None => service.map(|service| service.command.clone()).unwrap_or_default(),
        };
        Some((entrypoint, words(&table.cmd).unwrap_or(Some(Vec::new()))?))
    }

    fn image_env(
        &self,
        table: &written::Oci,
        service: Option<&Service>,
    ) -> Option<Vec<(String, String)>> {
        let common = service.map(|service| service.environment.clone()).unwrap_or_default();
        let common = common.into_iter().map(|(name, value)| Variable(name, value)).collect();
        let before = self.errors.borrow().len();
        let list = self.edited(common, table.env.as_ref(), |at| self.assignment(at));
        let mut all: Vec<(String, String)> = Vec::new();
        for Variable(name, value) in list {
            match all.iter_mut().find(|(known, _)| *known == name) {
                Some(known) => known.1 = value,
                None => all.push((name, value)),
            }
        }
        (self.errors.borrow().len() == before).then_some(all)
    }

    fn assignment(&self, at: &At<String>) -> Option<Variable> {
        let Some((name, value)) = at.value.split_once('=') else {
            let found = at.value.escape_debug();
            self.advise(at, format!("`{found}` sets no variable"), "write `NAME=value`");
            return None;
        };
        let name = self.variable(at, name)?;
        if value.contains('\0') {
            self.fault(at, "a variable cannot hold a NUL character");
            return None;
        }
        Some(Variable(name, value.to_owned()))
    }

    /// Returns `user[:group]`, each a name or a number (image-spec, config.md, "User").
    fn image_user(&self, at: &At<String>) -> Option<String> {
        let part = |text: &str| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
            !text.is_empty() && text.chars().all(allowed) && !text.starts_with(['-', '.'])
        };
        let (user, group) = at.value.split_once(':').unwrap_or((&at.value, "root"));
        if part(user) && part(group) {
            return Some(at.value.clone());
        }
        let message = format!("`{}` is not a user", at.value.escape_debug());
        self.advise(at, message, "e.g. \"1000:1000\"");
        None
    }

    fn annotations(
        &self,
        map: &BTreeMap<At<String>, At<String>>,
    ) -> Option<BTreeMap<String, String>> {
        let before = self.errors.borrow().len();
        for name in map.keys() {
            let is_own = name.value.starts_with(OWN_PREFIX);
            if is_own || OF_BASES.contains(&name.value.as_str()) {
                let found = name.value.escape_debug();
                self.advise(
                    name,
                    format!("`{found}` is an annotation of bake's own"),
                    "leave it out",
                );
            }
        }
        let texts = self.texts(map, "an annotation");
        texts.filter(|_| self.errors.borrow().len() == before)
    }

    fn texts(
        &self,
        map: &BTreeMap<At<String>, At<String>>,
        what: &str,
    ) -> Option<BTreeMap<String, String>> {
        let check = |(name, value): (&At<String>, &At<String>)| {
            let key = &name.value;
            if key.is_empty() || !key.chars().all(|c| c.is_ascii_graphic()) {
                let found = key.escape_debug();
                self.fault(name, format!("`{found}` is not the name of {what}"));
                return None;
            }
            if let Some(bad) = value.value.chars().find(|c| c.is_control() && *c != '\n') {
                let bad = bad.escape_debug();
                self.fault(value, format!("{what} cannot hold the control character `{bad}`"));
                return None;
            }
            Some((key.clone(), value.value.clone()))
        };
        map.iter().map(check).collect()
    }
}

/// Names would need an /etc/passwd in the image; Kubernetes wants numbers anyway.
fn service_user(service: &Service) -> Option<String> {
    if service.user.is_root() && service.group.is_root() {
        return None;
    }
    Some(format!("{}:{}", service.user.id, service.group.id))
}
