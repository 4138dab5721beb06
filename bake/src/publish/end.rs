//! One end of a copy: a registry, a layout, an archive.

use std::path::{Path, PathBuf};

use bake_formats::oci::{Reference, ReferenceError};

use super::form::Form;

/// Where something is copied from or to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// A repository, with a tag or a digest.
    Registry(Reference),
    /// An image layout in a folder, or an archive of one.
    Local {
        /// Where it is.
        path: PathBuf,
        /// How it is written.
        form: Form,
    },
}

impl std::str::FromStr for End {
    type Err = ReferenceError;

    /// Reads `oci:PATH`, `oci-archive:PATH`, a path (it begins with `/`, `./` or `../`, and is an
    /// archive if it ends in `.tar`), or else a reference.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let local = |path: &str, form| Self::Local { path: path.into(), form };
        if let Some(path) = text.strip_prefix("oci:") {
            return Ok(local(path, Form::Layout));
        }
        if let Some(path) = text.strip_prefix("oci-archive:") {
            return Ok(local(path, Form::Archive));
        }
        if ["/", "./", "../"].iter().any(|start| text.starts_with(start)) {
            let is_archive = Path::new(text).extension().is_some_and(|end| end == "tar");
            return Ok(local(text, if is_archive { Form::Archive } else { Form::Layout }));
        }
        Ok(Self::Registry(text.parse()?))
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Registry(reference) => write!(f, "{}", reference.name()),
            Self::Local { path, .. } => write!(f, "{}", path.display()),
        }
    }
}
