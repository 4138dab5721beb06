//! Which modules an initrd needs, and in which order they are loaded.
//!
//! There is no depmod here: a module says itself which others it needs, and those come first. What
//! is for devices or file systems only is loaded if there is such a one, and so is what it needs.
//!
//! ```text
//! /bake/modules/virtio.ko pci:v00001AF4d*,virtio:d00000002v*
//! /bake/modules/erofs.ko fs-erofs
//! /bake/modules/nls_utf8.ko *
//! ```
//!
//! Each line of the list is a path and either what the module is for, separated by commas, as
//! patterns in which `*` is any text and `?` any character, or `*` for always.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog::Catalog;
use super::modinfo::{Module, name};
use crate::format::ReadError;

/// What machines of all common hypervisors need to find their disks and networks, and what file
/// systems need: names that a kernel does not have are no fault.
pub const DRIVERS: &[&str] = &[
    // Buses.
    "virtio_pci",
    "virtio_mmio",
    "hv_vmbus",
    "xen_platform_pci",
    "pci_hyperv",
    // Disks.
    "virtio_blk",
    "virtio_scsi",
    "nvme",
    "ahci",
    "ata_piix",
    "ata_generic",
    "hv_storvsc",
    "xen_blkfront",
    "vmw_pvscsi",
    "mptspi",
    "mptsas",
    "mpt3sas",
    "megaraid_sas",
    "sd_mod",
    "sr_mod",
    "mmc_block",
    "sdhci_acpi",
    "usb_storage",
    "uas",
    "xhci_pci",
    "ehci_pci",
    // Networks.
    "virtio_net",
    "hv_netvsc",
    "xen_netfront",
    "vmxnet3",
    "e1000",
    "e1000e",
    "ena",
    "gve",
    "igbvf",
    "ixgbevf",
    "iavf",
    "mana",
    "8139cp",
    "8139too",
    // What the host offers besides.
    "virtio_console",
    "virtio_rng",
    "virtio_balloon",
    "vmw_vsock_virtio_transport",
    "hv_utils",
    "hv_balloon",
    "vmw_balloon",
    "vmw_vmci",
    "qemu_fw_cfg",
    "virtiofs",
    "9pnet_virtio",
    // File systems, the names in them, and what they stand on.
    "ext4",
    "erofs",
    "squashfs",
    "overlay",
    "vfat",
    "isofs",
    "nls_cp437",
    "nls_ascii",
    "nls_iso8859_1",
    "nls_utf8",
    "crc32c_generic",
    "loop",
    "dm_mod",
    "dm_verity",
];

/// The folder of modules in an initrd.
pub const FOLDER: &str = "/bake/modules";

/// A module in the order of loading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// The name.
    pub name: String,
    /// The path of its file, as the catalog has it.
    pub path: String,
    /// When it is loaded.
    pub when: When,
}

/// When a module is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// In every machine.
    Always,
    /// In machines with a device that one of these patterns matches, or if such a file system is
    /// mounted.
    For(BTreeSet<String>),
}

/// Which modules are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Those that are taken if the kernel has them.
    pub optional: &'a [&'a str],
    /// Those without which the machine would not start.
    pub required: &'a [&'a str],
}

/// Returns what is to be loaded, each module after those that it needs; what is required is always
/// loaded.
///
/// `read` is called once for each module that is taken, with its path.
pub fn order(
    catalog: &Catalog,
    wanted: Wanted<'_>,
    read: &mut dyn FnMut(&str) -> Result<Module, ReadError>,
) -> Result<Vec<Loaded>, ReadError> {
    let mut order = Order { catalog, read, taken: BTreeMap::new(), loaded: Vec::new() };
    let mut always = BTreeSet::new();
    for module in wanted.required {
        let module = name(module);
        if catalog.is_builtin(&module) {
            continue;
        }
        let providers = catalog.providers(&module);
        if providers.is_empty() {
            let reason =
                "the machine needs it, and the kernel has it neither as a file nor built in";
            return Err(invalid(&module, reason));
        }
        for module in providers {
            order.visit(&module)?;
            always.insert(module);
        }
    }
    for module in wanted.optional {
        let module = name(module);
        if !catalog.is_builtin(&module) && catalog.file(&module).is_some() {
            order.visit(&module)?;
            if order
                .taken
                .get(&module)
                .is_some_and(|taken| !taken.aliases.iter().any(|alias| is_for(alias)))
            {
                always.insert(module);
            }
        }
    }
    Ok(order.finish(&always))
}

