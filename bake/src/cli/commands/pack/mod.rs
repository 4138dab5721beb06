//! `bake pack`: packages without a recipe, and the recipe to grow up with.

mod flags;
mod setting;

use std::io::Write;
use std::path::{Path, PathBuf};

use bake_recipes::resolved::Output;
use bake_recipes::{Platform, RecipeError};
use clap::Args;

use crate::assemble::Listings;
use crate::cli::Exit;
use crate::cli::bases::{folder, nearby};
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::progress::Progress;
use crate::cli::request::{Resolved, StoreArgs, output, platform, threads};
use crate::cli::signing::SignArgs;
use crate::error::Error;
use crate::failures::Failures;
use crate::pack::{self, Given, Keep, Made, Order};
use crate::plan::{self, PlanCx};
use crate::run::{self, RunCx};

use super::build::print;

const LONG: &str = "Pack a folder, program, jar, wheel, gem, npm tarball or archive without a recipe

What a source says about itself (MANIFEST.MF and pom.xml, METADATA, metadata.gz, package.json,
Cargo.toml, its name) becomes the package's name, version and description; flags win. A package needs
a name, a version and a summary, and a deb a maintainer.

Where things go:
  program          /usr/bin/NAME, or its own name if there are several
  folder, archive  /opt/NAME; a tree that begins with usr/, etc/, … goes to /
  jar              /usr/share/java/NAME/NAME.jar, and a launcher /usr/bin/NAME if it has a Main-Class
  wheel            /usr/lib/NAME, and a program in /usr/bin for each of its entry points
  gem              /usr/lib/NAME as a GEM_HOME, and a program in /usr/bin for each executable
  npm tarball      /usr/lib/node_modules/NAME, and links in /usr/bin
  SRC=DEST         DEST, whatever it is; into the directory if DEST ends with `/`
What is below /etc is configuration.";

const EXAMPLES: &str = "Examples:
  bake pack target/release/hello --version 1.0 --summary 'Says hello' -m 'Me <me@example.com>'
  bake pack app.jar --service '/usr/bin/app --port 8080' --user app --port 8080
  bake pack dist --name site --version 1.2 --summary 'The site' --prefix /usr/share/site
  bake pack bin/tool=/usr/bin/ tool.conf=/etc/ --name tool --version 2 --summary 'A tool'
  bake pack tool-1.0-py3-none-any.whl --to deb --depends libmagic1 --save bake.toml

Every key of the recipe (docs/recipe.md) is within reach of --set:
  --set 'deb.priority=\"extra\"'  --set 'files.0.mode=\"0700\"'  --set 'files+={ symlink = \"a\", to = \"/b\" }'

With --save, the recipe is written too, and what archives hold is unpacked beside it, to
NAME-VERSION.source; `bake build -f FILE` then makes the same bytes.";

/// Pack a folder, program, jar, wheel, gem, npm tarball or archive without a recipe.
#[derive(Debug, Args)]
#[command(long_about = LONG, after_help = EXAMPLES, disable_version_flag = true)]
pub(in crate::cli) struct Pack {
    /// What to pack: a path, or `PATH=DEST` to place it as it is
    #[arg(required = true, value_name = "SOURCE[=DEST]")]
    sources: Vec<String>,
    /// Make these formats: deb, rpm, oci, vm
    #[arg(short, long, value_name = "FORMATS", value_delimiter = ',', default_value = "deb,rpm")]
    to: Vec<String>,
    /// The folder for the packages
    #[arg(short, long, value_name = "DIR", default_value = "dist")]
    output: PathBuf,
    /// Also write the recipe to a new file
    #[arg(long, value_name = "FILE", conflicts_with = "print")]
    save: Option<PathBuf>,
    /// Print the recipe and make nothing
    #[arg(long)]
    print: bool,
    /// Pack for this platform [default: the program's or wheel's, else this machine's]
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<String>,
    /// Use this many threads [default: one for each core]
    #[arg(short, long, value_name = "N")]
    jobs: Option<std::num::NonZeroUsize>,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    signing: SignArgs,
    #[command(flatten)]
    flags: flags::Flags,
}

