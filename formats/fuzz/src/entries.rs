//! What every reader is fed with: one function for each, from any bytes to nothing.
//!
//! An error is fine, a panic is a fault, and so is memory that grows beyond the input. The fuzzer
//! and the tests call the same functions.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::sync::Arc;

use bake_formats::archive::{ar, cpio, tar};
use bake_formats::blob::{BlobStore, MemoryStore};
use bake_formats::digest::Digest;
use bake_formats::encode::{Codec, Encoder, NoCache, decoder};
use bake_formats::format::{Epoch, Format, ReadError, WriteCx};
use bake_formats::input::{Folder, ReadAt, Section, Source};
use bake_formats::rope::Rope;
use bake_formats::tree::{Node, TreeId, TreePath, capabilities, escape};
use bake_formats::{boot, deb, elf, oci, rpm, sysext, vm};

/// A reader under test.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name of the fuzz target and of its corpus.
    pub name: &'static str,
    /// Reads any bytes.
    pub read: fn(&[u8]),
}

/// All readers.
pub const TARGETS: [Target; 34] = [
    Target { name: "ar", read: ar },
    Target { name: "tar", read: tar },
    Target { name: "cpio", read: cpio },
    Target { name: "deb", read: deb },
    Target { name: "deb_list", read: deb_list },
    Target { name: "deb_seal", read: deb_seal },
    Target { name: "deb_control", read: deb_control },
    Target { name: "deb_relation", read: deb_relation },
    Target { name: "rpm", read: rpm },
    Target { name: "rpm_list", read: rpm_list },
    Target { name: "rpm_seal", read: rpm_seal },
    Target { name: "rpm_header", read: rpm_header },
    Target { name: "rpm_dependency", read: rpm_dependency },
    Target { name: "oci_archive", read: oci_archive },
    Target { name: "oci_layout", read: oci_layout },
    Target { name: "oci_record", read: oci_record },
    Target { name: "oci_artifact", read: oci_artifact },
    Target { name: "ext4", read: ext4 },
    Target { name: "qcow2", read: qcow2 },
    Target { name: "sysext", read: sysext },
    Target { name: "gpt", read: gpt },
    Target { name: "fat", read: fat },
    Target { name: "vmdk", read: vmdk },
    Target { name: "vhd", read: vhd },
    Target { name: "vhdx", read: vhdx },
    Target { name: "ova", read: ova },
    Target { name: "vagrant", read: vagrant },
    Target { name: "gce", read: gce },
    Target { name: "elf", read: elf },
    Target { name: "kernel", read: kernel },
    Target { name: "module", read: module },
    Target { name: "initrd", read: initrd },
    Target { name: "decoder", read: decode },
    Target { name: "tree", read: tree },
];

/// The most that is taken from a stream whose length the input decides.
const STREAM_MAX: u64 = 16 << 20;

fn drain(reader: impl Read) {
    // Streams that end in an error are as good as others.
    io::copy(&mut reader.take(STREAM_MAX), &mut io::sink()).map_or_else(drop, drop);
}

/// Reads all members of an ar archive.
pub fn ar(data: &[u8]) {
    let Ok(mut reader) = ar::ArReader::new(Arc::new(data.to_vec())) else { return };
    while let Ok(Some(member)) = reader.next_member() {
        drain(reader.open(&member));
    }
}

/// Reads a tar archive member by member and as a tree.
pub fn tar(data: &[u8]) {
    let mut reader = tar::TarReader::new(data, "archive");
    while let Ok(Some(_)) = reader.next_member() {
        drain(reader.contents());
    }
    if let Ok(tree) = tar::read(data, "archive") {
        assert_eq!(tree.id(), tree.id());
    }
}

/// Reads a cpio archive; the sizes of stripped members come from elsewhere.
pub fn cpio(data: &[u8]) {
    let mut reader = cpio::Reader::new(data);
    while let Ok(Some(found)) = reader.advance() {
        if let cpio::Found::Stripped(index) = found {
            reader.expect_body(u64::from(index % 64));
        }
        drain(reader.by_ref());
    }
}

fn format<F: Format>(data: &[u8]) {
    artifact::<F>(&Source::from_bytes(data.to_vec()));
}

