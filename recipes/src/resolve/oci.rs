//! `[oci]`.

use std::collections::BTreeMap;

use bake_formats::encode::{Codec, Compression};
use bake_formats::tree::TreePath;

use super::list::Element;
use super::{Common, Resolver, parse_platforms, settled};
use crate::platform::Platform;
use crate::resolved::{Base, Oci, Service};
use crate::written::{self, At};

/// What the OCI image specification has media types for.
const LAYER_CODECS: [Codec; 3] = [Codec::None, Codec::Gzip, Codec::Zstd];

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
        let base = self.base(table.base.as_ref());
        let platforms = self.image_platforms(&table, common);
        let program = self.program(&table, service);
        let env = self.image_env(&table, service);
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
        let labels = self.texts(&table.labels, "label");
        let annotations = self.texts(&table.annotations, "annotation");
        let compression =
            self.compression(table.compression.as_ref(), Compression::GZIP, &LAYER_CODECS);
        let (entrypoint, cmd) = program?;
        let oci = Oci {
            base: base?,
            entrypoint,
            cmd,
            env: env?,
            user: settled(user)?,
            workdir: settled(workdir)?,
            ports,
            volumes,
            labels: labels?,
            annotations: annotations?,
            stop_signal: settled(stop_signal)?,
            compression: compression?,
            archive: table.archive.unwrap_or(false),
            platforms: platforms?,
            place,
        };
        Some(oci.platforms.contains(&self.cx.platform).then_some(oci))
    }

    fn base(&self, at: Option<&At<String>>) -> Option<Base> {
        match at {
            Some(at) if at.value != "scratch" => {
                let found = at.value.escape_debug();
                self.advise(
                    at,
                    format!("the base image `{found}` cannot be used: only `scratch` is supported"),
                    "an image on scratch holds what [[files]] place, and nothing else",
                );
                None
            }
            _ => Some(Base::Scratch),
        }
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

    fn texts(
        &self,
        map: &BTreeMap<At<String>, At<String>>,
        what: &str,
    ) -> Option<BTreeMap<String, String>> {
        let check = |(name, value): (&At<String>, &At<String>)| {
            let key = &name.value;
            if key.is_empty() || !key.chars().all(|c| c.is_ascii_graphic()) {
                let found = key.escape_debug();
                self.fault(name, format!("`{found}` is not the name of a {what}"));
                return None;
            }
            if let Some(bad) = value.value.chars().find(|c| c.is_control() && *c != '\n') {
                let bad = bad.escape_debug();
                self.fault(value, format!("a {what} cannot hold the control character `{bad}`"));
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
