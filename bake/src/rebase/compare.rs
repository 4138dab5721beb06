//! From an image and a base to what would come of them: for all platforms, or for none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bake_formats::digest::Digest;
use bake_formats::format::{ReadError, WriteCx};
use bake_formats::oci::descriptor::StringMap;
use bake_formats::oci::rebase::{OwnLayers, Rebase, rebase};
use bake_formats::oci::{
    BASE_NAME_KEY, Base, Databases, Descriptor, Documents, Manifest, OWN_PREFIX, Platform, Written,
    join,
};
use bake_formats::tree::{Node, TreePath};

use super::error::{Fault, RebaseError};
use super::finding::Finding;
use super::loaded::{Layers, Loaded, LoadedImage};
use super::{Stack, check};
use crate::lint::Severity;
use crate::survey::{Facts, LayerSource, LayerSurvey, Surveyor, View};

/// What is to be put onto what.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The image, with all its platforms.
    pub image: &'a Loaded<'a>,
    /// The new base.
    pub base: &'a Loaded<'a>,
    /// By what others find the new base; absent for one of this machine.
    pub base_name: Option<&'a str>,
    /// The old base; needed for images that bake did not make.
    pub old_base: Option<&'a Loaded<'a>>,
    /// Where layers of the old base are that the image only refers to.
    pub elsewhere: &'a [&'a dyn LayerSource],
    /// Whether the result holds the image's own layers.
    pub own_layers: OwnLayers,
    /// Whether the result holds the base's layers.
    pub base_layers: bool,
}

impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { image, base, .. } = self;
        f.debug_struct("Request").field("image", image).field("base", base).finish_non_exhaustive()
    }
}

/// What would come of it.
#[derive(Debug)]
pub struct Comparison {
    /// For each platform, in the order of the image's index.
    pub platforms: Vec<Compared>,
    /// What is left behind, one sentence each.
    pub notes: Vec<String>,
    image: String,
    annotations: Option<StringMap>,
}

/// What would come of an image for one platform.
#[derive(Debug)]
pub struct Compared {
    /// The platform.
    pub platform: Platform,
    /// By what name the image knows its base.
    pub old_name: Option<String>,
    /// The manifest of the old base, as far as it is known.
    pub old_base: Option<Digest>,
    /// The manifest of the new base.
    pub new_base: Digest,
    /// The image as it is.
    pub old_image: Digest,
    /// How many layers the image has of its own.
    pub own_layers: usize,
    /// How many layers the old base has.
    pub old_layers: usize,
    /// How many layers the new base has.
    pub new_layers: usize,
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
    /// What was assumed of an image that bake did not make.
    pub guesses: Vec<String>,
    /// The image on the new base.
    pub written: Written,
}

impl Compared {
    /// Returns the rules of which an error was found.
    pub fn broken_rules(&self) -> BTreeSet<&'static str> {
        let errors = self.findings.iter().filter(|finding| finding.severity == Severity::Error);
        errors.map(|finding| finding.rule).collect()
    }

    /// Returns the digest of the image on the new base.
    pub fn new_image(&self) -> Digest {
        self.written.root.digest
    }
}

impl Comparison {
    /// Returns the rules of which an error was found on any platform.
    pub fn broken_rules(&self) -> BTreeSet<&'static str> {
        self.platforms.iter().flat_map(Compared::broken_rules).collect()
    }

    /// Returns whether the image is what it was: it is on that base already.
    pub fn is_unchanged(&self) -> bool {
        self.platforms.iter().all(|platform| platform.old_image == platform.new_image())
    }

    /// Puts the platforms together as they were: one image, or an index over all.
    pub fn finish(self) -> Result<Written, RebaseError> {
        let Self { platforms, image, annotations, .. } = self;
        let mut images: Vec<Written> =
            platforms.into_iter().map(|platform| platform.written).collect();
        match (annotations, images.pop()) {
            (None, Some(one)) if images.is_empty() => Ok(one),
            (annotations, last) => {
                images.extend(last);
                join(images, annotations.unwrap_or_default()).map_err(|error| RebaseError {
                    image,
                    platform: None,
                    fault: Box::new(Fault::Write(error)),
                })
            }
        }
    }
}

