//! Progress on a terminal: one bar with bytes and rate, nothing elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::report::Reporter;

/// Draws progress on stderr.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Returns a bar that is drawn only if `visible`.
    pub(super) fn new(visible: bool) -> Self {
        let bar = if visible { ProgressBar::no_length() } else { ProgressBar::hidden() };
        let template = "{spinner} {msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        if visible {
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        Self { bar }
    }

    /// Removes the bar.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Reporter for Progress {
    fn scanning(&self, files: usize, bytes: u64) {
        self.bar.reset();
        self.bar.set_message(format!("reading {files} files"));
        self.bar.set_length(bytes);
    }

    fn output_started(&self, name: &str, content: u64) {
        self.bar.reset();
        self.bar.set_message(name.to_owned());
        self.bar.set_length(content);
    }

    fn advanced(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    fn warning(&self, message: &str) {
        self.bar.println(format!("warning: {message}"));
    }

    fn healed(&self, path: &std::path::Path) {
        self.warning(&format!("`{}` was damaged in the store and is made again", path.display()));
    }
}
