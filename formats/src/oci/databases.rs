//! Account databases of an image on a base: the base's lines and after them ours.

use std::collections::BTreeMap;

use super::accounts::{Accounts, Group, User, group_path, passwd_path};
use super::base::Databases;
use super::model::field_error;
use crate::format::WriteError;
use crate::tree::{TreePath, escape};

/// How many bytes of a base's database are read.
const MAX_DATABASE: usize = 16 << 20;

/// Returns the files that change, by path: what the base says stays as it is, to the byte, and
/// accounts that it has not are added at the end.
///
/// An account that the base has under the same name and number is the base's. Another number, or
/// the same number under another name, is an error: files would belong to somebody else.
pub(super) fn merged(
    base: &Databases,
    accounts: &Accounts,
) -> Result<Vec<(TreePath, Vec<u8>)>, WriteError> {
    let users = accounts.users.iter().map(|user| (user.name.as_str(), user.id, User::line(user)));
    let groups =
        accounts.groups.iter().map(|group| (group.name.as_str(), group.id, Group::line(group)));
    let passwd = extended("user", "/etc/passwd", &base.passwd, users)?;
    let group = extended("group", "/etc/group", &base.group, groups)?;
    let files = [(passwd_path(), passwd), (group_path(), group)];
    Ok(files.into_iter().filter_map(|(path, text)| Some((path, text?))).collect())
}

/// Returns a database with further lines; `None` if the base has all of them.
fn extended<'a>(
    what: &str,
    file: &str,
    base: &[u8],
    lines: impl Iterator<Item = (&'a str, u32, String)>,
) -> Result<Option<Vec<u8>>, WriteError> {
    let place = format!("{file} of the base");
    if base.len() > MAX_DATABASE {
        let fault = format!("expected at most {MAX_DATABASE} bytes");
        return Err(field_error(&place, &fault, &base.len().to_string()));
    }
    let known = Known::of(base);
    let mut added = String::new();
    for (name, id, line) in lines {
        match (known.ids.get(name.as_bytes()), known.names.get(&id)) {
            (Some(there), _) if *there == id => {}
            (Some(there), _) => {
                let fault = format!(
                    "the base has the {what} {name} with the number {there}, the image with {id}; \
                     give the image's {what} the base's number or another name"
                );
                return Err(field_error(&place, &fault, ""));
            }
            (None, Some(there)) => {
                let fault = format!(
                    "the base has the number {id} of the {what} {name} as {}; give the image's \
                     {what} another number",
                    escape(there)
                );
                return Err(field_error(&place, &fault, ""));
            }
            (None, None) => added.push_str(&line),
        }
    }
    if added.is_empty() {
        return Ok(None);
    }
    let mut text = base.to_vec();
    if !text.is_empty() && !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    text.extend_from_slice(added.as_bytes());
    Ok(Some(text))
}

/// What a database lists; of several lines with one name or number the first counts, as in libc.
#[derive(Debug, Clone, Default)]
pub struct Known<'a> {
    /// Numbers by name.
    pub ids: BTreeMap<&'a [u8], u32>,
    /// Names by number.
    pub names: BTreeMap<u32, &'a [u8]>,
}

impl<'a> Known<'a> {
    /// Reads name and number of each line; lines without both say nothing.
    pub fn of(text: &'a [u8]) -> Self {
        let mut known = Self { ids: BTreeMap::new(), names: BTreeMap::new() };
        for line in text.split(|byte| *byte == b'\n') {
            let mut fields = line.split(|byte| *byte == b':');
            let (Some(name), Some(_), Some(id)) = (fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let id = std::str::from_utf8(id).ok().and_then(|id| id.trim().parse().ok());
            if let Some(id) = id.filter(|_| !name.is_empty()) {
                known.ids.entry(name).or_insert(id);
                known.names.entry(id).or_insert(name);
            }
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/bash\nwww:x:33:33:w\xe9b:/var/www:/bin/sh\n";
    const GROUP: &[u8] = b"root:x:0:\nwww:x:33:a,b\nstaff:x:50:";

    fn merge(users: &[(&str, u32)], groups: &[(&str, u32)]) -> Result<Vec<String>, String> {
        let user = |(name, id): &(&str, u32)| User {
            name: (*name).into(),
            id: *id,
            gid: *id,
            home: "/".into(),
            shell: "/bin/sh".into(),
        };
        let group = |(name, id): &(&str, u32)| Group { name: (*name).into(), id: *id };
        let accounts = Accounts {
            users: users.iter().map(user).collect(),
            groups: groups.iter().map(group).collect(),
        };
        let base = Databases { passwd: PASSWD.to_vec(), group: GROUP.to_vec() };
        let files = merged(&base, &accounts).map_err(|error| error.to_string())?;
        Ok(files.iter().map(|(path, text)| format!("{path} {}", escape(text))).collect())
    }

    #[test]
    fn adds_what_the_base_has_not_and_changes_nothing_else() {
        let all = [("root", 0), ("www", 33)];
        assert_eq!(merge(&all, &all).unwrap(), [""; 0]);
        let found = merge(&[("root", 0), ("app", 7)], &[("app", 7), ("lib", 8)]).unwrap();
        let passwd = [PASSWD, b"app:x:7:7::/:/bin/sh\n"].concat();
        let group = [GROUP, b"\napp:x:7:\nlib:x:8:\n"].concat();
        let expected = [("/etc/passwd", passwd), ("/etc/group", group)]
            .map(|(p, t)| format!("{p} {}", escape(&t)));
        assert_eq!(found, expected);
        assert_eq!(merge(&all, &[("app", 7)]).unwrap().len(), 1);
    }

    #[test]
    fn rejects_accounts_that_the_base_has_otherwise() {
        let error = merge(&[("www", 34)], &[]).unwrap_err();
        assert!(
            error.contains("has the user www with the number 33, the image with 34"),
            "{error}"
        );
        let error = merge(&[], &[("app", 50)]).unwrap_err();
        assert!(error.contains("has the number 50 of the group app as staff"), "{error}");
    }

    #[test]
    fn lines_that_say_nothing_are_left_alone() {
        let passwd = b"# comment\n\n+::::::\n:x:5:5::/:/\nx:y\na:x:nine:1::/:/\nb:x:6:6::/:/";
        let known = Known::of(passwd);
        assert_eq!(known.ids.into_iter().collect::<Vec<_>>(), [(&b"b"[..], 6)]);
    }
}
