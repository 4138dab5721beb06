//! `[vm]`: how disks are stored.

use bake_formats::encode::{Codec, Compression};

use super::{Common, Resolver, settled};
use crate::resolved::{DiskFormat, DiskSize, Hardware, Machine, MachineBase, Vm};
use crate::written::{self, At, VmFormat};

/// The longest label of an ext4 file system, in bytes.
const MAX_LABEL: usize = 16;

/// Sizes are whole numbers of these.
const MIB: u64 = 1024 * 1024;

/// The largest disk.
const MAX_SIZE: u64 = 16 * 1024 * 1024 * MIB;

/// The most memory that an appliance asks for, in MiB.
const MAX_MEMORY: u32 = 1024 * 1024;

/// The codecs of qcow2's clusters.
const CLUSTER_CODECS: [Codec; 3] = [Codec::None, Codec::Gzip, Codec::Zstd];

impl Resolver<'_> {
    pub(super) fn vm(
        &self,
        at: Option<&At<written::Vm>>,
        here: &At<String>,
        common: &Common,
    ) -> Option<Vm> {
        let place = at.map_or_else(|| self.place(here), |at| self.place(at));
        let table = at.map(|at| at.value.clone()).unwrap_or_default();
        let machine = settled(self.machine(&table));
        let formats = self.disk_formats(table.formats.as_ref());
        let size = match &table.size {
            Some(at) => self.disk_size(at),
            None => Some(DiskSize::Minimal),
        };
        let label = match &table.label {
            Some(at) => self.label(at),
            None => Some(common.name.as_str().chars().take(MAX_LABEL).collect()),
        };
        let compression =
            self.compression(table.compression.as_ref(), Compression::NONE, &CLUSTER_CODECS);
        let hardware = self.hardware(&table);
        let (machine, formats) = (machine?, formats?);
        self.check_formats(table.formats.as_ref(), machine.as_ref())?;
        self.check_size(&table, &formats, size?)?;
        Some(Vm {
            formats,
            size: size?,
            label: label?,
            machine,
            compression: compression?,
            hardware: hardware?,
            place,
        })
    }

    fn disk_formats(&self, at: Option<&At<Vec<At<VmFormat>>>>) -> Option<Vec<DiskFormat>> {
        let Some(at) = at else { return Some(vec![DiskFormat::Qcow2]) };
        if at.value.is_empty() {
            self.advise(at, "`formats` is empty", "e.g. [\"raw\", \"qcow2\"]");
            return None;
        }
        let mut all = Vec::new();
        for format in &at.value {
            let disk = disk_format(format.value);
            if all.contains(&disk) {
                self.fault(format, format!("`{}` stands here twice", disk.word()));
                return None;
            }
            all.push(disk);
        }
        Some(all)
    }

    /// Makes sure that there is what the formats are made from.
    fn check_formats(
        &self,
        at: Option<&At<Vec<At<VmFormat>>>>,
        machine: Option<&Machine>,
    ) -> Option<()> {
        for format in at.iter().flat_map(|at| &at.value) {
            let disk = disk_format(format.value);
            if machine.is_none() && disk.needs_machine() {
                let message = format!("`{}` needs a machine that boots", disk.word());
                let hint = "say what it is built on, e.g. `base = { image = \"…\" }`";
                self.advise(format, message, hint);
                return None;
            }
            if disk.is_for_amd64() && self.cx.platform.architecture() != "amd64" {
                let message = format!("`{}` is for amd64, not {}", disk.word(), self.cx.platform);
                self.advise(format, message, "raw, qcow2 and vmdk are for every architecture");
                return None;
            }
            let on_disk =
                machine.is_some_and(|machine| matches!(machine.base, MachineBase::Disk(_)));
            if disk == DiskFormat::Overlay && !on_disk {
                let message = "an overlay lies on a disk that was baked before";
                let hint = "bake that with `kind = \"base\"`, and name it: \
                            `base = { disk = \"PATH\" }`";
                self.advise(format, message, hint);
                return None;
            }
            if disk == DiskFormat::Direct && on_disk {
                let message = "the kernel is not read from a disk that was baked before";
                let hint = "put `direct` into the recipe of the base, and `cpio` here: initrds \
                            may be joined";
                self.advise(format, message, hint);
                return None;
            }
        }
        Some(())
    }

    /// Makes sure that every importer takes a disk of this size.
    fn check_size(
        &self,
        table: &written::Vm,
        formats: &[DiskFormat],
        size: DiskSize,
    ) -> Option<()> {
        let (Some(at), DiskSize::Bytes(bytes)) = (&table.size, size) else { return Some(()) };
        if !formats.contains(&DiskFormat::Gce) || bytes.is_multiple_of(1024 * MIB) {
            return Some(());
        }
        let gib = bytes.div_ceil(1024 * MIB);
        let message = "Google Compute Engine takes disks of whole GiB only";
        self.advise(at, message, format!("write \"{gib}GiB\", or leave `gce` out"));
        None
    }

    fn hardware(&self, table: &written::Vm) -> Option<Hardware> {
        let mut hardware = Hardware { cpus: 1, memory: 1024 };
        if let Some(at) = &table.cpus {
            let Ok(cpus @ 1..=512) = u32::try_from(at.value) else {
                self.fault(at, "expected 1 to 512 processors");
                return None;
            };
            hardware.cpus = cpus;
        }
        if let Some(at) = &table.memory {
            let Ok(memory @ 64..=MAX_MEMORY) = u32::try_from(self.bytes(at)? / MIB) else {
                self.fault(at, "expected 64MiB to 1TiB of memory");
                return None;
            };
            hardware.memory = memory;
        }
        Some(hardware)
    }

    fn disk_size(&self, at: &At<String>) -> Option<DiskSize> {
        if at.value == "minimal" {
            return Some(DiskSize::Minimal);
        }
        match size_in_bytes(&at.value) {
            Some(bytes @ 1..=MAX_SIZE) => return Some(DiskSize::Bytes(bytes)),
            Some(_) => self.fault(at, "the size must lie between 1MiB and 16TiB"),
            None => {
                let message = format!("`{}` is not a size", at.value.escape_debug());
                self.advise(at, message, "e.g. \"minimal\", \"512MiB\" or \"2GiB\"");
            }
        }
        None
    }

    /// Returns a size that is no disk's.
    pub(super) fn bytes(&self, at: &At<String>) -> Option<u64> {
        match size_in_bytes(&at.value) {
            Some(bytes @ 1..=MAX_SIZE) => return Some(bytes),
            Some(_) => self.fault(at, "the size must lie between 1MiB and 16TiB"),
            None => {
                let message = format!("`{}` is not a size", at.value.escape_debug());
                self.advise(at, message, "e.g. \"512MiB\" or \"2GiB\"");
            }
        }
        None
    }

    fn label(&self, at: &At<String>) -> Option<String> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
        let text = &at.value;
        if (1..=MAX_LABEL).contains(&text.len()) && text.chars().all(allowed) {
            return Some(text.clone());
        }
        let found = text.escape_debug();
        let message = format!("`{found}` is not the label of a file system");
        self.advise(at, message, format!("at most {MAX_LABEL} letters, digits and `-_.+`"));
        None
    }
}

