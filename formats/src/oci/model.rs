//! What an image stores besides the tree.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize, Serializer};

use super::accounts::{Accounts, group_path, passwd_path};
use super::base::Base;
use super::descriptor::{StringMap, fault_in_key};
use super::documents::{BASE_DIGEST_KEY, BASE_NAME_KEY};
use super::layering::Layering;
use super::platform::Platform;
use super::reference;
use super::support::SupportFile;
use crate::encode::{Codec, Compression};
use crate::format::WriteError;
use crate::tree::{Mode, Owner, TreePath};

/// The search path of an image whose environment sets none.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Keys that begin so are this crate's own, in annotations.
pub const OWN_PREFIX: &str = "dev.bake.";

/// An image for one platform.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Image {
    /// The name, e.g. `hello` or `ghcr.io/acme/hello`.
    pub name: String,
    /// The tag, e.g. `1.0`.
    pub version: String,
    /// What the image runs on.
    pub platform: Platform,
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// The arguments that a user replaces.
    pub cmd: Vec<String>,
    /// The environment, each `KEY=VALUE`; a `PATH` is added if there is none. In the value of
    /// `PATH`, `$PATH` and `${PATH}` are the base's, or [`DEFAULT_PATH`].
    pub env: Vec<String>,
    /// The account to run as: `user`, `uid`, `user:group` or `uid:gid`.
    pub user: Option<String>,
    /// The directory to start in.
    pub working_dir: Option<String>,
    /// Ports to publish, e.g. `8080/tcp`.
    pub exposed_ports: BTreeSet<String>,
    /// Directories that hold data of the container's own.
    pub volumes: BTreeSet<String>,
    /// Metadata in the configuration.
    pub labels: StringMap,
    /// Metadata in the manifest, without keys that begin with [`OWN_PREFIX`].
    pub annotations: StringMap,
    /// Metadata in the manifest's descriptor, where an index lists it; see [`join`](super::join) for
    /// the index's own.
    pub descriptor_annotations: StringMap,
    /// Metadata in the descriptor of each layer of the image's own.
    pub layer_annotations: StringMap,
    /// The signal that stops the container, e.g. `SIGINT`.
    pub stop_signal: Option<String>,
    /// Who made the image.
    pub author: Option<String>,
    /// What the image is built on; nothing if absent.
    pub base: Option<Base>,
    /// How the tree is split into layers.
    pub layering: Layering,
    /// How layers are compressed: not, gzip or zstd.
    pub compression: Compression,
    /// Accounts to list in `/etc/passwd` and `/etc/group`, besides root and the tree's owners.
    pub accounts: Accounts,
    /// Directories to make for an account's data.
    pub state: Vec<StateDirectory>,
    /// Files that the image has besides the tree, e.g. certificates.
    pub support: BTreeMap<TreePath, SupportFile>,
}

/// A directory that is made for an account's data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateDirectory {
    /// Where, e.g. `/var/lib/hello`.
    pub path: TreePath,
    /// The permission bits.
    #[serde(serialize_with = "write_mode", deserialize_with = "read_mode")]
    pub mode: Mode,
    /// The owning user.
    #[serde(with = "OwnerFields")]
    pub owner: Owner,
    /// The owning group.
    #[serde(with = "OwnerFields")]
    pub group: Owner,
}

