//! What the program gets: variables, and files of one value each.

use std::path::{Path, PathBuf};

use bake_config::record;
use bake_config::schema::Delivery;
use bake_config::{Name, Schema, Setting};
use zeroize::Zeroizing;

use crate::account::Account;
use crate::environment::Environment;
use crate::failure::Problem;
use crate::judge::Judged;
use crate::source::{Place, Variables};
use crate::staging::{self, Folder, Owner, Root, Wanted};

/// The variable with the folder that systemd makes for a service.
const RUNTIME: &str = "RUNTIME_DIRECTORY";
/// Where the private folder is made otherwise.
const OWN: &str = "/run/bake-init";
/// The mode of a file with one value.
const MODE: u32 = 0o400;
/// The longest variable that the kernel takes, in bytes: its name, `=` and a NUL at its end are in it.
const MAX_VARIABLE: usize = 128 << 10;

/// What the program gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    /// All its variables.
    pub environment: Environment,
    /// Files that must be written for it.
    pub files: Vec<Wanted>,
}

/// Who hands over, and to whom.
#[derive(Debug, Clone, Copy)]
pub struct Parties<'a> {
    /// The schema.
    pub schema: &'a Schema,
    /// The variables of this process.
    pub environment: &'a Environment,
    /// Who the program will run as, if that is another than this process does.
    pub account: Option<&'a Account>,
    /// Where files are written.
    pub root: &'a Root,
}

impl Parties<'_> {
    /// Returns what the program gets of the values, and what cannot be given to it.
    pub fn hand_over(&self, judged: &Judged) -> Result<Handover, Vec<Problem>> {
        let mut handover = Handover { environment: self.environment.clone(), files: Vec::new() };
        self.introduce(&mut handover.environment);
        let mut problems = Vec::new();
        for (name, key) in &self.schema.keys {
            let variables = Variables::of(self.schema, name, key);
            let setting = judged.settings.get(name).and_then(text);
            match (&key.delivery, setting) {
                (Delivery::Variable, setting) => {
                    forget(&variables, &mut handover.environment);
                    let variable = self.schema.variable(name);
                    let Some(setting) = setting else { continue };
                    problems.extend(too_long(name, &variable, &setting));
                    handover.environment.set(variable, setting.as_str());
                }
                (Delivery::Files, _) | (Delivery::File { .. }, None) => {
                    forget(&variables, &mut handover.environment);
                }
                (Delivery::File { name: file, path_variable }, Some(setting)) => {
                    let place = judged.places.get(name);
                    let path = match self.usable(place) {
                        Some(path) => path.to_owned(),
                        None => self.file(file, setting, &mut handover.files),
                    };
                    // The one that the program reads, or else the one by which it was told of another file.
                    let told = match (path_variable, place) {
                        (Some(variable), _) => Some(variable.to_string()),
                        (None, Some(Place::Named { variable, .. })) => Some(variable.clone()),
                        (None, _) => None,
                    };
                    forget(&variables, &mut handover.environment);
                    if let Some(variable) = told {
                        handover.environment.set(variable, path);
                    }
                }
            }
        }
        if problems.is_empty() { Ok(handover) } else { Err(problems) }
    }

    /// Says who the program runs as, as `login` and systemd do.
    fn introduce(&self, environment: &mut Environment) {
        let Some(account) = self.account else { return };
        let home = account.home.as_ref().map_or("/", |home| home);
        environment.set("HOME", home);
        for variable in ["USER", "LOGNAME"] {
            match &account.name {
                Some(name) => environment.set(variable, name),
                None => environment.remove(variable),
            }
        }
    }

    /// Returns the file that a value came from, if the program can read it there.
    fn usable<'p>(&self, place: Option<&'p Place>) -> Option<&'p Path> {
        let path = place.and_then(Place::path)?;
        let is_readable = self
            .account
            .is_none_or(|account| staging::is_readable(path, account.uid, &account.groups));
        is_readable.then_some(path)
    }

    /// Returns where a file with one value will be.
    fn file(&self, name: &str, text: Zeroizing<String>, files: &mut Vec<Wanted>) -> PathBuf {
        let path = self.folder().join(name);
        let located = self.root.locate(&path);
        let owner = self.account.map(|account| Owner { uid: account.uid, gid: account.gid });
        files.push(Wanted { path, mode: MODE, owner, folder: Folder::Private, text });
        located
    }

    /// Returns the private folder.
    fn folder(&self) -> PathBuf {
        // systemd separates several by colons.
        let runtime = self.environment.get(RUNTIME).and_then(|folders| folders.to_str());
        let first = runtime.and_then(|folders| folders.split(':').next());
        match first.filter(|folder| folder.starts_with('/')) {
            Some(folder) => Path::new(folder).join("bake-init"),
            None => Path::new(OWN).join(service(self.schema)),
        }
    }
}

