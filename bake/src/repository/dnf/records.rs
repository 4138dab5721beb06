//! The packages of a repository, as its indices have them.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;
use std::sync::Arc;

use bake_formats::blob::Blob;
use bake_formats::digest::Digest;
use bake_formats::encode::{decoder, sniff};
use bake_formats::rpm::{Listing, compare_versions};

use super::package::describe;
use super::repomd::{Data, KINDS, Repomd};
use super::xml::{attribute, element};
use crate::error::Error;
use crate::repository::changes::Changed;
use crate::repository::index::IndexWriter;
use crate::repository::refuse_with;
use crate::repository::text::Text;

/// The longest text of one package that is read, in bytes.
const MAX_TEXT: u64 = 512 << 20;

/// One package of a repository.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) name: String,
    epoch: u32,
    version: String,
    release: String,
    pub(super) arch: String,
    /// Where the package is, below the repository's folder.
    pub(super) path: String,
    pub(super) blob: Blob,
    /// The text in `primary`, `filelists` and `other`.
    pub(super) texts: [Text; 3],
}

impl Record {
    /// Returns the record of a package that is new.
    pub(super) fn new(listing: &Listing, blob: Blob) -> Self {
        let Listing { name, epoch, version, release, arch, .. } = listing;
        let letter = name.chars().next().unwrap_or('_').to_ascii_lowercase();
        let path = format!("Packages/{letter}/{name}-{version}-{release}.{arch}.rpm");
        Self {
            name: name.clone(),
            epoch: *epoch,
            version: version.clone(),
            release: release.clone(),
            arch: arch.clone(),
            texts: describe(listing, &path, blob).map(Text::New),
            path,
            blob,
        }
    }

    /// Returns the version as dnf prints it: `[EPOCH:]VERSION-RELEASE`.
    pub(super) fn full_version(&self) -> String {
        let Self { epoch, version, release, .. } = self;
        match epoch {
            0 => format!("{version}-{release}"),
            epoch => format!("{epoch}:{version}-{release}"),
        }
    }

    /// Returns the order of records in an index; equal means that dnf takes them for the same.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        (self.name.cmp(&other.name))
            .then_with(|| self.epoch.cmp(&other.epoch))
            .then_with(|| compare_versions(&self.version, &other.version))
            .then_with(|| compare_versions(&self.release, &other.release))
            .then_with(|| self.arch.cmp(&other.arch))
    }

    pub(super) fn is_new(&self) -> bool {
        self.texts.iter().any(Text::is_new)
    }

    pub(super) fn changed(&self) -> Changed {
        Changed {
            name: self.name.clone(),
            version: self.full_version(),
            architecture: self.arch.clone(),
            path: self.path.clone(),
            digest: self.blob.digest,
        }
    }
}

impl std::fmt::Display for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}.{}", self.name, self.full_version(), self.arch)
    }
}

/// Reads all packages of a repository; plain copies of its indices go to a scratch folder, which
/// must stay until the records are written.
pub(super) fn read(root: &Path, repomd: &Repomd, scratch: &Path) -> Result<Vec<Record>, Error> {
    for kind in KINDS {
        let data = repomd.data.get(kind);
        let data = data.ok_or_else(|| refuse_with("repodata/repomd.xml", "no index", HINT))?;
        unpack(&root.join(&data.path), data, &scratch.join(kind))?;
    }
    let [primary, filelists, other] = KINDS;
    let digest = |text: &str| Digest::from_hex(&attribute(text, "package", "pkgid")?).ok();
    let by_digest = |kind: &str| -> Result<HashMap<Digest, Text>, Error> {
        Ok(read_texts(&scratch.join(kind), kind, digest)?.into_iter().collect())
    };
    let mut rest = [(filelists, by_digest(filelists)?), (other, by_digest(other)?)];
    let mut records = Vec::new();
    for (mut record, text) in read_texts(&scratch.join(primary), primary, parse)? {
        let [slot, slots @ ..] = &mut record.texts;
        *slot = text;
        for ((kind, texts), slot) in rest.iter_mut().zip(slots) {
            let missing = || {
                let reason = format!("{} of primary is not in it", record.blob.digest);
                refuse_with(*kind, reason, HINT)
            };
            *slot = texts.get(&record.blob.digest).cloned().ok_or_else(missing)?;
        }
        records.push(record);
    }
    Ok(records)
}

