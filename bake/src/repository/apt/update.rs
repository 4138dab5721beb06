//! An update of a suite: what it will hold is decided here.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bake_formats::blob::Blob;
use bake_formats::deb;
use bake_formats::format::Epoch;

use super::packages::Record;
use super::settings::{Settings, State, check_word};
use super::stage::Stage;
use super::suite::{self, Suite};
use super::{AptRequest, check, contents, publish};
use crate::error::Error;
use crate::repository::changes::Changes;
use crate::repository::folder::Folder;
use crate::repository::intake::Intake;
use crate::repository::{expand, refuse, refuse_with};

/// What every package starts with: an ar archive.
const MAGIC: &[u8] = b"!<arch>\n";

/// Adds packages to a suite and removes packages from it.
///
/// The suite and the repository are made if they are not there. Nothing that readers see changes
/// unless everything could be done; a package of a name, version and architecture that is there
/// with other bytes is refused.
pub fn update(request: &AptRequest<'_>) -> Result<Changes, Error> {
    check_word("--suite", request.suite)?;
    check_word("--component", request.component)?;
    let common = &request.common;
    let packages = expand(common.artifacts, "deb")?;
    let home = if common.dry_run { Folder::look(common.root) } else { Folder::lock(common.root)? };
    let mut plan = Plan::read(request, &home)?;
    plan.remove(request)?;
    for (number, path) in packages.iter().enumerate() {
        plan.add(path, number, request)?;
    }
    plan.retain(common.keep);
    plan.check(request)?;
    plan.finish(request)
}

/// What a suite will hold.
struct Plan<'a> {
    home: &'a Folder,
    settings: Settings,
    /// The suite as it is published.
    published: Option<Suite>,
    /// The records as they were.
    before: BTreeMap<String, Blob>,
    /// The packages of other suites by their paths.
    elsewhere: BTreeMap<String, Blob>,
    /// By name, so that a package's other versions are found at once.
    records: BTreeMap<String, Vec<Record>>,
    /// The packages that were copied, by the paths at which they belong.
    arrived: BTreeMap<String, PathBuf>,
    new_lines: BTreeMap<String, Vec<String>>,
    newest: Option<Epoch>,
    changes: Changes,
}

impl<'a> Plan<'a> {
    fn read(request: &AptRequest<'_>, home: &'a Folder) -> Result<Self, Error> {
        let mut elsewhere = BTreeMap::new();
        for name in suite::names(home.root())? {
            if name != request.suite
                && let Some(other) = suite::load(home.root(), &name)?
            {
                elsewhere
                    .extend(other.records.into_iter().map(|record| (record.path, record.blob)));
            }
        }
        let mut published = suite::load(home.root(), request.suite)?;
        let known = published.as_ref().map(|suite| suite.state.settings.clone());
        let settings = request.settings.apply(&known.unwrap_or_default())?;
        let mut records: BTreeMap<String, Vec<Record>> = BTreeMap::new();
        let mut before = BTreeMap::new();
        for record in published.iter_mut().flat_map(|suite| std::mem::take(&mut suite.records)) {
            before.insert(record.path.clone(), record.blob);
            records.entry(record.name.clone()).or_default().push(record);
        }
        Ok(Self {
            home,
            settings,
            published,
            before,
            elsewhere,
            records,
            arrived: BTreeMap::new(),
            new_lines: BTreeMap::new(),
            newest: None,
            changes: Changes::default(),
        })
    }

    fn remove(&mut self, request: &AptRequest<'_>) -> Result<(), Error> {
        for selector in request.common.remove {
            let removed = &mut self.changes.removed;
            let before = removed.len();
            if let Some(records) = self.records.get_mut(&selector.name) {
                records.retain(|record| {
                    let version = record.version.to_string();
                    let matches = selector.matches(&record.name, &version, &record.architecture);
                    if matches {
                        removed.push(record.changed());
                    }
                    !matches
                });
            }
            if removed.len() == before {
                let reason = format!("no package of the suite {} is meant by it", request.suite);
                return Err(refuse(format!("--remove {selector}"), reason));
            }
        }
        Ok(())
    }

    /// Reads a package and copies it to the staging folder.
    fn add(&mut self, path: &Path, number: usize, request: &AptRequest<'_>) -> Result<(), Error> {
        let intake = Intake::open(path, "deb", MAGIC)?;
        let listing = intake.list(deb::list)?;
        let staged = self.home.staging().map(|folder| folder.join(format!("package-{number}")));
        let blob = intake.take(staged.as_deref(), None)?;
        let record = Record::new(&listing, request.component, blob)?;
        let place = format!("`{}`", path.display());
        let versions = self.records.entry(record.name.clone()).or_default();
        if let Some(known) = versions.iter().find(|known| known.order(&record) == Ordering::Equal) {
            if known.blob != blob {
                return Err(conflict(place, known, blob));
            }
            if known.component != record.component {
                let (there, here) = (&known.component, &record.component);
                let reason =
                    format!("{record} is in the component {there}, not to be in {here} too");
                return Err(refuse_with(place, reason, "remove it there first"));
            }
            self.changes.present.push(known.changed());
            // A package file that was lost comes back like this.
            if let Some(staged) = staged {
                self.arrived.entry(record.path).or_insert(staged);
            }
            return Ok(());
        }
        let taken = self.elsewhere.get(&record.path).or_else(|| self.before.get(&record.path));
        let other = versions.iter().find(|known| known.path == record.path).map(|known| known.blob);
        if let Some(taken) = taken.copied().or(other).filter(|taken| *taken != blob) {
            let reason = format!(
                "{} is the place of a package with other bytes: there {}, here {}",
                record.path, taken.digest, blob.digest
            );
            return Err(refuse_with(place, reason, "give the package a version of its own"));
        }
        let time = Epoch(u32::try_from(listing.time).unwrap_or(u32::MAX));
        self.newest = self.newest.max(Some(time));
        self.changes.added.push(record.changed());
        let lines = self.new_lines.entry(record.component.clone()).or_default();
        lines.extend(contents::lines(&listing));
        if let Some(staged) = staged {
            self.arrived.insert(record.path.clone(), staged);
        }
        versions.push(record);
        Ok(())
    }

