//! Progress on a terminal: one bar with bytes and rate, nothing elsewhere.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bake_formats::digest::Digest;
use indicatif::{ProgressBar, ProgressStyle};

use super::printer::Printer;
use crate::registry;
use crate::report::Reporter;
use crate::timings::Timings;

/// Draws progress on stderr, and prints warnings whether or not it is drawn.
#[derive(Debug)]
pub(super) struct Progress<'a> {
    bar: ProgressBar,
    printer: &'a Printer,
    timings: Option<&'a Timings>,
    /// Whether the bar is of the source, or of nothing yet.
    is_scanning: AtomicBool,
}

impl<'a> Progress<'a> {
    /// Returns a bar that is drawn only where the printer may draw.
    pub(super) fn new(printer: &'a Printer) -> Self {
        let visible = printer.may_draw();
        let bar = if visible { ProgressBar::no_length() } else { ProgressBar::hidden() };
        let template = "{spinner} {msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        if visible {
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        Self { bar, printer, timings: None, is_scanning: AtomicBool::new(true) }
    }

    /// Lets a bake note where its time goes.
    pub(super) fn timed(self, timings: Option<&'a Timings>) -> Self {
        Self { timings, ..self }
    }

    /// Prints something while the bar is not there.
    pub(super) fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// Shows that bytes go over the wire: so many, or an unknown number if 0.
    pub(super) fn transfer(&self, what: &'static str, bytes: u64) {
        self.bar.reset();
        self.bar.set_message(what);
        if bytes > 0 {
            self.bar.set_length(bytes);
        }
    }

    /// Removes the bar.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Reporter for Progress<'_> {
    fn timings(&self) -> Option<&Timings> {
        self.timings
    }

    fn scanning(&self, files: usize, bytes: u64) {
        self.is_scanning.store(true, Ordering::Relaxed);
        self.bar.reset();
        self.bar.set_message(format!("reading {files} files"));
        self.bar.set_length(bytes);
    }

    fn output_started(&self, name: &str, content: u64) {
        // Several are made at once; the bar shows all that were begun.
        if self.is_scanning.swap(false, Ordering::Relaxed) {
            self.bar.reset();
            self.bar.set_length(0);
        }
        self.bar.set_message(name.to_owned());
        self.bar.inc_length(content);
    }

    fn advanced(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    fn healed(&self, blob: &Digest) {
        let text = format!("warning: blob {blob} in the store was damaged and is made again");
        self.bar.suspend(|| self.printer.note(text));
    }
}

impl registry::Progress for Progress<'_> {
    fn advanced(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    fn set_back(&self, bytes: u64) {
        self.bar.dec(bytes);
    }
}
