//! The image configuration: how to run the image, and what its layers decompress to (image-spec,
//! config.md).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::descriptor::{OtherFields, StringMap, or_default};
use super::json::Document;
use super::platform::Platform;
use crate::digest::Digest;
use crate::format::Epoch;

/// An image configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// When the image was made, as RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// Who made the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The CPU architecture.
    pub architecture: String,
    /// The operating system.
    pub os: String,
    /// The variant of the CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// How to run a container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Execution>,
    /// What the layers decompress to.
    pub rootfs: RootFs,
    /// One entry per layer and per step that made no layer.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub history: Vec<History>,
    /// `os.version`, `os.features` and whatever else stands there.
    #[serde(flatten)]
    pub other: OtherFields,
}

impl Document for Config {
    type Strict = oci_spec::image::ImageConfiguration;
    const WHAT: &'static str = "image configuration";
    const LIMIT: u64 = 8 << 20;
}

impl Config {
    /// Returns what the image runs on.
    pub fn platform(&self) -> Platform {
        let (architecture, os) = (self.architecture.clone(), self.os.clone());
        let variant = self.variant.clone().filter(|variant| !variant.is_empty());
        Platform { architecture, os, variant }
    }
}

/// How to run a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Execution {
    /// `user`, `uid`, `user:group` or `uid:gid`.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    pub user: String,
    /// Ports as `8080/tcp`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub exposed_ports: Keys,
    /// `KEY=VALUE`.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub env: Vec<String>,
    /// The program and its first arguments.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub entrypoint: Vec<String>,
    /// The arguments that a user replaces.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub cmd: Vec<String>,
    /// Directories that hold data of the container's own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub volumes: Keys,
    /// The directory to start in.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    pub working_dir: String,
    /// Metadata of the container.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "or_default")]
    pub labels: StringMap,
    /// The signal that stops the container.
    #[serde(skip_serializing_if = "String::is_empty", deserialize_with = "or_default")]
    pub stop_signal: String,
    /// Docker's `Healthcheck` and whatever else stands there.
    #[serde(flatten)]
    pub other: OtherFields,
}

/// A set, spelled as an object whose values are empty objects.
pub type Keys = BTreeMap<String, Map<String, Value>>;

/// What the layers decompress to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The digests of the layers before compression, the lowest first.
    #[serde(deserialize_with = "or_default")]
    pub diff_ids: Vec<Digest>,
}

/// How one layer came to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    /// When, as RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// By what command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// Anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Whether the step made no layer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub empty_layer: bool,
    /// `author` and whatever else stands there.
    #[serde(flatten)]
    pub other: OtherFields,
}

/// Returns a time as RFC 3339 in UTC, e.g. `1970-01-01T00:00:00Z`.
pub fn rfc3339(epoch: Epoch) -> String {
    let (year, month, day) = epoch.date();
    let seconds = epoch.0 % 86_400;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Undoes [`rfc3339`]; `None` for times in another form.
pub fn epoch_of(text: &str) -> Option<Epoch> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    // Days from 1 March of the year 0 on, so that leap days end years.
    let (year, month) =
        if month < 3 { (year.checked_sub(1)?, month + 9) } else { (year, month - 3) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day;
    let days = days.checked_sub(719_469)?;
    let seconds = days * 86_400 + number(11..13)? * 3600 + number(14..16)? * 60 + number(17..19)?;
    let epoch = Epoch(u32::try_from(seconds).ok()?);
    (rfc3339(epoch) == text).then_some(epoch)
}

#[cfg(test)]
mod tests {
    use super::super::json;
    use super::*;

    #[test]
    fn prints_times_as_rfc_3339() {
        let rows = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (1_735_689_600, "2025-01-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (u32::MAX, "2106-02-07T06:28:15Z"),
        ];
        for (seconds, expected) in rows {
            assert_eq!(rfc3339(Epoch(seconds)), expected);
            assert_eq!(epoch_of(expected), Some(Epoch(seconds)));
        }
        for text in
            ["", "2000-02-30T00:00:00Z", "2000-01-01T00:00:00+01:00", "2000-01-01 00:00:00Z"]
        {
            assert_eq!(epoch_of(text), None, "{text}");
        }
    }

    #[test]
    fn reads_what_docker_writes_and_keeps_all_of_it() {
        let text = r#"{"architecture":"amd64","config":{"ArgsEscaped":true,"Cmd":["sh"],"Healthcheck":{"Test":["CMD","true"]}},"os":"linux","os.version":"1","rootfs":{"diff_ids":[],"type":"layers"},"x":null}"#;
        let config = Config::parse(text.as_bytes()).unwrap();
        assert_eq!(json::canonical(&config).unwrap(), text.as_bytes());

        let nulls = r#"{"architecture":"amd64","config":{"Cmd":null,"Env":null,"ExposedPorts":null,"Labels":null,"Volumes":null,"Entrypoint":null},"os":"linux","rootfs":{"diff_ids":null,"type":"layers"},"history":null}"#;
        let config: Config = json::read("image configuration", nulls.as_bytes()).unwrap();
        assert_eq!(config.config, Some(Execution::default()));
    }
}
