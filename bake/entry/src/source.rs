//! Where the values of keys come from.
//!
//! | order | where | of which keys |
//! |---|---|---|
//! | 1 | the variable PREFIX+KEY | all |
//! | 2 | the file that the variable PREFIX+KEY+`_FILE` names, or the key's own variable for paths | all |
//! | 3 | a file in `$CREDENTIALS_DIRECTORY`, `/run/config`, `/run/secrets`: called as the delivery says, or as the key in lower case | secret ones, and those that are delivered as files |
//!
//! The order decides which place is told and handed on, never which value counts: places that disagree are an error.

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use bake_config::schema::{Delivery, Key, Secrecy};
use bake_config::{Name, Schema, Secret};

use crate::environment::Environment;
use crate::failure::Problem;
use crate::input::{self, InputError};

/// The longest value, in bytes: what all credentials of a unit together may have.
pub const MAX_LEN: u64 = 1 << 20;
/// The variable with the folder of systemd's credentials.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
/// Folders of files with one value each: of bake's machines, of container engines.
const FOLDERS: [&str; 2] = ["/run/config", "/run/secrets"];
/// What follows the name of a variable that names a file.
const SUFFIX: &str = "_FILE";

/// A place that has a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A variable.
    Variable(String),
    /// The file that a variable names.
    Named {
        /// The variable.
        variable: String,
        /// The file.
        path: PathBuf,
    },
    /// A file in one of the folders.
    File(PathBuf),
}

/// Never prints what a variable holds: a secret may have been written where a path belongs.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "the variable {name}"),
            Self::Named { variable, .. } => write!(f, "the file that {variable} names"),
            Self::File(path) => write!(f, "the file {}", path.display()),
        }
    }
}

/// A value and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The value.
    pub value: Secret,
    /// The first place that has it.
    pub place: Place,
}

/// What all places together have.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// Values by key.
    pub values: BTreeMap<Name, Found>,
    /// What is wrong with other keys.
    pub problems: BTreeMap<Name, Problem>,
}

/// The places.
#[derive(Debug)]
pub struct Sources<'a> {
    /// Which keys there are.
    pub schema: &'a Schema,
    /// The variables.
    pub environment: &'a Environment,
    /// The folders of files with one value each.
    pub folders: Vec<PathBuf>,
}

/// Which variables stand for a key.
#[derive(Debug, PartialEq, Eq)]
pub struct Variables {
    /// The one that holds the value; none if the program has that one for the path.
    pub value: Option<String>,
    /// Those that name a file with the value.
    pub paths: Vec<String>,
}

impl Variables {
    /// Returns the variables of a key: what is the variable of another key is not among them.
    pub fn of(schema: &Schema, name: &Name, key: &Key) -> Self {
        let own = schema.variable(name);
        let path_variable = match &key.delivery {
            Delivery::File { path_variable, .. } => path_variable.as_ref().map(Name::as_str),
            Delivery::Variable | Delivery::Files => None,
        };
        let mut paths = Vec::new();
        for candidate in
            path_variable.map(str::to_owned).into_iter().chain([format!("{own}{SUFFIX}")])
        {
            let key = candidate.strip_prefix(&schema.prefix).and_then(Name::parse);
            let is_of_another =
                key.is_some_and(|key| key != *name && schema.keys.contains_key(&key));
            if !is_of_another && !paths.contains(&candidate) {
                paths.push(candidate);
            }
        }
        let value = Some(own).filter(|own| !paths.contains(own));
        Self { value, paths }
    }
}

impl<'a> Sources<'a> {
    /// Returns the places of this process.
    pub fn of_process(schema: &'a Schema, environment: &'a Environment) -> Self {
        let credentials = environment.get(CREDENTIALS).filter(|folder| !folder.is_empty());
        let fixed = FOLDERS.iter().map(PathBuf::from);
        let folders = credentials.map(PathBuf::from).into_iter().chain(fixed).collect();
        Self { schema, environment, folders }
    }

    /// Looks everywhere for all keys.
    pub fn collect(&self) -> Collected {
        let mut collected = Collected::default();
        for (name, key) in &self.schema.keys {
            match self.find(name, key) {
                Ok(Some(found)) => {
                    collected.values.insert(name.clone(), found);
                }
                Ok(None) => {}
                Err(problem) => {
                    collected.problems.insert(name.clone(), problem);
                }
            }
        }
        collected
    }

