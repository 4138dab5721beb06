//! Files and folders of this machine, opened to be read where asked.

use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use bake_formats::input::{Folder, ReadAt, Source};

/// Opens a file or a folder.
pub fn open(path: &Path) -> io::Result<Source> {
    Ok(if fs_err::metadata(path)?.is_dir() {
        Source::Folder(Arc::new(Directory { root: path.into() }))
    } else {
        Source::File(Arc::new(FileBytes::open(path)?))
    })
}

/// Opens a file.
pub fn open_file(path: &Path) -> io::Result<Arc<dyn ReadAt>> {
    Ok(Arc::new(FileBytes::open(path)?))
}

/// Returns the bytes of an open file.
pub fn of_file(file: std::fs::File) -> io::Result<Arc<dyn ReadAt>> {
    let len = file.metadata()?.len();
    Ok(Arc::new(FileBytes { file, len }))
}

/// A file, read where asked.
#[derive(Debug)]
struct FileBytes {
    file: std::fs::File,
    len: u64,
}

impl FileBytes {
    fn open(path: &Path) -> io::Result<Self> {
        let (file, _) = fs_err::File::open(path)?.into_parts();
        let len = file.metadata()?.len();
        Ok(Self { file, len })
    }
}

impl ReadAt for FileBytes {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
}

/// A folder of files.
#[derive(Debug)]
struct Directory {
    root: PathBuf,
}

impl Folder for Directory {
    fn open(&self, path: &str) -> io::Result<Arc<dyn ReadAt>> {
        let plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if !plain {
            let message = format!("`{path}` leaves the folder");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        Ok(Arc::new(FileBytes::open(&self.root.join(path))?))
    }
}
