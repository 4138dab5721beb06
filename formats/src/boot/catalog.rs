//! Which modules a kernel has, as files and built in.
//!
//! Besides the files themselves these say so (kmod, `modules.builtin(5)`, `depmod(8)`):
//!
//! ```text
//! modules.builtin           kernel/fs/ext4/ext4.ko                one path a line
//! modules.builtin.modinfo   ext4.alias=fs-ext4 NUL                name, key and value
//! modules.alias             alias fs-vfat vfat                    pattern and name
//! ```

use std::collections::{BTreeMap, BTreeSet};

use super::modinfo::{name, name_of_file};

/// Modules by name.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    files: BTreeMap<String, String>,
    builtin: BTreeSet<String>,
    /// The modules that have an alias, in the file's order.
    aliases: BTreeMap<String, Vec<String>>,
}

impl Catalog {
    /// Returns what a kernel has as files, from the paths below its folder of modules.
    ///
    /// If two files have one name, the one below `updates` counts, as it does for depmod, else the
    /// first in order.
    pub fn new<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        let mut files: BTreeMap<String, String> = BTreeMap::new();
        let rank = |path: &str| (!path.split('/').any(|part| part == "updates"), path.to_owned());
        for path in paths {
            let Some(name) = name_of_file(path) else { continue };
            if files.get(&name).is_none_or(|other| rank(path) < rank(other)) {
                files.insert(name, path.to_owned());
            }
        }
        Self { files, ..Self::default() }
    }

    /// Takes in `modules.builtin`.
    pub fn add_builtin(&mut self, text: &str) {
        self.builtin.extend(text.lines().filter_map(name_of_file));
    }

    /// Takes in `modules.builtin.modinfo`, which also says what else they are known as.
    pub fn add_builtin_info(&mut self, bytes: &[u8]) {
        for text in bytes.split(|byte| *byte == 0) {
            let Ok(text) = std::str::from_utf8(text) else { continue };
            let Some((module, alias)) = text.split_once(".alias=") else { continue };
            self.builtin.insert(name(module));
            self.builtin.insert(name(alias));
        }
    }

    /// Takes in `modules.alias`; only whole names are kept, patterns of devices are not.
    pub fn add_aliases(&mut self, text: &str) {
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let ["alias", alias, module] = words[..]
                && !alias.contains(['*', '?', '[', ':'])
            {
                self.aliases.entry(name(alias)).or_default().push(name(module));
            }
        }
    }

    /// Returns whether a module, or what has this alias, is part of the kernel itself.
    pub fn is_builtin(&self, name: &str) -> bool {
        self.builtin.contains(name)
    }

    /// Returns the path of a module's file.
    pub fn file(&self, name: &str) -> Option<&str> {
        self.files.get(name).map(String::as_str)
    }

    /// Returns the names of all modules that have a name or an alias, as far as they are files.
    pub fn providers(&self, name: &str) -> Vec<String> {
        if self.files.contains_key(name) {
            return vec![name.to_owned()];
        }
        let modules = self.aliases.get(name).into_iter().flatten();
        modules.filter(|module| self.files.contains_key(*module)).cloned().collect()
    }
}
