//! What runs a guest's code.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{Architecture, probe};
use crate::error::Error;

/// KVM on a machine that is virtual itself and has no hardware for guests of its own. The guest of the probe runs, but one
/// with page tables ends when it uses an instruction that KVM has to emulate and cannot, which Linux does.
const WITHOUT_HARDWARE: &str = "/sys/module/kvm_pvm";
/// How long the guest of the probe may take; where it runs, it takes a tenth of a second.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the firmware of the probe is.
const FIRMWARE: usize = 64 * 1024;
/// QEMU's status when the guest of the probe ran.
const RAN: i32 = 33;
/// The same for ARM: asks the hypervisor to switch the machine off (Arm DEN 0022, `SYSTEM_OFF`).
const ARM64_PROBE: [u32; 4] = [
    0x5280_0100, // mov w0, #0x0008
    0x72b0_8000, // movk w0, #0x8400, lsl #16
    0xd400_0002, // hvc #0
    0x1400_0000, // b .
];

/// What runs a guest's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accelerator {
    /// The processor, by the kernel's KVM.
    Kvm,
    /// QEMU itself, which translates it.
    Tcg,
}

impl Accelerator {
    /// Returns the fastest that works, found out by running a guest that ends at once: a device that
    /// can be opened proves nothing. A KVM that is known to run no Linux is not tried.
    ///
    /// `folder` is where the guest is written to.
    pub fn find(architecture: Architecture, folder: &Path) -> Result<Self, Error> {
        let is_there = |path: &str| Path::new(path).exists();
        let is_host = Architecture::host() == Some(architecture);
        if !is_host || !is_there("/dev/kvm") || is_there(WITHOUT_HARDWARE) {
            return Ok(Self::Tcg);
        }
        let runs = Self::Kvm.runs(architecture, folder)?;
        Ok(if runs { Self::Kvm } else { Self::Tcg })
    }

    /// Returns whether a guest runs.
    pub(super) fn runs(self, architecture: Architecture, folder: &Path) -> Result<bool, Error> {
        let (firmware, status) = match architecture {
            Architecture::Amd64 => {
                let mut firmware = vec![0; FIRMWARE - probe::PROBE.len()];
                firmware.extend(probe::PROBE);
                (firmware, RAN)
            }
            Architecture::Arm64 => {
                (ARM64_PROBE.iter().flat_map(|code| code.to_le_bytes()).collect(), 0)
            }
        };
        let path = folder.join("probe");
        fs_err::write(&path, firmware)?;
        let mut command = Command::new(architecture.program());
        command.args(["-nodefaults", "-no-user-config", "-display", "none", "-m", "64"]);
        command.args(["-machine", architecture.machine(), "-accel", self.argument()]);
        command.args(["-cpu", self.processor(), "-bios"]).arg(&path);
        if architecture == Architecture::Amd64 {
            command.args(["-device", "isa-debug-exit,iobase=0xf4,iosize=1"]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut program = super::session::start(&mut command, architecture)?;
        let ended = program.wait(Some(PATIENCE))?;
        program.end()?;
        Ok(ended.and_then(|ended| ended.code()) == Some(status))
    }

    /// Returns what it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }

    pub(super) fn argument(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg,thread=multi",
        }
    }

    /// Returns the processor: as much as there is.
    pub(super) fn processor(self) -> &'static str {
        match self {
            Self::Kvm => "host",
            Self::Tcg => "max",
        }
    }
}