const HINT: &str = "make a new repository from the packages: `bake repo dnf NEW PACKAGE...`";

fn fail(place: &str, offset: u64, reason: &str) -> Error {
    refuse_with(place, format!("the package at offset {offset}: {reason}"), HINT)
}

/// Writes an index as it was before compression; both must be what `repomd.xml` says.
fn unpack(path: &Path, data: &Data, to: &Path) -> Result<(), Error> {
    let place = path.display().to_string();
    let (digest, size) = Digest::of_reader(fs_err::File::open(path)?)?;
    expect(&place, data.packed, Blob { digest, size })?;
    let mut file = BufReader::new(fs_err::File::open(path)?);
    let codec = sniff(file.fill_buf()?);
    let plain = data.plain.unwrap_or(data.packed);
    // One byte more than promised shows that there is more.
    let mut raw = decoder(codec, file)?.take(plain.size.saturating_add(1));
    let mut out = IndexWriter::create(to)?;
    std::io::copy(&mut raw, &mut out)
        .map_err(|error| refuse_with(&*place, format!("it cannot be unpacked: {error}"), HINT))?;
    expect(&format!("{place}, unpacked"), plain, out.finish()?)
}

/// Compares an index with what was published.
fn expect(place: &str, expected: Blob, found: Blob) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    let Blob { digest, size } = expected;
    let reason = format!(
        "it is not what was published: expected {size} bytes with the digest {digest}, found {} \
         bytes with the digest {}",
        found.size, found.digest
    );
    Err(refuse_with(place, reason, HINT))
}

/// Reads an index by the package: what is understood of the start of each text, and where the text
/// is.
fn read_texts<T>(
    path: &Path,
    place: &str,
    understand: impl Fn(&str) -> Option<T>,
) -> Result<Vec<(T, Text)>, Error> {
    let (file, _) = fs_err::File::open(path)?.into_parts();
    let file = Arc::new(file);
    let mut reader = BufReader::with_capacity(1 << 16, &*file);
    let mut texts = Vec::new();
    let (mut line, mut at) = (Vec::new(), 0_u64);
    let mut open: Option<(u64, String)> = None;
    loop {
        line.clear();
        let count = reader.by_ref().take(MAX_TEXT).read_until(b'\n', &mut line)?;
        let start = at;
        at += count as u64;
        let is_start = line.starts_with(b"<package ") && !line.ends_with(b"</package>\n");
        match &mut open {
            None if count == 0 => return Ok(texts),
            None if is_start => open = Some((start, String::from_utf8_lossy(&line).into_owned())),
            None if line.windows(9).any(|window| window == b"<package ") => {
                return Err(fail(place, start, "it does not stand on lines of its own"));
            }
            None => {}
            Some((offset, _)) if count == 0 || at - *offset > MAX_TEXT => {
                return Err(fail(place, *offset, "it has no end"));
            }
            Some((_, text)) if text.len() < HEAD => text.push_str(&String::from_utf8_lossy(&line)),
            Some(_) => {}
        }
        if line == b"</package>\n"
            && let Some((offset, text)) = open.take()
        {
            let len = usize::try_from(at - offset).unwrap_or(usize::MAX);
            let understood = understand(&text)
                .ok_or_else(|| fail(place, offset, "it has not all that identifies a package"))?;
            texts.push((understood, Text::Kept { file: file.clone(), offset, len }));
        }
    }
}

/// How much of a package's text is kept to identify it; its description comes after the digest but
/// before the place, and can be long.
const HEAD: usize = 1 << 20;

/// Returns a record without its texts.
fn parse(text: &str) -> Option<Record> {
    let version = |name| attribute(text, "version", name);
    let path = attribute(text, "location", "href")?;
    let is_inside = path.split('/').all(|part| !part.is_empty() && !part.starts_with('.'));
    let is_sha256 = attribute(text, "checksum", "type")? == "sha256";
    let digest = Digest::from_hex(&element(text, "checksum")?).ok()?;
    if !is_inside || !is_sha256 || attribute(text, "location", "xml:base").is_some() {
        return None;
    }
    let size = attribute(text, "size", "package")?.parse().ok()?;
    Some(Record {
        name: element(text, "name")?,
        epoch: version("epoch")?.parse().ok()?,
        version: version("ver")?,
        release: version("rel")?,
        arch: element(text, "arch")?,
        path,
        blob: Blob { digest, size },
        texts: [const { Text::New(String::new()) }; 3],
    })
}
