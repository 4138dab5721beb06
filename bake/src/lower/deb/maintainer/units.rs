//! Units of systemd, by the helpers that respect what the administrator has chosen
//! (deb-systemd-helper(1p), deb-systemd-invoke(1p)).

use bake_formats::deb::ControlFile;
use bake_recipes::resolved::{OnUpgrade, UnitHandling};

use super::super::DebCx;
use super::Parts;
use super::shell::{self, CONFIGURE};
use crate::error::Error;
use crate::lower::units::{Units, managed};

/// Where units are.
const FOLDERS: [&str; 3] =
    ["/usr/lib/systemd/system", "/lib/systemd/system", "/etc/systemd/system"];
/// Whether systemd runs, and the package is being installed for it.
const RUNNING: &str = "[ -z \"${DPKG_ROOT:-}\" ] && [ -d /run/systemd/system ]";

/// Returns the units that the deb manages.
pub(super) fn units(cx: DebCx<'_>) -> Result<Units, Error> {
    managed(cx.recipe, cx.tree, "deb", &FOLDERS)
}

/// Returns the names of those that a rule is for, as words; empty if there are none.
fn chosen(units: &Units, wanted: impl Fn(&UnitHandling) -> bool) -> String {
    shell::words(units.iter().filter(|(_, unit)| wanted(unit)).map(|(name, _)| name.as_str()))
}

/// Stops what must not run while its files are exchanged.
pub(super) fn before_unpacking(parts: &mut Parts, units: &Units) {
    let stopped = chosen(units, |unit| unit.on_upgrade == OnUpgrade::Stop);
    if !stopped.is_empty() {
        let lines = format!(
            "if [ \"$1\" = upgrade ] && {RUNNING}; then\n\
             \tdeb-systemd-invoke stop {stopped} >/dev/null || true\nfi\n"
        );
        parts.add(ControlFile::Preinst, "units", &lines);
    }
}

pub(super) fn after_unpacking(parts: &mut Parts, units: &Units) {
    if units.is_empty() {
        return;
    }
    let mut lines = CONFIGURE.to_owned();
    for (name, handling) in units {
        lines.push_str(&enabling(&shell::quote(name), handling.enable));
    }
    lines.push_str(&format!("\tif {RUNNING}; then\n"));
    lines.push_str("\t\tsystemctl --system daemon-reload >/dev/null || true\n");
    lines.push_str(&starting(units));
    lines.push_str("\tfi\n\t;;\nesac\n");
    parts.add(ControlFile::Postinst, "units", &lines);
}

/// Enables a unit when it is first installed, and later only if it was enabled then; in every case
/// the links that it has are recorded, for purging.
fn enabling(unit: &str, enable: bool) -> String {
    let helper = |verb: &str| format!("deb-systemd-helper {verb} {unit} >/dev/null || true\n");
    let (unmask, enabling, update) = (helper("unmask"), helper("enable"), helper("update-state"));
    if enable {
        return format!(
            "\t{unmask}\tif deb-systemd-helper --quiet was-enabled {unit}; then\n\
             \t\t{enabling}\telse\n\t\t{update}\tfi\n"
        );
    }
    format!(
        "\tif deb-systemd-helper debian-installed {unit}; then\n\t\t{unmask}\
         \t\tif deb-systemd-helper --quiet was-enabled {unit}; then\n\
         \t\t\t{enabling}\t\tfi\n\tfi\n\t{update}"
    )
}

/// Starts units after the first installation, and what an upgrade is to do with them.
fn starting(units: &Units) -> String {
    let invoke =
        |verb: &str, units: &str| format!("deb-systemd-invoke {verb} {units} >/dev/null || true\n");
    let mut lines = String::new();
    let restarted = chosen(units, |unit| unit.start && unit.on_upgrade == OnUpgrade::Restart);
    if !restarted.is_empty() {
        lines.push_str(&format!(
            "\t\tif [ -n \"${{2:-}}\" ]; then\n\t\t\t{}\t\telse\n\t\t\t{}\t\tfi\n",
            invoke("restart", &restarted),
            invoke("start", &restarted)
        ));
    }
    let started = chosen(units, |unit| unit.start && unit.on_upgrade != OnUpgrade::Restart);
    if !started.is_empty() {
        lines.push_str(&format!("\t\t{}", invoke("start", &started)));
    }
    let tried = chosen(units, |unit| !unit.start && unit.on_upgrade == OnUpgrade::Restart);
    if !tried.is_empty() {
        lines.push_str(&format!(
            "\t\tif [ -n \"${{2:-}}\" ]; then\n\t\t\t{}\t\tfi\n",
            invoke("try-restart", &tried)
        ));
    }
    lines
}

/// Stops all units: a program whose files are gone must not run on.
pub(super) fn before_removal(parts: &mut Parts, units: &Units) {
    if units.is_empty() {
        return;
    }
    let all = chosen(units, |_| true);
    let lines = format!(
        "if [ \"$1\" = remove ] && {RUNNING}; then\n\
         \tdeb-systemd-invoke stop {all} >/dev/null || true\nfi\n"
    );
    parts.add(ControlFile::Prerm, "units", &lines);
}

pub(super) fn after_removal(parts: &mut Parts, units: &Units) {
    if units.is_empty() {
        return;
    }
    let all = chosen(units, |_| true);
    let lines = format!(
        "if [ \"$1\" = remove ] && {RUNNING}; then\n\
         \tsystemctl --system daemon-reload >/dev/null || true\nfi\n\
         if [ \"$1\" = purge ] && [ -x \"$(command -v deb-systemd-helper)\" ]; then\n\
         \tdeb-systemd-helper purge {all} >/dev/null || true\nfi\n"
    );
    parts.add(ControlFile::Postrm, "units", &lines);
}
