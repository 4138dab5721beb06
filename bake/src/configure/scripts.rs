//! What packages of configuration do when they come and go, in words of the shell.
//!
//! Before files are exchanged, what comes is compared with what is there: a new version of the same files restarts
//! nothing, and one that undoes a local edit does. What was found is noted below `/run` until the files are there.

use std::fmt::Write as _;

use bake_config::schema::Reload;
use bake_formats::digest::Digest;

use super::install::Install;
use super::request::Request;

/// What of the scripts both formats share.
pub(super) struct Scripts {
    /// Notes whether the files that come are there already.
    pub(super) compare: String,
    /// The note.
    pub(super) note: String,
    /// The unit, as a word.
    pub(super) unit: String,
    /// The drop-in's path, as a word.
    pub(super) drop_in: String,
    /// What a running service is told when its configuration changed, in words of systemctl.
    pub(super) verb: Option<&'static str>,
}

impl Scripts {
    pub(super) fn of(request: &Request<'_>, install: &Install) -> Self {
        let note = quote(&format!("/run/bake-{}.unchanged", request.capability()));
        let mut sums = String::new();
        for file in &install.open {
            let sum = Digest::of(&file.contents).hex();
            let written = writeln!(sums, "{sum}  /{}", file.path);
            debug_assert!(written.is_ok(), "writing to a string cannot fail");
        }
        let compare = format!(
            "rm -f {note}\n\
             if [ -d /run/systemd/system ] && sha256sum --status --check - 2>/dev/null <<'BAKE_FILES'\n\
             {sums}BAKE_FILES\n\
             then\n\
             \t: >{note}\n\
             fi\n"
        );
        Self {
            compare,
            note,
            unit: quote(&install.unit),
            drop_in: quote(&install.drop_in()),
            verb: match install.reload {
                Reload::Restart => Some("try-restart"),
                Reload::Reload => Some("try-reload-or-restart"),
                Reload::None => None,
            },
        }
    }
}

/// Returns a word that the shell takes as it is.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}
