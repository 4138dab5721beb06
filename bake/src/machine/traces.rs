//! What installing a base leaves behind that no other machine may have.
//!
//! A row is a place, what is taken away there, and why. The last name of a place may have one `*`.

use std::collections::BTreeMap;

use bake_formats::tree::{FileTree, TreePath};

use super::files::Files;

/// What is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Take {
    /// What is there, and everything below it.
    All,
    /// Everything below it.
    Below,
    /// Everything below it but directories, which belong to packages.
    Files,
}

use Take::{All, Below, Files as FilesBelow};

const LOG: &str = "logs are of the machine that wrote them";
const LEASE: &str = "leases and client ids are of one machine";
const SECRET: &str = "a secret that every machine must have for itself";
const BACKUP: &str = "a backup that tools made of an older state";
const CACHE: &str = "a cache that is made again when it is needed";
const HISTORY: &str = "what somebody typed";
const RUNTIME: &str = "what is there only while a system runs";
const IDENTITY: &str = "it identifies one machine";
const CONTAINER: &str = "a container engine put it there";
const CRASH: &str = "what a program left behind that crashed";

const ROWS: [(&str, Take, &str); 60] = [
    ("/.dockerenv", All, CONTAINER),
    ("/.dockerinit", All, CONTAINER),
    ("/core", All, CRASH),
    ("/dev/shm", Below, RUNTIME),
    ("/etc/.pwd.lock", All, RUNTIME),
    ("/etc/.updated", All, "it says when /etc was last brought up to date, of another /usr"),
    ("/etc/passwd-", All, BACKUP),
    ("/etc/group-", All, BACKUP),
    ("/etc/shadow-", All, BACKUP),
    ("/etc/gshadow-", All, BACKUP),
    ("/etc/subuid-", All, BACKUP),
    ("/etc/subgid-", All, BACKUP),
    ("/etc/dhcpcd.duid", All, LEASE),
    ("/etc/dhcpcd.secret", All, SECRET),
    ("/etc/ssh/ssh_host_*", All, SECRET),
    ("/etc/udev/rules.d/70-persistent-net.rules", All, IDENTITY),
    ("/etc/udev/rules.d/75-persistent-net-generator.rules", All, IDENTITY),
    ("/root/.bash_history", All, HISTORY),
    ("/root/.sh_history", All, HISTORY),
    ("/root/.ash_history", All, HISTORY),
    ("/root/.python_history", All, HISTORY),
    ("/root/.viminfo", All, HISTORY),
    ("/root/.lesshst", All, HISTORY),
    ("/root/.wget-hsts", All, HISTORY),
    ("/root/.cache", Below, CACHE),
    ("/run", Below, RUNTIME),
    ("/tmp", Below, RUNTIME),
    ("/var/.updated", All, "it says when /var was last brought up to date, of another /usr"),
    ("/var/tmp", Below, RUNTIME),
    ("/var/log/journal", Below, LOG),
    ("/var/log", FilesBelow, LOG),
    ("/var/crash", Below, CRASH),
    ("/var/lib/systemd/coredump", Below, CRASH),
    ("/var/cache/apt", FilesBelow, CACHE),
    ("/var/cache/dnf", Below, CACHE),
    ("/var/cache/yum", Below, CACHE),
    ("/var/cache/zypp", Below, CACHE),
    ("/var/cache/apk", Below, CACHE),
    ("/var/cache/pacman/pkg", Below, CACHE),
    ("/var/cache/ldconfig/aux-cache", All, "it lists inodes and times of another file system"),
    ("/var/cache/debconf/*-old", All, BACKUP),
    ("/var/lib/apt/lists", FilesBelow, CACHE),
    ("/var/lib/dpkg/*-old", All, BACKUP),
    ("/var/lib/dpkg/lock*", All, RUNTIME),
    ("/var/lib/apt/extended_states.lock", All, RUNTIME),
    ("/var/lib/cloud", Below, "which instance cloud-init has configured"),
    ("/var/lib/dhcp", FilesBelow, LEASE),
    ("/var/lib/dhclient", FilesBelow, LEASE),
    ("/var/lib/dhcpcd", FilesBelow, LEASE),
    ("/var/lib/NetworkManager", FilesBelow, LEASE),
    ("/var/lib/systemd/network", FilesBelow, LEASE),
    ("/var/lib/systemd/random-seed", All, "equal seeds make equal secrets"),
    ("/var/lib/random-seed", All, "equal seeds make equal secrets"),
    ("/var/lib/urandom/random-seed", All, "equal seeds make equal secrets"),
    ("/var/lib/systemd/credential.secret", All, SECRET),
    ("/var/lib/systemd/timers", FilesBelow, "when timers last ran elsewhere"),
    ("/var/lib/systemd/timesync/clock", All, "a clock of another machine"),
    ("/var/lib/private/systemd/timesync/clock", All, "a clock of another machine"),
    ("/var/lib/chrony/chrony.drift", All, "how far the clock of another machine is off"),
    ("/var/lib/rpm/__db.*", All, RUNTIME),
];

/// Returns what is to be taken away, by path, and why.
pub(super) fn find(files: Files<'_>) -> BTreeMap<TreePath, &'static str> {
    let mut found = BTreeMap::new();
    for (pattern, take, reason) in ROWS {
        for place in places(files, pattern) {
            let keeps_directories = take == FilesBelow;
            let below = files.tree.below(place);
            let below = below.filter(|(_, entry)| !(keeps_directories && entry.is_directory()));
            let itself = (take == All).then_some(place);
            for path in itself.into_iter().chain(below.map(|(path, _)| path)) {
                found.entry(path.clone()).or_insert(reason);
            }
        }
    }
    found
}

/// Returns the paths that match a pattern; links are followed but the last.
fn places<'a>(files: Files<'a>, pattern: &str) -> Vec<&'a TreePath> {
    let Some((folder, name)) = pattern.rsplit_once('/') else { return Vec::new() };
    let Some(folder) = files.find(folder) else { return Vec::new() };
    match name.split_once('*') {
        None => {
            let path = folder.path.join(name).ok();
            path.and_then(|path| files.tree.get_with_path(&path))
                .map(|row| row.0)
                .into_iter()
                .collect()
        }
        Some((start, end)) => matching(files.tree, folder.path, start.as_bytes(), end.as_bytes()),
    }
}

fn matching<'a>(
    tree: &'a FileTree,
    folder: &'a TreePath,
    start: &[u8],
    end: &[u8],
) -> Vec<&'a TreePath> {
    let depth = folder.depth() + 1;
    let here = tree.below(folder).map(|(path, _)| path).filter(|path| path.depth() == depth);
    here.filter(|path| path.name().strip_prefix(start).is_some_and(|rest| rest.ends_with(end)))
        .collect()
}
