//! Whether the values are right, in words for somebody who has been woken up by it.

use std::collections::{BTreeMap, BTreeSet};

use bake_config::settings::{FaultKind, Severity};
use bake_config::{Fault, Given, Name, RenderedFile, Schema, Settings, render};

use crate::failure::{Failure, Problem, Status};
use crate::source::{Collected, Found, Place, Sources, Variables};

/// The shortest name of which one may say that it resembles another.
const MIN_RESEMBLING: usize = 6;

/// What is right, and nothing of it is wrong.
#[derive(Debug)]
pub struct Judged {
    /// The values.
    pub settings: Settings,
    /// Where those were found that are no defaults.
    pub places: BTreeMap<Name, Place>,
    /// The rendered files.
    pub files: Vec<RenderedFile>,
}

/// What there is to say, whether or not anything is wrong.
#[derive(Debug)]
pub struct Judgement {
    /// What is worth a look.
    pub warnings: Vec<Problem>,
    /// The values and files, or everything that is wrong.
    pub result: Result<Judged, Failure>,
}

/// Looks for the values of all keys, checks them and renders the files.
pub fn judge(sources: &Sources<'_>) -> Judgement {
    let Collected { values, problems } = sources.collect();
    let strangers = strangers(sources);
    let given = values.iter().map(|(name, found)| {
        let is_secret = sources.schema.is_secret(name);
        let text = || Given::Text(found.value.expose().to_owned());
        (name.as_str(), if is_secret { Given::Secret(found.value.clone()) } else { text() })
    });
    // With nothing in them: they are here to be compared with what was meant.
    let unknown = strangers.iter().map(|name| (*name, Given::Text(String::new())));
    let settled = sources.schema.settle(given.chain(unknown));

    let (mut warnings, mut errors) = (Vec::new(), problems);
    for fault in &settled.faults {
        let Some(problem) = explain(fault, sources, &values) else { continue };
        match (&fault.kind, Name::parse(&fault.key)) {
            (FaultKind::Unknown { .. }, _) | (_, None) => warnings.push(problem),
            // It is not missing: it cannot be read.
            (FaultKind::Missing { .. }, Some(name)) if errors.contains_key(&name) => {}
            (kind, Some(name)) if kind.severity() == Severity::Error => {
                errors.insert(name, problem);
            }
            _ => warnings.push(problem),
        }
    }
    let rendered = if errors.is_empty() {
        render(sources.schema, &settled.settings).map_err(|errors| {
            errors
                .iter()
                .map(|error| Problem::new(format!("{}: {}", error.path, error.reason)))
                .collect()
        })
    } else {
        Err(errors.into_values().collect())
    };
    let places = values.into_iter().map(|(name, found)| (name, found.place)).collect();
    let result = rendered
        .map(|files| Judged { settings: settled.settings, places, files })
        .map_err(|problems| refusal(sources.schema, problems));
    Judgement { warnings, result }
}

/// Returns the failure of a configuration that is wrong.
pub fn refusal(schema: &Schema, mut problems: Vec<Problem>) -> Failure {
    let count = problems.len();
    let errors = if count == 1 { "error" } else { "errors" };
    problems.push(Problem::new(format!(
        "{count} {errors} in the configuration of {}: nothing was written, nothing is started",
        schema.service.name.escape_debug()
    )));
    Failure { status: Status::Configuration, problems }
}

/// Returns the variables that begin with the prefix and stand for no key, without the prefix.
fn strangers<'a>(sources: &Sources<'a>) -> Vec<&'a str> {
    let prefix = sources.schema.prefix.as_str();
    if prefix.is_empty() {
        return Vec::new();
    }
    let known = known(sources.schema);
    let names = sources.environment.names().filter(|name| !known.contains(*name));
    names.filter_map(|name| name.strip_prefix(prefix)).collect()
}

/// Returns all variables that stand for keys.
fn known(schema: &Schema) -> BTreeSet<String> {
    let of = |(name, key)| {
        let Variables { value, paths } = Variables::of(schema, name, key);
        value.into_iter().chain(paths)
    };
    schema.keys.iter().flat_map(of).collect()
}