/// Returns the name of a service as that of a folder.
fn service(schema: &Schema) -> &str {
    let name = schema.service.name.as_str();
    if record::is_file_name(name) { name } else { "service" }
}

fn forget(variables: &Variables, environment: &mut Environment) {
    for variable in variables.value.iter().chain(&variables.paths) {
        environment.remove(variable);
    }
}

/// Returns the text of a value; a reference has none and does not come from a process's environment.
fn text(setting: &Setting) -> Option<Zeroizing<String>> {
    match setting {
        Setting::Plain(value) => Some(Zeroizing::new(value.text().into_owned())),
        Setting::Secret(secret) => Some(Zeroizing::new(secret.expose().to_owned())),
        Setting::Reference(_) => None,
    }
}

fn too_long(name: &Name, variable: &str, text: &str) -> Option<Problem> {
    let length = variable.len() + "=\0".len() + text.len();
    (length > MAX_VARIABLE).then(|| {
        Problem::new(format!(
            "{name}: a variable of {length} bytes is too long, at most {MAX_VARIABLE} fit"
        ))
        .detail("let the recipe deliver it as a file")
    })
}

/// Returns who a rendered file belongs to: what its group reads is root's, so that the program cannot change it.
pub fn owner(mode: u32, account: &Account) -> Owner {
    const GROUP_READS: u32 = 0o040;
    let uid = if mode & GROUP_READS == 0 { account.uid } else { 0 };
    Owner { uid, gid: account.gid }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a failure ends the test where it is")]
mod tests {
    use super::*;
    use crate::judge::judged;
    use bake_config::Value;
    use bake_config::kind::{Kind, Pattern};
    use bake_config::schema::{Key, Secrecy};

    fn schema() -> Schema {
        let mut schema = Schema::empty("app");
        let text = || Key::new(Kind::String(Pattern::default()));
        let file = |name: &str, variable: Option<&str>| Key {
            secrecy: Secrecy::Secret,
            delivery: Delivery::File {
                name: name.into(),
                path_variable: variable.and_then(Name::parse),
            },
            ..text()
        };
        let mut put = |name: &str, key| schema.keys.insert(Name::parse(name).unwrap(), key);
        put("PLAIN", text());
        put("LEVEL", Key { default: Some(Value::Text("info".into())), ..text() });
        put("TOKEN", file("token", Some("TOKEN_PATH")));
        put("BARE", file("bare", None));
        put("ONLY", Key { delivery: Delivery::Files, ..text() });
        schema
    }

    fn handed(
        variables: &[(&str, &str)],
        account: Option<&Account>,
    ) -> (Vec<String>, Vec<(String, u32, String)>) {
        let schema = schema();
        let environment = variables.iter().copied().collect();
        let root = Root::System;
        let parties = Parties { schema: &schema, environment: &environment, account, root: &root };
        let handover = parties.hand_over(&judged(&schema, &environment)).map_err(drop).unwrap();
        let told = |(name, value): (&std::ffi::OsStr, &std::ffi::OsStr)| {
            format!("{}={}", name.display(), value.display())
        };
        let files = handover
            .files
            .iter()
            .map(|file| (file.path.display().to_string(), file.mode, file.text.to_string()));
        (handover.environment.iter().map(told).collect(), files.collect())
    }

    #[test]
    fn each_value_reaches_the_program_in_one_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("value");
        std::fs::write(&path, "v\n").unwrap();
        let path = path.to_str().unwrap();
        let run =
            |name: &str, text: &str| (format!("/run/bake-init/app/{name}"), 0o400, text.to_owned());

        assert_eq!(
            handed(&[("OTHER", "x")], None),
            (vec!["LEVEL=info".into(), "OTHER=x".into()], vec![])
        );
        // Given as a variable, wanted as a file.
        assert_eq!(
            handed(&[("TOKEN", "t"), ("BARE", "b"), ("ONLY", "o"), ("LEVEL", "")], None),
            (
                vec!["LEVEL=".into(), "TOKEN_PATH=/run/bake-init/app/token".into()],
                vec![run("bare", "b"), run("token", "t")]
            )
        );
        // Given as a file, wanted as a variable or as a file.
        assert_eq!(
            handed(
                &[
                    ("PLAIN_FILE", path),
                    ("TOKEN_FILE", path),
                    ("BARE_FILE", path),
                    ("ONLY_FILE", path)
                ],
                None
            ),
            (
                vec![
                    format!("BARE_FILE={path}"),
                    "LEVEL=info".into(),
                    "PLAIN=v".into(),
                    format!("TOKEN_PATH={path}")
                ],
                vec![]
            )
        );
        let (variables, files) =
            handed(&[("RUNTIME_DIRECTORY", "/run/app:/run/more"), ("TOKEN", "t")], None);
        assert_eq!(
            variables[1..],
            ["RUNTIME_DIRECTORY=/run/app:/run/more", "TOKEN_PATH=/run/app/bake-init/token"]
        );
        assert_eq!(files[0].0, "/run/app/bake-init/token");
    }

    #[test]
    fn a_file_that_the_user_cannot_read_is_written_again() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = folder.path().join("value");
        std::fs::write(&path, "v\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
        let path = path.to_str().unwrap();
        let home = Some("/srv/app".into());
        let account =
            Account { uid: 4242, gid: 4242, groups: vec![4242], name: Some("app".into()), home };
        let (variables, files) = handed(&[("TOKEN_PATH", path), ("HOME", "/root")], Some(&account));
        assert_eq!(
            variables,
            [
                "HOME=/srv/app",
                "LEVEL=info",
                "LOGNAME=app",
                "TOKEN_PATH=/run/bake-init/app/token",
                "USER=app"
            ]
        );
        assert_eq!(files, [("/run/bake-init/app/token".into(), 0o400, "v".into())]);
        let nameless = Account { name: None, home: None, ..account };
        let (variables, _) = handed(&[("USER", "root"), ("HOME", "/root")], Some(&nameless));
        assert_eq!(variables, ["HOME=/", "LEVEL=info"]);
    }

    #[test]
    fn what_no_variable_holds_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("value");
        let fitting = MAX_VARIABLE - "PLAIN=\0".len();
        for (length, expected) in [(fitting, true), (fitting + 1, false)] {
            std::fs::write(&path, vec![b'x'; length]).unwrap();
            let schema = schema();
            let environment = [("PLAIN_FILE", path.to_str().unwrap())].into_iter().collect();
            let (account, root) = (None, &Root::System);
            let parties = Parties { schema: &schema, environment: &environment, account, root };
            let result = parties.hand_over(&judged(&schema, &environment));
            assert_eq!(result.is_ok(), expected, "{length}");
        }
    }

    #[test]
    fn rendered_files_that_a_group_reads_are_roots() {
        let account = Account { uid: 5, gid: 6, groups: vec![6], name: None, home: None };
        assert_eq!(owner(0o640, &account), Owner { uid: 0, gid: 6 });
        assert_eq!(owner(0o644, &account), Owner { uid: 0, gid: 6 });
        assert_eq!(owner(0o600, &account), Owner { uid: 5, gid: 6 });
    }
}
