//! What a scan found, and what it did not look into.

use std::sync::Arc;

use super::encoding::Encoding;
use super::names::{self, NameRule};
use super::needle::Origin;
use super::place::Place;
use super::rules::Rule;
use crate::lint::Severity;

/// Everything that was found in an artifact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// What was found, in the order of the artifact.
    pub findings: Vec<Finding>,
    /// What was not looked into, only at.
    pub unopened: Vec<Unopened>,
    /// How many bytes were looked at, after decompression.
    pub bytes: u64,
    /// How many streams they were in: files, and whatever was decompressed.
    pub streams: u64,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub what: What,
    /// Where: names, the outermost first; the first one is the artifact's.
    pub place: Vec<String>,
    /// Where in what the last name names, in bytes; `None` of a name.
    pub offset: Option<u64>,
    /// Whether the offset counts decompressed bytes.
    pub unpacked: bool,
    /// How often it is there.
    pub count: u64,
    /// What else is to be said of the place, e.g. `deleted by layer 3`.
    pub remark: Option<String>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A value of an environment.
    Value {
        /// Whose.
        origins: Vec<Origin>,
        /// In which form.
        encoding: Encoding,
    },
    /// A secret by its form; the severity is less where examples are.
    Secret {
        /// The rule.
        rule: &'static Rule,
        /// How bad it is at this place.
        severity: Severity,
    },
    /// A file that should not be there by its name.
    Name(NameRule),
}

impl What {
    /// Returns how bad it is.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Value { .. } => Severity::Error,
            Self::Secret { severity, .. } => *severity,
            Self::Name(_) => Severity::Warning,
        }
    }

    /// Returns the name of the rule.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Value { .. } => "environment-value",
            Self::Secret { rule, .. } => rule.id,
            Self::Name(rule) => rule.id,
        }
    }
}

/// Something that was looked at as plain bytes, or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unopened {
    /// Where, as of a finding.
    pub place: Vec<String>,
    /// Why.
    pub reason: String,
}

/// A place in a stream where something was found.
#[derive(Debug, Clone)]
pub(super) struct Hit {
    pub(super) what: HitKind,
    pub(super) place: Arc<Place>,
    /// From the start of what the place names; of a name 0.
    pub(super) offset: u64,
    pub(super) count: u64,
    /// Where in the stream, of the first few.
    pub(super) stream: Vec<u64>,
}

impl Hit {
    /// Returns what the path of a file says of it.
    pub(super) fn of_name(path: &str, place: &Arc<Place>) -> Option<Self> {
        let what = HitKind::Name(names::rule(path)?);
        Some(Self { what, place: place.clone(), offset: 0, count: 1, stream: Vec::new() })
    }
}

/// What was found, before it is known how it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum HitKind {
    Value(usize, Encoding),
    /// By the rule's name.
    Secret(&'static str),
    Name(NameRule),
}

/// What one pass found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) hits: Vec<Hit>,
    pub(super) unopened: Vec<(Arc<Place>, String)>,
    /// Files of layers that say that a file of a lower layer is gone.
    pub(super) whiteouts: Vec<Arc<Place>>,
    pub(super) bytes: u64,
    pub(super) streams: u64,
}

impl Found {
    /// Adds what another pass found.
    pub(super) fn add(&mut self, other: Self) {
        self.hits.extend(other.hits);
        self.unopened.extend(other.unopened);
        self.whiteouts.extend(other.whiteouts);
        self.bytes += other.bytes;
        self.streams += other.streams;
    }

    /// Notes that something was not looked into.
    pub(super) fn unopened(&mut self, place: &Arc<Place>, reason: impl Into<String>) {
        self.unopened.push((place.clone(), reason.into()));
    }
}
