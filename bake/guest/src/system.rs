//! The system that takes over: its init, and what it does by itself.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Links that are followed on the way to a file, as many as the kernel follows.
const LINKS: usize = 40;
/// The release of systemd that reads credentials from the firmware.
const READS_FIRMWARE: u32 = 251;
/// The release that also takes those of the initramfs.
const TAKES_CREDENTIALS: u32 = 254;

/// Returns where a path leads inside a system that is not `/` yet, every link followed within it.
///
/// None if there is nothing.
pub fn resolve(root: &Path, path: &Path) -> Option<PathBuf> {
    let mut rest: VecDeque<OsString> = names(path).collect();
    let mut found: Vec<OsString> = vec![];
    let mut links = 0;
    let place = |found: &[OsString]| root.join(found.iter().collect::<PathBuf>());
    while let Some(name) = rest.pop_front() {
        if name == ".." {
            found.pop();
            continue;
        }
        found.push(name);
        let Ok(target) = fs::read_link(place(&found)) else { continue };
        links += 1;
        if links > LINKS {
            return None;
        }
        found.pop();
        if target.is_absolute() {
            found.clear();
        }
        for name in names(&target).collect::<Vec<_>>().into_iter().rev() {
            rest.push_front(name);
        }
    }
    let place = place(&found);
    fs::symlink_metadata(&place).is_ok().then_some(place)
}

fn names(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

/// What a system does by itself.
#[derive(Debug, PartialEq, Eq)]
pub struct System {
    /// Whether it takes credentials of the initramfs.
    pub takes_credentials: bool,
    /// Whether it reads credentials from the firmware's tables.
    pub reads_firmware: bool,
    /// Whether it has cloud-init, to which a seed belongs.
    pub has_cloud_init: bool,
}

impl System {
    /// Looks at a system by the program that takes over.
    pub fn of(root: &Path, init: &Path) -> Self {
        let init = resolve(root, init);
        let name = init.as_deref().and_then(Path::file_name);
        // Whoever has systemd without its library has one that we do not know: a newer one.
        let release = match name {
            Some(name) if name == "systemd" => release(root).unwrap_or(u32::MAX),
            _ => 0,
        };
        let has = |path: &str| resolve(root, Path::new(path)).is_some();
        Self {
            takes_credentials: release >= TAKES_CREDENTIALS,
            reads_firmware: release >= READS_FIRMWARE,
            has_cloud_init: has("/usr/bin/cloud-init") && has("/etc/cloud"),
        }
    }
}

/// Returns the release of systemd, from the name of its library: `libsystemd-shared-252.so`.
fn release(root: &Path) -> Option<u32> {
    let folders = ["lib64", "lib", "lib/x86_64-linux-gnu", "lib/aarch64-linux-gnu"];
    folders.iter().find_map(|folder| {
        let folder = resolve(root, &Path::new("/usr").join(folder).join("systemd"))?;
        fs::read_dir(folder).ok()?.find_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            let release = name.strip_prefix("libsystemd-shared-")?;
            let end = release.find(|c: char| !c.is_ascii_digit()).unwrap_or(release.len());
            release[..end].parse().ok()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn system(links: &[(&str, &str)], files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        for (target, link) in links {
            let path = root.path().join(link);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(target, path).unwrap();
        }
        root
    }

    #[test]
    fn links_are_followed_inside_the_system() {
        let links = [
            ("usr/sbin", "sbin"),
            ("/lib/systemd/systemd", "usr/sbin/init"),
            ("usr/lib", "lib"),
            ("../../../../../../etc/passwd", "up"),
            ("loop", "loop"),
            ("/", "all"),
        ];
        let root = system(&links, &["usr/lib/systemd/systemd", "etc/passwd"]);
        let found = |path: &str| {
            let found = resolve(root.path(), Path::new(path))?;
            Some(found.strip_prefix(root.path()).unwrap().to_str().unwrap().to_owned())
        };
        assert_eq!(found("/sbin/init").as_deref(), Some("usr/lib/systemd/systemd"));
        assert_eq!(found("/up").as_deref(), Some("etc/passwd"));
        assert_eq!(found("/all/all/etc/../etc/passwd").as_deref(), Some("etc/passwd"));
        assert_eq!(found("/loop"), None);
        assert_eq!(found("/missing/.."), Some(String::new()));
        assert_eq!(found("/sbin/missing"), None);
    }

    #[test]
    fn systemd_is_known_with_its_release() {
        let links = [("/usr/lib/systemd/systemd", "sbin/init")];
        for (library, reads_firmware, takes_credentials) in [
            ("usr/lib/systemd/libsystemd-shared-249.so", false, false),
            ("usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-252.so", true, false),
            ("usr/lib/systemd/libsystemd-shared-250.8-1.fc36.so", false, false),
            ("usr/lib64/systemd/libsystemd-shared-257.so", true, true),
            ("usr/lib/systemd/other.so", true, true),
        ] {
            let root = system(&links, &["usr/lib/systemd/systemd", library]);
            let expected = System { takes_credentials, reads_firmware, has_cloud_init: false };
            assert_eq!(System::of(root.path(), Path::new("/sbin/init")), expected, "{library}");
        }
    }

    #[test]
    fn another_init_leaves_credentials_to_us() {
        let root = system(&[], &["sbin/init", "usr/bin/cloud-init", "etc/cloud/cloud.cfg"]);
        let expected =
            System { takes_credentials: false, reads_firmware: false, has_cloud_init: true };
        assert_eq!(System::of(root.path(), Path::new("/sbin/init")), expected);
    }
}
