//! The accounts of an application on a base: the base's numbers, and lines for those it has not.
//!
//! What the base says stays as it is, to the byte; lines are added at the end (passwd(5), group(5),
//! shadow(5), gshadow(5)). Nobody can log in with a password to an account that is added.

use std::collections::{BTreeMap, BTreeSet};

use bake_formats::oci::KnownAccounts;
use bake_formats::tree::{FileTree, Owner, TreePath, escape};

use super::error::MachineError;
use super::facts::Databases;

/// The numbers of system accounts, as distributions agree on them; the highest is given first, as
/// systemd-sysusers does, because packages that are installed later count from the lowest.
const SYSTEM: std::ops::RangeInclusive<u32> = 100..=999;
/// A password that nothing matches (shadow(5)).
const NO_PASSWORD: &str = "!*";

/// A user that an application needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// The number, if the recipe gives one.
    pub id: Option<u32>,
    /// The name of the primary group.
    pub group: String,
    /// What the user is for.
    pub comment: String,
    /// The home directory.
    pub home: String,
    /// The login shell.
    pub shell: String,
}

/// A group that an application needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The name.
    pub name: String,
    /// The number, if the recipe gives one.
    pub id: Option<u32>,
}

/// Accounts with their numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Accounts {
    /// The users, by name.
    pub users: BTreeMap<String, u32>,
    /// The groups, by name.
    pub groups: BTreeMap<String, u32>,
    /// The databases that get further lines, by path.
    pub files: BTreeMap<TreePath, Vec<u8>>,
}

impl Accounts {
    /// Finds or gives a number for every account.
    ///
    /// # Errors
    ///
    /// If a number that the recipe gives is somebody else's in the base, if a line cannot hold what
    /// it should, or if no number is free.
    pub fn settle(
        base: &Databases,
        users: &[User],
        groups: &[Group],
    ) -> Result<Self, MachineError> {
        let passwd =
            base.passwd.clone().unwrap_or_else(|| b"root:x:0:0:root:/root:/bin/sh\n".to_vec());
        let group = base.group.clone().unwrap_or_else(|| b"root:x:0:\n".to_vec());
        let mut numbers = Numbers::of(&passwd, &group);
        let mut wanted: BTreeMap<&str, Option<u32>> = BTreeMap::new();
        for group in groups {
            let id = wanted.entry(&group.name).or_default();
            *id = id.or(group.id);
        }
        for user in users {
            wanted.entry(&user.group).or_default();
        }
        let users: BTreeMap<&str, &User> = users.iter().map(|user| (&*user.name, user)).collect();
        let mut added = Added::default();
        for (name, id) in wanted {
            if numbers.groups.contains_key(name) {
                continue;
            }
            check(name, &[name])?;
            // A user and a group of one name have one number where that can be.
            let same = users.get(name).and_then(|user| user.id);
            let id = numbers.group(name, id, same)?;
            added.group.push_str(&format!("{name}:x:{id}:\n"));
            added.gshadow.push_str(&format!("{name}:{NO_PASSWORD}::\n"));
        }
        for (name, user) in users {
            if numbers.users.contains_key(name) {
                continue;
            }
            let User { group, comment, home, shell, .. } = user;
            check(name, &[name, comment, home, shell])?;
            let same = numbers.groups.get(name).copied();
            let (id, gid) = (numbers.user(name, user.id, same)?, numbers.groups[&**group]);
            added.passwd.push_str(&format!("{name}:x:{id}:{gid}:{comment}:{home}:{shell}\n"));
            added.shadow.push_str(&format!("{name}:{NO_PASSWORD}:::::::\n"));
        }
        let files = added.files(base, passwd, group)?;
        Ok(Self { users: numbers.users, groups: numbers.groups, files })
    }

    /// Returns a tree whose owners have the numbers that their names have here.
    pub fn number(&self, tree: FileTree) -> FileTree {
        let number = |known: &BTreeMap<String, u32>, owner: &Owner| match known.get(&*owner.name) {
            Some(id) => Owner { name: owner.name.clone(), id: *id },
            None => owner.clone(),
        };
        tree.with_owners(|owner| number(&self.users, owner), |owner| number(&self.groups, owner))
    }

