//! `bake env rekey`: who can decrypt.

use bake_recipes::environment::EnvironmentName;
use clap::Args;
use serde_json::json;

use crate::cli::Exit;
use crate::cli::environments::{EnvironmentArgs, UnlockArgs};
use crate::cli::failure::Failure;
use crate::cli::printer::Printer;
use crate::environment::identities::Identities;
use crate::environment::memory;
use crate::environment::rekey::{Change, State, heirs, needs_identities, rekey};

/// Change who can decrypt, and encrypt all secrets to those who can.
#[derive(Debug, Args)]
#[command(
    after_help = "Prints for each secret of this environment's own file: encrypted, or kept if it was encrypted \
    to these recipients already. Who is removed still knows the secrets of before, and the file's history holds them: \
    change them.\n\nExamples:\n  bake env rekey prod --add age1…\n  \
    bake env rekey prod --add \"$(cat ~/.ssh/id_ed25519.pub)\"\n  bake env rekey prod --remove age1…\n  \
    bake env rekey prod      # after the list in the file was edited"
)]
pub(super) struct Rekey {
    /// The environment
    #[arg(value_name = "ENV")]
    environment: EnvironmentName,
    /// Who can decrypt, too: `age1…`, or the public key of an SSH key
    #[arg(long, value_name = "RECIPIENT")]
    add: Vec<String>,
    /// Who no longer can
    #[arg(long, value_name = "RECIPIENT")]
    remove: Vec<String>,
    #[command(flatten)]
    unlock: UnlockArgs,
}

impl Rekey {
    pub(super) fn run(
        &self,
        environments: &EnvironmentArgs,
        printer: &Printer,
    ) -> Result<Exit, Failure> {
        let (folder, name) = (environments.folder(), &self.environment);
        let identities = if needs_identities(&environments.load(name)?) {
            self.unlock.identities()?
        } else {
            memory::out_of_sight()?;
            Identities::none()
        };
        let change = Change { add: &self.add, remove: &self.remove };
        let done = rekey(&folder, name, change, &identities)?;
        for rekeyed in &done {
            let word = match rekeyed.state {
                State::Kept => "kept",
                State::Encrypted => "encrypted",
            };
            if printer.is_json() {
                let data =
                    json!({ "environment": name.as_str(), "key": rekeyed.key, "state": word });
                printer.event("rekeyed", &data)?;
            } else {
                printer.line(format_args!("{word:9} {}", rekeyed.key))?;
            }
        }
        for heir in heirs(&folder, name)? {
            printer.note(format_args!(
                "`{heir}` inherits these recipients: run `bake env rekey {heir}` too"
            ));
        }
        if !self.remove.is_empty() {
            printer.note("who was removed still knows the secrets of before: change them where they come from");
        }
        Ok(Exit::Done)
    }
}
