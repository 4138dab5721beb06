//! Blobs that a registry has in another repository (distribution-spec, "Mounting a blob from another
//! repository").

use bake_formats::digest::Digest;
use bake_formats::oci::Reference;

use super::call::{Body, Call, Headers, Method, Patience, Scope, Target};
use super::error::{Fault, RegistryError};
use super::refusal::Refusal;
use super::repository::Repository;
use super::retry::is_passing;
use super::upload::UploadSession;

/// What became of the wish to have a blob without sending it.
#[derive(Debug)]
#[must_use]
pub enum Mounted {
    /// The repository has the blob.
    Yes,
    /// The registry opened an upload instead: [`Repository::upload`] goes on with it, or
    /// [`Repository::cancel`] gives it up.
    Session(UploadSession),
    /// The registry cannot or may not: the blob must be uploaded.
    No,
}

impl Repository<'_> {
    /// Asks for a blob of another repository of the same registry, or, without one, of any that the
    /// registry finds. One request.
    ///
    /// A source in another registry is never named to this one: the answer is [`Mounted::No`]
    /// without a request, as it is for this repository itself.
    pub fn mount(
        &self,
        digest: Digest,
        from: Option<&Reference>,
    ) -> Result<Mounted, RegistryError> {
        let here = |source: &Reference| {
            source.registry == self.registry() && source.repository != self.name()
        };
        if from.is_some_and(|source| !here(source)) {
            return Ok(Mounted::No);
        }
        let action = self.action(format!("mount blob {digest} in"));
        let mut path = self.path(format_args!("blobs/uploads/?mount={digest}"));
        let mut scopes = self.scopes().to_vec();
        if let Some(source) = from {
            path = format!("{path}&from={}", source.repository);
            scopes.push(Scope { repository: source.repository.clone(), push: false });
        }
        let answer = self.wire.call(Call {
            registry: self.registry(),
            method: Method::Post,
            target: Target::Path(&path),
            scopes: &scopes,
            headers: Headers::default(),
            body: Body::Empty,
            patience: Patience::Wire,
        });
        let answer = match answer {
            Ok(answer) => answer,
            // Whoever may not read the source may still write here.
            Err(RegistryError { fault: Fault::Credentials(_), .. }) => return Ok(Mounted::No),
            Err(error) => return Err(action.unanswered(error)),
        };
        match answer.status {
            201 => Ok(Mounted::Yes),
            202 => {
                Ok(UploadSession::opened(&action, &answer).map_or(Mounted::No, Mounted::Session))
            }
            status if is_passing(status) => Err(action.refused(answer, "repository")),
            400..500 => {
                // Read to its end, so that the connection can be used again.
                drop(Refusal::read(answer));
                Ok(Mounted::No)
            }
            _ => Err(action.refused(answer, "repository")),
        }
    }
}
