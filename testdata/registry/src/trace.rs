//! What a client asked, in order, and what must hold of that.

use std::collections::BTreeMap;
use std::fmt;

use bake_formats::digest::Digest;

use crate::http::Headers;
use crate::kind::Kind;
use crate::rule::Rule;

/// Which of the two hosts was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// The registry.
    Registry,
    /// Where it sends clients for uploads and blobs, as registries do that keep them with others.
    Other,
}

/// The two hosts, as the beginnings of URLs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hosts {
    pub(crate) registry: String,
    pub(crate) other: String,
}

/// One request and what became of it.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Counts from 1, in the order in which requests were read.
    pub order: usize,
    /// The connection, counted from 1.
    pub connection: usize,
    /// Who was asked.
    pub host: Host,
    /// What for.
    pub kind: Kind,
    /// The method.
    pub method: String,
    /// The path, as sent.
    pub path: String,
    /// What followed `?`, as sent.
    pub query: String,
    /// The request's headers.
    pub headers: Headers,
    /// How many bytes of the body the registry took.
    pub received: u64,
    /// How many bytes of the body were sent in vain: the request was refused or cut off.
    pub discarded: u64,
    /// The upload that the body belonged to.
    pub upload: Option<String>,
    /// The blob that is there since then, and its length.
    pub stored: Option<(Digest, u64)>,
    /// The status answered; 0 if the connection was cut instead, or lost.
    pub status: u16,
    /// How many bytes of body were answered.
    pub sent: u64,
}

impl Exchange {
    /// Returns the `Range` or `Content-Range` that was sent.
    pub fn range(&self) -> Option<&str> {
        self.headers.first("Range").or_else(|| self.headers.first("Content-Range"))
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { order, connection, method, path, query, status, .. } = self;
        let host = match self.host {
            Host::Registry => "",
            Host::Other => " (other host)",
        };
        let mark = if query.is_empty() { "" } else { "?" };
        write!(f, "{order:3} c{connection}{host} {method} {path}{mark}{query}")?;
        if let Some(range) = self.range() {
            write!(f, " [{range}]")?;
        }
        if self.headers.first("Authorization").is_some() {
            write!(f, " +credential")?;
        }
        write!(f, " <{}", self.received)?;
        if self.discarded > 0 {
            write!(f, " ({} in vain)", self.discarded)?;
        }
        match status {
            0 => write!(f, " cut"),
            status => write!(f, " → {status} >{}", self.sent),
        }
    }
}

/// Everything that was asked so far, and the uploads that are open.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// The exchanges, in order.
    pub exchanges: Vec<Exchange>,
    /// The repositories of uploads that were begun and neither ended nor given up, by their names.
    pub open: BTreeMap<String, String>,
    /// The rules, and to how many requests each made a difference.
    pub met: Vec<(Rule, usize)>,
}

/// What must hold of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Property {
    /// Every byte that was sent for a blob is in a blob, once.
    NoByteTwice,
    /// At most so many bytes were sent for blobs in vain or again.
    WasteAtMost(u64),
    /// Every upload begun was ended or given up.
    NoOpenUpload,
    /// Only the registry itself was sent credentials.
    NoCredentialElsewhere,
    /// The registry was asked at most so often, requests for tokens not counted.
    Requests(usize),
    /// A kind of request was made at most so often.
    AtMost(Kind, usize),
    /// A kind of request was made at least so often.
    AtLeast(Kind, usize),
    /// At most so many bytes were sent for blobs.
    Uploaded(u64),
    /// The rule of this number, counted from 0, made a difference as often as it says.
    Met(usize),
    /// No blob arrived after the first manifest that the registry took. (That an index comes after
    /// its manifests the registry itself sees to.)
    ManifestsLast,
}

/// A property that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What should hold.
    pub property: Property,
    /// What was found instead.
    pub found: String,
    /// The whole trace, one line for each exchange.
    pub trace: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} does not hold: {}\n{}", self.property, self.found, self.trace)
    }
}

impl std::error::Error for Violation {}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for exchange in &self.exchanges {
            writeln!(f, "{exchange}")?;
        }
        for (upload, repository) in &self.open {
            writeln!(f, "    open: upload {upload} of {repository}")?;
        }
        Ok(())
    }
}

