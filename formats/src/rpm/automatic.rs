//! Dependencies that follow from what a package is.
//!
//! - It provides itself, `NAME = EVR` and `NAME(ISA) = EVR`.
//! - Configuration files: `config(NAME) = EVR` is provided and required.
//! - Scripts require their interpreters, one row for each moment.
//! - What it uses of rpm is required: `rpmlib(FEATURE) <= VERSION`, as in `lib/rpmds.cc`.
//! - Accounts that it makes (sysusers.d) are provided with the line that makes them, which rpm
//!   from 4.19 on feeds to systemd-sysusers before it unpacks anything.
//! - Accounts that own files are required, `user(NAME)` and `group(NAME)`. Only rpm from 4.19 on
//!   provides them, so a package of version 4, which older ones install, merely recommends them.

use std::collections::BTreeSet;

use super::architecture;
use super::dependency::{Dependency, Operator};
use super::model::{Package, RpmFormat};
use super::relations::{CONFIG, FIND_PROVIDES, INTERP, Moment, RPMLIB, Row};
use super::scripts::{LUA, Script};
use crate::encode::Codec;

/// What of rpm's features the file table and the payload use, and whose the files are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each with its own effect")]
pub(super) struct Usage {
    /// There are configuration files.
    pub(super) config: bool,
    /// There are file capabilities.
    pub(super) capabilities: bool,
    /// There are files of several names.
    pub(super) hard_links: bool,
    /// Sizes have 64 bits and the payload is stripped cpio.
    pub(super) large_files: bool,
    /// Who owns files, besides root.
    pub(super) users: BTreeSet<String>,
    /// Whose group files are in, besides root's.
    pub(super) groups: BTreeSet<String>,
    /// What sysusers.d files make the package provide.
    pub(super) accounts: Vec<Row>,
}

/// Returns what a package provides because of what it is.
pub(super) fn provides(package: &Package, usage: &Usage) -> Vec<Row> {
    let own = |name: String, why| {
        Row::new(Dependency::versioned(name, Operator::Equal, package.evr()), why)
    };
    let mut rows = usage.accounts.clone();
    if usage.config {
        rows.push(own(format!("config({})", package.name), CONFIG));
    }
    rows.push(own(package.name.clone(), 0));
    if let Some(isa) = architecture::find(&package.arch).and_then(|known| known.isa) {
        rows.push(own(format!("{}({isa})", package.name), 0));
    }
    rows
}

/// Returns what a package requires because of what it is.
pub(super) fn requires(package: &Package, usage: &Usage) -> Vec<Row> {
    let mut rows = interpreters(package);
    if usage.config {
        let name = format!("config({})", package.name);
        rows.push(Row::new(Dependency::versioned(name, Operator::Equal, package.evr()), CONFIG));
    }
    rows.extend(features(package, usage));
    if package.format == RpmFormat::V6 {
        rows.extend(owners(usage));
    }
    rows
}

/// Returns what a package recommends because of what it is.
pub(super) fn recommends(package: &Package, usage: &Usage) -> Vec<Row> {
    match package.format {
        RpmFormat::V4 => owners(usage),
        RpmFormat::V6 => Vec::new(),
    }
}

/// Returns the accounts that must be there while files are, as rpmbuild says it.
fn owners(usage: &Usage) -> Vec<Row> {
    let users = usage.users.iter().map(|name| format!("user({name})"));
    let groups = usage.groups.iter().map(|name| format!("group({name})"));
    let when = Moment::Pre.bit() | Moment::Postun.bit();
    users.chain(groups).map(|name| Row::new(Dependency::on(name), when)).collect()
}

/// Returns whether a provided name is an account's.
pub(super) fn is_account(provided: &Dependency) -> bool {
    ["user(", "group(", "groupmember("].iter().any(|kind| provided.name.starts_with(kind))
}

/// Returns what a line of a sysusers.d file makes a package provide.
///
/// The version is the line in base64, as `%add_sysuser` has it: words separated by one blank, and
/// filled up with NUL bytes so that there is no `=`, which no version may have.
pub(super) fn account_rows(line: &str) -> Vec<Row> {
    use base64::Engine as _;
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let (name, plain) = match words.as_slice() {
        [kind, ..] if kind.starts_with('#') => return Vec::new(),
        ["g", group, ..] => (format!("group({group})"), None),
        ["u" | "u!", user, ..] => (format!("user({user})"), Some(format!("group({user})"))),
        ["m", user, group, ..] => (format!("groupmember({user}/{group})"), None),
        _ => return Vec::new(),
    };
    let mut bytes = words.join(" ").into_bytes();
    bytes.resize(bytes.len().next_multiple_of(3), 0);
    let version = base64::engine::general_purpose::STANDARD.encode(bytes);
    let made = Dependency::versioned(name, Operator::Equal, version);
    let rows = std::iter::once(made).chain(plain.map(Dependency::on));
    rows.map(|row| Row::new(row, FIND_PROVIDES)).collect()
}

