//! Where something is: a file, a file in it, and so on.

use std::fmt;
use std::sync::Arc;

/// A place within an artifact.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    parent: Option<Arc<Place>>,
    /// The name within the parent, printable.
    name: String,
    /// Whether offsets count decompressed bytes of what the name names.
    pub(super) unpacked: bool,
}

impl Place {
    /// Returns a place that is in nothing.
    pub(super) fn root(name: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { parent: None, name: name.into(), unpacked: false })
    }

    /// Returns a place in this one.
    pub(super) fn child(self: &Arc<Self>, name: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { parent: Some(self.clone()), name: name.into(), unpacked: false })
    }

    /// Returns this place after decompression.
    pub(super) fn decompressed(self: &Arc<Self>) -> Arc<Self> {
        let Self { parent, name, .. } = &**self;
        Arc::new(Self { parent: parent.clone(), name: name.clone(), unpacked: true })
    }

    /// Returns the names, the outermost first.
    pub(super) fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        let mut at = Some(self);
        while let Some(place) = at {
            names.push(place.name.as_str());
            at = place.parent.as_deref();
        }
        names.reverse();
        names
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join(": "))
    }
}
