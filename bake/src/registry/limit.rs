//! How many requests a registry gets at once: fewer when it complains, slowly more when it does not.
//!
//! Additive increase, multiplicative decrease, as TCP does it. A burst of complaints that belong
//! together halves the number once.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::clock::Clock;

/// Complaints within this time are one.
const EPOCH: Duration = Duration::from_millis(100);

/// The limit of one registry.
#[derive(Debug)]
pub(super) struct Limit {
    state: Mutex<State>,
    freed: Condvar,
    most: u32,
}

#[derive(Debug)]
struct State {
    running: u32,
    /// How many may run, in thousandths, so that it can grow slowly.
    window: u64,
    halved: Option<Duration>,
    /// Nobody begins before this.
    closed_until: Duration,
}

/// The right to make one request.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    limit: &'a Limit,
}

impl Limit {
    /// Makes a limit that begins at its most.
    pub(super) fn new(most: u32) -> Self {
        let most = most.max(1);
        let window = u64::from(most) * 1000;
        let state = State { running: 0, window, halved: None, closed_until: Duration::ZERO };
        Self { state: state.into(), freed: Condvar::new(), most }
    }

    /// Waits for the right to make a request.
    pub(super) fn permit(&self, clock: &dyn Clock) -> Permit<'_> {
        let mut state = self.lock();
        loop {
            let closed = state.closed_until.saturating_sub(clock.now());
            if !closed.is_zero() {
                drop(state);
                clock.sleep(closed);
                state = self.lock();
            } else if u64::from(state.running) < (state.window / 1000).max(1) {
                state.running += 1;
                return Permit { limit: self };
            } else {
                state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// The registry answered without complaint.
    pub(super) fn went_well(&self) {
        let mut state = self.lock();
        let more = 1_000_000 / state.window.max(1000);
        state.window = (state.window + more).min(u64::from(self.most) * 1000);
    }

    /// The registry complained, and may have said how long it wants to be left alone.
    pub(super) fn complained(&self, now: Duration, leave_alone: Option<Duration>) {
        let mut state = self.lock();
        if state.halved.is_none_or(|halved| now.saturating_sub(halved) >= EPOCH) {
            state.window = (state.window / 2).max(1000);
            state.halved = Some(now);
        }
        if let Some(time) = leave_alone {
            state.closed_until = state.closed_until.max(now.saturating_add(time));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.limit.lock().running -= 1;
        self.limit.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::tests::TestClock;

    fn window(limit: &Limit) -> u64 {
        limit.lock().window / 1000
    }

    #[test]
    fn a_burst_of_complaints_halves_once() {
        let limit = Limit::new(8);
        for at in [0, 10, 99] {
            limit.complained(Duration::from_millis(at), None);
        }
        assert_eq!(window(&limit), 4);
        limit.complained(Duration::from_millis(100), None);
        assert_eq!(window(&limit), 2);
        for at in 2..9 {
            limit.complained(Duration::from_secs(at), None);
        }
        assert_eq!(window(&limit), 1);
    }

    #[test]
    fn it_grows_slowly_and_not_beyond_its_most() {
        let limit = Limit::new(4);
        limit.complained(Duration::ZERO, None);
        limit.went_well();
        assert_eq!(window(&limit), 2);
        limit.went_well();
        limit.went_well();
        assert_eq!(window(&limit), 3);
        for _ in 0..100 {
            limit.went_well();
        }
        assert_eq!(window(&limit), 4);
    }

    #[test]
    fn a_registry_that_wants_to_be_left_alone_is() {
        let clock = TestClock::default();
        let limit = Limit::new(4);
        limit.complained(clock.now(), Some(Duration::from_secs(7)));
        drop(limit.permit(&clock));
        assert_eq!(clock.now(), Duration::from_secs(7));
    }

    #[test]
    fn no_more_run_than_may() {
        let limit = Limit::new(2);
        let clock = TestClock::default();
        let most = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let _permit = limit.permit(&clock);
                    let running = limit.lock().running;
                    most.fetch_max(running, std::sync::atomic::Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(2));
                });
            }
        });
        assert_eq!(most.into_inner(), 2);
        assert_eq!(limit.lock().running, 0);
    }
}
