//! Following chains of clusters through the table of a volume that others wrote.

use std::io;

use super::boot::Boot;
use super::geometry::Width;
use crate::input::ReadAt;

/// How much of a table is kept.
const WINDOW: usize = 4096;
/// The most bytes that an entry of a table takes.
const NUMBER: usize = 4;

/// Clusters that follow one another on the volume, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) place: u64,
    pub(super) len: u64,
}

/// What a table says of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    Next(u32),
    End,
    Free,
    Bad,
}

/// Why a chain cannot be followed.
#[derive(Debug)]
pub(super) enum Broken {
    /// It is not a chain: a phrase that says why.
    Chain(String),
    /// The table could not be read.
    Io(io::Error),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// How long a chain should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// At least this many bytes, of which no more are returned.
    AtLeast(u64),
    /// This many bytes and nothing more than a cluster asks for.
    Exactly(u64),
    /// As long as it is, but no longer than this many bytes.
    AtMost(u64),
}

/// The first table of a volume, and which clusters were met in it.
pub(super) struct Chains<'a> {
    input: &'a dyn ReadAt,
    boot: &'a Boot,
    /// A bit for each cluster that was met: a second chain may not go on with it.
    met: Vec<u64>,
    window: Vec<u8>,
    window_at: u64,
}

impl<'a> Chains<'a> {
    /// Starts with no cluster met; takes a bit for each cluster of the volume.
    pub(super) fn new(input: &'a dyn ReadAt, boot: &'a Boot) -> Self {
        let words = (boot.geometry.clusters + 2).div_ceil(64);
        let met = vec![0; usize::try_from(words).unwrap_or(usize::MAX)];
        Self { input, boot, met, window: Vec::new(), window_at: 0 }
    }

    /// Returns whether a chain went through a cluster.
    pub(super) fn has_met(&self, cluster: u32) -> bool {
        let word = usize::try_from(cluster / 64).ok().and_then(|word| self.met.get(word));
        word.is_some_and(|word| word >> (cluster % 64) & 1 == 1)
    }

    fn meet(&mut self, cluster: u32) {
        let word = usize::try_from(cluster / 64).ok().and_then(|word| self.met.get_mut(word));
        if let Some(word) = word {
            *word |= 1 << (cluster % 64);
        }
    }

    /// Returns what the table says of a cluster of the volume.
    pub(super) fn link(&mut self, cluster: u32) -> io::Result<Link> {
        let number = self.number(cluster)?;
        let bad = match self.boot.geometry.width {
            Width::Fat12 => 0xff7,
            Width::Fat16 => 0xfff7,
            Width::Fat32 => 0x0fff_fff7,
        };
        Ok(match number {
            0 => Link::Free,
            number if number == bad => Link::Bad,
            number if number > bad => Link::End,
            number => Link::Next(number),
        })
    }

    /// Returns the bits that the table has for a number.
    pub(super) fn number(&mut self, cluster: u32) -> io::Result<u32> {
        let width = self.boot.geometry.width;
        let bit = u64::from(cluster) * width.bits();
        let bytes = self.table_bytes(bit / 8)?;
        let number = u32::from_le_bytes(bytes);
        Ok(match width {
            Width::Fat12 => number >> (bit % 8) & 0xfff,
            Width::Fat16 => number & 0xffff,
            Width::Fat32 => number & 0x0fff_ffff,
        })
    }

    /// Returns bytes of the table, zeros behind its end.
    fn table_bytes(&mut self, at: u64) -> io::Result<[u8; NUMBER]> {
        let within = at.checked_sub(self.window_at).and_then(|at| usize::try_from(at).ok());
        let there = |window: &[u8]| window.get(within?..)?.first_chunk().copied();
        if let Some(bytes) = there(&self.window) {
            return Ok(bytes);
        }
        let geometry = &self.boot.geometry;
        let len = geometry.table_sectors * geometry.sector;
        let left = usize::try_from(len.saturating_sub(at)).unwrap_or(usize::MAX);
        self.window.clear();
        self.window.resize(left.min(WINDOW), 0);
        self.input.read_exact_at(geometry.table(0) + at, &mut self.window)?;
        if left <= WINDOW {
            self.window.resize(left + NUMBER, 0);
        }
        self.window_at = at;
        Ok(self.window.first_chunk().copied().unwrap_or_default())
    }

    /// Follows a chain to its end.
    pub(super) fn follow(&mut self, first: u32, expected: Expected) -> Result<Vec<Run>, Broken> {
        let geometry = self.boot.geometry;
        let (least, most) = match expected {
            Expected::AtLeast(len) => (len, u64::MAX),
            Expected::Exactly(len) => (len, len.next_multiple_of(geometry.cluster)),
            Expected::AtMost(len) => (1, len),
        };
        let fail = |reason: String| Err(Broken::Chain(reason));
        let (mut runs, mut len): (Vec<Run>, u64) = (Vec::new(), 0);
        let mut cluster = first;
        if first == 0 {
            return if least == 0 { Ok(runs) } else { fail("it has no clusters".into()) };
        }
        loop {
            if len >= most {
                return fail(format!("it goes on behind the {most} bytes that it should have"));
            }
            if !geometry.has(cluster) {
                return fail(format!("it goes on with cluster {cluster}, which there is not"));
            }
            if self.has_met(cluster) {
                return fail(format!("it goes on with cluster {cluster}, which is taken"));
            }
            self.meet(cluster);
            let place = geometry.place(cluster);
            match runs.last_mut() {
                Some(last) if last.place + last.len == place => last.len += geometry.cluster,
                _ => runs.push(Run { place, len: geometry.cluster }),
            }
            len += geometry.cluster;
            match self.link(cluster)? {
                Link::Next(next) => cluster = next,
                Link::End => break,
                Link::Free => return fail(format!("it leads to cluster {cluster}, which is free")),
                Link::Bad => return fail(format!("it leads to cluster {cluster}, which is bad")),
            }
            if matches!(expected, Expected::AtLeast(least) if len >= least) {
                break;
            }
        }
        if len < least {
            return fail(format!("it ends after {len} bytes of {least}"));
        }
        Ok(runs)
    }
}
