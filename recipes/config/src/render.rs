//! Rendered files: templates filled in, documents written.

use std::collections::BTreeSet;
use std::fmt;

use zeroize::Zeroizing;

use crate::document;
use crate::name::Name;
use crate::schema::{Document, File, Reload, Schema, Secrecy};
use crate::settings::{Reference, Setting, Settings};
use crate::syntax;
use crate::template;

/// A file that was rendered.
#[derive(Clone, PartialEq, Eq)]
pub struct RenderedFile {
    /// Where it goes: an absolute path.
    pub path: String,
    /// Its permission bits.
    pub mode: u32,
    /// Whether a secret is in it.
    pub secrecy: Secrecy,
    /// What happens to the service when it changes.
    pub reload: Reload,
    /// Its text.
    pub text: Zeroizing<String>,
}

impl fmt::Debug for RenderedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RenderedFile")
            .field("path", &self.path)
            .field("secrecy", &self.secrecy)
            .finish_non_exhaustive()
    }
}

/// Why a file cannot be rendered. It never holds a value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct RenderError {
    /// The file's path.
    pub path: String,
    /// What is wrong.
    pub reason: String,
    /// The reference that would have to be a value, if that is why.
    pub reference: Option<(Name, Reference)>,
}

impl fmt::Display for RenderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.path, self.reason)
    }
}

impl std::error::Error for RenderError {}

/// Renders all files of a schema, in its order: every file, or everything that is wrong.
pub fn render(schema: &Schema, settings: &Settings) -> Result<Vec<RenderedFile>, Vec<RenderError>> {
    let files = schema.files.iter().map(|file| rendered_file(file, schema, settings));
    let documents =
        schema.documents.iter().map(|document| rendered_document(document, schema, settings));
    let (mut rendered, mut errors) = (Vec::new(), Vec::new());
    for result in files.chain(documents) {
        match result {
            Ok(file) => rendered.push(file),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(rendered) } else { Err(errors) }
}

fn rendered_file(
    file: &File,
    schema: &Schema,
    settings: &Settings,
) -> Result<RenderedFile, RenderError> {
    let failed = |error: template::TemplateError| RenderError {
        path: file.path.clone(),
        reason: error.to_string(),
        reference: None,
    };
    let used = template::check(&file.template, schema).map_err(failed)?;
    refuse_references(&file.path, &used, settings)?;
    let text = Zeroizing::new(template::render(&file.template, schema, settings).map_err(failed)?);
    check_syntax(file, &text)?;
    let secrecy = secrecy(used.iter(), schema, settings);
    Ok(RenderedFile {
        path: file.path.clone(),
        mode: file.mode,
        secrecy,
        reload: file.reload,
        text,
    })
}

fn rendered_document(
    document: &Document,
    schema: &Schema,
    settings: &Settings,
) -> Result<RenderedFile, RenderError> {
    let used = document.keys.iter().cloned().collect();
    refuse_references(&document.path, &used, settings)?;
    let text = document::write(document, schema, settings).map_err(|error| RenderError {
        path: document.path.clone(),
        reason: format!("`{}`: {}", error.key, error.reason),
        reference: None,
    })?;
    Ok(RenderedFile {
        path: document.path.clone(),
        mode: document.mode,
        secrecy: secrecy(used.iter(), schema, settings),
        reload: document.reload,
        text: Zeroizing::new(text),
    })
}

fn refuse_references(
    path: &str,
    used: &BTreeSet<Name>,
    settings: &Settings,
) -> Result<(), RenderError> {
    for name in used {
        if let Some(Setting::Reference(reference)) = settings.get(name) {
            return Err(RenderError {
                path: path.into(),
                reason: format!(
                    "`{name}` is a reference, `{reference}`, whose value never passes through here"
                ),
                reference: Some((name.clone(), reference.clone())),
            });
        }
    }
    Ok(())
}

fn check_syntax(file: &File, text: &str) -> Result<(), RenderError> {
    let Some(format) = file.format else { return Ok(()) };
    syntax::check(format, text).map_err(|reason| RenderError {
        path: file.path.clone(),
        reason: format!("what the template gives is {reason}"),
        reference: None,
    })
}

/// Returns whether a file of these keys holds a secret.
fn secrecy<'a>(
    mut used: impl Iterator<Item = &'a Name>,
    schema: &Schema,
    settings: &Settings,
) -> Secrecy {
    let is_secret = |name: &Name| {
        schema.is_secret(name) || matches!(settings.get(name), Some(Setting::Secret(_)))
    };
    if used.any(is_secret) { Secrecy::Secret } else { Secrecy::Open }
}