    /// Returns an owner with the number that the user's name has here.
    pub fn user(&self, owner: &Owner) -> Owner {
        let id = self.users.get(&*owner.name).copied().unwrap_or(owner.id);
        Owner { name: owner.name.clone(), id }
    }

    /// Returns an owner with the number that the group's name has here.
    pub fn group(&self, owner: &Owner) -> Owner {
        let id = self.groups.get(&*owner.name).copied().unwrap_or(owner.id);
        Owner { name: owner.name.clone(), id }
    }
}

/// Refuses what a line of a database cannot hold.
fn check(name: &str, fields: &[&str]) -> Result<(), MachineError> {
    let is_name =
        !name.is_empty() && !name.starts_with(['-', '+']) && !name.contains(char::is_whitespace);
    if is_name && !fields.iter().any(|field| field.contains([':', '\n', '\0'])) {
        return Ok(());
    }
    let name = name.escape_debug();
    let reason = format!(
        "the account `{name}`: expected neither colon nor line feed in what a database says of it"
    );
    Err(MachineError::new(reason))
}

/// Which names and numbers are taken.
struct Numbers {
    users: BTreeMap<String, u32>,
    groups: BTreeMap<String, u32>,
    taken_users: BTreeMap<u32, String>,
    taken_groups: BTreeMap<u32, String>,
}

impl Numbers {
    fn of(passwd: &[u8], group: &[u8]) -> Self {
        let names = |known: &KnownAccounts<'_>| {
            let ids = known.ids.iter();
            ids.map(|(name, id)| (String::from_utf8_lossy(name).into_owned(), *id)).collect()
        };
        let taken = |known: &KnownAccounts<'_>| {
            known.names.iter().map(|(id, name)| (*id, escape(name))).collect()
        };
        let (passwd, group) = (KnownAccounts::of(passwd), KnownAccounts::of(group));
        Self {
            users: names(&passwd),
            groups: names(&group),
            taken_users: taken(&passwd),
            taken_groups: taken(&group),
        }
    }

    fn user(
        &mut self,
        name: &str,
        given: Option<u32>,
        same: Option<u32>,
    ) -> Result<u32, MachineError> {
        let id = choose("user", name, given, same, &self.taken_users, &self.taken_groups)?;
        self.users.insert(name.into(), id);
        self.taken_users.insert(id, name.into());
        Ok(id)
    }

    fn group(
        &mut self,
        name: &str,
        given: Option<u32>,
        same: Option<u32>,
    ) -> Result<u32, MachineError> {
        let id = choose("group", name, given, same, &self.taken_groups, &self.taken_users)?;
        self.groups.insert(name.into(), id);
        self.taken_groups.insert(id, name.into());
        Ok(id)
    }
}

/// Returns the number that is given, else that of the account's other half, else one that neither a
/// user nor a group has.
fn choose(
    what: &str,
    name: &str,
    given: Option<u32>,
    same: Option<u32>,
    taken: &BTreeMap<u32, String>,
    others: &BTreeMap<u32, String>,
) -> Result<u32, MachineError> {
    if let Some(id) = given {
        return match taken.get(&id) {
            None => Ok(id),
            Some(there) => Err(MachineError::new(format!(
                "the base has the number {id} of the {what} `{name}` as `{there}`"
            ))
            .hint(format!("give the {what} another number, or leave the number out"))),
        };
    }
    if let Some(id) = same.filter(|id| !taken.contains_key(id)) {
        return Ok(id);
    }
    let used: BTreeSet<u32> = taken.keys().chain(others.keys()).copied().collect();
    SYSTEM.rev().find(|id| !used.contains(id)).ok_or_else(|| {
        let (first, last) = (SYSTEM.start(), SYSTEM.end());
        MachineError::new(format!(
            "no number from {first} to {last} is free for the {what} `{name}`"
        ))
    })
}

/// Lines to add.
#[derive(Default)]
struct Added {
    passwd: String,
    group: String,
    shadow: String,
    gshadow: String,
}

