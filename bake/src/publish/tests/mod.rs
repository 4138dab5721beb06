//! Plans as tables, and pushes, pulls and copies against a registry in memory.

mod images;
mod memory;
mod pushes;
mod releases;
