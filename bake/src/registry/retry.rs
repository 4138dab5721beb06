//! When to try again, and how long to wait before.

use std::time::Duration;

/// How often and how patiently calls are tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// How many attempts there are in all.
    pub attempts: u32,
    /// The most that is waited before the second attempt; it doubles with every further one.
    pub first: Duration,
    /// The most that is waited if the registry says nothing.
    pub longest: Duration,
    /// The most that a registry may ask for.
    pub patience: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            attempts: 5,
            first: Duration::from_millis(500),
            longest: Duration::from_secs(30),
            patience: Duration::from_secs(300),
        }
    }
}

/// What to do after an attempt that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Wait and try again.
    After(Duration),
    /// There were enough attempts.
    Enough,
    /// The registry asks for more patience than there is.
    TooLong(Duration),
}

impl Retries {
    /// Decides what comes after attempt number `attempt`, from 1.
    ///
    /// Full jitter: any time between nothing and a bound that doubles, so that clients which were
    /// turned away together do not come back together. What the registry asks for is kept to, plus
    /// up to a tenth.
    pub(super) fn next(&self, attempt: u32, retry_after: Option<Duration>) -> Next {
        if attempt >= self.attempts {
            return Next::Enough;
        }
        match retry_after {
            Some(asked) if asked > self.patience => Next::TooLong(asked),
            Some(asked) => Next::After(asked + random(asked / 10 + Duration::from_millis(100))),
            None => {
                let factor = 2_u32.saturating_pow(attempt.saturating_sub(1).min(20));
                Next::After(random(self.first.saturating_mul(factor).min(self.longest)))
            }
        }
    }
}

fn random(bound: Duration) -> Duration {
    let bound = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(fastrand::u64(0..=bound))
}

/// Returns whether a status says that another attempt may do better.
pub(super) fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504 | 522)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRIES: Retries = Retries {
        attempts: 4,
        first: Duration::from_secs(1),
        longest: Duration::from_secs(3),
        patience: Duration::from_secs(60),
    };

    fn waits(attempt: u32, retry_after: Option<u64>) -> (Duration, Duration) {
        let mut all: Vec<_> = (0..200)
            .map(|_| match RETRIES.next(attempt, retry_after.map(Duration::from_secs)) {
                Next::After(time) => time,
                other => panic!("{other:?}"),
            })
            .collect();
        all.sort();
        (all[0], all[199])
    }

    #[test]
    fn waits_are_spread_below_a_bound_that_doubles() {
        for (attempt, bound) in [(1, 1000), (2, 2000), (3, 3000)] {
            let (least, most) = waits(attempt, None);
            assert!(least < Duration::from_millis(bound / 5), "{attempt}: {least:?}");
            assert!(most <= Duration::from_millis(bound), "{attempt}: {most:?}");
            assert!(most > Duration::from_millis(bound * 4 / 5), "{attempt}: {most:?}");
        }
    }

    #[test]
    fn what_the_registry_asks_for_is_kept_to() {
        let (least, most) = waits(1, Some(50));
        assert!(least >= Duration::from_secs(50));
        assert!(most <= Duration::from_millis(55_100));
    }

    #[test]
    fn there_is_an_end() {
        assert_eq!(RETRIES.next(4, None), Next::Enough);
        let hour = Duration::from_secs(3600);
        assert_eq!(RETRIES.next(1, Some(hour)), Next::TooLong(hour));
    }

    #[test]
    fn only_faults_that_pass_are_tried_again() {
        for status in [408, 429, 500, 502, 503, 504, 522] {
            assert!(is_passing(status), "{status}");
        }
        for status in [200, 202, 301, 400, 401, 403, 404, 405, 413, 416, 501, 505] {
            assert!(!is_passing(status), "{status}");
        }
    }
}
