//! Rich RPM dependencies, e.g. `(a if (b and c >= 2) else d)`, by the rules that rpm applies.

use super::{Fault, capability};

/// How deep parentheses may be nested.
const MAX_DEPTH: usize = 32;

/// What stands around an expression, which decides what it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Context {
    /// Nothing that matters.
    Any,
    /// `and`, or a dependency that is wanted.
    And,
    /// `or`, or a dependency that is unwanted.
    Or,
    /// `with` or `without`, which are about one package.
    OnePackage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    And,
    Or,
    With,
    Without,
    If,
    Unless,
}

const OPERATORS: [(&str, Operator); 6] = [
    ("and", Operator::And),
    ("or", Operator::Or),
    ("with", Operator::With),
    ("without", Operator::Without),
    ("if", Operator::If),
    ("unless", Operator::Unless),
];

/// A dependency in parentheses; a condition's `else` is its third part.
struct Rich {
    operator: Operator,
    parts: Vec<Option<Rich>>,
}

/// Checks a whole rich dependency.
pub(super) fn check(text: &str, context: Context) -> Result<(), Fault> {
    if !text.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
        return Err(Fault::new("it holds a character that is not printable ASCII"));
    }
    let mut reader = Reader { rest: text, depth: 0 };
    let rich = reader.rich()?;
    if !reader.rest.is_empty() {
        return Err(Fault::new("it goes on after its closing parenthesis"));
    }
    check_context(&rich, context)
}

/// What is left to read.
struct Reader<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// Reads an expression with its parentheses.
    fn rich(&mut self) -> Result<Rich, Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Fault::new(format!("more than {MAX_DEPTH} parentheses in each other")));
        }
        self.skip("(");
        let mut parts = vec![self.part()?];
        let Some(operator) = self.operator()? else {
            let fault =
                Fault::new("expected `and`, `or`, `if`, `with`, `without` or `unless` in it");
            return Err(fault.hint("a dependency without them stands without parentheses"));
        };
        parts.push(self.part()?);
        let conditional = matches!(operator, Operator::If | Operator::Unless);
        if conditional && self.word() == "else" {
            self.skip("else");
            parts.push(self.part()?);
        }
        while let Some(next) = self.operator()? {
            let chains = matches!(next, Operator::And | Operator::Or | Operator::With);
            if next != operator || !chains {
                let fault = Fault::new("different operators follow each other");
                return Err(fault.hint("put parentheses around what belongs together"));
            }
            parts.push(self.part()?);
        }
        self.skip(")");
        self.depth -= 1;
        Ok(Rich { operator, parts })
    }

    /// Reads an expression, or a capability (`None`).
    fn part(&mut self) -> Result<Option<Rich>, Fault> {
        if self.rest.starts_with('(') {
            return self.rich().map(Some);
        }
        let name = self.word();
        if name.is_empty() {
            let missing =
                if self.rest.is_empty() { UNCLOSED } else { "a dependency is missing in it" };
            return Err(Fault::new(missing));
        }
        self.skip(name);
        let sign = self.word();
        if !sign.starts_with(['<', '>', '=']) {
            return capability::parse(name).map(|_| None);
        }
        self.skip(sign);
        let version = self.word();
        self.skip(version);
        capability::parse(&format!("{name} {sign} {version}")).map(|_| None)
    }

    /// Reads an operator; `None` at a closing parenthesis.
    fn operator(&mut self) -> Result<Option<Operator>, Fault> {
        if self.rest.starts_with(')') {
            return Ok(None);
        }
        let word = self.word();
        if let Some((word, operator)) = OPERATORS.iter().find(|(known, _)| *known == word) {
            self.skip(word);
            return Ok(Some(*operator));
        }
        if self.rest.is_empty() {
            return Err(Fault::new(UNCLOSED));
        }
        let fault = Fault::new(format!("`{word}` is not an operator"));
        let words: Vec<&str> = OPERATORS.iter().map(|(word, _)| *word).collect();
        Err(match crate::suggestion::nearest(&word.to_lowercase(), &words) {
            Some(near) => fault.hint(format!("did you mean `{near}`?")),
            None if word == "else" => fault.hint("`else` follows `if` or `unless`"),
            None => fault.hint(format!("expected one of `{}`", words.join("`, `"))),
        })
    }

    /// Returns the next word: up to a space, or to a parenthesis that it did not open.
    fn word(&self) -> &'a str {
        let mut open = 0_usize;
        let end = self.rest.find(|c| match c {
            '(' => {
                open += 1;
                false
            }
            ')' if open == 0 => true,
            ')' => {
                open -= 1;
                false
            }
            _ => c == ' ',
        });
        self.rest.get(..end.unwrap_or(self.rest.len())).unwrap_or_default()
    }

    fn skip(&mut self, word: &str) {
        let rest = self.rest.strip_prefix(word).unwrap_or(self.rest);
        self.rest = rest.trim_start_matches(' ');
    }
}

const UNCLOSED: &str = "a parenthesis is not closed";