/// Finds out what would come of an image on its new base.
///
/// With `force`, images with errors are written all the same, and say so in an annotation.
///
/// # Errors
///
/// If one of the platforms has no base, no seam or layers that cannot be read: then nothing is to
/// be had of the others either.
pub fn compare(
    request: &Request<'_>,
    force: bool,
    surveyor: &Surveyor<'_>,
    cx: &WriteCx<'_>,
) -> Result<Comparison, RebaseError> {
    let mut platforms = Vec::new();
    for image in &request.image.images {
        let fail = |fault: Fault| RebaseError {
            image: request.image.name.clone(),
            platform: Some(image.platform()),
            fault: Box::new(fault),
        };
        let work = Work { request, image, surveyor, cx };
        let compared = work.compared(None).map_err(fail)?;
        let rules = compared.broken_rules();
        if force && !rules.is_empty() {
            let rules: Vec<&str> = rules.into_iter().collect();
            platforms.push(work.compared(Some(&rules.join(","))).map_err(fail)?);
        } else {
            platforms.push(compared);
        }
    }
    let annotations = request.image.index.as_ref().map(|index| {
        let mut annotations = index.annotations.clone();
        annotations.retain(|key, _| !key.starts_with(OWN_PREFIX));
        annotations
    });
    let (notes, image) = (left_behind(request.image), request.image.name.clone());
    Ok(Comparison { platforms, notes, image, annotations })
}

/// Says what of an index is not carried over.
fn left_behind(image: &Loaded<'_>) -> Vec<String> {
    let Some(index) = &image.index else { return Vec::new() };
    let mut notes = Vec::new();
    let others = index.manifests.len().saturating_sub(image.images.len());
    if others > 0 {
        notes.push(format!(
            "{others} entries of the index are no images, such as attestations; they describe the \
             old image and are left behind"
        ));
    }
    let fields: Vec<&str> = index.other.keys().map(String::as_str).collect();
    if !fields.is_empty() {
        notes.push(format!("fields of the index are left behind: {}", fields.join(", ")));
    }
    notes
}

/// One platform.
struct Work<'a> {
    request: &'a Request<'a>,
    image: &'a LoadedImage,
    surveyor: &'a Surveyor<'a>,
    cx: &'a WriteCx<'a>,
}

