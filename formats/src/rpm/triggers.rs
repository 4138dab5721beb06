//! Triggers: scripts that another package's, or its files', coming or going runs.
//!
//! There are three tables of one shape, each numbered by itself:
//!
//! ```text
//! per script     SCRIPTS    SCRIPTPROG   [SCRIPTFLAGS]   [PRIORITIES]
//! per condition  NAME       VERSION      FLAGS           INDEX, the number of the script
//! ```
//!
//! A condition is a package in some versions, or how the path of a file begins; its flags say when
//! it counts. Conditions are sorted like dependencies. Interpreters have no arguments here: the
//! tables have no place for them.
//!
//! Specified in rpm's `docs/manual/triggers.md` and `file_triggers.md`.

use serde::Serialize;

use super::dependency::{Dependency, Operator};
use super::header::Header;
use super::model::field;
use super::scripts::{Script, ScriptFlags};
use super::tags;
use super::value::{Strings, Value};
use crate::format::{ReadError, WriteError};
use crate::tree::TreePath;

/// rpm's `RPMTRIGGER_DEFAULT_PRIORITY`.
pub const DEFAULT_PRIORITY: u32 = 1_000_000;

/// When a trigger runs, seen from what sets it off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TriggerMoment {
    /// Before it is installed; not for files.
    Prein,
    /// After it was installed.
    In,
    /// Before it is removed.
    Un,
    /// After it was removed.
    Postun,
}

impl TriggerMoment {
    const ALL: [Self; 4] = [Self::Prein, Self::In, Self::Un, Self::Postun];
    const MASK: u32 = 7 << 16 | 1 << 25;

    /// Returns the bit of `RPMSENSE_TRIGGER`.
    fn bit(self) -> u32 {
        match self {
            Self::Prein => 1 << 25,
            Self::In => 1 << 16,
            Self::Un => 1 << 17,
            Self::Postun => 1 << 18,
        }
    }
}

/// A script that the coming or going of packages runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trigger {
    /// When.
    pub moment: TriggerMoment,
    /// The packages, sorted; never empty.
    pub on: Vec<Dependency>,
    /// What runs.
    pub script: Script,
}

/// A script that the coming or going of files runs; it reads their paths from its standard input.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FileTrigger {
    /// When; never [`TriggerMoment::Prein`].
    pub moment: TriggerMoment,
    /// What the paths begin with, sorted; never empty.
    pub prefixes: Vec<String>,
    /// Higher runs first; [`DEFAULT_PRIORITY`] unless there is a reason.
    pub priority: u32,
    /// What runs.
    pub script: Script,
}

/// All triggers of a package.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Triggers {
    /// On packages.
    pub packages: Vec<Trigger>,
    /// On files, once for each package that has some.
    pub files: Vec<FileTrigger>,
    /// On files, once for a transaction.
    pub transaction_files: Vec<FileTrigger>,
}

/// The tags of one table.
#[derive(Clone, Copy)]
struct Table {
    what: &'static str,
    scripts: u32,
    programs: u32,
    script_flags: u32,
    priorities: Option<u32>,
    names: u32,
    versions: u32,
    flags: u32,
    indexes: u32,
}

const PACKAGES: Table = Table {
    what: "triggers",
    scripts: tags::TRIGGERSCRIPTS,
    programs: tags::TRIGGERSCRIPTPROG,
    script_flags: tags::TRIGGERSCRIPTFLAGS,
    priorities: None,
    names: tags::TRIGGERNAME,
    versions: tags::TRIGGERVERSION,
    flags: tags::TRIGGERFLAGS,
    indexes: tags::TRIGGERINDEX,
};
const FILES: Table = Table {
    what: "file triggers",
    scripts: tags::FILETRIGGERSCRIPTS,
    programs: tags::FILETRIGGERSCRIPTPROG,
    script_flags: tags::FILETRIGGERSCRIPTFLAGS,
    priorities: Some(tags::FILETRIGGERPRIORITIES),
    names: tags::FILETRIGGERNAME,
    versions: tags::FILETRIGGERVERSION,
    flags: tags::FILETRIGGERFLAGS,
    indexes: tags::FILETRIGGERINDEX,
};
const TRANSACTION: Table = Table {
    what: "transaction file triggers",
    scripts: tags::TRANSFILETRIGGERSCRIPTS,
    programs: tags::TRANSFILETRIGGERSCRIPTPROG,
    script_flags: tags::TRANSFILETRIGGERSCRIPTFLAGS,
    priorities: Some(tags::TRANSFILETRIGGERPRIORITIES),
    names: tags::TRANSFILETRIGGERNAME,
    versions: tags::TRANSFILETRIGGERVERSION,
    flags: tags::TRANSFILETRIGGERFLAGS,
    indexes: tags::TRANSFILETRIGGERINDEX,
};

