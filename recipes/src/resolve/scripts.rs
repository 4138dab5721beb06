//! Scripts, and other texts that stand in the recipe or in a file.

use std::io::Read as _;

use super::{Resolver, settled};
use crate::resolved::{DebScripts, Hooks, RpmScripts, Script, ScriptFlags, ScriptSource};
use crate::written::{self, At, RpmScript, ScriptFile, TextFile, TextOr, TextOrList};

/// How much of a file is read to find its first line, in bytes.
const HEAD: u64 = 512;

/// A script as hooks and Debian have it.
type Written = Option<At<TextOr<ScriptFile>>>;

/// What a script is a part of, which decides what its first line may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A fragment for `/bin/sh`.
    Hook,
    /// A whole file, which dpkg executes.
    Maintainer,
    /// rpm runs `/bin/sh` unless it says otherwise.
    Scriptlet,
}

impl Resolver<'_> {
    pub(super) fn hooks(&self) -> Option<Hooks> {
        let hooks = &self.keys().scripts;
        let all = [
            &hooks.before_install,
            &hooks.after_install,
            &hooks.before_upgrade,
            &hooks.after_upgrade,
            &hooks.before_remove,
            &hooks.after_remove,
            &hooks.purge,
        ];
        let [before_install, after_install, before_upgrade, after_upgrade, rest @ ..] =
            all.map(|at| self.script(at, Kind::Hook));
        let [before_remove, after_remove, purge] = rest;
        Some(Hooks {
            before_install: before_install?,
            after_install: after_install?,
            before_upgrade: before_upgrade?,
            after_upgrade: after_upgrade?,
            before_remove: before_remove?,
            after_remove: after_remove?,
            purge: purge?,
        })
    }

    pub(super) fn deb_scripts(&self, scripts: &written::DebScripts) -> Option<DebScripts> {
        let written::DebScripts { preinst, postinst, prerm, postrm, config } = scripts;
        let [preinst, postinst, prerm, postrm, config] =
            [preinst, postinst, prerm, postrm, config].map(|at| self.script(at, Kind::Maintainer));
        Some(DebScripts {
            preinst: preinst?,
            postinst: postinst?,
            prerm: prerm?,
            postrm: postrm?,
            config: config?,
        })
    }

    pub(super) fn rpm_scripts(&self, scripts: &written::RpmScripts) -> Option<RpmScripts> {
        let script = |at: &Option<At<_>>| settled(at.as_ref().map(|at: &At<_>| self.scriptlet(at)));
        let [pre, post, preun, postun] =
            [&scripts.pre, &scripts.post, &scripts.preun, &scripts.postun].map(script);
        let [pretrans, posttrans, preuntrans, postuntrans, verify] = [
            &scripts.pretrans,
            &scripts.posttrans,
            &scripts.preuntrans,
            &scripts.postuntrans,
            &scripts.verify,
        ]
        .map(script);
        Some(RpmScripts {
            pre: pre?,
            post: post?,
            preun: preun?,
            postun: postun?,
            pretrans: pretrans?,
            posttrans: posttrans?,
            preuntrans: preuntrans?,
            postuntrans: postuntrans?,
            verify: verify?,
        })
    }

    #[expect(clippy::option_option, reason = "absent and wrong are two things")]
    fn script(&self, at: &Written, kind: Kind) -> Option<Option<Script>> {
        let Some(at) = at else { return Some(None) };
        let source = match &at.value {
            TextOr::Text(text) => self.inline(at, text)?,
            TextOr::Table(table) => self.script_file(&table.file)?,
        };
        self.check_first_line(at, &source, kind)?;
        let (interpreter, flags) = (None, ScriptFlags::default());
        Some(Some(Script { source, interpreter, flags, place: self.place(at) }))
    }

    /// Returns a script of the rpm with its interpreter and its flags.
    pub(super) fn scriptlet(&self, at: &At<TextOr<RpmScript>>) -> Option<Script> {
        let place = self.place(at);
        let table = match &at.value {
            TextOr::Text(text) => {
                let source = self.inline(at, text)?;
                self.check_first_line(at, &source, Kind::Scriptlet)?;
                let flags = ScriptFlags::default();
                return Some(Script { source, interpreter: None, flags, place });
            }
            TextOr::Table(table) => table,
        };
        let source = match (&table.file, &table.text) {
            (Some(file), None) => self.script_file(file)?,
            // A program that runs without a script, e.g. `/sbin/ldconfig`.
            (None, Some(text)) if text.value.is_empty() && table.interpreter.is_some() => {
                ScriptSource::Inline(String::new())
            }
            (None, Some(text)) => self.inline(text, &text.value)?,
            (Some(_), Some(text)) => {
                self.fault(text, "`file` and `text` in one script");
                return None;
            }
            (None, None) => {
                self.fault(at, "a script needs `file` or `text`");
                return None;
            }
        };
        let interpreter = table.interpreter.as_ref().map(|at| self.interpreter(at));
        if let Some(at) = &table.interpreter
            && self.first_line(&source).is_some_and(|line| line.starts_with("#!"))
        {
            let message = "the script names its interpreter itself, after `#!`";
            self.advise(at, message, "leave out one of the two");
            return None;
        }
        self.check_first_line(at, &source, Kind::Scriptlet)?;
        let set = |flag: Option<bool>| flag.unwrap_or_default();
        let flags = ScriptFlags {
            expand: set(table.expand),
            qformat: set(table.qformat),
            critical: set(table.critical),
        };
        Some(Script { source, interpreter: settled(interpreter)?, flags, place })
    }

    fn interpreter(&self, at: &At<TextOrList>) -> Option<Vec<String>> {
        let words: Vec<String> = match &at.value {
            TextOrList::Text(text) => text.split_whitespace().map(str::to_owned).collect(),
            TextOrList::List(list) => list.iter().map(|at| at.value.clone()).collect(),
        };
        let Some(program) = words.first() else {
            self.advise(at, "`interpreter` is empty", "leave it out for `/bin/sh`");
            return None;
        };
        if words.iter().any(|word| word.is_empty() || word.contains(char::is_control)) {
            self.fault(at, "`interpreter` has an empty word or a control character in it");
            return None;
        }
        if program == "<lua>" || program.starts_with('/') {
            return Some(words);
        }
        let message = format!("`{}` is not the absolute path of a program", program.escape_debug());
        let hint = match program.trim_matches(['<', '>']) {
            "lua" => "did you mean `<lua>`, which is built into rpm?",
            _ => "e.g. `/usr/bin/python3`, or `<lua>`, which is built into rpm",
        };
        self.advise(at, message, hint);
        None
    }

    /// Returns a text of a control file.
    pub(super) fn text_source(&self, at: &At<TextOr<TextFile>>) -> Option<ScriptSource> {
        match &at.value {
            TextOr::Text(text) => self.inline(at, text),
            TextOr::Table(table) => self.script_file(&table.file),
        }
    }

    fn inline<T>(&self, at: &At<T>, text: &str) -> Option<ScriptSource> {
        if text.trim().is_empty() || text.contains('\0') {
            self.fault(at, "the text is empty or holds a NUL character");
            return None;
        }
        Some(ScriptSource::Inline(text.to_owned()))
    }

    fn script_file(&self, file: &At<String>) -> Option<ScriptSource> {
        if file.value.is_empty() || file.value.contains(char::is_control) {
            self.fault(file, "`file` is empty or holds a control character");
            return None;
        }
        Some(ScriptSource::File(file.value.clone()))
    }

    /// Returns the first line of a text; `None` if it is in a file that is not there yet.
    fn first_line(&self, source: &ScriptSource) -> Option<String> {
        let text = match source {
            ScriptSource::Inline(text) => text.clone(),
            ScriptSource::File(file) => {
                let file = fs_err::File::open(self.cx.base.join(file)).ok()?;
                let mut head = Vec::new();
                file.take(HEAD).read_to_end(&mut head).ok()?;
                String::from_utf8_lossy(&head).into_owned()
            }
        };
        Some(text.lines().next().unwrap_or_default().trim_end().to_owned())
    }

    /// Checks what follows `#!`; a file that only the build makes is checked when it is baked.
    fn check_first_line<T>(&self, at: &At<T>, source: &ScriptSource, kind: Kind) -> Option<()> {
        let Some(line) = self.first_line(source) else { return Some(()) };
        let interpreter = line.strip_prefix("#!").map(str::trim);
        let shown = line.escape_debug();
        let example = "write e.g. `#!/bin/sh`";
        match (interpreter, kind) {
            (Some(""), _) => self.advise(at, "there is no interpreter after `#!`", example),
            (Some(path), _) if !path.starts_with('/') => {
                let message = format!("`{shown}` does not name the absolute path of a program");
                self.advise(at, message, example);
            }
            (Some("/bin/sh"), Kind::Hook) => return Some(()),
            (Some(path), Kind::Hook) if path.starts_with("/bin/sh ") => {
                let options = path.trim_start_matches("/bin/sh").trim();
                let message = format!("the options of `{shown}` would be lost in a larger script");
                self.advise(
                    at,
                    message,
                    format!("begin with `set {options}` in place of the line"),
                );
            }
            (Some(_), Kind::Hook) => {
                let message =
                    format!("a hook is a part of a script for `/bin/sh`, found `{shown}`");
                let hint = "whole scripts stand in [deb.scripts] and [rpm.scripts]";
                self.advise(at, message, hint);
            }
            (None, Kind::Maintainer) if matches!(source, ScriptSource::Inline(_)) => {
                let hint = "start it with a line such as `#!/bin/sh`";
                self.advise(at, "a maintainer script must start with `#!`", hint);
            }
            (None | Some(_), _) => return Some(()),
        }
        None
    }
}
