//! What is encrypted: a value with the key and the environment that it is for.
//!
//! ```text
//! {"e":"prod","k":"DB_PASSWORD","r":"…","v":"the value"}
//! ```
//!
//! One object of texts. `e` and `k` bind the value, so that a ciphertext cannot be moved to another key or environment.
//! `r` names the recipients that it was encrypted to; who writes an envelope by hand leaves it out.
//!
//! The parser is our own, because the value must be in no buffer that is not wiped.

use std::fmt;

use bake_recipes::environment::EnvironmentName;
use zeroize::Zeroizing;

use super::cipher;
use super::fault::Fault;
use super::identities::Identities;
use super::recipients::RecipientList;

/// The longest value, in bytes.
pub const MAX_VALUE: usize = 1 << 20;
/// Room for everything in an envelope but the value.
const FRAME: usize = 1024;
/// The longest escape of one byte.
const ESCAPE: usize = 6;

/// What a value is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound<'a> {
    /// The environment whose file holds it.
    pub environment: &'a EnvironmentName,
    /// The key.
    pub key: &'a str,
}

/// A value that was decrypted.
pub struct Opened {
    /// The value.
    pub value: Zeroizing<String>,
    /// The fingerprint of its recipients, if it says so.
    pub recipients: Option<String>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("recipients", &self.recipients).finish_non_exhaustive()
    }
}

/// Encrypts a value for a key of an environment.
pub fn seal(value: &str, bound: Bound<'_>, recipients: &RecipientList) -> Result<String, Fault> {
    if value.len() > MAX_VALUE {
        let found = value.len();
        return Err(Fault::new(format!("expected at most {MAX_VALUE} bytes, found {found}")));
    }
    // It never grows, because growing would leave copies behind.
    let mut text = Zeroizing::new(Vec::with_capacity(FRAME + ESCAPE * value.len()));
    let fingerprint = recipients.fingerprint();
    let fields =
        [("e", bound.environment.as_str()), ("k", bound.key), ("r", &fingerprint), ("v", value)];
    for (number, (name, field)) in fields.into_iter().enumerate() {
        text.extend_from_slice(if number == 0 { b"{\"" } else { b",\"" });
        text.extend_from_slice(name.as_bytes());
        text.extend_from_slice(b"\":");
        let written = serde_json::to_writer(&mut *text, field);
        written.map_err(|_| Fault::new("this cannot be written as JSON"))?;
    }
    text.push(b'}');
    cipher::encrypt(&text, recipients)
}

/// Decrypts a value and checks that it is for this key of this environment; `could` are who can decrypt it.
pub fn open(
    armored: &str,
    bound: Bound<'_>,
    identities: &Identities,
    could: &[String],
) -> Result<Opened, Fault> {
    let plaintext = cipher::decrypt(armored, identities, could)?;
    let Some(fields) = std::str::from_utf8(&plaintext).ok().and_then(parse) else {
        let hint = "`bake env set … --secret` writes it; `age -e` takes {\"e\":ENVIRONMENT,\"k\":KEY,\"v\":VALUE}";
        return Err(Fault::new(
            "what is encrypted is no envelope, so nothing says which key it is for",
        )
        .hint(hint));
    };
    let (environment, key) = (&*fields.environment, &*fields.key);
    if environment != bound.environment.as_str() || key != bound.key {
        let message = format!(
            "it was encrypted for `{}` of the environment `{}`, and stands at `{}` of `{}`",
            printable(key),
            printable(environment),
            bound.key,
            bound.environment
        );
        let hint = "ciphertexts cannot be moved: set the key anew with `bake env set … --secret`";
        return Err(Fault::new(message).hint(hint));
    }
    Ok(Opened { value: fields.value, recipients: fields.recipients.map(|text| (*text).clone()) })
}

fn printable(name: &str) -> String {
    name.chars().take(128).flat_map(char::escape_debug).collect()
}

struct Fields {
    environment: Zeroizing<String>,
    key: Zeroizing<String>,
    recipients: Option<Zeroizing<String>>,
    value: Zeroizing<String>,
}

