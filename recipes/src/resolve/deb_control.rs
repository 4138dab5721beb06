//! What stands in the control files of a deb besides relations.

use std::collections::{BTreeMap, BTreeSet};

use bake_formats::tree::TreePath;

use super::Resolver;
use crate::resolved::{LintianOverride, ScriptSource, Trigger, check_deb_source};
use crate::suggestion;
use crate::written::{self, At, TextFile, TextOr};

/// Control fields that are keys of the recipe, with these keys, or that nobody writes (`""`).
const OWN_FIELDS: [(&str, &str); 38] = [
    ("package", "name"),
    ("version", "version"),
    ("architecture", "architecture"),
    ("maintainer", "maintainer"),
    ("homepage", "homepage"),
    ("description", "description"),
    ("depends", "deb.depends"),
    ("pre-depends", "deb.pre-depends"),
    ("recommends", "deb.recommends"),
    ("suggests", "deb.suggests"),
    ("enhances", "deb.enhances"),
    ("breaks", "deb.breaks"),
    ("conflicts", "deb.conflicts"),
    ("replaces", "deb.replaces"),
    ("provides", "deb.provides"),
    ("section", "deb.section"),
    ("priority", "deb.priority"),
    ("multi-arch", "deb.multi-arch"),
    ("source", "deb.source"),
    ("essential", "deb.essential"),
    ("protected", "deb.protected"),
    ("built-using", "deb.built-using"),
    ("static-built-using", "deb.static-built-using"),
    ("origin", "deb.origin"),
    ("bugs", "deb.bugs"),
    ("tag", "deb.tags"),
    ("conffiles", "files.type"),
    ("package-type", ""),
    ("installed-size", ""),
    ("bake-tree", ""),
    ("filename", ""),
    ("size", ""),
    ("md5sum", ""),
    ("sha1", ""),
    ("sha256", ""),
    ("status", ""),
    ("triggers-pending", ""),
    ("triggers-awaited", ""),
];

/// What a package may say about triggers (deb-triggers(5)).
const DIRECTIVES: [&str; 6] = [
    "interest",
    "interest-await",
    "interest-noawait",
    "activate",
    "activate-await",
    "activate-noawait",
];

