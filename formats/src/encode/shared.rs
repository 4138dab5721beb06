//! Segments that somebody holds right now: whoever needs one of them too gets it from there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::digest::Digest;
use crate::encode::segment::{Packed, Wanted};

/// How many keys are noted before those whose segments are gone are looked for.
const NOTED: usize = 64;

/// The segments that are held, by key. Nothing is held longer for it.
#[derive(Debug, Default)]
pub(super) struct Shared(Mutex<HashMap<Digest, Weak<Packed>>>);

impl Shared {
    /// Returns the segment of a key if somebody holds it, with what is wanted of it.
    pub(super) fn find(&self, key: &Digest, wanted: Wanted) -> Option<Arc<Packed>> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(key)?.upgrade().filter(|packed| packed.has(wanted))
    }

    /// Notes that somebody holds the segment of a key.
    pub(super) fn note(&self, key: &Digest, packed: &Arc<Packed>) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() >= NOTED {
            held.retain(|_, packed| packed.strong_count() > 0);
        }
        held.insert(*key, Arc::downgrade(packed));
    }
}
