//! The text of an environment's file, changed where asked and nowhere else.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use bake_config::{Name, Scalar};
use bake_recipes::environment::{self, EnvironmentName, Source};
use bake_recipes::{RecipeError, RecipeErrors};
use rustix::fs::{FlockOperation, flock};
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use super::fault::Fault;

/// The mode of a new file, less what the umask takes.
const MODE: u32 = 0o666;

/// Whether a file is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// It must be.
    There,
    /// It may not be, and is made then.
    New,
}

/// A file that is edited. Nobody else edits the folder's environments meanwhile.
pub struct Document {
    path: PathBuf,
    folder: File,
    name: EnvironmentName,
    /// What the file was.
    text: Option<String>,
    edited: DocumentMut,
    /// What the file is to set.
    sources: BTreeMap<Name, Source>,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Document {
    /// Reads the file of an environment to edit it.
    pub fn open(folder: &Path, name: &EnvironmentName, start: Start) -> Result<Self, RecipeErrors> {
        let path = environment::path(folder, name);
        let broken = |error: io::Error| unwritable(&path, &error);
        if start == Start::New {
            fs_err::create_dir_all(folder).map_err(broken)?;
        }
        let missing = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => environment::missing(folder, name),
            _ => broken(error),
        };
        let (folder_file, _) = fs_err::File::open(folder).map_err(missing)?.into_parts();
        flock(&folder_file, FlockOperation::LockExclusive).map_err(|error| broken(error.into()))?;
        let is_there = fs_err::symlink_metadata(&path).is_ok();
        if !is_there && start == Start::There {
            return Err(environment::missing(folder, name).into());
        }
        let mut opened = Self {
            path: path.clone(),
            folder: folder_file,
            name: name.clone(),
            text: None,
            edited: DocumentMut::new(),
            sources: BTreeMap::new(),
        };
        if is_there {
            // Says what is wrong with it better than an editor of TOML does.
            environment::load(folder, name)?;
            let text = fs_err::read_to_string(&path).map_err(broken)?;
            opened.sources = environment::own_sources(&path.display().to_string(), &text, name)?;
            let parsed = text
                .parse()
                .map_err(|_| broken(io::Error::other("it is no TOML that can be edited")));
            opened.edited = parsed?;
            opened.text = Some(text);
        }
        Ok(opened)
    }

    /// Returns what the file sets.
    pub fn sources(&self) -> &BTreeMap<Name, Source> {
        &self.sources
    }

    /// Sets a plain value.
    pub fn set_plain(&mut self, key: &Name, value: Scalar) -> Result<(), Fault> {
        let written = match &value {
            Scalar::Text(text) => Value::from(text.as_str()),
            Scalar::Integer(number) => Value::from(*number),
            Scalar::Float(number) => Value::from(*number),
            Scalar::Bool(yes) => Value::from(*yes),
            Scalar::List(list) => Value::from(list.iter().collect::<Array>()),
        };
        self.put("values", "secrets", key, written)?;
        self.sources.insert(key.clone(), Source::Plain(value));
        Ok(())
    }

    /// Sets a secret that age encrypted.
    pub fn set_secret(&mut self, key: &Name, armored: String) -> Result<(), Fault> {
        let mut table = InlineTable::new();
        table.insert("age", multi_line(&armored)?);
        self.put("secrets", "values", key, Value::InlineTable(table))?;
        self.sources.insert(key.clone(), Source::Age(armored));
        Ok(())
    }

    /// Removes a key; returns whether it was there.
    pub fn unset(&mut self, key: &Name) -> bool {
        for table in ["values", "secrets"] {
            if let Some(table) = self.edited.get_mut(table).and_then(Item::as_table_like_mut) {
                table.remove(key.as_str());
            }
        }
        self.sources.remove(key).is_some()
    }

    /// Sets the key of digests.
    pub fn set_digest_key(&mut self, armored: &str) -> Result<(), Fault> {
        put_first(self.edited.as_table_mut(), "digest-key", multi_line(armored)?);
        Ok(())
    }

