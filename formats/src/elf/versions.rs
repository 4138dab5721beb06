//! Symbol versions (LSB core 10.7): chains of records that point forward.
//!
//! ```text
//! verneed  version (2)  count (2)  file (4)  aux (4)  next (4)
//! vernaux  hash (4)  flags (2)  other (2)  name (4)  next (4)
//! verdef   version (2)  flags (2)  index (2)  count (2)  hash (4)  aux (4)  next (4)
//! verdaux  name (4)  next (4)
//! ```

use super::blocks::Blocks;
use super::dynamic::Dynamic;
use super::error::ElfError;
use super::header::Header;
use super::model::RequiredLibrary;

/// All versions of one file; glibc defines about 70.
const MOST_VERSIONS: usize = 16_384;
/// Flag of the version that names the library itself.
const VER_FLG_BASE: u16 = 1;

/// One version that is needed: library, name, and the number that symbols have for it.
pub(super) struct Required {
    pub(super) library: String,
    pub(super) version: String,
    pub(super) number: u16,
}

/// Returns the versions that are needed of each library.
pub(super) fn required(
    blocks: &mut Blocks<'_>,
    header: &Header,
    dynamic: &Dynamic,
) -> Result<Vec<RequiredLibrary>, ElfError> {
    let mut libraries: Vec<RequiredLibrary> = Vec::new();
    for Required { library, version, .. } in required_numbers(blocks, header, dynamic)? {
        match libraries.last_mut().filter(|last| last.library == library) {
            Some(last) => last.versions.push(version),
            None => libraries.push(RequiredLibrary { library, versions: vec![version] }),
        }
    }
    Ok(libraries)
}

/// Returns the versions that are needed, with their numbers.
pub(super) fn required_numbers(
    blocks: &mut Blocks<'_>,
    header: &Header,
    dynamic: &Dynamic,
) -> Result<Vec<Required>, ElfError> {
    const WHAT: &str = "the needed versions";
    let mut found = Vec::new();
    let Some((start, count)) = dynamic.required else { return Ok(found) };
    let mut chain = Chain::new(start, count, MOST_VERSIONS);
    while let Some(at) = chain.next(WHAT)? {
        let need = blocks.record(WHAT, at, 16, header.layout)?;
        chain.follow(need.word(12));
        let library =
            dynamic.text(blocks, "the library of needed versions", need.word(4).into())?;
        let left = MOST_VERSIONS.saturating_sub(found.len());
        let mut versions = Chain::new(at + u64::from(need.word(8)), need.half(2).into(), left);
        while let Some(at) = versions.next(WHAT)? {
            let aux = blocks.record(WHAT, at, 16, header.layout)?;
            versions.follow(aux.word(12));
            let version =
                dynamic.text(blocks, "the name of a needed version", aux.word(8).into())?;
            let number = aux.half(6) & 0x7fff;
            found.push(Required { library: library.clone(), version, number });
        }
    }
    Ok(found)
}

/// Returns the base, and the other versions that are defined.
pub(super) fn defined(
    blocks: &mut Blocks<'_>,
    header: &Header,
    dynamic: &Dynamic,
) -> Result<(Option<String>, Vec<String>), ElfError> {
    let (mut base, mut names) = (None, Vec::new());
    for Defined { version, is_base, is_parent, .. } in defined_numbers(blocks, header, dynamic)? {
        if is_base {
            base = base.or(Some(version));
        } else if !is_parent {
            names.push(version);
        }
    }
    Ok((base, names))
}

/// One version that is defined.
pub(super) struct Defined {
    pub(super) version: String,
    pub(super) number: u16,
    is_base: bool,
    /// Whether this only names what another version builds on.
    pub(super) is_parent: bool,
}

/// Returns the versions that are defined, with their numbers.
pub(super) fn defined_numbers(
    blocks: &mut Blocks<'_>,
    header: &Header,
    dynamic: &Dynamic,
) -> Result<Vec<Defined>, ElfError> {
    const WHAT: &str = "the defined versions";
    let mut found = Vec::new();
    let Some((start, count)) = dynamic.defined else { return Ok(found) };
    let mut chain = Chain::new(start, count, MOST_VERSIONS);
    while let Some(at) = chain.next(WHAT)? {
        let definition = blocks.record(WHAT, at, 20, header.layout)?;
        chain.follow(definition.word(16));
        let left = MOST_VERSIONS.saturating_sub(found.len());
        let mut names =
            Chain::new(at + u64::from(definition.word(12)), definition.half(6).into(), left);
        let mut is_parent = false;
        while let Some(at) = names.next(WHAT)? {
            let aux = blocks.record(WHAT, at, 8, header.layout)?;
            names.follow(aux.word(4));
            let version =
                dynamic.text(blocks, "the name of a defined version", aux.word(0).into())?;
            found.push(Defined {
                version,
                number: definition.half(4) & 0x7fff,
                is_base: definition.half(2) & VER_FLG_BASE != 0,
                is_parent,
            });
            is_parent = true;
        }
    }
    Ok(found)
}

/// A chain of records, each with the distance to the next: forward only, and only so many.
struct Chain {
    at: Option<u64>,
    left: u64,
    allowed: usize,
}

impl Chain {
    fn new(start: u64, count: u64, allowed: usize) -> Self {
        Self { at: Some(start), left: count, allowed }
    }

    fn next(&mut self, what: &'static str) -> Result<Option<u64>, ElfError> {
        let Some(at) = self.at.filter(|_| self.left > 0) else { return Ok(None) };
        if self.allowed == 0 {
            let expected = format!("at most {MOST_VERSIONS} versions");
            return Err(ElfError::invalid(what, at, expected, "more"));
        }
        self.allowed -= 1;
        self.left -= 1;
        Ok(Some(at))
    }

    fn follow(&mut self, distance: u32) {
        let next = |at: u64| at.checked_add(distance.into());
        self.at = if distance == 0 { None } else { self.at.and_then(next) };
    }
}
