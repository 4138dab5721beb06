//! Texts: one line, several lines, people, licences, addresses, modes.

use bake_formats::tree::Mode;

use super::Resolver;
use super::spdx;
use crate::resolved::Maintainer;
use crate::written::At;

/// The longest single-line text, in bytes.
const MAX_LINE: usize = 1000;

/// The longest multi-line text, in bytes.
const MAX_TEXT: usize = 64 * 1024;

impl Resolver<'_> {
    /// Returns one line of text, which is not empty and holds no control characters.
    pub(super) fn line(&self, at: &At<String>, key: &str) -> Option<String> {
        let text = at.value.trim();
        if text.is_empty() {
            self.fault(at, format!("`{key}` is empty"));
        } else if text.contains('\n') {
            self.fault(at, format!("`{key}` must be one line"));
        } else if let Some(bad) = text.chars().find(|c| c.is_control()) {
            self.fault(at, format!("`{key}` holds the control character `{}`", bad.escape_debug()));
        } else if text.len() > MAX_LINE {
            let found = text.len();
            self.fault(at, format!("`{key}` has {found} bytes, at most {MAX_LINE} are allowed"));
        } else {
            return Some(text.to_owned());
        }
        None
    }

    /// Returns lines of text without space at their ends.
    pub(super) fn paragraphs(&self, at: &At<String>, key: &str) -> Option<String> {
        let text = at.value.trim();
        if text.is_empty() {
            self.fault(at, format!("`{key}` is empty"));
        } else if let Some(bad) = text.chars().find(|c| c.is_control() && *c != '\n') {
            self.fault(at, format!("`{key}` holds the control character `{}`", bad.escape_debug()));
        } else if text.len() > MAX_TEXT {
            let found = text.len();
            self.fault(at, format!("`{key}` has {found} bytes, at most {MAX_TEXT} are allowed"));
        } else {
            let lines: Vec<_> = text.lines().map(str::trim_end).collect();
            return Some(lines.join("\n"));
        }
        None
    }

    pub(super) fn license(&self, at: &At<String>) -> Option<String> {
        let text = self.line(at, "license")?;
        match spdx::check(&text) {
            Ok(()) => Some(text),
            Err(reason) => {
                let message = format!("`{text}` is not an SPDX licence expression: {reason}");
                self.advise(at, message, "e.g. `Apache-2.0 OR MIT`, or `LicenseRef-Proprietary`");
                None
            }
        }
    }

    pub(super) fn maintainer(&self, at: &At<String>) -> Option<Maintainer> {
        let text = self.line(at, "maintainer")?;
        let parts = text.strip_suffix('>').and_then(|text| text.split_once('<'));
        let plain = |text: &str| !text.contains(['<', '>']);
        if let Some((name, mail)) = parts {
            let (name, mail) = (name.trim(), mail.trim());
            let address = mail.split_once('@').is_some_and(|(user, host)| {
                !user.is_empty() && !host.is_empty() && !host.contains('@')
            });
            let address = address && !mail.contains([' ', ',']);
            if !name.is_empty() && plain(name) && plain(mail) && address {
                return Some(Maintainer { name: name.into(), mail: mail.into() });
            }
        }
        let message = format!("expected a name and a mail address, found `{text}`");
        self.advise(at, message, "e.g. `Catalogue team <catalog@example.com>`");
        None
    }

    pub(super) fn homepage(&self, at: &At<String>) -> Option<String> {
        let text = self.line(at, "homepage")?;
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let host = host.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
        if host.is_some_and(|host| !host.is_empty()) && !text.contains([' ', '"', '<', '>']) {
            return Some(text);
        }
        self.advise(at, format!("`{text}` is not a web address"), "e.g. `https://example.com/`");
        None
    }

    pub(super) fn vcs(&self, at: &At<String>) -> Option<String> {
        let text = self.line(at, "vcs")?;
        let address = text.contains("://") || (text.contains('@') && text.contains(':'));
        if address && !text.contains(' ') {
            return Some(text);
        }
        let message = format!("`{text}` is not the address of a repository");
        self.advise(at, message, "e.g. `https://example.com/catalog.git`");
        None
    }

    /// Returns permission bits written as three or four octal digits.
    pub(super) fn mode(&self, at: &At<String>) -> Option<Mode> {
        let digits = at.value.as_str();
        let octal = digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
        if (3..=4).contains(&digits.len())
            && octal
            && let Ok(bits) = u32::from_str_radix(digits, 8)
        {
            return self.parsed(at, Mode::new(bits));
        }
        let message = format!(
            "`{}` is not a mode: expected three or four octal digits",
            digits.escape_debug()
        );
        self.advise(at, message, "e.g. \"0644\"");
        None
    }
}
