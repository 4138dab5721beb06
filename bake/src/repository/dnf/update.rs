//! An update of a repository: what it will hold is decided here.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bake_formats::blob::Blob;
use bake_formats::rpm;

use super::records::{self, Record};
use super::repomd::Repomd;
use super::settings::{Settings, State};
use super::stage::{Stage, generations};
use super::{DnfRequest, Request};
use crate::error::Error;
use crate::repository::changes::Changes;
use crate::repository::folder::{Folder, KEY};
use crate::repository::index::write_whole;
use crate::repository::intake::{Intake, Promise};
use crate::repository::{DEFAULT_TIME, expand, refuse, refuse_with};
use crate::sign::armor;

/// The folder of indices.
pub(super) const INDICES: &str = "repodata";
/// What every package starts with.
const MAGIC: &[u8] = &[0xed, 0xab, 0xee, 0xdb];
/// The files by which readers find all others, in the order in which they must change.
const LAST: [&str; 4] = [State::NAME, "repomd.xml.key", "repomd.xml.asc", "repomd.xml"];

/// Adds packages to a repository and removes packages from it.
///
/// The repository is made if it is not there. Nothing that readers see changes unless everything
/// could be done; a package of a name, version and architecture that is there with other bytes is
/// refused.
pub fn update(request: &DnfRequest<'_>) -> Result<Changes, Error> {
    let common = &request.common;
    let packages = expand(common.artifacts, "rpm")?;
    let home = if common.dry_run { Folder::look(common.root) } else { Folder::lock(common.root)? };
    let scratch = match home.staging() {
        Some(staging) => tempfile::tempdir_in(staging)?,
        None => tempfile::tempdir()?,
    };
    let mut plan = Plan::read(request, &home, scratch.path())?;
    plan.remove(common)?;
    for (number, path) in packages.iter().enumerate() {
        plan.add(path, number)?;
    }
    plan.retain(common.keep);
    plan.check(common)?;
    plan.finish(request)
}

/// A repository as it is published.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) repomd: Repomd,
    pub(super) text: String,
    /// None if bake did not make it.
    pub(super) state: Option<State>,
}

/// Reads what is published; `None` if there is nothing.
pub(super) fn load(root: &Path) -> Result<Option<Published>, Error> {
    let folder = root.join(INDICES);
    let path = folder.join("repomd.xml");
    if !path.exists() {
        return Ok(None);
    }
    let text = fs_err::read_to_string(&path)?;
    let repomd = Repomd::parse(&path.display().to_string(), &text)?;
    let state = folder.join(State::NAME);
    let state = if state.exists() {
        Some(State::parse(&state.display().to_string(), &fs_err::read(&state)?)?)
    } else {
        None
    };
    Ok(Some(Published { repomd, text, state }))
}

/// What a repository will hold.
struct Plan<'a> {
    home: &'a Folder,
    settings: Settings,
    published: Option<Published>,
    /// The packages as they were, by their paths.
    before: BTreeMap<String, Blob>,
    /// By name, so that a package's other versions are found at once.
    records: BTreeMap<String, Vec<Record>>,
    /// The packages that were copied, by the paths at which they belong.
    arrived: BTreeMap<String, PathBuf>,
    newest: Option<u64>,
    changes: Changes,
}

impl<'a> Plan<'a> {
    fn read(request: &DnfRequest<'_>, home: &'a Folder, scratch: &Path) -> Result<Self, Error> {
        let published = load(home.root())?;
        let known = published.as_ref().and_then(|published| published.state.as_ref());
        let known = known.map(|state| state.settings.clone()).unwrap_or_default();
        let settings = request.settings.apply(&known)?;
        let mut records: BTreeMap<String, Vec<Record>> = BTreeMap::new();
        let mut before = BTreeMap::new();
        if let Some(published) = &published {
            for record in records::read(home.root(), &published.repomd, scratch)? {
                before.insert(record.path.clone(), record.blob);
                records.entry(record.name.clone()).or_default().push(record);
            }
        }
        let (arrived, changes) = (BTreeMap::new(), Changes::default());
        Ok(Self { home, settings, published, before, records, arrived, newest: None, changes })
    }

