//! Files that appear whole, all of them or none: each is written beside its place and renamed.
//!
//! The last part of a path is never followed if it is a link, it is replaced. Below an output folder no link is
//! followed at all.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, OFlags, Stat, Uid};
use rustix::io::Errno;
use rustix::rand::GetRandomFlags;
use zeroize::Zeroizing;

use crate::failure::Problem;

/// The mode of folders that are made.
const FOLDER: Mode = Mode::from_raw_mode(0o755);
/// The mode of a private folder.
const PRIVATE: Mode = Mode::from_raw_mode(0o700);
/// The bits of a mode that may be asked for.
const PERMISSIONS: u32 = 0o7777;

/// A file as it is to be.
#[derive(Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Where it goes: an absolute path.
    pub path: PathBuf,
    /// Its permission bits.
    pub mode: u32,
    /// Who it belongs to; if that is not said, whoever writes it.
    pub owner: Option<Owner>,
    /// Who may enter its folder.
    pub folder: Folder,
    /// Its text.
    pub text: Zeroizing<String>,
}

/// Shows no text.
impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wanted")
            .field("path", &self.path)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

/// Who a file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

/// Who may enter the folder that a file is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folder {
    /// Everybody, if it has to be made.
    Public,
    /// The file's owner alone; it is this program's own.
    Private,
}

/// Where everything is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    /// The system's.
    System,
    /// A folder, which is made if need be.
    Output(PathBuf),
}

impl Root {
    /// Returns where a path of the system is here.
    pub fn locate(&self, path: &Path) -> PathBuf {
        match self {
            Self::System => path.to_owned(),
            Self::Output(folder) => folder.join(path.strip_prefix("/").unwrap_or(path)),
        }
    }
}

/// A file that lies beside its place. It is removed if it does not get there.
struct Staged {
    folder: OwnedFd,
    temporary: OsString,
    name: OsString,
    path: PathBuf,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    InPlace,
}