/// Says what a fault is; `None` of what is a matter of environments' files and not of one start.
fn explain(
    fault: &Fault,
    sources: &Sources<'_>,
    values: &BTreeMap<Name, Found>,
) -> Option<Problem> {
    let key = &fault.key;
    let name = Name::parse(key);
    match &fault.kind {
        FaultKind::Missing { description, expected } => {
            let name = name?;
            let mut problem = Problem::new(format!("{key} is required and not set: {expected}"));
            if let Some(description) = description {
                problem = problem.detail(description);
            }
            let described = sources.described(&name, sources.schema.keys.get(&name)?);
            problem = problem.detail(format!("looked for: {described}"));
            Some(match resembling(&name, sources) {
                Some(other) => {
                    let meant = sources.schema.variable(&name);
                    problem.detail(format!("{other} is set: was {meant} meant?"))
                }
                None => problem,
            })
        }
        FaultKind::Value { expected } => {
            let found = values.get(&name?)?;
            let problem = Problem::new(format!("{key}: {expected}"))
                .detail(format!("it is from {}", found.place));
            Some(match hint(found.value.expose()) {
                Some(hint) => problem.detail(hint),
                None => problem,
            })
        }
        FaultKind::Unknown { nearest, .. } => {
            let variable = format!("{}{}", sources.schema.prefix, key.escape_debug());
            let problem = Problem::new(format!("{variable} stands for no key"));
            Some(match nearest {
                Some(nearest) => {
                    problem.detail(format!("did you mean {}?", sources.schema.variable(nearest)))
                }
                None => problem,
            })
        }
        FaultKind::Deprecated(deprecation) => {
            let since = deprecation.since.as_ref().map(|since| format!(" since {since}"));
            let problem = Problem::new(format!("{key} is deprecated{}", since.unwrap_or_default()));
            Some(match &deprecation.instead {
                Some(instead) => problem.detail(format!("use {instead}")),
                None => problem,
            })
        }
        // What is said of environments' files, where secrets and other values stand apart.
        FaultKind::NotSecret | FaultKind::RepeatsDefault | FaultKind::Varies => None,
    }
}

/// Says what of a value is wrong at a glance and gives nothing away.
fn hint(value: &str) -> Option<&'static str> {
    if value.is_empty() {
        Some("it is empty")
    } else if value.trim() != value {
        Some("it begins or ends with white space")
    } else if value.starts_with("tcp://") {
        Some(
            "Kubernetes sets such variables for its services: `enableServiceLinks: false` of the pod leaves them out",
        )
    } else {
        None
    }
}

/// Returns a variable that was probably meant for a key that is not set.
fn resembling(name: &Name, sources: &Sources<'_>) -> Option<String> {
    let Sources { schema, environment, .. } = sources;
    if !schema.prefix.is_empty() && environment.get(name.as_str()).is_some() {
        return Some(name.to_string());
    }
    let known = known(schema);
    let names = environment
        .names()
        .filter(|other| other.len() >= MIN_RESEMBLING && !known.contains(*other));
    let candidates: Vec<_> = names.filter_map(|other| other.strip_prefix(&schema.prefix)).collect();
    let settled =
        schema.settle(candidates.into_iter().map(|other| (other, Given::Text(String::new()))));
    let is_meant = |fault: &&Fault| matches!(&fault.kind, FaultKind::Unknown { nearest: Some(nearest), .. } if nearest == name);
    settled.faults.iter().find(is_meant).map(|fault| format!("{}{}", schema.prefix, fault.key))
}

/// Returns the text of a problem that is only worth a look.
pub fn warning(problem: &Problem) -> String {
    format!("warning: {problem}")
}

