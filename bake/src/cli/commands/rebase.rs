//! `bake rebase`: an image on a new base, after a look at what that changes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bake_formats::encode::Encoder;
use bake_formats::format::{Epoch, WriteCx};
use bake_formats::oci::rebase::OwnLayers;
use bake_formats::oci::{BASE_DIGEST_KEY, BASE_NAME_KEY, Reference, Written};
use bake_recipes::resolved::BaseSource;
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::base::{Images, Places, public_name};
use crate::cli::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::registry::RegistryArgs;
use crate::cli::request::StoreArgs;
use crate::error::Error;
use crate::lint::Severity;
use crate::publish::Pushed;
use crate::rebase::deliver::{self, Blobs};
use crate::rebase::push::{Homes, Seams, WrittenOrigin, push};
use crate::rebase::{Compared, Comparison, Finding, Loaded, Place, Request, compare};
use crate::registry::{Unwatched, Wire};
use crate::survey::{LayerSource, Surveyor};

/// How many findings of one rule are printed for people.
const SHOWN: usize = 20;

/// Put an image onto another base without building it, if it would still work there
#[derive(Debug, Args)]
#[command(
    after_help = "The image's own layers stay as they are; the configuration is merged with \
    the new base's. Before anything is written, the image is compared on its old and on its new \
    base: what its files hide, whether programs find their loaders, libraries, symbol versions and \
    interpreters, accounts, certificates. Errors that the old base does not have are a refusal; \
    `--force` writes all the same and says so in an annotation. An index is rebased for all its \
    platforms, or not at all. Of images that bake made, the digest is the one that a fresh bake on \
    the new base gives.\n\n\
    Examples:\n  \
    bake rebase dist/catalog-1.4.2.oci --onto debian:12.9-slim               what would change\n  \
    bake rebase dist/catalog-1.4.2.oci --onto debian:12.9-slim -o new.oci\n  \
    bake rebase app.oci --from debian:12.8-slim --onto debian:12.9-slim -o new.oci\n  \
    bake rebase ghcr.io/acme/app:1 --onto debian:12.9-slim --to ghcr.io/acme/app:1\n\n\
    Exit status: 0 done, or nothing speaks against it; 1 refused."
)]
pub(in crate::cli) struct Rebase {
    /// The image: a folder in the OCI layout, an archive, `oci:PATH:NAME` for one of several in it,
    /// or a name in a registry
    image: String,
    /// The new base, likewise
    #[arg(long, value_name = "BASE")]
    onto: String,
    /// The old base, for images that do not say it themselves
    #[arg(long, value_name = "BASE")]
    from: Option<String>,
    /// Write the new image to this folder, or to an archive if it ends in .tar [default: only
    /// report]
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Push the new image to this repository, under its tag
    #[arg(long, value_name = "REF", conflicts_with = "output")]
    to: Option<String>,
    /// Let this tag lead to it as well; may be given several times
    #[arg(long, value_name = "TAG", requires = "to")]
    tag: Vec<String>,
    /// Whether the written image holds its base's layers [default: as the image does; an archive
    /// always does]
    #[arg(long, value_name = "HOW", requires = "output")]
    base_layers: Option<BaseLayers>,
    /// Report only, write nothing; with --to also what would be sent
    #[arg(long)]
    dry_run: bool,
    /// Write the image in spite of errors; it then says so in an annotation
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    registry: RegistryArgs,
    #[command(flatten)]
    store: StoreArgs,
}

/// Whether an image holds the layers of its base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum BaseLayers {
    /// It holds them.
    Copy,
    /// It refers to them: whoever pushes it takes them from where the base is.
    Refer,
}

impl Rebase {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        let store = self.store.open()?;
        let client = self.registry.client(printer)?;
        let places = Places { wire: &client, folder: Path::new("") };
        let image_place = Place::open(&places, &named(&self.image)?)?;
        let onto = named(&self.onto)?;
        let base_place = Place::open(&places, &onto)?;
        let (image, base) = (image_place.load()?, base_place.load()?);
        let old = OldBase::of(self.from.as_deref(), &image, &places)?;
        let (old_bases, elsewhere) = (old.load()?, old.layers());

