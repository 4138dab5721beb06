//! Mounts, and the folders of the initramfs they are made on.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags};

use crate::failure::{Doing as _, Failure};

/// Where the root file system is mounted until it becomes `/`.
pub const ROOT: &str = "/sysroot";
/// Where a root file system is mounted that is never written.
pub const LOWER: &str = "/bake/lower";
/// Where the application's own file system is mounted.
pub const SLOT: &str = "/bake/slot";
/// Where a volume with configuration is mounted.
pub const SEED: &str = "/bake/seed";
/// Where changes are kept that no disk gets.
pub const MEMORY: &str = "/bake/memory";

/// Mounts that every system expects: type, place, flags, options.
const API: [(&str, &str, MountFlags, &str); 4] = [
    ("proc", "/proc", HARMLESS, ""),
    ("sysfs", "/sys", HARMLESS, ""),
    ("devtmpfs", "/dev", MountFlags::NOSUID, "mode=0755"),
    ("tmpfs", "/run", MountFlags::NOSUID.union(MountFlags::NODEV), "mode=0755"),
];
/// Nothing on it is a program or a device.
pub const HARMLESS: MountFlags =
    MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);

/// Mounts the kernel's own file systems.
pub fn mount_api() -> Result<(), Failure> {
    for (kind, place, flags, options) in API {
        match mount(kind, Path::new(place), kind, flags, options) {
            // The kernel was built to mount /dev by itself.
            Err((Errno::BUSY, _)) | Ok(()) => {}
            Err((_, failure)) => return Err(failure),
        }
    }
    Ok(())
}

/// Moves the kernel's own file systems to a new root.
pub fn move_api(root: &Path) -> Result<(), Failure> {
    for (_, place, ..) in API {
        let target = root.join(&place[1..]);
        make_folder(&target, 0o755).ok();
        rustix::mount::mount_move(place, &target)
            .doing(|| format!("move {place} to the new root"))?;
    }
    Ok(())
}

/// Mounts a file system on a folder, which is made if it is missing.
pub fn mount(
    source: &str,
    target: &Path,
    kind: &str,
    flags: MountFlags,
    options: &str,
) -> Result<(), (Errno, Failure)> {
    let failed = |errno: Errno| {
        let target = target.display();
        (errno, Failure::new(format!("cannot mount {source} ({kind}) on {target}: {errno}")))
    };
    let options = CString::new(options).map_err(|_| failed(Errno::INVAL))?;
    make_folder(target, 0o755).map_err(|failure| (Errno::NOENT, failure))?;
    rustix::mount::mount(source, target, kind, flags, options.as_c_str()).map_err(failed)
}

/// Makes a folder if it is missing, and those above it, which everybody may enter.
pub fn make_folder(path: &Path, mode: u32) -> Result<(), Failure> {
    let made = path.parent().map_or(Ok(()), |above| builder(0o755).create(above));
    made.and_then(|()| builder(mode).create(path)).doing(|| format!("make {}", path.display()))
}

fn builder(mode: u32) -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(mode);
    builder
}

/// Takes a mount off its folder; what is mounted over it keeps it alive.
pub fn detach(target: &str) {
    // At worst it stays where nobody sees it once there is another root.
    rustix::mount::unmount(target, UnmountFlags::DETACH).ok();
}

/// Returns a path as an option of overlayfs takes it: what separates options and paths is escaped.
pub fn escaped(path: &Path) -> String {
    let mut escaped = String::new();
    for character in path.to_string_lossy().chars() {
        if matches!(character, '\\' | ':' | ',') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

/// Mounts layers, the topmost first, over a folder; changes go to `upper`, and `work` stands beside it.
pub fn overlay(layers: &[&Path], upper: &Path, work: &Path, target: &Path) -> Result<(), Failure> {
    let layers: Vec<String> = layers.iter().map(|layer| escaped(layer)).collect();
    // Without an index, the changes outlive an application that is replaced.
    let options = format!(
        "lowerdir={},upperdir={},workdir={},index=off",
        layers.join(":"),
        escaped(upper),
        escaped(work)
    );
    mount("overlay", target, "overlay", MountFlags::empty(), &options)
        .map_err(|(_, failure)| failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_above_are_open_and_what_is_there_stays() {
        use std::os::unix::fs::PermissionsExt as _;
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b/c");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        make_folder(&path, 0o700).unwrap();
        make_folder(&path, 0o750).unwrap();
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(path.parent().unwrap()), 0o755);
    }

    #[test]
    fn paths_in_options_end_where_they_should() {
        assert_eq!(escaped(Path::new("/a:b,c\\d e")), "/a\\:b\\,c\\\\d e");
    }
}
