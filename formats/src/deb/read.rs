//! Reading a package: first its parts, then the model from them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::control::Paragraph;
use super::documents::Listed;
use super::fields::{CAPABILITIES, DOCUMENTS, FieldError, from_paragraph};
use super::listing::{Conffiles, parse_conffiles};
use super::model::{ControlFile, Package};
use super::{CODECS, FORMAT_VERSION, capabilities, documents};
use crate::archive::ar::{ArMember, ArReader};
use crate::archive::tar::{Kind, Member, TarReader};
use crate::encode::{Codec, Compression, decoder};
use crate::format::{Problem, ReadError, Unpacked, Visitor};
use crate::input::Source;
use crate::tree::{Content, Entry, FileTree, Mark, Mode, TreeBuilder, TreePath, escape};
use crate::wanted::Wanted;

/// The largest control file that is read, in bytes: `md5sums` of half a million files.
const MAX_CONTROL_FILE: u64 = 64 * 1024 * 1024;
/// The most control files that are read.
const MAX_CONTROL_FILES: usize = 256;
pub(super) const CONTROL: &str = "control.tar";
pub(super) const DATA: &str = "data.tar";

/// A package taken apart, nothing understood yet.
#[derive(Debug)]
pub(super) struct Parts {
    /// The control files by name.
    pub(super) control: BTreeMap<String, ControlMember>,
    /// All files, unmarked, documents among them and capabilities not.
    pub(super) files: FileTree,
    /// What is not of the tree.
    pub(super) listed: Listed,
    /// The bytes of documents.
    pub(super) documents: BTreeMap<TreePath, Vec<u8>>,
    /// How data.tar is compressed.
    pub(super) codec: Codec,
}

/// One control file.
#[derive(Debug)]
pub(super) struct ControlMember {
    pub(super) mode: Mode,
    pub(super) text: Vec<u8>,
}

impl Parts {
    /// Returns a control file's bytes, none if it is not there.
    pub(super) fn control_file(&self, name: &str) -> &[u8] {
        self.control.get(name).map_or(&[], |file| &file.text)
    }

    /// Returns the control file `control`, parsed.
    pub(super) fn paragraph(&self) -> Result<Paragraph, FieldError> {
        if !self.control.contains_key("control") {
            return Err(FieldError::new("control", "the file is missing"));
        }
        let text = std::str::from_utf8(self.control_file("control"))
            .map_err(|error| FieldError::new("control", error))?;
        Paragraph::parse(text).map_err(|error| FieldError::new("control", error))
    }

    /// Returns what the package says is not of the tree; nothing if its fields cannot be read.
    fn listed(&self) -> Result<Listed, FieldError> {
        let Ok(paragraph) = self.paragraph() else { return Ok(Listed::default()) };
        let package = paragraph.get("Package").unwrap_or_default();
        documents::parse(package, paragraph.get(DOCUMENTS).unwrap_or_default())
    }
}

impl Parts {
    /// Returns the tree: the files without documents, with capabilities.
    pub(super) fn tree(&self) -> Result<FileTree, ReadError> {
        let tree = self.files.filter(|path, _| !self.listed.contains(path))?;
        let paragraph = self.paragraph()?;
        let capabilities = capabilities::parse(paragraph.get(CAPABILITIES).unwrap_or_default())?;
        Ok(capabilities::give(tree, &capabilities)?)
    }
}

impl From<FieldError> for ReadError {
    fn from(FieldError { field, reason }: FieldError) -> Self {
        Self::invalid(format!("deb: {field}"), reason)
    }
}

/// Reads a package back into what it was written from.
///
/// Control files that the model has no place for, and broken rules that leave no doubt about what
/// is meant, are for `verify` to report.
pub(super) fn read(source: &Source) -> Result<Unpacked<Package>, ReadError> {
    read_parts(&unpack(source, &mut Vec::new())?)
}

fn read_parts(parts: &Parts) -> Result<Unpacked<Package>, ReadError> {
    let mut model = from_paragraph(&parts.paragraph()?)?;
    for file in ControlFile::ALL {
        if let Some(member) = parts.control.get(file.name()) {
            let text = String::from_utf8(member.text.clone())
                .map_err(|error| FieldError::new(file.name(), error.utf8_error()))?;
            model.control_files.insert(file, text);
        }
    }
    let conffiles = parse_conffiles(parts.control_file("conffiles"))?;
    let (level, _) = parts.codec.levels();
    model.compression = Compression { codec: parts.codec, level };
    model.removed_conffiles.clone_from(&conffiles.removed);
    model.documents = documents::texts(&parts.documents)?;
    let tree = mark(&parts.tree()?, &conffiles)?;
    let declared = model.tree_id;
    Ok(Unpacked { model, tree, declared })
}

