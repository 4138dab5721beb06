//! `json`: the values of all keys in one object, for programs of one's own.

use zeroize::Zeroizing;

use crate::deployment::{Deployment, OutputFile, Refusal};
use crate::document;
use crate::schema::{Case, Document, Format, Reload, Secrecy};
use crate::settings::Setting;

/// The file.
const FILE: &str = "config.json";

pub(super) fn render(deployment: &Deployment<'_>) -> Result<Vec<OutputFile>, Vec<Refusal>> {
    let (schema, settings) = (deployment.schema, deployment.settings);
    let mut refusals = Vec::new();
    for (name, (setting, _)) in &settings.values {
        if let Setting::Reference(reference) = setting {
            let reason =
                format!("it is a reference, `{reference}`, and JSON has nobody who follows it");
            refusals.push(Refusal::new(
                name,
                reason,
                "give its value in this environment, or choose another target",
            ));
        }
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let all = Document {
        path: format!("/{FILE}"),
        mode: 0o644,
        format: Format::Json,
        nest: None,
        case: Case::Keep,
        keys: schema.keys.keys().cloned().collect(),
        reload: Reload::None,
    };
    let text = document::write(&all, schema, settings).map_err(|error| {
        vec![Refusal { subject: error.key.to_string(), reason: error.reason, hint: None }]
    })?;
    let has_secret = settings.values.iter().any(|(name, (setting, _))| {
        matches!(setting, Setting::Secret(_)) || schema.is_secret(name)
    });
    let contents = Zeroizing::new(text.into_bytes());
    Ok(vec![if has_secret {
        OutputFile::secret(FILE, contents)
    } else {
        OutputFile { path: FILE.into(), mode: 0o644, secrecy: Secrecy::Open, contents }
    }])
}
