//! From a model and a tree to a package.

use super::files::FileTable;
use super::header::{Header, Region};
use super::model::{Package, Scripts};
use super::relations;
use super::sections::ALIGNMENT;
use super::value::{Strings, Value};
use super::{architecture, files, lead, payload, signature, tags};
use crate::encode::{Codec, Encoded};
use crate::format::{Artifact, Epoch, Format, WriteCx, WriteError};
use crate::rope::Rope;
use crate::tree::{FileTree, TreeId};

/// `BUILDHOST` must be there, and must not say where the package was built.
const BUILD_HOST: &str = "reproducible";

/// `RPMVERSION`: what wrote the package; not the version, which would change the bytes.
const WRITER: &str = "bake";

/// What stands before the tree's identity in `COOKIE`.
const COOKIE: &str = "bake tree ";

/// The locale of untranslated text.
const LOCALE: &[u8] = b"C";

/// Describes a package.
pub(super) fn write(
    package: &Package,
    tree: &FileTree,
    cx: &WriteCx<'_>,
) -> Result<Artifact, WriteError> {
    package.validate()?;
    assemble(package, &FileTable::from_tree(tree)?, cx)
}

/// Describes a package of a valid model and a file table.
pub(super) fn assemble(
    package: &Package,
    table: &FileTable,
    cx: &WriteCx<'_>,
) -> Result<Artifact, WriteError> {
    let archive = payload::write(table, cx.epoch.0)?;
    let encoded = cx.encoder.encode(&archive, package.compression)?;
    let header = header(package, table, &encoded, cx.epoch).to_bytes()?;
    let (payload, raw) = (encoded.blob.size, encoded.raw.size);
    let signed = signature::Signed { header: &header, payload, raw };
    let signature = signature::build(&signed).to_bytes()?;

    let mut rope = Rope::new();
    rope.push_bytes(&lead(package));
    rope.push_bytes(&signature);
    rope.align(ALIGNMENT as u64);
    rope.push_bytes(&header);
    rope.push_rope(&encoded.rope);
    Ok(Artifact::file(super::Rpm::NAME, rope))
}

/// Returns the lead of a package.
pub(super) fn lead(package: &Package) -> [u8; lead::SIZE] {
    let number = architecture::find(&package.arch).map_or(0, |known| known.lead);
    lead::write(&package.name, &package.version, &package.release, number)
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
    relations::put(&mut header, package, table.usage());
    put_scripts(&mut header, &package.scripts);
    put_changelog(&mut header, package);
    table.put(&mut header, epoch.0);
    put_payload(&mut header, package, encoded);
    // The tag promises that all text is UTF-8, which names of files need not be.
    if header.iter().all(|(_, value)| value.is_utf8()) {
        header.put_string(tags::ENCODING, "utf-8");
    }
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
    ];
    for (tag, text) in optional {
        if let Some(text) = text {
            header.put_string(tag, text);
        }
    }
    if let Some(group) = &package.group {
        header.put_i18n(tags::GROUP, group);
    }
    header.put_string(tags::OS, "linux");
    header.put_string(tags::ARCH, &package.arch);
    // Without this tag rpm takes the package for a source package.
    header.put_string(tags::SOURCERPM, &format!("{name}-{version}-{release}.src.rpm"));
}

fn put_scripts(header: &mut Header, scripts: &Scripts) {
    let all = [
        (&scripts.pre, tags::PREIN, tags::PREINPROG),
        (&scripts.post, tags::POSTIN, tags::POSTINPROG),
        (&scripts.preun, tags::PREUN, tags::PREUNPROG),
        (&scripts.postun, tags::POSTUN, tags::POSTUNPROG),
        (&scripts.pretrans, tags::PRETRANS, tags::PRETRANSPROG),
        (&scripts.posttrans, tags::POSTTRANS, tags::POSTTRANSPROG),
    ];
    for (script, body, program) in all {
        let Some(script) = script else { continue };
        header.put_string(body, &script.body);
        if script.arguments.is_empty() {
            header.put_string(program, &script.interpreter);
            continue;
        }
        let words = std::iter::once(&script.interpreter).chain(&script.arguments);
        header.put(program, Value::StringArray(words.map(String::as_bytes).collect()));
    }
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
    // rpm knows a payload that is not compressed by the absence of both tags.
    if compression.codec != Codec::None {
        header.put_string(tags::PAYLOADCOMPRESSOR, compression.codec.word());
        header.put_string(tags::PAYLOADFLAGS, &compression.level.to_string());
    }
    let digest = |hex: String| Value::StringArray(std::iter::once(hex.as_bytes()).collect());
    header.put(tags::PAYLOADDIGEST, digest(encoded.blob.digest.hex()));
    header.put_int32(tags::PAYLOADDIGESTALGO, files::SHA256);
    header.put(tags::PAYLOADDIGESTALT, digest(encoded.raw.digest.hex()));
}
