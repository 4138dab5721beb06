//! Fuzzing of every reader: see `docs/fuzzing.md`.

pub mod entries;
pub mod mutate;
pub mod seeds;
