//! Configuration from outside: a volume labelled CIDATA, and the firmware's tables.
//!
//! ```text
//! CIDATA:  bake/config/NAME       ──► /run/config/NAME
//!          bake/credentials/NAME  ──► /run/credentials/@initrd/NAME  if the system takes them from there
//!                                     /run/credentials/@system/NAME  if not
//!          meta-data, user-data   ──► cloud-init, if the system has it
//! SMBIOS:  io.systemd.credential: ──► /run/credentials/@system/NAME  if the system does not read them
//! ```
//!
//! What is in `@system` is announced to the system's init by `CREDENTIALS_DIRECTORY`. An old systemd then
//! reads no others, so those of the firmware go there too, and count more, as they do with a new one.
//!
//! Whoever can attach a disk can write here, so names are plain, links are not followed, and sizes end.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Dir, Mode, OFlags, openat};
use rustix::mount::MountFlags;

use crate::command_line::CommandLine;
use crate::console::{say, tell};
use crate::devices::Device;
use crate::failure::{Doing as _, Failure};
use crate::modules::Modules;
use crate::mounts::{self, HARMLESS, SEED};
use crate::smbios;
use crate::superblock::Kind;
use crate::system::System;

/// The largest file that is taken.
const FILE: u64 = 1 << 20;
/// Files that are taken from one folder.
const FILES: usize = 256;
/// The longest name of a host that the kernel takes.
const HOST_NAME: usize = 64;

/// Where files of the application's configuration go.
const CONFIG: Target = Target { folder: "/run/config", folder_mode: 0o755, file_mode: 0o444 };
/// Where systemd looks for credentials of the initramfs.
const OF_INITRD: Target = secret("/run/credentials/@initrd");
/// Where credentials of the system are.
const OF_SYSTEM: Target = secret("/run/credentials/@system");

const fn secret(folder: &'static str) -> Target {
    Target { folder, folder_mode: 0o700, file_mode: 0o400 }
}

/// A folder that gets files.
#[derive(Debug, Clone, Copy)]
struct Target {
    folder: &'static str,
    folder_mode: u32,
    file_mode: u32,
}

/// Imports what the volumes and the firmware hold. Nothing there keeps a machine from booting.
///
/// Returns the folder of credentials that the system's init must be told of.
pub fn import(
    devices: &[Device],
    root_disk: Option<&str>,
    system: &System,
    modules: &mut Modules,
    line: &CommandLine,
) -> Option<&'static Path> {
    // A volume that was attached counts more than one that is part of the machine's own disk.
    let mut volumes: Vec<&Device> = devices.iter().filter(|device| is_seed(device)).collect();
    volumes.sort_by_key(|device| root_disk != Some(device.disk.as_str()));
    for device in volumes {
        if let Err(failure) = from_volume(device, system, modules, line) {
            failure.lines().for_each(say);
        }
    }
    let announced = Path::new(OF_SYSTEM.folder);
    if !system.reads_firmware || announced.exists() {
        // Some kernels have the tables in sysfs by a module that no device asks for.
        modules.load("dmi_sysfs", line);
        from_firmware();
    }
    announced.exists().then_some(announced)
}

fn is_seed(device: &Device) -> bool {
    device.content.as_ref().is_some_and(|content| {
        matches!(content.kind, Kind::Vfat | Kind::Iso9660)
            && content.label.eq_ignore_ascii_case("cidata")
    })
}

fn from_firmware() {
    let entries = fs::read_dir("/sys/firmware/dmi/entries").into_iter().flatten().flatten();
    let entries = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("11-"));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path().join("raw")).collect();
    paths.sort();
    for path in paths {
        let mut raw = vec![];
        let read = File::open(&path).and_then(|file| file.take(FILE).read_to_end(&mut raw));
        if let Err(error) = read {
            say(format_args!("cannot read {}: {error}", path.display()));
        }
        for credential in smbios::credentials(&raw) {
            keep(OF_SYSTEM, &credential.name, &credential.value);
        }
    }
}

