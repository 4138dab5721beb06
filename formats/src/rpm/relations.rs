//! Dependencies in the header: those of the model, and those that follow from the package.
//!
//! Each kind is three parallel arrays: names, versions and flags. What the writer adds stands after
//! what the model asks for and bears a flag that says why it is there, so that a reader can tell
//! them apart:
//!
//! - the package provides itself, `NAME = EVR` and `NAME(ISA) = EVR` (no flag);
//! - configuration files: `config(NAME) = EVR` is provided and required (`RPMSENSE_CONFIG`);
//! - scripts require their interpreters (`RPMSENSE_INTERP`);
//! - what the package uses of rpm is required: `rpmlib(FEATURE) <= VERSION` (`RPMSENSE_RPMLIB`).
//!
//! The flags are those of rpm's `include/rpm/rpmds.h`, the features those of `lib/rpmds.cc`.

use super::architecture;
use super::dependency::{Dependency, Operator};
use super::header::Header;
use super::model::{Package, Relations, Script};
use super::tags;
use super::value::{Strings, Value};
use crate::encode::Codec;
use crate::format::ReadError;

/// The bits of the operator.
const SENSE: u32 = 0xf;
const POSTTRANS: u32 = 1 << 5;
const PRETRANS: u32 = 1 << 7;
const INTERP: u32 = 1 << 8;
const SCRIPT_PRE: u32 = 1 << 9;
const SCRIPT_POST: u32 = 1 << 10;
const SCRIPT_PREUN: u32 = 1 << 11;
const SCRIPT_POSTUN: u32 = 1 << 12;
const RPMLIB: u32 = 1 << 24;
const CONFIG: u32 = 1 << 28;

/// The interpreter within rpm, which no package provides.
pub(super) const LUA: &str = "<lua>";

/// The tags of one kind of dependency.
#[derive(Clone, Copy)]
struct Kind {
    names: u32,
    versions: u32,
    flags: u32,
}

const REQUIRES: Kind =
    Kind { names: tags::REQUIRENAME, versions: tags::REQUIREVERSION, flags: tags::REQUIREFLAGS };
const PROVIDES: Kind =
    Kind { names: tags::PROVIDENAME, versions: tags::PROVIDEVERSION, flags: tags::PROVIDEFLAGS };
const CONFLICTS: Kind =
    Kind { names: tags::CONFLICTNAME, versions: tags::CONFLICTVERSION, flags: tags::CONFLICTFLAGS };
const OBSOLETES: Kind =
    Kind { names: tags::OBSOLETENAME, versions: tags::OBSOLETEVERSION, flags: tags::OBSOLETEFLAGS };
const RECOMMENDS: Kind = Kind {
    names: tags::RECOMMENDNAME,
    versions: tags::RECOMMENDVERSION,
    flags: tags::RECOMMENDFLAGS,
};
const SUGGESTS: Kind =
    Kind { names: tags::SUGGESTNAME, versions: tags::SUGGESTVERSION, flags: tags::SUGGESTFLAGS };
const SUPPLEMENTS: Kind = Kind {
    names: tags::SUPPLEMENTNAME,
    versions: tags::SUPPLEMENTVERSION,
    flags: tags::SUPPLEMENTFLAGS,
};
const ENHANCES: Kind =
    Kind { names: tags::ENHANCENAME, versions: tags::ENHANCEVERSION, flags: tags::ENHANCEFLAGS };

/// What of rpm's features the file table and the payload use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each with its own effect")]
pub(super) struct Usage {
    /// There are files at all.
    pub(super) files: bool,
    /// There are configuration files.
    pub(super) config: bool,
    /// There are file capabilities.
    pub(super) capabilities: bool,
    /// There are files of several names.
    pub(super) hard_links: bool,
    /// Sizes have 64 bits and the payload is stripped cpio.
    pub(super) large_files: bool,
}

/// One dependency as the header has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    dependency: Dependency,
    flags: u32,
}

impl Row {
    fn new(dependency: Dependency, why: u32) -> Self {
        let sense = dependency.version.as_ref().map_or(0, |(operator, _)| operator.sense());
        Self { dependency, flags: sense | why }
    }

    fn rpmlib(feature: &str, version: &str) -> Self {
        let name = format!("rpmlib({feature})");
        Self::new(Dependency::versioned(name, Operator::LessOrEqual, version), RPMLIB)
    }
}

