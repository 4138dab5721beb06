//! What a source is, and what is in it.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bake_formats::encode::{Codec, sniff};
use bake_recipes::{Platform, RecipeError};

use super::archive::{
    broken, file_name, open_tar_file, open_zip, small_text, unpack_tar, unpack_zip, unreadable,
};
use super::folder::Folder;
use super::gem::Gem;
use super::jar::Jar;
use super::layout::{Layout, Rule, What};
use super::metadata::{Metadata, Reader, split_version};
use super::npm::Npm;
use super::stage::Stage;
use super::version;
use super::wheel::Wheel;

/// What a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    Program,
    /// A file that says nothing of itself.
    Plain,
    Jar,
    Wheel,
    Gem,
    Zip,
    /// A tar archive, perhaps of npm.
    Tar,
}

/// A source that was looked into.
#[derive(Debug)]
pub(super) enum Source {
    Folder(Folder),
    Program(Program),
    Jar(Jar),
    Wheel(Wheel),
    Gem(Gem),
    Npm(Npm),
}

/// One executable file.
#[derive(Debug)]
pub(super) struct Program {
    path: PathBuf,
    /// Its own name, if the package has several programs.
    name: Option<String>,
    platform: Option<Platform>,
    is_script: bool,
}

impl Kind {
    /// Finds out what a source is, by its first bytes and the end of its name.
    pub(super) fn of(path: &Path) -> Result<Self, RecipeError> {
        let fail = |error: std::io::Error| unreadable(path, &error);
        let metadata = fs_err::metadata(path).map_err(fail)?;
        if metadata.is_dir() {
            return Ok(Self::Folder);
        }
        if !metadata.is_file() {
            return Err(broken(path, "it is neither a file nor a folder"));
        }
        let first = first_bytes(path)?;
        let name = file_name(path).to_lowercase();
        let executable = metadata.permissions().mode() & 0o111 != 0;
        let is_tar = first.get(257..262) == Some(b"ustar".as_slice());
        Ok(match () {
            () if first.starts_with(b"\x7fELF") || first.starts_with(b"#!") => Self::Program,
            () if first.starts_with(b"PK") && name.strip_suffix(".jar").is_some() => Self::Jar,
            () if first.starts_with(b"PK") && name.strip_suffix(".whl").is_some() => Self::Wheel,
            () if first.starts_with(b"PK\x03\x04") || first.starts_with(b"PK\x05\x06") => Self::Zip,
            () if is_tar && name.strip_suffix(".gem").is_some() => Self::Gem,
            () if is_tar || is_compressed_tar(path, &first, &name)? => Self::Tar,
            () if executable => Self::Program,
            () => Self::Plain,
        })
    }

    /// Returns whether it is unpacked before it is packed.
    pub(super) fn is_staged(self) -> bool {
        match self {
            Self::Wheel | Self::Gem | Self::Zip | Self::Tar => true,
            Self::Folder | Self::Program | Self::Plain | Self::Jar => false,
        }
    }
}

impl Source {
    /// Looks into a source; an archive is unpacked into `folder`.
    pub(super) fn read(
        path: &Path,
        kind: Kind,
        folder: &Path,
    ) -> Result<(Metadata, Self), RecipeError> {
        let name = file_name(path);
        let stage = || -> Result<Stage, RecipeError> {
            let size = fs_err::metadata(path).map_err(|error| broken(path, error))?.len();
            fs_err::create_dir_all(folder).map_err(|error| broken(path, error))?;
            Ok(Stage::new(folder, &name, size))
        };
        let (mut metadata, source) = match kind {
            Kind::Folder => Folder::read(path).map(|(m, folder)| (m, Self::Folder(folder)))?,
            Kind::Program => (Metadata::default(), Self::Program(Program::read(path)?)),
            Kind::Plain => {
                let name = path.display();
                return Err(RecipeError::new(format!(
                    "`{name}` is a plain file, so where does it go?"
                ))
                .hint(format!("say so with `{name}=/usr/share/…`")));
            }
            Kind::Jar => Jar::read(path).map(|(m, jar)| (m, Self::Jar(jar)))?,
            Kind::Wheel => {
                unpack_zip(path, &mut open_zip(path)?, &mut stage()?)?;
                Wheel::read(path, folder).map(|(m, wheel)| (m, Self::Wheel(wheel)))?
            }
            Kind::Gem => {
                Gem::read(path, folder, &mut stage()?).map(|(m, gem)| (m, Self::Gem(gem)))?
            }
            Kind::Zip => {
                unpack_zip(path, &mut open_zip(path)?, &mut stage()?)?;
                unpacked(path, folder)?
            }
            Kind::Tar => {
                unpack_tar(path, &mut open_tar_file(path)?, &mut stage()?)?;
                unpacked(path, folder)?
            }
        };
        metadata.fill(from_name(path, kind));
        Ok((metadata, source))
    }

    /// Places what is in the source.
    pub(super) fn place(&self, name: &str, prefix: Option<&str>, layout: &mut Layout) {
        match self {
            Self::Folder(folder) => folder.place(name, prefix, layout),
            Self::Program(program) => program.place(name, prefix, layout),
            Self::Jar(jar) => jar.place(name, layout),
            Self::Wheel(wheel) => wheel.place(name, layout),
            Self::Gem(gem) => gem.place(name, layout),
            Self::Npm(npm) => npm.place(layout),
        }
    }