fn from_volume(
    device: &Device,
    system: &System,
    modules: &mut Modules,
    line: &CommandLine,
) -> Result<(), Failure> {
    let Some(content) = &device.content else { return Ok(()) };
    let kind = content.kind.name();
    modules.load(&format!("fs-{kind}"), line);
    if content.kind == Kind::Vfat {
        // The kernel would ask a modprobe for the character sets of names.
        modules.load("nls_*", line);
    }
    let flags = HARMLESS | MountFlags::RDONLY;
    mounts::mount(&device.path, Path::new(SEED), kind, flags, "")
        .map_err(|(_, failure)| failure)?;
    let taken = take(system);
    mounts::detach(SEED);
    taken.doing(|| format!("read the configuration on {}", device.path))?;
    tell(format_args!("configuration is on {} ({kind})", device.path));
    Ok(())
}

fn take(system: &System) -> io::Result<()> {
    let volume = folder(CWD, SEED)?;
    let credentials = if system.takes_credentials { OF_INITRD } else { OF_SYSTEM };
    if let Some(bake) = if_there(folder(&volume, "bake"))? {
        for (name, target) in [("config", CONFIG), ("credentials", credentials)] {
            let copied = if_there(folder(&bake, name))
                .and_then(|source| source.map_or(Ok(()), |source| copy(&source, target)));
            if let Err(error) = copied {
                say(format_args!("configuration `bake/{name}`: {error}"));
            }
        }
    }
    if system.has_cloud_init {
        return Ok(());
    }
    if if_there(file(&volume, "user-data"))?.is_some_and(|text| !text.is_empty()) {
        say("user-data is left alone: the system has no cloud-init");
    }
    let host_name = if_there(file(&volume, "meta-data"))?.and_then(|text| host_name(&text));
    host_name.map_or(Ok(()), |name| fs::write("/proc/sys/kernel/hostname", name))
}

/// Copies the files of a folder; what may not be taken is told and left out.
fn copy(source: &OwnedFd, target: Target) -> io::Result<()> {
    for entry in Dir::read_from(source)?.take(FILES + 2) {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy();
        if matches!(&*name, "." | "..") {
            continue;
        }
        match file(source, &name) {
            Ok(bytes) => keep(target, &name, &bytes),
            Err(error) => say(format_args!("configuration `{}`: {error}", name.escape_debug())),
        }
    }
    Ok(())
}

/// Writes one file of a target, in place of an earlier one.
fn keep(target: Target, name: &str, bytes: &[u8]) {
    if !is_plain(name) {
        return say(format_args!("configuration `{}`: not a plain name", name.escape_debug()));
    }
    let path = Path::new(target.folder).join(name);
    let written = write(target, &path, bytes);
    if let Err(error) = written {
        say(format_args!("cannot write {}: {error}", path.display()));
    }
}

fn write(target: Target, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = |mode| mounts::make_folder(Path::new(target.folder), mode);
    folder(target.folder_mode).map_err(|failure| io::Error::other(failure.to_string()))?;
    if path.exists() {
        fs::remove_file(path)?;
    }
    let mut options = File::options();
    let mut file = options.write(true).create_new(true).mode(target.file_mode).open(path)?;
    file.write_all(bytes)
}

fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

fn folder(parent: impl std::os::fd::AsFd, name: &str) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(openat(parent, name, flags, Mode::empty())?)
}

/// Reads a file that is one, and not too large.
fn file(parent: &OwnedFd, name: &str) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(openat(parent, name, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a file"));
    }
    let mut bytes = vec![];
    file.take(FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE {
        return Err(io::Error::other(format!("larger than {FILE} bytes")));
    }
    Ok(bytes)
}

/// Returns whether a name is one that needs no thought: letters, digits, `.`, `_` and `-`.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !matches!(name, "" | "." | "..") && name.len() <= 255 && name.bytes().all(plain)
}

