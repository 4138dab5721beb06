//! Folders for direct boot: a kernel and an initrd that a monitor loads by itself.

use std::path::{Path, PathBuf};

use super::unusable;
use crate::error::Error;

/// The most that a command line may have in the file; kernels take 2 KiB.
const COMMAND_LINE: u64 = 64 * 1024;

/// A kernel and what it is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Direct {
    /// The kernel.
    pub kernel: PathBuf,
    /// The initrd, if there is one.
    pub initrd: Option<PathBuf>,
    /// The kernel's command line.
    pub command_line: String,
    /// The disk that the kernel finds its root on, if there is one.
    pub disk: Option<PathBuf>,
}

impl Direct {
    /// Opens a folder with `vmlinuz` and, if they are there, `initrd`, `cmdline` and `disk.raw`.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let folder = fs_err::canonicalize(folder)?;
        let file = |name: &str| Some(folder.join(name)).filter(|path| path.is_file());
        let Some(kernel) = file("vmlinuz") else {
            let message = format!("`{}` has no file `vmlinuz`", folder.display());
            let hint = "give a disk, or a folder for direct boot: vmlinuz, initrd, cmdline";
            return Err(unusable(message, hint.to_owned()));
        };
        let command_line = match file("cmdline") {
            Some(path) if fs_err::metadata(&path)?.len() > COMMAND_LINE => {
                let message = format!("`{}` is longer than a command line", path.display());
                return Err(unusable(message, None));
            }
            Some(path) => fs_err::read_to_string(path)?.trim().to_owned(),
            None => String::new(),
        };
        Ok(Self { kernel, initrd: file("initrd"), command_line, disk: file("disk.raw") })
    }
}
