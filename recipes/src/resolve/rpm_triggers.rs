//! `[[rpm.triggers]]` and `[[rpm.file-triggers]]`.

use bake_formats::tree::TreePath;

use super::Resolver;
use crate::resolved::{RpmFileTrigger, RpmTrigger, TriggerMoment};
use crate::written::{self, At, RpmTriggerMoment};

/// What rpm takes for a file trigger without a priority (`RPMTRIGGER_DEFAULT_PRIORITY`).
const PRIORITY: u32 = 1_000_000;

impl Resolver<'_> {
    pub(super) fn rpm_triggers(&self, list: &[At<written::RpmTrigger>]) -> Option<Vec<RpmTrigger>> {
        let all: Vec<_> = list.iter().map(|at| self.rpm_trigger(&at.value)).collect();
        all.into_iter().collect()
    }

    fn rpm_trigger(&self, written: &written::RpmTrigger) -> Option<RpmTrigger> {
        if written.on.value.is_empty() {
            self.fault(&written.on, "`on` is empty, so nothing would set the trigger off");
            return None;
        }
        let on =
            written.on.value.iter().map(|at| self.plain_relation(at, "what sets a trigger off"));
        let on: Vec<_> = on.collect();
        let script = self.scriptlet(&written.script);
        Some(RpmTrigger {
            moment: moment(written.when.value),
            on: on.into_iter().collect::<Option<_>>()?,
            script: script?,
        })
    }

    pub(super) fn rpm_file_triggers(
        &self,
        list: &[At<written::RpmFileTrigger>],
    ) -> Option<Vec<RpmFileTrigger>> {
        let all: Vec<_> = list.iter().map(|at| self.rpm_file_trigger(&at.value)).collect();
        all.into_iter().collect()
    }

    fn rpm_file_trigger(&self, written: &written::RpmFileTrigger) -> Option<RpmFileTrigger> {
        let moment = moment(written.when.value);
        if moment == TriggerMoment::Prein {
            let message = "files set nothing off before they are installed";
            self.advise(&written.when, message, "expected one of `in`, `un` and `postun`");
        }
        if written.paths.value.is_empty() {
            self.fault(&written.paths, "`paths` is empty, so nothing would set the trigger off");
        }
        let prefixes: Vec<_> =
            written.paths.value.iter().map(|at| self.path_beginning(at)).collect();
        let priority = match &written.priority {
            Some(at) => self.trigger_priority(at),
            None => Some(PRIORITY),
        };
        let script = self.scriptlet(&written.script);
        Some(RpmFileTrigger {
            moment,
            prefixes: prefixes.into_iter().collect::<Option<_>>()?,
            transaction: written.transaction.unwrap_or_default(),
            priority: priority?,
            script: script?,
        })
    }

    /// rpm compares the beginning of a path as text, so a slash at the end would matter.
    fn path_beginning(&self, at: &At<String>) -> Option<TreePath> {
        let path = self.tree_path(at)?;
        let plain = String::from_utf8_lossy(&path.absolute()).into_owned();
        if plain == at.value {
            return Some(path);
        }
        let message = format!("`{}` is not how rpm spells the beginning of a path", at.value);
        self.advise(at, message, format!("write `{plain}`; it stands for `{plain}64`, too"));
        None
    }

    fn trigger_priority(&self, at: &At<i64>) -> Option<u32> {
        let number = i32::try_from(at.value).ok().and_then(|number| u32::try_from(number).ok());
        if number.is_none() {
            let found = at.value;
            self.fault(at, format!("expected a number from 0 to {}, found {found}", i32::MAX));
        }
        number
    }
}

fn moment(written: RpmTriggerMoment) -> TriggerMoment {
    match written {
        RpmTriggerMoment::Prein => TriggerMoment::Prein,
        RpmTriggerMoment::In => TriggerMoment::In,
        RpmTriggerMoment::Un => TriggerMoment::Un,
        RpmTriggerMoment::Postun => TriggerMoment::Postun,
    }
}
