//! Reading a lock file, strictly: what is not understood is not skipped, for a bake would then use
//! something else than what was locked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use bake_formats::oci::layering::REST;
use bake_formats::tree::TreePath;
use serde::Deserialize;

use super::{Lock, LockedBase, LockedLayer, LockedManifest, VERSION};
use crate::error::{Place, RecipeError, RecipeErrors};
use crate::load::{self, Fault};
use crate::name::is_layer_name;
use crate::platform::Platform;
use crate::written::At;

/// The largest lock file that is read, in bytes.
pub const MAX_LEN: u64 = 16 * 1024 * 1024;
/// The longest name of a base and the longest media type, in bytes.
const MAX_TEXT: usize = 1024;

/// What to do about a file that cannot be used.
const ANEW: &str = "`bake lock --update` writes the file anew";

/// What every version of the file says.
#[derive(Deserialize)]
struct Head {
    version: At<i64>,
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[expect(dead_code, reason = "known from the head")]
    version: i64,
    #[serde(default)]
    base: Vec<BaseKeys>,
    #[serde(default)]
    layer: Vec<LayerKeys>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BaseKeys {
    name: At<String>,
    digest: At<String>,
    #[serde(default)]
    manifest: Vec<ManifestKeys>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ManifestKeys {
    platform: At<String>,
    digest: At<String>,
    size: At<i64>,
    media_type: At<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LayerKeys {
    name: At<String>,
    paths: Vec<At<String>>,
}

/// Reads a lock file; `None` if there is none.
pub fn load(path: &Path) -> Result<Option<Lock>, RecipeErrors> {
    match load::read(path, "lock file", MAX_LEN) {
        Ok(text) => parse(&path.display().to_string(), &text).map(Some),
        Err(Fault::Missing(_)) => Ok(None),
        Err(Fault::Other(error)) => Err(error.into()),
    }
}

/// Parses the text of a lock file; `file` is what errors call it.
pub fn parse(file: &str, text: &str) -> Result<Lock, RecipeErrors> {
    let reader = Reader { file: Arc::from(file), text, errors: Vec::new() };
    if let Some(offset) = conflict(text) {
        let place = Place::of(&reader.file, text, &(offset..offset + 7));
        let error = place.error("two versions of the lock file were not merged");
        return Err(error.hint("take either of them, then run `bake lock`").into());
    }
    let advise = |errors: RecipeErrors| {
        errors.map(|error| if error.hint.is_some() { error } else { error.hint(ANEW) })
    };
    let head: Head = load::keys(file, text).map_err(advise)?;
    if head.version.value != VERSION {
        let found = head.version.value;
        let message = format!("expected version {VERSION} of the lock file, found {found}");
        let hint = if found > VERSION { "a newer bake wrote it; use that one" } else { ANEW };
        return Err(reader.place(&head.version).error(message).hint(hint).into());
    }
    let keys: Keys = load::keys(file, text).map_err(advise)?;
    reader.lock(keys).map_err(advise)
}

/// Returns where git marks a conflict.
fn conflict(text: &str) -> Option<usize> {
    let marks = ["<<<<<<< ", "=======", ">>>>>>> "];
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        if marks.iter().any(|mark| line.starts_with(mark)) {
            return Some(offset);
        }
        offset += line.len();
    }
    None
}

/// Checks what is written, collecting what is wrong with it.
struct Reader<'a> {
    file: Arc<str>,
    text: &'a str,
    errors: Vec<RecipeError>,
}

impl Reader<'_> {
    fn place<T>(&self, at: &At<T>) -> Place {
        Place::of(&self.file, self.text, &at.span)
    }

    fn fault<T>(&mut self, at: &At<T>, message: String) {
        let error = self.place(at).error(message);
        self.errors.push(error);
    }

