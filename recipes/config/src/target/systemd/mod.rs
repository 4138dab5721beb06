//! `systemd`: files relative to `/`, and a drop-in that leads a service to them (systemd.exec(5), systemd 250 or later).
//!
//! ```text
//! etc/NAME/NAME.env                                      0644  open variables
//! etc/NAME/NAME.secret.env                               0600  secret variables; the manager reads them as root
//! etc/NAME/credentials/FILE                              0600  files of one value each, 0644 if open
//! etc/systemd/system/UNIT.service.d/50-bake-config.conf  0644
//! PATH                                                         rendered files
//! ```
//!
//! Files of one value are credentials. They are loaded from a folder of the service, not from `/etc/credstore`, where the
//! names of all services of a machine meet. The manager gives them to the user that the service runs as, whoever owns
//! the source.
//!
//! A rendered file with a secret belongs to root alone, since files here have no owner. If the service runs as somebody
//! else, it is a credential too, and the copy that the service may read is mounted over the file within its name space.

mod drop_in;
mod environment_file;

use zeroize::Zeroizing;

use self::drop_in::DropIn;
use super::beside::refused_path;
use super::parts::{Content, Parts, ValueFile, Variable};
use crate::deployment::{Deployment, OutputFile, Refusal};
use crate::render::RenderedFile;
use crate::schema::{Reload, Secrecy};
use crate::settings::Reference;

/// What all credentials of a service may have together, in bytes: names and contents (systemd's own limit).
const MAX_CREDENTIALS: usize = 1024 * 1024;
/// The first line of files with assignments.
const HEADER: &str = "# Written by bake: changes belong into the environment.\n";

pub(super) fn render(deployment: &Deployment<'_>) -> Result<Vec<OutputFile>, Vec<Refusal>> {
    let unit = unit(deployment).map_err(|refusal| vec![refusal])?;
    let parts = Parts::of(deployment)?;
    let mut tree = Tree {
        folder: format!("etc/{}", deployment.name()),
        name: deployment.name(),
        drop_in: DropIn::new(unit, deployment),
        files: Vec::new(),
        refusals: Vec::new(),
        credentials_len: 0,
    };
    tree.variables(&parts.variables);
    for value in parts.values {
        tree.value(value);
    }
    let reader = Reader::of(deployment);
    for (index, file) in parts.files.into_iter().enumerate() {
        tree.rendered(file, index + 1, reader);
    }
    tree.finish()
}

/// Returns the unit's name without `.service`.
fn unit<'a>(deployment: &Deployment<'a>) -> Result<&'a str, Refusal> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
    match deployment.schema.service.unit.as_deref() {
        Some(unit) if !unit.is_empty() && unit.chars().all(allowed) => Ok(unit),
        Some(unit) => Err(Refusal::new(
            unit.escape_debug(),
            "it is not the name of a unit",
            "use letters, digits and `:-_.\\@`",
        )),
        None => Err(Refusal::new(
            deployment.name(),
            "the recipe has no service, so there is no unit that could be configured",
            "add `[service]` to the recipe, or choose another target",
        )),
    }
}

/// Who reads rendered files.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    Root,
    Other,
}

impl Reader {
    fn of(deployment: &Deployment<'_>) -> Self {
        match deployment.schema.service.user.as_deref() {
            None | Some("root") => Self::Root,
            Some(_) => Self::Other,
        }
    }
}

/// The files while they are gathered.
struct Tree<'a> {
    /// The service's own folder.
    folder: String,
    name: &'a str,
    drop_in: DropIn<'a>,
    files: Vec<OutputFile>,
    refusals: Vec<Refusal>,
    credentials_len: usize,
}