    /// Drops all but the newest versions.
    fn retain(&mut self, keep: Option<usize>) {
        let Some(keep) = keep else { return };
        for records in self.records.values_mut() {
            records.sort_by(|left, right| right.order(left));
            let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
            let changes = &mut self.changes;
            records.retain(|record| {
                let group = (record.component.clone(), record.architecture.clone());
                let count = counts.entry(group).or_default();
                *count += 1;
                if *count <= keep {
                    return true;
                }
                let changed = record.changed();
                if record.text.is_new() {
                    changes.added.retain(|added| *added != changed);
                    changes.outdated.push(changed);
                } else {
                    changes.removed.push(changed);
                }
                false
            });
        }
    }

    /// Makes sure that all packages are where the index will say.
    fn check(&self, request: &AptRequest<'_>) -> Result<(), Error> {
        for record in self.records.values().flatten() {
            if self.arrived.contains_key(&record.path) {
                continue;
            }
            let found = fs_err::metadata(self.home.root().join(&record.path));
            let found = found.ok().filter(std::fs::Metadata::is_file).map(|file| file.len());
            let is_new = request.common.dry_run && record.text.is_new();
            if found != Some(record.blob.size) && !is_new {
                let found = found.map_or("nothing".into(), |size| format!("{size} bytes"));
                let reason = format!("expected {} bytes, found {found}", record.blob.size);
                let hint = "give the package again, or remove it with --remove";
                let place = format!("`{}` of {record}", record.path);
                return Err(refuse_with(place, reason, hint));
            }
        }
        Ok(())
    }

    /// Writes the indices and publishes them.
    fn finish(mut self, request: &AptRequest<'_>) -> Result<Changes, Error> {
        let common = &request.common;
        let names = std::mem::take(&mut self.records);
        let mut records: Vec<Record> = names.into_values().flatten().collect();
        records.sort_by(Record::order);
        let components = records.iter().map(|record| record.component.clone()).collect();
        let is_signed = common.signer.is_some();
        self.changes.client =
            publish::client(request.suite, &self.settings, &components, is_signed);
        self.changes.packages = records.len();
        self.changes.added.sort();
        self.changes.removed.sort();
        if common.dry_run {
            self.changes.published =
                !(self.changes.added.is_empty() && self.changes.removed.is_empty());
            return Ok(self.changes);
        }
        for lines in self.new_lines.values_mut() {
            keep_lines(lines, &records);
        }
        let staged = self.home.staged("suite")?;
        fs_err::create_dir_all(&staged)?;
        let published = self.home.root().join(suite::folder(request.suite));
        let date = self.published.as_ref().map(|suite| suite.release.date);
        let stage = Stage {
            suite: request.suite,
            settings: &self.settings,
            records: &records,
            new_lines: std::mem::take(&mut self.new_lines),
            old: self.published.as_ref().map(|suite| (suite, published)),
            date: publish::date(common.epoch, date, self.newest),
            threads: common.threads,
        };
        let (release, mut state) = stage.write(&staged)?;
        let text = release.print(request.suite, &self.settings)?;
        state.signed_by = common.signer.map(|signer| signer.fingerprint().to_owned());
        let mut used: BTreeSet<String> = records.into_iter().map(|record| record.path).collect();
        for (path, staged) in self.arrived.iter().filter(|(path, _)| used.contains(*path)) {
            self.home.place(staged, path)?;
        }
        let same = |suite: &Suite| {
            let State { settings, signed_by, .. } = &suite.state;
            suite.text == text
                && *signed_by == state.signed_by
                && *settings == state.settings
                && check::has_same_cleartext(
                    &self.home.root().join(suite::folder(request.suite)),
                    suite,
                )
        };
        if !self.published.as_ref().is_some_and(same) {
            crate::repository::index::write_whole(&staged.join(State::NAME), &state.print()?)?;
            publish::sign(&staged, &text, common.signer)?;
            publish::publish(self.home, &staged, request.suite, common.signer)?;
            self.changes.published = true;
        }
        used.extend(self.elsewhere.into_keys());
        publish::prune(self.home, &used)?;
        Ok(self.changes)
    }
}

/// Sorts the lines of new packages, without those of packages that were not kept after all.
fn keep_lines(lines: &mut Vec<String>, records: &[Record]) {
    let new = records.iter().filter(|record| record.text.is_new());
    let kept: BTreeSet<String> = new.map(contents::key).collect();
    lines.retain(|line| line.splitn(3, '\t').nth(2).is_some_and(|key| kept.contains(key)));
    lines.sort_unstable();
    lines.dedup();
}

fn conflict(place: String, known: &Record, blob: Blob) -> Error {
    let reason = format!(
        "{known} is there already with other bytes: there {}, here {}",
        known.blob.digest, blob.digest
    );
    refuse_with(
        place,
        reason,
        "two packages of one version cannot be told apart: raise the version",
    )
}
