//! The identity of a step's work.
//!
//! | part | covers |
//! |---|---|
//! | `program` | the format, its revision, the revisions of all encoders |
//! | `model` | everything the format stores besides the tree, compression and level among it |
//! | `tree` | paths, kinds, modes, owner names, extended attributes, contents |
//! | `attributes` | what the tree's identity leaves out: marks, account numbers, which directories are implied |
//! | `epoch` | the time of everything |
//!
//! It covers no path of the host, no modification time, no thread count and no output folder. Every
//! part is written as name and value, both with their lengths before them.

use std::collections::BTreeMap;

use bake_formats::digest::{Digest, Hasher};
use bake_formats::encode::Codec;
use bake_formats::format::Epoch;
use bake_formats::tree::FileTree;

use super::Part;
use crate::error::Error;
use crate::lower::Joining;

/// The identity of a step's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ActionKey(Digest);

impl ActionKey {
    /// Returns the digest.
    pub fn digest(&self) -> &Digest {
        &self.0
    }
}

impl std::fmt::Display for ActionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What a key covers, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyParts {
    parts: [(&'static str, String); 5],
}

impl KeyParts {
    /// Collects what a step's key covers; of several images each part lists all.
    pub(super) fn new(
        parts: &[Part],
        joining: Option<&Joining>,
        epoch: Epoch,
    ) -> Result<Self, Error> {
        let mut program = String::new();
        let (mut models, mut trees, mut attributes) = (Vec::new(), Vec::new(), Vec::new());
        for Part { product, tree_id, attributes: digest, .. } in parts {
            program = format!("{} {}", product.kind().name(), product.kind().revision());
            // Models name the tree they describe; that is a part of its own.
            models.push(product.model_json()?.replace(&tree_id.to_string(), ""));
            trees.push(tree_id.to_string());
            attributes.push(digest.to_string());
        }
        for codec in [Codec::Gzip, Codec::Zstd, Codec::Xz] {
            program.push_str(&format!(" {} {}", codec.word(), codec.revision()));
        }
        if let Some(joining) = joining {
            let text = serde_json::to_string(joining).map_err(std::io::Error::from)?;
            models.push(format!("joined {text}"));
        }
        let parts = [
            ("program", program),
            ("model", models.join("\n")),
            ("tree", trees.join("\n")),
            ("attributes", attributes.join("\n")),
            ("epoch", epoch.0.to_string()),
        ];
        Ok(Self { parts })
    }

    /// Returns the key.
    pub fn key(&self) -> ActionKey {
        let mut hasher = Hasher::new();
        hasher.update(b"bake action 1\n");
        for (name, value) in &self.parts {
            for text in [*name, value] {
                hasher.update(&(text.len() as u64).to_le_bytes());
                hasher.update(text.as_bytes());
            }
        }
        ActionKey(hasher.digest())
    }

    /// Returns a digest of each part, to compare the next key with.
    pub fn summary(&self) -> BTreeMap<String, Digest> {
        let digest = |value: &String| Digest::of(value.as_bytes());
        self.parts.iter().map(|(name, value)| ((*name).to_owned(), digest(value))).collect()
    }

    /// Returns why there is no result for the key, given what the last one covered.
    pub fn explain(&self, last: Option<&BTreeMap<String, Digest>>) -> String {
        let Some(last) = last else { return "never baked with this store".into() };
        let now = self.summary();
        let changed: Vec<&str> = self
            .parts
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| now.get(*name) != last.get(*name))
            .map(words)
            .collect();
        if changed.is_empty() {
            return "the result was collected or is damaged".into();
        }
        format!("changed since the last bake: {}", changed.join(", "))
    }
}

/// Returns a part in the user's words.
fn words(part: &str) -> &str {
    match part {
        "program" => "bake itself",
        "model" => "the recipe's metadata",
        "tree" => "the files",
        "attributes" => "types or account numbers of files",
        "epoch" => "the date of everything",
        other => other,
    }
}

/// Returns a digest of what writers see of a tree beyond its identity.
pub(super) fn attributes(tree: &FileTree) -> Digest {
    let mut hasher = Hasher::new();
    for (path, entry) in tree.iter() {
        hasher.update(&(path.relative().len() as u64).to_le_bytes());
        hasher.update(path.relative());
        hasher.update(entry.mark.word().as_bytes());
        hasher.update(&[u8::from(entry.implied)]);
        hasher.update(&entry.owner.id.to_le_bytes());
        hasher.update(&entry.group.id.to_le_bytes());
    }
    hasher.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(values: [&str; 5]) -> KeyParts {
        let names = ["program", "model", "tree", "attributes", "epoch"];
        let mut values = values.into_iter().map(str::to_owned);
        KeyParts { parts: names.map(|name| (name, values.next().unwrap())) }
    }

    #[test]
    fn every_part_moves_the_key() {
        let base = parts(["a", "b", "c", "d", "e"]);
        for index in 0..5 {
            let mut values = ["a", "b", "c", "d", "e"];
            values[index] = "x";
            assert_ne!(parts(values).key(), base.key(), "part {index}");
        }
        assert_ne!(parts(["ab", "", "c", "d", "e"]).key(), parts(["a", "b", "c", "d", "e"]).key());
    }

    #[test]
    fn a_miss_says_what_changed() {
        let old = parts(["a", "b", "c", "d", "e"]).summary();
        let new = parts(["a", "b2", "c2", "d", "e"]);
        let text = new.explain(Some(&old));
        assert_eq!(text, "changed since the last bake: the recipe's metadata, the files");
        assert_eq!(new.explain(None), "never baked with this store");
        assert!(new.explain(Some(&new.summary())).contains("collected"));
    }
}
