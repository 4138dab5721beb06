//! What an RPM dependency names: a capability, perhaps with a version.

use super::{Fault, Operator};

/// A capability's name and what its version is compared with.
pub(super) type Capability = (String, Option<(Operator, String)>);

/// Parses `NAME` or `NAME OPERATOR VERSION`.
pub(super) fn parse(text: &str) -> Result<Capability, Fault> {
    let mut words = text.split(' ').filter(|word| !word.is_empty());
    let name = words.next().ok_or_else(|| Fault::new("it is empty"))?;
    if name.contains(',') || name.contains(['<', '>', '=']) {
        let fault = Fault::new(format!("`{}` is not a name", name.escape_debug()));
        return Err(fault.hint("write one dependency per element, with spaces around the operator"));
    }
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '/')
        || !name.chars().all(|c| c.is_ascii_graphic())
    {
        return Err(Fault::new(format!("`{}` is not a name", name.escape_debug())));
    }
    let Some(sign) = words.next() else {
        return Ok((name.to_owned(), None));
    };
    let operator = Operator::ALL.into_iter().find(|operator| operator.rpm() == sign);
    let Some(operator) = operator else {
        let fault = Fault::new(format!(
            "expected `<`, `<=`, `=`, `>=` or `>`, found `{}`",
            sign.escape_debug()
        ));
        let deb = sign.starts_with('(') || sign == "<<" || sign == ">>";
        return Err(if deb { fault.hint("RPM writes `name >= 1.0`") } else { fault });
    };
    let version = words.next().ok_or_else(|| Fault::new("there is no version"))?;
    if let Some(more) = words.next() {
        return Err(Fault::new(format!("unexpected `{}` at its end", more.escape_debug())));
    }
    check_version(version)?;
    Ok((name.to_owned(), Some((operator, version.to_owned()))))
}

/// Checks `[EPOCH:]VERSION[-RELEASE]`.
fn check_version(text: &str) -> Result<(), Fault> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._+~^:-".contains(c);
    if let Some(bad) = text.chars().find(|c| !allowed(*c)) {
        return Err(Fault::new(format!("`{}` cannot stand in a version", bad.escape_debug())));
    }
    let (epoch, rest) = text.split_once(':').map_or((None, text), |(a, b)| (Some(a), b));
    if epoch.is_some_and(|epoch| epoch.parse::<u32>().is_err() || epoch.starts_with('+')) {
        return Err(Fault::new("the epoch of the version is not a number"));
    }
    if rest.contains(':') {
        return Err(Fault::new("the version has two epochs"));
    }
    let mut parts = rest.split('-');
    if parts.by_ref().take(2).any(str::is_empty) {
        return Err(Fault::new("the version or its release is empty"));
    }
    match parts.next() {
        Some(_) => Err(Fault::new("the version has more than one `-`, before its release")),
        None => Ok(()),
    }
}
