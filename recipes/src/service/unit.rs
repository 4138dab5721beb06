//! The systemd unit (systemd.service(5), systemd.exec(5)).

use super::quote;
use crate::resolved::Service;

/// Ports below this are for root only, or for a program with the capability.
const FIRST_FREE_PORT: u16 = 1024;

/// What `bake-init` exits with if the configuration is wrong (`EX_CONFIG` of sysexits.h).
const MISCONFIGURED: &str = "78";

/// A setting with its values; each value is a line of its own.
type Setting = (String, Vec<String>);

/// A section with its settings in order.
struct Section {
    name: &'static str,
    settings: Vec<Setting>,
}

pub(super) fn render(service: &Service) -> String {
    let mut sections = [unit(service), run(service), install()];
    for section in &mut sections {
        if let Some(own) = service.systemd.get(section.name) {
            for (name, values) in own {
                section.set(name, values.clone());
            }
        }
    }
    let texts: Vec<_> = sections.iter().map(Section::render).collect();
    texts.join("\n")
}

fn unit(service: &Service) -> Section {
    let mut section = Section { name: "Unit", settings: Vec::new() };
    section.set("Description", vec![quote::specifiers(&service.description)]);
    for (name, units) in [("After", &service.after), ("Wants", &service.wants)] {
        if !units.is_empty() {
            section.set(name, vec![units.join(" ")]);
        }
    }
    section
}

fn run(service: &Service) -> Section {
    let mut section = Section { name: "Service", settings: Vec::new() };
    section.set("Type", vec!["simple".into()]);
    if !service.preparation.is_empty() {
        // As root, because the service may not write where its configuration lies.
        section.set("ExecStartPre", vec![format!("+{}", command(&service.preparation))]);
    }
    let all = [&*service.launcher, &*service.command].concat();
    section.set("ExecStart", vec![command(&all)]);
    if !service.user.is_root() {
        section.set("User", vec![service.user.name.to_string()]);
    }
    if !service.user.is_root() || !service.group.is_root() {
        section.set("Group", vec![service.group.name.to_string()]);
    }
    if !service.user.is_root() && service.ports.iter().any(|port| port.number < FIRST_FREE_PORT) {
        section.set("AmbientCapabilities", vec!["CAP_NET_BIND_SERVICE".into()]);
    }
    if let Some(path) = &service.working_directory {
        section.set("WorkingDirectory", vec![quote::specifiers(&path_text(path))]);
    }
    let assignments = service.environment.iter().map(|(name, value)| format!("{name}={value}"));
    let assignments = assignments.map(|text| quote::word(&quote::specifiers(&text)));
    section.set("Environment", assignments.collect());
    section.set("Restart", vec![service.restart.word().into()]);
    if !service.launcher.is_empty() {
        // A start that finds the configuration wrong finds it wrong again.
        section.set("RestartPreventExitStatus", vec![MISCONFIGURED.into()]);
    }
    if let Some(signal) = &service.stop_signal {
        section.set("KillSignal", vec![signal.clone()]);
    }
    section
}

fn command(words: &[String]) -> String {
    let arguments = words.iter().enumerate().map(|(index, text)| match index {
        // The program's path is not expanded.
        0 => quote::word(&quote::specifiers(text)),
        _ => quote::argument(text),
    });
    arguments.collect::<Vec<_>>().join(" ")
}

fn install() -> Section {
    let settings = vec![("WantedBy".into(), vec!["multi-user.target".into()])];
    Section { name: "Install", settings }
}

/// Paths of a recipe are text, so nothing is lost.
pub(super) fn path_text(path: &bake_formats::tree::TreePath) -> String {
    String::from_utf8_lossy(&path.absolute()).into_owned()
}

impl Section {
    /// Adds a setting, in place of one with the same name if there is one.
    fn set(&mut self, name: &str, values: Vec<String>) {
        match self.settings.iter_mut().find(|(known, _)| known == name) {
            Some(setting) => setting.1 = values,
            None => self.settings.push((name.into(), values)),
        }
    }

    fn render(&self) -> String {
        let mut text = format!("[{}]\n", self.name);
        for (name, values) in &self.settings {
            for value in values {
                text.push_str(&format!("{name}={value}\n"));
            }
        }
        text
    }
}
