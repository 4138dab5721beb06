//! `bake config render`: one environment's configuration as its target reads it.

use std::path::{Path, PathBuf};

use bake_config::{ConfigDigest, Deployment, DigestKey, Name};
use bake_recipes::environment::EnvironmentName;
use clap::Args;
use serde_json::json;

use super::check::{joined, load};
use super::source::{Known, SchemaArgs};
use crate::carried::ArtifactId;
use crate::cli::Exit;
use crate::cli::commands::check::print;
use crate::cli::environments::{EnvironmentArgs, UnlockArgs};
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::cli::request::epoch;
use crate::configuration::{Access, Joined, Sealed};
use crate::configure::{
    self, ConfigVersion, ConfiguredArtifact, HostName, Request, SecretPlace, Target,
};
use crate::environment::digest_key::digest_key;
use crate::error::Error;
use crate::lint::{Finding, Severity};

/// Render one environment's configuration for what reads it: systemd, Kubernetes, packages …
#[derive(Debug, Args)]
#[command(
    after_help = "Targets: systemd, docker, compose, kubernetes, dotenv, json, deb, rpm, nocloud, confext; docs/config-targets.md and \
    docs/config-packages.md say what each gives. Of several, each gets a folder of its name.\n\nThe folder is written whole or \
    not at all, and deployment.json in it names the artifact, the schema, the environment and the configuration by their \
    digests. The same artifact and the same environment give the same bytes.\n\nExamples:\n  bake config render --env prod --for \
    systemd -o rendered dist/app_1.4.0_amd64.deb\n  bake config render --env test --for kubernetes,compose -o rendered"
)]
pub(super) struct Render {
    #[command(flatten)]
    source: SchemaArgs,
    /// The environment
    #[arg(long = "env", value_name = "ENV")]
    environment: EnvironmentName,
    /// What reads it
    #[arg(long = "for", value_name = "TARGET", value_delimiter = ',', required = true)]
    targets: Vec<Target>,
    /// Where to: a folder that is not there, is empty, or was written by this command before
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Where secrets go if many read the target: nowhere (it is refused), `elsewhere` (the output says where they must be),
    /// `beside` (in files of their own)
    #[arg(long, value_name = "PLACE", default_value = "target")]
    secrets: SecretPlace,
    /// The version of packages; it must grow [default: the time in SOURCE_DATE_EPOCH]
    #[arg(long, value_name = "VERSION")]
    config_version: Option<ConfigVersion>,
    /// Who answers for packages, as `Name <mail address>` [default: the recipe's maintainer, if there is a recipe]
    #[arg(long, value_name = "PERSON")]
    maintainer: Option<String>,
    /// The name of the machine that a volume is for
    #[arg(long, value_name = "NAME")]
    host_name: Option<HostName>,
    #[command(flatten)]
    unlock: UnlockArgs,
}

impl Render {
    pub(super) fn run(
        &self,
        environments: &EnvironmentArgs,
        printer: &Printer,
    ) -> Result<Exit, Failure> {
        let known = self.source.read(environments)?;
        let loaded = load(std::slice::from_ref(&self.environment), environments)?;
        let settings = loaded.iter().flat_map(|environment| environment.settings.values());
        let identities = self.unlock.identities_for(settings)?;
        let access = Access {
            identities: &identities,
            commands: self.unlock.commands(),
            sealed: Sealed::Refused,
        };
        let mut all = joined(&known, loaded, access)?;
        let Some(joined) = all.pop() else { return Ok(Exit::No) };
        for finding in joined.findings.iter().filter(|finding| finding.severity > Severity::Info) {
            print(printer, finding)?;
        }
        if joined.is_refused() {
            return Ok(Exit::No);
        }
        let key = digest_key(&joined.environment, &identities).map_err(Error::from)?;
        let key = key.map(|key| DigestKey::new(*key.expose()));
        let digest = digest_of(&known, &joined, key.as_ref())?;
        let deployment = Deployment {
            schema: &known.schema,
            settings: &joined.settings,
            environment: joined.environment.name.as_str(),
            digest,
            version: known.version.as_deref(),
            entrypoint: known.entrypoint,
        };
        self.render_all(&deployment, &known, &joined, printer)
    }

