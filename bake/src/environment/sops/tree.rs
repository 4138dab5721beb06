//! What a file that sops encrypted holds, whichever syntax it has.

use zeroize::Zeroizing;

/// How deep lists and maps may lie in each other.
pub(super) const MAX_DEPTH: usize = 64;

/// A part of a document, in the order of the file.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// Nothing.
    Null,
    /// Text, which may be encrypted.
    Text(String),
    /// A number, spelled as Go's `strconv` spells it.
    Number(String),
    /// `true` or `false`.
    Bool(bool),
    /// A list.
    List(Vec<Node>),
    /// Names with what they hold, each name once.
    Map(Vec<(String, Node)>),
}

impl Node {
    /// Returns what a name of a map holds.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => {
                entries.iter().find(|(known, _)| known == name).map(|(_, node)| node)
            }
            Self::Null | Self::Text(_) | Self::Number(_) | Self::Bool(_) | Self::List(_) => None,
        }
    }

    /// Returns text that is not empty.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text),
            Self::Null
            | Self::Text(_)
            | Self::Number(_)
            | Self::Bool(_)
            | Self::List(_)
            | Self::Map(_) => None,
        }
    }
}

/// A part of a document, decrypted. It has no `Debug`, because its values are secret.
pub(super) enum Clear {
    /// Nothing.
    Null,
    /// A value as text.
    Value(Zeroizing<String>),
    /// A list.
    List(Vec<Clear>),
    /// Names with what they hold.
    Map(Vec<(String, Clear)>),
}

impl Clear {
    /// Returns what a pointer leads to; the error says where it ends.
    pub(super) fn find(&self, pointer: &[String]) -> Result<&Self, String> {
        let mut found = self;
        for (depth, name) in pointer.iter().enumerate() {
            let next = match found {
                Self::Map(entries) => {
                    entries.iter().find(|(known, _)| known == name).map(|(_, node)| node)
                }
                Self::List(list) => name.parse::<usize>().ok().and_then(|number| list.get(number)),
                Self::Null | Self::Value(_) => None,
            };
            found = next.ok_or_else(|| found.lacks(name, &pointer[..depth]))?;
        }
        Ok(found)
    }

    fn lacks(&self, name: &str, above: &[String]) -> String {
        let place = if above.is_empty() {
            "the file".to_owned()
        } else {
            format!("`/{}`", above.join("/"))
        };
        let there = match self {
            Self::Map(entries) => {
                let names: Vec<_> =
                    entries.iter().map(|(name, _)| name.as_str()).take(20).collect();
                format!("has {}", names.join(", "))
            }
            Self::List(list) => format!("is a list of {}", list.len()),
            Self::Value(_) => "is a single value".into(),
            Self::Null => "is empty".into(),
        };
        format!("there is no `{name}`: {place} {there}")
    }
}
