//! Values: as they are written, and in the one spelling that their type has.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// A value as a file has it, before its type is known.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// Another number.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
    /// Texts.
    List(Vec<String>),
}

/// A value in the one spelling of its type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A single value; numbers in decimal, so that no reader changes them.
    Text(String),
    /// The values of a list, none of which holds a comma.
    List(Vec<String>),
}

impl Value {
    /// Returns the value as one text, e.g. for a variable: those of a list joined by commas.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::List(list) => Cow::Owned(list.join(",")),
        }
    }
}
