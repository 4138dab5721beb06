//! `bake run`: a disk booted in QEMU.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::cli::Exit;
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::emulator::{
    Accelerator, Access, Architecture, Console, Container, Credential, Direct, Drive, Ending,
    Firmware, Image, Machine, Port, Start, attach, keep, seed, watch,
};
use crate::error::Error;
use crate::interrupt;

/// Boot a disk in QEMU, with its serial console on the terminal.
#[derive(Debug, Args)]
#[command(after_help = "The disk is never written: what the guest writes is thrown away, or with \
    `--keep` kept in an overlay. KVM is used if a guest really runs with it, else QEMU translates, \
    which is several times slower. Ctrl-A X ends the machine.\n\n\
    Examples:\n  \
    bake run dist/catalog-1.4.2-amd64.qcow2 --port 8080:8080\n  \
    bake run dist/catalog-1.4.2-amd64.raw --firmware bios --seed environments/staging/\n  \
    bake run disk.qcow2 --keep changes.qcow2 --credential db-password=@password.txt\n  \
    bake run disk.raw --until 'login:' --timeout 120\n\n\
    Exit status: 0 the machine was switched off, or showed the text; 1 it failed, ended before it \
    showed the text, or took too long.")]
pub(in crate::cli) struct Run {
    /// The disk (raw, qcow2, vmdk, vhd or vhdx), or a folder for direct boot: kernel, initrd, disk
    #[arg(value_name = "DISK")]
    disk: PathBuf,
    /// What starts the disk [default: UEFI if it is installed and the disk has an EFI partition]
    #[arg(long, value_name = "WHICH")]
    firmware: Option<Choice>,
    /// Keep what the guest writes in this overlay; it is made if it is not there
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,
    /// A further disk, of which nothing is kept either; may be given several times
    #[arg(long = "disk", value_name = "FILE")]
    disks: Vec<PathBuf>,
    /// A port of the loopback device that leads to the guest's; may be given several times
    #[arg(short, long = "port", value_name = "HOST:GUEST")]
    ports: Vec<Port>,
    /// How much memory the guest has: MiB, or with a unit, M or G
    #[arg(short, long, value_name = "SIZE", default_value = "1G", value_parser = memory)]
    memory: u32,
    /// How many processors the guest has
    #[arg(long, value_name = "N", default_value_t = 2,
        value_parser = clap::value_parser!(u32).range(1..=255))]
    cpus: u32,
    /// Configuration: a folder, which becomes a volume labelled CIDATA, or such a volume
    #[arg(long, value_name = "FOLDER|FILE")]
    seed: Option<PathBuf>,
    /// A credential for systemd, from a file; may be given several times
    #[arg(long = "credential", value_name = "NAME=@FILE")]
    credentials: Vec<String>,
    /// Further words for the kernel's command line, of a folder for direct boot
    #[arg(long, value_name = "WORDS")]
    kernel_args: Option<String>,
    /// The guest's architecture [default: the disk's, else this machine's]
    #[arg(long, value_name = "ARCH")]
    arch: Option<Processor>,
    /// What runs the guest's code [default: kvm if a guest runs with it, else tcg]
    #[arg(long, value_name = "WHICH")]
    accel: Option<Runner>,
    /// End with success as soon as the serial console shows this text
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    until: Option<String>,
    /// How long to wait for the text
    #[arg(long, value_name = "SECONDS", default_value_t = 300, requires = "until")]
    timeout: u64,
    /// Print QEMU's command line and start nothing but the probe for KVM
    #[arg(long = "dry-run")]
    only_print: bool,
    /// Further arguments for QEMU
    #[arg(last = true, value_name = "ARGUMENTS")]
    more: Vec<OsString>,
}

/// What starts a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Choice {
    /// UEFI firmware of this machine's packages.
    Uefi,
    /// The BIOS that comes with QEMU.
    Bios,
}

/// A guest's architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Processor {
    /// A PC with 64 bits.
    Amd64,
    /// ARM with 64 bits.
    Arm64,
}

/// What runs a guest's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Runner {
    /// The processor, by the kernel's KVM.
    Kvm,
    /// QEMU itself.
    Tcg,
}

