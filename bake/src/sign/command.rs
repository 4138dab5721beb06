//! A signer behind a program: gpg with its agent, a smart card, an HSM, a key service.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureConfig, SignatureType, SignatureVersionSpecific};
use pgp::types::Timestamp;

use super::certificate::{Certificate, Part};
use super::choice::{Choice, choose};
use super::date::Date;
use super::keyring::{self, Keyring};
use super::{Moment, SignError, Signer, cleartext, packets, words};

/// More than any signature has.
const OUTPUT_LIMIT: usize = 1 << 20;
/// As much of the command's messages as an error shows.
const MESSAGES_LIMIT: usize = 8 * 1024;
/// What a signature from a command may be made with. All are computed while the message passes.
const HASHES: [HashAlgorithm; 3] =
    [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512];

/// How to use a signing command.
#[derive(Debug, Clone, Copy)]
pub struct CommandOptions<'a> {
    /// The program and its arguments.
    pub command: &'a str,
    /// The same for text signatures (type 0x01), if it is another.
    pub text_command: Option<&'a str>,
    /// The file of the certificate that what comes back is checked with.
    pub certificate: &'a Path,
    /// The fingerprint or the long id of the key that signs, or of its primary key.
    pub key_id: Option<&'a str>,
    /// When it signs.
    pub moment: Moment,
}

/// Signs by running a program: the message on its standard input, a detached signature, binary or
/// armored, on its standard output.
///
/// The program finds what is wanted in its environment: `BAKE_SIGN_TYPE` is `binary` or `text`,
/// `BAKE_SIGN_TIME` the time that the signature should have, in seconds since 1970. What comes back
/// is checked, so that a wrong key or a broken signature cannot get into an artifact.
pub struct SigningCommand {
    binary: Vec<String>,
    text: Vec<String>,
    certificate: Certificate,
    part: Part,
    fingerprint: String,
    time: u32,
}

impl fmt::Debug for SigningCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Arguments are the user's, and may be what they should not: secrets.
        let fields = [("program", self.program()), ("fingerprint", &self.fingerprint)];
        f.debug_map().entries(fields).finish()
    }
}

impl SigningCommand {
    /// Reads the certificate and finds the key that is expected to sign; runs nothing yet.
    pub fn new(options: &CommandOptions<'_>) -> Result<Self, SignError> {
        let binary = split(options.command)?;
        let text = match options.text_command {
            Some(command) => split(command)?,
            None => text_command(&binary),
        };
        let place = format!("the certificate `{}`", options.certificate.display());
        let keyring = Keyring::read(&[options.certificate])?;
        let certificates = keyring.certificates();
        let offered = certificates.iter().flat_map(|c| c.parts().map(move |part| (c, part)));
        let offered: Vec<(&Certificate, Part)> = offered.collect();
        let Choice { number, time } = choose(&offered, options.key_id, options.moment)
            .map_err(|reason| SignError::Key { key: place, reason })?;
        let (certificate, part) = offered[number];
        let fingerprint = certificate.fingerprint_of(part);
        Ok(Self { binary, text, certificate: certificate.clone(), part, fingerprint, time })
    }

    fn program(&self) -> &str {
        self.binary.first().map_or("", String::as_str)
    }

    fn fail(&self, reason: impl Into<String>) -> SignError {
        SignError::Command { command: self.program().into(), reason: reason.into() }
    }

