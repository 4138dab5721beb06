//! Two paths change places in one step.

use std::io;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;

/// Lets what is at two paths change places in one step; `false` if there is nothing at one of them, or if the file system
/// cannot do this.
pub(crate) fn exchange(one: &Path, other: &Path) -> io::Result<bool> {
    match rustix::fs::renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT | Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_and_a_folder_change_places_and_nothing_does_not() {
        let root = tempfile::tempdir().unwrap();
        let [file, folder, nothing] =
            ["file", "folder", "nothing"].map(|name| root.path().join(name));
        fs_err::write(&file, "a file").unwrap();
        fs_err::create_dir(&folder).unwrap();
        assert!(exchange(&file, &folder).unwrap());
        assert!(file.is_dir() && folder.is_file());
        assert!(!exchange(&file, &nothing).unwrap());
        assert!(!exchange(&nothing, &file).unwrap());
        assert!(file.is_dir() && !nothing.exists());
    }
}
