//! Credentials for systemd, handed over in the machine's SMBIOS tables.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use super::unusable;
use crate::error::Error;

/// The most that one may have: SMBIOS tables have 64 KiB for everything, and this becomes longer by a
/// third.
const LIMIT: u64 = 32 * 1024;

/// A credential by its name, and the file that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The name, which becomes a file name in the guest.
    pub name: String,
    /// Where it is read from.
    pub file: PathBuf,
}

impl std::str::FromStr for Credential {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // What was given instead of a file may be the secret; it is not repeated.
        let (name, file) = text
            .split_once("=@")
            .ok_or("expected NAME=@FILE: what stands in arguments can be seen by everybody")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || name.len() > 255 || !name.chars().all(plain) || name.starts_with('.')
        {
            return Err("expected a name of letters, digits, `.`, `_` and `-`".into());
        }
        Ok(Self { name: name.into(), file: file.into() })
    }
}

impl Credential {
    /// Writes the string for the SMBIOS table (systemd, "System and Service Credentials"; type 11,
    /// OEM strings) to a file below a folder, and returns the file.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, Error> {
        let path = self.place(folder);
        let len = fs_err::metadata(&self.file)?.len();
        if len > LIMIT {
            let message = format!(
                "`{}` has {len} bytes; a credential may have at most {LIMIT} in a machine's tables",
                self.file.display()
            );
            return Err(unusable(message, "put it into a seed".to_owned()));
        }
        let secret = Zeroizing::new(fs_err::read(&self.file)?);
        let encoded = Zeroizing::new(BASE64_STANDARD.encode(&secret));
        let text = format!("io.systemd.credential.binary:{}={}", self.name, *encoded);
        fs_err::write(&path, Zeroizing::new(text))?;
        Ok(path)
    }

    /// Returns where below a folder the string is written to.
    pub fn place(&self, folder: &Path) -> PathBuf {
        folder.join(format!("credential-{}", self.name))
    }
}
