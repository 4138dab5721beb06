//! A boot from the first program to the system's own init.

use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};

use crate::application::{self, SEGMENT};
use crate::command_line::{CommandLine, Selector};
use crate::console::{self, AfterFailure};
use crate::devices;
use crate::failure::{Doing as _, Failure};
use crate::handover;
use crate::modules::Modules;
use crate::mounts;
use crate::root::Root;
use crate::seed;
use crate::system::System;

/// What makes an initramfs a system by itself.
const SYSTEMS: [&str; 2] = [handover::INIT, "/usr/lib/systemd/systemd"];

/// Boots the machine. If that fails, the console says why.
pub fn run() -> ! {
    let failure = match mounts::mount_api().and_then(|()| command_line()) {
        Err(failure) => (failure, AfterFailure::Stop),
        Ok(line) => {
            let after = line.after_failure;
            // A fault of this program must be seen as well.
            std::panic::set_hook(Box::new(move |fault| {
                console::give_up(
                    &Failure::new(format!("fault of bake-machine-init: {fault}")),
                    after,
                )
            }));
            let Err(failure) = boot(&line);
            (failure, after)
        }
    };
    console::give_up(&failure.0, failure.1)
}

fn command_line() -> Result<CommandLine, Failure> {
    console::attach().doing(|| "open /dev/console".into())?;
    let text = fs::read_to_string("/proc/cmdline").doing(|| "read /proc/cmdline".into())?;
    let line = CommandLine::parse(&text);
    if line.quiet {
        console::be_quiet();
    }
    Ok(line)
}

fn boot(line: &CommandLine) -> Result<Infallible, Failure> {
    let mut modules = Modules::open()?;
    modules.settle(line);
    match &line.root {
        None => boot_in_memory(&mut modules, line),
        Some(selector) => boot_disk(selector, &mut modules, line),
    }
}

/// Boots the system on a disk.
fn boot_disk(
    selector: &Selector,
    modules: &mut Modules,
    line: &CommandLine,
) -> Result<Infallible, Failure> {
    let device = devices::wait_for(selector, "root", modules, line)?;
    let layers = application(modules, line)?;
    let root = Root::mount(&device, !layers.is_empty(), modules, line)?;
    if !layers.is_empty() {
        application::lay_over(&root, &layers, modules, line)?;
    }
    let init = line.init.as_deref().unwrap_or(handover::INIT);
    let credentials = configure(&root, init, Some(&device.disk), modules, line);
    // What is mounted over these keeps them; the names would only be in the way.
    [mounts::SLOT, mounts::LOWER, mounts::MEMORY].into_iter().for_each(mounts::detach);
    handover::switch(&root.path, init, credentials)
}

/// Boots the system that the initramfs itself is.
fn boot_in_memory(modules: &mut Modules, line: &CommandLine) -> Result<Infallible, Failure> {
    let system = SYSTEMS.into_iter().find(|path| fs::symlink_metadata(path).is_ok());
    let init = line.init.as_deref().or(system).ok_or_else(|| {
        Failure::new("the kernel command line has no root=, and the initramfs holds no system")
            .with(devices::list().iter().map(|device| format!("there is {device}")))
    })?;
    let root = Root::in_memory();
    let layers = application(modules, line)?;
    if !layers.is_empty() {
        application::lay_over(&root, &layers, modules, line)?;
    }
    let credentials = configure(&root, init, None, modules, line);
    handover::start(init, credentials)
}

/// Returns the application's layers, the topmost first: what came with the initramfs, then the slot.
fn application(modules: &mut Modules, line: &CommandLine) -> Result<Vec<PathBuf>, Failure> {
    let mut layers = vec![];
    if Path::new(SEGMENT).is_dir() {
        layers.push(PathBuf::from(SEGMENT));
    }
    if let Some(selector) = &line.application {
        let device = devices::wait_for(selector, "bake.app", modules, line)?;
        layers.extend(application::mount_slot(&device, modules, line)?);
    }
    Ok(layers)
}

fn configure(
    root: &Root,
    init: &str,
    root_disk: Option<&str>,
    modules: &mut Modules,
    line: &CommandLine,
) -> Option<&'static Path> {
    // A device may have come up since.
    modules.settle(line);
    let system = System::of(&root.path, Path::new(init));
    seed::import(&devices::list(), root_disk, &system, modules, line)
}
