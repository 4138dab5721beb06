//! Names of accounts for formats that know only numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::format::WriteError;
use crate::tree::{FileTree, Owner, TreePath};

/// The names of the accounts whose numbers a file system or an archive has.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Owners {
    users: BTreeMap<u32, Arc<str>>,
    groups: BTreeMap<u32, Arc<str>>,
}

impl Owners {
    /// Collects the accounts of a tree and root's, and refuses what numbers cannot say.
    pub(crate) fn of(format: &'static str, tree: &FileTree) -> Result<Self, WriteError> {
        let root = Owner::root();
        let mut owners = Self::default();
        let mut ids: [BTreeMap<Arc<str>, u32>; 2] = Default::default();
        let first = (&TreePath::root(), &root, &root);
        let entries = tree.iter().map(|(path, entry)| (path, &entry.owner, &entry.group));
        for (path, owner, group) in std::iter::once(first).chain(entries) {
            let [users, groups] = &mut ids;
            for (kind, account, names, ids) in [
                ("owner", owner, &mut owners.users, users),
                ("group", group, &mut owners.groups, groups),
            ] {
                let name = names.entry(account.id).or_insert_with(|| account.name.clone());
                let id = ids.entry(account.name.clone()).or_insert(account.id);
                if *name == account.name && *id == account.id {
                    continue;
                }
                let reason = format!(
                    "it knows numbers only, and number {} is `{}`, `{}` is number {}",
                    account.id, name, account.name, id
                );
                return Err(WriteError::Unsupported {
                    format,
                    path: path.clone(),
                    what: format!("the {kind} `{}`, number {},", account.name, account.id),
                    reason: Some(reason),
                });
            }
        }
        Ok(owners)
    }

    /// Returns the user and the group with these numbers; root is 0, and one without a name is named
    /// by its number.
    pub(crate) fn names(&self, user: u32, group: u32) -> (Owner, Owner) {
        (named(&self.users, user), named(&self.groups, group))
    }
}

fn named(names: &BTreeMap<u32, Arc<str>>, id: u32) -> Owner {
    let name = names.get(&id).cloned().unwrap_or_else(|| match id {
        0 => "root".into(),
        id => id.to_string().into(),
    });
    Owner { name, id }
}
