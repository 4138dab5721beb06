//! Programs that sign, well and badly.

use super::*;

/// Runs `sh -c SCRIPT` as the signing command for a key.
fn command(script: &str, certificate: &str) -> Result<SigningCommand, SignError> {
    let command = format!("sh -c '{script}'");
    SigningCommand::new(&CommandOptions {
        command: &command,
        text_command: None,
        certificate: &path(&format!("{certificate}.asc")),
        key_id: None,
        moment: at(EPOCH),
    })
}

fn replay(file: &std::path::Path) -> String {
    format!("cat > /dev/null; cat \"{}\"", file.display())
}

#[test]
fn what_a_command_returns_is_checked() {
    let returned = replay(&path("message.subkeys.sig"));
    let signer = command(&returned, "subkeys").unwrap();
    let signature = signer.sign(&mut &b"message\n"[..]).unwrap();
    assert_eq!(check(&keyring(&["subkeys"]), &signature, b"message\n").outcome, Outcome::Good);
    let text = reason(signer.sign(&mut &b"another\n"[..]));
    assert!(text.contains("is no signature of") && text.contains("over these bytes"), "{text}");
    let text = reason(command(&returned, "ed25519").unwrap().sign(&mut &b"message\n"[..]));
    assert!(text.contains("it signed with") && text.contains(", expected "), "{text}");
    let text = reason(signer.sign_cleartext("message\n"));
    assert!(text.contains("of type 0x00, expected 0x01; a text signature is asked for"), "{text}");
    let sha1 = replay(&path("message.sha1.sig"));
    let text = reason(command(&sha1, "rsa").unwrap().sign(&mut &b"message\n"[..]));
    assert!(text.contains("it signed with SHA1, expected SHA512"), "{text}");
}

#[test]
fn failures_of_a_command_are_told_with_what_it_says() {
    let cases = [
        ("echo the token is locked >&2; exit 3", "exit status: 3; it says: the token is locked"),
        ("cat > /dev/null", "it returned nothing, expected a signature"),
        ("cat > /dev/null; echo hello", "what it returned is no signature: neither"),
        ("exec cat", "what it returned is no signature"),
        ("kill -9 $$", "it failed with signal: 9"),
        ("yes x | head -c 3000000", "what it returned is no signature"),
    ];
    for (script, expected) in cases {
        let text = reason(command(script, "rsa").unwrap().sign(&mut &b"message\n"[..]));
        assert!(text.contains(expected) && text.starts_with("the signing command `sh`"), "{text}");
    }
}

#[test]
fn a_command_is_told_what_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let said = folder.path().join("said");
    let script = format!(
        "cat > /dev/null; echo $BAKE_SIGN_TYPE $BAKE_SIGN_TIME >> \"{}\"; exit 1",
        said.display()
    );
    let signer = command(&script, "ed25519").unwrap();
    assert!(signer.sign(&mut &b"x"[..]).is_err() && signer.sign_cleartext("x").is_err());
    let said = fs_err::read_to_string(said).unwrap();
    assert_eq!(said, "binary 1704067200\ntext 1704067200\n");
}

#[test]
fn arguments_are_not_shown() {
    let signer = command("secret", "rsa").unwrap();
    assert!(!format!("{signer:?}").contains("secret"));
    let text = reason(signer.sign(&mut &b"x"[..]));
    assert!(!text.contains("sh -c"), "{text}");
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let options = CommandOptions {
        command: "/nowhere/sign --now",
        text_command: None,
        certificate: &path("rsa.asc"),
        key_id: None,
        moment: at(EPOCH),
    };
    let text = reason(SigningCommand::new(&options).unwrap().sign(&mut &b"x"[..]));
    assert!(
        text.starts_with("the signing command `/nowhere/sign`: it cannot be started"),
        "{text}"
    );
}

#[test]
fn a_message_larger_than_a_pipe_passes() {
    // The command returns before it has read everything, and after.
    for script in ["head -c 10 > /dev/null; echo done >&2; exit 1", "cat; exit 1"] {
        let signer = command(script, "rsa").unwrap();
        let text = reason(signer.sign(&mut io::repeat(7).take(3_000_000)));
        assert!(text.contains("it failed with exit status: 1"), "{text}");
    }
}

#[test]
fn a_message_that_cannot_be_read_is_not_signed() {
    struct Broken(u32);
    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            if self.0 > 1 { Err(io::Error::other("gone")) } else { Ok(buffer.len().min(4)) }
        }
    }
    let outcome = command("cat > /dev/null; sleep 60", "rsa").unwrap().sign(&mut Broken(0));
    assert!(matches!(outcome, Err(SignError::Io(_))), "{outcome:?}");
}
