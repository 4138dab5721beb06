//! Writing one image.

use std::collections::BTreeMap;

use super::config::{Config, Execution, History, RootFs, rfc3339};
use super::descriptor::{Descriptor, OtherFields, media_type};
use super::json;
use super::layer::{Layer, Role};
use super::manifest::Manifest;
use super::model::{DEFAULT_PATH, Image, Record, keys};
use super::written::{Written, WrittenImage};
use crate::digest::Digest;
use crate::format::{WriteCx, WriteError};
use crate::rope::Rope;
use crate::tree::FileTree;

/// The annotation of a manifest that holds the tree's identity.
pub const TREE_KEY: &str = "dev.bake.tree";
/// The annotation of a manifest that holds what only the model says.
pub(super) const RECORD_KEY: &str = "dev.bake.image";
/// What history says that layers were created by.
pub const CREATED_BY: &str = "bake";

/// Writes an image: its layers, its configuration and its manifest.
pub fn write(image: &Image, tree: &FileTree, cx: &WriteCx<'_>) -> Result<Written, WriteError> {
    image.check()?;
    let created = rfc3339(cx.epoch);
    let mut stack = Stack::scratch(image, &created);
    let mut blobs = BTreeMap::new();
    let support = Layer::support(image, tree, cx)?;
    for layer in [Some(Layer::payload(image, tree, cx)?), support].into_iter().flatten() {
        stack.push(layer, &created, &mut blobs);
    }
    let Stack { layers, config } = stack;

    let config = Written::add(&mut blobs, json::canonical(&config)?);
    let config = Descriptor::new(media_type::CONFIG, config);
    let mut annotations = image.annotations.clone();
    annotations.insert(TREE_KEY.into(), tree.id().to_string());
    let record = json::canonical(&Record::of(image))?;
    annotations.insert(RECORD_KEY.into(), String::from_utf8_lossy(&record).into_owned());
    let manifest = Manifest::new(config, layers, annotations);
    let blob = Written::add(&mut blobs, json::canonical(&manifest)?);
    let mut root = Descriptor::new(media_type::MANIFEST, blob);
    root.platform = Some(image.platform.clone());
    let images = vec![WrittenImage { descriptor: root.clone(), manifest }];
    let (name, version) = (image.name.clone(), image.version.clone());
    Ok(Written { name, version, root, images, blobs })
}

/// Layers in order with the configuration that describes them.
///
/// A base image is one more way to start a stack: with its layers' descriptors and its
/// configuration, whose blobs need not be here.
struct Stack {
    layers: Vec<Descriptor>,
    config: Config,
}

impl Stack {
    /// Starts without a layer.
    fn scratch(image: &Image, created: &str) -> Self {
        let config = Config {
            created: Some(created.into()),
            author: image.author.clone(),
            architecture: image.platform.architecture.clone(),
            os: image.platform.os.clone(),
            variant: image.platform.variant.clone(),
            config: Some(execution(image)),
            rootfs: RootFs { kind: "layers".into(), diff_ids: Vec::new() },
            history: Vec::new(),
            other: OtherFields::new(),
        };
        Self { layers: Vec::new(), config }
    }

    /// Puts a layer on top.
    fn push(&mut self, layer: Layer, created: &str, blobs: &mut BTreeMap<Digest, Rope>) {
        let Layer { descriptor, diff_id, rope, role } = layer;
        let comment = match role {
            Role::Payload => "the tree",
            Role::Support => "accounts and state directories",
        };
        self.config.rootfs.diff_ids.push(diff_id);
        self.config.history.push(History {
            created: Some(created.into()),
            created_by: Some(CREATED_BY.into()),
            comment: Some(comment.into()),
            ..History::default()
        });
        blobs.insert(descriptor.digest, rope);
        self.layers.push(descriptor);
    }
}

fn execution(image: &Image) -> Execution {
    let path = (!image.sets_path()).then(|| format!("PATH={DEFAULT_PATH}"));
    Execution {
        user: image.user.clone().unwrap_or_default(),
        exposed_ports: keys(&image.exposed_ports),
        env: path.into_iter().chain(image.env.iter().cloned()).collect(),
        entrypoint: image.entrypoint.clone(),
        cmd: image.cmd.clone(),
        volumes: keys(&image.volumes),
        working_dir: image.working_dir.clone().unwrap_or_default(),
        labels: image.labels.clone(),
        stop_signal: image.stop_signal.clone().unwrap_or_default(),
        other: OtherFields::new(),
    }
}
