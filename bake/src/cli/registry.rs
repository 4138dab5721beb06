//! What commands that talk to registries take: settings, logins, and how much to say.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use clap::builder::RangedU64ValueParser;

use super::failure::Failure;
use super::printer::{Notes, Printer};
use crate::error::Error;
use crate::registry::{
    Client, Event, Keychain, Observer, Options, Secret, Settings, Source, Unobserved, shown,
};

/// How registries are talked to.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Registries")]
pub(super) struct RegistryArgs {
    /// Take logins from this file, of docker's or podman's form, and from no other [default:
    /// where docker, podman and skopeo keep them]
    #[arg(long, value_name = "FILE")]
    authfile: Option<PathBuf>,
    /// Take settings of registries from this file: authorities, mirrors, limits [default:
    /// `bake/registries.toml` in the user's configuration directory]
    #[arg(long, value_name = "FILE", env = "BAKE_REGISTRIES")]
    registries: Option<PathBuf>,
    /// Talk to this registry without TLS
    #[arg(long, value_name = "HOST[:PORT]")]
    plain_http: Vec<String>,
    /// Do not check the certificate of this registry
    #[arg(long, value_name = "HOST[:PORT]")]
    insecure: Vec<String>,
    /// Send at most this many requests at once to a registry [default: 6]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<u32>::new().range(1..=64))]
    parallel: Option<u32>,
    /// Print every request with the status of its answer; no secrets
    #[arg(long)]
    trace: bool,
}

impl RegistryArgs {
    /// Makes the client that was asked for.
    pub(super) fn client(&self, printer: &Printer) -> Result<Client, Failure> {
        self.client_watched_by(Arc::new(Unobserved), printer)
    }

    /// Makes the client that was asked for; `observer` is told of everything, for progress.
    pub(super) fn client_watched_by(
        &self,
        observer: Arc<dyn Observer>,
        printer: &Printer,
    ) -> Result<Client, Failure> {
        let notes = printer.notes();
        let options = Options {
            settings: self.settings()?,
            keychain: Keychain::new(self.logins()),
            proxy: proxy()?,
            parallel: self.parallel,
            date: Some(date),
            observer: Arc::new(Narrator { notes, trace: self.trace, then: observer }),
            ..Options::default()
        };
        Ok(Client::new(options))
    }

    fn settings(&self) -> Result<Settings, Failure> {
        let path = match &self.registries {
            Some(path) => Some(path.clone()),
            None => home("XDG_CONFIG_HOME", ".config")
                .map(|folder| folder.join("bake/registries.toml"))
                .filter(|path| path.exists()),
        };
        let read = path.as_deref().map(Settings::read).transpose();
        let mut settings = read
            .map_err(|error| Error::Input {
                what: "settings of registries".into(),
                reason: error.to_string(),
            })?
            .unwrap_or_default();
        for (option, names) in [("--plain-http", &self.plain_http), ("--insecure", &self.insecure)]
        {
            for name in names {
                let of = settings
                    .of_mut(name)
                    .map_err(|reason| Error::Input { what: option.into(), reason })?;
                match option {
                    "--plain-http" => of.http = true,
                    _ => of.insecure = true,
                }
            }
        }
        Ok(settings)
    }

    /// Returns the places where logins may be, in order (docs/registries.md).
    fn logins(&self) -> Vec<Source> {
        if let Some(path) = &self.authfile {
            return vec![Source::File(path.clone())];
        }
        let mut sources = Vec::new();
        let text = std::env::var_os("DOCKER_AUTH_CONFIG").and_then(|text| text.into_string().ok());
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            sources.push(Source::Text("DOCKER_AUTH_CONFIG".into(), Secret::new(text)));
        }
        let runtime = || {
            // Where podman keeps logins of a user without a session, which root often is.
            let user = rustix::process::getuid().as_raw();
            directory("XDG_RUNTIME_DIR")
                .map_or_else(
                    || PathBuf::from(format!("/run/containers/{user}")),
                    |folder| folder.join("containers"),
                )
                .join("auth.json")
        };
        let podman = directory("REGISTRY_AUTH_FILE").unwrap_or_else(runtime);
        sources.push(Source::IfPresent(podman));
        if let Some(folder) = home("XDG_CONFIG_HOME", ".config") {
            sources.push(Source::IfPresent(folder.join("containers/auth.json")));
        }
        if let Some(folder) = home("DOCKER_CONFIG", ".docker") {
            sources.push(Source::IfPresent(folder.join("config.json")));
        }
        sources
    }
}

