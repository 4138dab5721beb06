//! A stream that is searched while somebody reads it.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufRead, Read};
use std::sync::Arc;

use super::place::Place;
use super::report::{Found, Hit, HitKind};
use super::scanner::{Match, Scanner};

/// How many bytes are searched at once.
const BLOCK: usize = 256 << 10;
/// The most bytes that can be looked at before they are read.
pub(super) const PEEK: usize = 2048;

/// Of how many places of one kind in one region it is known where in the stream they are.
const MOST: usize = 256;

/// A stream, the bytes of which are searched when they have been read.
///
/// Whoever reads says what begins where: [`Tap::enter`]. What was found is told by the place that its
/// first byte is in.
pub(super) struct Tap<'a> {
    input: &'a mut dyn Read,
    scanner: &'a Scanner,
    buffer: Vec<u8>,
    /// Where in the stream the buffer begins.
    base: u64,
    /// How many bytes of the buffer were searched, were read, and are there.
    searched: usize,
    read: usize,
    filled: usize,
    has_ended: bool,
    /// What begins where, in order.
    regions: VecDeque<(u64, Arc<Place>)>,
    hits: BTreeMap<(u64, HitKind), Hit>,
    /// Why the input ended before its end.
    failure: Option<io::Error>,
}

impl<'a> Tap<'a> {
    /// Starts at the beginning of a place; `buffer` is one that was used before.
    pub(super) fn new(
        input: &'a mut dyn Read,
        scanner: &'a Scanner,
        place: Arc<Place>,
        mut buffer: Vec<u8>,
    ) -> Self {
        buffer.resize(BLOCK + scanner.ahead() + scanner.behind() + PEEK, 0);
        Self {
            input,
            scanner,
            buffer,
            base: 0,
            searched: 0,
            read: 0,
            filled: 0,
            has_ended: false,
            regions: [(0, place)].into(),
            hits: BTreeMap::new(),
            failure: None,
        }
    }

