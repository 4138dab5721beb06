//! How generated parts and a script of the recipe become one.

use bake_formats::deb::ControlFile;

/// What a script has where the generated parts belong, as debhelper has it.
const TOKEN: &str = "#DEBHELPER#";
/// Shells that run the generated parts.
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "ksh", "mksh", "busybox"];
/// What generated scripts begin with.
const HEAD: &str = "#!/bin/sh\nset -e\n\n";

/// Why a script cannot be combined with generated parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CombineError {
    pub(super) reason: String,
    pub(super) hint: String,
}

/// Returns a script: the recipe's own with the generated parts at the token, else after it
/// (`preinst`, `postinst`) or before it (`prerm`, `postrm`); none if there is neither.
pub(super) fn combine(
    file: ControlFile,
    own: Option<String>,
    parts: &[String],
) -> Result<Option<String>, CombineError> {
    let generated = parts.join("\n");
    let Some(own) = own else {
        return Ok((!parts.is_empty()).then(|| format!("{HEAD}{generated}")));
    };
    let is_token = |line: &&str| line.trim() == TOKEN;
    let tokens = own.lines().filter(is_token).count();
    if parts.is_empty() {
        return Ok(Some(if tokens == 0 { own } else { replaced(&own, "") }));
    }
    if !is_shell(&own) {
        let first = own.lines().next().unwrap_or_default();
        return Err(CombineError {
            reason: format!(
                "{name} is for `{first}`, and the recipe's service, units, alternatives, \
                 capabilities or hooks add commands for the shell to it",
                name = file.name()
            ),
            hint: "write it for `/bin/sh`; it can call a program in another language".into(),
        });
    }
    match (tokens, file) {
        (1, _) => Ok(Some(replaced(&own, &generated))),
        (0, ControlFile::Prerm | ControlFile::Postrm) => Ok(Some(before(&own, &generated))),
        (0, _) => after(file, &own, &generated).map(Some),
        (several, _) => Err(CombineError {
            reason: format!("{} has the line `{TOKEN}` {several} times", file.name()),
            hint: "leave it where the generated commands are to be".into(),
        }),
    }
}

/// Puts the generated parts in place of the line with the token.
fn replaced(own: &str, generated: &str) -> String {
    let line = |line: &str| {
        if line.trim() == TOKEN { generated.to_owned() } else { line.to_owned() }
    };
    own.split_inclusive('\n').map(line).collect()
}

/// Puts the generated parts behind the line that names the interpreter. They look after failures
/// themselves, because `set -e` comes later if at all.
fn before(own: &str, generated: &str) -> String {
    let (first, rest) = own.split_once('\n').unwrap_or((own, ""));
    format!("{first}\n{generated}\n{rest}")
}

fn after(file: ControlFile, own: &str, generated: &str) -> Result<String, CombineError> {
    if let Some(last) = last_word(own) {
        return Err(CombineError {
            reason: format!(
                "{} ends with `{last}`, so the commands that the recipe's service, units, \
                 alternatives, capabilities or hooks add after it would never run",
                file.name()
            ),
            hint: format!("put a line `{TOKEN}` where they are to run, or leave `{last}` out"),
        });
    }
    let end = if own.ends_with('\n') { "" } else { "\n" };
    Ok(format!("{own}{end}\n{generated}"))
}

/// Returns `exit` or `exec` if the last command of a script is one.
fn last_word(own: &str) -> Option<&'static str> {
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let last = own.lines().rfind(is_code)?;
    let command = last.trim().trim_end_matches(';').rsplit(';').next()?.trim();
    let word = command.split_whitespace().next()?;
    ["exit", "exec"].into_iter().find(|known| *known == word)
}

/// Returns whether a script's interpreter is a shell that knows POSIX's language.
fn is_shell(own: &str) -> bool {
    let line = own.lines().next().unwrap_or_default();
    let Some(rest) = line.strip_prefix("#!") else { return true };
    let base = |word: &str| word.rsplit('/').next().unwrap_or_default().to_owned();
    let mut words = rest.split_whitespace().map(base);
    let first = words.next().unwrap_or_default();
    let name = if first == "env" { words.next().unwrap_or_default() } else { first };
    SHELLS.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: &str = "# bake: x\nx\n# bake: end\n";

    fn with_part(file: ControlFile, own: &str) -> Result<String, CombineError> {
        combine(file, Some(own.into()), &[PART.into()]).map(Option::unwrap)
    }

    #[test]
    fn a_script_without_parts_is_untouched() {
        let own = "#!/usr/bin/perl\nexit 0";
        assert_eq!(combine(ControlFile::Postinst, Some(own.into()), &[]).unwrap().unwrap(), own);
        assert_eq!(combine(ControlFile::Postinst, None, &[]).unwrap(), None);
        let token = "#!/bin/sh\nset -e\n#DEBHELPER#\nexit 0\n";
        let text = combine(ControlFile::Postinst, Some(token.into()), &[]).unwrap().unwrap();
        assert_eq!(text, "#!/bin/sh\nset -e\nexit 0\n");
    }

    #[test]
    fn parts_stand_where_the_script_says_or_at_its_safe_end() {
        let own = "#!/bin/sh\nset -e\na\n  #DEBHELPER#\nexit 0\n";
        let expected = format!("#!/bin/sh\nset -e\na\n{PART}exit 0\n");
        assert_eq!(with_part(ControlFile::Postinst, own).unwrap(), expected);
        assert_eq!(with_part(ControlFile::Prerm, own).unwrap(), expected);
        let own = "#!/bin/bash\nset -e\na";
        let expected = format!("#!/bin/bash\nset -e\na\n\n{PART}");
        assert_eq!(with_part(ControlFile::Preinst, own).unwrap(), expected);
        let expected = format!("#!/bin/bash\n{PART}\nset -e\na");
        assert_eq!(with_part(ControlFile::Postrm, own).unwrap(), expected);
        let alone = combine(ControlFile::Postinst, None, &[PART.into(), PART.into()]);
        assert_eq!(alone.unwrap().unwrap(), format!("{HEAD}{PART}\n{PART}"));
    }

    #[test]
    fn parts_that_would_never_run_are_an_error() {
        for own in [
            "#!/bin/sh\na\nexit 0\n",
            "#!/bin/sh\nexec b\n\n# end\n",
            "#!/bin/sh\na; exit 1;\n",
            "#!/usr/bin/perl\na\n",
            "#!/usr/bin/env python3\na\n",
            "#!/bin/sh\n#DEBHELPER#\n#DEBHELPER#\n",
        ] {
            let error = with_part(ControlFile::Postinst, own).unwrap_err();
            assert!(!error.hint.is_empty(), "{own}");
        }
        // They come before the end of these.
        assert!(with_part(ControlFile::Prerm, "#!/bin/sh\na\nexit 0\n").is_ok());
        assert!(with_part(ControlFile::Postinst, "#!/bin/sh\nif a; then\nexit 0\nfi\n").is_ok());
        assert!(with_part(ControlFile::Postinst, "#!/bin/sh\na || exit 1\n").is_ok());
    }
}
