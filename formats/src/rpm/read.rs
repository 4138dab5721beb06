//! From a package back to a model and a tree.

use std::ops::ControlFlow;

use super::columns::numbered;
use super::files::{FileTable, special_node};
use super::header::Header;
use super::model::{Change, Package, RpmFormat};
use super::payload::{Scan, members, scan};
use super::relations::{Found, Relations};
use super::scripts::Scripts;
use super::sections::Sections;
use super::signature::{self, Signed};
use super::triggers::Triggers;
use super::{tags, write};
use crate::encode::{Codec, Compression, decoder, sniff};
use crate::format::{Problem, ReadError, Unpacked, Visitor};
use crate::input::Source;
use crate::tree::{Content, Entry, FileTree, Mode, Node, TreeBuilder, capabilities};
use crate::wanted::Wanted;

/// A package that was read whole.
pub(super) struct Parsed {
    pub(super) sections: Sections,
    pub(super) package: Package,
    pub(super) found: Found,
    pub(super) table: FileTable,
    pub(super) scan: Scan,
    /// Whether this program wrote the package; what only it promises is asked of no other.
    pub(super) own: bool,
}

/// Reads a package; one whose bytes are not those that its digests promise is an error.
pub(super) fn read(source: &Source) -> Result<Unpacked<Package>, ReadError> {
    let parsed = Parsed::undamaged(source)?;
    let tree = parsed.tree()?;
    let declared = parsed.package.tree_id;
    Ok(Unpacked { model: parsed.package, tree, declared })
}

/// Hands over the files of the tree: the payload passes once more.
pub(super) fn visit(
    source: &Source,
    visitor: &mut Visitor<'_>,
) -> Result<ControlFlow<()>, ReadError> {
    let parsed = Parsed::undamaged(source)?;
    let tree = parsed.tree()?;
    let mut wanted = Wanted::of(&tree);
    if wanted.visit_empty(visitor)?.is_break() {
        return Ok(ControlFlow::Break(()));
    }
    let Parsed { sections, package, table, scan, .. } = &parsed;
    let payload = decoder(package.compression.codec, sections.payload())?;
    let all = members(payload, table, &mut |row, bytes| match scan
        .members
        .get(row)
        .and_then(|member| member.content)
    {
        Some(content) => wanted.visit(&content, bytes, visitor),
        None => Ok(ControlFlow::Continue(())),
    })?;
    if all.is_break() { Ok(all) } else { wanted.finish() }
}

impl Parsed {
    /// Reads a package whose bytes are those that its digests promise.
    fn undamaged(source: &Source) -> Result<Self, ReadError> {
        let parsed = Self::read(source)?;
        if let Some(problem) = parsed.damage().into_iter().next() {
            let Problem { place, expected, found, .. } = problem;
            return Err(ReadError::invalid(place, format!("expected {expected}, found {found}")));
        }
        Ok(parsed)
    }

    /// Reads everything, the payload once; what merely differs is left to be reported.
    pub(super) fn read(source: &Source) -> Result<Self, ReadError> {
        let sections = Sections::read(source)?;
        let header = &sections.header;
        let format = header.required_string(tags::PAYLOADFORMAT)?;
        if format != "cpio" {
            let reason = format!("expected cpio, found `{format}`");
            return Err(header.invalid(tags::PAYLOADFORMAT, reason));
        }
        let mut table = FileTable::read(header)?;
        let found = Found::read(header)?;
        table.accounts = found.accounts();
        let mut package = identity(header)?;
        package.scripts = Scripts::read(header)?;
        package.triggers = Triggers::read(header)?;
        package.changelog = changelog(header)?;
        package.compression = compression(&sections)?;
        package.tree_id =
            header.string(tags::COOKIE)?.and_then(|cookie| write::tree_of_cookie(&cookie));
        package.relations = found.written(&package, &table.usage());
        let scan = scan(&sections, &table, package.compression.codec)?;
        let own = header.string(tags::RPMVERSION)?.as_deref() == Some(write::WRITER);
        Ok(Self { sections, package, found, table, scan, own })
    }

    /// Compares the signature header with what follows it.
    pub(super) fn signature_problems(&self) -> Vec<Problem> {
        let digests = &self.scan.digests;
        let header = &self.sections.header_bytes;
        let (payload, raw) = (digests.compressed.size, digests.raw.size);
        let signed = Signed { header, payload, raw, format: self.package.format };
        signature::verify(&self.sections.signature, &signed, digests, self.own)
    }

    /// Compares the payload's digests with those in the header.
    pub(super) fn payload_problems(&self) -> Vec<Problem> {
        let header = &self.sections.header;
        let digests = &self.scan.digests;
        let mut expected = vec![
            (tags::PAYLOADDIGEST, digests.compressed.digest.hex()),
            (tags::PAYLOADDIGESTALT, digests.raw.digest.hex()),
        ];
        if let Some([compressed, raw]) = digests.strong.clone() {
            expected.extend([
                (tags::PAYLOADSHA512, compressed.sha512),
                (tags::PAYLOADSHA512ALT, raw.sha512),
                (tags::PAYLOADSHA3_256, compressed.sha3_256),
                (tags::PAYLOADSHA3_256ALT, raw.sha3_256),
            ]);
        }
        let promised = |tag| header.strings(tag).ok()?.iter().next().map(<[u8]>::to_vec);
        let differing = expected.into_iter().filter_map(|(tag, actual)| {
            let promised = promised(tag)?;
            (promised != actual.as_bytes()).then(|| {
                let promised = crate::tree::escape(&promised);
                Problem::new("rpm-payload-digest", tags::describe(tag), promised, actual)
            })
        });
        differing.collect()
    }