    /// Returns the value of a key, on which all places must agree.
    fn find(&self, name: &Name, key: &Key) -> Result<Option<Found>, Problem> {
        let variables = Variables::of(self.schema, name, key);
        let is_set = |variable: &&String| self.environment.get(variable).is_some();
        let by_value = variables.value.iter().find(is_set);
        if let (Some(value), Some(path)) = (by_value, variables.paths.iter().find(is_set)) {
            return Err(Problem::new(format!("{name}: {value} and {path} are both set"))
                .detail("set the one that holds the value, or the one that names a file with it"));
        }
        let mut all = Vec::new();
        if let Some(variable) = by_value {
            all.extend(self.in_variable(name, variable)?);
        }
        for variable in &variables.paths {
            all.extend(self.named_by(name, variable)?);
        }
        for path in self.files(name, key) {
            all.extend(in_folder(name, path)?);
        }
        let mut all = all.into_iter();
        let Some(first) = all.next() else { return Ok(None) };
        match all.find(|other| other.value != first.value) {
            Some(other) => Err(Problem::new(format!("{name} has two values that differ"))
                .detail(format!("one is from {}", first.place))
                .detail(format!("the other is from {}", other.place))),
            None => Ok(Some(first)),
        }
    }

    fn in_variable(&self, name: &Name, variable: &str) -> Result<Option<Found>, Problem> {
        let Some(value) = self.environment.get(variable) else { return Ok(None) };
        let place = Place::Variable(variable.to_owned());
        found(name, value.as_bytes(), place).map(Some)
    }

    fn named_by(&self, name: &Name, variable: &str) -> Result<Option<Found>, Problem> {
        let Some(path) = self.environment.get(variable).map(PathBuf::from) else { return Ok(None) };
        let place = Place::Named { variable: variable.to_owned(), path: path.clone() };
        if path.as_os_str().is_empty() {
            return Err(Problem::new(format!("{name}: {variable} is empty"))
                .detail("expected the path of a file with the value"));
        }
        match input::read(&path, MAX_LEN) {
            Ok(bytes) => found(name, without_newline(&bytes), place).map(Some),
            Err(error) => Err(unreadable(name, &place, &error)),
        }
    }

    /// Returns the files of one value that a key may have.
    fn files(&self, name: &Name, key: &Key) -> Vec<PathBuf> {
        let names = file_names(name, key);
        let in_folder =
            |folder: &PathBuf| names.iter().map(|name| folder.join(name)).collect::<Vec<_>>();
        self.folders.iter().flat_map(in_folder).collect()
    }

    /// Says where a value of a key is looked for.
    pub fn described(&self, name: &Name, key: &Key) -> String {
        let variables = Variables::of(self.schema, name, key);
        let mut places: Vec<_> =
            variables.value.iter().map(|variable| format!("the variable {variable}")).collect();
        let paths = variables.paths.iter();
        places.extend(paths.map(|variable| format!("a file that {variable} names")));
        let names = file_names(name, key);
        if !names.is_empty() {
            let folders: Vec<_> =
                self.folders.iter().map(|path| path.display().to_string()).collect();
            places.push(format!("a file {} in {}", names.join(" or "), folders.join(", ")));
        }
        places.join("; ")
    }
}

/// Returns the names of files that hold the value of a key and nothing else.
fn file_names(name: &Name, key: &Key) -> Vec<String> {
    let lower = name.as_str().to_ascii_lowercase();
    let first = match (&key.delivery, key.secrecy) {
        (Delivery::File { name, .. }, _) => name.clone(),
        (Delivery::Variable | Delivery::Files, Secrecy::Secret) => name.kebab(),
        (Delivery::Variable | Delivery::Files, Secrecy::Open) => return Vec::new(),
    };
    if first == lower { vec![lower] } else { vec![first, lower] }
}

fn in_folder(name: &Name, path: PathBuf) -> Result<Option<Found>, Problem> {
    match input::read(&path, MAX_LEN) {
        Ok(bytes) => found(name, without_newline(&bytes), Place::File(path)).map(Some),
        Err(error) if error.is_absence() => Ok(None),
        Err(error) => Err(unreadable(name, &Place::File(path), &error)),
    }
}

