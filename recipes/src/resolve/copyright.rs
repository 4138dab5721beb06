//! `[copyright]`.

use super::{Resolver, settled, spdx};
use crate::resolved::{Copyright, CopyrightRule, LicenseText};
use crate::suggestion;
use crate::written::{self, At};

impl Resolver<'_> {
    pub(super) fn copyright(&self, at: &At<written::Copyright>) -> Option<Copyright> {
        let keys = self.keys();
        let table = &at.value;
        let line = |at: &Option<At<String>>, key| at.as_ref().map(|at| self.line(at, key));
        let upstream_name = line(&table.upstream_name, "upstream-name");
        let contact = line(&table.contact, "contact");
        let source = line(&table.source, "source");
        let holders = self.lines(&table.holders, "holders");
        let rules: Vec<_> = table.files.iter().map(|at| self.copyright_rule(&at.value)).collect();
        let texts = self.license_texts(table);
        let Some(license) = &keys.license else {
            let message = "[copyright] needs the licence of the whole package";
            self.advise(at, message, "add `license = \"…\"` at the top of the recipe");
            return None;
        };
        let first = CopyrightRule {
            patterns: vec!["*".into()],
            holders: holders?,
            license: self.license(license)?,
        };
        let rules = rules.into_iter().collect::<Option<Vec<_>>>()?;
        self.check_texts(table, license);
        Some(Copyright {
            upstream_name: settled(upstream_name)?.unwrap_or_else(|| keys.name.value.clone()),
            contact: settled(contact)?,
            source: settled(source)?.or_else(|| {
                let homepage = || keys.homepage.as_ref().map(|at| at.value.trim().to_owned());
                keys.vcs.as_ref().map_or_else(homepage, |at| self.vcs(at))
            }),
            files: [vec![first], rules].concat(),
            texts: texts?,
            place: self.place(at),
        })
    }

    fn copyright_rule(&self, rule: &written::CopyrightFiles) -> Option<CopyrightRule> {
        if rule.files.value.is_empty() {
            self.fault(&rule.files, "`files` is empty");
        }
        let patterns: Vec<_> = rule.files.value.iter().map(|at| self.source_pattern(at)).collect();
        let holders = self.lines(&rule.holders, "holders");
        let license = self.license(&rule.license);
        Some(CopyrightRule {
            patterns: patterns.into_iter().collect::<Option<_>>()?,
            holders: holders?,
            license: license?,
        })
    }

    /// Checks a pattern of paths in the source, in which only `*` and `?` are special.
    fn source_pattern(&self, at: &At<String>) -> Option<String> {
        let text = at.value.as_str();
        let shown = text.escape_debug();
        if text == "*" {
            let message = "the rule for `*` is [copyright] itself";
            self.advise(at, message, "write its `holders` there and `license` at the top");
        } else if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            let message = format!("`{shown}` is not a pattern: it is empty or holds a space");
            self.advise(at, message, "`?` stands for any one character, so for a space, too");
        } else if text.starts_with(['/', '.']) && !text.starts_with("..") && text.contains('/') {
            let plain = text.trim_start_matches(['.', '/']);
            let message = format!("`{shown}` is not relative to the source");
            self.advise(at, message, format!("write `{plain}`"));
        } else if text.contains('[') || text.contains("**") {
            let message = format!("`{shown}` has a wildcard that this format does not know");
            self.advise(at, message, "only `*` and `?` are special; `*` crosses directories");
        } else {
            return Some(text.to_owned());
        }
        None
    }

    fn license_texts(&self, table: &written::Copyright) -> Option<Vec<LicenseText>> {
        let mut all = Vec::new();
        for (name, file) in &table.texts {
            let place = self.place(file);
            let file = self.line(file, "texts")?;
            all.push(LicenseText { name: name.value.clone(), file, place });
        }
        Some(all)
    }

    /// Every licence has its text here or on every Debian system, and every text its licence.
    fn check_texts(&self, table: &written::Copyright, license: &At<String>) {
        let rules = table.files.iter().map(|rule| &rule.value.license);
        let expressions: Vec<&At<String>> = std::iter::once(license).chain(rules).collect();
        let has = |identifier: &str| table.texts.keys().any(|name| name.value == identifier);
        for at in &expressions {
            for identifier in spdx::identifiers(&at.value) {
                if !has(identifier) && !spdx::is_common(identifier) {
                    let message = format!(
                        "the text of `{identifier}` is missing: Debian systems have no copy of it"
                    );
                    let hint = format!(
                        "name its file in [copyright]: `texts = {{ \"{identifier}\" = \"LICENSE\" }}`"
                    );
                    self.advise(*at, message, hint);
                }
            }
        }
        let used = expressions.iter().flat_map(|at| spdx::identifiers(&at.value));
        let used: Vec<&str> = used.collect();
        for name in table.texts.keys().filter(|name| !used.contains(&name.value.as_str())) {
            let message = format!("no licence here is `{}`", name.value.escape_debug());
            self.advise(name, message, suggestion::hint(&name.value, &used));
        }
    }
}