/// Puts all files in their places; files that are there already are left alone.
///
/// If one cannot be written, none is; every such file is told.
pub fn put(root: &Root, files: &[Wanted]) -> Result<(), Vec<Problem>> {
    let (mut all, mut problems) = (Vec::new(), Vec::new());
    for wanted in files {
        match stage(root, wanted) {
            Ok(staged) => all.extend(staged),
            Err((doing, error)) => {
                problems.push(explain(root, &root.locate(&wanted.path), &doing, error));
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    for staged in &mut all {
        let renamed =
            rustix::fs::renameat(&staged.folder, &staged.temporary, &staged.folder, &staged.name);
        match renamed {
            Ok(()) => staged.state = State::InPlace,
            Err(error) => problems.push(explain(root, &staged.path, "put it in its place", error)),
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if self.state == State::Waiting {
            // If it cannot be removed either, its mode still keeps it from others.
            rustix::fs::unlinkat(&self.folder, &self.temporary, AtFlags::empty()).ok();
        }
    }
}

/// What was being done, and why it failed.
type Refusal = (String, Errno);

fn stage(root: &Root, wanted: &Wanted) -> Result<Option<Staged>, Refusal> {
    let path = root.locate(&wanted.path);
    let name = wanted.path.file_name().ok_or_else(|| ("name it".to_owned(), Errno::INVAL))?;
    let folder = folder(root, wanted)?;
    if is_there(&folder, name, wanted) {
        return Ok(None);
    }
    let doing = |what: &'static str| move |error| (what.to_owned(), error);
    // Found out before any file is in its place.
    let there = rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW);
    if there.is_ok_and(|there| FileType::from_raw_mode(there.st_mode) == FileType::Directory) {
        return Err(("put it in its place".to_owned(), Errno::ISDIR));
    }
    let (temporary, file) = create(&folder).map_err(doing("write a file beside it"))?;
    let (name, state) = (name.to_owned(), State::Waiting);
    let staged = Staged { folder, temporary, name, path, state };
    let mut file = File::from(file);
    file.write_all(wanted.text.as_bytes()).map_err(|error| {
        ("write it".to_owned(), Errno::from_io_error(&error).unwrap_or(Errno::IO))
    })?;
    if let Some(owner) = wanted.owner {
        give(file.as_fd(), owner).map_err(doing("give it to its owner"))?;
    }
    // After the owner, whose change takes bits away.
    rustix::fs::fchmod(&file, Mode::from_raw_mode(wanted.mode & PERMISSIONS))
        .map_err(doing("set its mode"))?;
    Ok(Some(staged))
}

/// Creates a file under a name that nobody foresees, readable for nobody else.
fn create(folder: &OwnedFd) -> Result<(OsString, OwnedFd), Errno> {
    let mut random = [0; 8];
    rustix::rand::getrandom(&mut random, GetRandomFlags::empty())?;
    let name = OsString::from(format!(".bake-init-{:016x}", u64::from_ne_bytes(random)));
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(folder, &name, flags, Mode::RUSR | Mode::WUSR)?;
    Ok((name, file))
}

fn give(file: BorrowedFd<'_>, owner: Owner) -> Result<(), Errno> {
    let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
    rustix::fs::fchown(file, Some(uid), Some(gid))
}

/// Opens the folder of a file, and makes what is missing of it.
fn folder(root: &Root, wanted: &Wanted) -> Result<OwnedFd, Refusal> {
    let (start, links) = match root {
        Root::System => (open_folder(CWD, OsStr::new("/"), OFlags::empty())?, OFlags::empty()),
        Root::Output(path) => {
            let first = if path.is_absolute() { "/" } else { "." };
            let first = open_folder(CWD, OsStr::new(first), OFlags::empty())?;
            (descend(first, path, OFlags::empty())?, OFlags::NOFOLLOW)
        }
    };
    let path = wanted.path.parent().unwrap_or(&wanted.path);
    match wanted.folder {
        Folder::Public => descend(start, path, links),
        Folder::Private => {
            let above = descend(start, path.parent().unwrap_or(path), links)?;
            let name = path.file_name().unwrap_or_default();
            private(&above, name, wanted.owner)
        }
    }
}

fn open_folder(
    above: impl std::os::fd::AsFd,
    name: &OsStr,
    links: OFlags,
) -> Result<OwnedFd, Refusal> {
    // O_PATH: of folders that may be entered and not listed too.
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC | links;
    rustix::fs::openat(above, name, flags, Mode::empty())
        .map_err(|error| (format!("enter {}", name.display()), error))
}

/// Goes down a path; `.` stays and `/` begins nowhere else than here.
fn descend(mut folder: OwnedFd, path: &Path, links: OFlags) -> Result<OwnedFd, Refusal> {
    for part in path.components() {
        let name = match part {
            Component::Normal(name) => name,
            Component::ParentDir => OsStr::new(".."),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => continue,
        };
        folder = match open_folder(&folder, name, links) {
            Err((_, Errno::NOENT)) => make_folder(&folder, name, FOLDER)?,
            result => result?,
        };
    }
    Ok(folder)
}

/// Makes a folder with exactly this mode, whatever the umask is; one that is there stays as it is.
fn make_folder(above: &OwnedFd, name: &OsStr, mode: Mode) -> Result<OwnedFd, Refusal> {
    let doing = |error| (format!("make the folder {}", name.display()), error);
    let is_new = match rustix::fs::mkdirat(above, name, mode) {
        Err(Errno::EXIST) => false,
        result => result.map(|()| true).map_err(doing)?,
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::openat(above, name, flags, Mode::empty()).map_err(doing)?;
    if is_new {
        rustix::fs::fchmod(&folder, mode).map_err(doing)?;
    }
    Ok(folder)
}

/// Opens a folder of this program's own, which no stranger may have made.
fn private(above: &OwnedFd, name: &OsStr, owner: Option<Owner>) -> Result<OwnedFd, Refusal> {
    let doing = |error| (format!("keep the folder {} private", name.display()), error);
    let folder = make_folder(above, name, PRIVATE)?;
    let found = rustix::fs::fstat(&folder).map_err(doing)?;
    let own = rustix::process::geteuid().as_raw();
    if ![Some(own), Some(0), owner.map(|owner| owner.uid)].contains(&Some(found.st_uid)) {
        return Err(doing(Errno::PERM));
    }
    if found.st_mode & PERMISSIONS != PRIVATE.as_raw_mode() {
        rustix::fs::fchmod(&folder, PRIVATE).map_err(doing)?;
    }
    if let Some(owner) =
        owner.filter(|owner| (owner.uid, owner.gid) != (found.st_uid, found.st_gid))
    {
        give(folder.as_fd(), owner).map_err(doing)?;
    }
    Ok(folder)
}

/// Returns whether a file is as it is to be, so that its times stay.
fn is_there(folder: &OwnedFd, name: &OsStr, wanted: &Wanted) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(file) = rustix::fs::openat(folder, name, flags, Mode::empty()) else { return false };
    let Ok(found) = rustix::fs::fstat(&file) else { return false };
    if !fits(&found, wanted) {
        return false;
    }
    let length = wanted.text.len();
    let mut text = Zeroizing::new(Vec::with_capacity(length + 1));
    let read = File::from(file).take(length as u64 + 1).read_to_end(&mut text);
    read.is_ok() && *text == wanted.text.as_bytes()
}

fn fits(found: &Stat, wanted: &Wanted) -> bool {
    let is_owned =
        wanted.owner.is_none_or(|owner| (owner.uid, owner.gid) == (found.st_uid, found.st_gid));
    FileType::from_raw_mode(found.st_mode) == FileType::RegularFile
        && found.st_mode & PERMISSIONS == wanted.mode & PERMISSIONS
        && u64::try_from(found.st_size) == Ok(wanted.text.len() as u64)
        && is_owned
}

/// Says what to do about it as well.
fn explain(root: &Root, path: &Path, doing: &str, error: Errno) -> Problem {
    let reason = std::io::Error::from(error);
    let problem =
        Problem::new(format!("cannot write {}: cannot {doing}: {reason}", path.display()));
    let folder = path.parent().unwrap_or(path).display();
    match error {
        Errno::ROFS => problem
            .detail(format!("mount a tmpfs or a volume at {folder}, e.g. docker run --tmpfs {folder}"))
            .detail("or let everything be written below another folder: --output DIR"),
        Errno::ACCESS | Errno::PERM => problem
            .detail(format!("{folder} must be writable for the user that this runs as, or start as root with --user"))
            .detail("or let everything be written below another folder: --output DIR"),
        Errno::LOOP | Errno::NOTDIR if *root != Root::System => problem.detail("below an output folder no link is followed"),
        Errno::BUSY => problem.detail("a file that is mounted by itself cannot be replaced: mount its folder"),
        Errno::ISDIR => problem.detail("a folder is where the file goes"),
        _ => problem,
    }
}

/// Returns whether a user can read a file: by its mode and those of the folders above it.
pub fn is_readable(path: &Path, uid: u32, groups: &[u32]) -> bool {
    let Ok(path) = path.canonicalize() else { return false };
    path.ancestors().enumerate().all(|(above, part)| {
        let wanted = if above == 0 { 0o4 } else { 0o1 };
        rustix::fs::stat(part).is_ok_and(|found| permits(&found, wanted, uid, groups))
    })
}

fn permits(found: &Stat, wanted: u32, uid: u32, groups: &[u32]) -> bool {
    let granted = if found.st_uid == uid {
        found.st_mode >> 6
    } else if groups.contains(&found.st_gid) {
        found.st_mode >> 3
    } else {
        found.st_mode
    };
    uid == 0 || granted & wanted == wanted
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a failure ends the test where it is")]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    fn wanted(path: &str, text: &str) -> Wanted {
        Wanted {
            path: path.into(),
            mode: 0o640,
            owner: None,
            folder: Folder::Public,
            text: Zeroizing::new(text.into()),
        }
    }

    fn told(result: Result<(), Vec<Problem>>, folder: &Path) -> Vec<String> {
        let folder = folder.to_str().unwrap();
        let problems = result.err().unwrap_or_default();
        problems.iter().map(|problem| problem.to_string().replace(folder, "@")).collect()
    }

    /// All paths below a folder, with modes.
    fn list(folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        let mut waiting = vec![folder.to_owned()];
        while let Some(path) = waiting.pop() {
            for entry in fs::read_dir(&path).unwrap() {
                let entry = entry.unwrap();
                let mode = entry.metadata().unwrap().permissions().mode();
                let name = entry.path().strip_prefix(folder).unwrap().display().to_string();
                found.push(format!("{name} {:o}", mode & 0o7777));
                if entry.file_type().unwrap().is_dir() {
                    waiting.push(entry.path());
                }
            }
        }
        found.sort();
        found
    }

    #[test]
    fn files_get_their_modes_and_folders() {
        let folder = tempfile::tempdir().unwrap();
        let output = Root::Output(folder.path().join("new/out"));
        let secret =
            Wanted { mode: 0o400, folder: Folder::Private, ..wanted("/run/own/app/key", "s") };
        // Bits that an owner's change would take away, and one that others may read.
        let open = Wanted { mode: 0o2755, ..wanted("/etc/app/open", "o") };
        put(&output, &[wanted("/etc/app/a.yaml", "a: 1\n"), secret, open]).unwrap();
        assert_eq!(
            list(folder.path()),
            [
                "new 755",
                "new/out 755",
                "new/out/etc 755",
                "new/out/etc/app 755",
                "new/out/etc/app/a.yaml 640",
                "new/out/etc/app/open 2755",
                "new/out/run 755",
                "new/out/run/own 755",
                "new/out/run/own/app 700",
                "new/out/run/own/app/key 400",
            ]
        );
        let text = fs::read_to_string(folder.path().join("new/out/etc/app/a.yaml")).unwrap();
        assert_eq!(text, "a: 1\n");
    }

    #[test]
    fn what_is_there_keeps_its_times_and_what_changed_is_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let output = Root::Output(folder.path().to_owned());
        let path = folder.path().join("file");
        let put = |wanted: Wanted| {
            put(&output, &[wanted]).unwrap();
            fs::metadata(&path).unwrap()
        };
        let first = put(wanted("/file", "one"));
        let same = put(wanted("/file", "one"));
        assert_eq!((first.ino(), first.mtime_nsec()), (same.ino(), same.mtime_nsec()));
        let text = put(wanted("/file", "two"));
        assert_ne!(first.ino(), text.ino());
        let mode = put(Wanted { mode: 0o600, ..wanted("/file", "two") });
        assert_eq!((mode.mode() & 0o7777, mode.len()), (0o600, 3));
        assert_ne!(text.ino(), mode.ino());
        assert_eq!(list(folder.path()), ["file 600"]);
    }

    #[test]
    fn all_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let output = Root::Output(folder.path().to_owned());
        fs::write(folder.path().join("file"), "").unwrap();
        let result =
            put(&output, &[wanted("/a", ""), wanted("/file/b", ""), wanted("/file/c", "")]);
        assert_eq!(
            told(result, folder.path()),
            [
                "cannot write @/file/b: cannot enter file: Not a directory (os error 20)\n    below an output folder no \
                 link is followed",
                "cannot write @/file/c: cannot enter file: Not a directory (os error 20)\n    below an output folder no \
                 link is followed",
            ]
        );
        assert_eq!(list(folder.path()).len(), 1);
        fs::create_dir(folder.path().join("folder")).unwrap();
        let result = put(&output, &[wanted("/a", ""), wanted("/folder", "")]);
        assert_eq!(
            told(result, folder.path()),
            [
                "cannot write @/folder: cannot put it in its place: Is a directory (os error 21)\n    a folder is where the \
              file goes"
            ]
        );
        assert_eq!(list(folder.path()).len(), 2);
    }

    #[test]
    fn links_lead_nowhere() {
        let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let victim = outside.path().join("victim");
        fs::write(&victim, "kept").unwrap();
        symlink(&victim, folder.path().join("file")).unwrap();
        symlink(outside.path(), folder.path().join("etc")).unwrap();
        let output = Root::Output(folder.path().to_owned());
        put(&output, &[wanted("/file", "kept")]).unwrap();
        assert!(fs::symlink_metadata(folder.path().join("file")).unwrap().is_file());
        let result = put(&output, &[wanted("/etc/app", "new")]);
        assert_eq!(told(result, folder.path()).len(), 1);
        assert_eq!(fs::read_to_string(&victim).unwrap(), "kept");
        assert_eq!(list(outside.path()).len(), 1);
        // In the system itself links of folders are the system's own affair.
        let below = folder.path().join("etc/app").display().to_string();
        put(&Root::System, &[wanted(&below, "new")]).unwrap();
        assert_eq!(fs::read_to_string(outside.path().join("app")).unwrap(), "new");
    }

    #[test]
    fn a_private_folder_is_made_private_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let output = Root::Output(folder.path().to_owned());
        let path = folder.path().join("own");
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o1777)).unwrap();
        let secret = Wanted { folder: Folder::Private, ..wanted("/own/key", "s") };
        put(&output, std::slice::from_ref(&secret)).unwrap();
        assert_eq!(list(folder.path()), ["own 700", "own/key 640"]);
        fs::rename(&path, folder.path().join("other")).unwrap();
        symlink("other", &path).unwrap();
        assert!(put(&output, &[secret]).is_err());
    }

    #[test]
    fn who_may_read_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "").unwrap();
        let own = fs::metadata(&path).unwrap();
        let (uid, gid, other) = (own.uid(), own.gid(), own.uid() + 1);
        let modes = |file, above| {
            fs::set_permissions(&path, fs::Permissions::from_mode(file)).unwrap();
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(above)).unwrap();
        };
        for (file, above, expected) in [
            (0o400, 0o755, [false, false]),
            (0o440, 0o755, [true, false]),
            (0o444, 0o755, [true, true]),
            (0o444, 0o750, [true, false]),
            (0o404, 0o755, [false, true]),
        ] {
            modes(file, above);
            let found = [is_readable(&path, other, &[gid]), is_readable(&path, other, &[])];
            assert_eq!(found, expected, "{file:o} {above:o}");
            assert!(is_readable(&path, uid, &[gid]));
        }
        assert!(!is_readable(&folder.path().join("none"), uid, &[]));
    }
}
