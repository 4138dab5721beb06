//! `[[units]]`, and what packages do with a unit.

use super::Resolver;
use crate::resolved::{OnUpgrade, Unit, UnitHandling};
use crate::written::{self, At};

/// The suffixes of unit names (systemd.unit(5)).
const SUFFIXES: [&str; 11] = [
    "service",
    "socket",
    "device",
    "mount",
    "automount",
    "swap",
    "target",
    "path",
    "timer",
    "slice",
    "scope",
];

/// The kinds of units that systemd makes at run time, so that there is no file to manage.
const WITHOUT_FILE: [&str; 2] = ["device", "scope"];

impl Resolver<'_> {
    pub(super) fn managed_units(&self) -> Option<Vec<Unit>> {
        let mut all: Vec<Unit> = Vec::new();
        let mut valid = true;
        for at in &self.keys().units {
            let Some(unit) = self.managed_unit(at) else {
                valid = false;
                continue;
            };
            if all.iter().any(|other| other.name == unit.name) {
                self.fault(&at.value.name, format!("the unit `{}` stands here twice", unit.name));
            }
            all.push(unit);
        }
        valid.then_some(all)
    }

    fn managed_unit(&self, at: &At<written::Unit>) -> Option<Unit> {
        let written = &at.value;
        let name = self.unit(&written.name)?;
        let (stem, suffix) = name.rsplit_once('.').unwrap_or_default();
        if WITHOUT_FILE.contains(&suffix) {
            let message = format!("systemd makes `.{suffix}` units itself, so there is no file");
            self.fault(&written.name, message);
            return None;
        }
        if stem.ends_with('@') {
            let message = format!("`{name}` is a template, of which nothing can run");
            let hint = format!("name an instance, e.g. `{stem}main.{suffix}`, or leave it out");
            self.advise(&written.name, message, hint);
            return None;
        }
        if self.own_unit().is_some_and(|own| own == name) {
            let message = format!("`{name}` is the unit of [service]");
            let hint = "write `enable`, `start` and `on-upgrade` in [service]";
            self.advise(&written.name, message, hint);
            return None;
        }
        let handling = handling(written.enable, written.start, written.on_upgrade);
        Some(Unit { name, handling, place: self.place(at) })
    }

    /// Returns the name of the service's unit as it is written, right or wrong.
    fn own_unit(&self) -> Option<String> {
        let service = &self.keys().service.as_ref()?.value;
        let name = service.name.as_ref().unwrap_or(&self.keys().name);
        Some(format!("{}.service", name.value))
    }

    /// Returns the full name of a unit.
    pub(super) fn unit(&self, at: &At<String>) -> Option<String> {
        let (stem, suffix) = at.value.rsplit_once('.').unwrap_or((&at.value, ""));
        let allowed = |c: char| c.is_ascii_alphanumeric() || ":-_.@\\".contains(c);
        let named = !stem.is_empty() && stem.chars().all(allowed);
        if named && SUFFIXES.contains(&suffix) && at.value.len() <= 255 {
            return Some(at.value.clone());
        }
        let found = at.value.escape_debug();
        let message = format!("`{found}` is not the name of a unit");
        let near = crate::suggestion::nearest(suffix, &SUFFIXES).filter(|_| named);
        match near {
            Some(near) => self.advise(at, message, format!("did you mean `{stem}.{near}`?")),
            None => self.advise(at, message, "e.g. `network-online.target`"),
        }
        None
    }
}

/// Returns what packages do with a unit.
pub(super) fn handling(
    enable: Option<bool>,
    start: Option<bool>,
    on_upgrade: Option<written::OnUpgrade>,
) -> UnitHandling {
    let default = UnitHandling::default();
    UnitHandling {
        enable: enable.unwrap_or(default.enable),
        start: start.unwrap_or(default.start),
        on_upgrade: match on_upgrade {
            None => default.on_upgrade,
            Some(written::OnUpgrade::Restart) => OnUpgrade::Restart,
            Some(written::OnUpgrade::Stop) => OnUpgrade::Stop,
            Some(written::OnUpgrade::Keep) => OnUpgrade::Keep,
        },
    }
}
