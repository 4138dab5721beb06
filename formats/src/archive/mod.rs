//! Container syntaxes, nothing about packages: ar, cpio and tar, each a writer and a reader.

pub mod ar;
pub mod cpio;
pub mod tar;