/// Hands over the files of the tree: the archive passes once more.
pub(super) fn visit(
    source: &Source,
    visitor: &mut Visitor<'_>,
) -> Result<ControlFlow<()>, ReadError> {
    let parts = unpack(source, &mut Vec::new())?;
    let tree = read_parts(&parts)?.tree;
    let mut wanted = Wanted::of(&tree);
    if wanted.visit_empty(visitor)?.is_break() {
        return Ok(ControlFlow::Break(()));
    }
    let mut archive = ArReader::new(source.file()?.clone())?;
    let member = loop {
        match archive.next_member()? {
            Some(member) if member.name.starts_with(DATA) => break member,
            Some(_) => {}
            None => return wanted.finish(),
        }
    };
    let mut data = TarReader::new(decoder(codec(&member, DATA)?, archive.open(&member))?, DATA);
    while let Some(member) = data.next_member()? {
        let content = parts.files.content(&member.path).filter(|_| member.kind == Kind::File);
        let Some(content) = content else { continue };
        if wanted.visit(content, &mut data.contents(), visitor)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    wanted.finish()
}

/// Returns the tree with its conffiles marked.
fn mark(tree: &FileTree, conffiles: &Conffiles) -> Result<FileTree, ReadError> {
    let mut builder = TreeBuilder::new();
    for (path, entry) in tree.iter() {
        let mark = if conffiles.kept.contains(path) { Mark::Config } else { entry.mark };
        builder.insert(path.clone(), Entry { mark, ..entry.clone() })?;
    }
    Ok(builder.finish()?)
}

/// Takes a package apart; rules that are broken without making that impossible are `problems`.
pub(super) fn unpack(source: &Source, problems: &mut Vec<Problem>) -> Result<Parts, ReadError> {
    let mut archive = ArReader::new(source.file()?.clone())?;
    let version = expect_member(&mut archive, "debian-binary", problems)?;
    check_format_version(&archive, &version)?;
    let member = expect_member(&mut archive, CONTROL, problems)?;
    let input = decoder(codec(&member, CONTROL)?, archive.open(&member))?;
    let control = read_control(TarReader::new(input, CONTROL), problems)?;
    let member = expect_member(&mut archive, DATA, problems)?;
    let codec = codec(&member, DATA)?;
    let input = decoder(codec, archive.open(&member))?;
    let mut parts = Parts {
        control,
        files: FileTree::default(),
        listed: Listed::default(),
        documents: BTreeMap::new(),
        codec,
    };
    match parts.listed() {
        Ok(listed) => parts.listed = listed,
        Err(FieldError { field, reason }) => {
            problems.push(Problem::new("deb-document", field, "paths of documents", reason));
        }
    }
    read_data(TarReader::new(input, DATA), &mut parts, problems)?;
    while let Some(member) = archive.next_member()? {
        check_extra(&member, problems);
    }
    Ok(parts)
}

/// Moves to the member of a name, over those that every reader is to ignore.
pub(super) fn expect_member(
    archive: &mut ArReader,
    name: &str,
    problems: &mut Vec<Problem>,
) -> Result<ArMember, ReadError> {
    let mut end = 0;
    while let Some(member) = archive.next_member()? {
        if member.name.starts_with(name) {
            if !member.is_roots_plain_file() {
                let found = format!("{}:{} {:o}", member.uid, member.gid, member.mode);
                problems.push(Problem::new("deb-ar-header", &member.name, "0:0 100644", found));
            }
            return Ok(member);
        }
        if !member.name.starts_with('_') {
            return Err(ReadError::malformed("ar member", member.header, name, member.name));
        }
        end = member.offset + member.size;
    }
    Err(ReadError::malformed("ar member", end, name, "the end of the archive"))
}

fn check_extra(member: &ArMember, problems: &mut Vec<Problem>) {
    if !member.name.starts_with('_') {
        let expected = "nothing after data.tar but names that start with `_`";
        problems.push(Problem::new("deb-member-unknown", "ar archive", expected, &member.name));
    }
}

pub(super) fn check_format_version(archive: &ArReader, member: &ArMember) -> Result<(), ReadError> {
    let mut text = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(archive.open(member), 16), &mut text)?;
    if text == FORMAT_VERSION && member.name == "debian-binary" {
        return Ok(());
    }
    let found = format!("`{}`", escape(&text));
    Err(ReadError::malformed("debian-binary", member.offset, "`2.0\\012`", found))
}

