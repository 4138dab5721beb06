//! Templates: Jinja's language with the configuration as its only input.
//!
//! A template sees `cfg.KEY` and nothing else: no environment's name, no other file, no function that reads anything.
//! What is used and not set is an error, never an empty text; `{% if cfg.KEY is defined %}` asks first. Work is
//! bounded.

use std::collections::BTreeSet;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Value as Jinja, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};

use crate::kind::Kind;
use crate::name::Name;
use crate::quote;
use crate::schema::Schema;
use crate::settings::{Setting, Settings};
use crate::value::Value;

/// What a template sees.
const INPUT: &str = "cfg";
/// The most steps that a template takes.
const STEPS: u64 = 1_000_000;
/// The largest template, in bytes.
pub const MAX_LEN: usize = 256 << 10;

/// Why a template cannot be rendered. It never holds a value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct TemplateError {
    /// The line of the template, counted from 1, if it is about one.
    pub line: Option<usize>,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line} of the template: {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

impl std::error::Error for TemplateError {}

/// Returns the keys that a template uses, all of which the schema must have.
pub fn check(text: &str, schema: &Schema) -> Result<BTreeSet<Name>, TemplateError> {
    if text.len() > MAX_LEN {
        let reason =
            format!("the template has {} bytes, at most {MAX_LEN} are allowed", text.len());
        return Err(TemplateError { line: None, reason });
    }
    let environment = environment();
    let template =
        environment.template_from_str(text).map_err(|error| failed(&error, text, &[]))?;
    let mut used = BTreeSet::new();
    let mut variables: Vec<_> = template.undeclared_variables(true).into_iter().collect();
    variables.sort();
    for variable in variables {
        let key = variable.strip_prefix(INPUT).and_then(|rest| rest.strip_prefix('.'));
        let key = key.map(|rest| rest.split('.').next().unwrap_or_default());
        let line = text.lines().position(|line| line.contains(&variable)).map(|index| index + 1);
        let known = key.and_then(Name::parse).filter(|name| schema.keys.contains_key(name));
        let reason = match (known, key) {
            (Some(name), _) => {
                used.insert(name);
                continue;
            }
            (None, Some(key)) => {
                let nearest = crate::suggestion::nearest(key, schema.keys.keys());
                let meant = nearest.map(|name| format!("; did you mean `{INPUT}.{name}`?"));
                format!("there is no key `{key}`{}", meant.unwrap_or_default())
            }
            (None, None) => {
                format!("`{variable}` is nothing that a template sees: write `{INPUT}.KEY`")
            }
        };
        return Err(TemplateError { line, reason });
    }
    Ok(used)
}

/// Renders a template; references have no value here.
pub(crate) fn render(
    text: &str,
    schema: &Schema,
    settings: &Settings,
) -> Result<String, TemplateError> {
    let environment = environment();
    let mut values = Vec::new();
    for (name, key) in &schema.keys {
        let value = match settings.get(name) {
            Some(Setting::Plain(value)) => value.clone(),
            Some(Setting::Secret(secret)) => {
                let value = key.kind.parse(secret.expose());
                value.unwrap_or_else(|_| Value::Text(secret.expose().into()))
            }
            Some(Setting::Reference(_)) | None => continue,
        };
        values.push((name.as_str(), jinja(&key.kind, &value)));
    }
    let absent: Vec<&Name> =
        schema.keys.keys().filter(|name| settings.get(name).is_none()).collect();
    let context = Jinja::from_pairs([(INPUT, Jinja::from_pairs(values))]);
    let template =
        environment.template_from_str(text).map_err(|error| failed(&error, text, &absent))?;
    template.render(context).map_err(|error| failed(&error, text, &absent))
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_syntax(syntax());
    environment.set_fuel(Some(STEPS));
    environment.set_formatter(|output, state, value| match value.kind() {
        // Jinja spells them as Python does.
        ValueKind::Bool => Ok(output.write_str(boolean(value))?),
        ValueKind::Seq | ValueKind::Map => Err(invalid(LIST)),
        _ => minijinja::escape_formatter(output, state, value),
    });
    environment.add_filter("json", |value: &Jinja| literal(value, quote::json));
    environment.add_filter("yaml", |value: &Jinja| literal(value, quote::yaml));
    environment.add_filter("toml", |value: &Jinja| literal(value, quote::toml));
    environment.add_filter("properties", |value: &Jinja| {
        Ok::<_, Error>(quote::properties(&plain(value)?))
    });
    environment.add_filter("shell", |value: &Jinja| Ok::<_, Error>(quote::shell(&plain(value)?)));
    environment
        .add_filter("base64", |value: &Jinja| Ok::<_, Error>(STANDARD.encode(plain(value)?)));
    environment.add_filter("xml", |value: &Jinja| {
        let found = quote::xml(&plain(value)?);
        found.ok_or_else(|| invalid("`xml` cannot write a control character"))
    });
    environment.add_filter("ini", |value: &Jinja| {
        let text = plain(value)?;
        quote::ini(&text).map(str::to_owned).map_err(invalid)
    });
    environment
}

fn syntax() -> SyntaxConfig {
    // The default is Jinja's own syntax.
    SyntaxConfig::builder().keep_trailing_newline(true).build().unwrap_or_default()
}

/// What is said of lists that are put in as they are.
const LIST: &str = "a list has no one text: use `join(\", \")`, `json`, `yaml` or `toml`";

fn boolean(value: &Jinja) -> &'static str {
    if value.is_true() { "true" } else { "false" }
}