        let copies = self.copies_base(&image, &image_place);
        let base_name = public_name(&onto);
        let request = Request {
            image: &image,
            base: &base,
            base_name: base_name.as_deref(),
            old_base: old_bases.as_ref(),
            elsewhere: &elsewhere,
            own_layers: OwnLayers::Included,
            base_layers: copies,
        };
        let encoder = Encoder::new(&store, &store, 1);
        // The time of an image is its own.
        let cx = WriteCx { blobs: &store, encoder: &encoder, epoch: Epoch(0) };
        let to = self.to.as_deref().map(reference).transpose()?;
        let comparison =
            compare(&request, self.force, &Surveyor::new(&store), &cx).map_err(Error::from)?;
        report(&comparison, printer)?;
        let broken = comparison.broken_rules();
        if !broken.is_empty() && !self.force {
            let rules: Vec<&str> = broken.into_iter().collect();
            printer.note(format_args!("refused: {}", rules.join(", ")));
            printer.note("hint: `--force` writes the image all the same, with an annotation");
            return Ok(Exit::No);
        }
        let places = [&base_place, &image_place].into_iter().chain(old.places.iter()).collect();
        let (seams, forced) = (Seams::of(&comparison), !broken.is_empty());
        let written = comparison.finish().map_err(Error::from)?;
        let blobs = Blobs::new(&store, places, &written);
        match &to {
            Some(to) => {
                let mut homes = Homes::default();
                homes.add(&image_place, &image);
                homes.add(&base_place, &base);
                let origin = WrittenOrigin {
                    written: &written,
                    blobs: &blobs,
                    seams: &seams,
                    base: &base_place,
                    homes,
                };
                self.push(&origin, to, &client, printer)?;
            }
            None => self.write(&written, &blobs, forced, &cx, printer)?,
        }
        if forced {
            printer.note(
                "the image says in an annotation what it was forced past, so a fresh bake gives \
                 another digest",
            );
        }
        Ok(Exit::Done)
    }

    /// Returns whether the new image is to hold its base's layers.
    fn copies_base(&self, image: &Loaded<'_>, place: &Place<'_>) -> bool {
        let is_archive = |path: &PathBuf| path.extension().is_some_and(|end| end == "tar");
        match self.base_layers {
            _ if self.to.is_some() => false,
            Some(how) => how == BaseLayers::Copy,
            None if self.output.as_ref().is_some_and(is_archive) => true,
            None => image.images.iter().all(|image| {
                image.documents.manifest.layers.iter().all(|layer| place.holds(layer))
            }),
        }
    }

    fn write(
        &self,
        written: &Written,
        blobs: &Blobs<'_>,
        forced: bool,
        cx: &WriteCx<'_>,
        printer: &Printer,
    ) -> Result<(), Failure> {
        let digest = written.root.digest;
        let path = self.output.as_ref().filter(|_| !self.dry_run);
        if let Some(path) = path {
            deliver::write(written, path, blobs, cx)?;
        }
        if printer.is_json() {
            let data = json!({ "digest": digest, "path": path, "forced": forced });
            printer.event("rebased", &data)?;
        } else if let Some(path) = path {
            printer.line(format_args!("rebased  {digest} {}", path.display()))?;
        } else {
            printer.note(format_args!("nothing was written; it would be {digest}"));
        }
        Ok(())
    }

    fn push(
        &self,
        origin: &WrittenOrigin<'_>,
        to: &Reference,
        client: &dyn Wire,
        printer: &Printer,
    ) -> Result<(), Failure> {
        let tag = match (&to.tag, to.digest) {
            (None, None) => Some("latest".to_owned()),
            (tag, _) => tag.clone(),
        };
        let tags: Vec<String> = tag.into_iter().chain(self.tag.iter().cloned()).collect();
        let (plan, pushed) = push(client, origin, to, &tags, !self.dry_run, &Unwatched)?;
        let (digest, name) =
            (origin.written.root.digest, to.with_digest(origin.written.root.digest));
        if printer.is_json() {
            let (requests, bytes) = (plan.requests(), plan.bytes());
            let data = json!({
                "digest": digest, "reference": name.to_string(), "tags": tags, "pushed": pushed,
                "requests": requests, "bytes": bytes,
            });
            printer.event("rebased", &data)?;
            return Ok(());
        }
        match pushed {
            Some(Pushed { uploaded, bytes, mounted, skipped }) => printer.line(format_args!(
                "rebased  {name}: sent {uploaded} blobs, {bytes} bytes; mounted {mounted}, \
                 {skipped} were there"
            ))?,
            None => printer.note(format_args!(
                "nothing was sent; it would be {name}: {} requests, {} bytes",
                plan.requests(),
                plan.bytes()
            )),
        }
        Ok(())
    }
}

/// Returns where an image is: as recipes name it, else a path if there is such a file or folder or
/// if it can be nothing else, else a name in a registry.
fn named(name: &str) -> Result<BaseSource, Failure> {
    if let Some(source) = BaseSource::local(name) {
        return Ok(source);
    }
    if is_path(name) {
        return Ok(BaseSource::Local { path: name.into(), name: None });
    }
    Ok(BaseSource::Registry(reference(name)?))
}

fn is_path(name: &str) -> bool {
    let starts = ["/", "./", "../"].iter().any(|start| name.starts_with(start));
    let ends = Path::new(name).extension().is_some_and(|end| end == "oci" || end == "tar");
    starts || ends || Path::new(name).exists()
}

fn reference(name: &str) -> Result<Reference, Failure> {
    name.parse().map_err(|error: bake_formats::oci::ReferenceError| {
        let (what, reason) = ("image".to_owned(), error.to_string());
        Error::Input { what, reason }.into()
    })
}

