//! `bake config leak`: whether something is in an artifact that must not be.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use bake_recipes::environment::EnvironmentName;
use clap::Args;
use serde_json::{Value, json};

use super::check::load;
use crate::cli::Exit;
use crate::cli::commands::check::Deny;
use crate::cli::environments::{EnvironmentArgs, UnlockArgs};
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::request::{first_recipe, threads};
use crate::environment::unlock::Unlock;
use crate::leak::{self, Finding, Limits, Needle, Needles, Origin, Report, Scanner, What};
use crate::lint::Severity;

/// Search artifacts for values of environments, and for secrets of any kind.
#[derive(Debug, Args)]
#[command(
    after_help = "Searches every byte: what an artifact holds, its metadata, layers, free space of \
    disks, and what is in archives and compressed files in it. docs/leak.md says what is looked \
    for. What could not be opened is listed.\n\nExit status: 0 nothing was found, 1 something was; \
    warnings alone only with `--deny warnings`."
)]
pub(super) struct Leak {
    /// The artifacts, or any files and folders
    #[arg(required = true, value_name = "ARTIFACT")]
    artifacts: Vec<PathBuf>,
    /// An environment whose values must not be in there; may be given several times
    #[arg(long = "env", value_name = "ENV")]
    named: Vec<EnvironmentName>,
    #[command(flatten)]
    unlock: UnlockArgs,
    /// Fail if there are findings of this level or above
    #[arg(long, value_name = "LEVEL", default_value = "errors")]
    deny: Deny,
    /// Use this many threads [default: one for each core]
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

impl Leak {
    pub(super) fn run(
        &self,
        environments: &EnvironmentArgs,
        printer: &Printer,
    ) -> Result<Exit, Failure> {
        let scanner = Scanner::new(Needles::new(self.needles(environments)?));
        unscannable(printer, &scanner)?;
        let least = self.deny.least();
        let mut clean = true;
        for path in &self.artifacts {
            match leak::scan(path, &scanner, Limits::default(), threads(self.jobs)) {
                Ok(report) => {
                    print(printer, path, &report)?;
                    clean &= report.findings.iter().all(|one| one.what.severity() < least);
                }
                // One artifact that cannot be read says nothing of the others.
                Err(error) => {
                    printer.failure(&error.into());
                    clean = false;
                }
            }
        }
        Ok(if clean { Exit::Done } else { Exit::No })
    }

    /// Returns the values that must not be in any of the artifacts: everything that the environments set.
    fn needles(&self, environments: &EnvironmentArgs) -> Result<Vec<Needle>, Failure> {
        if self.named.is_empty() {
            return Ok(Vec::new());
        }
        let loaded = load(&self.named, environments)?;
        let settings = loaded.iter().flat_map(|environment| environment.settings.values());
        let identities = self.unlock.identities_for(settings)?;
        let schema = if environments.has_recipe() {
            Some(first_recipe(&environments.file)?.config.schema)
        } else {
            None
        };
        let mut needles = Vec::new();
        for environment in &loaded {
            let unlock = Unlock::new(environment, &identities, self.unlock.commands());
            let given = unlock.all()?;
            needles.extend(leak::needles(environment.name.as_str(), &given, schema.as_ref()));
        }
        Ok(needles)
    }
}

/// Lists what is not looked for.
fn unscannable(printer: &Printer, scanner: &Scanner) -> Result<(), Failure> {
    for value in scanner.unscannable() {
        if printer.is_json() {
            printer.event("unscannable", value)?;
        } else {
            let leak::Unscannable { key, environment, reason } = value;
            printer.note(format_args!("not looked for: {key} of {environment}: {reason}"));
        }
    }
    Ok(())
}

fn print(printer: &Printer, path: &Path, report: &Report) -> Result<(), Failure> {
    let Report { findings, unopened, bytes, streams } = report;
    if printer.is_json() {
        for finding in findings {
            printer.event("leak", &event(path, finding))?;
        }
        for leak::Unopened { place, reason } in unopened {
            let data = json!({ "artifact": path, "place": place, "reason": reason });
            printer.event("unopened", &data)?;
        }
        let count =
            |severity| findings.iter().filter(|one| one.what.severity() == severity).count();
        let data = json!({
            "artifact": path,
            "errors": count(Severity::Error),
            "warnings": count(Severity::Warning),
            "unopened": unopened.len(),
            "bytes": bytes,
            "streams": streams,
        });
        return Ok(printer.event("scanned", &data)?);
    }
    for finding in findings {
        printer.line(text(finding))?;
    }
    for leak::Unopened { place, reason } in unopened {
        printer.note(format_args!("not opened: {}: {reason}", place.join(": ")));
    }
    let found = match findings.len() {
        0 => "nothing found".to_owned(),
        1 => "1 finding".to_owned(),
        count => format!("{count} findings"),
    };
    let rest = match unopened.len() {
        0 => String::new(),
        count => format!("; {count} not opened"),
    };
    let place = path.display();
    printer.line(format_args!("{place}: {found} in {bytes} bytes of {streams} streams{rest}"))?;
    Ok(())
}

/// Returns a finding as text: what, where, and what to do.
fn text(finding: &Finding) -> String {
    let Finding { what, place, offset, unpacked, count, remark } = finding;
    let (about, hint) = match what {
        What::Value { origins, encoding } => {
            let origins: Vec<_> = origins.iter().map(origin).collect();
            let about = format!("the value of {}, {encoding}", origins.join(" and "));
            (
                about,
                "keep configuration out of the build: an artifact is the same for every environment",
            )
        }
        What::Secret { rule, .. } => (rule.about.to_owned(), rule.hint),
        What::Name(rule) => {
            let hint =
                "leave it out of the payload; an environment's configuration is given to what runs";
            (rule.about.to_owned(), hint)
        }
    };
    let word = what.severity().word();
    let unpacked = if *unpacked { " after decompression" } else { "" };
    let offset = offset.map(|at| format!(" at offset {at}{unpacked}")).unwrap_or_default();
    let times = if *count > 1 { format!(", {count} times") } else { String::new() };
    let remark = remark.as_ref().map(|text| format!(" ({text})")).unwrap_or_default();
    let (place, rule) = (place.join(": "), what.rule());
    format!("{word}: {about} [{rule}]\n  --> {place}{remark}{offset}{times}\n  hint: {hint}")
}

fn origin(origin: &Origin) -> String {
    format!("{} of {}", origin.key, origin.environments.join(", "))
}

fn event(path: &Path, finding: &Finding) -> Value {
    let Finding { what, place, offset, unpacked, count, remark } = finding;
    let (origins, encoding) = match what {
        What::Value { origins, encoding } => (json!(origins), json!(encoding)),
        What::Secret { .. } | What::Name(_) => (json!([]), Value::Null),
    };
    json!({
        "artifact": path,
        "severity": what.severity(),
        "rule": what.rule(),
        "values": origins,
        "encoding": encoding,
        "place": place,
        "offset": offset,
        "unpacked": unpacked,
        "count": count,
        "remark": remark,
    })
}
