//! The configuration of an image on a base: one rule for each group of keys.
//!
//! The table is in `docs/formats/oci.md`. An image from scratch is merged with an empty
//! configuration, so there is one way for all.

use std::collections::{BTreeMap, BTreeSet};

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
        user: over(own.user.as_deref(), &below.user),
        exposed_ports: union(&below.exposed_ports, &own.exposed_ports),
        env: env(&below.env, &own.env),
        entrypoint,
        cmd,
        volumes: union(&below.volumes, &own.volumes),
        working_dir: over(own.working_dir.as_deref(), &below.working_dir),
        labels: labels(&below.labels, &own.labels),
        stop_signal: over(own.stop_signal.as_deref(), &below.stop_signal),
        other: further(&below.other, own),
    };
    let some = |text: String| (!text.is_empty()).then_some(text);
    let mut other = base.other.clone();
    other.extend(own.other.clone());
    Config {
        created,
        author: some(over(own.author.as_deref(), base.author.as_deref().unwrap_or_default())),
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
fn over(own: Option<&str>, base: &str) -> String {
    own.unwrap_or(base).to_owned()
}

/// The base's variables in its order, ours in their place by name, new ones after them.
///
/// `$PATH` and `${PATH}` in our `PATH` are the base's, or the default. If nobody sets one, the
/// default comes first.
fn env(base: &[String], own: &[String]) -> Vec<String> {
    let path = base.iter().rev().find(|variable| name(variable) == "PATH");
    let path = path.and_then(|variable| variable.split_once('=')).map_or(DEFAULT_PATH, |(_, v)| v);
    let ours: BTreeMap<&str, &String> = own.iter().map(|text| (name(text), text)).collect();
    let text = |key: &str, variable: &str| match key {
        "PATH" => with_path(variable, path),
        _ => variable.to_owned(),
    };
    let (mut merged, mut done) = (Vec::new(), BTreeSet::new());
    for variable in base {
        let key = name(variable);
        match ours.get(key) {
            None => merged.push(variable.clone()),
            Some(own) if done.insert(key) => merged.push(text(key, own)),
            Some(_) => {}
        }
    }
    for variable in own {
        let key = name(variable);
        if let Some(own) = ours.get(key).filter(|_| done.insert(key)) {
            merged.push(text(key, own));
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::json::{self as text, Document};
    use super::super::model::Image;
    use super::super::platform::Platform;
    use super::*;

    /// Merges a configuration with what a model says.
    fn merged(base: &Value, change: impl Fn(&mut Image)) -> Value {
        let mut whole = json!({
            "architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []},
        });
        for (key, value) in base.as_object().unwrap() {
            whole[key] = value.clone();
        }
        let base = Config::parse(whole.to_string().as_bytes()).unwrap();
        let mut image = Image::new("x", "1", Platform::new("linux", "amd64"));
        change(&mut image);
        let merged = merge(&base, &Own::of(&image), Some("2020-01-01T00:00:00Z".into()));
        serde_json::from_slice(&text::canonical(&merged).unwrap()).unwrap()
    }

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn env_keeps_the_order_of_the_base_and_ours_override() {
        let default = format!("PATH={DEFAULT_PATH}");
        let default_and_mine = format!("PATH=/mine:{DEFAULT_PATH}");
        let rows: [(&[&str], &[&str], &[&str]); 12] = [
            (&["PATH=/b", "B=1", "C=2"], &["C=3", "A=4", "B="], &["PATH=/b", "B=", "C=3", "A=4"]),
            (&[], &["A=1"], &[&default, "A=1"]),
            (&["B=1"], &["A=1"], &[&default, "B=1", "A=1"]),
            (&["B=1"], &["PATH=/own"], &["B=1", "PATH=/own"]),
            (&["PATH=/b"], &["PATH=/own"], &["PATH=/own"]),
            (&["PATH=/b"], &["PATH=/mine:$PATH"], &["PATH=/mine:/b"]),
            (&["PATH=/b"], &["PATH=${PATH}:/mine:$PATH"], &["PATH=/b:/mine:/b"]),
            (&["PATH=/b"], &["PATH=$PATHS:$HOME:${PATHS}:$"], &["PATH=$PATHS:$HOME:${PATHS}:$"]),
            (&[], &["PATH=/mine:$PATH"], &[&default_and_mine]),
            (&["PATH=/b"], &["X=$PATH"], &["PATH=/b", "X=$PATH"]),
            // The last of several counts, as in a shell, and a line that is no variable stays.
            (&["A=1", "junk", "A=2", "PATH=/b"], &["A=3"], &["A=3", "junk", "PATH=/b"]),
            (&["PATH=/a", "PATH=/b"], &["PATH=$PATH"], &["PATH=/b"]),
        ];
        for (base, own, expected) in rows {
            assert_eq!(env(&strings(base), &strings(own)), expected, "{base:?} {own:?}");
        }
    }

    #[test]
    fn an_entrypoint_of_ours_drops_the_arguments_of_the_base() {
        let rows: [(&[&str], &[&str], Value, Value); 4] = [
            (&[], &[], json!(["/b"]), json!(["-b"])),
            (&["/own"], &[], json!(["/own"]), Value::Null),
            (&["/own"], &["-o"], json!(["/own"]), json!(["-o"])),
            (&[], &["-o"], json!(["/b"]), json!(["-o"])),
        ];
        for (entrypoint, cmd, expected_entrypoint, expected_cmd) in rows {
            let base = json!({"config": {"Entrypoint": ["/b"], "Cmd": ["-b"]}});
            let found = merged(&base, |image| {
                (image.entrypoint, image.cmd) = (strings(entrypoint), strings(cmd));
            });
            assert_eq!(found["config"]["Entrypoint"], expected_entrypoint, "{entrypoint:?}");
            assert_eq!(found["config"]["Cmd"], expected_cmd, "{entrypoint:?} {cmd:?}");
        }
    }

    #[test]
    fn single_values_are_ours_or_the_base_s() {
        let base = || {
            json!({
                "author": "B",
                "config": {"User": "b", "WorkingDir": "/b", "StopSignal": "SIGB"},
            })
        };
        let found = merged(&base(), |_| {});
        let config = &found["config"];
        let single = |config: &Value| {
            ["User", "WorkingDir", "StopSignal"].map(|key| config[key].as_str().unwrap().to_owned())
        };
        assert_eq!(
            (single(config), &found["author"]),
            (["b", "/b", "SIGB"].map(Into::into), &json!("B"))
        );
        let found = merged(&base(), |image| {
            image.user = Some("o".into());
            image.working_dir = Some("/o".into());
            image.stop_signal = Some("SIGO".into());
            image.author = Some("O".into());
        });
        let config = &found["config"];
        assert_eq!(
            (single(config), &found["author"]),
            (["o", "/o", "SIGO"].map(Into::into), &json!("O"))
        );
    }

    #[test]
    fn ports_and_volumes_are_united() {
        let base = json!({"config": {
            "ExposedPorts": {"80/tcp": {}, "1/udp": {}}, "Volumes": {"/b": {"x": 1}},
        }});
        let found = merged(&base, |image| {
            image.exposed_ports = strings(&["80/tcp", "443/tcp"]).into_iter().collect();
            image.volumes = strings(&["/o", "/b"]).into_iter().collect();
        });
        assert_eq!(
            found["config"]["ExposedPorts"],
            json!({"1/udp": {}, "443/tcp": {}, "80/tcp": {}})
        );
        assert_eq!(found["config"]["Volumes"], json!({"/b": {"x": 1}, "/o": {}}));
    }

    #[test]
    fn labels_of_ours_lie_over_the_base_s() {
        let base = json!({"config": {"Labels": {"a": "b", "both": "b"}}});
        let found = merged(&base, |image| {
            image.labels = [("both", "o"), ("z", "o")].map(|(k, v)| (k.into(), v.into())).into();
        });
        assert_eq!(found["config"]["Labels"], json!({"a": "b", "both": "o", "z": "o"}));
    }

    #[test]
    fn a_health_check_goes_with_the_command_that_it_was_written_for() {
        let base = || json!({"config": {"Healthcheck": {"Test": ["CMD", "b"]}, "Cmd": ["b"]}});
        let is_kept = |found: &Value| found["config"].get("Healthcheck").is_some();
        assert!(is_kept(&merged(&base(), |image| image.user = Some("o".into()))));
        assert!(!is_kept(&merged(&base(), |image| image.cmd = strings(&["o"]))));
        assert!(!is_kept(&merged(&base(), |image| image.entrypoint = strings(&["o"]))));
    }

    #[test]
    fn other_fields_survive_but_those_of_the_base_s_own_build() {
        let base = json!({
            "os.version": "10", "os.features": ["win32k"], "x": {"y": [1, null]},
            "config": {"OnBuild": ["RUN b"], "ArgsEscaped": true, "Shell": ["b"], "z": 1},
        });
        let found = merged(&base, |_| {});
        assert_eq!(found["os.version"], "10");
        assert_eq!(found["os.features"], json!(["win32k"]));
        assert_eq!(found["x"], json!({"y": [1, null]}));
        let expected = json!({"Shell": ["b"], "z": 1, "Env": [format!("PATH={DEFAULT_PATH}")]});
        assert_eq!(found["config"], expected);
    }

    #[test]
    fn the_variant_is_ours_or_the_base_s_and_the_time_is_ours() {
        let base = json!({"variant": "v8", "created": "1999-01-01T00:00:00Z"});
        let found = merged(&base, |_| {});
        assert_eq!(
            (&found["variant"], &found["created"]),
            (&json!("v8"), &json!("2020-01-01T00:00:00Z"))
        );
        let found = merged(&base, |image| image.platform.variant = Some("v9".into()));
        assert_eq!(found["variant"], "v9");
    }

    #[test]
    fn history_has_one_entry_for_each_layer() {
        let entry = |text: &str| History {
            empty_layer: text.starts_with('-'),
            comment: Some(text.trim_start_matches('-').to_owned()),
            ..History::default()
        };
        let rows: [(&[&str], usize, &[&str]); 6] = [
            (&["a", "-b", "c"], 2, &["a", "-b", "c"]),
            (&[], 0, &[]),
            (&[], 2, &[UNMENTIONED, UNMENTIONED]),
            (&["-a"], 1, &["-a", UNMENTIONED]),
            (&["a", "-b"], 2, &["a", "-b", UNMENTIONED]),
            (&["a", "b", "-c", "d"], 1, &["a", "-b", "-c", "-d"]),
        ];
        for (given, layers, expected) in rows {
            let given: Vec<_> = given.iter().map(|text| entry(text)).collect();
            let expected: Vec<_> = expected.iter().map(|text| entry(text)).collect();
            assert_eq!(history(&given, layers, None), expected, "{given:?}");
        }
    }
}