/// Puts all dependencies of a package into its header.
pub(super) fn put(header: &mut Header, package: &Package, usage: Usage) {
    let Relations {
        requires,
        provides,
        conflicts,
        obsoletes,
        recommends,
        suggests,
        supplements,
        enhances,
    } = &package.relations;
    put_kind(header, PROVIDES, provides, automatic_provides(package, usage));
    put_kind(header, REQUIRES, requires, automatic_requires(package, usage));
    put_kind(header, CONFLICTS, conflicts, Vec::new());
    put_kind(header, OBSOLETES, obsoletes, Vec::new());
    put_kind(header, RECOMMENDS, recommends, Vec::new());
    put_kind(header, SUGGESTS, suggests, Vec::new());
    put_kind(header, SUPPLEMENTS, supplements, Vec::new());
    put_kind(header, ENHANCES, enhances, Vec::new());
}

fn put_kind(header: &mut Header, kind: Kind, written: &[Dependency], added: Vec<Row>) {
    let (mut names, mut versions) = (Strings::default(), Strings::default());
    let mut flags = Vec::new();
    for row in written.iter().cloned().map(|written| Row::new(written, 0)).chain(added) {
        let Dependency { name, version } = &row.dependency;
        names.push(name.as_bytes());
        versions.push(version.as_ref().map_or(b"", |(_, version)| version.as_bytes()));
        flags.push(row.flags);
    }
    header.put(kind.names, Value::StringArray(names));
    header.put(kind.versions, Value::StringArray(versions));
    header.put(kind.flags, Value::Int32(flags));
}

