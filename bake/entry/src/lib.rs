//! What runs before a service: its configuration is checked, brought to the program, and the program takes over.
//!
//! ```text
//! record ──► Schema ┐
//! environment ──────┼─ collect ─► values ─ judge ─► Settings ─► rendered files ─► staged ─► in place
//! _FILE, credentials┘                                       └─► variables, files of one value ─► execve
//! ```
//!
//! Everything that is wrong is told before anything is written, by the names of keys and never with a value. No
//! process of its own stays behind: the program gets the process id and every signal.
//!
//! Modules stand in dependency order: each uses only those above it.

pub mod failure;

pub mod arguments;

pub mod input;

pub mod account;

pub mod environment;

pub mod source;

pub mod judge;

pub mod staging;

pub mod handover;

pub mod privileges;

pub mod run;
