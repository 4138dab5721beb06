//! What commands that sign take: where the key is, and what unlocks it.

use std::path::{Path, PathBuf};

use bake_formats::format::Epoch;
use clap::Args;

use super::failure::Failure;
use crate::error::Error;
use crate::sign::{
    CommandOptions, KeyFile, KeyOptions, Moment, Passphrase, Signer, SigningCommand,
};

/// Who signs. Secrets are never given as arguments: a file or a descriptor has the passphrase.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Signing")]
pub(super) struct SignArgs {
    /// Sign with the OpenPGP secret key in this file
    #[arg(long, visible_alias = "key", value_name = "FILE", conflicts_with = "sign_command")]
    sign_key: Option<PathBuf>,
    /// Sign with this key of the file: a fingerprint, or its last 16 digits [default: the newest
    /// subkey that can sign, else the primary key]
    #[arg(long, value_name = "FINGERPRINT")]
    key_id: Option<String>,
    /// Read the passphrase from the first line of this file
    #[arg(long, value_name = "FILE", requires = "sign_key", conflicts_with = "passphrase_fd")]
    passphrase_file: Option<PathBuf>,
    /// Read the passphrase from this open file descriptor
    #[arg(long, value_name = "N", requires = "sign_key")]
    passphrase_fd: Option<u32>,
    /// Sign by running this program: the bytes on its stdin, a detached OpenPGP signature on its
    /// stdout; split at spaces, without a shell
    #[arg(long, value_name = "COMMAND", requires = "sign_cert")]
    sign_command: Option<String>,
    /// The same for text signatures (type 0x01), which cleartext needs [default: --sign-command,
    /// with --textmode if it is gpg]
    #[arg(long, value_name = "COMMAND", requires = "sign_command")]
    sign_text_command: Option<String>,
    /// The certificate that the signing command's signatures are checked with
    #[arg(long, value_name = "FILE", requires = "sign_command")]
    sign_cert: Option<PathBuf>,
}

/// A key that was asked for, with what unlocks it: a descriptor can be read once only.
#[derive(Debug)]
pub(super) struct Signing<'a> {
    args: &'a SignArgs,
    passphrase: Option<Passphrase>,
    now: u32,
}

impl SignArgs {
    /// Returns the signer for one time of signatures; `None` if nobody is to sign.
    ///
    /// Signatures have the time of `epoch`, or the first moment after it at which the key is valid.
    pub(super) fn signer(&self, epoch: Epoch) -> Result<Option<Box<dyn Signer>>, Failure> {
        self.open()?.map(|signing| signing.at(epoch)).transpose()
    }

    /// Reads the passphrase; `None` if nobody is to sign.
    pub(super) fn open(&self) -> Result<Option<Signing<'_>>, Failure> {
        if self.sign_key.is_none() && self.sign_command.is_none() {
            let Some(_) = &self.key_id else { return Ok(None) };
            let reason = "it names a key of --sign-key or --sign-command, and neither is given";
            return Err(Error::Input { what: "--key-id".into(), reason: reason.into() }.into());
        }
        let passphrase = match (&self.passphrase_file, self.passphrase_fd) {
            (Some(path), _) => Some(Passphrase::from_file(path)),
            (None, Some(number)) => Some(Passphrase::from_descriptor(number)),
            (None, None) => None,
        };
        let passphrase = passphrase.transpose().map_err(Error::from)?;
        Ok(Some(Signing { args: self, passphrase, now: now() }))
    }
}

impl Signing<'_> {
    /// Opens the key and unlocks it.
    pub(super) fn at(&self, epoch: Epoch) -> Result<Box<dyn Signer>, Failure> {
        let args = self.args;
        let key_id = args.key_id.as_deref();
        let moment = Moment { epoch: epoch.0, now: self.now };
        if let (Some(command), Some(certificate)) = (&args.sign_command, &args.sign_cert) {
            let text_command = args.sign_text_command.as_deref();
            let options = CommandOptions { command, text_command, certificate, key_id, moment };
            return Ok(Box::new(SigningCommand::new(&options).map_err(Error::from)?));
        }
        let options = KeyOptions { key_id, passphrase: self.passphrase.as_ref(), moment };
        let path = args.sign_key.as_deref().unwrap_or(Path::new(""));
        Ok(Box::new(KeyFile::open(path, &options).map_err(Error::from)?))
    }
}

/// Returns the time, in seconds since 1970; it decides which keys have expired, and moves no byte.
#[expect(clippy::disallowed_methods, reason = "whether a key has expired is a question of now")]
pub(super) fn now() -> u32 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| u32::try_from(since.as_secs()).unwrap_or(u32::MAX))
}