impl Tree<'_> {
    fn variables(&mut self, variables: &[Variable<'_>]) {
        let room: usize = variables.iter().map(Variable::room).sum();
        let empty = || Zeroizing::new(String::with_capacity(HEADER.len() + room));
        let (mut open, mut secret) = (empty(), empty());
        for variable in variables {
            let (text, file) = match &variable.content {
                Content::Text(text, Secrecy::Open) => (text, &mut open),
                Content::Text(text, Secrecy::Secret) => (text, &mut secret),
                Content::Reference(reference) => {
                    let reason = format!(
                        "it is a reference, `{reference}`, and systemd makes no variable of one"
                    );
                    let hint = "deliver it as a file, which then is a credential";
                    self.refusals.push(Refusal::new(variable.key, reason, hint));
                    continue;
                }
            };
            if file.is_empty() {
                file.push_str(HEADER);
            }
            if let Err(reason) = environment_file::assign(file, &variable.name, text) {
                let hint = "deliver it as a file";
                self.refusals.push(Refusal::new(variable.key, reason, hint));
            }
        }
        let bytes = |text: Zeroizing<String>| Zeroizing::new(text.as_bytes().to_vec());
        if !open.is_empty() {
            let path = format!("{}/{}.env", self.folder, self.name);
            self.drop_in.environment_file(&path);
            self.files.push(OutputFile::open(path, open.as_bytes()));
        }
        if !secret.is_empty() {
            let path = format!("{}/{}.secret.env", self.folder, self.name);
            self.drop_in.environment_file(&path);
            self.files.push(OutputFile::secret(path, bytes(secret)));
        }
    }

    fn value(&mut self, value: ValueFile<'_>) {
        let ValueFile { key, name, path_variable, content } = value;
        match content {
            Content::Text(text, secrecy) => {
                let path = format!("{}/credentials/{name}", self.folder);
                self.credentials_len += name.len() + text.len();
                self.drop_in.credential(&name, &format!("/{path}"));
                let contents = Zeroizing::new(text.as_bytes().to_vec());
                self.files.push(match secrecy {
                    Secrecy::Open => OutputFile { path, mode: 0o644, secrecy, contents },
                    Secrecy::Secret => OutputFile::secret(path, contents),
                });
            }
            Content::Reference(reference) => match credential_source(reference) {
                Ok(source) => self.drop_in.credential(&name, source),
                Err((reason, hint)) => self.refusals.push(Refusal::new(key, reason, hint)),
            },
        }
        if let Some(variable) = path_variable {
            self.drop_in.path_variable(&variable, &name);
        }
    }

    fn rendered(&mut self, file: RenderedFile, number: usize, reader: Reader) {
        let RenderedFile { path, mode, secrecy, reload, text } = file;
        if let Some(refusal) = refused_path(&path) {
            self.refusals.push(refusal);
            return;
        }
        let contents = Zeroizing::new(text.as_bytes().to_vec());
        let inside = path.trim_start_matches('/');
        match (secrecy, reader) {
            (Secrecy::Open, _) => {
                // The owner is root, so whoever else reads it is one of the others.
                let mode = match reader {
                    Reader::Root => mode & 0o755,
                    Reader::Other => mode & 0o755 | 0o444,
                };
                self.files.push(OutputFile { path: inside.into(), mode, secrecy, contents });
                self.drop_in.rendered(&path, reload);
            }
            (Secrecy::Secret, Reader::Root) => {
                self.files.push(OutputFile::secret(inside, contents));
                self.drop_in.rendered(&path, reload);
            }
            (Secrecy::Secret, Reader::Other) => {
                // No value's file has an @ in its name.
                let name = format!("rendered@{number}");
                self.credentials_len += name.len() + contents.len();
                self.files.push(OutputFile::secret(inside, contents));
                self.drop_in.credential(&name, &path);
                self.drop_in.mount(&name, &path);
                // Credentials are loaded when a service starts.
                self.drop_in.rendered(&path, Reload::Restart);
            }
        }
    }

    fn finish(mut self) -> Result<Vec<OutputFile>, Vec<Refusal>> {
        if self.credentials_len > MAX_CREDENTIALS {
            let reason = format!(
                "its files of one value and those with secrets are more than {MAX_CREDENTIALS} bytes, \
                 all that systemd loads as credentials of a service"
            );
            let hint = "keep large values out of the configuration";
            self.refusals.push(Refusal::new(self.name, reason, hint));
        }
        if !self.refusals.is_empty() {
            return Err(self.refusals);
        }
        let drop_in = OutputFile::open(self.drop_in.path(), self.drop_in.text());
        self.files.push(drop_in);
        Ok(self.files)
    }
}

/// Returns what `LoadCredential=` takes a reference from; the error is a reason and a hint.
fn credential_source(reference: &Reference) -> Result<&str, (String, &'static str)> {
    let location = reference.location.as_str();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.+@".contains(c);
    let is_plain = !location.is_empty() && location.chars().all(plain);
    match reference.provider.as_str() {
        "file" if is_plain && location.starts_with('/') => Ok(location),
        "file" => Err((
            format!("it is a reference, `{reference}`, which is no absolute path of a file"),
            "write `file:/PATH`, with letters, digits and `-_.+@` in the path",
        )),
        "credential" if is_plain && !location.contains('/') => Ok(location),
        "credential" => Err((
            format!("it is a reference, `{reference}`, which does not name a credential"),
            "write `credential:NAME`, as the machine has it or `/etc/credstore`",
        )),
        _ => Err((
            format!("it is a reference, `{reference}`, which systemd does not follow"),
            "refer to a file of the machine, `file:/PATH`, or to a credential that it has, `credential:NAME`",
        )),
    }
}
