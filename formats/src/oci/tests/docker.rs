//! What `docker save` writes and wrote, as a source of images.

use std::ops::ControlFlow;

use super::hostile::{FILE, tar_of};
use super::*;

const LINK: tar::EntryType = tar::EntryType::Symlink;

fn append(builder: &mut tar::Builder<Vec<u8>>, name: &str, kind: tar::EntryType, data: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    let contents = if kind == LINK { &b""[..] } else { data };
    header.set_size(contents.len() as u64);
    if kind == LINK {
        let target = std::str::from_utf8(data).unwrap();
        builder.append_link(&mut header, name, target).unwrap();
    } else {
        builder.append_data(&mut header, name, contents).unwrap();
    }
}

/// An archive of members: name, type, contents or link target.
fn archive(members: &[(&str, tar::EntryType, Vec<u8>)]) -> Source {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind, data) in members {
        append(&mut builder, name, *kind, data);
    }
    Source::from_bytes(builder.into_inner().unwrap())
}

/// Two images that share their lowest layer, the second by a link as old engines wrote it.
fn saved() -> Vec<(&'static str, tar::EntryType, Vec<u8>)> {
    let lower = tar_of(&[("bin/a", FILE, "1")]);
    let upper = tar_of(&[("bin/.wh.a", FILE, ""), ("bin/b", FILE, "2")]);
    let config = |layers: &[&Vec<u8>]| {
        let diff_ids: Vec<_> = layers.iter().map(|tar| Digest::of(tar)).collect();
        json!({
            "architecture": "amd64", "os": "linux", "config": {"Cmd": ["sh"]},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        })
        .to_string()
        .into_bytes()
    };
    let manifest = json!([
        {"Config": "one.json", "RepoTags": ["acme/one:1", "one:latest"], "Layers": ["l1/layer.tar"]},
        {"Config": "two.json", "RepoTags": null, "Layers": ["l2/layer.tar", "l3.tar.gz"]},
    ]);
    vec![
        ("l1/layer.tar", FILE, lower.clone()),
        ("l1/VERSION", FILE, b"1.0".to_vec()),
        ("l2/layer.tar", LINK, b"../l1/layer.tar".to_vec()),
        ("l3.tar.gz", FILE, gzip(&upper)),
        ("one.json", FILE, config(&[&lower])),
        ("two.json", FILE, config(&[&lower, &upper])),
        ("manifest.json", FILE, manifest.to_string().into_bytes()),
        ("repositories", FILE, b"{}".to_vec()),
    ]
}

#[test]
fn an_archive_of_docker_is_read_as_a_layout() {
    let source = archive(&saved());
    let images = read_all(&source, Limits::default()).unwrap();
    assert_eq!(images.len(), 2);
    assert_eq!(
        (images[0].unpacked.model.name.as_str(), images[0].unpacked.model.version.as_str()),
        ("acme/one", "1")
    );
    let names = |tree: &FileTree| tree.iter().map(|(path, _)| path.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&images[0].unpacked.tree), ["/", "/bin", "/bin/a"]);
    assert_eq!(names(&images[1].unpacked.tree), ["/", "/bin", "/bin/b"]);
    let mut visited = Vec::new();
    let done = visit_all(&source, Limits::default(), &mut |platform, path, bytes| {
        visited.push((platform.to_string(), path.to_string(), io::read_to_string(bytes)?));
        Ok(ControlFlow::Continue(()))
    });
    assert_eq!(done.unwrap(), ControlFlow::Continue(()));
    let file = |path: &str, text: &str| ("linux/amd64".to_owned(), path.into(), text.into());
    // What a layer takes away is not visited.
    assert_eq!(visited, [file("/bin/a", "1"), file("/bin/b", "2")]);
    assert_eq!(Layout::verify(&source).unwrap(), []);
    let layout = LayoutReader::open(&source).unwrap();
    let [one, two] = layout.images().unwrap().try_into().unwrap();
    let (one, two) = (layout.documents(&one.descriptor), layout.documents(&two.descriptor));
    let (one, two) = (one.unwrap().manifest.layers, two.unwrap().manifest.layers);
    assert_eq!(one[0], two[0]);
    assert_eq!(one[0].media_type, media_type::LAYER);
    assert_eq!(two[1].media_type, format!("{}+gzip", media_type::LAYER));
    assert_eq!(
        layout.find("one:latest").unwrap().descriptor,
        images[0].descriptor_of("one:latest")
    );
    assert_eq!(
        layout.find("docker.io/acme/one:1").unwrap().descriptor.digest,
        images[0].descriptor.digest
    );
}

impl PlatformImage {
    fn descriptor_of(&self, name: &str) -> Descriptor {
        let mut descriptor = self.descriptor.clone();
        descriptor.annotations.insert(layout::REF_NAME_KEY.into(), name.into());
        descriptor
    }
}

#[test]
fn an_archive_of_docker_is_a_base() {
    let source = archive(&saved());
    let layout = LayoutReader::open(&source).unwrap();
    let image = layout.images().unwrap().remove(1);
    let documents = layout.documents(&image.descriptor).unwrap();
    let store = MemoryStore::new();
    for layer in &documents.manifest.layers {
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut layout.blob(layer).unwrap(), &mut bytes).unwrap();
        store.put(&bytes).unwrap();
    }
    let base = Base::new(None, image.descriptor, Arc::new(documents));
    let base = Base { includes_layers: true, ..base };
    let written = written(&on(base), &tree(&store), &store);
    let artifact = cx(&store, 1, |cx| archive::artifact(&written, cx)).unwrap();
    assert_eq!(Archive::verify(&Files::of(&artifact, &store).source()).unwrap(), []);
}

#[test]
fn rejects_archives_of_docker_that_lie() {
    type Change = fn(&mut Vec<(&'static str, tar::EntryType, Vec<u8>)>);
    let rows: [(Change, &str); 9] = [
        (|m| m.retain(|(name, _, _)| *name != "one.json"), "`one.json`: there is no such file"),
        (|m| m[2].2 = b"../../../etc/shadow".to_vec(), "`l2/layer.tar`: there is no such file"),
        (|m| m[2].2 = b"/etc/shadow".to_vec(), "`l2/layer.tar`: there is no such file"),
        (|m| m[2].2 = b"layer.tar".to_vec(), "more than 8 links"),
        (|m| m[3].2 = b"\xfd7zXZ\0".to_vec(), "as tar, gzip or zstd, found xz"),
        (|m| m[6].2 = b"[".to_vec(), "the JSON of a manifest.json"),
        (
            |m| m[6].2 = br#"[{"Config":"../one.json","Layers":[]}]"#.to_vec(),
            "a path inside the archive",
        ),
        (
            |m| {
                let layers = vec!["l1/layer.tar"; 10_001];
                m[6].2 = json!([{"Config": "one.json", "Layers": layers}]).to_string().into();
            },
            "expected at most 10000 layers, found 10001",
        ),
        (
            // The layers are another image's.
            |m| m[6].2 = br#"[{"Config":"two.json","Layers":["l1/layer.tar"]}]"#.to_vec(),
            "expected one for each of 1 layers, found 2",
        ),
    ];
    for (change, expected) in rows {
        let mut members = saved();
        change(&mut members);
        let error = Layout::read(&archive(&members)).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    // A layer that is not the configuration's.
    let mut members = saved();
    members[0].2 = tar_of(&[("bin/a", FILE, "other")]);
    let error = read_all(&archive(&members), Limits::default()).unwrap_err().to_string();
    assert!(error.contains("layer 0: expected the DiffID"), "{error}");
}