/// Returns what an environment without folders gives; for tests of what is handed on.
#[cfg(test)]
pub(crate) fn judged(schema: &Schema, environment: &crate::environment::Environment) -> Judged {
    let sources = Sources { schema, environment, folders: Vec::new() };
    judge(&sources).result.unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bake_config::kind::{Kind, Pattern, Range, Schemes};
    use bake_config::schema::{
        Delivery, Deprecation, File, Format, Key, Presence, Reload, Secrecy, Variance,
    };
    use bake_config::{Setting, Value};

    fn schema() -> Schema {
        let mut schema = Schema::empty("orders");
        let text = || Key::new(Kind::String(Pattern::default()));
        let mut put = |name: &str, key| schema.keys.insert(Name::parse(name).unwrap(), key);
        put(
            "DATABASE_URL",
            Key {
                presence: Presence::Required,
                description: Some("where orders are".into()),
                ..Key::new(Kind::Url(Schemes { schemes: vec!["postgres".into()] }))
            },
        );
        put(
            "PORT",
            Key {
                default: Some(Value::Text("80".into())),
                ..Key::new(Kind::Port(Range::default()))
            },
        );
        put(
            "TOKEN",
            Key {
                secrecy: Secrecy::Secret,
                presence: Presence::Required,
                delivery: Delivery::File {
                    name: "token".into(),
                    path_variable: Name::parse("TOKEN_FILE"),
                },
                ..Key::new(Kind::Pem)
            },
        );
        let instead = Name::parse("PORT");
        put(
            "OLD",
            Key { deprecated: Some(Deprecation { instead, since: Some("2.0".into()) }), ..text() },
        );
        put("SAME", Key { variance: Variance::Same, ..text() });
        schema
    }

    fn told(
        schema: &Schema,
        variables: &[(&str, &str)],
    ) -> (Vec<String>, Result<Judged, Vec<String>>) {
        let environment = variables.iter().copied().collect();
        let folders = vec!["/nowhere/secrets".into()];
        let judgement = judge(&Sources { schema, environment: &environment, folders });
        let result = judgement.result.map_err(|failure| {
            assert_eq!(failure.status, Status::Configuration);
            failure.problems.iter().map(ToString::to_string).collect()
        });
        (judgement.warnings.iter().map(ToString::to_string).collect(), result)
    }

    const PEM: &str = "-----BEGIN X-----\n-----END X-----\n";

    #[test]
    fn everything_that_is_wrong_is_told_at_once_and_no_value() {
        let variables = [
            ("DATABSE_URL", "s3cret"),
            ("PORT", " s3cret"),
            ("TOKEN", "s3cret"),
            ("TOKEN_FILE", "s3cret"),
            ("OLD", "s3cret"),
            ("SAME", "s3cret"),
            ("PATH", "/bin"),
        ];
        let (warnings, result) = told(&schema(), &variables);
        assert_eq!(warnings, ["OLD is deprecated since 2.0\n    use PORT"]);
        assert_eq!(
            result.unwrap_err(),
            [
                "DATABASE_URL is required and not set: expected an absolute URL with postgres\n    where orders are\n    \
                 looked for: the variable DATABASE_URL; a file that DATABASE_URL_FILE names\n    DATABSE_URL is set: was \
                 DATABASE_URL meant?",
                "PORT: expected a port from 1 to 65535\n    it is from the variable PORT\n    it begins or ends with white \
                 space",
                "TOKEN: TOKEN and TOKEN_FILE are both set\n    set the one that holds the value, or the one that names a \
                 file with it",
                "3 errors in the configuration of orders: nothing was written, nothing is started",
            ]
        );
    }

    #[test]
    fn what_kubernetes_sets_for_a_service_is_known() {
        let variables =
            [("DATABASE_URL", "postgres://x"), ("TOKEN", PEM), ("PORT", "tcp://10.0.0.1:80")];
        let (_, result) = told(&schema(), &variables);
        assert_eq!(
            result.unwrap_err()[0],
            "PORT: expected a port from 1 to 65535\n    it is from the variable PORT\n    Kubernetes sets such variables \
             for its services: `enableServiceLinks: false` of the pod leaves them out"
        );
    }

    #[test]
    fn what_is_missing_is_told_with_all_places() {
        let (_, result) = told(&schema(), &[("DATABASE_URL", "postgres://x")]);
        assert_eq!(
            result.unwrap_err()[0],
            "TOKEN is required and not set: expected PEM text\n    looked for: the variable TOKEN; a file that TOKEN_FILE \
             names; a file token in /nowhere/secrets"
        );
    }

    #[test]
    fn with_a_prefix_names_that_nearly_fit_are_told() {
        let mut schema = schema();
        schema.prefix = "APP_".into();
        let variables = [
            ("APP_PROT", "1"),
            ("APP_NONSENSE_AT_ALL", "1"),
            ("APP_PORT_FILE", "/dev/null"),
            ("APP_TOKEN", PEM),
            ("DATABASE_URL", "postgres://x"),
        ];
        let (warnings, result) = told(&schema, &variables);
        assert_eq!(
            warnings,
            [
                "APP_NONSENSE_AT_ALL stands for no key",
                "APP_PROT stands for no key\n    did you mean APP_PORT?"
            ]
        );
        let errors = result.unwrap_err();
        assert_eq!(
            errors[..2],
            [
                "DATABASE_URL is required and not set: expected an absolute URL with postgres\n    where orders are\n    \
                 looked for: the variable APP_DATABASE_URL; a file that APP_DATABASE_URL_FILE names\n    DATABASE_URL is \
                 set: was APP_DATABASE_URL meant?",
                "PORT: cannot read the file that APP_PORT_FILE names: expected a file, found a device",
            ]
        );
    }

    #[test]
    fn what_is_right_is_settled_and_rendered() {
        let mut schema = schema();
        schema.files.push(File {
            path: "/etc/orders/app.yaml".into(),
            mode: 0o640,
            format: Some(Format::Yaml),
            reload: Reload::Restart,
            template: "port: {{ cfg.PORT }}\n".into(),
        });
        // An empty text is a value, and what is not set is not there.
        let variables =
            [("DATABASE_URL", "postgres://x"), ("TOKEN", PEM), ("SAME", ""), ("PORT", "80")];
        let (warnings, result) = told(&schema, &variables);
        assert_eq!(warnings, [""; 0]);
        let judged = result.unwrap();
        assert_eq!(&*judged.files[0].text, "port: 80\n");
        let names: Vec<_> = judged.settings.values.keys().map(Name::as_str).collect();
        assert_eq!(names, ["DATABASE_URL", "PORT", "SAME", "TOKEN"]);
        let same = judged.settings.get(&Name::parse("SAME").unwrap());
        assert_eq!(same, Some(&Setting::Plain(Value::Text(String::new()))));
        assert!(!format!("{judged:?}").contains("BEGIN"));

        schema.files[0].template = "port: [{{ cfg.PORT }}\nold: {{ cfg.OLD }}".into();
        let (_, result) = told(&schema, &variables);
        assert_eq!(
            result.unwrap_err()[0],
            "/etc/orders/app.yaml: line 2 of the template: `OLD` is not set and has no default; `{% if cfg.OLD is defined \
             %}` asks first"
        );
    }
}
