//! The deb format.
