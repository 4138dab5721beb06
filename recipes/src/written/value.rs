//! Values as they stand in the file, with their places.
//!
//! serde's own tagged, untagged and flattened enums lose the place of what is wrong inside them,
//! so every choice between shapes is a visitor here.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A value and the bytes of the file that it was read from.
#[derive(Debug, Clone)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Its bytes in the file.
    pub span: Range<usize>,
}

impl<T: PartialEq> PartialEq for At<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for At<T> {}

impl<T: Ord> Ord for At<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.value.cmp(&other.value)
    }
}

impl<T: Ord> PartialOrd for At<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = toml::Spanned::<T>::deserialize(deserializer)?;
        let span = spanned.span();
        Ok(Self { value: spanned.into_inner(), span })
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// Text, or a table that says more.
#[derive(Debug, Clone)]
pub enum TextOr<T> {
    /// Plain text.
    Text(String),
    /// A table.
    Table(T),
}

/// What a table stands for, named in errors.
pub trait Described {
    /// What is expected, e.g. ``a version or a table with `from` or `env` ``.
    const EXPECTED: &'static str;
}

impl<'de, T: Deserialize<'de> + Described> Deserialize<'de> for TextOr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de> + Described> Visitor<'de> for Shape<T> {
            type Value = TextOr<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::EXPECTED)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(TextOr::Text(text.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(TextOr::Table)
            }
        }
        deserializer.deserialize_any(Shape(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for TextOr<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("TextOr{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [{ "type": "string" }, table] })
    }
}

/// A list that replaces a common list or changes it.
#[derive(Debug, Clone)]
pub enum ListEdit<T> {
    /// An array: the list.
    Replace(Vec<At<T>>),
    /// A table: changes to the common list.
    Edit(ListChanges<T>),
}

/// Changes to a common list: replaced first, then pruned, then appended to.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound(deserialize = "T: Deserialize<'de>"))]
pub struct ListChanges<T> {
    /// What stands in place of the common list.
    pub replace: Option<Vec<At<T>>>,
    /// What is taken out: whole elements, or what they are called.
    #[serde(default)]
    pub remove: Vec<At<String>>,
    /// What comes after.
    #[serde(default)]
    pub append: Vec<At<T>>,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ListEdit<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Shape<T> {
            type Value = ListEdit<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array, or a table with `append`, `remove` or `replace`")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(element) = list.next_element()? {
                    all.push(element);
                }
                Ok(ListEdit::Replace(all))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                ListChanges::deserialize(MapAccessDeserializer::new(map)).map(ListEdit::Edit)
            }
        }
        deserializer.deserialize_any(Shape(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for ListEdit<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("ListEditOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let array = generator.subschema_for::<Vec<T>>();
        let changes = generator.subschema_for::<ListChanges<T>>();
        json_schema!({ "anyOf": [array, changes] })
    }
}

/// One value without structure, or a list of them.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A decimal number.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
    /// A date, as TOML writes it.
    Date(toml::value::Datetime),
    /// A list of texts.
    List(Vec<String>),
}

impl Scalar {
    /// Returns the value as configuration has it, which has no dates.
    pub(crate) fn without_date(&self) -> Option<bake_config::Scalar> {
        Some(match self {
            Self::Text(text) => bake_config::Scalar::Text(text.clone()),
            Self::Integer(number) => bake_config::Scalar::Integer(*number),
            Self::Float(number) => bake_config::Scalar::Float(*number),
            Self::Bool(yes) => bake_config::Scalar::Bool(*yes),
            Self::List(list) => bake_config::Scalar::List(list.clone()),
            Self::Date(_) => return None,
        })
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> Visitor<'de> for Shape {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, a number, a boolean or an array of strings")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(text.into()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar::Integer(number))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Scalar, E> {
                Ok(Scalar::Float(number))
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar::Bool(value))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalar, A::Error> {
                let mut all = Vec::new();
                while let Some(element) = list.next_element()? {
                    all.push(element);
                }
                Ok(Scalar::List(all))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Scalar, A::Error> {
                toml::value::Datetime::deserialize(MapAccessDeserializer::new(map))
                    .map(Scalar::Date)
                    .map_err(|_| de::Error::invalid_type(de::Unexpected::Map, &self))
            }
        }
        deserializer.deserialize_any(Shape)
    }
}

impl JsonSchema for Scalar {
    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": ["string", "number", "boolean"] },
            { "type": "array", "items": { "type": "string" } },
        ] })
    }
}

/// Text or a whole number, e.g. a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextOrInteger {
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
}

impl<'de> Deserialize<'de> for TextOrInteger {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;
        impl Visitor<'_> for Shape {
            type Value = TextOrInteger;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a whole number")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<TextOrInteger, E> {
                Ok(TextOrInteger::Text(text.into()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<TextOrInteger, E> {
                Ok(TextOrInteger::Integer(number))
            }
        }
        deserializer.deserialize_any(Shape)
    }
}

impl JsonSchema for TextOrInteger {
    fn schema_name() -> Cow<'static, str> {
        "TextOrInteger".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"] })
    }
}

/// `true` or `false`, or text that says more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlagOrText {
    /// `true` or `false`.
    Flag(bool),
    /// Text.
    Text(String),
}

impl<'de> Deserialize<'de> for FlagOrText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;
        impl Visitor<'_> for Shape {
            type Value = FlagOrText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`true`, `false` or a string")
            }

            fn visit_bool<E: de::Error>(self, flag: bool) -> Result<FlagOrText, E> {
                Ok(FlagOrText::Flag(flag))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<FlagOrText, E> {
                Ok(FlagOrText::Text(text.into()))
            }
        }
        deserializer.deserialize_any(Shape)
    }
}

impl JsonSchema for FlagOrText {
    fn schema_name() -> Cow<'static, str> {
        "FlagOrText".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["boolean", "string"] })
    }
}

/// `true` or `false`, or a list of texts that says more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlagOrList {
    /// `true` or `false`.
    Flag(bool),
    /// A list.
    List(Vec<At<String>>),
}

impl<'de> Deserialize<'de> for FlagOrList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> Visitor<'de> for Shape {
            type Value = FlagOrList;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`true`, `false` or an array of texts")
            }

            fn visit_bool<E: de::Error>(self, flag: bool) -> Result<FlagOrList, E> {
                Ok(FlagOrList::Flag(flag))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<FlagOrList, A::Error> {
                let mut all = Vec::new();
                while let Some(element) = list.next_element()? {
                    all.push(element);
                }
                Ok(FlagOrList::List(all))
            }
        }
        deserializer.deserialize_any(Shape)
    }
}

impl JsonSchema for FlagOrList {
    fn schema_name() -> Cow<'static, str> {
        "FlagOrList".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "boolean" },
            { "type": "array", "items": { "type": "string" } },
        ] })
    }
}

/// Text, or a list of texts, e.g. a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextOrList {
    /// Text.
    Text(String),
    /// A list.
    List(Vec<At<String>>),
}

impl<'de> Deserialize<'de> for TextOrList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> Visitor<'de> for Shape {
            type Value = TextOrList;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text or an array of texts")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<TextOrList, E> {
                Ok(TextOrList::Text(text.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<TextOrList, A::Error> {
                let mut all = Vec::new();
                while let Some(element) = list.next_element()? {
                    all.push(element);
                }
                Ok(TextOrList::List(all))
            }
        }
        deserializer.deserialize_any(Shape)
    }
}

impl JsonSchema for TextOrList {
    fn schema_name() -> Cow<'static, str> {
        "TextOrList".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [
            { "type": "string" },
            { "type": "array", "items": { "type": "string" } },
        ] })
    }
}
