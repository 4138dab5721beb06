//! `bake push`: outputs to a registry.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bake_formats::oci::Reference;
use clap::Args;
use serde_json::json;

use crate::cli::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;
use crate::cli::registry::RegistryArgs;
use crate::cli::request::threads;
use crate::cli::{RecipeArgs, request::Resolved};
use crate::error::Error;
use crate::plan::load;
use crate::publish::{Loaded, Plan, Pushed, Target, of_file, of_layout, of_release, push, survey};
use crate::registry::{Access, Client, Repository};

/// Push outputs to a registry.
#[derive(Debug, Args)]
#[command(
    after_help = "Takes a folder with release.json (all of it: the image under the version's tag, \
    packages, disks and release.json as artifacts in an index under VERSION-release), an image \
    layout or archive, a deb, an rpm or a disk. Several files at once go each under its name as \
    tag; a single one needs `--to REPO:TAG`.\n\nTags move last: a push that fails leaves them as \
    they were. Layers of a base image that are not here are mounted, or passed on from the base's \
    registry.\n\nExamples:\n  bake push\n  bake push --to ghcr.io/acme/catalog\n  bake push --to ghcr.io/acme/packages dist/*.deb dist/*.rpm\n  bake push --to \
    localhost:5000/catalog:1.0 dist/catalog-1.0.0.oci --plain-http localhost:5000\n  bake push \
    --dry-run --json"
)]
pub(in crate::cli) struct Push {
    /// What to push; several each under a tag of its own [default: dist]
    path: Vec<PathBuf>,
    /// Where to [default: `repository` in the recipe's [oci]]
    #[arg(long, value_name = "REPO[:TAG]")]
    to: Option<Reference>,
    /// The recipe that says where to and which tags
    #[arg(short = 'f', long = "file", value_name = "FILE", default_value = "bake.toml")]
    file: PathBuf,
    /// Set this tag too
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Only find out what would be sent: nothing but reads
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    registry: RegistryArgs,
}

impl Push {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        let (to, further) = self.target()?;
        let loaded = self.load(&to, &further)?;
        let client = self.registry.client(printer)?;
        let mut total = None;
        for loaded in &loaded {
            let progress = Progress::new(printer);
            let outcome = self.send(&client, &to, loaded, &progress);
            progress.finish();
            let (plan, pushed) = outcome?;
            report(printer, &to, loaded, &plan, pushed)?;
            if let Some(pushed) = pushed {
                total = Some(total.unwrap_or_default() + pushed);
            }
        }
        if let Some(total) = total {
            summarize(printer, total, &client)?;
        }
        Ok(Exit::Done)
    }

    /// Opens everything that is to be pushed, before any of it is sent.
    fn load(&self, to: &Reference, further: &[String]) -> Result<Vec<Loaded>, Error> {
        let dist = [PathBuf::from("dist")];
        let paths = if self.path.is_empty() { &dist[..] } else { &self.path };
        if let ([_, _, ..], Some(tag)) = (paths, to.tag.as_ref().or(self.tag.first())) {
            return Err(Error::Publish {
                what: format!("tag `{tag}`"),
                reason: format!("it can lead to one thing, and {} are to be pushed", paths.len()),
                hint: Some("leave it out: each goes under a tag of its own".to_owned()),
            });
        }
        let own: Vec<String> = to.tag.iter().cloned().collect();
        let mut loaded = Vec::new();
        let mut taken = BTreeMap::new();
        for path in paths {
            let mut one = open(path, &own, paths.len() > 1)?;
            if let (Some(first), [_]) = (one.parcels.first_mut(), paths) {
                let tags = further.iter().chain(&self.tag);
                let new: Vec<_> = tags.filter(|tag| !first.tags.contains(tag)).cloned().collect();
                first.tags.extend(new);
                first.tags.dedup();
            }
            for tag in one.parcels.iter().flat_map(|parcel| &parcel.tags) {
                if let Some(other) = taken.insert(tag.clone(), path) {
                    return Err(Error::Publish {
                        what: format!("tag `{tag}`"),
                        reason: format!(
                            "both `{}` and `{}` would have it",
                            other.display(),
                            path.display()
                        ),
                        hint: Some("push them one by one, with `--to REPO:TAG`".to_owned()),
                    });
                }
            }
            loaded.push(one);
        }
        Ok(loaded)
    }

    fn send(
        &self,
        client: &Client,
        to: &Reference,
        loaded: &Loaded,
        progress: &Progress<'_>,
    ) -> Result<(Plan, Option<Pushed>), Error> {
        let Loaded { origin, graph, parcels } = loaded;
        let repository = Repository::new(client, to, Access::Push);
        let target = Target { repository: to.clone() };
        let known = survey(&repository, &target, graph, parcels)?;
        let plan = Plan::new(graph, parcels, &known, &target);
        if self.dry_run {
            return Ok((plan, None));
        }
        progress.transfer("pushing", plan.bytes());
        let pushed = push(client, &repository, origin, graph, &plan, progress)?;
        Ok((plan, Some(pushed)))
    }

    /// Returns where to push, and the recipe's further tags.
    fn target(&self) -> Result<(Reference, Vec<String>), Failure> {
        if let Some(to) = &self.to {
            return Ok((to.clone(), Vec::new()));
        }
        let args = RecipeArgs { file: self.file.clone(), platform: Vec::new(), only: Vec::new() };
        let resolved = Resolved::new(&args, threads(None))?;
        let loaded = resolved.request(load)?;
        let table = loaded.recipes.first().and_then(|recipe| recipe.oci.as_ref());
        let to = table.and_then(|table| table.repository.clone());
        let missing = || Error::Publish {
            what: "--to".to_owned(),
            reason: format!(
                "nothing says where to push: `{}` has no `repository` in [oci]",
                self.file.display()
            ),
            hint: Some("name a repository, e.g. `--to ghcr.io/acme/catalog`".to_owned()),
        };
        let tags = table.map(|table| table.tags.clone()).unwrap_or_default();
        Ok((to.ok_or_else(missing)?, tags))
    }
}