fn unreadable(name: &Name, place: &Place, error: &InputError) -> Problem {
    let problem = Problem::new(format!("{name}: cannot read {place}: {error}"));
    match error {
        InputError::System(error) if error.kind() == ErrorKind::PermissionDenied => {
            let uid = rustix::process::geteuid().as_raw();
            problem.detail(format!("let user {uid} read it, or start as root with --user"))
        }
        InputError::System(_) | InputError::Kind(_) | InputError::Length(_) => problem,
    }
}

fn found(name: &Name, bytes: &[u8], place: Place) -> Result<Found, Problem> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Found { value: Secret::new(text.to_owned()), place }),
        Err(_) => Err(Problem::new(format!("{name}: expected UTF-8 text"))
            .detail(format!("it is from {place}"))),
    }
}

/// Leaves out the one line end that editors and `echo` put behind a value.
fn without_newline(bytes: &[u8]) -> &[u8] {
    bytes.strip_suffix(b"\n").unwrap_or(bytes)
}

impl Place {
    /// Returns the file that has the value.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Variable(_) => None,
            Self::Named { path, .. } | Self::File(path) => Some(path),
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a failure ends the test where it is")]
mod tests {
    use super::*;
    use bake_config::kind::{Kind, Pattern};

    /// `TOKEN` is a file with the path in `TOKEN_PATH`, `PLAIN` a variable, `HIDDEN` a secret variable.
    fn schema(prefix: &str) -> Schema {
        let mut schema = Schema::empty("app");
        schema.prefix = prefix.into();
        let text = || Key::new(Kind::String(Pattern::default()));
        let mut put = |name: &str, key| schema.keys.insert(Name::parse(name).unwrap(), key);
        let path_variable = Name::parse("TOKEN_PATH");
        put(
            "TOKEN",
            Key { delivery: Delivery::File { name: "api-token".into(), path_variable }, ..text() },
        );
        put("PLAIN", text());
        put("HIDDEN", Key { secrecy: Secrecy::Secret, ..text() });
        schema
    }

    /// Variables with values.
    type Given<'a> = &'a [(&'a str, &'a str)];

    struct Files {
        folder: tempfile::TempDir,
    }

    impl Files {
        fn new(files: &[(&str, &[u8])]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            for name in ["one", "two"] {
                std::fs::create_dir(folder.path().join(name)).unwrap();
            }
            for (name, bytes) in files {
                std::fs::write(folder.path().join(name), bytes).unwrap();
            }
            Self { folder }
        }

        /// Collects; `@` in values is the folder. Returns what is told and found, the folder as `@`.
        fn collect(&self, prefix: &str, variables: Given<'_>) -> Vec<String> {
            let root = self.folder.path().to_str().unwrap();
            let environment =
                variables.iter().map(|(name, value)| (*name, value.replace('@', root))).collect();
            let schema = schema(prefix);
            let folders = ["one", "two"].map(|name| self.folder.path().join(name)).to_vec();
            let collected =
                Sources { schema: &schema, environment: &environment, folders }.collect();
            let values = collected.values.iter().map(|(name, found)| {
                format!("{name}={} from {}", found.value.expose(), found.place)
            });
            let problems = collected.problems.values().map(ToString::to_string);
            values.chain(problems).map(|line| line.replace(root, "@")).collect()
        }
    }

    #[test]
    fn every_place_is_looked_at() {
        let files = Files::new(&[
            ("line", b"a\n"),
            ("lines", b"a\n\n"),
            ("empty", b""),
            ("one/other", b"x"),
        ]);
        let cases: [(Given, &[&str]); 8] = [
            (&[], &[]),
            (&[("PLAIN", "")], &["PLAIN= from the variable PLAIN"]),
            (&[("PLAIN", " a\n")], &["PLAIN= a\n from the variable PLAIN"]),
            (&[("PLAIN_FILE", "@/line")], &["PLAIN=a from the file that PLAIN_FILE names"]),
            (&[("PLAIN_FILE", "@/lines")], &["PLAIN=a\n from the file that PLAIN_FILE names"]),
            (&[("PLAIN_FILE", "@/empty")], &["PLAIN= from the file that PLAIN_FILE names"]),
            (&[("TOKEN_PATH", "@/line")], &["TOKEN=a from the file that TOKEN_PATH names"]),
            (&[("TOKEN_FILE", "@/line")], &["TOKEN=a from the file that TOKEN_FILE names"]),
        ];
        for (variables, expected) in cases {
            assert_eq!(files.collect("", variables), expected, "{variables:?}");
        }
        let prefixed = [("APP_PLAIN", "1"), ("PLAIN", "2"), ("APP_HIDDEN_FILE", "@/line")];
        assert_eq!(
            files.collect("APP_", &prefixed),
            [
                "HIDDEN=a from the file that APP_HIDDEN_FILE names",
                "PLAIN=1 from the variable APP_PLAIN"
            ]
        );
    }

