//! Values from standard input and the terminal.

use std::io::{self, IsTerminal};

use bake_config::Name;
use bake_recipes::environment::EnvironmentName;
use zeroize::Zeroizing;

use crate::cli::failure::Failure;
use crate::cli::terminal;
use crate::environment::envelope::MAX_VALUE;
use crate::environment::held;
use crate::error::Error;

/// What becomes of a line feed at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// One is removed, because `echo` and editors write one.
    Trimmed,
    /// It is part of the value.
    Exact,
}

/// Reads a value from standard input.
pub(super) fn standard_input(ending: Ending) -> Result<Zeroizing<String>, Failure> {
    let fault =
        |reason: String| Error::Input { what: "the value on standard input".into(), reason };
    let bytes = held::read(&mut io::stdin().lock(), MAX_VALUE)?;
    let mut bytes =
        bytes.ok_or_else(|| fault(format!("expected at most {MAX_VALUE} bytes, found more")))?;
    if ending == Ending::Trimmed {
        held::without_line_feed(&mut bytes);
    }
    Ok(held::text(bytes).ok_or_else(|| fault("expected UTF-8 text".into()))?)
}

/// Reads a secret: from standard input, or from the terminal, which does not show it.
pub(super) fn secret(
    key: &Name,
    name: &EnvironmentName,
    ending: Ending,
) -> Result<Zeroizing<String>, Failure> {
    if !io::stdin().is_terminal() {
        return standard_input(ending);
    }
    let prompt = format!("{key} of {name} (not shown)");
    Ok(terminal::ask(&prompt)
        .map_err(|error| Error::Input { what: "the secret".into(), reason: error.to_string() })?)
}
