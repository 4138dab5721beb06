//! `bake env set`: a value or a secret.

use bake_config::{Kind, Name, Scalar, Value};
use bake_recipes::environment::{EnvironmentName, path};
use clap::Args;

use super::input::{Ending, secret, standard_input};
use super::schema::{Declared, declared};
use crate::cli::Exit;
use crate::cli::environments::{EnvironmentArgs, key};
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::environment::document::Start;
use crate::environment::edit::{self, Target};
use crate::environment::fault::Fault;
use crate::environment::memory;
use crate::error::Error;

/// Set a value or a secret.
#[derive(Debug, Args)]
#[command(
    after_help = "A value has the type that the recipe's `[config]` gives its key; a list is given with commas. A \
    key that no recipe knows is text, whatever it looks like: 007 and no stay as they are. With --literal VALUE is TOML: \
    a number, true, false, a text in quotes, a list.\n\nA secret is asked for on the terminal, or read from \
    standard input. Of standard input one line feed at the end is removed, unless --exact.\n\nExamples:\n  \
    bake env set prod HTTP_PORT 8080\n  bake env set prod MOTD - <motd.txt\n  bake env set prod DB_PASSWORD --secret\n  \
    bake env set prod TLS_KEY --secret --exact <key.pem\n  bake env set staging DB_URL postgres://db/x --create"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct Set {
    /// The environment
    #[arg(value_name = "ENV")]
    environment: EnvironmentName,
    /// The key
    #[arg(value_name = "KEY", value_parser = key)]
    key: Name,
    /// The value; `-` reads it from standard input
    #[arg(value_name = "VALUE", allow_negative_numbers = true)]
    value: Option<String>,
    /// Encrypt it to the environment's recipients; it is never an argument
    #[arg(long)]
    secret: bool,
    /// Take VALUE for TOML
    #[arg(long, conflicts_with_all = ["secret", "exact"])]
    literal: bool,
    /// Take standard input as it is, with the line feed at its end
    #[arg(long)]
    exact: bool,
    /// Make the environment if it is not there
    #[arg(long, conflicts_with = "secret")]
    create: bool,
}

impl Set {
    pub(super) fn run(
        &self,
        environments: &EnvironmentArgs,
        printer: &Printer,
    ) -> Result<Exit, Failure> {
        let folder = environments.folder();
        let target = Target { folder: &folder, environment: &self.environment, key: &self.key };
        let declared = declared(environments, &self.key, printer)?;
        if self.secret {
            self.set_secret(&target, declared.as_ref())?;
        } else {
            self.set_plain(&target, declared.as_ref())?;
        }
        let file = path(&folder, &self.environment);
        printer.note(format_args!("set {} in {}", self.key, file.display()));
        Ok(Exit::Done)
    }

    fn ending(&self) -> Ending {
        if self.exact { Ending::Exact } else { Ending::Trimmed }
    }

    fn refuse(&self, fault: Fault) -> Failure {
        let what = format!("cannot set `{}` of `{}`", self.key, self.environment);
        Error::from(fault.about(what)).into()
    }

    fn set_secret(&self, target: &Target<'_>, declared: Option<&Declared>) -> Result<(), Failure> {
        if self.value.as_deref().is_some_and(|value| value != "-") {
            let message = "a secret is never an argument: other users of this machine see arguments, and shells keep them";
            return Err(self.refuse(Fault::new(message).hint(
                "leave VALUE out: it is asked for, or read from standard input; and change the secret",
            )));
        }
        // Who is to decrypt it is known before anybody is asked.
        edit::check_recipients(target)?;
        memory::out_of_sight()?;
        let value = secret(&self.key, &self.environment, self.ending())?;
        if let Some(declared) = declared {
            let parsed = declared.kind.parse(&value);
            parsed.map_err(|expected| {
                self.refuse(Fault::new(format!("{expected}, and this secret is not")))
            })?;
        }
        Ok(edit::set_secret(target, &value)?)
    }

    fn set_plain(&self, target: &Target<'_>, declared: Option<&Declared>) -> Result<(), Failure> {
        if declared.is_some_and(|declared| declared.is_secret) {
            let fault = Fault::new("the recipe says that it is a secret");
            return Err(self.refuse(fault.hint("`--secret` encrypts it")));
        }
        let text = match self.value.as_deref() {
            Some("-") => (*standard_input(self.ending())?).clone(),
            Some(value) => value.to_owned(),
            None => {
                let fault = Fault::new("there is no value");
                return Err(
                    self.refuse(fault.hint("give one, `-` for standard input, or `--secret`"))
                );
            }
        };
        let value = match declared {
            _ if self.literal => literal(&text),
            Some(declared) => typed(&declared.kind, &text),
            None => Ok(Scalar::Text(text)),
        };
        let value = value.map_err(|message| self.refuse(Fault::new(message)))?;
        if let Some(declared) = declared.filter(|_| self.literal) {
            declared.kind.accept(&value).map_err(|message| self.refuse(Fault::new(message)))?;
        }
        let start = if self.create { Start::New } else { Start::There };
        edit::set_plain(target, value, start)?;
        Ok(())
    }
}

