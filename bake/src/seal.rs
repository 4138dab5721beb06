//! Signing artifacts that are there, and finding out who did.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use bake_formats::deb::Role;
use bake_formats::format::Epoch;
use serde::Serialize;

use crate::edit::{Edit, copy_edited};
use crate::error::Error;
use crate::interrupt;
use crate::lower::{Change, Found, Sealed};
use crate::opened::Opened;
use crate::sign::{self, Keyring, Signer, Verdict};

/// How to sign.
#[derive(Debug, Clone, Copy)]
pub struct SealOptions {
    /// As whom, if the format tells roles apart.
    pub role: Role,
    /// What becomes of signatures that are there.
    pub existing: Existing,
    /// The time of what is added.
    pub epoch: Epoch,
}

impl SealOptions {
    /// Returns how to sign what was just made.
    pub fn first(epoch: Epoch) -> Self {
        Self { role: Role::Origin, existing: Existing::Keep, epoch }
    }
}

/// What becomes of signatures that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// They stay; one in the way is an error.
    Keep,
    /// They go.
    Replace,
}

/// A signature in an artifact, with what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Where it is: a deb's member, an rpm's tag.
    pub place: &'static str,
    /// Who made it, and whether it holds.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Signs an artifact and returns what is to be changed in its file; nothing if the very signature
/// is there already.
pub fn seal(
    opened: &Opened,
    signer: &dyn Signer,
    options: &SealOptions,
) -> Result<Vec<Edit>, Error> {
    let sealed = sealed(opened)?;
    let packet = signer.sign(&mut sealed.message())?;
    let beside = sealed.beside(options.role);
    let is_there = beside.iter().any(|found| found.packet == packet);
    let change = match options.existing {
        Existing::Replace if is_there && beside.len() == 1 => return Ok(Vec::new()),
        Existing::Replace => Change::Replace(&packet, options.role, options.epoch),
        Existing::Keep if is_there => return Ok(Vec::new()),
        Existing::Keep => {
            let own = |found: &&Found| is_of(&found.packet, signer.fingerprint());
            if let Some(found) = beside.iter().find(own) {
                let fingerprint = signer.fingerprint();
                let place = found.place;
                return Err(taken(opened, &format!("{place} has a signature of {fingerprint}")));
            }
            if let Some(found) = beside.first().filter(|_| !sealed.has_room()) {
                return Err(taken(opened, &format!("{} has another's signature", found.place)));
            }
            Change::Add(&packet, options.role, options.epoch)
        }
    };
    sealed.edits(change).map_err(|source| Error::Write { format: opened.kind.name(), source })
}

/// Returns what is to be changed in an artifact's file so that it has no signatures.
pub fn unseal(opened: &Opened) -> Result<Vec<Edit>, Error> {
    let edits = sealed(opened)?.edits(Change::Remove);
    edits.map_err(|source| Error::Write { format: opened.kind.name(), source })
}

/// Returns every signature of an artifact with what is known of it; `None` if its format has none.
///
/// `now`, in seconds since 1970, tells which keys have expired since.
pub fn check(opened: &Opened, keyring: &Keyring, now: u32) -> Result<Option<Vec<Checked>>, Error> {
    let Some(sealed) = opened.sealed()? else { return Ok(None) };
    let mut checked = Vec::new();
    for found in sealed.signatures() {
        let verdicts =
            keyring.check(&found.packet, now, &|| Ok(Box::new(sealed.covered(&found))))?;
        let place = found.place;
        checked.extend(verdicts.into_iter().map(|verdict| Checked { place, verdict }));
    }
    Ok(Some(checked))
}

/// Puts an edited copy of a file in its place, whole or not at all.
pub fn rewrite(opened: &Opened, edits: &[Edit]) -> Result<(), Error> {
    // What a link leads to is what is replaced, not the link.
    let path = fs_err::canonicalize(&opened.path)?;
    let fail = |source| Error::Output { path: path.clone(), source };
    let folder = path.parent().unwrap_or(Path::new("/"));
    let staging = tempfile::Builder::new().prefix(".bake-").tempdir_in(folder).map_err(fail)?;
    let _guard = interrupt::remove_on_interrupt(staging.path());
    let copy = staging.path().join("signed");
    let mut file = fs_err::File::create(&copy).map_err(fail)?;
    copy_edited(opened.file()?, edits, &mut file).map_err(fail)?;
    let original = fs_err::metadata(&path).map_err(fail)?;
    file.set_permissions(original.permissions()).map_err(fail)?;
    let new = file.metadata().map_err(fail)?;
    if (new.uid(), new.gid()) != (original.uid(), original.gid()) {
        std::os::unix::fs::fchown(file.file(), Some(original.uid()), Some(original.gid()))
            .map_err(fail)?;
    }
    file.sync_all().map_err(fail)?;
    fs_err::rename(&copy, &path).map_err(fail)
}

fn sealed(opened: &Opened) -> Result<Sealed, Error> {
    opened.sealed()?.ok_or_else(|| {
        let (what, format) = (opened.path.display().to_string(), opened.kind.name());
        let reason = format!("bake signs deb and rpm; signatures of {format} are kept beside it");
        Error::Input { what, reason }
    })
}

fn is_of(packet: &[u8], fingerprint: &str) -> bool {
    sign::issuers(packet).iter().any(|issuer| fingerprint.ends_with(issuer))
}

fn taken(opened: &Opened, reason: &str) -> Error {
    let reason = format!("{reason} already; --resign replaces it");
    Error::Input { what: opened.path.display().to_string(), reason }
}
