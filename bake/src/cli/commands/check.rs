//! `bake check`: the recipe, without building.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use bake_formats::digest::Digest;
use bake_formats::tree::{Content, FileTree};
use bake_recipes::resolved::{Output, Recipe};
use bake_recipes::{Look, written};
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::assemble::{FoundFile, Listings, Scan};
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::request::{Resolved, threads};
use crate::cli::{Exit, RecipeArgs};
use crate::error::Error;
use crate::failures::Failures;
use crate::lint::{self, Finding, Severity, Subject};
use crate::lower::{Given, Texts};
use crate::plan::{self, Loaded, PlatformPlan, Request};
use crate::unchanged::Told;
use crate::{assemble, lower, needs};

/// Check a recipe without building.
#[derive(Debug, Args)]
#[command(
    after_help = "Checks every key and value, that the files it names are there, and the rules \
    that lintian, rpmlint and people have for packages; docs/lint.md lists them. Reads the \
    beginnings of files, needs no store and writes nothing.\n\nExit status 1 if there is an error, \
    or what --deny names.\n\nExamples:\n  bake check\n  bake check --deny warnings --allow \
    no-changelog,file-in-opt\n  bake check --rules"
)]
pub(in crate::cli) struct Check {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// Fail if there are findings of this level or above
    #[arg(long, value_name = "LEVEL", default_value = "errors")]
    deny: Deny,
    /// Leave out the findings of these rules
    #[arg(long, value_name = "RULES", value_delimiter = ',')]
    allow: Vec<String>,
    /// List all rules and end
    #[arg(long)]
    rules: bool,
}

/// From which level on findings are a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Deny {
    /// Errors
    Errors,
    /// Warnings and errors
    Warnings,
    /// Everything
    Infos,
}

impl Deny {
    /// Returns the least severity that is a failure.
    pub(in crate::cli) fn least(self) -> Severity {
        match self {
            Self::Errors => Severity::Error,
            Self::Warnings => Severity::Warning,
            Self::Infos => Severity::Info,
        }
    }
}

/// What a check found out.
struct Checked {
    /// The recipe for each platform; never empty.
    recipes: Vec<Recipe>,
    files: BTreeSet<PathBuf>,
    findings: Vec<Finding>,
}

impl Check {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        if self.rules {
            return list_rules(printer);
        }
        for name in &self.allow {
            if !lint::rules().any(|rule| rule.id == name) {
                let reason = format!("there is no rule `{name}`; `bake check --rules` lists them");
                return Err(Error::Input { what: "--allow".into(), reason }.into());
            }
        }
        let resolved = Resolved::new(&self.recipe, threads(None))?;
        let mut checked = resolved.request(check)?;
        checked.findings.retain(|finding| !self.allow.iter().any(|name| name == finding.rule));
        for finding in &checked.findings {
            print(printer, finding)?;
        }
        summarize(printer, &checked)?;
        let least = self.deny.least();
        let denied = checked.findings.iter().any(|finding| finding.severity >= least);
        Ok(if denied { Exit::No } else { Exit::Done })
    }
}

fn check(request: &Request<'_>) -> Result<Checked, Failures> {
    let Loaded { written, recipes, .. } = plan::load(request)?;
    let folder = plan::folder_of(request.recipe)?;
    let mut checked = Checked { recipes: Vec::new(), files: BTreeSet::new(), findings: Vec::new() };
    for recipe in recipes {
        checked.platform(request, &written, &recipe, &folder)?;
    }
    Ok(checked)
}

impl Checked {
    /// Checks the recipe for one platform; what was found for another already is not told again.
    fn platform(
        &mut self,
        request: &Request<'_>,
        written: &written::Recipe,
        recipe: &Recipe,
        folder: &Path,
    ) -> Result<(), Failures> {
        let threads = request.threads;
        let scan = assemble::scan(folder, &recipe.files, &Listings::default(), threads);
        let scan = scan.map_err(Error::from)?;
        let trees = assemble::compose(recipe, &scan, &stand_ins(&scan)).map_err(Error::from)?;
        let asked = needs::Request { recipe, folder, trees: &trees, threads, cache: None };
        let needs::Settled { recipe, findings: needed } = needs::settle(&asked, &mut FileTree::id)?;
        let epoch = plan::epoch_of(request, &recipe);
        // The base is not looked for: this needs neither a store nor a network.
        let texts = Texts::of(folder);
        let given = Given { texts: &texts, epoch, locked: &[], base: None, ground: None };
        for (output, tree) in &trees.trees {
            lower::lower(&recipe, *output, tree, tree.id(), &given)?;
        }
        let stored = Subject::stored(&recipe, &scan);
        let subject = Subject::new(written, &recipe, folder, &trees.trees, &trees.places, &stored);
        self.findings.extend(lint::lint(&subject, Severity::Info, threads));
        self.findings.extend(needed.into_iter().map(Finding::from));
        lint::only_once(&mut self.findings);
        self.files.extend(scan.files.into_iter().map(|file| file.path.to_path()));
        self.recipes.push(recipe);
        Ok(())
    }
}