fn artifact<F: Format>(source: &Source) {
    let read = F::read(source).map_err(|error| error.to_string());
    let problems = F::verify(source).map_err(|error| error.to_string());
    if let Ok(unpacked) = &read {
        let mut sizes = Vec::new();
        let visited = F::visit(source, &mut |path, bytes| {
            sizes.push((path.clone(), io::copy(bytes, &mut io::sink())?));
            Ok(ControlFlow::Continue(()))
        });
        assert!(visited.is_ok(), "what was read can be visited: {visited:?}");
        sizes.sort();
        let listed = unpacked.tree.iter().filter_map(|(path, entry)| match &entry.node {
            Node::File(content) => Some((path.clone(), content.size)),
            _ => None,
        });
        assert!(listed.eq(sizes), "what is visited is what the tree lists");
    }
    if let (Ok(unpacked), Ok(_)) = (read, problems) {
        let name = F::file_name(&unpacked.model);
        assert!(!name.is_empty(), "a model that was read has a file name");
    }
}

/// Reads and verifies a deb.
pub fn deb(data: &[u8]) {
    format::<deb::Deb>(data);
}

/// Reads what a repository's index has of a deb.
pub fn deb_list(data: &[u8]) {
    deb::list(&Source::from_bytes(data.to_vec())).map_or_else(drop, drop);
}

/// Reads what is signed of a deb; all of it is in the file.
pub fn deb_seal(data: &[u8]) {
    let file: Arc<dyn ReadAt> = Arc::new(data.to_vec());
    let Ok(seal) = deb::Seal::read(&file) else { return };
    assert!(seal.end() <= file.len(), "ends at {} of {}", seal.end(), file.len());
    for range in seal.signed() {
        assert!(range.start <= range.end && range.end <= file.len(), "{range:?} of {}", file.len());
    }
}

/// Parses control paragraphs; what was parsed and printed parses to the same.
pub fn deb_control(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(paragraph) = deb::Paragraph::parse(text) {
        let printed = paragraph.to_string();
        let again = deb::Paragraph::parse(&printed).map(|again| again.to_string());
        assert_eq!(again.ok(), Some(printed));
    }
    if let Ok(all) = deb::Paragraph::parse_all(text) {
        drop(all);
    }
}

/// Parses versions and relations; what was parsed and printed parses to the same.
pub fn deb_relation(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let versions: Vec<deb::Version> = text.lines().filter_map(|line| line.parse().ok()).collect();
    for (one, two) in versions.iter().zip(versions.iter().skip(1)) {
        assert_eq!(one.compare(two), two.compare(one).reverse(), "{one} {two}");
    }
    if let Ok(relations) = text.parse::<deb::Relations>() {
        let printed = relations.to_string();
        let again = printed.parse::<deb::Relations>().map(|again| again.to_string());
        assert_eq!(again.ok(), Some(printed));
    }
}

/// Reads and verifies an rpm.
pub fn rpm(data: &[u8]) {
    format::<rpm::Rpm>(data);
}

/// Reads what a repository's index has of an rpm.
pub fn rpm_list(data: &[u8]) {
    rpm::list(&Source::from_bytes(data.to_vec())).map_or_else(drop, drop);
}

/// Reads the signatures of an rpm, takes them away and puts another in.
pub fn rpm_seal(data: &[u8]) {
    let file = data.to_vec();
    let Ok(mut seal) = rpm::Seal::read(&file) else { return };
    let (range, len) = (seal.signed(), data.len() as u64);
    assert!(range.start <= range.end && range.end <= len, "{range:?} of {len}");
    drop(seal.signatures());
    seal.clear();
    seal.add(data.get(..16).unwrap_or_default()).map_or_else(drop, drop);
    seal.patch().map_or_else(drop, drop);
}

/// Reads an rpm whose lead is valid and whose headers are the input.
pub fn rpm_header(data: &[u8]) {
    let mut package = vec![0; 96];
    package[..10].copy_from_slice(&[0xed, 0xab, 0xee, 0xdb, 3, 0, 0, 0, 0, 1]);
    package[10..15].copy_from_slice(b"a-1-1");
    package[77] = 1;
    package[79] = 5;
    package.extend_from_slice(data);
    format::<rpm::Rpm>(&package);
}

/// Parses rpm dependencies; what was parsed and printed parses to the same.
pub fn rpm_dependency(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for line in text.lines() {
        if let Ok(dependency) = line.parse::<rpm::Dependency>() {
            let printed = dependency.to_string();
            let again = printed.parse::<rpm::Dependency>().map(|again| again.to_string());
            assert_eq!(again.ok(), Some(printed));
        }
    }
}