fn invalid(reason: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason)
}

/// Returns the literal of a value in a language in which numbers, `true` and lists look like JSON's.
fn literal(value: &Jinja, quote: fn(&str) -> String) -> Result<String, Error> {
    if value.is_undefined() {
        return Err(ErrorKind::UndefinedError.into());
    }
    if let Some(text) = value.as_str() {
        return Ok(quote(text));
    }
    if value.kind() == ValueKind::Seq {
        let texts: Result<Vec<_>, _> =
            value.try_iter()?.map(|item| literal(&item, quote)).collect();
        return Ok(format!("[{}]", texts?.join(", ")));
    }
    plain(value)
}

/// Returns a value as text: a list joined by commas.
fn plain(value: &Jinja) -> Result<String, Error> {
    if value.is_undefined() {
        return Err(ErrorKind::UndefinedError.into());
    }
    if value.kind() == ValueKind::Seq {
        let texts: Vec<_> = value.try_iter()?.map(|item| item.to_string()).collect();
        return Ok(texts.join(","));
    }
    Ok(if value.kind() == ValueKind::Bool { boolean(value).into() } else { value.to_string() })
}

/// Whole numbers and booleans are such in conditions; other numbers are text, so that no digit changes.
fn jinja(kind: &Kind, value: &Value) -> Jinja {
    match (kind, value) {
        (_, Value::List(list)) => Jinja::from(list.clone()),
        (Kind::Bool, Value::Text(text)) => Jinja::from(text == "true"),
        (Kind::Int(_) | Kind::Port(_), Value::Text(text)) => match text.parse::<i64>() {
            Ok(number) => Jinja::from(number),
            Err(_) => Jinja::from(text.as_str()),
        },
        (_, Value::Text(text)) => Jinja::from(text.as_str()),
    }
}

/// Only kinds and lines of errors are told: their details may hold values.
fn failed(error: &Error, text: &str, absent: &[&Name]) -> TemplateError {
    let line = error.line();
    let source = line.and_then(|line| text.lines().nth(line.saturating_sub(1))).unwrap_or_default();
    let reason = match error.kind() {
        ErrorKind::UndefinedError => {
            let unset = absent.iter().find(|name| source.contains(&format!("{INPUT}.{name}")));
            match unset {
                Some(name) => format!(
                    "`{name}` is not set and has no default; `{{% if {INPUT}.{name} is defined %}}` asks first"
                ),
                None => "a value is used that is not there".into(),
            }
        }
        ErrorKind::OutOfFuel => format!("it takes more than {STEPS} steps"),
        // The template's own text is no secret.
        ErrorKind::SyntaxError
        | ErrorKind::UnknownFilter
        | ErrorKind::UnknownTest
        | ErrorKind::UnknownFunction => error.detail().map_or_else(
            || error.kind().to_string(),
            |detail| format!("{}: {detail}", error.kind()),
        ),
        ErrorKind::InvalidOperation => match error.detail() {
            Some(detail) if KNOWN.contains(&detail) => detail.to_owned(),
            _ => "this cannot be done with such values".into(),
        },
        kind => kind.to_string(),
    };
    TemplateError { line, reason }
}

