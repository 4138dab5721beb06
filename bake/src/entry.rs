//! The entry point of services (`bake/entry`), which the program carries for its own architecture.
//!
//! In an artifact it is `/usr/bin/bake-init`, 0755 and root's, and starts the service:
//!
//! ```text
//! bake-init /usr/share/bake/config/NAME.json -- COMMAND [ARGUMENT]...
//! ```
//!
//! The record's path is [`bake_config::record::path`] of the recipe's name. In an image that is `Entrypoint`, up to and with
//! `--`, and the command is `Cmd`; the image's `User` stays, and `--user` is for those that start as root. In a unit it
//! stands before the command of `ExecStart=`, and 78 belongs into `RestartPreventExitStatus=`.

use bake_recipes::Platform;

use crate::guest;

/// The program, empty where there is none.
static PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/bake-init"));

/// Returns the entry point for a platform, if this program carries it.
pub fn program(platform: Platform) -> Option<&'static [u8]> {
    guest::is_own(platform).then_some(PROGRAM)
}
