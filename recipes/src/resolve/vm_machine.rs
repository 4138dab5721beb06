//! `[vm]`: the machine that boots.

use super::{Resolver, settled};
use crate::resolved::{FileSystem, Firmware, Machine, MachineBase, Placement};
use crate::written::{
    self, At, FlagOrText, VmBase, VmFileSystem, VmFirmware, VmInitrd, VmKind, VmPlacement,
};

/// The slot of a base that says nothing of it.
const SLOT: u64 = 1 << 30;
/// The volume for configuration, if nobody says how large it is.
const SEED: u64 = 8 << 20;
/// Where the kernel writes to unless the recipe says: screen, and the first serial line.
const CONSOLES: [&str; 2] = ["console=tty0", "console=ttyS0,115200"];
/// The longest command line of a kernel on any architecture, less what finds the root.
const ARGUMENTS_MAX: usize = 1800;

impl Resolver<'_> {
    /// Returns the machine; `None` if there is none, `Some(None)` if what is said of it is wrong.
    #[expect(clippy::option_option, reason = "absent and wrong are two things")]
    pub(super) fn machine(&self, table: &written::Vm) -> Option<Option<Machine>> {
        let Some(at) = &table.base else {
            return self.without_base(table).then_some(None);
        };
        Some(self.machine_on(table, at))
    }

    /// Reports keys that mean nothing without a base; returns whether there was one.
    fn without_base(&self, table: &written::Vm) -> bool {
        let hint = "say what the machine is built on, e.g. `base = { image = \"…\" }`";
        let message = |key: &str| format!("`{key}` is of machines that boot, and this has no base");
        let before = self.errors.borrow().len();
        let check = |key: &str, place: Option<crate::error::Place>| {
            if let Some(place) = place {
                self.report(place.error(message(key)).hint(hint));
            }
        };
        check("kind", table.kind.as_ref().map(|at| self.place(at)));
        check("placement", table.placement.as_ref().map(|at| self.place(at)));
        check("slot", table.slot.as_ref().map(|at| self.place(at)));
        check("seed", table.seed.as_ref().map(|at| self.place(at)));
        check("firmware", table.firmware.as_ref().map(|at| self.place(at)));
        check("file-system", table.file_system.as_ref().map(|at| self.place(at)));
        check("kernel", table.kernel.as_ref().map(|at| self.place(at)));
        check("initrd", table.initrd.as_ref().map(|at| self.place(at)));
        check("init", table.init.as_ref().map(|at| self.place(at)));
        check("uefi-stub", table.uefi_stub.as_ref().map(|at| self.place(at)));
        let first = |list: &[At<String>]| list.first().map(|at| self.place(at));
        check("modules", first(&table.modules));
        check("kernel-arguments", table.kernel_arguments.as_deref().and_then(first));
        self.errors.borrow().len() > before
    }

    fn machine_on(&self, table: &written::Vm, at: &At<VmBase>) -> Option<Machine> {
        let base = self.machine_base(at);
        let is_base = table.kind.as_ref().is_some_and(|at| at.value == VmKind::Base);
        let firmware = self.firmware(table.firmware.as_ref());
        let slot = settled(table.slot.as_ref().map(|at| self.bytes(at)));
        let seed = settled(self.seed(table.seed.as_ref()));
        let arguments = self.kernel_arguments(table.kernel_arguments.as_deref());
        let modules = self.modules(&table.modules);
        let (base, slot) = (base?, slot?);
        let placement = self.placement(table, &base, is_base)?;
        let reserved = is_base || placement == Placement::Slot;
        Some(Machine {
            is_base,
            placement,
            slot: slot.or_else(|| reserved.then_some(SLOT)),
            seed: seed?,
            firmware: firmware?,
            file_system: match table.file_system.as_ref().map(|at| at.value) {
                Some(VmFileSystem::Erofs) => FileSystem::Erofs,
                Some(VmFileSystem::Ext4) | None => FileSystem::Ext4,
            },
            kernel: table.kernel.as_ref().map(|at| at.value.clone()),
            kernel_arguments: arguments?,
            modules: modules?,
            base_initrd: table.initrd.as_ref().is_some_and(|at| at.value == VmInitrd::Base),
            init: table.init.as_ref().map(|at| at.value.clone()),
            uefi_stub: table.uefi_stub.as_ref().map(|at| at.value.clone()),
            place: self.place(at),
            base,
        })
    }

    fn machine_base(&self, at: &At<VmBase>) -> Option<MachineBase> {
        let VmBase { image, rootfs, disk } = &at.value;
        let path = |at: &At<String>| {
            if at.value.is_empty() || at.value.contains(char::is_control) {
                self.fault(at, format!("`{}` is no path", at.value.escape_debug()));
                return None;
            }
            Some(at.value.clone())
        };
        match (image, rootfs, disk) {
            (Some(image), None, None) => self.base_source(image).map(MachineBase::Image),
            (None, Some(rootfs), None) => path(rootfs).map(MachineBase::Rootfs),
            (None, None, Some(disk)) => path(disk).map(MachineBase::Disk),
            _ => {
                let message = "a machine is built on one of `image`, `rootfs` and `disk`";
                self.advise(at, message, "e.g. `base = { rootfs = \"debian-12.tar\" }`");
                None
            }
        }
    }

    /// Returns where files go; keys that a baked disk has settled already are faults.
    fn placement(
        &self,
        table: &written::Vm,
        base: &MachineBase,
        is_base: bool,
    ) -> Option<Placement> {
        let written = table.placement.as_ref();
        if !matches!(base, MachineBase::Disk(_)) {
            if let Some(at) = written.filter(|at| is_base && at.value == VmPlacement::Slot) {
                let hint = "leave it out: the slot of a base is for others' files";
                self.advise(at, "the files of a base are in its root file system", hint);
                return None;
            }
            return Some(match written.map(|at| at.value) {
                Some(VmPlacement::Slot) => Placement::Slot,
                Some(VmPlacement::Root) | None => Placement::Root,
            });
        }
        let hint = "leave it out, or build on `image` or `rootfs`";
        let before = self.errors.borrow().len();
        if let Some(at) = written.filter(|at| at.value == VmPlacement::Root) {
            self.advise(at, "the root file system of a disk that was baked stays as it is", hint);
        }
        if let Some(at) = table.kind.as_ref().filter(|_| is_base) {
            self.advise(at, "a base is built on `image` or `rootfs`, not on a disk", hint);
        }
        let refuse = |place: Option<crate::error::Place>| {
            if let Some(place) = place {
                let error = place.error("this was settled when the disk was baked");
                self.report(error.hint(hint));
            }
        };
        refuse(table.size.as_ref().map(|at| self.place(at)));
        refuse(table.slot.as_ref().map(|at| self.place(at)));
        refuse(table.seed.as_ref().map(|at| self.place(at)));
        refuse(table.firmware.as_ref().map(|at| self.place(at)));
        refuse(table.file_system.as_ref().map(|at| self.place(at)));
        refuse(table.kernel.as_ref().map(|at| self.place(at)));
        refuse(table.initrd.as_ref().map(|at| self.place(at)));
        refuse(table.init.as_ref().map(|at| self.place(at)));
        refuse(table.uefi_stub.as_ref().map(|at| self.place(at)));
        refuse(table.modules.first().map(|at| self.place(at)));
        let arguments = table.kernel_arguments.as_deref().and_then(<[_]>::first);
        refuse(arguments.map(|at| self.place(at)));
        (self.errors.borrow().len() == before).then_some(Placement::Slot)
    }

    fn firmware(&self, at: Option<&At<VmFirmware>>) -> Option<Firmware> {
        let is_x86 = self.cx.platform.architecture() == "amd64";
        let Some(at) = at else {
            return Some(if is_x86 { Firmware::Hybrid } else { Firmware::Uefi });
        };
        let firmware = match at.value {
            VmFirmware::Uefi => Firmware::Uefi,
            VmFirmware::Bios => Firmware::Bios,
            VmFirmware::Hybrid => Firmware::Hybrid,
        };
        if firmware != Firmware::Uefi && !is_x86 {
            let message = format!("{} has no BIOS", self.cx.platform);
            self.advise(at, message, "leave `firmware` out, or write \"uefi\"");
            return None;
        }
        Some(firmware)
    }

    #[expect(clippy::option_option, reason = "absent and wrong are two things")]
    fn seed(&self, at: Option<&At<FlagOrText>>) -> Option<Option<u64>> {
        let at = at?;
        match &at.value {
            FlagOrText::Flag(false) => None,
            FlagOrText::Flag(true) => Some(Some(SEED)),
            FlagOrText::Text(text) => {
                let text = At { value: text.clone(), span: at.span.clone() };
                Some(self.bytes(&text))
            }
        }
    }

    fn kernel_arguments(&self, list: Option<&[At<String>]>) -> Option<Vec<String>> {
        let Some(list) = list else {
            return Some(CONSOLES.map(str::to_owned).to_vec());
        };
        let mut arguments = Vec::new();
        for at in list {
            let text = &at.value;
            if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
            {
                self.fault(at, format!("`{}` is no kernel argument", text.escape_debug()));
                return None;
            }
            let ours = ["root=", "bake.app="].into_iter().find(|key| text.starts_with(key));
            if let Some(key) = ours {
                self.fault(at, format!("`{key}` is set by bake"));
                return None;
            }
            arguments.push(text.clone());
            if arguments.iter().map(|text| text.len() + 1).sum::<usize>() > ARGUMENTS_MAX {
                self.fault(at, format!("there are more than {ARGUMENTS_MAX} bytes of arguments"));
                return None;
            }
        }
        Some(arguments)
    }

    fn modules(&self, list: &[At<String>]) -> Option<Vec<String>> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
        let wrong = list.iter().find(|at| at.value.is_empty() || !at.value.chars().all(allowed));
        if let Some(at) = wrong {
            let message = format!("`{}` is no name of a module", at.value.escape_debug());
            self.advise(at, message, "e.g. \"virtio_gpu\", without path and `.ko`");
            return None;
        }
        Some(list.iter().map(|at| at.value.clone()).collect())
    }
}
