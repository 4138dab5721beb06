//! Units of systemd, as the macros `%systemd_post`, `%systemd_preun` and
//! `%systemd_postun_with_restart` handle them.
//!
//! Distributions from 2021 on have the script `systemd-update-helper`, which the macros call;
//! older ones call systemctl themselves. Whether a unit is enabled is the distribution's choice,
//! by its presets, and starting it is the administrator's.

use bake_recipes::resolved::{OnUpgrade, UnitHandling};

use super::super::RpmCx;
use super::{Parts, Scriptlet, shell};
use crate::error::Error;
use crate::lower::units::{Units, managed};

/// Where units are.
const FOLDERS: [&str; 2] = ["/usr/lib/systemd/system", "/etc/systemd/system"];
const HELPER: &str = "/usr/lib/systemd/systemd-update-helper";

/// Returns the units that the rpm manages.
pub(super) fn units(cx: RpmCx<'_>) -> Result<Units, Error> {
    managed(cx.recipe, cx.tree, "rpm", &FOLDERS)
}

/// Returns the names of those that a rule is for, as words; empty if there are none.
fn chosen(units: &Units, wanted: impl Fn(&UnitHandling) -> bool) -> String {
    shell::words(units.iter().filter(|(_, unit)| wanted(unit)).map(|(name, _)| name.as_str()))
}

/// Returns a call of the helper, or what does the same where there is none.
fn either(condition: &str, verb: &str, systemctl: &[String], units: &str) -> String {
    let calls: Vec<String> =
        systemctl.iter().map(|call| format!("\t\t{call} >/dev/null 2>&1 || :\n")).collect();
    let calls = calls.concat();
    format!(
        "if {condition}; then\n\
         \tif [ -x {HELPER} ]; then\n\t\t{HELPER} {verb} {units} || :\n\
         \telif command -v systemctl >/dev/null 2>&1; then\n{calls}\tfi\nfi\n"
    )
}

/// Where units that an upgrade has stopped are noted.
fn note(cx: RpmCx<'_>) -> String {
    format!("/run/bake-{}.stopped", cx.recipe.name)
}

/// Stops what must not run while its files are exchanged.
pub(super) fn pre(parts: &mut Parts, cx: RpmCx<'_>, units: &Units) {
    let stopped = chosen(units, |unit| unit.on_upgrade == OnUpgrade::Stop);
    if stopped.is_empty() {
        return;
    }
    let note = note(cx);
    let lines = format!(
        "if [ \"$1\" -ge 2 ] && [ -d /run/systemd/system ]; then\n\
         \tfor unit in {stopped}; do\n\
         \t\tif systemctl --quiet is-active \"$unit\"; then\n\
         \t\t\tsystemctl stop \"$unit\" && echo \"$unit\" >>{note} || :\n\
         \t\tfi\n\tdone\nfi\n"
    );
    parts.add(Scriptlet::Pre, "units", &lines);
}

/// Enables units on their first installation if the presets say so.
pub(super) fn post(parts: &mut Parts, units: &Units) {
    let enabled = chosen(units, |unit| unit.enable);
    if enabled.is_empty() {
        return;
    }
    let preset = format!("systemctl --no-reload preset {enabled}");
    let reload = "systemctl daemon-reload".to_owned();
    let calls = [preset, reload];
    let lines = either("[ \"$1\" -eq 1 ]", "install-system-units", &calls, &enabled);
    parts.add(Scriptlet::Post, "units", &lines);
    parts.order_after("systemd");
}

/// Stops and disables units before they are removed.
pub(super) fn preun(parts: &mut Parts, units: &Units) {
    if units.is_empty() {
        return;
    }
    let all = chosen(units, |_| true);
    let calls = [format!("systemctl --no-reload disable --now {all}")];
    let lines = either("[ \"$1\" -eq 0 ]", "remove-system-units", &calls, &all);
    parts.add(Scriptlet::Preun, "units", &lines);
    parts.order_after("systemd");
}

/// Restarts units after an upgrade: with the helper at the end of the transaction.
pub(super) fn postun(parts: &mut Parts, units: &Units) {
    let restarted = chosen(units, |unit| unit.on_upgrade == OnUpgrade::Restart);
    if restarted.is_empty() {
        return;
    }
    let reload = "systemctl daemon-reload".to_owned();
    let calls = [reload, format!("systemctl try-restart {restarted}")];
    let lines = either("[ \"$1\" -ge 1 ]", "mark-restart-system-units", &calls, &restarted);
    parts.add(Scriptlet::Postun, "units", &lines);
}

/// Starts what an upgrade has stopped.
pub(super) fn posttrans(parts: &mut Parts, cx: RpmCx<'_>, units: &Units) {
    if units.values().all(|unit| unit.on_upgrade != OnUpgrade::Stop) {
        return;
    }
    let note = note(cx);
    let lines = format!(
        "if [ -e {note} ]; then\n\
         \tsystemctl daemon-reload || :\n\
         \twhile read -r unit; do systemctl start \"$unit\" || :; done <{note}\n\
         \trm -f {note}\nfi\n"
    );
    parts.add(Scriptlet::Posttrans, "units", &lines);
}