impl Schema {
    /// Says what of the files and documents cannot be so, whatever an environment gives; by path.
    ///
    /// A template that does not compile or uses what is not there, keys of a document that stand at one place, a
    /// secret in a file that others may read.
    pub fn check_destinations(&self) -> Vec<RenderError> {
        let mut errors = Vec::new();
        let mut report = |path: &str, reason: String| {
            errors.push(RenderError { path: path.into(), reason, reference: None });
        };
        for file in &self.files {
            match template::check(&file.template, self) {
                Ok(used) => self.check_mode(&file.path, file.mode, used.iter(), &mut report),
                Err(error) => report(&file.path, error.to_string()),
            }
        }
        for document in &self.documents {
            if let Err(reason) = document::check(document) {
                report(&document.path, reason);
            }
            self.check_mode(&document.path, document.mode, document.keys.iter(), &mut report);
        }
        errors
    }

    fn check_mode<'a>(
        &self,
        path: &str,
        mode: u32,
        mut used: impl Iterator<Item = &'a Name>,
        report: &mut impl FnMut(&str, String),
    ) {
        const OTHERS: u32 = 0o007;
        if mode & OTHERS != 0
            && let Some(name) = used.find(|name| self.is_secret(name))
        {
            report(
                path,
                format!("`{name}` is secret, and everybody may read a file of mode {mode:04o}"),
            );
        }
    }

    /// Returns the keys that at least one file or document uses.
    pub fn used_in_files(&self) -> BTreeSet<Name> {
        let files = self.files.iter().filter_map(|file| template::check(&file.template, self).ok());
        let documents = self.documents.iter().flat_map(|document| document.keys.iter().cloned());
        files.flatten().chain(documents).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::{Kind, Pattern};
    use crate::schema::{Case, Format, Key};
    use crate::secret::Secret;
    use crate::settings::Given;
    use crate::value::Scalar;

    fn schema() -> Schema {
        let mut schema = Schema::empty("app");
        let key = || Key::new(Kind::String(Pattern::default()));
        let secret = Key { secrecy: Secrecy::Secret, ..key() };
        for (name, key) in [("URL", key()), ("PASSWORD", secret)] {
            schema.keys.insert(Name::parse(name).unwrap(), key);
        }
        schema.files.push(File {
            path: "/etc/app/app.yaml".into(),
            mode: 0o644,
            format: Some(Format::Yaml),
            reload: Reload::Reload,
            template: "url: {{ cfg.URL }}\n".into(),
        });
        schema.documents.push(Document {
            path: "/etc/app/secret.json".into(),
            mode: 0o600,
            format: Format::Json,
            nest: None,
            case: Case::Lower,
            keys: vec![Name::parse("PASSWORD").unwrap()],
            reload: Reload::Restart,
        });
        schema
    }

    fn settings(url: &str, password: Given) -> Settings {
        let settled = schema()
            .settle([("URL", Given::Plain(Scalar::Text(url.into()))), ("PASSWORD", password)]);
        assert_eq!(settled.faults, []);
        settled.settings
    }

    fn secret() -> Given {
        Given::Secret(Secret::new("hunter2".into()))
    }

    #[test]
    fn files_and_documents_are_rendered() {
        let files = render(&schema(), &settings("http://x", secret())).unwrap();
        let found: Vec<_> =
            files.iter().map(|file| (&*file.path, &**file.text, file.secrecy)).collect();
        assert_eq!(
            found,
            [
                ("/etc/app/app.yaml", "url: http://x\n", Secrecy::Open),
                ("/etc/app/secret.json", "{\n  \"password\": \"hunter2\"\n}\n", Secrecy::Secret),
            ]
        );
        assert!(!format!("{files:?}").contains("hunter2"));
    }

    #[cfg(feature = "syntax")]
    #[test]
    fn what_cannot_be_rendered_is_told_without_its_value() {
        let reference = Reference { provider: "vault".into(), location: "kv/app#password".into() };
        let errors =
            render(&schema(), &settings("[hunter2", Given::Reference(reference))).unwrap_err();
        let told: Vec<_> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 2);
        assert!(
            told[0].starts_with("`/etc/app/app.yaml`: what the template gives is no YAML at line"),
            "{told:?}"
        );
        assert_eq!(
            told[1],
            "`/etc/app/secret.json`: `PASSWORD` is a reference, `vault:kv/app#password`, whose value never passes \
             through here"
        );
        assert!(!told.concat().contains("hunter2"));
    }

    #[test]
    fn a_secret_belongs_into_no_file_of_everybody() {
        let mut schema = schema();
        schema.files[0].template = "{{ cfg.PASSWORD }}{{ cfg.NOTHING }}".into();
        schema.documents[0].mode = 0o604;
        let told: Vec<_> = schema.check_destinations().iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "`/etc/app/app.yaml`: line 1 of the template: there is no key `NOTHING`",
                "`/etc/app/secret.json`: `PASSWORD` is secret, and everybody may read a file of mode 0604",
            ]
        );
    }
}
