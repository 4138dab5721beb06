//! Many byte strings looked for at once.
//!
//! Of each string one window of [`Anchors::window`] bytes is chosen, and all blocks of four bytes in
//! the first few places of that window are put into a table of bits. A search looks at one block in
//! every [`Anchors::stride`] bytes: wherever a string is, one of the blocks looked at is in the table.
//! What the table lets through is compared. Places do not depend on each other, so a processor
//! looks at several at once; an automaton with as many states as there are here misses its cache at
//! every byte. `testdata/bench/leak` measures both.

use std::ops::Range;

use zeroize::Zeroizing;

/// How many bytes a block has.
const BLOCK: usize = 4;
/// The longest window: a longer stride gains little, and more blocks cost.
const WINDOW: usize = 12;
/// How far from its start the window of a string may be.
const REACH: usize = 32;
/// How many bits of the table there are for each block in it, at least.
const SPARSITY: usize = 24;
/// How many blocks are looked at together.
const SAMPLES: usize = 8;

/// Byte strings, ready to be looked for.
#[derive(Default)]
pub(super) struct Anchors {
    strings: Vec<Zeroizing<Vec<u8>>>,
    /// Where in each string its window begins.
    windows: Vec<usize>,
    /// The bytes of every window, at least [`BLOCK`].
    window: usize,
    /// How far to shift a hash to get a number of a bit.
    shift: u32,
    bits: Vec<u64>,
    /// Where the candidates of each slot begin.
    starts: Vec<u32>,
    candidates: Vec<Candidate>,
}

/// A string that has a block.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    hash: u32,
    string: u32,
    /// Where in the string the block is.
    offset: u32,
}

impl std::fmt::Debug for Anchors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Anchors").field("strings", &self.strings.len()).finish_non_exhaustive()
    }
}

fn hash(block: [u8; BLOCK]) -> u32 {
    u32::from_le_bytes(block).wrapping_mul(0x9e37_79b1)
}

impl Anchors {
    /// Prepares strings of at least [`BLOCK`] bytes each.
    pub(super) fn new(strings: Vec<Zeroizing<Vec<u8>>>) -> Self {
        let Some(shortest) = strings.iter().map(|string| string.len()).min() else {
            return Self::default();
        };
        let window = shortest.clamp(BLOCK, WINDOW);
        let windows: Vec<_> = strings.iter().map(|string| rarest(string, window)).collect();
        let mut candidates = Vec::new();
        for (number, (string, start)) in (0_u32..).zip(strings.iter().zip(&windows)) {
            let blocks = string.windows(BLOCK).enumerate().skip(*start).take(window - BLOCK + 1);
            for (offset, block) in blocks {
                let Some(block) = block.first_chunk() else { continue };
                let offset = u32::try_from(offset).unwrap_or(u32::MAX);
                candidates.push(Candidate { hash: hash(*block), string: number, offset });
            }
        }
        candidates.sort_unstable_by_key(|found| (found.hash, found.string, found.offset));
        let log = (candidates.len() * SPARSITY).next_power_of_two().ilog2().clamp(16, 26);
        let shift = 32 - log;
        let mut bits = vec![0_u64; 1 << (log - 6)];
        for found in &candidates {
            let bit = found.hash >> shift;
            bits[(bit >> 6) as usize] |= 1 << (bit & 63);
        }
        // Slots are as many as candidates or more, by the same high bits of the hash.
        let starts = starts(&candidates);
        Self { strings, windows, window, shift, bits, starts, candidates }
    }

    /// Returns the longest string's bytes.
    pub(super) fn longest(&self) -> usize {
        self.strings.iter().map(|string| string.len()).max().unwrap_or_default()
    }

    /// Returns how many bytes before a place that is searched a string may begin that is found there.
    pub(super) fn behind(&self) -> usize {
        REACH + self.window
    }

    fn stride(&self) -> usize {
        self.window - BLOCK + 1
    }

    /// Tells of every string in a buffer whose window begins in a range: its number and where it
    /// begins. A search over consecutive ranges finds everything once.
    pub(super) fn search(
        &self,
        buffer: &[u8],
        from: usize,
        to: usize,
        found: &mut dyn FnMut(usize, usize),
    ) {
        if self.strings.is_empty() {
            return;
        }
        let mut look = |at: usize| {
            if let Some(block) = buffer.get(at..).and_then(|rest| rest.first_chunk::<BLOCK>()) {
                self.compare(buffer, at, hash(*block), (from, to), found);
            }
        };
        let until = buffer.len().min(to + self.window);
        match self.stride() {
            1 => self.sample::<1>(buffer, from..until, &mut look),
            2 => self.sample::<2>(buffer, from..until, &mut look),
            3 => self.sample::<3>(buffer, from..until, &mut look),
            4 => self.sample::<4>(buffer, from..until, &mut look),
            5 => self.sample::<5>(buffer, from..until, &mut look),
            6 => self.sample::<6>(buffer, from..until, &mut look),
            7 => self.sample::<7>(buffer, from..until, &mut look),
            8 => self.sample::<8>(buffer, from..until, &mut look),
            _ => self.sample::<9>(buffer, from..until, &mut look),
        }
    }

