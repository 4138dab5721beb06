//! `bake build`: bake all outputs of a recipe.

use std::path::{Path, PathBuf};

use clap::Args;

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
        let inputs = resolved.request(look)?;
        if let Some(inputs) = &inputs
            && let Some(remains) = inputs.remains(&store, &self.output)
        {
            run::repeat(&remains.release, &store, &self.output)?;
            tell(printer, &remains.findings).map_err(Error::from)?;
            return self.finish(printer, &remains.release, signer.is_some(), None);
        }
        let client = self.bases.client(printer)?;
        let progress = Progress::new(printer);
        let outcome = resolved.request(|request| {
            let folder = folder(request.recipe);
            let images = Places { wire: &client, folder: &folder };
            let cx = PlanCx { store: &store, images: &images, rules, reporter: &progress };
            let plan = plan::plan(request, cx)?;
            let findings = progress.suspend(|| warn(printer, &plan)).map_err(Error::from)?;
            let signer = signer.as_deref();
            let cx = RunCx { threads, signer, images: &images, reporter: &progress };
            let (release, written) = run::run(&plan, &store, &self.output, cx)?;
            if let Some(inputs) = &inputs {
                let kept = inputs.keep(&store, &plan, (&release, &written), findings);
                kept.map_err(|source| Error::Store { path: store.root().into(), source })?;
            }
            Ok(release)
        });
        progress.finish();
        self.finish(printer, &outcome?, signer.is_some(), Some(client))
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