/// Returns the date, which `Retry-After` may be compared with; it moves no byte.
#[expect(
    clippy::disallowed_methods,
    reason = "how long a registry asks to wait is a question of now"
)]
fn date() -> std::time::SystemTime {
    std::time::SystemTime::now()
}

/// Returns the path that a variable holds.
fn directory(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Returns the folder that a variable holds, else one in the user's home.
fn home(variable: &str, default: impl AsRef<Path>) -> Option<PathBuf> {
    directory(variable).or_else(|| directory("HOME").map(|home| home.join(default)))
}

/// Returns the proxy that the environment names, as curl reads it.
fn proxy() -> Result<Option<ureq::Proxy>, Failure> {
    let proxy = ureq::Proxy::try_from_env();
    match &proxy {
        Some(found) if !matches!(found.uri().scheme_str(), Some("http" | "https")) => {
            let what = "ALL_PROXY, HTTPS_PROXY or HTTP_PROXY".to_owned();
            let reason = "only proxies of http:// and https:// can be used".to_owned();
            Err(Error::Input { what, reason }.into())
        }
        _ => Ok(proxy),
    }
}

/// Says what happens on the wire to people, as far as they want to know.
#[derive(Debug)]
struct Narrator {
    notes: Notes,
    trace: bool,
    then: Arc<dyn Observer>,
}

impl Observer for Narrator {
    fn event(&self, event: &Event<'_>) {
        self.then.event(event);
        match event {
            Event::Answered { method, url, status, elapsed, .. } if self.trace => {
                let (method, url) = (method.as_str(), shown(url));
                self.notes
                    .print(format!("{method} {url}: {status} after {} ms", elapsed.as_millis()));
            }
            Event::Broke { method, url, reason, .. } if self.trace => {
                self.notes.print(format!("{} {}: {reason}", method.as_str(), shown(url)));
            }
            // Short waits are nobody's concern.
            Event::Waiting { registry, delay, reason, .. }
                if self.trace || delay.as_secs() >= 2 =>
            {
                let seconds = delay.as_secs_f64();
                self.notes.print(format!("{registry}: {reason}; trying again in {seconds:.1} s"));
            }
            Event::MirrorFailed { registry, mirror, reason } => {
                self.notes.print(format!("{registry}: not from the mirror {mirror}: {reason}"));
            }
            Event::Warned { registry, text } => {
                self.notes.print(format!("{registry} says: {text}"));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        registry: RegistryArgs,
    }

    fn settings(arguments: &[&str]) -> Result<Settings, Failure> {
        let words = ["test", "--registries", "/dev/null"].iter().chain(arguments);
        Line::try_parse_from(words).unwrap().registry.settings()
    }

    #[test]
    fn options_change_settings() {
        let settings = settings(&["--plain-http", "a:5000", "--insecure", "b"]).unwrap();
        assert!(settings.of("a:5000").unwrap().http);
        assert!(settings.of("b").unwrap().insecure);
    }

    #[test]
    fn names_in_options_are_names() {
        let failure = settings(&["--insecure", "https://b"]).unwrap_err();
        let text = failure.render(bake_recipes::Look::Plain);
        assert_eq!(text, "error: --insecure: `https://b` is not HOST or HOST:PORT");
    }

    #[test]
    fn an_auth_file_is_the_only_one() {
        let line = Line::try_parse_from(["test", "--authfile", "/x/auth.json"]).unwrap();
        let [Source::File(path)] = &line.registry.logins()[..] else { panic!("not one file") };
        assert_eq!(path, Path::new("/x/auth.json"));
    }

    #[test]
    fn requests_at_once_have_bounds() {
        for (n, fits) in [("0", false), ("1", true), ("64", true), ("65", false)] {
            assert_eq!(Line::try_parse_from(["test", "--parallel", n]).is_ok(), fits, "{n}");
        }
    }
}
