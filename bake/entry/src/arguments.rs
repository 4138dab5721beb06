//! The command line.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use crate::failure::{Failure, Problem, Status};

/// What `--help` prints.
pub const HELP: &str = "\
Checks a service's configuration, writes its files and becomes its program

  bake-init [OPTION]... SCHEMA -- COMMAND [ARGUMENT]...
  bake-init --check SCHEMA
  bake-init --render [OPTION]... SCHEMA

SCHEMA is the record in the artifact, /usr/share/bake/config/NAME.json.

  --check               validate only
  --render              validate and write the rendered files, start nothing
  --output DIR          write everything below DIR
  --user USER[:GROUP]   run the command as this user, by name or number
  --no-new-privs        no program that is started gains privileges
  --version, --help

Exit status: 64 usage, 73 a file cannot be written, 77 the user cannot be changed to, 78 the configuration
is wrong, 126 the command does not start, 127 there is no such command; else the command's own.
";

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// How the program is called.
    Help,
    /// Which version it is.
    Version,
    /// Something about a schema.
    Run(Invocation),
}

/// What is to be done with a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// Where its record is.
    pub schema: PathBuf,
    /// What is to be done.
    pub action: Action,
    /// The folder below which everything is written.
    pub output: Option<PathBuf>,
    /// Who the command runs as: `USER` or `USER:GROUP`.
    pub user: Option<String>,
    /// Whether programs may gain privileges.
    pub privileges: NewPrivileges,
}

/// How far it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Values are checked, nothing is written.
    Check,
    /// Files are written.
    Render,
    /// Files are written, and the command takes over.
    Start(Command),
}

/// The command that takes over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Its name or path.
    pub program: OsString,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// Whether programs may gain privileges by set-user-ID bits and file capabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewPrivileges {
    /// As before.
    Kept,
    /// Never again.
    Refused,
}

/// Which of the three forms a command line has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Start,
    Check,
    Render,
}

/// Options as they were found.
struct Options {
    form: Form,
    schema: Option<PathBuf>,
    output: Option<PathBuf>,
    user: Option<String>,
    privileges: NewPrivileges,
}

/// Parses what follows the program's own name.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Request, Failure> {
    let mut arguments = arguments.into_iter();
    let mut options = Options {
        form: Form::Start,
        schema: None,
        output: None,
        user: None,
        privileges: NewPrivileges::Kept,
    };
    let mut command = None;
    while let Some(argument) = arguments.next() {
        let text = argument.to_str().unwrap_or_default();
        match text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value))) {
            ("--", None) => command = Some(arguments.by_ref().collect::<Vec<_>>()),
            ("--help" | "-h", None) => return Ok(Request::Help),
            ("--version", None) => return Ok(Request::Version),
            ("--check", None) => options.form = options.form.becomes(Form::Check)?,
            ("--render", None) => options.form = options.form.becomes(Form::Render)?,
            ("--no-new-privs", None) => options.privileges = NewPrivileges::Refused,
            ("--output", value) => {
                options.output = Some(value_of("--output", value, &mut arguments)?.into());
            }
            ("--user", value) => {
                let user = value_of("--user", value, &mut arguments)?.into_string();
                options.user = Some(user.map_err(|_| usage("--user: expected UTF-8 text"))?);
            }
            (option, _) if option.starts_with('-') => {
                return Err(usage(format!("there is no option `{}`", option.escape_debug())));
            }
            _ if options.schema.is_some() => {
                return Err(usage("more than one SCHEMA; the command stands after `--`"));
            }
            _ => options.schema = Some(argument.into()),
        }
    }
    options.request(command)
}

fn value_of(
    option: &str,
    value: Option<&str>,
    rest: &mut impl Iterator<Item = OsString>,
) -> Result<OsString, Failure> {
    let value = value.map(OsString::from).or_else(|| rest.next());
    value
        .filter(|value| !value.is_empty() && value != OsStr::new("--"))
        .ok_or_else(|| usage(format!("{option}: a value is missing")))
}

impl Form {
    fn becomes(self, form: Self) -> Result<Self, Failure> {
        match self {
            Self::Start => Ok(form),
            Self::Check | Self::Render if self == form => Ok(form),
            Self::Check | Self::Render => Err(usage("--check and --render exclude each other")),
        }
    }
}

