//! The test registry as a program: to try clients by hand, and to judge them.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use bake_test_registry::{
    Auth, Direction, Profile, Scenario, Stage, TestRegistry, Verdict, scenarios,
};
use clap::{Parser, Subcommand};

/// A registry that misbehaves as told, and remembers what it was asked.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Serves from memory until standard input ends; prints the address, and at the end the trace.
    Serve {
        /// Behave as: strict, ecr-like, ghcr-like, gar-like, quay-like, hub-like, jfrog-like,
        /// cloudflare-like, ancient.
        #[arg(long, default_value = "strict")]
        profile: String,
        /// The port; a free one if 0.
        #[arg(long, default_value_t = 0)]
        port: u16,
        /// Ask for credentials: `basic:USER:PASSWORD` or `token:USER:PASSWORD`.
        #[arg(long)]
        auth: Option<String>,
        /// Speak TLS, with the certificates and the key in these files.
        #[arg(long, num_args = 2, value_names = ["CHAIN.pem", "KEY.pem"])]
        tls: Option<Vec<PathBuf>>,
    },
    /// Lets a client play every scenario and prints a table.
    ///
    /// Commands run in a shell. `{layout}`, `{tag}`, `{reference}` and `{source}` in them are replaced,
    /// `{hosts}` by all hosts that have no TLS, `{chunk}` by the length of chunks, 0 if none is asked
    /// for. Credentials are in the files that DOCKER_CONFIG and REGISTRY_AUTH_FILE lead to.
    ///
    /// PASS: the client came to what it should. n/a: it did, but a rule of the scenario made no
    /// difference to what it asks, so it has shown nothing. FAIL: it did not.
    #[command(after_help = "Example:\n  test-registry judge \\\n    \
        --client 'skopeo copy --dest-tls-verify=false oci:{layout}:{tag} docker://{reference}' \\\n    \
        --pull 'skopeo copy --src-tls-verify=false docker://{reference} oci:{layout}:{tag}'")]
    Judge {
        /// What pushes.
        #[arg(long)]
        client: Option<String>,
        /// What pulls.
        #[arg(long)]
        pull: Option<String>,
        /// What copies from `{source}` to `{reference}`.
        #[arg(long)]
        copy: Option<String>,
        /// What copies with all that is attached.
        #[arg(long)]
        attached: Option<String>,
        /// What writes the tags of `{reference}`'s repository to the file `{layout}`.
        #[arg(long)]
        list: Option<String>,
        /// Scenarios that must succeed; `all` are those that are played.
        #[arg(long, value_delimiter = ',')]
        require: Vec<String>,
        /// Play only these.
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
        /// How long a client may take, in seconds.
        #[arg(long, default_value_t = 60)]
        timeout: u64,
        /// Print the trace of what failed, and what the client said.
        #[arg(long)]
        trace: bool,
    },
    /// Lists the scenarios.
    List,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Task::Serve { profile, port, auth, tls } => {
            serve(&profile, port, auth.as_deref(), tls.as_deref())
        }
        Task::Judge { client, pull, copy, attached, list, require, only, timeout, trace } => {
            let timeout = Duration::from_secs(timeout);
            Judge { client, pull, copy, attached, list, require, only, timeout, trace }.all()
        }
        Task::List => list(),
    };
    done.unwrap_or_else(|error| {
        // If nobody can be told, there is nobody to tell.
        drop(writeln!(io::stderr(), "error: {error}"));
        ExitCode::FAILURE
    })
}

