//! Where a secret is, when it is not in the file.

use std::fmt;

use bake_config::Reference;

/// A value in a file that sops encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SopsValue {
    /// The file's path, relative to the folder of the environment.
    pub file: String,
    /// The value's path in the file, each name as it is there.
    pub pointer: Vec<String>,
}

impl SopsValue {
    /// Reads `FILE#/POINTER`, the pointer as RFC 6901 has it; the error says what is expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "expected FILE#/POINTER, e.g. \"secrets/prod.enc.yaml#/api/token\"";
        let (file, pointer) = text.split_once('#').ok_or(EXPECTED)?;
        if file.is_empty() || file.chars().any(char::is_control) {
            return Err(EXPECTED);
        }
        if file.starts_with('/') {
            return Err("expected a path relative to the environment's file");
        }
        let pointer = pointer.strip_prefix('/').ok_or(EXPECTED)?;
        let pointer = pointer.split('/').map(unescaped).collect::<Option<Vec<_>>>();
        let pointer = pointer.ok_or("expected `~0` for `~` and `~1` for `/` in the pointer")?;
        Ok(Self { file: file.into(), pointer })
    }
}

impl fmt::Display for SopsValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#", self.file)?;
        self.pointer
            .iter()
            .try_for_each(|name| write!(f, "/{}", name.replace('~', "~0").replace('/', "~1")))
    }
}

fn unescaped(name: &str) -> Option<String> {
    let mut parts = name.split('~');
    let mut text = parts.next()?.to_owned();
    for part in parts {
        let (escaped, rest) = match part.as_bytes().first()? {
            b'0' => ('~', &part[1..]),
            b'1' => ('/', &part[1..]),
            _ => return None,
        };
        text.push(escaped);
        text.push_str(rest);
    }
    Some(text)
}

/// Reads `PROVIDER:LOCATION`; the error says what is expected.
pub fn reference(text: &str) -> Result<Reference, &'static str> {
    const EXPECTED: &str = "expected PROVIDER:LOCATION, e.g. \"vault:kv/orders#tls_key\"";
    let (provider, location) = text.split_once(':').ok_or(EXPECTED)?;
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let starts = provider.starts_with(|c: char| c.is_ascii_lowercase());
    if !starts || !provider.bytes().all(allowed) || location.trim() != location {
        return Err(EXPECTED);
    }
    if location.is_empty() || location.chars().any(char::is_control) {
        return Err(EXPECTED);
    }
    Ok(Reference { provider: provider.into(), location: location.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_name_values_in_files() {
        let parsed = SopsValue::parse("../a.yaml#/api/a~1b/~0/").unwrap();
        assert_eq!(parsed.file, "../a.yaml");
        assert_eq!(parsed.pointer, ["api", "a/b", "~", ""]);
        assert_eq!(parsed.to_string(), "../a.yaml#/api/a~1b/~0/");
        for text in ["a.yaml", "a.yaml#", "a.yaml#api", "#/api", "/etc/a#/b", "a#/~2", "a#/~"] {
            assert!(SopsValue::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn references_name_a_provider() {
        let parsed = reference("vault:kv/orders#tls:key").unwrap();
        assert_eq!(
            (parsed.provider.as_str(), parsed.location.as_str()),
            ("vault", "kv/orders#tls:key")
        );
        for text in ["", "vault", "vault:", ":kv", "Vault:kv", "vault: kv", "vault:a\nb", "1p:a"] {
            assert!(reference(text).is_err(), "{text}");
        }
    }
}
