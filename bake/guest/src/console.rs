//! What the console gets to read, and the end of a boot that failed.

use std::fmt::Display;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::system::RebootCommand;

use crate::failure::Failure;

static QUIET: AtomicBool = AtomicBool::new(false);

/// Keeps what is only good to know from the console, as `quiet` asks.
pub fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Says something on the console.
pub fn say(message: impl Display) {
    // A console that takes no text leaves nobody to tell.
    writeln!(std::io::stderr(), "bake-machine-init: {message}").ok();
}

/// Says what is only good to know.
pub fn tell(message: impl Display) {
    if !QUIET.load(Ordering::Relaxed) {
        say(message);
    }
}

/// Makes `/dev/console` the standard streams: what the kernel gave are files of the initramfs, or none.
pub fn attach() -> std::io::Result<()> {
    let console = std::fs::File::options().read(true).write(true).open("/dev/console")?;
    rustix::stdio::dup2_stdin(&console)?;
    rustix::stdio::dup2_stdout(&console)?;
    rustix::stdio::dup2_stderr(&console)?;
    Ok(())
}

/// What happens to a machine that cannot boot: the meaning of the kernel's `panic=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterFailure {
    /// It stands still, so that the console can be read.
    Stop,
    /// It restarts after this time.
    Restart(Duration),
}

impl AfterFailure {
    /// Parses the value of `panic=`: seconds, 0 for ever, negative at once.
    pub fn parse(seconds: &str) -> Self {
        match seconds.parse::<i32>() {
            Ok(0) | Err(_) => Self::Stop,
            Ok(seconds) => Self::Restart(Duration::from_secs(seconds.try_into().unwrap_or(0))),
        }
    }
}

/// Says why the machine cannot boot, and ends it.
///
/// The first process must not end: the kernel would panic, and what was said would scroll away.
pub fn give_up(failure: &Failure, then: AfterFailure) -> ! {
    for line in failure.lines() {
        say(line);
    }
    if let AfterFailure::Restart(pause) = then {
        say(format_args!("restarting in {} s (panic=)", pause.as_secs()));
        std::thread::sleep(pause);
        rustix::fs::sync();
        if let Err(error) = rustix::system::reboot(RebootCommand::Restart) {
            say(format_args!("cannot restart: {error}"));
        }
    }
    say("stopped");
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panic_means_what_it_means_to_the_kernel() {
        assert_eq!(AfterFailure::parse("10"), AfterFailure::Restart(Duration::from_secs(10)));
        assert_eq!(AfterFailure::parse("-1"), AfterFailure::Restart(Duration::ZERO));
        assert_eq!(AfterFailure::parse("0"), AfterFailure::Stop);
        assert_eq!(AfterFailure::parse("soon"), AfterFailure::Stop);
    }
}