/// What our own filters say.
const KNOWN: [&str; 5] = [
    LIST,
    "`xml` cannot write a control character",
    "an ini file has no way to write a line break",
    "readers of ini files drop space at the ends of values",
    "readers of ini files differ about quotes and comments in values",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::{Pattern, Range};
    use crate::schema::Key;
    use crate::settings::Given;
    use crate::value::Scalar;

    fn schema() -> Schema {
        let mut schema = Schema::empty("app");
        for (name, kind) in [
            ("TEXT", Kind::String(Pattern::default())),
            ("PORT", Kind::Port(Range::default())),
            ("RATE", Kind::Float(Range::default())),
            ("DEBUG", Kind::Bool),
            ("HOSTS", Kind::List(Pattern::default())),
            ("ABSENT", Kind::String(Pattern::default())),
        ] {
            schema.keys.insert(Name::parse(name).unwrap(), Key::new(kind));
        }
        schema
    }

    fn settings() -> Settings {
        let given = [
            ("TEXT", Given::Plain(Scalar::Text("a \"b\"\n".into()))),
            ("PORT", Given::Plain(Scalar::Integer(8080))),
            ("RATE", Given::Plain(Scalar::Float(1e6))),
            ("DEBUG", Given::Plain(Scalar::Bool(false))),
            ("HOSTS", Given::Plain(Scalar::List(vec!["a".into(), "b".into()]))),
        ];
        let settled = schema().settle(given);
        assert_eq!(settled.faults, []);
        settled.settings
    }

    fn rendered(text: &str) -> Result<String, TemplateError> {
        check(text, &schema())?;
        render(text, &schema(), &settings())
    }

    #[test]
    fn values_are_put_in() {
        for (template, expected) in [
            ("{{ cfg.PORT }} {{ cfg.RATE }} {{ cfg.DEBUG }}\n", "8080 1000000 false\n"),
            ("{{ cfg.TEXT | json }}", "\"a \\\"b\\\"\\n\""),
            (
                "{{ cfg.HOSTS | yaml }} {{ cfg.PORT | toml }} {{ cfg.DEBUG | json }}",
                "[\"a\", \"b\"] 8080 false",
            ),
            ("{{ cfg.HOSTS | join(' ') }} {{ cfg.HOSTS | shell }}", "a b 'a,b'"),
            ("{% for host in cfg.HOSTS %}<{{ host }}>{% endfor %}", "<a><b>"),
            ("{% if cfg.DEBUG %}x{% else %}y{% endif %}", "y"),
            ("{% if cfg.ABSENT is defined %}x{% endif %}{% if cfg.ABSENT %}x{% endif %}z", "z"),
            ("{{ cfg.ABSENT | default('none') }}", "none"),
            ("{{ cfg.PORT + 1 }} {{ cfg.TEXT | base64 }}", "8081 YSAiYiIK"),
        ] {
            assert_eq!(rendered(template).as_deref(), Ok(expected), "{template}");
        }
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        for (template, line, expected) in [
            ("a\n{{ cfg.PROT }}", Some(2), "there is no key `PROT`; did you mean `cfg.PORT`?"),
            ("{{ env }}", Some(1), "`env` is nothing that a template sees: write `cfg.KEY`"),
            ("{{ cfg }}", Some(1), "`cfg` is nothing that a template sees: write `cfg.KEY`"),
            (
                "\n{{ cfg.ABSENT }}",
                Some(2),
                "`ABSENT` is not set and has no default; `{% if cfg.ABSENT is defined %}` asks first",
            ),
            (
                "{{ cfg.ABSENT | json }}",
                Some(1),
                "`ABSENT` is not set and has no default; `{% if cfg.ABSENT is defined %}` asks first",
            ),
            ("{{ cfg.HOSTS }}", Some(1), LIST),
            ("{{ cfg.TEXT | ini }}", Some(1), "an ini file has no way to write a line break"),
        ] {
            let error = rendered(template).unwrap_err();
            assert_eq!((error.line, error.reason.as_str()), (line, expected), "{template}");
        }
    }

    #[test]
    fn nothing_else_can_be_reached() {
        for template in [
            "{% include 'x' %}",
            "{% import 'x' as y %}",
            "{% extends 'x' %}",
            "{{ range(9) | nonsense }}",
            "{{ cfg.PORT",
            "{{ debug() }}",
        ] {
            assert!(rendered(template).is_err(), "{template}");
        }
        let endless =
            "{% for a in range(10000) %}{% for b in range(10000) %}{{ a }}{% endfor %}{% endfor %}";
        assert!(rendered(endless).is_err());
    }

    #[test]
    fn no_error_holds_a_value() {
        for template in
            ["{{ cfg.TEXT + 1 }}", "{{ cfg.TEXT.x.y }}", "{{ cfg.TEXT | int }}", "{{ cfg.TEXT() }}"]
        {
            let error = rendered(template).unwrap_err().to_string();
            assert!(
                !error.contains("a \"b\"") && !error.contains("a \\\"b"),
                "{template}: {error}"
            );
        }
    }
}