    /// Looks at one block in every so many bytes, several at once, and tells of those that the table
    /// lets through.
    fn sample<const STRIDE: usize>(
        &self,
        buffer: &[u8],
        range: Range<usize>,
        look: &mut dyn FnMut(usize),
    ) {
        let mut at = range.start;
        while let Some(blocks) = buffer.get(at..at + STRIDE * SAMPLES + BLOCK) {
            if at + STRIDE * SAMPLES > range.end {
                break;
            }
            let mut some = 0;
            for sample in 0..SAMPLES {
                if let Some(block) = blocks[sample * STRIDE..].first_chunk() {
                    some |= self.bit(*block);
                }
            }
            if some != 0 {
                self.one_by_one(buffer, at..at + STRIDE * SAMPLES, look);
            }
            at += STRIDE * SAMPLES;
        }
        self.one_by_one(buffer, at..range.end, look);
    }

    #[cold]
    fn one_by_one(&self, buffer: &[u8], range: Range<usize>, look: &mut dyn FnMut(usize)) {
        for at in range.step_by(self.stride()) {
            let Some(block) = buffer.get(at..).and_then(|rest| rest.first_chunk()) else { return };
            if self.bit(*block) != 0 {
                look(at);
            }
        }
    }

    /// Returns whether a block is in the table, as a number that is not 0.
    #[inline]
    fn bit(&self, block: [u8; BLOCK]) -> u64 {
        let bit = hash(block) >> self.shift;
        self.bits.get((bit >> 6) as usize).map_or(0, |word| word >> (bit & 63) & 1)
    }

    /// Compares the strings that have a block at a place.
    fn compare(
        &self,
        buffer: &[u8],
        at: usize,
        hash: u32,
        (from, to): (usize, usize),
        found: &mut dyn FnMut(usize, usize),
    ) {
        let slot = slot_of(hash, self.starts.len() - 1);
        let range = self.starts[slot] as usize..self.starts[slot + 1] as usize;
        for candidate in &self.candidates[range] {
            if candidate.hash != hash {
                continue;
            }
            let string = &self.strings[candidate.string as usize];
            let Some(start) = at.checked_sub(candidate.offset as usize) else { continue };
            let window = start + self.windows[candidate.string as usize];
            let is_here = buffer.get(start..).is_some_and(|rest| rest.starts_with(string));
            if is_here && (from..to).contains(&window) {
                found(candidate.string as usize, start);
            }
        }
    }
}

/// Returns the slot of a hash, of so many.
fn slot_of(hash: u32, slots: usize) -> usize {
    ((u64::from(hash) * slots as u64) >> 32) as usize
}

/// Returns where the candidates of each slot begin, and at last how many there are.
fn starts(candidates: &[Candidate]) -> Vec<u32> {
    let slots = candidates.len().next_power_of_two();
    let mut starts = vec![0_u32; slots + 1];
    for found in candidates {
        starts[slot_of(found.hash, slots) + 1] += 1;
    }
    for slot in 0..slots {
        starts[slot + 1] += starts[slot];
    }
    starts
}

/// Returns where in a string a window begins that other data are least likely to have.
fn rarest(string: &[u8], window: usize) -> usize {
    let last = string.len().saturating_sub(window).min(REACH);
    let score = |start: usize| -> u32 {
        string.iter().skip(start).take(window).map(|byte| rarity(*byte)).sum()
    };
    (0..=last).rev().max_by_key(|start| score(*start)).unwrap_or_default()
}

/// Returns how rare a byte is in programs and texts, roughly.
fn rarity(byte: u8) -> u32 {
    match byte {
        0 | 0xff => 0,
        b' ' | b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' => 1,
        b'a'..=b'z' | b'/' | b'-' | b'.' | b'_' => 2,
        b'0'..=b'9' | b'A'..=b'Z' | 1..=31 => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchors(strings: &[&[u8]]) -> Anchors {
        Anchors::new(strings.iter().map(|string| Zeroizing::new(string.to_vec())).collect())
    }

    /// Searches ranges one after another, as a stream does.
    fn search(anchors: &Anchors, text: &[u8], step: usize) -> Vec<(usize, usize)> {
        let mut all = Vec::new();
        let mut from = 0;
        while from < text.len() {
            let to = (from + step).min(text.len());
            anchors.search(text, from, to, &mut |string, at| all.push((string, at)));
            from = to;
        }
        all.sort_unstable();
        all
    }

    #[test]
    fn finds_what_a_plain_search_finds() {
        let strings: [&[u8]; 6] =
            [b"secret", b"ecret-with-a-tail", b"\0s\0e\0c", b"zzzzzz", b"AAAAAAAAAAAA", b"retsec"];
        let anchors = anchors(&strings);
        let mut random = 1_u64;
        for round in 0..200 {
            let mut text = Vec::new();
            while text.len() < 300 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                match (random >> 40) % 9 {
                    n @ 0..=5 => text.extend(strings[n as usize]),
                    6 => text.extend(b"secre"),
                    7 => text.push(b'A'),
                    _ => text.push((random >> 50) as u8),
                }
            }
            let mut expected: Vec<_> = Vec::new();
            for (number, string) in strings.iter().enumerate() {
                let places = text.windows(string.len()).enumerate();
                expected
                    .extend(places.filter(|(_, part)| part == string).map(|(at, _)| (number, at)));
            }
            for step in [7, 64, 1000] {
                assert_eq!(search(&anchors, &text, step), expected, "{round} {step}");
            }
        }
    }

    #[test]
    fn nothing_is_looked_for_without_strings() {
        assert_eq!(search(&anchors(&[]), b"anything", 3), []);
        assert_eq!(anchors(&[]).longest(), 0);
    }
}
