//! What an image takes for granted besides libraries: accounts, folders, certificates.

use std::collections::{BTreeMap, BTreeSet};

use bake_formats::oci::DEFAULT_PATH;
use bake_formats::tree::{Node, TreePath};

use super::finding::{Report, State};
use super::rule;
use super::sides::{Side, Sides};

/// Where distributions have the bundle of CA certificates.
const CA_BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
const ZONEINFO: &str = "/usr/share/zoneinfo";

/// Checks what the configuration and the files take for granted.
pub(super) fn check(sides: &Sides, report: &mut Report) {
    let states = |state: &dyn Fn(&Side) -> State| [state(&sides.old), state(&sides.new)];
    accounts(sides, report);
    owners(sides, report);
    working_dir(sides, report);
    if let Some(name) = command(sides) {
        let [old, new] = states(&|side| program(side, &name));
        report.compare(&rule::PROGRAM_MISSING, "config.Entrypoint, config.Cmd", &name, &[old, new]);
    }
    environment(sides, report);
    let [old, new] = states(&ca_bundle);
    if !old.is_broken {
        report.compare(&rule::CA_BUNDLE_MISSING, "/etc/ssl", "", &[old, new]);
    }
    let [old, new] = states(&zoneinfo);
    if !old.is_broken {
        report.compare(&rule::ZONEINFO_MISSING, ZONEINFO, "", &[old, new]);
    }
    distribution(sides, report);
}

/// The user and the group that the image runs as.
fn accounts(sides: &Sides, report: &mut Report) {
    let user = &sides.new.run.user;
    let (user, group) = user.split_once(':').unwrap_or((user, ""));
    for (name, file) in [(user, "etc/passwd"), (group, "etc/group")] {
        if name.is_empty() || name.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let state = |side: &Side| {
            let text = side.image.text(file).unwrap_or_default();
            if text.lines().any(|line| line.split(':').next() == Some(name)) {
                State::fine(format!("listed in /{file}"))
            } else {
                State::broken(format!("not listed in /{file}"))
            }
        };
        let subject = format!("`{name}`");
        let (old, new) = (state(&sides.old), state(&sides.new));
        report.compare(&rule::USER_MISSING, "config.User", &subject, &[old, new]);
    }
}

/// Numbers that own files of ours and mean somebody else now.
fn owners(sides: &Sides, report: &mut Report) {
    for (file, of_user) in [("etc/passwd", true), ("etc/group", false)] {
        let [old, new] =
            [&sides.old, &sides.new].map(|side| names(side.image.text(file).as_deref()));
        let entries = sides.tree().iter().filter(|(_, entry)| !entry.implied);
        let mut numbers: BTreeMap<u32, &TreePath> = BTreeMap::new();
        for (path, entry) in entries {
            let owner = if of_user { &entry.owner } else { &entry.group };
            numbers.entry(owner.id).or_insert(path);
        }
        for (number, path) in numbers {
            if let (Some(old), Some(new)) = (old.get(&number), new.get(&number))
                && old != new
            {
                let what = if of_user { "user" } else { "group" };
                let subject = format!("{what} {number}");
                let path = path.to_string();
                report.regression(&rule::OWNER_CHANGED, &path, &subject, old, new);
            }
        }
    }
}

/// Returns the first name of each number of an account database.
fn names(text: Option<&str>) -> BTreeMap<u32, String> {
    let mut names = BTreeMap::new();
    for line in text.unwrap_or_default().lines() {
        let mut fields = line.split(':');
        if let (Some(name), Some(_), Some(Ok(number))) =
            (fields.next(), fields.next(), fields.next().map(str::parse))
        {
            names.entry(number).or_insert_with(|| name.to_owned());
        }
    }
    names
}

