//! Who the command runs as, from `/etc/passwd` and `/etc/group` themselves: a static program has no NSS.

use std::path::Path;

use crate::input;

/// The largest account file that is read, in bytes.
const MAX_LEN: u64 = 8 << 20;
/// What stands for "no change" in system calls.
const NOBODY_AT_ALL: u32 = u32::MAX;

/// A user with its groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// All groups, the own one first.
    pub groups: Vec<u32>,
    /// The user's name, if it has one.
    pub name: Option<String>,
    /// The home directory, if it has one.
    pub home: Option<String>,
}

/// The account files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Accounts {
    /// Of `/etc/passwd`.
    pub passwd: String,
    /// Of `/etc/group`.
    pub group: String,
}

/// A line of `/etc/passwd`.
struct User<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

impl Accounts {
    /// Reads the files of this system; one that is not there has no lines.
    pub fn of_system() -> Result<Self, String> {
        let read = |path: &str| match input::read(Path::new(path), MAX_LEN) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.is_absence() => Ok(String::new()),
            Err(error) => Err(format!("cannot read {path}: {error}")),
        };
        Ok(Self { passwd: read("/etc/passwd")?, group: read("/etc/group")? })
    }

    /// Finds `USER` or `USER:GROUP`, each a name or a number; the error says what is not there.
    ///
    /// Without a group the user's own one and all that list the user count, with one that alone.
    pub fn find(&self, text: &str) -> Result<Account, String> {
        let (user, group) =
            text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
        let known = self.user(user);
        let uid = match &known {
            Some(known) => known.uid,
            None => {
                number(user).ok_or_else(|| format!("there is no user `{}`", user.escape_debug()))?
            }
        };
        let (gid, groups) = match (group, &known) {
            (Some(group), _) => {
                let gid = self
                    .group(group)
                    .ok_or_else(|| format!("there is no group `{}`", group.escape_debug()))?;
                (gid, vec![gid])
            }
            (None, Some(known)) => (known.gid, self.groups_of(known)),
            (None, None) => {
                return Err(format!(
                    "{uid} is not in /etc/passwd, so its group is not known: say USER:GROUP"
                ));
            }
        };
        let name = known.as_ref().map(|known| known.name.to_owned());
        let home = known.map(|known| known.home.to_owned()).filter(|home| !home.is_empty());
        Ok(Account { uid, gid, groups, name, home })
    }

    fn users(&self) -> impl Iterator<Item = User<'_>> {
        self.passwd.lines().filter_map(|line| {
            let mut fields = line.split(':');
            let (name, _, uid, gid) =
                (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
            let home = fields.nth(1).unwrap_or_default();
            Some(User { name, uid: number(uid)?, gid: number(gid)?, home })
        })
    }

    fn user(&self, text: &str) -> Option<User<'_>> {
        let by_number = || number(text).and_then(|uid| self.users().find(|user| user.uid == uid));
        self.users().find(|user| !text.is_empty() && user.name == text).or_else(by_number)
    }

    /// Names, numbers and members of all groups.
    fn all_groups(&self) -> impl Iterator<Item = (&str, u32, &str)> {
        self.group.lines().filter_map(|line| {
            let mut fields = line.split(':');
            let (name, _, gid) = (fields.next()?, fields.next()?, fields.next()?);
            Some((name, number(gid)?, fields.next().unwrap_or_default()))
        })
    }

    fn group(&self, text: &str) -> Option<u32> {
        let named = self.all_groups().find(|(name, ..)| !text.is_empty() && *name == text);
        named.map(|(_, gid, _)| gid).or_else(|| number(text))
    }

    fn groups_of(&self, user: &User<'_>) -> Vec<u32> {
        let mut groups = vec![user.gid];
        for (_, gid, members) in self.all_groups() {
            if members.split(',').any(|member| member == user.name) && !groups.contains(&gid) {
                groups.push(gid);
            }
        }
        groups
    }
}

fn number(text: &str) -> Option<u32> {
    let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok().filter(|number| *number != NOBODY_AT_ALL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts() -> Accounts {
        Accounts {
            passwd: "root:x:0:0:root:/root:/bin/sh\n# comment\nbroken:x\napp:x:101:102:App:/srv/app:\n\
                     bare:x:5:6\nmax:x:4294967295:1::/:\n7:x:70:71::/seven:/bin/sh\n"
                .into(),
            group: "root:x:0:\napp:x:102:\ntls:x:103:www,app\nlogs:x:104:application\nmore:x:105:app\nown:x:102:app\n"
                .into(),
        }
    }

    #[test]
    fn finds_users_by_name_and_number() {
        let app = |gid, groups: &[u32]| Account {
            uid: 101,
            gid,
            groups: groups.to_vec(),
            name: Some("app".into()),
            home: Some("/srv/app".into()),
        };
        let nameless = |uid, gid| Account { uid, gid, groups: vec![gid], name: None, home: None };
        let bare = Account { name: Some("bare".into()), ..nameless(5, 6) };
        let seven =
            Account { name: Some("7".into()), home: Some("/seven".into()), ..nameless(70, 71) };
        for (text, expected) in [
            ("app", app(102, &[102, 103, 105])),
            ("101", app(102, &[102, 103, 105])),
            ("app:tls", app(103, &[103])),
            ("101:9", app(9, &[9])),
            ("10001:10002", nameless(10001, 10002)),
            ("10001:tls", nameless(10001, 103)),
            ("bare", bare),
            // A name counts before a number.
            ("7", seven),
        ] {
            assert_eq!(accounts().find(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refuses_who_is_not_there() {
        for (text, expected) in [
            ("nobody", "there is no user `nobody`"),
            ("", "there is no user ``"),
            ("app:", "there is no group ``"),
            ("app:wheel", "there is no group `wheel`"),
            ("-1:0", "there is no user `-1`"),
            ("max", "there is no user `max`"),
            ("4294967295:0", "there is no user `4294967295`"),
            ("0:4294967295", "there is no group `4294967295`"),
            ("99999999999:0", "there is no user `99999999999`"),
            ("1000", "1000 is not in /etc/passwd, so its group is not known: say USER:GROUP"),
        ] {
            assert_eq!(accounts().find(text), Err(expected.to_owned()), "{text}");
        }
        assert_eq!(Accounts::default().find("0:0").map(|account| account.uid), Ok(0));
    }
}
