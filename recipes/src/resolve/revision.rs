//! Where the sources are and which of them were built: `vcs` and `revision`.

use super::{Resolver, git};
use crate::suggestion;
use crate::written::{At, RevisionSource, TextOr, VcsSource};

/// The longest revision, in bytes.
const MAX_REVISION: usize = 200;

impl Resolver<'_> {
    pub(super) fn vcs(&self, at: &At<TextOr<VcsSource>>) -> Option<String> {
        match &at.value {
            TextOr::Text(text) => {
                let at = At { value: text.clone(), span: at.span.clone() };
                let text = self.line(&at, "vcs")?;
                if is_address(&text) {
                    return Some(text);
                }
                let message = format!("`{text}` is not the address of a repository");
                self.advise(&at, message, "e.g. `https://example.com/catalog.git`");
                None
            }
            TextOr::Table(VcsSource { from }) => {
                let address = self.said_by_git(from, git::origin)?;
                if is_address(&address) && !address.contains(char::is_control) {
                    return Some(address);
                }
                let message =
                    format!("the remote `origin` is `{}`, not an address", address.escape_debug());
                self.advise(from, message, "write the address that others know it by");
                None
            }
        }
    }

    pub(super) fn revision(&self, at: &At<TextOr<RevisionSource>>) -> Option<String> {
        match &at.value {
            TextOr::Text(text) => self.revision_text(at, text),
            TextOr::Table(RevisionSource { from: Some(from), env: None }) => {
                self.said_by_git(from, git::head)
            }
            TextOr::Table(RevisionSource { from: None, env: Some(env) }) => {
                let text = self.build_variable(env, "$(git rev-parse HEAD)", "revision")?;
                self.revision_text(env, &text)
            }
            TextOr::Table(_) => {
                self.fault(at, "expected either `from` or `env`");
                None
            }
        }
    }

    fn revision_text<T>(&self, at: &At<T>, text: &str) -> Option<String> {
        let plain = text.chars().all(|c| !c.is_whitespace() && !c.is_control());
        if !text.is_empty() && text.len() <= MAX_REVISION && plain {
            return Some(text.to_owned());
        }
        let found: String = text.chars().take(MAX_REVISION).collect();
        let message = format!("`{}` is not a revision", found.escape_debug());
        let hint = format!("expected 1 to {MAX_REVISION} bytes without spaces, e.g. a commit");
        self.advise(at, message, hint);
        None
    }

    /// Returns what is read from the repository that the recipe is in.
    fn said_by_git(
        &self,
        at: &At<String>,
        read: fn(&std::path::Path) -> Result<String, String>,
    ) -> Option<String> {
        if at.value != "git" {
            let message = format!("unknown word `{}`", at.value.escape_debug());
            self.advise(at, message, suggestion::hint(&at.value, &["git"]));
            return None;
        }
        match read(self.cx.base) {
            Ok(text) => Some(text),
            Err(reason) => {
                self.fault(at, format!("git does not say it: {reason}"));
                None
            }
        }
    }
}

/// Returns whether text is an address that a repository can be cloned from.
fn is_address(text: &str) -> bool {
    let address = text.contains("://") || (text.contains('@') && text.contains(':'));
    address && !text.contains(' ')
}