    /// Renders for every target before anything is written.
    fn render_all(
        &self,
        deployment: &Deployment<'_>,
        known: &Known,
        joined: &Joined,
        printer: &Printer,
    ) -> Result<Exit, Failure> {
        let mut rendered = Vec::new();
        let mut is_refused = false;
        for target in &self.targets {
            let request = self.request(deployment, known, *target)?;
            match configure::render(&request) {
                Ok(output) => rendered.push((*target, output)),
                Err(configure::Failure::Refused(refusals)) => {
                    is_refused = true;
                    for refusal in refusals {
                        print(printer, &finding(refusal, *target, joined))?;
                    }
                }
                Err(configure::Failure::Engine(error)) => return Err(error.into()),
            }
        }
        if is_refused {
            return Ok(Exit::No);
        }
        for (target, output) in &rendered {
            let folder = self.folder(*target);
            configure::write(output, &folder)?;
            tell(*target, &folder, output.files.len(), deployment, printer)?;
        }
        Ok(Exit::Done)
    }

    fn request<'a>(
        &'a self,
        deployment: &'a Deployment<'a>,
        known: &'a Known,
        target: Target,
    ) -> Result<Request<'a>, Failure> {
        let epoch = epoch()?;
        let mut request = Request::new(deployment, target);
        request.artifact =
            known.artifact.as_ref().and_then(|artifact| configured(artifact, deployment.name()));
        request.secrets = self.secrets;
        request.version = self.config_version.clone().or_else(|| epoch.map(ConfigVersion::of_time));
        request.maintainer = self.maintainer.as_deref().or(known.maintainer.as_deref());
        request.host_name = self.host_name.as_ref();
        if let Some(epoch) = epoch {
            request.epoch = epoch;
        }
        Ok(request)
    }

    fn folder(&self, target: Target) -> PathBuf {
        match self.targets.as_slice() {
            [_] => self.output.clone(),
            _ => self.output.join(target.word()),
        }
    }
}

fn digest_of(
    known: &Known,
    joined: &Joined,
    key: Option<&DigestKey>,
) -> Result<ConfigDigest, Failure> {
    let name = &joined.environment.name;
    ConfigDigest::of(&known.schema, name.as_str(), &joined.settings, key).map_err(|_| {
        Error::Config {
            what: format!("`{name}`"),
            reason: "it has secrets, and no key that their digest could be made with".into(),
            hint: Some(format!(
                "`bake env key {name}` makes one; without it a weak secret could be found by trying"
            )),
        }
        .into()
    })
}

fn configured<'a>(artifact: &'a ArtifactId, name: &'a str) -> Option<ConfiguredArtifact<'a>> {
    Some(ConfiguredArtifact {
        name,
        format: &artifact.format,
        version: artifact.version.as_deref().unwrap_or_default(),
        digest: artifact.digest.as_deref()?,
        tree: Some(&artifact.tree),
    })
}

/// What a target has no way to say, at the line that says it.
fn finding(refusal: bake_config::Refusal, target: Target, joined: &Joined) -> Finding {
    let key = Name::parse(&refusal.subject);
    Finding {
        rule: "not-expressible",
        severity: Severity::Error,
        place: key.and_then(|key| joined.place(&key).cloned()),
        message: format!("{target} cannot have {refusal}"),
        hint: refusal.hint,
    }
}

fn tell(
    target: Target,
    folder: &Path,
    files: usize,
    deployment: &Deployment<'_>,
    printer: &Printer,
) -> Result<(), Failure> {
    let (environment, digest) = (deployment.environment, &deployment.digest);
    if printer.is_json() {
        let data = json!({ "target": target.word(), "path": folder.display().to_string(), "files": files,
            "environment": environment, "schema": deployment.schema.digest(), "config": digest.to_string() });
        printer.event("rendered", &data)?;
        return Ok(());
    }
    let path = folder.display();
    printer.line(format_args!("{path}: {environment} for {target}, {files} files, {digest}"))?;
    Ok(())
}
