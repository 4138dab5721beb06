//! What goes wrong in an upload, and how it goes on.

use std::time::Duration;

use super::Upload;
use super::form::Form;
use super::session;
use crate::registry::action::Action;
use crate::registry::call::{Answer, Headers, Method, Target};
use crate::registry::error::RegistryError;
use crate::registry::refusal::Refusal;
use crate::registry::retry::is_passing;

/// How many sessions one blob may take besides the first.
const MAX_RESTARTS: u32 = 3;
/// How many new tokens in a row may bring nothing.
const MAX_RENEWALS: u32 = 2;
/// How many things may go wrong with one blob, however far it gets in between.
const MAX_TROUBLES: u32 = 100;
/// How many connections in a row may be lost before shorter bodies are tried.
const LOSSES_BEFORE_CHUNKS: u32 = 2;

/// Something that went wrong.
#[derive(Debug)]
pub(super) struct Trouble {
    kind: Kind,
    error: RegistryError,
    retry_after: Option<Duration>,
    /// How many bytes the request was to send.
    len: u64,
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The connection broke.
    Lost,
    /// The registry is in trouble, and may have done what was asked or not.
    Busy,
    /// The registry wants to be asked later, and did nothing.
    Limited,
    /// The token ended.
    Unauthorized,
    /// The body was too long.
    TooLong,
    /// The session expects another offset.
    OutOfOrder,
    /// The session is not there any more.
    Gone,
    /// The bytes do not have the digest.
    Altered,
    /// The registry does not do what was asked in this way.
    Unsupported,
    /// No.
    Refused,
}

/// What was tried.
#[derive(Debug, Default)]
pub(super) struct Tries {
    /// How many bytes were shown as sent.
    pub(super) shown: u64,
    attempt: u32,
    renewals: u32,
    restarts: u32,
    troubles: u32,
}

impl Tries {
    /// Something arrived: what failed before counts no more.
    pub(super) fn progressed(&mut self) {
        (self.attempt, self.renewals) = (0, 0);
    }
}

impl Trouble {
    /// The connection broke.
    pub(super) fn lost(error: RegistryError, len: u64) -> Self {
        Self { kind: Kind::Lost, error, retry_after: None, len }
    }

    /// The registry refused a request that was to send `len` bytes.
    pub(super) fn of(action: &Action, answer: Answer, len: u64) -> Self {
        let refusal = Refusal::read(answer);
        let (kind, retry_after) = (Kind::of(&refusal), refusal.retry_after);
        let error = refusal.into_error(action, "upload");
        Self { kind, error, retry_after, len }
    }
}

impl Kind {
    fn of(refusal: &Refusal) -> Self {
        let has = |code: &str| refusal.has(code);
        match refusal.status {
            429 => Self::Limited,
            status if is_passing(status) => Self::Busy,
            401 => Self::Unauthorized,
            413 => Self::TooLong,
            416 => Self::OutOfOrder,
            _ if has("NAME_UNKNOWN") || has("DENIED") => Self::Refused,
            404 | 410 => Self::Gone,
            _ if has("BLOB_UPLOAD_UNKNOWN") => Self::Gone,
            _ if has("DIGEST_INVALID") || has("SIZE_INVALID") => Self::Altered,
            400 | 405 | 411 | 415 | 501 => Self::Unsupported,
            _ => Self::Refused,
        }
    }
}