impl Pack {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        let order = self.order(printer)?;
        if let Some(file) = self.save.as_ref().filter(|file| file.symlink_metadata().is_ok()) {
            let error = RecipeError::new(format!("`{}` is there already", file.display()));
            let error = error.hint("a recipe that was saved is yours; `bake build` bakes it");
            return Err(Failure::Recipe(error.into()));
        }
        let mut made = pack::make(&order)?;
        for note in &made.notes {
            printer.note(format_args!("note: {note}"));
        }
        if self.print {
            printer.bytes(made.recipe.text.as_bytes())?;
            return Ok(Exit::Done);
        }
        self.bake(&mut made, printer)?;
        Ok(Exit::Done)
    }

    fn bake(&self, made: &mut Made, printer: &Printer) -> Result<(), Failure> {
        let threads = threads(self.jobs);
        let unsaved = || PathBuf::from("the recipe that --print shows");
        let file = self.save.clone().unwrap_or_else(unsaved);
        let explained = |made: &Made, failures: Failures| match failures {
            Failures::Recipe(errors) => Failure::Recipe(made.explain(errors)),
            Failures::Other(Error::Recipe(error)) => {
                Failure::Recipe(made.explain_one(*error).into())
            }
            Failures::Other(error) => error.into(),
        };
        let platform = self.platform_of(&file, &made.recipe.text);
        let platform = platform.map_err(|failures| explained(made, failures))?;
        let resolved =
            Resolved::of_text(file.clone(), made.recipe.text.clone(), platform, threads)?;
        let store = self.store.open()?;
        let epoch = resolved.try_request(plan::epoch);
        let epoch = epoch.map_err(|failures| explained(made, failures))?;
        let signer = self.signing.signer(epoch)?;
        let progress = Progress::new(printer);
        let outcome = resolved.try_request(|request| {
            // What is packed is built on nothing.
            let folder = folder(request.recipe);
            let (images, rules) = nearby(&folder);
            let cx = PlanCx {
                store: &store,
                images: &images,
                rules,
                reporter: &progress,
                walked: Listings::default(),
            };
            let plan = plan::plan(request, cx)?;
            if self.save.is_some() {
                save(&file, &made.recipe.text)?;
                made.keep();
            }
            let signer = signer.as_deref();
            let cx = RunCx { threads, signer, images: &images, reporter: &progress };
            Ok(run::run(&plan, &store, &self.output, cx)?)
        });
        progress.finish();
        let (release, _) = outcome.map_err(|failures| explained(made, failures))?;
        print(printer, &release, &self.output)
    }

    /// Returns the platform: that of the flag, else the recipe's, else this machine's.
    fn platform_of(&self, file: &Path, text: &str) -> Result<Platform, Failures> {
        let given = platform(self.platform.as_deref()).map_err(|failure| match failure {
            Failure::Engine(error) => Failures::Other(error),
            Failure::Recipe(errors) => Failures::Recipe(errors),
            Failure::BrokenPipe => {
                Failures::Other(std::io::Error::from(std::io::ErrorKind::BrokenPipe).into())
            }
        })?;
        let written = bake_recipes::load::parse(&file.display().to_string(), text)?;
        let all = bake_recipes::platforms(&written, given)?;
        Ok(all.into_iter().next().unwrap_or(given))
    }

    fn order(&self, printer: &Printer) -> Result<Order, Failure> {
        let outputs: Vec<Output> =
            self.to.iter().map(|word| output("--to", word)).collect::<Result<_, _>>()?;
        let folder = self.save.as_ref().and_then(|file| file.parent());
        let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
        let base = fs_err::canonicalize(folder.unwrap_or(Path::new(".")))?;
        let mut settings = self.flags.settings(&outputs)?;
        if let Some(text) = &self.platform {
            platform(Some(text))?;
            settings.push(setting::append(&["platforms"], text.as_str(), "--platform", text));
        }
        let words = Output::ALL.map(Output::word);
        settings.retain(|setting| {
            let of = setting.path.first().map_or("", String::as_str);
            let made = !words.contains(&of) || outputs.iter().any(|output| output.word() == of);
            if !made && let pack::Origin::Flag { text, .. } = &setting.origin {
                printer.note(format_args!("note: {text} has no effect: no {of} is made"));
            }
            made
        });
        Ok(Order {
            sources: self.sources.iter().map(|text| given(text)).collect(),
            outputs,
            settings,
            files: self.flags.files(),
            auto_depends: !self.flags.no_auto_depends,
            base,
            keep: match (&self.save, self.print) {
                (Some(_), _) => Keep::Kept,
                (None, true) => Keep::Shown,
                (None, false) => Keep::Temporary,
            },
        })
    }
}

/// Splits `PATH=DEST`; a path that is there is not split.
fn given(text: &str) -> Given {
    let whole = PathBuf::from(text);
    match text.rsplit_once('=').filter(|(_, to)| to.starts_with('/')) {
        Some((path, to)) if whole.symlink_metadata().is_err() => {
            Given { path: path.into(), to: Some(to.into()) }
        }
        _ => Given { path: whole, to: None },
    }
}

/// Writes a recipe to a file that is not there yet.
fn save(file: &Path, text: &str) -> Result<(), Error> {
    let mut out = fs_err::OpenOptions::new().write(true).create_new(true).open(file)?;
    out.write_all(text.as_bytes())?;
    Ok(())
}
