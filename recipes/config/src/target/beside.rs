//! Files that lie beside what starts a program: `secrets/NAME` for values, `files/PATH` for rendered files.

use zeroize::Zeroizing;

use super::parts::{Content, ValueFile};
use crate::deployment::{OutputFile, Refusal};
use crate::render::RenderedFile;
use crate::schema::Secrecy;
use crate::settings::Reference;

/// The folder in which containers find files of one value.
pub(super) const SECRETS: &str = "/run/secrets";

/// Files while they are laid down.
#[derive(Default)]
pub(super) struct Beside {
    /// The files.
    pub(super) files: Vec<OutputFile>,
    /// Where each file of one value is.
    pub(super) values: Vec<Place>,
    /// The absolute paths of rendered files; each lies at `files` and its path.
    pub(super) rendered: Vec<String>,
    /// What has no place.
    pub(super) refusals: Vec<Refusal>,
}

/// Where a file of one value is.
pub(super) struct Place {
    /// Its name, without a folder.
    pub(super) name: String,
    /// The environment variable that holds the file's path.
    pub(super) path_variable: Option<String>,
    /// The file.
    pub(super) source: Source,
}

/// Where a file comes from.
pub(super) enum Source {
    /// A path relative to the output folder.
    Beside(String),
    /// An absolute path on the machine.
    Machine(String),
}

impl Beside {
    /// Lays files down.
    pub(super) fn of(values: Vec<ValueFile<'_>>, files: Vec<RenderedFile>) -> Self {
        let mut beside = Self::default();
        for value in values {
            beside.value(value);
        }
        for file in files {
            beside.rendered(file);
        }
        beside
    }

    fn value(&mut self, value: ValueFile<'_>) {
        let ValueFile { key, name, path_variable, content } = value;
        let source = match content {
            Content::Text(text, secrecy) => {
                let path = format!("secrets/{name}");
                let contents = Zeroizing::new(text.as_bytes().to_vec());
                self.files.push(match secrecy {
                    Secrecy::Open => {
                        OutputFile { path: path.clone(), mode: 0o644, secrecy, contents }
                    }
                    Secrecy::Secret => OutputFile::secret(path.clone(), contents),
                });
                Source::Beside(path)
            }
            Content::Reference(reference) => match machine_file(reference) {
                Ok(path) => Source::Machine(path.into()),
                Err(reason) => {
                    let hint = "refer to a file of the machine, `file:/PATH`, or give the value in this environment";
                    self.refusals.push(Refusal::new(key, reason, hint));
                    return;
                }
            },
        };
        self.values.push(Place { name, path_variable, source });
    }

    fn rendered(&mut self, file: RenderedFile) {
        if let Some(refusal) = refused_path(&file.path) {
            self.refusals.push(refusal);
            return;
        }
        let path = format!("files{}", file.path);
        let contents = Zeroizing::new(file.text.as_bytes().to_vec());
        self.files.push(match file.secrecy {
            // Who reads it within a container is not known here.
            Secrecy::Open => OutputFile {
                path,
                mode: file.mode & 0o755 | 0o444,
                secrecy: file.secrecy,
                contents,
            },
            Secrecy::Secret => OutputFile::secret(path, contents),
        });
        self.rendered.push(file.path);
    }
}

/// Returns the path that a reference names on the machine; the error is a reason.
pub(super) fn machine_file(reference: &Reference) -> Result<&str, String> {
    let location = reference.location.as_str();
    if reference.provider != "file" {
        return Err(format!("it is a reference, `{reference}`, which this target does not follow"));
    }
    if !location.starts_with('/') || !is_plain(location) {
        return Err(format!("it is a reference, `{reference}`, which is no plain absolute path"));
    }
    Ok(location)
}

/// Refuses the path of a rendered file that units and mounts have no plain way to write.
pub(super) fn refused_path(path: &str) -> Option<Refusal> {
    (!is_plain(path)).then(|| {
        let reason = "units and mounts have no plain way to write this path";
        Refusal::new(path.escape_debug(), reason, "use letters, digits and `-_.+@=` in it")
    })
}

fn is_plain(path: &str) -> bool {
    path.chars().all(|c| c.is_alphanumeric() || "/-_.+@=".contains(c))
}