impl Upload<'_> {
    /// Prepares the next request after something went wrong; `true` if the blob is there after all.
    pub(super) fn recover(&mut self, trouble: Trouble) -> Result<bool, RegistryError> {
        self.tries.troubles += 1;
        if self.tries.troubles > MAX_TROUBLES {
            return Err(trouble.error);
        }
        match trouble.kind {
            Kind::Lost | Kind::Busy | Kind::Limited => self.try_later(trouble),
            Kind::Unauthorized => {
                self.renew(trouble.error)?;
                Ok(false)
            }
            Kind::TooLong => {
                self.shorten(trouble)?;
                Ok(false)
            }
            Kind::OutOfOrder => {
                let before = self.held;
                self.locate(&trouble.error)?;
                // A session that stays where it is, and refuses what follows, cannot be helped, and
                // it may be chunks that it refuses (GHCR, from 4 MiB on).
                if self.held == before && self.session.is_some() {
                    self.join_up();
                    self.restart(trouble.error)?;
                }
                Ok(false)
            }
            Kind::Gone => {
                if self.is_there()? {
                    return Ok(true);
                }
                self.session = None;
                self.restart(trouble.error)?;
                Ok(false)
            }
            Kind::Unsupported if self.doubtful => self.start_over(trouble.error).map(|()| false),
            Kind::Altered => self.start_over(trouble.error).map(|()| false),
            Kind::Unsupported => self.change_form(trouble.error).map(|()| false),
            Kind::Refused => Err(trouble.error),
        }
    }

    /// Waits, and goes on where the session got to.
    fn try_later(&mut self, trouble: Trouble) -> Result<bool, RegistryError> {
        let Trouble { kind, error, retry_after, len } = trouble;
        self.tries.attempt += 1;
        if !self.repository.pause(self.tries.attempt, retry_after) {
            return Err(error);
        }
        if kind != Kind::Limited && self.is_there()? {
            return Ok(true);
        }
        if kind == Kind::Lost
            && self.tries.attempt >= LOSSES_BEFORE_CHUNKS
            && let Some(len) = Form::shorter_than(len)
        {
            self.form = Form::Chunks(len);
        }
        self.locate(&error)?;
        Ok(false)
    }

    /// Asks for a new token, and goes on where the session got to.
    fn renew(&mut self, error: RegistryError) -> Result<(), RegistryError> {
        self.tries.renewals += 1;
        if self.tries.renewals > MAX_RENEWALS {
            return Err(error);
        }
        self.repository.wire.renew(self.repository.registry(), self.repository.scopes());
        self.locate(&error)
    }

    /// Goes on with shorter bodies, for this blob and for those that follow.
    fn shorten(&mut self, trouble: Trouble) -> Result<(), RegistryError> {
        let Some(shorter) = Form::shorter_than(trouble.len) else { return Err(trouble.error) };
        let minimum = self.session.as_ref().map_or(0, |session| session.min_chunk);
        if minimum >= trouble.len {
            return Err(trouble.error);
        }
        self.repository.limit_body(shorter);
        self.form = Form::Chunks(shorter);
        self.locate(&trouble.error)
    }

    /// Starts over after bytes that were put together in doubt, in one piece.
    fn start_over(&mut self, error: RegistryError) -> Result<(), RegistryError> {
        if self.doubtful {
            self.doubtful = false;
            self.join_up();
            return self.restart(error);
        }
        let hint = "the bytes here changed after their digest was computed, or on their way";
        Err(RegistryError {
            hint: Some(hint.to_owned()),
            ..self
                .action
                .mismatch(format!("all {} bytes were sent, but {}", self.blob.size, error.fault))
        })
    }

    /// Starts over in a form that more registries know.
    fn change_form(&mut self, error: RegistryError) -> Result<(), RegistryError> {
        let before = self.form;
        if before == Form::Whole && self.committing && self.held == 0 && self.blob.size > 0 {
            self.form = Form::Streamed;
        } else if !self.committing {
            self.join_up();
        }
        if self.form == before { Err(error) } else { self.restart(error) }
    }

    /// Gives chunks up if the host may take the blob in one piece.
    fn join_up(&mut self) {
        let fits = self.blob.size <= self.repository.max_body();
        if matches!(self.form, Form::Chunks(_)) && fits {
            self.form = Form::Whole;
        }
    }

    /// Returns whether the registry has the blob although the end of the upload was not heard.
    fn is_there(&self) -> Result<bool, RegistryError> {
        let may_be = self.committing && self.sent == self.blob.size;
        Ok(may_be && self.repository.has_blob(self.blob.digest)?.is_some())
    }

    /// Asks the session how far it got, unless nothing is under way.
    fn locate(&mut self, cause: &RegistryError) -> Result<(), RegistryError> {
        let Some(session) = &mut self.session else { return Ok(()) };
        if self.sent == self.held {
            return Ok(());
        }
        let target = Target::Url(session.url.clone());
        let answer = self.repository.ask(&self.action, Method::Get, target, Headers::default())?;
        let found = match answer.status {
            200 | 202 | 204 => session::held(&answer, self.held, self.sent),
            _ => {
                drop(Refusal::read(answer));
                return self.restart(cause.clone());
            }
        };
        let Some(found) = found else { return self.restart(cause.clone()) };
        session.advance(&self.action, &answer)?;
        if found > self.held {
            self.tries.progressed();
        }
        // Even an empty session is in doubt: `0-0` may be a byte that it has.
        self.doubtful = true;
        self.settle(found);
        Ok(())
    }

    /// Gives the session up and begins with a new one.
    fn restart(&mut self, cause: RegistryError) -> Result<(), RegistryError> {
        self.tries.restarts += 1;
        if self.tries.restarts > MAX_RESTARTS {
            return Err(cause);
        }
        if let Some(session) = self.session.take() {
            self.repository.cancel(session);
        }
        self.settle(0);
        Ok(())
    }

    /// Takes it that the session has so many bytes, and no more of them are under way.
    fn settle(&mut self, held: u64) {
        let lost = self.tries.shown.saturating_sub(held);
        if lost > 0 {
            self.progress.set_back(lost);
        }
        (self.held, self.sent, self.tries.shown) = (held, held, held);
    }
}
