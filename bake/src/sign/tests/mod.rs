//! Keys that gpg made (`keys/make`), and what must not be signed with.

mod commands;
mod verdicts;

use std::path::PathBuf;

use pgp::composed::{CleartextSignedMessage, Deserializable, SignedSecretKey};
use pgp::packet::SignatureType;

use super::*;

/// 2020-01-01, before any of the keys was made.
const EPOCH: u32 = 1_577_836_800;
/// 2024-07-01, after all of it.
const NOW: u32 = 1_719_792_000;
const PASSPHRASE: &str = "correct horse";

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/sign/tests/keys").join(name)
}

fn at(epoch: u32) -> Moment {
    Moment { epoch, now: NOW }
}

fn open_with(name: &str, key_id: Option<&str>, moment: Moment) -> Result<KeyFile, SignError> {
    KeyFile::open(&path(&format!("{name}.asc")), &KeyOptions { key_id, passphrase: None, moment })
}

fn open(name: &str) -> Result<KeyFile, SignError> {
    open_with(name, None, at(EPOCH))
}

fn unlock(name: &str, passphrase: &str) -> Result<KeyFile, SignError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs_err::write(file.path(), passphrase).unwrap();
    let passphrase = Passphrase::from_file(file.path()).unwrap();
    let options = KeyOptions { key_id: None, passphrase: Some(&passphrase), moment: at(EPOCH) };
    KeyFile::open(&path(&format!("{name}.asc")), &options)
}

fn reason<T: Debug>(outcome: Result<T, SignError>) -> String {
    outcome.expect_err("it must be refused").to_string()
}

fn keyring(names: &[&str]) -> Keyring {
    let paths: Vec<PathBuf> = names.iter().map(|name| path(&format!("{name}.asc"))).collect();
    Keyring::read(&paths).unwrap()
}

fn check(keyring: &Keyring, signature: &[u8], message: &[u8]) -> Verdict {
    let open = || -> io::Result<Box<dyn Read>> { Ok(Box::new(io::Cursor::new(message.to_vec()))) };
    let mut verdicts = keyring.check(signature, NOW, &open).unwrap();
    assert_eq!(verdicts.len(), 1);
    verdicts.remove(0)
}

#[test]
fn every_algorithm_signs_and_equal_messages_get_equal_signatures() {
    for name in ["rsa", "ed25519", "p256", "subkeys"] {
        let first = open(name).unwrap().sign(&mut &b"message"[..]).unwrap();
        let second = open(name).unwrap().sign(&mut &b"message"[..]).unwrap();
        assert_eq!(first, second, "{name}");
        let verdict = check(&keyring(&[name]), &first, b"message");
        assert_eq!(verdict.outcome, Outcome::Good, "{name}: {verdict:?}");
        assert_eq!(verdict.user_id, Some(format!("{name} <{name}@example.com>")));
        assert_eq!(verdict.hash.as_deref(), Some("SHA512"));
        assert_eq!(check(&keyring(&[name]), &first, b"massage").outcome, Outcome::Bad);
        assert_eq!(check(&keyring(&["certify"]), &first, b"message").outcome, Outcome::UnknownKey);
    }
}

#[test]
fn keys_of_version_6_sign_with_a_salt() {
    let signer = open("version-6").unwrap();
    assert_eq!(
        signer.fingerprint(),
        "CB186C4F0609A697E4D52DFA6C722B0C1F1E27C18A56708F6525EC27BAD9ACC9"
    );
    let [first, second] = [(), ()].map(|()| signer.sign(&mut &b"message"[..]).unwrap());
    assert_ne!(first, second);
    for signature in [first, second] {
        let verdict = check(&keyring(&["rsa", "version-6"]), &signature, b"message");
        assert_eq!(verdict.outcome, Outcome::Good, "{verdict:?}");
    }
}

#[test]
fn an_independent_reader_accepts_cleartext() {
    let text = "Origin: test  \n\n- dash\n-----\nend\n";
    for name in ["rsa", "ed25519", "subkeys", "version-6"] {
        let signed = open(name).unwrap().sign_cleartext(text).unwrap();
        let (message, _) = CleartextSignedMessage::from_string(&signed).unwrap();
        let (key, _) = SignedSecretKey::from_string(
            &fs_err::read_to_string(path(&format!("{name}.asc"))).unwrap(),
        )
        .unwrap();
        let key = key.to_public_key();
        let subkeys = key.public_subkeys.iter().any(|key| message.verify(key).is_ok());
        assert!(subkeys || message.verify(&key.primary_key).is_ok(), "{name}");
        assert_eq!(message.signatures()[0].typ(), Some(SignatureType::Text));
        assert_eq!(message.signed_text(), "Origin: test\r\n\r\n- dash\r\n-----\r\nend");
    }
}

#[test]
fn a_signature_has_the_time_of_the_epoch_if_the_key_is_old_enough() {
    let time = |epoch| {
        let signer = open_with("ed25519", None, at(epoch)).unwrap();
        let signature = signer.sign(&mut &b"message"[..]).unwrap();
        check(&keyring(&["ed25519"]), &signature, b"message").time.unwrap()
    };
    assert_eq!(time(EPOCH), 1_704_067_200, "the key is of 2024-01-01");
    assert_eq!(time(1_710_000_000), 1_710_000_000);
}

#[test]
fn a_key_that_was_extended_signs_from_its_extension_on() {
    let signature = open("extended").unwrap().sign(&mut &b"message"[..]).unwrap();
    let verdict = check(&keyring(&["extended"]), &signature, b"message");
    assert_eq!((verdict.outcome, verdict.time), (Outcome::Good, Some(1_717_200_000)));
}