/// Returns the text of the list of modules in an initrd.
pub fn list(loaded: &[Loaded]) -> String {
    let mut text = String::new();
    for module in loaded {
        let patterns = match &module.when {
            When::Always => "*".to_owned(),
            When::For(patterns) => {
                let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
                patterns.join(",")
            }
        };
        text += &format!("{FOLDER}/{}.ko {patterns}\n", module.name);
    }
    text
}

/// A walk through what modules need.
struct Order<'a> {
    catalog: &'a Catalog,
    read: &'a mut dyn FnMut(&str) -> Result<Module, ReadError>,
    /// Modules that were met.
    taken: BTreeMap<String, Taken>,
    /// Their names, each after those that it needs.
    loaded: Vec<String>,
}

/// A module that was met.
struct Taken {
    path: String,
    aliases: Vec<String>,
    /// The names of the modules before it.
    needs: Vec<String>,
    is_loaded: bool,
}

/// A module on the way from what is wanted to what it needs.
struct Step {
    name: String,
    /// What it needs and was not looked at, the next one last, and whether it must come first.
    left: Vec<(String, bool)>,
}

impl Order<'_> {
    fn visit(&mut self, root: &str) -> Result<(), ReadError> {
        if self.taken.contains_key(root) {
            return Ok(());
        }
        let mut way = vec![self.take(root)?];
        while let Some(step) = way.last_mut() {
            let Some((needed, must)) = step.left.pop() else {
                let step = way.pop().map(|step| step.name).unwrap_or_default();
                if let Some(taken) = self.taken.get_mut(&step) {
                    taken.is_loaded = true;
                }
                self.loaded.push(step);
                continue;
            };
            if self.catalog.is_builtin(&needed) {
                continue;
            }
            let user = step.name.clone();
            let is_known = match self.taken.get(&needed) {
                Some(taken) if !taken.is_loaded && must => return Err(cycle(&way, &needed)),
                // A wish that would lead back is left out.
                Some(taken) if !taken.is_loaded => continue,
                Some(_) => true,
                None => false,
            };
            if !is_known && self.catalog.file(&needed).is_none() {
                let reason =
                    format!("it needs the module {needed}, which is neither a file nor built in");
                return Err(invalid(&user, reason));
            }
            if let Some(taken) = self.taken.get_mut(&user) {
                taken.needs.push(needed.clone());
            }
            if !is_known {
                way.push(self.take(&needed)?);
            }
        }
        Ok(())
    }

    /// Reads a module that has a file.
    fn take(&mut self, name: &str) -> Result<Step, ReadError> {
        let path = self.catalog.file(name).unwrap_or_default().to_owned();
        let module =
            (self.read)(&path).map_err(|error| invalid(name, format!("{path}: {error}")))?;
        let musts = module.depends.into_iter().map(|needed| (needed, true));
        // What has an alias is asked for as a whole: which of them the processor has is not known.
        let wishes = module.before.iter().flat_map(|wish| self.catalog.providers(wish));
        let wishes = wishes.map(|needed| (needed, false));
        let mut left: Vec<_> = musts.chain(wishes).collect();
        left.reverse();
        let (aliases, needs) = (module.aliases, Vec::new());
        self.taken.insert(name.to_owned(), Taken { path, aliases, needs, is_loaded: false });
        Ok(Step { name: name.to_owned(), left })
    }

    /// Says of each module when it is loaded: for what it is for and for what its users are for.
    fn finish(self, always: &BTreeSet<String>) -> Vec<Loaded> {
        let mut when: BTreeMap<&str, When> = BTreeMap::new();
        for (name, taken) in &self.taken {
            let own =
                taken.aliases.iter().filter(|alias| is_for(alias)).map(|alias| pattern(alias));
            let own = if always.contains(name) { When::Always } else { When::For(own.collect()) };
            when.insert(name, own);
        }
        for name in self.loaded.iter().rev() {
            let (Some(user), Some(taken)) =
                (when.get(name.as_str()).cloned(), self.taken.get(name))
            else {
                continue;
            };
            for needed in &taken.needs {
                if let Some(needed) = when.get_mut(needed.as_str()) {
                    needed.join(&user);
                }
            }
        }
        let loaded = self.loaded.iter().filter_map(|name| {
            let path = self.taken.get(name)?.path.clone();
            Some(Loaded { name: name.clone(), path, when: when.remove(name.as_str())? })
        });
        loaded.collect()
    }
}

