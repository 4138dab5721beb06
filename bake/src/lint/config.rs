//! Rules for what differs between environments.

use bake_config::Kind;
use bake_config::schema::Secrecy;

use super::finding::Severity::{Error, Warning};
use super::images::is_secret;
use super::rule::{Check, Report, Rule};
use super::subject::Subject;

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "config-open-secret",
        severity: Warning,
        lintian: &[],
        rpmlint: &[],
        about: "a key that is named like a secret and not marked as one",
        check: Check::Package(open_secret),
    },
    Rule {
        id: "config-baked-variable",
        severity: Error,
        lintian: &[],
        rpmlint: &[],
        about: "a variable of a key that the unit or the image sets for all environments",
        check: Check::Package(baked_variable),
    },
];

fn open_secret(cx: &Subject<'_>, report: &mut Report<'_>) {
    let config = &cx.recipe.config;
    for (name, key) in &config.schema.keys {
        let may_be = matches!(key.kind, Kind::String(_) | Kind::List(_) | Kind::Pem | Kind::Json);
        if key.secrecy == Secrecy::Open && may_be && is_secret(name.as_str()) {
            report.advise(
                config.places.get(name).cloned(),
                format!("`{name}` is named like a secret, and anybody may read its values"),
                "add `secret = true`",
            );
        }
    }
}

fn baked_variable(cx: &Subject<'_>, report: &mut Report<'_>) {
    let schema = &cx.recipe.config.schema;
    let service = cx.recipe.service.iter().flat_map(|service| &service.environment);
    let image =
        cx.recipe.oci.iter().flat_map(|oci| oci.env.iter().map(|(name, value)| (name, value)));
    for (variable, value) in service.chain(image) {
        let Some(key) = schema.keys.keys().find(|key| schema.variable(key) == *variable) else {
            continue;
        };
        let lists = ["oci.env", "oci.env.append", "oci.env.replace"];
        let unit = format!("service.environment.{variable}");
        let place = if cx.places.has(&unit) {
            cx.places.key(&unit)
        } else {
            cx.places.relation(&lists, &format!("{variable}={value}"))
        };
        report.advise(
            place,
            format!("`{variable}` is the variable of `{key}`, and the recipe sets it for all environments"),
            "leave it out: what is the same everywhere is the key's default",
        );
    }
}