/// Returns the host's name in meta-data: the line `local-hostname: NAME`.
fn host_name(meta_data: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(meta_data);
    let value = text.lines().find_map(|line| line.strip_prefix("local-hostname:"))?;
    let value = value.split(" #").next()?.trim();
    let name = value.trim_matches(|quote| matches!(quote, '"' | '\''));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    ((1..=HOST_NAME).contains(&name.len()) && name.bytes().all(plain)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::superblock::Superblock;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn only_plain_names_are_taken() {
        for name in ["DATABASE_URL", "tls.key", "a-b", "..a", ".hidden"] {
            assert!(is_plain(name), "{name}");
        }
        for name in ["", ".", "..", "a/b", "a b", "a\0", "é", &"a".repeat(256)] {
            assert!(!is_plain(name), "{name:?}");
        }
    }

    #[test]
    fn host_names_are_names() {
        for (text, name) in [
            ("instance-id: i\nlocal-hostname: web-1.example.org\n", Some("web-1.example.org")),
            ("local-hostname: \"web\"", Some("web")),
            ("local-hostname: 'web' # the first", Some("web")),
            ("local-hostname: a b", None),
            ("local-hostname:", None),
            ("  local-hostname: nested", None),
            ("instance-id: i", None),
        ] {
            assert_eq!(host_name(text.as_bytes()).as_deref(), name, "{text}");
        }
        assert_eq!(host_name(format!("local-hostname: {}", "a".repeat(65)).as_bytes()), None);
    }

    #[test]
    fn files_are_read_without_following_links() {
        let volume = tempfile::tempdir().unwrap();
        let path = volume.path();
        fs::write(path.join("small"), "text").unwrap();
        fs::write(path.join("limit"), vec![0; 1 << 20]).unwrap();
        fs::write(path.join("large"), vec![0; (1 << 20) + 1]).unwrap();
        symlink("small", path.join("link")).unwrap();
        symlink(".", path.join("here")).unwrap();
        let opened = folder(CWD, path.to_str().unwrap()).unwrap();
        assert_eq!(file(&opened, "small").unwrap(), b"text");
        assert_eq!(file(&opened, "limit").unwrap().len(), 1 << 20);
        assert!(file(&opened, "large").is_err());
        assert!(file(&opened, "link").is_err());
        assert!(file(&opened, ".").is_err());
        assert!(folder(&opened, "here").is_err());
        assert!(if_there(file(&opened, "missing")).unwrap().is_none());
    }

    #[test]
    fn what_is_kept_has_its_mode_and_replaces_an_earlier_one() {
        let run = tempfile::tempdir().unwrap();
        let folder: &'static str = run.path().join("c/@initrd").to_str().unwrap().to_owned().leak();
        let target = secret(folder);
        for (name, bytes) in [("a", "1"), ("a", "2"), ("../b", "3"), ("b", "4")] {
            keep(target, name, bytes.as_bytes());
        }
        let file = Path::new(folder).join("a");
        assert_eq!(fs::read_to_string(&file).unwrap(), "2");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o400);
        assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o7777, 0o700);
        assert_eq!(fs::read_dir(folder).unwrap().count(), 2);
        assert!(!Path::new(folder).parent().unwrap().join("b").exists());
    }

    #[test]
    fn seeds_are_volumes_of_the_right_kind_and_label() {
        let device = |kind, label: &str| Device {
            path: "/dev/vdb".into(),
            disk: "vdb".into(),
            size: 1,
            partition: None,
            content: Some(Superblock { kind, label: label.into(), uuid: String::new() }),
        };
        assert!(is_seed(&device(Kind::Vfat, "CIDATA")));
        assert!(is_seed(&device(Kind::Iso9660, "cidata")));
        assert!(!is_seed(&device(Kind::Ext4, "cidata")));
        assert!(!is_seed(&device(Kind::Vfat, "cidata2")));
    }
}
