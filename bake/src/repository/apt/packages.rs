//! The index `Packages`: one paragraph per package.

use std::cmp::Ordering;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::Arc;

use bake_formats::blob::Blob;
use bake_formats::deb::{Listing, Paragraph, Version};
use bake_formats::digest::{Digest, Hasher};

use crate::error::Error;
use crate::repository::changes::Changed;
use crate::repository::refuse;
use crate::repository::text::Text;

/// The architecture of packages for all architectures.
pub(super) const ALL: &str = "all";
/// The longest paragraph that is read, in bytes.
const MAX_PARAGRAPH: usize = 16 << 20;
/// What the repository says of a package besides the package's own fields.
const OWN: [&str; 3] = ["Filename", "Size", "SHA256"];
/// Fields that say the same as ours, in digests that nobody needs.
const OTHER: [&str; 3] = ["MD5sum", "SHA1", "SHA512"];

/// One package of a suite.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) component: String,
    pub(super) name: String,
    pub(super) version: Version,
    pub(super) architecture: String,
    /// Where the package is, below the repository's folder.
    pub(super) path: String,
    pub(super) blob: Blob,
    pub(super) text: Text,
}

impl Record {
    /// Returns the record of a package that is new.
    pub(super) fn new(listing: &Listing, component: &str, blob: Blob) -> Result<Self, Error> {
        let Listing { name, version, architecture, .. } = listing;
        let path = pool_path(listing, component);
        let mut paragraph = listing.control.clone();
        for field in OWN.into_iter().chain(OTHER) {
            paragraph.remove(field);
        }
        let values = [path.clone(), blob.size.to_string(), blob.digest.hex()];
        for (field, value) in OWN.into_iter().zip(values) {
            paragraph.push(field, value).map_err(|error| refuse(&*path, error.to_string()))?;
        }
        Ok(Self {
            component: component.into(),
            name: name.clone(),
            version: version.clone(),
            architecture: architecture.clone(),
            path,
            blob,
            text: Text::New(paragraph.to_string()),
        })
    }

    /// Returns the order of records in an index; equal means that apt takes them for the same.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        (self.name.cmp(&other.name))
            .then_with(|| self.version.compare(&other.version))
            .then_with(|| self.architecture.cmp(&other.architecture))
    }

    /// Returns whether the record stands in the index of an architecture.
    pub(super) fn is_for(&self, architecture: &str) -> bool {
        self.architecture == architecture || self.architecture == ALL
    }

    pub(super) fn changed(&self) -> Changed {
        Changed {
            name: self.name.clone(),
            version: self.version.to_string(),
            architecture: self.architecture.clone(),
            path: self.path.clone(),
            digest: self.blob.digest,
        }
    }
}

impl std::fmt::Display for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}:{}", self.name, self.version, self.architecture)
    }
}

/// Returns a package's place: by component, letter and source package, as in Debian.
fn pool_path(listing: &Listing, component: &str) -> String {
    let Listing { name, version, architecture, control, .. } = listing;
    let source = control.get("Source").and_then(|text| text.split_whitespace().next());
    let is_plain = |text: &&str| {
        let mut bytes = text.bytes();
        bytes.all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte)
        }) && text.starts_with(|c: char| c.is_ascii_alphanumeric())
    };
    let source = source.filter(is_plain).unwrap_or(name);
    let letters = if source.len() > 3 && source.starts_with("lib") { 4 } else { 1 };
    let prefix = source.get(..letters).unwrap_or(source);
    let version = version.without_epoch();
    format!("pool/{component}/{prefix}/{source}/{name}_{version}_{architecture}.deb")
}

/// Reads an index, whose identity is known.
pub(super) fn read(path: &Path, component: &str, expected: Blob) -> Result<Vec<Record>, Error> {
    let place = path.display().to_string();
    let (file, _) = fs_err::File::open(path)?.into_parts();
    let file = Arc::new(file);
    let mut reader = BufReader::with_capacity(1 << 16, &*file);
    let mut hasher = Hasher::new();
    let mut records = Vec::new();
    let (mut paragraph, mut offset) = (Vec::new(), 0);
    loop {
        let before = paragraph.len();
        let count = reader.read_until(b'\n', &mut paragraph)?;
        hasher.update(&paragraph[before..]);
        if paragraph.len() > MAX_PARAGRAPH {
            let reason = format!("the paragraph at offset {offset} has no end");
            return Err(refuse(place, reason));
        }
        if count > 1 {
            continue;
        }
        let text = &paragraph[..before];
        if !text.is_empty() {
            let kept = Text::Kept { file: file.clone(), offset, len: text.len() };
            let record = parse(text, component, kept)
                .map_err(|reason| refuse(&*place, format!("at offset {offset}: {reason}")))?;
            records.push(record);
        }
        if count == 0 {
            break;
        }
        offset = hasher.len();
        paragraph.clear();
    }
    let found = Blob { digest: hasher.digest(), size: hasher.len() };
    super::release::expect(&place, expected, found)?;
    Ok(records)
}

