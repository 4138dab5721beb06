//! Why an image cannot be put onto another base.

use bake_formats::format::{ReadError, WriteError};
use bake_formats::oci;
use bake_formats::oci::Platform;

use crate::survey::SurveyError;

/// Why an image cannot be put onto another base: which image, for which platform, why not.
#[derive(Debug, thiserror::Error)]
#[error("cannot rebase `{image}`{}", for_platform(platform.as_ref()))]
#[must_use]
pub struct RebaseError {
    /// What people call the image.
    pub image: String,
    /// The platform, if it is about one.
    pub platform: Option<Platform>,
    /// What is wrong.
    #[source]
    pub fault: Box<Fault>,
}

fn for_platform(platform: Option<&Platform>) -> String {
    platform.map(|platform| format!(" for {platform}")).unwrap_or_default()
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The new base has nothing for the image's platform.
    #[error("the new base `{base}` does not fit")]
    Platform {
        /// What people call the base.
        base: String,
        /// Which platforms there are.
        source: ReadError,
    },
    /// The old base has nothing for the image's platform.
    #[error("the old base `{base}` does not fit")]
    OldPlatform {
        /// What people call the base.
        base: String,
        /// Which platforms there are.
        source: ReadError,
    },
    /// The image has no such seam, or cannot be written on the new base.
    #[error(transparent)]
    Image(#[from] oci::RebaseError),
    /// A layer of the image cannot be read.
    #[error("the image itself")]
    Survey(#[source] SurveyError),
    /// A layer of the image on its new base cannot be read.
    #[error("the image on the new base `{base}`")]
    NewSurvey {
        /// What people call the base.
        base: String,
        /// Why not.
        source: SurveyError,
    },
    /// Layers make no tree together, or a document is damaged.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The index cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl RebaseError {
    /// Returns what to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match &*self.fault {
            Fault::Platform { .. } => Some(
                "all platforms of an image are rebased, or none; name a base that has them all",
            ),
            Fault::Image(oci::RebaseError::OldBaseNeeded) => {
                Some("`--from OLD` names the base that the image was built on")
            }
            Fault::Image(oci::RebaseError::OtherBase { .. }) => Some(
                "the layers of the old base must be the lowest of the image: name the base by the \
                 digest that it had then",
            ),
            Fault::Survey(_) | Fault::NewSurvey { .. } => Some(
                "layers that are only referred to are read from where the base is; check that it \
                 can be reached",
            ),
            Fault::Image(_) | Fault::OldPlatform { .. } | Fault::Read(_) | Fault::Write(_) => None,
        }
    }
}

impl From<RebaseError> for crate::error::Error {
    fn from(error: RebaseError) -> Self {
        let hint = error.hint().map(str::to_owned);
        Self::Image { what: error.to_string(), source: error.fault, hint }
    }
}
