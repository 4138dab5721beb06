//! From a recipe to the machine that a disk holds: the base as it is found, what the payload adds to
//! it, and what starts it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use bake_formats::blob::Blob;
use bake_formats::encode::Compression;
use bake_formats::tree::{Content, Entry, FileTree, StatedTree, TreeBuilder, TreePath};
use bake_formats::vm::machine as disk;
use bake_recipes::resolved::{self, MachineBase, Recipe};

use super::additions::{Additions, Needed, State};
use super::baked::{self, BakedBase};
use super::error::{MachineError, unreadable};
use super::facts::Facts;
use super::files::Files;
use super::fresh::{self, Change};
use super::import::{self, Imported};
use super::initrd;
use super::merge::Laid;
use super::{Group, User};
use crate::assemble::{Contents, EntryPlaces, SourceFiles};
use crate::base::Bases;
use crate::error::Error;
use crate::guest;
use crate::report::Reporter;
use crate::store::Store;
use crate::survey::Limits;

/// The shell of accounts that nobody logs in to.
const NO_LOGIN: &str = "/usr/sbin/nologin";
/// The largest stub or init that a recipe names.
const MAX_PROGRAM: u64 = 16 << 20;

/// What a machine is prepared from.
pub struct Asked<'a> {
    /// The recipe.
    pub recipe: &'a Recipe,
    /// Its disk.
    pub vm: &'a resolved::Vm,
    /// Its machine.
    pub machine: &'a resolved::Machine,
    /// The folder that paths in the recipe are relative to.
    pub folder: &'a Path,
    /// The payload and where its contents are.
    pub payload: &'a FileTree,
    /// The line of the recipe that each entry comes from.
    pub places: &'a EntryPlaces,
    /// The contents of the payload.
    pub sources: &'a SourceFiles,
    /// Where blobs are kept.
    pub store: &'a Store,
    /// Who is told.
    pub reporter: &'a dyn Reporter,
}

impl std::fmt::Debug for Asked<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asked").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// A machine, ready to be described.
#[derive(Debug, Clone)]
pub struct Ground {
    /// The machine.
    pub machine: disk::Machine,
    /// The payload with the numbers that its owners have on this base.
    pub payload: Arc<FileTree>,
    /// Where the contents of base and additions are.
    pub sources: SourceFiles,
    /// What was changed so that the base is as fresh.
    pub changes: Vec<Change>,
    /// The system extension fields of the base: `ID` and `VERSION_ID`.
    pub distribution: super::Distribution,
    /// The base disk under an overlay: its file, and the name that the overlay has for it.
    pub backing: Option<baked::Backed>,
}

/// Prepares the machine of a recipe for one platform.
pub fn prepare(asked: &Asked<'_>, bases: &mut Bases<'_>) -> Result<Ground, Error> {
    match &asked.machine.base {
        MachineBase::Image(source) => {
            let found = bases.find(source, asked.recipe.platform)?;
            from_files(asked, import::oci(bases, &found, Limits::default())?)
        }
        MachineBase::Rootfs(path) => {
            let path = asked.folder.join(path);
            let imported = import::rootfs(asked.store, &path, Limits::default(), asked.reporter)?;
            from_files(asked, imported)
        }
        MachineBase::Disk(path) => from_disk(asked, &asked.folder.join(path)),
    }
}

