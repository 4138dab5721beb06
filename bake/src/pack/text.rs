//! The text of a recipe in the making: short, in the order a person writes it, with a word on what
//! came from where.

use toml::{Table, Value};

use super::document::{Document, Origin};

/// The keys of the top level in the order they are written; others follow.
const TOP: [&str; 22] = [
    "name",
    "version",
    "release",
    "epoch",
    "summary",
    "description",
    "license",
    "maintainer",
    "vendor",
    "homepage",
    "vcs",
    "source-date",
    "platforms",
    "architecture",
    "depends",
    "recommends",
    "suggests",
    "conflicts",
    "provides",
    "replaces",
    "auto-depends",
    "changelog",
];
/// The tables in the order they are written; others follow.
const TABLES: [&str; 12] = [
    "files",
    "scripts",
    "service",
    "units",
    "alternatives",
    "copyright",
    "config",
    "deb",
    "rpm",
    "oci",
    "vm",
    "lint",
];
/// The keys of a `[[files]]` table in the order they are written.
const FILE: [&str; 5] = ["from", "content", "symlink", "directory", "to"];
/// Longer arrays are written with one element on a line, in bytes.
const WIDTH: usize = 100;

/// The text of a recipe, and who said what stands on each line.
#[derive(Debug)]
pub struct RecipeText {
    /// The text.
    pub text: String,
    /// One for each line.
    pub lines: Vec<Option<Origin>>,
}

impl Document {
    /// Returns the recipe's text under a comment of these lines.
    pub(super) fn to_text(&self, header: &[String]) -> RecipeText {
        let mut writer = Writer { document: self, text: String::new(), lines: Vec::new() };
        for line in header {
            writer.line(format!("# {line}").trim_end(), None);
        }
        writer.line("", None);
        let top = ordered(&self.keys, &TOP);
        for key in top.iter().filter(|key| is_plain(key, &self.keys[**key])) {
            writer.entry(&[(*key).to_owned()], &self.keys[*key], false);
        }
        for key in ordered(&self.keys, &TABLES) {
            writer.section(key, &self.keys[key]);
        }
        RecipeText { text: writer.text, lines: writer.lines }
    }
}

/// Returns whether a key of the top level is written on a line of its own; of the version's
/// `{ from = "Cargo.toml" }`, too.
fn is_plain(key: &str, value: &Value) -> bool {
    key == "version" || !is_section(value)
}

/// Returns whether a value of the top level is written under a header of its own.
fn is_section(value: &Value) -> bool {
    match value {
        Value::Table(_) => true,
        Value::Array(list) => !list.is_empty() && list.iter().all(Value::is_table),
        _ => false,
    }
}

/// Returns the keys of a table, those of a list first.
fn ordered<'a>(table: &'a Table, first: &[&str]) -> Vec<&'a str> {
    let place = |key: &str| first.iter().position(|other| *other == key).unwrap_or(first.len());
    let mut keys: Vec<&str> = table.keys().map(String::as_str).collect();
    keys.sort_by_key(|key| (place(key), *key));
    keys
}

struct Writer<'a> {
    document: &'a Document,
    text: String,
    lines: Vec<Option<Origin>>,
}

impl Writer<'_> {
    fn line(&mut self, text: &str, origin: Option<&Origin>) {
        for line in text.split('\n') {
            self.text.push_str(line);
            self.text.push('\n');
            self.lines.push(origin.cloned());
        }
    }

    fn section(&mut self, key: &str, value: &Value) {
        match value {
            Value::Table(table) if !is_plain(key, value) => {
                self.line("", None);
                self.line(&format!("[{}]", name(key)), None);
                self.entries(&[key.to_owned()], table);
            }
            Value::Array(list) if is_section(value) => {
                for (number, element) in list.iter().enumerate() {
                    let Value::Table(table) = element else { continue };
                    self.line("", None);
                    self.line(&format!("[[{}]]", name(key)), None);
                    self.entries(&[key.to_owned(), number.to_string()], table);
                }
            }
            _ => {}
        }
    }

    fn entries(&mut self, path: &[String], table: &Table) {
        for key in ordered(table, &FILE) {
            let mut path = path.to_vec();
            path.push(key.to_owned());
            self.entry(&path, &table[key], true);
        }
    }

    fn entry(&mut self, path: &[String], value: &Value, quiet: bool) {
        let key = path.last().map(String::as_str).unwrap_or_default();
        let origin = self.document.origin(path).cloned();
        let mut text = format!("{} = {}", name(key), inline(value));
        if text.len() > WIDTH
            && let Value::Array(list) = value
        {
            let elements: Vec<String> =
                list.iter().map(|element| format!("    {},", inline(element))).collect();
            text = format!("{} = [\n{}\n]", name(key), elements.join("\n"));
        }
        if let Some(Origin::Source(by)) = &origin
            && !quiet
            && !text.contains('\n')
        {
            text = format!("{text} # from {by}");
        }
        self.line(&text, origin.as_ref());
    }
}