/// Reads an envelope: an object of texts, each of its names once.
fn parse(text: &str) -> Option<Fields> {
    let mut reader = Reader { rest: text };
    let mut found: [Option<Zeroizing<String>>; 4] = [const { None }; 4];
    reader.expect("{")?;
    loop {
        let name = reader.text()?;
        let number = ["e", "k", "r", "v"].iter().position(|known| *known == name.as_str())?;
        reader.expect(":")?;
        if found[number].replace(reader.text()?).is_some() {
            return None;
        }
        if reader.expect(",").is_none() {
            break;
        }
    }
    reader.expect("}")?;
    reader.space();
    let [environment, key, recipients, value] = found;
    let fields = Fields { environment: environment?, key: key?, recipients, value: value? };
    reader.rest.is_empty().then_some(fields)
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn expect(&mut self, token: &str) -> Option<()> {
        self.space();
        self.rest = self.rest.strip_prefix(token)?;
        Some(())
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    /// Reads a text in quotes.
    fn text(&mut self) -> Option<Zeroizing<String>> {
        self.expect("\"")?;
        // What is unescaped is never longer.
        let mut text = Zeroizing::new(String::with_capacity(self.rest.len()));
        loop {
            match self.next()? {
                '"' => return Some(text),
                '\\' => text.push(self.escape()?),
                c if c < ' ' => return None,
                c => text.push(c),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        Some(match self.next()? {
            c @ ('"' | '\\' | '/') => c,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let first = self.digits()?;
                if !(0xd800..0xdc00).contains(&first) {
                    return char::from_u32(first);
                }
                self.rest = self.rest.strip_prefix("\\u")?;
                let second = self.digits()?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                return char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + second);
            }
            _ => return None,
        })
    }

    fn digits(&mut self) -> Option<u32> {
        let (digits, rest) = self.rest.split_at_checked(4)?;
        self.rest = rest;
        let are_digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        u32::from_str_radix(digits, 16).ok().filter(|_| are_digits)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_envelope_is_refused() {
        for text in [
            "",
            "{}",
            "hunter2",
            "{\"e\":\"a\",\"k\":\"A\"}",
            "{\"e\":\"a\",\"k\":\"A\",\"v\":1}",
            "{\"e\":\"a\",\"k\":\"A\",\"v\":\"x\",\"w\":\"y\"}",
            "{\"e\":\"a\",\"k\":\"A\",\"v\":\"x\",\"v\":\"y\"}",
            "{\"e\":\"a\",\"k\":\"A\",\"v\":\"x\"}}",
            "{\"e\":\"a\",\"k\":\"A\",\"v\":\"\\ud800\"}",
            "{\"e\":\"a\",\"k\":\"A\",\"v\":\"\\u+123\"}",
            "{\"e\":\"a\",\"k\":\"A\",\"v\":\"a\nb\"}",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn reads_what_any_writer_of_json_writes(
            environment in "\\PC{0,8}", key in "\\PC{0,8}", value in any::<String>(), pretty in any::<bool>()
        ) {
            let object = json!({ "e": environment, "k": key, "v": value });
            let text = if pretty { format!("{object:#}") } else { object.to_string() };
            // Some writers escape everything beyond ASCII.
            let ascii: String = text.chars().map(|c| if c.is_ascii() { c.to_string() } else {
                let mut units = [0; 2];
                c.encode_utf16(&mut units).iter().fold(String::new(), |text, unit| format!("{text}\\u{unit:04x}"))
            }).collect();
            for text in [text, ascii] {
                let fields = parse(&text).unwrap();
                prop_assert_eq!(&*fields.environment, &environment);
                prop_assert_eq!(&*fields.key, &key);
                prop_assert_eq!(&*fields.value, &value);
                prop_assert!(fields.recipients.is_none());
            }
        }

        #[test]
        fn takes_nothing_that_is_not_json(text in "[{}\":,\\\\ekrvu0d ]{0,40}") {
            if parse(&text).is_some() {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
            }
        }
    }
}
