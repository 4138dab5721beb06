//! What was found, where, and how bad it is.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use bake_recipes::{Look, Place};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// A careful maintainer would not leave it.
    Warning,
    /// What is installed would not work, or not be safe.
    Error,
}

impl Severity {
    /// Returns the word that messages and docs use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule's name.
    pub rule: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The line of the recipe to blame, if there is one.
    #[serde(flatten, serialize_with = "in_numbers")]
    pub place: Option<Place>,
    /// What is wrong, as a lower-case phrase.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// A place as programs want it.
#[expect(clippy::ref_option, reason = "serde hands over the field as it is")]
fn in_numbers<S: Serializer>(place: &Option<Place>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(3))?;
    map.serialize_entry("file", &place.as_ref().map(|place| &*place.file))?;
    map.serialize_entry("line", &place.as_ref().map(|place| place.line))?;
    map.serialize_entry("column", &place.as_ref().map(|place| place.column))?;
    map.end()
}

impl Finding {
    /// Returns the message in one line, with its place and its rule, and the hint in another.
    pub fn brief(&self, look: Look) -> String {
        let word = self.severity.word();
        let word = match look {
            Look::Plain => format!("{word}:"),
            Look::Coloured => format!("\x1b[1;33m{word}:\x1b[0m"),
        };
        let place = self.place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
        let hint = self.hint.as_ref().map(|hint| format!("\n  hint: {hint}")).unwrap_or_default();
        format!("{word} {}{place} [{}]{hint}", self.message, self.rule)
    }

    /// Returns the message with its rule, the line, and the hint, without a final newline.
    pub fn render(&self, look: Look) -> String {
        let renderer = match look {
            Look::Plain => Renderer::plain(),
            Look::Coloured => Renderer::styled(),
        };
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Info => Level::INFO,
        };
        let title = level.primary_title(&self.message).id(self.rule);
        let mut text = match &self.place {
            None => renderer.render(&[annotate_snippets::Group::with_title(title)]),
            Some(place) => {
                let snippet = Snippet::source(&*place.text)
                    .path(&*place.file)
                    .line_start(place.line)
                    .annotation(AnnotationKind::Primary.span(place.span.clone()));
                renderer.render(&[title.element(snippet)])
            }
        };
        if let Some(hint) = &self.hint {
            text.push_str("\nhint: ");
            text.push_str(hint);
        }
        text
    }
}