/// Returns a value of a type as TOML has it.
fn typed(kind: &Kind, text: &str) -> Result<Scalar, String> {
    let value = match kind.parse(text)? {
        Value::List(list) => Scalar::List(list),
        Value::Text(text) => match kind {
            Kind::Int(_) | Kind::Port(_) => number(&text).ok_or_else(|| kind.expected())?,
            Kind::Float(_) => match number(&text) {
                Some(number) => number,
                None => Scalar::Float(text.parse().map_err(|_| kind.expected())?),
            },
            Kind::Bool => Scalar::Bool(text == "true"),
            Kind::String(_)
            | Kind::Host
            | Kind::Url(_)
            | Kind::Duration(_)
            | Kind::Bytes(_)
            | Kind::Enum(_)
            | Kind::List(_)
            | Kind::Path
            | Kind::Pem
            | Kind::Json => Scalar::Text(text),
        },
    };
    kind.accept(&value).map(|_| value)
}

/// Returns a whole number that is spelled in the one way.
fn number(text: &str) -> Option<Scalar> {
    text.parse::<i64>().ok().filter(|number| number.to_string() == text).map(Scalar::Integer)
}

/// Reads a value as TOML.
fn literal(text: &str) -> Result<Scalar, String> {
    let expected = || {
        "expected a number, true, false, a text in quotes or a list of texts as TOML has them"
            .to_owned()
    };
    let value: toml_edit::Value = text.trim().parse().map_err(|_| expected())?;
    match value {
        toml_edit::Value::String(text) => Ok(Scalar::Text(text.into_value())),
        toml_edit::Value::Integer(number) => Ok(Scalar::Integer(number.into_value())),
        toml_edit::Value::Float(number) => Ok(Scalar::Float(number.into_value())),
        toml_edit::Value::Boolean(yes) => Ok(Scalar::Bool(yes.into_value())),
        toml_edit::Value::Array(list) => {
            let texts =
                list.iter().map(|value| value.as_str().map(str::to_owned)).collect::<Option<_>>();
            texts.map(Scalar::List).ok_or_else(expected)
        }
        toml_edit::Value::Datetime(_) | toml_edit::Value::InlineTable(_) => Err(expected()),
    }
}

#[cfg(test)]
mod tests {
    use bake_config::kind::{Pattern, Range};

    use super::*;

    #[test]
    fn a_type_decides_and_nothing_is_guessed() {
        let int = Kind::Int(Range::default());
        let text = Kind::String(Pattern::default());
        let list = Kind::List(Pattern::default());
        let of = |text: &str| Scalar::Text(text.to_owned());
        let cases = [
            (&int, "1000000", Some(Scalar::Integer(1_000_000))),
            (&int, "-5", Some(Scalar::Integer(-5))),
            (&int, "007", None),
            (&int, "1e6", None),
            (&Kind::Port(Range::default()), "8080", Some(Scalar::Integer(8080))),
            (&Kind::Float(Range::default()), "1.5", Some(Scalar::Float(1.5))),
            (&Kind::Float(Range::default()), "2", Some(Scalar::Integer(2))),
            (&Kind::Bool, "true", Some(Scalar::Bool(true))),
            (&Kind::Bool, "no", None),
            (&text, "no", Some(of("no"))),
            (&text, "007", Some(of("007"))),
            (&text, "", Some(of(""))),
            (&list, "a,b", Some(Scalar::List(vec!["a".into(), "b".into()]))),
            (&list, "", Some(Scalar::List(Vec::new()))),
            (&Kind::Json, "{\"a\": 1}", Some(of("{\"a\": 1}"))),
        ];
        for (kind, text, expected) in cases {
            assert_eq!(typed(kind, text).ok(), expected, "{kind:?} {text}");
        }
    }

    #[test]
    fn literals_are_tomls() {
        let cases = [
            ("1_000", Some(Scalar::Integer(1000))),
            ("true", Some(Scalar::Bool(true))),
            ("\"007\"", Some(Scalar::Text("007".into()))),
            ("[\"a\"]", Some(Scalar::List(vec!["a".into()]))),
            ("007", None),
            ("no", None),
            ("[1]", None),
            ("{ a = 1 }", None),
            ("2026-01-01", None),
        ];
        for (text, expected) in cases {
            assert_eq!(literal(text).ok(), expected, "{text}");
        }
    }
}