impl Run {
    pub(in crate::cli) fn run(&self, printer: &Printer) -> Result<Exit, Failure> {
        if printer.is_json() && self.until.is_none() && !self.only_print {
            return Err(input("--json", "expected --until or --dry-run beside it"));
        }
        let scratch = tempfile::Builder::new().prefix("bake-run-").tempdir()?;
        let guard = interrupt::remove_on_interrupt(scratch.path());
        let machine = self.machine(scratch.path())?;
        let outcome = self.start(&machine, printer);
        drop(guard);
        outcome
    }

    /// Describes the machine; what it needs besides the disks is written to a folder.
    fn machine(&self, scratch: &Path) -> Result<Machine, Failure> {
        let mut drives = Vec::new();
        let (start, architecture) = if self.disk.is_dir() {
            let direct = self.direct()?;
            let image = direct.disk.as_deref().map(Image::open).transpose()?;
            drives.extend(image.as_ref().map(|image| Drive::new(image, Access::Throwaway)));
            (Start::Direct(direct), self.architecture(image.as_ref())?)
        } else {
            let image = Image::open(&self.disk)?;
            let architecture = self.architecture(Some(&image))?;
            let firmware = self.firmware(&image, architecture)?;
            drives.push(self.first_drive(&image)?);
            (Start::Firmware(firmware), architecture)
        };
        for path in &self.disks {
            drives.push(Drive::new(&Image::open(path)?, Access::Throwaway));
        }
        drives.extend(self.seed_drive(scratch)?);
        let strings = self.strings(scratch)?;
        let accelerator = match self.accel {
            Some(Runner::Kvm) => Accelerator::Kvm,
            Some(Runner::Tcg) => Accelerator::Tcg,
            None => Accelerator::find(architecture, scratch)?,
        };
        Ok(Machine {
            architecture,
            accelerator,
            memory: self.memory,
            cpus: self.cpus,
            start,
            drives,
            ports: self.ports.clone(),
            strings,
            console: if self.until.is_some() { Console::Output } else { Console::Terminal },
            more: self.more.clone(),
        })
    }

    fn architecture(&self, image: Option<&Image>) -> Result<Architecture, Failure> {
        Ok(match self.arch {
            Some(Processor::Amd64) => Architecture::Amd64,
            Some(Processor::Arm64) => Architecture::Arm64,
            None => {
                let table = image.map(Image::table).transpose()?.flatten();
                let found = table.and_then(|table| Architecture::of(&table));
                found.or_else(Architecture::host).unwrap_or(Architecture::Amd64)
            }
        })
    }

    fn direct(&self) -> Result<Direct, Failure> {
        if self.firmware.is_some() {
            return Err(input("--firmware", "a folder for direct boot needs none"));
        }
        if self.keep.is_some() {
            return Err(input("--keep", "expected a disk, found a folder for direct boot"));
        }
        let mut direct = Direct::open(&self.disk)?;
        if let Some(words) = &self.kernel_args {
            let line = [direct.command_line.as_str(), words].join(" ");
            direct.command_line = line.trim().into();
        }
        Ok(direct)
    }

    fn firmware(&self, image: &Image, architecture: Architecture) -> Result<Firmware, Failure> {
        if self.kernel_args.is_some() {
            let reason = "expected a folder for direct boot; a disk has a command line of its own";
            return Err(input("--kernel-args", reason));
        }
        Ok(match self.firmware {
            Some(Choice::Bios) if architecture == Architecture::Arm64 => {
                return Err(input("--firmware", "machines with ARM have no BIOS"));
            }
            Some(Choice::Bios) => Firmware::Bios,
            Some(Choice::Uefi) => Firmware::uefi(architecture)?,
            None => Firmware::fitting(image, architecture)?,
        })
    }

    fn first_drive(&self, image: &Image) -> Result<Drive, Failure> {
        match &self.keep {
            Some(file) if self.only_print && !file.exists() => {
                let path = std::path::absolute(file)?;
                Ok(Drive { path, container: Container::Qcow2, access: Access::Kept })
            }
            Some(file) => Ok(Drive::new(&keep(image, file)?, Access::Kept)),
            None => Ok(Drive::new(image, Access::Throwaway)),
        }
    }

    fn seed_drive(&self, scratch: &Path) -> Result<Option<Drive>, Failure> {
        let Some(source) = &self.seed else { return Ok(None) };
        if !source.is_dir() {
            return Ok(Some(Drive::new(&Image::open(source)?, Access::ReadOnly)));
        }
        let path = scratch.join("seed");
        if !self.only_print {
            seed(source, &path)?;
        }
        Ok(Some(Drive { path, container: Container::Raw, access: Access::ReadOnly }))
    }