    fn remove(&mut self, common: &Request<'_>) -> Result<(), Error> {
        for selector in common.remove {
            let removed = &mut self.changes.removed;
            let before = removed.len();
            if let Some(records) = self.records.get_mut(&selector.name) {
                records.retain(|record| {
                    let version = record.full_version();
                    let matches = selector.matches(&record.name, &version, &record.arch);
                    if matches {
                        removed.push(record.changed());
                    }
                    !matches
                });
            }
            if removed.len() == before {
                let reason = "no package of the repository is meant by it";
                return Err(refuse(format!("--remove {selector}"), reason));
            }
        }
        Ok(())
    }

    /// Reads a package and copies it to the staging folder.
    fn add(&mut self, path: &Path, number: usize) -> Result<(), Error> {
        let intake = Intake::open(path, "rpm", MAGIC)?;
        let listing = intake.list(rpm::list)?;
        let staged = self.home.staging().map(|folder| folder.join(format!("package-{number}")));
        let offset = listing.header.1;
        let promise = listing.payload.map(|digest| Promise { offset, digest });
        let blob = intake.take(staged.as_deref(), promise)?;
        let record = Record::new(&listing, blob);
        let place = format!("`{}`", path.display());
        let versions = self.records.entry(record.name.clone()).or_default();
        if let Some(known) = versions.iter().find(|known| known.order(&record) == Ordering::Equal) {
            if known.blob != blob {
                let (there, here) = (known.blob.digest, blob.digest);
                let reason = format!(
                    "{known} is there already with other bytes: there {there}, here {here}"
                );
                let hint = "two packages of one version cannot be told apart: raise the release";
                return Err(refuse_with(place, reason, hint));
            }
            self.changes.present.push(known.changed());
            // A package file that was lost comes back like this.
            if let Some(staged) = staged {
                self.arrived.entry(known.path.clone()).or_insert(staged);
            }
            return Ok(());
        }
        let taken = self.before.get(&record.path).copied();
        let other = versions.iter().find(|known| known.path == record.path).map(|known| known.blob);
        if let Some(taken) = taken.or(other).filter(|taken| *taken != blob) {
            let reason = format!(
                "{} is the place of a package with other bytes: there {}, here {}",
                record.path, taken.digest, blob.digest
            );
            return Err(refuse_with(place, reason, "give the package a version of its own"));
        }
        self.newest = self.newest.max(Some(u64::from(listing.time)));
        self.changes.added.push(record.changed());
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
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            let changes = &mut self.changes;
            records.retain(|record| {
                let count = counts.entry(record.arch.clone()).or_default();
                *count += 1;
                if *count <= keep {
                    return true;
                }
                let changed = record.changed();
                if record.is_new() {
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
    fn check(&self, common: &Request<'_>) -> Result<(), Error> {
        for record in self.records.values().flatten() {
            if self.arrived.contains_key(&record.path) || (common.dry_run && record.is_new()) {
                continue;
            }
            let found = fs_err::metadata(self.home.root().join(&record.path));
            let found = found.ok().filter(std::fs::Metadata::is_file).map(|file| file.len());
            if found != Some(record.blob.size) {
                let found = found.map_or("nothing".into(), |size| format!("{size} bytes"));
                let reason = format!("expected {} bytes, found {found}", record.blob.size);
                let hint = "give the package again, or remove it with --remove";
                return Err(refuse_with(format!("`{}` of {record}", record.path), reason, hint));
            }
        }
        Ok(())
    }

    /// Writes the indices and publishes them.
    fn finish(mut self, request: &DnfRequest<'_>) -> Result<Changes, Error> {
        let common = &request.common;
        let names = std::mem::take(&mut self.records);
        let mut records: Vec<Record> = names.into_values().flatten().collect();
        records.sort_by(Record::order);
        self.changes.client = client(&self.settings, common.signer.is_some());
        self.changes.packages = records.len();
        self.changes.added.sort();
        self.changes.removed.sort();
        if common.dry_run {
            let Changes { added, removed, .. } = &self.changes;
            self.changes.published = !(added.is_empty() && removed.is_empty());
            return Ok(self.changes);
        }
        if let Some(path) = request.updateinfo {
            check_updateinfo(path)?;
        }
        let old = self.published.as_ref().map(|published| &published.repomd);
        let given = common.epoch.map(|epoch| u64::from(epoch.0)).or(self.newest);
        let time = given.max(old.map(|old| old.revision)).unwrap_or(DEFAULT_TIME.into());
        let staged = self.home.staged(INDICES)?;
        fs_err::create_dir_all(&staged)?;
        let stage = Stage {
            settings: &self.settings,
            records: &records,
            updateinfo: request.updateinfo,
            old,
            root: self.home.root(),
            time,
            threads: common.threads,
        };
        let repomd = stage.write(&staged)?;
        let used: BTreeSet<String> = records.into_iter().map(|record| record.path).collect();
        for (path, staged) in self.arrived.iter().filter(|(path, _)| used.contains(*path)) {
            self.home.place(staged, path)?;
        }
        self.changes.published = self.publish(common, &repomd, &staged)?;
        // Only what this repository listed: others may have files here.
        for path in self.before.keys().filter(|path| !used.contains(*path)) {
            self.home.remove(path)?;
        }
        Ok(self.changes)
    }

    /// Makes the staged indices the published ones, unless they are; returns whether they were not.
    fn publish(&self, common: &Request<'_>, repomd: &Repomd, staged: &Path) -> Result<bool, Error> {
        let text = repomd.print();
        let mut state = State::new(self.settings.clone());
        state.signed_by = common.signer.map(|signer| signer.fingerprint().to_owned());
        if let Some(Published { text: before, state: Some(old), .. }) = &self.published
            && *before == text
            && old.settings == state.settings
            && old.signed_by == state.signed_by
        {
            return Ok(false);
        }
        let live = self.home.root().join(INDICES);
        let mut before = Vec::new();
        if let Some(published) = &self.published {
            let listed = published.repomd.data.values();
            let names = listed.filter_map(|data| data.path.strip_prefix("repodata/"));
            let listed = || vec![names.map(str::to_owned).collect()];
            before =
                published.state.as_ref().map_or_else(listed, |state| state.generations.clone());
        }
        before.truncate(self.settings.generations);
        state.generations = generations(staged, repomd, &before, &live)?;
        write_whole(&staged.join(State::NAME), &state.print()?)?;
        write_whole(&staged.join("repomd.xml"), text.as_bytes())?;
        if let Some(signer) = common.signer {
            let signature = armor(&signer.sign(&mut text.as_bytes())?);
            write_whole(&staged.join("repomd.xml.asc"), signature.as_bytes())?;
            let certificate = signer.certificate()?;
            write_whole(&staged.join("repomd.xml.key"), certificate.as_bytes())?;
            self.home.put(KEY, certificate.as_bytes())?;
        }
        self.home.publish(staged, INDICES, &LAST)?;
        Ok(true)
    }
}

fn check_updateinfo(path: &Path) -> Result<(), Error> {
    let mut start = Vec::new();
    std::io::Read::read_to_end(
        &mut std::io::Read::take(fs_err::File::open(path)?, 4096),
        &mut start,
    )?;
    if String::from_utf8_lossy(&start).contains("<updates") {
        return Ok(());
    }
    let reason = "it is not an updateinfo.xml: no element `updates` begins near its start";
    Err(refuse(format!("`{}`", path.display()), reason))
}

/// Returns the repository in dnf's format (dnf.conf(5), "Repo options").
fn client(settings: &Settings, is_signed: bool) -> String {
    let or =
        |text: &str, default: &str| if text.is_empty() { default.to_owned() } else { text.into() };
    let url = or(settings.url.trim_end_matches('/'), "https://REPOSITORY");
    let name = or(&settings.name, "repository");
    let mut text = format!("[{name}]\nname={name}\nbaseurl={url}/\nenabled=1\n");
    if is_signed {
        text.push_str(&format!("gpgcheck=1\nrepo_gpgcheck=1\ngpgkey={url}/{KEY}\n"));
    } else {
        text.push_str("gpgcheck=1\nrepo_gpgcheck=0\n");
    }
    text
}
