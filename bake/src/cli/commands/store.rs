//! `bake store`: look after the store.

use std::time::{Duration, SystemTime};

use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::request::StoreArgs;
use crate::store::Limits;

/// Look after the store.
#[derive(Debug, Args)]
pub(in crate::cli) struct StoreCommand {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the releases in the store
    Ls,
    /// Remove what was not used lately
    Gc(Gc),
    /// Read everything; remove what is damaged, so that it is made again
    Verify,
}

#[derive(Debug, Args)]
struct Gc {
    /// Forget results that were not used for so many days
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    older_than: u32,
    /// Keep at most so many MiB, of the most recently used
    #[arg(long, value_name = "MIB")]
    max_size: Option<u64>,
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
}

impl StoreCommand {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        match &self.verb {
            Verb::Ls => self.list(printer),
            Verb::Gc(gc) => self.collect(gc, printer),
            Verb::Verify => self.verify(printer),
        }
    }

    fn list(&self, printer: &Printer) -> Result<Exit, Failure> {
        for (name, manifest) in self.store.open()?.releases()? {
            if printer.is_json() {
                printer.event("release", &json!({ "name": name, "digest": manifest.digest }))?;
            } else {
                printer.line(format_args!("{} {name}", manifest.digest))?;
            }
        }
        Ok(Exit::Done)
    }

    fn collect(&self, gc: &Gc, printer: &Printer) -> Result<Exit, Failure> {
        #[expect(clippy::disallowed_methods, reason = "collection goes by when things were used")]
        let now = SystemTime::now();
        let collected = self.store.open()?.collect(&Limits {
            unused_for: Duration::from_secs(u64::from(gc.older_than) * 24 * 3600),
            max_size: gc.max_size.map(|mib| mib.saturating_mul(1 << 20)),
            now,
            dry_run: gc.dry_run,
        })?;
        if printer.is_json() {
            printer.event("collected", &collected)?;
        } else {
            let verb = if gc.dry_run { "would remove" } else { "removed" };
            printer.line(format_args!(
                "{verb} {} results and {} blobs of {} bytes; {} bytes stay",
                collected.actions, collected.blobs, collected.bytes, collected.kept_bytes
            ))?;
        }
        Ok(Exit::Done)
    }

    fn verify(&self, printer: &Printer) -> Result<Exit, Failure> {
        let damage = self.store.open()?.verify()?;
        for found in &damage {
            if printer.is_json() {
                printer.event("damage", found)?;
            } else {
                printer.line(format_args!("removed {}: {}", found.path, found.reason))?;
            }
        }
        Ok(if damage.is_empty() { Exit::Done } else { Exit::No })
    }
}
