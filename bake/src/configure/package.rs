//! What both formats of packages say of a configuration.

use bake_recipes::version::Version;

use super::failure::Failure;
use super::install::Install;
use super::request::Request;
use super::secrets;

/// Who answers for a package that nobody answers for.
const MAINTAINER: &str = "The administrators <root@localhost>";
/// Why no package holds a secret.
const WHY: &str = "a package is read by everybody who reaches its repository";

/// What both formats say.
pub(super) struct Description {
    /// The package's name.
    pub(super) name: String,
    /// What every package of this service's configuration provides, and what it conflicts with.
    pub(super) capability: String,
    /// The version, without a release.
    pub(super) version: String,
    /// The version of the service's package that it is for, as both formats spell it.
    pub(super) service: Option<String>,
    pub(super) maintainer: String,
    pub(super) summary: String,
    pub(super) text: String,
    /// The digests of the configuration and of the schema.
    pub(super) digest: String,
    pub(super) schema: String,
}

impl Description {
    pub(super) fn of(request: &Request<'_>) -> Result<Self, Failure> {
        let deployment = request.deployment;
        let (service, environment) = (deployment.name(), deployment.environment);
        let Some(version) = &request.version else {
            let reason =
                "a package needs a version that grows with every change, and there is none";
            let hint = "give one (`--config-version`), or the time of the change (`SOURCE_DATE_EPOCH`), e.g. that of the \
                        environment's last commit";
            return Err(Failure::refused(request.package(), reason, hint));
        };
        let text = format!(
            "What {service} needs in the environment {environment}. Changes belong there:\n\
             local edits are lost with the next upgrade."
        );
        Ok(Self {
            name: request.package(),
            capability: request.capability(),
            version: version.with(&deployment.digest),
            service: service_version(request)?,
            maintainer: request.maintainer.unwrap_or(MAINTAINER).into(),
            summary: format!("configuration of {service} in {environment}"),
            text,
            digest: deployment.digest.to_string(),
            schema: deployment.schema.digest(),
        })
    }
}

/// Returns the version of the service's package that a configuration is for, without a release: `[EPOCH:]VERSION`, which
/// both formats spell alike.
fn service_version(request: &Request<'_>) -> Result<Option<String>, Failure> {
    let Some(text) = request.deployment.version else { return Ok(None) };
    if let Some("deb" | "rpm") = request.artifact.map(|artifact| artifact.format) {
        let (version, _) = text.rsplit_once('-').unwrap_or((text, ""));
        return Ok(Some(version.into()));
    }
    Version::parse(text).and_then(|version| version.rpm()).map(Some).map_err(|error| {
        let hint = "give the artifact, whose version is known";
        Failure::refused("version", error.to_string(), hint)
    })
}

/// Returns what a package holds, with what stands beside it.
pub(super) fn install(
    request: &Request<'_>,
) -> Result<(Install, Vec<bake_config::OutputFile>), Failure> {
    let install = Install::of(request.deployment)?;
    let beside = secrets::beside(&install, request.secrets, request.deployment, WHY)?;
    Ok((install, beside))
}
