//! Enabling units of systemd: the links that `systemctl enable` makes (systemd.unit(5), "[Install]
//! Section Options").

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use bake_formats::tree::{Node, TreePath};

use super::error::MachineError;
use super::files::Files;
use crate::error::Error;

/// Where links are made.
const CONFIGURED: &str = "etc/systemd/system";
/// Where units are, the strongest first (systemd.unit(5), "Unit File Load Path").
const FOLDERS: [&str; 4] =
    [CONFIGURED, "usr/local/lib/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"];
/// What asks for links in a unit's folder, and the ending of that folder.
const WANTS: [(&str, &str); 3] =
    [("WantedBy", ".wants"), ("RequiredBy", ".requires"), ("UpheldBy", ".upholds")];

/// Returns the links that enable units, by path, with their targets.
///
/// Units are looked for in the application first, then in the base. One that says nothing of how it
/// is enabled gets no link.
///
/// # Errors
///
/// If a unit is nowhere, is masked, or asks for a link that cannot be.
pub fn enable(trees: &[Files<'_>], units: &[String]) -> Result<BTreeMap<TreePath, Vec<u8>>, Error> {
    let mut links = BTreeMap::new();
    let mut todo: Vec<String> = units.iter().rev().cloned().collect();
    let mut done = BTreeSet::new();
    while let Some(name) = todo.pop() {
        if !done.insert(name.clone()) {
            continue;
        }
        let unit = Unit::find(trees, &name)?;
        todo.extend(unit.install.get("Also").into_iter().flatten().cloned());
        for (path, target) in unit.links()? {
            let path = TreePath::parse(path);
            links.insert(path.map_err(|error| unit.error(error.to_string()))?, target.clone());
        }
    }
    Ok(links)
}

/// A unit with what it says of being enabled.
struct Unit {
    name: String,
    /// Where it is, or where the template is that it is an instance of.
    path: TreePath,
    /// What `[Install]` says: the words of each setting.
    install: BTreeMap<String, Vec<String>>,
}

impl Unit {
    fn find(trees: &[Files<'_>], name: &str) -> Result<Self, Error> {
        let names = [Some(name.to_owned()), template(name)];
        for name_there in names.iter().flatten() {
            for folder in FOLDERS {
                let at = format!("{folder}/{name_there}");
                let Some((files, path)) = look(trees, &at) else { continue };
                if is_masked(files, &path) {
                    return Err(MachineError::new(format!(
                        "the unit `{name}` is masked by `{path}`"
                    ))
                    .into());
                }
                let text =
                    files.text(path.absolute()).map_err(|error| unreadable(&path, &error))?;
                let Some(text) = text else { continue };
                let install = install(&String::from_utf8_lossy(&text));
                return Ok(Self { name: name.into(), path, install });
            }
        }
        let reason =
            format!("the unit `{name}` is neither among the application's files nor in the base");
        Err(MachineError::new(reason).hint("it belongs in `/usr/lib/systemd/system/`").into())
    }

    fn links(&self) -> Result<Vec<(String, Vec<u8>)>, MachineError> {
        let target = self.path.absolute();
        let mut name = self.name.clone();
        if let Some(template) = self.name.split_once("@.") {
            let Some(instance) = self.install.get("DefaultInstance").and_then(|words| words.last())
            else {
                // A template without an instance is for others to enable.
                return Ok(Vec::new());
            };
            name = format!("{}@{instance}.{}", template.0, template.1);
        }
        let mut links = Vec::new();
        for (setting, ending) in WANTS {
            for by in self.install.get(setting).into_iter().flatten() {
                let by = self.expanded(by, &name)?;
                links.push((format!("{CONFIGURED}/{by}{ending}/{name}"), target.clone()));
            }
        }
        for alias in self.install.get("Alias").into_iter().flatten() {
            let alias = self.expanded(alias, &name)?;
            if alias != name {
                links.push((format!("{CONFIGURED}/{alias}"), target.clone()));
            }
        }
        Ok(links)
    }

    /// Replaces the specifiers that a name may have.
    fn expanded(&self, word: &str, name: &str) -> Result<String, MachineError> {
        let (stem, _) = name.rsplit_once('.').unwrap_or((name, ""));
        let (prefix, instance) = stem.split_once('@').unwrap_or((stem, ""));
        let mut text = String::new();
        let mut characters = word.chars();
        while let Some(character) = characters.next() {
            if character != '%' {
                text.push(character);
                continue;
            }
            match characters.next() {
                Some('%') => text.push('%'),
                Some('n') => text.push_str(name),
                Some('N') => text.push_str(stem),
                Some('p') => text.push_str(prefix),
                Some('i') => text.push_str(instance),
                Some('j') => text.push_str(prefix.rsplit('-').next().unwrap_or(prefix)),
                other => {
                    let other = other.map(String::from).unwrap_or_default();
                    return Err(self.error(format!(
                        "expected a specifier of a unit's name in `{word}`, found `%{other}`"
                    )));
                }
            }
        }
        if text.is_empty() || text.contains('/') || text.starts_with('.') {
            return Err(self.error(format!("expected the name of a unit, found `{text}`")));
        }
        Ok(text)
    }

    fn error(&self, reason: impl std::fmt::Display) -> MachineError {
        MachineError::new(format!("the unit `{}` (`{}`): {reason}", self.name, self.path))
    }
}

/// Returns where a unit is; a link to another unit file of the same tree is that file.
fn look<'a>(trees: &[Files<'a>], path: &str) -> Option<(Files<'a>, TreePath)> {
    trees.iter().find_map(|files| {
        let path = TreePath::parse(path).ok()?;
        let folder = files.find(path.parent()?.absolute())?;
        let path = folder.path.join(path.name()).ok()?;
        files.tree.get(&path)?;
        Some((*files, path))
    })
}

