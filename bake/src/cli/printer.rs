//! All output of the program: data to stdout, everything for people to stderr.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use bake_recipes::Look;
use serde::Serialize;
use serde_json::{Value, json};

use super::failure::Failure;
use super::{ColorWhen, Exit, Global};

/// The version of the JSON Lines that `--json` prints.
const JSON_SCHEMA: u32 = 1;

/// Prints data and messages in the way the user asked for.
#[derive(Debug)]
pub(super) struct Printer {
    out: io::Stdout,
    json: bool,
    quiet: bool,
    look: Look,
    greeted: AtomicBool,
}

/// Prints notes for people, if they want any.
#[derive(Debug, Clone, Copy)]
pub(super) struct Notes {
    quiet: bool,
}

impl Notes {
    /// Prints a note.
    #[expect(clippy::print_stderr, reason = "this is the one place that prints for people")]
    pub(super) fn print(self, text: impl std::fmt::Display) {
        if !self.quiet {
            eprintln!("{text}");
        }
    }
}

impl Printer {
    pub(super) fn new(global: &Global) -> Self {
        let coloured = match global.color {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto => {
                io::stderr().is_terminal()
                    && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
            }
        };
        let look = if coloured { Look::Coloured } else { Look::Plain };
        Self {
            out: io::stdout(),
            json: global.json,
            quiet: global.quiet,
            look,
            greeted: false.into(),
        }
    }

    /// Returns whether data is to be JSON Lines.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Returns whether progress may be drawn.
    pub(super) fn may_draw(&self) -> bool {
        !self.quiet && !self.json && io::stderr().is_terminal()
    }

    /// Prints one line of data, which must hold no line feed of its own.
    pub(super) fn line(&self, text: impl std::fmt::Display) -> io::Result<()> {
        writeln!(self.out.lock(), "{text}")
    }

    /// Prints bytes of data as they are.
    pub(super) fn bytes(&self, bytes: &[u8]) -> io::Result<()> {
        self.out.lock().write_all(bytes)
    }

    /// Prints one JSON event; the first is preceded by the version of the schema.
    pub(super) fn event(&self, kind: &str, data: &impl Serialize) -> io::Result<()> {
        let mut out = self.out.lock();
        if !self.greeted.swap(true, Ordering::Relaxed) {
            let version = json!({ "schema": JSON_SCHEMA, "bake": env!("CARGO_PKG_VERSION") });
            writeln!(out, "{}", json!({ "type": "bake", "data": version }))?;
        }
        let data: Value = serde_json::to_value(data)?;
        writeln!(out, "{}", json!({ "type": kind, "data": data }))
    }

    /// Returns whether text for people is coloured.
    pub(super) fn look(&self) -> Look {
        self.look
    }

    /// Prints a note for people.
    pub(super) fn note(&self, text: impl std::fmt::Display) {
        self.notes().print(text);
    }

    /// Returns what prints notes, for those who outlive a borrow.
    pub(super) fn notes(&self) -> Notes {
        Notes { quiet: self.quiet }
    }

    /// Prints a failure and returns the exit code that goes with it.
    #[expect(clippy::print_stderr, reason = "this is the one place that prints for people")]
    pub(super) fn failure(&self, failure: &Failure) -> Exit {
        if matches!(failure, Failure::BrokenPipe) {
            return Exit::Done;
        }
        eprintln!("{}", failure.render(self.look));
        if self.json {
            let data = json!({ "message": failure.render(Look::Plain) });
            if self.event("error", &data).is_err() {
                return Exit::No;
            }
        }
        Exit::No
    }
}

/// Prints what clap has to say: help and version to stdout, usage errors to stderr.
pub(super) fn usage(error: &clap::Error) -> Exit {
    let wanted = !error.use_stderr();
    match error.print() {
        Ok(()) if wanted => Exit::Done,
        Err(_) if wanted => Exit::Done,
        _ => Exit::Usage,
    }
}
