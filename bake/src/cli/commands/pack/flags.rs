//! The recipe as flags.

use std::path::PathBuf;

use bake_recipes::RecipeError;
use bake_recipes::resolved::Output;
use clap::Args;
use toml::Value;

use super::setting::{append, parse, set, words};
use crate::cli::failure::Failure;
use crate::pack::{FileFlags, Setting, SettingValue};

/// Flags that say what a recipe would.
#[derive(Debug, Args)]
pub(super) struct Flags {
    #[command(flatten, next_help_heading = "About the package")]
    about: About,
    #[command(flatten, next_help_heading = "Relations")]
    relations: RelationFlags,
    /// Do not depend on the interpreters and libraries that the source says it needs
    #[arg(long, help_heading = "Relations")]
    pub(super) no_auto_depends: bool,
    #[command(flatten, next_help_heading = "Files")]
    placed: Placed,
    #[command(flatten, next_help_heading = "Service")]
    service: ServiceFlags,
    #[command(flatten, next_help_heading = "Scripts, for /bin/sh, on deb and rpm alike")]
    scripts: ScriptFlags,
    #[command(flatten, next_help_heading = "Formats")]
    formats: FormatFlags,
}

#[derive(Debug, Args)]
struct About {
    /// The package's name
    #[arg(short, long)]
    name: Option<String>,
    /// The version, e.g. 1.2.3 or 1.2.3-rc.1
    #[arg(short = 'v', long)]
    version: Option<String>,
    /// The packaging revision [default: 1]
    #[arg(long, visible_alias = "iteration")]
    release: Option<String>,
    /// What outranks the version
    #[arg(long)]
    epoch: Option<i64>,
    /// One line about the package
    #[arg(short, long)]
    summary: Option<String>,
    /// More lines about the package
    #[arg(long)]
    description: Option<String>,
    /// An SPDX licence expression
    #[arg(long)]
    license: Option<String>,
    /// `Name <mail>` [default: DEBFULLNAME and DEBEMAIL, else the source's author]
    #[arg(short, long)]
    maintainer: Option<String>,
    /// Who distributes the package
    #[arg(long)]
    vendor: Option<String>,
    /// The project's web address
    #[arg(long, visible_alias = "url")]
    homepage: Option<String>,
    /// The address of the source repository
    #[arg(long)]
    vcs: Option<String>,
    /// The time of everything: seconds since 1970, or a date
    #[arg(long, value_name = "TIME")]
    source_date: Option<String>,
    /// `native`, or `all` for what runs everywhere
    #[arg(short, long)]
    architecture: Option<String>,
}

#[derive(Debug, Args)]
struct RelationFlags {
    /// Needs this: `name`, `name >= 1.2` or `name < 2`
    #[arg(short, long, value_name = "RELATION")]
    depends: Vec<String>,
    /// Works better with this
    #[arg(long, value_name = "RELATION")]
    recommends: Vec<String>,
    /// May be of use with this
    #[arg(long, value_name = "RELATION")]
    suggests: Vec<String>,
    /// Cannot be installed beside this
    #[arg(long, value_name = "RELATION")]
    conflicts: Vec<String>,
    /// Stands in for this: `name` or `name = 1.2`
    #[arg(long, value_name = "RELATION")]
    provides: Vec<String>,
    /// Takes the place of this
    #[arg(long, value_name = "RELATION")]
    replaces: Vec<String>,
    /// The deb needs this as well, e.g. `libc6 (>= 2.31)` or `a | b`
    #[arg(long, value_name = "RELATION")]
    deb_depends: Vec<String>,
    /// The deb recommends this as well
    #[arg(long, value_name = "RELATION")]
    deb_recommends: Vec<String>,
    /// The rpm needs this as well, e.g. `glibc >= 2.28` or `(a or b)`
    #[arg(long, value_name = "RELATION")]
    rpm_requires: Vec<String>,
    /// The rpm recommends this as well
    #[arg(long, value_name = "RELATION")]
    rpm_recommends: Vec<String>,
}

#[derive(Debug, Args)]
struct Placed {
    /// Place folders, archives and programs here
    #[arg(long, value_name = "DIR")]
    prefix: Option<String>,
    /// Leave out what this glob matches, e.g. `*.map` or `docs/**`
    #[arg(short = 'x', long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// This path in the package is configuration, as everything in /etc is
    #[arg(long, value_name = "PATH", visible_alias = "config-files")]
    config: Vec<String>,
    /// The user that owns the files [default: root]
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
    /// The group that owns the files [default: root]
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// The mode of files in octal [default: 0755 for programs, else 0644]
    #[arg(long, value_name = "MODE")]
    mode: Option<String>,
    /// The mode of directories in octal [default: 0755]
    #[arg(long, value_name = "MODE")]
    directory_mode: Option<String>,
}

