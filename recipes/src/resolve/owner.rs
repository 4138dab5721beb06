//! Users and groups: every name has one number.

use bake_formats::tree::Owner;

use super::Resolver;
use crate::name::AccountName;
use crate::resolved::Service;
use crate::written::{Account, At, TextOr};

/// Whether an account is a user or a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AccountKind {
    User,
    Group,
}

impl AccountKind {
    fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Group => "group",
        }
    }
}

/// The numbers that mean "nobody", "no change" and overflow to the kernel and to systemd.
const RESERVED: [u32; 2] = [65_534, 65_535];

impl Resolver<'_> {
    /// Returns the owner of a rule's files.
    ///
    /// A package manager that does not find a name uses the number, so a name whose number is not
    /// known would silently become root's.
    pub(super) fn owner(
        &self,
        at: Option<&At<TextOr<Account>>>,
        kind: AccountKind,
        service: Option<&Service>,
    ) -> Option<Owner> {
        let Some(at) = at else { return Some(Owner::root()) };
        match &at.value {
            TextOr::Text(text) if text == "root" => Some(Owner::root()),
            TextOr::Text(text) => {
                let name = self.parsed(at, AccountName::parse(text))?;
                let owner = service.map(|service| match kind {
                    AccountKind::User => &service.user,
                    AccountKind::Group => &service.group,
                });
                if let Some(owner) = owner.filter(|owner| *owner.name == *name.as_str()) {
                    return Some(owner.clone());
                }
                if service.is_none() && self.keys().service.is_some() {
                    // The service is wrong, which is reported; it may well be its user's name.
                    return None;
                }
                let word = kind.word();
                self.advise(
                    at,
                    format!(
                        "the {word} `{name}` has no number: it is neither root nor the service's"
                    ),
                    format!("give one: `{{ name = \"{name}\", id = 1234 }}`"),
                );
                None
            }
            TextOr::Table(account) => {
                let name = self.parsed(&account.name, AccountName::parse(&account.name.value));
                let id = self.account_id(&account.id);
                self.account(&account.id, name?.as_str(), id?)
            }
        }
    }

    /// Returns an account with a number, in which root and 0 only go together.
    pub(super) fn account<T>(&self, at: &At<T>, name: &str, id: u32) -> Option<Owner> {
        if (name == "root") == (id == 0) {
            return Some(Owner::new(name, id));
        }
        self.fault(at, format!("root, and only root, has the number 0, found `{name}` with {id}"));
        None
    }

    pub(super) fn account_id(&self, at: &At<i64>) -> Option<u32> {
        let id = u32::try_from(at.value).ok();
        let id = id.filter(|id| i32::try_from(*id).is_ok() && !RESERVED.contains(id));
        if id.is_none() {
            let (found, most) = (at.value, i32::MAX);
            let message = format!(
                "expected the number of a user or a group from 0 to {most}, except 65534 and \
                 65535, found {found}"
            );
            self.fault(at, message);
        }
        id
    }
}
