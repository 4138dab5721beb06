//! Tar archives of a few named files, which is what appliances and boxes are.

use std::io::Read;
use std::sync::Arc;

use crate::archive::tar::{Dialect, Kind, Root, SymlinkOrder, TarOptions, TarReader, TarWriter};
use crate::format::{Epoch, ReadError, WriteError};
use crate::input::{ReadAt, Section, Window};
use crate::rope::Rope;
use crate::tree::{Mode, TreePath, escape};

/// The longest file that a header of POSIX tar can say.
const SIZE_MAX: u64 = (1 << 33) - 1;
/// How much of an archive is looked at to tell what it is.
const START: u64 = 64 << 10;
/// Where a header of tar says what it is.
const MAGIC_AT: u64 = 257;
/// The most files that a bundle may have.
const MEMBERS_MAX: usize = 64;

/// Describes an archive of files in this order, all of root's and plain POSIX tar.
pub(super) fn write(
    format: &'static str,
    epoch: Epoch,
    members: &[(&str, &Rope)],
) -> Result<Rope, WriteError> {
    let mut writer = TarWriter::new(TarOptions {
        format,
        dialect: Dialect::Pax,
        prefix: "",
        epoch,
        symlinks: SymlinkOrder::InTree,
        root: Root::Omitted,
    });
    for (name, contents) in members {
        if contents.len() > SIZE_MAX {
            let (what, found) = (format!("the size of `{name}`"), contents.len());
            return Err(WriteError::Limit { format, what, limit: SIZE_MAX, found });
        }
        let path = TreePath::parse(name).map_err(|error| WriteError::Field {
            format,
            field: "name".into(),
            reason: error.to_string(),
        })?;
        writer.append_rope(&path, Mode::PLAIN, contents)?;
    }
    Ok(writer.finish())
}

/// Returns the name of the first file of an archive, and its contents if they are short.
pub(super) fn first(archive: &dyn ReadAt) -> Option<(String, Vec<u8>)> {
    let mut magic = [0; 5];
    archive.read_exact_at(MAGIC_AT, &mut magic).ok()?;
    if magic != *b"ustar" {
        return None;
    }
    let mut start = vec![0; usize::try_from(archive.len().min(START)).ok()?];
    archive.read_exact_at(0, &mut start).ok()?;
    let mut reader = TarReader::new(start.as_slice(), "bundle");
    loop {
        let member = reader.next_member().ok()??;
        match member.kind {
            Kind::Directory => {}
            Kind::File => {
                let name = member.path.relative_str()?.to_owned();
                return Some((name, reader.contents_to_vec(START).unwrap_or_default()));
            }
            _ => return None,
        }
    }
}

/// A file of a bundle.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) contents: Arc<dyn ReadAt>,
}

impl Member {
    /// Returns the file as text; `what` names it in errors.
    pub(super) fn text(&self, what: &str, limit: u64) -> Result<String, ReadError> {
        let len = self.contents.len();
        if len > limit {
            let reason = format!("expected at most {limit} bytes, found {len}");
            return Err(ReadError::invalid(what, reason));
        }
        let mut bytes = Vec::new();
        Section::whole(Arc::clone(&self.contents)).read_to_end(&mut bytes)?;
        String::from_utf8(bytes).map_err(|error| ReadError::invalid(what, error.to_string()))
    }
}

/// Finds the files of an archive without reading them, in their order; `what` names it in errors.
pub(super) fn open(file: &Arc<dyn ReadAt>, what: &'static str) -> Result<Vec<Member>, ReadError> {
    let mut reader = TarReader::new(Section::whole(Arc::clone(file)), what);
    let mut members: Vec<Member> = Vec::new();
    while let Some(member) = reader.next_member()? {
        let (offset, place) = (reader.position(), escape(&member.name));
        match member.kind {
            Kind::Directory => continue,
            Kind::File => reader.pass_contents(),
            _ => return Err(ReadError::invalid(place, "expected a file, found something else")),
        }
        let name = member.path.relative_str().map(str::to_owned);
        let Some(name) = name.filter(|name| members.iter().all(|member| member.name != *name))
        else {
            return Err(ReadError::invalid(place, "expected another name in UTF-8"));
        };
        if members.len() == MEMBERS_MAX {
            return Err(ReadError::invalid(what, format!("expected at most {MEMBERS_MAX} files")));
        }
        let contents = Arc::new(Window::new(Arc::clone(file), offset, member.size));
        members.push(Member { name, contents });
    }
    Ok(members)
}