/// Returns a value as TOML writes it; text of several lines stays readable.
fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => string(text),
        Value::Array(list) => {
            let elements: Vec<String> = list.iter().map(inline).collect();
            format!("[{}]", elements.join(", "))
        }
        Value::Table(table) if table.is_empty() => "{}".into(),
        Value::Table(table) => {
            let entries: Vec<String> = table
                .iter()
                .map(|(key, value)| format!("{} = {}", name(key), inline(value)))
                .collect();
            format!("{{ {} }}", entries.join(", "))
        }
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {
            value.to_string()
        }
    }
}

fn string(text: &str) -> String {
    let many = text.contains('\n');
    let mut out = String::from(if many { "\"\"\"\n" } else { "\"" });
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        // Of three quotes in a row, or before the end, one would end the text.
        let open = many && chars.peek().is_some_and(|next| *next != '"');
        match c {
            '\\' => out.push_str("\\\\"),
            '"' if open => out.push('"'),
            '"' => out.push_str("\\\""),
            '\n' if many => out.push('\n'),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push_str(if many { "\"\"\"" } else { "\"" });
    out
}

fn name(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if !key.is_empty() && key.chars().all(bare) { key.to_owned() } else { string(key) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Vec<String> {
        text.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn any_document_is_read_back_as_it_is() {
        let source = r#"
            name = "a"
            version = { from = "Cargo.toml" }
            description = "one\n\"two\" \"\"\"x \\ \t\u0007\""
            depends = ["a >= 1", "b"]
            epoch = 3
            [service]
            command = ["/usr/bin/a"]
            systemd = { Service = { LimitNOFILE = 5, "odd key" = "x" } }
            [[files]]
            from = "x"
            to = "/x"
            [[files]]
            content = "line\n"
            to = "/y"
            [deb]
            [config.KEY]
            type = "string"
        "#;
        let keys: Table = toml::from_str(source).unwrap();
        let mut document = Document::default();
        document.keys = keys;
        for number in 0..30 {
            let value = Value::String(format!("package-{number}"));
            document.push(&path("depends"), value, None).unwrap();
        }
        let made = document.to_text(&["Made.".into()]);
        let read: Table = toml::from_str(&made.text).unwrap();
        assert_eq!(read, document.keys, "{}", made.text);
        assert_eq!(made.text.lines().count(), made.lines.len());
    }

    #[test]
    fn every_line_knows_who_said_it() {
        let mut document = Document::default();
        let flag = |text: &str| Some(Origin::Flag { text: text.into(), value: 9 });
        document.set(&path("name"), "a".into(), Some(Origin::Source("METADATA".into()))).unwrap();
        document.push(&path("depends"), "x y".into(), flag("--depends 'x y'")).unwrap();
        document.set(&path("deb.fields.Bugs"), "x".into(), flag("--set …")).unwrap();
        let made = document.to_text(&["Made.".into()]);
        let lines: Vec<(&str, bool)> =
            made.text.lines().zip(made.lines.iter().map(Option::is_some)).collect();
        let expected = [
            ("# Made.", false),
            ("", false),
            ("name = \"a\" # from METADATA", true),
            ("depends = [\"x y\"]", true),
            ("", false),
            ("[deb]", false),
            ("fields = { Bugs = \"x\" }", true),
        ];
        assert_eq!(lines, expected);
        assert!(document.set(&path("name.x"), "b".into(), None).is_err());
        assert!(document.set(&path("depends.5"), "b".into(), None).is_err());
    }
}
