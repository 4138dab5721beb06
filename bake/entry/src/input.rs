//! Files that others name: only regular ones, only up to a length, never waited for.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags};
use zeroize::Zeroizing;

/// Why a file was not read. It holds nothing of it.
#[derive(Debug)]
#[must_use]
pub enum InputError {
    /// The system refused.
    System(io::Error),
    /// It is something else than a regular file.
    Kind(&'static str),
    /// It is longer than what is read, in bytes.
    Length(u64),
}

impl InputError {
    /// Returns whether there is no such file.
    pub fn is_absence(&self) -> bool {
        let absent = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
        matches!(self, Self::System(error) if absent.contains(&error.kind()))
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(error) => write!(f, "{error}"),
            Self::Kind(kind) => write!(f, "expected a file, found {kind}"),
            Self::Length(most) => write!(f, "it is longer than {most} bytes"),
        }
    }
}

/// Reads a file of at most `most` bytes; links are followed.
pub fn read(path: &Path, most: u64) -> Result<Zeroizing<Vec<u8>>, InputError> {
    let system = |error: rustix::io::Errno| InputError::System(error.into());
    // A FIFO would be waited for, a terminal would become this process's own.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = rustix::fs::openat(CWD, path, flags, Mode::empty()).map_err(system)?;
    let found = rustix::fs::fstat(&file).map_err(system)?;
    let kind = FileType::from_raw_mode(found.st_mode);
    if kind != FileType::RegularFile {
        return Err(InputError::Kind(named(kind)));
    }
    // With its whole length from the start: what grows leaves copies behind.
    let expected = u64::try_from(found.st_size).unwrap_or_default().min(most);
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(expected).unwrap_or(0) + 1));
    File::from(file).take(most + 1).read_to_end(&mut bytes).map_err(InputError::System)?;
    if bytes.len() as u64 > most { Err(InputError::Length(most)) } else { Ok(bytes) }
}

fn named(kind: FileType) -> &'static str {
    match kind {
        FileType::Directory => "a directory",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        FileType::RegularFile | FileType::Symlink | FileType::Unknown => "something else",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_files_and_waits_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs_write(&path("full"), b"12345");
        fs_write(&path("long"), b"123456");
        std::os::unix::fs::symlink("full", path("link")).unwrap();
        rustix::fs::mknodat(CWD, path("fifo"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        let read = |path: &Path| {
            read(path, 5).map(|bytes| bytes.to_vec()).map_err(|error| error.to_string())
        };
        assert_eq!(read(&path("full")), Ok(b"12345".to_vec()));
        assert_eq!(read(&path("link")), Ok(b"12345".to_vec()));
        assert_eq!(read(&path("long")), Err("it is longer than 5 bytes".into()));
        assert_eq!(read(&path("fifo")), Err("expected a file, found a FIFO".into()));
        assert_eq!(read(folder.path()), Err("expected a file, found a directory".into()));
        let zero = read(Path::new("/dev/zero"));
        assert_eq!(zero, Err("expected a file, found a device".into()));
        // It says that it is empty, and is not.
        assert_eq!(read(Path::new("/proc/self/status")), Err("it is longer than 5 bytes".into()));
    }

    #[test]
    fn knows_what_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        fs_write(&folder.path().join("file"), b"");
        for (name, expected) in [("none", true), ("file/none", true), (".", false)] {
            let error = read(&folder.path().join(name), 5).unwrap_err();
            assert_eq!(error.is_absence(), expected, "{name}");
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a failure ends the test where it is")]
    fn fs_write(path: &Path, bytes: &[u8]) {
        std::fs::write(path, bytes).unwrap();
    }
}
