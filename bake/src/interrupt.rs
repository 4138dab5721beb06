//! What an interrupt must not leave behind.
//!
//! A process that is interrupted ends at once, without running destructors. The folders that would
//! be left half-written, and the programs that would go on, are listed here; a thread that waits for
//! signals removes the ones, ends the others and then lets the signal do what it does by default, so
//! that the shell sees it.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// How often a program is asked whether it has ended.
const INTERVAL: Duration = Duration::from_millis(10);
/// How long a program may take to end when it is told to.
const GRACE: Duration = Duration::from_secs(3);

static FOLDERS: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
static PROGRAMS: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

fn folders() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    FOLDERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a folder on the list until released or dropped.
#[derive(Debug)]
pub struct Guard {
    folder: PathBuf,
}

impl Guard {
    /// Takes the folder off the list.
    pub fn release(&self) {
        folders().remove(&self.folder);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.release();
    }
}

/// Puts a folder on the list of what an interrupt removes.
pub fn remove_on_interrupt(folder: &Path) -> Guard {
    folders().insert(folder.into());
    Guard { folder: folder.into() }
}

fn programs() -> MutexGuard<'static, BTreeSet<i32>> {
    PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A program of ours that ends when we do.
#[derive(Debug)]
pub struct Program {
    child: Child,
    status: Option<ExitStatus>,
}

impl Program {
    /// Starts a program.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        // Held while it starts, so that no interrupt comes between.
        let mut listed = programs();
        let child = command.spawn()?;
        listed.insert(Pid::from_child(&child).as_raw_pid());
        Ok(Self { child, status: None })
    }

    /// Returns what the program writes to its outputs, if that was asked for; once.
    pub fn outputs(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// Waits for the end, at most for a time, and returns how it ended.
    pub fn wait(&mut self, time: Option<Duration>) -> io::Result<Option<ExitStatus>> {
        let end = time.map(|time| Instant::now() + time);
        loop {
            if let Some(status) = self.ended()? {
                return Ok(Some(status));
            }
            if end.is_some_and(|end| Instant::now() >= end) {
                return Ok(None);
            }
            std::thread::sleep(INTERVAL);
        }
    }

    /// Returns how the program ended, if it has. Its number is taken off the list in the same moment in
    /// which the system may give it to another program.
    fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.status.is_none() {
            let mut listed = programs();
            self.status = self.child.try_wait()?;
            if self.status.is_some() {
                listed.remove(&Pid::from_child(&self.child).as_raw_pid());
            }
        }
        Ok(self.status)
    }

    /// Ends the program if it has not ended: asks first, because it may have a terminal to put right.
    pub fn end(&mut self) -> io::Result<()> {
        if self.ended()?.is_some() {
            return Ok(());
        }
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        if self.wait(Some(GRACE))?.is_none() {
            self.child.kill()?;
            self.wait(None)?;
        }
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Nobody is left to be told.
        self.end().ok();
    }
}

/// Starts to wait for signals; called once by the program.
pub fn watch() -> io::Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            // Held until the process ends, so that nothing is added behind our back.
            let (listed, running) = (folders(), programs());
            for program in running.iter().filter_map(|number| Pid::from_raw(*number)) {
                kill_process(program, Signal::TERM).ok();
            }
            for folder in listed.iter() {
                fs_err::remove_dir_all(folder).ok();
            }
            signal_hook::low_level::emulate_default_handler(signal).ok();
        }
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_on_the_list_until_it_has_ended() {
        let mut program = Program::start(Command::new("sleep").arg("600")).unwrap();
        let number = Pid::from_child(&program.child).as_raw_pid();
        assert!(programs().contains(&number));
        assert_eq!(program.wait(Some(Duration::ZERO)).unwrap(), None);
        program.end().unwrap();
        assert!(!programs().contains(&number));
        let status = program.wait(None).unwrap().unwrap();
        assert!(!status.success());
        program.end().unwrap();
    }
}