impl Added {
    fn files(
        &self,
        base: &Databases,
        passwd: Vec<u8>,
        group: Vec<u8>,
    ) -> Result<BTreeMap<TreePath, Vec<u8>>, MachineError> {
        let rows = [
            ("etc/passwd", Some(passwd), &self.passwd),
            ("etc/group", Some(group), &self.group),
            ("etc/shadow", base.shadow.clone(), &self.shadow),
            ("etc/gshadow", base.gshadow.clone(), &self.gshadow),
        ];
        let mut files = BTreeMap::new();
        for (path, text, lines) in rows {
            let Some(mut text) = text.filter(|_| !lines.is_empty()) else { continue };
            if !text.is_empty() && !text.ends_with(b"\n") {
                text.push(b'\n');
            }
            text.extend_from_slice(lines.as_bytes());
            let path =
                TreePath::parse(path).map_err(|error| MachineError::new(error.to_string()))?;
            files.insert(path, text);
        }
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base() -> Databases {
        let bytes = |text: &str| Some(text.as_bytes().to_vec());
        Databases {
            passwd: bytes(
                "root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33::/:/bin/sh\nlast:x:999:998::/:/bin/sh",
            ),
            group: bytes("root:x:0:\nwww-data:x:33:\nlast:x:998:\nstaff:x:50:\n"),
            shadow: bytes("root:*:19000:0:99999:7:::\n"),
            gshadow: None,
        }
    }

    fn user(name: &str, id: Option<u32>) -> User {
        let (home, shell) = ("/".into(), "/usr/sbin/nologin".into());
        User { name: name.into(), id, group: name.into(), comment: String::new(), home, shell }
    }

    fn file(accounts: &Accounts, path: &str) -> Option<String> {
        let text = accounts.files.get(&TreePath::parse(path).unwrap())?;
        Some(String::from_utf8(text.clone()).unwrap())
    }

    #[test]
    fn the_base_decides_and_new_accounts_follow_its_lines() {
        let groups =
            [Group { name: "staff".into(), id: Some(7) }, Group { name: "more".into(), id: None }];
        let users = [user("www-data", Some(1234)), user("app", Some(500)), user("other", None)];
        let found = Accounts::settle(&base(), &users, &groups).unwrap();
        let ids = ["www-data", "app", "other"].map(|name| found.users[name]);
        assert_eq!(ids, [33, 500, 996]);
        let ids = ["www-data", "staff", "app", "other", "more"].map(|name| found.groups[name]);
        assert_eq!(ids, [33, 50, 500, 996, 997]);
        let expected = "last:x:999:998::/:/bin/sh\napp:x:500:500::/:/usr/sbin/nologin\nother:x:996:996::/:/usr/sbin/nologin\n";
        assert!(file(&found, "etc/passwd").unwrap().ends_with(expected));
        let expected = "staff:x:50:\napp:x:500:\nmore:x:997:\nother:x:996:\n";
        assert!(file(&found, "etc/group").unwrap().ends_with(expected));
        let expected = "root:*:19000:0:99999:7:::\napp:!*:::::::\nother:!*:::::::\n";
        assert_eq!(file(&found, "etc/shadow").unwrap(), expected);
        assert_eq!(file(&found, "etc/gshadow"), None);
    }

    #[test]
    fn nothing_changes_if_the_base_has_all() {
        let found = Accounts::settle(&base(), &[user("www-data", None)], &[]).unwrap();
        assert_eq!(found.files.len(), 0);
    }

    #[test]
    fn a_number_of_somebody_else_and_impossible_names_are_refused() {
        let error = Accounts::settle(&base(), &[user("app", Some(33))], &[]).unwrap_err();
        assert_eq!(error.reason, "the base has the number 33 of the user `app` as `www-data`");
        for name in ["", "a:b", "a\nb", "+x", "a b"] {
            assert!(Accounts::settle(&base(), &[user(name, None)], &[]).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_full_range_is_an_error() {
        let lines = (100..=999).map(|id| format!("u{id}:x:{id}:{id}::/:/bin/sh\n"));
        let databases = Databases { passwd: Some(lines.collect::<String>().into()), ..base() };
        let error = Accounts::settle(&databases, &[user("app", None)], &[]).unwrap_err();
        assert_eq!(error.reason, "no number from 100 to 999 is free for the group `app`");
    }
}
