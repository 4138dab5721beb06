//! A blob as it comes from a registry (distribution-spec, "Pulling blobs").

use std::io::{self, Read};

use bake_formats::blob::{Blob, BlobSource};
use bake_formats::digest::{Digest, Hasher};

use super::action::Action;
use super::call::{Answer, Headers, Method, Target};
use super::error::{Fault, RegistryError};
use super::repository::Repository;
use super::stated;

/// How many connections one blob may take, however far each of them gets.
const MAX_CONNECTIONS: u32 = 100;

impl<'w> Repository<'w> {
    /// Reads a blob. A connection that breaks is made again, from the byte that it got to.
    ///
    /// The reader fails, at the latest with its last byte, unless it gave exactly the bytes that the
    /// digest and the size promise. Its errors hold a [`RegistryError`]. Nothing is asked for before
    /// the first read, and nothing at all if the blob is empty.
    pub fn blob(&self, blob: Blob) -> Download<'_> {
        self.blob_from(blob, 0)
    }

    /// Reads a blob from an offset to its end. Only the size is checked unless the offset is 0.
    pub fn blob_from(&self, blob: Blob, offset: u64) -> Download<'_> {
        let action = self.action(format!("read blob {} of", blob.digest));
        let hasher = (offset == 0).then(Hasher::new);
        let position = offset.min(blob.size);
        let (body, attempt, connections) = (None, 0, 0);
        Download { repository: self, action, blob, position, hasher, body, attempt, connections }
    }

    /// Returns a blob as a place to read it from, as often and from where one wants: what
    /// [`Repository::upload`] to another registry takes.
    pub fn remote(&self, blob: Blob) -> RemoteBlob<'_, 'w> {
        RemoteBlob { repository: self, blob }
    }
}

/// A blob that stays where it is until it is read.
#[derive(Debug)]
pub struct RemoteBlob<'r, 'w> {
    repository: &'r Repository<'w>,
    blob: Blob,
}

impl BlobSource for RemoteBlob<'_, '_> {
    fn open(&self, digest: &Digest, offset: u64) -> io::Result<Box<dyn Read + Send + '_>> {
        if *digest != self.blob.digest {
            let text = format!("expected blob {}, asked for {digest}", self.blob.digest);
            return Err(io::Error::new(io::ErrorKind::NotFound, text));
        }
        Ok(Box::new(self.repository.blob_from(self.blob, offset)))
    }
}

/// Reads a blob of a repository.
pub struct Download<'r> {
    repository: &'r Repository<'r>,
    action: Action,
    blob: Blob,
    position: u64,
    /// What came so far; absent if the beginning was not wanted.
    hasher: Option<Hasher>,
    body: Option<Box<dyn Read + Send>>,
    /// How many connections in a row brought nothing.
    attempt: u32,
    connections: u32,
}

