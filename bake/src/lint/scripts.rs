//! Rules for the scripts that package managers run.

use bake_recipes::Place;
use bake_recipes::resolved::Script;

use super::finding::Severity::{Info, Warning};
use super::rule::{Check, Report, Rule};
use super::subject::Subject;

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "dangerous-command",
        severity: Warning,
        lintian: &["maintainer-script-removes-device-files"],
        rpmlint: &["dangerous-command-in-%post"],
        about: "a script that removes, moves or re-owns whole trees",
        check: Check::Package(dangerous_command),
    },
    Rule {
        id: "script-calls-service-manager",
        severity: Warning,
        lintian: &[
            "maintainer-script-calls-systemctl",
            "maintainer-script-calls-service",
            "maintainer-script-calls-init-script-directly",
        ],
        rpmlint: &[],
        about: "a script that does what `[service]` and `[[units]]` do",
        check: Check::Package(script_calls_service_manager),
    },
    Rule {
        id: "script-ignores-errors",
        severity: Warning,
        lintian: &["maintainer-script-ignores-errors", "maintainer-script-without-set-e"],
        rpmlint: &[],
        about: "a Debian script that goes on after a command failed",
        check: Check::Package(script_ignores_errors),
    },
    Rule {
        id: "script-empty",
        severity: Warning,
        lintian: &["maintainer-script-empty"],
        rpmlint: &[],
        about: "a script that does nothing",
        check: Check::Package(script_empty),
    },
    Rule {
        id: "script-uses-tmp",
        severity: Warning,
        lintian: &["possibly-insecure-handling-of-tmp-files-in-maintainer-script"],
        rpmlint: &["use-tmp-in-%post"],
        about: "a script that writes to a file that anyone may have made in `/tmp`",
        check: Check::Package(script_uses_tmp),
    },
    Rule {
        id: "script-interpreter",
        severity: Warning,
        lintian: &[
            "unusual-control-interpreter",
            "control-interpreter-in-usr-local",
            "unknown-control-interpreter",
        ],
        rpmlint: &["invalid-shell-in-%post"],
        about: "a script for an interpreter that may not be there",
        check: Check::Package(script_interpreter),
    },
    Rule {
        id: "script-bashism",
        severity: Info,
        lintian: &[],
        rpmlint: &["potential-bashisms"],
        about: "a script for `/bin/sh` with what only bash knows",
        check: Check::Package(script_bashism),
    },
];

/// One script with its text.
struct Text {
    name: &'static str,
    source: String,
    place: Place,
    of_deb: bool,
    interpreter: Option<String>,
}

impl Text {
    /// Returns the lines that do something, without their indentation.
    fn lines(&self) -> impl Iterator<Item = &str> {
        let lines = self.source.lines().map(str::trim);
        lines.filter(|line| !line.is_empty() && !line.starts_with('#'))
    }

    fn is_for_shell(&self) -> bool {
        let interpreter = self.interpreter.as_deref().unwrap_or("/bin/sh");
        matches!(interpreter.rsplit('/').next(), Some("sh" | "bash" | "dash"))
    }
}

fn texts(cx: &Subject<'_>) -> Vec<Text> {
    let mut all: Vec<(&'static str, &Option<Script>, bool)> = Vec::new();
    let hooks = &cx.recipe.hooks;
    all.extend([
        ("before-install", &hooks.before_install, false),
        ("after-install", &hooks.after_install, false),
        ("before-upgrade", &hooks.before_upgrade, false),
        ("after-upgrade", &hooks.after_upgrade, false),
        ("before-remove", &hooks.before_remove, false),
        ("after-remove", &hooks.after_remove, false),
        ("purge", &hooks.purge, false),
    ]);
    if let Some(deb) = &cx.recipe.deb {
        let scripts = &deb.scripts;
        all.extend([
            ("preinst", &scripts.preinst, true),
            ("postinst", &scripts.postinst, true),
            ("prerm", &scripts.prerm, true),
            ("postrm", &scripts.postrm, true),
            ("config", &scripts.config, true),
        ]);
    }
    if let Some(rpm) = &cx.recipe.rpm {
        let scripts = &rpm.scripts;
        all.extend([
            ("%pre", &scripts.pre, false),
            ("%post", &scripts.post, false),
            ("%preun", &scripts.preun, false),
            ("%postun", &scripts.postun, false),
            ("%pretrans", &scripts.pretrans, false),
            ("%posttrans", &scripts.posttrans, false),
        ]);
    }
    let text = |(name, script, of_deb): (&'static str, &Option<Script>, bool)| {
        let script = script.as_ref()?;
        let text = cx.script(script)?;
        let line = text.strip_prefix("#!").and_then(|rest| rest.lines().next());
        let written = script.interpreter.as_ref().and_then(|words| words.first().cloned());
        let interpreter = written.or_else(|| line?.split_whitespace().next().map(str::to_owned));
        Some(Text { name, source: text, place: script.place.clone(), of_deb, interpreter })
    };
    all.into_iter().filter_map(text).collect()
}

fn each(
    cx: &Subject<'_>,
    report: &mut Report<'_>,
    found: impl Fn(&Text) -> Option<(String, String)>,
) {
    for text in texts(cx) {
        if let Some((message, hint)) = found(&text) {
            report.advise(Some(text.place.clone()), format!("{}: {message}", text.name), hint);
        }
    }
}

fn first_line(text: &Text, wanted: impl Fn(&str) -> bool) -> Option<String> {
    text.lines().find(|line| wanted(line)).map(|line| line.chars().take(60).collect())
}

fn dangerous_command(cx: &Subject<'_>, report: &mut Report<'_>) {
    each(cx, report, |text| {
        let line = first_line(text, |line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let recursive = |flags: &str| flags.starts_with('-') && flags.contains(['r', 'R']);
            words.windows(2).any(|pair| match pair {
                ["rm" | "/bin/rm", flags] => recursive(flags),
                ["chown" | "chmod" | "chgrp", flags] => recursive(flags),
                ["mv" | "dd" | "mkfs" | "userdel" | "groupdel", _] => true,
                _ => false,
            })
        })?;
        Some((
            format!("`{line}` touches more than the package's own"),
            "packages remove what they install; `state` of a service owns the rest".into(),
        ))
    });
}

