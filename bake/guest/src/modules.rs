//! Modules of the kernel: which are loaded, and in which order.
//!
//! ```text
//! virtio_ring.ko *
//! virtio_blk.ko virtio:d00000002v*
//! erofs.ko fs-erofs
//! ```
//!
//! A line of `/bake/modules.list` names a module and what it is loaded for: every machine (`*`), or
//! devices and file systems by aliases with commas between them. What a module depends on is loaded
//! before it, whatever its own line says.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::command_line::CommandLine;
use crate::console::say;
use crate::failure::{Doing as _, Failure};
use crate::glob;

/// The list of modules in the initramfs.
const LIST: &str = "/bake/modules.list";
/// Where its modules are.
const FOLDER: &str = "/bake/modules";

/// What a module is loaded for.
#[derive(Debug, PartialEq, Eq)]
enum Trigger {
    Always,
    Aliases(Vec<String>),
}

/// What has become of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    /// It was tried, or is being tried: once is enough.
    Tried,
}

#[derive(Debug)]
struct Module {
    path: PathBuf,
    /// Its name as the kernel has it: with underscores.
    name: String,
    trigger: Trigger,
    state: State,
}

/// The modules of the initramfs.
#[derive(Debug)]
pub struct Modules {
    list: Vec<Module>,
    /// Devices that modules were already looked for.
    devices: BTreeSet<PathBuf>,
}

/// What puts a module into the kernel: its name and its bytes.
type Insert<'a> = &'a mut dyn FnMut(&str, &[u8]) -> io::Result<()>;

impl Modules {
    /// Reads the list of the initramfs; none if it has no list.
    pub fn open() -> Result<Self, Failure> {
        match fs::read_to_string(LIST) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::parse("", FOLDER)),
            text => Ok(Self::parse(&text.doing(|| format!("read {LIST}"))?, FOLDER)),
        }
    }

    fn parse(text: &str, folder: &str) -> Self {
        let list = text.lines().filter_map(|line| {
            let mut words = line.split_ascii_whitespace();
            let path = Path::new(folder).join(words.next()?);
            let trigger = match words.next()? {
                "*" => Trigger::Always,
                aliases => Trigger::Aliases(aliases.split(',').map(str::to_owned).collect()),
            };
            let name = path.file_name()?.to_str()?.trim_end_matches(".ko").replace('-', "_");
            Some(Module { path, name, trigger, state: State::Waiting })
        });
        Self { list: list.collect(), devices: BTreeSet::new() }
    }

    /// Loads what every machine gets and what its devices ask for, until no module brings new devices.
    pub fn settle(&mut self, line: &CommandLine) {
        let mut insert = |name: &str, bytes: &[u8]| insert(name, bytes, line);
        self.load_all(&mut insert, |module| module.trigger == Trigger::Always);
        loop {
            let aliases = self.new_devices();
            let loaded = self
                .load_all(&mut insert, |module| aliases.iter().any(|alias| module.is_for(alias)));
            if !loaded {
                return;
            }
        }
    }

    /// Loads what has a name or alias, as `fs-erofs`, if the initramfs has it.
    pub fn load(&mut self, name: &str, line: &CommandLine) {
        let mut insert = |name: &str, bytes: &[u8]| insert(name, bytes, line);
        self.load_all(&mut insert, |module| {
            glob::matches(name, &module.name) || module.is_for(name)
        });
    }

    /// Returns how many modules there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    fn load_all(&mut self, insert: Insert<'_>, wanted: impl Fn(&Module) -> bool) -> bool {
        let mut any = false;
        for index in 0..self.list.len() {
            if wanted(&self.list[index]) {
                any |= self.load_one(index, insert);
            }
        }
        any
    }

    /// Loads a module after those it depends on, unless it was tried before.
    fn load_one(&mut self, index: usize, insert: Insert<'_>) -> bool {
        let module = &mut self.list[index];
        if module.state == State::Tried {
            return false;
        }
        module.state = State::Tried;
        let bytes = match fs::read(&module.path) {
            Ok(bytes) => bytes,
            Err(error) => {
                say(format_args!("cannot read {}: {error}", module.path.display()));
                return false;
            }
        };
        for name in dependencies(&bytes) {
            // One that is not in the list is built into the kernel.
            if let Some(index) = self.list.iter().position(|module| module.name == name) {
                self.load_one(index, insert);
            }
        }
        let name = &self.list[index].name;
        match insert(name, &bytes) {
            Ok(()) => true,
            Err(error) => {
                say(format_args!("cannot load module {name}: {error}"));
                false
            }
        }
    }

    /// Returns the aliases of devices that were not there before.
    fn new_devices(&mut self) -> BTreeSet<String> {
        let mut aliases = BTreeSet::new();
        let buses = entries(Path::new("/sys/bus"));
        for device in buses.iter().flat_map(|bus| entries(&bus.join("devices"))) {
            if self.devices.contains(&device) {
                continue;
            }
            if let Ok(alias) = fs::read_to_string(device.join("modalias")) {
                aliases.insert(alias.trim_end().to_owned());
            }
            self.devices.insert(device);
        }
        aliases
    }
}

