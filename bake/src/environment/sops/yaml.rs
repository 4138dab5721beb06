//! YAML, as far as sops writes it: one document without anchors and tags.

use std::collections::HashSet;

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::tree::{MAX_DEPTH, Node};

/// Reads a document.
pub(super) fn parse(text: &str) -> Result<Node, String> {
    let mut reader = Reader { parser: Parser::new_from_str(text), line: 1 };
    let mut event = reader.next()?;
    while matches!(event, Event::StreamStart | Event::DocumentStart(_)) {
        event = reader.next()?;
    }
    let document = reader.node(event, 0)?;
    if !matches!(reader.next()?, Event::DocumentEnd) || !matches!(reader.next()?, Event::StreamEnd)
    {
        return Err(reader.fault("begins another document, expected one"));
    }
    Ok(document)
}

struct Reader<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    line: usize,
}

impl<'a> Reader<'a> {
    fn fault(&self, reason: &str) -> String {
        format!("line {} {reason}", self.line)
    }

    fn next(&mut self) -> Result<Event<'a>, String> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                self.line = span.start.line();
                Ok(event)
            }
            Some(Err(error)) => {
                self.line = error.marker().line();
                Err(self.fault("is no YAML"))
            }
            None => Err(self.fault("is the end, expected more")),
        }
    }

    fn node(&mut self, event: Event<'a>, depth: usize) -> Result<Node, String> {
        if depth > MAX_DEPTH {
            return Err(self.fault("is too deep"));
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.plain(anchor, tag.is_some())?;
                Ok(scalar(&text, style))
            }
            Event::SequenceStart(anchor, tag) => {
                self.plain(anchor, tag.is_some())?;
                self.list(depth).map(Node::List)
            }
            Event::MappingStart(anchor, tag) => {
                self.plain(anchor, tag.is_some())?;
                self.map(depth).map(Node::Map)
            }
            Event::Alias(_) => Err(self.fault("has an alias, which is not supported")),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => Err(self.fault("ends where a value was expected")),
        }
    }

    fn plain(&self, anchor: usize, has_tag: bool) -> Result<(), String> {
        if anchor == 0 && !has_tag {
            return Ok(());
        }
        Err(self.fault("has an anchor or a tag, which is not supported"))
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, String> {
        let mut all = Vec::new();
        loop {
            match self.next()? {
                Event::SequenceEnd => return Ok(all),
                event => all.push(self.node(event, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<(String, Node)>, String> {
        let mut all = Vec::new();
        let mut names = HashSet::new();
        loop {
            let name = match self.next()? {
                Event::MappingEnd => return Ok(all),
                Event::Scalar(text, _, 0, None) => text.into_owned(),
                _ => return Err(self.fault("has a name that is not text")),
            };
            if !names.insert(name.clone()) {
                return Err(self.fault("has a name that stands there twice"));
            }
            let event = self.next()?;
            all.push((name, self.node(event, depth + 1)?));
        }
    }
}

/// Reads a scalar as the YAML library of sops does, which knows more spellings of numbers than YAML 1.2.
fn scalar(text: &str, style: ScalarStyle) -> Node {
    if style != ScalarStyle::Plain {
        return Node::Text(text.into());
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Node::Null,
        "true" | "True" | "TRUE" => return Node::Bool(true),
        "false" | "False" | "FALSE" => return Node::Bool(false),
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return Node::Text(text.into());
    }
    let digits = text.replace('_', "");
    if let Some(number) = whole(&digits) {
        return Node::Number(number.to_string());
    }
    if is_float(&digits)
        && let Ok(number) = digits.parse::<f64>()
        && number.is_finite()
    {
        return Node::Number(number.to_string());
    }
    if is_date(text) {
        return Node::Text(format!("{text}T00:00:00Z"));
    }
    Node::Text(text.into())
}

fn whole(text: &str) -> Option<i64> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        Some(_) if lower.starts_with('0') => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let number = i128::from_str_radix(digits, radix).ok()?;
    i64::try_from(if is_negative { -number } else { number }).ok()
}

fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let mut parts = unsigned.splitn(2, ['e', 'E']);
    let (mantissa, exponent) = (parts.next().unwrap_or_default(), parts.next());
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let has_mantissa =
        are_digits(before) && are_digits(after) && !(before.is_empty() && after.is_empty());
    let exponent = exponent.map(|text| text.strip_prefix(['-', '+']).unwrap_or(text));
    has_mantissa && exponent.is_none_or(|text| !text.is_empty() && are_digits(text))
}

/// Returns whether a text is a date, e.g. `2026-01-31`, which sops takes for its first moment.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let separators = bytes.len() == 10 && bytes[4] == b'-' && bytes[7] == b'-';
    separators
        && bytes.iter().enumerate().all(|(at, byte)| at == 4 || at == 7 || byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Node {
        Node::Number(text.into())
    }

    fn text(text: &str) -> Node {
        Node::Text(text.into())
    }

    #[test]
    fn scalars_are_what_sops_takes_them_for() {
        let cases = [
            ("yes", text("yes")),
            ("no", text("no")),
            ("True", Node::Bool(true)),
            ("~", Node::Null),
            ("1000000", number("1000000")),
            ("007", number("7")),
            ("08", number("8")),
            ("0x1F", number("31")),
            ("-0b11", number("-3")),
            ("1_000", number("1000")),
            ("1.50", number("1.5")),
            ("1e3", number("1000")),
            ("1e21", number("1000000000000000000000")),
            (".5", number("0.5")),
            ("+", text("+")),
            ("-", text("-")),
            ("1.2.3", text("1.2.3")),
            ("2026-01-31", text("2026-01-31T00:00:00Z")),
            ("10.0.0.0/8", text("10.0.0.0/8")),
        ];
        for (written, expected) in cases {
            assert_eq!(scalar(written, ScalarStyle::Plain), expected, "{written}");
            assert_eq!(scalar(written, ScalarStyle::DoubleQuoted), text(written));
        }
    }

    #[test]
    fn documents_keep_their_order() {
        let parsed = parse("b: [1, {c: x}]\na: |\n  two\n  lines\nnone:\n").unwrap();
        let expected = Node::Map(vec![
            ("b".into(), Node::List(vec![number("1"), Node::Map(vec![("c".into(), text("x"))])])),
            ("a".into(), text("two\nlines\n")),
            ("none".into(), Node::Null),
        ]);
        assert_eq!(parsed, expected);
    }

    #[test]
    fn what_sops_does_not_write_is_refused() {
        for (written, expected) in [
            ("a: 1\na: 2\n", "line 2 has a name that stands there twice"),
            ("a: &x 1\nb: *x\n", "line 1 has an anchor or a tag"),
            ("a: !!str 1\n", "line 1 has an anchor or a tag"),
            ("a: 1\n---\nb: 2\n", "begins another document"),
            ("[a]: 1\n", "line 1 has a name that is not text"),
            ("a: \"x\n", "is no YAML"),
            ("", ""),
        ] {
            let error = parse(written).unwrap_err();
            assert!(error.contains(expected), "{written}: {error}");
        }
        assert!(parse(&"[".repeat(100_000)).is_err());
        assert!(parse(&format!("a: {}1{}", "[".repeat(70), "]".repeat(70))).is_err());
    }
}