    fn strings(&self, scratch: &Path) -> Result<Vec<PathBuf>, Failure> {
        let write = |text: &String| {
            let credential: Credential =
                text.parse().map_err(|reason: String| input("--credential", reason))?;
            if self.only_print {
                return Ok(credential.place(scratch));
            }
            Ok(credential.write(scratch)?)
        };
        self.credentials.iter().map(write).collect()
    }

    fn start(&self, machine: &Machine, printer: &Printer) -> Result<Exit, Failure> {
        if self.only_print {
            return show(machine, printer);
        }
        let starter = match &machine.start {
            Start::Firmware(Firmware::Uefi { .. }) => "UEFI",
            Start::Firmware(Firmware::Bios) => "BIOS",
            Start::Direct(_) => "direct",
        };
        let (disk, accelerator) = (self.disk.display(), machine.accelerator.name());
        printer.note(format_args!("booting `{disk}` ({starter}, {accelerator})"));
        let Some(text) = &self.until else {
            printer.note("Ctrl-A X ends the machine");
            attach(machine)?;
            return Ok(Exit::Done);
        };
        let time = Duration::from_secs(self.timeout);
        let ending = watch(machine, text, time, |piece| {
            if printer.is_json() {
                return printer
                    .event("console", &json!({ "text": String::from_utf8_lossy(piece) }));
            }
            printer.bytes(piece)
        })?;
        self.report(ending, text, printer)
    }

    fn report(&self, ending: Ending, text: &str, printer: &Printer) -> Result<Exit, Failure> {
        let (word, exit) = match ending {
            Ending::Shown => ("shown", Exit::Done),
            Ending::Ended => ("ended", Exit::No),
            Ending::TimedOut => ("timed-out", Exit::No),
        };
        if printer.is_json() {
            printer.event("ran", &json!({ "ending": word }))?;
        } else {
            // The console may have stopped within a line.
            printer.line("")?;
        }
        match ending {
            Ending::Shown => {}
            Ending::Ended => {
                printer.note(format_args!("the machine ended, and had not shown `{text}`"));
            }
            Ending::TimedOut => {
                let time = self.timeout;
                printer.note(format_args!("`{text}` was not shown within {time} seconds"));
            }
        }
        Ok(exit)
    }
}

/// Prints the command that would run a machine.
fn show(machine: &Machine, printer: &Printer) -> Result<Exit, Failure> {
    let program = OsString::from(machine.architecture.program());
    let words = [program].into_iter().chain(machine.arguments());
    let words: Vec<String> = words.map(|word| word.display().to_string()).collect();
    if printer.is_json() {
        printer.event("command", &json!({ "words": words }))?;
    } else {
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        printer.line(words.join(" "))?;
    }
    Ok(Exit::Done)
}

fn input(what: &str, reason: impl Into<String>) -> Failure {
    Error::Input { what: what.into(), reason: reason.into() }.into()
}

/// Parses an amount of memory in MiB.
fn memory(text: &str) -> Result<u32, String> {
    let (number, unit) = match text.char_indices().last() {
        Some((at, 'G' | 'g')) => (&text[..at], 1024),
        Some((at, 'M' | 'm')) => (&text[..at], 1),
        _ => (text, 1),
    };
    let memory = number.parse().ok().and_then(|number: u32| number.checked_mul(unit));
    memory.filter(|memory| (32..=1 << 22).contains(memory)).ok_or_else(|| {
        "expected 32 MiB to 4096 GiB, as a number of MiB or with M or G, e.g. 512M".to_owned()
    })
}

/// Returns a word as a shell would have it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./,:=@+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_in_mebibytes() {
        let cases = [("512", 512), ("512M", 512), ("4G", 4096), ("32m", 32)];
        for (text, expected) in cases {
            assert_eq!(memory(text), Ok(expected), "{text}");
        }
        for text in ["", "G", "0", "31", "1T", "-1", "4294967295G", "1.5G", "ü"] {
            let error = memory(text).unwrap_err();
            assert!(error.contains("expected 32 MiB"), "{text}");
        }
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("if=none,file=/a-b/c.raw"), "if=none,file=/a-b/c.raw");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
