//! Triggers.

use bake_formats::rpm::{FileTrigger, Trigger, TriggerMoment, Triggers};
use bake_recipes::resolved::{self, RpmFileTrigger, RpmTrigger, Script};

use super::relations::dependencies;
use super::{RpmCx, scriptlets, text};
use crate::error::Error;

/// Returns the triggers of the recipe.
pub(super) fn triggers(cx: RpmCx<'_>) -> Result<Triggers, Error> {
    let mut triggers = Triggers::default();
    for RpmTrigger { moment, on, script: written } in &cx.table.triggers {
        let (moment, on) = (trigger_moment(*moment), dependencies(on));
        triggers.packages.push(Trigger { moment, on, script: script(cx, written)? });
    }
    for RpmFileTrigger { moment, prefixes, transaction, priority, script: written } in
        &cx.table.file_triggers
    {
        let mut prefixes: Vec<String> = prefixes.iter().map(text).collect();
        prefixes.sort();
        prefixes.dedup();
        let (moment, priority) = (trigger_moment(*moment), *priority);
        let trigger = FileTrigger { moment, prefixes, priority, script: script(cx, written)? };
        if *transaction {
            triggers.transaction_files.push(trigger);
        } else {
            triggers.files.push(trigger);
        }
    }
    Ok(triggers)
}

fn script(cx: RpmCx<'_>, written: &Script) -> Result<bake_formats::rpm::Script, Error> {
    let script = scriptlets::own(written, cx.texts)?;
    if script.arguments.is_empty() {
        return Ok(script);
    }
    let message = "an rpm trigger's interpreter has no arguments: rpm has no place for them";
    Err(written.place.error(message).hint("write `set -e` and the like into the script").into())
}

fn trigger_moment(moment: resolved::TriggerMoment) -> TriggerMoment {
    match moment {
        resolved::TriggerMoment::Prein => TriggerMoment::Prein,
        resolved::TriggerMoment::In => TriggerMoment::In,
        resolved::TriggerMoment::Un => TriggerMoment::Un,
        resolved::TriggerMoment::Postun => TriggerMoment::Postun,
    }
}