    fn lock(mut self, keys: Keys) -> Result<Lock, RecipeErrors> {
        let mut lock = Lock::default();
        for base in keys.base {
            self.base(base, &mut lock.bases);
        }
        let mut known = Known::default();
        for layer in keys.layer {
            let layer = self.layer(&layer, &mut known);
            lock.layers.push(layer);
        }
        RecipeErrors::check(self.errors, Some(lock))
    }

    fn base(&mut self, keys: BaseKeys, bases: &mut BTreeMap<String, LockedBase>) {
        let name = self.text(&keys.name, "name of a base");
        let digest = self.parsed(&keys.digest);
        let mut manifests = BTreeMap::new();
        for manifest in keys.manifest {
            self.manifest(&manifest, &mut manifests);
        }
        if let (Some(name), Some(digest)) = (name, digest)
            && bases.insert(name, LockedBase { digest, manifests }).is_some()
        {
            let found = keys.name.value.escape_debug();
            self.fault(&keys.name, format!("the base `{found}` stands here twice"));
        }
    }

    fn manifest(&mut self, keys: &ManifestKeys, all: &mut BTreeMap<Platform, LockedManifest>) {
        let platform = self.parsed::<Platform>(&keys.platform);
        let digest = self.parsed(&keys.digest);
        let media_type = self.text(&keys.media_type, "media type");
        let size = u64::try_from(keys.size.value).ok();
        if size.is_none() {
            let found = keys.size.value;
            self.fault(&keys.size, format!("expected a number of bytes, found {found}"));
        }
        let all_there = (platform, digest, media_type, size);
        if let (Some(platform), Some(digest), Some(media_type), Some(size)) = all_there
            && all.insert(platform, LockedManifest { digest, size, media_type }).is_some()
        {
            self.fault(&keys.platform, format!("`{platform}` stands here twice"));
        }
    }

    fn layer(&mut self, keys: &LayerKeys, known: &mut Known) -> LockedLayer {
        let name = keys.name.value.clone();
        if name == REST || !is_layer_name(&name) {
            let found = name.escape_debug();
            self.fault(&keys.name, format!("`{found}` is not the name of a layer with paths"));
        } else if !known.names.insert(name.clone()) {
            self.fault(&keys.name, format!("there are two layers called `{name}`"));
        }
        let mut paths = Vec::new();
        for at in &keys.paths {
            paths.extend(self.path(at, &mut known.paths));
        }
        LockedLayer { name, paths }
    }

    fn path(&mut self, at: &At<String>, known: &mut BTreeSet<TreePath>) -> Option<TreePath> {
        let found = at.value.escape_debug();
        // A path that is written in two ways could not be told from two paths.
        let is_shortest =
            |path: &TreePath| !path.is_root() && at.value.strip_prefix('/') == path.relative_str();
        match TreePath::parse(&at.value) {
            Ok(path) if !is_shortest(&path) => {
                self.fault(at, format!("`{found}` is not an absolute path in its shortest form"));
            }
            Ok(path) if !known.insert(path.clone()) => {
                self.fault(at, format!("`{found}` is in two layers, or twice in one"));
            }
            Ok(path) => return Some(path),
            Err(error) => self.fault(at, error.to_string()),
        }
        None
    }

    /// Returns text that is not empty and fits on a line.
    fn text(&mut self, at: &At<String>, what: &str) -> Option<String> {
        let text = at.value.as_str();
        if !text.is_empty() && text.len() <= MAX_TEXT && !text.contains(char::is_control) {
            return Some(text.to_owned());
        }
        let found: String = text.chars().take(80).flat_map(char::escape_debug).collect();
        self.fault(at, format!("`{found}` is not the {what}"));
        None
    }

    fn parsed<T: FromStr<Err: std::fmt::Display>>(&mut self, at: &At<String>) -> Option<T> {
        match at.value.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.fault(at, format!("{error}"));
                None
            }
        }
    }
}

/// What layers have named so far.
#[derive(Default)]
struct Known {
    names: BTreeSet<String>,
    paths: BTreeSet<TreePath>,
}
