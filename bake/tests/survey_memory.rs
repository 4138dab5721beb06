//! How much memory it takes to survey an image: that of its list of entries, not of its contents.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::io::{self, Read};

use bake::survey::{LayerSource, Limits, Surveyor};
use bake_formats::archive::tar::{Dialect, Root, SymlinkOrder, TarOptions, TarWriter};
use bake_formats::blob::{Blob, MemoryStore};
use bake_formats::format::Epoch;
use bake_formats::oci::Documents;
use bake_formats::oci::config::{Config, RootFs};
use bake_formats::oci::descriptor::{Descriptor, media_type};
use bake_formats::oci::json;
use bake_formats::oci::manifest::Manifest;
use bake_formats::rope::Rope;
use bake_formats::tree::{Mode, TreePath};
use peak_alloc::PeakAlloc;

#[global_allocator]
static PEAK: PeakAlloc = PeakAlloc;

/// One layer, described.
struct Layer(Rope);

impl LayerSource for Layer {
    fn open_layer(&self, _layer: &Descriptor) -> io::Result<Box<dyn Read + '_>> {
        static NOTHING: std::sync::LazyLock<MemoryStore> =
            std::sync::LazyLock::new(MemoryStore::new);
        Ok(Box::new(self.0.reader(&*NOTHING)))
    }
}

fn documents(layer: &Rope) -> Documents {
    let blob: Blob = layer.blob(&MemoryStore::new()).unwrap();
    let config = Config {
        created: None,
        author: None,
        architecture: "amd64".into(),
        os: "linux".into(),
        variant: None,
        config: None,
        rootfs: RootFs { kind: "layers".into(), diff_ids: vec![blob.digest] },
        history: Vec::new(),
        other: std::collections::BTreeMap::new(),
    };
    let config_bytes = json::canonical(&config).unwrap();
    let descriptor = Descriptor::new(media_type::CONFIG, Blob::of(&config_bytes));
    let layers = vec![Descriptor::new(media_type::LAYER, blob)];
    let manifest = Manifest::new(descriptor, layers, std::collections::BTreeMap::new());
    let manifest_bytes = json::canonical(&manifest).unwrap();
    Documents { manifest_bytes, manifest, config_bytes, config }
}

#[test]
fn contents_pass_through_and_are_not_held() {
    let mut writer = TarWriter::new(TarOptions {
        format: "oci",
        dialect: Dialect::Pax,
        prefix: "",
        epoch: Epoch(0),
        symlinks: SymlinkOrder::InTree,
        root: Root::Omitted,
    });
    // 512 MiB of a file, 64 MiB of something that begins like a program, 2000 small files.
    let mut large = Rope::new();
    large.push_zeros(512 << 20);
    writer.append_rope(&TreePath::parse("data").unwrap(), Mode::PLAIN, &large).unwrap();
    let mut program = Rope::from(b"\x7fELF\x02\x01\x01".to_vec());
    program.push_zeros(64 << 20);
    writer.append_rope(&TreePath::parse("program").unwrap(), Mode::EXECUTABLE, &program).unwrap();
    for number in 0..2000 {
        let path = TreePath::parse(format!("small/{number}")).unwrap();
        writer.append_bytes(&path, Mode::PLAIN, b"#!/bin/sh\n").unwrap();
    }
    let layer = Layer(writer.finish());
    let documents = documents(&layer.0);

    let folder = tempfile::tempdir().unwrap();
    let surveyor = Surveyor::forgetful(folder.path(), Limits::default());
    let before = PEAK.current_usage();
    PEAK.reset_peak_usage();
    let layers = surveyor.survey(&documents, &layer).unwrap();
    let peak = PEAK.peak_usage() - before;
    assert_eq!(layers[0].entries.len(), 2002);
    assert!(peak < 8 << 20, "the survey held {peak} bytes");
    assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 0);
}
