//! The cpio archive format.
