//! Where everything in a volume is: the width of its tables, the size of its clusters, how many.

use std::ops::RangeInclusive;

use super::model::{Kind, Volume};
use super::{ENTRY, FIRST_CLUSTER, SECTOR};
use crate::format::WriteError;

/// The clusters that all systems read, in bytes, the larger ones first.
const CLUSTERS: [u64; 7] = [32_768, 16_384, 8192, 4096, 2048, 1024, 512];
/// What the clusters of a volume start at a multiple of: blocks of other file systems.
const ALIGNMENT: u64 = 4096 / SECTOR;
/// The entries of a root directory with a place of its own, unless it needs more.
const ROOT_ENTRIES: u64 = 512;
/// The most sectors of a volume.
const SECTORS_MAX: u64 = u32::MAX as u64;

/// How wide the entries of the tables are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    Fat12,
    Fat16,
    Fat32,
}

impl Width {
    /// Returns the bits of a table's entry.
    pub(super) fn bits(self) -> u64 {
        match self {
            Self::Fat12 => 12,
            Self::Fat16 => 16,
            Self::Fat32 => 32,
        }
    }

    /// Returns the width that a number of clusters asks for (version 1.03, "FAT Type
    /// Determination").
    pub(super) fn of_clusters(clusters: u64) -> Self {
        match clusters {
            0..4085 => Self::Fat12,
            4085..65_525 => Self::Fat16,
            _ => Self::Fat32,
        }
    }

    /// Returns how many clusters a volume may have: 16 away from what divides the widths, because
    /// not all systems divide there.
    fn clusters(self) -> RangeInclusive<u64> {
        match self {
            Self::Fat12 => 1..=4084 - 16,
            Self::Fat16 => 4085 + 16..=65_524 - 16,
            Self::Fat32 => 65_525 + 16..=0x0fff_fff5 - 16,
        }
    }

    /// Returns the sectors before the tables.
    fn reserved(self) -> u64 {
        match self {
            Self::Fat12 | Self::Fat16 => 1,
            Self::Fat32 => 32,
        }
    }
}

/// What a tree takes: of the root directory its entries, of the rest lengths in bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct Need {
    /// The entries of the root directory.
    pub(super) root_entries: u64,
    /// The lengths of everything else, directories and files.
    pub(super) lengths: Vec<u64>,
}

impl Need {
    fn clusters(&self, width: Width, cluster: u64) -> u64 {
        let root = match width {
            Width::Fat12 | Width::Fat16 => 0,
            Width::Fat32 => (self.root_entries * ENTRY as u64).div_ceil(cluster).max(1),
        };
        self.lengths.iter().map(|len| len.div_ceil(cluster)).fold(root, u64::saturating_add)
    }
}

/// Where everything in a volume is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Geometry {
    pub(super) width: Width,
    /// The length of a sector in bytes.
    pub(super) sector: u64,
    /// The length of a cluster in bytes.
    pub(super) cluster: u64,
    /// The sectors before the tables.
    pub(super) reserved: u64,
    pub(super) tables: u64,
    pub(super) table_sectors: u64,
    /// The entries of the root directory, if it has a place of its own.
    pub(super) root_entries: u64,
    pub(super) clusters: u64,
    pub(super) sectors: u64,
}

impl Geometry {
    /// Chooses the geometry of a volume and returns it with the length of the whole volume, which
    /// may be longer than what the geometry covers.
    pub(super) fn choose(volume: &Volume<'_>, need: &Need) -> Result<(Self, u64), WriteError> {
        let format = volume.format;
        let least = Self::least(volume, need)?;
        let size = volume.size.unwrap_or(least.next_multiple_of(1 << 20));
        if !size.is_multiple_of(SECTOR) {
            let reason = format!("expected a multiple of 512 bytes, found {size}");
            return Err(WriteError::Field { format, field: "size".into(), reason });
        }
        if size < least {
            let reason = format!("expected at least {least} bytes for what it holds, found {size}");
            return Err(WriteError::Field { format, field: "size".into(), reason });
        }
        let sectors = (size / SECTOR).min(SECTORS_MAX);
        let fitting = candidates(volume.kind, size)
            .into_iter()
            .filter_map(|(width, cluster)| Self::fit(width, cluster, sectors, need));
        // The first that reaches to the end, else the one that reaches furthest.
        let mut best: Option<Self> = None;
        for geometry in fitting {
            if geometry.clusters < *geometry.width.clusters().end() {
                return Ok((geometry, size));
            }
            if best.is_none_or(|best| geometry.capacity() > best.capacity()) {
                best = Some(geometry);
            }
        }
        best.map(|geometry| (geometry, size)).ok_or_else(|| too_large(format, size))
    }

