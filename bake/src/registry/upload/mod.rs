//! A blob on its way to a registry (distribution-spec, "Pushing blobs").
//!
//! ```text
//! POST uploads/        opens a session                      (or a mount that was declined did)
//!   PUT   ?digest=     all bytes: two requests, the usual form
//!   PATCH … PATCH      chunks, if the host wants them or takes no long body
//!   PUT   ?digest=     no bytes: the end
//! GET session          after anything that went wrong: how far did it get?
//! DELETE session       whatever ends without a blob
//! ```
//!
//! Bytes are read from their source when the wire takes them and never held, so a chunk may have
//! any length. What the registry has is not sent again: after a lost connection, a token that ended
//! or a chunk out of order the session is asked how far it got, and is believed if it can be true.

mod body;
mod form;
mod recover;
mod session;

use bake_formats::blob::{Blob, BlobSource};

use super::action::Action;
use super::call::{Answer, Body, Headers, Method, Patience, Target};
use super::error::{Fault, RegistryError};
use super::progress::Progress;
use super::repository::Repository;
use super::stated;

use body::{Broken, Stretch};
use form::Form;
use recover::Trouble;
pub use session::UploadSession;

/// How often a registry is asked for a blob that it took but does not show yet.
const MAX_SETTLING: u32 = 8;

impl Repository<'_> {
    /// Sends a blob, whose bytes `source` opens from any offset, perhaps several times.
    ///
    /// `session` is one that a declined mount left open. Two requests if all goes well (one with a
    /// session). Whatever happens, no session is left open: what fails is given up.
    ///
    /// # Errors
    ///
    /// If the source fails or does not have the bytes that the digest promises, if the registry
    /// refuses them, or if it could not be reached often enough.
    pub fn upload(
        &self,
        blob: Blob,
        source: &dyn BlobSource,
        session: Option<UploadSession>,
        progress: &dyn Progress,
    ) -> Result<(), RegistryError> {
        let action = self.action(format!("push blob {} to", blob.digest));
        let mut upload = Upload::new(self, action, blob, source, session, progress);
        let result = upload.run();
        if let (Err(_), Some(session)) = (&result, upload.session.take()) {
            self.cancel(session);
        }
        result
    }

    /// Gives up a session that is not going to be used.
    pub fn cancel(&self, session: UploadSession) {
        let action = self.action("cancel an upload to");
        let (method, target) = (Method::Delete, Target::Url(session.url));
        let (headers, body, patience) = (Headers::default(), Body::Empty, Patience::Caller);
        // A registry forgets old sessions by itself: that this one is not told does no harm.
        drop(self.call(&action, method, target, headers, body, patience));
    }

    /// Opens a session.
    fn open_session(&self, action: &Action) -> Result<UploadSession, RegistryError> {
        let path = self.path("blobs/uploads/");
        let answer = self.ask(action, Method::Post, Target::Path(&path), Headers::default())?;
        match answer.status {
            202 => UploadSession::opened(action, &answer),
            _ => Err(action.refused(answer, "repository")),
        }
    }
}

/// One blob being sent.
struct Upload<'u> {
    repository: &'u Repository<'u>,
    action: Action,
    blob: Blob,
    source: &'u dyn BlobSource,
    progress: &'u dyn Progress,
    form: Form,
    session: Option<UploadSession>,
    /// How many bytes the session has.
    held: u64,
    /// How many bytes it may have at most: what the wire took.
    sent: u64,
    /// Whether the last request was to end the session.
    committing: bool,
    /// Whether the session's own count was needed, or contradicts ours.
    doubtful: bool,
    tries: recover::Tries,
}

/// What came of one request.
enum Step {
    /// The registry has the blob.
    Done,
    /// The session goes on.
    More,
    /// Something went wrong.
    Trouble(Trouble),
}

impl<'u> Upload<'u> {
    fn new(
        repository: &'u Repository<'u>,
        action: Action,
        blob: Blob,
        source: &'u dyn BlobSource,
        session: Option<UploadSession>,
        progress: &'u dyn Progress,
    ) -> Self {
        let form = Form::of(blob.size, repository.chunk_size(), repository.max_body());
        Self {
            repository,
            action,
            blob,
            source,
            progress,
            form,
            session,
            held: 0,
            sent: 0,
            committing: false,
            doubtful: false,
            tries: recover::Tries::default(),
        }
    }

    fn run(&mut self) -> Result<(), RegistryError> {
        loop {
            let step = self.step()?;
            let done = match step {
                Step::Done => true,
                Step::More => false,
                Step::Trouble(trouble) => self.recover(trouble)?,
            };
            if done {
                self.session = None;
                return Ok(());
            }
        }
    }