impl Work<'_> {
    fn compared(&self, forced: Option<&str>) -> Result<Compared, Fault> {
        let Self { request, image, cx, .. } = self;
        let documents = &image.documents;
        let new_base = self.new_base()?;
        let old_base = self.old_base()?;
        let built_on = documents.built_on()?;
        let merges_accounts = built_on.as_ref().is_some_and(|base| base.accounts);
        let rebased = rebase(
            &Rebase {
                image: &image.listed,
                documents,
                old_base: old_base.map(|old| &*old.documents),
                base: &self.base(new_base, merges_accounts)?,
                own_layers: request.own_layers,
                forced,
            },
            cx,
        )?;
        let below = match (&built_on, old_base) {
            (Some(base), _) => base.layers,
            (None, Some(old)) => old.documents.manifest.layers.len(),
            (None, None) => 0,
        };
        let findings = self.findings(below, new_base, &rebased.written)?;
        let names = &documents.manifest.annotations;
        let old_name = built_on.as_ref().and_then(|base| base.name.clone());
        let old_digest = built_on.as_ref().map(|base| base.manifest.digest);
        Ok(Compared {
            platform: image.platform(),
            old_name: old_name.or_else(|| names.get(BASE_NAME_KEY).cloned()),
            old_base: old_digest.or(old_base.map(|old| old.listed.descriptor.digest)),
            new_base: new_base.listed.descriptor.digest,
            old_image: image.listed.descriptor.digest,
            own_layers: documents.manifest.layers.len().saturating_sub(below),
            old_layers: below,
            new_layers: new_base.documents.manifest.layers.len(),
            findings,
            guesses: rebased.guesses,
            written: rebased.written,
        })
    }

    fn new_base(&self) -> Result<&LoadedImage, Fault> {
        let base = self.request.base;
        base.for_platform(&self.image.documents.config.platform())
            .map_err(|source| Fault::Platform { base: base.name.clone(), source })
    }

    fn old_base(&self) -> Result<Option<&LoadedImage>, Fault> {
        let Some(base) = self.request.old_base else { return Ok(None) };
        base.for_platform(&self.image.documents.config.platform())
            .map(Some)
            .map_err(|source| Fault::OldPlatform { base: base.name.clone(), source })
    }

    /// Returns the new base as a bake on it would have it.
    fn base(&self, new_base: &LoadedImage, merges_accounts: bool) -> Result<Base, Fault> {
        let name = self.request.base_name.map(str::to_owned);
        let documents = Arc::clone(&new_base.documents);
        let mut base = Base::new(name, documents.descriptor(), documents);
        base.includes_layers = self.request.base_layers;
        if merges_accounts {
            let layers = self.new_survey(&new_base.documents, None)?;
            let view = View::of(&layers)?;
            let (passwd, group) = (database(&view, "etc/passwd")?, database(&view, "etc/group")?);
            base.databases = Some(Databases { passwd, group });
        }
        Ok(base)
    }

    fn findings(
        &self,
        below: usize,
        new_base: &LoadedImage,
        written: &Written,
    ) -> Result<Vec<Finding>, Fault> {
        let old = &self.image.documents;
        let new = documents_of(written, self.cx)?;
        let mut sources: Vec<&dyn LayerSource> = vec![self.request.image.layers];
        sources.extend(self.request.old_base.map(|base| base.layers));
        sources.extend(self.request.elsewhere);
        sources.push(self.request.base.layers);
        let layers = Layers { written: BTreeMap::new(), blobs: self.cx.blobs, sources };
        let old_layers = self.surveyor.survey(old, &layers).map_err(Fault::Survey)?;
        let new_layers = self.new_survey(&new, Some(written))?;
        let above = new_base.documents.manifest.layers.len();
        let run = |documents: &Documents| documents.config.config.clone().unwrap_or_default();
        let (old_run, new_run) = (run(old), run(&new));
        let stack = |layers: &'_ [Arc<LayerSurvey>], at: usize| {
            let (base, own) = layers.split_at(at.min(layers.len()));
            (base.to_vec(), own.to_vec())
        };
        let (old, new) = (stack(&old_layers, below), stack(&new_layers, above));
        let old = Stack { base: &old.0, own: &old.1, run: &old_run };
        Ok(check(&old, &Stack { base: &new.0, own: &new.1, run: &new_run })?)
    }

    /// Surveys the new base, or the image on it.
    fn new_survey(
        &self,
        documents: &Documents,
        written: Option<&Written>,
    ) -> Result<Vec<Arc<LayerSurvey>>, Fault> {
        let Request { image, base, .. } = self.request;
        // What the result includes of the image's own is still where the image is.
        let written = written
            .into_iter()
            .flat_map(|written| &written.blobs)
            .filter(|(digest, _)| !self.is_elsewhere(digest))
            .map(|(digest, rope)| (*digest, rope))
            .collect();
        let sources: Vec<&dyn LayerSource> = vec![base.layers, image.layers];
        let layers = Layers { written, blobs: self.cx.blobs, sources };
        self.surveyor
            .survey(documents, &layers)
            .map_err(|source| Fault::NewSurvey { base: base.name.clone(), source })
    }

    /// Returns whether a blob is a layer that the image or the new base has.
    fn is_elsewhere(&self, digest: &Digest) -> bool {
        let has = |documents: &Documents| {
            documents.manifest.layers.iter().any(|layer: &Descriptor| layer.digest == *digest)
        };
        let bases = &self.request.base.images;
        has(&self.image.documents) || bases.iter().any(|base| has(&base.documents))
    }
}

/// Returns an account database of a base, empty if it has none. As for bakes, links are not followed:
/// what they lead to is not what is written above them.
fn database(view: &View, path: &str) -> Result<Vec<u8>, ReadError> {
    let refuse = |reason: &str| ReadError::invalid(format!("/{path}"), reason);
    let parsed = TreePath::parse(path).map_err(|error| refuse(&error.to_string()))?;
    match view.tree().get(&parsed).map(|entry| &entry.node) {
        None => Ok(Vec::new()),
        Some(Node::File(_)) => match view.facts(&parsed) {
            Some(Facts::Text(text)) => Ok(text.as_bytes().to_vec()),
            _ => Err(refuse("it was not read")),
        },
        Some(_) => Err(refuse("it is no regular file, so accounts cannot be merged with it")),
    }
}

/// Returns the documents of an image that was written.
fn documents_of(written: &Written, cx: &WriteCx<'_>) -> Result<Documents, Fault> {
    let bytes = |digest: &Digest| {
        let missing = || {
            let reason = "it was not written".to_owned();
            ReadError::invalid(format!("blob {digest}"), reason)
        };
        let rope = written.blobs.get(digest).ok_or_else(missing)?;
        rope.to_vec(cx.blobs).map_err(ReadError::from)
    };
    let manifest = bytes(&written.root.digest)?;
    let config = bytes(&Manifest::parse(&manifest)?.config.digest)?;
    Ok(Documents::parse(manifest, config)?)
}
