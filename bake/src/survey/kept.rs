//! What the store keeps of a layer that was surveyed.

use std::collections::BTreeMap;
use std::io;

use bake_formats::digest::{Digest, Hasher};
use bake_formats::tree::{Content, DeviceKind, Entry, Mode, Node, Owner, TreePath};
use serde::{Deserialize, Serialize};

use super::contents::Facts;
use super::layer::LayerSurvey;
use crate::store::Store;

/// Raised whenever a layer would be surveyed differently.
const REVISION: u32 = 1;

/// Returns the name under which a layer's survey is kept: both digests were checked together.
pub(super) fn key(layer: &Digest, diff_id: &Digest) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(format!("bake survey {REVISION} {layer} {diff_id}\n").as_bytes());
    hasher.digest()
}

/// Returns what is kept; a document that cannot be read counts as none.
pub(super) fn read(store: &Store, key: &Digest) -> Option<LayerSurvey> {
    let Document { owners, entries, facts } = store.note(key)?;
    let owner = |number: usize| owners.get(number).map(|(name, id)| Owner::new(name, *id));
    let entries = entries.into_iter().map(|row| {
        let Row(path, node, mode, user, group, xattrs) = row;
        let mut entry = Entry::new(node.into(), Mode::new(mode).ok()?);
        entry.owner = owner(user)?;
        entry.group = owner(group)?;
        entry.xattrs = xattrs.into_iter().map(|name| (name, Vec::new())).collect();
        Some((path, entry))
    });
    let entries: Option<Vec<_>> = entries.collect();
    Some(LayerSurvey { entries: entries?, facts: facts.into_iter().collect() })
}

/// Keeps what was found.
pub(super) fn write(store: &Store, key: &Digest, survey: &LayerSurvey) -> io::Result<()> {
    let mut owners = Owners::default();
    let row = |(path, entry): &(TreePath, Entry)| {
        let (user, group) = (owners.number(&entry.owner), owners.number(&entry.group));
        let xattrs = entry.xattrs.keys().cloned().collect();
        Row(path.clone(), (&entry.node).into(), entry.mode.bits().into(), user, group, xattrs)
    };
    let entries = survey.entries.iter().map(row).collect();
    let facts = survey.facts.iter().map(|(digest, facts)| (*digest, facts.clone())).collect();
    store.put_note(key, &Document { owners: owners.list, entries, facts })
}

/// A survey as it is kept.
#[derive(Serialize, Deserialize)]
struct Document {
    /// Users and groups; entries name them by their places here.
    owners: Vec<(String, u32)>,
    entries: Vec<Row>,
    facts: Vec<(Digest, Facts)>,
}

/// An entry: path, what it is, mode, user, group, names of extended attributes.
#[derive(Serialize, Deserialize)]
struct Row(TreePath, KeptNode, u32, usize, usize, Vec<String>);

/// What an entry is.
#[derive(Serialize, Deserialize)]
enum KeptNode {
    D,
    F(Digest, u64, [u8; 16]),
    L(Bytes),
    H(TreePath),
    C(u32, u32),
    B(u32, u32),
    P,
}

/// Bytes that are nearly always text.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Bytes {
    Text(String),
    Raw(Vec<u8>),
}

/// Numbers the owners.
#[derive(Default)]
struct Owners {
    list: Vec<(String, u32)>,
    numbers: BTreeMap<Owner, usize>,
}

impl Owners {
    fn number(&mut self, owner: &Owner) -> usize {
        if let Some(number) = self.numbers.get(owner) {
            return *number;
        }
        let number = self.list.len();
        self.list.push((owner.name.to_string(), owner.id));
        self.numbers.insert(owner.clone(), number);
        number
    }
}

impl From<&Node> for KeptNode {
    fn from(node: &Node) -> Self {
        match node {
            Node::Directory => Self::D,
            Node::File(Content { digest, size, md5 }) => Self::F(*digest, *size, *md5),
            Node::Symlink(target) => Self::L(match String::from_utf8(target.clone()) {
                Ok(text) => Bytes::Text(text),
                Err(error) => Bytes::Raw(error.into_bytes()),
            }),
            Node::HardLink(path) => Self::H(path.clone()),
            Node::Device { kind: DeviceKind::Character, major, minor } => Self::C(*major, *minor),
            Node::Device { kind: DeviceKind::Block, major, minor } => Self::B(*major, *minor),
            Node::Fifo => Self::P,
        }
    }
}

impl From<KeptNode> for Node {
    fn from(kept: KeptNode) -> Self {
        match kept {
            KeptNode::D => Self::Directory,
            KeptNode::F(digest, size, md5) => Self::File(Content { digest, size, md5 }),
            KeptNode::L(Bytes::Text(text)) => Self::Symlink(text.into_bytes()),
            KeptNode::L(Bytes::Raw(bytes)) => Self::Symlink(bytes),
            KeptNode::H(path) => Self::HardLink(path),
            KeptNode::C(major, minor) => Self::Device { kind: DeviceKind::Character, major, minor },
            KeptNode::B(major, minor) => Self::Device { kind: DeviceKind::Block, major, minor },
            KeptNode::P => Self::Fifo,
        }
    }
}
