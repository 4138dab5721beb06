//! `deployment.json`: which configuration of which artifact an output is, and what is in it.

use std::collections::BTreeSet;

use bake_config::OutputFile;
use bake_config::schema::Secrecy;
use bake_formats::digest::Digest;
use serde::{Deserialize, Serialize};

use super::request::Request;

/// The file.
pub(super) const FILE: &str = "deployment.json";
/// The version of the record.
const SCHEMA: u32 = 1;

/// The record; two renderings of one deployment have the same.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Record<'a> {
    schema: u32,
    artifact: Option<Artifact<'a>>,
    schema_digest: String,
    environment: &'a str,
    config_digest: String,
    target: &'static str,
    files: Vec<File<'a>>,
}

#[derive(Serialize)]
struct Artifact<'a> {
    name: &'a str,
    version: &'a str,
    digest: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tree: Option<&'a str>,
}

/// One file; what a secret is in has no digest, from which it could be guessed.
#[derive(Serialize)]
struct File<'a> {
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

/// Returns the record: compact JSON, the files in their order.
pub(super) fn text<'a>(request: &Request<'a>, files: &'a [OutputFile]) -> std::io::Result<String> {
    let deployment = request.deployment;
    let file = |file: &'a OutputFile| {
        let OutputFile { path, secrecy, contents, .. } = file;
        let sha256 = match secrecy {
            Secrecy::Open => Some(Digest::of(contents).hex()),
            Secrecy::Secret => None,
        };
        File { path, sha256 }
    };
    let record = Record {
        schema: SCHEMA,
        artifact: request.artifact.map(|artifact| Artifact {
            name: artifact.name,
            version: artifact.version,
            digest: artifact.digest,
            tree: artifact.tree,
        }),
        schema_digest: deployment.schema.digest(),
        environment: deployment.environment,
        config_digest: deployment.digest.to_string(),
        target: request.target.word(),
        files: files.iter().map(file).collect(),
    };
    Ok(serde_json::to_string(&record)? + "\n")
}

/// Returns the paths that a record of any version lists; `None` if bytes are no record.
pub(super) fn listed(bytes: &[u8]) -> Option<BTreeSet<String>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Known {
        schema: u32,
        config_digest: String,
        files: Vec<Path>,
    }
    #[derive(Deserialize)]
    struct Path {
        path: String,
    }
    let known: Known = serde_json::from_slice(bytes).ok()?;
    let is_record = known.schema >= 1 && known.config_digest.starts_with("sha256:");
    is_record.then(|| known.files.into_iter().map(|file| file.path).collect())
}