/// One trigger of any table.
#[derive(Clone)]
struct Row {
    moment: TriggerMoment,
    on: Vec<Dependency>,
    priority: u32,
    script: Script,
}

impl Triggers {
    fn tables(&self) -> [(Table, Vec<Row>); 3] {
        let files = |triggers: &[FileTrigger]| triggers.iter().map(Row::of_files).collect();
        [
            (PACKAGES, self.packages.iter().map(Row::of_packages).collect()),
            (FILES, files(&self.files)),
            (TRANSACTION, files(&self.transaction_files)),
        ]
    }

    /// Returns all scripts.
    pub(super) fn scripts(&self) -> impl Iterator<Item = &Script> + '_ {
        let packages = self.packages.iter().map(|trigger| &trigger.script);
        let files = self.files.iter().chain(&self.transaction_files);
        packages.chain(files.map(|trigger| &trigger.script))
    }

    /// Returns what packages are waited for.
    pub(super) fn dependencies(&self) -> impl Iterator<Item = &Dependency> + '_ {
        self.packages.iter().flat_map(|trigger| &trigger.on)
    }

    pub(super) fn validate(&self) -> Result<(), WriteError> {
        for (table, rows) in self.tables() {
            rows.iter().try_for_each(|row| row.validate(table))?;
        }
        Ok(())
    }

    /// Puts all tables into a header.
    pub(super) fn put(&self, header: &mut Header) {
        for (table, rows) in self.tables() {
            table.put(header, &rows);
        }
    }

    /// Reads all tables of a header.
    pub(super) fn read(header: &Header) -> Result<Self, ReadError> {
        let files = |table: Table| -> Result<Vec<FileTrigger>, ReadError> {
            Ok(table.read(header)?.into_iter().map(Row::into_files).collect())
        };
        let packages = PACKAGES.read(header)?.into_iter();
        Ok(Self {
            packages: packages
                .map(|Row { moment, on, script, .. }| Trigger { moment, on, script })
                .collect(),
            files: files(FILES)?,
            transaction_files: files(TRANSACTION)?,
        })
    }
}

impl Row {
    fn of_packages(trigger: &Trigger) -> Self {
        let Trigger { moment, on, script } = trigger.clone();
        Self { moment, on, priority: DEFAULT_PRIORITY, script }
    }

    fn of_files(trigger: &FileTrigger) -> Self {
        let FileTrigger { moment, prefixes, priority, script } = trigger.clone();
        Self { moment, on: prefixes.into_iter().map(Dependency::on).collect(), priority, script }
    }

    fn into_files(self) -> FileTrigger {
        let Self { moment, on, priority, script } = self;
        let prefixes = on.into_iter().map(|prefix| prefix.name).collect();
        FileTrigger { moment, prefixes, priority, script }
    }

    fn validate(&self, table: Table) -> Result<(), WriteError> {
        let what = table.what;
        self.script.validate(what)?;
        if !self.script.arguments.is_empty() {
            let reason = "rpm has no place for arguments of a trigger's interpreter";
            return field(what, reason.into());
        }
        if self.on.is_empty() {
            return field(what, "nothing sets it off".into());
        }
        for on in &self.on {
            if table.priorities.is_some() {
                if self.moment == TriggerMoment::Prein {
                    return field(what, "rpm has no triggers before files are installed".into());
                }
                if TreePath::parse(&on.name).is_err() || !on.name.starts_with('/') {
                    return field(what, format!("`{}` is not an absolute path", on.name));
                }
                continue;
            }
            on.validate().or_else(|error| field(what, error.to_string()))?;
            if on.is_rich() {
                return field(what, format!("`{on}`: rpm allows no boolean expression here"));
            }
        }
        Ok(())
    }
}

