//! Scriptlets: parts that follow from the recipe, combined with the recipe's own.
//!
//! rpm says in `$1` how many instances of the package there are when the scriptlet's step is done:
//! 1 for the first installation, 2 for an upgrade, 0 for a removal. On an upgrade the new package's
//! `%pre` and `%post` run before the old one's `%preun` and `%postun`.
//!
//! The parts are what the distributions' macros expand to; because a package is for several of
//! them, each part finds out what there is when it runs. The order: accounts, alternatives, hooks,
//! units, so that a unit is enabled when everything else is there; and units first on removal.

mod accounts;
mod alternatives;
mod combine;
mod hooks;
mod shell;
mod units;

use std::collections::BTreeMap;

use bake_formats::rpm::{self, Dependency, Moment, ScriptFlags};
use bake_recipes::resolved;

use super::RpmCx;
use super::relations::Needs;
use crate::error::Error;
use crate::lower::Texts;
use crate::lower::scripts;

/// The scriptlets of a package, and what they call.
pub(super) struct Scriptlets {
    pub(super) scripts: rpm::Scripts,
    pub(super) needs: Needs,
}

/// A scriptlet that parts are generated for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Scriptlet {
    Pre,
    Post,
    Preun,
    Postun,
    Posttrans,
}

impl Scriptlet {
    fn name(self) -> &'static str {
        match self {
            Self::Pre => "%pre",
            Self::Post => "%post",
            Self::Preun => "%preun",
            Self::Postun => "%postun",
            Self::Posttrans => "%posttrans",
        }
    }
}

/// The generated parts of all scriptlets, in order.
#[derive(Debug, Default)]
struct Parts {
    texts: BTreeMap<Scriptlet, Vec<String>>,
    needs: Needs,
}

impl Parts {
    /// Adds lines to a scriptlet after those that are there; `what` is said above them.
    fn add(&mut self, scriptlet: Scriptlet, what: &str, lines: &str) {
        let text = format!("# bake: {what}\n{lines}# bake: end\n");
        self.texts.entry(scriptlet).or_default().push(text);
    }

    fn require(&mut self, moment: Moment, dependency: &str) {
        self.needs.requires.push((moment, Dependency::on(dependency)));
    }

    fn order_after(&mut self, name: &str) {
        let dependency = Dependency::on(name);
        if !self.needs.order.contains(&dependency) {
            self.needs.order.push(dependency);
        }
    }
}

/// Returns all scriptlets.
pub(super) fn scriptlets(cx: RpmCx<'_>) -> Result<Scriptlets, Error> {
    let units = units::units(cx)?;
    let mut parts = Parts::default();
    accounts::pre(&mut parts, cx);
    units::pre(&mut parts, cx, &units);
    hooks::pre(&mut parts, cx)?;

    accounts::post(&mut parts, cx);
    alternatives::post(&mut parts, cx)?;
    hooks::post(&mut parts, cx)?;
    units::post(&mut parts, &units);

    units::preun(&mut parts, &units);
    hooks::preun(&mut parts, cx)?;

    hooks::postun(&mut parts, cx)?;
    alternatives::postun(&mut parts, cx);
    units::postun(&mut parts, &units);

    units::posttrans(&mut parts, cx, &units);
    let scripts = combined(cx, &parts)?;
    Ok(Scriptlets { scripts, needs: parts.needs })
}

fn combined(cx: RpmCx<'_>, parts: &Parts) -> Result<rpm::Scripts, Error> {
    let written = &cx.table.scripts;
    let none = Vec::new();
    let both = |scriptlet: Scriptlet, script: &Option<resolved::Script>| {
        let generated = parts.texts.get(&scriptlet).unwrap_or(&none);
        let own = script.as_ref().map(|script| own(script, cx.texts)).transpose()?;
        combine::combine(scriptlet, own, generated).map_err(|error| {
            let place = script.as_ref().map_or(&cx.table.place, |script| &script.place);
            Error::from(place.error(error.reason).hint(error.hint))
        })
    };
    let alone = |script: &Option<resolved::Script>| {
        script.as_ref().map(|script| own(script, cx.texts)).transpose()
    };
    Ok(rpm::Scripts {
        pre: both(Scriptlet::Pre, &written.pre)?,
        post: both(Scriptlet::Post, &written.post)?,
        preun: both(Scriptlet::Preun, &written.preun)?,
        postun: both(Scriptlet::Postun, &written.postun)?,
        pretrans: alone(&written.pretrans)?,
        posttrans: both(Scriptlet::Posttrans, &written.posttrans)?,
        preuntrans: alone(&written.preuntrans)?,
        postuntrans: alone(&written.postuntrans)?,
        verify: alone(&written.verify)?,
    })
}

/// Returns a script of the recipe.
pub(super) fn own(script: &resolved::Script, texts: &Texts) -> Result<rpm::Script, Error> {
    let text = scripts::text(script, texts)?;
    let (mut words, body) = match &script.interpreter {
        Some(words) if !words.is_empty() => (words.clone(), text),
        _ => scripts::split_interpreter(&text),
    };
    let interpreter = words.remove(0);
    let resolved::ScriptFlags { expand, qformat, critical } = script.flags;
    let flags = ScriptFlags { expand, qformat, critical };
    Ok(rpm::Script { interpreter, arguments: words, body, flags })
}

#[cfg(test)]
mod tests;
