//! The indices of a repository, written to a staging folder.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;

use bake_formats::blob::Blob;

use super::records::Record;
use super::repomd::{Data, KINDS, Repomd};
use super::settings::Settings;
use crate::error::Error;
use crate::repository::folder::link;
use crate::repository::index::{IndexWriter, compress};

/// The root elements of the indices, in the order of their kinds.
const ROOTS: [(&str, &str); 3] = [
    (
        "metadata",
        "xmlns=\"http://linux.duke.edu/metadata/common\" \
         xmlns:rpm=\"http://linux.duke.edu/metadata/rpm\"",
    ),
    ("filelists", "xmlns=\"http://linux.duke.edu/metadata/filelists\""),
    ("otherdata", "xmlns=\"http://linux.duke.edu/metadata/other\""),
];

/// What is to be written.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    pub(super) settings: &'a Settings,
    /// The records in order.
    pub(super) records: &'a [Record],
    /// Advisories that are new.
    pub(super) updateinfo: Option<&'a Path>,
    /// What is published, and the repository's folder.
    pub(super) old: Option<&'a Repomd>,
    pub(super) root: &'a Path,
    pub(super) time: u64,
    pub(super) threads: usize,
}

impl Stage<'_> {
    /// Writes everything but what is signed to a folder.
    pub(super) fn write(&self, folder: &Path) -> Result<Repomd, Error> {
        let mut repomd = Repomd { revision: self.time, ..Repomd::default() };
        for (index, kind) in KINDS.into_iter().enumerate() {
            let plain = folder.join(kind);
            let blob = self.write_plain(index, &plain)?;
            repomd.data.insert(kind.into(), self.pack(folder, kind, (&plain, blob))?);
        }
        if let Some(path) = self.updateinfo {
            let plain = folder.join("updateinfo");
            let mut out = IndexWriter::create(&plain)?;
            std::io::copy(&mut fs_err::File::open(path)?, &mut out)?;
            let data = self.pack(folder, "updateinfo", (&plain, out.finish()?))?;
            repomd.data.insert("updateinfo".into(), data);
        }
        for (kind, data) in self.old.iter().flat_map(|old| &old.data) {
            // Databases and chunked copies repeat the other indices, as they were before.
            let is_copy = kind.ends_with("_db") || kind.ends_with("_zck");
            if !is_copy && !repomd.data.contains_key(kind) {
                let name = data.path.strip_prefix("repodata/").unwrap_or(&data.path);
                link(&self.root.join(&data.path), &folder.join(name))?;
                repomd.data.insert(kind.clone(), data.clone());
            }
        }
        Ok(repomd)
    }

    fn write_plain(&self, index: usize, path: &Path) -> Result<Blob, Error> {
        let (root, spaces) = ROOTS[index];
        let mut out = IndexWriter::create(path)?;
        writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
        writeln!(out, "<{root} {spaces} packages=\"{}\">", self.records.len())?;
        for record in self.records {
            record.texts[index].write(&mut out)?;
        }
        writeln!(out, "</{root}>")?;
        Ok(out.finish()?)
    }

    /// Compresses an index and gives it a name by its digest.
    fn pack(&self, folder: &Path, kind: &str, plain: (&Path, Blob)) -> Result<Data, Error> {
        let (compression, extension) = self.settings.form()?;
        let scratch = folder.join("packed");
        let packed = compress(plain, &scratch, compression, self.threads)?;
        let name = format!("{}-{kind}.xml{extension}", packed.digest.hex());
        fs_err::rename(scratch, folder.join(&name))?;
        fs_err::remove_file(plain.0)?;
        let path = format!("repodata/{name}");
        Ok(Data { path, packed, plain: Some(plain.1), time: self.time })
    }
}

/// Keeps the indices of the generations before, and returns the names of each generation.
pub(super) fn generations(
    folder: &Path,
    repomd: &Repomd,
    old: &[BTreeSet<String>],
    live: &Path,
) -> Result<Vec<BTreeSet<String>>, Error> {
    let name = |data: &Data| data.path.strip_prefix("repodata/").unwrap_or_default().to_owned();
    let mut generations = vec![repomd.data.values().map(name).collect()];
    for generation in old {
        for name in generation {
            let from = live.join(name);
            if from.exists() {
                link(&from, &folder.join(name))?;
            }
        }
        generations.push(generation.clone());
    }
    Ok(generations)
}