/// Opens what is to be pushed. A file has no tag of its own but its name, which it gets if it is
/// `one_of_several`.
fn open(path: &Path, tags: &[String], one_of_several: bool) -> Result<Loaded, Error> {
    if path.join("oci-layout").exists() {
        return of_layout(path, tags);
    }
    if path.is_dir() {
        return of_release(path, tags);
    }
    let mut loaded = of_file(path, tags)?;
    for parcel in loaded.parcels.iter_mut().filter(|parcel| parcel.tags.is_empty()) {
        if !one_of_several {
            return Err(Error::Publish {
                what: format!("`{}`", path.display()),
                reason: "nothing says under which tag to push it".to_owned(),
                hint: Some("add one to the repository: `--to REPO:TAG`".to_owned()),
            });
        }
        parcel.tags.push(name_as_tag(path));
    }
    Ok(loaded)
}

/// Returns a file's name as a tag (distribution-spec, "Pulling manifests"): at most 128 letters,
/// digits, `_`, `.` and `-`, of which the last two do not come first.
fn name_as_tag(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let tag: String = name.chars().map(|c| if fits(c) { c } else { '_' }).take(128).collect();
    if tag.starts_with(['.', '-']) { format!("_{}", &tag[1..]) } else { tag }
}

fn report(
    printer: &Printer,
    to: &Reference,
    loaded: &Loaded,
    plan: &Plan,
    pushed: Option<Pushed>,
) -> Result<(), Failure> {
    if pushed.is_none() {
        print_plan(printer, plan)?;
    }
    for parcel in &loaded.parcels {
        let tag = parcel.tags.first().map(|tag| format!(":{tag}")).unwrap_or_default();
        let name = format!("{}{tag}@{}", to.name(), parcel.root);
        if printer.is_json() {
            let data = json!({
                "repository": to.name(), "tags": parcel.tags, "digest": parcel.root,
                "dry_run": pushed.is_none(),
            });
            printer.event("pushed", &data)?;
        } else if pushed.is_some() {
            printer.line(format_args!("pushed {name}"))?;
        } else {
            printer.line(format_args!("would push {name}"))?;
        }
    }
    Ok(())
}

/// Says what went over the wire.
fn summarize(printer: &Printer, total: Pushed, client: &Client) -> Result<(), Failure> {
    let requests: u64 = client.counts().values().map(|counts| counts.requests).sum();
    if printer.is_json() {
        printer.event("transfer", &json!({ "requests": requests, "moved": total }))?;
        return Ok(());
    }
    let Pushed { bytes, mounted, skipped, .. } = total;
    printer.note(format_args!(
        "{requests} requests, sent {bytes} bytes, mounted {mounted} blobs, skipped {skipped}"
    ));
    Ok(())
}

/// Prints what would be done.
pub(super) fn print_plan(printer: &Printer, plan: &Plan) -> Result<(), Failure> {
    for step in plan.asked.iter().chain(&plan.steps) {
        if printer.is_json() {
            printer.event("step", step)?;
        } else {
            printer.line(step)?;
        }
    }
    if printer.is_json() {
        printer.event("plan", &json!({ "requests": plan.requests(), "bytes": plan.bytes() }))?;
    } else {
        printer.line(format_args!("{} requests, {} bytes", plan.requests(), plan.bytes()))?;
    }
    Ok(())
}
