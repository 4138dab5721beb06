//! The account databases of an image: `/etc/passwd` and `/etc/group` (passwd(5), group(5)).
//!
//! An image from scratch has none, yet a runtime looks up the image's user there, and so does every
//! program that prints an owner. They are made from what the model lists, what owns an entry of the
//! tree or a state directory, and root. A file that the tree brings itself is left alone.
//!
//! On a base nothing is made unless that was asked for, and then it is added to what the base has:
//! see `databases`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::model::{Image, fail_if, field_error};
use crate::format::WriteError;
use crate::tree::{FileTree, Mark, Owner, TreePath};

/// The shell of accounts that nobody logs in to.
pub const NO_LOGIN: &str = "/sbin/nologin";

/// Accounts, as data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    /// The users.
    pub users: Vec<User>,
    /// The groups, besides one for each user whose group has no name.
    pub groups: Vec<Group>,
}

/// One line of `/etc/passwd`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The name.
    pub name: String,
    /// The number.
    pub id: u32,
    /// The number of the primary group.
    pub gid: u32,
    /// The home directory.
    pub home: String,
    /// The login shell.
    pub shell: String,
}

/// One line of `/etc/group`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The name.
    pub name: String,
    /// The number.
    pub id: u32,
}

impl User {
    /// Returns the account's line, with its line feed.
    pub(super) fn line(&self) -> String {
        let Self { name, id, gid, home, shell } = self;
        format!("{name}:x:{id}:{gid}::{home}:{shell}\n")
    }
}

impl Group {
    /// Returns the group's line, with its line feed.
    pub(super) fn line(&self) -> String {
        format!("{}:x:{}:\n", self.name, self.id)
    }
}

/// Returns whom an image runs as on a base whose databases may not list its accounts: numbers where
/// the model knows them, else what it says.
pub(super) fn runs_as(user: &str, accounts: &Accounts) -> String {
    let (user, group) = match user.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (user, None),
    };
    let known = accounts.users.iter().find(|known| known.name == user);
    let number = known.map_or_else(|| user.to_owned(), |known| known.id.to_string());
    let group = match group {
        Some(name) => {
            let group = accounts.groups.iter().find(|group| group.name == name);
            let gid = group.map(|group| group.id);
            let same = known.filter(|known| known.name == name).map(|known| known.gid);
            Some(gid.or(same).map_or_else(|| name.to_owned(), |gid| gid.to_string()))
        }
        None => known.map(|known| known.gid.to_string()),
    };
    group.map_or_else(|| number.clone(), |group| format!("{number}:{group}"))
}

/// Every account of an image.
#[derive(Debug, Default)]
pub(super) struct Collected {
    users: BTreeMap<String, User>,
    groups: BTreeMap<String, u32>,
    is_needed: bool,
}

impl Collected {
    /// Collects every account of an image.
    pub(super) fn of(image: &Image, tree: &FileTree) -> Result<Self, WriteError> {
        let mut collected = Self::default();
        for group in &image.accounts.groups {
            collected.add_group(&group.name, group.id)?;
        }
        for user in &image.accounts.users {
            collected.add_user(user.clone())?;
        }
        collected.add_root()?;
        let entries = tree.iter().filter(|(_, entry)| entry.mark != Mark::Ghost);
        let owners = entries.map(|(_, entry)| (&entry.owner, &entry.group));
        let state = image.state.iter().map(|directory| (&directory.owner, &directory.group));
        let owners: Vec<_> = owners.chain(state).collect();
        for (_, group) in &owners {
            collected.add_owning_group(group)?;
        }
        for (user, _) in &owners {
            collected.add_owning_user(user)?;
        }
        collected.name_primary_groups()?;
        collected.is_needed = collected.users.len() > 1 || collected.groups.len() > 1;
        if image.base.is_none() {
            collected.check_image_user(image, tree)?;
        }
        Ok(collected)
    }

    /// Returns the files to add to a tree, by path.
    pub(super) fn files(&self, tree: &FileTree) -> Vec<(TreePath, String)> {
        if !self.is_needed {
            return Vec::new();
        }
        let files = [(passwd_path(), self.passwd()), (group_path(), self.group())];
        files.into_iter().filter(|(path, _)| tree.get(path).is_none()).collect()
    }

