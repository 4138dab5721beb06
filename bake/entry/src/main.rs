//! `bake-init`: see the library.

use std::process::ExitCode;

use bake_entry::failure::{self, Failure, Status};
use bake_entry::{privileges, run};

fn main() -> ExitCode {
    // Before any secret is read. What a fault says could hold one, where it is does not.
    privileges::hide_memory();
    std::panic::set_hook(Box::new(|fault| {
        let place = fault.location().map(|place| format!(" at {}:{}", place.file(), place.line()));
        failure::say(format_args!("this is a fault of bake-init{}", place.unwrap_or_default()));
        end(Status::Fault)
    }));
    match run::run(std::env::args_os().skip(1)) {
        Ok(run::Done) => ExitCode::SUCCESS,
        Err(Failure { status, problems }) => {
            for problem in &problems {
                failure::say(problem);
            }
            ExitCode::from(status.code())
        }
    }
}

#[expect(
    clippy::exit,
    reason = "as the first process of a container, aborting would end in a signal that means nothing"
)]
fn end(status: Status) -> ! {
    std::process::exit(status.code().into())
}