/// Prepares a machine whose disk is made from files.
fn from_files(asked: &Asked<'_>, imported: Imported) -> Result<Ground, Error> {
    let Imported { tree, mut sources, architecture } = imported;
    let Asked { store, reporter, .. } = *asked;
    let fresh = {
        let contents = Contents { sources: &sources, store, reporter };
        fresh::freshen(Files { tree: &tree, contents: &contents }, None)?
    };
    // The trees of a whole base are large: none is held longer than it is needed.
    drop(tree);
    sources.extend(fresh.sources);
    let tree = fresh.tree;
    let mut more = SourceFiles::default();
    let (facts, boot, on) = {
        let contents = Contents { sources: &sources, store, reporter };
        let base = Files { tree: &tree, contents: &contents };
        let facts = Facts::of(base)?;
        check_architecture(asked, facts.architecture.or(architecture.as_deref()))?;
        let boot = boot(asked, base, &facts, &mut more)?;
        let on = On::new(asked, base, &facts.databases)?;
        (facts, boot, on)
    };
    sources.extend(more);
    sources.extend(on.sources);
    let in_root = asked.machine.placement == resolved::Placement::Root;
    let system = if in_root { without(tree, &on.stated)? } else { tree };
    let files = disk::Files {
        name: facts.distribution.id.clone(),
        version: facts.distribution.version.clone().unwrap_or_else(|| "0".into()),
        tree: StatedTree::new(Arc::new(system.explicit())),
        boot,
        file_system: match asked.machine.file_system {
            resolved::FileSystem::Ext4 => disk::FileSystem::Ext4,
            resolved::FileSystem::Erofs => disk::FileSystem::Erofs,
        },
        slot: asked.machine.slot,
        seed: asked.machine.seed,
    };
    let additions = if in_root { on.additions } else { on.over };
    Ok(Ground {
        machine: disk::Machine {
            system: disk::System::Files(Box::new(files)),
            placement: if in_root { disk::Placement::Root } else { disk::Placement::Slot },
            additions: StatedTree::new(Arc::new(additions)),
            redirects: on.redirects,
        },
        payload: Arc::new(on.payload),
        sources,
        changes: fresh.changes,
        distribution: facts.distribution,
        backing: None,
    })
}

/// Prepares a machine whose disk was baked before.
fn from_disk(asked: &Asked<'_>, path: &Path) -> Result<Ground, Error> {
    let Asked { store, reporter, .. } = *asked;
    let BakedBase { disk: baked, tree, mut sources, databases, distribution, backing } =
        baked::open(asked, path)?;
    let on = {
        let contents = Contents { sources: &sources, store, reporter };
        On::new(asked, Files { tree: &tree, contents: &contents }, &databases)?
    };
    sources.extend(on.sources);
    Ok(Ground {
        machine: disk::Machine {
            system: disk::System::Baked(baked),
            placement: disk::Placement::Slot,
            additions: StatedTree::new(Arc::new(on.over)),
            redirects: on.redirects,
        },
        payload: Arc::new(on.payload),
        sources,
        changes: Vec::new(),
        distribution,
        backing: Some(backing),
    })
}

/// A payload on one base.
struct On {
    payload: FileTree,
    /// What is added to the root file system.
    additions: FileTree,
    /// The same for a slot, whose directories must be as those that they lie over.
    over: FileTree,
    redirects: BTreeMap<TreePath, TreePath>,
    /// The paths of payload and additions in the root file system.
    stated: BTreeSet<TreePath>,
    sources: SourceFiles,
}

impl On {
    fn new(
        asked: &Asked<'_>,
        base: Files<'_>,
        databases: &super::Databases,
    ) -> Result<Self, Error> {
        let contents =
            Contents { sources: asked.sources, store: asked.store, reporter: asked.reporter };
        let payload = Files { tree: asked.payload, contents: &contents };
        let added = Additions::of(base, databases, payload, &needed(asked))?;
        let laid = Laid::new(base.tree, &added.payload, &added.tree, asked.places)?;
        let place = |path: &TreePath| laid.redirects.get(path).unwrap_or(path).clone();
        let of_payload: BTreeSet<TreePath> =
            added.payload.stated().map(|(path, _)| place(path)).collect();
        // A directory that both have is the payload's.
        let own = added.tree.stated().filter(|(path, _)| !of_payload.contains(*path));
        let additions = collected(own)?;
        let mut stated = of_payload;
        stated.extend(additions.stated().map(|(path, _)| path.clone()));
        let plain = Entry::directory();
        let as_below = laid.layer.iter().filter(|(path, entry)| {
            let is_plain = Entry { implied: plain.implied, ..(*entry).clone() } == plain;
            entry.is_directory() && !path.is_root() && !stated.contains(*path) && !is_plain
        });
        let over = collected(additions.stated().chain(as_below))?;
        let Laid { redirects, .. } = laid;
        Ok(Self {
            payload: added.payload,
            additions,
            over,
            redirects,
            stated,
            sources: added.sources,
        })
    }
}

