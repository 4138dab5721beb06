//! The part of YAML that `gem build` writes: block mappings and sequences, scalars in every style,
//! empty flow collections. Tags and anchors are skipped; an alias is nothing.
//!
//! Nothing is constructed from tags, depth is limited, and each byte is looked at a bounded number
//! of times.

use std::collections::BTreeMap;

/// How deep collections may stand in one another; gems need five.
const MAX_DEPTH: usize = 32;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Yaml {
    Text(String),
    List(Vec<Yaml>),
    Map(BTreeMap<String, Yaml>),
    Nothing,
}

impl Yaml {
    /// Returns what stands under a key of a mapping.
    pub(super) fn get(&self, key: &str) -> &Self {
        match self {
            Self::Map(map) => map.get(key).unwrap_or(&Self::Nothing),
            Self::Text(_) | Self::List(_) | Self::Nothing => &Self::Nothing,
        }
    }

    /// Returns the text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::List(_) | Self::Map(_) | Self::Nothing => None,
        }
    }

    /// Returns the elements of a list; a scalar is a list of one.
    pub(super) fn list(&self) -> Vec<&Self> {
        match self {
            Self::List(list) => list.iter().collect(),
            Self::Nothing => Vec::new(),
            one => vec![one],
        }
    }

    /// Returns the texts of a list.
    pub(super) fn texts(&self) -> Vec<&str> {
        self.list().into_iter().filter_map(Self::text).collect()
    }
}

/// Parses a document; the error says which line.
pub(super) fn parse(text: &str) -> Result<Yaml, String> {
    let lines = text
        .lines()
        .enumerate()
        .map(|(number, line)| Line { number: number + 1, text: line.trim_end().to_owned() })
        .collect();
    let mut parser = Parser { lines, at: 0 };
    parser.skip_empty();
    if let Some(rest) = parser.current().and_then(|line| line.text.strip_prefix("---")) {
        let rest = after_properties(rest.trim()).to_owned();
        if rest.is_empty() {
            parser.at += 1;
        } else {
            parser.lines[parser.at].text = rest;
        }
    }
    let value = parser.block(0, 0)?;
    parser.skip_empty();
    match parser.current() {
        Some(line) if line.text != "..." => Err(format!("line {}: unexpected", line.number)),
        _ => Ok(value),
    }
}

struct Line {
    number: usize,
    text: String,
}

impl Line {
    fn indent(&self) -> usize {
        self.text.len() - self.text.trim_start_matches(' ').len()
    }
}

struct Parser {
    lines: Vec<Line>,
    at: usize,
}

impl Parser {
    fn current(&self) -> Option<&Line> {
        self.lines.get(self.at)
    }

    fn fail<T>(&self, reason: &str) -> Result<T, String> {
        let number = self.current().map_or(self.lines.len(), |line| line.number);
        Err(format!("line {number}: {reason}"))
    }

    fn skip_empty(&mut self) {
        let skipped = |text: &str| text.is_empty() || text.trim_start().starts_with('#');
        while self.current().is_some_and(|line| skipped(&line.text)) {
            self.at += 1;
        }
    }

    /// Parses what stands at an indentation of at least this.
    fn block(&mut self, indent: usize, depth: usize) -> Result<Yaml, String> {
        if depth > MAX_DEPTH {
            return self.fail("collections stand too deep in one another");
        }
        self.skip_empty();
        let Some(line) = self.current() else { return Ok(Yaml::Nothing) };
        let found = line.indent();
        if found < indent {
            return Ok(Yaml::Nothing);
        }
        let text = line.text[found..].to_owned();
        if text == "-" || text.starts_with("- ") {
            self.sequence(found, depth)
        } else if split_key(&text).is_some() {
            self.mapping(found, depth)
        } else {
            self.at += 1;
            self.scalar(&text, found.saturating_sub(1))
        }
    }

    fn sequence(&mut self, indent: usize, depth: usize) -> Result<Yaml, String> {
        let mut list = Vec::new();
        loop {
            self.skip_empty();
            let Some(line) = self.current().filter(|line| line.indent() == indent) else { break };
            let Some(rest) = line.text[indent..].strip_prefix('-') else { break };
            if !rest.is_empty() && !rest.starts_with(' ') {
                break;
            }
            let inner = after_properties(rest.trim_start()).to_owned();
            if inner.is_empty() {
                self.at += 1;
                list.push(self.block(indent + 1, depth + 1)?);
            } else if split_key(&inner).is_some() || inner.starts_with("- ") {
                // A collection that begins on the line of its dash.
                let shift = indent + 2;
                let at = self.at;
                self.lines[at].text = format!("{}{inner}", " ".repeat(shift));
                list.push(self.block(shift, depth + 1)?);
            } else {
                self.at += 1;
                list.push(self.scalar(&inner, indent)?);
            }
        }
        Ok(Yaml::List(list))
    }

