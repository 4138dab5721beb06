//! Names of files that hold the configuration of one environment.

use serde::Serialize;

/// Words for environments that people deploy to.
const ENVIRONMENTS: [&str; 15] = [
    "prod",
    "production",
    "live",
    "preprod",
    "pre-prod",
    "preproduction",
    "staging",
    "stage",
    "stg",
    "uat",
    "qa",
    "integration",
    "dev",
    "development",
    "local",
];
/// What follows the name of a file that only shows how one is written.
const SHOWN: [&str; 8] =
    ["example", "sample", "template", "dist", "defaults", "schema", "tmpl", "tpl"];

/// A kind of file name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NameRule {
    /// The rule's name.
    pub id: &'static str,
    /// What was found, as a phrase.
    pub about: &'static str,
}

const PROFILE: NameRule =
    NameRule { id: "environment-configuration", about: "configuration of one environment" };
const DOTENV: NameRule = NameRule { id: "dotenv-file", about: "a file of environment variables" };
const CREDENTIALS: NameRule = NameRule { id: "credentials-file", about: "a file of credentials" };

/// Returns every rule, for documentation.
pub fn name_rules() -> [NameRule; 3] {
    [PROFILE, DOTENV, CREDENTIALS]
}

/// Returns what a file's path says of what is in it.
pub(super) fn rule(path: &str) -> Option<NameRule> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let lower = name.to_ascii_lowercase();
    if matches!(lower.as_str(), ".git-credentials" | ".netrc" | ".pgpass" | ".htpasswd")
        || matches!(lower.as_str(), "id_rsa" | "id_dsa" | "id_ecdsa" | "id_ed25519")
    {
        return Some(CREDENTIALS);
    }
    if let Some(rest) = lower.strip_prefix(".env") {
        let is_shown = SHOWN.iter().any(|word| rest.ends_with(word));
        let is_one = rest.is_empty() || rest.starts_with('.');
        return (is_one && !is_shown).then_some(DOTENV);
    }
    is_profile(folder, &lower).then_some(PROFILE)
}

fn is_profile(folder: &str, name: &str) -> bool {
    let Some((stem, extension)) = name.rsplit_once('.') else { return false };
    let is_environment = |word: &str| ENVIRONMENTS.contains(&word);
    let is_format = ["yml", "yaml", "properties", "json", "toml", "conf"].contains(&extension);
    if let Some(profile) = stem.strip_prefix("application-").or(stem.strip_prefix("bootstrap-")) {
        return is_format && is_environment(profile);
    }
    if let Some(profile) = stem.strip_prefix("appsettings.") {
        return extension == "json" && is_environment(profile);
    }
    extension == "rb" && folder.ends_with("config/environments") && is_environment(stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_is_in_files() {
        let rows = [
            ("/BOOT-INF/classes/application-prod.yml", Some(PROFILE)),
            ("/app/application-production.properties", Some(PROFILE)),
            ("/app/application.yml", None),
            ("/app/application-context.xml", None),
            ("/app/application-test.yml", None),
            ("/srv/appsettings.Production.json", Some(PROFILE)),
            ("/srv/appsettings.json", None),
            ("/srv/config/environments/production.rb", Some(PROFILE)),
            ("/srv/environments/production.rb", None),
            ("/srv/.env", Some(DOTENV)),
            (".env.production", Some(DOTENV)),
            ("/srv/.env.example", None),
            ("/srv/.environment", None),
            ("/root/.git-credentials", Some(CREDENTIALS)),
            ("/root/.ssh/id_rsa", Some(CREDENTIALS)),
            ("/root/.ssh/id_rsa.pub", None),
            ("/usr/bin/env", None),
        ];
        for (path, expected) in rows {
            assert_eq!(rule(path), expected, "{path}");
        }
    }
}
