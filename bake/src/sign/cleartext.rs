//! The cleartext signature framework (RFC 9580, 7).
//!
//! ```text
//! -----BEGIN PGP SIGNED MESSAGE-----
//! Hash: SHA512
//!
//! the text, `- ` before each line that begins with `-`
//! -----BEGIN PGP SIGNATURE-----
//! ```
//!
//! The signature is over the text with CR LF between its lines, without spaces and tabs at their
//! ends and without the last line ending. It must be of type 0x01: gpgv takes one of type 0x00,
//! too, but Sequoia, which apt uses since its version 3, does not.

use std::io;

use super::SignError;
use super::packets::armor;

/// Returns the bytes of a text that a signature is over.
pub(super) fn canonical(text: &str) -> Result<String, SignError> {
    if text.replace("\r\n", "\n").contains('\r') {
        let message = "a carriage return alone, which is a line ending for some only";
        return Err(io::Error::new(io::ErrorKind::InvalidData, message).into());
    }
    let lines: Vec<&str> = text.lines().map(|line| line.trim_end_matches([' ', '\t'])).collect();
    Ok(lines.join("\r\n"))
}

/// Returns a text with its signature, which was made with a hash of this name.
pub(super) fn frame(text: &str, hash: &str, signature: &[u8]) -> String {
    let mut message = format!("-----BEGIN PGP SIGNED MESSAGE-----\nHash: {hash}\n\n");
    for line in text.lines() {
        if line.starts_with('-') {
            message.push_str("- ");
        }
        message.push_str(line);
        message.push('\n');
    }
    message.push_str(&armor(signature));
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_endings_and_trailing_spaces_do_not_count() {
        for text in ["a\nb", "a \t\nb\n", "a\r\nb\r\n"] {
            assert_eq!(canonical(text).unwrap(), "a\r\nb", "{text:?}");
        }
        assert_eq!(canonical("a\n\n").unwrap(), "a\r\n");
        assert_eq!(canonical("").unwrap(), "");
        assert!(canonical("a\rb").is_err());
    }

    #[test]
    fn dashes_are_escaped() {
        let message = frame("-a\nb\n", "SHA512", b"\xc2\x00");
        assert!(message.starts_with(
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n- -a\nb\n-----BEGIN PGP SIG"
        ));
    }
}