fn image(source: &Source) {
    let limits = oci::Limits { layer: STREAM_MAX, names: STREAM_MAX };
    oci::read_all(source, limits).map_or_else(drop, drop);
}

/// Reads and verifies an image in one file.
pub fn oci_archive(data: &[u8]) {
    image(&Source::from_bytes(data.to_vec()));
    format::<oci::Archive>(data);
}

/// An image layout in which every document that is not fixed is the input, by its right name.
struct Documents {
    document: Vec<u8>,
    index: Vec<u8>,
}

impl Folder for Documents {
    fn open(&self, path: &str) -> io::Result<Arc<dyn ReadAt>> {
        match path {
            "oci-layout" => Ok(Arc::new(br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec())),
            "index.json" => Ok(Arc::new(self.index.clone())),
            _ => Ok(Arc::new(self.document.clone())),
        }
    }
}

/// Reads and verifies an image layout whose index is the input, then one whose manifest is.
pub fn oci_layout(data: &[u8]) {
    let document = data.to_vec();
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{{
        "mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{}","size":{}}}]}}"#,
        Digest::of(data),
        data.len()
    );
    for index in [document.clone(), manifest.into_bytes()] {
        let source = Source::Folder(Arc::new(Documents { document: document.clone(), index }));
        image(&source);
        oci::Layout::verify(&source).map_or_else(drop, drop);
    }
}

/// Reads an image on a base whose record of the model is the input, and puts it onto that base.
pub fn oci_record(data: &[u8]) {
    let Ok(documents) = image_with_record(&String::from_utf8_lossy(data)) else { return };
    let store = MemoryStore::new();
    let encoder = Encoder::new(&store, &NoCache, 1);
    let cx = WriteCx { blobs: &store, encoder: &encoder, epoch: Epoch(0) };
    let descriptor = documents.descriptor();
    let (name, version) = (String::new(), String::new());
    let image = oci::ListedImage { descriptor: descriptor.clone(), name, version };
    let old_base = Some(&documents);
    let base = oci::Base::new(None, descriptor, Arc::new(documents.clone()));
    for databases in [None, Some(oci::Databases::default())] {
        let base = oci::Base { databases, ..base.clone() };
        let own_layers = oci::rebase::OwnLayers::Referred;
        let request = oci::Rebase {
            image: &image,
            documents: &documents,
            old_base,
            base: &base,
            own_layers,
            forced: None,
        };
        oci::rebase(&request, &cx).map_or_else(drop, drop);
    }
}

/// Returns the documents of an image of one layer with this record.
fn image_with_record(record: &str) -> Result<oci::Documents, ReadError> {
    let config = format!(
        r#"{{"architecture":"amd64","created":"1970-01-01T00:00:00Z","history":[{{}}],"os":"linux","rootfs":{{"diff_ids":["{}"],"type":"layers"}}}}"#,
        Digest::of(b"")
    );
    let manifest = serde_json::json!({
        "schemaVersion": 2,
        "config": {
            "mediaType": oci::media_type::CONFIG, "digest": Digest::of(config.as_bytes()),
            "size": config.len(),
        },
        "layers": [{
            "mediaType": oci::media_type::LAYER, "digest": Digest::of(b""), "size": 0,
            "annotations": {"dev.bake.layer": "payload"},
        }],
        "annotations": {"dev.bake.image": record},
    });
    oci::Documents::parse(manifest.to_string().into_bytes(), config.into_bytes())
}

/// Parses a manifest of an artifact and an index of artifacts; what is read can be written, and
/// read again.
pub fn oci_artifact(data: &[u8]) {
    if let Ok(artifact) = oci::Artifact::parse(data)
        && let Ok(written) = artifact.manifest()
    {
        let again = oci::Artifact::parse(&written.bytes).map(|again| again.files);
        assert_eq!(again.ok(), Some(artifact.files));
    }
    if let Ok(Some(index)) = oci::ArtifactIndex::parse(data)
        && let Ok(written) = index.index()
    {
        let again = oci::ArtifactIndex::parse(&written.bytes).ok().flatten();
        assert_eq!(again.map(|again| again.manifests), Some(index.manifests));
    }
}

