//! Maintainer scripts (Debian Policy 6): parts that follow from the recipe, combined with the
//! recipe's own scripts.
//!
//! The parts do what debhelper's do, at the same moments. Their order: in `postinst` accounts,
//! directories, alternatives, capabilities, hooks, units, so that a unit starts when everything
//! else is there; the reverse before and after removal.

mod accounts;
mod alternatives;
mod capabilities;
mod combine;
mod debconf;
mod hooks;
mod shell;
mod units;

use std::collections::BTreeMap;

use bake_formats::deb::ControlFile;
use bake_recipes::resolved::Script;

use super::DebCx;
use super::relations::Need;
use crate::error::Error;
use crate::lower::Texts;
use crate::lower::scripts;

/// The scripts of a package, and what they call.
pub(super) struct Scripts {
    /// The texts.
    pub(super) texts: BTreeMap<ControlFile, String>,
    /// Packages that must be there for the generated parts.
    pub(super) needs: Vec<Need>,
}

/// The generated parts of all scripts, in order.
#[derive(Debug, Default)]
struct Parts {
    texts: BTreeMap<ControlFile, Vec<String>>,
    needs: Vec<Need>,
}

impl Parts {
    /// Adds lines to a script after those that are there; `what` is said above them.
    fn add(&mut self, file: ControlFile, what: &str, lines: &str) {
        let text = format!("# bake: {what}\n{lines}# bake: end\n");
        self.texts.entry(file).or_default().push(text);
    }

    fn need(&mut self, need: Need) {
        if !self.needs.contains(&need) {
            self.needs.push(need);
        }
    }

    fn of(&self, file: ControlFile) -> &[String] {
        self.texts.get(&file).map_or(&[], Vec::as_slice)
    }
}

/// Returns the four maintainer scripts.
pub(super) fn scripts(cx: DebCx<'_>) -> Result<Scripts, Error> {
    let units = units::units(cx)?;
    let mut parts = Parts::default();
    accounts::before_unpacking(&mut parts, cx);
    hooks::before_unpacking(&mut parts, cx)?;
    units::before_unpacking(&mut parts, &units);

    accounts::after_unpacking(&mut parts, cx);
    alternatives::after_unpacking(&mut parts, cx)?;
    capabilities::after_unpacking(&mut parts, cx)?;
    hooks::after_unpacking(&mut parts, cx)?;
    units::after_unpacking(&mut parts, &units);

    units::before_removal(&mut parts, &units);
    hooks::before_removal(&mut parts, cx)?;
    alternatives::before_removal(&mut parts, cx);

    debconf::after_removal(&mut parts, cx);
    hooks::after_removal(&mut parts, cx)?;
    units::after_removal(&mut parts, &units);
    accounts::after_removal(&mut parts, cx);
    Ok(Scripts { texts: combined(cx, &parts)?, needs: parts.needs })
}

fn combined(cx: DebCx<'_>, parts: &Parts) -> Result<BTreeMap<ControlFile, String>, Error> {
    let own = &cx.table.scripts;
    let all = [
        (ControlFile::Preinst, &own.preinst),
        (ControlFile::Postinst, &own.postinst),
        (ControlFile::Prerm, &own.prerm),
        (ControlFile::Postrm, &own.postrm),
    ];
    let mut texts = BTreeMap::new();
    for (file, script) in all {
        let script = script.as_ref();
        let written = script.map(|script| own_text(script, cx.texts)).transpose()?;
        let text = combine::combine(file, written, parts.of(file)).map_err(|error| {
            let place = script.map_or(&cx.table.place, |script| &script.place);
            place.error(error.reason).hint(error.hint)
        })?;
        if let Some(text) = text {
            texts.insert(file, text);
        }
    }
    Ok(texts)
}

/// Returns a whole script of the recipe, with the line that names its interpreter.
pub(super) fn own_text(script: &Script, texts: &Texts) -> Result<String, Error> {
    let text = scripts::text(script, texts)?;
    Ok(match &script.interpreter {
        Some(words) => format!("#!{}\n{text}", words.join(" ")),
        None => scripts::with_interpreter(text),
    })
}
