//! How generated parts and a script of the recipe become one.

use bake_formats::rpm::{Script, ScriptFlags};

use super::Scriptlet;

/// Shells that run the generated parts.
const SHELLS: [&str; 5] = ["sh", "bash", "dash", "ksh", "mksh"];

/// Why a script cannot be combined with generated parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CombineError {
    pub(super) reason: String,
    pub(super) hint: String,
}

/// Returns a scriptlet: the recipe's own after the generated parts, in `%preun` before them; none
/// if there is neither.
///
/// An own `%preun` runs in a shell of its own, so that its `exit` does not leave units running; its
/// failure fails the scriptlet all the same.
pub(super) fn combine(
    scriptlet: Scriptlet,
    own: Option<Script>,
    parts: &[String],
) -> Result<Option<Script>, CombineError> {
    let generated = parts.join("\n");
    let Some(own) = own else {
        return Ok((!parts.is_empty()).then(|| Script::shell(generated)));
    };
    if parts.is_empty() {
        return Ok(Some(own));
    }
    check(scriptlet, &own)?;
    let end = if own.body.ends_with('\n') { "" } else { "\n" };
    let body = if scriptlet == Scriptlet::Preun {
        let Script { body, .. } = &own;
        format!(
            "(\n{body}{end})\nbake_status=$?\n[ \"$bake_status\" -eq 0 ] || exit \"$bake_status\"\n\n\
             {generated}"
        )
    } else {
        format!("{generated}\n{}{end}", own.body)
    };
    Ok(Some(Script { body, ..own }))
}

fn check(scriptlet: Scriptlet, own: &Script) -> Result<(), CombineError> {
    let name = scriptlet.name();
    let added = "and the recipe's service, units, alternatives or hooks add commands for the shell \
                 to it";
    let program = own.interpreter.rsplit('/').next().unwrap_or_default();
    if !SHELLS.contains(&program) {
        return Err(CombineError {
            reason: format!("{name} is for `{}`, {added}", own.interpreter),
            hint: "write it for /bin/sh, and call the other program from there".into(),
        });
    }
    let ScriptFlags { expand, qformat, critical: _ } = own.flags;
    if expand || qformat {
        return Err(CombineError {
            reason: format!("rpm is to expand the text of {name}, {added}"),
            hint: "leave `expand` and `qformat` out, or the script".into(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> Vec<String> {
        vec!["one\n".into(), "two\n".into()]
    }

    fn body(scriptlet: Scriptlet, own: Option<&str>, parts: &[String]) -> Option<String> {
        let own = own.map(Script::shell);
        combine(scriptlet, own, parts).unwrap().map(|script| script.body)
    }

    #[test]
    fn own_scripts_follow_generated_parts_but_in_preun() {
        let expected = Some("one\n\ntwo\n\nown\n".to_owned());
        assert_eq!(body(Scriptlet::Pre, Some("own"), &parts()), expected);
        assert_eq!(body(Scriptlet::Posttrans, Some("own\n"), &parts()), expected);
        let preun = body(Scriptlet::Preun, Some("own"), &parts()).unwrap();
        assert!(preun.starts_with("(\nown\n)\n") && preun.ends_with("\n\none\n\ntwo\n"), "{preun}");
    }

    #[test]
    fn either_may_be_missing() {
        assert_eq!(body(Scriptlet::Post, None, &[]), None);
        assert_eq!(body(Scriptlet::Post, None, &parts()), Some("one\n\ntwo\n".into()));
        let lua = Script { interpreter: "<lua>".into(), ..Script::shell("print(1)") };
        assert_eq!(combine(Scriptlet::Post, Some(lua.clone()), &[]), Ok(Some(lua)));
    }

    #[test]
    fn a_script_that_is_not_for_the_shell_is_refused() {
        let lua = Script { interpreter: "<lua>".into(), ..Script::shell("print(1)") };
        assert!(combine(Scriptlet::Post, Some(lua), &parts()).is_err());
        for (expand, qformat, accepted) in
            [(true, false, false), (false, true, false), (false, false, true)]
        {
            let flags = ScriptFlags { expand, qformat, critical: true };
            let script =
                Script { flags, interpreter: "/usr/bin/bash".into(), ..Script::shell("x") };
            let combined = combine(Scriptlet::Post, Some(script), &parts());
            assert_eq!(combined.is_ok(), accepted);
            if let Ok(Some(script)) = combined {
                assert_eq!(
                    (script.interpreter.as_str(), script.flags.critical),
                    ("/usr/bin/bash", true)
                );
            }
        }
    }
}