/// A disk whose blocks without zeros are the input, each after its number in two bytes.
///
/// A disk is mostly zeros, which a fuzzer would spend its time on.
struct Blocks {
    bytes: Vec<u8>,
    places: BTreeMap<u64, usize>,
}

const BLOCK: usize = 4096;
const DISK: u64 = 16 << 20;

impl Blocks {
    fn new(data: &[u8]) -> Self {
        let place = |(index, block): (usize, &[u8])| {
            let number = block.first_chunk().map_or(0, |number| u16::from_le_bytes(*number));
            (u64::from(number), index * (BLOCK + 2) + 2)
        };
        let places = data.chunks(BLOCK + 2).enumerate().map(place).collect();
        Self { bytes: data.to_vec(), places }
    }
}

impl ReadAt for Blocks {
    fn len(&self) -> u64 {
        DISK
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if offset >= DISK {
            return Ok(0);
        }
        let within = usize::try_from(offset % BLOCK as u64).unwrap_or_default();
        let count = buffer.len().min(BLOCK - within);
        let buffer = &mut buffer[..count];
        buffer.fill(0);
        if let Some(place) = self.places.get(&(offset / BLOCK as u64)) {
            let end = self.bytes.len().min(place + BLOCK);
            let block = self.bytes.get(place + within..end).unwrap_or_default();
            for (to, from) in buffer.iter_mut().zip(block) {
                *to = *from;
            }
        }
        Ok(count)
    }
}

/// Takes a disk apart as [`ext4`] puts it together.
pub fn blocks(disk: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    for (number, block) in (0_u16..).zip(disk.chunks(BLOCK)) {
        if block.iter().any(|byte| *byte != 0) {
            all.extend(number.to_le_bytes());
            all.extend(block);
        }
    }
    all
}

/// Reads and verifies a raw disk.
pub fn ext4(data: &[u8]) {
    artifact::<vm::Raw>(&Source::File(Arc::new(Blocks::new(data))));
}

/// Reads and verifies a disk in clusters, and one that lies on another.
pub fn qcow2(data: &[u8]) {
    format::<vm::Qcow2>(data);
    let file = Arc::new(data.to_vec());
    let Ok(image) = vm::qcow2::Qcow2Reader::open(file.clone()) else { return };
    image.map().map_or_else(drop, drop);
    let lower = image.backing().map(|_| Arc::new(vec![7_u8; 1000]) as Arc<dyn ReadAt>);
    if let Ok(disk) = vm::qcow2::Qcow2Reader::open_with(file, lower) {
        drain(Section::whole(Arc::new(disk)));
    }
}

/// Reads and verifies a system extension, an EROFS file system on its own or on a disk with hashes.
pub fn sysext(data: &[u8]) {
    format::<sysext::Sysext>(data);
    artifact::<sysext::Sysext>(&Source::File(Arc::new(Blocks::new(data))));
}

/// Reads and checks a partition table; every partition lies within the disk.
pub fn gpt(data: &[u8]) {
    let disk = data.to_vec();
    vm::gpt::check(&disk).map_or_else(drop, drop);
    let Ok(table) = vm::gpt::read(&disk) else { return };
    for partition in &table.partitions {
        let (range, len) = (partition.range(), data.len() as u64);
        assert!(range.start < range.end && range.end <= len, "{range:?} of {len}");
    }
}

/// Reads and checks a FAT volume.
pub fn fat(data: &[u8]) {
    let Ok(volume) = vm::fat::FatReader::open(Arc::new(data.to_vec())) else { return };
    volume.check().map_or_else(drop, drop);
    volume.label().map_or_else(drop, drop);
    let Ok(tree) = volume.tree() else { return };
    for (path, _) in tree.iter().filter(|(_, entry)| !entry.is_directory()).take(16) {
        assert!(volume.file(path).is_ok_and(|file| file.is_some()), "{path} is in the tree");
    }
}

/// Reads and checks a VMDK image.
pub fn vmdk(data: &[u8]) {
    let file = Arc::new(data.to_vec());
    vm::vmdk::check(&*file).map_or_else(drop, drop);
    let Ok(disk) = vm::vmdk::VmdkReader::open(file) else { return };
    drain(Section::whole(Arc::new(disk)));
}

/// Reads and checks a VHD image.
pub fn vhd(data: &[u8]) {
    let file = Arc::new(data.to_vec());
    vm::vhd::check(&*file).map_or_else(drop, drop);
    let Ok(disk) = vm::vhd::VhdReader::open(file) else { return };
    drain(Section::whole(Arc::new(disk)));
}