/// Returns the interpreters of all scripts, with when they run.
fn interpreters(package: &Package) -> Vec<Row> {
    let row = |script: &Script, when| Row::new(Dependency::on(&script.interpreter), INTERP | when);
    let needed = |script: &Script| script.interpreter != LUA;
    let scripts = package.scripts.iter().filter(|(_, script)| needed(script));
    let triggers = package.triggers.scripts().filter(|script| needed(script));
    let scripts = scripts.map(|(moment, script)| row(script, moment.bit()));
    scripts.chain(triggers.map(|script| row(script, 0))).collect()
}

/// Returns what a package requires of rpm.
pub(super) fn features(package: &Package, usage: &Usage) -> Vec<Row> {
    let Package { relations, triggers, .. } = package;
    let scripts = || package.scripts.iter().map(|(_, script)| script).chain(triggers.scripts());
    let dependencies = || relations.all().chain(triggers.dependencies());
    let evr = package.evr();
    let in_versions = |sign: char| {
        let mut versions = dependencies().flat_map(Dependency::versions);
        evr.contains(sign) || versions.any(|version| version.contains(sign))
    };
    let codec = package.compression.codec;
    // Whoever reads version 6 has these.
    let old = package.format == RpmFormat::V4;
    let rewritten = scripts().any(|script| script.flags.expand || script.flags.qformat);
    let table = [
        ("BuiltinLuaScripts", "4.2.2-1", scripts().any(|script| script.interpreter == LUA)),
        ("CaretInVersions", "4.15.0-1", in_versions('^')),
        ("CompressedFileNames", "3.0.4-1", old),
        ("FileCaps", "4.6.1-1", usage.capabilities),
        ("FileDigests", "4.6.0-1", old),
        ("LargeFiles", "4.12.0-1", usage.large_files),
        ("PartialHardlinkSets", "4.0.4-1", old && usage.hard_links),
        ("PayloadFilesHavePrefix", "4.0-1", old),
        ("PayloadIsXz", "5.2-1", codec == Codec::Xz),
        ("PayloadIsZstd", "5.4.18-1", codec == Codec::Zstd),
        ("RichDependencies", "4.12.0-1", dependencies().any(Dependency::is_rich)),
        (
            "ScriptletInterpreterArgs",
            "4.0.3-1",
            scripts().any(|script| !script.arguments.is_empty()),
        ),
        ("ScriptletExpansion", "4.9.0-1", rewritten),
        ("TildeInVersions", "4.10.0-1", in_versions('~')),
    ];
    let used = table.into_iter().filter(|(_, _, used)| *used);
    let row = |(feature, version, _): (&str, &str, bool)| {
        let name = format!("rpmlib({feature})");
        Row::new(Dependency::versioned(name, Operator::LessOrEqual, version), RPMLIB)
    };
    used.map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The versions that rpmbuild 6.1 writes for these lines.
    #[test]
    fn accounts_are_provided_as_rpmbuild_provides_them() {
        let shown = |line: &str| -> Vec<String> {
            account_rows(line).iter().map(ToString::to_string).collect()
        };
        let user = "user(svc) = dSBzdmMgOTcwICJzdmMgc2VydmljZSIgL3Zhci9saWIvc3Zj (flags 0x8008)";
        let group = "group(svc) (flags 0x8000)";
        assert_eq!(shown("u  svc 970 \"svc service\"\t/var/lib/svc"), [user, group]);
        assert_eq!(shown("g extra -"), ["group(extra) = ZyBleHRyYSAt (flags 0x8008)"]);
        let member = "groupmember(svc/extra) = bSBzdmMgZXh0cmEA (flags 0x8008)";
        assert_eq!(shown("m svc extra"), [member]);
        for none in ["", "# u svc", "#", "r - 500-900", "u", "m svc"] {
            assert_eq!(shown(none), [""; 0], "{none}");
        }
    }
}
