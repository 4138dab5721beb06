//! Fuzzing of the readers of the recipe and of its lock file: see `docs/fuzzing.md`.

pub mod entries;
