//! `bake env get`: a value.

use std::io::{self, IsTerminal};

use bake_config::{Given, Name, Scalar};
use bake_recipes::environment::{EnvironmentName, Setting};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::cli::Exit;
use crate::cli::environments::{EnvironmentArgs, UnlockArgs, key, setting};
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::environment::edit::is_secret;
use crate::environment::fault::Fault;
use crate::environment::unlock::Unlock;
use crate::error::Error;

/// Print a value.
#[derive(Debug, Args)]
#[command(
    after_help = "A list is printed one text a line. A secret is decrypted only with --reveal, and not \
    onto a terminal, which keeps what it showed, unless --reveal=terminal says so.\n\nExamples:\n  \
    bake env get prod DB_URL\n  bake env get prod DB_PASSWORD --reveal | psql-wrapper\n  \
    bake env get prod TLS_KEY --reveal --exact >key.pem"
)]
pub(super) struct Get {
    /// The environment
    #[arg(value_name = "ENV")]
    environment: EnvironmentName,
    /// The key
    #[arg(value_name = "KEY", value_parser = key)]
    key: Name,
    /// Decrypt a secret
    #[arg(long, value_name = "WHERE", num_args = 0..=1, require_equals = true, default_missing_value = "pipe")]
    reveal: Option<Reveal>,
    /// Print no line feed after it
    #[arg(long)]
    exact: bool,
    #[command(flatten)]
    unlock: UnlockArgs,
}

/// Where a secret may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Reveal {
    /// In a file or a pipe
    Pipe,
    /// On a terminal, too
    Terminal,
}

impl Get {
    pub(super) fn run(
        &self,
        environments: &EnvironmentArgs,
        printer: &Printer,
    ) -> Result<Exit, Failure> {
        let environment = environments.load(&self.environment)?;
        let setting = setting(&environment, &self.key)?;
        if is_secret(&setting.source) {
            self.check_reveal(setting)?;
        }
        let identities = self.unlock.identities_for(std::iter::once(setting))?;
        let unlock = Unlock::new(&environment, &identities, self.unlock.commands());
        let given = unlock.one(&self.key, setting).map_err(Error::from)?;
        self.print(&given, setting, printer)
    }

    fn check_reveal(&self, setting: &Setting) -> Result<(), Failure> {
        let what = format!("cannot print `{}`", self.key);
        let fault = match self.reveal {
            None => Fault::new("it is a secret").hint("`--reveal` decrypts it"),
            Some(Reveal::Pipe) if io::stdout().is_terminal() => {
                Fault::new("it is a secret, and a terminal keeps what it showed")
                    .hint("pipe it to where it is needed, or say `--reveal=terminal`")
            }
            Some(Reveal::Pipe | Reveal::Terminal) => return Ok(()),
        };
        Err(Error::from(fault.at(&setting.place, what)).into())
    }

    fn print(&self, given: &Given, setting: &Setting, printer: &Printer) -> Result<Exit, Failure> {
        if let Given::Reference(reference) = given {
            let fault = Fault::new(format!("it is `{reference}`, which only the target looks up"));
            return Err(Error::from(
                fault.at(&setting.place, format!("cannot print `{}`", self.key)),
            )
            .into());
        }
        if printer.is_json() {
            let data = json!({ "environment": self.environment.as_str(), "key": self.key.as_str(),
                "source": setting.source.word(), "origin": setting.origin.as_str(), "file": &*setting.place.file,
                "line": setting.place.line, "value": value(given) });
            printer.event("value", &data)?;
            return Ok(Exit::Done);
        }
        let mut text = text(given);
        if !self.exact {
            text.push('\n');
        }
        printer.bytes(text.as_bytes())?;
        Ok(Exit::Done)
    }
}

fn text(given: &Given) -> Zeroizing<String> {
    // One byte more, so that a line feed needs no copy.
    let of = |text: &str| {
        let mut copy = Zeroizing::new(String::with_capacity(text.len() + 1));
        copy.push_str(text);
        copy
    };
    match given {
        Given::Plain(Scalar::Text(text)) | Given::Text(text) => of(text),
        Given::Plain(Scalar::Integer(number)) => of(&number.to_string()),
        Given::Plain(Scalar::Float(number)) => of(&number.to_string()),
        Given::Plain(Scalar::Bool(yes)) => of(&yes.to_string()),
        Given::Plain(Scalar::List(list)) => of(&list.join("\n")),
        Given::Secret(secret) => of(secret.expose()),
        Given::Reference(_) => of(""),
    }
}

fn value(given: &Given) -> Value {
    match given {
        Given::Plain(Scalar::Text(text)) | Given::Text(text) => json!(text),
        Given::Plain(Scalar::Integer(number)) => json!(number),
        Given::Plain(Scalar::Float(number)) => json!(number),
        Given::Plain(Scalar::Bool(yes)) => json!(yes),
        Given::Plain(Scalar::List(list)) => json!(list),
        Given::Secret(secret) => json!(secret.expose()),
        Given::Reference(_) => Value::Null,
    }
}
