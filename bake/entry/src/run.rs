//! All of it in order.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;

use bake_config::{RenderedFile, Schema, record};

use crate::account::{Account, Accounts};
use crate::arguments::{self, Action, Command, Invocation, NewPrivileges, Request};
use crate::environment::Environment;
use crate::failure::{self, Failure, Problem, Status};
use crate::handover::{self, Handover, Parties};
use crate::input;
use crate::judge;
use crate::privileges;
use crate::source::Sources;
use crate::staging::{self, Folder, Root, Wanted};

/// What becomes of a call that starts no command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done;

/// Does what the arguments ask for; comes back if no command took over.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Result<Done, Failure> {
    match arguments::parse(arguments)? {
        Request::Help => print(arguments::HELP),
        Request::Version => print(&format!("bake-init {}\n", env!("CARGO_PKG_VERSION"))),
        Request::Run(invocation) => configure(&invocation),
    }
}

fn print(text: &str) -> Result<Done, Failure> {
    let mut output = io::stdout();
    let written = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    let failed = |error| {
        let problem = Problem::new(format!("cannot write to standard output: {error}"));
        Failure::new(Status::CannotWrite, problem)
    };
    written.map(|()| Done).map_err(failed)
}

fn configure(invocation: &Invocation) -> Result<Done, Failure> {
    let schema = read_schema(&invocation.schema)?;
    let account = account(invocation, &schema)?;
    let environment = Environment::of_process();
    let judgement = judge::judge(&Sources::of_process(&schema, &environment));
    for problem in &judgement.warnings {
        failure::say(judge::warning(problem));
    }
    let judged = judgement.result?;
    let root = invocation.output.clone().map_or(Root::System, Root::Output);
    let rendered = rendered(&judged.files, account.as_ref());
    match &invocation.action {
        Action::Check => Ok(Done),
        Action::Render => write(&root, &rendered).map(|()| Done),
        Action::Start(command) => {
            let parties = Parties {
                schema: &schema,
                environment: &environment,
                account: account.as_ref(),
                root: &root,
            };
            let Handover { environment, mut files } = parties
                .hand_over(&judged)
                .map_err(|problems| Failure { status: Status::Configuration, problems })?;
            files.extend(rendered);
            account.as_ref().map_or(Ok(()), privileges::check)?;
            write(&root, &files)?;
            if let Some(account) = &account {
                privileges::become_user(account)?;
            }
            match invocation.privileges {
                NewPrivileges::Kept => {}
                NewPrivileges::Refused => privileges::refuse_new()?,
            }
            Err(take_over(command, &environment))
        }
    }
}

fn read_schema(path: &Path) -> Result<Schema, Failure> {
    let failed = |reason: String| {
        let problem = Problem::new(format!("cannot read the schema {}: {reason}", path.display()))
            .detail("expected the record that bake puts into artifacts, /usr/share/bake/config/NAME.json");
        Failure::new(Status::Configuration, problem)
    };
    let bytes = input::read(path, record::MAX_LEN).map_err(|error| failed(error.to_string()))?;
    Schema::parse_record(&bytes).map_err(|error| failed(error.to_string()))
}

/// Returns who files are for, and who the command runs as.
///
/// What is only rendered by root is for the service's own user, unless another is named.
fn account(invocation: &Invocation, schema: &Schema) -> Result<Option<Account>, Failure> {
    let is_for_service = match invocation.action {
        Action::Render => rustix::process::geteuid().is_root(),
        Action::Check | Action::Start(_) => false,
    };
    let of_service = || {
        let user = schema.service.user.as_ref().filter(|_| is_for_service)?;
        Some(match &schema.service.group {
            Some(group) => format!("{user}:{group}"),
            None => user.clone(),
        })
    };
    let Some(user) = invocation.user.clone().or_else(of_service) else { return Ok(None) };
    let found = Accounts::of_system().and_then(|accounts| accounts.find(&user));
    let account = found.map_err(|reason| {
        let problem = Problem::new(reason).detail("--user USER[:GROUP], by name or number");
        Failure::new(Status::CannotBecome, problem)
    })?;
    Ok(Some(account))
}

fn rendered(files: &[RenderedFile], account: Option<&Account>) -> Vec<Wanted> {
    // Only root can give files away.
    let account = account.filter(|_| rustix::process::geteuid().is_root());
    let wanted = |file: &RenderedFile| Wanted {
        path: file.path.clone().into(),
        mode: file.mode,
        owner: account.map(|account| handover::owner(file.mode, account)),
        folder: Folder::Public,
        text: file.text.clone(),
    };
    files.iter().map(wanted).collect()
}

fn write(root: &Root, files: &[Wanted]) -> Result<(), Failure> {
    staging::put(root, files).map_err(|problems| Failure { status: Status::CannotWrite, problems })
}

/// Becomes the command; returns why it did not.
fn take_over(command: &Command, environment: &Environment) -> Failure {
    let error = std::process::Command::new(&command.program)
        .args(&command.arguments)
        .env_clear()
        .envs(environment.iter())
        .exec();
    let problem = Problem::new(format!("cannot start {}: {error}", command.program.display()));
    match error.kind() {
        io::ErrorKind::NotFound => Failure::new(
            Status::NotFound,
            problem.detail(
                "neither it nor, of a script or a dynamic program, its interpreter may be missing",
            ),
        ),
        _ => Failure::new(Status::CannotStart, problem),
    }
}
