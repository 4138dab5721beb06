//! Finding images: through the indexes of a layout, and by platform.

use std::collections::BTreeSet;

use super::archive::CONTAINERD_NAME_KEY;
use super::descriptor::{Descriptor, Kind};
use super::documents::Documents;
use super::index::Index;
use super::layout::REF_NAME_KEY;
use super::reader::LayoutReader;
use super::reference::{self, Reference};
use crate::digest::Digest;
use crate::format::ReadError;

/// How deep indexes may list indexes.
pub(super) const MAX_DEPTH: usize = 4;
/// How many manifests a layout may lead to.
pub(super) const MAX_MANIFESTS: usize = 1000;

/// An image manifest that a layout leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedImage {
    /// How the innermost index lists the manifest.
    pub descriptor: Descriptor,
    /// The name, as far as `index.json` says one.
    pub name: String,
    /// The tag, as far as `index.json` says one.
    pub version: String,
}

impl ListedImage {
    /// Takes name and tag from the annotations that `index.json` has for them.
    pub fn of(descriptor: Descriptor) -> Self {
        let (name, version) = names(&descriptor);
        let (name, version) = (name.to_owned(), version.to_owned());
        Self { descriptor, name, version }
    }
}

impl LayoutReader {
    /// Returns the image manifests that the layout leads to, through indexes, in their order.
    ///
    /// What is no image is passed over, as the specification asks (image-index.md, "manifests");
    /// no image at all is an error.
    pub fn images(&self) -> Result<Vec<ListedImage>, ReadError> {
        let mut search = Search {
            layout: self,
            found: Vec::new(),
            passed: BTreeSet::new(),
            seen: BTreeSet::new(),
        };
        for descriptor in &self.index()?.manifests {
            search.descend(descriptor, names(descriptor), 0)?;
        }
        let Search { found, passed, .. } = search;
        if found.is_empty() {
            let passed: Vec<_> = passed.into_iter().collect();
            let passed = if passed.is_empty() { "nothing".into() } else { passed.join(", ") };
            let reason = format!("expected an image manifest, found {passed}");
            return Err(ReadError::invalid("image layout", reason));
        }
        Ok(found)
    }

    /// Returns what `index.json` lists under a name: a manifest or an index.
    ///
    /// The name is a tag, or a whole reference, short or in full: `1.0`, `debian:12`,
    /// `docker.io/library/debian:12`. An error lists the names there are.
    pub fn find(&self, name: &str) -> Result<ListedImage, ReadError> {
        let full = |text: &str| text.parse::<Reference>().ok().map(|found| found.to_string());
        let wanted = full(name);
        let index = self.index()?;
        let mut there = BTreeSet::new();
        for descriptor in &index.manifests {
            let (found, version) = names(descriptor);
            let both = format!("{found}:{version}");
            let is_wanted = version == name || (!found.is_empty() && full(&both) == wanted);
            if is_wanted && !version.is_empty() {
                let (name, version) = (found.to_owned(), version.to_owned());
                return Ok(ListedImage { descriptor: descriptor.clone(), name, version });
            }
            there.insert(if found.is_empty() { version.to_owned() } else { both });
        }
        let there: Vec<_> = there.into_iter().filter(|name| !name.is_empty()).collect();
        let there = if there.is_empty() { "none".into() } else { there.join(", ") };
        let reason = format!("expected an image `{}`, found {there}", name.escape_debug());
        Err(ReadError::invalid("image layout", reason))
    }

    /// Returns an image's manifest and configuration, checked.
    pub fn documents(&self, descriptor: &Descriptor) -> Result<Documents, ReadError> {
        Documents::read(self, descriptor)
    }
}

/// Returns the name and the tag that an entry of `index.json` gives an image, empty if none.
fn names(descriptor: &Descriptor) -> (&str, &str) {
    let names = &descriptor.annotations;
    match (names.get(CONTAINERD_NAME_KEY), names.get(REF_NAME_KEY)) {
        (Some(name), _) => reference::split_qualified(name),
        (None, Some(name)) if name.contains(['/', ':']) => reference::split_qualified(name),
        (None, Some(tag)) => ("", tag.as_str()),
        (None, None) => ("", ""),
    }
}

struct Search<'a> {
    layout: &'a LayoutReader,
    found: Vec<ListedImage>,
    /// The media types of what is no image.
    passed: BTreeSet<String>,
    /// What was visited, so that no index is read twice.
    seen: BTreeSet<Digest>,
}

impl Search<'_> {
    fn descend(
        &mut self,
        descriptor: &Descriptor,
        (name, version): (&str, &str),
        depth: usize,
    ) -> Result<(), ReadError> {
        let kind = descriptor.kind().filter(|_| !descriptor.describes_another());
        if !matches!(kind, Some(Kind::Manifest | Kind::Index)) {
            self.passed.insert(descriptor.media_type.chars().take(100).collect());
            return Ok(());
        }
        if !self.seen.insert(descriptor.digest) {
            return Ok(());
        }
        let invalid = |reason: String| Err(ReadError::invalid("image index", reason));
        if kind == Some(Kind::Manifest) {
            if self.found.len() == MAX_MANIFESTS {
                return invalid(format!("expected at most {MAX_MANIFESTS} manifests"));
            }
            let (name, version) = (name.to_owned(), version.to_owned());
            self.found.push(ListedImage { descriptor: descriptor.clone(), name, version });
            return Ok(());
        }
        if depth == MAX_DEPTH {
            return invalid(format!("expected indexes at most {MAX_DEPTH} deep"));
        }
        let index = Index::parse(&self.layout.document::<Index>(descriptor)?)?;
        for descriptor in &index.manifests {
            self.descend(descriptor, (name, version), depth + 1)?;
        }
        Ok(())
    }
}