    /// Runs the command on a message and checks what comes back.
    fn make(&self, kind: SignatureType, message: &mut dyn Read) -> Result<Signature, SignError> {
        let hashers: Result<Vec<_>, _> = HASHES.iter().map(|hash| hash.new_hasher()).collect();
        let mut hashers = hashers.map_err(|error| self.fail(error.to_string()))?;
        let words = if kind == SignatureType::Text { &self.text } else { &self.binary };
        let mut child = self.start(words, kind)?;
        let finished = talk(&mut child, message, |bytes| {
            for hasher in &mut hashers {
                hasher.update(bytes);
            }
        });
        let Finished { status, output, messages } = finished?;
        if !status.success() {
            return Err(self.fail(with_messages(&format!("it failed with {status}"), &messages)));
        }
        let digest = |config: &SignatureConfig| {
            let number = HASHES.iter().position(|hash| *hash == config.hash_alg)?;
            let mut hasher = hashers.swap_remove(number);
            let len = config.hash_signature_data(&mut hasher).ok()?;
            hasher.update(&config.trailer(len).ok()?);
            Some(hasher.finalize().to_vec())
        };
        let checked = parse(&output).and_then(|signature| {
            self.check(kind, &signature, digest)?;
            Ok(signature)
        });
        checked.map_err(|reason| self.fail(with_messages(&reason, &messages)))
    }

    fn start(&self, words: &[String], kind: SignatureType) -> Result<Child, SignError> {
        let (program, arguments) =
            words.split_first().ok_or_else(|| self.fail("it names no program"))?;
        let kind = if kind == SignatureType::Text { "text" } else { "binary" };
        Command::new(program)
            .args(arguments)
            .env("BAKE_SIGN_TYPE", kind)
            .env("BAKE_SIGN_TIME", self.time.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| self.fail(format!("it cannot be started: {error}")))
    }

    /// Checks a signature, given what computes its digest over the message.
    fn check(
        &self,
        kind: SignatureType,
        signature: &Signature,
        digest: impl FnOnce(&SignatureConfig) -> Option<Vec<u8>>,
    ) -> Result<(), String> {
        let config = signature.config().ok_or("it returned a signature of an unknown version")?;
        if matches!(config.version_specific, SignatureVersionSpecific::V6 { .. }) {
            return Err("it returned a signature of version 6, expected version 4".into());
        }
        if config.typ != kind {
            return Err(wrong_type(kind, config.typ));
        }
        let issuer = keyring::issuer(signature);
        if let Some(issuer) = issuer.filter(|issuer| !self.fingerprint.ends_with(issuer)) {
            return Err(format!("it signed with {issuer}, expected {}", self.fingerprint));
        }
        let digest = digest(config)
            .ok_or_else(|| format!("it signed with {}, expected SHA512", config.hash_alg))?;
        let value = signature.signature().ok_or("it returned a signature without a value")?;
        self.certificate.verify(self.part, config.hash_alg, &digest, value).map_err(|_| {
            format!("what it returned is no signature of {} over these bytes", self.fingerprint)
        })?;
        let made = signature.created().map_or(0, Timestamp::as_secs);
        self.certificate.check(self.part, made).map_err(|unfit| {
            format!("it dated its signature to {}, when {} {unfit}", Date(made), self.fingerprint)
        })
    }
}

impl Signer for SigningCommand {
    fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn sign(&self, message: &mut dyn Read) -> Result<Vec<u8>, SignError> {
        let signature = self.make(SignatureType::Binary, message)?;
        packets::to_bytes(&signature).map_err(|reason| self.fail(reason))
    }

    fn sign_cleartext(&self, text: &str) -> Result<String, SignError> {
        let canonical = cleartext::canonical(text)?;
        let signature = self.make(SignatureType::Text, &mut canonical.as_bytes())?;
        let hash = signature.hash_alg().map(|hash| hash.to_string()).unwrap_or_default();
        let signature = packets::to_bytes(&signature).map_err(|reason| self.fail(reason))?;
        Ok(cleartext::frame(text, &hash, &signature))
    }

    fn certificate(&self) -> Result<String, SignError> {
        self.certificate.armored().map_err(|reason| self.fail(reason))
    }
}

fn split(command: &str) -> Result<Vec<String>, SignError> {
    words::split(command).map_err(|reason| {
        // The whole command is not shown: what cannot be split may hide anything.
        SignError::Command { command: "--sign-command".into(), reason }
    })
}

