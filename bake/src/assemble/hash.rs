//! Reading contents once: every digest that any format wants, on all cores.

use std::io::{self, Read};
use std::path::Path;

use bake_formats::tree::Content;

use super::contents::{check_unchanged, open_unchanged};
use super::scan::FoundFile;
use crate::error::Error;
use crate::parallel::in_parallel;
use crate::report::Reporter;
use crate::store::Store;
use crate::timings::Bytes;

/// A file from this size on is read before all smaller ones.
const LARGE: u64 = 8 << 20;

/// Returns the content of each file, from the stat index where that is safe, else by reading.
pub fn hash_files(
    store: &Store,
    folder: &Path,
    files: &[FoundFile],
    threads: usize,
    reporter: &dyn Reporter,
) -> Result<Vec<Content>, Error> {
    let fail = |source| Error::Store { path: store.root().into(), source };
    let index = store.stat_index(folder).map_err(fail)?;
    let stamps = files.iter().map(|file| &file.stamp);
    let mut contents: Vec<Option<Content>> = index.get_all(stamps.clone()).collect();
    let mut unknown: Vec<usize> =
        (0..files.len()).filter(|number| contents[*number].is_none()).collect();
    // A large file that comes last would leave all threads but one without work.
    unknown.sort_by_key(|number| files[*number].stamp.size < LARGE);
    reporter.scanning(files.len(), unknown.iter().map(|number| files[*number].stamp.size).sum());
    for (number, content) in read_all(files, &unknown, threads, reporter)? {
        contents[number] = Some(content);
    }
    let contents: Vec<Content> = contents.into_iter().flatten().collect();
    let found = stamps.zip(&contents);
    store.save_stat_index(folder, &index, found).map_err(fail)?;
    Ok(contents)
}

/// Returns the content of a file that no package lists, without MD5, from the stat index where that
/// is safe, else by reading. The file has an index of its own.
pub fn hash_file(
    store: &Store,
    file: &FoundFile,
    reporter: &dyn Reporter,
) -> Result<Content, Error> {
    let fail = |source| Error::Store { path: store.root().into(), source };
    let path = file.path.to_path();
    let index = store.stat_index(&path).map_err(fail)?;
    if let Some(content) = index.get(&file.stamp) {
        return Ok(content);
    }
    reporter.scanning(1, file.stamp.size);
    let content = read(file, reporter, |reader| Content::without_md5(reader))?;
    let found = std::iter::once((&file.stamp, &content));
    store.save_stat_index(&path, &index, found).map_err(fail)?;
    Ok(content)
}

fn read_all(
    files: &[FoundFile],
    unknown: &[usize],
    threads: usize,
    reporter: &dyn Reporter,
) -> Result<Vec<(usize, Content)>, Error> {
    in_parallel(threads, unknown, |number| {
        let content = read(&files[*number], reporter, |reader| Content::of_reader(reader))?;
        Ok((*number, content))
    })
}

fn read(
    file: &FoundFile,
    reporter: &dyn Reporter,
    identify: fn(&mut dyn Read) -> io::Result<Content>,
) -> Result<Content, Error> {
    let changed = || Error::Changed { path: file.path.to_path() };
    let mut source = open_unchanged(&file.path, &file.stamp).map_err(|error| {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<super::ChangedFile>());
        if inner.is_some() { changed() } else { Error::Io(error) }
    })?;
    let content = identify(&mut Reported { file: &mut source, reporter })?;
    check_unchanged(&source, &file.path, &file.stamp).map_err(|_| changed())?;
    if content.size != file.stamp.size {
        return Err(changed());
    }
    Ok(content)
}

/// Reads a file and tells how far it got.
struct Reported<'a> {
    file: &'a mut fs_err::File,
    reporter: &'a dyn Reporter,
}

impl Read for Reported<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.reporter.advanced(count as u64);
        if let Some(timings) = self.reporter.timings() {
            timings.add(Bytes::Hashed, count as u64);
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Silent;
    use crate::store::Stamp;

    #[test]
    fn a_single_file_is_known_by_its_stamp_and_has_no_md5() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let path = folder.path().join("archive");
        fs_err::write(&path, b"hello").unwrap();
        let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(60);
        fs_err::File::open(&path).unwrap().into_parts().0.set_modified(old).unwrap();
        // The time of the change, which nobody can set, must be older than the scan, too.
        std::thread::sleep(std::time::Duration::from_millis(30));
        let file =
            FoundFile { stamp: Stamp::of(&fs_err::metadata(&path).unwrap()), path: (*path).into() };
        let expected = Content { md5: [0; 16], ..Content::of(b"hello") };
        assert_eq!(hash_file(&store, &file, &Silent).unwrap(), expected);
        // It is not read again.
        fs_err::remove_file(&path).unwrap();
        assert_eq!(hash_file(&store, &file, &Silent).unwrap(), expected);
    }

    #[test]
    fn every_thread_count_gives_the_same_contents_and_a_change_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store")).unwrap();
        let files: Vec<_> = (0..50)
            .map(|number| {
                let path = folder.path().join(number.to_string());
                fs_err::write(&path, vec![b'x'; number * 1000]).unwrap();
                let stamp = Stamp::of(&fs_err::metadata(&path).unwrap());
                FoundFile { path: path.as_path().into(), stamp }
            })
            .collect();
        let expected: Vec<_> =
            (0..50).map(|number| Content::of(&vec![b'x'; number * 1000])).collect();
        for threads in [1, 2, 8] {
            let found = hash_files(&store, folder.path(), &files, threads, &Silent).unwrap();
            assert_eq!(found, expected);
        }
        fs_err::write(files[7].path.to_path(), b"other").unwrap();
        let error = hash_files(&store, folder.path(), &files, 2, &Silent);
        // What the index trusts is not read again; the writers check what they read.
        if let Err(error) = error {
            assert!(matches!(error, Error::Changed { .. }), "{error}");
        }
        let other = tempfile::tempdir().unwrap();
        let store = Store::open(other.path()).unwrap();
        let error = hash_files(&store, folder.path(), &files, 2, &Silent).unwrap_err();
        assert!(matches!(error, Error::Changed { path } if path == files[7].path.to_path()));
    }
}
