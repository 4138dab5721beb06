//! `[config]`.

use std::collections::BTreeMap;

use bake_config::schema::{
    Case, Delivery, Document, File, Format, Key, Reload, Secrecy, UnknownKeys,
};
use bake_config::{Entrypoint, Name, RenderError, Schema, template};

use super::{Resolver, settled};
use crate::error::Place;
use crate::resolved::Config;
use crate::written::{self, At, ConfigCase, ConfigReload, ConfigSyntax, ConfigUnknown};

/// The mode of a rendered file: it may hold what only the service should read.
const FILE_MODE: u32 = 0o640;

impl Resolver<'_> {
    /// Returns the configuration; what it is of is filled in by whoever knows.
    pub(super) fn config(&self) -> Option<Config> {
        let Some(at) = &self.keys().config else { return Some(Config::default()) };
        let written = &at.value;
        let prefix = written.prefix.as_ref().map(|at| self.prefix(at));
        let max_varying = written.max_varying.as_ref().map(|at| {
            let count = u32::try_from(at.value).ok();
            if count.is_none() {
                self.fault(at, format!("expected a number of keys, found {}", at.value));
            }
            count
        });
        let keys = self.config_keys(&written.keys);
        let files: Vec<_> = written.file.iter().map(|at| self.config_file(&at.value)).collect();
        let keys = keys?;
        let documents: Vec<_> =
            written.document.iter().map(|at| self.config_document(&at.value, &keys)).collect();
        self.check_config_paths(written);
        let schema = Schema {
            prefix: settled(prefix)?.unwrap_or_default(),
            max_varying: settled(max_varying)?,
            unknown: match written.unknown.as_ref().map(|at| at.value) {
                None | Some(ConfigUnknown::Deny) => UnknownKeys::Deny,
                Some(ConfigUnknown::Warn) => UnknownKeys::Warn,
            },
            keys,
            files: files.into_iter().collect::<Option<_>>()?,
            documents: documents.into_iter().collect::<Option<_>>()?,
            ..Schema::empty("")
        };
        self.check_config_destinations(written, &schema);
        self.check_config_use(written, &schema);
        let place = |at: &At<String>| Some((Name::parse(&at.value)?, self.place(at)));
        Some(Config {
            entrypoint: self.entrypoint(written, &schema)?,
            schema,
            places: written.keys.keys().filter_map(place).collect(),
            place: Some(self.place(at)),
        })
    }

    fn entrypoint(&self, written: &written::Config, schema: &Schema) -> Option<Entrypoint> {
        match &written.entrypoint {
            Some(at) if at.value && schema.is_empty() => {
                self.fault(at, "there are no keys that `bake-init` could bring in");
                None
            }
            Some(at) if at.value => Some(Entrypoint::BakeInit),
            _ => Some(Entrypoint::Direct),
        }
    }

    fn prefix(&self, at: &At<String>) -> Option<String> {
        if at.value.is_empty() || Name::parse(&at.value).is_some() {
            return Some(at.value.clone());
        }
        let message = format!("`{}` is not a prefix of names", at.value.escape_debug());
        self.advise(at, message, "capital letters, digits and `_`, e.g. \"CATALOG_\"");
        None
    }

    fn config_mode(&self, at: Option<&At<String>>) -> Option<u32> {
        at.map_or(Some(FILE_MODE), |at| self.mode(at).map(|mode| mode.bits().into()))
    }

    fn config_file(&self, written: &written::ConfigFile) -> Option<File> {
        let text = self.template(&written.template);
        let path = self.tree_path(&written.path);
        let mode = self.config_mode(written.mode.as_ref());
        Some(File {
            template: text?,
            path: path?.to_string(),
            mode: mode?,
            format: written.format.as_ref().map(|at| syntax(at.value)),
            reload: reload(written.reload.as_ref()),
        })
    }

    /// Returns a template's text.
    fn template(&self, at: &At<String>) -> Option<String> {
        let name = self.line(at, "template")?;
        match super::version_source::read(&self.cx.base.join(&name), template::MAX_LEN as u64) {
            Ok(text) => Some(text),
            Err(reason) => {
                let message =
                    format!("cannot read the template `{}`: {reason}", name.escape_debug());
                self.advise(at, message, "paths are relative to the recipe's folder");
                None
            }
        }
    }

    fn config_document(
        &self,
        written: &written::ConfigDocument,
        keys: &BTreeMap<Name, Key>,
    ) -> Option<Document> {
        let path = self.tree_path(&written.path);
        let mode = self.config_mode(written.mode.as_ref());
        let nest = written.nest.as_ref().map(|at| self.line(at, "nest"));
        let path = path?.to_string();
        let format = match &written.format {
            Some(at) => Some(syntax(at.value)),
            None => Format::of_path(&path),
        };
        if format.is_none() {
            let formats = Format::ALL.map(Format::word).join("`, `");
            let message = format!("`{path}` does not say what it is written as");
            self.advise(&written.path, message, format!("add `format`: one of `{formats}`"));
        }
        Some(Document {
            format: format?,
            nest: settled(nest)?,
            case: match written.case.as_ref().map(|at| at.value) {
                None | Some(ConfigCase::Keep) => Case::Keep,
                Some(ConfigCase::Lower) => Case::Lower,
                Some(ConfigCase::Camel) => Case::Camel,
                Some(ConfigCase::Kebab) => Case::Kebab,
            },
            keys: self.document_keys(written, keys)?,
            mode: mode?,
            reload: reload(written.reload.as_ref()),
            path,
        })
    }

    /// Returns the keys of a document: those that are written, else all that are not secret.
    fn document_keys(
        &self,
        written: &written::ConfigDocument,
        keys: &BTreeMap<Name, Key>,
    ) -> Option<Vec<Name>> {
        let Some(list) = &written.keys else {
            let open = keys.iter().filter(|(_, key)| key.secrecy == Secrecy::Open);
            return Some(open.map(|(name, _)| name.clone()).collect());
        };
        let mut all = Vec::new();
        for at in &list.value {
            let name = Name::parse(&at.value).filter(|name| keys.contains_key(name));
            match name {
                None => {
                    let names: Vec<_> = keys.keys().map(Name::as_str).collect();
                    let message = format!("there is no key `{}`", at.value.escape_debug());
                    self.advise(at, message, crate::suggestion::hint(&at.value, &names));
                    return None;
                }
                Some(name) if all.contains(&name) => {
                    self.fault(at, format!("`{name}` stands here twice"));
                    return None;
                }
                Some(name) => all.push(name),
            }
        }
        all.sort();
        Some(all)
    }

    /// Reports files that would go to one path.
    fn check_config_paths(&self, written: &written::Config) {
        let files = written.file.iter().map(|at| &at.value.path);
        let documents = written.document.iter().map(|at| &at.value.path);
        let mut seen = BTreeMap::new();
        for at in files.chain(documents) {
            if seen.insert(&at.value, at).is_some() {
                self.fault(at, format!("two configuration files go to `{}`", at.value));
            }
        }
    }

    /// Reports templates and documents that no environment could make right.
    fn check_config_destinations(&self, written: &written::Config, schema: &Schema) {
        for RenderError { path, reason, .. } in schema.check_destinations() {
            let file = written.file.iter().find(|at| at.value.path.value == path);
            let file = file.map(|at| self.place(&at.value.template));
            let document = written.document.iter().find(|at| at.value.path.value == path);
            let place: Option<Place> =
                file.or_else(|| document.map(|at| self.place(&at.value.path)));
            if let Some(place) = place {
                self.report(place.error(reason));
            }
        }
        let mut carriers = BTreeMap::new();
        for (name, key) in &schema.keys {
            let carried = match &key.delivery {
                Delivery::Variable => vec![("variable", schema.variable(name))],
                Delivery::File { name: file, path_variable } => {
                    let variable =
                        path_variable.as_ref().map(|variable| ("variable", variable.to_string()));
                    std::iter::once(("file", file.clone())).chain(variable).collect()
                }
                Delivery::Files => Vec::new(),
            };
            for (what, carrier) in carried {
                if let Some(other) = carriers.insert((what, carrier.clone()), name)
                    && let Some((at, _)) =
                        written.keys.iter().find(|(at, _)| at.value == name.as_str())
                {
                    let message =
                        format!("`{other}` and `{name}` would both be the {what} `{carrier}`");
                    self.fault(at, message);
                }
            }
        }
    }

    /// Reports keys that reach the program in no way.
    fn check_config_use(&self, written: &written::Config, schema: &Schema) {
        let used = schema.used_in_files();
        for at in written.keys.keys() {
            let name = Name::parse(&at.value);
            let key = name.as_ref().and_then(|name| schema.keys.get(name));
            if key.is_some_and(|key| key.delivery == Delivery::Files)
                && name.is_some_and(|name| !used.contains(&name))
            {
                let hint = "no `[[config.file]]` and no `[[config.document]]` has it; choose another `deliver`";
                self.advise(at, format!("`{}` reaches the program in no way", at.value), hint);
            }
        }
    }
}

fn reload(written: Option<&At<ConfigReload>>) -> Reload {
    match written.map(|at| at.value) {
        None | Some(ConfigReload::Restart) => Reload::Restart,
        Some(ConfigReload::Reload) => Reload::Reload,
        Some(ConfigReload::None) => Reload::None,
    }
}

fn syntax(written: ConfigSyntax) -> Format {
    match written {
        ConfigSyntax::Json => Format::Json,
        ConfigSyntax::Toml => Format::Toml,
        ConfigSyntax::Yaml => Format::Yaml,
        ConfigSyntax::Properties => Format::Properties,
        ConfigSyntax::Ini => Format::Ini,
    }
}
