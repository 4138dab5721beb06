//! Which version of Java a jar needs: the class file version of its program (JVMS 4.1).

use std::io::{self, Read, Seek, SeekFrom};

use zip::ZipArchive;

/// Classes that are looked at if no program is named; a jar is compiled for one version.
const CLASSES: usize = 64;
/// The largest list of contents that is read; 100 000 classes take about 10 MB.
const LARGEST_DIRECTORY: u32 = 32 << 20;
const LARGEST_MANIFEST: u64 = 64 << 10;

/// Returns the version of Java that a jar's program needs; `None` for archives without classes and
/// for what is no archive.
pub(super) fn java_version(mut input: impl Read + Seek) -> io::Result<Option<u16>> {
    if !is_bounded(&mut input)? {
        return Ok(None);
    }
    let mut archive = match ZipArchive::new(input) {
        Ok(archive) => archive,
        Err(zip::result::ZipError::Io(error)) => return Err(error),
        Err(_) => return Ok(None),
    };
    let names = match main_class(&mut archive) {
        Some(name) => vec![name],
        None => archive
            .file_names()
            .filter_map(Result::ok)
            .filter(|name| name.ends_with(".class") && !name.contains("META-INF/"))
            .filter(|name| !name.ends_with("module-info.class"))
            .take(CLASSES)
            .map(std::borrow::Cow::into_owned)
            .collect(),
    };
    Ok(names.iter().filter_map(|name| class_version(&mut archive, name)).max())
}

/// Returns whether a list of contents is at the end, and is not so large that it must be a lie.
///
/// ```text
/// end of central directory: 50 4b 05 06 ... 12 size of the list (4) 16 offset (4) 20 comment length (2)
/// ```
fn is_bounded(input: &mut (impl Read + Seek)) -> io::Result<bool> {
    const RECORD: usize = 22;
    let end = input.seek(SeekFrom::End(0))?;
    let tail = end.min(RECORD as u64 + 0xffff);
    input.seek(SeekFrom::Start(end - tail))?;
    let mut bytes = Vec::new();
    input.take(tail).read_to_end(&mut bytes)?;
    let found = bytes.windows(RECORD).rposition(|window| window.starts_with(b"PK\x05\x06"));
    let size = found.and_then(|at| bytes.get(at + 12..at + 16)?.try_into().ok());
    Ok(size.is_some_and(|size| u32::from_le_bytes(size) <= LARGEST_DIRECTORY))
}

fn main_class(archive: &mut ZipArchive<impl Read + Seek>) -> Option<String> {
    let manifest = archive.by_name("META-INF/MANIFEST.MF").ok()?;
    let mut text = String::new();
    manifest.take(LARGEST_MANIFEST).read_to_string(&mut text).ok()?;
    // A line that begins with a space goes on where the last one ended.
    let text = text.replace("\r\n", "\n").replace("\n ", "");
    let name = text.lines().find_map(|line| line.strip_prefix("Main-Class:"))?;
    let path = format!("{}.class", name.trim().replace('.', "/"));
    archive.index_for_name(&path).map(|_| path)
}

/// Returns the version of Java that a class is for: major version 52 is Java 8.
fn class_version(archive: &mut ZipArchive<impl Read + Seek>, name: &str) -> Option<u16> {
    let mut head = [0; 8];
    archive.by_name(name).ok()?.read_exact(&mut head).ok()?;
    let major = u16::from_be_bytes([head[6], head[7]]);
    (head.starts_with(&[0xca, 0xfe, 0xba, 0xbe]) && major > 44).then(|| major - 44)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;

    fn jar(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in files {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn class(major: u8) -> Vec<u8> {
        vec![0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, major]
    }

    fn version(bytes: &[u8]) -> Option<u16> {
        java_version(Cursor::new(bytes)).unwrap()
    }

    #[test]
    fn the_program_decides_else_the_newest_class() {
        let (old, new) = (class(52), class(61));
        let manifest = b"Manifest-Version: 1.0\r\nMain-Class: a.\r\n Main\r\n".as_slice();
        let named =
            jar(&[("META-INF/MANIFEST.MF", manifest), ("a/Main.class", &old), ("b.class", &new)]);
        assert_eq!(version(&named), Some(8));
        assert_eq!(version(&jar(&[("a.class", &old), ("b.class", &new)])), Some(17));
        let newer = class(65);
        let multi = jar(&[("META-INF/versions/21/a.class", &newer), ("a.class", &old)]);
        assert_eq!(version(&multi), Some(8));
    }

    #[test]
    fn what_is_no_jar_needs_nothing() {
        for bytes in [
            b"".to_vec(),
            b"PK\x03\x04".to_vec(),
            jar(&[("x", b"y")]),
            jar(&[("a.class", b"text")]),
        ] {
            assert_eq!(version(&bytes), None);
        }
        let mut lie = jar(&[("a.class", &class(52))]);
        let at = lie.len() - 22 + 12;
        lie[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(version(&lie), None);
    }
}
