//! Secret keys that decrypt: where they are looked for, and what they are.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use bake_recipes::RecipeError;
use zeroize::Zeroizing;

use super::fault::Fault;
use super::held;

/// Larger than any file of identities.
const LIMIT: usize = 1 << 20;
/// How a secret key of age begins.
const SECRET_KEY: &str = "AGE-SECRET-KEY-";

/// The secret keys of whoever runs this.
pub struct Identities {
    keys: Vec<Key>,
    /// Where they were looked for.
    looked: Vec<String>,
}

struct Key {
    identity: Box<dyn age::Identity + Send + Sync>,
    /// The public key that goes with it.
    recipient: String,
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.recipients()).finish()
    }
}

impl Identities {
    /// Returns no identities, for what needs none.
    pub fn none() -> Self {
        Self { keys: Vec::new(), looked: Vec::new() }
    }

    /// Reads the identities that were named, else those of `BAKE_IDENTITY`, else `bake/identities` in the user's
    /// configuration folder, else those of `SOPS_AGE_KEY_FILE`: the first of these that there is.
    ///
    /// `-` is the standard input. `variable` gives the values of environment variables.
    pub fn find(
        named: &[PathBuf],
        variable: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self, RecipeError> {
        let mut all = Self::none();
        if !named.is_empty() {
            for path in named {
                all.read(path, &format!("--identity {}", path.display()))?;
            }
            return Ok(all);
        }
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        if let Some(value) = variable("BAKE_IDENTITY") {
            if value.to_string_lossy().trim_start().starts_with(SECRET_KEY) {
                let hint = "write the key to a file that only you can read, and name that file";
                return Err(RecipeError::new("BAKE_IDENTITY holds a secret key, expected a file")
                    .hint(hint));
            }
            all.read(Path::new(&value), "BAKE_IDENTITY")?;
            return Ok(all);
        }
        all.looked.push("BAKE_IDENTITY".into());
        let folder =
            variable("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let folder = folder.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".config")));
        if let Some(path) = folder.map(|folder| folder.join("bake/identities")) {
            if path.exists() {
                all.read(&path, &path.display().to_string())?;
                return Ok(all);
            }
            all.looked.push(path.display().to_string());
        }
        match variable("SOPS_AGE_KEY_FILE") {
            Some(value) => all.read(Path::new(&value), "SOPS_AGE_KEY_FILE")?,
            None => all.looked.push("SOPS_AGE_KEY_FILE".into()),
        }
        Ok(all)
    }

    fn read(&mut self, path: &Path, what: &str) -> Result<(), RecipeError> {
        let about = format!("cannot read the identities of {what}");
        let unreadable = |error: io::Error| Fault::new(error.to_string()).about(&about);
        let bytes = if path == Path::new("-") {
            held::read(&mut io::stdin().lock(), LIMIT)
        } else {
            let (mut file, _) = fs_err::File::open(path).map_err(unreadable)?.into_parts();
            held::read(&mut file, LIMIT)
        };
        let bytes = bytes.map_err(unreadable)?;
        let too_large =
            || Fault::new(format!("expected at most {LIMIT} bytes, found more")).about(&about);
        let text = held::text(bytes.ok_or_else(too_large)?);
        let text = text.ok_or_else(|| Fault::new("this is not UTF-8 text").about(&about))?;
        let keys = parse(&text).map_err(|fault| fault.about(&about))?;
        self.keys.extend(keys);
        self.looked.push(what.into());
        Ok(())
    }

    /// Returns the public keys of what is here.
    pub fn recipients(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.recipient.as_str())
    }

    /// Returns the keys as age takes them.
    pub(super) fn keys(&self) -> impl Iterator<Item = &dyn age::Identity> {
        self.keys.iter().map(|key| &*key.identity as &dyn age::Identity)
    }

    /// Says that none of these can decrypt, who could, and where was looked.
    pub(super) fn unfit(&self, recipients: &[String]) -> Fault {
        let looked = self.looked.join(", ");
        let message = if self.keys.is_empty() {
            format!("there is no identity to decrypt with; looked at {looked}")
        } else {
            let held: Vec<_> = self.recipients().map(shortened).collect();
            format!("it is not encrypted to {} of {looked}", held.join(" or "))
        };
        let could: Vec<_> = recipients.iter().map(|text| shortened(text)).collect();
        let fault = Fault::new(message);
        if could.is_empty() {
            return fault.hint("name the file of your secret key with `--identity FILE`");
        }
        fault.hint(format!(
            "the secret key of one of these is needed (`--identity FILE`): {}",
            could.join(", ")
        ))
    }
}

/// Shortens the public key of an SSH key, which may be hundreds of bytes.
fn shortened(recipient: &str) -> String {
    if recipient.len() <= 100 {
        return recipient.to_owned();
    }
    let chars: Vec<char> = recipient.chars().collect();
    let (head, tail) = (&chars[..40.min(chars.len())], &chars[chars.len().saturating_sub(20)..]);
    format!("{}…{}", String::from_iter(head), String::from_iter(tail))
}

fn parse(text: &Zeroizing<String>) -> Result<Vec<Key>, Fault> {
    if text.contains("-----BEGIN AGE ENCRYPTED FILE-----")
        || text.starts_with("age-encryption.org/")
    {
        return Err(Fault::new("they are locked by a passphrase")
            .hint("decrypt them into a pipe: `age -d FILE | bake … --identity -`"));
    }
    if text.contains("PRIVATE KEY-----") {
        return ssh(text).map(|key| vec![key]);
    }
    let mut keys = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let at = |reason: &str| Fault::new(format!("line {} {reason}", number + 1));
        let identity: age::x25519::Identity = line.parse().map_err(|_| {
            if line.starts_with("AGE-PLUGIN-") {
                return at("is of a plugin of age, which nothing here talks to");
            }
            if line.starts_with("age1") || line.starts_with("ssh-") {
                return at("is a public key, expected a secret one");
            }
            at("is no secret key")
                .hint("expected what `age-keygen` writes, or a private key of SSH")
        })?;
        let recipient = identity.to_public().to_string();
        keys.push(Key { identity: Box::new(identity), recipient });
    }
    if keys.is_empty() {
        return Err(Fault::new("there is no secret key").hint("`age-keygen -o FILE` makes one"));
    }
    Ok(keys)
}

fn ssh(text: &Zeroizing<String>) -> Result<Key, Fault> {
    let broken = || {
        Fault::new("this is no private key of SSH that age can use")
            .hint("expected ed25519, or RSA")
    };
    let identity = age::ssh::Identity::from_buffer(text.as_bytes(), None).map_err(|_| broken())?;
    match &identity {
        age::ssh::Identity::Unencrypted(_) => {}
        age::ssh::Identity::Encrypted(_) => {
            return Err(Fault::new("this private key of SSH is locked by a passphrase")
                .hint("use a copy without one (`ssh-keygen -p -f COPY`), or an identity of age"));
        }
        age::ssh::Identity::Unsupported(_) => return Err(broken()),
    }
    let recipient =
        age::ssh::Recipient::try_from(identity.clone()).map_err(|_| broken())?.to_string();
    Ok(Key { identity: Box::new(identity), recipient })
}
