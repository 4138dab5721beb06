//! The canonical manifest of a tree, whose digest is the tree's identity.
//!
//! The manifest is text, one line per entry in the order of [`TreePath`], so that anyone can
//! recompute it; `docs/tree.md` specifies it. It covers what every format can carry (path, kind,
//! permission bits, owner and group by name, extended attributes, content) and nothing else: no
//! modification time (one bake has one), no account numbers (packages own by name), no marks.

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::entry::{DeviceKind, Entry, Mark, Node};
use super::path::TreePath;
use super::{FileTree, Mode};
use crate::digest::{Digest, DigestError, Hasher, push_hex};

/// The first line of every manifest.
const HEADER: &str = "bake-tree 1\n";

/// The digest of a tree's manifest: the identity of "the same artifact".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TreeId(Digest);

impl TreeId {
    /// Returns the digest of the manifest.
    pub fn digest(&self) -> &Digest {
        &self.0
    }
}

impl fmt::Display for TreeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for TreeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for TreeId {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        text.parse().map(Self)
    }
}

impl FileTree {
    /// Returns the tree's identity.
    pub fn id(&self) -> TreeId {
        let compute = || {
            let mut hasher = Hasher::new();
            hasher.update(HEADER.as_bytes());
            let mut text = String::new();
            for line in self.manifest_lines() {
                text.clear();
                line.push_to(&mut text);
                text.push('\n');
                hasher.update(text.as_bytes());
            }
            TreeId(hasher.digest())
        };
        *self.entries.id.get_or_init(compute)
    }

    /// Writes the manifest.
    pub fn write_manifest(&self, mut out: impl Write) -> io::Result<()> {
        out.write_all(HEADER.as_bytes())?;
        self.manifest_lines().try_for_each(|line| writeln!(out, "{line}"))
    }

    /// Returns the entries that the manifest lists.
    ///
    /// Left out are ghosts, which no payload holds, and directories that only lead to others
    /// (root's, mode 0755, no attributes, not empty): a deb must list those, an rpm must not. A
    /// directory is empty if it holds nothing but ghosts, because that is how it is unpacked.
    pub fn manifest_lines(&self) -> impl Iterator<Item = ManifestLine<'_>> + '_ {
        self.iter()
            .filter(|(path, entry)| entry.mark != Mark::Ghost && !self.is_structural(path, entry))
            .map(|(path, entry)| ManifestLine { path, entry })
    }

    fn is_structural(&self, path: &TreePath, entry: &Entry) -> bool {
        entry.is_directory()
            && entry.mode == Mode::EXECUTABLE
            && &*entry.owner.name == "root"
            && &*entry.group.name == "root"
            && entry.xattrs.is_empty()
            && (path.is_root() || entry.implied || self.leads_to_payload(path))
    }

    /// Returns whether anything below a directory is in the payload for its own sake.
    fn leads_to_payload(&self, directory: &TreePath) -> bool {
        self.below(directory).any(|(_, entry)| !entry.implied && entry.mark != Mark::Ghost)
    }
}

/// One line of a manifest, without the line feed.
#[derive(Debug, Clone, Copy)]
pub struct ManifestLine<'a> {
    path: &'a TreePath,
    entry: &'a Entry,
}

impl<'a> ManifestLine<'a> {
    /// Returns the line for an entry.
    pub fn new(path: &'a TreePath, entry: &'a Entry) -> Self {
        Self { path, entry }
    }

    /// Returns the path that the line is about.
    pub fn path(&self) -> &'a TreePath {
        self.path
    }

    /// Appends the line to others: there are many, so that each is put together without `format!`.
    pub(super) fn push_to(&self, text: &mut String) {
        let Entry { node, mode, owner, group, xattrs, .. } = self.entry;
        let owners = |text: &mut String| {
            text.push_str(" owner=");
            push_name(text, &owner.name);
            text.push_str(" group=");
            push_name(text, &group.name);
        };
        let attributes = |text: &mut String| {
            text.push_str(" mode=");
            push_octal(text, mode.bits());
            owners(text);
        };
        push_path(text, self.path);
        match node {
            Node::Directory => {
                text.push_str(" directory");
                attributes(text);
            }
            Node::File(content) => {
                text.push_str(" file");
                attributes(text);
                text.push_str(" size=");
                text.push_str(&content.size.to_string());
                text.push_str(" sha256=");
                push_hex(text, content.digest.as_bytes());
            }
            Node::Symlink(target) => {
                text.push_str(" symlink");
                owners(text);
                text.push_str(" to=");
                push_escaped(text, target);
            }
            Node::HardLink(target) => {
                text.push_str(" hardlink to=");
                push_path(text, target);
                return;
            }
            Node::Device { kind, major, minor } => {
                text.push_str(match kind {
                    DeviceKind::Character => " character",
                    DeviceKind::Block => " block",
                });
                attributes(text);
                text.push_str(&format!(" device={major},{minor}"));
            }
            Node::Fifo => {
                text.push_str(" fifo");
                attributes(text);
            }
        }
        for (name, value) in xattrs {
            text.push_str(" xattr.");
            push_name(text, name);
            text.push('=');
            push_hex(text, value);
        }
    }
}

impl fmt::Display for ManifestLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.push_to(&mut text);
        f.write_str(&text)
    }
}

fn push_path(text: &mut String, path: &TreePath) {
    text.push('/');
    push_escaped(text, path.relative());
}

/// Appends a name in which the characters that separate fields are escaped too.
fn push_name(text: &mut String, name: &str) {
    if name.contains('=') {
        text.push_str(&escape(name.as_bytes()).replace('=', "\\075"));
    } else {
        push_escaped(text, name.as_bytes());
    }
}

