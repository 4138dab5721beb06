//! Control data (deb822(5)): paragraphs of `Field: value` lines, values folded over lines that
//! start with a space.

use std::fmt;

/// One paragraph: fields in order, each name once.
///
/// A value is its lines, joined by line feeds: the first without surrounding white space, the
/// others without the one space or tab that marks them as continued.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Paragraph {
    fields: Vec<(String, String)>,
}

/// Text that is no paragraph, or a field that cannot be part of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// A line of the text is malformed.
    #[error("line {line}: {reason}")]
    Line {
        /// The line's number, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A field cannot be added.
    #[error("field {field}: {reason}")]
    Field {
        /// The field's name.
        field: String,
        /// What is wrong.
        reason: &'static str,
    },
}

impl Paragraph {
    /// Starts empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + '_ {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns a field's value; names are compared without regard to case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Removes a field and returns its value.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        let index = self.fields.iter().position(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(self.fields.remove(index).1)
    }

    /// Appends a field after the others; an empty value is refused.
    pub fn push(
        &mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<(), ControlError> {
        let (field, value) = (name.into(), value.into());
        if value.is_empty() {
            return Err(ControlError::Field { field, reason: "it is empty" });
        }
        self.push_parsed(field, value)
    }

    fn push_parsed(&mut self, field: String, value: String) -> Result<(), ControlError> {
        let checked = check_name(&field).and_then(|()| check_value(&value));
        if let Err(reason) = checked {
            return Err(ControlError::Field { field, reason });
        }
        if self.get(&field).is_some() {
            return Err(ControlError::Field { field, reason: "it is there twice" });
        }
        self.fields.push((field, value));
        Ok(())
    }

    /// Parses text that is exactly one paragraph; values may be empty.
    pub fn parse(text: &str) -> Result<Self, ControlError> {
        let mut all = Self::parse_all(text)?;
        if let (Some(paragraph), true) = (all.pop(), all.is_empty()) {
            return Ok(paragraph);
        }
        Err(ControlError::Line { line: 1, reason: "expected exactly one paragraph".into() })
    }

    /// Parses paragraphs that are separated by empty lines.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, ControlError> {
        let mut all = Vec::new();
        let mut paragraph = Self::new();
        let mut pending: Option<(usize, String, String)> = None;
        for (index, line) in text.split('\n').enumerate() {
            if line.starts_with([' ', '\t']) && !line.trim().is_empty() {
                let Some((_, _, value)) = &mut pending else {
                    let reason = "a continued line without a field before it".into();
                    return Err(ControlError::Line { line: index + 1, reason });
                };
                value.push('\n');
                value.push_str(line.get(1..).unwrap_or_default().trim_end());
                continue;
            }
            paragraph.push_pending(pending.take())?;
            if line.trim().is_empty() {
                if !paragraph.fields.is_empty() {
                    all.push(std::mem::take(&mut paragraph));
                }
                continue;
            }
            let Some((name, value)) = line.split_once(':') else {
                let reason = "expected `Field: value`".into();
                return Err(ControlError::Line { line: index + 1, reason });
            };
            pending = Some((index + 1, name.into(), value.trim().into()));
        }
        paragraph.push_pending(pending)?;
        if !paragraph.fields.is_empty() {
            all.push(paragraph);
        }
        Ok(all)
    }

    fn push_pending(&mut self, field: Option<(usize, String, String)>) -> Result<(), ControlError> {
        let Some((line, name, value)) = field else { return Ok(()) };
        self.push_parsed(name, value)
            .map_err(|error| ControlError::Line { line, reason: error.to_string() })
    }
}

impl fmt::Display for Paragraph {
    /// Writes the lines, each with its line feed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.iter() {
            let mut lines = value.split('\n');
            match lines.next() {
                None | Some("") => writeln!(f, "{name}:")?,
                Some(first) => writeln!(f, "{name}: {first}")?,
            }
            lines.try_for_each(|line| writeln!(f, " {line}"))?;
        }
        Ok(())
    }
}

/// Returns what is wrong with a field name.
pub(super) fn check_name(name: &str) -> Result<(), &'static str> {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
    if name.is_empty() || !is_plain || name.starts_with(['#', '-']) {
        return Err("a field name is printable ASCII without spaces and colons");
    }
    Ok(())
}

/// Returns what is wrong with a value, by the line.
fn check_value(value: &str) -> Result<(), &'static str> {
    if value.contains(|c: char| c.is_control() && c != '\n' && c != '\t') {
        return Err("it has a control character");
    }
    for (index, line) in value.split('\n').enumerate() {
        if line.ends_with(char::is_whitespace) || (index == 0 && line.trim_start() != line) {
            return Err("a line of it has white space at an end");
        }
        if index > 0 && line.is_empty() {
            return Err("a line of it is empty");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printing_undoes_parsing() {
        let text =
            "Package: hello\nDescription: greets\n long text\n .\n  verbatim\nFiles:\n a 1\n";
        let paragraph = Paragraph::parse(text).unwrap();
        assert_eq!(paragraph.get("package"), Some("hello"));
        assert_eq!(paragraph.get("Description"), Some("greets\nlong text\n.\n verbatim"));
        assert_eq!(paragraph.get("files"), Some("\na 1"));
        assert_eq!(paragraph.to_string(), text);
    }

    #[test]
    fn paragraphs_are_separated_by_empty_lines() {
        let all = Paragraph::parse_all("\nA: 1\nB:2  \n\n \nA:  3\n").unwrap();
        let texts: Vec<_> = all.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["A: 1\nB: 2\n", "A: 3\n"]);
        assert_eq!(Paragraph::parse_all("").unwrap(), []);
        assert_eq!(Paragraph::parse("A:\nB: 1").unwrap().get("A"), Some(""));
    }

    #[test]
    fn rejects_malformed_text_with_its_line() {
        let cases = [
            ("", 1, "exactly one"),
            ("A: 1\n\nB: 2\n", 1, "exactly one"),
            (" continued\n", 1, "without a field"),
            ("A: 1\nno colon\n", 2, "expected `Field: value`"),
            ("A: 1\na: 2\n", 2, "twice"),
            ("A B: 1\n", 1, "field name"),
            (": 1\n", 1, "field name"),
            ("# comment: 1\n", 1, "field name"),
            ("A: 1\u{1}\n", 1, "control character"),
            ("A: 1\r2\n", 1, "control character"),
        ];
        for (text, line, reason) in cases {
            match Paragraph::parse(text).unwrap_err() {
                ControlError::Line { line: found, reason: phrase } => {
                    assert_eq!(found, line, "{text:?}");
                    assert!(phrase.contains(reason), "{text:?}: {phrase}");
                }
                other @ ControlError::Field { .. } => panic!("{text:?}: {other}"),
            }
        }
    }

    #[test]
    fn refuses_values_that_would_be_read_differently() {
        for value in ["", " a", "a ", "a\n\nb", "a\nb ", "a\rb", "a\0b", "a\n"] {
            assert!(Paragraph::new().push("A", value).is_err(), "{value:?}");
        }
        assert!(Paragraph::new().push("A", "a\n b\n\tc\tx").is_ok());
    }
}
