//! One verb per file: parse, call the engine, print.

pub(super) mod build;
pub(super) mod check;
pub(super) mod completions;
pub(super) mod config;
pub(super) mod copy;
pub(super) mod diff;
pub(super) mod env;
pub(super) mod inspect;
pub(super) mod lock;
pub(super) mod ls;
pub(super) mod man;
pub(super) mod outdated;
pub(super) mod pack;
pub(super) mod plan;
pub(super) mod pull;
pub(super) mod push;
pub(super) mod rebase;
pub(super) mod recipe;
pub(super) mod repo;
pub(super) mod run;
pub(super) mod sign;
pub(super) mod store;
pub(super) mod tag;
pub(super) mod verify;