/// Appends permission bits as four octal digits.
fn push_octal(text: &mut String, bits: u16) {
    for shift in [9, 6, 3, 0] {
        text.push(char::from(b'0' + (bits >> shift & 7) as u8));
    }
}

/// Returns bytes as printable ASCII: what is not in `!`..`~`, and the backslash, becomes `\ooo`.
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    push_escaped(&mut text, bytes);
    text
}

fn push_escaped(text: &mut String, bytes: &[u8]) {
    let is_plain = |byte: &u8| matches!(byte, b'!'..=b'~') && *byte != b'\\';
    match std::str::from_utf8(bytes) {
        Ok(plain) if bytes.iter().all(is_plain) => text.push_str(plain),
        _ => {
            for byte in bytes {
                match byte {
                    b'\\' => text.push_str("\\134"),
                    b'!'..=b'~' => text.push(char::from(*byte)),
                    _ => text.push_str(&format!("\\{byte:03o}")),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Content, Owner, TreeBuilder};
    use super::*;

    fn tree() -> FileTree {
        let path = |bytes: &[u8]| TreePath::parse(bytes).unwrap();
        let mut builder = TreeBuilder::new();
        let mut add = |name: &[u8], entry: Entry| builder.insert(path(name), entry).unwrap();
        add(b"/usr/bin/app", Entry::file(Content::of(b"hello\n"), Mode::EXECUTABLE));
        add(b"/usr/bin/same", Entry::new(Node::HardLink(path(b"/usr/bin/app")), Mode::PLAIN));
        add(b"/usr/bin/link", Entry::symlink("app with space"));
        add(b"/usr/empty", Entry::directory());
        add(b"/usr/share/caf\xe9", Entry::file(Content::of(b""), Mode::PLAIN));
        let mut owned = Entry::directory();
        owned.owner = Owner::new("svc", 7);
        owned.group = Owner::new("svc", 8);
        add(b"/var/lib/svc", owned);
        add(b"/run/pipe", Entry::new(Node::Fifo, Mode::PLAIN));
        let node = Node::Device { kind: DeviceKind::Character, major: 1, minor: 3 };
        add(b"/dev/null", Entry::new(node, Mode::new(0o666).unwrap()));
        let mut caps = Entry::file(Content::of(b"x"), Mode::new(0o4755).unwrap());
        caps.xattrs.insert("security.capability".into(), vec![1, 0xff]);
        add(b"/usr/bin/caps", caps);
        let mut ghost = Entry::file(Content::of(b""), Mode::PLAIN);
        ghost.mark = Mark::Ghost;
        add(b"/var/log/x", ghost);
        builder.finish().unwrap()
    }

    #[test]
    fn lists_what_every_format_carries() {
        let mut text = Vec::new();
        tree().write_manifest(&mut text).unwrap();
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let expected = format!(
            "bake-tree 1\n\
            /dev/null character mode=0666 owner=root group=root device=1,3\n\
            /run/pipe fifo mode=0644 owner=root group=root\n\
            /usr/bin/app file mode=0755 owner=root group=root size=6 \
            sha256=5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\n\
            /usr/bin/caps file mode=4755 owner=root group=root size=1 \
            sha256=2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 \
            xattr.security.capability=01ff\n\
            /usr/bin/link symlink owner=root group=root to=app\\040with\\040space\n\
            /usr/bin/same hardlink to=/usr/bin/app\n\
            /usr/empty directory mode=0755 owner=root group=root\n\
            /usr/share/caf\\351 file mode=0644 owner=root group=root size=0 sha256={empty}\n\
            /var/lib/svc directory mode=0755 owner=svc group=svc\n"
        );
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }

    #[test]
    fn the_identity_stays_when_ghosts_are_left_out() {
        let path = |text: &str| TreePath::parse(text).unwrap();
        let mut builder = TreeBuilder::new();
        let mut ghost = Entry::file(Content::of(b""), Mode::PLAIN);
        ghost.mark = Mark::Ghost;
        builder.insert(path("/var/log/app"), Entry::directory()).unwrap();
        builder.insert(path("/var/log/app/old/log"), ghost.clone()).unwrap();
        builder.insert(path("/run/app/socket"), ghost).unwrap();
        let tree = builder.finish().unwrap();
        let shipped = tree.filter(|_, entry| entry.mark != Mark::Ghost).unwrap();
        assert_eq!(shipped.id(), tree.id());
        let lines: Vec<_> = tree.manifest_lines().map(|line| line.to_string()).collect();
        assert_eq!(lines, ["/var/log/app directory mode=0755 owner=root group=root"]);
    }

    #[test]
    fn the_identity_is_the_digest_of_the_manifest() {
        let mut text = Vec::new();
        tree().write_manifest(&mut text).unwrap();
        assert_eq!(tree().id().digest(), &Digest::of(&text));
    }

    /// A change here is a change of every tree's identity: a new version of the manifest.
    #[test]
    fn golden_identities_stay() {
        let empty = TreeBuilder::new().finish().unwrap();
        let cases = [
            (empty, "f6117b4f03c47e15f4d770158b5806919b4fcc51ea7d076864e53c041028ee59"),
            (tree(), "4f4aae5d4b7ce5e27afc5e85e93fa2b10eb898af16f00961d2d25f064ae5bf9a"),
        ];
        for (tree, expected) in cases {
            assert_eq!(tree.id().to_string(), format!("sha256:{expected}"));
        }
    }
}
