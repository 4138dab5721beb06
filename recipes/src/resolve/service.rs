//! `[service]`.

use std::collections::BTreeMap;

use bake_formats::tree::{Mode, Owner, TreePath};

use super::units::handling;
use super::{Common, Resolver};
use crate::name::{AccountName, ServiceName};
use crate::resolved::{Port, Protocol, Restart, Service, StateDirectory};
use crate::suggestion;
use crate::written::{self, At, RestartWhen, Scalar, TextOr, TextOrInteger};

/// The mode of a directory that only a service and its group may look into.
const STATE_MODE: u32 = 0o750;

/// Signals by the names that systemd and OCI runtimes both know.
const SIGNALS: [&str; 12] = [
    "SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGABRT",
    "SIGPIPE", "SIGALRM", "SIGWINCH", "SIGCONT",
];

/// The sections of a service unit.
const SECTIONS: [&str; 3] = ["Unit", "Service", "Install"];

impl Resolver<'_> {
    pub(super) fn service(&self, at: &At<written::Service>, common: &Common) -> Option<Service> {
        let written = &at.value;
        let name = match &written.name {
            Some(at) => self.parsed(at, ServiceName::parse(&at.value)),
            None => self.parsed(&self.keys().name, ServiceName::parse(common.name.as_str())),
        };
        let description = match &written.description {
            Some(at) => self.line(at, "description"),
            None => Some(common.summary.clone()),
        };
        let command = self.command(&written.command);
        let accounts = self.accounts(written);
        let ports = self.ports(&written.ports);
        let state = written.state.iter().map(|at| self.state(at)).collect::<Option<Vec<_>>>();
        let environment = self.environment(&written.environment);
        let after = self.units(&written.after);
        let wants = self.units(&written.wants);
        let working_directory = written.working_directory.as_ref().map(|at| self.tree_path(at));
        let stop_signal = written.stop_signal.as_ref().map(|at| self.signal(at));
        let systemd = self.systemd(&written.systemd);
        self.check_line_ends(written, description.as_deref());
        let (user, group) = accounts?;
        Some(Service {
            name: name?,
            description: description?,
            command: command?,
            launcher: Vec::new(),
            preparation: Vec::new(),
            user,
            group,
            ports: ports?,
            state: state?,
            environment: environment?,
            after: after?,
            wants: wants?,
            restart: match written.restart.as_ref().map(|at| at.value) {
                None => Restart::default(),
                Some(RestartWhen::No) => Restart::No,
                Some(RestartWhen::OnFailure) => Restart::OnFailure,
                Some(RestartWhen::Always) => Restart::Always,
            },
            working_directory: super::settled(working_directory)?,
            stop_signal: super::settled(stop_signal)?,
            handling: handling(written.enable, written.start, written.on_upgrade),
            systemd: systemd?,
            place: self.place(at),
        })
    }

    /// A backslash at the end of a line of a unit joins it with the next one.
    fn check_line_ends(&self, written: &written::Service, description: Option<&str>) {
        let message = "the line of a unit cannot end with a backslash";
        if description.is_some_and(|text| text.ends_with('\\')) {
            self.fault(written.description.as_ref().unwrap_or(&self.keys().summary), message);
        }
        if let Some(at) = written.working_directory.as_ref().filter(|at| at.value.ends_with('\\')) {
            self.fault(at, message);
        }
    }

    fn command(&self, at: &At<Vec<At<String>>>) -> Option<Vec<String>> {
        let Some(program) = at.value.first() else {
            self.fault(at, "`command` is empty");
            return None;
        };
        self.tree_path(program)?;
        if program.value.contains('$') {
            self.fault(program, "systemd does not accept `$` in the path of a program");
            return None;
        }
        at.value.iter().map(|at| self.value_text(at)).collect()
    }

    /// Returns text that systemd and OCI runtimes can both pass to a program.
    fn value_text(&self, at: &At<String>) -> Option<String> {
        match at.value.chars().find(|c| c.is_control() && !"\t\n".contains(*c)) {
            None => Some(at.value.clone()),
            Some(bad) => {
                let bad = bad.escape_debug();
                self.fault(at, format!("the control character `{bad}` cannot be passed on"));
                None
            }
        }
    }

    /// Returns the user and the group with their numbers.
    fn accounts(&self, written: &written::Service) -> Option<(Owner, Owner)> {
        let Some(user_at) = &written.user else {
            for (at, key) in [(&written.uid, "uid"), (&written.gid, "gid")] {
                if let Some(at) = at
                    && (key == "uid" || written.group.is_none())
                {
                    self.fault(at, format!("`{key}` needs `user`"));
                    return None;
                }
            }
            let group = match &written.group {
                Some(at) => self.account_of(at, written.gid.as_ref(), None)?,
                None => Owner::root(),
            };
            return Some((Owner::root(), group));
        };
        let user = self.account_of(user_at, written.uid.as_ref(), None)?;
        let group_at = written.group.as_ref().unwrap_or(user_at);
        let same = (group_at.value == user_at.value).then_some(user.id);
        let group = self.account_of(group_at, written.gid.as_ref(), same)?;
        Some((user, group))
    }

    fn account_of(
        &self,
        at: &At<String>,
        id: Option<&At<i64>>,
        default: Option<u32>,
    ) -> Option<Owner> {
        let name = self.parsed(at, AccountName::parse(&at.value))?;
        match id {
            Some(id) => self.account(id, name.as_str(), self.account_id(id)?),
            None if name.as_str() == "root" => Some(Owner::root()),
            None => Some(Owner::new(name.as_str(), default.unwrap_or_else(|| name.default_id()))),
        }
    }

    pub(super) fn ports(&self, list: &[At<TextOrInteger>]) -> Option<Vec<Port>> {
        let mut all = Vec::new();
        for at in list {
            let port = self.port(at)?;
            if all.contains(&port) {
                self.fault(at, format!("port {port} stands here twice"));
                return None;
            }
            all.push(port);
        }
        Some(all)
    }

    pub(super) fn port(&self, at: &At<TextOrInteger>) -> Option<Port> {
        let parsed = match &at.value {
            TextOrInteger::Integer(number) => {
                u16::try_from(*number).ok().map(|number| (number, Some(Protocol::Tcp)))
            }
            TextOrInteger::Text(text) => {
                let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
                let known = [Protocol::Tcp, Protocol::Udp];
                let protocol = known.into_iter().find(|known| known.word() == protocol);
                let digits = number.bytes().all(|byte| byte.is_ascii_digit());
                number.parse().ok().filter(|_| digits).map(|number| (number, protocol))
            }
        };
        if let Some((number @ 1.., Some(protocol))) = parsed {
            return Some(Port { number, protocol });
        }
        let found = match &at.value {
            TextOrInteger::Integer(number) => number.to_string(),
            TextOrInteger::Text(text) => text.escape_debug().to_string(),
        };
        let message = format!("`{found}` is not a port: expected a number from 1 to 65535");
        self.advise(at, message, "e.g. `8080` or `\"53/udp\"`");
        None
    }

    fn state(&self, at: &At<TextOr<written::StateTable>>) -> Option<StateDirectory> {
        let (path, mode) = match &at.value {
            TextOr::Text(text) => (self.tree_path_of(at, text)?, None),
            TextOr::Table(table) => (self.tree_path(&table.path)?, table.mode.as_ref()),
        };
        let mode = match mode {
            Some(mode) => self.mode(mode)?,
            None => Mode::from_st_mode(STATE_MODE),
        };
        if path.depth() < 2 {
            self.fault(at, format!("`{path}` cannot belong to one service"));
            return None;
        }
        Some(StateDirectory { path, mode })
    }

    fn environment(
        &self,
        map: &BTreeMap<At<String>, At<String>>,
    ) -> Option<BTreeMap<String, String>> {
        let pairs = map.iter().map(|(name, value)| {
            let value = self.value_text(value);
            Some((self.variable(name, &name.value)?, value?))
        });
        pairs.collect()
    }

    /// Returns the name of an environment variable (POSIX XBD 8.1).
    pub(super) fn variable(&self, at: &At<String>, name: &str) -> Option<String> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.chars().all(allowed) && name.starts_with(|c: char| !c.is_ascii_digit()) {
            return Some(name.to_owned());
        }
        let found = name.escape_debug();
        let message = format!("`{found}` is not the name of an environment variable");
        self.advise(at, message, "names are made of letters, digits and `_`");
        None
    }

    fn units(&self, list: &[At<String>]) -> Option<Vec<String>> {
        list.iter().map(|at| self.unit(at)).collect()
    }

    pub(super) fn signal(&self, at: &At<String>) -> Option<String> {
        if SIGNALS.contains(&at.value.as_str()) {
            return Some(at.value.clone());
        }
        let wanted = format!("SIG{}", at.value.to_uppercase().trim_start_matches("SIG"));
        let message = format!("`{}` is not the name of a signal", at.value.escape_debug());
        self.advise(at, message, suggestion::hint(&wanted, &SIGNALS));
        None
    }

    fn systemd(
        &self,
        sections: &BTreeMap<At<String>, BTreeMap<At<String>, At<Scalar>>>,
    ) -> Option<BTreeMap<String, BTreeMap<String, Vec<String>>>> {
        let mut all = BTreeMap::new();
        for (section, settings) in sections {
            if !SECTIONS.contains(&section.value.as_str()) {
                let found = section.value.escape_debug();
                let message = format!("a service unit has no section `{found}`");
                self.advise(section, message, "expected `Unit`, `Service` or `Install`");
                return None;
            }
            let settings = settings.iter().map(|(name, value)| self.setting(name, value));
            all.insert(section.value.clone(), settings.collect::<Option<_>>()?);
        }
        Some(all)
    }

    fn setting(&self, name: &At<String>, value: &At<Scalar>) -> Option<(String, Vec<String>)> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let starts = name.value.starts_with(|c: char| c.is_ascii_uppercase());
        if !starts || !name.value.chars().all(allowed) {
            let found = name.value.escape_debug();
            let message = format!("`{found}` is not the name of a unit setting");
            self.advise(name, message, "e.g. `LimitNOFILE`");
            return None;
        }
        let values = match &value.value {
            Scalar::Text(text) => vec![text.clone()],
            Scalar::Integer(number) => vec![number.to_string()],
            Scalar::Bool(yes) => vec![yes.to_string()],
            Scalar::List(list) => list.clone(),
            Scalar::Float(_) | Scalar::Date(_) => {
                self.fault(value, "expected a string, a whole number, a boolean or an array");
                return None;
            }
        };
        // A backslash at the end would join the line with the next one.
        let bad = |text: &String| text.chars().any(char::is_control) || text.ends_with('\\');
        if values.iter().any(bad) {
            self.fault(value, "a unit setting is one line, which does not end with a backslash");
            return None;
        }
        Some((name.value.clone(), values))
    }
}

impl super::list::Element for Port {
    fn is_named(&self, text: &str) -> bool {
        self.to_string() == text || self.number.to_string() == text
    }
}

impl super::list::Element for TreePath {
    fn is_named(&self, text: &str) -> bool {
        TreePath::parse(text).as_ref() == Ok(self)
    }
}
