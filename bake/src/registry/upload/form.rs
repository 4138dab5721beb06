//! In which requests a blob is sent.

/// How a chunk is made smaller when a host takes none as long.
const SHRINK: u64 = 4;
/// The longest chunk after a host refused a longer one.
const LONGEST_AFTER_REFUSAL: u64 = 64 << 20;
/// The shortest body that it makes sense to try; whoever takes less takes no images.
const SHORTEST: u64 = 64 << 10;

/// The requests between the one that opens a session and the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `PUT` with all bytes.
    Whole,
    /// `PATCH` with all bytes, `PUT` with none.
    Streamed,
    /// `PATCH` with this many bytes each, `PUT` with none.
    Chunks(u64),
}

impl Form {
    /// Returns the form for a blob: in one request if the host takes it.
    pub(super) fn of(size: u64, chunk_size: Option<u64>, max_body: u64) -> Self {
        let chunk = chunk_size.unwrap_or(u64::MAX).min(max_body).max(1);
        if size > chunk { Self::Chunks(chunk) } else { Self::Whole }
    }

    /// Returns the next length to try after a body of this length was too long.
    pub(super) fn shorter_than(refused: u64) -> Option<u64> {
        let next = (refused / SHRINK).clamp(SHORTEST, LONGEST_AFTER_REFUSAL);
        (refused > SHORTEST).then_some(next)
    }

    /// Returns how many of the bytes that are left go into the next `PATCH`.
    pub(super) fn next(self, left: u64, min_chunk: u64) -> u64 {
        match self {
            Self::Whole | Self::Streamed => left,
            Self::Chunks(len) => len.max(min_chunk).min(left),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_too_long_is_tried_shorter_down_to_the_shortest() {
        for (refused, next) in [
            (1 << 40, Some(64 << 20)),
            (400_000, Some(100_000)),
            // A quarter would be less than makes sense; the shortest may still be taken.
            (250_000, Some(64 << 10)),
            ((64 << 10) + 1, Some(64 << 10)),
            (64 << 10, None),
            (0, None),
        ] {
            assert_eq!(Form::shorter_than(refused), next, "{refused}");
        }
    }
}
