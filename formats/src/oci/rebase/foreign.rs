//! Images that bake did not make: what is their own is what differs from their base.

use std::collections::{BTreeMap, BTreeSet};

use super::super::assemble::{Foreign, Overlay, assemble};
use super::super::config::{Config, Execution, History};
use super::super::documents::{BASE_DIGEST_KEY, BASE_NAME_KEY, Documents};
use super::super::merge;
use super::super::model::Image;
use super::{Rebase, RebaseError, Rebased, check_prefix, forced, own_layer};
use crate::format::WriteCx;

/// Returns an image of somebody else's on its new base.
pub(super) fn rebase(request: &Rebase<'_>, cx: &WriteCx<'_>) -> Result<Rebased, RebaseError> {
    let documents = request.documents;
    let old = request.old_base.ok_or(RebaseError::OldBaseNeeded)?;
    check_prefix(documents, old)?;
    let mut difference = Difference::new(documents, old);
    let mut image = difference.image(request);
    let mut base = request.base.clone();
    base.databases = None;
    image.base = Some(base);
    let below = old.config.rootfs.diff_ids.len();
    let layers = documents.layers().skip(below);
    let foreign = Foreign {
        execution: added(&difference.new.other, &difference.old.other),
        config: added(&documents.config.other, &old.config.other),
        manifest: documents.manifest.other.clone(),
    };
    let overlay = Overlay {
        layers: layers.map(|(layer, id)| own_layer(request.own_layers, layer, id)).collect(),
        history: own_history(documents, old),
        created: documents.config.created.clone(),
        annotations: forced(request),
        foreign: Some(foreign),
        ..Overlay::default()
    };
    let written = assemble(&image, overlay, cx)?;
    Ok(Rebased { written, guesses: difference.guesses })
}

/// What an image's configuration says that its base's does not.
struct Difference {
    new: Execution,
    old: Execution,
    guesses: Vec<String>,
}

impl Difference {
    fn new(documents: &Documents, old: &Documents) -> Self {
        let execution = |config: &Config| config.config.clone().unwrap_or_default();
        let (new, old) = (execution(&documents.config), execution(&old.config));
        Self { new, old, guesses: Vec::new() }
    }

    /// Returns a model that, merged with the old base, gives the image again as far as a merge can.
    fn image(&mut self, request: &Rebase<'_>) -> Image {
        let Rebase { image: listed, documents, old_base, .. } = request;
        let (name, version) = (listed.name.clone(), listed.version.clone());
        let mut image = Image::new(name, version, documents.config.platform());
        (image.entrypoint, image.cmd) = self.command();
        image.env = self.env();
        image.user = changed(&self.new.user, &self.old.user);
        image.working_dir = changed(&self.new.working_dir, &self.old.working_dir);
        image.stop_signal = changed(&self.new.stop_signal, &self.old.stop_signal);
        let author = |config: &Config| config.author.clone().unwrap_or_default();
        let old_author = old_base.map(|old| author(&old.config)).unwrap_or_default();
        image.author = changed(&author(&documents.config), &old_author);
        let ports = (&self.new.exposed_ports, &self.old.exposed_ports);
        image.exposed_ports = added(ports.0, ports.1).into_keys().collect();
        let volumes = (&self.new.volumes, &self.old.volumes);
        image.volumes = added(volumes.0, volumes.1).into_keys().collect();
        image.labels = added(&self.new.labels, &self.old.labels);
        self.note_removed();
        image.annotations.clone_from(&documents.manifest.annotations);
        image.annotations.retain(|key, _| key != BASE_NAME_KEY && key != BASE_DIGEST_KEY);
        image.descriptor_annotations.clone_from(&listed.descriptor.annotations);
        image
    }

    /// Returns entrypoint and arguments if they are the image's own.
    fn command(&mut self) -> (Vec<String>, Vec<String>) {
        let (new, old) = (&self.new, &self.old);
        let is_same = new.entrypoint == old.entrypoint;
        let (entrypoint, cmd) = match (is_same, new.cmd == old.cmd) {
            (true, true) => return (Vec::new(), Vec::new()),
            (true, false) => (Vec::new(), new.cmd.clone()),
            (false, _) => (new.entrypoint.clone(), new.cmd.clone()),
        };
        if (!is_same && entrypoint.is_empty()) || (is_same && cmd.is_empty()) {
            self.guesses.push(
                "the image takes its base's entrypoint or arguments away, which cannot be told \
                 from a base that has none: those of the new base count"
                    .into(),
            );
        }
        (entrypoint, cmd)
    }

