//! Every situation of the test registry, with the program that users have.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use bake_test_registry::{Direction, Scenario, Stage, scenarios};

/// How many are played at once: most of the time is waiting.
const PARALLEL: usize = 16;

/// Scenarios whose rules make no difference to what bake asks, with the reason.
const UNMET: [(&str, &str); 3] = [
    ("push-quay-like", "mounts without `from` are refused, and bake always says from where"),
    ("tag-is-immutable", "a tag that leads to the image already is read and not written"),
    ("whole-ignored", "bake sends no blob in the request that begins an upload"),
];

#[test]
fn every_scenario_comes_to_what_it_should() {
    let all = scenarios();
    let queue = Mutex::new(all.iter());
    let faults = Mutex::new(Vec::new());
    let work = || {
        while let Some(scenario) = next(&queue) {
            faults.lock().unwrap().extend(fault(scenario));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..PARALLEL {
            scope.spawn(work);
        }
    });
    let mut faults = faults.into_inner().unwrap();
    faults.sort_unstable();
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), all.len(), faults.join("\n"));
}

fn next<'a>(queue: &Mutex<std::slice::Iter<'a, Scenario>>) -> Option<&'a Scenario> {
    queue.lock().unwrap().next()
}

/// Plays a scenario; returns what is wrong.
fn fault(scenario: &Scenario) -> Option<String> {
    let scratch = tempfile::tempdir().unwrap();
    let mut said = String::new();
    let verdict = scenario
        .run(scratch.path(), &mut |stage| {
            let came = play(scratch.path(), stage);
            said = came.clone().err().unwrap_or_default();
            came
        })
        .unwrap();
    let is_exempt = UNMET.iter().any(|(name, _)| *name == scenario.name);
    let reason = match (verdict.fault, verdict.unmet) {
        (Some(fault), _) => fault,
        (None, Some(unmet)) if !is_exempt => format!("nothing was shown: {unmet}"),
        (None, None) if is_exempt => "its rules were met, though it is in UNMET".to_owned(),
        (None, Some(_) | None) => return messages(&said).map(|text| describe(scenario, &text)),
    };
    Some(format!("{}\n{said}\n{}", describe(scenario, &reason), verdict.trace))
}

fn describe(scenario: &Scenario, reason: &str) -> String {
    format!("{} ({}): {reason}", scenario.name, scenario.what)
}

/// Says what is wrong with how a failure was told, if it was one.
fn messages(said: &str) -> Option<String> {
    let is_told = said.is_empty() || said.contains("error: ") && !said.contains("panicked");
    (!is_told).then(|| format!("the message is no error: {said}"))
}

/// Runs bake; the error is what it said.
fn play(scratch: &Path, stage: &Stage<'_>) -> Result<(), String> {
    let layout = stage.layout.to_str().unwrap();
    let pulled = scratch.join("pulled");
    let (reference, source) = (stage.reference.as_str(), stage.source.as_str());
    let repository = reference.strip_suffix(":v1").unwrap();
    let arguments = match stage.direction {
        Direction::Push => vec!["push", layout, "--to", reference],
        Direction::Pull => vec!["pull", reference, "--output", pulled.to_str().unwrap()],
        Direction::Copy => vec!["copy", source, reference],
        Direction::CopyAttached => vec!["copy", "--referrers", source, reference],
        Direction::List => vec!["ls", repository],
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_bake"));
    let output = command
        .args(&arguments)
        .args(["--registries", settings(scratch, stage).to_str().unwrap()])
        .arg("--authfile")
        .arg(stage.credentials)
        .current_dir(scratch)
        .env_clear()
        .output()
        .unwrap();
    if !output.status.success() {
        assert!(!pulled.exists(), "what is pulled appears at once or not at all");
        let said = String::from_utf8(output.stderr).unwrap();
        return Err(format!("{}: {said}", output.status));
    }
    match stage.direction {
        Direction::Pull => fs_err::rename(only(&pulled), stage.layout).unwrap(),
        Direction::List => fs_err::write(stage.layout, output.stdout).unwrap(),
        Direction::Push | Direction::Copy | Direction::CopyAttached => {}
    }
    Ok(())
}

/// Writes the settings of registries: no TLS, and chunks as they are asked for.
fn settings(scratch: &Path, stage: &Stage<'_>) -> PathBuf {
    let mut text = String::new();
    for host in std::collections::BTreeSet::from_iter(&stage.hosts) {
        write!(text, "[registry.\"{host}\"]\nhttp = true\n").unwrap();
        if let Some(chunk) = stage.chunk {
            writeln!(text, "chunk-size = {chunk}").unwrap();
        }
    }
    let path = scratch.join("registries.toml");
    fs_err::write(&path, text).unwrap();
    path
}

/// Returns the one file of a folder.
fn only(folder: &Path) -> PathBuf {
    let mut found: Vec<_> =
        fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}
