//! The rpm format.
