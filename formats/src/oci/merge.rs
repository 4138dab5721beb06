//! The configuration of an image on a base: one rule for each group of keys.
//!
//! The table is in `docs/formats/oci.md`. An image from scratch is merged with an empty
//! configuration, so there is one way for all.

use super::config::{Config, Execution, History, Keys, RootFs};
use super::descriptor::{OtherFields, StringMap};
use super::model::DEFAULT_PATH;
use super::record::Own;

/// Fields that describe how the base was made or checked its own command.
const DROPPED: [&str; 2] = ["OnBuild", "ArgsEscaped"];
/// Docker's check of whether a container is well; it knows the command that it was written for.
const HEALTHCHECK: &str = "Healthcheck";
/// What history says of a layer that the base's own history does not mention.
pub(super) const UNMENTIONED: &str = "a layer that the history of the base does not mention";

/// Returns the configuration of an image on a base, with the base's layers and history.
pub(super) fn merge(base: &Config, own: &Own, created: Option<String>) -> Config {
    let below = base.config.clone().unwrap_or_default();
    let (entrypoint, cmd) = command(&below, own);
    let execution = Execution {
        user: over(&own.user, &below.user),
        exposed_ports: union(&below.exposed_ports, &own.exposed_ports),
        env: env(&below.env, &own.env),
        entrypoint,
        cmd,
        volumes: union(&below.volumes, &own.volumes),
        working_dir: over(&own.working_dir, &below.working_dir),
        labels: labels(&below.labels, &own.labels),
        stop_signal: over(&own.stop_signal, &below.stop_signal),
        other: further(&below.other, own),
    };
    let some = |text: String| (!text.is_empty()).then_some(text);
    let mut other = base.other.clone();
    other.extend(own.other.clone());
    Config {
        created,
        author: some(over(&own.author, base.author.as_deref().unwrap_or_default())),
        architecture: own.platform.architecture.clone(),
        os: own.platform.os.clone(),
        variant: own.platform.variant.clone().or_else(|| base.platform().variant),
        config: Some(execution),
        rootfs: RootFs { kind: "layers".into(), diff_ids: base.rootfs.diff_ids.clone() },
        history: history(&base.history, base.rootfs.diff_ids.len(), base.created.as_deref()),
        other,
    }
}

/// Ours if we say anything, else the base's: user, working directory, stop signal, author.
fn over(own: &Option<String>, base: &str) -> String {
    own.clone().unwrap_or_else(|| base.to_owned())
}

/// The base's variables in its order, ours in their place by name, new ones after them.
///
/// `$PATH` and `${PATH}` in our `PATH` are the base's, or the default. If nobody sets one, the
/// default comes first.
fn env(base: &[String], own: &[String]) -> Vec<String> {
    let path = base.iter().rev().find(|variable| name(variable) == "PATH");
    let path = path.and_then(|variable| variable.split_once('=')).map_or(DEFAULT_PATH, |(_, v)| v);
    let mut merged = base.to_vec();
    for variable in own {
        let key = name(variable);
        let variable = if key == "PATH" { with_path(variable, path) } else { variable.clone() };
        match merged.iter().position(|there| name(there) == key) {
            Some(at) => {
                let mut position = 0;
                merged.retain(|there| {
                    position += 1;
                    position <= at + 1 || name(there) != key
                });
                merged[at] = variable;
            }
            None => merged.push(variable),
        }
    }
    if !merged.iter().any(|variable| name(variable) == "PATH") {
        merged.insert(0, format!("PATH={DEFAULT_PATH}"));
    }
    merged
}

/// Returns whether a `PATH` among variables refers to the one below it.
pub(super) fn refers_to_path(env: &[String]) -> bool {
    env.iter().any(|variable| name(variable) == "PATH" && with_path(variable, "\0") != *variable)
}

pub(super) fn name(variable: &str) -> &str {
    variable.split_once('=').map_or(variable, |(name, _)| name)
}

/// Replaces `$PATH` and `${PATH}`.
fn with_path(text: &str, path: &str) -> String {
    let mut replaced = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, after) = rest.split_at(at);
        replaced.push_str(before);
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let plain = after.strip_prefix("$PATH").filter(|rest| !rest.starts_with(is_word));
        if let Some(after) = after.strip_prefix("${PATH}").or(plain) {
            replaced.push_str(path);
            rest = after;
        } else {
            replaced.push('$');
            rest = &after[1..];
        }
    }
    replaced.push_str(rest);
    replaced
}

/// With an entrypoint of ours the base's arguments make no sense; without one, ours replace them.
fn command(base: &Execution, own: &Own) -> (Vec<String>, Vec<String>) {
    if !own.entrypoint.is_empty() {
        return (own.entrypoint.clone(), own.cmd.clone());
    }
    let cmd = if own.cmd.is_empty() { &base.cmd } else { &own.cmd };
    (base.entrypoint.clone(), cmd.clone())
}

/// The base's and ours: ports, volumes.
fn union(base: &Keys, own: &[String]) -> Keys {
    let mut keys = base.clone();
    for key in own {
        keys.entry(key.clone()).or_default();
    }
    keys
}

/// The base's, ours over them.
fn labels(base: &StringMap, own: &StringMap) -> StringMap {
    let mut labels = base.clone();
    labels.extend(own.clone());
    labels
}

/// Fields that the specification does not define.
fn further(base: &OtherFields, own: &Own) -> OtherFields {
    let mut other = base.clone();
    for field in DROPPED {
        other.remove(field);
    }
    if !own.entrypoint.is_empty() || !own.cmd.is_empty() {
        other.remove(HEALTHCHECK);
    }
    other.extend(own.execution.clone());
    other
}

/// Returns a history with exactly one entry for each layer, and those that made none.
///
/// History is optional and often wrong, and tools that pair its entries with layers then lose
/// layers. Entries that are missing are added above the others; entries of layers that there are
/// not become entries that made none.
pub(super) fn history(history: &[History], layers: usize, created: Option<&str>) -> Vec<History> {
    let mut filled = history.to_vec();
    let mut count = 0;
    for entry in filled.iter_mut().filter(|entry| !entry.empty_layer) {
        count += 1;
        entry.empty_layer = count > layers;
    }
    filled.extend((count..layers).map(|_| History {
        created: created.map(str::to_owned),
        comment: Some(UNMENTIONED.into()),
        ..History::default()
    }));
    filled
}