fn check_context(rich: &Rich, context: Context) -> Result<(), Fault> {
    let inner = match (rich.operator, context) {
        (Operator::With | Operator::Without, _) => Context::OnePackage,
        (Operator::Or, Context::OnePackage) => Context::OnePackage,
        (Operator::And | Operator::If | Operator::Unless, Context::OnePackage) => {
            return Err(Fault::new("inside `with` and `without` only they and `or` can stand"));
        }
        (Operator::If, Context::Or) => {
            let fault = Fault::new("`if` can stand neither in `or` nor in what is not wanted");
            return Err(fault.hint("write `and` in place of `if`"));
        }
        (Operator::Unless, Context::And) => {
            let fault = Fault::new("`unless` can stand neither in `and` nor in what is wanted");
            return Err(fault.hint("write `or` in place of `unless`"));
        }
        (Operator::And | Operator::If, _) => Context::And,
        (Operator::Or | Operator::Unless, _) => Context::Or,
    };
    let conditional = matches!(rich.operator, Operator::If | Operator::Unless);
    for (index, part) in rich.parts.iter().enumerate() {
        let context = if conditional && index == 1 { Context::Any } else { inner };
        part.as_ref().map_or(Ok(()), |part| check_context(part, context))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: &str, context: Context) -> String {
        check(text, context).map_or_else(|fault| fault.reason, |()| "ok".into())
    }

    /// What rpmspec of rpm 4.18 says about `Requires: TEXT`.
    #[test]
    fn accepts_for_what_is_wanted_what_rpm_does() {
        let good = [
            "(a if b)",
            "(a if b else c)",
            "(a or b or c)",
            "(a with b with c)",
            "(a >= 1 with a < 2)",
            "((a if b) and c)",
            "((a unless b) or c)",
            "(a with (b or c))",
            "((a or b) without c)",
            "((a without b) with c)",
            "(perl(Foo) >= 1 or b)",
            "(a(b)c or d)",
            "(a if (b unless c))",
            "(a if (b if c))",
            "(a or (b and (c if d)))",
            "(a if b else (c if d))",
            "(a and (b or (c unless d)))",
            "( a  or  b >= 1 )",
            "((a or b)and c)",
            "(and and and)",
        ];
        for text in good {
            assert_eq!(reason(text, Context::And), "ok", "{text}");
        }
    }

    /// Bare `else`, and parentheses around one dependency, are all that rpm takes and this does not.
    #[test]
    fn refuses_for_what_is_wanted_what_rpm_does() {
        let bad = [
            ("(a)", "expected `and`"),
            ("(a else b)", "`else`"),
            ("(a unless b)", "`unless`"),
            ("(a unless b else c)", "`unless`"),
            ("((a if b) or c)", "`if`"),
            ("((a unless b) and c)", "`unless`"),
            ("((a unless b) if c)", "`unless`"),
            ("(a if (b and (c unless d)))", "`unless`"),
            ("(a if b else (c unless d))", "`unless`"),
            ("(a if b else (c or (d if e)))", "`if`"),
            ("(a and b or c)", "different"),
            ("(a and b if c)", "different"),
            ("(a if b or c)", "different"),
            ("(a without b without c)", "different"),
            ("(a if b if c)", "different"),
            ("(a if b else c or d)", "different"),
            ("(a if b else c else d)", "`else`"),
            ("(a with (b and c))", "inside"),
            ("(a with (b or (c and d)))", "inside"),
            ("((a unless b) with c)", "inside"),
            ("()", "missing"),
            ("(a or ())", "missing"),
            ("(a or)", "missing"),
            ("(or b)", "`b`"),
            ("(a b)", "`b`"),
            ("(a AND b)", "`AND`"),
            ("(a or b", "not closed"),
            ("(a or", "not closed"),
            ("(a or (b)", "expected `and`"),
            ("(a or b >= )", "no version"),
            ("(a or b >= 1-2-3)", "`-`"),
            ("(a or >= 1)", "not a name"),
            ("(a or b,c)", "not a name"),
            ("(a(x y) or b)", "`y`"),
            ("(a or b) c", "goes on"),
        ];
        for (text, expected) in bad {
            let found = reason(text, Context::And);
            assert!(found.contains(expected), "{text}: {found}");
        }
        let deep = format!("{}a or b{}", "(".repeat(10_000), ")".repeat(10_000));
        assert!(reason(&deep, Context::Any).contains("32"));
    }

    /// What rpmspec of rpm 4.18 says about `Conflicts: TEXT`.
    #[test]
    fn judges_what_is_unwanted_as_rpm_does() {
        let good = [
            "(a unless b)",
            "(a unless (b if c))",
            "(a unless b else c)",
            "(a unless b else (c unless d))",
            "((a if b) and c)",
            "((a unless b) unless c)",
            "(a and (b or (c unless d)))",
            "(a unless (b and (c if d)))",
        ];
        for text in good {
            assert_eq!(reason(text, Context::Or), "ok", "{text}");
        }
        for text in ["(a if b)", "(a unless b else (c if d))", "((a if b) unless c)"] {
            assert!(reason(text, Context::Or).contains("`if`"), "{text}");
        }
        assert!(reason("((a unless b) and c)", Context::Or).contains("`unless`"));
    }
}