fn working_dir(sides: &Sides, report: &mut Report) {
    let folder = &sides.new.run.working_dir;
    if folder.is_empty() {
        return;
    }
    let found = |side: &Side| side.image.find(folder).map(|found| found.entry.is_directory());
    let state = |side: &Side| match found(side) {
        Some(false) => State::broken("not a directory"),
        Some(true) => State::fine("a directory"),
        None => State::fine("nothing there"),
    };
    let (old, new) = (state(&sides.old), state(&sides.new));
    report.compare(&rule::WORKDIR_NOT_A_DIRECTORY, "config.WorkingDir", folder, &[old, new]);
    if found(&sides.old) == Some(true) && found(&sides.new).is_none() {
        let (path, was) = ("config.WorkingDir", "a directory");
        report.regression(&rule::WORKDIR_MISSING, path, folder, was, "nothing there");
    }
}

/// Returns the program that a container starts with.
fn command(sides: &Sides) -> Option<String> {
    let run = &sides.new.run;
    run.entrypoint.first().or_else(|| run.cmd.first()).filter(|name| !name.is_empty()).cloned()
}

fn program(side: &Side, name: &str) -> State {
    let found = if name.starts_with('/') {
        side.image.find(name).map(|found| found.path)
    } else if name.contains('/') {
        let path = format!("{}/{name}", side.run.working_dir);
        side.image.find(path).map(|found| found.path)
    } else {
        on_path(side, name)
    };
    match found {
        Some(found) => State::fine(format!("found as {found}")),
        None => State::broken("not found"),
    }
}

/// Looks for a program through the image's `PATH`.
pub(super) fn on_path<'a>(side: &'a Side, name: &str) -> Option<&'a TreePath> {
    let path = side.run.env.iter().find_map(|text| text.strip_prefix("PATH="));
    let folders = path.unwrap_or(DEFAULT_PATH).split(':').filter(|folder| !folder.is_empty());
    let mut found = folders.filter_map(|folder| side.image.find(format!("{folder}/{name}")));
    found
        .find(|found| !found.entry.is_directory() && found.entry.mode.bits() & 0o111 != 0)
        .map(|found| found.path)
}

/// Variables that name one path.
fn environment(sides: &Sides, report: &mut Report) {
    let mut seen = BTreeSet::new();
    for text in &sides.new.run.env {
        let Some((name, value)) = text.split_once('=') else { continue };
        if !value.starts_with('/') || value.contains(':') || !seen.insert(name) {
            continue;
        }
        let there = |side: &Side| side.image.find(value).map(|found| found.path.to_string());
        if let (Some(old), None) = (there(&sides.old), there(&sides.new)) {
            let path = format!("config.Env {name}");
            report.regression(&rule::ENV_PATH_MISSING, &path, value, &old, "nothing there");
        }
    }
}

fn ca_bundle(side: &Side) -> State {
    match CA_BUNDLES.iter().find_map(|path| side.image.find(path)) {
        Some(found) => State::fine(found.path.to_string()),
        None => State::broken("none of the known bundles"),
    }
}

fn zoneinfo(side: &Side) -> State {
    let files = side.image.find(ZONEINFO).is_some_and(|found| {
        side.image.tree().below(found.path).any(|(_, entry)| !matches!(entry.node, Node::Directory))
    });
    if files { State::fine("there") } else { State::broken("no files") }
}

/// Which distribution the base is of (os-release(5)).
fn distribution(sides: &Sides, report: &mut Report) {
    let field = |side: &Side, key: &str| {
        let texts = ["etc/os-release", "usr/lib/os-release"];
        let text = texts.iter().find_map(|path| side.image.text(path))?;
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        Some(line.trim().trim_matches(['"', '\'']).to_owned())
    };
    for (rule, key) in [(&rule::DISTRIBUTION_DIFFERS, "ID"), (&rule::RELEASE_DIFFERS, "VERSION_ID")]
    {
        let (old, new) = (field(&sides.old, key), field(&sides.new, key));
        if old != new && (old.is_some() || new.is_some()) {
            let word = |value: Option<String>| value.unwrap_or_else(|| "unknown".into());
            report.regression(rule, "/etc/os-release", key, &word(old), &word(new));
        }
    }
}