    /// Returns the length of the shortest volume for a tree.
    pub(super) fn least(volume: &Volume<'_>, need: &Need) -> Result<u64, WriteError> {
        candidates(volume.kind, 0)
            .into_iter()
            .filter_map(|(width, cluster)| {
                let clusters = need.clusters(width, cluster).max(*width.clusters().start());
                let fits = width.clusters().contains(&clusters);
                fits.then(|| Self::new(width, cluster, clusters, need).sectors)
            })
            .min()
            .filter(|sectors| *sectors <= SECTORS_MAX)
            .map(|sectors| sectors * SECTOR)
            .ok_or_else(|| {
                let total = need.lengths.iter().fold(0, |sum: u64, len| sum.saturating_add(*len));
                too_large(volume.format, total)
            })
    }

    /// Returns the geometry with as many clusters as fit, if the tree does.
    fn fit(width: Width, cluster: u64, sectors: u64, need: &Need) -> Option<Self> {
        let (mut low, mut high) = width.clusters().into_inner();
        low = low.max(need.clusters(width, cluster));
        let fits = |clusters| Self::new(width, cluster, clusters, need).sectors <= sectors;
        if low > high || !fits(low) {
            return None;
        }
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if fits(middle) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Some(Self::new(width, cluster, low, need))
    }

    fn new(width: Width, cluster: u64, clusters: u64, need: &Need) -> Self {
        let bits = (clusters + u64::from(FIRST_CLUSTER)) * width.bits();
        let table_sectors = bits.div_ceil(8 * SECTOR);
        let per_sector = SECTOR / ENTRY as u64;
        let root_entries = match width {
            Width::Fat12 | Width::Fat16 => {
                need.root_entries.max(ROOT_ENTRIES).next_multiple_of(per_sector)
            }
            Width::Fat32 => 0,
        };
        let before = width.reserved() + 2 * table_sectors + root_entries / per_sector;
        let data = before.next_multiple_of(ALIGNMENT);
        Self {
            width,
            sector: SECTOR,
            cluster,
            reserved: width.reserved() + data - before,
            tables: 2,
            table_sectors,
            root_entries,
            clusters,
            sectors: data + clusters * (cluster / SECTOR),
        }
    }

    fn capacity(&self) -> u64 {
        self.clusters * self.cluster
    }

    /// Returns where a table starts.
    pub(super) fn table(&self, number: u64) -> u64 {
        (self.reserved + number * self.table_sectors) * self.sector
    }

    /// Returns where the root directory starts, if it has a place of its own.
    pub(super) fn root(&self) -> u64 {
        self.table(self.tables)
    }

    /// Returns where the clusters start.
    pub(super) fn data(&self) -> u64 {
        let root = (self.root_entries * ENTRY as u64).next_multiple_of(self.sector);
        self.root() + root
    }

    /// Returns where a cluster starts.
    pub(super) fn place(&self, cluster: u32) -> u64 {
        self.data() + u64::from(cluster.saturating_sub(FIRST_CLUSTER)) * self.cluster
    }

    /// Returns whether a number is that of a cluster.
    pub(super) fn has(&self, cluster: u32) -> bool {
        (u64::from(FIRST_CLUSTER)..self.clusters + u64::from(FIRST_CLUSTER))
            .contains(&u64::from(cluster))
    }
}

/// Returns widths with sizes of clusters, the ones to be preferred in a volume of this size first.
fn candidates(kind: Kind, size: u64) -> Vec<(Width, u64)> {
    let widths: &[Width] = match kind {
        Kind::Fat32 => &[Width::Fat32],
        Kind::Smallest => &[Width::Fat12, Width::Fat16, Width::Fat32],
    };
    let preferred = match size >> 30 {
        0..8 => 4096,
        8..16 => 8192,
        16..32 => 16_384,
        _ => 32_768,
    };
    let (larger, usual): (Vec<u64>, Vec<u64>) =
        CLUSTERS.into_iter().partition(|cluster| *cluster > preferred);
    // Clusters that waste more come last, whatever the width.
    let of = |clusters: &[u64]| -> Vec<(Width, u64)> {
        let with = |width: &Width| clusters.iter().map(|size| (*width, *size)).collect::<Vec<_>>();
        widths.iter().flat_map(with).collect()
    };
    [of(&usual), of(&larger)].concat()
}

fn too_large(format: &'static str, found: u64) -> WriteError {
    let what = "the bytes of a FAT volume".into();
    WriteError::Limit { format, what, limit: SECTORS_MAX * SECTOR, found }
}
