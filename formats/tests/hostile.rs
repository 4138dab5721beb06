//! Every reader is given thousands of damaged artifacts: it may fail, but not panic, and it may not
//! take memory that the input does not have.
//!
//! The fuzz targets in `fuzz/` call the same functions for as long as one likes; this is the part
//! that runs with the other tests, the same bytes each time.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[expect(unreachable_pub, reason = "the fuzz targets use it too")]
#[path = "../fuzz/src/entries.rs"]
mod entries;
#[expect(unreachable_pub, reason = "the fuzz targets use it too")]
#[path = "../fuzz/src/mutate.rs"]
mod mutate;
#[expect(unreachable_pub, reason = "the fuzz targets use it too")]
#[path = "../fuzz/src/seeds.rs"]
mod seeds;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use entries::{TARGETS, Target};
use mutate::{Random, mutate};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// How long one target is tried; at least [`LEAST`] inputs are, however slow the machine is.
const TIME: Duration = Duration::from_millis(500);
const LEAST: usize = 100;
const MOST: usize = 4000;

/// What a reader may hold whatever the input is, and for each byte of it.
const ALLOWED: usize = 64 << 20;
const ALLOWED_PER_BYTE: usize = 4;

/// No input may keep a reader busy for longer.
const PATIENCE: Duration = Duration::from_secs(20);

fn check(target: Target, input: &[u8], what: &str) {
    let Target { name, read } = target;
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let started = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| read(input)));
    let (time, taken) = (started.elapsed(), MEMORY.peak_usage().saturating_sub(before));
    let len = input.len();
    assert!(outcome.is_ok(), "{name}: {what} of {len} bytes makes it panic: {}", sample(input));
    let allowed = ALLOWED + ALLOWED_PER_BYTE * len;
    assert!(taken <= allowed, "{name}: {what} of {len} bytes takes {taken}, allowed are {allowed}");
    assert!(time < PATIENCE, "{name}: {what} of {len} bytes takes {time:?}");
}

/// Returns the start of an input, to be tried again by hand.
fn sample(input: &[u8]) -> String {
    bake_formats::digest::hex(&input[..input.len().min(2000)])
}

fn attack(target: Target) -> usize {
    let seeds = seeds::seeds(target.name).unwrap();
    assert!(!seeds.is_empty());
    for seed in &seeds {
        check(target, seed, "a seed");
    }
    check(target, b"", "nothing");
    let started = Instant::now();
    let mut tried = 0;
    while tried < LEAST || (tried < MOST && started.elapsed() < TIME) {
        let mut random = Random(tried as u64);
        let seed = &seeds[random.below(seeds.len())];
        let input = mutate(seed, &seeds, &mut random);
        check(target, &input, &format!("mutation {tried}"));
        tried += 1;
    }
    tried
}

// One test, because the peak is that of the whole process.
#[test]
fn readers_withstand_damaged_input() {
    for target in TARGETS {
        let started = Instant::now();
        let tried = attack(target);
        assert!(tried >= LEAST, "{}: {tried} inputs in {:?}", target.name, started.elapsed());
    }
}