    /// Returns what is to be merged with a base's databases: no users or no groups if the tree
    /// brings that file itself, neither if there is only root.
    pub(super) fn to_merge(&self, tree: &FileTree) -> Accounts {
        let mut accounts = Accounts { users: self.sorted_users(), groups: self.sorted_groups() };
        if !self.is_needed || tree.get(&passwd_path()).is_some() {
            accounts.users.clear();
        }
        if !self.is_needed || tree.get(&group_path()).is_some() {
            accounts.groups.clear();
        }
        accounts
    }

    fn passwd(&self) -> String {
        self.sorted_users().iter().map(User::line).collect()
    }

    fn group(&self) -> String {
        self.sorted_groups().iter().map(Group::line).collect()
    }

    fn sorted_users(&self) -> Vec<User> {
        let mut users: Vec<_> = self.users.values().cloned().collect();
        users.sort_by_key(|user| user.id);
        users
    }

    fn sorted_groups(&self) -> Vec<Group> {
        let group = |(name, id): (&String, &u32)| Group { name: name.clone(), id: *id };
        let mut groups: Vec<_> = self.groups.iter().map(group).collect();
        groups.sort_by_key(|group| group.id);
        groups
    }

    fn add_root(&mut self) -> Result<(), WriteError> {
        if !self.users.contains_key("root") {
            let (home, shell) = ("/root".into(), NO_LOGIN.into());
            self.add_user(User { name: "root".into(), id: 0, gid: 0, home, shell })?;
        }
        self.add_group("root", 0)
    }

    fn add_user(&mut self, user: User) -> Result<(), WriteError> {
        check_name(&user.name)?;
        for field in [&user.home, &user.shell] {
            let has_separator = field.contains([':', '\n', '\0']);
            fail_if("accounts", has_separator.then_some("expected no colon or line feed"), field)?;
        }
        let (name, id) = (user.name.clone(), user.id);
        let kept = self.users.entry(name.clone()).or_insert(user);
        let has_two = kept.id != id;
        let fault = format!("expected one number for the user {name}, found {} and {id}", kept.id);
        fail_if("accounts", has_two.then_some(fault.as_str()), "")
    }

    fn add_group(&mut self, name: &str, id: u32) -> Result<(), WriteError> {
        check_name(name)?;
        let kept = *self.groups.entry(name.into()).or_insert(id);
        let fault = format!("expected one number for the group {name}, found {kept} and {id}");
        fail_if("accounts", (kept != id).then_some(fault.as_str()), "")
    }

    fn add_owning_group(&mut self, group: &Owner) -> Result<(), WriteError> {
        if is_number(&group.name) { Ok(()) } else { self.add_group(&group.name, group.id) }
    }

    fn add_owning_user(&mut self, Owner { name, id }: &Owner) -> Result<(), WriteError> {
        if is_number(name) {
            return Ok(());
        }
        let (gid, home, shell) = match self.users.get(&**name) {
            Some(user) => (user.gid, user.home.clone(), user.shell.clone()),
            None => (*self.groups.get(&**name).unwrap_or(id), "/".into(), NO_LOGIN.into()),
        };
        self.add_user(User { name: (**name).into(), id: *id, gid, home, shell })
    }

    /// Gives each user's primary group the user's name if it has none.
    fn name_primary_groups(&mut self) -> Result<(), WriteError> {
        let users: Vec<_> = self.users.values().map(|user| (user.name.clone(), user.gid)).collect();
        for (name, gid) in users {
            if !self.groups.values().any(|id| *id == gid) {
                self.add_group(&name, gid)?;
            }
        }
        Ok(())
    }

    /// Fails if the image runs as somebody whom no database will list.
    fn check_image_user(&self, image: &Image, tree: &FileTree) -> Result<(), WriteError> {
        let Some(text) = &image.user else { return Ok(()) };
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text.as_str(), None),
        };
        let is_known = is_number(user) || self.users.contains_key(user);
        if !is_known && tree.get(&passwd_path()).is_none() {
            let fault = "expected a number or a user of the image";
            return Err(field_error("config.User", fault, user));
        }
        let Some(group) = group else { return Ok(()) };
        let is_known = is_number(group) || self.groups.contains_key(group);
        if !is_known && tree.get(&group_path()).is_none() {
            let fault = "expected a number or a group of the image";
            return Err(field_error("config.User", fault, group));
        }
        Ok(())
    }
}