impl Resolver<'_> {
    pub(super) fn section(&self, at: &At<String>) -> Option<String> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-/+.".contains(c);
        if !at.value.is_empty() && at.value.chars().all(allowed) {
            return Some(at.value.clone());
        }
        self.advise(at, format!("`{}` is not a section", at.value.escape_debug()), "e.g. `net`");
        None
    }

    pub(super) fn deb_source(&self, at: &At<String>) -> Option<String> {
        self.parsed(at, check_deb_source(&at.value)).map(|()| at.value.clone())
    }

    /// Checks debtags, e.g. `interface::daemon`.
    pub(super) fn deb_tags(&self, list: &[At<String>]) -> Option<Vec<String>> {
        let mut all = Vec::new();
        for at in list {
            let allowed =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-+.:".contains(c);
            let parts = at.value.split_once("::");
            let whole = parts.is_some_and(|(facet, tag)| !facet.is_empty() && !tag.is_empty());
            if !whole || !at.value.chars().all(allowed) {
                let message = format!("`{}` is not a debtag", at.value.escape_debug());
                self.advise(at, message, "e.g. `interface::daemon`");
                return None;
            }
            all.push(at.value.clone());
        }
        Some(all)
    }

    pub(super) fn deb_fields(
        &self,
        fields: &BTreeMap<At<String>, At<String>>,
    ) -> Option<BTreeMap<String, String>> {
        let mut all = BTreeMap::new();
        let mut seen: BTreeMap<String, &At<String>> = BTreeMap::new();
        for (name, value) in fields {
            let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
            let text = &name.value;
            if !text.starts_with(|c: char| c.is_ascii_alphabetic()) || !text.chars().all(allowed) {
                let found = text.escape_debug();
                self.fault(name, format!("`{found}` is not the name of a control field"));
                return None;
            }
            self.check_own_field(name)?;
            if let Some(first) = seen.insert(text.to_lowercase(), name) {
                let first = &first.value;
                self.fault(name, format!("`{text}` and `{first}` are one field to dpkg"));
                return None;
            }
            all.insert(text.clone(), self.line(value, text)?);
        }
        Some(all)
    }

    fn check_own_field(&self, name: &At<String>) -> Option<()> {
        let lower = name.value.to_lowercase();
        let Some((_, key)) = OWN_FIELDS.iter().find(|(field, _)| *field == lower) else {
            return Some(());
        };
        let message = format!("bake writes the field `{}` itself", name.value);
        let hint = match key.split_once('.') {
            Some(("files", key)) => format!("write `{key} = \"config\"` in the rule for the file"),
            Some((table, key)) => format!("write `{key}` in [{table}]"),
            None if key.is_empty() => "leave it out".to_owned(),
            None => format!("write `{key}` at the top of the recipe"),
        };
        self.advise(name, message, hint);
        None
    }

    pub(super) fn remove_conffiles(&self, list: &[At<String>]) -> Option<BTreeSet<TreePath>> {
        let mut all = BTreeSet::new();
        for at in list {
            let path = self.tree_path(at)?;
            if at.value.ends_with('/') || path.is_root() {
                self.fault(at, "expected the path of a file, found that of a directory");
                return None;
            }
            if !all.insert(path) {
                self.fault(at, format!("`{}` stands here twice", at.value));
                return None;
            }
        }
        Some(all)
    }

    pub(super) fn deb_triggers(&self, list: &[At<String>]) -> Option<Vec<Trigger>> {
        let mut all = Vec::new();
        for at in list {
            let trigger = self.deb_trigger(at)?;
            if all.contains(&trigger) {
                self.fault(at, format!("`{}` stands here twice", at.value));
                return None;
            }
            all.push(trigger);
        }
        Some(all)
    }

    fn deb_trigger(&self, at: &At<String>) -> Option<Trigger> {
        let example = "e.g. `interest-noawait /usr/share/catalog` or `activate-noawait ldconfig`";
        let words: Vec<&str> = at.value.split(' ').filter(|word| !word.is_empty()).collect();
        let [directive, name] = words[..] else {
            let message = format!(
                "expected a directive and the name of a trigger, found `{}`",
                at.value.escape_debug()
            );
            self.advise(at, message, example);
            return None;
        };
        if !DIRECTIVES.contains(&directive) {
            let message = format!("dpkg has no trigger directive `{}`", directive.escape_debug());
            self.advise(at, message, suggestion::hint(directive, &DIRECTIVES));
            return None;
        }
        // dpkg cuts a line at `#`.
        if !name.chars().all(|c| c.is_ascii_graphic() && c != '#') {
            let found = name.escape_debug();
            let message = format!("`{found}` is not the name of a trigger");
            self.advise(at, message, "names are printable ASCII without `#`");
            return None;
        }
        if name.starts_with('/') {
            let path = self.tree_path_of(at, name)?;
            if path.absolute() != name.as_bytes() {
                let plain = String::from_utf8_lossy(&path.absolute()).into_owned();
                let message = format!("dpkg would never find the path `{name}`");
                self.advise(at, message, format!("write `{plain}`"));
                return None;
            }
        }
        Some(Trigger { directive: directive.to_owned(), name: name.to_owned() })
    }

    /// Checks that questions have names and types (debconf-devel(7)).
    pub(super) fn templates(&self, at: &At<TextOr<TextFile>>) -> Option<ScriptSource> {
        let source = self.text_source(at)?;
        let ScriptSource::Inline(text) = &source else { return Some(source) };
        for stanza in text.split("\n\n").map(str::trim).filter(|stanza| !stanza.is_empty()) {
            let named = stanza.starts_with("Template: ");
            if !named || !stanza.lines().any(|line| line.starts_with("Type: ")) {
                let first = stanza.lines().next().unwrap_or_default().escape_debug();
                let message = format!("the question that begins with `{first}` is not complete");
                self.advise(
                    at,
                    message,
                    "a question has a line `Template: NAME` and a line `Type: …`",
                );
                return None;
            }
        }
        Some(source)
    }

    /// Checks that every line has a library, its version and a dependency (deb-shlibs(5)).
    pub(super) fn shlibs(&self, at: &At<TextOr<TextFile>>) -> Option<ScriptSource> {
        let source = self.text_source(at)?;
        let ScriptSource::Inline(text) = &source else { return Some(source) };
        for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            let words = line.split_whitespace().filter(|word| !word.ends_with(':')).count();
            if words < 3 {
                let found = line.escape_debug();
                let message = format!("`{found}` is not a library, its version and a dependency");
                self.advise(at, message, "e.g. `libcatalog 1 libcatalog1 (>= 1.4)`");
                return None;
            }
        }
        Some(source)
    }

    pub(super) fn lintian_overrides(
        &self,
        list: &[At<written::LintianOverride>],
    ) -> Option<Vec<LintianOverride>> {
        let mut all: Vec<LintianOverride> = Vec::new();
        for at in list {
            let written::LintianOverride { tag, context, reason } = &at.value;
            let allowed = |c: char| c.is_ascii_alphanumeric() || "-_+./".contains(c);
            if tag.value.is_empty() || !tag.value.chars().all(allowed) {
                let message = format!("`{}` is not a tag of lintian", tag.value.escape_debug());
                self.advise(
                    tag,
                    message,
                    "e.g. `no-manual-page`; what follows it is the `context`",
                );
                return None;
            }
            let context = context.as_ref().map(|at| self.line(at, "context"));
            let context = super::settled(context)?;
            let reason = self.paragraphs(reason, "reason")?;
            let tag_text = tag.value.clone();
            if all.iter().any(|one| one.tag == tag_text && one.context == context) {
                self.fault(tag, format!("the override of `{tag_text}` stands here twice"));
                return None;
            }
            all.push(LintianOverride { tag: tag_text, context, reason });
        }
        Some(all)
    }
}
