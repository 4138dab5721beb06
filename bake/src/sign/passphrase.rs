//! Secrets, from where they are kept to the end of their use.

use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use pgp::types::Password;
use zeroize::Zeroizing;

use super::SignError;

/// Longer than any passphrase that gpg takes.
const PASSPHRASE_LIMIT: usize = 64 * 1024;
/// Larger than any key with all its certifications.
const KEY_LIMIT: usize = 8 << 20;

/// A passphrase, wiped from memory when it is dropped and never shown.
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

impl Passphrase {
    /// Reads the first line of a file.
    pub fn from_file(path: &Path) -> Result<Self, SignError> {
        let what = format!("the passphrase file `{}`", path.display());
        let mut text = open(path, PASSPHRASE_LIMIT, &what)?;
        first_line(&mut text);
        Ok(Self(text))
    }

    /// Reads the first line of what a file descriptor of this process gives.
    pub fn from_descriptor(number: u32) -> Result<Self, SignError> {
        let what = format!("the passphrase from file descriptor {number}");
        let mut text = if number == 0 {
            read(&mut io::stdin().lock(), PASSPHRASE_LIMIT, &what)?
        } else {
            open(&PathBuf::from(format!("/proc/self/fd/{number}")), PASSPHRASE_LIMIT, &what)?
        };
        first_line(&mut text);
        Ok(Self(text))
    }

    pub(super) fn password(&self) -> Password {
        Password::from(&self.0[..])
    }
}

/// Reads a file that may hold a secret key.
pub(super) fn key_bytes(path: &Path) -> Result<Zeroizing<Vec<u8>>, SignError> {
    open(path, KEY_LIMIT, &format!("the key file `{}`", path.display()))
}

fn open(path: &Path, limit: usize, what: &str) -> Result<Zeroizing<Vec<u8>>, SignError> {
    let fail = |error: io::Error| unreadable(what, &error);
    let (mut file, _) = fs_err::File::open(path).map_err(fail)?.into_parts();
    read(&mut file, limit, what)
}

/// Reads everything into a buffer that never grows, because growing would leave copies behind.
fn read(input: &mut dyn Read, limit: usize, what: &str) -> Result<Zeroizing<Vec<u8>>, SignError> {
    let mut bytes = Zeroizing::new(vec![0; limit + 1]);
    let mut filled = 0;
    while filled < bytes.len() {
        match input.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(what, &error)),
        }
    }
    if filled > limit {
        let reason = format!("expected at most {limit} bytes, found more");
        return Err(SignError::Key { key: what.into(), reason });
    }
    bytes.truncate(filled);
    Ok(bytes)
}

fn unreadable(what: &str, error: &io::Error) -> SignError {
    SignError::Key { key: what.into(), reason: format!("cannot be read: {error}") }
}

fn first_line(text: &mut Zeroizing<Vec<u8>>) {
    let end = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
    text.truncate(end);
    if text.last() == Some(&b'\r') {
        text.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passphrase(text: &str) -> Vec<u8> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), text).unwrap();
        Passphrase::from_file(file.path()).unwrap().0.to_vec()
    }

    #[test]
    fn the_first_line_counts() {
        assert_eq!(passphrase("secret"), b"secret");
        assert_eq!(passphrase("secret \n"), b"secret ");
        assert_eq!(passphrase("secret\r\nmore\n"), b"secret");
        assert_eq!(passphrase(""), b"");
    }

    #[test]
    fn it_is_never_shown() {
        let passphrase = Passphrase(Zeroizing::new(b"secret".to_vec()));
        assert_eq!(format!("{passphrase:?}"), "Passphrase(..)");
    }

    #[test]
    fn a_file_without_end_is_refused() {
        let error = Passphrase::from_file(Path::new("/dev/zero")).unwrap_err().to_string();
        assert!(error.contains("at most 65536 bytes"), "{error}");
    }
}
