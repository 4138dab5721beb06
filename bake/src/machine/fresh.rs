//! From the tree of a base to the tree of a machine that never ran.
//!
//! What identifies a machine is made at its first boot, not here: every machine that starts from one
//! disk would have it.

use std::collections::BTreeMap;

use bake_formats::tree::{Content, Entry, FileTree, Mode, Node, TreeBuilder, TreePath};

use super::files::Files;
use super::traces;
use crate::assemble::SourceFiles;
use crate::error::Error;

/// The machine's identity (machine-id(5)).
const MACHINE_ID: &str = "etc/machine-id";
/// Why it is empty.
///
/// An empty file says that the machine's identity is to be made, and that this boot is not the
/// "first boot" of systemd: that one applies presets, which would enable and disable units other
/// than those that the image has enabled, and asks on the console for a root password.
const MACHINE_ID_REASON: &str = "the identity is made at the first boot";
/// The unit that makes the host keys of an SSH server.
const SSH_UNIT: &str = "etc/systemd/system/bake-ssh-keys.service";
const SSH_WANTED: &str = "etc/systemd/system/multi-user.target.wants/bake-ssh-keys.service";
const SSH_TEXT: &str = "\
[Unit]
Description=Make the host keys of the SSH server
Documentation=man:ssh-keygen(1)
DefaultDependencies=no
Conflicts=shutdown.target
After=local-fs.target
Before=shutdown.target ssh.service sshd.service ssh.socket sshd.socket
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key
ConditionPathIsReadWrite=/etc/ssh

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A
RemainAfterExit=yes

[Install]
WantedBy=multi-user.target
";
/// Units of distributions that do the same.
const SSH_UNITS: [&str; 5] = [
    "sshd-keygen.service",
    "sshd-keygen@.service",
    "sshd-keygen.target",
    "ssh-keygen.service",
    "sshdgenkeys.service",
];
/// What the attributes begin with that hold access control lists (acl(5)).
const ACCESS_LISTS: &str = "system.posix_acl_";
/// Directories that the kernel and init mount something on, with their modes.
const MOUNT_POINTS: [(&str, u32); 5] =
    [("dev", 0o755), ("proc", 0o555), ("run", 0o755), ("sys", 0o555), ("tmp", 0o1777)];

/// A tree as of a machine that never ran.
#[derive(Debug, Clone)]
pub struct Fresh {
    /// The tree.
    pub tree: FileTree,
    /// The contents that the base does not have.
    pub sources: SourceFiles,
    /// What was changed, by path.
    pub changes: Vec<Change>,
}

/// One difference from the base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub path: TreePath,
    /// What became of it.
    pub effect: Effect,
    /// Why.
    pub reason: &'static str,
}

/// What became of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It is no longer there.
    Removed,
    /// It is something else.
    Replaced,
    /// It was not there.
    Added,
}

impl Effect {
    /// Returns the word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Replaced => "replaced",
            Self::Added => "added",
        }
    }
}

/// Takes away what is of the machine that the base was made on, and adds what a first boot needs.
///
/// The host is called `hostname`; without one, a name that the base has becomes `localhost`, for
/// which a machine takes the name that its network gives it.
pub fn freshen(base: Files<'_>, hostname: Option<&str>) -> Result<Fresh, Error> {
    let mut changed = Changed {
        base,
        removed: traces::find(base),
        placed: BTreeMap::new(),
        sources: SourceFiles::default(),
    };
    changed.identity(hostname)?;
    changed.network()?;
    changed.host_keys()?;
    changed.logs()?;
    changed.mount_points()?;
    changed.finish()
}

struct Changed<'a> {
    base: Files<'a>,
    removed: BTreeMap<TreePath, &'static str>,
    placed: BTreeMap<TreePath, (Entry, &'static str)>,
    sources: SourceFiles,
}

