//! What a model says and the image itself cannot, kept as one annotation of the manifest.

use serde::{Deserialize, Serialize};

use super::accounts::Accounts;
use super::descriptor::{Descriptor, OtherFields, StringMap};
use super::layering::Layering;
use super::model::{Image, StateDirectory};
use super::platform::Platform;

/// The annotation of a manifest that holds what only the model says.
pub(super) const RECORD_KEY: &str = "dev.bake.image";

/// What a model says and the image itself cannot.
///
/// What an image has not is left out, so that its bytes stay as they were before there was a place
/// for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) compression: String,
    /// Whether the first variable is the default `PATH`, added because there was none; never with
    /// `own`.
    pub(super) adds_path: bool,
    pub(super) accounts: Accounts,
    pub(super) state: Vec<StateDirectory>,
    /// The configuration before anything was merged with it, unless the image's configuration is
    /// the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) own: Option<Own>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) base: Option<BaseRecord>,
    #[serde(default, skip_serializing_if = "has_no_rules")]
    pub(super) layering: Layering,
    #[serde(default, skip_serializing_if = "StringMap::is_empty")]
    pub(super) layer_annotations: StringMap,
}

/// What an image is built on, besides its name, which is an annotation of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BaseRecord {
    /// The manifest: media type, digest and size.
    pub(super) manifest: Descriptor,
    /// How many of the layers are the base's.
    pub(super) layers: usize,
    /// The accounts that were merged with the base's, if that was asked for: all that the image
    /// needs, its files' owners among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) accounts: Option<Accounts>,
}

/// What an image's configuration says by itself, before it is merged with a base's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Own {
    pub(super) platform: Platform,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) entrypoint: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) cmd: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) env: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) working_dir: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) exposed_ports: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) volumes: Vec<String>,
    #[serde(default, skip_serializing_if = "StringMap::is_empty")]
    pub(super) labels: StringMap,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stop_signal: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) author: Option<String>,
    /// Further fields of `config`, of images that others made.
    #[serde(skip)]
    pub(super) execution: OtherFields,
    /// Further fields beside `config`, of images that others made.
    #[serde(skip)]
    pub(super) other: OtherFields,
}

impl Own {
    /// Returns what a model says.
    pub(super) fn of(image: &Image) -> Self {
        Self {
            platform: image.platform.clone(),
            entrypoint: image.entrypoint.clone(),
            cmd: image.cmd.clone(),
            env: image.env.clone(),
            user: image.user.clone(),
            working_dir: image.working_dir.clone(),
            exposed_ports: image.exposed_ports.iter().cloned().collect(),
            volumes: image.volumes.iter().cloned().collect(),
            labels: image.labels.clone(),
            stop_signal: image.stop_signal.clone(),
            author: image.author.clone(),
            execution: OtherFields::new(),
            other: OtherFields::new(),
        }
    }

    /// Puts everything into a model.
    pub(super) fn restore(self, image: &mut Image) {
        image.platform = self.platform;
        image.entrypoint = self.entrypoint;
        image.cmd = self.cmd;
        image.env = self.env;
        image.user = self.user;
        image.working_dir = self.working_dir;
        image.exposed_ports = self.exposed_ports.into_iter().collect();
        image.volumes = self.volumes.into_iter().collect();
        image.labels = self.labels;
        image.stop_signal = self.stop_signal;
        image.author = self.author;
    }
}

impl Record {
    /// Returns what to keep of a model; `base` is there exactly if the image has a base.
    pub(super) fn of(image: &Image, base: Option<BaseRecord>) -> Self {
        let is_merged = base.is_some() || super::merge::refers_to_path(&image.env);
        Self {
            name: image.name.clone(),
            version: image.version.clone(),
            compression: image.compression.to_string(),
            adds_path: !is_merged && !image.sets_path(),
            accounts: image.accounts.clone(),
            state: image.state.clone(),
            own: is_merged.then(|| Own::of(image)),
            base,
            layering: image.layering.clone(),
            layer_annotations: image.layer_annotations.clone(),
        }
    }
}

fn has_no_rules(layering: &Layering) -> bool {
    layering.rules.is_empty()
}
