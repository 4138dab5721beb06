//! Environments: their secrets decrypted, and their files edited.
//!
//! ```text
//! Environment (bake-recipes) ──unlock──► Given, key by key
//!       age     identities ──► envelope {"e","k","r","v"} ──► bound to this key of this environment
//!       sops    identities ──► data key ──► values, their message authentication code checked
//!       command a program's output, if commands may run
//!       ref     passed on
//! ```
//!
//! What is secret is wiped when it is dropped, has no `Debug`, and is in no error: an error names the key, its place
//! and where was looked.

pub mod memory;

pub mod fault;

pub(crate) mod held;

pub mod recipients;

pub mod identities;

mod cipher;

pub mod envelope;

mod command;

mod sops;

pub mod unlock;

pub mod digest_key;

pub mod document;

pub mod edit;

pub mod rekey;

#[cfg(test)]
mod tests;
