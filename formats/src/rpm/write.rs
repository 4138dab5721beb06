//! From a model and a tree to a package.

use super::checksum::Checksum;
use super::files::FileTable;
use super::header::{Header, Region};
use super::model::{Package, RpmFormat};
use super::sections::ALIGNMENT;
use super::strong::Strong;
use super::value::{Strings, Value};
use super::{architecture, contents, lead, payload, relations, signature, tags};
use crate::encode::{Codec, Encoded};
use crate::format::{Artifact, Epoch, Format, WriteCx, WriteError};
use crate::rope::Rope;
use crate::tree::{FileTree, TreeId};

/// `BUILDHOST` must be there, and must not say where the package was built.
const BUILD_HOST: &str = "reproducible";

/// `RPMVERSION`: what wrote the package; not the version, which would change the bytes.
pub(super) const WRITER: &str = "bake";

/// What stands before the tree's identity in `COOKIE`.
const COOKIE: &str = "bake tree ";

/// `GROUP` of a package without one, as rpmbuild has it.
pub(super) const NO_GROUP: &str = "Unspecified";

/// The locale of untranslated text.
const LOCALE: &[u8] = b"C";

/// Describes a package.
pub(super) fn write(
    package: &Package,
    tree: &FileTree,
    cx: &WriteCx<'_>,
) -> Result<Artifact, WriteError> {
    package.validate()?;
    let mut table = FileTable::from_tree(tree, package)?;
    contents::look_into(&mut table, cx.blobs)?;
    assemble(package, table, cx)
}

/// Describes a package of a valid model and a file table.
pub(super) fn assemble(
    package: &Package,
    table: FileTable,
    cx: &WriteCx<'_>,
) -> Result<Artifact, WriteError> {
    let archive = payload::write(&table, cx.epoch.0)?;
    let encoded = cx.encoder.encode(&archive, package.compression)?;
    let header = header(package, &table, &encoded, cx.epoch);
    // Of many files each of these is large, and the header's bytes come next.
    drop(table);
    let header = with_version(header, package, &encoded, archive, cx)?;
    let (payload, raw, format) = (encoded.blob.size, encoded.raw.size, package.format);
    let signed = signature::Signed { header: &header, payload, raw, format };
    let signature = signature::build(&signed).to_bytes()?;

    let mut rope = Rope::new();
    let own = lead::SIZE + signature.len() + ALIGNMENT + header.len();
    rope.reserve(own + encoded.rope.inline_len());
    rope.push_bytes(&lead(package));
    rope.push_bytes(&signature);
    rope.align(ALIGNMENT as u64);
    rope.push_bytes(&header);
    drop(header);
    rope.push_rope(&encoded.rope);
    Ok(Artifact::file(super::Rpm::NAME, rope))
}

/// Returns the bytes of a header with what the version of the format asks for.
fn with_version(
    mut header: Header,
    package: &Package,
    encoded: &Encoded,
    archive: Rope,
    cx: &WriteCx<'_>,
) -> Result<Vec<u8>, WriteError> {
    if package.format == RpmFormat::V6 {
        put_version_6(&mut header, package, encoded, &archive, cx)?;
    }
    drop(archive);
    // The tag promises that all text is UTF-8, which names of files need not be.
    if header.iter().all(|(_, value)| value.is_utf8()) {
        header.put_string(tags::ENCODING, "utf-8");
    } else if package.format == RpmFormat::V6 {
        let reason = "rpm's version 6 allows UTF-8 only, and the name of a file is something else";
        return Err(WriteError::Field {
            format: "rpm",
            field: "format".into(),
            reason: reason.into(),
        });
    }
    header.into_bytes()
}

/// Returns the lead of a package.
pub(super) fn lead(package: &Package) -> [u8; lead::SIZE] {
    match package.format {
        RpmFormat::V4 => {
            let number = architecture::find(&package.arch).map_or(0, |known| known.lead);
            lead::write(&package.nevr(), 3, number, 1)
        }
        RpmFormat::V6 => lead::write(&package.nevr(), 4, 0, 0),
    }
}

/// Returns the text of `COOKIE` for a tree.
pub(super) fn cookie(tree: TreeId) -> String {
    format!("{COOKIE}{tree}")
}

/// Returns the tree's identity that `COOKIE` says.
pub(super) fn tree_of_cookie(cookie: &str) -> Option<TreeId> {
    cookie.strip_prefix(COOKIE)?.parse().ok()
}

