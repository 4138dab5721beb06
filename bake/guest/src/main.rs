//! `/init`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    // What follows mounts over this system and empties `/`.
    if std::process::id() != 1 {
        bake_guest::console::say(
            "this is the first process of a machine and does nothing elsewhere",
        );
        return ExitCode::from(2);
    }
    bake_guest::boot::run()
}
