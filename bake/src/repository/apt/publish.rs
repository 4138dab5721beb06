//! The last step of an update: what is signed, and what becomes visible.

use std::collections::BTreeSet;
use std::path::Path;

use bake_formats::format::Epoch;

use super::settings::{Settings, State};
use super::suite;
use crate::error::Error;
use crate::repository::DEFAULT_TIME;
use crate::repository::folder::{Folder, KEY};
use crate::repository::index::write_whole;
use crate::sign::{Signer, armor};

/// The files by which readers find all others, in the order in which they must change.
const LAST: [&str; 4] = [State::NAME, "Release.gpg", "Release", "InRelease"];

/// Signs a suite's `Release` in its staged folder.
pub(super) fn sign(folder: &Path, text: &str, signer: Option<&dyn Signer>) -> Result<(), Error> {
    write_whole(&folder.join("Release"), text.as_bytes())?;
    let Some(signer) = signer else { return Ok(()) };
    let signature = armor(&signer.sign(&mut text.as_bytes())?);
    write_whole(&folder.join("Release.gpg"), signature.as_bytes())?;
    let cleartext = signer.sign_cleartext(text)?;
    write_whole(&folder.join("InRelease"), cleartext.as_bytes())?;
    Ok(())
}

/// Makes a staged suite the published one; removes packages that nothing refers to any more.
pub(super) fn publish(
    home: &Folder,
    staged: &Path,
    suite: &str,
    signer: Option<&dyn Signer>,
) -> Result<(), Error> {
    if let Some(signer) = signer {
        home.put(KEY, signer.certificate()?.as_bytes())?;
    }
    home.publish(staged, &suite::folder(suite), &LAST)
}

/// Removes packages that no suite refers to.
pub(super) fn prune(home: &Folder, used: &BTreeSet<String>) -> Result<(), Error> {
    let pool = home.root().join("pool");
    if !pool.exists() {
        return Ok(());
    }
    for entry in walkdir::WalkDir::new(&pool).sort_by_file_name() {
        let entry = entry.map_err(std::io::Error::from)?;
        let path = entry.path().strip_prefix(home.root()).unwrap_or(entry.path());
        let path = path.to_string_lossy();
        let is_package = entry.file_type().is_file() && path.ends_with(".deb");
        if is_package && !used.contains(&*path) {
            home.remove(&path)?;
        }
    }
    Ok(())
}

/// Returns the source of the suite in apt's format (sources.list(5), deb822).
pub(super) fn client(
    suite: &str,
    settings: &Settings,
    components: &BTreeSet<String>,
    is_signed: bool,
) -> String {
    let url = match settings.url.as_str() {
        "" => "https://REPOSITORY",
        url => url,
    };
    let components: Vec<&str> = components.iter().map(String::as_str).collect();
    let trust =
        if is_signed { "Signed-By: /etc/apt/keyrings/REPOSITORY.asc" } else { "Trusted: yes" };
    let components = components.join(" ");
    format!("Types: deb\nURIs: {url}\nSuites: {suite}\nComponents: {components}\n{trust}\n")
}

/// Returns the time of an update: the one given, else that of the newest package that is new, but
/// never before the one that is published, because apt takes no older state for a newer one.
pub(super) fn date(
    given: Option<Epoch>,
    published: Option<Epoch>,
    newest_package: Option<Epoch>,
) -> Epoch {
    let wanted = given.or(newest_package);
    wanted.max(published).unwrap_or(Epoch(DEFAULT_TIME))
}
