//! Output folders: whole or not at all, and no secret that anybody else could read for a moment.

use std::collections::BTreeSet;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use bake_config::OutputFile;
use bake_config::schema::Secrecy;
use fs_err::os::unix::fs::OpenOptionsExt as _;
use walkdir::WalkDir;

use super::{Rendered, record};
use crate::error::Error;
use crate::exchange::exchange;
use crate::interrupt;

/// The largest record of an earlier output that is read, in bytes.
const RECORD_MAX: u64 = 16 << 20;

/// Writes what was rendered to a folder of its own, in the place of what was rendered there before.
///
/// A folder that holds anything else is left alone, and that is an error.
pub fn write(rendered: &Rendered, folder: &Path) -> Result<(), Error> {
    let fail = |source| Error::Output { path: folder.into(), source };
    let place = settled(folder).map_err(fail)?;
    check_own(&place).map_err(fail)?;
    let parent = place.parent().unwrap_or(Path::new("/"));
    fs_err::create_dir_all(parent).map_err(fail)?;
    // Nobody else can look into it, whatever is in it and however far the work is.
    let staging = tempfile::Builder::new().prefix(".bake-").tempdir_in(parent).map_err(fail)?;
    let guard = interrupt::remove_on_interrupt(staging.path());
    let staged = staging.path().join("output");
    let placed = fill(&staged, &rendered.files).and_then(|()| put_in_place(&staged, &place));
    drop(staging);
    guard.release();
    placed.map_err(fail)
}

/// Returns the absolute path of a folder, of which nothing may be there yet.
fn settled(folder: &Path) -> io::Result<PathBuf> {
    if folder.exists() {
        return fs_err::canonicalize(folder);
    }
    std::path::absolute(folder)
}

/// Makes sure that nothing is lost if a folder is replaced.
fn check_own(folder: &Path) -> io::Result<()> {
    let refuse = |what: String| {
        let expected = "expected no folder, an empty one, or what bake has rendered there before";
        Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{what}: {expected}")))
    };
    match fs_err::symlink_metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(found) if !found.is_dir() => return refuse("it is not a folder".into()),
        Ok(_) => {}
    }
    if fs_err::read_dir(folder)?.next().is_none() {
        return Ok(());
    }
    let Some(known) = known_files(&folder.join(record::FILE))? else {
        return refuse("it holds something else".into());
    };
    for entry in WalkDir::new(folder).min_depth(1) {
        let entry = entry?;
        let path = entry.path().strip_prefix(folder).unwrap_or(entry.path());
        let is_known =
            path.to_str().is_some_and(|path| path == record::FILE || known.contains(path));
        if !entry.file_type().is_dir() && !is_known {
            return refuse(format!("`{}` is not of it", path.display()));
        }
    }
    Ok(())
}

/// Returns what the record of an earlier output lists; `None` if there is no record.
fn known_files(record: &Path) -> io::Result<Option<BTreeSet<String>>> {
    let file = match fs_err::symlink_metadata(record) {
        Ok(found) if found.is_file() && found.len() <= RECORD_MAX => fs_err::File::open(record)?,
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(RECORD_MAX).read_to_end(&mut bytes)?;
    Ok(record::listed(&bytes))
}

/// Writes files below a folder that is not there yet.
fn fill(folder: &Path, files: &[OutputFile]) -> io::Result<()> {
    make_folder(folder, 0o755)?;
    for file in files {
        let inside = Path::new(&file.path);
        let folders: Vec<&Path> =
            inside.ancestors().skip(1).filter(|path| *path != Path::new("")).collect();
        for path in folders.into_iter().rev() {
            let place = folder.join(path);
            if !place.exists() {
                let all_secret = files
                    .iter()
                    .filter(|file| Path::new(&file.path).starts_with(path))
                    .all(|file| file.secrecy == Secrecy::Secret);
                make_folder(&place, if all_secret { 0o700 } else { 0o755 })?;
            }
        }
        write_file(&folder.join(inside), file)?;
    }
    Ok(())
}

fn make_folder(path: &Path, mode: u32) -> io::Result<()> {
    fs_err::create_dir(path)?;
    set_mode(path, mode)
}

/// Writes a file; a secret one has its mode from the first byte on, whatever the umask.
fn write_file(path: &Path, file: &OutputFile) -> io::Result<()> {
    const OWNER: u32 = 0o700;
    let secret = file.secrecy == Secrecy::Secret;
    let mode = if secret { file.mode & OWNER } else { file.mode };
    let mut options = fs_err::OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    let mut written = options.open(path)?;
    written.write_all(&file.contents)?;
    if secret { Ok(()) } else { set_mode(path, mode) }
}

fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode))
}

/// Puts a folder into a place, in one step if something is there; what was there is in the folder's place then.
fn put_in_place(staged: &Path, place: &Path) -> io::Result<()> {
    if !place.exists() {
        return fs_err::rename(staged, place);
    }
    if exchange(staged, place)? {
        return Ok(());
    }
    let old = staged.with_extension("old");
    fs_err::rename(place, &old)?;
    fs_err::rename(staged, place).or_else(|error| {
        fs_err::rename(&old, place)?;
        Err(error)
    })
}
