//! The file table as a header has it: reading its arrays, row by row.

use std::sync::Arc;

use super::checksum::Checksum;
use super::files::File;
use super::header::Header;
use super::tags;
use crate::digest::Digest;
use crate::format::ReadError;
use crate::tree::{Owner, TreePath, escape};

/// The number of accounts whose number is not known: the kernel's overflow number.
const UNKNOWN_ACCOUNT: u32 = 65534;

/// Reads the rows of a header, and how the digests in it were computed.
pub(super) fn read(header: &Header) -> Result<(Vec<File>, Checksum), ReadError> {
    let paths = read_paths(header)?;
    let columns = Columns::read(header, paths.len())?;
    let rows = paths.into_iter().enumerate();
    let rows: Result<_, ReadError> = rows.map(|(row, path)| columns.file(row, path)).collect();
    Ok((rows?, columns.checksum))
}

fn read_paths(header: &Header) -> Result<Vec<TreePath>, ReadError> {
    let (basenames, dirnames) = (header.strings(tags::BASENAMES)?, header.strings(tags::DIRNAMES)?);
    let indexes = header.int32s(tags::DIRINDEXES)?;
    let indexes = expect_count(header, tags::DIRINDEXES, indexes, basenames.len())?;
    let dirnames: Vec<&[u8]> = dirnames.iter().collect();
    let path = |(basename, index): (&[u8], &u32)| {
        let Some(directory) = dirnames.get(*index as usize) else {
            let reason = format!("expected less than {}, found {index}", dirnames.len());
            return Err(header.invalid(tags::DIRINDEXES, reason));
        };
        let text = [directory, basename].concat();
        let path = TreePath::parse(&text).ok().filter(|path| {
            // Exactly one spelling, so that no file hides behind another.
            path.absolute() == text && !basename.contains(&b'/')
        });
        path.ok_or_else(|| {
            let reason = format!("`{}` is not an absolute, normal path", escape(&text));
            header.invalid(tags::BASENAMES, reason)
        })
    };
    basenames.iter().zip(indexes).map(path).collect()
}

fn expect_count<'a, T>(
    header: &Header,
    tag: u32,
    values: &'a [T],
    count: usize,
) -> Result<&'a [T], ReadError> {
    if values.len() == count {
        return Ok(values);
    }
    Err(header.invalid(tag, format!("expected {count} values, found {}", values.len())))
}

/// The arrays of a header, all of one length.
struct Columns<'a> {
    header: &'a Header,
    sizes: Vec<u64>,
    modes: &'a [u16],
    rdevs: &'a [u16],
    digests: Vec<String>,
    checksum: Checksum,
    links: Vec<Vec<u8>>,
    flags: &'a [u32],
    users: Vec<String>,
    groups: Vec<String>,
    inodes: &'a [u32],
    /// Empty if no file has any.
    capabilities: Vec<String>,
    /// Empty if no file has any.
    languages: Vec<String>,
}

impl<'a> Columns<'a> {
    fn read(header: &'a Header, count: usize) -> Result<Self, ReadError> {
        let same = |tag, found: usize| {
            let reason = format!("expected {count} values, found {found}");
            if found == count { Ok(()) } else { Err(header.invalid(tag, reason)) }
        };
        let texts = |tag| {
            let texts = header.texts(tag)?;
            same(tag, texts.len())?;
            Ok::<_, ReadError>(texts)
        };
        let int32s = |tag| expect_count(header, tag, header.int32s(tag)?, count);
        let int16s = |tag| expect_count(header, tag, header.int16s(tag)?, count);
        let sizes = header.sizes(tags::FILESIZES, tags::LONGFILESIZES)?;
        same(tags::FILESIZES, sizes.len())?;
        let links = header.strings(tags::FILELINKTOS)?;
        same(tags::FILELINKTOS, links.len())?;
        let optional = |tag| match header.get(tag) {
            None => Ok(Vec::new()),
            Some(_) => texts(tag),
        };
        Ok(Self {
            header,
            sizes,
            modes: int16s(tags::FILEMODES)?,
            rdevs: int16s(tags::FILERDEVS)?,
            digests: texts(tags::FILEDIGESTS)?,
            checksum: Checksum::of(header)?,
            links: links.iter().map(<[u8]>::to_vec).collect(),
            flags: int32s(tags::FILEFLAGS)?,
            users: texts(tags::FILEUSERNAME)?,
            groups: texts(tags::FILEGROUPNAME)?,
            inodes: int32s(tags::FILEINODES)?,
            capabilities: optional(tags::FILECAPS)?,
            languages: optional(tags::FILELANGS)?,
        })
    }

    /// Returns one row; all arrays are as long as there are paths.
    fn file(&self, row: usize, path: TreePath) -> Result<File, ReadError> {
        let hex = self.digests[row].as_str();
        let invalid = |reason| self.header.invalid(tags::FILEDIGESTS, reason);
        let (mut digest, mut checksum) = (None, String::new());
        if self.checksum == Checksum::Sha256 && !hex.is_empty() {
            let parsed = Digest::from_hex(hex);
            digest = Some(parsed.map_err(|error| invalid(format!("{error} of `{path}`")))?);
        } else {
            hex.clone_into(&mut checksum);
        }
        let language = self.languages.get(row).filter(|language| !language.is_empty());
        Ok(File {
            path,
            mode: self.modes[row],
            size: self.sizes[row],
            rdev: self.rdevs[row],
            digest,
            checksum,
            link_to: self.links[row].clone(),
            flags: self.flags[row],
            owner: named(&self.users[row]),
            group: named(&self.groups[row]),
            inode: self.inodes[row],
            capabilities: self.capabilities.get(row).cloned().unwrap_or_default(),
            language: language.map(|language| Arc::from(language.as_str())),
        })
    }
}

/// Returns an account of which only the name is known.
fn named(name: &str) -> Owner {
    if name == "root" { Owner::root() } else { Owner::new(name, UNKNOWN_ACCOUNT) }
}

/// Returns an account with the number that the payload says; rpmbuild says 0 for every account.
pub(super) fn numbered(account: &Owner, id: u32) -> Owner {
    if id == 0 { account.clone() } else { Owner::new(&account.name, id) }
}
