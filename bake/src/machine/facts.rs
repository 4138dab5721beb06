//! What a base is: its distribution, its kernels, what starts it and who has accounts.

use std::collections::BTreeMap;
use std::io;

use bake_formats::elf::{self, ElfError, Machine};
use bake_formats::tree::{FileTree, Node, TreePath};

use super::error::MachineError;
use super::files::Files;
use super::kernel::{self, Kernel};

/// Where a program is that every base with an init has, the likeliest first.
const PROGRAMS: [&str; 4] = ["sbin/init", "usr/lib/systemd/systemd", "bin/sh", "usr/bin/env"];
/// Where an init is, in the order of the kernel's own search (init/main.c).
const INITS: [&str; 4] = ["sbin/init", "etc/init", "bin/init", "usr/lib/systemd/systemd"];
/// Architectures in OCI's words, with the name of the EFI stub for each.
const ARCHITECTURES: [(&str, &str); 4] = [
    ("amd64", "linuxx64.efi.stub"),
    ("arm64", "linuxaa64.efi.stub"),
    ("riscv64", "linuxriscv64.efi.stub"),
    ("loong64", "linuxloongarch64.efi.stub"),
];
/// The program that systemd is.
const SYSTEMD: &str = "usr/lib/systemd/systemd";
/// What shows that cloud-init configures the machine.
const CLOUD_INIT: &str = "usr/bin/cloud-init";

/// What a base is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// What `os-release` says.
    pub distribution: Distribution,
    /// What its programs run on, in OCI's word; `None` if there is none that tells.
    pub architecture: Option<&'static str>,
    /// Every kernel, by version.
    pub kernels: Vec<Kernel>,
    /// systemd's EFI stub for the architecture.
    pub stub: Option<TreePath>,
    /// The path of the init as the kernel is told, without symbolic links.
    pub init: Option<TreePath>,
    /// Whether systemd is there.
    pub has_systemd: bool,
    /// Whether cloud-init is there.
    pub has_cloud_init: bool,
    /// Who has accounts.
    pub databases: Databases,
    /// Directories at the top that are symbolic links, and where they lead: `/lib` to `/usr/lib`.
    pub links: BTreeMap<TreePath, TreePath>,
}

/// What `os-release` says (os-release(5)).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Distribution {
    /// `ID`, or `linux`.
    pub id: String,
    /// `VERSION_ID`.
    pub version: Option<String>,
    /// `PRETTY_NAME`, or `Linux`.
    pub name: String,
}

/// The account databases of a base; `None` for one that is not there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Databases {
    /// `/etc/passwd`
    pub passwd: Option<Vec<u8>>,
    /// `/etc/group`
    pub group: Option<Vec<u8>>,
    /// `/etc/shadow`
    pub shadow: Option<Vec<u8>>,
    /// `/etc/gshadow`
    pub gshadow: Option<Vec<u8>>,
}

impl Facts {
    /// Finds out what a base is.
    ///
    /// # Errors
    ///
    /// If one of its texts cannot be read.
    pub fn of(files: Files<'_>) -> io::Result<Self> {
        let architecture = architecture(files)?;
        let stub = ARCHITECTURES.iter().find(|row| Some(row.0) == architecture);
        let stub = stub.and_then(|row| files.file(format!("usr/lib/systemd/boot/efi/{}", row.1)));
        let init = INITS.iter().find_map(|path| files.file(path));
        Ok(Self {
            distribution: Distribution::of(files)?,
            architecture,
            kernels: kernel::find_all(files),
            stub: stub.cloned(),
            init: init.cloned(),
            has_systemd: files.file(SYSTEMD).is_some(),
            has_cloud_init: files.file(CLOUD_INIT).is_some(),
            databases: Databases {
                passwd: files.text("etc/passwd")?,
                group: files.text("etc/group")?,
                shadow: files.text("etc/shadow")?,
                gshadow: files.text("etc/gshadow")?,
            },
            links: links(files.tree, files),
        })
    }

