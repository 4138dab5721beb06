//! Dependencies in the header: those of the model, and those that follow from the package.
//!
//! Each kind is three parallel arrays: names, versions and flags, sorted as rpmbuild sorts them, by
//! name, version and flags, each row once. What follows from the package ([`super::automatic`]) is
//! among them; a reader takes it out again because it knows what the writer adds.
//!
//! The flags are those of rpm's `include/rpm/rpmds.h`.

use serde::Serialize;

use super::automatic::{self, Usage};
use super::dependency::{Dependency, Operator};
use super::header::Header;
use super::model::{Package, field};
use super::tags;
use super::value::{Strings, Value};
use crate::format::{ReadError, WriteError};

/// The bits of the operator.
const SENSE: u32 = 0xf;
/// Required by an interpreted script: `RPMSENSE_INTERP`.
pub(super) const INTERP: u32 = 1 << 8;
/// Found by a generator: `RPMSENSE_FIND_PROVIDES`.
pub(super) const FIND_PROVIDES: u32 = 1 << 15;
pub(super) const RPMLIB: u32 = 1 << 24;
pub(super) const CONFIG: u32 = 1 << 28;

/// When a requirement must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Moment {
    /// `Requires(posttrans)`
    Posttrans,
    /// `Requires(pretrans)`
    Pretrans,
    /// `Requires(interp)`
    Interp,
    /// `Requires(pre)`
    Pre,
    /// `Requires(post)`
    Post,
    /// `Requires(preun)`
    Preun,
    /// `Requires(postun)`
    Postun,
    /// `Requires(verify)`
    Verify,
    /// `Requires(preuntrans)`
    Preuntrans,
    /// `Requires(postuntrans)`
    Postuntrans,
    /// `Requires(meta)`: not for ordering.
    Meta,
}

impl Moment {
    /// In the order of their bits.
    const ALL: [Self; 11] = [
        Self::Posttrans,
        Self::Pretrans,
        Self::Interp,
        Self::Pre,
        Self::Post,
        Self::Preun,
        Self::Postun,
        Self::Verify,
        Self::Preuntrans,
        Self::Postuntrans,
        Self::Meta,
    ];

    /// Returns the bit of `rpmsenseFlags`.
    pub(super) fn bit(self) -> u32 {
        match self {
            Self::Posttrans => 1 << 5,
            Self::Pretrans => 1 << 7,
            Self::Interp => INTERP,
            Self::Pre => 1 << 9,
            Self::Post => 1 << 10,
            Self::Preun => 1 << 11,
            Self::Postun => 1 << 12,
            Self::Verify => 1 << 13,
            Self::Preuntrans => 1 << 20,
            Self::Postuntrans => 1 << 21,
            Self::Meta => 1 << 29,
        }
    }
}

/// What a package needs and has. Rows are a set: a reader returns them sorted and each once.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Relations {
    /// `REQUIRENAME`, at any time.
    pub requires: Vec<Dependency>,
    /// `REQUIRENAME`, at one moment.
    pub scriptlet_requires: Vec<(Moment, Dependency)>,
    /// `ORDERNAME`: what is installed before and removed after this package if it is there.
    pub order: Vec<Dependency>,
    /// `PROVIDENAME`, without the package itself.
    pub provides: Vec<Dependency>,
    /// `CONFLICTNAME`
    pub conflicts: Vec<Dependency>,
    /// `OBSOLETENAME`
    pub obsoletes: Vec<Dependency>,
    /// `RECOMMENDNAME`
    pub recommends: Vec<Dependency>,
    /// `SUGGESTNAME`
    pub suggests: Vec<Dependency>,
    /// `SUPPLEMENTNAME`
    pub supplements: Vec<Dependency>,
    /// `ENHANCENAME`
    pub enhances: Vec<Dependency>,
}

