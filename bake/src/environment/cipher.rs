//! Encryption by age, armored.

use std::io::Write;

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::{DecryptError, Decryptor, Encryptor};
use zeroize::Zeroizing;

use super::fault::Fault;
use super::held;
use super::identities::Identities;
use super::recipients::RecipientList;

/// The longest plaintext that is decrypted, in bytes: an envelope of a secret of a mebibyte in which every byte is
/// escaped.
const LIMIT: usize = 8 << 20;

/// Encrypts to all recipients; the result is armored text that ends with a line feed.
pub(super) fn encrypt(plaintext: &[u8], recipients: &RecipientList) -> Result<String, Fault> {
    let fail = || Fault::new("age cannot encrypt to these recipients");
    let encryptor = Encryptor::with_recipients(recipients.keys()).map_err(|_| fail())?;
    let armor = ArmoredWriter::wrap_output(Vec::new(), Format::AsciiArmor).map_err(|_| fail())?;
    let mut writer = encryptor.wrap_output(armor).map_err(|_| fail())?;
    writer.write_all(plaintext).map_err(|_| fail())?;
    let armored = writer.finish().and_then(ArmoredWriter::finish).map_err(|_| fail())?;
    String::from_utf8(armored).map_err(|_| fail())
}

/// Decrypts armored text; `recipients` are who could, for the error.
pub(super) fn decrypt(
    armored: &str,
    identities: &Identities,
    recipients: &[String],
) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let damaged = || Fault::new("what age encrypted is damaged");
    let said = |error: DecryptError| match error {
        DecryptError::NoMatchingKeys => identities.unfit(recipients),
        DecryptError::ExcessiveWork { .. } | DecryptError::KeyDecryptionFailed => {
            Fault::new("it is encrypted with a passphrase, expected recipients")
        }
        _ => damaged(),
    };
    let reader = ArmoredReader::new(armored.trim_start().as_bytes());
    let decryptor = Decryptor::new_buffered(reader).map_err(said)?;
    if decryptor.is_scrypt() {
        return Err(Fault::new("it is encrypted with a passphrase, expected recipients"));
    }
    let mut reader = decryptor.decrypt(identities.keys()).map_err(said)?;
    // The plaintext is shorter than its armor.
    let limit = armored.len().min(LIMIT);
    held::read(&mut reader, limit).map_err(|_| damaged())?.ok_or_else(damaged)
}
