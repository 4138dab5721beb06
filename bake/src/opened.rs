//! An artifact on disk, opened to be looked at.

use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bake_formats::format::{Problem, ReadError, Visitor};
use bake_formats::input::{ReadAt, Source};
use bake_formats::tree::{FileTree, Node, TreePath};
use bake_recipes::Platform;

use crate::error::Error;
use crate::inspected::Inspected;
use crate::lower::{Kind, Sealed};
use crate::source;
use crate::unpacked::{LIMIT, unpack};

/// An artifact on disk.
#[derive(Debug)]
pub struct Opened {
    /// Where it is.
    pub path: PathBuf,
    /// Its format.
    pub kind: Kind,
    source: Source,
    /// What is in it, once it was decompressed.
    unpacked: Mutex<Option<Source>>,
}

impl Opened {
    /// Opens an artifact and finds out its format from its bytes.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let source = source::open(path)?;
        let kind = Kind::detect(&source)?.ok_or_else(|| Error::Unknown {
            path: path.into(),
            reason: "none of the formats begins like this".into(),
        })?;
        Ok(Self { path: path.into(), kind, source, unpacked: Mutex::default() })
    }

    /// Returns the artifact's bytes as they lie there.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Returns the artifact's one file.
    pub fn file(&self) -> Result<&Arc<dyn ReadAt>, Error> {
        Ok(self.source.file()?)
    }

    /// Returns whether the artifact is compressed as a whole, and read decompressed.
    pub fn is_packed(&self) -> Result<bool, Error> {
        self.kind.is_packed(&self.source).map_err(|error| self.failed(ReadError::Io(error)))
    }

    /// Returns what the format is read from: the artifact, or what it is decompressed.
    pub fn contents(&self) -> Result<Source, Error> {
        let failed = |error| self.failed(ReadError::Io(error));
        if !self.is_packed()? {
            return Ok(self.source.clone());
        }
        let mut unpacked = self.unpacked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = &*unpacked {
            return Ok(source.clone());
        }
        let source = unpack(&self.source, LIMIT).map_err(failed)?;
        *unpacked = Some(source.clone());
        Ok(source)
    }

    fn failed(&self, source: ReadError) -> Error {
        Error::Read { path: self.path.clone(), source }
    }

    /// Returns where its signatures are; `None` if its format has no place for any.
    pub fn sealed(&self) -> Result<Option<Sealed>, Error> {
        Sealed::read(self.kind, &self.source).map_err(|source| self.failed(source))
    }

    /// Reads the artifact, of an image for several platforms the one for this platform.
    pub fn inspect(&self, platform: Option<Platform>) -> Result<Inspected, Error> {
        self.check_choice(platform)?;
        self.kind.read(&self.contents()?, platform).map_err(|source| self.failed(source))
    }

    /// Hands over what the regular files of the tree hold, each once, under its first name.
    pub fn visit(
        &self,
        platform: Option<Platform>,
        visitor: &mut Visitor<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        self.check_choice(platform)?;
        let visited = self.kind.visit(&self.contents()?, platform, visitor);
        visited.map_err(|source| self.failed(source))
    }

    /// Reads one regular file of the tree that `inspect` gave for the platform, hard links followed and
    /// symbolic ones not; `None` if there is none at this path. More than `limit` bytes are an error.
    pub fn tree_file(
        &self,
        platform: Option<Platform>,
        tree: &FileTree,
        path: &TreePath,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, Error> {
        let first = match tree.get(path).map(|entry| &entry.node) {
            Some(Node::HardLink(first)) => first,
            Some(Node::File(_)) => path,
            _ => return Ok(None),
        };
        let size = tree.content(first).map_or(0, |content| content.size);
        if size > limit {
            let reason = format!("expected at most {limit} bytes, found {size}");
            return Err(self.failed(ReadError::invalid(path.to_string(), reason)));
        }
        let mut found = None;
        // Whoever reads cannot be done before the file was met, nor go on after it.
        let _done = self.visit(platform, &mut |name, bytes| {
            if name != first {
                return Ok(ControlFlow::Continue(()));
            }
            let mut text = Vec::new();
            bytes.take(limit).read_to_end(&mut text)?;
            found = Some(text);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }

    /// Fails if the artifact is an image for several platforms and none is chosen.
    fn check_choice(&self, platform: Option<Platform>) -> Result<(), Error> {
        let failed = |source| self.failed(source);
        if platform.is_none() {
            let several = self.kind.several(&self.source).map_err(failed)?;
            if !several.is_empty() {
                return Err(Error::Input {
                    what: format!("`{}`", self.path.display()),
                    reason: format!(
                        "it holds images for {}; choose one with `--platform`",
                        several.join(", ")
                    ),
                });
            }
        }
        Ok(())
    }

    /// Reads the artifact, of an image for several platforms every one.
    pub fn inspect_all(&self) -> Result<Vec<Inspected>, Error> {
        self.kind.read_all(&self.contents()?).map_err(|source| self.failed(source))
    }

    /// Lists every rule of its format that the artifact breaks.
    pub fn verify(&self) -> Result<Vec<Problem>, Error> {
        self.kind.verify(&self.contents()?).map_err(|source| self.failed(source))
    }
}

#[cfg(test)]
mod tests {
    use bake_formats::archive::tar::{Dialect, Root, SymlinkOrder, TarOptions, TarWriter};
    use bake_formats::blob::MemoryStore;
    use bake_formats::encode::{Compression, Encoder, NoCache};
    use bake_formats::format::{Epoch, WriteCx};
    use bake_formats::rope::Rope;
    use bake_formats::tree::{Content, Entry, FileTree, Mode, TreeBuilder};
    use bake_formats::vm::{Disk, DiskSize, Hardware};

    use super::*;
    use crate::cloud::{Cloud, commands};
    use crate::lower::Product;

    fn disk(size: DiskSize) -> Box<Disk> {
        Box::new(Disk {
            name: "app".into(),
            version: "1.0".into(),
            arch: "amd64".into(),
            size,
            label: None,
            tree_id: None,
            machine: None,
            compression: None,
            hardware: None,
        })
    }

    /// Calls `make` with what writers need, writes what it returns to a file and opens it.
    fn open(make: impl Fn(&WriteCx<'_>) -> Rope) -> Result<Opened, Error> {
        let store = MemoryStore::new();
        let encoder = Encoder::new(&store, &NoCache, 1);
        let rope = make(&WriteCx { blobs: &store, encoder: &encoder, epoch: Epoch(0) });
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), rope.to_vec(&store).unwrap()).unwrap();
        Opened::open(file.path())
    }

    fn open_product(product: &Product) -> Opened {
        let write = |cx: &WriteCx<'_>| {
            product.write(&FileTree::default(), cx).unwrap().files.remove(0).rope
        };
        open(write).unwrap()
    }

    fn gzip(rope: &Rope, cx: &WriteCx<'_>) -> Rope {
        cx.encoder.compress(rope, Compression::GZIP).unwrap()
    }

    #[test]
    fn bundles_are_told_apart_and_read() {
        let minimal = || disk(DiskSize::Minimal);
        let products = [
            Product::Ova(minimal()),
            Product::LibvirtBox(minimal()),
            Product::VirtualBoxBox(minimal()),
            Product::Gce(disk(DiskSize::Multiple(1 << 30))),
        ];
        for product in products {
            let opened = open_product(&product);
            assert_eq!(opened.kind, product.kind());
            assert_eq!(opened.is_packed().unwrap(), product.kind() != Kind::Ova);
            assert_eq!(opened.verify().unwrap(), []);
            let inspected = opened.inspect(None).unwrap();
            assert_eq!(inspected.metadata["name"], "app");
            let hardware = serde_json::to_value(Hardware::default()).unwrap();
            if product.kind() != Kind::Gce {
                assert_eq!(inspected.metadata["hardware"], hardware);
            }
        }
    }

    #[test]
    fn one_file_of_any_artifact_is_read() {
        let path = |text: &str| TreePath::parse(text).unwrap();
        let mut builder = TreeBuilder::new();
        let file = Entry::file(Content::of(b"text"), Mode::PLAIN);
        builder.insert(path("/b"), file).unwrap();
        let link = Entry::new(Node::HardLink(path("/b")), Mode::PLAIN);
        builder.insert(path("/a"), link).unwrap();
        builder.insert(path("/link"), Entry::symlink("a")).unwrap();
        let tree = builder.finish().unwrap();
        for product in
            [Product::Raw(disk(DiskSize::Minimal)), Product::LibvirtBox(disk(DiskSize::Minimal))]
        {
            let opened = open(|cx| {
                cx.blobs.put(b"text").unwrap();
                product.write(&tree, cx).unwrap().files.remove(0).rope
            });
            let opened = opened.unwrap();
            let read = |name: &str, limit| opened.tree_file(None, &tree, &path(name), limit);
            for name in ["/a", "/b"] {
                assert_eq!(read(name, 4).unwrap().as_deref(), Some(b"text".as_slice()));
            }
            for name in ["/link", "/c", "/"] {
                assert_eq!(read(name, 4).unwrap(), None, "{name}");
            }
            let Error::Read { source, .. } = read("/a", 3).unwrap_err() else { panic!() };
            assert_eq!(source.to_string(), "/a: expected at most 3 bytes, found 4");
        }
    }

    #[test]
    fn other_archives_are_no_bundles() {
        let tar = |name: &str| {
            let mut writer = TarWriter::new(TarOptions {
                format: "test",
                dialect: Dialect::Pax,
                prefix: "",
                epoch: Epoch(0),
                symlinks: SymlinkOrder::InTree,
                root: Root::Omitted,
            });
            let path = TreePath::parse(name).unwrap();
            writer.append_rope(&path, Mode::PLAIN, &Rope::from(b"{}".to_vec())).unwrap();
            writer.finish()
        };
        let cpio = Rope::from([b"070701".as_slice(), &[b'0'; 200]].concat());
        assert_eq!(open(|cx| gzip(&cpio, cx)).unwrap().kind, Kind::Cpio);
        assert_eq!(open(|_| tar("oci-layout")).unwrap().kind, Kind::OciArchive);
        // An appliance is never compressed, and metadata must name a provider.
        for name in ["app.ovf", "metadata.json", "disk.img", "oci-layout"] {
            let opened = open(|cx| gzip(&tar(name), cx));
            assert!(matches!(opened, Err(Error::Unknown { .. })), "{name}");
        }
    }

    #[test]
    fn clouds_refuse_files_that_they_do_not_import() {
        let minimal = || disk(DiskSize::Minimal);
        let (raw, dynamic) = (Product::Raw(minimal()), Product::DynamicVhd(minimal()));
        for (product, cloud, expected) in [
            (&raw, Cloud::Gce, "expected gce, a tar archive, found raw"),
            (&raw, Cloud::Azure, "expected vhd, all of the disk, found raw"),
            (&dynamic, Cloud::Azure, "expected vhd, all of the disk, found vhd-dynamic"),
            (&Product::Vhdx(minimal()), Cloud::Aws, "expected raw, vmdk or vhd, found vhdx"),
        ] {
            let error = commands(&open_product(product), cloud, None).unwrap_err();
            let Error::Import { reason, hint, .. } = error else { panic!("{error}") };
            assert_eq!(reason, expected);
            assert!(hint.unwrap().contains("formats = ["));
        }
        let bucket = |cloud, name| {
            let error = commands(&open_product(&raw), cloud, Some(name)).unwrap_err();
            error.to_string()
        };
        assert!(bucket(Cloud::Azure, "b").ends_with("through no bucket"));
        assert!(bucket(Cloud::Aws, "$(b)").contains("expected letters"));
        // What no machine is on is not imported either.
        let error = commands(&open_product(&raw), Cloud::Aws, Some("b")).unwrap_err();
        assert!(matches!(error, Error::Read { .. }), "{error}");
    }
}
