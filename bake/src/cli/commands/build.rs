//! `bake build`: bake all outputs of a recipe.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{io, mem};

use clap::Args;
use serde_json::json;

use crate::base::Places;
use crate::cli::bases::{BaseArgs, folder};
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;
use crate::cli::request::{Resolved, StoreArgs, host, image_platform, threads};
use crate::cli::signing::SignArgs;
use crate::cli::{Exit, RecipeArgs};
use crate::error::Error;
use crate::lower::Kind;
use crate::plan::{self, PlanCx, Request};
use crate::publish::{Engine, load};
use crate::registry::Client;
use crate::release::{Release, ReleasedArtifact};
use crate::run::{self, RunCx};
use crate::sign::Signer;
use crate::timings::{Bytes, Span, Timings, time};
use crate::unchanged::Inputs;

use super::check::{tell, warn};

/// Bake all outputs of a recipe.
#[derive(Debug, Args)]
#[command(
    after_help = "Prints one line for each artifact: format, size, digest, built or cached, \
    path.\n\nThe date of everything in the outputs is SOURCE_DATE_EPOCH, else the recipe's \
    `source-date`, else 2020-01-01; never now.\n\nExamples:\n  bake build\n  \
    bake build --only deb,rpm -o packages\n  bake build --platform linux/amd64,linux/arm64 --json\n  \
    bake build --load podman"
)]
pub(in crate::cli) struct Build {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// The folder for the outputs
    #[arg(short, long, value_name = "DIR", default_value = "dist")]
    output: PathBuf,
    #[command(flatten)]
    store: StoreArgs,
    /// Use this many threads [default: one for each core]
    #[arg(short, long, value_name = "N")]
    jobs: Option<std::num::NonZeroUsize>,
    /// Tell where the time went, and how many bytes
    #[arg(long)]
    timings: bool,
    /// Write where the time went as a file for trace viewers (Perfetto, chrome://tracing)
    #[arg(long, value_name = "FILE")]
    timings_file: Option<PathBuf>,
    #[command(flatten)]
    signing: SignArgs,
    /// Give the image to an engine of this machine, through its own command
    #[arg(long, value_name = "ENGINE")]
    load: Option<EngineName>,
    #[command(flatten)]
    bases: BaseArgs,
}

/// Who takes images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum EngineName {
    /// Whichever is there: podman, docker, nerdctl or ctr
    Auto,
    /// `podman load`
    Podman,
    /// `docker load`
    Docker,
    /// `nerdctl load` or `ctr images import`
    Containerd,
}