/// A unit is masked by a link to `/dev/null` or by an empty file.
fn is_masked(files: Files<'_>, path: &TreePath) -> bool {
    match files.tree.get(path).map(|entry| &entry.node) {
        Some(Node::Symlink(target)) => target == b"/dev/null",
        Some(Node::File(content)) => content.size == 0,
        _ => false,
    }
}

fn unreadable(path: &TreePath, error: &io::Error) -> Error {
    Error::Io(io::Error::new(error.kind(), format!("cannot read `{path}`: {error}")))
}

/// Returns the template of an instance: `a@.service` for `a@b.service`.
fn template(name: &str) -> Option<String> {
    let (prefix, rest) = name.split_once('@')?;
    let (instance, suffix) = rest.rsplit_once('.')?;
    (!instance.is_empty()).then(|| format!("{prefix}@.{suffix}"))
}

/// Returns the words of every setting in `[Install]`; an empty value forgets those before it.
fn install(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut settings: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut is_install = false;
    let mut continued = String::new();
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(part) = line.strip_suffix('\\') {
            continued.push_str(part);
            continued.push(' ');
            continue;
        }
        let line = std::mem::take(&mut continued) + line;
        if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            is_install = section == "Install";
        } else if let Some((name, value)) = line.split_once('=').filter(|_| is_install) {
            let words = settings.entry(name.trim().to_owned()).or_default();
            if value.trim().is_empty() {
                words.clear();
            }
            words.extend(value.split_whitespace().map(str::to_owned));
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use bake_formats::blob::{BlobStore, MemoryStore};
    use bake_formats::tree::{Content, Entry, FileTree, Mode, TreeBuilder};

    use super::*;

    /// Returns a tree of units, and masks where there is no text.
    fn units(store: &MemoryStore, units: &[(&str, &str)]) -> FileTree {
        let mut builder = TreeBuilder::new();
        for (path, text) in units {
            let content = Content::of(text.as_bytes());
            store.put(text.as_bytes()).unwrap();
            let entry = match *text {
                "" => Entry::symlink("/dev/null"),
                _ => Entry::file(content, Mode::PLAIN),
            };
            builder.insert(TreePath::parse(path).unwrap(), entry).unwrap();
        }
        builder.finish().unwrap()
    }

    fn enabled(units_there: &[(&str, &str)], names: &[&str]) -> Result<Vec<String>, String> {
        let store = MemoryStore::new();
        let tree = units(&store, units_there);
        let files = Files { tree: &tree, contents: &store };
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let links = enable(&[files], &names).map_err(|error| error.to_string())?;
        let line = |(path, target): (&TreePath, &Vec<u8>)| {
            let path = path.to_string();
            format!(
                "{} -> {}",
                &path["/etc/systemd/system/".len()..],
                String::from_utf8_lossy(target)
            )
        };
        Ok(links.iter().map(line).collect())
    }

    #[test]
    fn links_are_those_that_systemctl_makes() {
        let there = [
            (
                "usr/lib/systemd/system/app.service",
                "[Unit]\nWantedBy=no.target\n[Install]\nWantedBy=multi-user.target \\\n  graphical.target\nRequiredBy=x.service\nAlias=web.service app.service\nAlso=app.socket app.service\n",
            ),
            (
                "lib/systemd/system/app.socket",
                "[Install]\n# WantedBy=a\nWantedBy=a\nWantedBy=\nWantedBy = sockets.target\n",
            ),
            (
                "usr/lib/systemd/system/t@.timer",
                "[Install]\nDefaultInstance=day\nWantedBy=%p-%i.target\n",
            ),
            ("usr/lib/systemd/system/plain.service", "[Service]\nExecStart=/x\n"),
            ("usr/lib/systemd/system/only@.service", "[Install]\nWantedBy=a.target\n"),
        ];
        let names = ["app.service", "t@.timer", "t@week.timer", "plain.service", "only@.service"];
        let expected = [
            "graphical.target.wants/app.service -> /usr/lib/systemd/system/app.service",
            "multi-user.target.wants/app.service -> /usr/lib/systemd/system/app.service",
            "sockets.target.wants/app.socket -> /lib/systemd/system/app.socket",
            "t-day.target.wants/t@day.timer -> /usr/lib/systemd/system/t@.timer",
            "t-week.target.wants/t@week.timer -> /usr/lib/systemd/system/t@.timer",
            "web.service -> /usr/lib/systemd/system/app.service",
            "x.service.requires/app.service -> /usr/lib/systemd/system/app.service",
        ];
        assert_eq!(enabled(&there, &names).unwrap(), expected);
    }

    #[test]
    fn what_cannot_be_enabled_is_refused() {
        let rows = [
            (
                "usr/lib/systemd/system/b.service",
                "[Service]\n",
                "the unit `a.service` is neither among",
            ),
            ("etc/systemd/system/a.service", "", "the unit `a.service` is masked by `/etc/systemd"),
            (
                "usr/lib/systemd/system/a.service",
                "[Install]\nWantedBy=../x\n",
                "expected the name of a unit, found `../x`",
            ),
            ("usr/lib/systemd/system/a.service", "[Install]\nAlias=%H.service\n", "found `%H`"),
        ];
        for (path, text, expected) in rows {
            let error = enabled(&[(path, text)], &["a.service"]).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
