use std::path::Path;

use bake_config::kind::{Pattern, Range};
use bake_config::schema::{Key, Presence, Secrecy, Variance};
use bake_config::{Kind, Name, Schema, Value};
use bake_recipes::environment::load;

use super::*;
use crate::environment::identities::Identities;
use crate::environment::unlock::Commands;

fn schema() -> Schema {
    let mut schema = Schema::empty("app");
    let text = || Key::new(Kind::String(Pattern::default()));
    let port = Key::new(Kind::Port(Range::default()));
    for (name, key) in [
        ("URL", Key { presence: Presence::Required, ..text() }),
        ("PORT", Key { default: Some(Value::Text("80".into())), ..port }),
        ("PASSWORD", Key { secrecy: Secrecy::Secret, ..text() }),
        ("FIXED", Key { variance: Variance::Same, ..text() }),
        ("SPARE", text()),
    ] {
        schema.keys.insert(Name::parse(name).unwrap(), key);
    }
    schema
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs_err::write(folder.path().join(format!("{name}.toml")), text).unwrap();
    }
    folder
}

fn joined(
    schema: &Schema,
    folder: &Path,
    name: &str,
    sealed: Sealed,
) -> Result<Joined, bake_recipes::RecipeErrors> {
    let environment = load(folder, &name.parse().unwrap()).unwrap();
    let identities = Identities::none();
    join(
        schema,
        environment,
        Access { identities: &identities, commands: Commands::Refused, sealed },
    )
}

fn told(findings: &[crate::lint::Finding]) -> Vec<String> {
    let line =
        |finding: &crate::lint::Finding| finding.place.as_ref().map_or(0, |place| place.line);
    findings.iter().map(|finding| format!("{} {}", finding.rule, line(finding))).collect()
}

#[test]
fn every_fault_has_its_line() {
    let folder = folder(&[
        ("base", "[values]\nPROT = 1\n"),
        (
            "test",
            "extends = [\"base\"]\n[values]\nPORT = \"s3cret\"\nPASSWORD = \"s3cret\"\nFIXED = \"x\"\n",
        ),
    ]);
    let joined = joined(&schema(), folder.path(), "test", Sealed::Refused).unwrap();
    assert!(joined.is_refused());
    assert_eq!(
        told(&joined.findings),
        ["plain-secret 4", "wrong-type 3", "unknown-key 2", "missing-key 0", "needless-variance 5"]
    );
    let shown: Vec<_> =
        joined.findings.iter().map(|finding| finding.render(bake_recipes::Look::Plain)).collect();
    assert!(!shown.concat().contains("s3cret"), "{shown:?}");
    assert!(
        shown[2].contains("base.toml:2:") && shown[2].contains("did you mean `PORT`?"),
        "{}",
        shown[2]
    );
    assert!(shown[3].contains("`test`: `URL` is required and not set"), "{}", shown[3]);
}

#[test]
fn secrets_out_of_reach_are_present_or_an_error() {
    let text = "[values]\nURL = \"u\"\n[secrets]\nPASSWORD = { command = [\"pass\", \"x\"] }\n";
    let folder = folder(&[("test", text)]);
    let found = joined(&schema(), folder.path(), "test", Sealed::Present).unwrap();
    assert_eq!(found.sealed.iter().map(Name::as_str).collect::<Vec<_>>(), ["PASSWORD"]);
    assert!(!found.is_refused());
    let errors = joined(&schema(), folder.path(), "test", Sealed::Refused).unwrap_err().to_string();
    assert!(
        errors.contains("PASSWORD") && errors.contains("no program is run unasked"),
        "{errors}"
    );
}

#[test]
fn together_environments_show_what_does_not_vary() {
    let folder = folder(&[
        (
            "prod",
            "[values]\nURL = \"same\"\nPORT = 443\n[secrets]\nPASSWORD = { ref = \"vault:prod\" }\n",
        ),
        ("test", "[values]\nURL = \"same\"\n[secrets]\nPASSWORD = { ref = \"vault:test\" }\n"),
    ]);
    let mut schema = schema();
    schema.max_varying = Some(1);
    let all: Vec<_> = ["prod", "test"]
        .map(|name| joined(&schema, folder.path(), name, Sealed::Present).unwrap())
        .into();
    let findings = survey(&schema, &all);
    assert_eq!(told(&findings), ["never-varies 2", "never-set 0", "too-many-vary 0"]);
    assert_eq!(findings[1].message, "no environment sets `SPARE`");
    assert_eq!(findings[2].message, "2 keys differ between environments, `max-varying` allows 1");
    assert_eq!(survey(&schema, &all[..1]), []);
}

#[test]
fn two_environments_are_compared_without_showing_secrets() {
    let folder = folder(&[
        (
            "prod",
            "[values]\nURL = \"p\"\n[secrets]\nPASSWORD = { command = [\"pass\"] }\nSPARE = { ref = \"vault:a\" }\n",
        ),
        (
            "test",
            "[values]\nURL = \"t\"\nPORT = 80\n[secrets]\nPASSWORD = { command = [\"pass\"] }\n",
        ),
    ]);
    let both = ["prod", "test"]
        .map(|name| joined(&schema(), folder.path(), name, Sealed::Present).unwrap());
    let differences = compare(&schema(), &both[0], &both[1]);
    let told: Vec<_> = differences
        .iter()
        .map(|found| format!("{} {} {} {}", found.key, found.sign.word(), found.left, found.right))
        .collect();
    assert_eq!(
        told,
        [
            "FIXED same (not set) (not set)",
            "PASSWORD unknown (sealed) (sealed)",
            "PORT same 80 80",
            "SPARE differs (at vault:a) (not set)",
            "URL differs p t",
        ]
    );
}
