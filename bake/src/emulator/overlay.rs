//! An overlay that keeps what a guest writes.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{Image, unusable};
use crate::error::Error;

/// Returns the overlay of a disk in a file, which is made if it is not there.
pub fn keep(disk: &Image, file: &Path) -> Result<Image, Error> {
    if !file.exists() {
        create(disk, file)?;
    }
    let overlay = Image::open(file)?;
    if overlay.base.as_deref() == Some(disk) {
        return Ok(overlay);
    }
    let (path, expected) = (overlay.path.display(), disk.path.display());
    let found = match &overlay.base {
        Some(base) => format!("is an overlay of `{}`", base.path.display()),
        None => "is not an overlay".to_owned(),
    };
    let message = format!("`{path}` {found}, expected an overlay of `{expected}`");
    Err(unusable(message, "remove it, or name another file to keep changes in".to_owned()))
}

fn create(disk: &Image, file: &Path) -> Result<(), Error> {
    // From the root: QEMU takes a name with a colon for an address.
    let file = std::path::absolute(file)?;
    let mut command = Command::new("qemu-img");
    command.args(["create", "-q", "-f", "qcow2", "-F", disk.container.driver(), "-b"]);
    command.arg(&disk.path).arg(&file).stdin(Stdio::null()).stdout(Stdio::null());
    let output = command.stderr(Stdio::piped()).output().map_err(|error| {
        let missing = error.kind() == std::io::ErrorKind::NotFound;
        let hint = missing.then(|| "on Debian: `apt install qemu-utils`".to_owned());
        unusable(format!("`qemu-img` cannot be started: {error}"), hint)
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let message = format!("`qemu-img` made no overlay `{}`: {}", file.display(), said.trim());
    Err(unusable(message, None))
}