fn wrong(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

fn serve(
    profile: &str,
    port: u16,
    auth: Option<&str>,
    tls: Option<&[PathBuf]>,
) -> io::Result<ExitCode> {
    let rules = Profile::named(profile).ok_or_else(|| wrong(format!("no profile `{profile}`")))?;
    let mut builder = TestRegistry::builder().rules(rules.rules()).port(port);
    if let Some(auth) = auth {
        let parts: Vec<&str> = auth.splitn(3, ':').collect();
        builder = builder.auth(match parts.as_slice() {
            ["basic", user, password] => Auth::basic(user, password),
            ["token", user, password] => Auth::token(user, password),
            _ => return Err(wrong(format!("`{auth}` is not (basic|token):USER:PASSWORD"))),
        });
    }
    if let Some([chain, key]) = tls {
        builder = builder.tls(chain, key)?;
    }
    let registry = builder.start()?;
    let mut out = io::stdout();
    writeln!(out, "{}", registry.address())?;
    out.flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    write!(out, "{}", registry.trace())?;
    Ok(ExitCode::SUCCESS)
}

fn list() -> io::Result<ExitCode> {
    let mut out = io::stdout().lock();
    for scenario in scenarios() {
        writeln!(out, "{:24} {}", scenario.name, scenario.what)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One client, and what is asked of it.
struct Judge {
    client: Option<String>,
    pull: Option<String>,
    copy: Option<String>,
    attached: Option<String>,
    list: Option<String>,
    require: Vec<String>,
    only: Vec<String>,
    timeout: Duration,
    trace: bool,
}

impl Judge {
    fn all(&self) -> io::Result<ExitCode> {
        let known = scenarios();
        for name in self.require.iter().filter(|name| *name != "all").chain(&self.only) {
            if !known.iter().any(|scenario| scenario.name == *name) {
                return Err(wrong(format!("no scenario `{name}`; `list` lists them")));
            }
        }
        let chosen = |scenario: &&Scenario| {
            let only = self.only.is_empty() || self.only.contains(&scenario.name);
            only && self.command(scenario.direction).is_some()
        };
        let (mut passed, mut unmet, mut played, mut failed) = (0, 0, 0, Vec::new());
        let mut out = io::stdout();
        for scenario in known.iter().filter(chosen) {
            let scratch = tempfile::tempdir()?;
            let verdict =
                scenario.run(scratch.path(), &mut |stage| self.play(scratch.path(), stage))?;
            played += 1;
            match (&verdict.fault, &verdict.unmet) {
                (None, None) => passed += 1,
                (None, Some(_)) => unmet += 1,
                (Some(_), _) => failed.push(scenario.name.clone()),
            }
            self.print(&mut out, scenario, &verdict)?;
        }
        writeln!(out, "{passed} of {played}, {unmet} not applicable")?;
        let all = self.require.iter().any(|name| name == "all");
        let lacking = failed.iter().any(|name| all || self.require.contains(name));
        Ok(if lacking { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn command(&self, direction: Direction) -> Option<&str> {
        match direction {
            Direction::Push => self.client.as_deref(),
            Direction::Pull => self.pull.as_deref(),
            Direction::Copy => self.copy.as_deref(),
            Direction::CopyAttached => self.attached.as_deref(),
            Direction::List => self.list.as_deref(),
        }
    }

    fn print(&self, out: &mut dyn Write, scenario: &Scenario, verdict: &Verdict) -> io::Result<()> {
        let trace = &verdict.trace;
        let mark = match (&verdict.fault, &verdict.unmet) {
            (Some(_), _) => "FAIL",
            (None, Some(_)) => "n/a ",
            (None, None) => "PASS",
        };
        let (requests, sent, wasted) = (trace.requests(), trace.uploaded(), trace.wasted());
        write!(
            out,
            "{mark} {:24} {requests:4} requests {sent:9} bytes {wasted:9} in vain",
            scenario.name
        )?;
        match verdict.fault.as_ref().or(verdict.unmet.as_ref()) {
            None => writeln!(out),
            Some(fault) if self.trace => writeln!(out, "  {fault}\n{trace}"),
            Some(fault) => writeln!(out, "  {}", fault.lines().next().unwrap_or_default()),
        }
    }

    /// Runs the command for one scenario.
    fn play(&self, scratch: &Path, stage: &Stage<'_>) -> Result<(), String> {
        let template = self.command(stage.direction).ok_or("no command")?;
        let command = template
            .replace("{layout}", &stage.layout.display().to_string())
            .replace("{tag}", stage.tag)
            .replace("{reference}", &stage.reference)
            .replace("{source}", &stage.source)
            .replace("{hosts}", &stage.hosts.join(" "))
            .replace("{chunk}", &stage.chunk.unwrap_or(0).to_string());
        let said = scratch.join("said");
        let open = || fs_err::File::create(&said).map_err(|error| error.to_string());
        let file = open()?.into_parts().0;
        let copy = file.try_clone().map_err(|error| error.to_string())?;
        let mut child = Command::new("sh")
            .args(["-c", &format!("exec {command}")])
            .env("DOCKER_CONFIG", scratch)
            .env("REGISTRY_AUTH_FILE", stage.credentials)
            .env("HOME", scratch)
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(copy)
            .spawn()
            .map_err(|error| error.to_string())?;
        self.wait(&mut child).map_err(|reason| {
            let said = fs_err::read(&said).unwrap_or_default();
            let said = String::from_utf8_lossy(&said);
            let words =
                if self.trace { said.trim() } else { said.trim().lines().last().unwrap_or("") };
            format!("{reason}: {words}")
        })
    }

    fn wait(&self, child: &mut Child) -> Result<(), String> {
        let start = Instant::now();
        loop {
            match child.try_wait().map_err(|error| error.to_string())? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(status.to_string()),
                None if start.elapsed() > self.timeout => {
                    child.kill().and_then(|()| child.wait()).map_err(|error| error.to_string())?;
                    return Err(format!("took longer than {:?}", self.timeout));
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}
