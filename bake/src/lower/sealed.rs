//! Where artifacts have their signatures, whatever the format.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use bake_formats::deb::{self, Role};
use bake_formats::format::{Epoch, ReadError, WriteError};
use bake_formats::input::{ReadAt, Section, Source};
use bake_formats::rpm;

use super::Kind;
use crate::edit::Edit;

/// An artifact's signatures: where they are and what they cover.
pub struct Sealed {
    file: Arc<dyn ReadAt>,
    seal: Seal,
}

enum Seal {
    Deb(deb::Seal),
    Rpm(Box<rpm::Seal>),
}

/// A signature in an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it is: a deb's member, an rpm's tag.
    pub place: &'static str,
    /// The OpenPGP packet.
    pub packet: Vec<u8>,
    /// Which bytes of the file it covers.
    pub covered: Vec<Range<u64>>,
}

/// What is to become of an artifact's signatures.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// One comes to those that are there.
    Add(&'a [u8], Role, Epoch),
    /// One comes in place of those that are there: all of an rpm, a deb's of this role.
    Replace(&'a [u8], Role, Epoch),
    /// All go.
    Remove,
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealed").field("signed", &self.signed()).finish_non_exhaustive()
    }
}

impl Kind {
    /// Returns whether the format has a place for signatures.
    pub fn is_signable(self) -> bool {
        matches!(self, Self::Deb | Self::Rpm)
    }
}

impl Sealed {
    /// Reads an artifact's signatures; `None` if the format has no place for any.
    pub fn read(kind: Kind, source: &Source) -> Result<Option<Self>, ReadError> {
        let file = || source.file().cloned();
        let (file, seal) = match kind {
            Kind::Deb => {
                let file = file()?;
                let seal = Seal::Deb(deb::Seal::read(&file)?);
                (file, seal)
            }
            Kind::Rpm => {
                let file = file()?;
                let seal = Seal::Rpm(Box::new(rpm::Seal::read(&*file)?));
                (file, seal)
            }
            _ => return Ok(None),
        };
        Ok(Some(Self { file, seal }))
    }

    /// Returns when the artifact was made, as it says itself.
    pub fn time(&self) -> Option<Epoch> {
        match &self.seal {
            Seal::Deb(seal) => u32::try_from(seal.time()).ok().map(Epoch),
            Seal::Rpm(seal) => seal.time().map(Epoch),
        }
    }

    /// Returns the bytes that a signature is to cover.
    pub fn message(&self) -> Message {
        self.read_ranges(&self.signed())
    }

    /// Returns the bytes that a signature covers.
    pub fn covered(&self, found: &Found) -> Message {
        self.read_ranges(&found.covered)
    }

    fn signed(&self) -> Vec<Range<u64>> {
        match &self.seal {
            Seal::Deb(seal) => seal.signed().to_vec(),
            Seal::Rpm(seal) => vec![seal.signed()],
        }
    }

    fn read_ranges(&self, ranges: &[Range<u64>]) -> Message {
        let section = |range: &Range<u64>| {
            Section::new(Arc::clone(&self.file), range.start, range.end - range.start)
        };
        Message { sections: ranges.iter().map(section).collect() }
    }

    /// Returns the signatures that are there.
    pub fn signatures(&self) -> Vec<Found> {
        match &self.seal {
            Seal::Deb(seal) => {
                let found = |signature: &deb::Signature| Found {
                    place: signature.role.member(),
                    packet: signature.packet.clone(),
                    covered: seal.signed().to_vec(),
                };
                seal.signatures().iter().map(found).collect()
            }
            Seal::Rpm(seal) => {
                let found = |signature: rpm::Signature| {
                    let header = seal.signed();
                    let payload = header.start..self.file.len();
                    let all = signature.tag.covers_payload();
                    let covered = vec![if all { payload } else { header }];
                    Found { place: signature.tag.name(), packet: signature.packet, covered }
                };
                seal.signatures().into_iter().map(found).collect()
            }
        }
    }

    /// Returns the signatures that stand where a new one would: a deb's of the same role. An rpm has
    /// room for several, depending on their algorithms.
    pub fn beside(&self, role: Role) -> Vec<Found> {
        let mut found = self.signatures();
        if matches!(self.seal, Seal::Deb(_)) {
            found.retain(|found| found.place == role.member());
        }
        found
    }

    /// Returns whether two signatures can stand in one place.
    pub fn has_room(&self) -> bool {
        matches!(self.seal, Seal::Rpm(_))
    }

    /// Returns what is to be changed in the file.
    pub fn edits(&self, change: Change<'_>) -> Result<Vec<Edit>, WriteError> {
        match &self.seal {
            Seal::Deb(seal) => deb_edits(seal, change),
            Seal::Rpm(seal) => {
                let mut seal = (**seal).clone();
                match change {
                    Change::Add(packet, ..) => drop(seal.add(packet)?),
                    Change::Replace(packet, ..) => {
                        seal.clear();
                        seal.add(packet)?;
                    }
                    Change::Remove if !seal.clear() => return Ok(Vec::new()),
                    Change::Remove => {}
                }
                let rpm::Patch { range, bytes } = seal.patch()?;
                Ok(vec![Edit { range, bytes }])
            }
        }
    }
}

fn deb_edits(seal: &deb::Seal, change: Change<'_>) -> Result<Vec<Edit>, WriteError> {
    let goes = |found: &&deb::Signature| match change {
        Change::Add(..) => false,
        Change::Replace(_, role, _) => found.role == role,
        Change::Remove => true,
    };
    let gone = seal.signatures().iter().filter(goes);
    let mut edits: Vec<Edit> =
        gone.map(|found| Edit { range: found.place.clone(), bytes: Vec::new() }).collect();
    edits.sort_by_key(|edit| edit.range.start);
    if let Change::Add(packet, role, epoch) | Change::Replace(packet, role, epoch) = change {
        let bytes = deb::Seal::member(role, packet, epoch)?;
        edits.push(Edit { range: seal.end()..seal.end(), bytes });
    }
    Ok(edits)
}

/// The bytes that a signature covers, one range after the other.
#[derive(Debug)]
pub struct Message {
    sections: VecDeque<Section>,
}

impl Read for Message {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(section) = self.sections.front_mut() {
            let count = section.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            self.sections.pop_front();
        }
        Ok(0)
    }
}