fn script_calls_service_manager(cx: &Subject<'_>, report: &mut Report<'_>) {
    each(cx, report, |text| {
        let line = first_line(text, |line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let calls = |word: &&str| {
                ["systemctl", "service", "/etc/init.d/", "start-stop-daemon"]
                    .iter()
                    .any(|c| *word == *c || (c.ends_with('/') && word.starts_with(c)))
            };
            let daemon = words.iter().any(|word| matches!(*word, "daemon-reload" | "is-active"));
            words.iter().any(calls) && !daemon
        })?;
        Some((
            format!("`{line}` is done by packages"),
            "`[service]` and `[[units]]` enable, start and restart".into(),
        ))
    });
}

fn script_ignores_errors(cx: &Subject<'_>, report: &mut Report<'_>) {
    each(cx, report, |text| {
        let first = text.source.lines().next().unwrap_or_default();
        // bake gives a text without `#!` both the line and `set -e`.
        let own = first.starts_with("#!") && text.is_for_shell();
        let strict = first
            .split_whitespace()
            .skip(1)
            .any(|word| word.starts_with('-') && word.contains('e'))
            || text.lines().any(|line| line.starts_with("set -") && line.contains('e'));
        (text.of_deb && own && !strict)
            .then(|| ("it goes on after a command failed".into(), "begin it with `set -e`".into()))
    });
}

fn script_empty(cx: &Subject<'_>, report: &mut Report<'_>) {
    each(cx, report, |text| {
        let does =
            text.lines().any(|line| !line.starts_with("set -") && line != "exit 0" && line != ":");
        (!does).then(|| ("it does nothing".into(), "leave it out".into()))
    });
}

fn script_uses_tmp(cx: &Subject<'_>, report: &mut Report<'_>) {
    each(cx, report, |text| {
        let line = first_line(text, |line| {
            let names = line.contains("/tmp/") || line.contains("$TMPDIR");
            names && !line.contains("mktemp") && line.contains(['>', '='])
                || line.contains("> /tmp/")
        })?;
        Some((
            format!("`{line}`: anyone may have put a link there"),
            "`mktemp` makes a name of its own".into(),
        ))
    });
}

fn script_interpreter(cx: &Subject<'_>, report: &mut Report<'_>) {
    each(cx, report, |text| {
        let interpreter = text.interpreter.as_deref()?;
        let usual =
            ["/bin/sh", "/bin/bash", "/usr/bin/sh", "/usr/bin/bash", "/usr/bin/perl", "<lua>"];
        (!usual.contains(&interpreter)).then(|| {
            (format!("`{interpreter}` may not be there when it runs"), "`/bin/sh` always is".into())
        })
    });
}

fn script_bashism(cx: &Subject<'_>, report: &mut Report<'_>) {
    each(cx, report, |text| {
        let shell = text.interpreter.as_deref().unwrap_or("/bin/sh").rsplit('/').next()? == "sh";
        let line = first_line(text, |line| {
            ["[[ ", "function ", "declare ", "source ", "&> ", "<<< "]
                .iter()
                .any(|only| line.contains(only))
                && !line.starts_with("echo")
        })?;
        shell.then(|| {
            (format!("`{line}` is for bash"), "begin the script with `#!/bin/bash`".into())
        })
    });
}
