//! `[[files]]`.

use std::collections::BTreeMap;

use bake_formats::tree::{Mark, Mode, TreePath, XattrName};

use super::owner::AccountKind;
use super::{Resolver, capability, parse_platforms, settled};
use crate::error::Place;
use crate::resolved::{Destination, FileRule, FileSource, Glob, Output, Service};
use crate::written::{self, At, FileFormat, FileType};

/// The attribute that holds file capabilities.
const CAPABILITY: &str = "security.capability";

impl Resolver<'_> {
    /// Returns the rules for this platform.
    pub(super) fn files(&self, service: Option<&Service>) -> Vec<FileRule> {
        let mut rules = Vec::new();
        for rule in &self.keys().files {
            let wanted = self.is_for_platform(&rule.value);
            if let Some(rule) = self.file(rule, service)
                && wanted
            {
                rules.push(rule);
            }
        }
        self.check_duplicates(&rules);
        rules
    }

    fn is_for_platform(&self, rule: &written::FileRule) -> bool {
        let Some(list) = &rule.platforms else { return true };
        if list.value.is_empty() {
            self.fault(list, "`platforms` is empty, so no output would get the files");
        }
        let platforms = parse_platforms(self.written, &self.errors, &list.value);
        platforms.contains(&self.cx.platform)
    }

    fn file(&self, at: &At<written::FileRule>, service: Option<&Service>) -> Option<FileRule> {
        let rule = &at.value;
        let mark = mark(rule.kind.as_ref().map(|kind| kind.value));
        let source = self.file_source(rule, mark);
        let to = self.destination(&rule.to);
        let mode = self.optional_mode(rule.mode.as_ref());
        let directory_mode = self.optional_mode(rule.directory_mode.as_ref());
        let owner = self.owner(rule.owner.as_ref(), AccountKind::User, service);
        let group = self.owner(rule.group.as_ref(), AccountKind::Group, service);
        let language = settled(rule.lang.as_ref().map(|at| self.language(at)));
        let exclude = rule.exclude.iter().map(|at| self.parsed(at, Glob::parse(&at.value)));
        let exclude: Option<Vec<_>> = exclude.collect();
        let formats = self.file_formats(rule);
        let xattrs = self.xattrs(rule);
        let (source, place) = source?;
        let to = to?;
        self.check_source(rule, &source, &to, mark)?;
        Some(FileRule {
            source,
            to,
            mode: mode?,
            directory_mode: directory_mode?,
            owner: owner?,
            group: group?,
            mark,
            language: language?,
            exclude: exclude?,
            formats: formats?,
            xattrs: xattrs?,
            place,
        })
    }

    #[expect(clippy::option_option, reason = "absent and wrong are two things")]
    fn optional_mode(&self, at: Option<&At<String>>) -> Option<Option<Mode>> {
        at.map_or(Some(None), |at| self.mode(at).map(Some))
    }

    /// Returns the one source that a rule has, and its place.
    fn file_source(&self, rule: &written::FileRule, mark: Mark) -> Option<(FileSource, Place)> {
        let written::FileRule { from, content, symlink, directory, to, .. } = rule;
        let spans = [
            ("from", from.as_ref().map(|at| &at.span)),
            ("content", content.as_ref().map(|at| &at.span)),
            ("symlink", symlink.as_ref().map(|at| &at.span)),
            ("directory", directory.as_ref().map(|at| &at.span)),
        ];
        let mut given = spans.iter().filter_map(|(key, span)| Some((key, (*span)?)));
        let (first, second) = (given.next(), given.next());
        if let (Some((one, _)), Some((two, span))) = (first, second) {
            let message = format!("`{one}` and `{two}` in one rule");
            let hint = "a rule has one of `from`, `content`, `symlink` and `directory`";
            self.report(self.written.place(span).error(message).hint(hint));
            return None;
        }
        let Some((key, span)) = first else {
            if mark == Mark::Ghost {
                return Some((FileSource::Ghost, self.place(to)));
            }
            self.advise(
                to,
                format!("nothing to place at `{}`", to.value.escape_debug()),
                "a rule needs one of `from`, `content`, `symlink` and `directory`",
            );
            return None;
        };
        let place = self.written.place(span);
        if mark == Mark::Ghost {
            let message = format!("a ghost is not shipped, so it has no `{key}`");
            self.report(place.error(message));
            return None;
        }
        let source = match (from, content, symlink, directory) {
            (Some(from), ..) => self.path_source(from)?,
            (_, Some(content), ..) => FileSource::Inline(content.value.as_bytes().to_vec()),
            (_, _, Some(target), _) => self.symlink_source(target)?,
            (.., Some(directory)) if directory.value => FileSource::Directory,
            _ => {
                self.report(place.error("expected `true`, or leave `directory` out"));
                return None;
            }
        };
        Some((source, place))
    }

    fn path_source(&self, from: &At<String>) -> Option<FileSource> {
        let pattern = from.value.clone();
        if pattern.is_empty() || pattern.contains('\0') {
            self.fault(from, "`from` is empty or holds a NUL character");
            return None;
        }
        let is_glob = Glob::is_glob(&pattern);
        if is_glob {
            self.parsed(from, Glob::parse(&pattern))?;
        }
        Some(FileSource::Path { pattern, is_glob })
    }

    fn symlink_source(&self, target: &At<String>) -> Option<FileSource> {
        let text = &target.value;
        if text.is_empty() || text.chars().any(char::is_control) || text.len() > TreePath::MAX_LEN {
            let found = text.escape_debug();
            self.fault(target, format!("`{found}` cannot be the target of a symbolic link"));
            return None;
        }
        Some(FileSource::Symlink(text.as_bytes().to_vec()))
    }

    fn destination(&self, to: &At<String>) -> Option<Destination> {
        let path = self.tree_path(to)?;
        Some(Destination { path, into: to.value.ends_with('/') })
    }

    /// Checks the keys of a rule against what it places.
    fn check_source(
        &self,
        rule: &written::FileRule,
        source: &FileSource,
        to: &Destination,
        mark: Mark,
    ) -> Option<()> {
        let before = self.errors.borrow().len();
        match source {
            FileSource::Path { is_glob: true, .. } if !to.into => self.advise(
                &rule.to,
                "a glob goes into a directory",
                format!("write `{}/`", rule.to.value),
            ),
            FileSource::Inline(_) | FileSource::Symlink(_) | FileSource::Ghost if to.into => {
                self.fault(&rule.to, "expected the path of a file, found that of a directory");
            }
            FileSource::Path { .. }
            | FileSource::Inline(_)
            | FileSource::Symlink(_)
            | FileSource::Directory
            | FileSource::Ghost => {}
        }
        let plain = matches!(source, FileSource::Symlink(_) | FileSource::Directory);
        if plain && let Some(mode) = &rule.mode {
            match source {
                FileSource::Directory => {
                    self.advise(mode, "`mode` is for files", "write `directory-mode`");
                }
                _ => self.fault(mode, "a symbolic link has no mode"),
            }
        }
        if plain
            && mark.is_config()
            && let Some(kind) = &rule.kind
        {
            self.fault(kind, "only a file can be configuration");
        }
        if !matches!(source, FileSource::Path { .. } | FileSource::Directory)
            && let Some(mode) = &rule.directory_mode
        {
            self.advise(mode, "`directory-mode` is for directories", "write `mode`");
        }
        if !matches!(source, FileSource::Path { .. })
            && let Some(glob) = rule.exclude.first()
        {
            self.fault(glob, "`exclude` needs `from`: there is nothing to leave out");
        }
        if plain && let Some(capabilities) = &rule.capabilities {
            self.fault(capabilities, "only a file has capabilities");
        }
        (self.errors.borrow().len() == before).then_some(())
    }

    fn file_formats(&self, rule: &written::FileRule) -> Option<Vec<Output>> {
        let Some(list) = &rule.formats else { return Some(Output::ALL.to_vec()) };
        if list.value.is_empty() {
            self.fault(list, "`formats` is empty, so no output would get the files");
            return None;
        }
        let wanted = |output: &Output| {
            list.value.iter().any(|format| match format.value {
                FileFormat::Deb => *output == Output::Deb,
                FileFormat::Rpm => *output == Output::Rpm,
                FileFormat::Oci => *output == Output::Oci,
                FileFormat::Vm => *output == Output::Vm,
            })
        };
        Some(Output::ALL.into_iter().filter(wanted).collect())
    }

    fn xattrs(&self, rule: &written::FileRule) -> Option<BTreeMap<XattrName, Vec<u8>>> {
        const PREFIXES: [&str; 4] = ["user.", "security.", "trusted.", "system."];
        let mut all = BTreeMap::new();
        for (name, value) in &rule.xattrs {
            let plain = name.value.chars().all(|c| !c.is_control() && c != '=');
            let known = PREFIXES
                .iter()
                .any(|prefix| name.value.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty()));
            if !plain || !known || name.value.len() > 255 {
                let found = name.value.escape_debug();
                self.advise(
                    name,
                    format!("`{found}` is not the name of an extended attribute"),
                    "names start with `user.`, `security.`, `trusted.` or `system.`",
                );
                return None;
            }
            let bytes = match value.value.strip_prefix("0x") {
                None => value.value.as_bytes().to_vec(),
                Some(digits) => {
                    let bytes = hex(digits);
                    if bytes.is_none() {
                        self.fault(value, "expected pairs of hex digits after `0x`");
                    }
                    bytes?
                }
            };
            all.insert(name.value.clone(), bytes);
        }
        let Some(at) = &rule.capabilities else { return Some(all) };
        match capability::encode(&at.value) {
            Ok(_) if all.contains_key(CAPABILITY) => {
                self.fault(at, format!("`{CAPABILITY}` is among the `xattrs` as well"));
                None
            }
            Ok(bytes) => {
                all.insert(CAPABILITY.into(), bytes);
                Some(all)
            }
            Err(error) => {
                let fault = self.place(at).error(error.reason);
                self.report(match error.hint {
                    Some(hint) => fault.hint(hint),
                    None => fault,
                });
                None
            }
        }
    }

    /// Finds two rules that claim one path, as far as that can be told without the build output.
    fn check_duplicates(&self, rules: &[FileRule]) {
        let mut seen: BTreeMap<(Output, &TreePath), &FileRule> = BTreeMap::new();
        for rule in rules {
            let Some(path) = rule.single_path() else { continue };
            for output in &rule.formats {
                if let Some(first) = seen.insert((*output, path), rule) {
                    let message = format!("two rules place something at `{path}`");
                    let line = first.place.line;
                    self.report(
                        rule.place.error(message).hint(format!("the first one is in line {line}")),
                    );
                    break;
                }
            }
        }
    }
}

fn mark(kind: Option<FileType>) -> Mark {
    match kind {
        None => Mark::Plain,
        Some(FileType::Config) => Mark::Config,
        Some(FileType::ConfigNoreplace) => Mark::ConfigNoReplace,
        Some(FileType::ConfigMissingok) => Mark::ConfigMissingOk,
        Some(FileType::ConfigNoreplaceMissingok) => Mark::ConfigNoReplaceMissingOk,
        Some(FileType::Doc) => Mark::Doc,
        Some(FileType::License) => Mark::License,
        Some(FileType::Readme) => Mark::Readme,
        Some(FileType::Artifact) => Mark::Artifact,
        Some(FileType::Ghost) => Mark::Ghost,
    }
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..digits.len())
        .step_by(2)
        .map(|start| u8::from_str_radix(digits.get(start..start + 2)?, 16).ok())
        .collect()
}
