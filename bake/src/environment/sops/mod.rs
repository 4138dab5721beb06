//! Files that sops encrypted with age, read and never written.
//!
//! ```text
//! sops.age[].enc ──identity──► data key (32 bytes)
//! value: ENC[AES256_GCM,data,iv,tag,type], additional data: the names on the way to it, each with `:`
//! sops.mac: SHA-512 over the values in order, encrypted like a value, additional data: sops.lastmodified
//! ```
//!
//! Names, comments and empty values are as they are. The code of the values is checked before any value is used: a file
//! in which somebody exchanged, moved or removed values is refused.

mod dotenv;
mod json;
mod metadata;
mod tree;
mod value;
mod yaml;

use std::path::Path;

use bake_recipes::environment::SopsValue;
use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

use self::metadata::{Covers, Metadata};
use self::tree::{Clear, Node};
use self::value::{DataKey, Encrypted, Value};
use super::cipher;
use super::fault::Fault;
use super::held;
use super::identities::Identities;

/// The largest file that is read, in bytes.
const MAX_LEN: usize = 8 << 20;
/// What the authentication code begins with if it covers encrypted values only: SHA-256 of `sops`.
const ONLY_ENCRYPTED: [u8; 32] = [
    0x8a, 0x3f, 0xd2, 0xad, 0x54, 0xce, 0x66, 0x52, 0x7b, 0x10, 0x34, 0xf3, 0xd1, 0x47, 0xbe,
    0x0b, //
    0x0b, 0x97, 0x5b, 0x3b, 0xf4, 0x4f, 0x72, 0xc6, 0xfd, 0xad, 0xec, 0x81, 0x76, 0xf2, 0x7d, 0x69,
];

/// A file that was decrypted. It has no `Debug`, because its values are secret.
pub(super) struct SopsFile(Clear);

impl SopsFile {
    /// Reads a file, decrypts all of it and checks it.
    pub(super) fn open(path: &Path, identities: &Identities) -> Result<Self, Fault> {
        let unreadable = |error: std::io::Error| Fault::new(format!("cannot be read: {error}"));
        let (mut file, _) = fs_err::File::open(path).map_err(unreadable)?.into_parts();
        let bytes = held::read(&mut file, MAX_LEN).map_err(unreadable)?;
        let bytes = bytes.ok_or_else(|| Fault::new(format!("is larger than {MAX_LEN} bytes")))?;
        let text = held::text(bytes).ok_or_else(|| Fault::new("is not UTF-8 text"))?;
        let document = Syntax::of(path)?.parse(&text).map_err(Fault::new)?;
        decrypt(document, identities).map(Self)
    }

    /// Returns the value that a pointer leads to.
    pub(super) fn get(&self, value: &SopsValue) -> Result<Zeroizing<String>, Fault> {
        match self.0.find(&value.pointer).map_err(Fault::new)? {
            Clear::Value(text) => Ok(text.clone()),
            Clear::Null => Err(Fault::new("there is nothing there, expected a value")),
            Clear::List(_) => Err(Fault::new("there is a list, expected a single value")),
            Clear::Map(_) => Err(Fault::new("there are several values, expected one")),
        }
    }
}

/// The syntax of a file, which its name says, as it does to sops.
#[derive(Debug, Clone, Copy)]
enum Syntax {
    Yaml,
    Json,
    Dotenv,
}

impl Syntax {
    fn of(path: &Path) -> Result<Self, Fault> {
        // Of `.env` nothing is left without its end, so it is no extension to the standard library.
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        match name.rsplit_once('.').map(|(_, end)| end) {
            Some("yaml" | "yml") => Ok(Self::Yaml),
            Some("json") => Ok(Self::Json),
            Some("env") => Ok(Self::Dotenv),
            _ => Err(Fault::new("is not called `.yaml`, `.json` or `.env`")
                .hint("let sops decrypt it: `{ command = [\"sops\", \"decrypt\", FILE] }`")),
        }
    }

    fn parse(self, text: &str) -> Result<Node, String> {
        match self {
            Self::Yaml => yaml::parse(text),
            Self::Json => json::parse(text),
            Self::Dotenv => dotenv::parse(text),
        }
    }
}