pub(super) fn codec(member: &ArMember, name: &str) -> Result<Codec, ReadError> {
    let extension = member.name.strip_prefix(name).unwrap_or_default();
    let found = CODECS.iter().find(|(_, known)| *known == extension);
    found.map(|(codec, _)| *codec).ok_or_else(|| {
        let expected = format!("{name} with nothing, .gz, .xz or .zst after it");
        ReadError::malformed("ar member name", member.header, expected, &member.name)
    })
}

pub(super) fn read_control(
    mut archive: TarReader<impl std::io::Read>,
    problems: &mut Vec<Problem>,
) -> Result<BTreeMap<String, ControlMember>, ReadError> {
    let mut files = BTreeMap::new();
    while let Some(member) = archive.next_member()? {
        check_dialect(CONTROL, &member, problems);
        if member.path.is_root() && member.kind == Kind::Directory {
            continue;
        }
        let place = || format!("{CONTROL}: member {}", member.path);
        if member.kind != Kind::File || member.path.depth() != 1 {
            return Err(ReadError::invalid(place(), "expected a regular file without a folder"));
        }
        if files.len() >= MAX_CONTROL_FILES {
            let reason = format!("more than {MAX_CONTROL_FILES} control files");
            return Err(ReadError::invalid(place(), reason));
        }
        let text = archive.contents_to_vec(MAX_CONTROL_FILE)?;
        let name = escape(member.path.name());
        if files.insert(name, ControlMember { mode: member.mode, text }).is_some() {
            return Err(ReadError::invalid(place(), "it is there twice"));
        }
    }
    Ok(files)
}

fn read_data(
    mut archive: TarReader<impl std::io::Read>,
    parts: &mut Parts,
    problems: &mut Vec<Problem>,
) -> Result<(), ReadError> {
    let mut builder = TreeBuilder::new();
    let mut is_first = true;
    while let Some(member) = archive.next_member()? {
        check_dialect(DATA, &member, problems);
        check_name(&member, is_first, problems);
        check_order(&member, &builder, problems);
        is_first = false;
        let content = match member.kind {
            Kind::File if parts.listed.files.contains(&member.path) => {
                let bytes = archive.contents_to_vec(documents::LIMIT)?;
                let content = Content::of(&bytes);
                parts.documents.insert(member.path.clone(), bytes);
                content
            }
            Kind::File => Content::of_reader(archive.contents())?,
            _ => Content::of(b""),
        };
        builder.insert(member.path.clone(), member.into_entry(content))?;
    }
    parts.files = builder.finish()?;
    Ok(())
}

fn check_dialect(archive: &str, member: &Member, problems: &mut Vec<Problem>) {
    if member.is_pax {
        let place = format!("{archive}: member {}", member.path);
        let expected = "GNU headers, which dpkg unpacks";
        problems.push(Problem::new("deb-tar-pax", place, expected, "PAX records"));
    }
}

fn check_name(member: &Member, is_first: bool, problems: &mut Vec<Problem>) {
    let mut expected = [b"./", member.path.relative()].concat();
    if member.kind == Kind::Directory && !member.path.is_root() {
        expected.push(b'/');
    }
    if member.name != expected {
        let (expected, found) = (escape(&expected), escape(&member.name));
        problems.push(Problem::new("deb-tar-name", DATA, expected, found));
    }
    if is_first != member.path.is_root() {
        let found = escape(&member.name);
        problems.push(Problem::new("deb-tar-root", DATA, "./ as the first member only", found));
    }
}

/// dpkg unpacks in order: a directory must be there before what is in it, a file before its links.
fn check_order(member: &Member, before: &TreeBuilder, problems: &mut Vec<Problem>) {
    let place = format!("{DATA}: member {}", member.path);
    let is_missing = |parent: &TreePath| before.get(parent).is_none();
    if let Some(parent) = member.path.parent().filter(is_missing) {
        let expected = format!("{parent} before it");
        problems.push(Problem::new("deb-parent-missing", &place, expected, "no such member"));
    }
    if before.get(&member.path).is_some() {
        problems.push(Problem::new("deb-duplicate", &place, "one member of a name", "another"));
    }
    if let Kind::HardLink(target) = &member.kind
        && before.get(target).is_none()
    {
        let expected = format!("{target} before it");
        problems.push(Problem::new("deb-link-order", &place, expected, "no such member"));
    }
}