impl When {
    fn join(&mut self, other: &Self) {
        match (&mut *self, other) {
            (Self::For(patterns), Self::For(more)) => patterns.extend(more.iter().cloned()),
            (_, Self::Always) => *self = Self::Always,
            (Self::Always, Self::For(_)) => {}
        }
    }
}

/// Returns whether an alias is that of a file system, or of devices on a bus, which the kernel lists,
/// rather than a name that only the kernel asks for, e.g. `block-major-7-*`.
fn is_for(alias: &str) -> bool {
    alias.starts_with("fs-") || alias.contains(':') && !alias.starts_with("devname:")
}

/// Returns an alias as a pattern in a list: what separates there is any character.
fn pattern(alias: &str) -> String {
    alias.replace([',', ' ', '\t', '\n'], "?")
}

fn cycle(way: &[Step], again: &str) -> ReadError {
    let start = way.iter().position(|step| step.name == again).unwrap_or(0);
    let names: Vec<&str> = way[start..].iter().map(|step| step.name.as_str()).collect();
    invalid(again, format!("it needs itself: {} → {again}", names.join(" → ")))
}

fn invalid(module: &str, reason: impl Into<String>) -> ReadError {
    ReadError::invalid(format!("kernel module {module}"), reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(depends: &[&str], before: &[&str], aliases: &[&str]) -> Module {
        let own = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        Module {
            depends: own(depends),
            before: own(before),
            aliases: own(aliases),
            ..Module::default()
        }
    }

    fn kernel() -> BTreeMap<String, Module> {
        [
            ("virtio", module(&[], &[], &[])),
            ("virtio_ring", module(&["virtio"], &[], &[])),
            ("virtio-pci", module(&["virtio", "virtio_ring"], &[], &["pci:v00001AF4d*"])),
            ("virtio_blk", module(&["virtio_ring", "virtio"], &[], &["virtio:d2,*", "x-y"])),
            ("overlay", module(&[], &[], &["fs-overlay"])),
            ("erofs", module(&["libcrc32c"], &["gone"], &["fs-erofs"])),
            ("libcrc32c", module(&[], &["crc32c", "erofs"], &[])),
            ("crc32c_soft", module(&[], &[], &["crc32c"])),
            ("crc32c_hard", module(&[], &[], &["crc32c"])),
            ("nls_utf8", module(&[], &[], &[])),
            ("ring1", module(&["ring2"], &[], &[])),
            ("ring2", module(&["ring3"], &[], &[])),
            ("ring3", module(&["ring2"], &[], &[])),
            ("orphan", module(&["absent"], &[], &[])),
            ("filled", module(&["ext4"], &[], &[])),
        ]
        .into_iter()
        .map(|(name, module)| (format!("kernel/{name}.ko"), module))
        .collect()
    }

    fn run(optional: &[&str], required: &[&str]) -> Result<Vec<Loaded>, ReadError> {
        let kernel = kernel();
        let mut catalog = Catalog::new(kernel.keys().map(String::as_str));
        catalog.add_builtin("kernel/fs/ext4/ext4.ko\n");
        catalog.add_aliases("# comment\nalias crc32c crc32c_soft\nalias pci:v* x\nalias crc32c crc32c_hard\nalias crc32c gone\n");
        let mut reads = BTreeSet::new();
        order(&catalog, Wanted { optional, required }, &mut |path| {
            assert!(reads.insert(path.to_owned()), "{path} is read twice");
            Ok(kernel[path].clone())
        })
    }

    fn names(loaded: &[Loaded]) -> Vec<&str> {
        loaded.iter().map(|module| module.name.as_str()).collect()
    }

    #[test]
    fn what_is_needed_comes_first() {
        let loaded = run(&["virtio-blk", "nothing", "virtio_pci", "erofs", "filled"], &[]).unwrap();
        let expected = [
            "virtio",
            "virtio_ring",
            "virtio_blk",
            "virtio_pci",
            "crc32c_soft",
            "crc32c_hard",
            "libcrc32c",
            "erofs",
            "filled",
        ];
        assert_eq!(names(&loaded), expected);
        assert_eq!(loaded[3].path, "kernel/virtio-pci.ko");
    }

    #[test]
    fn what_is_needed_is_loaded_when_its_users_are() {
        let loaded = run(&["virtio_pci", "virtio_blk", "overlay", "nls_utf8"], &["erofs"]).unwrap();
        let expected = "/bake/modules/crc32c_soft.ko *\n\
                        /bake/modules/crc32c_hard.ko *\n\
                        /bake/modules/libcrc32c.ko *\n\
                        /bake/modules/erofs.ko *\n\
                        /bake/modules/virtio.ko pci:v00001AF4d*,virtio:d2?*\n\
                        /bake/modules/virtio_ring.ko pci:v00001AF4d*,virtio:d2?*\n\
                        /bake/modules/virtio_pci.ko pci:v00001AF4d*\n\
                        /bake/modules/virtio_blk.ko virtio:d2?*\n\
                        /bake/modules/overlay.ko fs-overlay\n\
                        /bake/modules/nls_utf8.ko *\n";
        assert_eq!(list(&loaded), expected);
    }

    #[test]
    fn what_is_required_must_be_there() {
        assert_eq!(run(&[], &["ext4"]).unwrap(), []);
        let error = run(&[], &["xfs"]).unwrap_err().to_string();
        assert!(error.contains("kernel module xfs: the machine needs it"), "{error}");
    }

    #[test]
    fn an_error_names_who_needs_what() {
        let error = run(&["orphan"], &[]).unwrap_err().to_string();
        assert_eq!(
            error,
            "kernel module orphan: it needs the module absent, which is neither a file nor built in"
        );
        let error = run(&["ring1"], &[]).unwrap_err().to_string();
        assert_eq!(error, "kernel module ring2: it needs itself: ring2 → ring3 → ring2");
    }

    #[test]
    fn updates_come_before_the_kernels_own() {
        let paths = ["kernel/b/x.ko", "updates/x.ko.xz", "kernel/a/x.ko"];
        assert_eq!(Catalog::new(paths).file("x"), Some("updates/x.ko.xz"));
        assert_eq!(Catalog::new([paths[0], paths[2]]).file("x"), Some("kernel/a/x.ko"));
    }

    #[test]
    fn built_in_names_and_aliases_are_known() {
        let mut catalog = Catalog::new([]);
        catalog.add_builtin_info(b"crc32c_generic.alias=crypto-crc32c\0ext4.license=GPL\0");
        assert!(catalog.is_builtin("crc32c_generic") && catalog.is_builtin("crypto_crc32c"));
    }
}
