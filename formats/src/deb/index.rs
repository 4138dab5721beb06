//! What a repository says of a package: its control fields and the names of its files.
//!
//! Nothing is built from the files, so that a package of any size is listed in the memory that its
//! names take. All of it is read nevertheless: one that ends early is an error here, not on the
//! machine that installs it.

use std::str::FromStr as _;

use super::control::Paragraph;
use super::fields::FieldError;
use super::read::{CONTROL, DATA, check_format_version, codec, expect_member, read_control};
use super::relation::{check_architecture, check_package_name};
use super::version::Version;
use crate::archive::ar::ArReader;
use crate::archive::tar::{Kind, TarReader};
use crate::encode::decoder;
use crate::format::ReadError;
use crate::input::Source;
use crate::tree::escape;

/// How many bytes the names of a package's files may take.
const MAX_NAMES: usize = 256 << 20;

/// What an index has of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// `Package`
    pub name: String,
    /// `Version`
    pub version: Version,
    /// `Architecture`
    pub architecture: String,
    /// All control fields, in their order.
    pub control: Paragraph,
    /// When the package was made, in seconds since 1970: the time of its first member.
    pub time: u64,
    /// The files, links and devices, relative to the root, sorted; no directories. Names that
    /// are not plain text are escaped.
    pub files: Vec<String>,
}

/// Reads what an index has of a package.
pub fn list(source: &Source) -> Result<Listing, ReadError> {
    // What does not hinder reading is for `verify` to report.
    let mut problems = Vec::new();
    let mut archive = ArReader::new(source.file()?.clone())?;
    let version = expect_member(&mut archive, "debian-binary", &mut problems)?;
    check_format_version(&archive, &version)?;
    let member = expect_member(&mut archive, CONTROL, &mut problems)?;
    let input = decoder(codec(&member, CONTROL)?, archive.open(&member))?;
    let mut files = read_control(TarReader::new(input, CONTROL), &mut problems)?;
    let text = files.remove("control").map(|file| file.text);
    let text = text.ok_or_else(|| FieldError::new("control", "the file is missing"))?;
    let text = std::str::from_utf8(&text).map_err(|error| FieldError::new("control", error))?;
    let control = Paragraph::parse(text).map_err(|error| FieldError::new("control", error))?;
    let member = expect_member(&mut archive, DATA, &mut problems)?;
    let files = list_files(decoder(codec(&member, DATA)?, archive.open(&member))?)?;
    while archive.next_member()?.is_some() {}
    listing(control, version.mtime, files)
}

fn listing(control: Paragraph, time: u64, files: Vec<String>) -> Result<Listing, ReadError> {
    let field = |name: &str| {
        let value = control.get(name).filter(|value| !value.is_empty());
        value.map(str::to_owned).ok_or_else(|| FieldError::new(name, "it is missing"))
    };
    let fail = |field: &str, reason: &dyn std::fmt::Display| FieldError::new(field, reason);
    let name = field("Package")?;
    check_package_name(&name).map_err(|reason| fail("Package", &reason))?;
    let version = Version::from_str(&field("Version")?);
    let version = version.map_err(|error| fail("Version", &error))?;
    let architecture = field("Architecture")?;
    check_architecture(&architecture).map_err(|reason| fail("Architecture", &reason))?;
    Ok(Listing { name, version, architecture, control, time, files })
}

fn list_files(input: impl std::io::Read) -> Result<Vec<String>, ReadError> {
    let mut archive = TarReader::new(input, DATA);
    let mut files = Vec::new();
    let mut size = 0;
    while let Some(member) = archive.next_member()? {
        if member.kind == Kind::Directory {
            continue;
        }
        let name = printable(member.path.relative());
        size += name.len() + size_of::<String>();
        if size > MAX_NAMES {
            let expected = format!("names of at most {MAX_NAMES} bytes");
            return Err(ReadError::malformed(DATA, member.offset, expected, "more"));
        }
        files.push(name);
    }
    files.sort_unstable();
    files.dedup();
    Ok(files)
}

/// Returns a name as indices have it: as it is, unless it is no text or has control characters.
fn printable(name: &[u8]) -> String {
    match std::str::from_utf8(name) {
        Ok(text) if !text.contains(char::is_control) => text.into(),
        _ => escape(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::MemoryStore;
    use crate::deb::{Deb, Package};
    use crate::encode::{Compression, Encoder, NoCache};
    use crate::format::{Epoch, Format, WriteCx};
    use crate::tree::{Content, Entry, Mode, Node, TreeBuilder, TreePath};

    fn package(compression: Compression) -> Vec<u8> {
        let blobs = MemoryStore::new();
        let blob = crate::blob::BlobStore::put(&blobs, &vec![7; 300_000]).unwrap();
        let content = Content { digest: blob.digest, size: blob.size, md5: [0; 16] };
        let mut builder = TreeBuilder::new();
        for name in ["/usr/bin/hello", "/usr/bin/a b", "/etc/x"] {
            let entry = Entry::new(Node::File(content), Mode::from_st_mode(0o644));
            builder.insert(TreePath::parse(name).unwrap(), entry).unwrap();
        }
        let tree = builder.finish().unwrap();
        let mut model = Package::new("hello", "1:1.0-1".parse().unwrap(), "amd64");
        model.maintainer = "Me <me@example.com>".into();
        model.synopsis = "says hello".into();
        model.compression = compression;
        let encoder = Encoder::new(&blobs, &NoCache, 1);
        let cx = WriteCx { blobs: &blobs, encoder: &encoder, epoch: Epoch(1_700_000_000) };
        let artifact = Deb::write(&model, &tree, &cx).unwrap();
        artifact.files[0].rope.to_vec(&blobs).unwrap()
    }

    #[test]
    fn lists_fields_in_order_and_files_without_directories() {
        for compression in [Compression::GZIP, Compression::XZ, Compression::ZSTD] {
            let listing = list(&Source::from_bytes(package(compression))).unwrap();
            assert_eq!((listing.name.as_str(), listing.time), ("hello", 1_700_000_000));
            assert_eq!(listing.version.to_string(), "1:1.0-1");
            assert_eq!(listing.files, ["etc/x", "usr/bin/a b", "usr/bin/hello"]);
            let (first, _) = listing.control.iter().next().unwrap();
            assert_eq!(first, "Package");
        }
    }

    #[test]
    fn a_package_that_ends_early_is_an_error_wherever_it_ends() {
        let bytes = package(Compression::GZIP);
        for len in (0..bytes.len()).step_by(7) {
            assert!(list(&Source::from_bytes(bytes[..len].to_vec())).is_err(), "{len}");
        }
    }
}