    /// Returns what shows that the bytes are not those that were written.
    fn damage(&self) -> Vec<Problem> {
        let signature = self.signature_problems().into_iter();
        let mut damage: Vec<Problem> =
            signature.filter(|problem| problem.rule == signature::MISMATCH).collect();
        damage.extend(self.payload_problems());
        damage.extend(self.scan.problems.iter().cloned());
        damage
    }

    /// Returns the tree of the file table and the payload.
    pub(super) fn tree(&self) -> Result<FileTree, ReadError> {
        let links = self.table.links();
        let mut builder = TreeBuilder::new();
        for (row, file) in self.table.rows.iter().enumerate() {
            let links = links[row];
            let node = if !file.is_regular() {
                special_node(file).ok_or_else(|| {
                    let reason = format!("the mode {:o} is of no type that is known", file.mode);
                    ReadError::invalid(format!("`{}`", file.path), reason)
                })?
            } else if file.is_ghost() {
                Node::File(Content::of(b""))
            } else if links.first == row {
                let content = self.scan.members[links.last].content;
                let missing = || ReadError::invalid(format!("`{}`", file.path), "no content");
                Node::File(content.ok_or_else(missing)?)
            } else {
                Node::HardLink(self.table.rows[links.first].path.clone())
            };
            let mode = match node {
                Node::Symlink(_) => 0o777,
                _ => u32::from(file.mode),
            };
            let mut entry = Entry::new(node, Mode::from_st_mode(mode));
            let (uid, gid) = self.scan.members[row].ids.unwrap_or_default();
            entry.owner = numbered(&file.owner, uid);
            entry.group = numbered(&file.group, gid);
            entry.mark = file.mark();
            entry.language.clone_from(&file.language);
            if !file.capabilities.is_empty() {
                let value = capabilities::from_text(&file.capabilities).map_err(|reason| {
                    ReadError::invalid(format!("the capabilities of `{}`", file.path), reason)
                })?;
                entry.xattrs.insert(capabilities::XATTR.into(), value);
            }
            builder.insert(file.path.clone(), entry)?;
        }
        Ok(builder.finish()?)
    }
}

fn identity(header: &Header) -> Result<Package, ReadError> {
    Ok(Package {
        name: header.required_string(tags::NAME)?,
        epoch: header.int32s(tags::EPOCH)?.first().copied(),
        version: header.required_string(tags::VERSION)?,
        release: header.required_string(tags::RELEASE)?,
        arch: header.required_string(tags::ARCH)?,
        summary: header.string(tags::SUMMARY)?.unwrap_or_default(),
        description: header.string(tags::DESCRIPTION)?.unwrap_or_default(),
        license: header.string(tags::LICENSE)?.unwrap_or_default(),
        url: header.string(tags::URL)?,
        vendor: header.string(tags::VENDOR)?,
        packager: header.string(tags::PACKAGER)?,
        group: header.string(tags::GROUP)?.filter(|group| group != write::NO_GROUP),
        bug_url: header.string(tags::BUGURL)?,
        vcs: header.string(tags::VCS)?,
        distribution: header.string(tags::DISTRIBUTION)?,
        prefixes: header.texts(tags::PREFIXES)?,
        format: match header.int32s(tags::RPMFORMAT)?.first() {
            None | Some(4) => RpmFormat::V4,
            Some(6) => RpmFormat::V6,
            Some(other) => {
                let reason = format!("expected 4 or 6, found {other}");
                return Err(header.invalid(tags::RPMFORMAT, reason));
            }
        },
        relations: Relations::default(),
        scripts: Scripts::default(),
        triggers: Triggers::default(),
        changelog: Vec::new(),
        compression: Compression::NONE,
        tree_id: None,
    })
}

fn changelog(header: &Header) -> Result<Vec<Change>, ReadError> {
    let times = header.int32s(tags::CHANGELOGTIME)?;
    let authors = header.texts(tags::CHANGELOGNAME)?;
    let texts = header.texts(tags::CHANGELOGTEXT)?;
    for (tag, count) in [(tags::CHANGELOGNAME, authors.len()), (tags::CHANGELOGTEXT, texts.len())] {
        if count != times.len() {
            let reason = format!("expected {} values, found {count}", times.len());
            return Err(header.invalid(tag, reason));
        }
    }
    let changes = times.iter().zip(authors).zip(texts);
    Ok(changes.map(|((time, author), text)| Change { time: *time, author, text }).collect())
}

/// Returns how the payload is compressed; without a level, the codec's default.
fn compression(sections: &Sections) -> Result<Compression, ReadError> {
    let header = &sections.header;
    let codec = match header.string(tags::PAYLOADCOMPRESSOR)?.as_deref() {
        Some("gzip") => Codec::Gzip,
        Some("zstd") => Codec::Zstd,
        Some("xz") => Codec::Xz,
        Some(other) => {
            let reason = format!("expected gzip, zstd or xz, found `{other}`");
            return Err(header.invalid(tags::PAYLOADCOMPRESSOR, reason));
        }
        // rpm reads such a payload as gzip, which lets through what is not compressed.
        None => match sniff(&sections.payload_start()?) {
            Codec::Gzip => Codec::Gzip,
            Codec::None | Codec::Zstd | Codec::Xz => Codec::None,
        },
    };
    let (default, highest) = codec.levels();
    let flags = header.string(tags::PAYLOADFLAGS)?.unwrap_or_default();
    let digits: String = flags.chars().take_while(char::is_ascii_digit).collect();
    let level = digits.parse().ok().filter(|level| (default.min(1)..=highest).contains(level));
    Ok(Compression { codec, level: level.unwrap_or(default) })
}
