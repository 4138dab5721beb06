//! A machine that runs.

use std::io::{self, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::{Architecture, Machine, Search, unusable};
use crate::error::Error;
use crate::interrupt::Program;

/// As many bytes of QEMU's messages as an error shows.
const MESSAGES: u64 = 8 * 1024;

/// How a machine came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Its console showed what was waited for.
    Shown,
    /// It ended by itself.
    Ended,
    /// It took too long.
    TimedOut,
}

/// Starts a program of an architecture.
pub(super) fn start(command: &mut Command, architecture: Architecture) -> Result<Program, Error> {
    Program::start(command).map_err(|error| {
        let missing = error.kind() == io::ErrorKind::NotFound;
        let hint = missing.then(|| format!("on Debian: `apt install {}`", architecture.package()));
        unusable(format!("`{}` cannot be started: {error}", architecture.program()), hint)
    })
}

/// Returns the command that runs a machine.
fn command(machine: &Machine) -> Command {
    let mut command = Command::new(machine.architecture.program());
    command.args(machine.arguments());
    command
}

/// Runs a machine on the terminal until it ends.
pub fn attach(machine: &Machine) -> Result<(), Error> {
    let mut program = start(&mut command(machine), machine.architecture)?;
    loop {
        if let Some(status) = program.wait(None)? {
            return check(machine.architecture, status, &[]);
        }
    }
}

/// Runs a machine until its console shows a text, and no longer than a time; what the console shows is
/// handed on.
pub fn watch(
    machine: &Machine,
    text: &str,
    time: Duration,
    shown: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<Ending, Error> {
    follow(&mut command(machine), machine.architecture, text, time, shown)
}

fn follow(
    command: &mut Command,
    architecture: Architecture,
    text: &str,
    time: Duration,
    mut shown: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<Ending, Error> {
    let end = Instant::now() + time;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut program = start(command, architecture)?;
    let (console, messages) = program.outputs();
    let pieces = console.map(read).ok_or_else(|| io::Error::other("QEMU has no output"))?;
    let messages = messages.map(|messages| std::thread::spawn(move || collect(messages)));
    let mut search = Search::new(text);
    let ending = loop {
        let left = end.saturating_duration_since(Instant::now());
        match pieces.recv_timeout(left) {
            Ok(piece) => {
                let piece = piece?;
                shown(&piece)?;
                if search.feed(&piece) {
                    break Ending::Shown;
                }
                if Instant::now() >= end {
                    break Ending::TimedOut;
                }
            }
            Err(RecvTimeoutError::Timeout) => break Ending::TimedOut,
            Err(RecvTimeoutError::Disconnected) => {
                let left = end.saturating_duration_since(Instant::now());
                let Some(status) = program.wait(Some(left))? else { break Ending::TimedOut };
                let said = messages.map(|thread| thread.join().unwrap_or_default());
                check(architecture, status, &said.unwrap_or_default())?;
                break Ending::Ended;
            }
        }
    };
    program.end()?;
    Ok(ending)
}

/// Reads a console in a thread of its own; it is in step with who receives.
fn read(mut console: impl Read + Send + 'static) -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::sync_channel(16);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        loop {
            let piece = match console.read(&mut buffer) {
                Ok(0) => return,
                Ok(count) => Ok(buffer[..count].to_vec()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            // When nobody listens any more, the machine is about to be ended.
            if sender.send(piece).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Reads QEMU's messages to the end, so that it never waits, and keeps the first. They are shown if it
/// fails; that it was ended is none.
fn collect(mut messages: impl Read) -> Vec<u8> {
    let mut kept = Vec::new();
    let read = messages.by_ref().take(MESSAGES).read_to_end(&mut kept);
    if read.is_ok() {
        // What is not kept is of no use, nor is why it cannot be read.
        io::copy(&mut messages, &mut io::sink()).ok();
    }
    kept
}

fn check(architecture: Architecture, status: ExitStatus, messages: &[u8]) -> Result<(), Error> {
    if status.success() {
        return Ok(());
    }
    let mut message = format!("`{}` failed with {status}", architecture.program());
    let said = String::from_utf8_lossy(messages);
    let lines = said.lines().map(|line| line.replace(char::is_control, ""));
    let lines: Vec<String> = lines.filter(|line| !line.trim().is_empty()).collect();
    if !lines.is_empty() {
        message.push_str(&format!("; it says: {}", lines.join(" / ")));
    }
    Err(unusable(message, "`--dry-run` shows how it is started".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More than anything takes here.
    const LONG: Duration = Duration::from_secs(120);

    /// Runs a shell in the place of QEMU.
    fn run(script: &str, time: Duration) -> (Result<Ending, Error>, String) {
        let mut command = Command::new("/bin/sh");
        let mut console = Vec::new();
        let shown = |piece: &[u8]| {
            console.extend_from_slice(piece);
            Ok(())
        };
        let command = command.args(["-c", script]);
        let ending = follow(command, Architecture::Amd64, "ready", time, shown);
        (ending, String::from_utf8(console).unwrap())
    }

    #[test]
    fn a_machine_that_shows_the_text_is_ended() {
        let started = Instant::now();
        let (ending, console) = run("echo booting; printf rea; echo dy; exec sleep 600", LONG);
        assert_eq!(ending.unwrap(), Ending::Shown);
        assert!(console.starts_with("booting\nready"), "{console}");
        assert!(started.elapsed() < LONG);
    }

    #[test]
    fn a_machine_that_ends_before_has_not_shown_it() {
        let (ending, console) = run("echo read; echo told >&2", LONG);
        assert_eq!((ending.unwrap(), console.as_str()), (Ending::Ended, "read\n"));
    }

    #[test]
    fn a_machine_that_fails_says_why() {
        let (ending, _) = run("echo 'no such disk' >&2; exit 3", LONG);
        assert_eq!(
            ending.unwrap_err().to_string(),
            "`qemu-system-x86_64` failed with exit status: 3; it says: no such disk"
        );
    }

    #[test]
    fn a_machine_that_takes_too_long_is_ended() {
        for script in ["exec sleep 600", "while :; do echo booting; done"] {
            let (ending, _) = run(script, Duration::from_millis(200));
            assert_eq!(ending.unwrap(), Ending::TimedOut, "{script}");
        }
    }

    #[test]
    fn a_program_that_is_not_there_is_named_with_its_package() {
        let mut command = Command::new("/nowhere/qemu-system-aarch64");
        let error = start(&mut command, Architecture::Arm64).unwrap_err();
        let Error::Emulator { message, hint } = error else { panic!("{error}") };
        assert!(message.starts_with("`qemu-system-aarch64` cannot be started"), "{message}");
        assert_eq!(hint.as_deref(), Some("on Debian: `apt install qemu-system-arm`"));
    }
}