impl Trace {
    /// Returns the exchanges of one kind.
    pub fn of(&self, kind: Kind) -> Vec<&Exchange> {
        self.exchanges.iter().filter(|exchange| exchange.kind == kind).collect()
    }

    /// Returns how often each kind of request was made.
    pub fn kinds(&self) -> BTreeMap<Kind, usize> {
        let mut kinds = BTreeMap::new();
        for exchange in &self.exchanges {
            *kinds.entry(exchange.kind).or_default() += 1;
        }
        kinds
    }

    /// Returns how often the registry was asked, requests for tokens not counted.
    pub fn requests(&self) -> usize {
        self.exchanges.iter().filter(|exchange| exchange.kind != Kind::Token).count()
    }

    /// Returns how many bytes were sent for blobs, in vain or not.
    pub fn uploaded(&self) -> u64 {
        let bodies = self.exchanges.iter().filter(|exchange| {
            matches!(exchange.kind, Kind::UploadWhole | Kind::UploadPatch | Kind::UploadPut)
        });
        bodies.map(|exchange| exchange.received + exchange.discarded).sum()
    }

    /// Returns how many of the bytes sent for blobs are in no blob, or in one that was there.
    pub fn wasted(&self) -> u64 {
        let stored: BTreeMap<Digest, u64> =
            self.exchanges.iter().filter_map(|exchange| exchange.stored).collect();
        self.uploaded().saturating_sub(stored.values().sum())
    }

    /// Checks several properties; the first that does not hold is the error.
    pub fn check(&self, properties: &[Property]) -> Result<(), Violation> {
        for property in properties {
            if let Err(found) = self.holds(property) {
                let (property, trace) = (property.clone(), self.to_string());
                return Err(Violation { property, found, trace });
            }
        }
        Ok(())
    }

    /// Returns whether one property holds; the error says what was found instead.
    fn holds(&self, property: &Property) -> Result<(), String> {
        match property {
            Property::NoByteTwice => at_most("bytes in vain or again", self.wasted(), 0),
            Property::WasteAtMost(most) => at_most("bytes in vain or again", self.wasted(), *most),
            Property::NoOpenUpload => at_most("open uploads", self.open.len() as u64, 0),
            Property::NoCredentialElsewhere => {
                let told = self.exchanges.iter().find(|exchange| {
                    exchange.host == Host::Other
                        && exchange.headers.first("Authorization").is_some()
                });
                told.map_or(Ok(()), |told| Err(format!("the other host was told in {told}")))
            }
            Property::Requests(most) => at_most("requests", self.requests() as u64, *most as u64),
            Property::AtMost(kind, most) => {
                at_most(&format!("{kind}"), self.of(*kind).len() as u64, *most as u64)
            }
            Property::AtLeast(kind, least) => {
                let found = self.of(*kind).len();
                if found < *least { Err(format!("{found} {kind}")) } else { Ok(()) }
            }
            Property::Uploaded(most) => at_most("bytes of blobs", self.uploaded(), *most),
            Property::Met(rule) => match self.met.get(*rule) {
                Some((rule, met)) if *met < rule.when.least() => {
                    Err(format!("{:?} was met {met} times", rule.then))
                }
                Some(_) => Ok(()),
                None => Err(format!("there are {} rules", self.met.len())),
            },
            Property::ManifestsLast => self.manifests_last(),
        }
    }

    fn manifests_last(&self) -> Result<(), String> {
        let good = |exchange: &&Exchange| (200..300).contains(&exchange.status);
        let mut good = self.exchanges.iter().filter(good);
        good.by_ref().find(|exchange| exchange.kind == Kind::ManifestPut);
        match good.find(|exchange| exchange.stored.is_some()) {
            Some(late) => Err(format!("a blob came after a manifest: {late}")),
            None => Ok(()),
        }
    }
}

fn at_most(what: &str, found: u64, most: u64) -> Result<(), String> {
    if found > most { Err(format!("{found} {what}")) } else { Ok(()) }
}
