//! How far a scan goes into what is in something else.

/// What an artifact may ask a scan for. What is beyond is told, never left out in silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many archives and compressed streams may be inside of each other.
    pub depth: usize,
    /// How often a compressed stream may hold what it takes itself, beyond [`Limits::free`].
    pub ratio: u64,
    /// How many bytes a compressed stream may hold whatever it takes.
    pub free: u64,
    /// How many bytes everything that is compressed may hold together.
    pub total: u64,
}

impl Default for Limits {
    /// 8 deep, 2000 times beyond 256 MiB, 256 GiB together.
    fn default() -> Self {
        Self { depth: 8, ratio: 2000, free: 256 << 20, total: 256 << 30 }
    }
}
