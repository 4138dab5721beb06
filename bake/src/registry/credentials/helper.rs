//! Credential helpers: `docker-credential-NAME get`.
//!
//! The server's name goes to the helper's stdin; `{"ServerURL", "Username", "Secret"}` or an error
//! comes from its stdout. A helper that asks a person, or never ends, is not waited for.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Credential, CredentialError};
use crate::registry::secret::Secret;

/// How long a helper may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much a helper may say, in bytes.
const LIMIT: u64 = 64 << 10;

/// Returns the name under which helpers keep a registry.
pub(super) fn server(registry: &str) -> &str {
    match registry {
        "docker.io" => "https://index.docker.io/v1/",
        other => other,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Reply {
    username: String,
    secret: Secret,
}

/// Asks a helper; `None` if it has nothing.
pub(super) fn ask(name: &str, server: &str) -> Result<Option<Credential>, CredentialError> {
    let fail =
        |reason: String| CredentialError { place: format!("docker-credential-{name}"), reason };
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        return Err(fail("not the name of a credential helper".into()));
    }
    let program = format!("docker-credential-{name}");
    let (success, output) = run(&program, server, PATIENCE).map_err(fail)?;
    if !success {
        let text = String::from_utf8_lossy(&output);
        let text = text.trim();
        if text.contains("credentials not found") {
            return Ok(None);
        }
        let line: String = text.lines().next().unwrap_or_default().chars().take(200).collect();
        return Err(fail(format!("failed for `{server}`: {line}")));
    }
    let reply: Reply = serde_json::from_slice(&output)
        .map_err(|_| fail("its answer is not JSON with Username and Secret".into()))?;
    if reply.secret.is_empty() {
        return Ok(None);
    }
    let secret = reply.secret;
    Ok(Some(match reply.username.as_str() {
        "<token>" => Credential::Identity { user: None, token: secret },
        _ => Credential::Password { user: reply.username, password: secret },
    }))
}

/// Runs a program and returns whether it succeeded, and what it wrote to stdout.
fn run(
    program: &str,
    input: &str,
    patience: Duration,
) -> Result<(bool, Zeroizing<Vec<u8>>), String> {
    let mut command = Command::new(program);
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "no such program in PATH".to_owned(),
        _ => format!("cannot be run: {error}"),
    })?;
    let outcome = converse(&mut child, input, patience);
    if outcome.is_err() {
        // It may have ended by itself; then there is nothing to end.
        child.kill().ok();
    }
    let status = child.wait().map_err(|error| format!("cannot be waited for: {error}"))?;
    Ok((status.success(), outcome?))
}

fn converse(
    child: &mut Child,
    input: &str,
    patience: Duration,
) -> Result<Zeroizing<Vec<u8>>, String> {
    let end = Instant::now() + patience;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that fails at once may not read its input; what it says counts.
        match writeln!(stdin, "{input}") {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                return Err(format!("cannot be written to: {error}"));
            }
            _ => {}
        }
    }
    let stdout = child.stdout.take().ok_or("has no output")?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut output = Zeroizing::new(Vec::new());
        let read = stdout.take(LIMIT + 1).read_to_end(&mut output).map(|_| output);
        // Nobody listens any more if it took too long.
        sender.send(read).ok();
    });
    let slow = || format!("gave no answer for {} seconds", patience.as_secs());
    let output = receiver.recv_timeout(patience).map_err(|_| slow())?;
    let output = output.map_err(|error| format!("cannot be read from: {error}"))?;
    if output.len() as u64 > LIMIT {
        return Err(format!("said more than {LIMIT} bytes"));
    }
    // Its output has ended, so it is about to end.
    while child.try_wait().map_err(|error| error.to_string())?.is_none() {
        if Instant::now() >= end {
            return Err(slow());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(output)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn script(text: &str) -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("helper");
        fs_err::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let path = path.display().to_string();
        (folder, path)
    }

    /// Runs a script that was just written: another thread's child may still hold it open.
    fn run_script(path: &str, time: Duration) -> Result<(bool, Zeroizing<Vec<u8>>), String> {
        for _ in 0..200 {
            match run(path, "a.example", time) {
                Err(reason) if reason.contains("Text file busy") => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                outcome => return outcome,
            }
        }
        panic!("the script stays busy");
    }

    #[test]
    fn a_helper_reads_the_server_and_answers() {
        let (_folder, path) = script("read server; echo \"$1 $server\"");
        let (success, output) = run_script(&path, PATIENCE).unwrap();
        assert!(success);
        assert_eq!(&output[..], b"get a.example\n");
    }

    #[test]
    fn a_helper_that_never_ends_is_ended() {
        let (_folder, path) = script("exec sleep 600");
        let started = Instant::now();
        let error = run_script(&path, Duration::from_millis(200)).unwrap_err();
        assert!(error.contains("gave no answer"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn a_helper_that_says_too_much_is_ended() {
        let (_folder, path) = script("exec yes");
        let error = run_script(&path, PATIENCE).unwrap_err();
        assert!(error.contains("more than 65536 bytes"), "{error}");
    }

    #[test]
    fn a_helper_that_does_not_read_is_heard() {
        let (_folder, path) = script("echo 'credentials not found in native keychain'; exit 1");
        let (success, output) = run_script(&path, PATIENCE).unwrap();
        assert!(!success);
        assert!(output.starts_with(b"credentials not found"));
    }

    #[test]
    fn names_of_helpers_are_names() {
        for name in ["../x", "a b", "a/b"] {
            let error = ask(name, "a").unwrap_err();
            assert!(error.reason.contains("not the name"), "{error}");
        }
        let error = ask("bake-has-no-such-helper", "a").unwrap_err();
        assert!(error.reason.contains("no such program"), "{error}");
    }
}
