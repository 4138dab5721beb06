//! What a package says about its history and its rights.

use bake_formats::format::Epoch;

use super::Maintainer;
use crate::error::Place;

/// One version of the package and what it changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The version as written in the entry, e.g. `1.4.0` or `1.4.0-2`.
    pub version: String,
    /// When it was released.
    pub date: Epoch,
    /// Who released it.
    pub author: Maintainer,
    /// Debian's distributions; `unstable` unless written.
    pub distribution: String,
    /// Debian's urgency; `medium` unless written.
    pub urgency: String,
    /// What changed, each text one item, in the order written; never empty.
    ///
    /// An item may have several lines, separated by newlines. From a Debian changelog, `[ Name ]`
    /// is an item of its own, and further lines keep their indentation relative to the first.
    pub items: Vec<String>,
}

/// Who holds the rights and under which licences (Debian's machine-readable copyright format 1.0).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copyright {
    /// `Upstream-Name`; the recipe's name unless written.
    pub upstream_name: String,
    /// `Upstream-Contact`.
    pub contact: Option<String>,
    /// `Source`; the recipe's `vcs` or `homepage` unless written.
    pub source: Option<String>,
    /// The rules, the one for all files (`*`) first.
    pub files: Vec<CopyrightRule>,
    /// The texts of licences by their short names.
    pub texts: Vec<LicenseText>,
    /// The place of the `[copyright]` table.
    pub place: Place,
}

/// The rights in some files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyrightRule {
    /// Patterns of paths; `*` is everything.
    pub patterns: Vec<String>,
    /// The holders, e.g. `2024-2026 Example Inc.`; never empty.
    pub holders: Vec<String>,
    /// The licence, an SPDX expression.
    pub license: String,
}

/// The text of one licence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LicenseText {
    /// The SPDX identifier that it is the text of.
    pub name: String,
    /// The file that holds it, relative to the recipe's folder or absolute.
    pub file: String,
    /// The place where it is named.
    pub place: Place,
}
