//! `bake sign`: sign debs and rpms that are there.

use std::fs::Permissions;
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bake_formats::deb::Role;
use bake_formats::digest::Digest;
use bake_formats::format::Epoch;
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::cli::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::request::epoch;
use crate::cli::signing::{SignArgs, Signing};
use crate::edit::Edit;
use crate::error::Error;
use crate::opened::Opened;
use crate::plan::FIXED_EPOCH;
use crate::seal::{self, Existing, SealOptions};
use crate::sign::armor;

/// Sign debs and rpms with OpenPGP.
#[derive(Debug, Args)]
#[command(
    after_help = "An rpm gets a signature of its header, as rpmsign makes it; a deb a member that \
    debsig-verify checks. Each file is replaced whole or not at all. The time of a signature is \
    SOURCE_DATE_EPOCH, else that of the artifact, so that the same key makes the same bytes.\n\n\
    Examples:\n  bake sign --key release.asc --passphrase-file pass dist/*.deb dist/*.rpm\n  \
    bake sign --sign-command 'gpg --detach-sign -u release@example.com' --sign-cert release.pub \
    dist/*.rpm\n  bake sign --delete old.rpm\n  bake sign --key release.asc --as detached SHA256SUMS"
)]
pub(in crate::cli) struct Sign {
    /// The debs and rpms
    #[arg(required = true, value_name = "ARTIFACT")]
    artifacts: Vec<PathBuf>,
    #[command(flatten)]
    signing: SignArgs,
    /// As whom to sign debs
    #[arg(long, value_enum, default_value = "origin")]
    role: RoleArg,
    /// Replace signatures that are there: all of an rpm, a deb's of the same role
    #[arg(long)]
    resign: bool,
    /// Remove all signatures, and sign nothing
    #[arg(long, conflicts_with_all = ["sign_key", "sign_command", "resign", "place"])]
    delete: bool,
    /// Where the signature goes
    #[arg(long = "as", value_enum, value_name = "HOW", default_value = "embedded")]
    place: PlaceArg,
}

/// More than any list of packages or digests has, in bytes.
const TEXT_LIMIT: u64 = 256 << 20;

/// debsigs' names of roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum RoleArg {
    /// Whoever distributes the package
    Origin,
    /// Its maintainer
    Maint,
    /// The archive that it is in
    Archive,
}

/// Where a signature goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum PlaceArg {
    /// Into the deb or rpm
    Embedded,
    /// Beside a file of any kind, to FILE.asc
    Detached,
    /// Around a text, to FILE.asc
    Cleartext,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Origin => Self::Origin,
            RoleArg::Maint => Self::Maintainer,
            RoleArg::Archive => Self::Archive,
        }
    }
}

impl Sign {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        let epoch = epoch()?;
        let signing = self.signing.open()?;
        if signing.is_none() && !self.delete {
            let reason = "neither --sign-key nor --sign-command says who signs";
            return Err(Error::Input { what: "bake sign".into(), reason: reason.into() }.into());
        }
        for path in &self.artifacts {
            match &signing {
                Some(signing) if self.place != PlaceArg::Embedded => {
                    self.sign_beside(path, signing, epoch, printer)?;
                }
                Some(signing) => self.sign(path, signing, epoch, printer)?,
                None => delete(path, printer)?,
            }
        }
        Ok(Exit::Done)
    }

    fn sign(
        &self,
        path: &Path,
        signing: &Signing<'_>,
        epoch: Option<Epoch>,
        printer: &Printer,
    ) -> Result<(), Failure> {
        let opened = Opened::open(path)?;
        let made = opened.sealed()?.and_then(|sealed| sealed.time());
        let epoch = epoch.or(made).unwrap_or(FIXED_EPOCH);
        let signer = signing.at(epoch)?;
        let existing = if self.resign { Existing::Replace } else { Existing::Keep };
        let options = SealOptions { role: self.role.into(), existing, epoch };
        let edits = seal::seal(&opened, &*signer, &options)?;
        let done = if edits.is_empty() { "kept" } else { "signed" };
        finish(&opened, &edits, done, Some(signer.fingerprint()), printer)
    }

    /// Signs a file of any kind and leaves it as it is.
    fn sign_beside(
        &self,
        path: &Path,
        signing: &Signing<'_>,
        epoch: Option<Epoch>,
        printer: &Printer,
    ) -> Result<(), Failure> {
        let signer = signing.at(epoch.unwrap_or(FIXED_EPOCH))?;
        let mut file = fs_err::File::open(path)?;
        let signed = if self.place == PlaceArg::Cleartext {
            let mut text = String::new();
            file.take(TEXT_LIMIT + 1).read_to_string(&mut text)?;
            if text.len() as u64 > TEXT_LIMIT {
                let reason = format!("a text of at most {TEXT_LIMIT} bytes can be signed so");
                return Err(Error::Input { what: path.display().to_string(), reason }.into());
            }
            signer.sign_cleartext(&text).map_err(Error::from)?
        } else {
            armor(&signer.sign(&mut file).map_err(Error::from)?)
        };
        let mut target = path.as_os_str().to_owned();
        target.push(".asc");
        let target = PathBuf::from(target);
        let fail = |source| Error::Output { path: target.clone(), source };
        write_whole(&target, &signed).map_err(fail)?;
        let fingerprint = signer.fingerprint();
        if printer.is_json() {
            let data = json!({ "path": target, "done": "signed", "fingerprint": fingerprint });
            printer.event("signed", &data)?;
        } else {
            printer.line(format_args!("signed   asc  {fingerprint} {}", target.display()))?;
        }
        Ok(())
    }
}

fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    // Readable for all, as far as the umask lets files be.
    let mode = Permissions::from_mode(0o666);
    let mut staged = tempfile::Builder::new().permissions(mode).tempfile_in(folder)?;
    staged.write_all(text.as_bytes())?;
    staged.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn delete(path: &Path, printer: &Printer) -> Result<(), Failure> {
    let opened = Opened::open(path)?;
    let edits = seal::unseal(&opened)?;
    let done = if edits.is_empty() { "unsigned" } else { "deleted" };
    finish(&opened, &edits, done, None, printer)
}

fn finish(
    opened: &Opened,
    edits: &[Edit],
    done: &str,
    fingerprint: Option<&str>,
    printer: &Printer,
) -> Result<(), Failure> {
    if !edits.is_empty() {
        seal::rewrite(opened, edits)?;
    }
    let format = opened.kind.name();
    if printer.is_json() {
        let (digest, size) = Digest::of_reader(fs_err::File::open(&opened.path)?)?;
        let data = json!({
            "format": format,
            "path": opened.path,
            "done": done,
            "fingerprint": fingerprint,
            "digest": digest,
            "size": size,
        });
        printer.event("signed", &data)?;
        return Ok(());
    }
    let fingerprint = fingerprint.unwrap_or("-");
    printer.line(format_args!("{done:<8} {format:<4} {fingerprint} {}", opened.path.display()))?;
    Ok(())
}
