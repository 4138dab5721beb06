//! One layer, read as a stream.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

use bake_formats::archive::tar::{Kind as MemberKind, TarReader};
use bake_formats::digest::{Digest, Hasher};
use bake_formats::encode::decoder;
use bake_formats::format::ReadError;
use bake_formats::oci::descriptor::{Descriptor, Kind};
use bake_formats::tree::{Content, Entry, TreePath};

use super::contents::{self, Facts};
use super::error::LayerFault;

/// About how many bytes an entry takes besides its names.
const ENTRY: u64 = 256;

/// What a layer may ask a surveyor for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes that a layer may have after decompression.
    pub raw: u64,
    /// The most bytes that what is remembered of a layer may take.
    pub memory: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { raw: 256 << 30, memory: 512 << 20 }
    }
}

/// What a layer holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LayerSurvey {
    /// The members in the order of the archive, whiteouts as they stand; of several with one path
    /// the last, as unpacking leaves it.
    pub entries: Vec<(TreePath, Entry)>,
    /// What contents say, by their digests.
    pub facts: BTreeMap<Digest, Facts>,
}

impl LayerSurvey {
    /// Reads a layer and compares it with its descriptor and its DiffID.
    pub(super) fn read(
        input: impl Read,
        layer: &Descriptor,
        diff_id: &Digest,
        scratch: &Path,
        limits: Limits,
    ) -> Result<Self, LayerFault> {
        let Some(Kind::Layer(codec)) = layer.kind() else {
            let reason =
                format!("expected the media type of a layer, found `{}`", layer.media_type);
            return Err(ReadError::invalid("descriptor", reason).into());
        };
        // More than the manifest lists is not read.
        let mut packed = Hashed::new(input, layer.size);
        let mut raw = Hashed::new(decoder(codec, &mut packed)?, limits.raw);
        let survey = Members::read(&mut raw, scratch, limits.memory);
        let (found, too_long) = (raw.hasher.digest(), raw.is_too_long);
        drop(raw);
        if packed.is_too_long || survey.is_ok() {
            packed.check(layer)?;
        }
        if too_long {
            let what = "bytes after decompression";
            return Err(LayerFault::Limit { what, limit: limits.raw });
        }
        let survey = survey?;
        if found != *diff_id {
            let (expected, found) = (diff_id.to_string(), found.to_string());
            return Err(LayerFault::Mismatch { what: "DiffID", expected, found });
        }
        Ok(survey)
    }
}

/// Takes the members of an archive.
struct Members {
    survey: LayerSurvey,
    /// Where in the list a path stands.
    places: BTreeMap<TreePath, usize>,
    limit: u64,
    left: u64,
}

impl Members {
    fn read(raw: impl Read, scratch: &Path, limit: u64) -> Result<LayerSurvey, LayerFault> {
        let mut archive = TarReader::new(raw, "tar archive");
        let (survey, places) = (LayerSurvey::default(), BTreeMap::new());
        let mut members = Self { survey, places, limit, left: limit };
        while let Some(member) = archive.next_member()? {
            let path = member.path.clone();
            let content = if member.kind == MemberKind::File {
                let size = member.size;
                let (content, facts) = contents::read(&path, archive.contents(), size, scratch)?;
                if let Some(facts) = facts {
                    members.charge(facts.weight())?;
                    members.survey.facts.insert(content.digest, facts);
                }
                content
            } else {
                Content::of(b"")
            };
            members.add(path, member.into_entry(content))?;
        }
        Ok(members.survey)
    }

    fn add(&mut self, path: TreePath, mut entry: Entry) -> Result<(), LayerFault> {
        // That an attribute is there is all that matters; values may be long.
        entry.xattrs.values_mut().for_each(Vec::clear);
        let names: usize = entry.xattrs.keys().map(String::len).sum();
        let target = match &entry.node {
            bake_formats::tree::Node::Symlink(target) => target.len(),
            _ => 0,
        };
        self.charge(ENTRY + (path.relative().len() + names + target) as u64)?;
        if let Some(place) = self.places.get(&path) {
            self.survey.entries[*place].1 = entry;
            return Ok(());
        }
        self.places.insert(path.clone(), self.survey.entries.len());
        self.survey.entries.push((path, entry));
        Ok(())
    }

    fn charge(&mut self, weight: u64) -> Result<(), LayerFault> {
        let what = "bytes of names and attributes";
        let limit = self.limit;
        self.left = self.left.checked_sub(weight).ok_or(LayerFault::Limit { what, limit })?;
        Ok(())
    }
}

/// Hashes what passes, up to a limit.
struct Hashed<R> {
    input: R,
    hasher: Hasher,
    limit: u64,
    is_too_long: bool,
}

impl<R: Read> Hashed<R> {
    fn new(input: R, limit: u64) -> Self {
        Self { input, hasher: Hasher::new(), limit, is_too_long: false }
    }

    /// Reads what is left and compares it with a descriptor.
    fn check(&mut self, layer: &Descriptor) -> Result<(), LayerFault> {
        let rest = io::copy(self, &mut io::sink());
        if self.is_too_long {
            let expected = format!("{} bytes", layer.size);
            return Err(LayerFault::Mismatch { what: "size", expected, found: "more".into() });
        }
        rest?;
        let len = self.hasher.len();
        if len != layer.size {
            let (expected, found) = (format!("{} bytes", layer.size), format!("{len}"));
            return Err(LayerFault::Mismatch { what: "size", expected, found });
        }
        let found = self.hasher.digest();
        if found != layer.digest {
            let (expected, found) = (layer.digest.to_string(), found.to_string());
            return Err(LayerFault::Mismatch { what: "digest", expected, found });
        }
        Ok(())
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        if self.hasher.len() > self.limit {
            self.is_too_long = true;
            let message = format!("there are more than {} bytes", self.limit);
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        Ok(count)
    }
}
