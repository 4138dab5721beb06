//! Turns: what several threads want to make is made by one of them.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, PoisonError};

use crate::digest::Digest;

/// Which keys somebody makes something for right now.
#[derive(Debug, Default)]
pub(super) struct Turns {
    taken: Mutex<HashSet<Digest>>,
    ended: Condvar,
}

/// The right to make what a key stands for, until it is dropped.
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    key: Digest,
}

impl Turns {
    /// Waits until nobody else has the turn of a key. Who waited looks first whether it was made meanwhile.
    pub(super) fn take(&self, key: &Digest) -> Turn<'_> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = |taken: &mut HashSet<Digest>| taken.contains(key);
        let mut taken =
            self.ended.wait_while(taken, waiting).unwrap_or_else(PoisonError::into_inner);
        taken.insert(*key);
        Turn { turns: self, key: *key }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut taken = self.turns.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.remove(&self.key);
        drop(taken);
        self.turns.ended.notify_all();
    }
}