pub(super) fn passwd_path() -> TreePath {
    TreePath::parse("etc/passwd").expect("two plain names are a path")
}

pub(super) fn group_path() -> TreePath {
    TreePath::parse("etc/group").expect("two plain names are a path")
}

/// Returns whether an account is named by its number, because it has no name.
fn is_number(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}

fn check_name(name: &str) -> Result<(), WriteError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let is_valid = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(is_plain)
        && name.len() <= 32;
    let fault = "expected an account name: a letter or `_`, then letters, digits, `_`, `-` and `.`";
    fail_if("accounts", (!is_valid).then_some(fault), name)
}

#[cfg(test)]
mod tests {
    use super::super::platform::Platform;
    use super::*;
    use crate::tree::{Content, Entry, Mode, TreeBuilder};

    fn image() -> Image {
        Image::new("x", "1", Platform::new("linux", "amd64"))
    }

    fn owned(rows: &[(&str, &str, u32)]) -> FileTree {
        let mut builder = TreeBuilder::new();
        for (path, owner, id) in rows {
            let mut entry = Entry::file(Content::of(b""), Mode::PLAIN);
            (entry.owner, entry.group) = (Owner::new(owner, *id), Owner::new(owner, *id));
            builder.insert(TreePath::parse(path).unwrap(), entry).unwrap();
        }
        builder.finish().unwrap()
    }

    fn files(image: &Image, tree: &FileTree) -> Vec<(String, String)> {
        let files = Collected::of(image, tree).unwrap().files(tree);
        files.into_iter().map(|(path, text)| (path.to_string(), text)).collect()
    }

    fn user(name: &str, id: u32, gid: u32) -> User {
        let (home, shell) = (format!("/home/{name}"), "/bin/sh".into());
        User { name: name.into(), id, gid, home, shell }
    }

    #[test]
    fn lists_root_owners_and_what_the_model_says() {
        let mut image = image();
        image.accounts.users.push(user("app", 1000, 50));
        image.accounts.groups.push(Group { name: "staff".into(), id: 50 });
        image.accounts.users.push(user("other", 999, 999));
        image.user = Some("app:staff".into());
        let tree = owned(&[("a", "svc", 7), ("b", "1234", 1234), ("c", "app", 1000)]);
        let passwd = "root:x:0:0::/root:/sbin/nologin\nsvc:x:7:7::/:/sbin/nologin\n\
            other:x:999:999::/home/other:/bin/sh\napp:x:1000:50::/home/app:/bin/sh\n";
        let group = "root:x:0:\nsvc:x:7:\nstaff:x:50:\nother:x:999:\napp:x:1000:\n";
        let expected =
            [("/etc/passwd", passwd), ("/etc/group", group)].map(|(a, b)| (a.into(), b.into()));
        assert_eq!(files(&image, &tree), expected);
    }

    #[test]
    fn makes_nothing_for_root_alone_and_keeps_what_the_tree_brings() {
        assert!(files(&image(), &owned(&[("a", "root", 0)])).is_empty());
        let tree = owned(&[("a", "svc", 7), ("etc/passwd", "root", 0)]);
        let names: Vec<_> = files(&image(), &tree).into_iter().map(|(path, _)| path).collect();
        assert_eq!(names, ["/etc/group"]);
    }

    #[test]
    fn rejects_accounts_that_contradict_or_break_the_files() {
        type Change = fn(&mut Image);
        let rows: [(Change, &str); 6] = [
            (|i| i.accounts.users.push(user("svc", 8, 8)), "one number for the user svc"),
            (|i| i.accounts.groups.push(Group { name: "svc".into(), id: 8 }), "the group svc"),
            (|i| i.accounts.users.push(user("a:b", 8, 8)), "expected an account name"),
            (
                |i| i.accounts.users.push(User { home: "/\nx".into(), ..user("a", 8, 8) }),
                "no colon",
            ),
            (|i| i.user = Some("nobody".into()), "a user of the image, found `nobody`"),
            (|i| i.user = Some("7:wheel".into()), "a group of the image, found `wheel`"),
        ];
        for (change, expected) in rows {
            let mut image = image();
            change(&mut image);
            let error = Collected::of(&image, &owned(&[("a", "svc", 7)])).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