impl Image {
    /// Returns an image that does nothing, compressed with gzip.
    pub fn new(name: impl Into<String>, version: impl Into<String>, platform: Platform) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            platform,
            entrypoint: Vec::new(),
            cmd: Vec::new(),
            env: Vec::new(),
            user: None,
            working_dir: None,
            exposed_ports: BTreeSet::new(),
            volumes: BTreeSet::new(),
            labels: StringMap::new(),
            annotations: StringMap::new(),
            descriptor_annotations: StringMap::new(),
            layer_annotations: StringMap::new(),
            stop_signal: None,
            author: None,
            base: None,
            layering: Layering::default(),
            compression: Compression::GZIP,
            accounts: Accounts::default(),
            state: Vec::new(),
            support: BTreeMap::new(),
        }
    }

    /// Returns the file name without its extension: the name's last component and the version.
    pub(super) fn file_stem(&self) -> String {
        let name = self.name.rsplit('/').next().unwrap_or_default();
        let plain = |c: char| if c == '/' || c.is_control() { '-' } else { c };
        format!("{name}-{}", self.version).chars().map(plain).collect()
    }

    /// Returns whether the environment sets a search path.
    pub(super) fn sets_path(&self) -> bool {
        self.env.iter().any(|variable| variable.starts_with("PATH="))
    }

    /// Fails if a field holds what the specification or a runtime refuses.
    pub(super) fn check(&self) -> Result<(), WriteError> {
        fail_if("name", reference::fault_in_name(&self.name), &self.name)?;
        fail_if("version", reference::fault_in_tag(&self.version), &self.version)?;
        self.check_platform()?;
        self.check_execution()?;
        self.check_maps()?;
        self.check_state()?;
        self.check_support()?;
        self.layering.check()?;
        if self.compression.codec == Codec::Xz {
            let fault = Some("expected none, gzip or zstd, which are the media types of layers");
            fail_if("compression", fault, &self.compression.to_string())?;
        }
        Ok(())
    }

    fn check_platform(&self) -> Result<(), WriteError> {
        let Platform { architecture, os, variant } = &self.platform;
        let is_word = |text: &str| {
            let is_plain =
                |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
            !text.is_empty() && text.bytes().all(is_plain)
        };
        for text in [Some(architecture), Some(os), variant.as_ref()].into_iter().flatten() {
            let fault = (!is_word(text)).then_some("expected letters, digits, `.`, `_` and `-`");
            fail_if("platform", fault, text)?;
        }
        Ok(())
    }

    fn check_execution(&self) -> Result<(), WriteError> {
        let mut keys = BTreeSet::new();
        for variable in &self.env {
            let key = variable.split_once('=').map_or("", |(key, _)| key);
            let fault = match key {
                "" => Some("expected KEY=VALUE"),
                _ if !keys.insert(key) => Some("expected each variable once"),
                _ => None,
            };
            fail_if("config.Env", fault, variable)?;
        }
        let text = |text: &Option<String>| text.clone().into_iter().collect::<Vec<_>>();
        let texts = [
            ("config.Entrypoint", self.entrypoint.clone()),
            ("config.Cmd", self.cmd.clone()),
            ("config.Env", self.env.clone()),
            ("config.User", text(&self.user)),
            ("config.WorkingDir", text(&self.working_dir)),
            ("config.StopSignal", text(&self.stop_signal)),
            ("author", text(&self.author)),
        ];
        for (field, texts) in &texts {
            let has_nul = texts.iter().any(|text| text.contains('\0'));
            fail_if(field, has_nul.then_some("expected no NUL character"), "")?;
        }
        for (field, texts) in texts.iter().skip(3) {
            let is_empty = texts.iter().any(String::is_empty);
            fail_if(field, is_empty.then_some("expected text, or nothing at all"), "")?;
        }
        let directories = self.volumes.iter().map(|path| ("config.Volumes", path));
        for (field, path) in
            directories.chain(self.working_dir.iter().map(|path| ("config.WorkingDir", path)))
        {
            let fault = (!path.starts_with('/')).then_some("expected an absolute path");
            fail_if(field, fault, path)?;
        }
        for port in &self.exposed_ports {
            fail_if("config.ExposedPorts", fault_in_port(port), port)?;
        }
        Ok(())
    }

    fn check_maps(&self) -> Result<(), WriteError> {
        let annotations = [
            ("annotations", &self.annotations),
            ("descriptor annotations", &self.descriptor_annotations),
            ("layer annotations", &self.layer_annotations),
        ];
        for (field, map) in [("config.Labels", &self.labels)].iter().chain(&annotations) {
            let is_empty = map.contains_key("");
            fail_if(field, is_empty.then_some("expected a key that is not empty"), "")?;
        }
        for (field, map) in annotations {
            for key in map.keys() {
                fail_if(field, fault_in_key(key), key)?;
                let fault =
                    key.starts_with(OWN_PREFIX).then_some("keys that begin so are reserved");
                fail_if(field, fault, key)?;
            }
        }
        for key in [BASE_NAME_KEY, BASE_DIGEST_KEY] {
            let is_taken = self.base.is_some() && self.annotations.contains_key(key);
            let fault = is_taken.then_some("the base fills this key, expected it not to be set");
            fail_if("annotations", fault, key)?;
        }
        Ok(())
    }

    fn check_support(&self) -> Result<(), WriteError> {
        let databases = [passwd_path(), group_path()];
        for path in self.support.keys() {
            let fault = match path.relative_str() {
                None => Some("expected a path in UTF-8"),
                Some("") => Some("expected a file below the root"),
                Some(_) if databases.contains(path) => {
                    Some("account databases are made from `accounts`")
                }
                Some(_) => None,
            };
            fail_if("support", fault, &path.to_string())?;
        }
        Ok(())
    }

    fn check_state(&self) -> Result<(), WriteError> {
        let mut paths = BTreeSet::new();
        for StateDirectory { path, .. } in &self.state {
            let fault = match path.relative_str() {
                None => Some("expected a path in UTF-8"),
                Some("") => Some("expected a directory below the root"),
                Some(path) if !paths.insert(path) => Some("expected each directory once"),
                Some(_) => None,
            };
            fail_if("state", fault, &path.to_string())?;
        }
        Ok(())
    }
}

/// Says why text is no port as configurations list it; `None` if it is one.
fn fault_in_port(text: &str) -> Option<&'static str> {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    match number.parse::<u16>() {
        Ok(1..) if is_number && matches!(protocol, "tcp" | "udp" | "sctp") => None,
        _ => Some("expected a port from 1 to 65535, and /tcp, /udp or /sctp"),
    }
}

/// Turns a fault into an error about a field.
pub(super) fn fail_if(field: &str, fault: Option<&str>, found: &str) -> Result<(), WriteError> {
    fault.map_or(Ok(()), |fault| Err(field_error(field, fault, found)))
}

/// Returns an error about a field; `found` is left out if it is empty.
pub(super) fn field_error(field: &str, fault: &str, found: &str) -> WriteError {
    let reason = match found {
        "" => fault.to_owned(),
        _ => format!("{fault}, found `{}`", found.escape_debug()),
    };
    WriteError::Field { format: super::NAME, field: field.into(), reason }
}

/// The JSON form of an [`Owner`].
#[derive(Serialize, Deserialize)]
#[serde(remote = "Owner")]
struct OwnerFields {
    name: std::sync::Arc<str>,
    id: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn write_mode<S: Serializer>(mode: &Mode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(mode)
}

fn read_mode<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Mode, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bits = u32::from_str_radix(&text, 8).map_err(serde::de::Error::custom)?;
    Mode::new(bits).map_err(serde::de::Error::custom)
}
