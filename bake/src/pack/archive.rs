//! Archives of all kinds: their members, one after the other, into a [`Stage`].

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use bake_formats::archive::tar::{Kind, Member, TarReader};
use bake_formats::encode::{decoder, sniff};
use bake_formats::format::ReadError;
use bake_recipes::RecipeError;
use zip::ZipArchive;
use zip::result::ZipError;

use super::stage::{MAX_MEMBERS, Stage};

/// Metadata is for people to read; more than this is refused, in bytes.
pub(super) const MAX_METADATA: u64 = 4 << 20;

/// An open zip archive.
pub(super) type Zip = ZipArchive<BufReader<fs_err::File>>;

/// Returns an error about a whole archive.
pub(super) fn broken(path: &Path, reason: impl std::fmt::Display) -> RecipeError {
    RecipeError::new(format!("cannot read `{}`: {reason}", path.display()))
}

/// Returns the error of a source that the system does not show.
pub(super) fn unreadable(path: &Path, error: &io::Error) -> RecipeError {
    match error.kind() {
        io::ErrorKind::NotFound => broken(path, "there is no such file or folder"),
        // The kind alone: the message has the path already.
        kind => broken(path, kind),
    }
}

/// Returns the name of a file, for messages.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Starts to read a tar archive, whatever it is compressed with.
pub(super) fn open_tar<'a>(input: impl Read + 'a) -> io::Result<TarReader<Box<dyn Read + 'a>>> {
    let mut input = BufReader::with_capacity(64 * 1024, input);
    let codec = sniff(input.fill_buf()?);
    Ok(TarReader::new(decoder(codec, input)?, "tar archive"))
}

/// Opens the file of a tar archive.
pub(super) fn open_tar_file(path: &Path) -> Result<TarReader<Box<dyn Read>>, RecipeError> {
    let file = fs_err::File::open(path).map_err(|error| broken(path, error))?;
    open_tar(file).map_err(|error| broken(path, error))
}

/// Unpacks every member of a tar archive.
pub(super) fn unpack_tar<R: Read>(
    path: &Path,
    tar: &mut TarReader<R>,
    stage: &mut Stage,
) -> Result<(), RecipeError> {
    while let Some(member) = tar.next_member().map_err(|error| tar_error(path, &error))? {
        unpack_member(&member, tar, stage)?;
    }
    Ok(())
}

fn unpack_member<R: Read>(
    member: &Member,
    tar: &mut TarReader<R>,
    stage: &mut Stage,
) -> Result<(), RecipeError> {
    let name = member.name.as_slice();
    match &member.kind {
        Kind::Directory => stage.directory(name),
        Kind::File => {
            let executable = member.mode.bits() & 0o111 != 0;
            stage.file(name, executable, tar.contents()).map(drop)
        }
        Kind::Symlink(target) => stage.symlink(name, target),
        Kind::HardLink(target) => {
            let target = target.to_string();
            stage.hard_link(name, target.trim_start_matches('/').as_bytes())
        }
        Kind::Device(..) | Kind::Fifo => Err(stage.refuse(name, "is a device or a pipe")),
    }
}

/// Returns an error of a tar reader as one about the archive.
pub(super) fn tar_error(path: &Path, error: &ReadError) -> RecipeError {
    match error {
        ReadError::Io(error) => broken(path, error),
        error => broken(path, error),
    }
}

/// Opens a zip archive.
pub(super) fn open_zip(path: &Path) -> Result<Zip, RecipeError> {
    let file = fs_err::File::open(path).map_err(|error| broken(path, error))?;
    let zip = ZipArchive::new(BufReader::new(file)).map_err(|error| broken(path, error))?;
    if zip.len() > MAX_MEMBERS {
        let count = zip.len();
        return Err(broken(
            path,
            format!("it has {count} members, at most {MAX_MEMBERS} are read"),
        ));
    }
    Ok(zip)
}

/// Returns the text of a member of a zip archive; `None` if it is not there.
pub(super) fn zip_text(
    path: &Path,
    zip: &mut Zip,
    name: &str,
) -> Result<Option<String>, RecipeError> {
    let fail = |error: String| broken(path, format!("member `{name}`: {error}"));
    let member = match zip.by_name(name) {
        Ok(member) => member,
        Err(ZipError::FileNotFound) => return Ok(None),
        Err(error) => return Err(fail(error.to_string())),
    };
    let mut bytes = Vec::new();
    let count = member.take(MAX_METADATA + 1).read_to_end(&mut bytes);
    if count.map_err(|error| fail(error.to_string()))? as u64 > MAX_METADATA {
        return Err(fail(format!("it is larger than {MAX_METADATA} bytes")));
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Returns the names of the members of a zip archive; those that are not text are left out.
pub(super) fn zip_names(zip: &Zip) -> Vec<String> {
    zip.file_names().filter_map(Result::ok).map(std::borrow::Cow::into_owned).collect()
}

/// Unpacks every member of a zip archive.
pub(super) fn unpack_zip(path: &Path, zip: &mut Zip, stage: &mut Stage) -> Result<(), RecipeError> {
    for number in 0..zip.len() {
        let member = zip
            .by_index(number)
            .map_err(|error| broken(path, format!("member {number}: {error}")))?;
        let name = member.name_raw().to_vec();
        if name.contains(&b'\\') {
            return Err(stage.refuse(&name, "has a backslash in its name"));
        }
        if member.is_dir() {
            stage.directory(&name)?;
        } else if member.is_symlink() {
            let mut target = Vec::new();
            member
                .take(MAX_METADATA)
                .read_to_end(&mut target)
                .map_err(|error| stage.refuse(&name, &format!("cannot be read: {error}")))?;
            stage.symlink(&name, &target)?;
        } else {
            let executable = member.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
            stage.file(&name, executable, member)?;
        }
    }
    Ok(())
}

/// Returns the text of a small file; `None` if it is not there.
pub(super) fn small_text(path: &Path) -> Result<Option<String>, RecipeError> {
    let file = match fs_err::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(RecipeError::new(error.to_string())),
    };
    let mut bytes = Vec::new();
    let count = file.take(MAX_METADATA + 1).read_to_end(&mut bytes);
    if count.map_err(|error| broken(path, error))? as u64 > MAX_METADATA {
        return Err(broken(path, format!("it is larger than {MAX_METADATA} bytes")));
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}
