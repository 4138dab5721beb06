//! Who watches bytes go over the wire.

/// Watches a transfer. Every method has a default that does nothing.
pub trait Progress: Sync {
    /// So many more bytes were sent or received.
    fn advanced(&self, _bytes: u64) {}

    /// So many bytes that were sent did not arrive and are sent again.
    fn set_back(&self, _bytes: u64) {}
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Progress for Unwatched {}
