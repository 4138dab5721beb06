//! Room: how many segments may be on their way at once, in all payloads of an encoder together.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Room for so many segments.
#[derive(Debug)]
pub(super) struct Room {
    free: AtomicUsize,
}

/// The segments of one payload that have room.
pub(super) struct Held<'a> {
    room: &'a Room,
    count: usize,
    /// Whether one of them is there although there was no room for it.
    has_extra: bool,
}

impl Room {
    pub(super) fn new(segments: usize) -> Self {
        Self { free: AtomicUsize::new(segments) }
    }

    /// Begins with no segment.
    pub(super) fn enter(&self) -> Held<'_> {
        Held { room: self, count: 0, has_extra: false }
    }
}

impl Held<'_> {
    /// Takes room for one more segment, if there is some. For the first there always is: no payload waits for others.
    pub(super) fn take(&mut self) -> bool {
        let less = |free: usize| free.checked_sub(1);
        let taken = self.room.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok();
        if !taken && self.count > 0 {
            return false;
        }
        self.has_extra |= !taken;
        self.count += 1;
        true
    }

    /// Gives back the room of one segment.
    pub(super) fn give_back(&mut self) {
        self.count -= 1;
        if !std::mem::take(&mut self.has_extra) {
            self.room.free.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        while self.count > 0 {
            self.give_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_has_room_for_one_segment_and_shares_the_rest() {
        let room = Room::new(2);
        let (mut one, mut other) = (room.enter(), room.enter());
        assert!(one.take() && one.take() && !one.take());
        assert!(other.take() && !other.take());
        one.give_back();
        assert!(other.take() && !other.take());
        drop(one);
        drop(other);
        assert_eq!(room.free.into_inner(), 2);
    }
}
