//! From a stream to what is in it, and in that.

use std::io::{self, Read};
use std::sync::Arc;

use bake_formats::encode::{Codec, decoder};

use super::archives::{ar, cpio, rpm, tar, zip};
use super::kind::Kind;
use super::limits::Limits;
use super::place::Place;
use super::report::{Found, Hit};
use super::scanner::Scanner;
use super::tap::{Part, Tap};

/// How far from its start an archive behind a script begins.
const SCRIPT: u64 = 64 << 10;

/// Searches streams and opens what is in them.
pub(super) struct Opener<'a> {
    pub(super) scanner: &'a Scanner,
    pub(super) limits: Limits,
    pub(super) found: Found,
    /// Buffers that are not in use.
    buffers: Vec<Vec<u8>>,
    /// How many decompressed bytes may still be looked at.
    left: u64,
}

impl<'a> Opener<'a> {
    pub(super) fn new(scanner: &'a Scanner, limits: Limits) -> Self {
        let (found, buffers) = (Found::default(), Vec::new());
        Self { scanner, limits, found, buffers, left: limits.total }
    }

    /// Searches a stream of at most so many bytes and everything in it; `depth` is how many are
    /// around it.
    pub(super) fn stream(
        &mut self,
        input: &mut dyn Read,
        end: u64,
        place: &Arc<Place>,
        depth: usize,
    ) -> io::Result<()> {
        let buffer = self.buffers.pop().unwrap_or_default();
        let mut tap = Tap::new(input, self.scanner, place.clone(), buffer);
        let opened = self.contents(&mut tap, end, place, depth);
        // An error of the input comes again, as what is left is read.
        let buffer = tap.finish(&mut self.found).and_then(|buffer| opened.map(|()| buffer))?;
        self.buffers.push(buffer);
        Ok(())
    }

    /// Opens what is between the next byte of a stream and `end`, and passes over it.
    pub(super) fn contents(
        &mut self,
        tap: &mut Tap<'_>,
        end: u64,
        place: &Arc<Place>,
        depth: usize,
    ) -> io::Result<()> {
        tap.enter(place.clone());
        let kind = Kind::of(tap.peek(512, end)?);
        let is_open = !matches!(kind, Kind::Plain | Kind::Closed(_) | Kind::Executable);
        if is_open && depth >= self.limits.depth {
            let reason = format!("it is in {depth} others, which is as deep as a scan goes");
            self.found.unopened(place, reason);
            return tap.pass_to(end);
        }
        match kind {
            Kind::Ar => ar::open(self, tap, end, place, depth)?,
            Kind::Cpio => cpio::open(self, tap, end, place, depth)?,
            Kind::Rpm => rpm::open(self, tap, end, place, depth)?,
            Kind::Tar => tar::open(self, tap, end, place, depth)?,
            Kind::Zip => zip::open(self, tap, end, place, depth)?,
            Kind::Executable => self.behind_script(tap, end, place, depth)?,
            Kind::Packed(codec) => self.packed(tap, end, place, codec, depth)?,
            Kind::Closed(name) => {
                self.found.unopened(place, format!("{name}, which a scan does not open"));
            }
            Kind::Plain => {}
        }
        tap.pass_to(end)
    }

    /// Opens an archive that follows a few lines of a script.
    fn behind_script(
        &mut self,
        tap: &mut Tap<'_>,
        end: u64,
        place: &Arc<Place>,
        depth: usize,
    ) -> io::Result<()> {
        let last = end.min(tap.offset().saturating_add(SCRIPT));
        let is_zip = |start: &[u8]| start.starts_with(b"PK\x03\x04");
        if !pass_to_match(tap, last, is_zip)? {
            return Ok(());
        }
        if depth >= self.limits.depth {
            self.found.unopened(place, "it is too deep in others");
            return Ok(());
        }
        zip::open(self, tap, end, place, depth)
    }

    /// Decompresses what is up to `end`.
    fn packed(
        &mut self,
        tap: &mut Tap<'_>,
        end: u64,
        place: &Arc<Place>,
        codec: Codec,
        depth: usize,
    ) -> io::Result<()> {
        let part = Part { tap: &mut *tap, end };
        match decoder(codec, part) {
            Ok(mut decoder) => self.decompressed(&mut *decoder, end, place, depth),
            Err(error) => self.found.unopened(place, damaged(codec.word(), &error)),
        }
        failed(tap)
    }

    /// Searches what a decoder gives of what takes so many bytes at most. What it cannot decode is
    /// noted.
    pub(super) fn decompressed(
        &mut self,
        decoder: &mut dyn Read,
        packed: u64,
        place: &Arc<Place>,
        depth: usize,
    ) {
        let of_ratio = self.limits.free.saturating_add(packed.saturating_mul(self.limits.ratio));
        let allowed = self.left.min(of_ratio);
        let mut bounded = Bounded { input: decoder, left: allowed, is_over: false };
        let searched = self.stream(&mut bounded, u64::MAX, &place.decompressed(), depth + 1);
        let Bounded { left, is_over, .. } = bounded;
        self.left -= allowed - left;
        if is_over {
            let reason =
                format!("only its first {allowed} bytes after decompression, as the limits are");
            self.found.unopened(place, reason);
        }
        if let Err(error) = searched {
            self.found.unopened(place, damaged("compressed stream", &error));
        }
    }

    /// Looks at the path of a file.
    pub(super) fn name(&mut self, path: &str, place: &Arc<Place>) {
        self.found.hits.extend(Hit::of_name(path, place));
    }
}

/// Says what could not be decoded; what came before the fault was searched.
pub(super) fn damaged(what: &str, error: &dyn std::fmt::Display) -> String {
    format!("damaged as {what}: {error}; its plain bytes were searched")
}

/// Fails if the input of a stream did.
pub(super) fn failed(tap: &Tap<'_>) -> io::Result<()> {
    if tap.has_failed() {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "what it is in is damaged"));
    }
    Ok(())
}

/// Reads up to where bytes begin that match; returns whether there are any before `end`.
pub(super) fn pass_to_match(
    tap: &mut Tap<'_>,
    end: u64,
    is_match: impl Fn(&[u8]) -> bool,
) -> io::Result<bool> {
    loop {
        let there = tap.peek(super::tap::PEEK, end)?;
        let whole = there.len().saturating_sub(3);
        if let Some(at) = (0..whole).find(|at| is_match(&there[*at..])) {
            let offset = tap.offset() + at as u64;
            tap.pass_to(offset)?;
            return Ok(true);
        }
        if whole == 0 {
            return Ok(false);
        }
        let offset = tap.offset() + whole as u64;
        tap.pass_to(offset)?;
    }
}

/// Reads at most so many bytes.
struct Bounded<'a> {
    input: &'a mut dyn Read,
    left: u64,
    is_over: bool,
}

impl Read for Bounded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !buffer.is_empty() {
            self.is_over |= self.input.read(&mut [0])? > 0;
            return Ok(0);
        }
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.input.read(&mut buffer[..wanted])?;
        self.left -= count as u64;
        Ok(count)
    }
}