    /// Returns the program if it is one.
    pub(super) fn program(&mut self) -> Option<&mut Program> {
        match self {
            Self::Program(program) => Some(program),
            Self::Folder(_) | Self::Jar(_) | Self::Wheel(_) | Self::Gem(_) | Self::Npm(_) => None,
        }
    }
}

impl Program {
    fn read(path: &Path) -> Result<Self, RecipeError> {
        let first = first_bytes(path)?;
        Ok(Self {
            path: path.into(),
            name: None,
            platform: elf_platform(&first),
            is_script: first.starts_with(b"#!"),
        })
    }

    /// Keeps its own name.
    pub(super) fn keep_name(&mut self) {
        self.name = Some(file_name(&self.path));
    }

    fn place(&self, name: &str, prefix: Option<&str>, layout: &mut Layout) {
        let name = self.name.as_deref().unwrap_or(name);
        let folder = prefix.unwrap_or("/usr/bin").trim_end_matches('/');
        let rule = Rule::new(What::File(self.path.clone()), format!("{folder}/{name}"));
        layout.rules.push(Rule { mode: Some("0755"), ..rule });
        layout.native |= !self.is_script;
        layout.platform = layout.platform.or(self.platform);
    }
}

/// Returns the platform that an ELF header names (System V ABI, `e_machine`).
fn elf_platform(first: &[u8]) -> Option<Platform> {
    let text = match (first.get(..6)?, first.get(18..20)?) {
        ([0x7f, b'E', b'L', b'F', 2, 1], [62, 0]) => "linux/amd64",
        ([0x7f, b'E', b'L', b'F', 2, 1], [183, 0]) => "linux/arm64",
        ([0x7f, b'E', b'L', b'F', 1, 1], [3, 0]) => "linux/386",
        ([0x7f, b'E', b'L', b'F', 1, 1], [40, 0]) => "linux/arm/v7",
        ([0x7f, b'E', b'L', b'F', 2, 1], [21, 0]) => "linux/ppc64le",
        ([0x7f, b'E', b'L', b'F', 2, 2], [0, 22]) => "linux/s390x",
        ([0x7f, b'E', b'L', b'F', 2, 1], [243, 0]) => "linux/riscv64",
        ([0x7f, b'E', b'L', b'F', 2, 1], [2, 1]) => "linux/loong64",
        _ => return None,
    };
    text.parse().ok()
}

/// Takes an unpacked archive for what it is: an npm package, or a folder.
fn unpacked(path: &Path, folder: &Path) -> Result<(Metadata, Source), RecipeError> {
    let root = only_folder(path, folder)?.unwrap_or_else(|| folder.to_owned());
    let name = file_name(path);
    let is_npm = root.file_name().is_some_and(|name| name == "package")
        && name.strip_suffix(".tgz").is_some();
    if is_npm && let Some(text) = small_text(&root.join("package.json"))? {
        return Npm::read(path, &root, &text).map(|(m, npm)| (m, Source::Npm(npm)));
    }
    Folder::read(&root).map(|(m, folder)| (m, Source::Folder(folder)))
}

/// Returns the one folder that everything is in, unless it is part of a tree from the root.
fn only_folder(path: &Path, folder: &Path) -> Result<Option<PathBuf>, RecipeError> {
    let fail = |error: std::io::Error| broken(path, error);
    let mut entries = fs_err::read_dir(folder).map_err(fail)?;
    let (Some(first), None) = (entries.next(), entries.next()) else { return Ok(None) };
    let first = first.map_err(fail)?;
    let is_folder = first.file_type().map_err(fail)?.is_dir();
    let is_root = super::folder::is_root_name(&first.file_name().to_string_lossy());
    Ok((is_folder && !is_root).then(|| first.path()))
}

/// Returns what a file's name says: the name, and the version after it.
fn from_name(path: &Path, kind: Kind) -> Metadata {
    // `.` has a name, too.
    let whole = fs_err::canonicalize(path).unwrap_or_else(|_| path.into());
    let file = file_name(&whole);
    let endings =
        [".tar.gz", ".tar.xz", ".tar.zst", ".tar", ".tgz", ".txz", ".zip", ".jar", ".whl", ".gem"];
    let stem = endings.iter().find_map(|ending| file.strip_suffix(ending)).unwrap_or(&file);
    let mut reader = Reader::new("its name");
    let split = if kind == Kind::Folder { None } else { split_version(stem) };
    reader.name(Some(split.map_or(stem, |(name, _)| name)));
    reader.version(split.map(|(_, found)| found), version::semantic);
    reader.metadata
}

fn first_bytes(path: &Path) -> Result<Vec<u8>, RecipeError> {
    let file = fs_err::File::open(path).map_err(|error| broken(path, error))?;
    let mut first = Vec::new();
    file.take(512).read_to_end(&mut first).map_err(|error| broken(path, error))?;
    Ok(first)
}

/// Returns whether a compressed file holds a tar archive.
fn is_compressed_tar(path: &Path, first: &[u8], name: &str) -> Result<bool, RecipeError> {
    if sniff(first) == Codec::None {
        return Ok(false);
    }
    let file = fs_err::File::open(path).map_err(|error| broken(path, error))?;
    let mut header = Vec::new();
    bake_formats::encode::decoder(sniff(first), file)
        .and_then(|decoder| decoder.take(512).read_to_end(&mut header))
        .map_err(|error| broken(path, error))?;
    let named = [".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.zst"];
    Ok(header.get(257..262) == Some(b"ustar".as_slice())
        || named.iter().any(|ending| name.ends_with(ending)))
}