    /// Returns the variables that the old base has not, or not so.
    fn env(&mut self) -> Vec<String> {
        let (new, old) = (values(&self.new.env), values(&self.old.env));
        let old_path = old.get("PATH").copied().flatten().filter(|path| !path.is_empty());
        let (mut env, mut seen) = (Vec::new(), BTreeSet::new());
        for variable in &self.new.env {
            let name = merge::name(variable);
            let Some(text) = new.get(name).copied().filter(|_| seen.insert(name)) else { continue };
            if old.get(name) == Some(&text) {
                continue;
            }
            match (name, text, old_path) {
                ("PATH", Some(text), Some(old)) if text.contains(old) => {
                    let extended = text.replacen(old, "${PATH}", 1);
                    self.guesses.push(format!(
                        "the image's PATH holds its base's, so it is taken as {extended}"
                    ));
                    env.push(format!("PATH={extended}"));
                }
                (_, Some(text), _) => env.push(format!("{name}={text}")),
                (_, None, _) => env.push(variable.clone()),
            }
        }
        env
    }

    /// Notes what the image took away from its base, which a merge cannot say.
    fn note_removed(&mut self) {
        let keys = |what: &str, old: BTreeSet<&str>, new: BTreeSet<&str>| {
            let gone: Vec<_> = old.difference(&new).copied().collect();
            (!gone.is_empty()).then(|| {
                format!(
                    "the image takes {what} of its base away ({}): the new base's count",
                    gone.join(", ")
                )
            })
        };
        let (new, old) = (&self.new, &self.old);
        let notes = [
            keys("variables", names(&old.env), names(&new.env)),
            keys("labels", list(&old.labels), list(&new.labels)),
            keys("ports", list(&old.exposed_ports), list(&new.exposed_ports)),
            keys("volumes", list(&old.volumes), list(&new.volumes)),
        ];
        self.guesses.extend(notes.into_iter().flatten());
    }
}

fn list<V>(map: &BTreeMap<String, V>) -> BTreeSet<&str> {
    map.keys().map(String::as_str).collect()
}

fn names(env: &[String]) -> BTreeSet<&str> {
    env.iter().map(|variable| merge::name(variable)).collect()
}

/// Returns variables by name; of several with one name the last counts. What has no `=` has no
/// value.
fn values(env: &[String]) -> BTreeMap<&str, Option<&str>> {
    let pair = |variable| match str::split_once(variable, '=') {
        Some((name, value)) => (name, Some(value)),
        None => (variable, None),
    };
    env.iter().map(|variable| pair(variable.as_str())).collect()
}

/// Returns a value that is not the base's; an empty one takes the base's away.
fn changed(new: &str, old: &str) -> Option<String> {
    (new != old).then(|| new.to_owned())
}

/// Returns the fields that the base has not, or not so.
fn added<V: Clone + PartialEq>(
    new: &BTreeMap<String, V>,
    old: &BTreeMap<String, V>,
) -> BTreeMap<String, V> {
    let fields = new.iter().filter(|(key, value)| old.get(*key) != Some(*value));
    fields.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Returns the history of the image's own layers: one entry for each, and those that made none.
///
/// It begins after the base's history if the image's begins with that, else after as many entries
/// as the base has layers.
fn own_history(documents: &Documents, old: &Documents) -> Vec<History> {
    let (config, below) = (&documents.config, old.config.rootfs.diff_ids.len());
    let created = config.created.as_deref();
    let filled = merge::history(&config.history, config.rootfs.diff_ids.len(), created);
    let count = |entries: &[History]| entries.iter().filter(|entry| !entry.empty_layer).count();
    let base = &old.config.history;
    if filled.starts_with(base) && count(base) == below {
        return filled.into_iter().skip(base.len()).collect();
    }
    let mut passed = 0;
    let is_base = |entry: &History| {
        let is_below = passed < below;
        passed += usize::from(!entry.empty_layer);
        is_below
    };
    filled.into_iter().skip_while(is_base).collect()
}