/// gpg has an option for text signatures; other programs are told by `BAKE_SIGN_TYPE`.
fn text_command(binary: &[String]) -> Vec<String> {
    let mut words = binary.to_vec();
    let program = words.first().map(Path::new).and_then(Path::file_name);
    if program == Some(OsStr::new("gpg")) || program == Some(OsStr::new("gpg2")) {
        words.insert(1, "--textmode".into());
    }
    words
}

fn parse(output: &[u8]) -> Result<Signature, String> {
    if output.is_empty() {
        return Err("it returned nothing, expected a signature".into());
    }
    let signatures = packets::signatures(output);
    let mut signatures =
        signatures.map_err(|reason| format!("what it returned is no signature: {reason}"))?;
    match (signatures.pop(), signatures.len()) {
        (Some(signature), 0) => Ok(signature),
        (_, others) => Err(format!("it returned {} signatures, expected one", others + 1)),
    }
}

fn wrong_type(expected: SignatureType, found: SignatureType) -> String {
    let (expected, found) = (u8::from(expected), u8::from(found));
    let hint = match expected {
        1 => "; a text signature is asked for by BAKE_SIGN_TYPE=text, or with --sign-text-command",
        _ => "",
    };
    format!("it returned a signature of type 0x{found:02x}, expected 0x{expected:02x}{hint}")
}

fn with_messages(reason: &str, messages: &[u8]) -> String {
    let text = String::from_utf8_lossy(messages);
    let lines: Vec<String> = text
        .lines()
        .map(|line| line.chars().filter(|c| !c.is_control()).collect())
        .filter(|line: &String| !line.trim().is_empty())
        .collect();
    if lines.is_empty() {
        reason.into()
    } else {
        format!("{reason}; it says: {}", lines.join(" / "))
    }
}

/// What a command left behind.
struct Finished {
    status: ExitStatus,
    output: Vec<u8>,
    messages: Vec<u8>,
}

/// Feeds a message to a command, telling `passed` of it, and collects what the command says.
fn talk(
    child: &mut Child,
    message: &mut dyn Read,
    mut passed: impl FnMut(&[u8]),
) -> Result<Finished, SignError> {
    let output = child.stdout.take().map(|pipe| collect(pipe, OUTPUT_LIMIT));
    let messages = child.stderr.take().map(|pipe| collect(pipe, MESSAGES_LIMIT));
    let fed = child.stdin.take().map_or(Ok(()), |stdin| feed(stdin, message, &mut passed));
    if fed.is_err() {
        // What it would sign is not the message; it must not be waited for either.
        child.kill()?;
    }
    let status = child.wait()?;
    let join = |thread: Option<thread::JoinHandle<io::Result<Vec<u8>>>>| {
        thread.map_or(Ok(Vec::new()), |thread| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    };
    let (output, messages) = (join(output)?, join(messages)?);
    fed?;
    Ok(Finished { status, output, messages })
}

fn feed(
    mut stdin: impl Write,
    message: &mut dyn Read,
    passed: &mut dyn FnMut(&[u8]),
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut is_open = true;
    loop {
        let count = match message.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        passed(&buffer[..count]);
        if is_open && let Err(error) = stdin.write_all(&buffer[..count]) {
            if error.kind() != io::ErrorKind::BrokenPipe {
                return Err(error);
            }
            // It has heard enough, or failed: its status says which.
            is_open = false;
        }
    }
}

/// Reads to the end, so that the command never waits, and keeps the first bytes.
fn collect(
    mut pipe: impl Read + Send + 'static,
    limit: usize,
) -> thread::JoinHandle<io::Result<Vec<u8>>> {
    thread::spawn(move || {
        let mut kept = Vec::new();
        pipe.by_ref().take(limit as u64).read_to_end(&mut kept)?;
        io::copy(&mut pipe, &mut io::sink())?;
        Ok(kept)
    })
}