impl Table {
    fn put(self, header: &mut Header, rows: &[Row]) {
        let (mut scripts, mut programs) = (Strings::default(), Strings::default());
        let mut conditions: Vec<(&Dependency, u32, u32)> = Vec::new();
        for (index, row) in (0..).zip(rows) {
            scripts.push(row.script.body.as_bytes());
            programs.push(row.script.interpreter.as_bytes());
            conditions.extend(row.on.iter().map(|on| (on, row.moment.bit(), index)));
        }
        conditions.sort_by_key(|(on, bit, index)| (on.sort_key(), *bit, *index));
        header.put(self.scripts, Value::StringArray(scripts));
        header.put(self.programs, Value::StringArray(programs));
        let flags: Vec<u32> = rows.iter().map(|row| row.script.flags.bits()).collect();
        if flags.iter().any(|flags| *flags != 0) {
            header.put(self.script_flags, Value::Int32(flags));
        }
        if let Some(priorities) = self.priorities {
            header.put(priorities, Value::Int32(rows.iter().map(|row| row.priority).collect()));
        }
        let name = |on: &Dependency| on.name.as_bytes().to_vec();
        let (mut names, mut versions) = (Strings::default(), Strings::default());
        for (on, _, _) in &conditions {
            names.push(&name(on));
            versions.push(on.version.as_ref().map_or(b"", |(_, version)| version.as_bytes()));
        }
        header.put(self.names, Value::StringArray(names));
        header.put(self.versions, Value::StringArray(versions));
        let flags = conditions.iter().map(|(on, bit, _)| on.sense() | bit).collect();
        header.put(self.flags, Value::Int32(flags));
        let indexes = conditions.iter().map(|(_, _, index)| *index).collect();
        header.put(self.indexes, Value::Int32(indexes));
    }

    fn read(self, header: &Header) -> Result<Vec<Row>, ReadError> {
        let scripts = header.texts(self.scripts)?;
        let programs = header.texts(self.programs)?;
        let count = scripts.len();
        expect_count(header, self.programs, programs.len(), count)?;
        let flags = optional(header, Some(self.script_flags), count, 0)?;
        let priorities = optional(header, self.priorities, count, DEFAULT_PRIORITY)?;
        let mut rows: Vec<(Option<TriggerMoment>, Row)> = Vec::new();
        for (number, (body, interpreter)) in scripts.into_iter().zip(programs).enumerate() {
            let flags = ScriptFlags::from_bits(flags[number]);
            let script = Script { interpreter, arguments: Vec::new(), body, flags };
            let (moment, priority) = (TriggerMoment::In, priorities[number]);
            rows.push((None, Row { moment, on: Vec::new(), priority, script }));
        }
        self.read_conditions(header, &mut rows)?;
        let whole = |(number, (moment, row)): (usize, (Option<TriggerMoment>, Row))| match moment {
            Some(moment) => Ok(Row { moment, ..row }),
            None => Err(header.invalid(self.indexes, format!("nothing sets script {number} off"))),
        };
        rows.into_iter().enumerate().map(whole).collect()
    }

    fn read_conditions(
        self,
        header: &Header,
        rows: &mut [(Option<TriggerMoment>, Row)],
    ) -> Result<(), ReadError> {
        let names = header.texts(self.names)?;
        let versions = header.texts(self.versions)?;
        let (flags, indexes) = (header.int32s(self.flags)?, header.int32s(self.indexes)?);
        expect_count(header, self.versions, versions.len(), names.len())?;
        expect_count(header, self.flags, flags.len(), names.len())?;
        expect_count(header, self.indexes, indexes.len(), names.len())?;
        let count = rows.len();
        let conditions = names.into_iter().zip(versions).zip(flags).zip(indexes);
        for (((name, version), flags), index) in conditions {
            let Some((moment, row)) = rows.get_mut(*index as usize) else {
                let reason = format!("expected less than {count}, found {index}");
                return Err(header.invalid(self.indexes, reason));
            };
            let when = TriggerMoment::ALL
                .into_iter()
                .find(|when| when.bit() == flags & TriggerMoment::MASK);
            let known = when.filter(|when| moment.is_none_or(|moment| moment == *when));
            let Some(known) = known else {
                let reason = format!("the flags {flags:#x} of `{name}` say no one moment");
                return Err(header.invalid(self.flags, reason));
            };
            *moment = Some(known);
            let version = Operator::from_sense(*flags).map(|operator| (operator, version));
            row.on.push(Dependency { name, version });
        }
        Ok(())
    }
}