impl Build {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        let threads = threads(self.jobs);
        let timings = (self.timings || self.timings_file.is_some()).then(Timings::default);
        let timings = timings.as_ref();
        let watch = time(timings, "look", None);
        let resolved = Resolved::new(&self.recipe, threads)?;
        let store = self.store.open()?;
        // Before the work: a key that cannot sign is no reason to wait.
        let epoch = if self.signing.is_given() {
            resolved.request(plan::epoch)?
        } else {
            plan::FIXED_EPOCH
        };
        let signer = self.signing.signer(epoch)?;
        let rules = self.bases.rules();
        let fingerprint = signer.as_deref().map(Signer::fingerprint);
        let look = |request: &Request<'_>| Ok(Inputs::look(request, &store, rules, fingerprint));
        let mut inputs = resolved.request(look)?;
        drop(watch);
        if let Some(inputs) = &inputs
            && let Some(remains) = inputs.remains(&store, &self.output)
        {
            run::repeat(&remains.release, &store, &self.output)?;
            tell(printer, &remains.findings).map_err(Error::from)?;
            self.tell_timings(printer, timings, &remains.release)?;
            return self.finish(printer, &remains.release, signer.is_some(), None);
        }
        let client = self.bases.client(printer)?;
        let progress = Progress::new(printer).timed(timings);
        let walked = inputs.as_mut().map(Inputs::take_walked).unwrap_or_default();
        let outcome = resolved.request(|request| {
            let folder = folder(request.recipe);
            let images = Places { wire: &client, folder: &folder };
            let cx = PlanCx { store: &store, images: &images, rules, reporter: &progress, walked };
            let plan = plan::plan(request, cx)?;
            let findings =
                progress.suspend(|| warn(printer, &plan, threads)).map_err(Error::from)?;
            let signer = signer.as_deref();
            let cx = RunCx { threads, signer, images: &images, reporter: &progress };
            let (release, written) = run::run(&plan, &store, &self.output, cx)?;
            if let Some(inputs) = &inputs {
                let kept = inputs.keep(&store, &plan, (&release, &written), findings);
                kept.map_err(|source| Error::Store { path: store.root().into(), source })?;
            }
            // The program ends: to give back what is known of each of many files takes longer than to know that.
            mem::forget(plan);
            Ok(release)
        });
        progress.finish();
        let release = outcome?;
        self.tell_timings(printer, timings, &release)?;
        self.finish(printer, &release, signer.is_some(), Some(client))
    }

    /// Tells where the time went, if that was asked.
    fn tell_timings(
        &self,
        printer: &Printer,
        timings: Option<&Timings>,
        release: &Release,
    ) -> Result<(), Failure> {
        let Some(timings) = timings else { return Ok(()) };
        if let Some(path) = &self.timings_file {
            let text = serde_json::to_vec(&timings.trace()).map_err(io::Error::from)?;
            fs_err::write(path, text)
                .map_err(|source| Error::Output { path: path.clone(), source })?;
        }
        if self.timings {
            print_timings(printer, timings, release)?;
        }
        Ok(())
    }

    /// Prints what was released and gives it to whoever is to have it.
    fn finish(
        &self,
        printer: &Printer,
        release: &Release,
        signs: bool,
        client: Option<Client>,
    ) -> Result<Exit, Failure> {
        if signs && release.artifacts.iter().all(|made| made.signature.is_none()) {
            printer.note(
                "warning: nothing was signed: only debs and rpms have a place for signatures",
            );
        }
        print(printer, release, &self.output)?;
        if let Some(engine) = self.load {
            let client = client.map_or_else(|| self.bases.client(printer), Ok)?;
            self.load(printer, release, engine, &client)?;
        }
        Ok(Exit::Done)
    }

    fn load(
        &self,
        printer: &Printer,
        release: &Release,
        engine: EngineName,
        client: &Client,
    ) -> Result<(), Failure> {
        let missing = || Error::Publish {
            what: "--load".to_owned(),
            reason: "no image was baked".to_owned(),
            hint: Some("the recipe needs an [oci] table, and --only must not leave it out".into()),
        };
        let is_image = |made: &&ReleasedArtifact| made.format == Kind::OciLayout.name();
        let image = release.artifacts.iter().find(is_image).ok_or_else(missing)?;
        let engine = match engine {
            EngineName::Auto => Engine::Auto,
            EngineName::Podman => Engine::Podman,
            EngineName::Docker => Engine::Docker,
            EngineName::Containerd => Engine::Containerd,
        };
        let host = image_platform(&host())
            .map_err(|reason| Error::Input { what: "--load".to_owned(), reason })?;
        let path = self.output.join(&image.path);
        let said = load(client, &path, &release.name, &host, engine)?;
        printer.note(said);
        Ok(())
    }
}

/// Prints what was released to a folder.
pub(super) fn print(printer: &Printer, release: &Release, folder: &Path) -> Result<(), Failure> {
    for artifact in &release.artifacts {
        if printer.is_json() {
            printer.event("artifact", artifact)?;
        } else {
            let done = if artifact.cached { "cached" } else { "built" };
            let path = folder.join(&artifact.path);
            printer.line(format_args!(
                "{:<11} {:>12} {} {done:<6} {}",
                artifact.format,
                artifact.size,
                artifact.digest,
                path.display()
            ))?;
        }
    }
    if printer.is_json() {
        printer.event("release", release)?;
    }
    Ok(())
}

/// Prints where the time went: spans in the order in which they began, then bytes.
fn print_timings(printer: &Printer, timings: &Timings, release: &Release) -> io::Result<()> {
    let mut spans = timings.spans();
    spans.sort_by_key(|span| span.start);
    let cached = release.artifacts.iter().filter(|artifact| artifact.cached).count();
    let of = release.artifacts.len();
    if printer.is_json() {
        let bytes: BTreeMap<&str, u64> =
            Bytes::ALL.iter().map(|bytes| (bytes.word(), timings.bytes(*bytes))).collect();
        let total = timings.total().as_secs_f64() * 1e3;
        let data = json!({ "spans": spans, "bytes": bytes, "total": total, "cached": cached });
        return printer.event("timings", &data);
    }
    printer.note("      start       time  what");
    for Span { phase, output, start, length } in &spans {
        let [start, length] = [start, length].map(|time| time.as_secs_f64() * 1e3);
        let output = output.as_deref().unwrap_or_default();
        printer.note(
            format_args!("{start:>8.1} ms {length:>7.1} ms  {phase} {output}")
                .to_string()
                .trim_end(),
        );
    }
    let total = timings.total().as_secs_f64() * 1e3;
    printer
        .note(format_args!("            {total:>7.1} ms  in all, {cached} of {of} outputs cached"));
    for bytes in Bytes::ALL {
        let count = timings.bytes(bytes);
        if count > 0 {
            printer.note(format_args!("{:>22} bytes  {}", count, bytes.word()));
        }
    }
    Ok(())
}
