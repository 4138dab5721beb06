//! What an interrupt must not leave behind.
//!
//! A process that is interrupted ends at once, without running destructors. The folders that would
//! be left half-written are listed here; a thread that waits for signals removes them and then lets
//! the signal do what it does by default, so that the shell sees it.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

static FOLDERS: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

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

/// Starts to wait for signals; called once by the program.
pub fn watch() -> io::Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            // Held until the process ends, so that nothing is added behind our back.
            let listed = folders();
            for folder in listed.iter() {
                fs_err::remove_dir_all(folder).ok();
            }
            signal_hook::low_level::emulate_default_handler(signal).ok();
        }
    })?;
    Ok(())
}
