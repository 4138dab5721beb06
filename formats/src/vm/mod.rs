//! The vm format.