/// Returns the numbers of a tag that need not be there.
fn optional(
    header: &Header,
    tag: Option<u32>,
    count: usize,
    default: u32,
) -> Result<Vec<u32>, ReadError> {
    let Some(tag) = tag.filter(|tag| header.get(*tag).is_some()) else {
        return Ok(vec![default; count]);
    };
    let numbers = header.int32s(tag)?;
    expect_count(header, tag, numbers.len(), count)?;
    Ok(numbers.to_vec())
}

fn expect_count(header: &Header, tag: u32, found: usize, expected: usize) -> Result<(), ReadError> {
    if found == expected {
        return Ok(());
    }
    Err(header.invalid(tag, format!("expected {expected} values, found {found}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpm::header::Region;

    fn sample() -> Triggers {
        let script = Script::shell("true\n");
        let flags = ScriptFlags { expand: true, qformat: false, critical: false };
        let lua = Script { interpreter: "<lua>".into(), flags, ..script.clone() };
        let on = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let trigger = |moment, on| Trigger { moment, on, script: lua.clone() };
        let file = |moment, prefixes: &[&str], priority| {
            let prefixes = prefixes.iter().map(|prefix| (*prefix).to_owned()).collect();
            FileTrigger { moment, prefixes, priority, script: script.clone() }
        };
        Triggers {
            packages: vec![
                trigger(TriggerMoment::Prein, on(&["z"])),
                trigger(TriggerMoment::In, on(&["a > 1", "b"])),
                trigger(TriggerMoment::Un, on(&["a"])),
                trigger(TriggerMoment::Postun, on(&["c < 2"])),
            ],
            files: vec![file(TriggerMoment::In, &["/usr/lib", "/usr/share"], 7)],
            transaction_files: vec![
                file(TriggerMoment::Postun, &["/etc"], DEFAULT_PRIORITY),
                file(TriggerMoment::Un, &["/etc"], 1),
            ],
        }
    }

    #[test]
    fn reads_what_it_writes() {
        let mut header = Header::new(Region::Immutable);
        sample().validate().unwrap();
        sample().put(&mut header);
        assert_eq!(Triggers::read(&header).unwrap(), sample());
        let names: Vec<_> = header.texts(tags::TRIGGERNAME).unwrap();
        assert_eq!(names, ["a", "a", "b", "c", "z"]);
        assert_eq!(header.int32s(tags::TRIGGERINDEX).unwrap(), [2, 1, 1, 3, 0]);
    }

    #[test]
    fn refuses_what_the_tables_cannot_say() {
        type Change = fn(&mut Triggers);
        let cases: [Change; 7] = [
            |t| t.packages[0].script.arguments.push("-s".into()),
            |t| t.packages[0].on.clear(),
            |t| t.packages[0].on = vec!["(a or b)".parse().unwrap()],
            |t| t.files[0].moment = TriggerMoment::Prein,
            |t| t.files[0].prefixes = vec!["usr".into()],
            |t| t.files[0].prefixes.clear(),
            |t| t.transaction_files[0].script.interpreter = "sh".into(),
        ];
        for (number, change) in cases.into_iter().enumerate() {
            let mut triggers = sample();
            change(&mut triggers);
            assert!(triggers.validate().is_err(), "case {number}");
        }
    }

    #[test]
    fn rejects_tables_that_do_not_fit_together() {
        type Change = fn(&mut Header);
        let cases: [Change; 8] = [
            |h| h.put(tags::TRIGGERINDEX, Value::Int32(vec![2, 1, 1, 3, 4])),
            |h| h.put(tags::TRIGGERINDEX, Value::Int32(vec![2, 1, 1, 3])),
            |h| h.put(tags::TRIGGERINDEX, Value::Int32(vec![2, 1, 1, 3, 3])),
            |h| h.put(tags::TRIGGERFLAGS, Value::Int32(vec![0; 5])),
            |h| h.put(tags::TRIGGERFLAGS, Value::Int32(vec![1 << 16 | 1 << 17; 5])),
            |h| h.put(tags::TRIGGERVERSION, Value::Int32(vec![0; 5])),
            |h| h.put(tags::TRIGGERSCRIPTFLAGS, Value::Int32(vec![0])),
            |h| {
                h.remove(tags::FILETRIGGERSCRIPTPROG);
            },
        ];
        for (number, change) in cases.into_iter().enumerate() {
            let mut header = Header::new(Region::Immutable);
            sample().put(&mut header);
            change(&mut header);
            assert!(Triggers::read(&header).is_err(), "case {number}");
        }
    }
}
