//! Time as the client sees it: how long ago, and waiting. Nothing here knows the date.

use std::time::{Duration, Instant};

/// Measures time and lets it pass.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Returns how long the clock has been running.
    fn now(&self) -> Duration;

    /// Waits.
    fn sleep(&self, time: Duration);
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}
