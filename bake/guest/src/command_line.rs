//! What the kernel command line says to this program.
//!
//! | key | meaning |
//! |---|---|
//! | `root=` | the device with the root file system: a [`Selector`] |
//! | `rootfstype=` | its type, if it is none that is known by its superblock |
//! | `ro`, `rw` | whether it is written; `rw` unless said |
//! | `bake.app=` | the device with the application: a [`Selector`] |
//! | `bake.overlay=tmpfs` | what changes below the application's directories is kept in memory |
//! | `bake.wait=` | seconds until a missing device is a failure; 30 |
//! | `init=` | the program that takes over; `/sbin/init` |
//! | `panic=` | what happens after a failure: [`AfterFailure`] |
//! | `quiet` | failures only |
//! | `MODULE.OPTION=` | options of modules |

use std::time::Duration;

use crate::console::AfterFailure;

/// How a block device is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// By its partition's GUID, in lower case.
    PartUuid(String),
    /// By its partition's name.
    PartLabel(String),
    /// By its file system's UUID, in lower case.
    Uuid(String),
    /// By its file system's label.
    Label(String),
    /// By its name in `/dev`, or what else was written.
    Path(String),
}

impl Selector {
    fn parse(text: &str) -> Self {
        match text.split_once('=') {
            Some(("PARTUUID", guid)) => Self::PartUuid(guid.to_lowercase()),
            Some(("PARTLABEL", name)) => Self::PartLabel(name.into()),
            Some(("UUID", uuid)) => Self::Uuid(uuid.to_lowercase()),
            Some(("LABEL", label)) => Self::Label(label.into()),
            _ => Self::Path(text.into()),
        }
    }
}

impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::PartUuid(guid) => write!(f, "PARTUUID={guid}"),
            Self::PartLabel(name) => write!(f, "PARTLABEL={name}"),
            Self::Uuid(uuid) => write!(f, "UUID={uuid}"),
            Self::Label(label) => write!(f, "LABEL={label}"),
            Self::Path(path) => f.write_str(path),
        }
    }
}

/// The part of the kernel command line that this program acts on.
#[derive(Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// Where the root file system is; none if the initramfs holds the system.
    pub root: Option<Selector>,
    /// Its type, if given.
    pub root_type: Option<String>,
    /// Whether the root file system may be written.
    pub writable: bool,
    /// Where the application is.
    pub application: Option<Selector>,
    /// Whether changes below the application's directories stay in memory.
    pub changes_in_memory: bool,
    /// How long missing devices are waited for.
    pub wait: Duration,
    /// The program that takes over, if given.
    pub init: Option<String>,
    /// What happens after a failure.
    pub after_failure: AfterFailure,
    /// Whether only failures are told.
    pub quiet: bool,
    /// Options of modules: the module's name with underscores, and `OPTION=VALUE` or `OPTION`.
    pub module_options: Vec<(String, String)>,
}

impl CommandLine {
    /// Parses a command line; the last of several values counts.
    pub fn parse(text: &str) -> Self {
        let mut line = Self {
            root: None,
            root_type: None,
            writable: true,
            application: None,
            changes_in_memory: false,
            wait: Duration::from_secs(30),
            init: None,
            after_failure: AfterFailure::Stop,
            quiet: false,
            module_options: Vec::new(),
        };
        for word in words(text).iter().take_while(|word| *word != "--") {
            line.take(word);
        }
        line
    }

    fn take(&mut self, word: &str) {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        match key {
            "root" => self.root = (!value.is_empty()).then(|| Selector::parse(value)),
            "rootfstype" => self.root_type = Some(value.into()),
            "ro" => self.writable = false,
            "rw" => self.writable = true,
            "bake.app" => self.application = (!value.is_empty()).then(|| Selector::parse(value)),
            "bake.overlay" => self.changes_in_memory = value == "tmpfs",
            "bake.wait" => {
                self.wait = value.parse().map_or(self.wait, Duration::from_secs);
            }
            "init" => self.init = (!value.is_empty()).then(|| value.into()),
            "panic" => self.after_failure = AfterFailure::parse(value),
            "quiet" => self.quiet = true,
            _ => {
                if let Some((module, option)) = word.split_once('.') {
                    self.module_options.push((module.replace('-', "_"), option.into()));
                }
            }
        }
    }

    /// Returns the options of a module as the kernel takes them.
    pub fn options_of(&self, module: &str) -> String {
        let options = self.module_options.iter().filter(|(name, _)| name == module);
        let options: Vec<&str> = options.map(|(_, option)| option.as_str()).collect();
        options.join(" ")
    }
}

/// Splits at white space that no double quotes enclose, and drops the quotes.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![];
    let mut word = String::new();
    let mut quoted = false;
    for character in text.chars() {
        match character {
            '"' => quoted = !quoted,
            space if space.is_ascii_whitespace() && !quoted => {
                words.push(std::mem::take(&mut word));
            }
            other => word.push(other),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_key() {
        let line = CommandLine::parse(
            "console=ttyS0 root=PARTUUID=0A-b rootfstype=xfs ro bake.app=PARTLABEL=app bake.overlay=tmpfs \
             bake.wait=5 init=/bin/catalog panic=-1 quiet nvme-core.io_timeout=9 nvme_core.multipath=N\n",
        );
        let expected = CommandLine {
            root: Some(Selector::PartUuid("0a-b".into())),
            root_type: Some("xfs".into()),
            writable: false,
            application: Some(Selector::PartLabel("app".into())),
            changes_in_memory: true,
            wait: Duration::from_secs(5),
            init: Some("/bin/catalog".into()),
            after_failure: AfterFailure::Restart(Duration::ZERO),
            quiet: true,
            module_options: vec![
                ("nvme_core".into(), "io_timeout=9".into()),
                ("nvme_core".into(), "multipath=N".into()),
            ],
        };
        assert_eq!(line, expected);
        assert_eq!(line.options_of("nvme_core"), "io_timeout=9 multipath=N");
        assert_eq!(line.options_of("nvme"), "");
    }

    #[test]
    fn the_last_value_counts_and_what_init_gets_does_not() {
        let line = CommandLine::parse(
            "root=/dev/vda ro rw root=LABEL=\"a b\" bake.wait=x -- root=/dev/vdb",
        );
        assert_eq!(line.root, Some(Selector::Label("a b".into())));
        assert!(line.writable);
        assert_eq!(line.wait, Duration::from_secs(30));
        assert_eq!(CommandLine::parse("root= init=").root, None);
    }

    #[test]
    fn a_selector_prints_as_it_is_written() {
        for text in ["PARTUUID=a", "PARTLABEL=A b", "UUID=a-b", "LABEL=x=y", "/dev/vda1", "0x803"] {
            assert_eq!(Selector::parse(text).to_string(), text);
        }
    }
}