/// Returns entries as a tree.
fn collected<'a>(
    entries: impl Iterator<Item = (&'a TreePath, &'a Entry)>,
) -> Result<FileTree, Error> {
    let mut builder = TreeBuilder::new();
    for (path, entry) in entries {
        let entry = Entry { implied: false, ..entry.clone() };
        builder.insert(path.clone(), entry).map_err(|error| broken(&error))?;
    }
    builder.finish().map_err(|error| broken(&error))
}

/// Returns a base without what lies there in its place.
fn without(base: FileTree, stated: &BTreeSet<TreePath>) -> Result<FileTree, Error> {
    let kept = base.filter(|path, _| !stated.contains(path)).map_err(|error| broken(&error))?;
    drop(base);
    // Directories that are there again because something is in them are not the base's own any more.
    collected(kept.stated())
}

fn broken(error: &bake_formats::tree::TreeError) -> Error {
    MachineError::new(error.to_string()).into()
}

fn check_architecture(asked: &Asked<'_>, found: Option<&str>) -> Result<(), Error> {
    let wanted = asked.recipe.platform.architecture();
    match found {
        Some(found) if found != wanted => {
            let reason = format!("the base is for {found}, not for {wanted}");
            Err(MachineError::new(reason)
                .hint(format!("bake with `--platform linux/{found}`, or build on another base"))
                .into())
        }
        _ => Ok(()),
    }
}

/// Returns what a recipe's service needs on a machine.
fn needed(asked: &Asked<'_>) -> Needed {
    let recipe = asked.recipe;
    let mut needed = Needed::default();
    let enabled = recipe.units.iter().filter(|unit| unit.handling.enable);
    needed.units.extend(enabled.map(|unit| unit.name.clone()));
    let Some(service) = &recipe.service else { return needed };
    if service.handling.enable {
        needed.units.insert(0, format!("{}.service", service.name));
    }
    let group = service.group.name.to_string();
    if !service.group.is_root() {
        needed.groups.push(Group { name: group.clone(), id: Some(service.group.id) });
    }
    if !service.user.is_root() {
        let home = service.state.first().map_or_else(|| "/".to_owned(), |s| s.path.to_string());
        needed.users.push(User {
            name: service.user.name.to_string(),
            id: Some(service.user.id),
            group,
            comment: service.description.replace([':', '\n'], " "),
            home,
            shell: NO_LOGIN.to_owned(),
        });
    }
    if asked.machine.placement == resolved::Placement::Slot {
        // A directory of state in the slot would lay a file system over all of `/var`; systemd-tmpfiles
        // makes it at every boot.
        return needed;
    }
    needed.state = service
        .state
        .iter()
        .map(|state| State {
            path: state.path.clone(),
            mode: state.mode,
            owner: service.user.clone(),
            group: service.group.clone(),
        })
        .collect();
    needed
}