/// Returns an identity for each file that was found, without reading it.
fn stand_ins(scan: &Scan) -> Vec<Content> {
    let stand_in = |(number, file): (usize, &FoundFile)| {
        let digest = Digest::of(format!("file {number}, not read").as_bytes());
        Content { digest, size: file.stamp.size, md5: [0; 16] }
    };
    scan.files.iter().enumerate().map(stand_in).collect()
}

/// Prints a finding as it is for people or programs.
pub(in crate::cli) fn print(printer: &Printer, finding: &Finding) -> io::Result<()> {
    if printer.is_json() {
        return printer.event("finding", finding);
    }
    printer.note(format_args!("{}\n", finding.render(printer.look())));
    Ok(())
}

fn summarize(printer: &Printer, checked: &Checked) -> Result<(), Failure> {
    let Checked { recipes, files, findings } = checked;
    let Some(first) = recipes.first() else { return Ok(()) };
    let files = files.len();
    let outputs: BTreeSet<Output> = recipes.iter().flat_map(Recipe::outputs).collect();
    let outputs: Vec<&str> = outputs.into_iter().map(Output::word).collect();
    let mut counts: BTreeMap<Severity, usize> = BTreeMap::new();
    for finding in findings {
        *counts.entry(finding.severity).or_default() += 1;
    }
    let count = |severity| counts.get(&severity).copied().unwrap_or_default();
    if printer.is_json() {
        let all = |of: &dyn Fn(&Recipe) -> Option<String>| recipes.iter().find_map(of);
        let data = json!({
            "name": first.name.to_string(),
            "version": first.version.to_string(),
            "outputs": outputs,
            "files": files,
            "versions": {
                "deb": all(&|recipe| recipe.deb.as_ref().map(|deb| deb.version.clone())),
                "rpm": all(&|recipe| {
                    recipe.rpm.as_ref().map(|rpm| format!("{}-{}", rpm.version, rpm.release))
                }),
                "oci": all(&|recipe| recipe.oci.as_ref().map(|_| recipe.version.oci_tag())),
            },
            "errors": count(Severity::Error),
            "warnings": count(Severity::Warning),
            "infos": count(Severity::Info),
        });
        printer.event("checked", &data)?;
        return Ok(());
    }
    let (name, version) = (&first.name, &first.version);
    let outputs = outputs.join(", ");
    let mut found = Vec::new();
    for severity in [Severity::Error, Severity::Warning, Severity::Info] {
        let (count, word) = (count(severity), severity.word());
        let plural = if count == 1 { "" } else { "s" };
        if count > 0 {
            found.push(format!("{count} {word}{plural}"));
        }
    }
    let found = if found.is_empty() { String::new() } else { format!("; {}", found.join(", ")) };
    printer.line(format_args!("{name} {version}: {files} files for {outputs}{found}"))?;
    Ok(())
}

fn list_rules(printer: &Printer) -> Result<Exit, Failure> {
    for rule in lint::rules() {
        if printer.is_json() {
            let data = json!({
                "rule": rule.id,
                "severity": rule.severity,
                "about": rule.about,
                "lintian": rule.lintian,
                "rpmlint": rule.rpmlint,
            });
            printer.event("rule", &data)?;
        } else {
            let (id, word, about) = (rule.id, rule.severity.word(), rule.about);
            printer.line(format_args!("{id:<38} {word:<8} {about}"))?;
        }
    }
    Ok(Exit::Done)
}

/// Warns of what can be found in a plan without reading more files.
pub(super) fn warn(printer: &Printer, plan: &plan::Plan, threads: usize) -> io::Result<Vec<Told>> {
    let stored = BTreeMap::new();
    let mut findings: Vec<Finding> = Vec::new();
    for PlatformPlan { recipe, findings: needed, trees, places, .. } in &plan.platforms {
        let subject = Subject::new(&plan.written, recipe, &plan.folder, trees, places, &stored);
        findings.extend(lint::lint(&subject, Severity::Warning, threads));
        findings.extend(needed.iter().cloned());
    }
    lint::only_once(&mut findings);
    let told = |finding: &Finding| {
        let event = serde_json::to_value(finding)?;
        let texts = [Look::Plain, Look::Coloured].map(|look| finding.brief(look));
        Ok(Told { event, texts })
    };
    let findings: Vec<Told> = findings.iter().map(told).collect::<io::Result<_>>()?;
    tell(printer, &findings)?;
    for ground in plan.platforms.iter().filter_map(|platform| platform.ground.as_deref()) {
        let count = ground.changes.len();
        if count > 0 && !printer.is_json() {
            printer.note(format_args!(
                "note: {count} paths of the base are as in a fresh image; `bake plan --explain` lists them"
            ));
        }
    }
    Ok(findings)
}

/// Prints what was found, each in a line and with its hint.
pub(super) fn tell(printer: &Printer, findings: &[Told]) -> io::Result<()> {
    for Told { event, texts: [plain, coloured] } in findings {
        if printer.is_json() {
            printer.event("finding", event)?;
        } else if printer.look() == Look::Plain {
            printer.note(plain);
        } else {
            printer.note(coloured);
        }
    }
    Ok(())
}
