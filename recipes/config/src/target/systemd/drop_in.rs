//! The drop-in of a unit (systemd.unit(5)). No value stands in it: anybody may read it, and specifiers are expanded.

use crate::deployment::Deployment;
use crate::schema::Reload;

/// A drop-in while it is gathered.
pub(super) struct DropIn<'a> {
    unit: &'a str,
    title: String,
    digest: String,
    /// Lines of the section `Service`.
    lines: Vec<String>,
    /// Files that the service reads again when it is told to, and those that it watches.
    reloaded: Vec<String>,
    watched: Vec<String>,
}

impl<'a> DropIn<'a> {
    pub(super) fn new(unit: &'a str, deployment: &Deployment<'_>) -> Self {
        let version = deployment.version.map(|version| format!(" {version}")).unwrap_or_default();
        let title = format!("{}{version} in {}", deployment.name(), deployment.environment);
        Self {
            unit,
            // On one line, whatever is in it.
            title: title.escape_debug().to_string(),
            digest: deployment.digest.to_string(),
            lines: Vec::new(),
            reloaded: Vec::new(),
            watched: Vec::new(),
        }
    }

    /// Takes variables from a file; the path is relative to `/`.
    pub(super) fn environment_file(&mut self, path: &str) {
        self.lines.push(format!("EnvironmentFile=/{path}"));
    }

    /// Loads a credential from an absolute path or from one that the machine has.
    pub(super) fn credential(&mut self, name: &str, source: &str) {
        self.lines.push(format!("LoadCredential={name}:{source}"));
    }

    /// Sets a variable to the path of a credential.
    pub(super) fn path_variable(&mut self, variable: &str, name: &str) {
        self.lines.push(format!("Environment={variable}=%d/{name}"));
    }

    /// Mounts a credential over a file.
    pub(super) fn mount(&mut self, name: &str, path: &str) {
        self.lines.push(format!("BindReadOnlyPaths=%d/{name}:{path}"));
    }

    /// Notes what a change of a rendered file asks for.
    pub(super) fn rendered(&mut self, path: &str, reload: Reload) {
        match reload {
            Reload::Restart => {}
            Reload::Reload => self.reloaded.push(path.into()),
            Reload::None => self.watched.push(path.into()),
        }
    }

    /// Returns where it goes, relative to `/`.
    pub(super) fn path(&self) -> String {
        format!("etc/systemd/system/{}.service.d/50-bake-config.conf", self.unit)
    }

    pub(super) fn text(&self) -> String {
        let Self { unit, title, digest, lines, reloaded, watched } = self;
        let mut text = format!(
            "# Configuration of {title}, written by bake: changes belong into the environment.\n\
             # After a change: systemctl daemon-reload && systemctl restart {unit}.service\n"
        );
        let mut notes = |files: &[String], enough: &str| {
            if !files.is_empty() {
                text.push_str(&format!("# If nothing but these changed, {enough}:\n"));
                for path in files {
                    text.push_str(&format!("#   {path}\n"));
                }
            }
        };
        notes(reloaded, &format!("systemctl daemon-reload && systemctl reload {unit}.service"));
        notes(watched, "nothing but systemctl daemon-reload");
        text.push_str(&format!("[Unit]\nX-Bake-Config={digest}\n"));
        if !lines.is_empty() {
            text.push_str("\n[Service]\n");
            for line in lines {
                text.push_str(&format!("{line}\n"));
            }
        }
        text
    }
}