    /// Sets who can decrypt: those that stay keep their places and comments.
    pub fn set_recipients(&mut self, recipients: &[String]) {
        let root = self.edited.as_table_mut();
        let Some(list) = root.get_mut("recipients").and_then(Item::as_array_mut) else {
            put_first(root, "recipients", Value::from(recipients.iter().collect::<Array>()));
            return;
        };
        let is_kept = |value: &Value| {
            value.as_str().is_some_and(|text| recipients.iter().any(|kept| kept == text.trim()))
        };
        list.retain(is_kept);
        for recipient in recipients {
            if !list.iter().any(|value| value.as_str().map(str::trim) == Some(recipient)) {
                // On a line of its own if the others are.
                let decor = list.iter().last().map(|last| last.decor().clone());
                let mut value = Value::from(recipient.as_str());
                if let Some(decor) = decor {
                    *value.decor_mut() = decor;
                }
                list.push_formatted(value);
            }
        }
    }

    fn put(&mut self, table: &str, other: &str, key: &Name, value: Value) -> Result<(), Fault> {
        if let Some(other) = self.edited.get_mut(other).and_then(Item::as_table_like_mut) {
            other.remove(key.as_str());
        }
        let item = self.edited.entry(table).or_insert_with(|| Item::Table(Table::new()));
        let found =
            item.as_table_like_mut().ok_or_else(|| Fault::new(format!("`{table}` is no table")))?;
        put(found, key.as_str(), value);
        Ok(())
    }

    /// Writes the file if it changed, beside the old one, and puts it in its place. Returns whether it changed.
    pub fn save(self) -> Result<bool, RecipeErrors> {
        let text = self.edited.to_string();
        if self.text.as_ref() == Some(&text) {
            return Ok(false);
        }
        let broken = |error: io::Error| unwritable(&self.path, &error);
        let sources =
            environment::own_sources(&self.path.display().to_string(), &text, &self.name)?;
        if sources != self.sources {
            let reason = "it would set something else than was asked for; write it by hand";
            return Err(broken(io::Error::other(reason)).into());
        }
        self.replace(&text).map_err(broken)?;
        Ok(true)
    }

    fn replace(&self, text: &str) -> io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let mode = match &self.text {
            Some(_) => fs_err::metadata(&self.path)?.permissions().mode() & 0o7777,
            None => MODE,
        };
        let mut file = tempfile::Builder::new()
            .prefix(&format!(".{}.", self.name))
            .suffix(".part")
            .permissions(std::fs::Permissions::from_mode(mode))
            .tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        if self.text.is_some() {
            // The umask is for new files.
            file.as_file().set_permissions(std::fs::Permissions::from_mode(mode))?;
        }
        file.as_file().sync_all()?;
        match &self.text {
            Some(_) => file.persist(&self.path)?,
            None => file.persist_noclobber(&self.path)?,
        };
        self.folder.sync_all()
    }
}

/// Sets a key of a table; what is written around an old value stays.
fn put(table: &mut dyn TableLike, key: &str, mut value: Value) {
    if let Some(old) = table.get(key).and_then(Item::as_value) {
        *value.decor_mut() = old.decor().clone();
    }
    match table.get_mut(key) {
        Some(item) => *item = Item::Value(value),
        None => drop(table.insert(key, Item::Value(value))),
    }
}

/// Sets a key that stands before all tables, with a line between it and the first of them.
fn put_first(root: &mut Table, key: &str, value: Value) {
    if !root.iter().any(|(_, item)| item.is_value()) {
        let first = root.iter_mut().find_map(|(_, item)| item.as_table_mut());
        let bare = |table: &&mut Table| {
            table.decor().prefix().is_none_or(|text| text.as_str() == Some(""))
        };
        if let Some(table) = first.filter(bare) {
            table.decor_mut().set_prefix("\n");
        }
    }
    put(root, key, value);
}

/// Returns armored text as a value on several lines.
fn multi_line(armored: &str) -> Result<Value, Fault> {
    format!("\"\"\"\n{armored}\"\"\"").parse().map_err(|_| Fault::new("this is not armored"))
}

fn unwritable(path: &Path, error: &io::Error) -> RecipeError {
    RecipeError::new(format!("cannot edit `{}`: {error}", path.display()))
}