    fn mapping(&mut self, indent: usize, depth: usize) -> Result<Yaml, String> {
        let mut map = BTreeMap::new();
        loop {
            self.skip_empty();
            let Some(line) = self.current().filter(|line| line.indent() == indent) else { break };
            let text = line.text[indent..].to_owned();
            if text == "-" || text.starts_with("- ") {
                break;
            }
            let Some((key, rest)) = split_key(&text) else {
                return self.fail("expected `key: value`");
            };
            let key = unquoted(key);
            let value = after_properties(rest.trim()).to_owned();
            self.at += 1;
            let value = if value.is_empty() {
                // A sequence may stand at the indentation of its key.
                self.skip_empty();
                let dashed =
                    |line: &&Line| line.indent() == indent && line.text[indent..].starts_with('-');
                let below =
                    if self.current().as_ref().is_some_and(dashed) { indent } else { indent + 1 };
                self.block(below, depth + 1)?
            } else {
                self.scalar(&value, indent)?
            };
            map.insert(key, value);
        }
        Ok(Yaml::Map(map))
    }

    /// Parses a scalar that begins with this text and goes on in lines indented by more.
    fn scalar(&mut self, first: &str, indent: usize) -> Result<Yaml, String> {
        if first.starts_with(['|', '>']) {
            return Ok(self.literal(first, indent));
        }
        if first == "[]" || first == "{}" || first == "~" || first == "null" {
            return Ok(Yaml::Nothing);
        }
        if first.starts_with('*') {
            return Ok(Yaml::Nothing);
        }
        let quote = first.chars().next().filter(|c| matches!(c, '"' | '\''));
        let mut text = first.to_owned();
        loop {
            if quote.is_some_and(|quote| is_closed(&text, quote)) {
                return Ok(Yaml::Text(unquoted(&text)));
            }
            let Some(line) = self.current() else { break };
            let more = line.text.is_empty() || line.indent() > indent;
            if quote.is_none() && (!more || line.text.is_empty()) {
                break;
            }
            let next = line.text.trim().to_owned();
            self.at += 1;
            if quote == Some('"') && text.ends_with('\\') {
                text.pop();
            } else {
                text.push(if next.is_empty() { '\n' } else { ' ' });
            }
            text.push_str(&next);
        }
        if quote.is_some() {
            return self.fail("a quoted text is not closed");
        }
        Ok(Yaml::Text(text))
    }

    /// Parses a `|` or `>` scalar.
    fn literal(&mut self, header: &str, indent: usize) -> Yaml {
        let folded = header.starts_with('>');
        let mut lines = Vec::new();
        let mut inner = None;
        while let Some(line) = self.current() {
            if !line.text.is_empty() && line.indent() <= indent {
                break;
            }
            let from = *inner.get_or_insert_with(|| line.indent());
            lines.push(line.text.get(from..).unwrap_or_default().to_owned());
            self.at += 1;
        }
        let text = lines.join("\n");
        let text = if folded {
            let paragraphs: Vec<String> =
                text.split("\n\n").map(|part| part.replace('\n', " ")).collect();
            paragraphs.join("\n")
        } else {
            text
        };
        Yaml::Text(text.trim_end().to_owned())
    }
}

/// Skips tags and anchors before a value.
fn after_properties(text: &str) -> &str {
    let mut text = text;
    while text.starts_with(['!', '&']) {
        text = text.find(' ').map_or("", |at| text[at..].trim_start());
    }
    text
}

/// Splits `key: value`.
fn split_key(text: &str) -> Option<(&str, &str)> {
    if text.starts_with(['"', '\'']) {
        let quote = text.chars().next()?;
        let end = text[1..].find(quote)? + 2;
        let rest = text[end..].strip_prefix(':')?;
        return (rest.is_empty() || rest.starts_with(' ')).then_some((&text[..end], rest));
    }
    if text.starts_with(['|', '>', '[', '{', '!', '&', '*']) {
        return None;
    }
    let at = text.find(": ").or_else(|| text.ends_with(':').then(|| text.len() - 1))?;
    Some((&text[..at], &text[at + 1..]))
}