impl Changed<'_> {
    fn identity(&mut self, hostname: Option<&str>) -> Result<(), Error> {
        let read_only = Mode::new(0o444).unwrap_or(Mode::PLAIN);
        self.text(MACHINE_ID, "", read_only, MACHINE_ID_REASON)?;
        // A link to /etc/machine-id, as Debian has it, is no trace.
        let dbus = parse("var/lib/dbus/machine-id")?;
        if self.base.tree.content(&dbus).is_some() {
            self.removed.insert(dbus, "dbus takes the identity in /etc");
        }
        self.hosts()?;
        let has_name = self.base.tree.get(&parse("etc/hostname")?).is_some();
        let reason = "the name is of the host that made the base";
        match hostname {
            Some(name) => self.text("etc/hostname", &format!("{name}\n"), Mode::PLAIN, reason),
            None if has_name => self.text("etc/hostname", "localhost\n", Mode::PLAIN, reason),
            None => Ok(()),
        }
    }

    /// Installers and container engines write the host's own name and address into the list of hosts.
    fn hosts(&mut self) -> Result<(), Error> {
        let (Some(name), Some(hosts)) =
            (self.base.text("etc/hostname")?, self.base.text("etc/hosts")?)
        else {
            return Ok(());
        };
        let (name, hosts) = (String::from_utf8_lossy(&name), String::from_utf8_lossy(&hosts));
        let name = name.trim();
        if matches!(name, "" | "localhost") {
            return Ok(());
        }
        let text: String =
            hosts.split_inclusive('\n').filter_map(|line| nameless(line, name)).collect();
        if text == hosts {
            return Ok(());
        }
        self.text("etc/hosts", &text, Mode::PLAIN, "it names the host that made the base")
    }

    /// What resolves names where the base was made need not be reachable elsewhere.
    fn network(&mut self) -> Result<(), Error> {
        let path = parse("etc/resolv.conf")?;
        if self.base.tree.content(&path).is_none() {
            return Ok(());
        }
        let reason = "the name servers are of the network that the base was made in";
        if self.base.file("usr/lib/systemd/systemd-resolved").is_none() {
            return self.text("etc/resolv.conf", "", Mode::PLAIN, reason);
        }
        self.place(path, Entry::symlink("../run/systemd/resolve/stub-resolv.conf"), reason);
        Ok(())
    }

    /// Debian makes host keys when the package is installed, and never again.
    fn host_keys(&mut self) -> Result<(), Error> {
        let is_there = |name: &&str| {
            self.base.file(format!("usr/lib/systemd/system/{name}")).is_some()
                || self.base.file(format!("lib/systemd/system/{name}")).is_some()
        };
        let needs_keys = self.base.file("usr/sbin/sshd").is_some()
            && self.base.file("usr/bin/ssh-keygen").is_some()
            && self.base.file("usr/lib/systemd/systemd").is_some();
        if !needs_keys || SSH_UNITS.iter().any(is_there) {
            return Ok(());
        }
        let reason = "the SSH server needs host keys, and nothing in the base makes them";
        self.text(SSH_UNIT, SSH_TEXT, Mode::PLAIN, reason)?;
        self.place(parse(SSH_WANTED)?, Entry::symlink(format!("/{SSH_UNIT}")), reason);
        Ok(())
    }

    /// What systemd-tmpfiles lets groups read in the journal, it does at every boot.
    fn logs(&mut self) -> Result<(), Error> {
        let folder = parse("var/log")?;
        let base = self.base;
        for (path, entry) in base.tree.below(&folder) {
            let is_list = |name: &String| name.starts_with(ACCESS_LISTS);
            if self.removed.contains_key(path) || !entry.xattrs.keys().any(is_list) {
                continue;
            }
            let mut entry = entry.clone();
            entry.xattrs.retain(|name, _| !is_list(name));
            self.place(path.clone(), entry, "its access control list is made again at every boot");
        }
        Ok(())
    }

    fn mount_points(&mut self) -> Result<(), Error> {
        for (path, mode) in MOUNT_POINTS {
            let path = parse(path)?;
            let there = self.base.tree.get(&path).filter(|entry| !entry.implied);
            if there.is_none() {
                let mode = Mode::new(mode).unwrap_or(Mode::EXECUTABLE);
                let entry = Entry::new(Node::Directory, mode);
                self.place(path, entry, "something is mounted here when the machine runs");
            }
        }
        Ok(())
    }

    fn text(
        &mut self,
        path: &str,
        text: &str,
        mode: Mode,
        reason: &'static str,
    ) -> Result<(), Error> {
        self.sources.insert_bytes(text.as_bytes());
        // As what is in the base, which knows no MD5.
        let content = Content { md5: [0; 16], ..Content::of(text.as_bytes()) };
        self.place(parse(path)?, Entry::file(content, mode), reason);
        Ok(())
    }

    /// Places an entry unless exactly that is there already.
    fn place(&mut self, path: TreePath, entry: Entry, reason: &'static str) {
        if self.base.tree.get(&path) != Some(&entry) {
            self.placed.insert(path, (entry, reason));
        }
    }

    fn finish(self) -> Result<Fresh, Error> {
        let Self { base, removed, placed, sources } = self;
        let is_kept = |path: &TreePath| !removed.contains_key(path) && !placed.contains_key(path);
        let fail = |error| Error::Io(std::io::Error::other(error));
        let kept = base.tree.filter(|path, _| is_kept(path)).map_err(fail)?;
        let mut builder = TreeBuilder::from(kept);
        let mut changes = BTreeMap::new();
        for (path, reason) in removed {
            let effect = Effect::Removed;
            changes.insert(path.clone(), Change { path, effect, reason });
        }
        for (path, (entry, reason)) in placed {
            let is_there = base.tree.get(&path).is_some();
            let effect = if is_there { Effect::Replaced } else { Effect::Added };
            builder.replace(path.clone(), entry).map_err(fail)?;
            changes.insert(path.clone(), Change { path, effect, reason });
        }
        let tree = builder.finish().map_err(fail)?;
        Ok(Fresh { tree, sources, changes: changes.into_values().collect() })
    }
}

/// Returns a line of a list of hosts (hosts(5)) without a name; nothing if no other is in it.
fn nameless(line: &str, name: &str) -> Option<String> {
    let is_it = |word: &str| {
        word.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let (entry, comment) = line.split_at(line.find('#').unwrap_or(line.len()));
    let words: Vec<&str> = entry.split_whitespace().collect();
    if !words.iter().skip(1).any(|word| is_it(word)) {
        return Some(line.to_owned());
    }
    let kept: Vec<&str> = words.into_iter().filter(|word| !is_it(word)).collect();
    let end = if comment.is_empty() { "\n" } else { comment };
    let separator = if comment.is_empty() { "" } else { " " };
    (kept.len() > 1).then(|| [&kept.join(" "), separator, end].concat())
}

/// Parses a path that is written in this file.
fn parse(path: &str) -> Result<TreePath, Error> {
    TreePath::parse(path).map_err(|error| Error::Io(std::io::Error::other(error)))
}