impl Download<'_> {
    /// Asks for the bytes from the position on.
    fn connect(&mut self) -> Result<Box<dyn Read + Send>, RegistryError> {
        self.connections += 1;
        if self.connections > MAX_CONNECTIONS {
            let (position, size) = (self.position, self.blob.size);
            let reason = format!(
                "{MAX_CONNECTIONS} connections broke, the last after {position} of {size} bytes"
            );
            return Err(self.action.fault(Fault::Unreachable(reason)));
        }
        let path = self.repository.path(format_args!("blobs/{}", self.blob.digest));
        let mut headers = Headers::default();
        if self.position > 0 {
            headers.add("Range", format!("bytes={}-", self.position));
        }
        let (method, target) = (Method::Get, Target::Path(&path));
        let answer = self.repository.ask(&self.action, method, target, headers)?;
        match answer.status {
            200 => {
                self.expect_length(&answer, self.blob.size)?;
                // A server that does not know ranges starts again.
                Ok(Box::new(Skipping { left: self.position, inner: answer.body }))
            }
            206 => {
                self.expect_range(&answer)?;
                Ok(answer.body)
            }
            _ => Err(self.action.refused(answer, "blob")),
        }
    }

    /// Fails if an answer states a length that is not what is left.
    fn expect_length(&self, answer: &Answer, expected: u64) -> Result<(), RegistryError> {
        match stated::length(answer) {
            Some(found) if found != expected => {
                let reason = format!("expected {expected} bytes, the registry has {found}");
                Err(self.action.mismatch(reason))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Fails if an answer is of another range than was asked for.
    fn expect_range(&self, answer: &Answer) -> Result<(), RegistryError> {
        let Some(range) = answer.headers.get("Content-Range") else {
            return self.expect_length(answer, self.blob.size - self.position);
        };
        let (position, size) = (self.position, self.blob.size);
        let numbers = range.trim().strip_prefix("bytes ").and_then(|text| text.split_once('-'));
        let begins = numbers.and_then(|(start, _)| start.trim().parse::<u64>().ok());
        let total = range.rsplit_once('/').and_then(|(_, total)| total.trim().parse::<u64>().ok());
        if begins == Some(position) && total.is_none_or(|total| total == size) {
            return Ok(());
        }
        let reason = format!(
            "expected `Content-Range: bytes {position}-{}/{size}`, found `{}`",
            size.saturating_sub(1),
            range.escape_debug()
        );
        Err(self.action.protocol(reason))
    }

    /// Gives the connection up; fails if there have been enough without a byte.
    fn break_off(&mut self, reason: &str) -> io::Result<()> {
        self.body = None;
        self.attempt += 1;
        if self.repository.pause(self.attempt, None) {
            return Ok(());
        }
        let (position, size) = (self.position, self.blob.size);
        let reason = format!("the connection broke after {position} of {size} bytes: {reason}");
        Err(io::Error::other(self.action.fault(Fault::Unreachable(reason))))
    }

    /// Takes note of bytes that came; fails with the last of them if they are not the blob's.
    fn take_in(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.position += bytes.len() as u64;
        self.attempt = 0;
        if self.position == self.blob.size
            && let Some(mut body) = self.body.take()
        {
            // A body that was read to its end leaves a connection for the next call. What else it
            // may hold, or how it fails to end, does not matter any more.
            drop(body.read(&mut [0]));
        }
        let Some(hasher) = &mut self.hasher else { return Ok(()) };
        hasher.update(bytes);
        if self.position < self.blob.size {
            return Ok(());
        }
        let found = hasher.digest();
        if found == self.blob.digest {
            return Ok(());
        }
        let error = self.action.mismatch(format!("the bytes received have {found}"));
        Err(io::Error::new(io::ErrorKind::InvalidData, error))
    }
}

impl Read for Download<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.blob.size - self.position).unwrap_or(usize::MAX);
        let room = buffer.len().min(left);
        if room == 0 {
            let is_other = self.blob.size == 0 && self.blob.digest != Digest::of(b"");
            return if is_other { self.take_in(&[]).map(|()| 0) } else { Ok(0) };
        }
        loop {
            let mut body = match self.body.take() {
                Some(body) => body,
                None => self.connect().map_err(io::Error::other)?,
            };
            match body.read(&mut buffer[..room]) {
                Ok(0) => self.break_off("there are no more bytes")?,
                Ok(count) => {
                    self.body = Some(body);
                    self.take_in(&buffer[..count])?;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => self.body = Some(body),
                Err(error) => self.break_off(&error.to_string())?,
            }
        }
    }
}

impl std::fmt::Debug for Download<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { blob, position, .. } = self;
        f.debug_struct("Download")
            .field("blob", blob)
            .field("position", position)
            .finish_non_exhaustive()
    }
}

/// Throws away the bytes before a position.
struct Skipping<R> {
    left: u64,
    inner: R,
}

impl<R: Read> Read for Skipping<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.left > 0 {
            let skipped = io::copy(&mut self.inner.by_ref().take(self.left), &mut io::sink())?;
            if skipped == 0 {
                return Ok(0);
            }
            self.left -= skipped;
        }
        self.inner.read(buffer)
    }
}