/// Returns whether a text that begins with a quote also ends with it.
fn is_closed(text: &str, quote: char) -> bool {
    let inner = &text[1..];
    if quote == '\'' {
        let quotes = inner.chars().rev().take_while(|c| *c == '\'').count();
        return quotes % 2 == 1;
    }
    let Some(body) = inner.strip_suffix('"') else { return false };
    body.chars().rev().take_while(|c| *c == '\\').count() % 2 == 0
}

/// Returns what a quoted text stands for; plain text is itself.
fn unquoted(text: &str) -> String {
    let text = text.trim();
    if text.len() >= 2 && text.starts_with('\'') && text.ends_with('\'') {
        return text[1..text.len() - 1].replace("''", "'");
    }
    if text.len() < 2 || !text.starts_with('"') || !text.ends_with('"') {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut chars = text[1..text.len() - 1].chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let code = |chars: &mut std::str::Chars<'_>, len| {
            let digits: String = chars.by_ref().take(len).collect();
            u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)
        };
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('x') => out.extend(code(&mut chars, 2)),
            Some('u') => out.extend(code(&mut chars, 4)),
            Some('U') => out.extend(code(&mut chars, 8)),
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const GEM: &str = r#"--- !ruby/object:Gem::Specification
name: hello-tool
version: !ruby/object:Gem::Version
  version: 1.2.0.rc1
platform: ruby
authors:
- A. Person
- 'B''s Person'
bindir: exe
date: 2024-01-01 00:00:00.000000000 Z
dependencies:
- !ruby/object:Gem::Dependency
  name: rack
  requirement: &id001 !ruby/object:Gem::Requirement
    requirements:
    - - ">="
      - !ruby/object:Gem::Version
        version: '2.0'
    - - "<"
      - !ruby/object:Gem::Version
        version: '4'
  type: :runtime
  prerelease: false
  version_requirements: *id001
description: |
  Says hello.

    Indented.
summary: "Says \"hello\"
  twice"
email:
- a@example.com
executables: [ ]
extensions: []
metadata: {}
post_install_message:
folded: >-
  one
  two
plain: a text
  that goes on
"#;

    #[test]
    fn reads_what_gem_build_writes() {
        let gem = parse(GEM.replace("[ ]", "[]").as_str()).unwrap();
        assert_eq!(gem.get("name").text(), Some("hello-tool"));
        assert_eq!(gem.get("version").get("version").text(), Some("1.2.0.rc1"));
        assert_eq!(gem.get("authors").texts(), ["A. Person", "B's Person"]);
        assert_eq!(gem.get("description").text(), Some("Says hello.\n\n  Indented."));
        assert_eq!(gem.get("summary").text(), Some("Says \"hello\" twice"));
        assert_eq!(gem.get("folded").text(), Some("one two"));
        assert_eq!(gem.get("plain").text(), Some("a text that goes on"));
        assert_eq!(gem.get("extensions"), &Yaml::Nothing);
        let dependencies = gem.get("dependencies").list();
        assert_eq!(dependencies.len(), 1);
        assert_eq!(dependencies[0].get("type").text(), Some(":runtime"));
        let requirements = dependencies[0].get("requirement").get("requirements").list();
        assert_eq!(requirements.len(), 2);
        let pair = requirements[0].list();
        assert_eq!(pair[0].text(), Some(">="));
        assert_eq!(pair[1].get("version").text(), Some("2.0"));
    }

    #[test]
    fn hostile_documents_are_errors_or_values() {
        let lines: Vec<String> =
            (0..1000).map(|depth| format!("{}a:", " ".repeat(depth))).collect();
        let deep = lines.join("\n");
        assert!(parse(&deep).is_err());
        let dashes = "- ".repeat(10_000);
        assert!(parse(&dashes).is_err());
        for text in ["a: \"x", "'", "\"", "a: 'b", "- \"\\", "&a", "*a", "? x", "\u{e9}:", "-\n-\n"]
        {
            parse(text).ok();
        }
        let bomb = "a: &a [*a, *a]\nb: &b [*a, *a]\n";
        assert!(parse(bomb).is_ok());
    }
}
