//! What a machine needs besides the application's files: accounts, enabled units, directories.

use std::collections::BTreeMap;

use bake_formats::tree::{Content, Entry, FileTree, Mode, Node, Owner, TreeBuilder, TreePath};

use super::accounts::{Accounts, Group, User};
use super::error::MachineError;
use super::facts::Databases;
use super::files::Files;
use super::units;
use crate::assemble::SourceFiles;
use crate::error::Error;

/// Shells for accounts that nobody logs in to, the likeliest first.
const NO_LOGIN: [&str; 4] = ["usr/sbin/nologin", "sbin/nologin", "usr/bin/false", "bin/false"];

/// What an application needs on a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needed {
    /// Users besides those that own files.
    pub users: Vec<User>,
    /// Groups besides those that own files.
    pub groups: Vec<Group>,
    /// The full names of units to enable.
    pub units: Vec<String>,
    /// Directories that the application keeps data in.
    pub state: Vec<State>,
}

/// A directory that an application keeps data in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Where.
    pub path: TreePath,
    /// The mode.
    pub mode: Mode,
    /// The owning user; the number is the base's if it knows the name.
    pub owner: Owner,
    /// The owning group; likewise.
    pub group: Owner,
}

/// What is added to an application on one base.
#[derive(Debug, Clone)]
pub struct Additions {
    /// The payload with the numbers that its owners have on this base.
    pub payload: FileTree,
    /// What is added.
    pub tree: FileTree,
    /// The contents of that.
    pub sources: SourceFiles,
    /// Every account with its number.
    pub accounts: Accounts,
}

impl Additions {
    /// Works out what an application needs on a base.
    ///
    /// # Errors
    ///
    /// If an account cannot have its number, or a unit cannot be enabled.
    pub fn of(
        base: Files<'_>,
        databases: &Databases,
        payload: Files<'_>,
        needed: &Needed,
    ) -> Result<Self, Error> {
        let owners = Owners::of(payload.tree, needed);
        let shell = NO_LOGIN.iter().find(|path| base.file(path).is_some());
        let shell = format!("/{}", shell.unwrap_or(&NO_LOGIN[0]));
        let (users, groups) = owners.accounts(needed, &shell);
        let accounts = Accounts::settle(databases, &users, &groups)?;
        let mut builder = TreeBuilder::new();
        let mut sources = SourceFiles::default();
        let fail = |error: bake_formats::tree::TreeError| MachineError::new(error.to_string());
        for (path, text) in &accounts.files {
            sources.insert_bytes(text);
            // Who may read a database stays as it is.
            let there = base.find(path.absolute());
            let mut entry = there
                .map_or_else(|| Entry::new(Node::Fifo, Mode::PLAIN), |found| found.entry.clone());
            entry.node = Node::File(Content::of(text));
            let path = there.map_or(path, |found| found.path);
            builder.insert(path.clone(), entry).map_err(fail)?;
        }
        for (path, target) in units::enable(&[payload, base], &needed.units)? {
            builder.insert(path, Entry::symlink(target)).map_err(fail)?;
        }
        for state in &needed.state {
            let mut entry = Entry::new(Node::Directory, state.mode);
            entry.owner = accounts.user(&state.owner);
            entry.group = accounts.group(&state.group);
            builder.insert(state.path.clone(), entry).map_err(fail)?;
        }
        let tree = builder.finish().map_err(fail)?;
        let payload = accounts.number(payload.tree.clone());
        Ok(Self { payload, tree, sources, accounts })
    }
}

/// Whom files and directories belong to, by name.
struct Owners {
    users: BTreeMap<String, u32>,
    groups: BTreeMap<String, u32>,
}

impl Owners {
    fn of(payload: &FileTree, needed: &Needed) -> Self {
        let entries = payload.iter().map(|(_, entry)| (&entry.owner, &entry.group));
        let state = needed.state.iter().map(|state| (&state.owner, &state.group));
        let mut owners = Self { users: BTreeMap::new(), groups: BTreeMap::new() };
        for (user, group) in entries.chain(state) {
            for (owner, known) in [(user, &mut owners.users), (group, &mut owners.groups)] {
                // A number without a name belongs to nobody in particular.
                let is_number = owner.name.bytes().all(|byte| byte.is_ascii_digit());
                if !is_number && !known.contains_key(&*owner.name) {
                    known.insert(owner.name.to_string(), owner.id);
                }
            }
        }
        owners
    }

    /// Returns all accounts: those that are asked for, and those that only own something.
    fn accounts(&self, needed: &Needed, shell: &str) -> (Vec<User>, Vec<Group>) {
        let (mut users, mut groups) = (needed.users.clone(), needed.groups.clone());
        for (name, id) in &self.groups {
            if !groups.iter().any(|group| group.name == *name) {
                groups.push(Group { name: name.clone(), id: Some(*id) });
            }
        }
        for (name, id) in &self.users {
            if !users.iter().any(|user| user.name == *name) {
                users.push(User {
                    name: name.clone(),
                    id: Some(*id),
                    group: name.clone(),
                    comment: String::new(),
                    home: "/".into(),
                    shell: shell.into(),
                });
            }
        }
        (users, groups)
    }
}