fn decrypt(document: Node, identities: &Identities) -> Result<Clear, Fault> {
    let Node::Map(entries) = document else {
        return Err(Fault::new("holds no names, expected what sops writes"));
    };
    let (about, entries): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|(name, _)| name == "sops");
    let about = about.first().map(|(_, about)| about);
    let plain =
        || Fault::new("was not encrypted by sops: it has no `sops`").hint("`sops encrypt -i FILE`");
    let metadata = Metadata::read(about.ok_or_else(plain)?)?;
    let key = data_key(&metadata, identities)?;
    let mut walk = Walk { metadata: &metadata, key: &key, hash: Sha512::new() };
    if metadata.covers == Covers::Encrypted {
        walk.hash.update(ONLY_ENCRYPTED);
    }
    let clear = walk.node(Node::Map(entries), &mut Vec::new())?;
    let found = hexadecimal(&walk.hash.finalize());
    let expected =
        Encrypted::parse(&metadata.mac).and_then(|mac| mac.decrypt(&key, &metadata.last_modified));
    match expected {
        Some(expected) if *expected.text == found => Ok(clear),
        _ => {
            Err(Fault::new("was changed after sops wrote it: its authentication code does not fit")
                .hint("take it from where it came, or edit it with `sops edit FILE`"))
        }
    }
}

/// Returns bytes in capital digits, as sops writes them.
fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789ABCDEF"[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn data_key(metadata: &Metadata, identities: &Identities) -> Result<DataKey, Fault> {
    let could: Vec<String> = metadata.age.iter().map(|(recipient, _)| recipient.clone()).collect();
    let mut failed = None;
    // The one for us first: the others can only fail.
    let is_ours = |recipient: &String| identities.recipients().any(|ours| ours == recipient);
    let (ours, others): (Vec<_>, Vec<_>) =
        metadata.age.iter().partition(|(recipient, _)| is_ours(recipient));
    for (_, enc) in ours.into_iter().chain(others) {
        match cipher::decrypt(enc, identities, &could) {
            Ok(bytes) => {
                let key = <&[u8; 32]>::try_from(bytes.as_slice());
                let key = key.map_err(|_| Fault::new("has a data key that is not of 32 bytes"))?;
                return Ok(Zeroizing::new(*key));
            }
            Err(fault) => failed = failed.or(Some(fault)),
        }
    }
    Err(failed.unwrap_or_else(|| identities.unfit(&could)))
}

/// Decrypts a document in the order in which its code was made.
struct Walk<'a> {
    metadata: &'a Metadata,
    key: &'a DataKey,
    hash: Sha512,
}

impl Walk<'_> {
    fn node(&mut self, node: Node, path: &mut Vec<String>) -> Result<Clear, Fault> {
        Ok(match node {
            Node::Null => Clear::Null,
            Node::List(list) => {
                let all = list.into_iter().map(|node| self.node(node, path));
                Clear::List(all.collect::<Result<_, _>>()?)
            }
            Node::Map(entries) => {
                let mut all = Vec::new();
                for (name, node) in entries {
                    path.push(name.clone());
                    all.push((name, self.node(node, path)?));
                    path.pop();
                }
                Clear::Map(all)
            }
            Node::Text(_) | Node::Number(_) | Node::Bool(_) => {
                Clear::Value(self.value(node, path)?)
            }
        })
    }

    fn value(&mut self, node: Node, path: &[String]) -> Result<Zeroizing<String>, Fault> {
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        let is_encrypted = self.metadata.is_encrypted(&names);
        let place = || format!("the value at `/{}`", names.join("/"));
        let value = match node {
            Node::Text(text) if is_encrypted && !text.is_empty() => {
                let encrypted = Encrypted::parse(&text).ok_or_else(|| {
                    Fault::new(format!("{} is not encrypted, and should be", place()))
                })?;
                let additional = format!("{}:", names.join(":"));
                encrypted.decrypt(self.key, &additional).ok_or_else(|| {
                    Fault::new(format!("{} was changed or moved after sops wrote it", place()))
                })?
            }
            Node::Text(text) => Value { text: Zeroizing::new(text), authenticated: None },
            _ if is_encrypted => {
                return Err(Fault::new(format!("{} is not encrypted, and should be", place())));
            }
            Node::Number(text) => Value { text: Zeroizing::new(text), authenticated: None },
            Node::Bool(value) => Value::bool(value),
            Node::Null | Node::List(_) | Node::Map(_) => return Ok(Zeroizing::default()),
        };
        if is_encrypted || self.metadata.covers == Covers::All {
            self.hash.update(value.authenticated());
        }
        Ok(value.text)
    }
}

#[cfg(test)]
mod tests;
