//! A machine as QEMU's arguments describe it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::{Accelerator, Architecture, Container, Direct, Firmware, Image};

/// A machine to be emulated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Its processor.
    pub architecture: Architecture,
    /// What runs the guest's code.
    pub accelerator: Accelerator,
    /// Its memory in MiB.
    pub memory: u32,
    /// How many processors it has.
    pub cpus: u32,
    /// What starts it.
    pub start: Start,
    /// Its disks; one that boots comes first.
    pub drives: Vec<Drive>,
    /// Ports of this machine that lead to the guest's.
    pub ports: Vec<Port>,
    /// Files that each hold an OEM string of the SMBIOS tables.
    pub strings: Vec<PathBuf>,
    /// Where the serial console is.
    pub console: Console,
    /// Further arguments for QEMU, as they are.
    pub more: Vec<OsString>,
}

/// What starts a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// Firmware, from the first disk.
    Firmware(Firmware),
    /// QEMU, with a kernel of its own.
    Direct(Direct),
}

/// One disk of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drive {
    /// The file.
    pub path: PathBuf,
    /// What it is packed in.
    pub container: Container,
    /// What the guest may do to it.
    pub access: Access,
}

impl Drive {
    /// Returns the disk in a file.
    pub fn new(image: &Image, access: Access) -> Self {
        Self { path: image.path.clone(), container: image.container, access }
    }
}

/// What a guest may do to a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Write, and nothing of it is kept.
    Throwaway,
    /// Read.
    ReadOnly,
    /// Write to the file.
    Kept,
}

/// A TCP port of this machine's loopback device that leads to one of the guest's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port {
    /// This machine's.
    pub host: u16,
    /// The guest's.
    pub guest: u16,
}

impl std::str::FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, guest) = text.split_once(':').ok_or("expected HOST:GUEST, e.g. 8080:80")?;
        let number = |text: &str| {
            let number = text.parse().ok().filter(|number: &u16| *number > 0);
            number.ok_or_else(|| format!("`{text}` is not a port, expected 1 to 65535"))
        };
        Ok(Self { host: number(host)?, guest: number(guest)? })
    }
}

/// Where a machine's serial console is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Console {
    /// On the terminal, with QEMU's own commands behind Ctrl-A.
    Terminal,
    /// On standard output; a guest that reboots ends.
    Output,
}

impl Machine {
    /// Returns QEMU's arguments.
    pub fn arguments(&self) -> Vec<OsString> {
        let mut all = Arguments::default();
        for flag in ["-nodefaults", "-no-user-config", "-nographic"] {
            all.flag(flag);
        }
        all.option("-machine", self.architecture.machine());
        all.option("-accel", self.accelerator.argument());
        all.option("-cpu", self.accelerator.processor());
        all.option("-m", self.memory.to_string());
        all.option("-smp", self.cpus.to_string());
        all.option("-device", "virtio-rng-pci");
        match self.console {
            Console::Terminal => all.option("-serial", "mon:stdio"),
            Console::Output => {
                all.option("-serial", "stdio");
                all.flag("-no-reboot");
            }
        }
        self.start(&mut all);
        for (number, drive) in self.drives.iter().enumerate() {
            self.drive(&mut all, number, drive);
        }
        self.network(&mut all);
        for file in &self.strings {
            all.option("-smbios", with_path("type=11,path=", file));
        }
        all.0.extend(self.more.iter().cloned());
        all.0
    }

    fn start(&self, all: &mut Arguments) {
        match &self.start {
            Start::Firmware(Firmware::Bios) => {}
            Start::Firmware(Firmware::Uefi { code, variables }) => {
                let flash = "if=pflash,format=raw,readonly=on,unit=0,file=";
                all.option("-drive", with_path(flash, code));
                let flash = "if=pflash,format=raw,snapshot=on,unit=1,file=";
                all.option("-drive", with_path(flash, variables));
            }
            Start::Direct(Direct { kernel, initrd, command_line, .. }) => {
                all.option("-kernel", kernel);
                if let Some(initrd) = initrd {
                    // QEMU takes several, separated by commas.
                    all.option("-initrd", with_path("", initrd));
                }
                all.option("-append", command_line);
            }
        }
    }

    fn drive(&self, all: &mut Arguments, number: usize, drive: &Drive) {
        let access = match drive.access {
            Access::Throwaway => "snapshot=on,cache=unsafe",
            Access::ReadOnly => "readonly=on",
            Access::Kept => "discard=unmap",
        };
        let driver = drive.container.driver();
        let options = format!("if=none,id=disk{number},format={driver},{access},file=");
        all.option("-drive", with_path(&options, &drive.path));
        let first = number == 0 && matches!(self.start, Start::Firmware(_));
        let order = if first { ",bootindex=0" } else { "" };
        all.option("-device", format!("virtio-blk-pci,drive=disk{number}{order}"));
    }

    fn network(&self, all: &mut Arguments) {
        let mut options = "user,id=network".to_owned();
        for Port { host, guest } in &self.ports {
            options.push_str(&format!(",hostfwd=tcp:127.0.0.1:{host}-:{guest}"));
        }
        all.option("-netdev", options);
        // Without its ROM: nothing is to be booted from a network.
        all.option("-device", "virtio-net-pci,netdev=network,romfile=");
    }
}

#[derive(Default)]
struct Arguments(Vec<OsString>);

impl Arguments {
    fn flag(&mut self, flag: &str) {
        self.0.push(flag.into());
    }

    fn option(&mut self, flag: &str, value: impl AsRef<OsStr>) {
        self.0.push(flag.into());
        self.0.push(value.as_ref().into());
    }
}

/// Appends a path to other options; in QEMU's options a comma is written twice.
fn with_path(options: &str, path: &Path) -> OsString {
    let mut bytes = options.as_bytes().to_vec();
    for byte in path.as_os_str().as_bytes() {
        bytes.push(*byte);
        if *byte == b',' {
            bytes.push(b',');
        }
    }
    OsString::from_vec(bytes)
}
