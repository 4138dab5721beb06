//! Fuzzing of the recipe's reader: see `docs/fuzzing.md`.

pub mod entries;