impl Relations {
    /// Returns all kinds with their field names.
    fn named(&self) -> [(&'static str, Vec<&Dependency>); 10] {
        let moments = self.scriptlet_requires.iter().map(|(_, dependency)| dependency);
        [
            ("requires", self.requires.iter().collect()),
            ("scriptlet_requires", moments.collect()),
            ("order", self.order.iter().collect()),
            ("provides", self.provides.iter().collect()),
            ("conflicts", self.conflicts.iter().collect()),
            ("obsoletes", self.obsoletes.iter().collect()),
            ("recommends", self.recommends.iter().collect()),
            ("suggests", self.suggests.iter().collect()),
            ("supplements", self.supplements.iter().collect()),
            ("enhances", self.enhances.iter().collect()),
        ]
    }

    /// Returns all dependencies of all kinds.
    pub(super) fn all(&self) -> impl Iterator<Item = &Dependency> + '_ {
        self.named().into_iter().flat_map(|(_, dependencies)| dependencies)
    }

    pub(super) fn validate(&self) -> Result<(), WriteError> {
        for (name, dependencies) in self.named() {
            for dependency in dependencies {
                dependency.validate().or_else(|error| field(name, error.to_string()))?;
                if dependency.is_rich() && matches!(name, "provides" | "obsoletes" | "order") {
                    let reason = format!("`{dependency}`: rpm allows no boolean expression here");
                    return field(name, reason);
                }
            }
        }
        let unequal = self.provides.iter().find(|provided| {
            let operator = provided.version.as_ref().map(|(operator, _)| *operator);
            operator.is_some_and(|operator| operator != Operator::Equal)
        });
        match unequal {
            None => Ok(()),
            Some(dependency) => {
                field("provides", format!("`{dependency}`: a version is provided with `=` only"))
            }
        }
    }
}

/// The tags of one kind of dependency.
#[derive(Clone, Copy)]
struct Kind {
    names: u32,
    versions: u32,
    flags: u32,
}

const REQUIRES: Kind =
    Kind { names: tags::REQUIRENAME, versions: tags::REQUIREVERSION, flags: tags::REQUIREFLAGS };
const ORDER: Kind =
    Kind { names: tags::ORDERNAME, versions: tags::ORDERVERSION, flags: tags::ORDERFLAGS };
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

/// One dependency as the header has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) dependency: Dependency,
    pub(super) flags: u32,
}

