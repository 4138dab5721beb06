//! Signatures of others.

use super::*;

#[expect(unreachable_pub, reason = "the fuzz targets use it too")]
#[path = "../../../../formats/fuzz/src/mutate.rs"]
mod mutate;
use mutate::{Random, mutate};

fn signature(name: &str) -> Vec<u8> {
    fs_err::read(path(name)).unwrap()
}

#[test]
fn signatures_of_gpg_are_understood() {
    for name in ["rsa", "subkeys"] {
        let keyring = keyring(&["ed25519", name]);
        let signature = signature(&format!("message.{name}.sig"));
        let verdict = check(&keyring, &signature, b"message\n");
        assert_eq!(verdict.outcome, Outcome::Good, "{verdict:?}");
        assert_eq!(verdict.time, Some(NOW));
        assert_eq!(check(&keyring, &signature, b"message").outcome, Outcome::Bad);
    }
}

#[test]
fn weak_hashes_and_text_signatures_do_not_count() {
    let verdict = check(&keyring(&["rsa"]), &signature("message.sha1.sig"), b"message\n");
    assert_eq!(verdict.outcome, Outcome::Bad);
    assert_eq!(verdict.reason.unwrap(), "it was made with SHA1, which is too weak");
    let verdict = check(&keyring(&["ed25519"]), &signature("message.text.asc"), b"message\n");
    assert_eq!(verdict.outcome, Outcome::Bad);
    assert_eq!(verdict.reason.unwrap(), "it is not a signature over binary data (type 0x00)");
}

#[test]
fn keys_that_went_since_are_told_apart_from_keys_that_must_not_sign() {
    let signature = open("expired").unwrap().sign(&mut &b"message"[..]).unwrap();
    let read = || -> io::Result<Box<dyn Read>> { Ok(Box::new(&b"message"[..])) };
    let later = keyring(&["expired"]).check(&signature, 1_750_000_000, &read).unwrap();
    assert_eq!(later[0].outcome, Outcome::Good);
    assert_eq!(later[0].reason.as_deref(), Some("the key expired on 2025-01-01"));
    let earlier = keyring(&["expired"]).check(&signature, 1_000_000_000, &read).unwrap();
    assert_eq!(earlier[0].outcome, Outcome::Bad);
    assert_eq!(earlier[0].reason.as_deref(), Some("it is dated 2024-01-01, which is yet to come"));
}

#[test]
fn garbage_is_a_bad_signature() {
    for garbage in [&b""[..], b"garbage", b"\xff\xff", &signature("message.rsa.sig")[..100]] {
        let verdict = check(&keyring(&["rsa"]), garbage, b"message\n");
        assert_eq!(verdict.outcome, Outcome::Bad);
        assert!(verdict.reason.is_some());
    }
}

#[test]
fn damaged_signatures_and_certificates_are_refused_in_words() {
    let good = keyring(&["rsa", "ed25519", "subkeys"]);
    let message = || -> io::Result<Box<dyn Read>> { Ok(Box::new(&b"message\n"[..])) };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("certificate");
    for name in ["rsa", "subkeys"] {
        let armored = fs_err::read(path(&format!("{name}.asc"))).unwrap();
        let mut certificate = Vec::new();
        pgp::armor::Dearmor::new(&armored[..]).read_to_end(&mut certificate).unwrap();
        let signature = signature(&format!("message.{name}.sig"));
        let seeds = [signature.clone(), certificate.clone()];
        for number in 0..60 {
            let bytes = mutate(&signature, &seeds, &mut Random(number));
            for verdict in good.check(&bytes, NOW, &message).unwrap() {
                assert!(
                    verdict.outcome != Outcome::Bad || verdict.reason.is_some(),
                    "{bytes:02x?}"
                );
            }
            drop(issuers(&bytes));
            fs_err::write(&file, mutate(&certificate, &seeds, &mut Random(number))).unwrap();
            match Keyring::read(&[&file]) {
                Ok(keyring) => drop(keyring.check(&signature, NOW, &message).unwrap()),
                Err(error) => assert!(error.to_string().contains("certificate"), "{error}"),
            }
        }
    }
}

#[test]
fn a_flip_anywhere_in_a_signature_is_noticed() {
    let keyring = keyring(&["subkeys"]);
    let good = signature("message.subkeys.sig");
    let is_good = |bytes: &[u8]| {
        let open = || -> io::Result<Box<dyn Read>> { Ok(Box::new(&b"message\n"[..])) };
        let verdicts = keyring.check(bytes, NOW, &open).unwrap();
        verdicts.iter().all(|verdict| verdict.outcome == Outcome::Good)
    };
    assert!(is_good(&good));
    let unnoticed: Vec<usize> = (0..good.len())
        .filter(|at| {
            let mut bytes = good.clone();
            bytes[*at] ^= 0x40;
            is_good(&bytes)
        })
        .collect();
    // What is not covered says who signed, once more, or how long numbers are.
    assert!(unnoticed.len() < 16, "{unnoticed:?}");
}

#[test]
fn signatures_without_number_are_refused() {
    let many = signature("message.rsa.sig").repeat(17);
    let verdict = check(&keyring(&["rsa"]), &many, b"message\n");
    assert_eq!(verdict.reason.unwrap(), "17 signatures in one, expected at most 16");
}

#[test]
fn an_error_of_reading_is_no_verdict() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let open = || -> io::Result<Box<dyn Read>> { Ok(Box::new(Broken)) };
    let error = keyring(&["rsa"]).check(&signature("message.rsa.sig"), NOW, &open).unwrap_err();
    assert_eq!(error.to_string(), "the disk is gone");
}
