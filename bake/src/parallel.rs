//! Work on several things at a time.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// Does something for each item on so many threads; results are in the items' order.
///
/// After an error nothing new is begun, and of several errors that of the first item is returned. Items are begun in
/// their order, so that it is the same error whatever the threads do.
pub(crate) fn in_parallel<T: Sync, R: Send, E: Send>(
    threads: usize,
    items: &[T],
    act: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = || {
        let mut results = Vec::new();
        while !failed.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(number) else { break };
            let result = act(item);
            failed.fetch_or(result.is_err(), Ordering::Relaxed);
            results.push((number, result));
        }
        results
    };
    let mut results = thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(items.len())).map(|_| scope.spawn(work)).collect();
        let mut results = work();
        for other in others {
            results.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        results
    });
    results.sort_unstable_by_key(|(number, _)| *number);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Does two things at a time.
pub(crate) fn both<A: Send, B>(
    one: impl FnOnce() -> A + Send,
    other: impl FnOnce() -> B,
) -> (A, B) {
    thread::scope(|scope| {
        let one = scope.spawn(one);
        let other = other();
        (one.join().unwrap_or_else(|panic| resume_unwind(panic)), other)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order_and_the_first_error_counts() {
        let items: Vec<usize> = (0..100).collect();
        for threads in [0, 1, 3, 200] {
            let doubled = in_parallel(threads, &items, |item| Ok::<_, ()>(item * 2)).unwrap();
            assert!(doubled.iter().enumerate().all(|(number, found)| *found == number * 2));
            let fails = |item: &usize| if *item < 40 { Ok(()) } else { Err(*item) };
            assert_eq!(in_parallel(threads, &items, fails).unwrap_err(), 40);
        }
    }

    #[test]
    fn two_things_are_done_at_a_time() {
        let barrier = std::sync::Barrier::new(2);
        // Each waits for the other.
        let meet = |number: u8| {
            barrier.wait();
            number
        };
        assert_eq!(both(|| meet(1), || meet(2)), (1, 2));
    }

    #[test]
    fn nothing_is_begun_after_an_error() {
        let begun = AtomicUsize::new(0);
        let fails = |_: &u8| {
            begun.fetch_add(1, Ordering::Relaxed);
            Err::<(), ()>(())
        };
        in_parallel(2, &[0; 100], fails).unwrap_err();
        assert!(begun.into_inner() <= 2);
    }
}