/// Finds what starts the machine.
fn boot(
    asked: &Asked<'_>,
    base: Files<'_>,
    facts: &Facts,
    sources: &mut SourceFiles,
) -> Result<disk::Boot, Error> {
    let machine = asked.machine;
    let kernel = facts.kernel(machine.kernel.as_deref())?;
    let blob = |path: &TreePath| {
        let content = base.tree.content(path);
        content.map(|content| Blob { digest: content.digest, size: content.size })
    };
    let Some(image) = blob(&kernel.image) else {
        return Err(MachineError::new(format!("`{}` is no file", kernel.image)).into());
    };
    let firmware = match machine.firmware {
        resolved::Firmware::Uefi => disk::Firmware::Uefi,
        resolved::Firmware::Bios => disk::Firmware::Bios,
        resolved::Firmware::Hybrid => disk::Firmware::Hybrid,
    };
    let stub = match (&machine.uefi_stub, &facts.stub) {
        (Some(path), _) => Some(program(asked, path, sources)?),
        (None, Some(stub)) => blob(stub),
        (None, None) => None,
    };
    if stub.is_none() && firmware.has_uefi() {
        let reason = "the base has no UEFI stub: expected \
                      `/usr/lib/systemd/boot/efi/linux*.efi.stub`, found none";
        return Err(MachineError::new(reason)
            .hint(
                "install systemd-boot-efi (Debian) or systemd-boot-unsigned (Fedora) in the base, \
                 name a file by `uefi-stub`, or write `firmware = \"bios\"`",
            )
            .into());
    }
    let text = |path: &str| base.text(path);
    let os_release = match text("etc/os-release")? {
        Some(text) => Some(text),
        None => text("usr/lib/os-release")?,
    };
    Ok(disk::Boot {
        firmware,
        kernel: disk::Kernel { version: kernel.version.clone(), image },
        stub: stub.filter(|_| firmware.has_uefi()),
        initrd: initrd_of(asked, base, kernel, sources)?,
        arguments: machine.kernel_arguments.clone(),
        os_release: String::from_utf8_lossy(&os_release.unwrap_or_default()).into_owned(),
    })
}

fn initrd_of(
    asked: &Asked<'_>,
    base: Files<'_>,
    kernel: &super::Kernel,
    sources: &mut SourceFiles,
) -> Result<disk::Initrd, Error> {
    let machine = asked.machine;
    if machine.base_initrd {
        let content = kernel.initrd.as_ref().and_then(|path| base.tree.content(path));
        let Some(content) = content else {
            let reason = format!("the base has no initrd for its kernel {}", kernel.version);
            return Err(MachineError::new(reason)
                .hint("leave `initrd` out: bake makes one of the kernel's modules")
                .into());
        };
        return Ok(disk::Initrd::Image(Blob { digest: content.digest, size: content.size }));
    }
    let init = match (&machine.init, guest::init(asked.recipe.platform)) {
        (Some(path), _) => {
            let blob = program(asked, path, sources)?;
            Content { digest: blob.digest, size: blob.size, md5: [0; 16] }
        }
        (None, Some(bytes)) => {
            sources.insert_bytes(bytes);
            Content::of(bytes)
        }
        (None, None) => {
            let platform = asked.recipe.platform;
            let reason = format!("there is no init for {platform}");
            return Err(MachineError::new(reason).hint(guest::hint(platform)).into());
        }
    };
    let mut required = vec![match machine.file_system {
        resolved::FileSystem::Ext4 => "ext4",
        resolved::FileSystem::Erofs => "erofs",
    }];
    if machine.slot.is_some() || machine.file_system == resolved::FileSystem::Erofs {
        required.extend(["overlay", "ext4"]);
    }
    let wanted = initrd::Asked { init, modules: &machine.modules, required: &required };
    let tree = initrd::files(base, kernel, wanted, asked.store)?;
    Ok(disk::Initrd::Files {
        tree: StatedTree::new(Arc::new(tree)),
        compression: Compression::ZSTD,
    })
}

/// Reads a program that the recipe names.
fn program(asked: &Asked<'_>, path: &str, sources: &mut SourceFiles) -> Result<Blob, Error> {
    let path = asked.folder.join(path);
    let metadata = fs_err::metadata(&path);
    let len = metadata.map_err(|error| unreadable("the program", &path, &error))?.len();
    if len > MAX_PROGRAM {
        let reason =
            format!("`{}`: expected at most {MAX_PROGRAM} bytes, found {len}", path.display());
        return Err(MachineError::new(reason).into());
    }
    let bytes = fs_err::read(&path)?;
    sources.insert_bytes(&bytes);
    Ok(Blob::of(&bytes))
}