/// What an image is built on, as far as that must be read.
struct OldBase<'w> {
    places: Vec<Place<'w>>,
    /// Whether the documents are needed, and not only layers.
    is_needed: bool,
}

impl<'w> OldBase<'w> {
    /// Finds the old base: as the user names it, else as the image does.
    fn of(from: Option<&str>, image: &Loaded<'_>, images: &'w dyn Images) -> Result<Self, Failure> {
        if let Some(name) = from {
            return Ok(Self { places: vec![Place::open(images, &named(name)?)?], is_needed: true });
        }
        let mut names = BTreeMap::new();
        let mut is_needed = false;
        for image in &image.images {
            let keys = &image.documents.manifest.annotations;
            let named = keys.get(BASE_NAME_KEY).and_then(|name| name.parse::<Reference>().ok());
            let digest = keys.get(BASE_DIGEST_KEY).and_then(|digest| digest.parse().ok());
            is_needed |= image.documents.built_on().map_err(unreadable)?.is_none();
            if let (Some(reference), Some(digest)) = (named, digest) {
                let reference = reference.with_digest(digest);
                names.insert(reference.to_string(), reference);
            }
        }
        let sources = names.into_values().map(BaseSource::Registry);
        let places = sources.map(|source| Place::open(images, &source));
        Ok(Self { places: places.collect::<Result<_, _>>()?, is_needed })
    }

    /// Reads the documents, if they are needed.
    fn load(&self) -> Result<Option<Loaded<'_>>, Failure> {
        let mut all: Option<Loaded<'_>> = None;
        for place in self.places.iter().filter(|_| self.is_needed) {
            let loaded = place.load()?;
            match &mut all {
                Some(all) => all.images.extend(loaded.images),
                None => all = Some(loaded),
            }
        }
        Ok(all)
    }

    fn layers(&self) -> Vec<&dyn LayerSource> {
        self.places.iter().map(|place| place as &dyn LayerSource).collect()
    }
}

fn unreadable(error: bake_formats::format::ReadError) -> Failure {
    let what = "cannot read the image".to_owned();
    Error::Image { what, source: Box::new(error), hint: None }.into()
}

/// Prints what would change.
fn report(comparison: &Comparison, printer: &Printer) -> Result<(), Failure> {
    for compared in &comparison.platforms {
        let Compared { platform, findings, guesses, .. } = compared;
        if printer.is_json() {
            printer.event("image", &json!({
                "platform": platform.to_string(),
                "base": compared.old_base,
                "new_base": compared.new_base,
                "digest": compared.old_image,
                "new_digest": compared.new_image(),
                "layers": { "base": compared.old_layers, "new_base": compared.new_layers, "own": compared.own_layers },
                "guesses": guesses,
            }))?;
            for finding in findings {
                let platform = platform.to_string();
                printer.event("finding", &json!({ "platform": platform, "finding": finding }))?;
            }
            continue;
        }
        print(compared, printer)?;
    }
    for note in &comparison.notes {
        printer.note(format_args!("note: {note}"));
    }
    if comparison.is_unchanged() {
        printer.note("the image is on this base already");
    }
    Ok(())
}

fn print(compared: &Compared, printer: &Printer) -> Result<(), Failure> {
    let Compared { platform, old_layers, new_layers, own_layers, .. } = compared;
    let name = compared.old_name.as_deref().unwrap_or("the old base");
    let digest = compared.old_base.map_or_else(|| "unknown".to_owned(), |found| found.to_string());
    printer.line(format_args!("{platform}"))?;
    printer.line(format_args!("  base   {digest} ({name}, {old_layers} layers)"))?;
    printer.line(format_args!("      -> {} ({new_layers} layers)", compared.new_base))?;
    printer
        .line(format_args!("  image  {} ({own_layers} layers of its own)", compared.old_image))?;
    printer.line(format_args!("      -> {}", compared.new_image()))?;
    for guess in &compared.guesses {
        printer.line(format_args!("  assumed: {guess}"))?;
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in &compared.findings {
        let count = counts.entry(finding.rule).or_default();
        *count += 1;
        if *count <= SHOWN {
            printer.line(format_args!("  {finding}"))?;
        }
        if *count == 1 && finding.severity > Severity::Info {
            printer.line(format_args!("    hint: {}", finding.hint))?;
        }
    }
    for (rule, count) in counts.into_iter().filter(|(_, count)| *count > SHOWN) {
        let more = count - SHOWN;
        printer.line(format_args!("  {more} more of [{rule}]; `--json` prints all"))?;
    }
    let count = |severity| {
        let of = |finding: &&Finding| finding.severity == severity;
        compared.findings.iter().filter(of).count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let notes = count(Severity::Info);
    printer.line(format_args!("  {errors} errors, {warnings} warnings, {notes} notes"))?;
    Ok(())
}