/// Reads and checks a VHDX image.
pub fn vhdx(data: &[u8]) {
    let file = Arc::new(data.to_vec());
    vm::vhdx::check(&*file).map_or_else(drop, drop);
    let Ok(disk) = vm::vhdx::VhdxReader::open(file) else { return };
    drain(Section::whole(Arc::new(disk)));
}

/// Reads and checks an appliance.
pub fn ova(data: &[u8]) {
    let file: Arc<dyn ReadAt> = Arc::new(data.to_vec());
    vm::ova::check(&file).map_or_else(drop, drop);
    let Ok(appliance) = vm::ova::OvaReader::open(&file) else { return };
    for (_, disk) in appliance.disks().unwrap_or_default() {
        drain(Section::whole(disk));
    }
}

/// Reads and checks a Vagrant box that was decompressed.
pub fn vagrant(data: &[u8]) {
    let file: Arc<dyn ReadAt> = Arc::new(data.to_vec());
    vm::vagrant::check(&file, 1 << 30).map_or_else(drop, drop);
    let Ok(opened) = vm::vagrant::BoxReader::open(&file) else { return };
    let Ok((_, disk)) = opened.disk() else { return };
    drain(Section::whole(disk));
}

/// Reads and checks an archive of one file with holes.
pub fn gce(data: &[u8]) {
    let file = Arc::new(data.to_vec());
    vm::gce::check(file.clone()).map_or_else(drop, drop);
    let Ok(disk) = tar::SparseFile::open(file, "archive") else { return };
    drain(Section::whole(Arc::new(disk)));
}

/// Reads what a program or library needs and offers, and its undefined symbols.
pub fn elf(data: &[u8]) {
    let file = data.to_vec();
    elf::read(&file).map_or_else(drop, drop);
    let mut longest = 0;
    let visit = &mut |symbol: elf::UndefinedSymbol<'_>| longest = longest.max(symbol.name.len());
    elf::undefined_symbols(&file, visit).map_or_else(drop, drop);
    assert!(longest <= data.len(), "a name of {longest} bytes in a file of {}", data.len());
}

/// Reads a kernel and unpacks it, as a plain file, as an EFI stub and as what was made of one.
pub fn kernel(data: &[u8]) {
    let file = data.to_vec();
    if let Ok(sections) = boot::uki::read(&file) {
        assert!(sections.iter().all(|place| place.range.end <= data.len() as u64));
    }
    let store = MemoryStore::new();
    let Ok(blob) = store.put(data) else { return };
    let rope = Rope::from(blob);
    if let Ok(kernel) = boot::kernel::Kernel::of_rope(&rope, &store) {
        kernel.unpack(&rope, &store).map_or_else(drop, drop);
    }
    boot::uki::Stub::parse(file).map_or_else(drop, drop);
}

/// Reads what a kernel module says of itself.
pub fn module(data: &[u8]) {
    boot::modinfo::Module::read(&data.to_vec()).map_or_else(drop, drop);
}

/// Reads an initrd segment by segment, and reads and verifies it as a segment of ours.
pub fn initrd(data: &[u8]) {
    let file: Arc<dyn ReadAt> = Arc::new(data.to_vec());
    boot::initramfs::read(&file).map_or_else(drop, drop);
    format::<boot::initramfs::Cpio>(data);
}

/// Decompresses; the first byte chooses how.
pub fn decode(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else { return };
    let codec = [Codec::Gzip, Codec::Zstd, Codec::Xz][usize::from(choice % 3)];
    if let Ok(reader) = decoder(codec, data) {
        drain(reader);
    }
}

/// Parses what a tree's manifest is made of.
pub fn tree(data: &[u8]) {
    capabilities::to_text(data).map_or_else(drop, |text| {
        let back = capabilities::from_text(&text);
        assert!(back.is_ok(), "`{text}` came from an attribute, and is {back:?}");
    });
    if let Ok(path) = TreePath::parse(data) {
        let again = TreePath::parse(path.absolute());
        assert_eq!(again.ok(), Some(path));
    }
    assert!(escape(data).is_ascii());
    let Ok(text) = std::str::from_utf8(data) else { return };
    capabilities::from_text(text).map_or_else(drop, drop);
    text.parse::<TreeId>().map_or_else(drop, drop);
}
