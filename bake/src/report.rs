//! What a bake tells those who watch it. Libraries never print; they report here.

use bake_formats::digest::Digest;

use crate::timings::Timings;

/// Watches a bake. Every method has a default that does nothing.
pub trait Reporter: Sync {
    /// The source is being read: so many files, of which so many bytes must be hashed.
    fn scanning(&self, _files: usize, _bytes: u64) {}

    /// An output is being made from this many bytes of content.
    fn output_started(&self, _name: &str, _content: u64) {}

    /// More bytes of content were read.
    fn advanced(&self, _bytes: u64) {}

    /// Where the time goes, if anybody wants to know.
    fn timings(&self) -> Option<&Timings> {
        None
    }

    /// A damaged blob was found and will be made again.
    fn healed(&self, _blob: &Digest) {}
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Reporter for Silent {}