    #[test]
    fn folders_are_for_secrets_and_for_what_is_delivered_as_files() {
        let files = Files::new(&[
            ("one/token", b"t\n"),
            ("two/api-token", b"t"),
            ("two/hidden", b"h\n"),
            ("one/plain", b"p"),
        ]);
        assert_eq!(
            files.collect("", &[]),
            ["HIDDEN=h from the file @/two/hidden", "TOKEN=t from the file @/one/token"]
        );
        // Places that agree are told by the first.
        assert_eq!(
            files.collect("", &[("TOKEN", "t"), ("HIDDEN_FILE", "@/two/hidden")]),
            ["HIDDEN=h from the file that HIDDEN_FILE names", "TOKEN=t from the variable TOKEN"]
        );
    }

    #[test]
    fn places_that_disagree_are_told_without_values() {
        let files = Files::new(&[("a", b"s3cret"), ("one/api-token", b"s3cret"), ("bad", b"\xff")]);
        let cases: [(Given, &str); 7] = [
            (
                &[("PLAIN", "x"), ("PLAIN_FILE", "@/a"), ("TOKEN", "s3cret")],
                "PLAIN: PLAIN and PLAIN_FILE are both set\n    set the one that holds the value, or the one that \
                 names a file with it",
            ),
            (
                &[("TOKEN", "s3cret"), ("TOKEN_PATH", "@/a")],
                "TOKEN: TOKEN and TOKEN_PATH are both set\n    set the one that holds the value, or the one that \
                 names a file with it",
            ),
            (
                &[("TOKEN", "s3cret2")],
                "TOKEN has two values that differ\n    one is from the variable TOKEN\n    the other is from the file \
                 @/one/api-token",
            ),
            (
                &[("PLAIN_FILE", "")],
                "PLAIN: PLAIN_FILE is empty\n    expected the path of a file with the value",
            ),
            (
                &[("PLAIN_FILE", "s3cret")],
                "PLAIN: cannot read the file that PLAIN_FILE names: No such file or directory (os error 2)",
            ),
            (
                &[("PLAIN_FILE", "/dev/zero")],
                "PLAIN: cannot read the file that PLAIN_FILE names: expected a file, found a device",
            ),
            (
                &[("PLAIN_FILE", "@/bad")],
                "PLAIN: expected UTF-8 text\n    it is from the file that PLAIN_FILE names",
            ),
        ];
        for (variables, expected) in cases {
            let told = files.collect("", variables);
            assert_eq!(told.last().map(String::as_str), Some(expected), "{variables:?}");
            assert!(!expected.contains("s3cret"));
        }
    }

    #[test]
    fn a_variable_belongs_to_one_key() {
        let mut schema = schema("");
        let text = || Key::new(Kind::String(Pattern::default()));
        schema.keys.insert(Name::parse("PLAIN_FILE").unwrap(), text());
        let of = |schema: &Schema, name: &str| {
            let name = Name::parse(name).unwrap();
            Variables::of(schema, &name, &schema.keys[&name])
        };
        let variables = |value: Option<&str>, paths: &[&str]| Variables {
            value: value.map(Into::into),
            paths: paths.iter().map(|path| (*path).into()).collect(),
        };
        assert_eq!(of(&schema, "PLAIN"), variables(Some("PLAIN"), &[]));
        assert_eq!(of(&schema, "PLAIN_FILE"), variables(Some("PLAIN_FILE"), &["PLAIN_FILE_FILE"]));
        assert_eq!(of(&schema, "TOKEN"), variables(Some("TOKEN"), &["TOKEN_PATH", "TOKEN_FILE"]));
        // The program wants the path where the value would stand.
        let path_variable = Name::parse("TOKEN");
        let delivery = Delivery::File { name: "token".into(), path_variable };
        schema.keys.insert(Name::parse("TOKEN").unwrap(), Key { delivery, ..text() });
        assert_eq!(of(&schema, "TOKEN"), variables(None, &["TOKEN", "TOKEN_FILE"]));
    }
}