    /// Makes the next request of the form.
    fn step(&mut self) -> Result<Step, RegistryError> {
        let session = match self.session.take() {
            Some(session) => session,
            None => self.repository.open_session(&self.action)?,
        };
        let session = self.session.insert(session);
        let left = self.blob.size - self.held;
        let is_whole = self.form == Form::Whole && self.held == 0;
        if is_whole || left == 0 {
            let url = session.commit_url(self.blob.digest);
            return self.commit(url, left);
        }
        let (url, len) = (session.url.clone(), self.form.next(left, session.min_chunk));
        self.patch(url, len)
    }

    /// Ends the session, with the last `len` bytes.
    fn commit(&mut self, url: url::Url, len: u64) -> Result<Step, RegistryError> {
        self.committing = true;
        let answer = match self.exchange(Method::Put, url, len, Headers::default())? {
            Ok(answer) => answer,
            Err(trouble) => return Ok(Step::Trouble(trouble)),
        };
        match answer.status {
            200 | 201 | 204 => {
                self.expect_digest(&answer)?;
                Ok(Step::Done)
            }
            202 => self.wait_until_there().map(|()| Step::Done),
            _ => Ok(Step::Trouble(Trouble::of(&self.action, answer, len))),
        }
    }

    /// Sends the next `len` bytes.
    fn patch(&mut self, url: url::Url, len: u64) -> Result<Step, RegistryError> {
        self.committing = false;
        let (first, end) = (self.held, self.held + len);
        let mut headers = Headers::default();
        if first > 0 || matches!(self.form, Form::Chunks(_)) {
            headers.add("Content-Range", format!("{first}-{}", end - 1));
        }
        let answer = match self.exchange(Method::Patch, url, len, headers)? {
            Ok(answer) => answer,
            Err(trouble) => return Ok(Step::Trouble(trouble)),
        };
        if !matches!(answer.status, 200 | 201 | 202 | 204) {
            return Ok(Step::Trouble(Trouble::of(&self.action, answer, len)));
        }
        // What is accepted is accepted whole. Some registries state an old or a short range; if it
        // was true after all, the next request fails and the session is asked.
        let stated = answer.headers.get("Range").is_some();
        self.doubtful |= stated && session::held(&answer, first, end) != Some(end);
        (self.held, self.sent) = (end, end);
        self.tries.progressed();
        if let Some(session) = &mut self.session {
            session.advance(&self.action, &answer)?;
        }
        // Some registries (ECR) answer the last chunk as if the blob were made, and it may be.
        let is_made = answer.status == 201 && end == self.blob.size;
        if is_made && self.repository.has_blob(self.blob.digest)?.is_some() {
            return Ok(Step::Done);
        }
        Ok(Step::More)
    }

    /// Sends the next `len` bytes and returns the answer, or the lost connection.
    fn exchange(
        &mut self,
        method: Method,
        url: url::Url,
        len: u64,
        headers: Headers,
    ) -> Result<Result<Answer, Trouble>, RegistryError> {
        let range = self.held..self.held + len;
        let stretch = Stretch::new(self.blob, range, self.source, self.progress);
        let open = || stretch.open();
        let body = if len == 0 { Body::Bytes(&[]) } else { Body::Stream { len, open: &open } };
        let headers = headers.with("Content-Type", "application/octet-stream");
        let (target, patience) = (Target::Url(url), Patience::Caller);
        let answer = self.repository.call(&self.action, method, target, headers, body, patience);
        self.sent = self.sent.max(self.held + stretch.taken());
        self.tries.shown = self.held + stretch.taken();
        if let Some(Broken { reason, hint }) = stretch.fault() {
            return Err(RegistryError { hint, ..self.action.fault(Fault::Local(reason)) });
        }
        match answer {
            Ok(answer) => Ok(Ok(answer)),
            Err(error) if matches!(error.fault, Fault::Unreachable(_)) => {
                Ok(Err(Trouble::lost(error, len)))
            }
            Err(error) => Err(error),
        }
    }

    /// Fails if the registry says that it made another blob.
    fn expect_digest(&self, answer: &Answer) -> Result<(), RegistryError> {
        match stated::digest(answer).filter(|stated| *stated != self.blob.digest) {
            Some(stated) => Err(self.action.mismatch(format!(
                "the bytes were sent, but the registry says that they have {stated}"
            ))),
            None => Ok(()),
        }
    }

    /// Waits for a blob that the registry took and does not have yet.
    fn wait_until_there(&self) -> Result<(), RegistryError> {
        let mut attempt = 1;
        while self.repository.has_blob(self.blob.digest)?.is_none() {
            if attempt > MAX_SETTLING || !self.repository.pause(attempt, None) {
                return Err(self.action.protocol(
                    "the registry accepted all bytes (202), but does not have the blob after a while",
                ));
            }
            attempt += 1;
        }
        Ok(())
    }
}
