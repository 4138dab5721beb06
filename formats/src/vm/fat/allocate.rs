//! Which clusters hold what, and the table that says so.

use super::FIRST_CLUSTER;
use super::geometry::{Geometry, Need, Width};
use super::{ENTRY, boot::Boot};

/// Clusters that follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chain {
    /// The first; 0 if there are none.
    pub(super) first: u32,
    pub(super) clusters: u32,
}

/// What is where.
#[derive(Debug)]
pub(super) struct Allocation {
    /// The root directory, then what follows in the order of the need.
    pub(super) chains: Vec<Chain>,
    /// The first cluster that is free.
    pub(super) free: u32,
}

impl Allocation {
    /// Gives everything its clusters, one after another; the geometry has room for them.
    pub(super) fn of(geometry: &Geometry, need: &Need) -> Self {
        let root = match geometry.width {
            Width::Fat12 | Width::Fat16 => 0,
            // A root directory has a cluster, whether it has entries or not.
            Width::Fat32 => (need.root_entries * ENTRY as u64).max(1),
        };
        let mut free = FIRST_CLUSTER;
        let mut allocate = |len: u64| {
            let clusters = u32::try_from(len.div_ceil(geometry.cluster)).unwrap_or(u32::MAX);
            let first = if clusters == 0 { 0 } else { free };
            free = free.saturating_add(clusters);
            Chain { first, clusters }
        };
        let lengths = std::iter::once(root).chain(need.lengths.iter().copied());
        let chains = lengths.map(&mut allocate).collect();
        Self { chains, free }
    }

    /// Returns the table up to the last cluster that is used.
    pub(super) fn table(&self, boot: &Boot) -> Vec<u8> {
        let width = boot.geometry.width;
        let end = match width {
            Width::Fat12 => 0xfff,
            Width::Fat16 => 0xffff,
            Width::Fat32 => 0x0fff_ffff,
        };
        // The numbers of the two clusters that do not exist: the media, and that all is well.
        let own = [end & !0xff | u32::from(boot.media), end];
        let chained = self.chains.iter().flat_map(|chain| {
            let last = chain.clusters.saturating_sub(1);
            (0..chain.clusters).map(move |at| if at == last { end } else { chain.first + at + 1 })
        });
        pack(width, own.into_iter().chain(chained))
    }
}

/// Returns numbers as they are stored: of 12 bits two in three bytes, from the low bits up.
fn pack(width: Width, numbers: impl Iterator<Item = u32>) -> Vec<u8> {
    let mut bytes = Vec::new();
    match width {
        Width::Fat12 => {
            let mut even = true;
            for number in numbers {
                let [low, high, ..] = number.to_le_bytes();
                match bytes.last_mut() {
                    Some(last) if !even => {
                        *last |= low << 4;
                        bytes.push(low >> 4 | high << 4);
                    }
                    _ => bytes.extend([low, high]),
                }
                even = !even;
            }
        }
        Width::Fat16 => bytes.extend(numbers.flat_map(|number| {
            let [low, high, ..] = number.to_le_bytes();
            [low, high]
        })),
        Width::Fat32 => bytes.extend(numbers.flat_map(u32::to_le_bytes)),
    }
    bytes
}