impl Row {
    /// Returns the row of a dependency that is there for the reasons in `why`.
    pub(super) fn new(dependency: Dependency, why: u32) -> Self {
        let flags = dependency.sense() | why;
        Self { dependency, flags }
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (flags {:#x})", self.dependency, self.flags)
    }
}

/// Puts all dependencies of a package into its header.
pub(super) fn put(header: &mut Header, package: &Package, usage: &Usage) {
    let relations = &package.relations;
    let mut requires = automatic::requires(package, usage);
    let moments = relations.scriptlet_requires.iter();
    requires.extend(moments.map(|(moment, one)| Row::new(one.clone(), moment.bit())));
    put_kind(header, PROVIDES, &relations.provides, automatic::provides(package, usage));
    put_kind(header, REQUIRES, &relations.requires, requires);
    put_kind(header, RECOMMENDS, &relations.recommends, automatic::recommends(package, usage));
    let plain = [
        (ORDER, &relations.order),
        (CONFLICTS, &relations.conflicts),
        (OBSOLETES, &relations.obsoletes),
        (SUGGESTS, &relations.suggests),
        (SUPPLEMENTS, &relations.supplements),
        (ENHANCES, &relations.enhances),
    ];
    for (kind, written) in plain {
        put_kind(header, kind, written, Vec::new());
    }
}

fn put_kind(header: &mut Header, kind: Kind, written: &[Dependency], mut rows: Vec<Row>) {
    rows.extend(written.iter().map(|written| Row::new(written.clone(), 0)));
    rows.sort_by(|a, b| {
        a.dependency.sort_key().cmp(&b.dependency.sort_key()).then(a.flags.cmp(&b.flags))
    });
    rows.dedup();
    let (mut names, mut versions) = (Strings::default(), Strings::default());
    for Row { dependency: Dependency { name, version }, .. } in &rows {
        names.push(name.as_bytes());
        versions.push(version.as_ref().map_or(b"", |(_, version)| version.as_bytes()));
    }
    header.put(kind.names, Value::StringArray(names));
    header.put(kind.versions, Value::StringArray(versions));
    header.put(kind.flags, Value::Int32(rows.iter().map(|row| row.flags).collect()));
}

/// All dependencies of a header.
#[derive(Debug)]
pub(super) struct Found {
    /// Those of kinds that the writer adds nothing to.
    plain: Relations,
    provides: Vec<Row>,
    requires: Vec<Row>,
    recommends: Vec<Row>,
}

impl Found {
    /// Reads all dependencies.
    pub(super) fn read(header: &Header) -> Result<Self, ReadError> {
        let plain = |kind| -> Result<Vec<Dependency>, ReadError> {
            Ok(read_kind(header, kind)?.into_iter().map(|row| row.dependency).collect())
        };
        let plain = Relations {
            order: plain(ORDER)?,
            conflicts: plain(CONFLICTS)?,
            obsoletes: plain(OBSOLETES)?,
            suggests: plain(SUGGESTS)?,
            supplements: plain(SUPPLEMENTS)?,
            enhances: plain(ENHANCES)?,
            ..Relations::default()
        };
        Ok(Self {
            plain,
            provides: read_kind(header, PROVIDES)?,
            requires: read_kind(header, REQUIRES)?,
            recommends: read_kind(header, RECOMMENDS)?,
        })
    }

    /// Returns what sysusers.d files made the package provide: accounts, with what makes them.
    pub(super) fn accounts(&self) -> Vec<Row> {
        let rows = self.provides.iter();
        rows.filter(|row| automatic::is_account(&row.dependency)).cloned().collect()
    }

    /// Returns what the model has: all but what the writer adds to `package`, which has every
    /// other field already.
    pub(super) fn written(&self, package: &Package, usage: &Usage) -> Relations {
        let without = |rows: &[Row], added: &[Row]| -> Vec<Row> {
            let of_rpm = |row: &&Row| row.flags & RPMLIB == 0 && !added.contains(row);
            rows.iter().filter(of_rpm).cloned().collect()
        };
        let dependencies =
            |rows: Vec<Row>| rows.into_iter().map(|row| row.dependency).collect::<Vec<_>>();
        let mut relations = self.plain.clone();
        let provides = without(&self.provides, &automatic::provides(package, usage));
        relations.provides = dependencies(provides);
        let recommends = without(&self.recommends, &automatic::recommends(package, usage));
        relations.recommends = dependencies(recommends);
        for row in without(&self.requires, &automatic::requires(package, usage)) {
            let moments: Vec<Moment> =
                Moment::ALL.into_iter().filter(|moment| row.flags & moment.bit() != 0).collect();
            if moments.is_empty() {
                relations.requires.push(row.dependency.clone());
            }
            let moments = moments.into_iter().map(|moment| (moment, row.dependency.clone()));
            relations.scriptlet_requires.extend(moments);
        }
        relations
    }

    /// Returns what should be provided and required because of what the package is but is not, and
    /// what is required so but should not be.
    pub(super) fn differences(
        &self,
        package: &Package,
        usage: &Usage,
    ) -> (Vec<String>, Vec<String>) {
        let expected = [
            (automatic::provides(package, usage), &self.provides),
            (automatic::requires(package, usage), &self.requires),
            (automatic::recommends(package, usage), &self.recommends),
        ];
        let missing = expected.iter().flat_map(|(expected, found)| {
            expected.iter().filter(|row| !found.contains(row)).map(ToString::to_string)
        });
        let of_rpm = self.requires.iter().filter(|row| row.flags & (RPMLIB | CONFIG) != 0);
        let added = of_rpm.filter(|row| !expected[1].0.contains(row)).map(ToString::to_string);
        (missing.collect(), added.collect())
    }

    /// Returns which features of rpm are used but not required.
    pub(super) fn missing_features(&self, package: &Package, usage: &Usage) -> Vec<String> {
        let features = automatic::features(package, usage).into_iter();
        // The version that a feature came with may be written another way.
        let has = |row: &Row| {
            self.requires.iter().any(|found| found.dependency.name == row.dependency.name)
        };
        features.filter(|row| !has(row)).map(|row| row.to_string()).collect()
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
