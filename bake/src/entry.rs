//! The entry point of services (`bake/entry`), which the program carries for its own architecture.
//!
//! In an artifact it lies at [`bake_config::schema::entrypoint_path`], 0755 and root's, and starts the service with the
//! arguments that `bake_recipes` calls the launcher:
//!
//! ```text
//! bake-init RECORD -- COMMAND [ARGUMENT]...
//! ```
//!
//! In an image everything up to and with `--` is `Entrypoint` and the command is `Cmd`; the image's `User` stays, and
//! `--user` is for images that start as root. In a unit it stands before the command of `ExecStart=`, and 78 belongs into
//! `RestartPreventExitStatus=`. `--render RECORD`, as root, is for `ExecStartPre=+`.

use bake_recipes::Platform;

use crate::guest;

/// The program, empty where there is none.
static PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/bake-init"));

/// Returns the entry point for a platform, if this program carries it.
pub fn program(platform: Platform) -> Option<&'static [u8]> {
    guest::is_own(platform).then_some(PROGRAM)
}
