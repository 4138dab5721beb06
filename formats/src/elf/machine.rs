//! What a file runs on: machine, byte order, width, and the flags that change the ABI.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::blocks::Record;
use super::header::Layout;

/// What a file runs on. Two files can be loaded together only if theirs are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Machine {
    /// `e_machine`
    pub number: u16,
    /// Whether addresses have 64 bits.
    pub wide: bool,
    /// Whether the most significant byte comes first.
    pub big_endian: bool,
    /// Those bits of `e_flags` that tell one ABI from another.
    pub flags: u32,
}

/// The machines that have a name here: number, name, bits of `e_flags` that matter.
const MACHINES: [(u16, &str, u32); 14] = [
    (2, "SPARC", 0),
    (3, "Intel 80386", 0),
    (8, "MIPS", 0x0000_f020),
    (15, "PA-RISC", 0),
    (20, "PowerPC", 0),
    (21, "PowerPC64", 3),
    (22, "IBM S/390", 0),
    (40, "ARM", 0),
    (42, "SuperH", 0),
    (43, "SPARC v9", 0),
    (62, "x86-64", 0),
    (183, "AArch64", 0),
    (243, "RISC-V", 0),
    (258, "LoongArch", 7),
];

/// Debian's architectures: name, number, wide, big-endian.
const DEBIAN: [(&str, u16, bool, bool); 10] = [
    ("amd64", 62, true, false),
    ("arm64", 183, true, false),
    ("armel", 40, false, false),
    ("armhf", 40, false, false),
    ("i386", 3, false, false),
    ("loong64", 258, true, false),
    ("mips64el", 8, true, false),
    ("ppc64el", 21, true, false),
    ("riscv64", 243, true, false),
    ("s390x", 22, true, true),
];

impl Machine {
    pub(super) fn new(header: &Record, layout: Layout, flags: u32) -> Self {
        let number = header.half(18);
        let mask = MACHINES.iter().find(|row| row.0 == number).map_or(0, |row| row.2);
        let flags = flags & mask;
        Self { number, wide: layout.wide, big_endian: layout.big_endian, flags }
    }

    /// Returns whether programs for it run on one of Debian's architectures; unknown names have none.
    pub fn is_debian(self, architecture: &str) -> bool {
        let this = (self.number, self.wide, self.big_endian);
        DEBIAN.iter().any(|(name, number, wide, big)| {
            *name == architecture && this == (*number, *wide, *big)
        })
    }

    /// Returns the number of the relocation that copies a symbol's data out of a library.
    pub(super) fn copy_relocation(self) -> Option<u32> {
        Some(match self.number {
            2 | 20 | 21 | 43 => 19,
            3 | 62 => 5,
            8 => 126,
            15 => 128,
            22 => 9,
            40 => 20,
            42 => 162,
            183 => 1024,
            243 | 258 => 4,
            _ => return None,
        })
    }

    /// Returns whether rpm marks dependencies with `(64bit)`: all 64-bit machines but Alpha.
    pub fn is_marked_64bit(self) -> bool {
        self.wide && self.number != 41 && self.number != 0x9026
    }
}

/// Prints the machine for people, e.g. `64-bit x86-64`.
impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = if self.wide { 64 } else { 32 };
        match MACHINES.iter().find(|row| row.0 == self.number) {
            Some((_, name, _)) => write!(f, "{bits}-bit {name}"),
            None => write!(f, "{bits}-bit machine {}", self.number),
        }
    }
}
