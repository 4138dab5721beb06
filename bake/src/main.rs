//! `bake`: parse, run, map to an exit code; nothing else.

use std::process::ExitCode;

use bake::cli::Exit;

fn main() -> ExitCode {
    std::panic::catch_unwind(bake::cli::main).unwrap_or(Exit::Bug).into()
}