fn parse(text: &[u8], component: &str, kept: Text) -> Result<Record, String> {
    let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
    let paragraph = Paragraph::parse(text).map_err(|error| error.to_string())?;
    let field = |name: &str| paragraph.get(name).ok_or_else(|| format!("no field {name}"));
    let number = |name: &str| field(name)?.parse().map_err(|_| format!("{name} is no number"));
    let path = field("Filename")?;
    let is_inside = path.starts_with("pool/") && path.split('/').all(|part| !part.starts_with('.'));
    if !is_inside {
        return Err(format!("Filename `{path}` is not below pool/"));
    }
    let digest = Digest::from_hex(field("SHA256")?).map_err(|error| error.to_string())?;
    Ok(Record {
        component: component.into(),
        name: field("Package")?.into(),
        version: field("Version")?.parse().map_err(|error| format!("{error}"))?,
        architecture: field("Architecture")?.into(),
        path: path.into(),
        blob: Blob { digest, size: number("Size")? },
        text: kept,
    })
}

/// Writes an index of records that are in order.
pub(super) fn write<'a>(
    records: impl Iterator<Item = &'a Record>,
    out: &mut impl Write,
) -> std::io::Result<()> {
    for record in records {
        record.text.write(out)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(name: &str, version: &str, source: Option<&str>) -> Listing {
        let mut control = Paragraph::new();
        control.push("Package", name).unwrap();
        control.push("Version", version).unwrap();
        if let Some(source) = source {
            control.push("Source", source).unwrap();
        }
        control.push("Architecture", "amd64").unwrap();
        control.push("MD5sum", "00").unwrap();
        control.push("Description", "says hello\nat length").unwrap();
        let (version, architecture) = (version.parse().unwrap(), "amd64".into());
        Listing { name: name.into(), version, architecture, control, time: 1, files: vec![] }
    }

    #[test]
    fn packages_stand_under_their_source_and_its_letter() {
        let cases = [
            (listing("hello", "1:1.0-1", None), "pool/main/h/hello/hello_1.0-1_amd64.deb"),
            (listing("libx1", "1", None), "pool/main/libx/libx1/libx1_1_amd64.deb"),
            (listing("lib", "1", None), "pool/main/l/lib/lib_1_amd64.deb"),
            (listing("a", "1", Some("src (2)")), "pool/main/s/src/a_1_amd64.deb"),
            (listing("aa", "1", Some("../../x")), "pool/main/a/aa/aa_1_amd64.deb"),
        ];
        for (listing, path) in cases {
            assert_eq!(pool_path(&listing, "main"), path);
        }
    }

    #[test]
    fn an_index_is_read_back_and_written_from_there() {
        let folder = tempfile::tempdir().unwrap();
        let blob = Blob::of(b"package");
        let records: Vec<_> = ["1.0", "1.0-1", "2.0"]
            .map(|version| Record::new(&listing("hello", version, None), "main", blob).unwrap())
            .into();
        let mut text = Vec::new();
        write(records.iter(), &mut text).unwrap();
        let path = folder.path().join("Packages");
        fs_err::write(&path, &text).unwrap();
        let found = read(&path, "main", Blob::of(&text)).unwrap();
        let mut again = Vec::new();
        write(found.iter(), &mut again).unwrap();
        assert_eq!(String::from_utf8(again).unwrap(), String::from_utf8(text.clone()).unwrap());
        let known: Vec<_> = found.iter().map(|record| (record.path.clone(), record.blob)).collect();
        let expected: Vec<_> = records.iter().map(|r| (r.path.clone(), r.blob)).collect();
        assert_eq!(known, expected);
        assert!(!String::from_utf8(text).unwrap().contains("MD5sum"));
    }

    #[test]
    fn an_index_that_is_not_what_was_published_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Packages");
        let good = "Package: a\nVersion: 1\nArchitecture: all\nFilename: pool/a\nSize: 1\n";
        let digest = Digest::of(b"").hex();
        let cases = [
            (format!("{good}SHA256: {digest}\n"), ""),
            (good.to_owned(), "no field SHA256"),
            (format!("{good}SHA256: 12\n"), "not a digest"),
            (good.replace("pool/a", "pool/../../a") + "SHA256: 1\n", "not below pool/"),
            (good.replace("pool/a", "/etc/passwd") + "SHA256: 1\n", "not below pool/"),
            ("\n\nno colon\n".into(), "at offset 2"),
        ];
        for (text, reason) in cases {
            fs_err::write(&path, &text).unwrap();
            let found = read(&path, "main", Blob::of(text.as_bytes()));
            match found {
                Ok(_) => assert_eq!(reason, ""),
                Err(error) => {
                    let error = error.to_string();
                    assert!(!reason.is_empty() && error.contains(reason), "{error}");
                }
            }
            assert!(read(&path, "main", Blob::of(b"other")).is_err());
        }
    }
}