impl Options {
    fn request(self, command: Option<Vec<OsString>>) -> Result<Request, Failure> {
        let schema = self.schema.ok_or_else(|| usage("SCHEMA is missing"))?;
        let action = match (self.form, command.map(Vec::into_iter)) {
            (Form::Start, Some(mut words)) => {
                let program = words.next().filter(|program| !program.is_empty());
                let program = program.ok_or_else(|| usage("there is no command after `--`"))?;
                Action::Start(Command { program, arguments: words.collect() })
            }
            (Form::Start, None) => return Err(usage("there is no `--` with a command after it")),
            (Form::Check, None) => Action::Check,
            (Form::Render, None) => Action::Render,
            (Form::Check | Form::Render, Some(_)) => {
                return Err(usage("--check and --render start no command"));
            }
        };
        let has_more = self.output.is_some() || self.user.is_some();
        if action == Action::Check && has_more {
            return Err(usage("--check writes nothing and needs neither --output nor --user"));
        }
        if self.form != Form::Start && self.privileges == NewPrivileges::Refused {
            return Err(usage("--no-new-privs is for a command that is started"));
        }
        let Self { output, user, privileges, .. } = self;
        Ok(Request::Run(Invocation { schema, action, output, user, privileges }))
    }
}

fn usage(what: impl Into<String>) -> Failure {
    let problem = Problem::new(what)
        .detail("usage: bake-init [OPTION]... SCHEMA -- COMMAND [ARGUMENT]...; --help says more");
    Failure::new(Status::Usage, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Request, String> {
        parse(words.iter().map(Into::into)).map_err(|failure| {
            assert_eq!(failure.status, Status::Usage);
            failure.problems[0].to_string().lines().next().unwrap_or_default().to_owned()
        })
    }

    fn invocation(action: Action) -> Invocation {
        let (schema, privileges) = ("s.json".into(), NewPrivileges::Kept);
        Invocation { schema, action, output: None, user: None, privileges }
    }

    #[test]
    fn reads_every_form() {
        let command = |words: &[&str]| {
            Action::Start(Command {
                program: words[0].into(),
                arguments: words[1..].iter().map(Into::into).collect(),
            })
        };
        let cases: [(&[&str], Request); 7] = [
            (&["--help"], Request::Help),
            (&["s.json", "--version"], Request::Version),
            (&["s.json", "--", "app"], Request::Run(invocation(command(&["app"])))),
            (
                &["s.json", "--", "app", "--user", "--", ""],
                Request::Run(invocation(command(&["app", "--user", "--", ""]))),
            ),
            (&["--check", "s.json"], Request::Run(invocation(Action::Check))),
            (
                &["--render", "s.json", "--output", "/run/app", "--user=app:app"],
                Request::Run(Invocation {
                    output: Some("/run/app".into()),
                    user: Some("app:app".into()),
                    ..invocation(Action::Render)
                }),
            ),
            (
                &["--no-new-privs", "--user", "1000", "s.json", "--", "app"],
                Request::Run(Invocation {
                    user: Some("1000".into()),
                    privileges: NewPrivileges::Refused,
                    ..invocation(command(&["app"]))
                }),
            ),
        ];
        for (words, expected) in cases {
            assert_eq!(parsed(words), Ok(expected), "{words:?}");
        }
    }

    #[test]
    fn refuses_what_could_mean_two_things() {
        let cases: [(&[&str], &str); 13] = [
            (&[], "SCHEMA is missing"),
            (&["s.json"], "there is no `--` with a command after it"),
            (&["s.json", "--"], "there is no command after `--`"),
            (&["s.json", "--", ""], "there is no command after `--`"),
            (&["s.json", "app"], "more than one SCHEMA; the command stands after `--`"),
            (&["--check", "--render", "s.json"], "--check and --render exclude each other"),
            (&["--check", "s.json", "--", "app"], "--check and --render start no command"),
            (&["--nonsense", "s.json"], "there is no option `--nonsense`"),
            (&["--check=1", "s.json"], "there is no option `--check`"),
            (&["--user", "--", "app"], "--user: a value is missing"),
            (&["--output=", "s.json", "--", "app"], "--output: a value is missing"),
            (
                &["--check", "s.json", "--user", "app"],
                "--check writes nothing and needs neither --output nor --user",
            ),
            (
                &["--render", "--no-new-privs", "s.json"],
                "--no-new-privs is for a command that is started",
            ),
        ];
        for (words, expected) in cases {
            assert_eq!(parsed(words), Err(expected.to_owned()), "{words:?}");
        }
    }
}