fn header(package: &Package, table: &FileTable, encoded: &Encoded, epoch: Epoch) -> Header {
    let mut header = Header::new(Region::Immutable);
    let locales: Strings = std::iter::once(LOCALE).collect();
    header.put(tags::HEADERI18NTABLE, Value::StringArray(locales));
    put_identity(&mut header, package);
    header.put_int32(tags::BUILDTIME, epoch.0);
    header.put_string(tags::BUILDHOST, BUILD_HOST);
    header.put_string(tags::RPMVERSION, WRITER);
    if let Some(tree) = package.tree_id {
        header.put_string(tags::COOKIE, &cookie(tree));
    }
    relations::put(&mut header, package, &table.usage());
    package.scripts.put(&mut header);
    package.triggers.put(&mut header);
    put_changelog(&mut header, package);
    table.put(&mut header, epoch.0);
    put_payload(&mut header, package, encoded);
    header
}

fn put_identity(header: &mut Header, package: &Package) {
    let Package { name, version, release, .. } = package;
    header.put_string(tags::NAME, name);
    header.put_string(tags::VERSION, version);
    header.put_string(tags::RELEASE, release);
    if let Some(epoch) = package.epoch {
        header.put_int32(tags::EPOCH, epoch);
    }
    header.put_i18n(tags::SUMMARY, &package.summary);
    header.put_i18n(tags::DESCRIPTION, &package.description);
    header.put_string(tags::LICENSE, &package.license);
    let optional = [
        (tags::URL, &package.url),
        (tags::VENDOR, &package.vendor),
        (tags::PACKAGER, &package.packager),
        (tags::BUGURL, &package.bug_url),
        (tags::VCS, &package.vcs),
        (tags::DISTRIBUTION, &package.distribution),
    ];
    for (tag, text) in optional {
        if let Some(text) = text {
            header.put_string(tag, text);
        }
    }
    header.put_i18n(tags::GROUP, package.group.as_deref().unwrap_or(NO_GROUP));
    let prefixes = package.prefixes.iter().map(String::as_bytes).collect();
    header.put(tags::PREFIXES, Value::StringArray(prefixes));
    header.put_string(tags::OS, "linux");
    header.put_string(tags::ARCH, &package.arch);
    // Without this tag rpm takes the package for a source package.
    header.put_string(tags::SOURCERPM, &format!("{name}-{version}-{release}.src.rpm"));
}

fn put_changelog(header: &mut Header, package: &Package) {
    let changes = || package.changelog.iter();
    header.put(tags::CHANGELOGTIME, Value::Int32(changes().map(|change| change.time).collect()));
    let authors = changes().map(|change| change.author.as_bytes()).collect();
    header.put(tags::CHANGELOGNAME, Value::StringArray(authors));
    let texts = changes().map(|change| change.text.as_bytes()).collect();
    header.put(tags::CHANGELOGTEXT, Value::StringArray(texts));
}

fn put_payload(header: &mut Header, package: &Package, encoded: &Encoded) {
    header.put_string(tags::PAYLOADFORMAT, "cpio");
    let compression = package.compression;
    // rpm knows a payload that is not compressed by the absence of the first tag.
    if compression.codec == Codec::None {
        header.put_string(tags::PAYLOADFLAGS, "");
    } else {
        header.put_string(tags::PAYLOADCOMPRESSOR, compression.codec.word());
        header.put_string(tags::PAYLOADFLAGS, &compression.level.to_string());
    }
    let digest = |hex: String| Value::StringArray(std::iter::once(hex.as_bytes()).collect());
    header.put(tags::PAYLOADDIGEST, digest(encoded.blob.digest.hex()));
    if package.format == RpmFormat::V4 {
        header.put_int32(tags::PAYLOADDIGESTALGO, Checksum::Sha256.number());
    }
    header.put(tags::PAYLOADDIGESTALT, digest(encoded.raw.digest.hex()));
}

/// Puts what only version 6 has; reads the payload twice for its digests.
fn put_version_6(
    header: &mut Header,
    package: &Package,
    encoded: &Encoded,
    archive: &Rope,
    cx: &WriteCx<'_>,
) -> Result<(), WriteError> {
    header.put_int32(tags::RPMFORMAT, 6);
    header.put_string(tags::SOURCENEVR, &package.nevr());
    header.put(tags::PAYLOADSIZE, Value::Int64(vec![encoded.blob.size]));
    header.put(tags::PAYLOADSIZEALT, Value::Int64(vec![encoded.raw.size]));
    let compressed = Strong::of_rope(&encoded.rope, cx.blobs)?;
    let raw = Strong::of_rope(archive, cx.blobs)?;
    header.put_string(tags::PAYLOADSHA512, &compressed.sha512);
    header.put_string(tags::PAYLOADSHA512ALT, &raw.sha512);
    header.put_string(tags::PAYLOADSHA3_256, &compressed.sha3_256);
    header.put_string(tags::PAYLOADSHA3_256ALT, &raw.sha3_256);
    Ok(())
}