    /// Returns where in the stream the next byte is.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.read as u64
    }

    /// Says that a place begins at the next byte.
    pub(super) fn enter(&mut self, place: Arc<Place>) {
        let offset = self.offset();
        if self.regions.back().is_some_and(|(start, _)| *start == offset) {
            self.regions.pop_back();
        }
        self.regions.push_back((offset, place));
    }

    /// Returns the next bytes without reading them: at most [`PEEK`] and not beyond `end`, fewer only
    /// where the stream ends.
    pub(super) fn peek(&mut self, wanted: usize, end: u64) -> io::Result<&[u8]> {
        let wanted = wanted.min(PEEK);
        if self.filled - self.read < wanted && !self.has_ended {
            self.refill()?;
        }
        let left = usize::try_from(end.saturating_sub(self.offset())).unwrap_or(usize::MAX);
        let len = (self.filled - self.read).min(wanted).min(left);
        Ok(&self.buffer[self.read..self.read + len])
    }

    /// Reads so many bytes, at most `limit` of which are returned; `None` if the stream or what is
    /// before `end` is shorter.
    pub(super) fn take(&mut self, len: u64, limit: u64, end: u64) -> io::Result<Option<Vec<u8>>> {
        if self.offset().saturating_add(len) > end {
            return Ok(None);
        }
        let to = self.offset() + len;
        let mut bytes = Vec::new();
        Read::take(&mut *self, len.min(limit)).read_to_end(&mut bytes)?;
        self.pass_to(to)?;
        Ok((self.offset() == to).then_some(bytes))
    }

    /// Reads up to a place of the stream, or to its end.
    pub(super) fn pass_to(&mut self, offset: u64) -> io::Result<()> {
        while self.offset() < offset {
            let left = usize::try_from(offset - self.offset()).unwrap_or(usize::MAX);
            let there = self.fill_buf()?.len().min(left);
            if there == 0 {
                return Ok(());
            }
            self.consume(there);
        }
        Ok(())
    }

    /// Returns whether the input failed.
    pub(super) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Reads and searches everything that is left; returns the buffer for another, or why the input
    /// ended early.
    pub(super) fn finish(mut self, found: &mut Found) -> io::Result<Vec<u8>> {
        let passed = self.pass_to(u64::MAX);
        self.has_ended = true;
        self.search();
        found.bytes += self.base + self.filled as u64;
        found.streams += 1;
        found.hits.extend(self.hits.into_values());
        match self.failure {
            None => passed.map(|()| self.buffer),
            Some(error) => Err(error),
        }
    }

    /// Searches what was read, and reads more.
    fn refill(&mut self) -> io::Result<()> {
        self.search();
        let keep = self.searched.saturating_sub(self.scanner.behind()).min(self.read);
        self.buffer.copy_within(keep..self.filled, 0);
        self.base += keep as u64;
        (self.searched, self.read, self.filled) =
            (self.searched - keep, self.read - keep, self.filled - keep);
        while self.filled < self.buffer.len() && !self.has_ended {
            match self.input.read(&mut self.buffer[self.filled..]) {
                Ok(0) => self.has_ended = true,
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // To whoever reads it is the end; what came before is searched.
                Err(error) => (self.has_ended, self.failure) = (true, Some(error)),
            }
        }
        Ok(())
    }

    fn search(&mut self) {
        // What is not read yet may be in a place that nobody entered yet.
        let known = if self.has_ended { 0 } else { self.scanner.ahead() };
        let to = self.filled.saturating_sub(known).min(self.read);
        if to <= self.searched {
            return;
        }
        let Self { buffer, base, regions, hits, .. } = self;
        self.scanner.search(&buffer[..self.filled], self.searched, to, &mut |found, at| {
            note(*base + at as u64, found, regions, hits);
        });
        self.searched = to;
        let searched = *base + to as u64;
        // Strings may begin before what was searched, so one region more is kept than is left.
        let behind = searched.saturating_sub(self.scanner.behind() as u64 + 1);
        while self.regions.get(1).is_some_and(|(start, _)| *start <= behind) {
            self.regions.pop_front();
        }
    }
}

/// Notes what was found at a place of a stream.
fn note(
    at: u64,
    found: Match,
    regions: &VecDeque<(u64, Arc<Place>)>,
    hits: &mut BTreeMap<(u64, HitKind), Hit>,
) {
    let number = regions.partition_point(|(start, _)| *start <= at).saturating_sub(1);
    let Some((start, place)) = regions.get(number) else { return };
    let what = match found {
        Match::Value(value, encoding) => HitKind::Value(value, encoding),
        Match::Secret(rule) => HitKind::Secret(rule.id),
    };
    let offset = at.saturating_sub(*start);
    let hit = hits.entry((*start, what)).or_insert_with(|| Hit {
        what,
        place: place.clone(),
        offset,
        count: 0,
        stream: Vec::new(),
    });
    hit.count += 1;
    hit.offset = hit.offset.min(offset);
    if hit.stream.len() < MOST {
        hit.stream.push(at);
    }
}

impl Read for Tap<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Tap<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.read == self.filled && !self.has_ended {
            self.refill()?;
        }
        Ok(&self.buffer[self.read..self.filled])
    }

    fn consume(&mut self, count: usize) {
        self.read = (self.read + count).min(self.filled);
    }
}

/// A part of a stream that is read, up to a place.
pub(super) struct Part<'t, 'a> {
    pub(super) tap: &'t mut Tap<'a>,
    pub(super) end: u64,
}

impl Read for Part<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buffer)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Part<'_, '_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let left = usize::try_from(self.end.saturating_sub(self.tap.offset()));
        let there = self.tap.fill_buf()?;
        Ok(&there[..there.len().min(left.unwrap_or(usize::MAX))])
    }

    fn consume(&mut self, count: usize) {
        self.tap.consume(count);
    }
}
