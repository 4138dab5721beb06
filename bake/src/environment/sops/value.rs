//! A value that sops encrypted: AES-256-GCM, with its path as additional data.

use aes_gcm::aead::consts::{U12, U16, U32};
use aes_gcm::aead::generic_array::{ArrayLength, GenericArray};
use aes_gcm::aead::{AeadInPlace, KeyInit};
use aes_gcm::aes::Aes256;
use aes_gcm::{AesGcm, Tag};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::environment::held;

/// The key of a file's values.
pub(super) type DataKey = Zeroizing<[u8; 32]>;

/// Text of the form `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]`.
pub(super) struct Encrypted {
    data: Zeroizing<Vec<u8>>,
    nonce: Vec<u8>,
    tag: [u8; 16],
    kind: Kind,
}

/// What a value was before it was encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Int,
    Float,
    Bool,
}

/// A value that was decrypted.
pub(super) struct Value {
    /// The value as text.
    pub(super) text: Zeroizing<String>,
    /// What the authentication code is made over, if that is another text.
    pub(super) authenticated: Option<&'static str>,
}

impl Value {
    /// Returns a boolean.
    pub(super) fn bool(value: bool) -> Self {
        let (text, authenticated) = if value { ("true", "True") } else { ("false", "False") };
        Self { text: Zeroizing::new(text.into()), authenticated: Some(authenticated) }
    }

    /// Returns what the authentication code is made over.
    pub(super) fn authenticated(&self) -> &[u8] {
        self.authenticated.unwrap_or(&self.text).as_bytes()
    }
}

impl Encrypted {
    /// Reads the text of a value; `None` if it is not of the form.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let inner = text.strip_prefix("ENC[AES256_GCM,")?.strip_suffix(']')?;
        let mut fields = inner.split(',');
        let mut field = |name: &str| fields.next()?.strip_prefix(name)?.strip_prefix(':');
        let data = STANDARD.decode(field("data")?).ok()?;
        let nonce = STANDARD.decode(field("iv")?).ok()?;
        let tag = STANDARD.decode(field("tag")?).ok()?.try_into().ok()?;
        let kind = match field("type")? {
            "str" | "bytes" | "time" => Kind::Text,
            "int" => Kind::Int,
            "float" => Kind::Float,
            "bool" => Kind::Bool,
            _ => return None,
        };
        fields.next().is_none().then_some(Self { data: Zeroizing::new(data), nonce, tag, kind })
    }

    /// Decrypts the value; `None` if key, path or text are not what they were.
    pub(super) fn decrypt(self, key: &DataKey, additional: &str) -> Option<Value> {
        let kind = self.kind;
        let bytes = match self.nonce.len() {
            32 => self.open::<U32>(key, additional)?,
            16 => self.open::<U16>(key, additional)?,
            12 => self.open::<U12>(key, additional)?,
            _ => return None,
        };
        let text = held::text(bytes)?;
        match kind {
            Kind::Text => {}
            Kind::Int => drop(text.parse::<i64>().ok()?),
            Kind::Float => drop(text.parse::<f64>().ok()?),
            Kind::Bool => return text.to_ascii_lowercase().parse().ok().map(Value::bool),
        }
        Some(Value { text, authenticated: None })
    }

    fn open<N: ArrayLength<u8>>(
        mut self,
        key: &DataKey,
        additional: &str,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let cipher = AesGcm::<Aes256, N>::new_from_slice(&key[..]).ok()?;
        let nonce = GenericArray::from_slice(&self.nonce);
        let tag = Tag::from_slice(&self.tag);
        cipher.decrypt_in_place_detached(nonce, additional.as_bytes(), &mut self.data, tag).ok()?;
        Some(self.data)
    }
}