    /// Returns the kernel that a machine boots: the one that the recipe names, else the only one.
    ///
    /// # Errors
    ///
    /// If there is none, not the one, or more than one to choose from.
    pub fn kernel(&self, wanted: Option<&str>) -> Result<&Kernel, MachineError> {
        let versions: Vec<_> = self.kernels.iter().map(|kernel| &*kernel.version).collect();
        let found = versions.join(", ");
        if let Some(wanted) = wanted {
            let named = self.kernels.iter().find(|kernel| kernel.version == wanted);
            return named.ok_or_else(|| {
                let found = if found.is_empty() { "none" } else { &found };
                MachineError::new(format!(
                    "the base has no kernel `{wanted}`: expected `/boot/vmlinuz-{wanted}` or \
                     `/usr/lib/modules/{wanted}/vmlinuz`, found {found}"
                ))
            });
        }
        match self.kernels.as_slice() {
            [one] => Ok(one),
            [] => Err(MachineError::new(
                "the base has no kernel: expected `/boot/vmlinuz-VERSION` or \
                 `/usr/lib/modules/VERSION/vmlinuz`, found neither",
            )
            .hint("install the distribution's kernel package in the base, e.g. linux-image-cloud-amd64")),
            [first, ..] => Err(MachineError::new(format!(
                "the base has {} kernels: expected one, found {found}",
                self.kernels.len()
            ))
            .hint(format!("name the one to boot: `kernel = \"{}\"`", first.version))),
        }
    }
}

impl Distribution {
    fn of(files: Files<'_>) -> io::Result<Self> {
        let text = match files.text("etc/os-release")? {
            Some(text) => Some(text),
            None => files.text("usr/lib/os-release")?,
        };
        Ok(Self::parse(&text.unwrap_or_default()))
    }

    /// Reads the text of `os-release`.
    pub(super) fn parse(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text).into_owned();
        let value = |key: &str| {
            let line = text
                .lines()
                .rev()
                .find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
            line.map(unquoted).filter(|value| !value.is_empty())
        };
        let id = value("ID").unwrap_or_else(|| "linux".into());
        let name = value("PRETTY_NAME").unwrap_or_else(|| "Linux".into());
        Self { id, version: value("VERSION_ID"), name }
    }
}

/// Returns the value of an assignment as a shell would, for what os-release(5) allows.
fn unquoted(value: &str) -> String {
    let value = value.trim();
    let inner =
        ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    let mut plain = String::new();
    let mut characters = inner.unwrap_or(value).chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' if !value.starts_with('\'') => plain.extend(characters.next()),
            other => plain.push(other),
        }
    }
    plain
}

/// Returns what the programs of a base run on.
fn architecture(files: Files<'_>) -> io::Result<Option<&'static str>> {
    for path in PROGRAMS {
        let Some(path) = files.file(path) else { continue };
        match elf::read(&files.open_at(path)) {
            Ok(elf) => return Ok(word(elf.machine)),
            Err(ElfError::Io(error)) => return Err(error),
            // A script starts nothing by itself; the next program tells.
            Err(_) => {}
        }
    }
    Ok(None)
}

fn word(machine: Machine) -> Option<&'static str> {
    ARCHITECTURES.iter().map(|row| row.0).find(|name| machine.is_debian(name))
}

/// Returns the links at the top that lead to directories.
fn links(tree: &FileTree, files: Files<'_>) -> BTreeMap<TreePath, TreePath> {
    let at_top = tree.iter().filter(|(path, _)| path.depth() == 1);
    let links = at_top.filter(|(_, entry)| matches!(entry.node, Node::Symlink(_)));
    let leads = links.filter_map(|(path, _)| {
        let found = files.find(path.absolute())?;
        found.entry.is_directory().then(|| (path.clone(), found.path.clone()))
    });
    leads.collect()
}
