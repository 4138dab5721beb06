//! What is wrong with a recipe, and where.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// A place in a recipe: the file, the line, and the columns on it.
///
/// It holds the line's text, so that an error can be shown long after the file was read.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    /// The file's path as it was given.
    pub file: Arc<str>,
    /// The line, counted from 1.
    pub line: usize,
    /// The column, in characters counted from 1.
    pub column: usize,
    /// The line's text without its end.
    pub text: Arc<str>,
    /// The bytes of `text` that are meant.
    pub span: Range<usize>,
}

impl Place {
    /// Returns the place of a byte range of a file's text; a range over several lines is cut to
    /// its first line.
    pub fn of(file: &Arc<str>, text: &str, span: &Range<usize>) -> Self {
        let start = floor_char(text, span.start);
        let end = floor_char(text, span.end.max(start));
        let before = text.get(..start).unwrap_or_default();
        let first = before.rfind('\n').map_or(0, |newline| newline + 1);
        let rest = text.get(first..).unwrap_or_default();
        let whole = rest.split('\n').next().unwrap_or_default();
        let line = whole.strip_suffix('\r').unwrap_or(whole);
        let from = (start - first).min(line.len());
        let to = (end - first).clamp(from, line.len());
        Self {
            file: Arc::clone(file),
            line: before.matches('\n').count() + 1,
            column: line.get(..from).unwrap_or_default().chars().count() + 1,
            text: Arc::from(line),
            span: from..to,
        }
    }

    /// Returns an error about this place.
    pub fn error(&self, message: impl Into<String>) -> RecipeError {
        RecipeError { place: Some(self.clone()), ..RecipeError::new(message) }
    }
}

/// Prints `file:line:column`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Returns the nearest character boundary at or before an offset.
fn floor_char(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// Escapes control characters, which would reach the reader's terminal.
fn printable(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    text.chars()
        .map(|c| if c.is_control() { c.escape_debug().to_string() } else { c.to_string() })
        .collect()
}

/// One thing that is wrong with a recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct RecipeError {
    /// What is wrong, as a lower-case phrase.
    pub message: String,
    /// Where; absent if it is not about any line, e.g. when the file cannot be read.
    pub place: Option<Place>,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Whether text for people is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Look {
    /// Without escape sequences.
    #[default]
    Plain,
    /// With ANSI colours.
    Coloured,
}

impl RecipeError {
    /// Returns an error that is not about any line.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: printable(&message.into()), place: None, hint: None }
    }

    /// Adds what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(printable(&hint.into()));
        self
    }

    /// Returns the message, the line with the fault underlined, and the hint, as several lines
    /// without a final newline.
    pub fn render(&self, look: Look) -> String {
        let renderer = match look {
            Look::Plain => Renderer::plain(),
            Look::Coloured => Renderer::styled(),
        };
        let title = Level::ERROR.primary_title(self.message.as_str());
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

/// Prints the place and the message on one line.
impl fmt::Display for RecipeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for RecipeError {}

/// Everything that is wrong with a recipe; at least one error, in the order of the lines.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct RecipeErrors {
    errors: Vec<RecipeError>,
}

impl RecipeErrors {
    /// Returns the errors in the order of their lines.
    pub fn iter(&self) -> impl Iterator<Item = &RecipeError> {
        self.errors.iter()
    }

    /// Returns all errors as [`RecipeError::render`] does, with an empty line between two.
    pub fn render(&self, look: Look) -> String {
        let all: Vec<_> = self.errors.iter().map(|error| error.render(look)).collect();
        all.join("\n\n")
    }

    /// Changes each error, e.g. to name where the text of the recipe came from.
    pub fn map(self, change: impl FnMut(RecipeError) -> RecipeError) -> Self {
        Self { errors: self.errors.into_iter().map(change).collect() }
    }

    /// Returns the value if there are no errors.
    pub fn check<T>(mut errors: Vec<RecipeError>, value: Option<T>) -> Result<T, Self> {
        match value {
            Some(value) if errors.is_empty() => Ok(value),
            _ => {
                errors.sort_by_key(|error| {
                    error.place.as_ref().map_or((0, 0), |place| (place.line, place.column))
                });
                let mut kept: Vec<RecipeError> = Vec::new();
                for error in errors {
                    if !kept.contains(&error) {
                        kept.push(error);
                    }
                }
                let errors = kept;
                Err(Self { errors })
            }
        }
    }
}

impl From<RecipeError> for RecipeErrors {
    fn from(error: RecipeError) -> Self {
        Self { errors: vec![error] }
    }
}

impl fmt::Display for RecipeErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            fmt::Display::fmt(error, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for RecipeErrors {}