#[derive(Debug, Args)]
struct ServiceFlags {
    /// Run this command as a service: a program's absolute path and its arguments
    #[arg(long, value_name = "COMMAND")]
    service: Option<String>,
    /// The user that the service runs as; packages create it [default: root]
    #[arg(long, requires = "service")]
    user: Option<String>,
    /// A port that the service listens on, e.g. 8080 or 53/udp
    #[arg(long, value_name = "PORT", requires = "service")]
    port: Vec<String>,
    /// A directory that the service keeps data in
    #[arg(long, value_name = "DIR", requires = "service")]
    state: Vec<String>,
    /// An environment variable of the service
    #[arg(long, value_name = "NAME=VALUE", requires = "service")]
    env: Vec<String>,
}

#[derive(Debug, Args)]
struct ScriptFlags {
    /// Before the first version is unpacked
    #[arg(long, value_name = "FILE")]
    before_install: Option<PathBuf>,
    /// After the first version was unpacked
    #[arg(long, value_name = "FILE")]
    after_install: Option<PathBuf>,
    /// Before a later version is unpacked
    #[arg(long, value_name = "FILE")]
    before_upgrade: Option<PathBuf>,
    /// After a later version was unpacked
    #[arg(long, value_name = "FILE")]
    after_upgrade: Option<PathBuf>,
    /// Before the package is removed
    #[arg(long, value_name = "FILE")]
    before_remove: Option<PathBuf>,
    /// After the package was removed
    #[arg(long, value_name = "FILE")]
    after_remove: Option<PathBuf>,
    /// After its configuration was removed too
    #[arg(long, value_name = "FILE")]
    after_purge: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct FormatFlags {
    /// `none`, `gzip`, `zstd` or `xz`, perhaps with a level: `zstd:9`
    #[arg(long)]
    compression: Option<String>,
    /// The deb's section, e.g. `net`
    #[arg(long, value_name = "SECTION")]
    deb_section: Option<String>,
    /// The deb's priority
    #[arg(long, value_name = "PRIORITY")]
    deb_priority: Option<String>,
    /// A further control field of the deb
    #[arg(long, value_name = "NAME=VALUE")]
    deb_field: Vec<String>,
    /// The rpm's group
    #[arg(long, value_name = "GROUP")]
    rpm_group: Option<String>,
    /// Set any key of the recipe; `KEY+=VALUE` adds an element to a list
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Flags {
    /// Returns what flags say about files.
    pub(super) fn files(&self) -> FileFlags {
        let Placed { prefix, exclude, config, owner, group, mode, directory_mode } = &self.placed;
        FileFlags {
            prefix: prefix.clone(),
            exclude: exclude.clone(),
            config: config.clone(),
            owner: owner.clone(),
            group: group.clone(),
            mode: mode.clone(),
            directory_mode: directory_mode.clone(),
        }
    }

    /// Returns the keys that flags set, `--set` last.
    pub(super) fn settings(&self, outputs: &[Output]) -> Result<Vec<Setting>, Failure> {
        let mut settings = self.about.settings();
        settings.extend(self.relations.settings());
        settings.extend(self.service.settings()?);
        settings.extend(self.scripts.settings());
        settings.extend(self.formats.settings(outputs)?);
        for text in &self.formats.set {
            settings.push(parse(text).map_err(failure)?);
        }
        Ok(settings)
    }
}

fn failure(error: RecipeError) -> Failure {
    Failure::Recipe(error.into())
}

impl About {
    fn settings(&self) -> Vec<Setting> {
        let texts = [
            ("name", &self.name),
            ("version", &self.version),
            ("release", &self.release),
            ("summary", &self.summary),
            ("description", &self.description),
            ("license", &self.license),
            ("maintainer", &self.maintainer),
            ("vendor", &self.vendor),
            ("homepage", &self.homepage),
            ("vcs", &self.vcs),
            ("architecture", &self.architecture),
        ];
        let mut settings = Vec::new();
        for (key, text) in texts {
            let flag = format!("--{key}");
            settings.extend(text.as_ref().map(|text| set(&[key], text.as_str(), &flag, text)));
        }
        if self.maintainer.is_none() {
            settings.extend(environment());
        }
        if let Some(epoch) = self.epoch {
            settings.push(set(&["epoch"], epoch, "--epoch", &epoch.to_string()));
        }
        if let Some(text) = &self.source_date {
            let seconds = text.parse::<i64>().map(Value::from);
            let value = seconds.unwrap_or_else(|_| Value::from(text.as_str()));
            settings.push(set(&["source-date"], value, "--source-date", text));
        }
        settings
    }
}

/// Returns the maintainer that Debian's tools would take.
#[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
fn environment() -> Option<Setting> {
    let variable = |name| std::env::var(name).ok().filter(|text| !text.trim().is_empty());
    let mail = variable("DEBEMAIL")?;
    let text =
        if mail.contains('<') { mail } else { format!("{} <{mail}>", variable("DEBFULLNAME")?) };
    Some(set(&["maintainer"], text.as_str(), "DEBFULLNAME, DEBEMAIL:", &text))
}

impl RelationFlags {
    fn settings(&self) -> Vec<Setting> {
        let lists: [(&[&str], &str, &[String]); 10] = [
            (&["depends"], "--depends", &self.depends),
            (&["recommends"], "--recommends", &self.recommends),
            (&["suggests"], "--suggests", &self.suggests),
            (&["conflicts"], "--conflicts", &self.conflicts),
            (&["provides"], "--provides", &self.provides),
            (&["replaces"], "--replaces", &self.replaces),
            (&["deb", "depends", "append"], "--deb-depends", &self.deb_depends),
            (&["deb", "recommends", "append"], "--deb-recommends", &self.deb_recommends),
            (&["rpm", "requires", "append"], "--rpm-requires", &self.rpm_requires),
            (&["rpm", "recommends", "append"], "--rpm-recommends", &self.rpm_recommends),
        ];
        let mut settings = Vec::new();
        for (path, flag, list) in lists {
            settings.extend(list.iter().map(|text| append(path, text.as_str(), flag, text)));
        }
        settings
    }
}

impl ServiceFlags {
    fn settings(&self) -> Result<Vec<Setting>, Failure> {
        let Some(command) = &self.service else { return Ok(Vec::new()) };
        let mut settings = vec![set(
            &["service", "command"],
            words(command).map_err(failure)?,
            "--service",
            command,
        )];
        if let Some(user) = &self.user {
            settings.push(set(&["service", "user"], user.as_str(), "--user", user));
        }
        for text in &self.port {
            let number = text.parse::<i64>().map(Value::from);
            let value = number.unwrap_or_else(|_| Value::from(text.as_str()));
            settings.push(append(&["service", "ports"], value, "--port", text));
        }
        for text in &self.state {
            settings.push(append(&["service", "state"], text.as_str(), "--state", text));
        }
        for text in &self.env {
            let (name, value) = pair("--env", text)?;
            settings.push(set(&["service", "environment", name], value, "--env", text));
        }
        Ok(settings)
    }
}

fn pair<'a>(flag: &str, text: &'a str) -> Result<(&'a str, &'a str), Failure> {
    text.split_once('=')
        .ok_or_else(|| failure(RecipeError::new(format!("{flag} {text}: expected NAME=VALUE"))))
}

impl ScriptFlags {
    fn settings(&self) -> Vec<Setting> {
        let files = [
            ("before-install", "--before-install", &self.before_install),
            ("after-install", "--after-install", &self.after_install),
            ("before-upgrade", "--before-upgrade", &self.before_upgrade),
            ("after-upgrade", "--after-upgrade", &self.after_upgrade),
            ("before-remove", "--before-remove", &self.before_remove),
            ("after-remove", "--after-remove", &self.after_remove),
            ("purge", "--after-purge", &self.after_purge),
        ];
        let mut settings = Vec::new();
        for (key, flag, file) in files {
            let Some(file) = file else { continue };
            let text = file.display().to_string();
            let setting = set(&["scripts", key, "file"], "", flag, &text);
            settings.push(Setting { value: SettingValue::File(file.clone()), ..setting });
        }
        settings
    }
}

impl FormatFlags {
    fn settings(&self, outputs: &[Output]) -> Result<Vec<Setting>, Failure> {
        let mut settings = Vec::new();
        if let Some(text) = &self.compression {
            for output in outputs.iter().filter(|output| **output != Output::Vm) {
                let path = [output.word(), "compression"];
                settings.push(set(&path, text.as_str(), "--compression", text));
            }
        }
        let texts: [(&[&str], &str, &Option<String>); 3] = [
            (&["deb", "section"], "--deb-section", &self.deb_section),
            (&["deb", "priority"], "--deb-priority", &self.deb_priority),
            (&["rpm", "group"], "--rpm-group", &self.rpm_group),
        ];
        for (path, flag, text) in texts {
            settings.extend(text.as_ref().map(|text| set(path, text.as_str(), flag, text)));
        }
        for text in &self.deb_field {
            let (name, value) = pair("--deb-field", text)?;
            settings.push(set(&["deb", "fields", name], value, "--deb-field", text));
        }
        Ok(settings)
    }
}
