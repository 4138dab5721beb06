//! `[config]`.

use std::collections::BTreeMap;

use bake_formats::tree::Mode;

use super::{Resolver, settled};
use crate::resolved::{
    ConfigDocument, ConfigFile, ConfigKey, ConfigKind, ConfigName, ConfigValue, Delivery,
    Deprecation, DocumentFormat, ReloadAction, Schema, UnknownKeys,
};
use crate::written::{self, At, ConfigReload, ConfigSyntax, ConfigType, ConfigUnknown, Scalar};

/// The mode of a rendered file: it may hold what only the service should read.
const FILE_MODE: u32 = 0o640;

impl Resolver<'_> {
    pub(super) fn config(&self) -> Option<Schema> {
        let Some(at) = &self.keys().config else { return Some(Schema::default()) };
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
        let files = written.file.iter().map(|at| self.config_file(&at.value));
        let files: Option<Vec<_>> = files.collect();
        let documents = written.json.iter().map(|at| self.config_document(&at.value));
        let documents: Option<Vec<_>> = documents.collect();
        let (files, documents) = (files?, documents?);
        self.check_destinations(&files, &documents);
        Some(Schema {
            prefix: settled(prefix)?.unwrap_or_default(),
            max_varying: settled(max_varying)?,
            unknown: match written.unknown.as_ref().map(|at| at.value) {
                None | Some(ConfigUnknown::Deny) => UnknownKeys::Deny,
                Some(ConfigUnknown::Warn) => UnknownKeys::Warn,
            },
            keys: keys?,
            files,
            documents,
        })
    }

    fn prefix(&self, at: &At<String>) -> Option<String> {
        if at.value.is_empty() || ConfigName::parse(&at.value).is_some() {
            return Some(at.value.clone());
        }
        let message = format!("`{}` is not a prefix of names", at.value.escape_debug());
        self.advise(at, message, "capital letters, digits and `_`, e.g. \"CATALOG_\"");
        None
    }

    fn config_keys(
        &self,
        keys: &BTreeMap<At<String>, At<written::ConfigKey>>,
    ) -> Option<BTreeMap<ConfigName, ConfigKey>> {
        let mut all = BTreeMap::new();
        for (name, key) in keys {
            if let (Some(name), Some(key)) = (self.config_name(name), self.config_key(key)) {
                all.insert(name, key);
            }
        }
        for at in keys.values() {
            let instead = at.value.deprecated.as_ref().and_then(|at| at.value.instead.as_ref());
            if let Some(instead) = instead
                && !keys.keys().any(|name| name.value == instead.value)
            {
                let found = instead.value.escape_debug();
                self.fault(instead, format!("there is no key `{found}`"));
            }
        }
        (all.len() == keys.len()).then_some(all)
    }

    fn config_name(&self, at: &At<String>) -> Option<ConfigName> {
        let name = ConfigName::parse(&at.value);
        if name.is_none() {
            let message =
                format!("`{}` is not the name of a configuration key", at.value.escape_debug());
            self.advise(at, message, "capital letters, digits and `_`, e.g. `DATABASE_URL`");
        }
        name
    }

    fn config_key(&self, at: &At<written::ConfigKey>) -> Option<ConfigKey> {
        let key = &at.value;
        let required = key.required.as_ref().is_some_and(|at| at.value);
        let secret = key.secret.as_ref().is_some_and(|at| at.value);
        let kind = self.config_kind(key)?;
        if let Some(default) = &key.default
            && (required || secret)
        {
            let what = if secret { "secret" } else { "required" };
            self.fault(default, format!("a {what} key has no default"));
            return None;
        }
        if let Some(example) = &key.example
            && secret
        {
            self.fault(example, "a secret key has no example");
            return None;
        }
        let default = key.default.as_ref().map(|at| self.config_value(at, &kind));
        let example = key.example.as_ref().map(|at| self.config_value(at, &kind));
        let description = key.description.as_ref().map(|at| self.line(at, "description"));
        let delivery = match &key.deliver {
            Some(at) => self.delivery(&at.value),
            None => Some(Delivery::Variable),
        };
        let deprecated = key.deprecated.as_ref().map(|at| self.deprecation(&at.value));
        Some(ConfigKey {
            kind,
            required,
            secret,
            varies: key.varies.as_ref().is_none_or(|at| at.value),
            default: settled(default)?,
            description: settled(description)?,
            example: settled(example)?,
            delivery: delivery?,
            deprecated: settled(deprecated)?,
            place: self.place(at),
        })
    }

    fn config_kind(&self, key: &written::ConfigKey) -> Option<ConfigKind> {
        let kind = key.kind.value;
        let limit = |at: &At<i64>, name: &str| {
            if kind != ConfigType::Int {
                self.fault(at, format!("`{name}` is for keys of type `int`"));
            }
            at.value
        };
        let min = key.min.as_ref().map(|at| limit(at, "min"));
        let max = key.max.as_ref().map(|at| limit(at, "max"));
        if let (Some(min), Some(max), Some(at)) = (min, max, &key.max)
            && min > max
        {
            self.fault(at, format!("`max` is {max}, which is less than `min`, {min}"));
        }
        if let Some(at) = key.schemes.as_ref().filter(|_| kind != ConfigType::Url) {
            self.fault(at, "`schemes` is for keys of type `url`");
        }
        if let Some(at) = key.values.as_ref().filter(|_| kind != ConfigType::Enum) {
            self.fault(at, "`values` is for keys of type `enum`");
        }
        let words = |list: &Option<At<Vec<At<String>>>>, key| {
            let list = list.iter().flat_map(|at| &at.value);
            list.map(|at| self.line(at, key)).collect::<Option<Vec<_>>>()
        };
        Some(match kind {
            ConfigType::String => ConfigKind::String,
            ConfigType::Int => ConfigKind::Int { min, max },
            ConfigType::Float => ConfigKind::Float,
            ConfigType::Bool => ConfigKind::Bool,
            ConfigType::Port => ConfigKind::Port,
            ConfigType::Host => ConfigKind::Host,
            ConfigType::Url => ConfigKind::Url { schemes: words(&key.schemes, "schemes")? },
            ConfigType::Duration => ConfigKind::Duration,
            ConfigType::Bytes => ConfigKind::Bytes,
            ConfigType::Enum => {
                let values = words(&key.values, "values")?;
                if values.is_empty() {
                    self.fault(&key.kind, "an `enum` needs `values`");
                    return None;
                }
                ConfigKind::Enum { values }
            }
            ConfigType::List => ConfigKind::List,
            ConfigType::Path => ConfigKind::Path,
            ConfigType::Pem => ConfigKind::Pem,
            ConfigType::Json => ConfigKind::Json,
        })
    }

    fn config_value(&self, at: &At<Scalar>, kind: &ConfigKind) -> Option<ConfigValue> {
        match kind.accept(&at.value) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.fault(at, reason);
                None
            }
        }
    }

    fn delivery(&self, written: &written::ConfigDelivery) -> Option<Delivery> {
        let name = &written.file.value;
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.starts_with('.') || !name.chars().all(allowed) {
            let message = format!("`{}` is not the name of a file", name.escape_debug());
            self.advise(&written.file, message, "letters, digits and `-_.`, e.g. `db-password`");
            return None;
        }
        let variable = written.env_path.as_ref().map(|at| self.config_name(at));
        Some(Delivery::File { name: name.clone(), path_variable: settled(variable)? })
    }

    fn deprecation(&self, written: &written::ConfigDeprecation) -> Option<Deprecation> {
        let instead = written.instead.as_ref().map(|at| self.config_name(at));
        let since = written.since.as_ref().map(|at| self.line(at, "since"));
        Some(Deprecation { instead: settled(instead)?, since: settled(since)? })
    }

    fn config_mode(&self, at: Option<&At<String>>) -> Option<Mode> {
        at.map_or(Some(Mode::from_st_mode(FILE_MODE)), |at| self.mode(at))
    }

    fn config_file(&self, written: &written::ConfigFile) -> Option<ConfigFile> {
        let template = self.line(&written.template, "template");
        let path = self.tree_path(&written.path);
        let mode = self.config_mode(written.mode.as_ref());
        Some(ConfigFile {
            template: template?,
            path: path?,
            mode: mode?,
            format: written.format.as_ref().map(|at| syntax(at.value)),
            reload: match written.reload.as_ref().map(|at| at.value) {
                None | Some(ConfigReload::Restart) => ReloadAction::Restart,
                Some(ConfigReload::Reload) => ReloadAction::Reload,
                Some(ConfigReload::None) => ReloadAction::None,
            },
            place: self.place(&written.path),
        })
    }

    fn config_document(&self, written: &written::ConfigDocument) -> Option<ConfigDocument> {
        let path = self.tree_path(&written.path);
        let mode = self.config_mode(written.mode.as_ref());
        let nest = written.nest.as_ref().map(|at| self.line(at, "nest"));
        Some(ConfigDocument {
            path: path?,
            format: written.format.as_ref().map_or(DocumentFormat::Json, |at| syntax(at.value)),
            nest: settled(nest)?,
            mode: mode?,
            place: self.place(&written.path),
        })
    }

    fn check_destinations(&self, files: &[ConfigFile], documents: &[ConfigDocument]) {
        let files = files.iter().map(|file| (&file.path, &file.place));
        let documents = documents.iter().map(|document| (&document.path, &document.place));
        let mut seen = BTreeMap::new();
        for (path, place) in files.chain(documents) {
            if seen.insert(path, place).is_some() {
                self.report(place.error(format!("two configuration files go to `{path}`")));
            }
        }
    }
}

fn syntax(written: ConfigSyntax) -> DocumentFormat {
    match written {
        ConfigSyntax::Json => DocumentFormat::Json,
        ConfigSyntax::Toml => DocumentFormat::Toml,
        ConfigSyntax::Yaml => DocumentFormat::Yaml,
        ConfigSyntax::Properties => DocumentFormat::Properties,
    }
}
