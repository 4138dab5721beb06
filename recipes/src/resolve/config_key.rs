//! `[config.KEY]`.

use std::collections::BTreeMap;

use bake_config::kind::{Pattern, Range, Schemes, Words};
use bake_config::schema::{Delivery, Deprecation, Key, Presence, Secrecy, Variance};
use bake_config::{Kind, Name, Value, record};

use super::{Resolver, settled};
use crate::written::{self, At, ConfigType, Scalar, TextOr};

impl Resolver<'_> {
    pub(super) fn config_keys(
        &self,
        keys: &BTreeMap<At<String>, At<written::ConfigKey>>,
    ) -> Option<BTreeMap<Name, Key>> {
        let mut all = BTreeMap::new();
        for (name, key) in keys {
            let parsed = self.config_name(name);
            if let Some(name) = parsed
                && let Some(key) = self.config_key(&name, key)
            {
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

    fn config_name(&self, at: &At<String>) -> Option<Name> {
        let name = Name::parse(&at.value);
        if name.is_none() {
            let message =
                format!("`{}` is not the name of a configuration key", at.value.escape_debug());
            self.advise(at, message, "capital letters, digits and `_`, e.g. `DATABASE_URL`");
        }
        name
    }

    fn config_key(&self, name: &Name, at: &At<written::ConfigKey>) -> Option<Key> {
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
        let secrecy = if secret { Secrecy::Secret } else { Secrecy::Open };
        let delivery = self.delivery(name, key.deliver.as_ref(), secrecy);
        let deprecated = key.deprecated.as_ref().map(|at| self.deprecation(&at.value));
        let varies = key.varies.as_ref().is_none_or(|at| at.value);
        Some(Key {
            kind,
            presence: if required { Presence::Required } else { Presence::Optional },
            secrecy,
            variance: if varies { Variance::Varies } else { Variance::Same },
            default: settled(default)?,
            description: settled(description)?,
            example: settled(example)?,
            delivery: delivery?,
            deprecated: settled(deprecated)?,
        })
    }

    fn config_kind(&self, key: &written::ConfigKey) -> Option<Kind> {
        self.check_kind_words(key);
        let words = |list: &Option<At<Vec<At<String>>>>, key| {
            let list = list.iter().flat_map(|at| &at.value);
            list.map(|at| self.line(at, key)).collect::<Option<Vec<_>>>()
        };
        let range = |kind: fn(Range) -> Kind| self.range(key, kind).map(kind);
        match key.kind.value {
            ConfigType::String => self.pattern(key).map(Kind::String),
            ConfigType::List => self.pattern(key).map(Kind::List),
            ConfigType::Int => range(Kind::Int),
            ConfigType::Float => range(Kind::Float),
            ConfigType::Port => range(Kind::Port),
            ConfigType::Duration => range(Kind::Duration),
            ConfigType::Bytes => range(Kind::Bytes),
            ConfigType::Bool => Some(Kind::Bool),
            ConfigType::Host => Some(Kind::Host),
            ConfigType::Url => {
                Some(Kind::Url(Schemes { schemes: words(&key.schemes, "schemes")? }))
            }
            ConfigType::Enum => {
                let values = words(&key.values, "values")?;
                if values.is_empty() {
                    self.fault(&key.kind, "an `enum` needs `values`");
                    return None;
                }
                Some(Kind::Enum(Words { values }))
            }
            ConfigType::Path => Some(Kind::Path),
            ConfigType::Pem => Some(Kind::Pem),
            ConfigType::Json => Some(Kind::Json),
        }
    }

    /// Reports words that say nothing of keys of this type.
    fn check_kind_words(&self, key: &written::ConfigKey) {
        let kind = key.kind.value;
        let has_order = matches!(
            kind,
            ConfigType::Int
                | ConfigType::Float
                | ConfigType::Port
                | ConfigType::Duration
                | ConfigType::Bytes
        );
        for (at, name) in [(&key.min, "min"), (&key.max, "max")] {
            if let Some(at) = at.as_ref().filter(|_| !has_order) {
                let types = "`int`, `float`, `port`, `duration` or `bytes`";
                self.fault(at, format!("`{name}` is for keys of type {types}"));
            }
        }
        if let Some(at) = key.schemes.as_ref().filter(|_| kind != ConfigType::Url) {
            self.fault(at, "`schemes` is for keys of type `url`");
        }
        if let Some(at) = key.values.as_ref().filter(|_| kind != ConfigType::Enum) {
            self.fault(at, "`values` is for keys of type `enum`");
        }
        let has_text = matches!(kind, ConfigType::String | ConfigType::List);
        if let Some(at) = key.pattern.as_ref().filter(|_| !has_text) {
            self.fault(at, "`pattern` is for keys of type `string` or `list`");
        }
    }

    fn pattern(&self, key: &written::ConfigKey) -> Option<Pattern> {
        let pattern = Pattern { pattern: key.pattern.as_ref().map(|at| at.value.clone()) };
        match (pattern.check(), &key.pattern) {
            (Err(reason), Some(at)) => {
                self.fault(at, format!("`pattern` is not a regular expression: {reason}"));
                None
            }
            _ => Some(pattern),
        }
    }

    fn range(&self, key: &written::ConfigKey, kind: fn(Range) -> Kind) -> Option<Range> {
        let any = kind(Range::default());
        let limit = |at: &At<Scalar>| match self.config_value(at, &any)? {
            Value::Text(text) => Some(text),
            Value::List(_) => None,
        };
        let min = settled(key.min.as_ref().map(limit))?;
        let max = settled(key.max.as_ref().map(limit))?;
        if let (Some(min), Some(max), Some(at)) = (&min, &max, &key.max)
            && any.compare(min, max).is_some_and(std::cmp::Ordering::is_gt)
        {
            self.fault(at, format!("`max` is {max}, which is less than `min`, {min}"));
        }
        Some(Range { min, max })
    }

    fn config_value(&self, at: &At<Scalar>, kind: &Kind) -> Option<Value> {
        let value = at
            .value
            .without_date()
            .map_or_else(|| Err(kind.expected()), |value| kind.accept(&value));
        match value {
            Ok(value) => Some(value),
            Err(reason) => {
                self.fault(at, reason);
                None
            }
        }
    }

    /// Returns how a value reaches the program: secrets as files, everything else as variables, unless it is written.
    fn delivery(
        &self,
        name: &Name,
        at: Option<&At<TextOr<written::ConfigDelivery>>>,
        secrecy: Secrecy,
    ) -> Option<Delivery> {
        let at = match (at, secrecy) {
            (Some(at), _) => at,
            (None, Secrecy::Open) => return Some(Delivery::Variable),
            (None, Secrecy::Secret) => {
                let prefix = self.keys().config.as_ref().and_then(|at| at.value.prefix.as_ref());
                let prefix = prefix.map(|at| at.value.as_str()).unwrap_or_default();
                let path_variable = Name::parse(&format!("{prefix}{name}_FILE"));
                return Some(Delivery::File { name: name.kebab(), path_variable });
            }
        };
        let table = match &at.value {
            TextOr::Text(word) if word == "variable" => return Some(Delivery::Variable),
            TextOr::Text(word) if word == "files" => return Some(Delivery::Files),
            TextOr::Text(word) => {
                let message =
                    format!("expected `variable` or `files`, found `{}`", word.escape_debug());
                self.advise(at, message, "or a file of its own: `{ file = \"db-password\" }`");
                return None;
            }
            TextOr::Table(table) => table,
        };
        let file = &table.file.value;
        if !record::is_file_name(file) {
            let message = format!("`{}` is not the name of a file", file.escape_debug());
            self.advise(&table.file, message, "letters, digits and `-_.`, e.g. `db-password`");
            return None;
        }
        let variable = table.env_path.as_ref().map(|at| self.config_name(at));
        Some(Delivery::File { name: file.clone(), path_variable: settled(variable)? })
    }

    fn deprecation(&self, written: &written::ConfigDeprecation) -> Option<Deprecation> {
        let instead = written.instead.as_ref().map(|at| self.config_name(at));
        let since = written.since.as_ref().map(|at| self.line(at, "since"));
        Some(Deprecation { instead: settled(instead)?, since: settled(since)? })
    }
}
