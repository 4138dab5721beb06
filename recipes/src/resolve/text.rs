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

    pub(super) fn person(&self, at: &At<String>, key: &str) -> Option<Maintainer> {
        let text = self.line(at, key)?;
        let person = Maintainer::parse(&text);
        if person.is_none() {
            let message = format!("expected a name and a mail address, found `{text}`");
            self.advise(at, message, "e.g. `Catalogue team <catalog@example.com>`");
        }
        person
    }

    /// Returns lines of which each is not empty.
    pub(super) fn lines(&self, at: &At<Vec<At<String>>>, key: &str) -> Option<Vec<String>> {
        if at.value.is_empty() {
            self.fault(at, format!("`{key}` is empty"));
            return None;
        }
        let lines: Vec<_> = at.value.iter().map(|at| self.line(at, key)).collect();
        lines.into_iter().collect()
    }

    /// Returns a locale's name without its character set, e.g. `de`, `pt_BR` or `sr@latin`.
    pub(super) fn language(&self, at: &At<String>) -> Option<String> {
        let (locale, modifier) = at.value.split_once('@').unwrap_or((&at.value, "x"));
        let (language, territory) = locale.split_once('_').unwrap_or((locale, "XX"));
        let all = |text: &str, allowed: fn(&u8) -> bool, len: std::ops::RangeInclusive<usize>| {
            len.contains(&text.len()) && text.as_bytes().iter().all(allowed)
        };
        if all(language, u8::is_ascii_lowercase, 2..=3)
            && (all(territory, u8::is_ascii_uppercase, 2..=2)
                || all(territory, u8::is_ascii_digit, 3..=3))
            && all(modifier, u8::is_ascii_alphanumeric, 1..=16)
        {
            return Some(at.value.clone());
        }
        let message = format!("`{}` is not a language", at.value.escape_debug());
        self.advise(at, message, "e.g. `de`, `pt_BR` or `sr@latin`");
        None
    }

    /// Returns where faults are reported.
    pub(super) fn bugs(&self, at: &At<String>, key: &str, example: &str) -> Option<String> {
        let text = self.line(at, key)?;
        let parts = text.split_once("://").or_else(|| {
            text.split_once("mailto:").filter(|(a, _)| a.is_empty()).map(|(_, b)| ("mailto", b))
        });
        if parts.is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty())
            && !text.contains([' ', '"', '<', '>'])
        {
            return Some(text);
        }
        self.advise(at, format!("`{text}` is not an address"), format!("e.g. `{example}`"));
        None
    }

    /// Returns an `http` or `https` address.
    pub(super) fn web_address(&self, at: &At<String>, key: &str) -> Option<String> {
        let text = self.line(at, key)?;
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let host = host.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
        if host.is_some_and(|host| !host.is_empty()) && !text.contains([' ', '"', '<', '>']) {
            return Some(text);
        }
        self.advise(at, format!("`{text}` is not a web address"), "e.g. `https://example.com/`");
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
