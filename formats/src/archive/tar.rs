//! The tar archive format.