/// Returns what a package provides because of what it is.
pub(super) fn automatic_provides(package: &Package, usage: Usage) -> Vec<Row> {
    let own = |name: String, why| {
        Row::new(Dependency::versioned(name, Operator::Equal, package.evr()), why)
    };
    let mut rows = Vec::new();
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
pub(super) fn automatic_requires(package: &Package, usage: Usage) -> Vec<Row> {
    let mut rows = interpreters(package);
    if usage.config {
        let name = format!("config({})", package.name);
        rows.push(Row::new(Dependency::versioned(name, Operator::Equal, package.evr()), CONFIG));
    }
    rows.extend(features(package, usage));
    rows
}

/// Returns the interpreters of the scripts, each once, with the scripts that use it as flags.
fn interpreters(package: &Package) -> Vec<Row> {
    let scripts = &package.scripts;
    let all = [
        (&scripts.pre, SCRIPT_PRE),
        (&scripts.post, SCRIPT_POST),
        (&scripts.preun, SCRIPT_PREUN),
        (&scripts.postun, SCRIPT_POSTUN),
        (&scripts.pretrans, PRETRANS),
        (&scripts.posttrans, POSTTRANS),
    ];
    let mut rows: Vec<Row> = Vec::new();
    for (script, when) in all {
        let Some(Script { interpreter, .. }) = script else { continue };
        if interpreter == LUA {
            continue;
        }
        match rows.iter_mut().find(|row| row.dependency.name == *interpreter) {
            Some(row) => row.flags |= when,
            None => rows.push(Row::new(Dependency::on(interpreter), INTERP | when)),
        }
    }
    rows
}

/// Returns what a package requires of rpm.
fn features(package: &Package, usage: Usage) -> Vec<Row> {
    let scripts = &package.scripts;
    let scripts = [
        &scripts.pre,
        &scripts.post,
        &scripts.preun,
        &scripts.postun,
        &scripts.pretrans,
        &scripts.posttrans,
    ];
    let scripts = || scripts.into_iter().flatten();
    let relations = &package.relations;
    let kinds = [
        &relations.requires,
        &relations.provides,
        &relations.conflicts,
        &relations.obsoletes,
        &relations.recommends,
        &relations.suggests,
        &relations.supplements,
        &relations.enhances,
    ];
    let dependencies = || kinds.into_iter().flatten();
    let evr = package.evr();
    let in_versions = |sign: char| {
        let mut versions = dependencies().flat_map(Dependency::versions);
        evr.contains(sign) || versions.any(|version| version.contains(sign))
    };
    let codec = package.compression.codec;
    let table = [
        ("BuiltinLuaScripts", "4.2.2-1", scripts().any(|script| script.interpreter == LUA)),
        ("CaretInVersions", "4.15.0-1", in_versions('^')),
        ("CompressedFileNames", "3.0.4-1", true),
        ("FileCaps", "4.6.1-1", usage.capabilities),
        ("FileDigests", "4.6.0-1", usage.files),
        ("LargeFiles", "4.12.0-1", usage.large_files),
        ("PartialHardlinkSets", "4.0.4-1", usage.hard_links),
        ("PayloadFilesHavePrefix", "4.0-1", true),
        ("PayloadIsXz", "5.2-1", codec == Codec::Xz),
        ("PayloadIsZstd", "5.4.18-1", codec == Codec::Zstd),
        ("RichDependencies", "4.12.0-1", dependencies().any(Dependency::is_rich)),
        (
            "ScriptletInterpreterArgs",
            "4.0.3-1",
            scripts().any(|script| !script.arguments.is_empty()),
        ),
        ("TildeInVersions", "4.10.0-1", in_versions('~')),
    ];
    let used = table.into_iter().filter(|(_, _, used)| *used);
    used.map(|(feature, version, _)| Row::rpmlib(feature, version)).collect()
}

/// All dependencies of a header.
#[derive(Debug)]
pub(super) struct Found {
    /// Those that a model has; without the package itself only after [`Found::split`].
    relations: Relations,
    /// What is provided, as it stands.
    provides: Vec<Row>,
    /// What is required because of what the package is.
    automatic_requires: Vec<Row>,
}

impl Found {
    /// Reads all dependencies.
    pub(super) fn read(header: &Header) -> Result<Self, ReadError> {
        let plain = |kind| -> Result<Vec<Dependency>, ReadError> {
            Ok(read_kind(header, kind)?.into_iter().map(|row| row.dependency).collect())
        };
        let (automatic_requires, requires): (Vec<Row>, Vec<Row>) = read_kind(header, REQUIRES)?
            .into_iter()
            .partition(|row| row.flags & (INTERP | CONFIG | RPMLIB) != 0);
        let relations = Relations {
            requires: requires.into_iter().map(|row| row.dependency).collect(),
            provides: Vec::new(),
            conflicts: plain(CONFLICTS)?,
            obsoletes: plain(OBSOLETES)?,
            recommends: plain(RECOMMENDS)?,
            suggests: plain(SUGGESTS)?,
            supplements: plain(SUPPLEMENTS)?,
            enhances: plain(ENHANCES)?,
        };
        Ok(Self { relations, provides: read_kind(header, PROVIDES)?, automatic_requires })
    }

    /// Returns what the model has: all but what the writer adds to `package`, which has every
    /// other field already.
    pub(super) fn written(&self, package: &Package, usage: Usage) -> Relations {
        let mut provides = self.provides.clone();
        for own in automatic_provides(package, usage) {
            if let Some(at) = provides.iter().rposition(|row| *row == own) {
                provides.remove(at);
            }
        }
        let provides = provides.into_iter().map(|row| row.dependency).collect();
        Relations { provides, ..self.relations.clone() }
    }

    /// Returns what should be provided and required because of what the package is but is not, and
    /// what is required so but should not be.
    pub(super) fn differences(
        &self,
        package: &Package,
        usage: Usage,
    ) -> (Vec<String>, Vec<String>) {
        let provides = automatic_provides(package, usage);
        let requires = automatic_requires(package, usage);
        let show = |row: &Row| format!("{} (flags {:#x})", row.dependency, row.flags);
        let missing = provides.iter().filter(|row| !self.provides.contains(row));
        let missing =
            missing.chain(requires.iter().filter(|row| !self.automatic_requires.contains(row)));
        let added = self.automatic_requires.iter().filter(|row| !requires.contains(row));
        (missing.map(show).collect(), added.map(show).collect())
    }
}

fn read_kind(header: &Header, kind: Kind) -> Result<Vec<Row>, ReadError> {
    let (names, versions) = (header.texts(kind.names)?, header.texts(kind.versions)?);
    let flags = header.int32s(kind.flags)?;
    for (tag, found) in [(kind.versions, versions.len()), (kind.flags, flags.len())] {
        if found != names.len() {
            let reason = format!("expected {} values, found {found}", names.len());
            return Err(header.invalid(tag, reason));
        }
    }
    let rows = names.into_iter().zip(versions).zip(flags);
    let row = |((name, version), flags): ((String, String), &u32)| {
        let version = match Operator::from_sense(*flags) {
            Some(operator) => Some((operator, version)),
            None if flags & SENSE == 0 && version.is_empty() => None,
            None => {
                let reason = format!("`{name}` has the version `{version}` and flags {flags:#x}");
                return Err(header.invalid(kind.flags, reason));
            }
        };
        Ok(Row { dependency: Dependency { name, version }, flags: *flags })
    };
    rows.map(row).collect()
}