#[test]
fn the_newest_subkey_signs_unless_another_is_asked_for() {
    let certificate = &keyring(&["subkeys"]).certificates()[0].clone();
    let [rsa, ed25519] = [certificate::Part::Subkey(0), certificate::Part::Subkey(1)]
        .map(|part| certificate.fingerprint_of(part));
    assert_eq!(open("subkeys").unwrap().fingerprint(), ed25519);
    assert_eq!(open("subkeys-without-primary").unwrap().fingerprint(), ed25519);
    let primary = certificate.fingerprint();
    let asked = |id: &str| open_with("subkeys", Some(id), at(EPOCH));
    assert_eq!(asked(&primary).unwrap().fingerprint(), ed25519);
    assert_eq!(asked(&rsa).unwrap().fingerprint(), rsa);
    assert_eq!(asked(&format!("0x{}", rsa[24..].to_lowercase())).unwrap().fingerprint(), rsa);
    let text = reason(asked(&format!("{primary}!")));
    assert!(text.contains(&format!("{primary} is not for signing")), "{text}");
    let text = reason(asked("0123456789ABCDEF"));
    assert!(text.contains("expected 0123456789ABCDEF, found"), "{text}");
    let text = reason(asked("12345678"));
    assert!(text.contains("`12345678` is no key id"), "{text}");
}

#[test]
fn locked_keys_need_their_passphrase() {
    for name in ["locked-rsa", "locked-ed25519"] {
        let text = reason(open(name));
        assert!(
            text.contains("it is locked; give its passphrase with --passphrase-file"),
            "{text}"
        );
        for wrong in ["", "correct", "correct horse "] {
            let text = reason(unlock(name, wrong));
            assert!(text.ends_with("the passphrase does not unlock it"), "{text}");
        }
        let signer = unlock(name, "correct horse\n").unwrap();
        let signature = signer.sign(&mut &b"message"[..]).unwrap();
        assert_eq!(check(&keyring(&[name]), &signature, b"message").outcome, Outcome::Good);
    }
}

#[test]
fn nothing_shows_a_secret() {
    let signer = unlock("locked-ed25519", PASSPHRASE).unwrap();
    assert_eq!(
        format!("{signer:?}"),
        format!("KeyFile {{ fingerprint: {:?}, .. }}", signer.fingerprint())
    );
    let certificate = signer.certificate().unwrap();
    assert!(certificate.starts_with("-----BEGIN PGP PUBLIC KEY BLOCK-----\n"), "{certificate}");
    assert!(!certificate.contains("PRIVATE"));
}

#[test]
fn keys_that_must_not_sign_are_refused_with_the_day() {
    let cases = [
        ("expired", "expired on 2025-01-01"),
        ("revoked", "was revoked on 2024-01-01"),
        ("certify", "is not for signing"),
        ("rsa1024", "is RSA of 1024 bits, expected 2048 or more"),
    ];
    let moment = Moment { epoch: EPOCH, now: 1_750_000_000 };
    for (name, expected) in cases {
        let text = reason(open_with(name, None, moment));
        assert!(text.contains(&format!("{name}.asc`")) && text.ends_with(expected), "{text}");
    }
    assert!(open("expired").is_ok(), "it expires after the moment of the test");
    let late = Moment { epoch: 1_750_000_000, now: NOW };
    let text = reason(open_with("expired", None, late));
    assert!(text.ends_with("expired on 2025-01-01"), "{text}");
}

#[test]
fn what_is_no_secret_key_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let good = fs_err::read(path("rsa.asc")).unwrap();
    let public = open("rsa").unwrap().certificate().unwrap();
    let binary = packets::packets(&good).unwrap();
    let binary: Vec<u8> =
        binary.iter().flat_map(|p| pgp::ser::Serialize::to_bytes(p).unwrap()).collect();
    let cases: [(&[u8], &str); 7] = [
        (b"", "neither OpenPGP packets nor ASCII armor"),
        (b"hello\n", "neither OpenPGP packets nor ASCII armor"),
        (b"\xff\xff\xff\xff", "no OpenPGP packets"),
        (public.as_bytes(), "expected a secret key, found a public key"),
        (&good[..good.len() / 2], "broken"),
        (&binary[..300], "broken OpenPGP packets"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\n", "neither OpenPGP packets nor ASCII armor"),
    ];
    for (bytes, expected) in cases {
        let file = folder.path().join("key");
        fs_err::write(&file, bytes).unwrap();
        let options = KeyOptions { key_id: None, passphrase: None, moment: at(EPOCH) };
        let text = reason(KeyFile::open(&file, &options));
        assert!(text.contains(expected) && text.starts_with("the key file `"), "{text}");
    }
    let text = reason(open("missing"));
    assert!(text.contains("cannot be read: "), "{text}");
}

#[test]
fn a_file_of_several_peoples_keys_asks_which() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.asc");
    let both = ["rsa", "ed25519"].map(|name| fs_err::read(path(&format!("{name}.asc"))).unwrap());
    fs_err::write(&file, both.concat()).unwrap();
    let options = KeyOptions { key_id: None, passphrase: None, moment: at(EPOCH) };
    let text = reason(KeyFile::open(&file, &options));
    assert!(text.ends_with("say which with --key-id"), "{text}");
    let fingerprint = open("rsa").unwrap().fingerprint().to_owned();
    let options = KeyOptions { key_id: Some(&fingerprint), ..options };
    assert_eq!(KeyFile::open(&file, &options).unwrap().fingerprint(), fingerprint);
}
