//! What a file needs and offers.

use serde::{Deserialize, Serialize};

use super::header::{Header, Kind};
use super::machine::Machine;

/// What an ELF file needs and offers. Lists are in the file's order.
#[expect(clippy::struct_excessive_bools, reason = "each is there or not, whatever the others are")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elf {
    /// What it runs on.
    pub machine: Machine,
    /// What it is for.
    pub kind: Kind,
    /// `PT_INTERP`: the loader that starts it.
    pub interpreter: Option<String>,
    /// `DT_SONAME`: the name that others need it by.
    pub soname: Option<String>,
    /// `DT_NEEDED`: the libraries it needs.
    pub needed: Vec<String>,
    /// `DT_RUNPATH`, else `DT_RPATH`: where it looks for libraries first, split at colons.
    pub search: Vec<String>,
    /// The symbol versions that it needs of each library.
    pub requires: Vec<RequiredLibrary>,
    /// The symbol versions that it defines, without the base.
    pub defines: Vec<String>,
    /// The name of the base version, which is the soname.
    pub version_base: Option<String>,
    /// Whether there is a `DT_HASH`.
    pub has_hash: bool,
    /// Whether there is a `DT_GNU_HASH`.
    pub has_gnu_hash: bool,
    /// Whether there is a `DT_DEBUG`, which linkers write for programs and not for libraries.
    pub has_debug: bool,
    /// Whether there is a dynamic section.
    pub is_dynamic: bool,
}

/// The symbol versions needed of one library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequiredLibrary {
    /// The library's soname.
    pub library: String,
    /// The versions, e.g. `GLIBC_2.34`.
    pub versions: Vec<String>,
}

impl Elf {
    pub(super) fn new(header: &Header) -> Self {
        Self {
            machine: header.machine,
            kind: header.kind,
            interpreter: None,
            soname: None,
            needed: Vec::new(),
            search: Vec::new(),
            requires: Vec::new(),
            defines: Vec::new(),
            version_base: None,
            has_hash: false,
            has_gnu_hash: false,
            has_debug: false,
            is_dynamic: false,
        }
    }

    /// Returns the symbol versions that are needed of a library.
    pub fn versions_of<'a>(&'a self, library: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        let of = move |required: &&RequiredLibrary| required.library == library;
        self.requires
            .iter()
            .filter(of)
            .flat_map(|required| required.versions.iter().map(String::as_str))
    }
}
