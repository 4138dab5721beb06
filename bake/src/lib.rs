//! The engine of bake, and the command line on top of it.
//!
//! ```text
//! recipe -> plan -> (scan, hash, compose) -> tree -> lower -> model -> write -> ropes -> output
//! ```
//!
//! Modules stand in dependency order: each uses only those above it.

pub mod sign;

pub mod registry;

pub mod error;

pub mod failures;

pub mod timings;

pub mod report;

mod exchange;
pub mod interrupt;
mod parallel;
mod staging;

pub mod edit;

pub mod source;

pub mod environment;

pub mod store;

pub mod base;

pub mod output;
mod writers;

pub mod guest;

pub mod entry;

pub mod assemble;

pub mod lint;

pub mod needs;

pub mod survey;

pub mod machine;

pub mod pack;

pub mod inspected;

pub mod layers;

pub mod lower;

pub mod unpacked;

pub mod opened;

pub mod carried;

pub mod configuration;

pub mod cloud;

pub mod leak;

pub mod repository;

pub mod seal;

pub mod plan;

pub mod release;

pub mod run;

pub mod unchanged;

pub mod configure;

pub mod publish;

pub mod rebase;

pub mod emulator;

pub mod cli;
