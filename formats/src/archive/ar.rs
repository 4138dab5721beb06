//! The ar archive format.
