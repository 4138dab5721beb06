//! Checking a volume: what stands twice is equal, and each cluster has one use.

use super::boot::{Boot, parse_info};
use super::chain::{Broken, Chains, Expected, Link};
use super::entry;
use super::geometry::Width;
use super::read::{join, list};
use super::{FIRST_CLUSTER, Sector};
use crate::format::{Problem, ReadError};
use crate::input::ReadAt;
use crate::tree::TreePath;

/// How much of the tables is compared at a time.
const COMPARED: usize = 16 * 1024;

/// Lists every rule that a volume breaks.
pub(super) fn check(input: &dyn ReadAt, boot: &Boot) -> Result<Vec<Problem>, ReadError> {
    let mut check = Check { input, boot, problems: Vec::new() };
    check.check_copies()?;
    let mut chains = Chains::new(input, boot);
    check.check_first_numbers(&mut chains)?;
    check.walk(&mut chains)?;
    check.check_clusters(&mut chains)?;
    Ok(check.problems)
}

struct Check<'a> {
    input: &'a dyn ReadAt,
    boot: &'a Boot,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn problem(
        &mut self,
        rule: &'static str,
        place: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) {
        if self.problems.len() < Problem::MOST {
            self.problems.push(Problem::new(rule, place, expected, found));
        }
    }

    fn sector(&self, number: u16) -> Result<Sector, ReadError> {
        let mut sector: Sector = [0; 512];
        let place = u64::from(number) * self.boot.geometry.sector;
        self.input.read_exact_at(place, &mut sector)?;
        Ok(sector)
    }

    /// Compares the boot sectors, and the tables.
    fn check_copies(&mut self) -> Result<(), ReadError> {
        let geometry = self.boot.geometry;
        if let Some(backup) = self.boot.backup
            && self.sector(backup)? != self.sector(0)?
        {
            let place = format!("sector {backup}");
            self.problem("fat-backup-boot", place, "the boot sector once more", "other bytes");
        }
        if geometry.tables < 2 {
            return Ok(());
        }
        let mut buffers = [vec![0; COMPARED], vec![0; COMPARED]];
        let len = geometry.table_sectors * geometry.sector;
        let mut at = 0;
        while at < len {
            let count = usize::try_from(len - at).unwrap_or(usize::MAX).min(COMPARED);
            for (number, buffer) in (0..).zip(&mut buffers) {
                self.input.read_exact_at(geometry.table(number) + at, &mut buffer[..count])?;
            }
            let [one, two] = &buffers;
            if let Some(differs) = (0..count).find(|index| one[*index] != two[*index]) {
                let found = format!("another byte {} into it", at + differs as u64);
                self.problem("fat-copies", "the second table", "what is in the first", found);
                break;
            }
            at += count as u64;
        }
        Ok(())
    }

    /// Checks what the table has for the clusters that do not exist, and the number of others.
    fn check_first_numbers(&mut self, chains: &mut Chains<'_>) -> Result<(), ReadError> {
        let media = chains.number(0)? & 0xff;
        if media != u32::from(self.boot.media) {
            let expected = format!("the media byte {:#x}", self.boot.media);
            self.problem("fat-media", "the first number", expected, format!("{media:#x}"));
        }
        let clusters = self.boot.geometry.clusters;
        if Width::of_clusters(clusters) != self.boot.geometry.width {
            let expected = "at least 65525, as FAT32 has";
            self.problem("fat-cluster-count", "the clusters", expected, clusters.to_string());
        }
        Ok(())
    }

    /// Lists all directories and follows all files.
    fn walk(&mut self, chains: &mut Chains<'_>) -> Result<(), ReadError> {
        // Each directory with its cluster and that of the directory above, as `..` should say.
        let mut open = vec![(TreePath::root(), None, 0)];
        while let Some((path, cluster, above)) = open.pop() {
            let listing = match list(self.input, self.boot, chains, cluster) {
                Ok(listing) => listing,
                Err(broken) => {
                    self.broken(&path, broken)?;
                    continue;
                }
            };
            if listing.orphans > 0 {
                let found = format!("{} entries without", listing.orphans);
                self.problem("fat-long-name", path.to_string(), "long names of something", found);
            }
            let dots = cluster.map_or([None; 2], |own| [Some(own), Some(above)]);
            if listing.dots != dots {
                let (expected, found) = (format!("{dots:?}"), format!("{:?}", listing.dots));
                self.problem("fat-dots", path.to_string(), expected, found);
            }
            for (name, target) in listing.entries {
                let child = join(&path, &name)?;
                if target.attributes & entry::DIRECTORY != 0 {
                    open.push((child, Some(target.cluster), cluster.unwrap_or(0)));
                    continue;
                }
                let expected = Expected::Exactly(target.size.into());
                if let Err(broken) = chains.follow(target.cluster, expected) {
                    self.broken(&child, broken)?;
                }
            }
        }
        Ok(())
    }

    fn broken(&mut self, path: &TreePath, broken: Broken) -> Result<(), ReadError> {
        match broken {
            Broken::Chain(reason) => {
                self.problem("fat-chain", path.to_string(), "a chain of its own clusters", reason);
                Ok(())
            }
            Broken::Io(error) => Err(error.into()),
        }
    }

    /// Compares what the table says of all clusters with what was met, and with FSInfo.
    fn check_clusters(&mut self, chains: &mut Chains<'_>) -> Result<(), ReadError> {
        let (mut free, mut lost, mut first_lost) = (0_u32, 0_u32, None);
        let clusters = u32::try_from(self.boot.geometry.clusters).unwrap_or(u32::MAX);
        for cluster in FIRST_CLUSTER..clusters.saturating_add(FIRST_CLUSTER) {
            match chains.link(cluster)? {
                Link::Free => free += 1,
                Link::Bad => {}
                Link::Next(_) | Link::End if chains.has_met(cluster) => {}
                Link::Next(_) | Link::End => {
                    lost += 1;
                    first_lost = first_lost.or(Some(cluster));
                }
            }
        }
        if let Some(first) = first_lost {
            let found = format!("{lost}, from cluster {first} on");
            self.problem("fat-lost-clusters", "the table", "no clusters that are nobody's", found);
        }
        let Some(info) = self.boot.info else { return Ok(()) };
        let place = format!("sector {info}");
        match parse_info(&self.sector(info)?) {
            // All ones say that nobody counted.
            Some(u32::MAX) => {}
            Some(stated) if stated == free => {}
            Some(stated) => {
                let expected = format!("{free} free clusters");
                self.problem("fat-fsinfo", place, expected, stated.to_string());
            }
            None => self.problem("fat-fsinfo", place, "the signatures of FSInfo", "others"),
        }
        Ok(())
    }
}