/// Returns the bytes of a whole number of MiB, GiB or TiB.
fn size_in_bytes(text: &str) -> Option<u64> {
    let units = [("MiB", MIB), ("GiB", 1024 * MIB), ("TiB", 1024 * 1024 * MIB)];
    units.into_iter().find_map(|(word, unit)| {
        let digits = text.strip_suffix(word)?.trim_end_matches(' ');
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<u64>().ok().filter(|_| plain)?.checked_mul(unit)
    })
}

fn disk_format(written: VmFormat) -> DiskFormat {
    match written {
        VmFormat::Raw => DiskFormat::Raw,
        VmFormat::Qcow2 => DiskFormat::Qcow2,
        VmFormat::Overlay => DiskFormat::Overlay,
        VmFormat::Vmdk => DiskFormat::Vmdk,
        VmFormat::Vhd => DiskFormat::Vhd,
        VmFormat::VhdDynamic => DiskFormat::VhdDynamic,
        VmFormat::Vhdx => DiskFormat::Vhdx,
        VmFormat::Ova => DiskFormat::Ova,
        VmFormat::VagrantLibvirt => DiskFormat::VagrantLibvirt,
        VmFormat::VagrantVirtualbox => DiskFormat::VagrantVirtualbox,
        VmFormat::Gce => DiskFormat::Gce,
        VmFormat::Cpio => DiskFormat::Cpio,
        VmFormat::Direct => DiskFormat::Direct,
        VmFormat::Sysext => DiskFormat::Sysext,
    }
}
