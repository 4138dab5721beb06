//! `bake repo`: package repositories that any web server can serve.

use std::collections::BTreeSet;
use std::path::PathBuf;

use bake_formats::encode::Codec;
use bake_formats::format::Epoch;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::request::{epoch, threads};
use crate::cli::signing::SignArgs;
use crate::error::Error;
use crate::plan::FIXED_EPOCH;
use crate::repository::apt::{AptRequest, SettingsChange};
use crate::repository::dnf::{self, DnfRequest};
use crate::repository::{self, Changed, Changes, Request, Selector};
use crate::sign::Signer;

/// Make and update package repositories: folders that any web server can serve.
#[derive(Debug, Args)]
#[command(after_help = "Indices are signed, and appear in one step: readers see the old or the \
    new state, never half of one. Only packages that are new are read.\n\nExamples:\n  \
    bake repo apt site/apt dist/*.deb --key signing.asc --suite stable\n  \
    bake repo dnf site/el9 dist/*.rpm --key signing.asc\n  \
    bake repo apt site/apt --remove hello=1.0 --keep 3 --key signing.asc\n  \
    bake repo check site/apt")]
pub(in crate::cli) struct Repo {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Add packages to a repository for apt, or remove some
    Apt(Box<Apt>),
    /// Add packages to a repository for dnf, yum and zypper, or remove some
    Dnf(Box<Dnf>),
    /// Check that a repository's files are those that its indices say
    Check(Check),
}

/// What every update takes.
#[derive(Debug, Args)]
struct Update {
    /// The repository's folder; made if it is not there
    dir: PathBuf,
    /// The packages to add; a folder stands for all packages in it
    artifacts: Vec<PathBuf>,
    /// Remove packages first: NAME[=VERSION][:ARCH]; may be given several times
    #[arg(long, value_name = "PACKAGE")]
    remove: Vec<Selector>,
    /// Keep so many versions of each package, the newest ones [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    keep: Option<u32>,
    /// Only say what would change
    #[arg(long)]
    dry_run: bool,
    /// Leave the repository unsigned
    #[arg(long, conflicts_with_all = ["sign_key", "sign_command"])]
    unsigned: bool,
    #[command(flatten)]
    sign: SignArgs,
}

#[derive(Debug, Args)]
struct Apt {
    /// The suite to update
    #[arg(long, value_name = "NAME", default_value = "stable")]
    suite: String,
    /// The component to add the packages to
    #[arg(long, value_name = "NAME", default_value = "main")]
    component: String,
    // Behind the others: its last heading would be theirs, too.
    #[command(flatten)]
    update: Update,
    #[command(flatten)]
    settings: AptSettings,
}

/// What a suite says of itself. The repository remembers it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings, remembered by the suite")]
struct AptSettings {
    /// Who publishes it, by which users pin it (Origin)
    #[arg(long, value_name = "TEXT")]
    origin: Option<String>,
    /// What it is called (Label)
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// Its other name (Codename) [default: the suite's]
    #[arg(long, value_name = "NAME")]
    codename: Option<String>,
    /// The version of the release that it is (Version)
    #[arg(long, value_name = "TEXT")]
    suite_version: Option<String>,
    /// A line about it (Description)
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Distrust it so many days after its Date, 0 for never (Valid-Until); needs
    /// SOURCE_DATE_EPOCH, and an update before it ends
    #[arg(long, value_name = "DAYS")]
    valid_days: Option<u32>,
    /// Install nothing from it unless asked for (NotAutomatic)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    not_automatic: Option<bool>,
    /// But upgrade what was installed from it (ButAutomaticUpgrades)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    but_automatic_upgrades: Option<bool>,
    /// Have an index for these architectures even if there is no package for them
    #[arg(long, value_name = "ARCHS", value_delimiter = ',')]
    architectures: Option<Vec<String>>,
    /// Keep the indices of so many updates for readers that are about to fetch them [default: 3]
    #[arg(long, value_name = "N")]
    generations: Option<usize>,
    /// Where it is served, for the text that users are given
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

impl From<&AptSettings> for SettingsChange {
    fn from(given: &AptSettings) -> Self {
        Self {
            origin: given.origin.clone(),
            label: given.label.clone(),
            codename: given.codename.clone(),
            version: given.suite_version.clone(),
            description: given.description.clone(),
            valid_days: given.valid_days,
            not_automatic: given.not_automatic,
            but_automatic_upgrades: given.but_automatic_upgrades,
            architectures: given.architectures.as_ref().map(|names| {
                names.iter().filter(|name| !name.is_empty()).cloned().collect::<BTreeSet<_>>()
            }),
            url: given.url.clone(),
            generations: given.generations,
        }
    }
}

#[derive(Debug, Args)]
struct Dnf {
    /// Publish these advisories, an updateinfo.xml; without, those before stay
    #[arg(long, value_name = "FILE")]
    updateinfo: Option<PathBuf>,
    #[command(flatten)]
    update: Update,
    /// How indices are compressed; zstd is smaller, but needs dnf of EL 9 or newer
    #[arg(long, value_name = "CODEC", help_heading = REMEMBERED)]
    compression: Option<IndexCodec>,
    /// What users call it: the identifier in their configuration
    #[arg(long, value_name = "NAME", help_heading = REMEMBERED)]
    name: Option<String>,
    /// Where it is served, for the text that users are given
    #[arg(long, value_name = "URL", help_heading = REMEMBERED)]
    url: Option<String>,
    /// Keep the indices of so many updates for readers that are about to fetch them [default: 3]
    #[arg(long, value_name = "N", help_heading = REMEMBERED)]
    generations: Option<usize>,
}

const REMEMBERED: &str = "Settings, remembered by the repository";

/// How indices are compressed.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum IndexCodec {
    /// Every reader knows it
    Gzip,
    /// Smaller and faster to read
    Zstd,
}

#[derive(Debug, Args)]
struct Check {
    /// The repository's folder
    dir: PathBuf,
}

impl Repo {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        match &self.verb {
            Verb::Apt(apt) => apt.update.run(printer, |common| {
                let settings = SettingsChange::from(&apt.settings);
                if settings.valid_days.is_some_and(|days| days > 0) && common.epoch.is_none() {
                    return Err(Error::Repository {
                        place: "--valid-days".into(),
                        reason: "the days count from the time of the update, which is not given"
                            .into(),
                        hint: Some("set SOURCE_DATE_EPOCH, e.g. to $(date +%s)"),
                    });
                }
                let (suite, component) = (apt.suite.as_str(), apt.component.as_str());
                repository::apt::update(&AptRequest { common, suite, component, settings })
            }),
            Verb::Dnf(dnf) => dnf.update.run(printer, |common| {
                let settings = dnf::SettingsChange {
                    compression: dnf.compression.map(|codec| match codec {
                        IndexCodec::Gzip => Codec::Gzip,
                        IndexCodec::Zstd => Codec::Zstd,
                    }),
                    name: dnf.name.clone(),
                    url: dnf.url.clone(),
                    generations: dnf.generations,
                };
                let updateinfo = dnf.updateinfo.as_deref();
                repository::dnf::update(&DnfRequest { common, updateinfo, settings })
            }),
            Verb::Check(check) => check.run(printer),
        }
    }
}

impl Update {
    fn run(
        &self,
        printer: &Printer,
        act: impl FnOnce(Request<'_>) -> Result<Changes, Error>,
    ) -> Result<Exit, Failure> {
        let epoch = epoch()?;
        let signer = self.signer(epoch)?;
        let changes = act(Request {
            root: &self.dir,
            artifacts: &self.artifacts,
            remove: &self.remove,
            keep: self.keep.and_then(|keep| usize::try_from(keep).ok()),
            epoch,
            signer: signer.as_deref(),
            dry_run: self.dry_run,
            threads: threads(None),
        })?;
        print(&changes, self.dry_run, printer)?;
        Ok(Exit::Done)
    }

    /// Nobody signs only if the user says so.
    fn signer(&self, epoch: Option<Epoch>) -> Result<Option<Box<dyn Signer>>, Failure> {
        let signer = self.sign.signer(epoch.unwrap_or(FIXED_EPOCH))?;
        if signer.is_some() || self.unsigned || self.dry_run {
            return Ok(signer);
        }
        Err(Error::Repository {
            place: "repository".into(),
            reason: "nobody signs it".into(),
            hint: Some("give a key with --key FILE, or say --unsigned"),
        }
        .into())
    }
}

fn print(changes: &Changes, dry_run: bool, printer: &Printer) -> Result<(), Failure> {
    if printer.is_json() {
        printer.event("repository", changes)?;
        return Ok(());
    }
    let lists = [
        ("+", &changes.added, ""),
        ("-", &changes.removed, ""),
        ("=", &changes.present, ""),
        ("!", &changes.outdated, " (older than those that are kept)"),
    ];
    for (sign, list, note) in lists {
        for Changed { name, version, architecture, path, .. } in list {
            printer.line(format_args!("{sign} {name} {version} {architecture} {path}{note}"))?;
        }
    }
    let verb = match (dry_run, changes.published) {
        (true, true) => "would publish",
        (true, false) => "would change nothing;",
        (false, true) => "published",
        (false, false) => "nothing changed;",
    };
    let noun = if changes.packages == 1 { "package" } else { "packages" };
    printer.line(format_args!("{verb} {} {noun}", changes.packages))?;
    printer.note(format_args!("\n{}", changes.client.trim_end()));
    Ok(())
}

impl Check {
    fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        let problems = repository::check(&self.dir)?;
        if printer.is_json() {
            printer.event("checked", &json!({ "path": self.dir, "problems": problems }))?;
        } else {
            for problem in &problems {
                printer.line(problem)?;
            }
            let verdict = if problems.is_empty() { "ok" } else { "broken" };
            printer.line(format_args!("{verdict} {}", self.dir.display()))?;
        }
        Ok(if problems.is_empty() { Exit::Done } else { Exit::No })
    }
}