impl Module {
    fn is_for(&self, alias: &str) -> bool {
        match &self.trigger {
            Trigger::Always => false,
            Trigger::Aliases(patterns) => {
                patterns.iter().any(|pattern| glob::matches(pattern, alias))
            }
        }
    }
}

/// Lists a folder of the kernel's, in order; what is gone is empty.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths
}

fn insert(name: &str, bytes: &[u8], line: &CommandLine) -> io::Result<()> {
    let options = CString::new(line.options_of(name))?;
    match rustix::system::init_module(bytes, &options) {
        // It is built in, or the machine lacks what it drives.
        Ok(()) | Err(Errno::EXIST | Errno::NODEV) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Returns the names of modules that a module depends on: `depends=` of its section `.modinfo`.
///
/// The section consists of strings that NUL ends, so the string is found without reading the ELF file
/// around it.
fn dependencies(module: &[u8]) -> Vec<String> {
    let found = module.split(|byte| *byte == 0).find_map(|text| text.strip_prefix(b"depends="));
    let names = String::from_utf8_lossy(found.unwrap_or_default()).into_owned();
    let names = names.split(',').filter(|name| !name.is_empty());
    names.map(|name| name.replace('-', "_")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Modules in a folder, and the names that a call loads, in order.
    fn loaded(list: &str, modules: &[(&str, &str)], aliases: &[&str]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for (file, depends) in modules {
            fs::write(folder.path().join(file), format!("\x7fELF\0depends={depends}\0x")).unwrap();
        }
        let mut list = Modules::parse(list, folder.path().to_str().unwrap());
        let mut names = vec![];
        let insert = &mut |name: &str, _: &[u8]| {
            names.push(name.to_owned());
            Ok(())
        };
        list.load_all(insert, |module| module.trigger == Trigger::Always);
        for alias in aliases {
            list.load_all(insert, |module| module.is_for(alias));
        }
        names
    }

    #[test]
    fn loads_in_list_order_what_devices_ask_for() {
        let list = "b.ko x:1*,y:2*\na.ko *\nc.ko z:*\nd-e.ko x:*\n";
        let modules = [("a.ko", ""), ("b.ko", ""), ("c.ko", ""), ("d-e.ko", "")];
        assert_eq!(loaded(list, &modules, &["x:12", "y:2"]), ["a", "b", "d_e"]);
        assert_eq!(loaded(list, &modules, &["y:2", "x:12"]), ["a", "b", "d_e"]);
        assert_eq!(loaded(list, &modules, &["x:2"]), ["a", "d_e"]);
    }

    #[test]
    fn dependencies_come_first_and_once() {
        let list = "a.ko fs-a\nb-x.ko none\nc.ko none\n";
        let modules = [("a.ko", "b_x,c,built_in"), ("b-x.ko", "c"), ("c.ko", "")];
        assert_eq!(loaded(list, &modules, &["fs-a", "fs-a"]), ["c", "b_x", "a"]);
    }

    #[test]
    fn circles_and_missing_files_end() {
        let list = "a.ko *\nb.ko *\ngone.ko *\n";
        assert_eq!(loaded(list, &[("a.ko", "b,gone"), ("b.ko", "a")], &[]), ["b", "a"]);
    }

    #[test]
    fn lines_that_say_nothing_are_left_out() {
        let list = Modules::parse("\n  \nalone.ko\n/abs/x-y.ko a,b\n", "/bake/modules");
        assert_eq!(list.len(), 1);
        assert_eq!(list.list[0].path, Path::new("/abs/x-y.ko"));
        assert_eq!(list.list[0].name, "x_y");
        assert_eq!(list.list[0].trigger, Trigger::Aliases(vec!["a".into(), "b".into()]));
    }
}
